//! Everything that has a name and columns, in one shape whatever it is: what the catalog's system tables are made of.

use super::{oid, types};
use crate::error::Result;
use crate::federated;
use crate::session::Context;
use datafusion::arrow::datatypes::FieldRef;
use millrace_catalog::model::{Constraint, DistributionStyle, ManagedTable, SortKey, Table, TableKind};

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    /// A managed table: what Redshift calls a table.
    Table,
    /// A view.
    View,
    /// Files in a lake: not in `pg_class`, as in Redshift.
    External,
}

/// A table or view.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) oid: i64,
    /// The database's name.
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: RelationKind,
    pub(crate) owner: String,
    pub(crate) comment: Option<String>,
    pub(crate) columns: Vec<Column>,
    /// 0 EVEN, 1 KEY, 8 ALL, 11 AUTO, whatever it is now.
    pub(crate) distribution: i16,
    /// Informational constraints with their names.
    pub(crate) constraints: Vec<(String, Constraint)>,
    /// A view's query.
    pub(crate) definition: Option<String>,
    /// What is known of an external table's files.
    pub(crate) external: Option<std::sync::Arc<Table>>,
    /// The kind of system that a foreign table is of.
    pub(crate) foreign: Option<String>,
    /// The managed table.
    pub(crate) managed: Option<std::sync::Arc<ManagedTable>>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// From 1.
    pub(crate) number: i64,
    pub(crate) name: String,
    /// As Redshift writes it.
    pub(crate) data_type: String,
    /// As the lake's catalog writes it, for external tables.
    pub(crate) external_type: Option<String>,
    pub(crate) nullable: bool,
    pub(crate) default: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) encoding: Option<String>,
    /// `COLLATE case_insensitive`
    pub(crate) case_insensitive: bool,
    pub(crate) distribution_key: bool,
    /// Its place in the sort key from 1, negative when interleaved; 0 outside.
    pub(crate) sort_key: i64,
    /// Its place among the partition keys, from 1; 0 for others.
    pub(crate) partition_key: i64,
}

impl Relation {
    /// `schema.name`, each in quotes where needed.
    pub(crate) fn qualified(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Whether it is in `pg_class`.
    pub(crate) fn is_local(&self) -> bool {
        self.kind != RelationKind::External
    }
}

/// A name, in quotes where it needs them.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !crate::sql::is_reserved(name)
        // Reserved in PostgreSQL, though it begins an expression in INSERT and UPDATE.
        && name != "default";
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// All relations that exist for the statement, by schema and name.
pub(crate) async fn relations(context: &Context) -> Result<Vec<Relation>> {
    let snapshot = context.snapshot().await?;
    let mut found: Vec<Relation> = snapshot.all_tables().map(cataloged).collect();
    for database in snapshot.databases() {
        let tables = context.transaction().lock().await.tables(context.warehouse(), &database.name).await?;
        found.extend(tables.iter().map(managed));
    }
    found.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(found)
}

/// The session's temporary tables, which are nobody else's.
pub(crate) async fn temporary(context: &Context) -> Vec<Relation> {
    context.transaction().lock().await.temporary().tables().map(managed).collect()
}

fn owner(owner: Option<&String>) -> String {
    owner.cloned().unwrap_or_else(|| millrace_catalog::model::ADMIN.to_owned())
}

fn cataloged(table: &std::sync::Arc<Table>) -> Relation {
    let keys = table.partition_keys.len();
    let all = table.storage.columns.iter().chain(&table.partition_keys).enumerate();
    let first_key = table.storage.columns.len();
    let columns = all.map(|(at, column)| Column {
        number: at as i64 + 1,
        name: column.name.clone(),
        data_type: types::of_hive(&column.data_type),
        external_type: Some(column.data_type.to_string()),
        nullable: true,
        comment: column.comment.clone(),
        partition_key: if keys > 0 && at >= first_key { (at - first_key) as i64 + 1 } else { 0 },
        ..Column::default()
    });
    let (kind, definition) = match &table.kind {
        TableKind::ExternalTable => (RelationKind::External, None),
        TableKind::VirtualView { text, .. } => (RelationKind::View, Some(text.clone())),
    };
    Relation {
        oid: oid::cataloged(table.id),
        schema: table.database.clone(),
        name: table.name.clone(),
        kind,
        owner: owner(table.owner.as_ref()),
        comment: table.description.clone(),
        columns: columns.collect(),
        distribution: 0,
        constraints: Vec::new(),
        definition,
        external: (kind == RelationKind::External).then(|| std::sync::Arc::clone(table)),
        foreign: None,
        managed: None,
    }
}

/// A table of a foreign system: by its name alone, or with its columns.
pub(super) fn foreign(schema: &str, kind: &str, name: &str, owner: Option<&String>, columns: &[FieldRef]) -> Relation {
    let column = |(at, field): (usize, &FieldRef)| {
        let data_type = federated::type_name(field);
        Column {
            number: at as i64 + 1,
            name: field.name().clone(),
            external_type: Some(data_type.clone()),
            data_type,
            nullable: field.is_nullable(),
            ..Column::default()
        }
    };
    Relation {
        oid: oid::system(schema, name),
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: RelationKind::External,
        owner: self::owner(owner),
        comment: None,
        columns: columns.iter().enumerate().map(column).collect(),
        distribution: 0,
        constraints: Vec::new(),
        definition: None,
        external: None,
        foreign: Some(kind.to_owned()),
        managed: None,
    }
}

fn managed(table: &std::sync::Arc<ManagedTable>) -> Relation {
    let attributes = &table.attributes;
    let (keys, interleaved): (Vec<i64>, bool) = match attributes.effective_sort_key() {
        SortKey::None | SortKey::Auto => (Vec::new(), false),
        SortKey::Compound { columns } => (columns, false),
        SortKey::Interleaved { columns } => (columns, true),
    };
    let columns = table.columns.iter().enumerate().map(|(at, column)| {
        let place = keys.iter().position(|key| *key == column.id).map_or(0, |at| at as i64 + 1);
        let identity = column.identity.map(|identity| {
            let function = if identity.by_default { "default_identity" } else { "identity" };
            format!("\"{function}\"({}, {at}, '{},{}'::text)", oid::managed(table.id), identity.seed, identity.step)
        });
        Column {
            number: at as i64 + 1,
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            external_type: None,
            nullable: column.nullable,
            default: identity.or_else(|| column.default.clone()),
            comment: column.comment.clone(),
            encoding: column.encoding.clone(),
            case_insensitive: column.case_insensitive,
            distribution_key: attributes.distribution == DistributionStyle::Key { column: column.id },
            sort_key: if interleaved { -place } else { place },
            partition_key: 0,
        }
    });
    Relation {
        oid: oid::managed(table.id),
        schema: table.schema.clone(),
        name: table.name.clone(),
        // Redshift lists materialized views among the views.
        kind: if attributes.materialized.is_some() { RelationKind::View } else { RelationKind::Table },
        owner: owner(attributes.owner.as_ref()),
        comment: table.comment.clone(),
        columns: columns.collect(),
        distribution: match attributes.distribution {
            DistributionStyle::Even => 0,
            DistributionStyle::Key { .. } => 1,
            DistributionStyle::All => 8,
            DistributionStyle::Auto => 11,
        },
        constraints: table.constraint_names().into_iter().zip(attributes.constraints.iter().cloned()).collect(),
        definition: attributes.materialized.as_ref().map(|view| view.text.clone()),
        external: None,
        foreign: None,
        managed: Some(std::sync::Arc::clone(table)),
    }
}

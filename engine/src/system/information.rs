//! `information_schema`, and Redshift's views of the same kind: `svv_tables`, `svv_columns`, `svv_all_*`,
//! `svv_redshift_*`.
//!
//! A user sees the relations that it has some right on, as PostgreSQL's `information_schema` has it.

use super::external::Told;
use super::shown::access;
use super::table::Kind::{Int4, Text};
use super::table::NULL;
use super::{
    Column, DATABASE, INFORMATION_SCHEMA, Kind, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, all, attributes,
    classes, constraints, external, relations, row, temporary, types,
};
use crate::error::Result;
use crate::resolve::rights;
use crate::session::Context;
use millrace_catalog::model::{Principals, Privilege, Securable};
use std::collections::BTreeSet;

/// Local relations, and as much as is asked of external ones under every schema's name, that the user may know of.
pub(super) async fn visible(context: &Context, external: Option<Told>) -> Result<Vec<(String, Relation)>> {
    let snapshot = context.snapshot().await?;
    let local = relations(context).await?.into_iter().filter(Relation::is_local);
    let local = local.chain(temporary(context).await);
    let mut found: Vec<(String, Relation)> = local.map(|relation| (relation.schema.clone(), relation)).collect();
    if let Some(told) = external {
        found.extend(external::tables(context, told).await?);
    }
    let principals = snapshot.principals();
    found.retain_mut(|(_, relation)| is_visible(principals, &context.who().user, relation));
    Ok(found)
}

/// Whether the user has some right on a relation; where it is on columns only, the others are left out.
fn is_visible(principals: &Principals, user: &str, relation: &mut Relation) -> bool {
    let object = Securable::Table(relation.schema.clone(), relation.name.clone());
    if Privilege::ALL.into_iter().any(|right| rights::may(principals, user, &object, &relation.owner, right)) {
        return true;
    }
    let names = (relation.schema.as_str(), relation.name.as_str());
    let of = |right| principals.granted_columns(user, names, right);
    let granted: BTreeSet<String> = [Privilege::Select, Privilege::Update].into_iter().flat_map(of).collect();
    relation.columns.retain(|column| granted.contains(&column.name));
    !granted.is_empty()
}

/// The standard's name of a relation's kind.
fn table_type(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Table => "BASE TABLE",
        RelationKind::View => "VIEW",
        RelationKind::External => "EXTERNAL TABLE",
    }
}

async fn tables(context: &Context) -> Result<Rows> {
    let user = visible(context, None).await?;
    let user = user.iter().map(|(schema, relation)| {
        let insertable = if relation.kind == RelationKind::Table { "YES" } else { "NO" };
        row![
            DATABASE,
            schema,
            &relation.name,
            table_type(relation),
            NULL,
            NULL,
            NULL,
            NULL,
            NULL,
            insertable,
            "NO",
            NULL
        ]
    });
    let system = all().map(|table| {
        let kind = if table.schema == PG_CATALOG { "BASE TABLE" } else { "VIEW" };
        row![DATABASE, table.schema, table.name, kind, NULL, NULL, NULL, NULL, NULL, "NO", "NO", NULL]
    });
    Ok(user.chain(system).collect())
}

async fn svv_tables(context: &Context) -> Result<Rows> {
    let user = visible(context, Some(Told::Names)).await?;
    let user = user.iter().map(|(schema, relation)| {
        row![DATABASE, schema, &relation.name, table_type(relation), relation.comment.as_ref()]
    });
    let system = all().map(|table| {
        let kind = if table.schema == PG_CATALOG { "BASE TABLE" } else { "VIEW" };
        row![DATABASE, table.schema, table.name, kind, NULL]
    });
    Ok(user.chain(system).collect())
}

/// A column's type in the standard's columns: name, length, precision, its radix, scale, precision of times.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) length: Option<i64>,
    pub(super) precision: Option<i64>,
    pub(super) scale: Option<i64>,
    time: Option<i64>,
    /// An interval's fields.
    interval: Option<String>,
}

pub(super) fn shape(column: &Column) -> Shape {
    let (oid, modifier) = types::of_text(&column.data_type);
    let interval = types::interval(&column.data_type);
    let inner = modifier - 4;
    let (precision, scale) = match oid {
        21 => (Some(16), Some(0)),
        23 => (Some(32), Some(0)),
        20 => (Some(64), Some(0)),
        700 => (Some(24), None),
        701 => (Some(53), None),
        1700 if modifier > 0 => (Some(inner >> 16), Some(inner & 0xffff)),
        _ => (None, None),
    };
    Shape {
        name: types::format_type(oid, None),
        length: (matches!(oid, 1042 | 1043 | 6551) && modifier > 0).then_some(inner),
        precision,
        scale,
        time: match interval {
            Some(qualifier) => qualifier.digits().map(i64::from),
            None => matches!(oid, 1083 | 1114 | 1184 | 1266).then_some(6),
        },
        interval: interval.map(|qualifier| qualifier.fields().to_uppercase()),
    }
}

/// `is_nullable`
pub(super) fn nullable(column: &Column) -> &'static str {
    if column.nullable { "YES" } else { "NO" }
}

async fn columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for column in &relation.columns {
            let shape = shape(column);
            let radix = shape.precision.map(|_| if shape.name == "numeric" { 10 } else { 2 });
            rows.push(row![
                DATABASE,
                &schema,
                &relation.name,
                &column.name,
                column.number,
                column.default.as_ref(),
                nullable(column),
                shape.name,
                shape.length,
                shape.length,
                shape.precision,
                radix,
                shape.scale,
                shape.time,
                shape.interval,
                NULL,
                DATABASE,
                PG_CATALOG,
                types::name_of(types::of_text(&column.data_type).0),
                column.number.to_string()
            ]);
        }
    }
    Ok(rows)
}

async fn svv_columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, Some(Told::Columns)).await? {
        for column in &relation.columns {
            let shape = shape(column);
            let radix = shape.precision.map(|_| if shape.name == "numeric" { 10 } else { 2 });
            rows.push(row![
                DATABASE,
                &schema,
                &relation.name,
                &column.name,
                column.number,
                column.default.as_ref(),
                nullable(column),
                shape.name,
                shape.length,
                shape.precision,
                radix,
                shape.scale,
                shape.time,
                shape.interval,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                column.case_insensitive.then_some("case_insensitive"),
                NULL,
                column.comment.as_ref()
            ]);
        }
    }
    Ok(rows)
}

async fn all_columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, Some(Told::Columns)).await? {
        for column in &relation.columns {
            let shape = shape(column);
            rows.push(row![
                DATABASE,
                &schema,
                &relation.name,
                &column.name,
                column.number,
                column.default.as_ref(),
                nullable(column),
                shape.name,
                shape.length,
                shape.precision,
                shape.scale,
                column.comment.as_ref()
            ]);
        }
    }
    Ok(rows)
}

async fn redshift_columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    let snapshot = context.snapshot().await?;
    for (schema, relation) in visible(context, None).await? {
        for column in &relation.columns {
            let object = Securable::Column(relation.schema.clone(), relation.name.clone(), column.name.clone());
            rows.push(row![
                DATABASE,
                &schema,
                &relation.name,
                &column.name,
                column.number,
                &column.data_type,
                column.default.as_ref(),
                nullable(column),
                attributes::encoding_of(column),
                column.distribution_key,
                column.sort_key,
                access(snapshot.principals(), &object),
                column.comment.as_ref()
            ]);
        }
    }
    Ok(rows)
}

/// `svv_all_tables` and `svv_redshift_tables`.
async fn all_tables(context: &Context, with_external: bool) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let found = visible(context, with_external.then_some(Told::Names)).await?;
    let rows = found.iter().map(|(schema, relation)| {
        let kind = match relation.kind {
            RelationKind::Table => "TABLE",
            RelationKind::View => "VIEW",
            RelationKind::External => "EXTERNAL TABLE",
        };
        let object = Securable::Table(relation.schema.clone(), relation.name.clone());
        let access = access(snapshot.principals(), &object);
        row![DATABASE, schema, &relation.name, kind, access, relation.comment.as_ref(), &relation.owner]
    });
    Ok(rows.collect())
}

async fn key_columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for key in constraints::of(&relation) {
            for (at, column) in key.columns.iter().enumerate() {
                rows.push(row![DATABASE, &schema, key.name, DATABASE, &schema, &relation.name, &column.name, at + 1]);
            }
        }
    }
    Ok(rows)
}

async fn table_constraints(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        let keys = constraints::of(&relation);
        rows.extend(
            keys.map(|key| {
                row![DATABASE, &schema, key.name, DATABASE, &schema, &relation.name, key.kind(), "NO", "NO"]
            }),
        );
    }
    Ok(rows)
}

const fn standard(
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    rows: super::table::Read,
) -> SystemTable {
    SystemTable { schema: INFORMATION_SCHEMA, name, columns, rows }
}

pub(super) const TABLES: &[SystemTable] = &[
    standard(
        "tables",
        &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("table_type", Text),
            ("self_referencing_column_name", Text),
            ("reference_generation", Text),
            ("user_defined_type_catalog", Text),
            ("user_defined_type_schema", Text),
            ("user_defined_type_name", Text),
            ("is_insertable_into", Text),
            ("is_typed", Text),
            ("commit_action", Text),
        ],
        |context| Box::pin(tables(context)),
    ),
    standard(
        "columns",
        &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Int4),
            ("column_default", Text),
            ("is_nullable", Text),
            ("data_type", Text),
            ("character_maximum_length", Int4),
            ("character_octet_length", Int4),
            ("numeric_precision", Int4),
            ("numeric_precision_radix", Int4),
            ("numeric_scale", Int4),
            ("datetime_precision", Int4),
            ("interval_type", Text),
            ("interval_precision", Text),
            ("udt_catalog", Text),
            ("udt_schema", Text),
            ("udt_name", Text),
            ("dtd_identifier", Text),
        ],
        |context| Box::pin(columns(context)),
    ),
    standard(
        "views",
        &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("view_definition", Text),
            ("check_option", Text),
            ("is_updatable", Text),
            ("is_insertable_into", Text),
        ],
        |context| {
            Box::pin(async {
                let found = visible(context, None).await?;
                let views = found.iter().filter(|(_, relation)| relation.kind == RelationKind::View);
                let rows = views.map(|(schema, view)| {
                    row![DATABASE, schema, &view.name, view.definition.as_ref(), "NONE", "NO", "NO"]
                });
                Ok(rows.collect())
            })
        },
    ),
    standard(
        "schemata",
        &[
            ("catalog_name", Text),
            ("schema_name", Text),
            ("schema_owner", Text),
            ("default_character_set_catalog", Text),
            ("default_character_set_schema", Text),
            ("default_character_set_name", Text),
            ("sql_path", Text),
        ],
        |context| {
            Box::pin(async {
                let schemas = classes::schemas(context).await?;
                Ok(schemas.iter().map(|(name, owner)| row![DATABASE, name, owner, NULL, NULL, NULL, NULL]).collect())
            })
        },
    ),
    standard(
        "key_column_usage",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Int4),
        ],
        |context| Box::pin(key_columns(context)),
    ),
    standard(
        "table_constraints",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("constraint_type", Text),
            ("is_deferrable", Text),
            ("initially_deferred", Text),
        ],
        |context| Box::pin(table_constraints(context)),
    ),
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_tables",
        columns: &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("table_type", Text),
            ("remarks", Text),
        ],
        rows: |context| Box::pin(svv_tables(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_columns",
        columns: &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Int4),
            ("column_default", Text),
            ("is_nullable", Text),
            ("data_type", Text),
            ("character_maximum_length", Int4),
            ("numeric_precision", Int4),
            ("numeric_precision_radix", Int4),
            ("numeric_scale", Int4),
            ("datetime_precision", Int4),
            ("interval_type", Text),
            ("interval_precision", Text),
            ("character_set_catalog", Text),
            ("character_set_schema", Text),
            ("character_set_name", Text),
            ("collation_catalog", Text),
            ("collation_schema", Text),
            ("collation_name", Text),
            ("domain_name", Text),
            ("remarks", Text),
        ],
        rows: |context| Box::pin(svv_columns(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_all_tables",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("table_type", Text),
            ("table_acl", Text),
            ("remarks", Text),
            ("owner", Text),
        ],
        rows: |context| Box::pin(all_tables(context, true)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_redshift_tables",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("table_type", Text),
            ("table_acl", Text),
            ("remarks", Text),
            ("table_owner", Text),
        ],
        rows: |context| Box::pin(all_tables(context, false)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_all_columns",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Int4),
            ("column_default", Text),
            ("is_nullable", Text),
            ("data_type", Text),
            ("character_maximum_length", Int4),
            ("numeric_precision", Int4),
            ("numeric_scale", Int4),
            ("remarks", Text),
        ],
        rows: |context| Box::pin(all_columns(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_redshift_columns",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Int4),
            ("data_type", Text),
            ("column_default", Text),
            ("is_nullable", Text),
            ("encoding", Text),
            ("distkey", Kind::Bool),
            ("sortkey", Int4),
            ("column_acl", Text),
            ("remarks", Text),
        ],
        rows: |context| Box::pin(redshift_columns(context)),
    },
];

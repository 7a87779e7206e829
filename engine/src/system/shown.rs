//! What Redshift's `SHOW … FROM …` shows, in its columns: tables of a schema that nothing else names.
//!
//! A user sees the relations that it has some right on, and the grants that reach it; a superuser all.

use super::constraints::Key;
use super::external::Told;
use super::information::{Shape, nullable, shape, visible};
use super::table::Kind::{Bool, Int4, Text, Time};
use super::table::NULL;
use super::{
    Column, DATABASE, Kind, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, Value, all, attributes, classes,
    constraints, databases, external, grants, procedures, relations, row, types,
};
use crate::error::Result;
use crate::session::Context;
use crate::sql::SHOWN;
use millrace_catalog::model::{Principals, Securable};

/// An access list in one text.
pub(super) fn access(principals: &Principals, object: &Securable) -> Option<String> {
    match classes::access_list(principals, object) {
        Value::Texts(items) => Some(items.join("~")),
        _ => None,
    }
}

async fn schemas(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let rows = classes::schemas(context).await?.into_iter().map(|(name, owner)| {
        let source = external::source_of(&snapshot, &name);
        let kind = if source.is_some() { "external" } else { "local" };
        let acl = access(principals, &Securable::Schema(name.clone()));
        row![DATABASE, name, principals.user_id(&owner), kind, acl, source, NULL]
    });
    Ok(rows.collect())
}

/// `table_type` and `table_subtype`
fn kinds(relation: &Relation) -> (&'static str, &'static str) {
    match relation.kind {
        RelationKind::Table => ("TABLE", "REGULAR TABLE"),
        RelationKind::View if relation.columns.is_empty() => ("VIEW", "LATE BINDING VIEW"),
        RelationKind::View => ("VIEW", "REGULAR VIEW"),
        RelationKind::External => ("EXTERNAL TABLE", "EXTERNAL TABLE"),
    }
}

/// `dist_style`
fn style(relation: &Relation) -> Option<&'static str> {
    (relation.kind == RelationKind::Table).then_some(match relation.distribution {
        0 => "EVEN",
        1 => "KEY",
        8 => "ALL",
        10 => "AUTO (ALL)",
        12 => "AUTO (KEY)",
        _ => "AUTO (EVEN)",
    })
}

async fn tables(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, Some(Told::Names)).await? {
        let object = Securable::Table(relation.schema.clone(), relation.name.clone());
        let (kind, subtype) = kinds(&relation);
        let altered = relation.external.as_ref().map(|table| table.update_time_ms * 1000);
        rows.push(row![
            DATABASE,
            &schema,
            &relation.name,
            kind,
            access(snapshot.principals(), &object),
            relation.comment.as_ref(),
            &relation.owner,
            altered,
            altered,
            style(&relation),
            subtype
        ]);
    }
    for table in all() {
        let kind = if table.schema == PG_CATALOG { "SYSTEM TABLE" } else { "SYSTEM VIEW" };
        rows.push(row![DATABASE, table.schema, table.name, kind, NULL, NULL, "admin", NULL, NULL, NULL, kind]);
    }
    Ok(rows)
}

async fn columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, Some(Told::Columns)).await? {
        for column in &relation.columns {
            let Shape { name, length, precision, scale, .. } = shape(column);
            let is_text = matches!(types::of_text(&column.data_type).0, 1042 | 1043);
            let table = relation.kind == RelationKind::Table;
            let sorts = (column.sort_key != 0).then_some(if column.sort_key < 0 { "INTERLEAVED" } else { "COMPOUND" });
            rows.push(row![
                DATABASE,
                &schema,
                &relation.name,
                &column.name,
                column.number,
                column.default.as_ref(),
                nullable(column),
                name,
                length,
                precision,
                scale,
                column.comment.as_ref(),
                sorts,
                (column.sort_key != 0).then_some(column.sort_key.abs()),
                table.then_some(i64::from(column.distribution_key)),
                table.then(|| attributes::encoding_of(column)),
                (table && is_text).then_some(if column.case_insensitive { "case_insensitive" } else { "default" })
            ]);
        }
    }
    for table in all() {
        for (at, (name, kind)) in table.columns.iter().enumerate() {
            let shown = types::format_type(attributes::system_type(*kind), None);
            rows.push(row![
                DATABASE,
                table.schema,
                table.name,
                *name,
                at + 1,
                NULL,
                "YES",
                shown,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL
            ]);
        }
    }
    Ok(rows)
}

async fn primary_keys(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for key in constraints::of(&relation).filter(Key::is_primary) {
            for (at, column) in key.columns.iter().enumerate() {
                rows.push(row![DATABASE, &schema, &relation.name, key.name, &column.name, at + 1]);
            }
        }
    }
    Ok(rows)
}

async fn foreign_keys(context: &Context) -> Result<Rows> {
    let all = relations(context).await?;
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for key in constraints::foreign_keys(&all, &relation) {
            for (at, (column, target)) in key.columns.iter().zip(&key.target_columns).enumerate() {
                rows.push(row![
                    DATABASE,
                    &key.target.schema,
                    &key.target.name,
                    &target.name,
                    DATABASE,
                    &schema,
                    &relation.name,
                    &column.name,
                    at + 1,
                    key.name,
                    key.target_key,
                    NULL,
                    NULL,
                    NULL
                ]);
            }
        }
    }
    Ok(rows)
}

async fn granted(context: &Context) -> Result<Rows> {
    let rows = grants::seen(context).await?.into_iter().filter_map(|(grant, (id, who, kind))| {
        let (schema, name, object) = match &grant.object {
            Securable::Database => (None, DATABASE.to_owned(), "DATABASE"),
            Securable::Schema(schema) => (Some(schema.clone()), schema.clone(), "SCHEMA"),
            Securable::Table(schema, name) => (Some(schema.clone()), name.clone(), "TABLE"),
            Securable::Column(..) => return None,
            Securable::Function(schema, name, types) => {
                (Some(schema.clone()), format!("{name}({})", types.join(", ")), "FUNCTION")
            }
            Securable::Language(name) => (None, name.clone(), "LANGUAGE"),
        };
        let right = grant.privilege.name();
        Some(row![DATABASE, schema, name, object, right, id, who, kind, grant.grant_option, object, grant.grantor])
    });
    Ok(rows.collect())
}

async fn column_grants(context: &Context) -> Result<Rows> {
    let rows = grants::seen(context).await?.into_iter().filter_map(|(grant, (id, who, kind))| {
        let Securable::Column(schema, table, column) = &grant.object else { return None };
        let right = grant.privilege.name();
        Some(row![
            DATABASE,
            schema,
            table,
            column,
            "COLUMN",
            right,
            id,
            who,
            kind,
            grant.grant_option,
            "COLUMN",
            &grant.grantor
        ])
    });
    Ok(rows.collect())
}

const fn shown(name: &'static str, columns: &'static [(&'static str, Kind)], rows: super::table::Read) -> SystemTable {
    SystemTable { schema: SHOWN, name, columns, rows }
}

/// The functions that the user may call.
async fn functions(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let rows = procedures::callable(&snapshot, &context.who().user).map(|(schema, function)| {
        let arguments = function.arguments.join(", ");
        row![DATABASE, schema, &function.name, function.arguments.len(), arguments, &function.returns]
    });
    Ok(rows.collect())
}

/// The arguments of the functions that the user may call; they have no names. Behind them stands the function's signature.
async fn function_parameters(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for (schema, function) in procedures::callable(&snapshot, &context.who().user) {
        let signature = format!("{schema}.{}", function.signature());
        for (at, argument) in function.arguments.iter().enumerate() {
            let column = Column { data_type: argument.clone(), ..Column::default() };
            let Shape { name, length, precision, scale, .. } = shape(&column);
            rows.push(row![
                DATABASE,
                schema,
                &function.name,
                NULL,
                at + 1,
                "IN",
                name,
                length,
                precision,
                scale,
                &signature
            ]);
        }
    }
    Ok(rows)
}

/// There are no procedures.
fn none(_: &Context) -> futures::future::BoxFuture<'_, Result<Rows>> {
    Box::pin(async { Ok(Rows::new()) })
}

pub(super) const TABLES: &[SystemTable] = &[
    shown(
        "databases",
        &[
            ("database_name", Text),
            ("database_owner", Int4),
            ("database_type", Text),
            ("database_acl", Text),
            ("parameters", Text),
            ("database_isolation_level", Text),
        ],
        |context| Box::pin(databases::shown(context)),
    ),
    shown(
        "schemas",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("schema_owner", Int4),
            ("schema_type", Text),
            ("schema_acl", Text),
            ("source_database", Text),
            ("schema_option", Text),
        ],
        |context| Box::pin(schemas(context)),
    ),
    shown(
        "tables",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("table_type", Text),
            ("table_acl", Text),
            ("remarks", Text),
            ("owner", Text),
            ("last_altered_time", Time),
            ("last_modified_time", Time),
            ("dist_style", Text),
            ("table_subtype", Text),
        ],
        |context| Box::pin(tables(context)),
    ),
    shown(
        "columns",
        &[
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
            ("sort_key_type", Text),
            ("sort_key", Int4),
            ("dist_key", Int4),
            ("encoding", Text),
            ("collation", Text),
        ],
        |context| Box::pin(columns(context)),
    ),
    shown(
        "primary_keys",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("pk_name", Text),
            ("column_name", Text),
            ("key_seq", Int4),
        ],
        |context| Box::pin(primary_keys(context)),
    ),
    shown(
        "foreign_keys",
        &[
            ("pk_database_name", Text),
            ("pk_schema_name", Text),
            ("pk_table_name", Text),
            ("pk_column_name", Text),
            ("fk_database_name", Text),
            ("fk_schema_name", Text),
            ("fk_table_name", Text),
            ("fk_column_name", Text),
            ("key_seq", Int4),
            ("fk_name", Text),
            ("pk_name", Text),
            ("update_rule", Int4),
            ("delete_rule", Int4),
            ("deferrability", Int4),
        ],
        |context| Box::pin(foreign_keys(context)),
    ),
    shown(
        "grants",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("object_name", Text),
            ("object_type", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
            ("privilege_scope", Text),
            ("grantor_name", Text),
        ],
        |context| Box::pin(granted(context)),
    ),
    shown(
        "column_grants",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("object_type", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
            ("privilege_scope", Text),
            ("grantor_name", Text),
        ],
        |context| Box::pin(column_grants(context)),
    ),
    shown(
        "procedures",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("procedure_name", Text),
            ("number_of_arguments", Int4),
            ("argument_list", Text),
            ("return_type", Text),
        ],
        |context| none(context),
    ),
    shown(
        "functions",
        &[
            ("database_name", Text),
            ("schema_name", Text),
            ("function_name", Text),
            ("number_of_arguments", Int4),
            ("argument_list", Text),
            ("return_type", Text),
        ],
        |context| Box::pin(functions(context)),
    ),
    shown("procedure_parameters", PROCEDURE_PARAMETERS, |context| none(context)),
    shown("function_parameters", FUNCTION_PARAMETERS, |context| Box::pin(function_parameters(context))),
];

const PROCEDURE_PARAMETERS: &[(&str, Kind)] = &[
    ("database_name", Text),
    ("schema_name", Text),
    ("procedure_name", Text),
    ("parameter_name", Text),
    ("ordinal_position", Int4),
    ("parameter_type", Text),
    ("data_type", Text),
    ("character_maximum_length", Int4),
    ("numeric_precision", Int4),
    ("numeric_scale", Int4),
];

const FUNCTION_PARAMETERS: &[(&str, Kind)] = &[
    ("database_name", Text),
    ("schema_name", Text),
    ("function_name", Text),
    ("parameter_name", Text),
    ("ordinal_position", Int4),
    ("parameter_type", Text),
    ("data_type", Text),
    ("character_maximum_length", Int4),
    ("numeric_precision", Int4),
    ("numeric_scale", Int4),
    ("signature", Text),
];

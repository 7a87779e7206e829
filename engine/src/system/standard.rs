//! More of `information_schema`: what keys refer to, what views read, functions with their arguments, roles and what they
//! were granted.
//!
//! Columns are those of PostgreSQL's documentation ("The Information Schema"). What nothing here can have (checks,
//! domains, sequences, triggers) is empty.

use super::information::visible;
use super::table::Kind::{Int4, Text};
use super::table::NULL;
use super::{
    DATABASE, INFORMATION_SCHEMA, Kind, PG_CATALOG, Rows, SystemTable, Value, classes, constraints, grants, oid,
    procedures, relations, row, types,
};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::{Grantee, Securable, SqlFunction, Volatility};

async fn referential_constraints(context: &Context) -> Result<Rows> {
    let all = relations(context).await?;
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for key in constraints::foreign_keys(&all, &relation) {
            rows.push(row![
                DATABASE,
                &schema,
                key.name,
                DATABASE,
                &key.target.schema,
                key.target_key,
                "NONE",
                "NO ACTION",
                "NO ACTION"
            ]);
        }
    }
    Ok(rows)
}

/// The columns that constraints are about: of a foreign key those that it points at.
async fn constraint_columns(context: &Context) -> Result<Rows> {
    let all = relations(context).await?;
    let mut rows = Rows::new();
    for (schema, relation) in visible(context, None).await? {
        for key in constraints::of(&relation).filter(|key| !key.is_foreign()) {
            let (table, columns) = (&relation.name, key.columns.iter());
            rows.extend(
                columns.map(|column| row![DATABASE, &schema, table, &column.name, DATABASE, &schema, key.name]),
            );
        }
        for key in constraints::foreign_keys(&all, &relation) {
            let (target, name) = (key.target, key.name);
            let columns = key.target_columns.iter();
            rows.extend(
                columns
                    .map(|column| row![DATABASE, &target.schema, &target.name, &column.name, DATABASE, &schema, name]),
            );
        }
    }
    Ok(rows)
}

/// The tables that views read, of those that the user owns.
async fn view_tables(context: &Context) -> Result<Rows> {
    let all = relations(context).await?;
    let snapshot = context.snapshot().await?;
    let user = &context.who().user;
    let superuser = snapshot.principals().is_superuser(user);
    let by_oid = |oid: i64| all.iter().find(|relation| relation.oid == oid);
    let rows = classes::view_sources(context).await?.into_iter().filter_map(|(view, table)| {
        let (view, table) = (by_oid(view)?, by_oid(table)?);
        let owned = superuser || table.owner == *user;
        owned.then(|| row![DATABASE, &view.schema, &view.name, DATABASE, &table.schema, &table.name])
    });
    Ok(rows.collect())
}

/// What tells functions of one name apart.
fn specific_name(schema: &str, function: &SqlFunction) -> String {
    format!("{}_{}", function.name, oid::function(schema, &function.signature()))
}

async fn routines(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let rows = procedures::callable(&snapshot, &context.who().user).map(|(schema, function)| {
        let (returns, _) = types::of_text(&function.returns);
        let value = |(column, _): &(&str, Kind)| -> Value {
            match *column {
                "specific_catalog" | "routine_catalog" | "type_udt_catalog" => DATABASE.into(),
                "specific_schema" | "routine_schema" => schema.into(),
                "specific_name" => specific_name(schema, function).into(),
                "routine_name" => (&function.name).into(),
                "routine_type" => "FUNCTION".into(),
                "data_type" => types::format_type(returns, None).into(),
                "type_udt_schema" => PG_CATALOG.into(),
                "type_udt_name" => types::name_of(returns).into(),
                "routine_body" | "external_language" => "SQL".into(),
                "routine_definition" => (&function.body).into(),
                "parameter_style" => "GENERAL".into(),
                "is_deterministic" => yes_or_no(function.volatility == Volatility::Immutable).into(),
                "sql_data_access" => "MODIFIES".into(),
                "is_null_call" | "as_locator" => yes_or_no(false).into(),
                "schema_level_routine" => yes_or_no(true).into(),
                "max_dynamic_result_sets" => 0.into(),
                "dtd_identifier" => "0".into(),
                "security_type" => "INVOKER".into(),
                _ => Value::Null,
            }
        };
        ROUTINES.iter().map(value).collect::<Vec<_>>()
    });
    Ok(rows.collect())
}

async fn parameters(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for (schema, function) in procedures::callable(&snapshot, &context.who().user) {
        for (at, argument) in function.arguments.iter().enumerate() {
            let (oid, _) = types::of_text(argument);
            let value = |(column, _): &(&str, Kind)| -> Value {
                match *column {
                    "specific_catalog" | "udt_catalog" => DATABASE.into(),
                    "specific_schema" => schema.into(),
                    "specific_name" => specific_name(schema, function).into(),
                    "ordinal_position" => (at + 1).into(),
                    "dtd_identifier" => (at + 1).to_string().into(),
                    "parameter_mode" => "IN".into(),
                    "is_result" | "as_locator" => yes_or_no(false).into(),
                    "data_type" => types::format_type(oid, None).into(),
                    "udt_schema" => PG_CATALOG.into(),
                    "udt_name" => types::name_of(oid).into(),
                    _ => Value::Null,
                }
            };
            rows.push(PARAMETERS.iter().map(value).collect());
        }
    }
    Ok(rows)
}

fn yes_or_no(holds: bool) -> &'static str {
    if holds { "YES" } else { "NO" }
}

/// The user itself, and the roles that it has, itself or through others.
async fn enabled_roles(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let identities = snapshot.principals().identities(&context.who().user);
    let names = identities.into_iter().filter_map(|identity| match identity {
        Grantee::User(name) | Grantee::Role(name) => Some(row![name]),
        Grantee::Group(_) | Grantee::Public => None,
    });
    Ok(names.collect())
}

/// Whom the user's roles were granted to: itself, or another of its roles.
async fn applicable_roles(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let identities = principals.identities(&context.who().user);
    let mut rows = Rows::new();
    for (name, role) in &principals.roles {
        for member in role.members.iter().filter(|member| identities.contains(*member)) {
            if let Grantee::User(grantee) | Grantee::Role(grantee) = member {
                rows.push(row![grantee, name, yes_or_no(false)]);
            }
        }
    }
    Ok(rows)
}

async fn table_grants(context: &Context) -> Result<Rows> {
    let rows = grants::seen(context).await?.into_iter().filter_map(|(grant, (_, who, _))| {
        let Securable::Table(schema, name) = &grant.object else { return None };
        let (right, grantable) = (grant.privilege.name(), yes_or_no(grant.grant_option));
        Some(row![&grant.grantor, who, DATABASE, schema, name, right, grantable, NULL])
    });
    Ok(rows.collect())
}

const fn standard(
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    rows: super::table::Read,
) -> SystemTable {
    SystemTable { schema: INFORMATION_SCHEMA, name, columns, rows }
}

/// A view of what nothing here can have.
const fn empty(name: &'static str, columns: &'static [(&'static str, Kind)]) -> SystemTable {
    standard(name, columns, |_| Box::pin(async { Ok(Rows::new()) }))
}

/// The columns of `routines`.
const ROUTINES: &[(&str, Kind)] = &[
    ("specific_catalog", Text),
    ("specific_schema", Text),
    ("specific_name", Text),
    ("routine_catalog", Text),
    ("routine_schema", Text),
    ("routine_name", Text),
    ("routine_type", Text),
    ("module_catalog", Text),
    ("module_schema", Text),
    ("module_name", Text),
    ("udt_catalog", Text),
    ("udt_schema", Text),
    ("udt_name", Text),
    ("data_type", Text),
    ("character_maximum_length", Int4),
    ("character_octet_length", Int4),
    ("character_set_catalog", Text),
    ("character_set_schema", Text),
    ("character_set_name", Text),
    ("collation_catalog", Text),
    ("collation_schema", Text),
    ("collation_name", Text),
    ("numeric_precision", Int4),
    ("numeric_precision_radix", Int4),
    ("numeric_scale", Int4),
    ("datetime_precision", Int4),
    ("interval_type", Text),
    ("interval_precision", Int4),
    ("type_udt_catalog", Text),
    ("type_udt_schema", Text),
    ("type_udt_name", Text),
    ("scope_catalog", Text),
    ("scope_schema", Text),
    ("scope_name", Text),
    ("maximum_cardinality", Int4),
    ("dtd_identifier", Text),
    ("routine_body", Text),
    ("routine_definition", Text),
    ("external_name", Text),
    ("external_language", Text),
    ("parameter_style", Text),
    ("is_deterministic", Text),
    ("sql_data_access", Text),
    ("is_null_call", Text),
    ("sql_path", Text),
    ("schema_level_routine", Text),
    ("max_dynamic_result_sets", Int4),
    ("is_user_defined_cast", Text),
    ("is_implicitly_invocable", Text),
    ("security_type", Text),
    ("to_sql_specific_catalog", Text),
    ("to_sql_specific_schema", Text),
    ("to_sql_specific_name", Text),
    ("as_locator", Text),
];

/// The columns of `parameters`.
const PARAMETERS: &[(&str, Kind)] = &[
    ("specific_catalog", Text),
    ("specific_schema", Text),
    ("specific_name", Text),
    ("ordinal_position", Int4),
    ("parameter_mode", Text),
    ("is_result", Text),
    ("as_locator", Text),
    ("parameter_name", Text),
    ("data_type", Text),
    ("character_maximum_length", Int4),
    ("character_octet_length", Int4),
    ("character_set_catalog", Text),
    ("character_set_schema", Text),
    ("character_set_name", Text),
    ("collation_catalog", Text),
    ("collation_schema", Text),
    ("collation_name", Text),
    ("numeric_precision", Int4),
    ("numeric_precision_radix", Int4),
    ("numeric_scale", Int4),
    ("datetime_precision", Int4),
    ("interval_type", Text),
    ("interval_precision", Int4),
    ("udt_catalog", Text),
    ("udt_schema", Text),
    ("udt_name", Text),
    ("scope_catalog", Text),
    ("scope_schema", Text),
    ("scope_name", Text),
    ("maximum_cardinality", Int4),
    ("dtd_identifier", Text),
];

pub(super) const TABLES: &[SystemTable] = &[
    standard(
        "referential_constraints",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("unique_constraint_catalog", Text),
            ("unique_constraint_schema", Text),
            ("unique_constraint_name", Text),
            ("match_option", Text),
            ("update_rule", Text),
            ("delete_rule", Text),
        ],
        |context| Box::pin(referential_constraints(context)),
    ),
    standard(
        "constraint_column_usage",
        &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
        ],
        |context| Box::pin(constraint_columns(context)),
    ),
    standard(
        "view_table_usage",
        &[
            ("view_catalog", Text),
            ("view_schema", Text),
            ("view_name", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
        ],
        |context| Box::pin(view_tables(context)),
    ),
    standard("routines", ROUTINES, |context| Box::pin(routines(context))),
    standard("parameters", PARAMETERS, |context| Box::pin(parameters(context))),
    standard("enabled_roles", &[("role_name", Text)], |context| Box::pin(enabled_roles(context))),
    standard("applicable_roles", &[("grantee", Text), ("role_name", Text), ("is_grantable", Text)], |context| {
        Box::pin(applicable_roles(context))
    }),
    standard(
        "role_table_grants",
        &[
            ("grantor", Text),
            ("grantee", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("privilege_type", Text),
            ("is_grantable", Text),
            ("with_hierarchy", Text),
        ],
        |context| Box::pin(table_grants(context)),
    ),
    standard("information_schema_catalog_name", &[("catalog_name", Text)], |_| {
        Box::pin(async { Ok(vec![row![DATABASE]]) })
    }),
    empty(
        "check_constraints",
        &[("constraint_catalog", Text), ("constraint_schema", Text), ("constraint_name", Text), ("check_clause", Text)],
    ),
    empty(
        "sequences",
        &[
            ("sequence_catalog", Text),
            ("sequence_schema", Text),
            ("sequence_name", Text),
            ("data_type", Text),
            ("numeric_precision", Int4),
            ("numeric_precision_radix", Int4),
            ("numeric_scale", Int4),
            ("start_value", Text),
            ("minimum_value", Text),
            ("maximum_value", Text),
            ("increment", Text),
            ("cycle_option", Text),
        ],
    ),
    empty(
        "triggers",
        &[
            ("trigger_catalog", Text),
            ("trigger_schema", Text),
            ("trigger_name", Text),
            ("event_manipulation", Text),
            ("event_object_catalog", Text),
            ("event_object_schema", Text),
            ("event_object_table", Text),
            ("action_order", Int4),
            ("action_condition", Text),
            ("action_statement", Text),
            ("action_orientation", Text),
            ("action_timing", Text),
        ],
    ),
];

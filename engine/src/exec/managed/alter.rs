//! `ALTER TABLE` of managed tables. Definitions change; no file is touched.

use super::{assign, constraints, create, drop_column, insert};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::done;
use crate::functions::is_text;
use crate::plan;
use crate::resolve::{self, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, is_temporary};
use crate::sql::{AlterOperation, ColumnDefinition, Distribution, SortKeyClause};
use crate::tables::SqlType;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::functions::expr_fn::octet_length;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, cast};
use datafusion::physical_plan::collect;
use datafusion::prelude::ident;
use millrace_catalog::model::{DistributionStyle, ManagedColumn, ManagedTable, SortKey};
use std::sync::Arc;

/// `ALTER TABLE t …`
pub(crate) async fn alter_table(
    context: &Context,
    table: &Arc<ManagedTable>,
    operation: &AlterOperation,
) -> Result<StatementResult> {
    if !matches!(operation, AlterOperation::Owner(_)) {
        super::check_changeable(table)?;
    }
    if let AlterOperation::AppendFrom { source, ignore_extra, fill_target } = operation {
        context.check_no_block("ALTER TABLE APPEND")?;
        let source = super::target(context, source, "append from").await?;
        return append(context, table, &source, *ignore_extra, *fill_target).await;
    }
    if let AlterOperation::DropColumn(name, cascade) = operation {
        return drop_column::execute(context, table, name, *cascade).await;
    }
    let mut changed = ManagedTable::clone(table);
    match operation {
        AlterOperation::Several(operations) => {
            for operation in operations {
                change(context, table, &mut changed, operation).await?;
            }
        }
        operation => change(context, table, &mut changed, operation).await?,
    }
    context.transaction().lock().await.alter(context.warehouse(), table, changed).await?;
    Ok(done(CommandTag::Verb("ALTER TABLE"), vec![]))
}

/// Changes a definition as one operation says.
async fn change(
    context: &Context,
    table: &Arc<ManagedTable>,
    changed: &mut ManagedTable,
    operation: &AlterOperation,
) -> Result<()> {
    match operation {
        AlterOperation::AddColumn(definition) => add_column(context, changed, definition).await?,
        AlterOperation::RenameColumn { old, new } => {
            if changed.columns.iter().any(|column| column.name == *new) {
                let message = format!("column \"{new}\" of relation \"{}\" already exists", table.name);
                return Err(Error::new(ErrorKind::DuplicateColumn, message));
            }
            let at = assign::column(changed, old)?;
            changed.columns[at].name.clone_from(new);
            create::check_case(&changed.columns, new)?;
            constraints::follow(context, table, changed).await?;
        }
        AlterOperation::RenameTable(to) => {
            let (schema, name) = if is_temporary(table) {
                create::temporary_name(context, to).await?
            } else {
                let snapshot = context.snapshot().await?;
                let default = if to.parts.len() == 1 { table.schema.as_str() } else { context.database() };
                resolve::qualify(&snapshot, to, default)?
            };
            if resolve::relation(context, &schema, &name).await?.is_some() {
                return Err(Error::new(ErrorKind::DuplicateTable, format!("relation \"{name}\" already exists")));
            }
            (changed.schema, changed.name) = (schema, name);
            constraints::follow(context, table, changed).await?;
        }
        AlterOperation::ColumnType { column: name, data_type, position } => {
            let wanted: SqlType = data_type.parse().map_err(|error: Error| error.with_position(*position))?;
            if change_type(column(changed, name)?, wanted)? {
                context.check_no_block("making a VARCHAR column shorter")?;
                check_lengths(context, table, name, wanted).await?;
            }
        }
        AlterOperation::ColumnEncoding { column: name, encoding } => {
            let column = column(changed, name)?;
            column.encoding = create::encoding(encoding, name, column.data_type.parse()?)?;
        }
        AlterOperation::EncodeAuto => changed.columns.iter_mut().for_each(|column| column.encoding = None),
        AlterOperation::Distribution { style, key } => {
            let key = key.as_deref().map(|name| key_column(changed, name)).transpose()?;
            changed.attributes.distribution = match (style, key) {
                (Distribution::Key, Some(column)) => DistributionStyle::Key { column },
                (Distribution::Auto, None) => DistributionStyle::Auto,
                (Distribution::Even, None) => DistributionStyle::Even,
                (Distribution::All, None) => DistributionStyle::All,
                _ => {
                    let message = "DISTSTYLE KEY and DISTKEY go together";
                    return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
                }
            };
        }
        AlterOperation::SortKey(clause) => {
            let mut ids =
                |names: &[String]| names.iter().map(|name| key_column(changed, name)).collect::<Result<Vec<_>>>();
            changed.attributes.sort_key = match clause {
                SortKeyClause::Auto => SortKey::Auto,
                SortKeyClause::None => SortKey::None,
                SortKeyClause::Compound(names) => SortKey::Compound { columns: ids(names)? },
                SortKeyClause::Interleaved(names) => SortKey::Interleaved { columns: ids(names)? },
            };
        }
        AlterOperation::AddConstraint(constraint) => constraints::add(changed, constraint)?,
        AlterOperation::DropConstraint(name) => constraints::drop(changed, name)?,
        AlterOperation::Owner(owner) => {
            rights::check_user(context, owner).await?;
            changed.attributes.owner = Some(owner.clone());
        }
        _ => return Err(Error::unsupported(format!("this change of the managed table \"{}\"", table.name))),
    }
    Ok(())
}

fn column<'a>(table: &'a mut ManagedTable, name: &str) -> Result<&'a mut ManagedColumn> {
    let at = assign::column(table, name)?;
    Ok(&mut table.columns[at])
}

/// The number of a column that is to be in a key.
fn key_column(table: &mut ManagedTable, name: &str) -> Result<i64> {
    let column = column(table, name)?;
    create::check_key(column)?;
    Ok(column.id)
}

/// A new column; rows that exist get its DEFAULT as it is now.
async fn add_column(context: &Context, table: &mut ManagedTable, definition: &ColumnDefinition) -> Result<()> {
    if table.columns.iter().any(|column| column.name == definition.name) {
        let message = format!("column \"{}\" of relation \"{}\" already exists", definition.name, table.name);
        return Err(Error::new(ErrorKind::DuplicateColumn, message));
    }
    create::check_case(&table.columns, &definition.name)?;
    if definition.identity.is_some() {
        return Err(Error::unsupported("adding an IDENTITY column"));
    }
    let ignores_case = create::ignores_case(context, &table.schema, is_temporary(table)).await?;
    let mut column = create::column(definition, table.next_column_id, ignores_case)?;
    table.next_column_id += 1;
    if !column.nullable && column.default.is_none() {
        let message = "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression";
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    create::check_format(std::slice::from_ref(&column), table.attributes.format)?;
    assign::check_default(context, &column).await?;
    column.initial = initial(context, &column).await?;
    table.columns.push(column);
    Ok(())
}

/// The text of a column's DEFAULT for rows that are there already.
async fn initial(context: &Context, column: &ManagedColumn) -> Result<Option<String>> {
    let default = assign::default(context, column).await?;
    let wanted = crate::tables::arrow_field(column)?.data_type().clone();
    let found = default.get_type(&DFSchema::empty())?;
    let value = match column.data_type.parse()? {
        SqlType::Interval(qualifier) if is_text(&found) => plan::read_interval(default, qualifier)?,
        SqlType::Interval(_) => plan::assigned(default, &found, &wanted),
        _ => cast(default, wanted),
    };
    let plan = LogicalPlanBuilder::empty(true).project([value])?.build()?;
    let physical = crate::exec::query::physical_plan(context, &plan).await?;
    let batches = collect(physical, context.state().task_ctx()).await?;
    let value = match batches.first() {
        Some(batch) => ScalarValue::try_from_array(batch.column(0), 0)?,
        None => return Err(Error::internal("a DEFAULT has no value")),
    };
    Ok(crate::tables::value_text(&value))
}

/// As in Redshift, the length of a VARCHAR is all that may change. Whether it becomes shorter.
fn change_type(column: &mut ManagedColumn, wanted: SqlType) -> Result<bool> {
    match (column.data_type.parse::<SqlType>()?, wanted) {
        (SqlType::Varchar(now), SqlType::Varchar(new)) => {
            column.data_type = wanted.to_string();
            Ok(new < now)
        }
        _ => Err(Error::unsupported(format!(
            "changing column \"{}\" from {} to {wanted}",
            column.name, column.data_type
        ))),
    }
}

/// Refuses a length that a column's values do not fit.
async fn check_lengths(context: &Context, table: &Arc<ManagedTable>, column: &str, wanted: SqlType) -> Result<()> {
    let SqlType::Varchar(length) = wanted else { return Ok(()) };
    let rows = context.scan_managed(table).await?;
    let longest = max(octet_length(ident(column)));
    let nothing: [Expr; 0] = [];
    let plan = LogicalPlanBuilder::scan("t", provider_as_source(rows), None)?.aggregate(nothing, [longest])?.build()?;
    let physical = crate::exec::query::physical_plan(context, &plan).await?;
    let batches = collect(physical, context.state().task_ctx()).await?;
    let longest = match batches.first() {
        Some(batch) => ScalarValue::try_from_array(batch.column(0), 0)?.cast_to(&DataType::Int64)?,
        None => return Ok(()),
    };
    match longest {
        ScalarValue::Int64(Some(bytes)) if bytes > i64::from(length) => {
            Err(Error::new(ErrorKind::StringTruncation, format!("value too long for type {wanted}"))
                .with_detail(format!("column \"{column}\" has a value of {bytes} bytes")))
        }
        _ => Ok(()),
    }
}

/// Moves all rows of a table into another one.
async fn append(
    context: &Context,
    table: &Arc<ManagedTable>,
    source: &Arc<ManagedTable>,
    ignore_extra: bool,
    fill_target: bool,
) -> Result<StatementResult> {
    if is_temporary(table) || is_temporary(source) {
        let message = "ALTER TABLE APPEND moves rows between permanent tables only";
        return Err(Error::new(ErrorKind::WrongObjectType, message));
    }
    let lacks = |in_table: &ManagedTable, name: &str| !in_table.columns.iter().any(|column| column.name == name);
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    if let Some(extra) = source.columns.iter().find(|column| lacks(table, &column.name) && !ignore_extra) {
        return invalid(format!("column \"{}\" is not in the target; use IGNOREEXTRA to leave it out", extra.name));
    }
    if let Some(missing) = table.columns.iter().find(|column| lacks(source, &column.name) && !fill_target) {
        return invalid(format!("column \"{}\" is not in the source; use FILLTARGET for its default", missing.name));
    }
    let common: Vec<&str> =
        source.columns.iter().map(|column| column.name.as_str()).filter(|name| !lacks(table, name)).collect();
    let rows = context.scan_managed(source).await?;
    let scan = LogicalPlanBuilder::scan("source", provider_as_source(rows), None)?;
    let columns = common.iter().map(|name| ident(*name));
    let plan = scan.project(columns.collect::<Vec<Expr>>())?.build()?;
    let named: Vec<String> = common.iter().map(|name| (*name).to_owned()).collect();
    let plan = insert::new_rows(context, table, &named, plan, &std::collections::HashSet::new()).await?;
    super::change::append(context, table, &plan).await?;
    let mut transaction = context.transaction().lock().await;
    transaction.draft(context.warehouse(), source).await?.clear();
    Ok(done(CommandTag::Verb("ALTER TABLE APPEND"), vec![]))
}

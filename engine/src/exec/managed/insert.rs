//! `INSERT INTO` a managed table.

use super::{assign, change, check_changeable};
use crate::error::Result;
use crate::exec::{done, query};
use crate::plan;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::Insert;
use crate::tables::SqlType;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{DataType as SqlDataType, Expr as SqlExpr, Query, SetExpr, TimezoneInfo, Value};
use millrace_catalog::model::ManagedTable;
use std::collections::HashSet;
use std::sync::Arc;

/// `INSERT INTO t {[(columns)] query | DEFAULT VALUES}`.
pub(crate) async fn insert(context: &Context, table: Arc<ManagedTable>, insert: &Insert) -> Result<StatementResult> {
    check_changeable(&table)?;
    let plan = plan_insert(context, &table, insert).await?;
    let rows = change::append(context, &table, &plan).await?;
    Ok(done(CommandTag::Insert(rows), vec![]))
}

/// The plan of the rows that an INSERT adds.
pub(crate) async fn plan_insert(context: &Context, table: &ManagedTable, insert: &Insert) -> Result<LogicalPlan> {
    let Some(query) = &insert.query else {
        let one_row = LogicalPlanBuilder::empty(true).build()?;
        return new_rows(context, table, &[], one_row, &HashSet::new()).await;
    };
    let mut source = query.clone();
    let defaults = take_defaults(context, table, &insert.columns, &mut source)?;
    mark(table, &insert.columns, &mut source)?;
    let plan = query::logical_plan(context, &source).await?;
    new_rows(context, table, &insert.columns, plan, &defaults).await
}

/// A query's columns as rows of a table; `defaults` are places in VALUES where DEFAULT stands.
pub(super) async fn new_rows(
    context: &Context,
    table: &ManagedTable,
    named: &[String],
    plan: LogicalPlan,
    defaults: &HashSet<usize>,
) -> Result<LogicalPlan> {
    let given = plan.schema().columns();
    let targets = assign::named_columns(table, named, given.len())?;
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let source = targets.iter().position(|target| *target == at);
        values.push(match source {
            Some(source) if !defaults.contains(&source) => {
                assign::check_identity(column)?;
                Expr::Column(given[source].clone())
            }
            _ => assign::default(context, column).await?,
        });
    }
    assign::project(plan, 0, table, values)
}

/// The columns of VALUES in which every row says DEFAULT, which becomes NULL there. In a column where only some rows
/// say so, the word becomes the default's own expression.
fn take_defaults(
    context: &Context,
    table: &ManagedTable,
    named: &[String],
    query: &mut Query,
) -> Result<HashSet<usize>> {
    let SetExpr::Values(values) = query.body.as_mut() else { return Ok(HashSet::new()) };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    let all: HashSet<usize> =
        (0..width).filter(|at| values.rows.iter().all(|row| row.content.get(*at).is_some_and(is_default))).collect();
    for row in &mut values.rows {
        for (at, expr) in row.content.iter_mut().enumerate().filter(|(_, expr)| is_default(expr)) {
            let column = match named.get(at) {
                Some(name) => Some(&table.columns[assign::column(table, name)?]),
                None => table.columns.get(at),
            };
            *expr = match column.filter(|_| !all.contains(&at)).and_then(|column| column.default.as_deref()) {
                Some(text) => assign::parse_default(context, text)?,
                None => SqlExpr::Value(Value::Null.into()),
            };
        }
    }
    Ok(all)
}

/// Makes SUPER values and sketches of what VALUES gives for columns of these types, each row by itself: they may be of
/// several types. So are words for moments read, which the list's own type would leave texts.
fn mark(table: &ManagedTable, named: &[String], query: &mut Query) -> Result<()> {
    let SetExpr::Values(values) = query.body.as_mut() else { return Ok(()) };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for at in 0..width {
        let column = match named.get(at) {
            Some(name) => Some(&table.columns[assign::column(table, name)?]),
            None => table.columns.get(at),
        };
        let marked = match column.map(|column| column.data_type.parse()).transpose()? {
            Some(SqlType::Super) => plan::super_value,
            Some(SqlType::HllSketch) => plan::sketch_value,
            Some(moment) => {
                let read_as = match moment {
                    SqlType::Date => SqlDataType::Date,
                    SqlType::Timestamp => SqlDataType::Timestamp(None, TimezoneInfo::None),
                    SqlType::TimestampTz => SqlDataType::Timestamp(None, TimezoneInfo::Tz),
                    _ => continue,
                };
                plan::read_words(values, at, &read_as);
                continue;
            }
            None => continue,
        };
        for row in &mut values.rows {
            if let Some(expr) = row.content.get_mut(at) {
                let value = std::mem::replace(expr, SqlExpr::Value(Value::Null.into()));
                *expr = marked(value);
            }
        }
    }
    Ok(())
}

fn is_default(expr: &SqlExpr) -> bool {
    matches!(expr, SqlExpr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

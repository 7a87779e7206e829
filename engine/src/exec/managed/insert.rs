//! `INSERT INTO` a managed table.

use super::{assign, change};
use crate::error::Result;
use crate::exec::{done, query};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::Insert;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, SetExpr};
use millrace_catalog::model::ManagedTable;
use std::collections::HashSet;
use std::sync::Arc;

/// `INSERT INTO t [(columns)] query`.
pub(crate) async fn insert(context: &Context, table: Arc<ManagedTable>, insert: &Insert) -> Result<StatementResult> {
    let mut source = insert.query.clone();
    let defaults = take_defaults(&mut source);
    let plan = query::logical_plan(context, &source).await?;
    let plan = new_rows(context, &table, &insert.columns, plan, &defaults).await?;
    let rows = change::append(context, &table, &plan).await?;
    Ok(done(CommandTag::Insert(rows), vec![]))
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

/// The columns of VALUES in which every row says DEFAULT; DEFAULT becomes NULL there.
///
/// A column with DEFAULT in some rows only keeps the word, which the planner does not know.
fn take_defaults(query: &mut Query) -> HashSet<usize> {
    let SetExpr::Values(values) = query.body.as_mut() else { return HashSet::new() };
    let is_default = |expr: &SqlExpr| matches!(expr, SqlExpr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"));
    let width = values.rows.first().map_or(0, |row| row.content.len());
    let all: HashSet<usize> =
        (0..width).filter(|at| values.rows.iter().all(|row| row.content.get(*at).is_some_and(is_default))).collect();
    for row in &mut values.rows {
        for at in &all {
            row.content[*at] = SqlExpr::Value(datafusion::sql::sqlparser::ast::Value::Null.into());
        }
    }
    all
}

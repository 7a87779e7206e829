//! Full-text conditions: functions of SQL that only a search system can decide.
//!
//! `match(column, 'words')` and `match_phrase(column, 'words')` name their table by the column. `query_string('…')`
//! names none, so before it is planned it is given a column of the one foreign table that it filters: else it would be
//! computed like a constant, or passed to every table of a join.

use super::table::ForeignTable;
use crate::error::Error;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, TableScan};
use millrace_connectors::FullText;

/// The functions by name.
const FULL_TEXT: [(&str, FullText); 3] =
    [("match", FullText::Match), ("match_phrase", FullText::Phrase), (QUERY_STRING, FullText::QueryString)];

const QUERY_STRING: &str = "query_string";

/// The full-text function that is called, and its arguments.
pub(super) fn called(call: &ScalarFunction) -> Option<(FullText, &[Expr])> {
    let (_, kind) = FULL_TEXT.into_iter().find(|(name, _)| *name == call.func.name())?;
    Some((kind, &call.args))
}

/// Gives every `query_string('…')` in a condition a column of the table that it searches.
///
/// # Errors
/// `Unsupported` where there is none, or more than one.
pub(crate) fn bind(plan: LogicalPlan) -> Result<LogicalPlan> {
    let bound = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(filter) if searches(&filter.predicate) => {
            let column = searched(&filter.input)?;
            let predicate = filter.predicate.transform_up(|expr| {
                Ok(match expr {
                    Expr::ScalarFunction(mut call) if is_free(&call) => {
                        call.args.push(Expr::Column(column.clone()));
                        Transformed::yes(Expr::ScalarFunction(call))
                    }
                    expr => Transformed::no(expr),
                })
            })?;
            Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate.data, filter.input)?)))
        }
        node => Ok(Transformed::no(node)),
    });
    bound.data()
}

fn is_free(call: &ScalarFunction) -> bool {
    call.func.name() == QUERY_STRING && call.args.len() == 1
}

fn searches(condition: &Expr) -> bool {
    condition.exists(|expr| Ok(matches!(expr, Expr::ScalarFunction(call) if is_free(call)))).unwrap_or(false)
}

/// A column of the one foreign table below.
fn searched(plan: &LogicalPlan) -> Result<Column> {
    let mut tables = columns_of(plan).into_iter().filter_map(|columns| columns.into_iter().next());
    match (tables.next(), tables.next()) {
        (Some(column), None) => Ok(column),
        (None, _) => Err(Error::unsupported("query_string() over no table of a search system").into()),
        _ => Err(Error::unsupported("query_string() over several tables of search systems")
            .with_hint("use it in a subquery over one of them")
            .into()),
    }
}

/// The columns of foreign tables that a plan gives, by table.
fn columns_of(plan: &LogicalPlan) -> Vec<Vec<Column>> {
    match plan {
        LogicalPlan::TableScan(scan) => of_scan(scan),
        LogicalPlan::SubqueryAlias(alias) => {
            let input = alias.input.schema();
            let renamed = |column: Column| {
                let (qualifier, field) = alias.schema.qualified_field(input.maybe_index_of_column(&column)?);
                Some(Column::new(qualifier.cloned(), field.name()))
            };
            each(columns_of(&alias.input), renamed)
        }
        LogicalPlan::Projection(projection) => {
            let renamed = |column: Column| {
                let at = projection.expr.iter().position(|expr| is_column(expr, &column))?;
                let (qualifier, field) = projection.schema.qualified_field(at);
                Some(Column::new(qualifier.cloned(), field.name()))
            };
            each(columns_of(&projection.input), renamed)
        }
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Join(_) => {
            let below = plan.inputs().into_iter().flat_map(columns_of).collect();
            each(below, |column| plan.schema().maybe_index_of_column(&column).map(|_| column))
        }
        _ => Vec::new(),
    }
}

fn of_scan(scan: &TableScan) -> Vec<Vec<Column>> {
    let own = |at: usize| {
        let (qualifier, field) = scan.projected_schema.qualified_field(at);
        Column::new(qualifier.cloned(), field.name())
    };
    match source_as_provider(&scan.source) {
        Ok(provider) if provider.downcast_ref::<ForeignTable>().is_some() => {
            vec![(0..scan.projected_schema.fields().len()).map(own).collect()]
        }
        _ => Vec::new(),
    }
}

fn each(tables: Vec<Vec<Column>>, rename: impl Fn(Column) -> Option<Column>) -> Vec<Vec<Column>> {
    let renamed = tables.into_iter().map(|columns| columns.into_iter().filter_map(&rename).collect::<Vec<_>>());
    renamed.filter(|columns| !columns.is_empty()).collect()
}

fn is_column(expr: &Expr, column: &Column) -> bool {
    match expr {
        Expr::Alias(alias) => is_column(&alias.expr, column),
        Expr::Column(found) => found == column,
        _ => false,
    }
}

//! Groupings by what their keys have in common: texts without blanks or case, SUPER values by value. What a group shows of
//! a key is then one of the group's own values.

use datafusion::common::{Column, DataFusionError};
use datafusion::error::Result;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

/// The function that tells which keys a row is a group of.
pub(super) const GROUPING: &str = "grouping";

/// Makes of what was compared and of an aggregate what a group shows.
pub(super) type Show<'s> = Box<dyn Fn(Expr, Expr) -> Result<Expr> + 's>;

/// Makes of an aggregate's result the one that was planned.
pub(super) type Finish<'s> = Box<dyn Fn(Expr) -> Result<Expr> + 's>;

/// A key of a grouping.
pub(super) struct Key<'s> {
    /// What it is in the grouping as it was planned.
    pub(super) planned: Expr,
    /// What rows are grouped by instead.
    pub(super) compared: Expr,
    /// An aggregate over the group's values and what makes of it what the group shows; `None` where what was compared is
    /// shown.
    pub(super) shown: Option<(Expr, Show<'s>)>,
}

/// The keys of a grouping, also those of grouping sets, each once.
pub(super) fn keys_of(group_expr: &[Expr]) -> Result<Vec<Expr>> {
    Ok(grouping_set_to_exprlist(group_expr)?.into_iter().cloned().collect())
}

/// A grouping by what is compared of its keys; `finishes` are of its aggregates, in their order. Its columns keep their
/// names; the number of a grouping set, which nobody names, is gone unless nothing had to change.
pub(super) fn regroup(aggregate: Aggregate, keys: &[Key<'_>], finishes: &[Option<Finish<'_>>]) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let is_set = matches!(group_expr.first(), Some(Expr::GroupingSet(_)));
    let by = |expr: Expr| {
        let known = keys.iter().find(|known| known.planned == expr);
        known.map_or(expr, |known| known.compared.clone())
    };
    let groups: Vec<Expr> = group_expr.into_iter().map(|expr| each_key(expr, &by)).collect();
    let grouped_by = keys_of(&groups)?;
    let mut computed: Vec<Expr> = Vec::new();
    let mut place = |expr: Expr| {
        computed.iter().position(|known| *known == expr).unwrap_or_else(|| {
            computed.push(expr);
            computed.len() - 1
        })
    };
    let mut results = Vec::with_capacity(aggr_expr.len());
    for expr in aggr_expr {
        results.push(place(match expr {
            Expr::AggregateFunction(mut call) if call.func.name() == GROUPING => {
                call.params.args = call.params.args.into_iter().map(&by).collect();
                Expr::AggregateFunction(call)
            }
            expr => expr,
        }));
    }
    let shown: Vec<_> =
        keys.iter().map(|key| key.shown.as_ref().map(|(value, show)| (place(value.clone()), show))).collect();
    let first_result = grouped_by.len() + usize::from(is_set);
    let grouped = Arc::new(LogicalPlan::Aggregate(Aggregate::try_new(input, groups, computed)?));
    let column = |at: usize| Expr::Column(Column::from(grouped.schema().qualified_field(at)));
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (key, shown) in keys.iter().zip(shown) {
        let at = grouped_by.iter().position(|by| *by == key.compared).ok_or_else(lost)?;
        columns.push(match shown {
            Some((value, show)) => show(column(at), column(first_result + value))?,
            None => column(at),
        });
    }
    columns.extend(is_set.then(|| column(grouped_by.len())));
    for (at, finish) in results.into_iter().zip(finishes.iter().map(Some).chain(std::iter::repeat(None))) {
        let result = column(first_result + at);
        columns.push(match finish.and_then(Option::as_ref) {
            Some(finish) => finish(result)?,
            None => result,
        });
    }
    let before = schema.columns();
    let same = |(expr, before): (&Expr, &Column)| matches!(expr, Expr::Column(column) if column == before);
    if grouped.schema().fields().len() == before.len() && columns.iter().zip(&before).all(same) {
        return Ok(Arc::unwrap_or_clone(grouped));
    }
    if is_set {
        // Nobody names the number of the set, which is gone when GROUPING is resolved.
        columns.remove(keys.len());
    }
    let wanted = before.into_iter().enumerate().filter(|(at, _)| !is_set || *at != keys.len());
    let named = columns.into_iter().zip(wanted).map(|(expr, (_, wanted))| match expr {
        Expr::Column(column) if column == wanted => Expr::Column(column),
        expr => expr.alias_qualified(wanted.relation, wanted.name),
    });
    let named: Vec<Expr> = named.collect();
    LogicalPlanBuilder::from(grouped).project(named)?.build()
}

fn lost() -> DataFusionError {
    DataFusionError::Internal("a key of a grouping was lost".to_owned())
}

/// The keys of a grouping, also those in sets.
fn each_key(expr: Expr, of: &impl Fn(Expr) -> Expr) -> Expr {
    let all = |keys: Vec<Expr>| keys.into_iter().map(of).collect();
    match expr {
        Expr::GroupingSet(GroupingSet::Rollup(keys)) => Expr::GroupingSet(GroupingSet::Rollup(all(keys))),
        Expr::GroupingSet(GroupingSet::Cube(keys)) => Expr::GroupingSet(GroupingSet::Cube(all(keys))),
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
            Expr::GroupingSet(GroupingSet::GroupingSets(sets.into_iter().map(all).collect()))
        }
        key => of(key),
    }
}

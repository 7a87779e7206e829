//! Keys passed sideways: an aggregation that is joined on its grouping key computes only the groups that are asked for.
//!
//! `part JOIN (SELECT l_partkey, avg(…) FROM lineitem GROUP BY l_partkey) …` with few parts becomes an aggregation over
//! `lineitem` semi-joined with those parts (TPC-H's Q2, Q17, Q20). A semi-join on grouping keys leaves groups out whole,
//! and only such that no row of the result has: the key's source is equal to the join's other side in every row of
//! the region's result. So it holds for inner, outer, semi- and anti-joins; NULL keys join nothing.

use super::Ordering;
use super::collect::{is_simple, plain};
use super::region::Region;
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Filter, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, Projection,
    SubqueryAlias,
};
use std::sync::Arc;

/// The source must have so many times fewer keys than the aggregation, and fewer rows than its input.
const TIMES_FEWER: f64 = 4.;

/// An aggregation of fewer rows is done before it is worth a thought.
const LEAST_ROWS: f64 = 1_000.;

/// Where the keys of a grouping may come from: a relation and its column.
type Source = (usize, Column);

/// Restricts the aggregations of a region to the keys that are asked for; whether there are any.
pub(super) fn pass(region: &mut Region, ordering: &mut Ordering) -> Result<bool> {
    let mut any = false;
    for at in 0..region.relations.len() {
        if let Some((source, column, grouped)) = best(region, at, ordering) {
            ordering.aliases += 1;
            let alias = format!("__keys_{}", ordering.aliases);
            let keys = LogicalPlanBuilder::from(region.relations[source].plan().clone());
            let keys = keys.project([Expr::Column(column.clone())])?.alias(alias.clone())?.build()?;
            let key = Column::new(Some(alias), column.name);
            region.relations[at].change(|plan| restrict(plan, &grouped, (&key, keys)))?;
            any = true;
        }
    }
    Ok(any)
}

/// The source that leaves the fewest groups of a relation, if that pays, with the column of the aggregation's input.
fn best(region: &Region, at: usize, ordering: &Ordering) -> Option<(usize, Column, Column)> {
    let aggregate = aggregation(region.relations[at].plan())?;
    let estimator = ordering.estimator;
    let mut input = None;
    let mut best: Option<(f64, (usize, Column, Column))> = None;
    for (key, sources) in links(region, at) {
        let Some(grouped) = grouped_by(region.relations[at].plan(), &key) else { continue };
        let place = aggregate.input.schema().maybe_index_of_column(&grouped)?;
        let all = input.get_or_insert_with(|| estimator.plan(&aggregate.input));
        if !all.known || all.rows < LEAST_ROWS {
            return None;
        }
        for (source, column) in sources {
            let plan = region.relations[source].plan();
            if source == at || !is_simple(plan) || !same_type(plan, &column, &aggregate.input, &grouped) {
                continue;
            }
            let keys = region.relations[source].estimate(estimator);
            let place_of_source = plan.schema().maybe_index_of_column(&column)?;
            let (found, grouping) = (&keys.columns[place_of_source], &all.columns[place]);
            let distinct = found.distinct.min(keys.rows);
            // Against a number of groups that is only guessed, the source must be few of its own.
            let all_keys = if grouping.measured { grouping.distinct } else { grouping.distinct.min(found.domain) };
            let pays = distinct * TIMES_FEWER <= all_keys && keys.rows * TIMES_FEWER <= all.rows;
            if pays && best.as_ref().is_none_or(|(known, _)| distinct < *known) {
                best = Some((distinct, (source, column, grouped.clone())));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// The columns that a relation is joined on, each with the relations that have its value in every row of the result.
fn links(region: &Region, at: usize) -> Vec<(Column, Vec<Source>)> {
    let column = |expr: &Expr| if let Expr::Column(column) = expr { Some(column.clone()) } else { None };
    // What is equal to a member of a class: the other members, and the keys of semi-joins with it.
    let equal = |member: &Expr| {
        let class = region.classes.iter().find(|class| class.iter().any(|(_, expr)| expr == member));
        let members: Vec<&Expr> = class.map_or(vec![member], |class| class.iter().map(|(_, expr)| expr).collect());
        let mut sources: Vec<Source> = Vec::new();
        for expr in &members {
            let owner = region.named(expr).filter(|set| set.is_power_of_two()).map(|set| set.trailing_zeros() as usize);
            let owner = owner.filter(|owner| region.relations[*owner].attached.is_none());
            sources.extend(owner.zip(column(expr)));
        }
        for (place, relation) in region.relations.iter().enumerate() {
            let Some((_, attached)) = &relation.attached else { continue };
            if attached.join_type == JoinType::LeftSemi && !attached.null_aware {
                let keys = attached.on.iter().filter(|(left, _)| members.contains(&left));
                sources.extend(keys.filter_map(|(_, right)| Some((place, column(right)?))));
            }
        }
        sources
    };
    match &region.relations[at].attached {
        None => {
            let members = region.classes.iter().flatten().filter(|(owner, _)| *owner == at);
            members.filter_map(|(_, expr)| Some((column(expr)?, equal(expr)))).collect()
        }
        // Whether a row is NOT IN depends on all rows of the right side.
        Some((_, attached)) if attached.null_aware => Vec::new(),
        Some((_, attached)) => {
            attached.on.iter().filter_map(|(left, right)| Some((column(right)?, equal(left)))).collect()
        }
    }
}

fn same_type(plan: &LogicalPlan, column: &Column, other: &LogicalPlan, grouped: &Column) -> bool {
    let of = |plan: &LogicalPlan, column: &Column| Expr::Column(column.clone()).get_type(plan.schema()).ok();
    of(plan, column).is_some_and(|found| Some(found) == of(other, grouped))
}

/// The aggregation of a plan below what only names, filters and computes its rows one by one.
fn aggregation(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        LogicalPlan::SubqueryAlias(alias) => aggregation(&alias.input),
        LogicalPlan::Filter(filter) if !filter.predicate.is_volatile() => aggregation(&filter.input),
        LogicalPlan::Projection(projection) if !projection.expr.iter().any(Expr::is_volatile) => {
            aggregation(&projection.input)
        }
        _ => None,
    }
}

/// The column of an aggregation's input that a column of the plan above is, where it is grouped by it.
fn grouped_by(plan: &LogicalPlan, column: &Column) -> Option<Column> {
    let at = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::SubqueryAlias(alias) => grouped_by(&alias.input, &alias.input.schema().columns()[at]),
        LogicalPlan::Filter(filter) => grouped_by(&filter.input, column),
        LogicalPlan::Projection(projection) => grouped_by(&projection.input, plain(&projection.expr[at])?),
        LogicalPlan::Aggregate(aggregate) => plain(aggregate.group_expr.get(at)?).cloned(),
        _ => None,
    }
}

/// Puts a semi-join below the aggregation of a plan.
fn restrict(plan: LogicalPlan, grouped: &Column, keys: (&Column, LogicalPlan)) -> Result<LogicalPlan> {
    let below = |input: Arc<LogicalPlan>, keys| restrict(Arc::unwrap_or_clone(input), grouped, keys).map(Arc::new);
    Ok(match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
            let on = vec![(Expr::Column(grouped.clone()), Expr::Column(keys.0.clone()))];
            let join = Join::try_new(
                input,
                Arc::new(keys.1),
                on,
                None,
                JoinType::LeftSemi,
                JoinConstraint::On,
                NullEquality::NullEqualsNothing,
                false,
            )?;
            let input = Arc::new(LogicalPlan::Join(join));
            LogicalPlan::Aggregate(Aggregate::try_new_with_schema(input, group_expr, aggr_expr, schema)?)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = below(alias.input, keys)?;
            LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(input, alias.alias)?)
        }
        LogicalPlan::Filter(filter) => {
            LogicalPlan::Filter(Filter::try_new(filter.predicate, below(filter.input, keys)?)?)
        }
        LogicalPlan::Projection(projection) => {
            let input = below(projection.input, keys)?;
            LogicalPlan::Projection(Projection::try_new_with_schema(projection.expr, input, projection.schema)?)
        }
        other => other,
    })
}

//! EXISTS over a table that a query makes of outer rows, as EXISTS over what the query reads: `EXISTS (SELECT 1 FROM (SELECT
//! s.a AS x FROM s WHERE s.k = t.n) AS d WHERE d.x = t.a)`, which a row among those of a query is spelled as too.
//!
//! DataFusion makes a join of a condition on outer rows only where no name of a table stands above it. Whether there is a
//! row does not depend on what is shown of it, so the conditions above names and projections become conditions below them.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit};

/// The query of an EXISTS without its derived tables; `None` where it has none that looks at outer rows or reads nothing, or
/// where a condition cannot be moved or a join would compute something else.
pub(super) fn lifted(query: &Subquery) -> Result<Option<LogicalPlan>> {
    if query.outer_ref_columns.is_empty() {
        return Ok(None);
    }
    let (mut plan, mut conditions, mut is_lifted) = (query.subquery.as_ref(), Vec::new(), false);
    loop {
        plan = match plan {
            LogicalPlan::Filter(filter) => {
                conditions.push(filter.predicate.clone());
                filter.input.as_ref()
            }
            LogicalPlan::SubqueryAlias(alias) if looks_outside(&alias.input) || reads_nothing(&alias.input) => {
                is_lifted = true;
                let below = alias.input.schema().columns();
                let moved = moved(conditions, &alias.schema, |at| Expr::Column(below[at].clone()))?;
                let Some(moved) = moved else { return Ok(None) };
                conditions = moved;
                alias.input.as_ref()
            }
            LogicalPlan::Projection(projection) if !projection.expr.iter().any(Expr::is_volatile) => {
                let shown = |at: usize| projection.expr[at].clone().unalias_nested().data;
                let Some(moved) = moved(conditions, &projection.schema, shown)? else { return Ok(None) };
                conditions = moved;
                projection.input.as_ref()
            }
            _ => break,
        };
    }
    // A column of an outer row and one of this query may have the same name only while that of a table tells them apart.
    let is_ambiguous = query.outer_ref_columns.iter().any(|outer| match outer {
        Expr::OuterReferenceColumn(_, column) => plan.schema().has_column(column),
        _ => true,
    });
    if !is_lifted || is_ambiguous || is_of_all_rows(plan)? {
        return Ok(None);
    }
    let rows = LogicalPlanBuilder::from(plan.clone());
    let rows = match conjunction(conditions) {
        Some(condition) => rows.filter(condition)?,
        None => rows,
    };
    rows.project([lit(1_i64)])?.build().map(Some)
}

fn looks_outside(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty()
}

/// Whether something is computed of all the rows that belong to an outer row: an aggregate without groups, which has a row of
/// none too, a window, a limit. In a join these rows are among those of other outer rows.
fn is_of_all_rows(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        let of_all = match node {
            LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
            LogicalPlan::Window(_) | LogicalPlan::Limit(_) => true,
            _ => false,
        };
        Ok(of_all && looks_outside(node))
    })
}

/// Whether a plan is computed of no table.
pub(super) fn reads_nothing(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Projection(projection) => reads_nothing(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => reads_nothing(&alias.input),
        LogicalPlan::Filter(filter) => reads_nothing(&filter.input),
        _ => false,
    }
}

/// Conditions on a node's columns as those on what they are below it; `None` where a query in one may name them.
fn moved(conditions: Vec<Expr>, columns: &DFSchema, below: impl Fn(usize) -> Expr) -> Result<Option<Vec<Expr>>> {
    let is_query = |part: &Expr| {
        use Expr as E;
        matches!(part, E::ScalarSubquery(_) | E::Exists(_) | E::InSubquery(_) | E::SetComparison(_))
    };
    let mut moved = Vec::with_capacity(conditions.len());
    for condition in conditions {
        if condition.exists(|part| Ok(is_query(part)))? {
            return Ok(None);
        }
        let below = condition.transform_up(|part| match part {
            Expr::Column(column) => Ok(Transformed::yes(below(columns.index_of_column(&column)?))),
            part => Ok(Transformed::no(part)),
        })?;
        moved.push(below.data);
    }
    Ok(Some(moved))
}

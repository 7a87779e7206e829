//! Where a plan computes: projections and arguments of aggregates. Rules that put expressions of ours in the place of
//! DataFusion's share the way there.

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateInputMode};
use datafusion::physical_plan::projection::ProjectionExec;
use std::sync::Arc;

/// What stands for an expression over rows of a schema.
type Replace = fn(&Arc<dyn PhysicalExpr>, &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>>;

/// The plan with what it computes replaced.
pub(super) fn replaced(plan: Arc<dyn ExecutionPlan>, replace: Replace) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| {
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            return in_projection(projection, replace)
                .map(|changed| changed.map_or(Transformed::no(plan), Transformed::yes));
        }
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            return in_aggregate(aggregate, replace)
                .map(|changed| changed.map_or(Transformed::no(plan), Transformed::yes));
        }
        Ok(Transformed::no(plan))
    })
    .data()
}

fn in_projection(projection: &ProjectionExec, replace: Replace) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let input = projection.input();
    let mut changed = false;
    let mut expressions = Vec::with_capacity(projection.expr().len());
    for ProjectionExpr { expr, alias } in projection.expr() {
        let new = replace(expr, &input.schema())?;
        changed |= new.transformed;
        expressions.push(ProjectionExpr { expr: new.data, alias: alias.clone() });
    }
    if !changed {
        return Ok(None);
    }
    Ok(Some(Arc::new(ProjectionExec::try_new(expressions, Arc::clone(input))?)))
}

fn in_aggregate(aggregate: &AggregateExec, replace: Replace) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if aggregate.mode().input_mode() != AggregateInputMode::Raw {
        return Ok(None);
    }
    let schema = aggregate.input().schema();
    let mut changed = false;
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let new = function.expressions().iter().map(|arg| replace(arg, &schema)).collect::<Result<Vec<_>>>()?;
        let orders = function.order_bys().iter().map(|order| Arc::clone(&order.expr)).collect();
        let differs = new.iter().any(|arg| arg.transformed);
        let args = new.into_iter().map(|arg| arg.data).collect();
        match function.with_new_expressions(args, orders) {
            Some(new) if differs => {
                changed = true;
                functions.push(Arc::new(new));
            }
            _ => functions.push(Arc::clone(function)),
        }
    }
    Ok(changed.then(|| Arc::new(aggregate.with_new_aggr_exprs(functions)) as _))
}

//! Where a plan computes with decimals: projections and arguments of aggregates.

use super::expression::DecimalArithmetic;
use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateInputMode};
use datafusion::physical_plan::projection::ProjectionExec;
use std::sync::Arc;

/// Puts [`DecimalArithmetic`] in the place of DataFusion's expressions. It runs before projections are pushed into
/// scans, which then carry it with them.
#[derive(Debug, Default)]
pub(in crate::physical) struct NarrowDecimals;

impl PhysicalOptimizerRule for NarrowDecimals {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
                return in_projection(projection)
                    .map(|changed| changed.map_or(Transformed::no(plan), Transformed::yes));
            }
            if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
                return in_aggregate(aggregate).map(|changed| changed.map_or(Transformed::no(plan), Transformed::yes));
            }
            Ok(Transformed::no(plan))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "narrow_decimals"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn in_projection(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let input = projection.input();
    let mut changed = false;
    let mut expressions = Vec::with_capacity(projection.expr().len());
    for ProjectionExpr { expr, alias } in projection.expr() {
        let narrowed = narrow(expr, &input.schema())?;
        changed |= narrowed.transformed;
        expressions.push(ProjectionExpr { expr: narrowed.data, alias: alias.clone() });
    }
    if !changed {
        return Ok(None);
    }
    Ok(Some(Arc::new(ProjectionExec::try_new(expressions, Arc::clone(input))?)))
}

fn in_aggregate(aggregate: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if aggregate.mode().input_mode() != AggregateInputMode::Raw {
        return Ok(None);
    }
    let schema = aggregate.input().schema();
    let mut changed = false;
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let narrowed = function.expressions().iter().map(|arg| narrow(arg, &schema)).collect::<Result<Vec<_>>>()?;
        let orders = function.order_bys().iter().map(|order| Arc::clone(&order.expr)).collect();
        let differs = narrowed.iter().any(|arg| arg.transformed);
        let args = narrowed.into_iter().map(|arg| arg.data).collect();
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

fn narrow(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_up(|expr| {
        let Some(binary) = expr.downcast_ref::<BinaryExpr>() else { return Ok(Transformed::no(expr)) };
        Ok(match DecimalArithmetic::of(binary, schema)? {
            Some(ours) => Transformed::yes(Arc::new(ours) as _),
            None => Transformed::no(expr),
        })
    })
}

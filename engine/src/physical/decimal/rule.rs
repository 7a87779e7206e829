//! Where a plan computes with decimals.

use super::expression::DecimalArithmetic;
use crate::physical::computed::replaced;
use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Puts [`DecimalArithmetic`] in the place of DataFusion's expressions. It runs before projections are pushed into
/// scans, which then carry it with them.
#[derive(Debug, Default)]
pub(in crate::physical) struct NarrowDecimals;

impl PhysicalOptimizerRule for NarrowDecimals {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        replaced(plan, narrow)
    }

    fn name(&self) -> &'static str {
        "narrow_decimals"
    }

    fn schema_check(&self) -> bool {
        true
    }
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

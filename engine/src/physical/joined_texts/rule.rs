//! Where a plan joins texts.

use super::expression::JoinedTexts;
use crate::physical::computed::replaced;
use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Puts [`JoinedTexts`] in the place of DataFusion's expressions. It runs before projections are pushed into scans, which
/// then carry it with them.
#[derive(Debug, Default)]
pub(in crate::physical) struct JoinTexts;

impl PhysicalOptimizerRule for JoinTexts {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        replaced(plan, join)
    }

    fn name(&self) -> &'static str {
        "join_texts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// From above, so that a chain is found whole.
pub(super) fn join(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_down(|expr| {
        Ok(match JoinedTexts::of(&expr, schema)? {
            Some(ours) => Transformed::yes(Arc::new(ours) as _),
            None => Transformed::no(expr),
        })
    })
}

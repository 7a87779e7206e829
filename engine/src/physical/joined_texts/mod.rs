//! Chains of `||` between texts, computed at once.
//!
//! DataFusion computes `a || '-' || b` step by step: an array for each literal and one for each `||`, whose bytes are
//! copied again by the next. [`expression`] has the whole chain, and [`kernel`] writes each value once, from its parts.
//! Results and types are the same. [`rule`] puts it where a plan computes.

mod expression;
mod kernel;
mod rule;
#[cfg(test)]
mod tests;

use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

pub(super) use rule::JoinTexts;

/// The steps that one of these expressions stands for.
pub(crate) fn joins_of(expr: &dyn PhysicalExpr) -> Option<Arc<dyn PhysicalExpr>> {
    expr.downcast_ref::<expression::JoinedTexts>().map(expression::JoinedTexts::plain)
}

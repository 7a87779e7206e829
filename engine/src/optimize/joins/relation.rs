//! A relation of a region, with what is estimated of it: more than one step asks, and a plan of many joins is long to
//! estimate.

use super::collect::Attached;
use crate::optimize::estimate::{Estimate, Estimator};
use crate::optimize::order::Set;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use std::cell::OnceCell;

/// A relation of a region.
#[derive(Debug)]
pub(super) struct Relation {
    plan: LogicalPlan,
    /// What is estimated of the plan as it is, once it was asked for.
    estimate: OnceCell<Estimate>,
    /// How it is attached, with the relations that its condition needs.
    pub(super) attached: Option<(Set, Attached)>,
}

impl Relation {
    pub(super) fn new(plan: LogicalPlan, attached: Option<(Set, Attached)>) -> Self {
        Self { plan, estimate: OnceCell::new(), attached }
    }

    pub(super) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// What is estimated of its plan, by the one estimator of all the region's relations.
    pub(super) fn estimate(&self, estimator: Estimator) -> &Estimate {
        self.estimate.get_or_init(|| estimator.plan(&self.plan))
    }

    /// Leaves nothing in the place of its plan.
    pub(super) fn take(&mut self) -> LogicalPlan {
        self.estimate = OnceCell::new();
        std::mem::take(&mut self.plan)
    }

    /// Makes another plan of its plan.
    pub(super) fn change(&mut self, change: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>) -> Result<()> {
        self.plan = change(self.take())?;
        Ok(())
    }

    /// Puts another plan in the place of its plan, of which so much is estimated.
    pub(super) fn put(&mut self, plan: LogicalPlan, estimate: Estimate) {
        (self.plan, self.estimate) = (plan, OnceCell::from(estimate));
    }
}

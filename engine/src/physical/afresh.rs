//! A plan that may be run more than once.
//!
//! Exchanges, joins of ours and others give their rows once. DataFusion's nested loop join, refused memory for its inner
//! side, runs the plan of it again to write it to the disk.

use super::forward::{Around, Plan};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::MetricsSet;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs a plan, and each time after the first a copy of it that has not run.
#[derive(Debug, Default)]
pub(super) struct Afresh {
    /// The plan that runs a partition next, where it ran before.
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    /// How often each partition ran.
    count: BTreeMap<usize, usize>,
    /// The copies, of which the partitions of one run share one.
    copies: Vec<Plan>,
}

impl Around for Afresh {
    const NAME: &'static str = "AfreshExec";

    fn again(&self, _inner: &Plan) -> Result<Option<Self>> {
        Ok(Some(Self::default()))
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let plan = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let count = runs.count.entry(partition).or_default();
            let copy = count.checked_sub(1);
            *count += 1;
            match copy {
                None => Arc::clone(inner),
                Some(number) => {
                    if runs.copies.len() == number {
                        runs.copies.push(reset_plan_states(Arc::clone(inner))?);
                    }
                    Arc::clone(&runs.copies[number])
                }
            }
        };
        plan.execute(partition, context)
    }

    fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
        inner.metrics()
    }
}

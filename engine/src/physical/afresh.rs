//! A plan that may be run more than once.
//!
//! Exchanges, joins of ours and others give their rows once. DataFusion's nested loop join, refused memory for its inner
//! side, runs the plan of it again to write it to the disk. Where rows would come out wrong by that it is refused, as the
//! memory was.

use super::forward::{Around, Plan};
use datafusion::common::resources_err;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs a plan, and each time after the first a copy of it that has not run.
#[derive(Debug)]
pub(super) struct Afresh {
    /// Whether rows come out right where it is run again; else that is refused.
    repeats: bool,
    /// The plan that runs a partition next, where it ran before.
    runs: Mutex<Runs>,
}

impl Afresh {
    pub(super) fn new(repeats: bool) -> Self {
        Self { repeats, runs: Mutex::default() }
    }
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
        Ok(Some(Self::new(self.repeats)))
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let plan = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let count = runs.count.entry(partition).or_default();
            let copy = count.checked_sub(1);
            *count += 1;
            match copy {
                None => Arc::clone(inner),
                Some(_) if !self.repeats || has_found_bounds(inner) => {
                    return resources_err!("the inner side of a join does not fit, and cannot be read a second time");
                }
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

/// Whether a plan that ran may have found what the least or greatest rows are and told its scans, which the copies share
/// with it: they would leave out those rows themselves. What a join tells a scan is as good for its copy.
fn has_found_bounds(plan: &Plan) -> bool {
    let finds = match plan.downcast_ref::<SortExec>() {
        Some(sort) => sort.fetch().is_some(),
        None => plan.is::<AggregateExec>(),
    };
    (finds && !plan.dynamic_expressions_produced().is_empty()) || plan.children().into_iter().any(has_found_bounds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::physical::forward::AroundExec;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
    use datafusion::physical_plan::ExecutionPlan;

    #[tokio::test]
    async fn what_would_leave_rows_out_is_not_run_again() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 2]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let source = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None).unwrap();
        let order = LexOrdering::new([PhysicalSortExpr::new_default(col("a", &batch.schema()).unwrap())]).unwrap();
        let sort = SortExec::new(order, source);
        for (fetch, repeats, runs) in [(None, true, 3), (Some(2), true, 1), (None, false, 1)] {
            let plan = AroundExec::new(Arc::new(sort.with_fetch(fetch)), Afresh::new(repeats));
            for run in 0..3 {
                let rows = plan.execute(0, Arc::new(TaskContext::default()));
                assert_eq!(rows.is_ok(), run < runs, "{fetch:?} {repeats} {run}");
            }
        }
    }
}

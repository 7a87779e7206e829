//! What a join's partitions say of their keys to one another.
//!
//! A join that finds a filter for the scan of its probe side reads that side only when all its partitions have said which
//! keys they have. One that does not run any more, as under a LIMIT, would be waited for without end.

use super::collect::Grant;
use super::memory::Env;
use super::template::Instance;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan};
use futures::{StreamExt, future, stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// A partition that has said nothing of its keys yet, where each has a build side of its own. When this is dropped it never
/// will, and the others are told so.
pub(super) struct Silence {
    instance: Arc<Instance>,
    partition: usize,
    task: Arc<TaskContext>,
    is_broken: bool,
}

impl Silence {
    pub(super) fn new(env: &Env, instance: &Arc<Instance>, partition: usize) -> Self {
        Self { instance: Arc::clone(instance), partition, task: Arc::clone(&env.task), is_broken: false }
    }

    /// The join itself speaks from now on.
    pub(super) fn broken(mut self) {
        self.is_broken = true;
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if !self.is_broken {
            let Instance { join, build, probe } = self.instance.as_ref();
            build.hand(self.partition, empty(&build.schema()));
            probe.hand(self.partition, empty(&probe.schema()));
            // A join that is begun and dropped is one that was cancelled. Where that fails there is nobody to tell.
            let _ = join.execute(self.partition, Arc::clone(&self.task));
        }
    }
}

/// Has all partitions say what they have to where they share a build side, which was handed to the join: before any of
/// them is run, since one that is dropped later does not take back that it is waited for.
pub(super) async fn report_all(instance: &Instance, partitions: usize, grant: &Grant) -> Result<()> {
    if partitions < 2 || instance.join.dynamic_expressions_produced().is_empty() {
        return Ok(());
    }
    let mut begun = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        let (probe, is_asked) = never(&instance.probe.schema());
        instance.probe.hand(partition, probe);
        begun.push((instance.join.execute(partition, Arc::clone(&grant.task))?, is_asked));
    }
    future::poll_fn(|context| {
        let mut failed = None;
        begun.retain_mut(|(rows, is_asked)| {
            match rows.poll_next_unpin(context) {
                Poll::Pending => return !is_asked.load(Ordering::Relaxed),
                Poll::Ready(Some(Err(error))) => failed = Some(error),
                // Without rows in the build side there may be nothing to ask for.
                Poll::Ready(_) => {}
            }
            false
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if begun.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

fn empty(schema: &SchemaRef) -> SendableRecordBatchStream {
    Box::pin(EmptyRecordBatchStream::new(Arc::clone(schema)))
}

/// Rows that never come, and whether they were asked for.
fn never(schema: &SchemaRef) -> (SendableRecordBatchStream, Arc<AtomicBool>) {
    let is_asked = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&is_asked);
    let rows = stream::poll_fn(move |_| {
        noted.store(true, Ordering::Relaxed);
        Poll::Pending
    });
    (Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows)), is_asked)
}

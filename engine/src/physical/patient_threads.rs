//! Threads that let others go before: the operating system gives them a tenth of the processor's time that other threads
//! want, and all that nobody else wants. Long queries compute there where short ones are accelerated, and queries of low
//! priority (slots alone would not do it, for what has its slots shares the processor with all others that have theirs),
//! and VACUUM without BOOST.
//!
//! There are as many as the threads of the runtime that first asks for them. Nothing goes there that keeps commits of others
//! waiting.

use crate::error;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Handle, Runtime};

/// By how much their nice values are above the process's.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;
/// Their stacks: operators poll each other, and nothing but scans is planned there.
const STACK_BYTES: usize = 16 << 20;
/// Batches that are computed before somebody reads them.
const AHEAD: usize = 2;

/// The threads, once somebody needs them; nothing where the operating system gave none.
#[derive(Debug, Default)]
pub(crate) struct PatientThreads(OnceLock<Option<Runtime>>);

impl PatientThreads {
    /// A plan's rows, which are computed on these threads from now on until they are dropped; without threads like all others.
    ///
    /// # Errors
    /// What the plan says as it begins.
    pub(crate) fn rows(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(runtime) = self.runtime() else { return execute_stream(plan, task) };
        let mut builder = RecordBatchReceiverStreamBuilder::new(plan.schema(), AHEAD);
        let sender = builder.tx();
        let work = async move {
            let mut rows = execute_stream(plan, task)?;
            while let Some(batch) = rows.next().await {
                // Whoever read it is gone, then.
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        builder.spawn_on(work, runtime.handle());
        Ok(builder.build())
    }

    /// Does work on these threads, until it is done or nobody waits for it any more; without threads like all other work.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = error::Result<T>> + Send + 'static,
    ) -> error::Result<T> {
        let Some(runtime) = self.runtime() else { return work.await };
        let task = {
            let _entered = runtime.enter();
            SpawnedTask::spawn(work)
        };
        task.join().await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => Err(error::Error::internal(format!("work that lets others go before ended: {error}"))),
        })
    }

    fn runtime(&self) -> Option<&Runtime> {
        let start = || match start(Handle::current().metrics().num_workers()) {
            Ok(runtime) => Some(runtime),
            Err(error) => {
                tracing::warn!(%error, "there are no threads for what lets others go before");
                None
            }
        };
        self.0.get_or_init(start).as_ref()
    }
}

impl Drop for PatientThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take().flatten() {
            // What is dropped within a runtime must not wait for another, and threads that nobody waits for must not be
            // detached while they end: glibc may touch a large stack that is gone then.
            std::thread::spawn(move || drop(runtime));
        }
    }
}

fn start(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK_BYTES)
        .thread_name("patient")
        .on_thread_start(going_behind())
        .enable_all()
        .build()
}

/// What each of the threads does as it starts: it lets other threads go before.
#[cfg(target_os = "linux")]
fn going_behind() -> impl Fn() + Send + Sync + 'static {
    use rustix::process::{getpriority_process, setpriority_process};
    // Linux takes "this process" as "this thread", and a thread begins as the one that starts it, which may be one of these.
    let nice = getpriority_process(None);
    move || {
        let set = nice.and_then(|nice| setpriority_process(None, (nice + NICER).min(19)));
        if let Err(error) = set {
            tracing::warn!(%error, "a thread that should let others go before has the processor like them");
        }
    }
}

/// Elsewhere the operating system knows no nice values of threads: they have the processor like others.
#[cfg(not(target_os = "linux"))]
fn going_behind() -> impl Fn() + Send + Sync + 'static {
    || {}
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn threads_that_these_start_go_no_further_behind() {
        let nice = || getpriority_process(None).unwrap();
        let behind = (nice() + NICER).min(19);
        let runtime = start(1).unwrap();
        let found = runtime.spawn(async move {
            let blocking = tokio::task::spawn_blocking(nice).await.unwrap();
            (nice(), blocking)
        });
        assert_eq!(runtime.block_on(found).unwrap(), (behind, behind));
    }
}

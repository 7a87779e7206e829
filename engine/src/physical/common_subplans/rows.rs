//! The rows of a subplan, which several places read.

use crate::physical::forward::Plan;
use crate::physical::memory::{first_come, limit, own_bytes};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlanProperties, SpillManager};
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The rows of a subplan, for so many places.
#[derive(Debug)]
pub(super) struct CommonRows {
    plan: Plan,
    places: usize,
    partitions: Vec<Arc<Partition>>,
    /// What computes them, as long as somebody may read them.
    tasks: Mutex<Vec<SpawnedTask<()>>>,
}

#[derive(Default)]
struct Partition {
    state: Mutex<State>,
    /// Told when there are more rows, or no more.
    changed: Notify,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    is_started: bool,
    /// The places that began to read, and those of them that have not ended.
    begun: usize,
    reading: usize,
    batches: Vec<RecordBatch>,
    /// What memory has no room for, behind what it has.
    file: Option<Arc<dyn SpillFile>>,
    end: Option<std::result::Result<(), Arc<DataFusionError>>>,
    memory: Option<MemoryReservation>,
}

impl Partition {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, with: Result<Option<Arc<dyn SpillFile>>>) {
        let mut state = self.state();
        match with {
            Ok(file) => (state.file, state.end) = (file, Some(Ok(()))),
            Err(error) => state.end = Some(Err(Arc::new(error))),
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Keeps rows until there are no more, or nobody wants them any more.
    async fn fill(
        &self,
        mut rows: SendableRecordBatchStream,
        context: &TaskContext,
        manager: &SpillManager,
        places: usize,
    ) {
        let _ending = Ending(self);
        let mut file = None;
        let filled = async {
            while let Some(batch) = rows.try_next().await? {
                if file.is_none() && self.keep(&batch, context) {
                    self.changed.notify_waiters();
                } else {
                    let file = match &mut file {
                        Some(file) => file,
                        none => none.insert(manager.create_in_progress_file("rows of a common subplan")?),
                    };
                    file.append_batch(&batch)?;
                }
                let state = self.state();
                if state.begun == places && state.reading == 0 {
                    return Ok(None);
                }
            }
            match &mut file {
                Some(file) => file.finish(),
                None => Ok(None),
            }
        };
        self.end(filled.await);
    }

    /// Keeps a batch in memory, where there is room.
    fn keep(&self, batch: &RecordBatch, context: &TaskContext) -> bool {
        let bytes = own_bytes(batch);
        let mut state = self.state();
        let memory = state
            .memory
            .get_or_insert_with(|| MemoryConsumer::new("CommonSubplanExec").register(context.memory_pool()));
        let fits = match limit(context) {
            // Nobody can be asked to go to the disk; who is refused says so.
            None => memory.try_grow(bytes).is_ok(),
            Some(limit) => {
                context.memory_pool().reserved() + bytes <= first_come(limit) && memory.try_grow(bytes).is_ok()
            }
        };
        if fits {
            state.batches.push(batch.clone());
        }
        fits
    }
}

/// Who reads is told when rows stop coming, whatever the reason.
struct Ending<'a>(&'a Partition);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let is_open = self.0.state().end.is_none();
        if is_open {
            self.0.end(internal_err!("the rows of a common subplan stopped coming"));
        }
    }
}

impl CommonRows {
    pub(super) fn new(plan: Plan, places: usize) -> Self {
        let partitions = plan.output_partitioning().partition_count();
        let partitions = (0..partitions).map(|_| Arc::default()).collect();
        Self { plan, places, partitions, tasks: Mutex::default() }
    }

    /// The rows of a partition, for one place; for more than there are, computed again.
    pub(super) fn read(
        self: Arc<Self>,
        number: usize,
        context: Arc<TaskContext>,
        spills: SpillMetrics,
    ) -> Result<SendableRecordBatchStream> {
        let Some(partition) = self.partitions.get(number).map(Arc::clone) else {
            return internal_err!("a common subplan has no partition {number}");
        };
        {
            let mut state = partition.state();
            if state.begun == self.places {
                drop(state);
                return reset_plan_states(Arc::clone(&self.plan))?.execute(number, context);
            }
            (state.begun, state.reading) = (state.begun + 1, state.reading + 1);
        }
        let schema = self.plan.schema();
        let manager = SpillManager::new(context.runtime_env(), spills, SchemaRef::clone(&schema))
            .with_compression_type(context.session_config().spill_compression());
        let reader = Reader { rows: self, number, partition, context, manager, at: 0, file: None };
        let rows =
            stream::try_unfold(
                reader,
                |mut reader| async move { Ok(reader.next().await?.map(|batch| (batch, reader))) },
            );
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// Begins to compute a partition.
    fn start(&self, number: usize, context: &Arc<TaskContext>, manager: &SpillManager) -> Result<()> {
        let rows = self.plan.execute(number, Arc::clone(context))?;
        let (partition, places) = (Arc::clone(&self.partitions[number]), self.places);
        let (context, manager) = (Arc::clone(context), manager.clone());
        let task = SpawnedTask::spawn(async move { partition.fill(rows, &context, &manager, places).await });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(())
    }
}

/// A place that reads a partition.
struct Reader {
    rows: Arc<CommonRows>,
    number: usize,
    partition: Arc<Partition>,
    context: Arc<TaskContext>,
    manager: SpillManager,
    at: usize,
    file: Option<SendableRecordBatchStream>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let partition = Arc::clone(&self.partition);
        loop {
            if let Some(file) = &mut self.file {
                return file.next().await.transpose();
            }
            let mut changed = std::pin::pin!(partition.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = partition.state();
                if !std::mem::replace(&mut state.is_started, true) {
                    drop(state);
                    if let Err(error) = self.rows.start(self.number, &self.context, &self.manager) {
                        partition.end(Err(error));
                    }
                    continue;
                }
                if let Some(batch) = state.batches.get(self.at) {
                    self.at += 1;
                    return Ok(Some(batch.clone()));
                }
                match (&state.end, &state.file) {
                    (Some(Err(error)), _) => return Err(DataFusionError::Shared(Arc::clone(error))),
                    (Some(Ok(())), None) => return Ok(None),
                    (Some(Ok(())), Some(file)) => {
                        self.file = Some(self.manager.read_spill_as_stream(Arc::clone(file), None)?);
                        continue;
                    }
                    (None, _) => {}
                }
            }
            changed.await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.partition.state();
        state.reading -= 1;
        if state.begun == self.rows.places && state.reading == 0 {
            // The last one.
            (state.batches, state.file, state.memory) = (Vec::new(), None, None);
        }
    }
}

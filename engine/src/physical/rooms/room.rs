//! The memory of one partition of an operator.

use crate::physical::memory::{first_come, limit, with_memory};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A room has at least this for sure: a grouping keeps texts in pieces of 2 MB…
const LEAST_BYTES: usize = 4 << 20;

/// … or this part of what a slice has: of batches as [`crate::physical::fit_to_memory`] makes them, enough to sort one and
/// to merge two runs.
const LEAST_OF_SLICE: usize = 4;

/// The part of that which a sort keeps for its merges.
const FOR_MERGES: usize = 4;

/// What a partition may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::physical) enum Need {
    /// What it is given; it goes to the disk for the rest.
    CanSpill,
    /// What there is: it cannot go to the disk.
    Whole,
    /// All that it asks for, which is not much.
    Bounded,
}

/// Memory of the statement's that belongs to one partition of an operator.
#[derive(Debug)]
pub(in crate::physical) struct Room {
    /// The statement's.
    pool: Arc<dyn MemoryPool>,
    need: Need,
    /// What it has for sure.
    least: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    held: MemoryReservation,
    used: usize,
    /// Whether rows come out, so that less and less is needed.
    gives_back: bool,
}

/// A context whose memory is a room, for a partition of the operator of this name over such rows; `None` where memory has no
/// limit or there is no disk to go to.
pub(in crate::physical) fn enter(
    task: &Arc<TaskContext>,
    name: String,
    need: Need,
    rows: &Schema,
) -> Option<(Arc<TaskContext>, Arc<Room>)> {
    let slice = limit(task)? / task.session_config().target_partitions().max(1);
    let least = (slice / LEAST_OF_SLICE).max(LEAST_BYTES);
    let held = MemoryConsumer::new(name).with_can_spill(need == Need::CanSpill).register(task.memory_pool());
    let state = Mutex::new(State { held, used: 0, gives_back: need != Need::CanSpill });
    let room = Arc::new(Room { pool: Arc::clone(task.memory_pool()), need, least, state });
    let mut config = task.session_config().clone();
    let execution = &mut config.options_mut().execution;
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(least / FOR_MERGES);
    if rows.fields().iter().any(|field| has_views(field.data_type())) {
        // A sort that makes one batch of several cuts it again, counts the texts that all pieces share for each of them, and
        // fails where it is refused that.
        execution.sort_in_place_threshold_bytes = 0;
    }
    Some((Arc::new(with_memory(task, Arc::clone(&room) as _, config)), room))
}

/// Whether values point at texts that lie elsewhere.
fn has_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) | DataType::Map(of, _) => {
            has_views(of.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        DataType::Dictionary(_, values) => has_views(values),
        _ => false,
    }
}

/// Rows of an operator in a room, which gives back what it does not need from the first of them on.
pub(in crate::physical) fn giving_back(rows: SendableRecordBatchStream, room: Arc<Room>) -> SendableRecordBatchStream {
    let schema = rows.schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.inspect(move |_| room.give_back())))
}

impl Room {
    fn give_back(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.gives_back {
            state.gives_back = true;
            self.shrink_to_need(&state);
        }
    }

    /// Keeps what is used and, for what comes and goes as rows are given, what it has for sure.
    fn shrink_to_need(&self, state: &State) {
        let kept = match self.need {
            Need::CanSpill => state.used.saturating_add(self.least),
            Need::Whole | Need::Bounded => state.used,
        };
        if state.held.size() > kept {
            state.held.resize(kept);
        }
    }

    /// Asks the statement's memory for more.
    fn ask(&self, held: &MemoryReservation, more: usize) -> Result<()> {
        if self.need == Need::CanSpill
            && let MemoryLimit::Finite(limit) = self.pool.memory_limit()
            && self.pool.reserved().saturating_add(more) > first_come(limit)
        {
            return Err(resources_datafusion_err!(
                "{} needs {more} more bytes of memory, of which {limit} are there and a part is left to others",
                held.consumer().name()
            ));
        }
        held.try_grow(more)
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "room(held: {}, used: {})", state.held.size(), state.used)
    }
}

impl MemoryPool for Room {
    fn name(&self) -> &'static str {
        "room"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used = state.used.saturating_add(additional);
        let more = state.used.saturating_sub(state.held.size());
        state.held.grow(more);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used = state.used.saturating_sub(shrink);
        if state.gives_back {
            self.shrink_to_need(&state);
        }
    }

    fn try_grow(&self, _reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let used = state.used.saturating_add(additional);
        let more = used.saturating_sub(state.held.size());
        if more > 0
            && let Err(error) = self.ask(&state.held, more)
        {
            if self.need != Need::Bounded && used > self.least {
                return Err(error);
            }
            state.held.grow(more);
        }
        state.used = used;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).used
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

//! The memory of one partition of an operator.

use super::fit::fit_settings;
use crate::physical::memory::{first_come, limit, with_memory};
use arrow::datatypes::Schema;
use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A room has at least this for sure…
const LEAST_BYTES: usize = 2 << 20;

/// … or this part of what a slice has: of batches as [`crate::physical::fit_to_memory`] makes them, enough to sort one and
/// to merge two runs.
const LEAST_OF_SLICE: usize = 8;

/// What cannot go to the disk has at most this part of all memory for sure: it would come to an end with the memory of
/// others.
const MOST_OF_ALL: usize = 8;

/// The part of what its rows take that a sort has beside them, since their keys may take a little more than it counts.
const SPARE: usize = 8;

/// What a partition may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::physical) enum Need {
    /// What a sort is given. It writes the rest, and merges as many runs at once as it is given memory for.
    Sort,
    /// The same for a grouping, whose table takes so much as soon as there is one. If it cannot go to the disk it is given
    /// what there is, as [`Self::Whole`].
    Group { table_bytes: usize, can_spill: bool },
    /// What there is: it cannot go to the disk.
    Whole,
    /// All that it asks for, which is not much.
    Merge,
}

impl Need {
    fn can_spill(self) -> bool {
        matches!(self, Self::Sort | Self::Group { can_spill: true, .. })
    }
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
    phase: Phase,
    /// Whether something was refused, so that rows are on the disk.
    has_spilled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Rows come in.
    Taking,
    /// What was taken in is written, and then more comes in.
    Writing,
    /// All rows are in.
    Full,
}

impl State {
    /// Whether a sort writes the rows that it has. It counts the texts that those to be written share for each batch of
    /// them, and writes at once what it is refused memory for.
    fn is_writing(&self, need: Need) -> bool {
        let ends_so = self.phase == Phase::Full && self.has_spilled;
        need == Need::Sort && (self.phase == Phase::Writing || ends_so)
    }

    /// Whether an operator may be refused what is more than it has for sure: it can write something then, or merge fewer
    /// runs at once.
    fn may_refuse(&self, need: Need, can_spill: bool) -> bool {
        match need {
            Need::Sort if self.phase == Phase::Full => self.has_spilled,
            // Of what it has taken in only rows can be written, not their keys.
            Need::Sort => can_spill,
            Need::Group { .. } => self.phase != Phase::Full || self.has_spilled,
            Need::Whole => true,
            Need::Merge => false,
        }
    }
}

/// A context whose memory is a room, for a partition of the operator of this name over such rows; `None` where memory has no
/// limit or there is no disk to go to.
pub(in crate::physical) fn enter(
    task: &Arc<TaskContext>,
    name: String,
    need: Need,
    rows: &Schema,
) -> Option<(Arc<TaskContext>, Arc<Room>)> {
    let limit = limit(task)?;
    let slice = limit / task.session_config().target_partitions().max(1);
    let mut least = (slice / LEAST_OF_SLICE).max(LEAST_BYTES);
    if need == Need::Whole {
        least = least.min(limit / MOST_OF_ALL);
    }
    let held = MemoryConsumer::new(name).with_can_spill(need.can_spill()).register(task.memory_pool());
    let room = Arc::new(Room::new(Arc::clone(task.memory_pool()), held, need, least));
    let mut config = task.session_config().clone();
    if need == Need::Sort {
        fit_settings(&mut config, least, rows);
    }
    Some((Arc::new(with_memory(task, Arc::clone(&room) as _, config)), room))
}

/// Rows on their way into an operator in a room, which is told when some are taken in and when they are all.
pub(super) fn filling(rows: SendableRecordBatchStream, room: Arc<Room>) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let taking = Arc::clone(&room);
    let rows = rows.inspect(move |_| taking.take_in());
    let end = stream::once(async move { room.fill() }).filter_map(|()| async { None });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(end)))
}

/// Rows of an operator in a room, which gives back what it does not need from the first of them on, and after the last what
/// is not used any more.
pub(super) fn giving_back(rows: SendableRecordBatchStream, room: Arc<Room>) -> SendableRecordBatchStream {
    let (schema, giving) = (rows.schema(), Arc::clone(&room));
    let end = stream::once(async move { room.end() }).filter_map(|()| async { None });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.inspect(move |_| giving.give_back()).chain(end)))
}

impl Room {
    fn new(pool: Arc<dyn MemoryPool>, held: MemoryReservation, need: Need, least: usize) -> Self {
        let gives_back = !need.can_spill();
        let state = State { held, used: 0, gives_back, phase: Phase::Taking, has_spilled: false };
        Self { pool, need, least, state: Mutex::new(state) }
    }

    /// What it has for sure.
    pub(super) fn least(&self) -> usize {
        self.least
    }

    /// Some rows come in, so that those before are written, if they had to be.
    fn take_in(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).phase = Phase::Taking;
    }

    /// All rows are in.
    fn fill(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).phase = Phase::Full;
    }

    fn give_back(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.gives_back {
            state.gives_back = true;
            self.shrink_to_need(&state);
        }
    }

    /// All rows are out.
    fn end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.resize(state.used.min(state.held.size()));
    }

    /// Keeps what is used and, for what comes and goes as rows are given, what it has for sure.
    fn shrink_to_need(&self, state: &State) {
        let kept = match self.need {
            Need::Sort | Need::Group { .. } => state.used.saturating_add(self.least),
            Need::Whole | Need::Merge => state.used,
        };
        if state.held.size() > kept {
            state.held.resize(kept);
        }
    }

    /// Asks the statement's memory for more.
    fn ask(&self, held: &MemoryReservation, more: usize, is_written: bool) -> Result<()> {
        if self.need.can_spill()
            && let MemoryLimit::Finite(limit) = self.pool.memory_limit()
            && (is_written || self.pool.reserved().saturating_add(more) > first_come(limit))
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

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let used = state.used.saturating_add(additional);
        let can_spill = reservation.consumer().can_spill();
        let spare = if self.need == Need::Sort && can_spill { used / SPARE } else { 0 };
        let more = used.saturating_add(spare).saturating_sub(state.held.size());
        if additional > 0
            && more > 0
            && let Err(error) = self.ask(&state.held, more, can_spill && state.is_writing(self.need))
        {
            // Of a grouping that merges what it wrote, both the runs and the groups that are made of them have this.
            let sure = match self.need {
                Need::Group { table_bytes, .. } => self.least.saturating_add(table_bytes),
                _ => self.least,
            };
            let is_sure = reservation.size().saturating_add(additional) <= sure;
            if !is_sure && state.may_refuse(self.need, can_spill) {
                state.has_spilled = true;
                if state.phase == Phase::Taking {
                    state.phase = Phase::Writing;
                }
                return Err(error);
            }
            state.held.grow(used.saturating_sub(state.held.size()));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    /// A room with 100 bytes for sure, of a pool of 1,000 that others have all of.
    fn room(need: Need) -> (Arc<Room>, Arc<dyn MemoryPool>) {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1_000));
        let held = MemoryConsumer::new("room").register(&pool);
        (Arc::new(Room::new(Arc::clone(&pool), held, need, 100)), pool)
    }

    /// The same where others have all that is left.
    fn room_beside_all(need: Need) -> (Arc<Room>, Arc<dyn MemoryPool>, MemoryReservation) {
        let (room, pool) = room(need);
        let others = MemoryConsumer::new("others").register(&pool);
        others.try_grow(1_000).unwrap();
        (room, pool, others)
    }

    impl Room {
        fn held(&self) -> usize {
            self.state.lock().unwrap().held.size()
        }
    }

    fn reservation(room: &Arc<Room>) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = Arc::clone(room) as _;
        MemoryConsumer::new("operator").with_can_spill(true).register(&pool)
    }

    #[test]
    fn a_room_grows_and_keeps_what_it_has_until_rows_come_out() {
        let (room, pool) = room(Need::Sort);
        let rows = reservation(&room);
        rows.try_grow(600).unwrap();
        // A quarter is left to others, an eighth of the rows to their keys.
        rows.try_grow(100).unwrap_err();
        rows.free();
        assert_eq!((room.reserved(), pool.reserved()), (0, 675));
        rows.try_grow(300).unwrap();
        room.give_back();
        assert_eq!(pool.reserved(), 400);
        rows.shrink(200);
        assert_eq!(pool.reserved(), 200);
        room.end();
        assert_eq!(pool.reserved(), 100);
        drop((rows, room));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_is_refused_where_others_have_all() {
        let table = 50;
        let group = Need::Group { table_bytes: table, can_spill: true };
        // Whether more than for sure is given while rows come in, when they are all and none is on the disk, and when some
        // are.
        let cases = [
            (Need::Sort, [false, true, false]),
            (group, [false, true, false]),
            (Need::Whole, [false, false, false]),
            (Need::Merge, [true, true, true]),
        ];
        for (need, given) in cases {
            let sure = if need == group { 100 + table } else { 100 };
            for (number, given) in given.into_iter().enumerate() {
                let (room, _pool, _others) = room_beside_all(need);
                let rows = reservation(&room);
                if number == 2 {
                    let _ = rows.try_grow(sure + 1);
                    rows.free();
                }
                if number > 0 {
                    room.fill();
                }
                rows.try_grow(sure).unwrap();
                assert_eq!(rows.try_grow(1).is_ok(), given, "{need:?} {number}");
            }
        }
    }

    #[test]
    fn what_cannot_go_to_the_disk_is_given_what_there_is() {
        for (need, most) in [
            (Need::Whole, 1_000),
            (Need::Group { table_bytes: 0, can_spill: false }, 1_000),
            (Need::Group { table_bytes: 0, can_spill: true }, 750),
        ] {
            let (room, _pool) = room(need);
            let rows = reservation(&room);
            rows.try_grow(most).unwrap();
            rows.try_grow(1).unwrap_err();
        }
    }

    #[test]
    fn the_keys_of_rows_that_a_sort_writes_are_not_refused() {
        let (room, _pool, _others) = room_beside_all(Need::Sort);
        let pool: Arc<dyn MemoryPool> = Arc::clone(&room) as _;
        let (rows, keys) = (reservation(&room), MemoryConsumer::new("merge").register(&pool));
        rows.try_grow(100).unwrap();
        keys.try_grow(300).unwrap();
        rows.try_grow(1).unwrap_err();
    }

    #[test]
    fn what_a_sort_writes_takes_nothing_from_others() {
        let (room, pool) = room(Need::Sort);
        let (rows, others) = (reservation(&room), MemoryConsumer::new("others").register(&pool));
        others.try_grow(600).unwrap();
        rows.try_grow(120).unwrap();
        rows.try_grow(80).unwrap_err();
        rows.free();
        let held = room.held();
        others.free();
        rows.try_grow(300).unwrap_err();
        assert_eq!(room.held(), held);
        room.take_in();
        rows.try_grow(300).unwrap();
    }

    #[test]
    fn the_runs_and_the_groups_of_a_merge_have_a_little_each() {
        let (room, _pool, _others) = room_beside_all(Need::Group { table_bytes: 0, can_spill: true });
        let (runs, groups) = (reservation(&room), reservation(&room));
        runs.try_grow(101).unwrap_err();
        room.fill();
        runs.try_grow(100).unwrap();
        runs.try_grow(1).unwrap_err();
        groups.try_grow(90).unwrap();
        groups.try_grow(10).unwrap();
        groups.try_grow(1).unwrap_err();
    }
}

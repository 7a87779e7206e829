//! The memory that arranging takes: a share of the warehouse's, divided among the sorts so that each can spill.
//!
//! A sort that finds nothing left in a pool that others have taken whole cannot spill what it does not hold; it fails.
//! So a write takes its share at once, as much of it as there is, and its sorts divide that fairly.

use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use std::fmt;
use std::sync::Arc;

/// What a write takes if it can get it, and what it takes for each slice beyond. With what it reads and what encoders hold,
/// a statement that sorts stays below 2 GiB.
const WANTED_BYTES: usize = 5 << 28;
const SLICE_BYTES: usize = 32 << 20;

/// The part of all memory that it takes at most.
const MOST_PART: usize = 4;

/// What a write needs.
const LEAST_BYTES: usize = 64 << 20;

/// What each sort keeps for its merge, when there are many sorts.
const MERGE_BYTES: usize = 2 << 20;

/// The context of a statement with a share of its memory for `slices` sorts; it is given back when the plans that run
/// in it are dropped. Where not even the least is left, the statement's own memory is what there is.
pub(super) fn with_share(context: &Arc<TaskContext>, slices: usize) -> Arc<TaskContext> {
    let runtime = context.runtime_env();
    let mut bytes = WANTED_BYTES.max(slices * SLICE_BYTES);
    if let MemoryLimit::Finite(limit) = runtime.memory_pool.memory_limit() {
        bytes = bytes.min(limit / MOST_PART).max(LEAST_BYTES);
    }
    let share = MemoryConsumer::new("rows being arranged").register(&runtime.memory_pool);
    while share.try_grow(bytes).is_err() {
        bytes /= 2;
        if bytes < LEAST_BYTES {
            return Arc::clone(context);
        }
    }
    let pool = Share { inner: FairSpillPool::new(bytes), _taken: share };
    let runtime = RuntimeEnv { memory_pool: Arc::new(pool), ..RuntimeEnv::clone(&runtime) };
    let mut config = context.session_config().clone();
    let merge = &mut config.options_mut().execution.sort_spill_reservation_bytes;
    *merge = (*merge).min((bytes / slices.max(1) / 4).max(MERGE_BYTES));
    // Sorts and exchanges call no functions.
    Arc::new(TaskContext::default().with_runtime(Arc::new(runtime)).with_session_config(config))
}

/// A fair pool over memory that was taken from another.
struct Share {
    inner: FairSpillPool,
    _taken: MemoryReservation,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &'static str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.inner.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

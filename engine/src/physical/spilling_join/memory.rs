//! How much memory joins may hold, and the memory of one that fits.

use super::outer::NullsSeen;
use crate::physical::found_keys::tell_all;
use crate::physical::memory::{first_come, with_memory};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::metrics::SpillMetrics;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Files that all partitions of a split join have open at once, about.
const MOST_FILES: usize = 512;

/// Into how many parts a join is split at once, at least.
const LEAST_PARTS: usize = 4;

/// Into how many blocks a block is cut that does not fit.
const SMALLER: usize = 8;

/// What sizes joins are split by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// What a part of a split join may hold without asking: where other operators hold all memory it still comes to an
    /// end.
    pub(super) floor_bytes: usize,
    /// Into how many parts a join is split at once, at most.
    pub(super) most_parts: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { floor_bytes: 1 << 20, most_parts: 32 }
    }
}

/// How much a build side may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// What leaves some to others, or a little.
    First,
    /// The same, and the little need not be asked for.
    Part,
    /// Whatever it needs: it cannot be made smaller.
    Last,
}

/// What all parts of a join share.
pub(super) struct Env {
    pub(super) task: Arc<TaskContext>,
    /// Bytes that all operators of the statement may hold.
    pub(super) limit: usize,
    pub(super) sizes: Sizes,
    /// Partitions that write and join at once.
    pub(super) lanes: usize,
    pub(super) spill: SpillMetrics,
    /// What was seen of NULL in the probe side of a join that decides NOT IN.
    pub(super) nulls: Option<Arc<NullsSeen>>,
}

impl Env {
    /// Makes a reservation hold so many bytes, if it may.
    pub(super) fn claim(&self, reservation: &MemoryReservation, bytes: usize, claim: Claim) -> bool {
        let more = bytes.saturating_sub(reservation.size());
        let pool = self.task.memory_pool();
        let within = match claim {
            Claim::First | Claim::Part if bytes > self.sizes.floor_bytes => {
                pool.reserved().saturating_add(more) <= first_come(self.limit)
            }
            Claim::First | Claim::Part => true,
            Claim::Last => false,
        };
        if more == 0 || (within && reservation.try_grow(more).is_ok()) {
            return true;
        }
        let anyway = claim == Claim::Last || (claim == Claim::Part && bytes <= self.sizes.floor_bytes);
        if anyway {
            reservation.grow(more);
        }
        anyway
    }

    /// Holds nothing yet.
    pub(super) fn reserve(&self) -> MemoryReservation {
        MemoryConsumer::new("HashJoinInput").with_can_spill(true).register(self.task.memory_pool())
    }

    /// Into how many parts a join is split at once: a power of two.
    pub(super) fn parts(&self) -> usize {
        (MOST_FILES / 2 / self.lanes.max(1)).clamp(LEAST_PARTS, self.sizes.most_parts).next_power_of_two()
    }

    /// Bytes of a block: several of them, with their tables, fit beside one another.
    pub(super) fn block_bytes(&self) -> usize {
        (self.limit / 16 / self.lanes.max(1)).max(self.sizes.floor_bytes / SMALLER)
    }

    /// Bytes of the blocks that one of so many is cut into; `None` where it fits without asking.
    pub(super) fn smaller_blocks(&self, bytes: usize) -> Option<usize> {
        Some(bytes / SMALLER).filter(|smaller| *smaller >= self.sizes.floor_bytes / SMALLER)
    }
}

/// Memory that is held already and given to a join as it asks: so a join that was found to fit does fit.
#[derive(Debug)]
pub(super) struct Granted {
    held: MemoryReservation,
    used: AtomicUsize,
    settled: AtomicBool,
}

impl Granted {
    pub(super) fn new(held: MemoryReservation) -> Self {
        Self { held, used: AtomicUsize::new(0), settled: AtomicBool::new(false) }
    }

    /// Gives back what was held for building only; the join has what it needs from now on.
    pub(super) fn settle(&self) {
        if !self.settled.swap(true, Ordering::Relaxed) {
            self.held.resize(self.used.load(Ordering::Relaxed));
        }
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "granted(held: {}, used: {})", self.held.size(), self.reserved())
    }
}

impl MemoryPool for Granted {
    fn name(&self) -> &'static str {
        "granted"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        let used = self.used.fetch_add(additional, Ordering::Relaxed) + additional;
        let held = self.held.size();
        if used > held {
            self.held.grow(used - held);
        }
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        let used = self.used.fetch_sub(shrink, Ordering::Relaxed) - shrink;
        if self.settled.load(Ordering::Relaxed) {
            self.held.resize(used);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.grow(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// A statement's context with other memory; `arrays` says whether joins may look rows up by the value of an integer,
/// which takes an array of its own, and `told` of how many rows a join tells all keys.
pub(super) fn with_grant(
    task: &TaskContext,
    pool: Arc<dyn MemoryPool>,
    arrays: bool,
    told: Option<usize>,
) -> TaskContext {
    let mut config = task.session_config().clone();
    if let Some(rows) = told {
        tell_all(config.options_mut(), rows);
    }
    if !arrays {
        let execution = &mut config.options_mut().execution;
        execution.perfect_hash_join_small_build_threshold = 0;
        execution.perfect_hash_join_min_key_density = f64::MAX;
    }
    with_memory(task, pool, config)
}

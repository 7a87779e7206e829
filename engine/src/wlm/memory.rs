//! The memory that a statement's slots are: a part of the warehouse's that it cannot exceed.
//!
//! What it asks for beyond is refused, upon which operators that can write to disk do so, and others fail. What is little
//! is not refused to one that holds no more: the sum of a column is not to fail because a sort below it has all there is.

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an operator may hold in any case…
const LITTLE_BYTES: usize = 256 << 10;

/// … or this part of the memory, if that is less.
const LITTLE_PART: usize = 16;

/// Whether an operator would hold no more than little of so much memory.
fn is_little(reservation: &MemoryReservation, additional: usize, limit: usize) -> bool {
    reservation.size().saturating_add(additional) <= LITTLE_BYTES.min(limit / LITTLE_PART)
}

/// A pool that refuses nothing that is little.
#[derive(Debug)]
pub(crate) struct LittleForAll<P>(pub(crate) P);

impl<P: MemoryPool> fmt::Display for LittleForAll<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<P: MemoryPool> MemoryPool for LittleForAll<P> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let asked = self.0.try_grow(reservation, additional);
        if asked.is_err()
            && let MemoryLimit::Finite(limit) = self.memory_limit()
            && is_little(reservation, additional, limit)
        {
            self.0.grow(reservation, additional);
            return Ok(());
        }
        asked
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
    }
}

/// A statement's part of a pool.
#[derive(Debug)]
pub(crate) struct SlotPool {
    parent: Arc<dyn MemoryPool>,
    limit: AtomicUsize,
    used: AtomicUsize,
}

impl SlotPool {
    /// A part of a pool, without a limit yet.
    pub(crate) fn new(parent: Arc<dyn MemoryPool>) -> Self {
        Self { parent, limit: AtomicUsize::new(usize::MAX), used: AtomicUsize::new(0) }
    }

    /// Limits it from now on; what is held already stays.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// What is held.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl fmt::Display for SlotPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slots(limit: {}, used: {})", self.limit.load(Ordering::Relaxed), self.used())
    }
}

impl MemoryPool for SlotPool {
    fn name(&self) -> &'static str {
        "slots"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.parent.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.parent.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
        self.parent.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.parent.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let limit = self.limit.load(Ordering::Relaxed);
        let little = is_little(reservation, additional, limit);
        let fits = |used: usize| used.checked_add(additional).filter(|used| little || *used <= limit);
        if let Err(used) = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            return Err(resources_datafusion_err!(
                "its slots in the queue are {limit} bytes of memory, of which {used} are in use, and {} needs {additional} more",
                reservation.consumer().name()
            ));
        }
        self.parent.try_grow(reservation, additional).inspect_err(|_| {
            self.used.fetch_sub(additional, Ordering::Relaxed);
        })
    }

    fn reserved(&self) -> usize {
        self.used()
    }

    fn memory_limit(&self) -> MemoryLimit {
        match self.limit.load(Ordering::Relaxed) {
            usize::MAX => self.parent.memory_limit(),
            limit => MemoryLimit::Finite(limit),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn what_is_little_is_not_refused() {
        let all: Arc<dyn MemoryPool> = Arc::new(LittleForAll(GreedyMemoryPool::new(4 << 20)));
        let slots = SlotPool::new(Arc::clone(&all));
        slots.set_limit(1 << 20);
        let slots: Arc<dyn MemoryPool> = Arc::new(slots);
        // Beside one who has all of the slots, then beside one who has all that there is.
        for (pool, limit) in [(&slots, 1 << 20), (&all, 4 << 20)] {
            let reservation = |name: &str| MemoryConsumer::new(name).register(pool);
            let (first, second) = (reservation("sort"), reservation("sum"));
            first.try_grow(limit).unwrap();
            first.try_grow(1).unwrap_err();
            second.try_grow(limit / 16).unwrap();
            second.try_grow(1).unwrap_err();
            assert_eq!(pool.reserved(), limit + limit / 16);
        }
        assert_eq!(all.reserved(), 0);
    }
}

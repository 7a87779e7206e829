//! The memory that statements share: of all of them together, and of a statement the part that its slots are, which it
//! cannot exceed.
//!
//! What is asked for beyond is refused, upon which operators that can write to disk do so, and others fail. One that can
//! write to disk fails too when it is refused before it holds anything: so those that came first must not take all. They
//! take what they want of one half. Of a quarter each has an even part for sure, however many there are, which is refused
//! to nobody. The last quarter is for what cannot be written, as the buffers of a merge.

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The part of the memory that those who can write to disk share as they come.
const FIRST_COME: usize = 2;

/// The part of it that they share evenly.
const EVEN: usize = 4;

/// A part of a pool, or all of one.
#[derive(Debug)]
pub(crate) struct SlotPool {
    parent: Arc<dyn MemoryPool>,
    /// Begins the sentence of what is refused: whose memory it is.
    whose: &'static str,
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Operators that can write to disk.
    can_spill: AtomicUsize,
}

impl SlotPool {
    /// A statement's part of a pool, without a limit yet.
    pub(crate) fn new(parent: Arc<dyn MemoryPool>) -> Self {
        Self::with_limit(parent, "its slots in the queue are", usize::MAX)
    }

    /// What all statements have together.
    pub(crate) fn of_all(parent: Arc<dyn MemoryPool>, bytes: usize) -> Self {
        Self::with_limit(parent, "all statements together have", bytes)
    }

    fn with_limit(parent: Arc<dyn MemoryPool>, whose: &'static str, bytes: usize) -> Self {
        let (used, can_spill) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { parent, whose, limit: AtomicUsize::new(bytes), used, can_spill }
    }

    /// Limits it from now on; what is held already stays.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Whether one that can write to disk may hold so much more, when so much is used then.
    fn is_fair(&self, reservation: &MemoryReservation, additional: usize, used: usize, limit: usize) -> bool {
        if used <= limit / FIRST_COME || !reservation.consumer().can_spill() {
            return true;
        }
        let even = limit / EVEN / self.can_spill.load(Ordering::Relaxed).max(1);
        reservation.size().saturating_add(additional) <= even
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
        self.can_spill.fetch_add(consumer.can_spill().into(), Ordering::Relaxed);
        self.parent.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.can_spill.fetch_sub(consumer.can_spill().into(), Ordering::Relaxed);
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
        let fits = |used: usize| {
            let after = used.checked_add(additional).filter(|used| *used <= limit)?;
            self.is_fair(reservation, additional, after, limit).then_some(after)
        };
        if let Err(used) = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            return Err(resources_datafusion_err!(
                "{} {limit} bytes of memory, of which {used} are in use, and {} needs {additional} more",
                self.whose,
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
    fn the_first_that_can_spill_leaves_something_to_the_others() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SlotPool::of_all(Arc::new(GreedyMemoryPool::new(400)), 400));
        let can_spill = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (first, second) = (can_spill("first"), can_spill("second"));
        first.try_grow(200).unwrap();
        let error = first.try_grow(1).unwrap_err().to_string();
        assert!(error.contains("all statements together have 400 bytes of memory, of which 200 are in use"), "{error}");
        // Half of a quarter, then a third.
        second.try_grow(50).unwrap();
        assert!(second.try_grow(1).is_err());
        let third = can_spill("third");
        third.try_grow(33).unwrap();
        assert!(third.try_grow(1).is_err());
        let merge = MemoryConsumer::new("merge").register(&pool);
        merge.try_grow(117).unwrap();
        assert!(merge.try_grow(1).is_err());
        drop((first, second));
        third.try_grow(50).unwrap();
    }
}

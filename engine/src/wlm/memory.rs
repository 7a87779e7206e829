//! The memory that a statement's slots are: a part of the warehouse's that it cannot exceed.
//!
//! What it asks for beyond is refused, upon which operators that can write to disk do so, and others fail.

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
        let fits = |used: usize| used.checked_add(additional).filter(|used| *used <= limit);
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

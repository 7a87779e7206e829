//! The snapshots of the manifest that this process reads: what has a lease does not expire.
//!
//! A transaction takes one when it first looks, and the rows of its queries hold it until they have been read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The leases of a warehouse.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    /// This process's name among those that use the warehouse.
    owner: Arc<str>,
    held: Arc<Mutex<Held>>,
}

impl Default for Leases {
    fn default() -> Self {
        Self { owner: uuid::Uuid::new_v4().to_string().into(), held: Arc::default() }
    }
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    by_number: BTreeMap<u64, InUse>,
}

/// A snapshot in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InUse {
    /// Which; `None` while it is being looked up.
    pub(crate) snapshot_id: Option<i64>,
    /// Since when, in milliseconds since the epoch: before it was looked up.
    pub(crate) since_ms: i64,
}

/// A snapshot that does not expire; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Lease {
    number: u64,
    of: Leases,
}

impl Leases {
    /// The name under which other processes are told of them.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// A lease on whatever snapshot is looked up next.
    pub(crate) fn begin(&self) -> Lease {
        self.insert(None)
    }

    /// A lease on a snapshot.
    pub(super) fn take(&self, snapshot_id: i64) -> Arc<Lease> {
        Arc::new(self.insert(Some(snapshot_id)))
    }

    fn insert(&self, snapshot_id: Option<i64>) -> Lease {
        let since_ms = chrono::Utc::now().timestamp_millis();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.last += 1;
        let number = held.last;
        held.by_number.insert(number, InUse { snapshot_id, since_ms });
        Lease { number, of: self.clone() }
    }

    /// Every snapshot in use now.
    pub(crate) fn in_use(&self) -> Vec<InUse> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).by_number.values().copied().collect()
    }
}

impl Lease {
    /// The same on the snapshot that was found.
    pub(crate) fn hold(self, snapshot_id: i64) -> Arc<Self> {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(in_use) = held.by_number.get_mut(&self.number) {
            in_use.snapshot_id = Some(snapshot_id);
        }
        drop(held);
        Arc::new(self)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.of.held.lock().unwrap_or_else(PoisonError::into_inner).by_number.remove(&self.number);
    }
}

//! Retention: snapshots of managed tables that nobody needs any more expire, and in time the files that only they had.
//!
//! [`Warehouse::expire`] does one round; who calls it, and when, is not decided here. What a transaction or a query of
//! this process reads never expires. Other processes tell each other of theirs through the catalog ([`heartbeat`]); a
//! file is deleted only when every reader began after it had been scheduled, and a time of grace has passed in which
//! those become known that were not told of yet.

use crate::error::Result;
use crate::session::{InUse, Leases};
use crate::warehouse::Warehouse;
use chrono::Utc;
use millrace_catalog::Catalog;
use millrace_catalog::manifest::{Retention, ScheduledFile, SnapshotLease};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use std::sync::Arc;
use std::time::Duration;

/// How often a process tells of its readers.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long a reader reads before others are told of it.
const TOLD_AFTER_MS: i64 = 5_000;

/// How long snapshots and files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Snapshots that are younger stay; named ones, those in use and the newest stay in any case.
    pub keep: Duration,
    /// More snapshots than these do not stay, so that the catalog stays small however often tables are changed.
    pub most: usize,
    /// How long a file stays after its last snapshot has expired.
    pub grace: Duration,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { keep: Duration::from_hours(24), most: 10_000, grace: Duration::from_mins(10) }
    }
}

/// What one round of [`Warehouse::expire`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Snapshots that expired.
    pub snapshots: usize,
    /// Files that were deleted: of snapshots that expired now or earlier.
    pub files: usize,
}

impl Warehouse {
    /// Lets snapshots expire by the warehouse's own policy, and deletes the files whose time of grace is over.
    ///
    /// # Errors
    /// `ReadOnly`; what the catalog or the store says. What was done before the error stays done.
    pub async fn expire(&self) -> Result<Expired> {
        self.expire_by(&self.config().retention).await
    }

    /// The same by another policy.
    pub async fn expire_by(&self, policy: &RetentionPolicy) -> Result<Expired> {
        let now = Utc::now().timestamp_millis();
        let own = self.leases().in_use();
        let others = self.catalog().leases_of_others(self.leases().owner()).await?;
        let in_use = own.iter().filter_map(|lease| lease.snapshot_id);
        let in_use = in_use.chain(others.iter().map(|lease| lease.snapshot_id)).collect();
        let retention =
            Retention { older_than_ms: now - millis(policy.keep), keep: 1, most: Some(policy.most.max(1)), in_use };
        let snapshots = self.catalog().expire_snapshots(&retention).await?;
        // Who began to read after a file was scheduled cannot have seen a snapshot with it.
        let began = own.iter().map(|lease| lease.since_ms).chain(others.iter().map(|lease| lease.since_ms));
        let due = began.chain([now - millis(policy.grace)]).min().unwrap_or(now);
        let files = self.catalog().files_to_delete(due).await?;
        let mut deleted = Vec::with_capacity(files.len());
        for file in files {
            if self.delete(&file).await {
                deleted.push(file);
            }
        }
        self.catalog().forget_deleted_files(&deleted).await?;
        Ok(Expired { snapshots, files: deleted.len() })
    }

    /// Whether a file is gone. One that stands elsewhere, put into a table by another program, is not ours to delete.
    async fn delete(&self, file: &ScheduledFile) -> bool {
        if file.path.starts_with('/') || file.path.contains("://") {
            return true;
        }
        let storage = self.data();
        let removed = match Path::parse(format!("{}/{}", storage.root, file.path)) {
            Ok(place) => storage.store.delete(&place).await,
            Err(error) => Err(error.into()),
        };
        match removed {
            Ok(()) | Err(StoreError::NotFound { .. }) => true,
            Err(error) => {
                tracing::warn!(path = file.path, %error, "could not delete a file that no snapshot shows");
                false
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Tells other processes of this one's readers, until it is aborted.
pub(crate) async fn heartbeat(catalog: Arc<Catalog>, leases: Leases) {
    let mut told = false;
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let before = Utc::now().timestamp_millis() - TOLD_AFTER_MS;
        let long = leases.in_use().into_iter().filter(|lease| lease.since_ms <= before).filter_map(|lease| {
            let InUse { snapshot_id, since_ms } = lease;
            snapshot_id.map(|snapshot_id| SnapshotLease { snapshot_id, since_ms })
        });
        let long: Vec<SnapshotLease> = long.collect();
        if long.is_empty() && !told {
            continue;
        }
        told = !long.is_empty();
        if let Err(error) = catalog.renew_leases(leases.owner(), &long).await {
            tracing::warn!(%error, "could not tell other processes which snapshots are in use");
        }
    }
}

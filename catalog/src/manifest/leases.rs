//! The snapshots that processes read, told to each other: so none expires one that another needs, nor deletes its files.
//!
//! A process tells of its longer readers only, every few seconds; those that end sooner are protected by the time of
//! grace before files are deleted. What a process that died has told ends by itself.

use crate::error::Result;
use crate::store::{Catalog, now_ms, sql, sql_text};

/// How long what a process told is believed without being told again.
pub const LEASE_TIMEOUT_MS: i64 = 60_000;

/// The table, which is made when it is first needed.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS millrace_lease (owner TEXT NOT NULL, snapshot_id BIGINT NOT NULL, \
     since_ms BIGINT NOT NULL, renewed_ms BIGINT NOT NULL)";

/// A snapshot in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLease {
    /// Which.
    pub snapshot_id: i64,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
}

impl Catalog {
    /// Says that `owner`, a process, uses these snapshots and no others.
    pub async fn renew_leases(&self, owner: &str, leases: &[SnapshotLease]) -> Result<()> {
        let mut write = self.write_lease().await?;
        let create = write.database().spell(CREATE);
        write.execute(sql_text(create)).await?;
        let now = now_ms();
        let query = "DELETE FROM millrace_lease WHERE owner = $1 OR renewed_ms < $2";
        write.execute(sql(query).bind(owner).bind(now - LEASE_TIMEOUT_MS)).await?;
        for lease in leases {
            let query = sql("INSERT INTO millrace_lease VALUES ($1, $2, $3, $4)");
            write.execute(query.bind(owner).bind(lease.snapshot_id).bind(lease.since_ms).bind(now)).await?;
        }
        write.commit_uncounted().await
    }

    /// The snapshots that processes other than `owner` use.
    pub async fn leases_of_others(&self, owner: &str) -> Result<Vec<SnapshotLease>> {
        let mut lease = self.read().await?;
        let rows: Vec<(i64, i64)> = if lease.has_table("millrace_lease").await? {
            let query = "SELECT snapshot_id, since_ms FROM millrace_lease WHERE owner <> $1 AND renewed_ms >= $2";
            lease.all(sql(query).bind(owner).bind(now_ms() - LEASE_TIMEOUT_MS)).await?
        } else {
            Vec::new()
        };
        lease.release();
        Ok(rows.into_iter().map(|(snapshot_id, since_ms)| SnapshotLease { snapshot_id, since_ms }).collect())
    }
}

//! Leases: of all processes that have the catalog open, at most one does a kind of work in the background.
//!
//! A lease ends by itself, so that a process that was killed holds nothing up; whoever has one renews it several times
//! within its time. The table is made by the first who asks, and no snapshot shows it.

use super::catalog::Catalog;
use super::migrate::now_ms;
use super::sql::{sql, sql_text};
use crate::error::Result;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS millrace_background_lease(
    name TEXT PRIMARY KEY, owner TEXT NOT NULL, end_time_ms BIGINT NOT NULL
) WITHOUT ROWID";

impl Catalog {
    /// Takes the lease `name` for so many milliseconds from now, or renews it; false while another owner has it.
    pub async fn take_lease(&self, name: &str, owner: &str, time_ms: i64) -> Result<bool> {
        let mut write = self.write_lease().await?;
        let create = write.database().spell(TABLE);
        write.execute(sql_text(create)).await?;
        let now = now_ms();
        // One that ends later than anybody could have asked for was taken when some clock was ahead.
        let query = "INSERT INTO millrace_background_lease AS held VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
                     SET owner = excluded.owner, end_time_ms = excluded.end_time_ms \
                     WHERE held.owner = excluded.owner OR held.end_time_ms <= $4 OR held.end_time_ms > $5";
        let query = sql(query).bind(name).bind(owner).bind(now + time_ms).bind(now).bind(now + 2 * time_ms);
        let taken = write.execute(query).await? > 0;
        write.commit_uncounted().await?;
        Ok(taken)
    }

    /// Gives a lease back before its time.
    pub async fn end_lease(&self, name: &str, owner: &str) -> Result<()> {
        let mut write = self.write_lease().await?;
        let create = write.database().spell(TABLE);
        write.execute(sql_text(create)).await?;
        let query = sql("DELETE FROM millrace_background_lease WHERE name = $1 AND owner = $2").bind(name).bind(owner);
        write.execute(query).await?;
        write.commit_uncounted().await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_owner_has_a_lease_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let place = crate::store::tests::place_in(folder.path());
        let (one, other) = (Catalog::open_at(&place).await.unwrap(), Catalog::open_at(&place).await.unwrap());
        assert!(one.take_lease("vacuum", "a", 60_000).await.unwrap());
        assert!(one.take_lease("vacuum", "a", 60_000).await.unwrap());
        assert!(!other.take_lease("vacuum", "b", 60_000).await.unwrap());
        assert!(other.take_lease("other", "b", 60_000).await.unwrap());
        other.end_lease("vacuum", "b").await.unwrap();
        assert!(!other.take_lease("vacuum", "b", 60_000).await.unwrap());
        one.end_lease("vacuum", "a").await.unwrap();
        assert!(other.take_lease("vacuum", "b", 0).await.unwrap());
        assert!(one.take_lease("vacuum", "a", 60_000).await.unwrap());
        // Its end is too far away for one of a second.
        assert!(other.take_lease("vacuum", "b", 1_000).await.unwrap());
    }
}

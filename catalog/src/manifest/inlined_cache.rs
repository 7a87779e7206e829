//! The rows that the catalog has of a table at a snapshot, kept between statements.
//!
//! They are kept with the span of snapshots for which they are known to be right. To a later snapshot they are brought
//! by the rows that began and ended since, so a table that grows row by row is not read again for each of them, and the
//! rows that stay are shared. What our own commit did is known without reading it (`follow`).

use super::change::InlinedRows;
use super::inline::{begun_since, ended_since, inlined_tables};
use super::log::{Effect, parse_effects};
use crate::error::Result;
use crate::store::{Catalog, Lease, sql};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is kept in memory over all tables: rows by their number, and tables.
const MOST_ROWS: u64 = 200_000;
/// What a table counts beside its rows.
const ROWS_OF_TABLE: usize = 10;
/// Commits whose lists of changes are read to see what became of a table.
const MOST_COMMITS: i64 = 1_000;

/// Rows by table. The tables that were not asked for the longest time make room for others.
#[derive(Debug)]
pub(crate) struct InlinedCache(Cache<i64, Known>);

/// A table's rows and the snapshots that show them.
#[derive(Debug, Clone)]
struct Known {
    first: i64,
    last: i64,
    rows: Arc<Vec<InlinedRows>>,
    /// The snapshot since which no row has ended: one between it and `first` shows those of the rows that had begun.
    grown_since: i64,
}

impl Known {
    /// The rows of a snapshot, if they are known.
    fn at(&self, snapshot: i64) -> Option<Arc<Vec<InlinedRows>>> {
        if (self.first..=self.last).contains(&snapshot) {
            return Some(Arc::clone(&self.rows));
        }
        if !(self.grown_since..self.first).contains(&snapshot) {
            return None;
        }
        let mut groups = self.rows.as_ref().clone();
        for group in &mut groups {
            group.rows.retain(|row| row.begin_snapshot <= snapshot);
        }
        groups.retain(|group| !group.rows.is_empty());
        Some(Arc::new(groups))
    }

    /// The same up to a later snapshot, which shows the same rows.
    fn up_to(self, last: i64) -> Self {
        Self { last, ..self }
    }
}

impl Default for InlinedCache {
    fn default() -> Self {
        Self::of(MOST_ROWS)
    }
}

impl InlinedCache {
    fn of(most_rows: u64) -> Self {
        let weigh = |_: &i64, known: &Known| {
            let rows = known.rows.iter().map(|group| group.rows.len()).sum::<usize>();
            u32::try_from(rows + ROWS_OF_TABLE).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(most_rows).weigher(weigh).eviction_policy(EvictionPolicy::lru()).build())
    }

    async fn put(&self, table: i64, known: Known) {
        self.0.insert(table, known).await;
    }

    /// Brings a table's rows, where those before it are known, to a commit that ended and began some, and nothing else.
    pub(super) async fn follow(&self, snapshot: i64, table: i64, ended: &BTreeSet<i64>, begun: Vec<InlinedRows>) {
        if let Some(known) = self.0.get(&table).await
            && known.last == snapshot - 1
        {
            let rows = Arc::new(merged(&known.rows, ended, begun));
            let grown_since = if ended.is_empty() { known.grown_since } else { snapshot };
            self.put(table, Known { first: snapshot, last: snapshot, rows, grown_since }).await;
        }
    }

    /// Forgets a table that is gone.
    pub(super) async fn forget(&self, table: i64) {
        self.0.invalidate(&table).await;
    }
}

/// What happened to a table between two snapshots.
enum Since {
    Nothing,
    Something,
    /// A snapshot has expired, there are too many, or rows may have gone without a trace.
    Unknown,
}

impl Catalog {
    /// The rows of a managed table that the catalog itself has at a snapshot, grouped by the columns that they were
    /// written with, in the order in which they were added. Reads the database only when the table changed since it was
    /// last asked for, and then only what changed.
    pub async fn inlined_rows(&self, table_id: i64, snapshot_id: i64) -> Result<Arc<Vec<InlinedRows>>> {
        let known = self.inlined().0.get(&table_id).await;
        if let Some(known) = &known {
            if let Some(rows) = known.at(snapshot_id) {
                return Ok(rows);
            }
            if self.own_commits().passed_over(table_id, known.last, snapshot_id) {
                self.inlined().put(table_id, known.clone().up_to(snapshot_id)).await;
                return Ok(Arc::clone(&known.rows));
            }
        }
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let since = match &known {
            Some(known) => since(&mut lease, table_id, known.last, snapshot_id).await?,
            None => Since::Unknown,
        };
        let read =
            |rows| Known { first: snapshot_id, last: snapshot_id, rows: Arc::new(rows), grown_since: snapshot_id };
        let found = match (known, since) {
            (Some(known), Since::Nothing) => known.up_to(snapshot_id),
            (Some(known), Since::Something) => read(advanced(&mut lease, table_id, &known, snapshot_id).await?),
            _ => read(all(&mut lease, table_id, snapshot_id).await?),
        };
        lease.end().await?;
        let rows = Arc::clone(&found.rows);
        // A look into the past does not push out what is now.
        if self.inlined().0.get(&table_id).await.is_none_or(|known| known.last < snapshot_id) {
            self.inlined().put(table_id, found).await;
        }
        Ok(rows)
    }
}

/// What the commits after the snapshot `from` up to `to` did to a table.
async fn since(lease: &mut Lease<'_>, table: i64, from: i64, to: i64) -> Result<Since> {
    if to < from || to - from > MOST_COMMITS {
        return Ok(Since::Unknown);
    }
    // What a snapshot that is still there shows is still there too, or says when it ended. Of one that has expired there
    // may be the list of changes, but what ended right after it has gone.
    let query = "SELECT changes_made, (SELECT COUNT(*) FROM ducklake_snapshot WHERE snapshot_id = $1) \
                 FROM ducklake_snapshot_changes WHERE snapshot_id > $1 AND snapshot_id <= $2";
    let rows: Vec<(Option<String>, i64)> = lease.all(sql(query).bind(from).bind(to)).await?;
    if rows.len() as i64 != to - from || rows.iter().any(|(_, begins)| *begins == 0) {
        return Ok(Since::Unknown);
    }
    let effects = rows.iter().filter_map(|(text, _)| text.as_deref()).flat_map(parse_effects);
    let mut since = Since::Nothing;
    for effect in effects.filter(|effect| effect.touched() == Some(table)) {
        match effect {
            // Rows that moved into files may have been removed at once.
            Effect::Flushed(_) | Effect::Compacted(..) | Effect::DroppedTable(_) => return Ok(Since::Unknown),
            _ => since = Since::Something,
        }
    }
    Ok(since)
}

/// All rows at a snapshot.
async fn all(lease: &mut Lease<'_>, table: i64, snapshot: i64) -> Result<Vec<InlinedRows>> {
    let mut begun = Vec::new();
    for (name, version) in inlined_tables(lease, table).await? {
        begun.push(begun_since(lease, table, (&name, version), (i64::MIN, snapshot)).await?);
    }
    Ok(merged(&[], &BTreeSet::new(), begun))
}

/// The rows at a later snapshot.
async fn advanced(lease: &mut Lease<'_>, table: i64, known: &Known, to: i64) -> Result<Vec<InlinedRows>> {
    let (mut ended, mut begun) = (BTreeSet::new(), Vec::new());
    for (name, version) in inlined_tables(lease, table).await? {
        ended.append(&mut ended_since(lease, &name, (known.last, to)).await?);
        begun.push(begun_since(lease, table, (&name, version), (known.last, to)).await?);
    }
    Ok(merged(&known.rows, &ended, begun))
}

/// Rows without those that ended and with those that began, one group for each list of columns: of the versions that a
/// table's columns have had, several may have the same ones.
fn merged(before: &[InlinedRows], ended: &BTreeSet<i64>, begun: Vec<InlinedRows>) -> Vec<InlinedRows> {
    let mut groups = before.to_vec();
    if !ended.is_empty() {
        // Another program's update keeps the row's id: what began is not looked at.
        for group in &mut groups {
            group.rows.retain(|row| !ended.contains(&row.row_id));
        }
    }
    for new in begun {
        match groups.iter_mut().find(|group| group.columns == new.columns) {
            Some(group) => group.rows.extend(new.rows),
            None => groups.push(new),
        }
    }
    groups.retain(|group| !group.rows.is_empty());
    groups
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::manifest::InlinedRow;

    fn rows(ids: std::ops::Range<i64>) -> Known {
        let row = |row_id| Arc::new(InlinedRow { row_id, begin_snapshot: 1, values: Vec::new() });
        let rows = Arc::new(vec![InlinedRows { columns: vec![1], rows: ids.map(row).collect() }]);
        Known { first: 1, last: 1, rows, grown_since: 1 }
    }

    #[tokio::test]
    async fn while_rows_only_come_the_snapshots_before_are_known_too() {
        let cache = InlinedCache::default();
        let group = |column, begins: std::ops::RangeInclusive<i64>| {
            let row = |begin| Arc::new(InlinedRow { row_id: begin, begin_snapshot: begin, values: Vec::new() });
            InlinedRows { columns: vec![column], rows: begins.map(row).collect() }
        };
        let (rows, nothing) = (Arc::new(vec![group(1, 3..=5)]), BTreeSet::new());
        cache.put(7, Known { first: 5, last: 6, rows, grown_since: 5 }).await;
        cache.follow(7, 7, &nothing, vec![group(1, 7..=7)]).await;
        cache.follow(8, 7, &nothing, vec![group(2, 8..=8)]).await;
        let known = cache.0.get(&7).await.unwrap();
        for (snapshot, expected) in [(5, 3), (6, 3), (7, 4), (8, 5)] {
            let rows = known.at(snapshot).unwrap();
            assert_eq!(rows.iter().map(|group| group.rows.len()).sum::<usize>(), expected, "at {snapshot}");
            assert_eq!(rows.len(), if snapshot < 8 { 1 } else { 2 });
        }
        assert!(known.at(4).is_none() && known.at(9).is_none());
        cache.follow(9, 7, &[3].into(), Vec::new()).await;
        let known = cache.0.get(&7).await.unwrap();
        assert!(known.at(8).is_none());
        assert_eq!(known.at(9).unwrap()[0].rows.len(), 3);
    }

    #[tokio::test]
    async fn the_least_recently_used_make_room() {
        let cache = InlinedCache::of(250);
        for table in 0..4 {
            cache.put(table, rows(0..50)).await;
        }
        cache.0.run_pending_tasks().await;
        assert!(cache.0.get(&0).await.is_some());
        cache.put(4, rows(0..50)).await;
        cache.0.run_pending_tasks().await;
        let kept = (0..5).filter(|table| cache.0.contains_key(table)).collect::<Vec<i64>>();
        assert_eq!(kept, [0, 2, 3, 4]);
        // One that is more than all may be is not kept, and pushes nobody out.
        cache.put(5, rows(0..300)).await;
        cache.0.run_pending_tasks().await;
        let kept = (0..6).filter(|table| cache.0.contains_key(table)).collect::<Vec<i64>>();
        assert_eq!(kept, [0, 2, 3, 4]);
    }
}

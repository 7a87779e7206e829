//! The rows that the catalog has of a table at a snapshot, kept between statements.
//!
//! They are kept with the span of snapshots for which they are known to be right. To a later snapshot they are brought
//! by the rows that began and ended since, so a table that grows row by row is not read again for each of them.

use super::change::InlinedRows;
use super::inline::{begun_since, ended_since, inlined_tables};
use super::log::{Effect, parse_effects};
use crate::error::Result;
use crate::store::{Catalog, Lease, sql};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows kept in memory over all tables, by their number.
const MOST_ROWS: usize = 200_000;
/// Tables whose rows are kept.
const MOST_TABLES: usize = 20_000;
/// Commits whose lists of changes are read to see what became of a table.
const MOST_COMMITS: i64 = 1_000;

/// Rows by table.
#[derive(Debug, Default)]
pub(crate) struct InlinedCache(Mutex<HashMap<i64, Known>>);

/// A table's rows and the snapshots that show them.
#[derive(Debug, Clone)]
struct Known {
    first: i64,
    last: i64,
    rows: Arc<Vec<InlinedRows>>,
}

impl Known {
    fn row_count(&self) -> usize {
        self.rows.iter().map(|group| group.rows.len()).sum()
    }
}

impl InlinedCache {
    fn get(&self, table: i64) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&table).cloned()
    }

    fn put(&self, table: i64, known: Known) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.remove(&table);
        let rows = tables.values().map(Known::row_count).sum::<usize>() + known.row_count();
        if rows > MOST_ROWS || tables.len() >= MOST_TABLES {
            tables.clear();
        }
        if known.row_count() <= MOST_ROWS {
            tables.insert(table, known);
        }
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
    /// written with. The groups are in the order of the columns' versions, the rows in that of their ids. Reads the
    /// database only when the table changed since it was last asked for, and then only what changed.
    pub async fn inlined_rows(&self, table_id: i64, snapshot_id: i64) -> Result<Arc<Vec<InlinedRows>>> {
        let known = self.inlined().get(table_id);
        if let Some(known) = &known
            && (known.first..=known.last).contains(&snapshot_id)
        {
            return Ok(Arc::clone(&known.rows));
        }
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let since = match &known {
            Some(known) => since(&mut lease, table_id, known.last, snapshot_id).await?,
            None => Since::Unknown,
        };
        let read = match (known, since) {
            (Some(known), Since::Nothing) => Known { last: snapshot_id, ..known },
            (Some(known), Since::Something) => {
                let rows = advanced(&mut lease, table_id, &known, snapshot_id).await?;
                Known { first: snapshot_id, last: snapshot_id, rows: Arc::new(rows) }
            }
            _ => {
                let rows = Arc::new(all(&mut lease, table_id, snapshot_id).await?);
                Known { first: snapshot_id, last: snapshot_id, rows }
            }
        };
        lease.end().await?;
        let rows = Arc::clone(&read.rows);
        // A look into the past does not push out what is now.
        if self.inlined().get(table_id).is_none_or(|known| known.last < snapshot_id) {
            self.inlined().put(table_id, read);
        }
        Ok(rows)
    }
}

/// What the commits after the snapshot `from` up to `to` did to a table.
async fn since(lease: &mut Lease<'_>, table: i64, from: i64, to: i64) -> Result<Since> {
    if to < from || to - from > MOST_COMMITS {
        return Ok(Since::Unknown);
    }
    let query = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id >= $1 AND snapshot_id <= $2 \
                 ORDER BY snapshot_id";
    let rows: Vec<(Option<String>,)> = lease.all(sql(query).bind(from).bind(to)).await?;
    // What a snapshot that is still there shows is still there too, or says when it ended.
    if rows.len() as i64 != to - from + 1 {
        return Ok(Since::Unknown);
    }
    let effects = rows.iter().skip(1).filter_map(|(text,)| text.as_deref()).flat_map(parse_effects);
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
    let mut groups = Vec::new();
    for (name, version) in inlined_tables(lease, table).await? {
        groups.push(begun_since(lease, table, (&name, version), (i64::MIN, snapshot)).await?);
    }
    groups.retain(|group| !group.rows.is_empty());
    Ok(groups)
}

/// The rows at a later snapshot.
async fn advanced(lease: &mut Lease<'_>, table: i64, known: &Known, to: i64) -> Result<Vec<InlinedRows>> {
    let mut groups = known.rows.as_ref().clone();
    for (name, version) in inlined_tables(lease, table).await? {
        let ended = ended_since(lease, &name, (known.last, to)).await?;
        let begun = begun_since(lease, table, (&name, version), (known.last, to)).await?;
        if let Some(group) = groups.iter_mut().find(|group| group.columns == begun.columns) {
            group.rows.retain(|row| !ended.contains(&row.row_id));
            group.rows.extend(begun.rows);
        } else {
            groups.push(begun);
        }
    }
    groups.retain(|group| !group.rows.is_empty());
    Ok(groups)
}

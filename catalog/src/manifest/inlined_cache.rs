//! The rows that the catalog has of a table at a snapshot, kept between statements.
//!
//! They are kept with the span of snapshots for which they are known to be right. To a later snapshot they are brought
//! by the rows that began and ended since, so a table that grows row by row is not read again for each of them.

use super::change::{InlinedRow, InlinedRows};
use super::inline::{columns_of_version, inlined_tables, list, quoted, values};
use super::log::{Effect, parse_effects};
use crate::error::Result;
use crate::store::{Catalog, DbRow, Lease};
use sqlx::{AssertSqlSafe, FromRow, Row};
use std::collections::{BTreeSet, HashMap};
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
                let rows = Arc::new(super::inline::read_inlined(&mut lease, table_id, snapshot_id).await?);
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
    let rows: Vec<(Option<String>,)> = lease.all(sqlx::query_as(query).bind(from).bind(to)).await?;
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

/// The rows at a later snapshot.
async fn advanced(lease: &mut Lease<'_>, table: i64, known: &Known, to: i64) -> Result<Vec<InlinedRows>> {
    let mut groups = known.rows.as_ref().clone();
    for (name, version) in inlined_tables(lease, table).await? {
        let columns = columns_of_version(lease, table, version).await?;
        let list = list(columns.iter().map(|(_, column)| column.as_str()));
        let query = format!(
            "SELECT row_id, begin_snapshot{list}, CASE WHEN end_snapshot <= $2 THEN 1 ELSE 0 END FROM {} \
             WHERE (begin_snapshot > $1 AND begin_snapshot <= $2) OR (end_snapshot > $1 AND end_snapshot <= $2) \
             ORDER BY row_id",
            quoted(&name)
        );
        let query = sqlx::query_as(AssertSqlSafe(query)).bind(known.last).bind(to);
        let changed: Vec<Changed> = lease.all(query).await?;
        if changed.is_empty() {
            continue;
        }
        let columns: Vec<i64> = columns.into_iter().map(|(id, _)| id).collect();
        let ended: BTreeSet<i64> = changed.iter().filter(|row| row.ended).map(|row| row.row.row_id).collect();
        let begun = changed.into_iter().filter(|row| !row.ended).map(|row| row.row);
        if let Some(group) = groups.iter_mut().find(|group| group.columns == columns) {
            group.rows.retain(|row| !ended.contains(&row.row_id));
            group.rows.extend(begun);
        } else {
            groups.push(InlinedRows { columns, rows: begun.collect() });
        }
    }
    groups.retain(|group| !group.rows.is_empty());
    Ok(groups)
}

/// A row that began or ended.
struct Changed {
    row: InlinedRow,
    ended: bool,
}

impl FromRow<'_, DbRow> for Changed {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let last = row.len() - 1;
        let values = values(row, 2..last)?;
        let row_id = row.try_get(0)?;
        let begin_snapshot = row.try_get(1)?;
        Ok(Self { row: InlinedRow { row_id, begin_snapshot, values }, ended: row.try_get::<i64, _>(last)? != 0 })
    }
}

//! Sketches of distinct values: one a column of each data file, and their union a column of the table.
//!
//! A commit joins what its files bring into the table's, so that planning reads one number a column. Nothing takes
//! values out of a union; ANALYZE makes a new one of the files that are live.

use super::estimates;
use crate::error::Result;
use crate::model::{DistinctSketch, FileColumnStatistics};
use crate::store::{CHUNK, Catalog, SqlBuilder, Write, sql};
use std::collections::BTreeMap;

/// Rows in one statement.
const ROWS: usize = CHUNK / 2;

impl Catalog {
    /// The sketches of a managed table's columns joined over its live files, and how many rows those files have that
    /// lack one: files of another program.
    pub async fn file_sketches(&self, table_id: i64) -> Result<(BTreeMap<i64, DistinctSketch>, u64)> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let query = "SELECT s.column_id, s.sketch FROM ducklake_data_file f CROSS JOIN millrace_file_sketch s \
                     WHERE f.table_id = $1 AND f.end_snapshot IS NULL AND s.data_file_id = f.data_file_id";
        let rows: Vec<(i64, Vec<u8>)> = lease.all(sql(query).bind(table_id)).await?;
        let query = "SELECT CAST(COALESCE(SUM(f.record_count), 0) AS BIGINT) FROM ducklake_data_file f \
                     WHERE f.table_id = $1 AND f.end_snapshot IS NULL AND NOT EXISTS \
                     (SELECT 1 FROM millrace_file_sketch s WHERE s.data_file_id = f.data_file_id)";
        let without = lease.number(sql(query).bind(table_id)).await?;
        lease.end().await?;
        let mut joined: BTreeMap<i64, DistinctSketch> = BTreeMap::new();
        for (column, bytes) in rows {
            if let Some(sketch) = DistinctSketch::from_bytes(&bytes) {
                joined.entry(column).or_default().merge(&sketch);
            }
        }
        Ok((joined, u64::try_from(without).unwrap_or(0)))
    }
}

/// Keeps the sketches of a new file.
pub(super) async fn insert(
    write: &mut Write<'_>,
    file: i64,
    columns: &BTreeMap<i64, FileColumnStatistics>,
) -> Result<()> {
    let sketches = columns.iter().filter_map(|(id, known)| Some((*id, known.distinct.as_ref()?)));
    let rows: Vec<_> = sketches.collect();
    for chunk in rows.chunks(ROWS) {
        let mut query = SqlBuilder::new("INSERT INTO millrace_file_sketch (data_file_id, column_id, sketch) ");
        query.push_values(chunk, |mut row, (column, sketch)| {
            row.push_bind(file).push_bind(*column).push_bind(sketch.to_bytes());
        });
        write.execute_later(query.build()).await?;
    }
    Ok(())
}

/// Joins sketches into those of a table.
pub(super) async fn merge_into_table(
    write: &mut Write<'_>,
    table: i64,
    added: &BTreeMap<i64, DistinctSketch>,
) -> Result<()> {
    if added.is_empty() {
        return Ok(());
    }
    let query = "SELECT column_id, sketch FROM millrace_column_estimate WHERE table_id = $1 AND sketch IS NOT NULL";
    let known: Vec<(i64, Vec<u8>)> = write.all(sql(query).bind(table)).await?;
    let known: BTreeMap<i64, DistinctSketch> =
        known.into_iter().filter_map(|(id, bytes)| Some((id, DistinctSketch::from_bytes(&bytes)?))).collect();
    let mut changed = Vec::new();
    for (column, sketch) in added {
        let mut joined = sketch.clone();
        if let Some(before) = known.get(column) {
            joined.merge(before);
            if joined == *before {
                continue;
            }
        }
        changed.push((*column, joined));
    }
    put(write, table, &changed).await
}

/// Makes sketches those of a table's columns, in the place of earlier ones.
pub(super) async fn put(write: &mut Write<'_>, table: i64, sketches: &[(i64, DistinctSketch)]) -> Result<()> {
    for chunk in sketches.chunks(ROWS) {
        let mut query =
            SqlBuilder::new("INSERT INTO millrace_column_estimate (table_id, column_id, distinct_count, sketch) ");
        query.push_values(chunk, |mut row, (column, sketch)| {
            row.push_bind(table).push_bind(*column).push_bind(sketch.count().cast_signed());
            row.push_bind(sketch.to_bytes());
        });
        query.push(
            " ON CONFLICT (table_id, column_id) DO UPDATE SET distinct_count = excluded.distinct_count, \
             sketch = excluded.sketch",
        );
        write.execute_later(query.build()).await?;
    }
    if sketches.is_empty() { Ok(()) } else { estimates::mark_changed(write).await }
}

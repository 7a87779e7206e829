//! A table during a commit: its definition and what the commit adds to its statistics.

use super::bounds::{Bounds, storable};
use super::commit::Commit;
use super::load::store_document;
use super::types::ducklake_type;
use crate::error::{CatalogError, Result};
use crate::model::{DistinctSketch, FileColumnStatistics, ManagedTable};
use crate::store::{Write, decode, sql};
use std::collections::BTreeMap;

/// A table that a commit touches.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "what happened to the table, each on its own")]
pub(super) struct TableState {
    pub(super) definition: ManagedTable,
    /// Whether the definition is to be written.
    pub(super) redefined: bool,
    /// Whether the table is being dropped.
    pub(super) dropped: bool,
    pub(super) next_row_id: i64,
    records: i64,
    bytes: i64,
    stored: bool,
    counted: bool,
    columns: BTreeMap<i64, Bounds>,
    /// What is stored of columns' values, once it is known.
    stored_columns: Option<BTreeMap<i64, Bounds>>,
    /// The quoted name of the table for rows with the columns as they are, once it is known.
    pub(super) inlined_table: Option<String>,
    /// The sketches of the files that came, by column.
    pub(super) sketches: BTreeMap<i64, DistinctSketch>,
}

impl TableState {
    /// A table that the commit makes.
    pub(super) fn new(definition: ManagedTable) -> Self {
        Self {
            definition,
            redefined: true,
            dropped: false,
            next_row_id: 0,
            records: 0,
            bytes: 0,
            stored: false,
            counted: false,
            columns: BTreeMap::new(),
            stored_columns: None,
            inlined_table: None,
            sketches: BTreeMap::new(),
        }
    }

    /// The table as a later commit finds it; `None` where it is gone.
    pub(super) fn settled(self) -> Option<Self> {
        let Self { definition, dropped, next_row_id, stored, stored_columns, inlined_table, .. } = self;
        let settled =
            Self { redefined: false, next_row_id, stored, stored_columns, inlined_table, ..Self::new(definition) };
        (!dropped).then_some(settled)
    }

    /// Counts rows and bytes that come or, where negative, go.
    pub(super) fn count(&mut self, records: i64, bytes: i64) {
        self.records += records;
        self.bytes += bytes;
        self.counted = true;
    }

    /// Adds what is known of some values of a column.
    pub(super) fn add_values(&mut self, column: i64, bounds: Bounds) {
        let ducklake = self.ducklake_type(column);
        let before = self.columns.remove(&column);
        let merged = match before {
            Some(before) => before.merge(bounds, &ducklake),
            None => bounds,
        };
        self.columns.insert(column, merged);
    }

    /// Adds a file's statistics; a column that it does not tell about may have any values.
    pub(super) fn add_file(&mut self, statistics: &BTreeMap<i64, FileColumnStatistics>, records: u64) {
        let ids: Vec<i64> = self.definition.columns.iter().map(|column| column.id).collect();
        for id in ids.into_iter().filter(|_| records > 0) {
            let bounds = statistics.get(&id).map_or_else(Bounds::default, |known| Bounds {
                contains_null: Some(known.null_count > 0),
                contains_nan: known.contains_nan,
                minimum: known.minimum.clone(),
                maximum: known.maximum.clone(),
                empty: known.value_count == 0 && known.null_count > 0,
            });
            self.add_values(id, bounds);
        }
        for (id, known) in statistics {
            if let Some(sketch) = &known.distinct {
                self.sketches.entry(*id).or_default().merge(sketch);
            }
        }
    }

    fn ducklake_type(&self, column: i64) -> String {
        let found = self.definition.columns.iter().find(|known| known.id == column);
        found.and_then(|column| ducklake_type(&column.data_type).ok()).unwrap_or_default()
    }

    /// Writes the definition and the statistics.
    pub(super) async fn store(&mut self, write: &mut Write<'_>, snapshot: i64) -> Result<()> {
        let id = self.definition.id;
        if self.redefined || self.dropped {
            let definition = (!self.dropped).then_some(&self.definition);
            store_document(write, id, definition, snapshot).await?;
        }
        if !self.counted {
            return Ok(());
        }
        let query = if self.stored {
            "UPDATE ducklake_table_stats SET record_count = record_count + $1, next_row_id = $2, \
             file_size_bytes = file_size_bytes + $3 WHERE table_id = $4"
        } else {
            "INSERT INTO ducklake_table_stats (record_count, next_row_id, file_size_bytes, table_id) \
             VALUES ($1, $2, $3, $4)"
        };
        let query = sql(query).bind(self.records).bind(self.next_row_id).bind(self.bytes);
        write.execute_later(query.bind(id)).await?;
        self.store_columns(write).await?;
        self.stored = true;
        super::sketches::merge_into_table(write, id, &self.sketches).await
    }

    async fn store_columns(&mut self, write: &mut Write<'_>) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let id = self.definition.id;
        let mut known = match self.stored_columns.take() {
            Some(known) => known,
            None => read_columns(write, id).await?,
        };
        for (column, added) in std::mem::take(&mut self.columns) {
            let before = known.get(&column);
            let merged = match before {
                Some(before) => before.clone().merge(added, &self.ducklake_type(column)),
                // Nothing is known of the rows before, if there are any, unless all of them came now.
                None if self.stored => {
                    Bounds { contains_null: added.contains_null.filter(|known| *known), ..Bounds::default() }
                }
                None => added,
            };
            let same = before.is_some_and(|before| Bounds { empty: merged.empty, ..before.clone() } == merged);
            if same {
                continue;
            }
            let query = if before.is_some() {
                "UPDATE ducklake_table_column_stats SET contains_null = $1, contains_nan = $2, min_value = $3, \
                 max_value = $4 WHERE table_id = $5 AND column_id = $6"
            } else {
                "INSERT INTO ducklake_table_column_stats \
                 (contains_null, contains_nan, min_value, max_value, table_id, column_id) \
                 VALUES ($1, $2, $3, $4, $5, $6)"
            };
            let (minimum, maximum) = (storable(merged.minimum), storable(merged.maximum));
            let query = sql(query).bind(merged.contains_null).bind(merged.contains_nan);
            let query = query.bind(minimum.as_deref()).bind(maximum.as_deref());
            write.execute_later(query.bind(id).bind(column)).await?;
            known.insert(column, bounds((column, merged.contains_null, merged.contains_nan, minimum, maximum)));
        }
        self.stored_columns = Some(known);
        Ok(())
    }
}

/// `column_id, contains_null, contains_nan, min_value, max_value`.
pub(super) type ColumnRow = (i64, Option<bool>, Option<bool>, Option<String>, Option<String>);

/// The bounds of a row. Missing ones are unknown, even where they once stood for nothing but NULL.
pub(super) fn bounds((_, null, nan, minimum, maximum): ColumnRow) -> Bounds {
    Bounds { contains_null: null, contains_nan: nan, minimum, maximum, empty: false }
}

impl Commit {
    /// The table of this number, which must still exist, with its stored id.
    pub(super) async fn table(&mut self, write: &mut Write<'_>, table: i64) -> Result<&mut TableState> {
        let id = self.resolve(table)?;
        if !self.tables.contains_key(&id) {
            let known = match &self.known {
                Some(known) => known.table(id).await,
                None => None,
            };
            let state = match known {
                Some(state) => state,
                None => read_state(write, id, self.base).await?,
            };
            self.tables.insert(id, state);
        }
        match self.tables.get_mut(&id) {
            Some(state) if !state.dropped => Ok(state),
            _ => Err(CatalogError::not_found("relation", id.to_string())),
        }
    }
}

/// What is stored of a table's columns.
async fn read_columns(write: &mut Write<'_>, table: i64) -> Result<BTreeMap<i64, Bounds>> {
    let query = "SELECT column_id, contains_null, contains_nan, min_value, max_value \
                 FROM ducklake_table_column_stats WHERE table_id = $1";
    let rows: Vec<ColumnRow> = write.all(sql(query).bind(table)).await?;
    Ok(rows.into_iter().map(|row| (row.0, bounds(row))).collect())
}

async fn read_state(write: &mut Write<'_>, id: i64, base: i64) -> Result<TableState> {
    let query = "SELECT m.document, s.record_count, s.next_row_id FROM millrace_managed_table m \
                 LEFT JOIN ducklake_table_stats s ON s.table_id = m.table_id \
                 WHERE m.table_id = $1 AND m.end_snapshot IS NULL";
    let row: Option<(String, Option<i64>, Option<i64>)> = write.first(sql(query).bind(id)).await?;
    let Some((document, record_count, next_row_id)) = row else {
        let query = "SELECT COUNT(*) FROM millrace_managed_table WHERE table_id = $1 AND end_snapshot > $2";
        let existed = write.number(sql(query).bind(id).bind(base)).await? > 0;
        // Somebody dropped it after the transaction began.
        let error = if existed { Commit::conflict(id) } else { CatalogError::not_found("relation", id.to_string()) };
        return Err(error);
    };
    let definition = decode(write.place(), &format!("managed table {id}"), &document)?;
    let stored = record_count.is_some();
    let next_row_id = next_row_id.unwrap_or(0);
    Ok(TableState { redefined: false, next_row_id, stored, ..TableState::new(definition) })
}

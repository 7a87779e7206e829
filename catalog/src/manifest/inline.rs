//! Rows in the catalog itself: tables `ducklake_inlined_data_<table>_<schema version>`, as DuckDB makes them.

use super::bounds::Bounds;
use super::change::{InlinedRow, InlinedRows, InlinedValue};
use super::commit::Commit;
use super::inlined_values::{InlinedColumn, StoredRow};
use super::log::Effect;
use super::types::ducklake_type;
use crate::error::{CatalogError, Result};
use crate::model::{DataFile, ManagedTable};
use crate::store::{CHUNK, Catalog, Database, Lease, MOST_NAME_BYTES, SqlBuilder, Write, quoted, sql, sql_text};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Columns that every inlined table has.
const OWN_COLUMNS: [&str; 3] = ["row_id", "begin_snapshot", "end_snapshot"];
/// Columns that every table of PostgreSQL has.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
/// Columns of whatever types that fit into a row of PostgreSQL, which is a page of 8 KiB at most.
const MOST_COLUMNS: usize = 400;
/// Values in one statement.
const MOST_VALUES: usize = 10_000;

impl Commit {
    pub(super) async fn inline_rows(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        rows: &[Vec<InlinedValue>],
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let snapshot = self.snapshot;
        let state = self.table(write, table).await?;
        let width = state.definition.columns.len();
        if let Some(row) = rows.iter().find(|row| row.len() != width) {
            let message = format!("an inlined row has {} values for {width} columns", row.len());
            return Err(CatalogError::InvalidArgument(message));
        }
        let id = state.definition.id;
        let (name, made) = match state.inlined_table.take() {
            Some(name) => (name, false),
            None => inlined_table(write, &state.definition).await?,
        };
        let columns = list(state.definition.columns.iter().map(|column| column.name.as_str()));
        let kinds = inlined_columns(write.database(), &state.definition);
        let first = state.next_row_id;
        let mut next = first;
        for chunk in rows.chunks((MOST_VALUES / (width + 2)).max(1)) {
            let mut query = SqlBuilder::new(format!("INSERT INTO {name} (row_id, begin_snapshot{columns}) "));
            query.push_values(chunk, |mut values, row| {
                values.push_bind(next).push_bind(snapshot);
                next += 1;
                for (kind, value) in kinds.iter().zip(row) {
                    kind.push(&mut values, value);
                }
            });
            write.execute_later(query.build()).await?;
        }
        state.inlined_table = Some(name);
        state.next_row_id = next;
        state.count(rows.len() as i64, 0);
        let column_ids = state.definition.columns.iter().map(|column| column.id).collect();
        let types =
            state.definition.columns.iter().map(|c| Ok((c.id, ducklake_type(&c.data_type).unwrap_or_default())));
        let types: Vec<(i64, String)> = types.collect::<Result<_>>()?;
        for row in rows {
            for ((column, ducklake), value) in types.iter().zip(row) {
                state.add_values(*column, value_bounds(value, ducklake));
            }
        }
        let begun = (first..).zip(rows).map(|(row_id, values)| {
            let (begin_snapshot, values) = (snapshot, values.clone());
            InlinedRow { row_id, begin_snapshot, values }
        });
        self.rows.entry(id).or_default().begin(column_ids, begun.collect());
        if made {
            // As DuckDB does, so that its sessions, which keep what they read of a schema, learn of the table.
            self.change_schema();
        }
        self.effect(Effect::InlinedInsert(id));
        Ok(())
    }

    pub(super) async fn delete_inlined(&mut self, write: &mut Write<'_>, table: i64, row_ids: &[i64]) -> Result<()> {
        let id = self.table(write, table).await?.definition.id;
        if self.end_inlined(write, id, row_ids).await? != row_ids.len() as u64 {
            return Err(Self::conflict(id));
        }
        if !row_ids.is_empty() {
            self.table(write, table).await?.count(-(row_ids.len() as i64), 0);
            self.rows.entry(id).or_default().end(row_ids);
            self.effect(Effect::InlinedDelete(id));
        }
        Ok(())
    }

    pub(super) async fn flush_inlined(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        row_ids: &[i64],
        files: &[DataFile],
    ) -> Result<()> {
        let id = self.table(write, table).await?.definition.id;
        if self.end_inlined(write, id, row_ids).await? != row_ids.len() as u64 {
            return Err(Self::conflict(id));
        }
        self.table(write, table).await?.count(-(row_ids.len() as i64), 0);
        for file in files {
            self.insert_file(write, id, file).await?;
        }
        if !row_ids.is_empty() {
            self.rows.entry(id).or_default().end(row_ids);
            self.effect(Effect::Flushed(id));
        }
        Ok(())
    }

    /// Ends live rows by their ids; how many it found.
    async fn end_inlined(&mut self, write: &mut Write<'_>, table: i64, row_ids: &[i64]) -> Result<u64> {
        let mut found = 0;
        for (name, _) in inlined_tables(write, table).await? {
            for chunk in row_ids.chunks(CHUNK) {
                let mut query = SqlBuilder::new(format!("UPDATE {} SET end_snapshot = ", quoted(&name)));
                query.push_bind(self.snapshot).push(" WHERE end_snapshot IS NULL AND row_id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(*id);
                }
                query.push(")");
                found += write.execute(query.build()).await?;
            }
        }
        Ok(found)
    }

    /// Ends all rows of a table; how many there were.
    pub(super) async fn end_all_inlined(&mut self, write: &mut Write<'_>, table: i64) -> Result<i64> {
        let mut found = 0;
        for (name, _) in inlined_tables(write, table).await? {
            let query = format!("UPDATE {} SET end_snapshot = $1 WHERE end_snapshot IS NULL", quoted(&name));
            found += write.execute(sql_text(query).bind(self.snapshot)).await?;
        }
        Ok(found as i64)
    }
}

/// The rows at a snapshot of one of a table's inlined tables, named with its version, that began after another.
pub(super) async fn begun_since(
    lease: &mut Lease<'_>,
    table: i64,
    (name, version): (&str, i64),
    (since, snapshot): (i64, i64),
) -> Result<InlinedRows> {
    let columns = columns_of_version(lease, table, version).await?;
    let list: String = columns.iter().map(|(_, column, kind)| format!(", {}", kind.select(&quoted(column)))).collect();
    let query = format!(
        "SELECT row_id, begin_snapshot{list} FROM {} WHERE begin_snapshot > $1 AND begin_snapshot <= $2 \
         AND (end_snapshot IS NULL OR end_snapshot > $2) ORDER BY row_id",
        quoted(name)
    );
    let rows: Vec<StoredRow> = lease.all(sql_text(query).bind(since).bind(snapshot)).await?;
    let rows = rows.into_iter().map(|row| restore(row, &columns, table)).collect::<Result<_>>()?;
    Ok(InlinedRows { columns: columns.into_iter().map(|(id, ..)| id).collect(), rows })
}

/// The ids of an inlined table's rows that ended after a snapshot, up to another.
pub(super) async fn ended_since(
    lease: &mut Lease<'_>,
    name: &str,
    (since, snapshot): (i64, i64),
) -> Result<BTreeSet<i64>> {
    let query = format!("SELECT row_id FROM {} WHERE end_snapshot > $1 AND end_snapshot <= $2", quoted(name));
    let rows: Vec<(i64,)> = lease.all(sql_text(query).bind(since).bind(snapshot)).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

impl Catalog {
    /// Whether the table's rows can be kept in the catalog: no column has the name of one of an inlined table's own,
    /// and the database takes a table of these columns.
    pub fn can_inline(&self, table: &ManagedTable) -> bool {
        can_inline(self.place().database(), table)
    }
}

fn can_inline(database: Database, table: &ManagedTable) -> bool {
    let is_one = |names: &[&str], name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let names = || table.columns.iter().map(|column| column.name.as_str());
    let own = names().any(|name| is_one(&OWN_COLUMNS, name));
    match database {
        Database::Sqlite => !own,
        Database::Postgres => {
            let taken = |name: &str| is_one(&SYSTEM_COLUMNS, name) || name.len() > MOST_NAME_BYTES;
            !own && table.columns.len() <= MOST_COLUMNS && !names().any(taken)
        }
    }
}

/// How the database keeps the values of a table's columns.
fn inlined_columns(database: Database, table: &ManagedTable) -> Vec<InlinedColumn> {
    let columns = table.columns.iter();
    columns.map(|column| InlinedColumn::new(database, ducklake_type(&column.data_type).unwrap_or_default())).collect()
}

fn restore(row: StoredRow, columns: &[(i64, String, InlinedColumn)], table: i64) -> Result<Arc<InlinedRow>> {
    let values = columns.iter().zip(row.values).map(|((_, name, kind), value)| {
        let wrong = |e| CatalogError::Damaged(format!("column \"{name}\" of inlined rows of table {table}: {e}"));
        kind.restore(value).map_err(wrong)
    });
    let values = values.collect::<Result<_>>()?;
    Ok(Arc::new(InlinedRow { row_id: row.row_id, begin_snapshot: row.begin_snapshot, values }))
}

/// The inlined tables of a table, with their schema versions, oldest first.
pub(super) async fn inlined_tables(lease: &mut Lease<'_>, table: i64) -> Result<Vec<(String, i64)>> {
    let query = "SELECT table_name, schema_version FROM ducklake_inlined_data_tables \
                 WHERE table_id = $1 ORDER BY schema_version";
    lease.all(sql(query).bind(table)).await
}

/// The columns that a table had under a version of the schema: ids, names, and how their values are kept.
async fn columns_of_version(
    lease: &mut Lease<'_>,
    table: i64,
    version: i64,
) -> Result<Vec<(i64, String, InlinedColumn)>> {
    // DuckDB gives a table that it makes for rows alone a version of its own, under which the columns did not change.
    let query = "SELECT c.column_id, c.column_name, c.column_type FROM ducklake_schema_versions v \
                 JOIN ducklake_column c ON c.table_id = v.table_id AND c.begin_snapshot <= v.begin_snapshot \
                 AND (c.end_snapshot IS NULL OR c.end_snapshot > v.begin_snapshot) \
                 WHERE v.table_id = $1 AND v.schema_version = (SELECT MAX(n.schema_version) \
                 FROM ducklake_schema_versions n WHERE n.table_id = $1 AND n.schema_version <= $2) \
                 AND c.parent_column IS NULL ORDER BY c.column_order";
    let rows: Vec<(i64, String, String)> = lease.all(sql(query).bind(table).bind(version)).await?;
    let database = lease.database();
    Ok(rows.into_iter().map(|(id, name, kind)| (id, name, InlinedColumn::new(database, kind))).collect())
}

/// The quoted name of the inlined table for a table's columns as they are, made where it is missing; whether it was.
async fn inlined_table(write: &mut Write<'_>, table: &ManagedTable) -> Result<(String, bool)> {
    let query = "SELECT v.schema_version, i.table_name FROM ducklake_schema_versions v \
                 LEFT JOIN ducklake_inlined_data_tables i \
                 ON i.table_id = v.table_id AND i.schema_version = v.schema_version \
                 WHERE v.table_id = $1 ORDER BY v.schema_version DESC LIMIT 1";
    let row: Option<(i64, Option<String>)> = write.first(sql(query).bind(table.id)).await?;
    let (version, name) = row.unwrap_or_default();
    if let Some(name) = name {
        return Ok((quoted(&name), false));
    }
    if !can_inline(write.database(), table) {
        let message = format!("rows of relation \"{}\" cannot be kept in the catalog", table.name);
        return Err(CatalogError::InvalidArgument(format!(
            "{message}: a column has a reserved or too long a name, or there are too many"
        )));
    }
    let name = format!("ducklake_inlined_data_{}_{version}", table.id);
    let own = ["row_id", "begin_snapshot", "end_snapshot"].map(|column| format!("{column} BIGINT"));
    let kinds = inlined_columns(write.database(), table);
    let columns = table.columns.iter().zip(&kinds);
    let columns = columns.map(|(column, kind)| format!("{} {}", quoted(&column.name), kind.column_type()));
    let create = format!("CREATE TABLE {name}({})", own.into_iter().chain(columns).collect::<Vec<_>>().join(", "));
    write.execute(sql_text(create)).await?;
    let query = sql("INSERT INTO ducklake_inlined_data_tables VALUES ($1, $2, $3)");
    write.execute(query.bind(table.id).bind(&name).bind(version)).await?;
    Ok((quoted(&name), true))
}

/// Columns behind others: `, "a", "b"`.
fn list<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    columns.flat_map(|column| [", ".to_owned(), quoted(column)]).collect()
}

fn value_bounds(value: &InlinedValue, ducklake: &str) -> Bounds {
    match value {
        InlinedValue::Null => Bounds::null(),
        InlinedValue::Integer(value) if ducklake == "boolean" => Bounds::of(Some((*value != 0).to_string())),
        InlinedValue::Integer(value) => Bounds::of(Some(value.to_string())),
        InlinedValue::Text(text) if ducklake.starts_with("float") => {
            let nan = text.eq_ignore_ascii_case("nan");
            Bounds { contains_nan: Some(nan), ..Bounds::of((!nan).then(|| text.clone())) }
        }
        InlinedValue::Text(text) => Bounds::of(Some(text.clone())),
        InlinedValue::Blob(_) => Bounds::of(None),
    }
}

//! The managed tables of a catalog snapshot: all from their documents at first, then only what changed.
//!
//! `millrace_manifest.documented` is the snapshot up to which the documents tell the truth. What DuckDB committed
//! since is read from DuckLake's rows; our next commit writes it into documents.

use super::definition::{decode_document, read_table};
use crate::error::Result;
use crate::model::ManagedTable;
use crate::store::{Lease, Write, encode, sql};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The managed tables at one snapshot of the manifest.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManagedTables {
    pub(crate) version: i64,
    pub(crate) by_name: Arc<BTreeMap<String, BTreeMap<String, Arc<ManagedTable>>>>,
    pub(crate) by_id: Arc<HashMap<i64, Arc<ManagedTable>>>,
}

/// Above this many changed tables, reading all documents is less work.
const MOST_CHANGED: usize = 200;

const SELECT_CHANGED: &str = "SELECT table_id FROM ducklake_table WHERE begin_snapshot > $1 \
     UNION SELECT table_id FROM ducklake_table WHERE end_snapshot > $1 \
     UNION SELECT table_id FROM ducklake_column WHERE begin_snapshot > $1 \
     UNION SELECT table_id FROM ducklake_column WHERE end_snapshot > $1 \
     UNION SELECT table_id FROM ducklake_column_tag WHERE begin_snapshot > $1 \
     UNION SELECT table_id FROM ducklake_column_tag WHERE end_snapshot > $1 \
     UNION SELECT object_id FROM ducklake_tag WHERE begin_snapshot > $1 \
     UNION SELECT object_id FROM ducklake_tag WHERE end_snapshot > $1 \
     UNION SELECT table_id FROM millrace_managed_table WHERE begin_snapshot > $1 \
     UNION SELECT table_id FROM millrace_managed_table WHERE end_snapshot > $1";

impl ManagedTables {
    fn change(&mut self, id: i64, table: Option<ManagedTable>) {
        let by_name = Arc::make_mut(&mut self.by_name);
        let by_id = Arc::make_mut(&mut self.by_id);
        if let Some(before) = by_id.remove(&id)
            && let Some(tables) = by_name.get_mut(&before.schema)
        {
            tables.retain(|_, table| table.id != id);
            if tables.is_empty() {
                by_name.remove(&before.schema);
            }
        }
        if let Some(table) = table.map(Arc::new) {
            by_name.entry(table.schema.clone()).or_default().insert(table.name.clone(), Arc::clone(&table));
            by_id.insert(id, table);
        }
    }
}

/// Reads the managed tables in the state of the database that the lease began to read.
pub(crate) async fn load(lease: &mut Lease<'_>, before: Option<&ManagedTables>) -> Result<ManagedTables> {
    let version = lease.number(sql("SELECT MAX(snapshot_id) FROM ducklake_snapshot")).await?;
    let kept = match before {
        Some(before) if before.version == version => return Ok(before.clone()),
        // Where the earlier snapshot has expired, so may have the rows of tables dropped after it.
        Some(before) if before.version < version && exists(lease, before.version).await? => Some(before),
        _ => None,
    };
    let (mut tables, changed) = match kept {
        Some(before) => (before.clone(), changed_since(lease, before.version).await?),
        None => load_documents(lease).await?,
    };
    if kept.is_some() && changed.len() > MOST_CHANGED {
        return Box::pin(load(lease, None)).await;
    }
    for id in changed {
        let table = read_table(lease, id, version).await?;
        tables.change(id, table);
    }
    Ok(ManagedTables { version, ..tables })
}

async fn exists(lease: &mut Lease<'_>, snapshot: i64) -> Result<bool> {
    let query = sql("SELECT COUNT(*) FROM ducklake_snapshot WHERE snapshot_id = $1").bind(snapshot);
    Ok(lease.number(query).await? > 0)
}

/// The documents, and the tables that they are no longer right about.
async fn load_documents(lease: &mut Lease<'_>) -> Result<(ManagedTables, Vec<i64>)> {
    let query = "SELECT table_id, document FROM millrace_managed_table WHERE end_snapshot IS NULL";
    let rows: Vec<(i64, String)> = lease.all(sql(query)).await?;
    let mut by_name: BTreeMap<String, BTreeMap<String, Arc<ManagedTable>>> = BTreeMap::new();
    let mut by_id = HashMap::with_capacity(rows.len());
    for (id, document) in rows {
        let table = Arc::new(decode_document(lease, id, &document)?);
        by_name.entry(table.schema.clone()).or_default().insert(table.name.clone(), Arc::clone(&table));
        by_id.insert(id, table);
    }
    let documented = lease.number(sql("SELECT documented FROM millrace_manifest")).await?;
    let changed = undocumented(lease, documented).await?;
    Ok((ManagedTables { version: documented, by_name: Arc::new(by_name), by_id: Arc::new(by_id) }, changed))
}

/// What changed after `documented`, with the tables whose rows have gone since: dropped, and expired.
async fn undocumented(lease: &mut Lease<'_>, documented: i64) -> Result<Vec<i64>> {
    let last = lease.number(sql("SELECT MAX(snapshot_id) FROM ducklake_snapshot")).await?;
    if documented == last {
        return Ok(Vec::new());
    }
    let query = "SELECT m.table_id FROM millrace_managed_table m WHERE m.end_snapshot IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM ducklake_table t WHERE t.table_id = m.table_id AND t.end_snapshot IS NULL)";
    let rows: Vec<(i64,)> = lease.all(sql(query)).await?;
    let mut changed = changed_since(lease, documented).await?;
    changed.extend(rows.into_iter().map(|(id,)| id));
    Ok(changed)
}

async fn changed_since(lease: &mut Lease<'_>, snapshot: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = lease.all(sql(SELECT_CHANGED).bind(snapshot)).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Brings the documents up to the snapshot `last`, the manifest's newest, which another program may have made.
pub(super) async fn document(write: &mut Write<'_>, documented: i64, last: i64) -> Result<()> {
    if documented >= last {
        return Ok(());
    }
    for id in undocumented(write, documented).await? {
        let table = read_table(write, id, last).await?;
        store_document(write, id, table.as_ref(), last).await?;
    }
    write.execute_later(sql("UPDATE millrace_manifest SET documented = $1").bind(last)).await
}

/// Makes `table` the definition since `snapshot`; `None` ends the last one.
pub(super) async fn store_document(
    write: &mut Write<'_>,
    table_id: i64,
    table: Option<&ManagedTable>,
    snapshot: i64,
) -> Result<()> {
    let query = "UPDATE millrace_managed_table SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL";
    write.execute_later(sql(query).bind(snapshot).bind(table_id)).await?;
    let Some(table) = table else { return Ok(()) };
    let query = "INSERT INTO millrace_managed_table (table_id, begin_snapshot, end_snapshot, document) \
                 VALUES ($1, $2, NULL, $3) \
                 ON CONFLICT (table_id, begin_snapshot) DO UPDATE SET end_snapshot = NULL, document = excluded.document";
    write.execute_later(sql(query).bind(table_id).bind(snapshot).bind(encode(table)?)).await
}

//! Reading a snapshot, with the definitions that an earlier one has already read taken from there.

use super::connection::Lease;
use super::database::CHUNK;
use super::document::{TableRow, decode, decode_table};
use super::lookup::push_list;
use super::sql::{SqlBuilder, sql};
use crate::error::Result;
use crate::model::{Database, ExternalSchema, Table, TableStatistics};
use crate::snapshot::{Entry, Snapshot};
use std::collections::HashMap;
use std::sync::Arc;

/// Reads what exists now, in one state of the database.
pub(super) async fn load(mut lease: Lease<'_>, before: Option<&Snapshot>) -> Result<Snapshot> {
    lease.begin_read().await?;
    let version = lease.number(sql("SELECT version FROM millrace_meta")).await?;
    let managed = crate::manifest::load(&mut lease, before.map(Snapshot::managed)).await?;
    if let Some(before) = before
        && before.version() == version
    {
        lease.end().await?;
        return Ok(before.clone().with_managed(managed));
    }
    let databases = load_databases(&mut lease).await?;
    let schemas = load_external_schemas(&mut lease).await?;
    let tables = load_tables(&mut lease, before).await?;
    let principals = super::principals::load(&mut lease).await?;
    lease.end().await?;
    let snapshot = Snapshot::new(version, databases, schemas, tables);
    Ok(snapshot.with_principals(principals).with_managed(managed))
}

async fn load_databases(lease: &mut Lease<'_>) -> Result<Vec<Database>> {
    let rows: Vec<(String, String)> = lease.all(sql("SELECT name, document FROM millrace_database")).await?;
    rows.iter().map(|(name, document)| decode(lease.place(), &format!("database \"{name}\""), document)).collect()
}

async fn load_external_schemas(lease: &mut Lease<'_>) -> Result<Vec<ExternalSchema>> {
    let query = sql("SELECT name, document FROM millrace_external_schema");
    let rows: Vec<(String, String)> = lease.all(query).await?;
    rows.iter().map(|(name, document)| decode(lease.place(), &format!("schema \"{name}\""), document)).collect()
}

/// `id, version, partitions_version, statistics_version` of a table.
type VersionsRow = (i64, i64, i64, i64);

async fn load_tables(lease: &mut Lease<'_>, before: Option<&Snapshot>) -> Result<Vec<Entry>> {
    let query = "SELECT id, version, partitions_version, statistics_version FROM millrace_table";
    let rows: Vec<VersionsRow> = lease.all(sql(query)).await?;
    let known = |id: i64| before.and_then(|before| before.entry(id));
    let known_table = |row: &VersionsRow| known(row.0).filter(|entry| entry.table.version == row.1);
    let known_statistics = |row: &VersionsRow| known(row.0).filter(|entry| entry.statistics_version == row.3);
    let changed = |row: &VersionsRow| known_table(row).is_none().then_some(row.0);
    let mut tables = load_definitions(lease, &rows.iter().filter_map(changed).collect::<Vec<_>>()).await?;
    let changed = |row: &VersionsRow| (row.3 > 0 && known_statistics(row).is_none()).then_some(row.0);
    let mut statistics = load_statistics(lease, &rows.iter().filter_map(changed).collect::<Vec<_>>()).await?;
    let entries = rows.iter().filter_map(|row| {
        let table = known_table(row).map(|entry| Arc::clone(&entry.table)).or_else(|| tables.remove(&row.0))?;
        let statistics = match known_statistics(row) {
            Some(entry) => entry.statistics.clone(),
            None => statistics.remove(&row.0),
        };
        Some(Entry { table, partitions_version: row.2, statistics_version: row.3, statistics })
    });
    Ok(entries.collect())
}

async fn load_definitions(lease: &mut Lease<'_>, ids: &[i64]) -> Result<HashMap<i64, Arc<Table>>> {
    let mut tables = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let mut query = SqlBuilder::new("SELECT id, database_name, name, version, document FROM millrace_table ");
        push_list(&mut query, "WHERE id IN (", chunk.iter().copied());
        let rows: Vec<TableRow> = lease.all(query.build()).await?;
        for row in rows {
            tables.insert(row.0, Arc::new(decode_table(lease.place(), row)?));
        }
    }
    Ok(tables)
}

/// What is known of whole tables, without sketches.
async fn load_statistics(lease: &mut Lease<'_>, ids: &[i64]) -> Result<HashMap<i64, Arc<TableStatistics>>> {
    let mut statistics = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let mut query = SqlBuilder::new("SELECT table_id, document FROM millrace_table_statistics ");
        push_list(&mut query, "WHERE table_id IN (", chunk.iter().copied());
        let rows: Vec<(i64, String)> = lease.all(query.build()).await?;
        for (id, document) in rows {
            let what = format!("the statistics of relation {id}");
            statistics.insert(id, Arc::new(decode(lease.place(), &what, &document)?));
        }
    }
    Ok(statistics)
}

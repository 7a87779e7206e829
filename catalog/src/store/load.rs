//! Reading a snapshot, with the definitions that an earlier one has already read taken from there.

use super::connection::Lease;
use super::document::{TableRow, decode, decode_table};
use super::sqlite::{CHUNK, Db};
use crate::error::Result;
use crate::model::{Database, ExternalSchema, Table};
use crate::snapshot::Snapshot;
use sqlx::QueryBuilder;
use std::collections::HashMap;
use std::sync::Arc;

/// Reads what exists now, in one state of the database.
pub(super) async fn load(mut lease: Lease<'_>, before: Option<&Snapshot>) -> Result<Snapshot> {
    lease.begin_read().await?;
    let version = lease.number(sqlx::query_as("SELECT version FROM millrace_meta")).await?;
    let managed = crate::manifest::load(&mut lease, before.map(Snapshot::managed)).await?;
    if let Some(before) = before
        && before.version() == version
    {
        lease.end().await?;
        return Ok(before.clone().with_managed(managed));
    }
    let databases = load_databases(&mut lease).await?;
    let schemas = load_external_schemas(&mut lease).await?;
    let tables = match before {
        None => load_tables(&mut lease).await?,
        Some(before) => load_changed_tables(&mut lease, before).await?,
    };
    lease.end().await?;
    Ok(Snapshot::new(version, databases, schemas, tables).with_managed(managed))
}

async fn load_databases(lease: &mut Lease<'_>) -> Result<Vec<Database>> {
    let rows: Vec<(String, String)> = lease.all(sqlx::query_as("SELECT name, document FROM millrace_database")).await?;
    rows.iter().map(|(name, document)| decode(lease.path(), &format!("database \"{name}\""), document)).collect()
}

async fn load_external_schemas(lease: &mut Lease<'_>) -> Result<Vec<ExternalSchema>> {
    let query = sqlx::query_as("SELECT name, document FROM millrace_external_schema");
    let rows: Vec<(String, String)> = lease.all(query).await?;
    rows.iter().map(|(name, document)| decode(lease.path(), &format!("schema \"{name}\""), document)).collect()
}

async fn load_tables(lease: &mut Lease<'_>) -> Result<Vec<(Arc<Table>, i64)>> {
    let query = "SELECT id, database_name, name, version, document, partitions_version FROM millrace_table";
    let rows: Vec<(i64, String, String, i64, String, i64)> = lease.all(sqlx::query_as(query)).await?;
    let path = lease.path();
    let decoded = rows.into_iter().map(|(id, database, name, version, document, partitions_version)| {
        Ok((Arc::new(decode_table(path, (id, database, name, version, document))?), partitions_version))
    });
    decoded.collect()
}

async fn load_changed_tables(lease: &mut Lease<'_>, before: &Snapshot) -> Result<Vec<(Arc<Table>, i64)>> {
    let rows: Vec<(i64, i64, i64)> =
        lease.all(sqlx::query_as("SELECT id, version, partitions_version FROM millrace_table")).await?;
    let known = |id: i64, version: i64| before.table_by_id(id).filter(|table| table.version == version);
    let changed: Vec<i64> =
        rows.iter().filter(|(id, version, _)| known(*id, *version).is_none()).map(|row| row.0).collect();
    let mut read = load_definitions(lease, &changed).await?;
    let tables = rows.iter().filter_map(|(id, version, partitions_version)| {
        let table = known(*id, *version).cloned().or_else(|| read.remove(id))?;
        Some((table, *partitions_version))
    });
    Ok(tables.collect())
}

async fn load_definitions(lease: &mut Lease<'_>, ids: &[i64]) -> Result<HashMap<i64, Arc<Table>>> {
    let mut tables = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let mut query: QueryBuilder<Db> =
            QueryBuilder::new("SELECT id, database_name, name, version, document FROM millrace_table WHERE id IN (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind(*id);
        }
        query.push(")");
        let rows: Vec<TableRow> = lease.all(query.build_query_as()).await?;
        for row in rows {
            tables.insert(row.0, Arc::new(decode_table(lease.path(), row)?));
        }
    }
    Ok(tables)
}

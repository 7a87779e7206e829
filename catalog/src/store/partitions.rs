//! Changing a table's partitions. They have a version of their own: the table's definition stays as it is.

use super::catalog::Catalog;
use super::connection::Write;
use super::document::encode;
use super::lookup::push_list;
use super::partition_name::partition_name;
use super::sort_key::{SEPARATOR, encode_name};
use super::sqlite::{CHUNK, Db};
use super::tables::{find_id, same_key_types};
use crate::error::{CatalogError, Result};
use crate::model::{Column, Partition, Table};
use sqlx::QueryBuilder;
use std::collections::HashSet;

/// A partition with the name that it is stored under.
pub(super) struct Encoded<'a> {
    name: String,
    partition: &'a Partition,
}

impl Catalog {
    /// Adds partitions, all or none; how many were added. One that exists (`year=2013/month=1`), in the table or
    /// twice in the list, is [`CatalogError::AlreadyExists`], or left as it is with `if_not_exists`. A value that is
    /// not of its key's type is [`CatalogError::InvalidArgument`].
    pub async fn add_partitions(&self, table: &Table, partitions: &[Partition], if_not_exists: bool) -> Result<u64> {
        let encoded = encode_partitions(table, partitions, if_not_exists)?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let added = insert_partitions(&mut write, table, &encoded, if_not_exists).await?;
        finish(write, table, added).await
    }

    /// Drops the partitions of these values; how many there were.
    pub async fn drop_partitions(&self, table: &Table, values: &[Vec<Option<String>>]) -> Result<u64> {
        let names =
            values.iter().map(|values| encode_name(&table.partition_keys, values)).collect::<Result<Vec<_>>>()?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let mut dropped = 0;
        for name in names {
            if let Some(id) = find_partition(&mut write, table, &name).await? {
                delete_values(&mut write, table, id, &name).await?;
                dropped += write.execute(sqlx::query("DELETE FROM millrace_partition WHERE id = $1").bind(id)).await?;
            }
        }
        finish(write, table, dropped).await
    }

    /// Puts a partition in the place of the one with the values `old` (`RENAME TO PARTITION`, `SET LOCATION`).
    pub async fn replace_partition(&self, table: &Table, old: &[Option<String>], new: &Partition) -> Result<()> {
        let old_name = encode_name(&table.partition_keys, old)?;
        let new_name = encode_name(&table.partition_keys, &new.values)?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let Some(id) = find_partition(&mut write, table, &old_name).await? else {
            return Err(CatalogError::not_found("partition", partition_name(&table.partition_keys, old)));
        };
        if old_name != new_name {
            if find_partition(&mut write, table, &new_name).await?.is_some() {
                return Err(exists(&table.partition_keys, new));
            }
            delete_values(&mut write, table, id, &old_name).await?;
            insert_values(&mut write, table, &[(id, &new_name)]).await?;
        }
        let query = sqlx::query("UPDATE millrace_partition SET name = $1, document = $2 WHERE id = $3");
        write.execute(query.bind(new_name).bind(encode(new)?).bind(id)).await?;
        finish(write, table, 1).await.map(drop)
    }
}

/// Checks and encodes a list, sorted by name; with `skip_duplicates` the first of equal ones stays.
pub(super) fn encode_partitions<'a>(
    table: &Table,
    partitions: &'a [Partition],
    skip_duplicates: bool,
) -> Result<Vec<Encoded<'a>>> {
    if table.partition_keys.is_empty() && !partitions.is_empty() {
        return Err(CatalogError::InvalidArgument(format!(
            "relation \"{}.{}\" is not partitioned",
            table.database, table.name
        )));
    }
    let encode = |partition: &'a Partition| {
        Ok(Encoded { name: encode_name(&table.partition_keys, &partition.values)?, partition })
    };
    let mut encoded = partitions.iter().map(encode).collect::<Result<Vec<_>>>()?;
    // Stable, so that the first of equal ones stays the first; in order, rows go to the end of every index.
    encoded.sort_by(|a, b| a.name.cmp(&b.name));
    if skip_duplicates {
        encoded.dedup_by(|a, b| a.name == b.name);
    } else if let Some([twice, _]) = encoded.array_windows().find(|[a, b]| a.name == b.name) {
        return Err(exists(&table.partition_keys, twice.partition));
    }
    Ok(encoded)
}

/// Inserts an encoded list; how many were new.
pub(super) async fn insert_partitions(
    write: &mut Write<'_>,
    table: &Table,
    encoded: &[Encoded<'_>],
    if_not_exists: bool,
) -> Result<u64> {
    if encoded.is_empty() {
        return Ok(0);
    }
    let query = sqlx::query_as("SELECT id FROM millrace_partition WHERE table_id = $1 LIMIT 1").bind(table.id);
    let has_partitions = write.first::<(i64,)>(query).await?.is_some();
    let mut id = write.allocate(encoded.len()).await?;
    let mut added = 0;
    for chunk in encoded.chunks(CHUNK) {
        let present = if has_partitions { find_names(write, table, chunk).await? } else { HashSet::new() };
        let new: Vec<&Encoded<'_>> = chunk.iter().filter(|encoded| !present.contains(&encoded.name)).collect();
        if new.len() < chunk.len() && !if_not_exists {
            let old = chunk.iter().find(|encoded| present.contains(&encoded.name)).unwrap_or(&chunk[0]);
            return Err(exists(&table.partition_keys, old.partition));
        }
        insert_chunk(write, table, id, &new).await?;
        id += chunk.len() as i64;
        added += new.len() as u64;
    }
    Ok(added)
}

async fn insert_chunk(write: &mut Write<'_>, table: &Table, first_id: i64, chunk: &[&Encoded<'_>]) -> Result<()> {
    if chunk.is_empty() {
        return Ok(());
    }
    let documents = chunk.iter().map(|encoded| encode(encoded.partition)).collect::<Result<Vec<_>>>()?;
    let rows = (first_id..).zip(chunk).zip(documents);
    let mut query: QueryBuilder<Db> =
        QueryBuilder::new("INSERT INTO millrace_partition (id, table_id, name, document) ");
    query.push_values(rows, |mut row, ((id, encoded), document)| {
        row.push_bind(id).push_bind(table.id).push_bind(encoded.name.clone()).push_bind(document);
    });
    write.execute(query.build()).await?;
    let names: Vec<(i64, &str)> = (first_id..).zip(chunk.iter().map(|encoded| encoded.name.as_str())).collect();
    insert_values(write, table, &names).await
}

/// Indexes partitions by their second and later keys.
async fn insert_values(write: &mut Write<'_>, table: &Table, partitions: &[(i64, &str)]) -> Result<()> {
    // Key by key: neighbours in the list are then neighbours in the index.
    for key in 1..table.partition_keys.len() {
        for chunk in partitions.chunks(CHUNK) {
            let mut query: QueryBuilder<Db> = QueryBuilder::new(
                "INSERT INTO millrace_partition_value (table_id, key_index, sort_key, partition_id) ",
            );
            query.push_values(chunk, |mut row, (id, name)| {
                let sort_key = name.split(SEPARATOR).nth(key).unwrap_or_default().to_owned();
                row.push_bind(table.id).push_bind(key as i64).push_bind(sort_key).push_bind(*id);
            });
            write.execute(query.build()).await?;
        }
    }
    Ok(())
}

async fn delete_values(write: &mut Write<'_>, table: &Table, id: i64, name: &str) -> Result<()> {
    for (key, sort_key) in name.split(SEPARATOR).enumerate().skip(1) {
        let query = "DELETE FROM millrace_partition_value \
                     WHERE table_id = $1 AND key_index = $2 AND sort_key = $3 AND partition_id = $4";
        write.execute(sqlx::query(query).bind(table.id).bind(key as i64).bind(sort_key).bind(id)).await?;
    }
    Ok(())
}

async fn find_names(write: &mut Write<'_>, table: &Table, chunk: &[Encoded<'_>]) -> Result<HashSet<String>> {
    let names: Vec<String> = chunk.iter().map(|encoded| encoded.name.clone()).collect();
    let mut query: QueryBuilder<Db> = QueryBuilder::new("SELECT name FROM millrace_partition WHERE table_id = ");
    query.push_bind(table.id);
    push_list(&mut query, " AND name IN (", &names);
    let rows: Vec<(String,)> = write.all(query.build_query_as()).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

async fn find_partition(write: &mut Write<'_>, table: &Table, name: &str) -> Result<Option<i64>> {
    let query = sqlx::query_as("SELECT id FROM millrace_partition WHERE table_id = $1 AND name = $2");
    let row: Option<(i64,)> = write.first(query.bind(table.id).bind(name)).await?;
    Ok(row.map(|(id,)| id))
}

/// Refuses a table that is gone, or whose keys are no longer those that the caller encoded by.
async fn check_table(write: &mut Write<'_>, table: &Table) -> Result<()> {
    let current = find_id(write, table).await?;
    if same_key_types(&current, table) {
        return Ok(());
    }
    Err(CatalogError::Conflict(format!(
        "relation \"{}.{}\" was changed by another session",
        current.database, current.name
    )))
}

/// Commits with the table's partitions marked as changed, if any were.
async fn finish(mut write: Write<'_>, table: &Table, changed: u64) -> Result<u64> {
    if changed == 0 {
        write.abandon().await?;
        return Ok(0);
    }
    let query = "UPDATE millrace_table SET partitions_version = partitions_version + 1 WHERE id = $1";
    write.execute(sqlx::query(query).bind(table.id)).await?;
    write.commit().await?;
    Ok(changed)
}

fn exists(keys: &[Column], partition: &Partition) -> CatalogError {
    CatalogError::already_exists("partition", partition_name(keys, &partition.values))
}

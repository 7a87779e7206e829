//! Partitions' rows within a transaction: written, changed and deleted in bulk, with their entries in the index of
//! values and what is known of their rows. Statements and crawls both use these; none of them commits.

use super::connection::Write;
use super::database::CHUNK;
use super::document::encode;
use super::lookup::push_list;
use super::partition_name::partition_name;
use super::sort_key::{SEPARATOR, encode_name};
use super::sql::{SqlBuilder, sql};
use super::statistics::{delete_partition_statistics, mark_statistics_changed, put_partition_statistics};
use crate::error::{CatalogError, Result};
use crate::model::{Column, Partition, Table, TableStatistics};
use std::collections::HashMap;

/// A partition with the name that it is stored under.
pub(super) struct Encoded<'a> {
    name: String,
    partition: &'a Partition,
    statistics: Option<&'a TableStatistics>,
}

/// Checks and encodes a list, sorted by name; with `skip_duplicates` the first of equal ones stays.
pub(super) fn encode_partitions<'a>(
    table: &Table,
    partitions: impl ExactSizeIterator<Item = (&'a Partition, Option<&'a TableStatistics>)>,
    skip_duplicates: bool,
) -> Result<Vec<Encoded<'a>>> {
    if table.partition_keys.is_empty() && partitions.len() > 0 {
        return Err(CatalogError::InvalidArgument(format!(
            "relation \"{}.{}\" is not partitioned",
            table.database, table.name
        )));
    }
    let encode = |(partition, statistics): (&'a Partition, _)| {
        Ok(Encoded { name: encode_name(&table.partition_keys, &partition.values)?, partition, statistics })
    };
    let mut encoded = partitions.map(encode).collect::<Result<Vec<_>>>()?;
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
    let query = sql("SELECT id FROM millrace_partition WHERE table_id = $1 LIMIT 1").bind(table.id);
    let has_partitions = write.first::<(i64,)>(query).await?.is_some();
    let mut id = write.allocate(encoded.len()).await?;
    let mut added = 0;
    for chunk in encoded.chunks(CHUNK) {
        let present = if has_partitions { find_ids(write, table, names(chunk)).await? } else { HashMap::new() };
        let new: Vec<&Encoded<'_>> = chunk.iter().filter(|encoded| !present.contains_key(&encoded.name)).collect();
        if new.len() < chunk.len() && !if_not_exists {
            let old = chunk.iter().find(|encoded| present.contains_key(&encoded.name)).unwrap_or(&chunk[0]);
            return Err(exists(&table.partition_keys, old.partition));
        }
        insert_chunk(write, table, id, &new).await?;
        id += chunk.len() as i64;
        added += new.len() as u64;
    }
    if encoded.iter().any(|encoded| encoded.statistics.is_some()) {
        mark_statistics_changed(write, table).await?;
    }
    Ok(added)
}

async fn insert_chunk(write: &mut Write<'_>, table: &Table, first_id: i64, chunk: &[&Encoded<'_>]) -> Result<()> {
    if chunk.is_empty() {
        return Ok(());
    }
    let documents = chunk.iter().map(|encoded| encode(encoded.partition)).collect::<Result<Vec<_>>>()?;
    let rows = (first_id..).zip(chunk).zip(documents);
    let mut query = SqlBuilder::new("INSERT INTO millrace_partition (id, table_id, name, document) ");
    query.push_values(rows, |mut row, ((id, encoded), document)| {
        row.push_bind(id).push_bind(table.id).push_bind(encoded.name.clone()).push_bind(document);
    });
    write.execute(query.build()).await?;
    let names: Vec<(i64, &str)> = (first_id..).zip(chunk.iter().map(|encoded| encoded.name.as_str())).collect();
    insert_values(write, table, &names).await?;
    let known = (first_id..).zip(chunk).filter_map(|(id, encoded)| Some((id, encoded.statistics?)));
    put_partition_statistics(write, &known.collect::<Vec<_>>()).await
}

/// Gives partitions of the same values new definitions and statistics; one that does not exist is an error.
pub(super) async fn replace_definitions(write: &mut Write<'_>, table: &Table, encoded: &[Encoded<'_>]) -> Result<()> {
    for chunk in encoded.chunks(CHUNK) {
        let ids = find_ids(write, table, names(chunk)).await?;
        let mut rows = Vec::with_capacity(chunk.len());
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for encoded in chunk {
            let Some(id) = ids.get(&encoded.name).copied() else {
                return Err(missing(&table.partition_keys, &encoded.partition.values));
            };
            match encoded.statistics {
                Some(statistics) => known.push((id, statistics)),
                None => unknown.push(id),
            }
            rows.push((id, encoded.name.as_str(), encode(encoded.partition)?));
        }
        let mut query = SqlBuilder::new("INSERT INTO millrace_partition (id, table_id, name, document) ");
        query.push_values(rows, |mut row, (id, name, document)| {
            row.push_bind(id).push_bind(table.id).push_bind(name).push_bind(document);
        });
        query.push(" ON CONFLICT (id) DO UPDATE SET document = excluded.document");
        write.execute(query.build()).await?;
        delete_partition_statistics(write, &unknown).await?;
        put_partition_statistics(write, &known).await?;
    }
    if !encoded.is_empty() {
        mark_statistics_changed(write, table).await?;
    }
    Ok(())
}

/// Deletes the partitions of these names, those that exist; how many there were.
pub(super) async fn delete_partitions(write: &mut Write<'_>, table: &Table, names: &[String]) -> Result<u64> {
    let mut deleted = 0;
    for chunk in names.chunks(CHUNK) {
        let found = find_ids(write, table, chunk.iter().map(String::as_str)).await?;
        if found.is_empty() {
            continue;
        }
        let rows: Vec<(i64, &str)> = found.iter().map(|(name, id)| (*id, name.as_str())).collect();
        delete_values(write, table, &rows).await?;
        let mut query = SqlBuilder::new("DELETE FROM millrace_partition");
        push_list(&mut query, " WHERE id IN (", found.values().copied());
        deleted += write.execute(query.build()).await?;
    }
    Ok(deleted)
}

/// Deletes all partitions of a table; how many there were.
pub(super) async fn delete_all_partitions(write: &mut Write<'_>, table: &Table) -> Result<u64> {
    let query = sql("DELETE FROM millrace_partition_value WHERE table_id = $1").bind(table.id);
    write.execute(query).await?;
    write.execute(sql("DELETE FROM millrace_partition WHERE table_id = $1").bind(table.id)).await
}

/// Marks the table's partitions as changed for those that keep what they listed.
pub(super) async fn mark_partitions_changed(write: &mut Write<'_>, table: &Table) -> Result<()> {
    let query = "UPDATE millrace_table SET partitions_version = partitions_version + 1 WHERE id = $1";
    write.execute(sql(query).bind(table.id)).await.map(drop)
}

/// Indexes partitions by their second and later keys.
pub(super) async fn insert_values(write: &mut Write<'_>, table: &Table, partitions: &[(i64, &str)]) -> Result<()> {
    // Key by key: neighbours in the list are then neighbours in the index.
    for key in 1..table.partition_keys.len() {
        for chunk in partitions.chunks(CHUNK) {
            let mut query =
                SqlBuilder::new("INSERT INTO millrace_partition_value (table_id, key_index, sort_key, partition_id) ");
            query.push_values(chunk, |mut row, (id, name)| {
                row.push_bind(table.id).push_bind(key as i64).push_bind(sort_key(name, key)).push_bind(*id);
            });
            write.execute(query.build()).await?;
        }
    }
    Ok(())
}

/// Takes partitions out of the index of values.
pub(super) async fn delete_values(write: &mut Write<'_>, table: &Table, partitions: &[(i64, &str)]) -> Result<()> {
    for key in 1..table.partition_keys.len() {
        for chunk in partitions.chunks(CHUNK) {
            let mut query = SqlBuilder::new(DELETE_VALUES);
            query.push_bind(table.id).push(" AND key_index = ").push_bind(key as i64);
            query.push(" AND (sort_key, partition_id) IN (");
            query.push_values(chunk, |mut row, (id, name)| {
                row.push_bind(sort_key(name, key)).push_bind(*id);
            });
            query.push(")");
            write.execute(query.build()).await?;
        }
    }
    Ok(())
}

pub(super) const DELETE_VALUES: &str = "DELETE FROM millrace_partition_value WHERE table_id = ";

fn sort_key(name: &str, key: usize) -> String {
    name.split(SEPARATOR).nth(key).unwrap_or_default().to_owned()
}

fn names<'a>(encoded: &'a [Encoded<'_>]) -> impl Iterator<Item = &'a str> {
    encoded.iter().map(|encoded| encoded.name.as_str())
}

/// The numbers of the partitions of these names, those that exist; at most [`CHUNK`] names.
pub(super) async fn find_ids(
    write: &mut Write<'_>,
    table: &Table,
    names: impl Iterator<Item = &str>,
) -> Result<HashMap<String, i64>> {
    let mut query = SqlBuilder::new("SELECT name, id FROM millrace_partition WHERE table_id = ");
    query.push_bind(table.id);
    push_list(&mut query, " AND name IN (", names);
    let rows: Vec<(String, i64)> = write.all(query.build()).await?;
    Ok(rows.into_iter().collect())
}

pub(super) fn exists(keys: &[Column], partition: &Partition) -> CatalogError {
    CatalogError::already_exists("partition", partition_name(keys, &partition.values))
}

pub(super) fn missing(keys: &[Column], values: &[Option<String>]) -> CatalogError {
    CatalogError::not_found("partition", partition_name(keys, values))
}

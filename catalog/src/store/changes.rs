//! The changes that a crawl makes, each within the crawl's one transaction.

use super::connection::Write;
use super::databases::ensure_database;
use super::partition_rows::{
    Encoded, delete_partitions, encode_partitions, insert_partitions, mark_partitions_changed, replace_definitions,
};
use super::partitions::{check_table, encode_names};
use super::statistics::{mark_statistics_changed, put_statistics, put_table_statistics};
use super::tables::{create, delete, find_version, qualified, replace, update};
use crate::error::{CatalogError, Result};
use crate::model::{CrawledPartition, Table, TableChange, TableStatistics};

/// Makes one change; whether there was anything to change. Tables made or given another definition are added to
/// `stored`.
pub(super) async fn apply(write: &mut Write<'_>, change: &TableChange, stored: &mut Vec<Table>) -> Result<bool> {
    match change {
        TableChange::CreateDatabase(database) => ensure_database(write, database).await,
        TableChange::Create { table, partitions, statistics } => {
            let encoded = encode_crawled(table, partitions)?;
            let Some(made) = create(write, table, &encoded).await? else {
                return Err(CatalogError::already_exists("relation", qualified(&table.database, &table.name)));
            };
            put(write, &made, statistics.as_ref()).await?;
            stored.push(made);
            Ok(true)
        }
        TableChange::Update { table, statistics } => {
            let updated = update(write, table).await?;
            put(write, &updated, statistics.as_ref()).await?;
            stored.push(updated);
            Ok(true)
        }
        TableChange::Replace { table, partitions, statistics } => {
            let encoded = encode_crawled(table, partitions)?;
            let replaced = replace(write, table, &encoded).await?;
            put(write, &replaced, statistics.as_ref()).await?;
            stored.push(replaced);
            Ok(true)
        }
        TableChange::AddPartitions { table, partitions } => {
            let encoded = encode_crawled(table, partitions)?;
            check_table(write, table).await?;
            insert_partitions(write, table, &encoded, false).await?;
            mark(write, table, !partitions.is_empty()).await
        }
        TableChange::ReplacePartitions { table, partitions } => {
            let encoded = encode_crawled(table, partitions)?;
            check_table(write, table).await?;
            replace_definitions(write, table, &encoded).await?;
            mark(write, table, !partitions.is_empty()).await
        }
        TableChange::DropPartitions { table, values } => {
            let names = encode_names(table, values)?;
            check_table(write, table).await?;
            let dropped = delete_partitions(write, table, &names).await?;
            mark(write, table, dropped > 0).await
        }
        TableChange::Drop { table } => {
            let existing = find_version(write, table).await?;
            delete(write, &existing).await?;
            Ok(true)
        }
        TableChange::Statistics { table, entries } => {
            put_statistics(write, table, entries).await?;
            Ok(!entries.is_empty())
        }
    }
}

fn encode_crawled<'a>(table: &Table, partitions: &'a [CrawledPartition]) -> Result<Vec<Encoded<'a>>> {
    let known = partitions.iter().map(|crawled| (&crawled.partition, crawled.statistics.as_ref()));
    encode_partitions(table, known, false)
}

async fn put(write: &mut Write<'_>, table: &Table, statistics: Option<&TableStatistics>) -> Result<()> {
    let Some(statistics) = statistics else { return Ok(()) };
    put_table_statistics(write, table, statistics).await?;
    mark_statistics_changed(write, table).await
}

async fn mark(write: &mut Write<'_>, table: &Table, changed: bool) -> Result<bool> {
    if changed {
        mark_partitions_changed(write, table).await?;
    }
    Ok(changed)
}

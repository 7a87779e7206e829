//! Changing a table's partitions. They have a version of their own: the table's definition stays as it is.

use super::catalog::Catalog;
use super::connection::Write;
use super::document::{decode, encode};
use super::partition_rows::{
    delete_partitions, delete_values, encode_partitions, exists, insert_partitions, insert_values,
    mark_partitions_changed, missing,
};
use super::sort_key::encode_name;
use super::sql::sql;
use super::statistics::delete_partition_statistics;
use super::tables::{find_id, same_key_types};
use crate::error::{CatalogError, Result};
use crate::model::{Partition, Table};

impl Catalog {
    /// Adds partitions, all or none; how many were added. One that exists (`year=2013/month=1`), in the table or
    /// twice in the list, is [`CatalogError::AlreadyExists`], or left as it is with `if_not_exists`. A value that is
    /// not of its key's type is [`CatalogError::InvalidArgument`].
    pub async fn add_partitions(&self, table: &Table, partitions: &[Partition], if_not_exists: bool) -> Result<u64> {
        let plain = partitions.iter().map(|partition| (partition, None));
        let encoded = encode_partitions(table, plain, if_not_exists)?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let added = insert_partitions(&mut write, table, &encoded, if_not_exists).await?;
        finish(write, table, added).await
    }

    /// Drops the partitions of these values; how many there were.
    pub async fn drop_partitions(&self, table: &Table, values: &[Vec<Option<String>>]) -> Result<u64> {
        let names = encode_names(table, values)?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let dropped = delete_partitions(&mut write, table, &names).await?;
        finish(write, table, dropped).await
    }

    /// Puts a partition in the place of the one with the values `old` (`RENAME TO PARTITION`, `SET LOCATION`). What
    /// was known of its rows goes with another location.
    pub async fn replace_partition(&self, table: &Table, old: &[Option<String>], new: &Partition) -> Result<()> {
        let old_name = encode_name(&table.partition_keys, old)?;
        let new_name = encode_name(&table.partition_keys, &new.values)?;
        let mut write = self.write().await?;
        check_table(&mut write, table).await?;
        let Some((id, before)) = find_partition(&mut write, table, &old_name).await? else {
            return Err(missing(&table.partition_keys, old));
        };
        if old_name != new_name {
            if find_partition(&mut write, table, &new_name).await?.is_some() {
                return Err(exists(&table.partition_keys, new));
            }
            delete_values(&mut write, table, &[(id, &old_name)]).await?;
            insert_values(&mut write, table, &[(id, &new_name)]).await?;
        }
        if before.location != new.location {
            delete_partition_statistics(&mut write, &[id]).await?;
        }
        let query = sql("UPDATE millrace_partition SET name = $1, document = $2 WHERE id = $3");
        write.execute(query.bind(new_name).bind(encode(new)?).bind(id)).await?;
        finish(write, table, 1).await.map(drop)
    }
}

/// The names that partitions of these values are stored under.
pub(super) fn encode_names(table: &Table, values: &[Vec<Option<String>>]) -> Result<Vec<String>> {
    values.iter().map(|values| encode_name(&table.partition_keys, values)).collect()
}

async fn find_partition(write: &mut Write<'_>, table: &Table, name: &str) -> Result<Option<(i64, Partition)>> {
    let query = sql("SELECT id, document FROM millrace_partition WHERE table_id = $1 AND name = $2");
    let row: Option<(i64, String)> = write.first(query.bind(table.id).bind(name)).await?;
    let what = || format!("a partition of relation \"{}.{}\"", table.database, table.name);
    row.map(|(id, document)| Ok((id, decode(write.place(), &what(), &document)?))).transpose()
}

/// Refuses a table that is gone, or whose keys are no longer those that the caller encoded by.
pub(super) async fn check_table(write: &mut Write<'_>, table: &Table) -> Result<()> {
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
    mark_partitions_changed(&mut write, table).await?;
    write.commit().await?;
    Ok(changed)
}

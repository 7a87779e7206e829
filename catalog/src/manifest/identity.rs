//! IDENTITY values: given out in their own small transactions, so that no two sessions get the same one, and a value
//! is never given again, whether or not the row with it was kept.

use super::commit::Commit;
use crate::error::{CatalogError, Result};
use crate::model::{Identity, ManagedColumn};
use crate::store::{Catalog, Write, sql};

const SELECT_NEXT: &str = "SELECT next_value FROM millrace_identity WHERE table_id = $1 AND column_id = $2";

impl Catalog {
    /// Takes the next `count` values of an IDENTITY column: the first of them; each has `step` more than the one
    /// before. [`CatalogError::InvalidArgument`] for a column without IDENTITY, and past the last 64-bit number.
    pub async fn next_identity(&self, table_id: i64, column: &ManagedColumn, count: u64) -> Result<i64> {
        let identity = identity_of(column)?;
        // The rows that get the values are committed later.
        let query = sql(SELECT_NEXT).bind(table_id).bind(column.id);
        let (mut write, next): (_, Option<(i64,)>) = self.write_lazily_with(query).await?;
        let first = next.map_or(identity.seed, |(next,)| next);
        let after = i64::try_from(count).ok().and_then(|count| identity.step.checked_mul(count));
        let Some(after) = after.and_then(|distance| first.checked_add(distance)) else {
            write.abandon().await?;
            return Err(CatalogError::InvalidArgument(format!(
                "identity column \"{}\" has no more values",
                column.name
            )));
        };
        store(&mut write, table_id, column.id, after).await?;
        write.commit_uncounted().await?;
        Ok(first)
    }
}

impl Commit {
    pub(super) async fn advance_identity(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        column: i64,
        value: i64,
    ) -> Result<()> {
        let definition = &self.table(write, table).await?.definition;
        let id = definition.id;
        let Some(column) = definition.columns.iter().find(|known| known.id == column) else {
            return Err(CatalogError::not_found("column", column.to_string()));
        };
        let (step, column) = (identity_of(column)?.step, column.id);
        let farther = |before: i64| if step < 0 { value < before } else { value > before };
        if next(write, id, column).await?.is_none_or(farther) {
            store(write, id, column, value).await?;
        }
        Ok(())
    }
}

fn identity_of(column: &ManagedColumn) -> Result<Identity> {
    let message = || format!("column \"{}\" is not an identity column", column.name);
    column.identity.ok_or_else(|| CatalogError::InvalidArgument(message()))
}

async fn next(write: &mut Write<'_>, table: i64, column: i64) -> Result<Option<i64>> {
    let row: Option<(i64,)> = write.first(sql(SELECT_NEXT).bind(table).bind(column)).await?;
    Ok(row.map(|(next,)| next))
}

async fn store(write: &mut Write<'_>, table: i64, column: i64, next: i64) -> Result<()> {
    let query = "INSERT INTO millrace_identity VALUES ($1, $2, $3) \
                 ON CONFLICT (table_id, column_id) DO UPDATE SET next_value = excluded.next_value";
    write.execute_later(sql(query).bind(table).bind(column).bind(next)).await
}

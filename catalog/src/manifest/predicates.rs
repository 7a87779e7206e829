//! Which columns of managed tables queries filter, join and group by, and how often: what ANALYZE PREDICATE COLUMNS looks
//! at, and what keys that are left to the warehouse are chosen by. Belongs to no snapshot.

use crate::error::Result;
use crate::model::ColumnUse;
use crate::store::{Catalog, now_ms, sql};
use std::collections::{BTreeMap, BTreeSet};

impl Catalog {
    /// The ids of a managed table's columns that queries have used.
    pub async fn predicate_columns(&self, table_id: i64) -> Result<BTreeSet<i64>> {
        Ok(self.column_uses(table_id).await?.into_keys().collect())
    }

    /// How often queries used the columns of a managed table, by column id; without those that none used.
    pub async fn column_uses(&self, table_id: i64) -> Result<BTreeMap<i64, ColumnUse>> {
        let mut lease = self.read().await?;
        let query = "SELECT column_id, filters, joins, groups FROM millrace_predicate_column WHERE table_id = $1";
        let rows: Vec<(i64, i64, i64, i64)> = lease.all(sql(query).bind(table_id)).await?;
        lease.release();
        let count = |stored: i64| u64::try_from(stored).unwrap_or_default();
        let uses = rows.into_iter().map(|(id, filters, joins, groups)| {
            (id, ColumnUse { filters: count(filters), joins: count(joins), groups: count(groups) })
        });
        Ok(uses.collect())
    }

    /// Adds to what is known of columns, by table and column id, what queries have done since. Columns of tables that do
    /// not exist are passed over.
    pub async fn add_column_uses(&self, uses: &[((i64, i64), ColumnUse)]) -> Result<()> {
        let mut write = self.write_lazily().await?;
        let now = now_ms();
        let count = |uses: u64| i64::try_from(uses).unwrap_or(i64::MAX);
        for ((table, column), used) in uses {
            let query = "INSERT INTO millrace_predicate_column AS p \
                         (table_id, column_id, first_use_ms, last_use_ms, filters, joins, groups) \
                         SELECT $1, $2, $3, $3, $4, $5, $6 WHERE EXISTS \
                         (SELECT 1 FROM ducklake_table WHERE table_id = $1 AND end_snapshot IS NULL) \
                         ON CONFLICT (table_id, column_id) DO UPDATE SET last_use_ms = excluded.last_use_ms, \
                         filters = p.filters + excluded.filters, joins = p.joins + excluded.joins, \
                         groups = p.groups + excluded.groups";
            let query = sql(query).bind(*table).bind(*column).bind(now);
            let query = query.bind(count(used.filters)).bind(count(used.joins)).bind(count(used.groups));
            write.execute(query).await?;
        }
        write.commit_uncounted().await
    }
}

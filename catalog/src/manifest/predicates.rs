//! Which columns of managed tables queries filter, join and group by: what ANALYZE PREDICATE COLUMNS looks at.

use crate::error::Result;
use crate::store::{Catalog, now_ms};
use std::collections::BTreeSet;

impl Catalog {
    /// The ids of a managed table's columns that queries have used.
    pub async fn predicate_columns(&self, table_id: i64) -> Result<BTreeSet<i64>> {
        let mut lease = self.read().await?;
        let query = "SELECT column_id FROM millrace_predicate_column WHERE table_id = $1";
        let rows: Vec<(i64,)> = lease.all(sqlx::query_as(query).bind(table_id)).await?;
        lease.release();
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Notes columns, by table and column id, that a query has used now.
    pub async fn add_predicate_columns(&self, columns: &[(i64, i64)]) -> Result<()> {
        let mut write = self.write().await?;
        let now = now_ms();
        for (table, column) in columns {
            let query = "INSERT INTO millrace_predicate_column (table_id, column_id, first_use_ms, last_use_ms) \
                         SELECT $1, $2, $3, $3 WHERE EXISTS \
                         (SELECT 1 FROM ducklake_table WHERE table_id = $1 AND end_snapshot IS NULL) \
                         ON CONFLICT (table_id, column_id) DO UPDATE SET last_use_ms = excluded.last_use_ms";
            write.execute(sqlx::query(query).bind(*table).bind(*column).bind(now)).await?;
        }
        write.commit_uncounted().await
    }
}

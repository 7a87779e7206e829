//! The definitions that a table has had: by them a file is known to be laid out as the table is now, or not.

use super::definition::decode_document;
use crate::error::Result;
use crate::model::ManagedTable;
use crate::store::{Catalog, sql};

/// A definition of a table, right for the snapshots from `begin_snapshot` until the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDefinition {
    /// The snapshot that made it.
    pub begin_snapshot: i64,
    /// The definition.
    pub table: ManagedTable,
}

impl Catalog {
    /// The definitions of a table that have not expired, the present one last. What another program changed since our
    /// last commit is not among them; it changes no attribute of ours.
    pub async fn past_definitions(&self, table_id: i64) -> Result<Vec<PastDefinition>> {
        let mut lease = self.read().await?;
        let query = "SELECT begin_snapshot, document FROM millrace_managed_table \
                     WHERE table_id = $1 ORDER BY begin_snapshot";
        let rows: Vec<(i64, String)> = lease.all(sql(query).bind(table_id)).await?;
        let past = rows.into_iter().map(|(begin_snapshot, document)| {
            Ok(PastDefinition { begin_snapshot, table: decode_document(&lease, table_id, &document)? })
        });
        let past = past.collect();
        lease.release();
        past
    }
}

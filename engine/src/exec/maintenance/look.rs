//! A table as the newest snapshot shows it.

use crate::error::Result;
use crate::session::Lease;
use crate::tables::condition::{Piece, pieces, sort_form};
use crate::tables::{decode_inlined, effective_style};
use crate::warehouse::Warehouse;
use millrace_catalog::manifest::InlinedRows;
use millrace_catalog::model::{DataFile, DistributionStyle, ManagedTable};
use std::sync::Arc;

/// What there is of a table.
pub(crate) struct Look {
    /// The manifest's snapshot.
    pub(crate) version: i64,
    /// The definition.
    pub(crate) table: Arc<ManagedTable>,
    /// The files.
    pub(crate) files: Arc<Vec<DataFile>>,
    /// The rows in the catalog.
    pub(crate) inlined: Arc<Vec<InlinedRows>>,
    /// Files and rows as a vacuum sees them.
    pub(crate) pieces: Vec<Piece>,
    /// The distribution style in effect.
    pub(crate) style: DistributionStyle,
    /// Keeps the snapshot, and with it the files, while they are read.
    _lease: Arc<Lease>,
}

impl Look {
    /// Whether rows are arranged by a distribution or sort key.
    pub(crate) fn has_keys(&self) -> bool {
        matches!(self.style, DistributionStyle::Key { .. }) || sort_form(&self.table).is_some()
    }
}

/// Looks at a table; `None` when it has been dropped.
pub(crate) async fn look(warehouse: &Warehouse, table_id: i64) -> Result<Option<Look>> {
    let catalog = warehouse.catalog();
    let begun = warehouse.leases().begin();
    let snapshot = catalog.snapshot().await?;
    let version = snapshot.manifest_version();
    let lease = begun.hold(version);
    let Some(table) = snapshot.managed_table_by_id(table_id).cloned() else { return Ok(None) };
    let files = catalog.data_files(table_id, version).await?;
    let inlined = catalog.inlined_rows(table_id, version).await?;
    let past = catalog.past_definitions(table_id).await?;
    let decoded = inlined.iter().map(|rows| decode_inlined(&table, rows)).collect::<Result<Vec<_>>>()?;
    let slices = warehouse.base_state().config().target_partitions();
    let pieces = pieces(&table, &past, &files, &decoded, slices)?;
    let style = effective_style(&table, files.iter().map(|file| file.size_bytes).sum()).style;
    Ok(Some(Look { version, table, files, inlined, pieces, style, _lease: lease }))
}

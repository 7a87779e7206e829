//! What the physical optimizer asks of a managed table's scan: its files grouped as a plan can use them.

use super::layout::{by_hash, by_order};
use super::source::ManagedSource;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The scan of a managed table that a node is.
pub(crate) struct ManagedScan<'a> {
    config: &'a FileScanConfig,
    source: &'a ManagedSource,
}

impl<'a> ManagedScan<'a> {
    /// `None` for any other node.
    pub(crate) fn of(plan: &'a dyn ExecutionPlan) -> Option<Self> {
        let config = plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
        let source = config.file_source().downcast_ref::<ManagedSource>()?;
        Some(Self { config, source })
    }

    /// Whether each node has a copy of the table (DISTSTYLE ALL).
    pub(crate) fn is_copied(&self) -> bool {
        self.source.keys().copied
    }

    /// The same scan in `partitions` slices by the hash of the distribution key. `None` when the table has none, when
    /// it is so already, or when too many of its files were not arranged by it.
    pub(crate) fn by_distribution_key(&self, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
        if self.config.output_partitioning.is_some() || self.config.limit.is_some() {
            return None;
        }
        by_hash(self.config, self.source.keys(), partitions).map(|scan| DataSourceExec::from_data_source(scan) as _)
    }

    /// The same scan with each partition in the order of the sort key. `None` when it is so already, or when the
    /// files do not allow it.
    pub(crate) fn in_key_order(&self, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
        if !self.config.output_ordering.is_empty() {
            return None;
        }
        by_order(self.config, self.source.keys(), partitions).map(|scan| DataSourceExec::from_data_source(scan) as _)
    }
}

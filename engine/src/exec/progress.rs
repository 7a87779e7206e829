//! How far a running plan is, read from the counters of its scans.

use crate::federated::ForeignScanExec;
use crate::physical::counted_children;
use crate::result::{Progress, ProgressState};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use std::sync::Arc;

/// The scans of a plan.
#[derive(Debug)]
pub(crate) struct ScanProgress {
    scans: Vec<Arc<dyn ExecutionPlan>>,
    /// Scans of foreign systems, whose bytes nobody knows before; their splits count as files.
    foreign: Vec<Arc<dyn ExecutionPlan>>,
    bytes_total: u64,
    files_total: u64,
}

impl ScanProgress {
    /// The scans of a plan, found once; watching them costs nothing to the plan.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut progress = Self { scans: Vec::new(), foreign: Vec::new(), bytes_total: 0, files_total: 0 };
        progress.collect(plan);
        progress
    }

    fn collect(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        if let Some(config) = file_scan(plan) {
            self.bytes_total += bytes(config);
            self.files_total += config.file_groups.iter().map(|group| group.len() as u64).sum::<u64>();
            self.scans.push(Arc::clone(plan));
        } else if plan.is::<ForeignScanExec>() {
            self.foreign.push(Arc::clone(plan));
        }
        for child in counted_children(plan) {
            self.collect(child);
        }
    }
}

impl Progress for ScanProgress {
    fn now(&self) -> ProgressState {
        let mut state =
            ProgressState { bytes_total: self.bytes_total, files_total: self.files_total, ..ProgressState::default() };
        for scan in &self.scans {
            let Some(metrics) = scan.metrics() else { continue };
            state.rows_scanned += metrics.output_rows().unwrap_or(0) as u64;
            state.bytes_scanned += counter(&metrics, "bytes_scanned");
            state.files_done += counter(&metrics, "files_processed");
        }
        state.bytes_scanned = state.bytes_scanned.min(state.bytes_total);
        state.files_done = state.files_done.min(state.files_total);
        for scan in &self.foreign {
            let (Some(metrics), Some(scan)) = (scan.metrics(), scan.downcast_ref::<ForeignScanExec>()) else {
                continue;
            };
            state.rows_scanned += metrics.output_rows().unwrap_or(0) as u64;
            state.files_total += scan.splits() as u64;
            state.files_done += scan.splits_ended().min(scan.splits() as u64);
            if self.scans.is_empty() {
                state.bytes_scanned += counter(&metrics, "bytes_scanned");
            }
        }
        state
    }
}

/// A counter of a plan's metrics, summed over its partitions.
pub(crate) fn counter(metrics: &MetricsSet, name: &str) -> u64 {
    metrics.sum_by_name(name).map_or(0, |value| value.as_usize() as u64)
}

/// The scan of files that a node is, if it is one.
pub(crate) fn file_scan(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()
}

/// The bytes of a scan's files, or of the ranges of them that it reads.
pub(crate) fn bytes(config: &FileScanConfig) -> u64 {
    config
        .file_groups
        .iter()
        .flat_map(datafusion_datasource::file_groups::FileGroup::iter)
        .map(datafusion_datasource::PartitionedFile::effective_size)
        .sum()
}

/// What the scan's table selected, carried by one of its files.
pub(crate) fn summary<T: Send + Sync + 'static>(config: &FileScanConfig) -> Option<&T> {
    config
        .file_groups
        .iter()
        .flat_map(datafusion_datasource::file_groups::FileGroup::iter)
        .find_map(|file| file.extension::<T>())
}

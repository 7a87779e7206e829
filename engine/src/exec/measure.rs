//! What a statement has done so far, read from the counters of its plans.

use super::progress::{bytes, counter, file_scan, summary};
use crate::federated::ForeignScanExec;
use crate::optimize;
use crate::physical::counted_children;
use crate::session::Work;
use crate::tables::TableScanSummary;
use crate::wlm::Measures;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What each slice has done: nanoseconds that it computed, bytes that it read.
type Slices = BTreeMap<usize, (u64, u64)>;

/// The measures of a statement's work; of its times only that of its longest segment is known here, where it is wanted.
pub(crate) fn measure(work: &Work, with_segments: bool) -> Measures {
    let measures = measure_plans(&work.plans(), work.returned_rows());
    if !with_segments {
        return measures;
    }
    let longest = work.steps().longest_segment_us();
    Measures { segment_seconds: Duration::from_micros(longest.unsigned_abs()).as_secs_f64(), ..measures }
}

/// The same of plans of which so many rows were returned.
pub(crate) fn measure_plans(plans: &[Arc<dyn ExecutionPlan>], returned_rows: u64) -> Measures {
    let mut measures = Measures { returned_rows, ..Measures::default() };
    let mut slices = Slices::new();
    for plan in plans {
        add(plan, &mut measures, &mut slices);
    }
    let computed = slices.values().map(|(nanoseconds, _)| *nanoseconds);
    measures.cpu_seconds = Duration::from_nanos(computed.clone().sum()).as_secs_f64();
    measures.cpu_skew = skew(computed);
    measures.io_skew = skew(slices.values().map(|(_, bytes)| *bytes));
    measures
}

/// Rows that a scan of files has read, deleted ones and those that its filters leave out too. Of a managed table that is what
/// its files have of which it is through, or what it gave if that is more, so that a file counts when it has been read.
fn rows_read(config: &FileScanConfig, metrics: &MetricsSet, given: u64) -> u64 {
    let decoded = given + counter(metrics, "pushdown_rows_pruned");
    let Some(summary) = summary::<TableScanSummary>(config) else { return decoded };
    let files = config.file_groups.iter().map(|group| group.len() as u64).sum::<u64>();
    let through = counter(metrics, "files_processed").min(files);
    let rows = u128::from(summary.rows) * u128::from(through) / u128::from(files.max(1));
    decoded.max(u64::try_from(rows).unwrap_or(u64::MAX))
}

/// The most of a slice beside the average of those that do anything.
fn skew(slices: impl Iterator<Item = u64> + Clone) -> f64 {
    let busy = slices.filter(|work| *work > 0);
    let (sum, count) = (busy.clone().sum::<u64>(), busy.clone().count());
    let average = sum as f64 / count.max(1) as f64;
    if average > 0. { busy.max().unwrap_or(0) as f64 / average } else { 0. }
}

fn add(plan: &Arc<dyn ExecutionPlan>, measures: &mut Measures, slices: &mut Slices) {
    for child in counted_children(plan) {
        add(child, measures, slices);
    }
    let Some(metrics) = plan.metrics() else { return };
    let scan = file_scan(plan);
    for metric in metrics.iter() {
        let slice = slices.entry(metric.partition().unwrap_or(0)).or_default();
        match metric.value() {
            MetricValue::ElapsedCompute(time) => slice.0 += time.value() as u64,
            MetricValue::Count { name, count } if scan.is_some() && name == "bytes_scanned" => {
                slice.1 += count.value() as u64;
            }
            _ => {}
        }
    }
    let rows = metrics.output_rows().unwrap_or(0) as u64;
    measures.spilled_bytes += metrics.spilled_bytes().unwrap_or(0) as u64;
    if let Some(config) = scan {
        let read = counter(&metrics, "bytes_scanned").min(bytes(config));
        measures.scan_rows = measures.scan_rows.max(rows_read(config, &metrics, rows));
        measures.read_bytes += read;
        if summary::<TableScanSummary>(config).is_none() {
            measures.external_rows += rows;
            measures.external_bytes += read;
        }
    }
    if plan.is::<ForeignScanExec>() {
        measures.scan_rows = measures.scan_rows.max(rows);
    }
    let loops = plan.downcast_ref::<NestedLoopJoinExec>().is_some() || plan.downcast_ref::<CrossJoinExec>().is_some();
    if loops {
        measures.nested_loop_rows = measures.nested_loop_rows.max(rows);
    }
    if loops || optimize::is_join(plan.as_ref()) {
        measures.join_rows = measures.join_rows.max(rows);
    }
}

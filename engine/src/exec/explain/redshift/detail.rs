//! What the journal is told of an operator beside what EXPLAIN shows, in one look at its counters.

use super::Plan;
use crate::exec::explain::step::Detail;
use crate::exec::progress::{bytes, counter, file_scan, summary};
use crate::federated::{self, ForeignAggregateExec, ForeignScanExec, ForeignTable};
use crate::journal::{ForeignRecord, ScanRecord, now_us};
use crate::lake::table::ScanSummary;
use crate::system;
use crate::tables::TableScanSummary;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion_datasource::file_groups::FileGroup;

/// The most slices of which each is told for itself; the last is told with those behind it.
const MOST_SLICES: usize = 64;

/// The most characters of what a foreign system is asked, as of `svl_federated_query.querytext`.
const MOST_REMOTE: usize = 4_000;

/// Of a slice: rows, nanoseconds that it computed, and those that a reader counted itself.
#[derive(Clone, Copy, Default)]
struct Slice {
    rows: u64,
    computed: u64,
    reading: u64,
}

pub(super) fn of(plan: &Plan, metrics: &MetricsSet) -> Detail {
    let mut slices: Vec<Slice> = Vec::new();
    let mut detail = Detail::default();
    let (mut began, mut ended, mut runs) = (None, None, false);
    for metric in metrics.iter() {
        let at = metric.partition().unwrap_or(0).min(MOST_SLICES - 1);
        if slices.len() <= at {
            slices.resize(at + 1, Slice::default());
        }
        let Some(slice) = slices.get_mut(at) else { continue };
        match metric.value() {
            MetricValue::OutputRows(rows) => slice.rows += rows.value() as u64,
            MetricValue::OutputBytes(bytes) => detail.output_bytes += bytes.value() as u64,
            MetricValue::ElapsedCompute(time) => slice.computed += time.value() as u64,
            MetricValue::Time { name, time } if name == "time_elapsed_processing" => {
                slice.reading += time.value() as u64;
            }
            MetricValue::StartTimestamp(time) => {
                let time = time.value().map(|time| time.timestamp_micros());
                began = began.into_iter().chain(time).min();
            }
            MetricValue::EndTimestamp(time) => {
                let time = time.value().map(|time| time.timestamp_micros());
                runs |= time.is_none();
                ended = ended.into_iter().chain(time).max();
            }
            _ => {}
        }
    }
    if runs {
        ended = Some(now_us());
    }
    detail.times_us = began.map(|began| (began, ended.unwrap_or(began).max(began)));
    detail.slices = slices.iter().map(|slice| (slice.rows, slice.computed.max(slice.reading))).collect();
    if let Some(config) = file_scan(plan) {
        read(config, plan, metrics, &mut detail);
    }
    if let Some(scan) = plan.downcast_ref::<ForeignScanExec>() {
        let splits = (scan.splits() as u64, scan.splits_ended());
        detail.scan = Some(asked((scan.table(), &scan.remote()), splits, plan, metrics));
    } else if let Some(aggregate) = plan.downcast_ref::<ForeignAggregateExec>() {
        detail.scan = Some(asked((aggregate.table(), &aggregate.remote()), (0, 0), plan, metrics));
    }
    detail
}

/// What a foreign system was asked of a table: parts of it and those that were read to their end, or aggregates.
fn asked(
    (table, remote): (&ForeignTable, &str),
    (splits, splits_ended): (u64, u64),
    plan: &Plan,
    metrics: &MetricsSet,
) -> ScanRecord {
    let given = metrics.output_rows().unwrap_or(0) as u64;
    let rows_examined = counter(metrics, "rows_examined");
    ScanRecord {
        rows_read: rows_examined.max(given),
        read_bytes: counter(metrics, "bytes_scanned"),
        splits: (splits, 0),
        nested: is_nested(&plan.schema()),
        foreign: Some(ForeignRecord {
            source: federated::label(&table.kind).to_owned(),
            remote: remote.chars().take(MOST_REMOTE).collect(),
            requests: counter(metrics, "requests"),
            retries: counter(metrics, "retries"),
            rows_examined,
            capacity_milliunits: counter(metrics, "capacity_milliunits"),
            splits_ended,
        }),
        ..ScanRecord::default()
    }
}

/// What a scan of files read.
fn read(config: &FileScanConfig, plan: &Plan, metrics: &MetricsSet, detail: &mut Detail) {
    let file_bytes = bytes(config);
    let given = metrics.output_rows().unwrap_or(0) as u64;
    let splits = config.file_groups.iter().flat_map(FileGroup::iter);
    let (splits, largest) =
        splits.fold((0, 0), |(count, largest), split| (count + 1, split.effective_size().max(largest)));
    let mut scan = ScanRecord {
        read_bytes: counter(metrics, "bytes_scanned").min(file_bytes),
        file_bytes,
        format: config.file_source().file_type().to_owned(),
        splits: (splits, largest),
        nested: is_nested(&plan.schema()),
        filtered: config.file_source().filter().is_some(),
        ..ScanRecord::default()
    };
    if let Some(summary) = summary::<TableScanSummary>(config) {
        detail.table = Some((summary.table.clone(), system::managed_oid(summary.table_id)));
        detail.unanalyzed = !summary.analyzed && summary.table_id > 0;
        detail.placed = matches!(plan.output_partitioning(), Partitioning::Hash(_, slices) if *slices > 1);
        scan.rows_read = summary.rows;
        scan.rows_deleted = summary.deleted_rows;
        scan.files = summary.files as u64;
        scan.files_skipped = summary.files_of_table.saturating_sub(summary.files) as u64;
    } else {
        scan.external = true;
        scan.rows_read = given + counter(metrics, "pushdown_rows_pruned");
        if let Some(summary) = summary::<ScanSummary>(config) {
            detail.table = Some((summary.table.clone(), summary.table_id.map_or(0, system::cataloged_oid)));
            scan.files = summary.files as u64;
            scan.partitions = summary.partitions.map(|partitions| partitions as u64);
            scan.location.clone_from(&summary.location);
        }
    }
    detail.scan = Some(scan);
}

fn is_nested(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| {
        matches!(
            field.data_type(),
            DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) | DataType::Map(..)
        )
    })
}

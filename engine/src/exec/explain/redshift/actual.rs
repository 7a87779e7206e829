//! What steps did, read from the counters of the operators that they are made of.

use super::{Plan, detail};
use crate::exec::explain::step::{Actual, Blocks, Remote, Step};
use crate::exec::progress::counter;
use crate::federated::{ForeignAggregateExec, ForeignScanExec};
use crate::tables::ReadBlocks;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a plan that ran beside the counters that its operators keep.
#[derive(Debug, Default)]
pub(in crate::exec::explain) struct Counters {
    /// The blocks of managed tables' scans, by the address of the scan.
    blocks: HashMap<usize, Blocks>,
    /// Whether they are for the journal, which is told more.
    detailed: bool,
}

impl Counters {
    /// For the journal.
    pub(in crate::exec::explain) fn detailed() -> Self {
        Self { detailed: true, ..Self::default() }
    }

    /// With the blocks that a scan of a managed table read.
    pub(in crate::exec::explain) fn note(&mut self, scan: &Plan, blocks: ReadBlocks) {
        let ReadBlocks { read, skipped } = blocks;
        self.blocks.insert(address(scan), Blocks { read: Some(read), skipped });
    }

    /// What an operator did.
    pub(super) fn of(&self, plan: &Plan) -> Actual {
        let Some(metrics) = plan.metrics() else { return Actual::default() };
        let memory = ["peak_mem_used", "build_mem_used"].map(|name| counter(&metrics, name));
        // Readers count their own time.
        let nanos = metrics.elapsed_compute().unwrap_or(0) as u64;
        Actual {
            rows: metrics.output_rows().unwrap_or(0) as u64,
            nanos: nanos.max(counter(&metrics, "time_elapsed_processing")),
            memory_bytes: memory.into_iter().sum(),
            spilled_bytes: metrics.spilled_bytes().unwrap_or(0) as u64,
            read_bytes: counter(&metrics, "bytes_scanned"),
            blocks: self.blocks.get(&address(plan)).copied().or_else(|| row_groups(&metrics)),
            remote: (plan.is::<ForeignScanExec>() || plan.is::<ForeignAggregateExec>()).then(|| Remote {
                requests: counter(&metrics, "requests"),
                retries: counter(&metrics, "retries"),
                rows_examined: counter(&metrics, "rows_examined"),
                capacity_milliunits: counter(&metrics, "capacity_milliunits"),
            }),
            detail: self.detailed.then(|| Box::new(detail::of(plan, &metrics))),
        }
    }
}

impl Counters {
    /// What operators did that are no step of their own; the last gives the rows.
    pub(super) fn of_all(&self, plans: &[Plan]) -> Option<Actual> {
        plans.iter().map(|plan| self.of(plan)).reduce(|below, above| above.over(below))
    }
}

/// What a step did that only hands on the rows of the one below.
pub(super) fn handed_on(below: &Step) -> Option<Actual> {
    below.actual.as_ref().map(|actual| Actual { rows: actual.rows, ..Actual::default() })
}

fn address(plan: &Plan) -> usize {
    Arc::as_ptr(plan).cast::<()>() as usize
}

/// The row groups of Parquet and ORC, if a scan counts them.
pub(super) fn row_groups(metrics: &MetricsSet) -> Option<Blocks> {
    let mut skipped = counter(metrics, "row_groups_pruned");
    let (mut left, mut filtered) = (None, 0);
    for metric in metrics.iter() {
        let MetricValue::PruningMetrics { name, pruning_metrics } = metric.value() else { continue };
        let pruned = pruning_metrics.pruned() as u64;
        match name.as_ref() {
            "row_groups_pruned_statistics" => left = Some(left.unwrap_or(0) + pruning_metrics.matched() as u64),
            // Bloom filters look at what statistics left.
            "row_groups_pruned_bloom_filter" => filtered += pruned,
            _ => continue,
        }
        skipped += pruned;
    }
    let read = left.map(|left: u64| left.saturating_sub(filtered)).filter(|read| read + skipped > 0);
    (read.is_some() || skipped > 0).then_some(Blocks { read, skipped })
}

/// Tells what an operator did: of the lowest step that it became, or, if it became none, of the one below it.
pub(super) fn note(step: &mut Step, actual: Actual) {
    if let Some(below) = step.actual.take() {
        step.actual = Some(actual.over(below));
        return;
    }
    let rows = actual.rows;
    let mut lowest = step;
    loop {
        lowest.actual = Some(Actual { rows, ..Actual::default() });
        match lowest.children.last() {
            Some(below) if below.actual.is_none() => {}
            _ => break,
        }
        let Some(below) = lowest.children.last_mut() else { return };
        lowest = below;
    }
    lowest.actual = Some(actual);
}

//! What a statement has done so far, read from the counters of its plans.

use super::progress::{bytes, counter, file_scan, summary};
use crate::optimize;
use crate::session::Work;
use crate::tables::TableScanSummary;
use crate::wlm::Measures;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use std::sync::Arc;

/// The measures of a statement's work; its times are not known here.
pub(crate) fn measure(work: &Work) -> Measures {
    let mut measures = Measures { returned_rows: work.returned_rows(), ..Measures::default() };
    for plan in work.plans() {
        add(&plan, &mut measures);
    }
    measures
}

fn add(plan: &Arc<dyn ExecutionPlan>, measures: &mut Measures) {
    for child in plan.children() {
        add(child, measures);
    }
    let Some(metrics) = plan.metrics() else { return };
    let rows = metrics.output_rows().unwrap_or(0) as u64;
    measures.spilled_bytes += counter(&metrics, "spilled_bytes");
    if let Some(config) = file_scan(plan) {
        measures.scan_rows = measures.scan_rows.max(rows);
        if summary::<TableScanSummary>(config).is_none() {
            measures.external_rows += rows;
            measures.external_bytes += counter(&metrics, "bytes_scanned").min(bytes(config));
        }
    }
    let loops = plan.downcast_ref::<NestedLoopJoinExec>().is_some() || plan.downcast_ref::<CrossJoinExec>().is_some();
    if loops {
        measures.nested_loop_rows = measures.nested_loop_rows.max(rows);
    }
    if loops || optimize::is_join(plan.as_ref()) {
        measures.join_rows = measures.join_rows.max(rows);
    }
}

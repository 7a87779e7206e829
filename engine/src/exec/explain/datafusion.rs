//! A plan as DataFusion's operators, and Athena's form of `EXPLAIN`; with `ANALYZE`, the one that ran, with true figures.
//!
//! A scan says what was pruned before it began: of the lake partitions of how many, files, bytes; of a managed table
//! files of how many, how many of their rows are deleted, and the slices and the order that the plan has of it.

use super::{Planned, run, size, times};
use crate::error::Result;
use crate::exec::progress::{self, counter};
use crate::exec::write;
use crate::lake::table::ScanSummary;
use crate::optimize::{self, JoinEstimates};
use crate::session::Context;
use crate::sql::Explain;
use crate::tables::TableScanSummary;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::conjunction_opt;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr, split_conjunction};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use std::sync::Arc;
use std::time::Duration;

/// The lines; with ANALYZE, after the plans have run.
pub(super) async fn lines(
    context: &Context,
    explain: &Explain,
    plans: &[Planned],
    planned: Duration,
) -> Result<Vec<String>> {
    let mut lines = written(explain);
    let ran = if explain.analyze { Some(run(context, plans).await?) } else { None };
    for plan in plans {
        lines.extend(plan.part.map(|part| format!("{part}:")));
        if explain.verbose {
            lines.push("Logical plan:".to_owned());
            lines.extend(logical(context, plan).await?);
            lines.push("Physical plan:".to_owned());
        }
        let estimates = plan.joins.iter().copied();
        Tree { context, metrics: explain.analyze, estimates, lines: &mut lines }.write(&plan.physical, 0).await?;
    }
    lines.extend(times(planned, ran.as_ref()));
    Ok(lines)
}

/// The lines of plans that a statement has run to change rows: operators with their figures.
pub(super) async fn ran_lines(
    context: &Context,
    explain: &Explain,
    plans: &[Arc<dyn ExecutionPlan>],
) -> Result<Vec<String>> {
    // What was expected of their joins went when they had been made.
    let unknown = JoinEstimates::new();
    let mut lines = written(explain);
    for plan in plans {
        let estimates = unknown.iter().copied();
        Tree { context, metrics: true, estimates, lines: &mut lines }.write(plan, 0).await?;
    }
    Ok(lines)
}

/// The line of the table that a statement writes.
fn written(explain: &Explain) -> Vec<String> {
    write::target_name(&explain.statement).map(|target| format!("Write: {target}")).into_iter().collect()
}

/// The plans before operators are chosen, with what is estimated of each node.
pub(super) async fn logical_lines(context: &Context, plans: &[Planned]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for plan in plans {
        lines.extend(plan.part.map(|part| format!("{part}:")));
        lines.extend(logical(context, plan).await?);
    }
    Ok(lines)
}

async fn logical(context: &Context, plan: &Planned) -> Result<Vec<String>> {
    let optimized = crate::plan::with_room(|| context.state().optimize(&plan.logical))?;
    Ok(optimize::explained(&optimized, context.state()).await?)
}

struct Tree<'a> {
    context: &'a Context,
    metrics: bool,
    /// Of the joins that are not written yet.
    estimates: std::iter::Copied<std::slice::Iter<'a, Option<u64>>>,
    lines: &'a mut Vec<String>,
}

impl Tree<'_> {
    fn write<'b>(
        &'b mut self,
        plan: &'b Arc<dyn ExecutionPlan>,
        depth: usize,
    ) -> futures::future::BoxFuture<'b, Result<()>> {
        Box::pin(async move {
            let indent = "  ".repeat(depth);
            if progress::file_scan(plan).is_some() {
                self.scan(plan, &indent).await?;
            } else {
                let line = DisplayableExecutionPlan::new(plan.as_ref()).one_line().to_string();
                let estimate = if optimize::is_join(plan.as_ref()) { self.estimates.next().flatten() } else { None };
                let estimate = estimate.map(|rows| format!(" (estimated rows={rows})")).unwrap_or_default();
                self.lines.push(format!("{indent}{}{estimate}", line.trim_end()));
            }
            if let (true, Some(metrics)) = (self.metrics, plan.metrics()) {
                self.lines.push(format!("{indent}    {}", figures(&metrics)));
            }
            for child in plan.children() {
                self.write(child, depth + 1).await?;
            }
            Ok(())
        })
    }

    async fn scan(&mut self, plan: &Arc<dyn ExecutionPlan>, indent: &str) -> Result<()> {
        let Some(config) = progress::file_scan(plan) else { return Ok(()) };
        let source = config.file_source();
        if let Some(summary) = progress::summary::<TableScanSummary>(config) {
            self.lines.push(format!("{indent}Seq Scan {} format:{}", summary.table, source.file_type()));
            let (files, of, size) = (summary.files, summary.files_of_table, size(summary.bytes));
            let deleted = summary.deleted_rows;
            self.lines.push(format!("{indent}    Files: {files} of {of}, Size: {size}, Deleted rows: {deleted}"));
            self.details(plan, config, indent);
            return Ok(());
        }
        let summary = progress::summary::<ScanSummary>(config);
        let table = summary.map_or("files", |summary| summary.table.as_str());
        self.lines.push(format!("{indent}S3 Seq Scan {table} format:{}", source.file_type()));
        if let Some(summary) = summary {
            let mut parts = Vec::new();
            if let Some(selected) = summary.partitions {
                match &summary.partitioned {
                    Some(table) => {
                        let total = self.context.catalog().partition_count(table).await?;
                        parts.push(format!("Partitions: {selected} of {total}"));
                    }
                    None => parts.push(format!("Partitions: {selected} (projected)")),
                }
            }
            parts.push(format!("Files: {}", summary.files));
            parts.push(format!("Size: {}", size(summary.bytes)));
            self.lines.push(format!("{indent}    {}", parts.join(", ")));
        }
        self.details(plan, config, indent);
        Ok(())
    }

    /// What any scan of files tells.
    fn details(&mut self, plan: &Arc<dyn ExecutionPlan>, config: &FileScanConfig, indent: &str) {
        let columns: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        self.lines.push(format!("{indent}    Columns: {}", columns.join(", ")));
        if let Some(filter) = config.file_source().filter() {
            // What joins and sorts will find out is not known before they ran.
            let told = split_conjunction(&filter).into_iter();
            let told =
                told.filter(|part| self.metrics || !DynamicFilterTracking::classify(part).contains_dynamic_filter());
            if let Some(filter) = conjunction_opt(told.cloned()) {
                self.lines.push(format!("{indent}    Filter: {filter}"));
            }
        }
        if let Some(limit) = config.limit {
            self.lines.push(format!("{indent}    Limit: {limit}"));
        }
        if let Partitioning::Hash(keys, slices) = plan.output_partitioning() {
            self.lines.push(format!("{indent}    Slices: {slices} by {}", names(keys)));
        }
        if let Some(order) = plan.output_ordering() {
            self.lines.push(format!("{indent}    Order: {}", names(order.iter().map(|by| &by.expr))));
        }
    }
}

/// Columns by their names.
fn names<'a>(columns: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>) -> String {
    let name = |expr: &Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Column>() {
        Some(column) => column.name().to_owned(),
        None => expr.to_string(),
    };
    columns.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The figures that a person reads first, then those that tell of pruning and spilling where they are not zero.
fn figures(metrics: &MetricsSet) -> String {
    let mut parts = vec![format!("rows={}", metrics.output_rows().unwrap_or(0))];
    if let Some(nanos) = metrics.elapsed_compute() {
        parts.push(format!("time={:.3} ms", nanos as f64 / 1e6));
    }
    let counters = [
        "requests",
        "retries",
        "rows_examined",
        "capacity_milliunits",
        "bytes_scanned",
        "stripes_pruned",
        "spill_count",
        "spilled_bytes",
        "build_mem_used",
    ];
    for name in counters {
        let value = counter(metrics, name);
        if value > 0 {
            parts.push(format!("{name}={value}"));
        }
    }
    let aggregated = metrics.aggregate_by_name();
    for metric in aggregated.iter() {
        let name = metric.value().name();
        if name.contains("pruned") && name != "stripes_pruned" {
            parts.push(format!("{name}={}", metric.value()));
        }
    }
    parts.join(", ")
}

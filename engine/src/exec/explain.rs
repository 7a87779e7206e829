//! `EXPLAIN`: the plan that would run, as a tree; with `ANALYZE`, the one that ran, with true figures.
//!
//! A scan says what was pruned before it began: of the lake partitions of how many, files, bytes; of a managed table
//! files of how many, how many of their rows are deleted, and the slices and the order that the plan has of it.

use super::progress::{self, counter};
use super::{managed, query, rows, write};
use crate::error::{Error, Result};
use crate::lake::table::ScanSummary;
use crate::optimize;
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::session::Context;
use crate::sql::{Explain, Statement};
use crate::tables::TableScanSummary;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::conjunction_opt;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr, split_conjunction};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, execute_stream};
use futures::TryStreamExt;
use std::sync::Arc;
use std::time::Instant;

/// Explains a statement.
pub(crate) async fn execute(context: &Context, explain: &Explain) -> Result<StatementResult> {
    let started = Instant::now();
    let mut plans = Vec::new();
    for (part, logical) in logical_plans(context, explain).await? {
        let (physical, estimates) = query::estimated_plan(context, &logical).await?;
        plans.push((part, logical, physical, estimates));
    }
    let planned = started.elapsed();
    let mut lines = Vec::new();
    if let Some(target) = write::target_name(&explain.statement) {
        lines.push(format!("Write: {target}"));
    }
    let mut analyzed = None;
    for (part, logical, physical, estimates) in &plans {
        lines.extend(part.map(|part| format!("{part}:")));
        if explain.verbose {
            lines.push("Logical plan:".to_owned());
            let optimized = context.state().optimize(logical)?;
            lines.extend(optimize::explained(&optimized, context.state()).await?);
            lines.push("Physical plan:".to_owned());
        }
        if explain.analyze {
            let started = Instant::now();
            if let Some(work) = context.work() {
                work.note_plan(physical);
            }
            let stream = execute_stream(Arc::clone(physical), context.state().task_ctx())?;
            let count = stream.try_fold(0, |count, batch| async move { Ok(count + batch.num_rows()) }).await?;
            analyzed = Some((count, started.elapsed()));
        }
        let estimates = estimates.iter().copied();
        Tree { context, metrics: explain.analyze, estimates, lines: &mut lines }.write(physical, 0).await?;
    }
    lines.push(format!("Planning time: {:.3} ms", planned.as_secs_f64() * 1e3));
    if let Some((count, elapsed)) = analyzed {
        lines.push(format!("Execution time: {:.3} ms, {count} rows", elapsed.as_secs_f64() * 1e3));
    }
    // Names of our own have a mark that is no character to print.
    rows::text("EXPLAIN", &["QUERY PLAN"], lines.into_iter().map(|line| [line.replace('\u{1}', " ")]))
}

/// The plans of a statement that reads or writes rows, before optimisation.
pub(crate) async fn plans_of(context: &Context, statement: &Statement) -> Result<Vec<LogicalPlan>> {
    let statement = Box::new(statement.clone());
    let explain = Explain { analyze: false, verbose: false, statement };
    Ok(logical_plans(context, &explain).await?.into_iter().map(|(_, plan)| plan).collect())
}

/// The plans of a statement; where there are several, each with what it is for.
async fn logical_plans(context: &Context, explain: &Explain) -> Result<Vec<(Option<&'static str>, LogicalPlan)>> {
    let plan = match explain.statement.as_ref() {
        Statement::Query(query) => query::logical_plan(context, query).await?,
        _ if explain.analyze => return Err(Error::unsupported("EXPLAIN ANALYZE of a statement that writes")),
        Statement::Insert(insert) => match (resolve::find_relation(context, &insert.table).await?, &insert.query) {
            (Relation::Managed(table), _) => managed::plan_insert(context, &table, insert).await?,
            (Relation::Catalog(_), Some(query)) => query::logical_plan(context, query).await?,
            (Relation::Catalog(_), None) => return Err(Error::unsupported(write::DEFAULT_VALUES)),
        },
        Statement::CreateTableAs(create) => query::logical_plan(context, &create.query).await?,
        Statement::Update(update) => managed::plan_update(context, update).await?.1,
        Statement::Delete(delete) => managed::plan_delete(context, delete).await?.1,
        Statement::Merge(merge) => {
            let plans = managed::plan_merge(context, merge).await?.1;
            let matched = plans.matched.map(|plan| (Some("When matched"), plan));
            let inserted = plans.inserted.map(|plan| (Some("Insert"), plan));
            return Ok(matched.into_iter().chain(inserted).collect());
        }
        Statement::CreateTable(create) => match &create.query {
            Some(query) => query::logical_plan(context, query).await?,
            None => return Err(Error::unsupported("EXPLAIN of a CREATE TABLE without a query")),
        },
        _ => return Err(Error::unsupported("EXPLAIN of a statement that is no query")),
    };
    Ok(vec![(None, plan)])
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
    for name in ["bytes_scanned", "stripes_pruned", "spill_count", "spilled_bytes", "build_mem_used"] {
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

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024. && unit + 1 < UNITS.len() {
        value /= 1024.;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_for_people() {
        assert_eq!((size(0), size(1023), size(1536)), ("0 B".to_owned(), "1023 B".to_owned(), "1.5 KiB".to_owned()));
    }
}

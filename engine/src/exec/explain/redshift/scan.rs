//! Scans: of managed tables, of external ones with what is done at their files, of rows in memory.

use super::words::{compared, own_name, words};
use super::{Builder, Built, Output, Plan, cost, rows};
use crate::exec::explain::step::{Actual, Step};
use crate::exec::progress;
use crate::federated::{ForeignAggregateExec, ForeignScanExec};
use crate::lake::table::ScanSummary;
use crate::optimize::{NodeEstimate, value_width};
use crate::system::quoted;
use crate::tables::TableScanSummary;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::conjunction_opt;
use datafusion::physical_expr::{DynamicFilterTracking, Partitioning, split_conjunction};
use datafusion::physical_plan::ExecutionPlanProperties;

/// What gives a scan of external files their partitions.
pub(super) const PARTITION_LOOP: &str = "Partition Loop";

/// Rows that are assumed of a table that tells nothing.
const UNKNOWN_ROWS: f64 = 1_000.;

impl Builder<'_> {
    /// A scan of files.
    pub(super) fn scan(&mut self, plan: &Plan, config: &FileScanConfig) -> Built {
        let filter = filter_of(config);
        match progress::summary::<TableScanSummary>(config) {
            Some(summary) => self.managed(plan, config, summary, filter),
            None => self.external(plan, config, filter),
        }
    }

    fn managed(
        &mut self,
        plan: &Plan,
        config: &FileScanConfig,
        summary: &TableScanSummary,
        filter: Option<(String, usize)>,
    ) -> Built {
        let table = bare(&summary.table);
        let (rows, read, columns) = self.expected(plan, table, filter.is_some());
        let shown = if self.shown.verbose { summary.table.clone() } else { quoted(table) };
        let mut step = Step { rows, object: Some(format!("on {shown}")), ..Step::new("Seq Scan", Vec::new()) };
        step.table = Some(summary.table.clone());
        let conditions = filter.as_ref().map_or(0, |(_, conditions)| *conditions);
        if let Some((filter, _)) = filter {
            step = step.with("Filter", filter);
        }
        if self.shown.verbose || summary.files < summary.files_of_table {
            step = step.with("Files", format!("{} of {}", summary.files, summary.files_of_table));
        }
        if self.shown.verbose {
            step = step.with("Format", config.file_source().file_type().to_owned());
            step = step.with("Size", crate::exec::explain::size(summary.bytes));
            step = step.with("Deleted rows", summary.deleted_rows.to_string());
            if let Partitioning::Hash(keys, slices) = plan.output_partitioning() {
                let keys: Vec<String> = keys.iter().map(|key| words(key, &own_name)).collect();
                step = step.with("Slices", format!("{slices} by {}", keys.join(", ")));
            }
            if let Some(order) = plan.output_ordering() {
                let keys: Vec<String> = order.iter().map(|key| words(&key.expr, &own_name)).collect();
                step = step.with("Order", keys.join(", "));
            }
        }
        Built::new(cost::scanned(step, read, conditions), columns)
    }

    fn external(&mut self, plan: &Plan, config: &FileScanConfig, filter: Option<(String, usize)>) -> Built {
        let summary = progress::summary::<ScanSummary>(config);
        let table = summary.map_or("files", |summary| summary.table.as_str());
        let name = bare(table);
        let (rows, read, columns) = self.expected(plan, name, filter.is_some());
        let mut object = if is_place(table) { String::new() } else { format!("{table} ") };
        if let Some(summary) = summary {
            object.extend(["location:\"", &summary.location, "\" "]);
        }
        object.extend(["format:", &config.file_source().file_type().to_uppercase()]);
        let files = Step { place: "", rows, object: Some(object), ..Step::new("S3 Seq Scan", Vec::new()) };
        let mut files = Step { table: Some(table.to_owned()), ..files };
        let conditions = filter.as_ref().map_or(0, |(_, conditions)| *conditions);
        if let Some((filter, _)) = filter {
            files = files.with("Filter", filter);
        }
        if let Some(summary) = summary {
            let size = crate::exec::explain::size(summary.bytes);
            files = files.with("Files", format!("{}, Size: {size}", summary.files));
        }
        let files = Built::new(cost::scanned(files, read, conditions), columns);
        let object = if is_place(name) { None } else { Some(quoted(name)) };
        let table = files.step.table.clone();
        let scan = Step { object, table, ..Step::new("S3 Query Scan", vec![files.step]) };
        let scan = Built::new(cost::taken(scan), files.columns);
        match summary.and_then(|summary| summary.partitions.map(|selected| (summary, selected))) {
            Some((summary, selected)) => scan.under(|scan| self.partition_loop(summary, selected, scan)),
            None => scan,
        }
    }

    /// The partitions that are looked at, and the scan of their files.
    fn partition_loop(&self, summary: &ScanSummary, selected: usize, scans: Vec<Step>) -> Step {
        let told = match self.partitions.get(&summary.table) {
            Some(total) => format!("{selected} of {total}"),
            None if summary.partitioned.is_some() => selected.to_string(),
            None => format!("{selected} (projected)"),
        };
        let object = Some(format!("of {}", summary.table));
        let chosen = Step { object, rows: selected as f64, ..Step::new("Seq Scan PartitionInfo", Vec::new()) };
        let mut chosen = cost::scanned(chosen, selected as f64, 0).with("Partitions", told);
        chosen.actual = self.shown.counters.map(|_| Actual { rows: selected as u64, ..Actual::default() });
        let rows = scans.iter().map(|scan| scan.rows).sum();
        let steps = std::iter::once(chosen).chain(scans).collect();
        Step { rows, ..Step::new(PARTITION_LOOP, steps) }
    }

    /// A scan of a foreign system's table, and what the system is asked.
    pub(super) fn foreign(&mut self, plan: &Plan, scan: &ForeignScanExec) -> Built {
        let table = scan.table();
        let was_missing = self.missing.contains(&table.name);
        let (rows, read, columns) = self.expected(plan, &table.name, true);
        if !was_missing {
            // ANALYZE would not help.
            self.missing.remove(&table.name);
        }
        let object = Some(table.title());
        let qualified = Some(format!("{}.{}", table.schema, table.name));
        let mut step = Step { rows, object, table: qualified, ..Step::new("Foreign Scan", Vec::new()) };
        step = step.with("Remote", scan.remote());
        if self.shown.verbose {
            step = step.with("Splits", scan.splits().to_string());
            if let Some(order) = plan.output_ordering() {
                let keys: Vec<String> = order.iter().map(|key| words(&key.expr, &own_name)).collect();
                step = step.with("Order", keys.join(", "));
            }
        }
        Built::new(cost::scanned(step, read, 0), columns)
    }

    /// Aggregates that a foreign system computes.
    pub(super) fn foreign_aggregate(&mut self, plan: &Plan, aggregate: &ForeignAggregateExec) -> Built {
        let table = aggregate.table();
        let over_rows = aggregate.over_rows();
        let columns = columns_of(over_rows.input(), &table.name, None);
        let keys = !over_rows.group_expr().is_empty();
        let rows = if keys { rows::of_operator(plan).unwrap_or(UNKNOWN_ROWS) } else { 1. };
        let object = Some(table.title());
        let qualified = Some(format!("{}.{}", table.schema, table.name));
        let step = Step { rows, object, table: qualified, ..Step::new("Foreign Aggregate", Vec::new()) };
        Built::new(cost::scanned(step.with("Remote", aggregate.remote()), rows, 0), columns)
    }

    /// Rows in memory: a system table's, which the leader has, or those of VALUES.
    pub(super) fn in_memory(&mut self, plan: &Plan) -> Built {
        let schema = plan.schema();
        let table = self.rows.in_memory(&rows::names(&schema));
        let expected = rows::of_operator(plan).unwrap_or(UNKNOWN_ROWS);
        let columns = columns_of(plan, table.as_deref().unwrap_or_default(), None);
        let step = match table {
            Some(table) => {
                let object = Some(format!("on {}", quoted(&table)));
                Step { place: "LD", object, table: Some(table), ..Step::new("Seq Scan", Vec::new()) }
            }
            None => Step::new("Values Scan", Vec::new()),
        };
        Built::new(cost::scanned(Step { rows: expected, ..step }, expected, 0), columns)
    }

    /// The rows that a scan gives, those that it reads, and its columns.
    fn expected(&mut self, plan: &Plan, table: &str, filtered: bool) -> (f64, f64, Vec<Output>) {
        let names = rows::names(&plan.schema());
        let estimate = self.rows.scan(table, &names, filtered);
        let read = rows::of_operator(plan);
        let known = estimate.as_ref().filter(|estimate| estimate.known).map(|estimate| estimate.rows);
        if read.is_none() && known.is_none() {
            self.missing.insert(table.to_owned());
        }
        let read = read.or(known).unwrap_or(UNKNOWN_ROWS);
        (known.unwrap_or(read).min(read), read, columns_of(plan, table, estimate.as_ref()))
    }
}

/// The columns of a scan, with their table, and what it computes of them.
fn columns_of(plan: &Plan, table: &str, estimate: Option<&NodeEstimate>) -> Vec<Output> {
    let projection = progress::file_scan(plan).and_then(|config| config.file_source().projection());
    let computed = |at: usize| {
        let expr = &projection?.as_ref().get(at)?.expr;
        compared(expr).downcast_ref::<Column>().is_none().then(|| words(expr, &own_name))
    };
    // The name of what is computed is no column's.
    let own = |at: usize| {
        let expr = &projection?.as_ref().get(at)?.expr;
        compared(expr).downcast_ref::<Column>().filter(|_| expr.downcast_ref::<Column>().is_none())
    };
    let column = |(at, field): (usize, &datafusion::arrow::datatypes::FieldRef)| {
        if let Some(plain) = computed(at) {
            let width = value_width(field.data_type());
            return Output { qualified: plain.clone(), plain, is_column: false, width };
        }
        let name = own(at).map_or(field.name().as_str(), Column::name);
        let plain = quoted(name);
        let place = estimate.and_then(|known| known.names.iter().position(|known| known == name));
        let width = estimate.zip(place).and_then(|(known, place)| known.widths.get(place).copied());
        let qualified =
            if table.is_empty() || is_place(table) { plain.clone() } else { format!("{}.{plain}", quoted(table)) };
        let width = width.unwrap_or_else(|| value_width(field.data_type()));
        Output { plain, qualified, is_column: true, width }
    };
    plan.schema().fields().iter().enumerate().map(column).collect()
}

/// What a scan leaves out, and how many conditions that is; what joins and sorts will find out is not known yet.
fn filter_of(config: &FileScanConfig) -> Option<(String, usize)> {
    let filter = config.file_source().filter()?;
    let parts: Vec<_> = split_conjunction(&filter)
        .into_iter()
        .filter(|part| !DynamicFilterTracking::classify(part).contains_dynamic_filter())
        .cloned()
        .collect();
    let count = parts.len();
    Some((words(&conjunction_opt(parts)?, &own_name), count))
}

/// A table's name without its schema; the place of a direct query as it is.
fn bare(table: &str) -> &str {
    if is_place(table) { table } else { table.split_once('.').map_or(table, |(_, name)| name) }
}

fn is_place(table: &str) -> bool {
    table.contains("://")
}

/// The scan that a step is, with its partitions or without.
pub(super) fn scan_of(step: &mut Step) -> Option<&mut Step> {
    if step.name == PARTITION_LOOP {
        return step.children.last_mut().and_then(scan_of);
    }
    (step.name.ends_with("Scan") && step.name != "Subquery Scan").then_some(step)
}

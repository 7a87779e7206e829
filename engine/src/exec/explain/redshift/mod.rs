//! A physical plan in Redshift's steps: operators that are one thing in Redshift's words become one step, those that
//! its plans do not show are gone.
//!
//! Columns are followed from scans upwards, so that a key is shown as what it is computed of, not by the name that an
//! operator gave it.

mod actual;
mod cost;
mod detail;
mod group;
mod join;
mod rows;
mod scan;
mod words;

pub(super) use actual::Counters;

use super::step::{Actual, Part, Step};
use crate::error::Result;
use crate::exec::progress;
use crate::federated::{ForeignAggregateExec, ForeignScanExec};
use crate::lake::table::ScanSummary;
use crate::optimize::{self, JoinEstimates, NodeKind, value_width};
use crate::physical::aggregate_of;
use crate::session::Context;
use datafusion::arrow::datatypes::Schema;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, split_conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use words::{compared, words};

type Plan = Arc<dyn ExecutionPlan>;

/// The rows that pass a filter of which nothing is known.
const PASSES: f64 = 1. / 3.;

/// Steps that give the columns that they are given.
const HANDS_ON: [&str; 5] = ["Merge", "Network", "Sort", "Limit", "Subquery Scan"];

/// Levels of a plan for which any stack has room.
const SHALLOW: usize = 50;

/// The steps of a plan.
pub(super) async fn part(
    context: &Context,
    name: Option<&'static str>,
    (logical, physical, joins): (&LogicalPlan, &Plan, &JoinEstimates),
    shown: Shown<'_>,
) -> Result<Part> {
    let optimized = crate::plan::with_room(|| context.state().optimize(logical))?;
    let nodes = optimize::node_estimates(&optimized, context.state()).await?;
    let mut builder = Builder {
        rows: rows::Rows::new(nodes, physical, joins),
        partitions: partitions(context, physical).await?,
        slices: context.state().config().target_partitions(),
        qualify: scans(physical) > 1,
        shown,
        missing: BTreeSet::new(),
        nested_loop: false,
    };
    let at = At { root: true, ..At::default() };
    let mut root = crate::plan::with_room(|| builder.build(physical, at)).step;
    if !shown.costs {
        root.hide_costs();
    }
    Ok(Part { name, root, alerts: builder.alerts() })
}

/// The steps of a plan that has run, with what they did, for the journal.
pub(super) fn done(physical: &Plan, slices: usize, counters: &Counters) -> Step {
    ran(physical, slices, Shown { costs: true, verbose: false, counters: Some(counters) }).root
}

/// The same as they are shown: estimated by the operators' own statistics.
pub(super) fn ran(physical: &Plan, slices: usize, shown: Shown<'_>) -> Part {
    let mut builder = Builder {
        rows: rows::Rows::new(Vec::new(), physical, &JoinEstimates::default()),
        partitions: HashMap::new(),
        slices,
        qualify: scans(physical) > 1,
        shown,
        missing: BTreeSet::new(),
        nested_loop: false,
    };
    let at = At { root: true, ..At::default() };
    // Room for the deepest plans is not free.
    let built = if is_deep(physical, SHALLOW) {
        crate::plan::with_room(|| builder.build(physical, at))
    } else {
        builder.build(physical, at)
    };
    let mut root = built.step;
    if !shown.costs {
        root.hide_costs();
    }
    Part { name: None, root, alerts: builder.alerts() }
}

/// Whether a plan has more levels than this.
fn is_deep(plan: &Plan, levels: usize) -> bool {
    levels == 0 || plan.children().into_iter().any(|child| is_deep(child, levels - 1))
}

/// How many partitions the tables have of which some are read.
async fn partitions(context: &Context, physical: &Plan) -> Result<HashMap<String, u64>> {
    let mut tables = Vec::new();
    let mut plans = vec![physical];
    while let Some(plan) = plans.pop() {
        let summary = progress::file_scan(plan).and_then(progress::summary::<ScanSummary>);
        if let Some((summary, table)) = summary.and_then(|summary| summary.partitioned.as_ref().map(|of| (summary, of)))
        {
            tables.push((summary.table.clone(), Arc::clone(table)));
        }
        plans.extend(plan.children());
    }
    let mut counts = HashMap::new();
    for (name, table) in tables {
        counts.insert(name, context.catalog().partition_count(&table).await?);
    }
    Ok(counts)
}

fn scans(plan: &Plan) -> usize {
    let is_scan = plan.is::<DataSourceExec>() || plan.is::<ForeignScanExec>() || plan.is::<ForeignAggregateExec>();
    usize::from(is_scan) + plan.children().into_iter().map(scans).sum::<usize>()
}

/// A column of a step: what it is computed of, with and without the table that it comes from.
#[derive(Debug, Clone)]
struct Output {
    plain: String,
    qualified: String,
    /// Whether it is a table's column as it is.
    is_column: bool,
    /// Bytes of a value.
    width: f64,
}

impl Output {
    fn named(&self, qualify: bool) -> String {
        if qualify { self.qualified.clone() } else { self.plain.clone() }
    }
}

/// How columns of an operator's input are named.
fn naming(columns: &[Output], qualify: bool) -> impl Fn(&Column) -> String + '_ {
    move |column| match columns.get(column.index()) {
        Some(output) => output.named(qualify),
        None => words::own_name(column),
    }
}

/// A step and its columns.
struct Built {
    step: Step,
    columns: Vec<Output>,
}

impl Built {
    /// A step that is as wide as its columns.
    fn new(mut step: Step, columns: Vec<Output>) -> Self {
        step.width = columns.iter().fold(0., |width, column| width + column.width);
        Self { step, columns }
    }

    /// Under another step with the same columns.
    fn under(self, step: impl FnOnce(Vec<Step>) -> Step) -> Self {
        Self { step: step(vec![self.step]), columns: self.columns }
    }
}

/// Where an operator stands.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    /// Its rows go to the client.
    root: bool,
    /// A limit above takes so many.
    limited: Option<usize>,
    /// What stands above tells of the exchange below it.
    counted: bool,
}

/// What is shown beside the steps and their estimates.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Costs, rows and widths.
    pub(super) costs: bool,
    /// What each step computes, and more of scans.
    pub(super) verbose: bool,
    /// What the plan did, if it ran.
    pub(super) counters: Option<&'a Counters>,
}

struct Builder<'a> {
    rows: rows::Rows,
    /// Of external tables, by their name.
    partitions: HashMap<String, u64>,
    slices: usize,
    /// Whether keys are shown with their table: where there are several.
    qualify: bool,
    shown: Shown<'a>,
    /// Tables that told nothing of their rows.
    missing: BTreeSet<String>,
    nested_loop: bool,
}

impl Builder<'_> {
    /// What a person should look at in what was built.
    fn alerts(&self) -> Vec<String> {
        let mut alerts = Vec::new();
        if self.nested_loop {
            let advice = "review the join predicates to avoid Cartesian products";
            alerts.push(format!("Nested Loop Join in the query plan - {advice}"));
        }
        if !self.missing.is_empty() {
            let tables: Vec<&str> = self.missing.iter().map(String::as_str).collect();
            alerts.push(format!("Tables missing statistics: {}", tables.join(", ")));
            alerts.push("Update statistics by running the ANALYZE command on these tables".to_owned());
        }
        alerts
    }

    /// The steps of an operator and all below it.
    fn build(&mut self, plan: &Plan, at: At) -> Built {
        let is_limit = plan.is::<GlobalLimitExec>() || plan.is::<LocalLimitExec>();
        let limit = plan.fetch().filter(|fetch| !is_limit && at.limited.is_none_or(|limited| limited > *fetch));
        let at = if limit.is_some() { At { limited: limit, ..at } } else { at };
        let mut built = self.node(plan, at);
        if let Some(counters) = self.shown.counters {
            actual::note(&mut built.step, counters.of(plan));
        }
        if limit.is_some() {
            built = limited(built, limit);
            if let Some(counters) = self.shown.counters {
                let Actual { rows, .. } = counters.of(plan);
                built.step.actual = Some(Actual { rows, ..Actual::default() });
            }
        }
        if self.shown.verbose {
            let columns = built.columns.iter().map(|column| column.named(self.qualify));
            name_output(&mut built.step, &columns.collect::<Vec<_>>().join(", "));
        }
        built
    }

    fn node(&mut self, plan: &Plan, at: At) -> Built {
        if let Some(config) = progress::file_scan(plan) {
            return self.scan(plan, config);
        }
        if plan.is::<DataSourceExec>() {
            return self.in_memory(plan);
        }
        if let Some(scan) = plan.downcast_ref::<ForeignScanExec>() {
            return self.foreign(plan, scan);
        }
        if let Some(aggregate) = plan.downcast_ref::<ForeignAggregateExec>() {
            return self.foreign_aggregate(plan, aggregate);
        }
        if let Some(aggregate) = aggregate_of(plan.as_ref()) {
            return self.group(plan, aggregate);
        }
        if let Some(filter) = plan.downcast_ref::<FilterExec>() {
            return self.filter(filter, At { limited: None, ..at });
        }
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let below = self.build(projection.input(), at);
            let schema = projection.input().schema();
            let columns = projection.expr().iter();
            let columns = columns.map(|to| self.computed(&to.expr, &below.columns, &schema)).collect();
            return Built::new(below.step, columns);
        }
        if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
            let taken = limit.fetch().map(|fetch| fetch.saturating_add(limit.skip()));
            let below = self.build(limit.input(), At { limited: taken, ..at });
            return limited(below, limit.fetch());
        }
        if let Some(limit) = plan.downcast_ref::<LocalLimitExec>() {
            let is_told = at.limited.is_some_and(|limited| limited <= limit.fetch());
            let below = self.build(limit.input(), At { limited: Some(limit.fetch()), ..at });
            return if is_told { below } else { limited(below, Some(limit.fetch())) };
        }
        if let Some(sort) = plan.downcast_ref::<SortExec>() {
            let below = self.build(sort.input(), At { root: false, limited: None, counted: at.counted || at.root });
            let keys = self.keys(sort.expr(), &below.columns);
            let sorted = below.under(|below| cost::sorted(Step::new("Sort", below)).with("Sort Key", keys.clone()));
            return if at.root { merged(sorted, keys, "Send to leader") } else { sorted };
        }
        if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            let below = self.build(merge.input(), At { root: false, counted: true, ..at });
            let keys = self.keys(merge.expr(), &below.columns);
            return merged(below, keys, if at.root { "Send to leader" } else { "Send to slice 0" });
        }
        if let Some(gather) = plan.downcast_ref::<CoalescePartitionsExec>() {
            let below = self.build(gather.children()[0], at);
            return if at.root || at.counted { below } else { network(below, "Send to slice 0") };
        }
        if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
            let below = self.build(exchange.input(), at);
            let by_hash = matches!(exchange.partitioning(), Partitioning::Hash(..));
            return if by_hash && !at.counted { network(below, "Distribute") } else { below };
        }
        if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
            return self.window(window.window_expr(), window.input());
        }
        if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
            return self.window(window.window_expr(), window.input());
        }
        if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
            return self.append(plan, at);
        }
        if let Some(subqueries) = plan.downcast_ref::<ScalarSubqueryExec>() {
            let mut below = self.build(subqueries.input(), at);
            for subquery in subqueries.subqueries() {
                let step = self.build(&subquery.plan, At { counted: true, ..At::default() }).step;
                below.step.children.push(Step { relation: Some("InitPlan"), ..step });
            }
            return below;
        }
        if plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>() {
            let rows = if plan.is::<EmptyExec>() { 0. } else { 1. };
            let step = Step { rows, ..Step::new("Result", Vec::new()) }.costing(0., 0.01 * rows);
            let step = if rows == 0. { step.with("One-Time Filter", "false") } else { step };
            return Built::new(step, self.fields(plan));
        }
        if let Some(join) = self.join(plan) {
            return join;
        }
        self.other(plan, at)
    }

    /// An operator without a word in Redshift: shown by its own name where it has several inputs or changes columns.
    fn other(&mut self, plan: &Plan, at: At) -> Built {
        let children = plan.children();
        if let [child] = children.as_slice()
            && child.schema().fields() == plan.schema().fields()
        {
            return self.build(child, at);
        }
        let at = At { counted: true, ..At::default() };
        let steps = children.into_iter().map(|child| self.build(child, at).step).collect();
        let name = plan.name();
        let mut step = Step::new(name.strip_suffix("Exec").unwrap_or(name), steps);
        step.rows = rows::of_operator(plan).unwrap_or(step.rows);
        Built::new(step, self.fields(plan))
    }

    /// Columns of which only their names are known.
    fn fields(&self, plan: &Plan) -> Vec<Output> {
        let output = |field: &datafusion::arrow::datatypes::FieldRef| {
            let plain = crate::system::quoted(field.name());
            Output { qualified: plain.clone(), plain, is_column: true, width: value_width(field.data_type()) }
        };
        plan.schema().fields().iter().map(output).collect()
    }

    fn filter(&mut self, filter: &FilterExec, at: At) -> Built {
        let mut below = self.build(filter.input(), at);
        let scan = scan::scan_of(&mut below.step);
        let is_scan = scan.is_some();
        // What a scan was given to leave out rows by.
        let given: Vec<String> = scan
            .iter()
            .flat_map(|scan| std::iter::once(&**scan).chain(&scan.children))
            .flat_map(|step| step.details.iter().filter(|(key, _)| *key == "Filter"))
            .map(|(_, given)| given.clone())
            .collect();
        let qualify = self.qualify && !is_scan;
        let parts = split_conjunction(filter.predicate()).into_iter();
        let parts: Vec<String> = parts.map(|part| words(part, &naming(&below.columns, qualify))).collect();
        let told = |part: &String| given.iter().any(|given| given.contains(part));
        let parts: Vec<String> = parts.iter().filter(|part| !told(part)).cloned().collect();
        let names = rows::names(&filter.input().schema());
        let before = below.step.rows;
        let expected = match self.rows.node(&NodeKind::Filter, &names) {
            Some(rows) => rows.min(before),
            // A scan's estimate speaks of its filter.
            None if is_scan => before,
            None => before * PASSES,
        };
        let attaches = ["Scan", "Join", "Loop", "Aggregate", "Unique"];
        if !attaches.iter().any(|name| below.step.name.ends_with(name)) {
            below = below.under(|below| Step::new("Subquery Scan", below));
        }
        let Built { step, mut columns } = below;
        let mut step = cost::filtered(Step { rows: expected, ..step }, before);
        let shown = match parts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("({})", several.join(" AND "))),
        };
        if let Some(shown) = shown {
            let details = if is_scan { scan::scan_of(&mut step).map(|scan| &mut scan.details) } else { None };
            match details {
                Some(details) => details.push(("Filter", shown)),
                None => step.details.push(("Filter", shown)),
            }
        }
        if let Some(chosen) = filter.projection() {
            columns = chosen.iter().filter_map(|at| columns.get(*at).cloned()).collect();
        }
        Built::new(step, columns)
    }

    fn window(&mut self, functions: &[Arc<dyn WindowExpr>], input: &Plan) -> Built {
        let below = self.build(input, At::default());
        let shown = |key: &Arc<dyn PhysicalExpr>| words(key, &naming(&below.columns, self.qualify));
        let mut details = Vec::new();
        if let Some(function) = functions.first() {
            let partition: Vec<String> = function.partition_by().iter().map(shown).collect();
            let order: Vec<String> = function.order_by().iter().map(|key| shown(&key.expr)).collect();
            let lines = [("Partition", partition), ("Order", order)];
            details
                .extend(lines.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(key, by)| (key, by.join(", "))));
        }
        let more: Vec<Output> = functions.iter().map(|function| window_column(function.as_ref())).collect();
        let Built { step, mut columns } = below;
        columns.extend(more);
        let step = cost::windowed(Step { details, ..Step::new("Window", vec![step]) });
        Built::new(step, columns)
    }

    fn append(&mut self, plan: &Plan, at: At) -> Built {
        let at = At { limited: None, counted: at.counted || at.root, root: false };
        let mut columns = Vec::new();
        let mut steps = Vec::new();
        for (number, child) in plan.children().into_iter().enumerate() {
            let below = self.build(child, at);
            if number == 0 {
                columns.clone_from(&below.columns);
            }
            steps.push(subquery(below.step, number));
        }
        let rows = steps.iter().map(|step| step.rows).sum();
        let startup = steps.first().map_or(0., |step| step.startup);
        let step = Step::new("Append", steps);
        let total = step.total;
        Built::new(Step { rows, ..step }.costing(startup, total), columns)
    }

    /// What an expression over columns becomes.
    fn computed(&self, expr: &Arc<dyn PhysicalExpr>, columns: &[Output], schema: &Schema) -> Output {
        if let Some(output) = compared(expr).downcast_ref::<Column>().and_then(|column| columns.get(column.index())) {
            return output.clone();
        }
        let (plain, qualified) = (words(expr, &naming(columns, false)), words(expr, &naming(columns, true)));
        let width = expr.data_type(schema).map_or(8., |data_type| value_width(&data_type));
        Output { plain, qualified, is_column: false, width }
    }

    fn keys(&self, order: &LexOrdering, columns: &[Output]) -> String {
        let named = naming(columns, self.qualify);
        order.iter().map(|key| words(&key.expr, &named)).collect::<Vec<_>>().join(", ")
    }
}

/// Tells what a step and those below it that only hand its rows on compute.
fn name_output(step: &mut Step, columns: &str) {
    if step.output.is_none() && !columns.is_empty() {
        step.output = Some(columns.to_owned());
        if let [below] = step.children.as_mut_slice()
            && HANDS_ON.contains(&step.name.as_str())
        {
            name_output(below, columns);
        }
    }
}

/// An input of a set operation.
fn subquery(below: Step, number: usize) -> Step {
    let object = Some(format!("\"*SELECT* {}\"", number + 1));
    let (actual, output) = (actual::handed_on(&below), below.output.clone());
    Step { object, output, actual, ..Step::new("Subquery Scan", vec![below]) }
}

fn limited(below: Built, fetch: Option<usize>) -> Built {
    below.under(|below| {
        let step = Step::new("Limit", below);
        let rows = fetch.map_or(step.rows, |fetch| fetch as f64);
        cost::limited(step, rows)
    })
}

/// What sorted slices become where they meet.
fn merged(below: Built, keys: String, to: &str) -> Built {
    network(below, to).under(|below| Step::new("Merge", below).with("Merge Key", keys))
}

fn network(below: Built, to: &str) -> Built {
    below.under(|below| Step::new("Network", below).with("", to))
}

/// `rank() OVER (?)`: the operator's name says more than a plan shows.
fn window_column(function: &dyn WindowExpr) -> Output {
    let name = function.name();
    let ends = [" PARTITION BY ", " ORDER BY ", " ROWS ", " RANGE ", " GROUPS "].map(|word| name.find(word));
    let end = ends.into_iter().flatten().min().unwrap_or(name.len());
    let plain = format!("{} OVER (?)", name.get(..end).unwrap_or(name));
    let width = function.field().map_or(8., |field| value_width(field.data_type()));
    Output { qualified: plain.clone(), plain, is_column: false, width }
}

//! Groupings: what operators do in two stages, before and after an exchange, is one step, as in Redshift.

use super::scan::PARTITION_LOOP;
use super::words::words;
use super::{At, Builder, Built, Output, Plan, actual, cost, rows};
use crate::exec::explain::step::{Actual, Step};
use crate::federated::ForeignAggregateExec;
use crate::optimize::{NodeKind, value_width};
use crate::physical::aggregate_of;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::InputOrderMode;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

impl Builder<'_> {
    /// A grouping, with the stage before its exchange.
    pub(super) fn group(&mut self, plan: &Plan, last: &AggregateExec) -> Built {
        let mut between = Vec::new();
        let first = match last.mode() {
            AggregateMode::Final | AggregateMode::FinalPartitioned => first_stage(last.input(), &mut between),
            _ => None,
        };
        let foreign = first.clone().filter(|first| first.is::<ForeignAggregateExec>());
        let first = first.as_ref().map_or(Some(last), |first| first_of(first)).unwrap_or(last);
        if std::ptr::eq(first, last) {
            between.clear();
        }
        if foreign.is_some() {
            // A step of its own.
            between.remove(0);
        }
        let mut below = self.build(foreign.as_ref().unwrap_or(first.input()), At::default());
        let columns = self.grouped_columns(first, &below.columns);

        let keys = !first.group_expr().is_empty();
        let is_sorted = [first, last].iter().any(|stage| *stage.input_order_mode() == InputOrderMode::Sorted);
        let name = match (keys, is_sorted, first.aggr_expr().is_empty()) {
            (false, ..) => "Aggregate",
            // DISTINCT, and UNION.
            (true, _, true) => "Unique",
            (true, true, false) => "GroupAggregate",
            (true, false, false) => "HashAggregate",
        };
        let expected = if keys {
            let names = rows::names(&plan.schema());
            let known = self.rows.node(&NodeKind::Aggregate, &names).or_else(|| rows::of_operator(plan));
            known.unwrap_or_else(|| below.step.rows.sqrt()).min(below.step.rows).max(1.)
        } else {
            1.
        };
        let mut did = self.shown.counters.and_then(|counters| counters.of_all(&between));
        if !std::ptr::eq(first, last) {
            let name = if keys { "HashAggregate" } else { "Aggregate" };
            below.step = at_files(below.step, name, expected, keys, &mut did);
        }
        let input = (below.step.startup, below.step.total, below.step.rows);
        let step = Step { rows: expected, ..Step::new(name, vec![below.step]) };
        let mut step = cost::grouped(step, input, keys, is_sorted && keys);
        step.actual = did;
        Built::new(step, columns)
    }

    fn grouped_columns(&self, stage: &AggregateExec, below: &[Output]) -> Vec<Output> {
        let schema = stage.input_schema();
        let mut columns = Vec::new();
        for (expr, _) in stage.group_expr().expr() {
            columns.push(self.computed(expr, below, &schema));
        }
        if stage.group_expr().has_grouping_set() {
            let plain = "grouping_id".to_owned();
            columns.push(Output { qualified: plain.clone(), plain, is_column: false, width: 4. });
        }
        for function in stage.aggr_expr() {
            let (plain, qualified) = (call(function, below, false), call(function, below, true));
            let width = value_width(function.field().data_type());
            columns.push(Output { plain, qualified, is_column: false, width });
        }
        columns
    }
}

/// Where a grouping before the exchange runs beside the files of an external table, it is a step there, and has done
/// what is told of it.
fn at_files(step: Step, name: &str, groups: f64, keys: bool, did: &mut Option<Actual>) -> Step {
    if step.name == PARTITION_LOOP {
        let mut looped = step;
        let Some(scan) = looped.children.pop() else { return looped };
        let scan = at_files(scan, name, groups, keys, did);
        let (startup, total) = (looped.startup, scan.total);
        let (rows, width, actual) = (scan.rows, scan.width, actual::handed_on(&scan));
        looped.children.push(scan);
        return Step { rows, width, actual, ..looped }.costing(startup, total);
    }
    if step.name != "S3 Query Scan" || step.details.iter().any(|(key, _)| *key == "Filter") {
        return step;
    }
    let mut step = step;
    let Some(files) = step.children.pop() else { return step };
    let input = (files.startup, files.total, files.rows);
    let width = files.width;
    let grouped = Step { place: "", rows: groups, width, ..Step::new(format!("S3 {name}"), vec![files]) };
    let grouped = Step { actual: did.take(), ..cost::grouped(grouped, input, keys, false) };
    let actual = actual::handed_on(&grouped);
    cost::taken(Step {
        object: step.object,
        table: step.table,
        details: step.details,
        actual,
        ..Step::new(step.name, vec![grouped])
    })
}

/// The stage before the exchange; it and what stands above it, lowest first.
fn first_stage(plan: &Plan, between: &mut Vec<Plan>) -> Option<Plan> {
    let found = find_first_stage(plan, between)?;
    between.push(std::sync::Arc::clone(plan));
    Some(found)
}

/// The aggregation that a first stage does, or a foreign system in its place.
fn first_of(plan: &Plan) -> Option<&AggregateExec> {
    let foreign = plan.downcast_ref::<ForeignAggregateExec>().map(ForeignAggregateExec::over_rows);
    foreign.or_else(|| aggregate_of(plan.as_ref()))
}

fn find_first_stage(plan: &Plan, between: &mut Vec<Plan>) -> Option<Plan> {
    if plan.is::<ForeignAggregateExec>() {
        return Some(std::sync::Arc::clone(plan));
    }
    if let Some(aggregate) = aggregate_of(plan.as_ref()) {
        let is_first = matches!(aggregate.mode(), AggregateMode::Partial);
        return is_first.then(|| std::sync::Arc::clone(plan));
    }
    let passes = plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<SortExec>()
        || plan.is::<CooperativeExec>();
    match plan.children().as_slice() {
        [child] if passes => first_stage(child, between),
        _ => None,
    }
}

/// `sum(sales.pricepaid)`, `count(DISTINCT a)`, `count(*)`.
fn call(function: &AggregateFunctionExpr, below: &[Output], qualify: bool) -> String {
    let arguments = function.expressions();
    let is_constant = |argument: &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
        argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
    };
    let name = function.fun().name().to_lowercase();
    if name == "count" && !function.is_distinct() && arguments.iter().all(is_constant) {
        return "count(*)".to_owned();
    }
    let named = super::naming(below, qualify);
    let arguments: Vec<String> = arguments.iter().map(|argument| words(argument, &named)).collect();
    let distinct = if function.is_distinct() { "DISTINCT " } else { "" };
    format!("{name}({distinct}{})", arguments.join(", "))
}

//! Groupings: what operators do in two stages, before and after an exchange, is one step, as in Redshift.

use super::words::words;
use super::{At, Builder, Built, Output, Plan, cost, rows};
use crate::exec::explain::step::Step;
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
        let first = match last.mode() {
            AggregateMode::Final | AggregateMode::FinalPartitioned => first_stage(last.input()),
            _ => None,
        };
        let first = first.as_ref().map_or(Some(last), |first| aggregate_of(first.as_ref())).unwrap_or(last);
        let mut below = self.build(first.input(), At::default());
        let columns = self.grouped_columns(first, &below.columns);

        let keys = !first.group_expr().is_empty();
        let is_sorted = [first, last].iter().any(|stage| *stage.input_order_mode() == InputOrderMode::Sorted);
        let name = match (keys, is_sorted, first.aggr_expr().is_empty()) {
            (false, ..) => "Aggregate",
            (true, true, true) => "Unique",
            (true, true, false) => "GroupAggregate",
            (true, false, _) => "HashAggregate",
        };
        let expected = if keys {
            let names = rows::names(&plan.schema());
            let known = self.rows.node(&NodeKind::Aggregate, &names).or_else(|| rows::of_operator(plan));
            known.unwrap_or_else(|| below.step.rows.sqrt()).min(below.step.rows).max(1.)
        } else {
            1.
        };
        if !std::ptr::eq(first, last) {
            below = at_files(below, name, expected, keys);
        }
        let input = (below.step.startup, below.step.total, below.step.rows);
        let step = Step { rows: expected, ..Step::new(name, vec![below.step]) };
        let sorted = is_sorted && keys;
        Built::new(cost::grouped(step, input, keys, sorted), columns)
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

/// Where a grouping before the exchange runs beside the files of an external table, it is a step there.
fn at_files(below: Built, name: &str, groups: f64, keys: bool) -> Built {
    let Built { mut step, columns } = below;
    if step.name != "S3 Query Scan" || step.details.iter().any(|(key, _)| *key == "Filter") {
        return Built { step, columns };
    }
    let Some(files) = step.children.pop() else { return Built { step, columns } };
    let input = (files.startup, files.total, files.rows);
    let width = files.width;
    let grouped = Step { place: "", rows: groups, width, ..Step::new(format!("S3 {name}"), vec![files]) };
    let grouped = cost::grouped(grouped, input, keys, false);
    let taken = Step { object: step.object, details: step.details, ..Step::new(step.name, vec![grouped]) };
    Built { step: cost::taken(taken), columns }
}

/// The stage before the exchange.
fn first_stage(plan: &Plan) -> Option<Plan> {
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
        [child] if passes => first_stage(child),
        _ => None,
    }
}

/// `sum(sales.pricepaid)`, `count(DISTINCT a)`, `count(*)`.
fn call(function: &AggregateFunctionExpr, below: &[Output], qualify: bool) -> String {
    let arguments = function.expressions();
    let is_constant = |argument: &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
        argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
    };
    let name = function.fun().name();
    if name == "count" && !function.is_distinct() && arguments.iter().all(is_constant) {
        return "count(*)".to_owned();
    }
    let named = super::naming(below, qualify);
    let arguments: Vec<String> = arguments.iter().map(|argument| words(argument, &named)).collect();
    let distinct = if function.is_distinct() { "DISTINCT " } else { "" };
    format!("{name}({distinct}{})", arguments.join(", "))
}

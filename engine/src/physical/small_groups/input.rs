//! What the operator's input need not compute, and need not give in 128 bits.
//!
//! An expression that stands in several arguments, `l_extendedprice * (1 - l_discount)`, is computed once by the input, as
//! an array of 128-bit values. The operator computes what is common once by itself, with 64 bits. And decimals that it
//! alone reads may come as a managed table's files have them.

use super::exec::functions;
use super::totals::Totals;
use crate::physical::arithmetic_of;
use crate::physical::decimal::Scaled;
use crate::physical::forward::Plan;
use crate::tables::{ManagedScan, Uncomputed, Unscaled};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, PhysicalGroupBy};
use datafusion::physical_plan::projection::ProjectionExec;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The aggregation over an input that does less, where there is one.
pub(super) fn with_less_input(aggregate: &AggregateExec) -> Result<Option<AggregateExec>> {
    let computing = without_arithmetic(aggregate)?;
    Ok(with_numbers(computing.as_ref().unwrap_or(aggregate))?.or(computing))
}

/// The aggregation with the arithmetic that its input does for it.
fn without_arithmetic(aggregate: &AggregateExec) -> Result<Option<AggregateExec>> {
    let Some(Uncomputed { input, given }) = arithmetic_above(aggregate.input())? else { return Ok(None) };
    let computed: BTreeSet<usize> = (0..given.len()).filter(|at| is_arithmetic(&given[*at])).collect();
    let elsewhere = Uses::of(aggregate)?.elsewhere;
    if !elsewhere.is_disjoint(&computed) {
        return Ok(None);
    }
    over(aggregate, input, |column| given.get(column.index()).cloned())
}

/// An input that does no decimal arithmetic, and what the former gave in terms of what it gives. `None` where there is no
/// arithmetic, or something else is computed.
fn arithmetic_above(input: &Plan) -> Result<Option<Uncomputed>> {
    let is_simple = |given: &[ProjectionExpr]| {
        given.iter().any(|given| is_arithmetic(&given.expr))
            && given.iter().all(|given| is_arithmetic_or_column(&given.expr))
    };
    if let Some(projection) = input.downcast_ref::<ProjectionExec>() {
        let given = projection.expr().iter().map(|given| Arc::clone(&given.expr)).collect();
        let input = Arc::clone(projection.input());
        return Ok(is_simple(projection.expr()).then_some(Uncomputed { input, given }));
    }
    match ManagedScan::of(input.as_ref()) {
        Some(scan) if is_simple(scan.given()) => scan.computing_nothing(),
        _ => Ok(None),
    }
}

fn is_arithmetic(expr: &Arc<dyn PhysicalExpr>) -> bool {
    arithmetic_of(expr.as_ref()).is_some()
}

fn is_arithmetic_or_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let is_operand = |expr: &Arc<dyn PhysicalExpr>| expr.is::<Literal>() || is_arithmetic_or_column(expr);
    expr.is::<Column>() || (is_arithmetic(expr) && expr.children().into_iter().all(is_operand))
}

/// The aggregation over a scan that gives decimals as numbers.
fn with_numbers(aggregate: &AggregateExec) -> Result<Option<AggregateExec>> {
    let input = aggregate.input();
    let Some(scan) = ManagedScan::of(input.as_ref()) else { return Ok(None) };
    let Uses { summed, elsewhere } = Uses::of(aggregate)?;
    let schema = input.schema();
    let form = |column: usize| {
        let chosen = summed.contains(&column) && !elsewhere.contains(&column) && scan.may_be_unscaled(column);
        if chosen { Unscaled::is_for(schema.field(column).data_type()) } else { None }
    };
    let forms: Vec<_> = (0..schema.fields().len()).map(form).collect();
    if forms.iter().all(Option::is_none) {
        return Ok(None);
    }
    let given = schema.fields().iter().enumerate().map(|(at, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), at));
        let given: Arc<dyn PhysicalExpr> = if forms[at].is_some() { Arc::new(Unscaled::new(column)) } else { column };
        ProjectionExpr::new(given, field.name().clone())
    });
    let projection = ProjectionExec::try_new(given, Arc::clone(input))?;
    let Some(input) = input.try_swapping_with_projection(&projection)? else { return Ok(None) };
    over(aggregate, input, |column| {
        let number: Arc<dyn PhysicalExpr> = Arc::new(column.clone());
        let decimal: Arc<dyn PhysicalExpr> = match forms.get(column.index())? {
            Some((precision, scale)) => Arc::new(Scaled::new(number, *precision, *scale)),
            None => number,
        };
        Some(decimal)
    })
}

/// Which columns of its input an aggregation uses for what.
struct Uses {
    /// In sums and counts that the operator does itself, as they are or below arithmetic.
    summed: BTreeSet<usize>,
    /// In all else.
    elsewhere: BTreeSet<usize>,
}

impl Uses {
    fn of(aggregate: &AggregateExec) -> Result<Self> {
        let functions = functions(aggregate)?;
        let totals = Totals::of(aggregate.aggr_expr(), &functions, &aggregate.input().schema())?;
        let mut uses = Self { summed: BTreeSet::new(), elsewhere: BTreeSet::new() };
        for (key, _) in aggregate.group_expr().expr() {
            uses.note_elsewhere(key);
        }
        for (at, function) in functions.iter().enumerate() {
            for argument in &function.arguments {
                if totals.does(at) { uses.note(argument) } else { uses.note_elsewhere(argument) }
            }
            if let Some(filter) = &function.filter {
                uses.note_elsewhere(filter);
            }
        }
        Ok(uses)
    }

    fn note(&mut self, expr: &Arc<dyn PhysicalExpr>) {
        if let Some(column) = expr.downcast_ref::<Column>() {
            self.summed.insert(column.index());
        } else if is_arithmetic(expr) {
            for operand in expr.children() {
                self.note(operand);
            }
        } else {
            self.note_elsewhere(expr);
        }
    }

    fn note_elsewhere(&mut self, expr: &Arc<dyn PhysicalExpr>) {
        self.elsewhere.extend(collect_columns(expr).iter().map(Column::index));
    }
}

/// An aggregation over another input, with something in each column's place; `None` where there is nothing for one.
fn over(
    aggregate: &AggregateExec,
    input: Plan,
    of: impl Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Option<AggregateExec>> {
    let mut keys = Vec::new();
    for (key, name) in aggregate.group_expr().expr() {
        let Some(key) = replaced(key, &of)? else { return Ok(None) };
        keys.push((key, name.clone()));
    }
    let mut functions = Vec::new();
    for function in aggregate.aggr_expr() {
        let arguments = function.expressions();
        let arguments = arguments.iter().map(|argument| replaced(argument, &of)).collect::<Result<Option<Vec<_>>>>()?;
        let Some(function) = arguments.and_then(|arguments| function.with_new_expressions(arguments, Vec::new()))
        else {
            return Ok(None);
        };
        functions.push(Arc::new(function));
    }
    let mut filters = Vec::new();
    for filter in aggregate.filter_expr() {
        let filter = filter.as_ref().map(|filter| replaced(filter, &of)).transpose()?;
        match filter {
            Some(None) => return Ok(None),
            Some(filter) => filters.push(filter),
            None => filters.push(None),
        }
    }
    let (keys, schema) = (PhysicalGroupBy::new_single(keys), input.schema());
    let new = AggregateExec::try_new(*aggregate.mode(), keys, functions, filters, input, schema)?;
    let is_same = new.schema() == aggregate.schema() && new.input_order_mode() == aggregate.input_order_mode();
    Ok(is_same.then_some(new))
}

/// An expression with something in each column's place; `None` where there is nothing for one.
fn replaced(
    expr: &Arc<dyn PhysicalExpr>,
    of: impl Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut is_whole = true;
    let new = Arc::clone(expr).transform_up(|node| {
        let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
        Ok(match of(column) {
            Some(new) => Transformed::yes(new),
            None => {
                is_whole = false;
                Transformed::no(node)
            }
        })
    });
    Ok(Some(new.data()?).filter(|_| is_whole))
}

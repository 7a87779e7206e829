//! The rule: which sums of a grouping share one, and what is computed of it above the grouping.

use super::linear::{Linear, is_sum};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::COUNT_STAR_EXPANSION;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, ExprSchemable, LogicalPlan, Operator, Projection, binary_expr, cast, lit,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The dialects' SUM; DataFusion's own is written otherwise.
const SUM: &str = "SUM";

/// Computes sums that differ in constants from one sum and one count.
#[derive(Debug)]
pub(in crate::optimize) struct ShiftedSums;

impl OptimizerRule for ShiftedSums {
    fn name(&self) -> &'static str {
        "shifted_sums"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(Transformed::no(plan)) };
        Ok(match rewritten(&aggregate)? {
            Some(plan) => Transformed::yes(plan),
            None => Transformed::no(LogicalPlan::Aggregate(aggregate)),
        })
    }
}

/// A sum of what may be shifted, with what it is computed from.
struct Sum {
    /// The sum of the base.
    plain: Expr,
    /// How many values that sum has.
    count: Expr,
    is_negated: bool,
    offset: i128,
    /// The sum's type.
    total: DataType,
}

impl Sum {
    fn of(expr: &Expr, total: &DataType, input: &DFSchema) -> Option<Self> {
        let sum = as_sum(expr)?;
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = &sum.params;
        let [argument] = args.as_slice() else { return None };
        let is_same_each_time = !filter.as_ref().is_some_and(|filter| filter.is_volatile());
        if *distinct || !order_by.is_empty() || null_treatment.is_some() || !is_same_each_time {
            return None;
        }
        let Linear { base, offset, data_type } = Linear::of(argument, input)?;
        let base = base?;
        let is_exact = matches!(
            (&data_type, total),
            (DataType::Int32, DataType::Int64)
                | (DataType::Int64 | DataType::Decimal128(..), DataType::Decimal128(38, _))
        );
        if !is_exact {
            return None;
        }
        let call = |func: Arc<AggregateUDF>, argument: Expr| {
            let params = AggregateFunctionParams { args: vec![argument], ..sum.params.clone() };
            Expr::AggregateFunction(AggregateFunction { func, params })
        };
        // The width says what a sum of whole numbers is; decimals of any width have the same.
        let summed = if data_type.is_integer() && base.data_type != data_type {
            cast(base.expr.clone(), data_type)
        } else {
            base.expr.clone()
        };
        let counted =
            if base.expr.nullable(input).ok()? { base.expr.clone() } else { Expr::Literal(COUNT_STAR_EXPANSION, None) };
        Some(Self {
            plain: call(Arc::clone(&sum.func), summed),
            count: call(count_udaf(), counted),
            is_negated: base.is_negated,
            offset,
            total: total.clone(),
        })
    }

    fn is_shifted(&self) -> bool {
        self.is_negated || self.offset != 0
    }

    /// The sum, of the columns of its base's sum and count.
    fn value(&self, plain: Expr, count: Expr) -> Expr {
        let (offset, count) = match &self.total {
            DataType::Decimal128(_, scale) => {
                (ScalarValue::Decimal128(Some(self.offset), 20, *scale), cast(count, DataType::Decimal128(20, 0)))
            }
            _ => (ScalarValue::Int64(Some(self.offset as i64)), count),
        };
        let constants = binary_expr(lit(offset), Operator::Multiply, count);
        if self.is_negated {
            binary_expr(constants, Operator::Minus, plain)
        } else {
            binary_expr(plain, Operator::Plus, constants)
        }
    }
}

/// A grouping with less to sum, and above it what it gave before; `None` where there is nothing to gain.
#[allow(clippy::mutable_key_type, reason = "what an expression says does not change")]
fn rewritten(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let functions = &aggregate.aggr_expr;
    if functions.len() < 2 || !functions.iter().any(may_be_shifted) {
        return Ok(None);
    }
    let keys = aggregate.schema.fields().len() - functions.len();
    let sum = |(at, function): (usize, &Expr)| {
        Sum::of(function, aggregate.schema.field(keys + at).data_type(), aggregate.input.schema())
    };
    let sums: Vec<Option<Sum>> = functions.iter().enumerate().map(sum).collect();
    let there: HashSet<&Expr> = functions.iter().map(unaliased).collect();
    let mut shared: HashMap<&Expr, usize> = HashMap::new();
    for sum in sums.iter().flatten() {
        *shared.entry(&sum.plain).or_default() += 1;
    }
    let pays = |sum: &Sum| shared[&sum.plain] + usize::from(there.contains(&sum.count)) > 1;
    if !sums.iter().flatten().any(|sum| sum.is_shifted() && pays(sum)) {
        return Ok(None);
    }

    let mut made: Vec<Expr> = Vec::new();
    let mut places: HashMap<Expr, usize> = HashMap::new();
    let mut place = |function: &Expr| {
        *places.entry(unaliased(function).clone()).or_insert_with(|| {
            made.push(function.clone());
            made.len() - 1
        })
    };
    // By function: where its value or its base's sum stands now, and how it comes of that and a count.
    let computed = functions.iter().zip(&sums).map(|(function, sum)| match sum {
        Some(sum) if pays(sum) && sum.is_shifted() => (place(&sum.plain), Some((sum, place(&sum.count)))),
        Some(sum) if pays(sum) => (place(&sum.plain), None),
        _ => (place(function), None),
    });
    let computed: Vec<_> = computed.collect();
    // Names do not show casts, so that two functions may have one; then all stays as it is.
    let Ok(made) = Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), made) else {
        return Ok(None);
    };
    let column = |at: usize| Expr::Column(Column::from(made.schema.qualified_field(at)));
    let mut items: Vec<Expr> = (0..keys).map(column).collect();
    for (at, (value, shift)) in computed.into_iter().enumerate() {
        let (relation, field) = aggregate.schema.qualified_field(keys + at);
        let value = match shift {
            Some((sum, count)) => sum.value(column(keys + value), column(keys + count)),
            None => column(keys + value),
        };
        let is_named_so = matches!(&value, Expr::Column(column) if *column == Column::from((relation, field)));
        items.push(if is_named_so { value } else { value.alias_qualified(relation.cloned(), field.name()) });
    }
    let projection = Projection::try_new(items, Arc::new(LogicalPlan::Aggregate(made)))?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

/// A function without the name that it is given.
fn unaliased(function: &Expr) -> &Expr {
    match function {
        Expr::Alias(alias) => unaliased(&alias.expr),
        function => function,
    }
}

fn as_sum(function: &Expr) -> Option<&AggregateFunction> {
    match unaliased(function) {
        Expr::AggregateFunction(sum) if sum.func.name() == SUM => Some(sum),
        _ => None,
    }
}

/// Whether a function is a sum of a sum or a difference.
fn may_be_shifted(function: &Expr) -> bool {
    let Some([argument]) = as_sum(function).map(|sum| sum.params.args.as_slice()) else { return false };
    let mut argument = argument;
    while let Expr::Cast(cast) = argument {
        argument = &cast.expr;
    }
    is_sum(argument)
}

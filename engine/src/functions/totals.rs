//! SUM and AVG with the dialects' result types, over DataFusion's.
//!
//! | | Redshift | Trino |
//! |-|-|-|
//! | SUM of SMALLINT, INTEGER | BIGINT | BIGINT |
//! | SUM of BIGINT | NUMERIC(38,0) | BIGINT, an error beyond it |
//! | SUM of DECIMAL(p,s) | NUMERIC(38,s) | DECIMAL(38,s) |
//! | AVG of integers | BIGINT, cut | DOUBLE |
//! | AVG of DECIMAL(p,s) | NUMERIC(38,s), cut | DECIMAL(p,s), rounded |
//! | SUM, AVG of REAL | DOUBLE PRECISION | REAL |
//! | SUM, AVG of a qualified interval | the same, cut | rounded |
//!
//! Nothing wraps: a BIGINT is summed with 128 bits, without groups by [`super::whole_total`]. By group,
//! [`super::decimal_totals`] sums decimals and 64-bit integers.

use super::arithmetic::out_of_range;
use super::decimal_totals::{self, DecimalTotals};
use super::intervals::is_qualified;
use super::whole_total::WholeTotal;
use crate::interval;
use crate::sql::{Dialect, Digits, IntervalStyle};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, Field, FieldRef, IntervalUnit, TimeUnit,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};
use std::sync::Arc;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Avg,
}

/// SUM and AVG of a dialect.
pub(super) fn functions(dialect: Dialect) -> Vec<AggregateUDF> {
    let make = |kind| {
        AggregateUDF::new_from_impl(Total { kind, dialect, signature: Signature::user_defined(Volatility::Immutable) })
    };
    vec![make(Kind::Sum), make(Kind::Avg)]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    kind: Kind,
    dialect: Dialect,
    signature: Signature,
}

/// How DataFusion's function is used for an argument of a type.
struct Plan {
    /// What its argument is turned into.
    input: DataType,
    /// What it gives.
    inner: DataType,
    /// What that is turned into.
    output: DataType,
}

impl Total {
    fn plan(&self, argument: &DataType) -> Result<Plan> {
        let rules = self.dialect.rules();
        let decimal = DataType::Decimal128;
        let plan = |input: DataType, inner: DataType, output: DataType| Ok(Plan { input, inner, output });
        match (self.kind, argument) {
            (Kind::Sum, DataType::Int32) => plan(DataType::Int64, DataType::Int64, DataType::Int64),
            (Kind::Sum, DataType::Int64) if rules.integer_average => {
                plan(decimal(19, 0), decimal(38, 0), decimal(38, 0))
            }
            (Kind::Sum, DataType::Int64) => plan(decimal(19, 0), decimal(38, 0), DataType::Int64),
            (Kind::Sum, DataType::Decimal128(_, scale)) => {
                plan(argument.clone(), decimal(38, *scale), decimal(38, *scale))
            }
            // One digit more says how to round.
            (Kind::Avg, DataType::Interval(IntervalUnit::YearMonth) | DataType::Duration(TimeUnit::Microsecond))
                if rules.interval_style == IntervalStyle::Trino =>
            {
                plan(decimal(19, 0), decimal(38, 1), argument.clone())
            }
            // Months and microseconds are counted as whole numbers are.
            (_, DataType::Interval(IntervalUnit::YearMonth) | DataType::Duration(TimeUnit::Microsecond)) => {
                plan(decimal(19, 0), decimal(38, 0), argument.clone())
            }
            (Kind::Avg, DataType::Int64) => plan(decimal(19, 0), decimal(38, 0), DataType::Int64),
            (Kind::Avg, DataType::Decimal128(precision, scale)) => match rules.quotient {
                Digits::Cut => plan(argument.clone(), decimal(38, *scale), decimal(38, *scale)),
                // One digit more says how to round.
                Digits::Round => {
                    let inner = decimal(38, scale.saturating_add(1).min(38));
                    plan(argument.clone(), inner, decimal(*precision, *scale))
                }
            },
            (_, DataType::Float32) => plan(DataType::Float64, DataType::Float64, DataType::Float32),
            _ => {
                let given = self.inner().return_type(std::slice::from_ref(argument))?;
                plan(argument.clone(), given.clone(), given)
            }
        }
    }

    fn total(&self) -> decimal_totals::Total {
        match self.kind {
            Kind::Sum => decimal_totals::Total::Sum,
            Kind::Avg => decimal_totals::Total::Average,
        }
    }

    fn inner(&self) -> Arc<AggregateUDF> {
        match self.kind {
            Kind::Sum => sum_udaf(),
            Kind::Avg => avg_udaf(),
        }
    }

    /// Calls something of DataFusion's function with the types that it is used with.
    fn with<T>(
        &self,
        args: AccumulatorArgs<'_>,
        call: impl FnOnce(&AggregateUDF, AccumulatorArgs<'_>) -> T,
    ) -> Result<(T, Plan)> {
        let plan = self.plan(args.expr_fields[0].data_type())?;
        let mut fields: Vec<FieldRef> = args.expr_fields.to_vec();
        fields[0] = retyped(&fields[0], &plan.input);
        let return_field = retyped(&args.return_field, &plan.inner);
        let called = call(&self.inner(), AccumulatorArgs { return_field, expr_fields: &fields, ..args });
        Ok((called, plan))
    }
}

fn retyped(field: &FieldRef, data_type: &DataType) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(data_type.clone()))
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &'static str {
        match self.kind {
            // Not "sum": DataFusion sums a function of that name in two steps beside a DISTINCT, which a sum of another
            // type than its argument does not bear.
            Kind::Sum => "SUM",
            Kind::Avg => "avg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let doubles = self.kind == Kind::Avg && !self.dialect.rules().integer_average;
        let wrong = || {
            let types: Vec<String> = args.iter().map(super::kernel::shown_type).collect();
            let message = format!("function {}({}) does not exist", self.name().to_lowercase(), types.join(", "));
            crate::error::Error::new(crate::error::ErrorKind::UndefinedFunction, message)
        };
        let [argument] = args else { return Err(wrong().into()) };
        let coerced = match argument {
            DataType::Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            integer if integer.is_integer() && doubles => DataType::Float64,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16
                if self.kind == Kind::Sum =>
            {
                DataType::Int32
            }
            integer if integer.is_integer() => DataType::Int64,
            DataType::Float32 if self.dialect.rules().real_totals => DataType::Float32,
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => DataType::Float64,
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                DataType::Decimal128(*precision, *scale)
            }
            DataType::Interval(IntervalUnit::DayTime | IntervalUnit::MonthDayNano) if self.kind == Kind::Avg => {
                return Err(wrong().into());
            }
            DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Duration(_) | DataType::Interval(_) => {
                argument.clone()
            }
            _ => return Err(wrong().into()),
        };
        Ok(vec![coerced])
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(self.plan(args.first().unwrap_or(&DataType::Null))?.output)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (argument, is_distinct) = (args.expr_fields[0].data_type().clone(), args.is_distinct);
        let (inner, plan) = self.with(args, AggregateUDF::accumulator)?;
        if !is_distinct && let Some(ours) = WholeTotal::of(self.total(), &argument) {
            let plan = Plan { input: argument, ..plan };
            return Ok(Box::new(Converted { inner: Box::new(ours), plan }));
        }
        Ok(Box::new(Converted { inner: inner?, plan }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (inner, plan) = self.with(args, datafusion::logical_expr::AggregateUDF::create_sliding_accumulator)?;
        Ok(Box::new(Converted { inner: inner?, plan }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.with(args, datafusion::logical_expr::AggregateUDF::groups_accumulator_supported)
            .is_ok_and(|(supported, _)| supported)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let argument = args.expr_fields[0].data_type().clone();
        let (inner, plan) = self.with(args, datafusion::logical_expr::AggregateUDF::create_groups_accumulator)?;
        if let Some(ours) = DecimalTotals::of(self.total(), &argument, &plan.inner) {
            let plan = Plan { input: argument, ..plan };
            return Ok(Box::new(ConvertedGroups { inner: Box::new(ours), plan }));
        }
        // Nothing to convert: DataFusion's own is as fast as it can be.
        let inner = inner?;
        Ok(if plan.inner == plan.output && !plan.converts() {
            inner
        } else {
            Box::new(ConvertedGroups { inner, plan })
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let plan = self.plan(args.input_fields[0].data_type())?;
        let mut fields: Vec<FieldRef> = args.input_fields.to_vec();
        fields[0] = retyped(&fields[0], &plan.input);
        let return_field = retyped(&args.return_field, &plan.inner);
        self.inner().state_fields(StateFieldsArgs { input_fields: &fields, return_field, ..args })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

impl Plan {
    /// Whether arguments are of another type than DataFusion's function gets.
    fn converts(&self) -> bool {
        self.input == DataType::Decimal128(19, 0) || self.input == DataType::Int64
    }

    fn inputs(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let convert = |value: &ArrayRef| {
            if *value.data_type() == self.input {
                Ok(Arc::clone(value))
            } else {
                cast(&interval::as_integers(value), &self.input)
            }
        };
        Ok(values.iter().map(convert).collect::<std::result::Result<_, _>>()?)
    }

    fn result(&self, array: ArrayRef) -> Result<ArrayRef> {
        if array.as_primitive_opt::<Decimal128Type>().is_some_and(decimal_totals::is_past_38_digits) {
            return Err(out_of_range(&self.output).into());
        }
        if *array.data_type() == self.output {
            return Ok(array);
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        if is_qualified(&self.output) {
            let months = self.output == DataType::Interval(IntervalUnit::YearMonth);
            let whole = if months { DataType::Int32 } else { DataType::Int64 };
            let rounded = cast_with_options(&array, &DataType::Decimal128(38, 0), &options)?;
            let whole = cast_with_options(&rounded, &whole, &options).map_err(|_| interval::out_of_range())?;
            let values = cast(&whole, &self.output)?;
            // Trino counts milliseconds.
            return Ok(match values.as_primitive_opt::<DurationMicrosecondType>() {
                Some(micros) if self.inner == DataType::Decimal128(38, 1) => Arc::new(
                    micros.unary::<_, DurationMicrosecondType>(|micros| (micros + 500).div_euclid(1_000) * 1_000),
                ),
                _ => values,
            });
        }
        Ok(cast_with_options(&array, &self.output, &options).map_err(|_| out_of_range(&self.output))?)
    }
}

#[derive(Debug)]
struct Converted {
    inner: Box<dyn Accumulator>,
    plan: Plan,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.inner, self.output)
    }
}

impl Accumulator for Converted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&self.plan.inputs(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let array = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.plan.result(array)?, 0)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&self.plan.inputs(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

struct ConvertedGroups {
    inner: Box<dyn GroupsAccumulator>,
    plan: Plan,
}

impl GroupsAccumulator for ConvertedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.inner.update_batch(&self.plan.inputs(values)?, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let array = self.inner.evaluate(emit_to)?;
        self.plan.result(array)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(values, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.plan.inputs(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

//! Which groupings are rewritten, and that values are those of the rows, added up by Rust.
#![allow(clippy::unwrap_used)]

use super::ShiftedSums;
use crate::builtin;
use crate::functions;
use crate::sql::Dialect;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int16Array, Int32Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::functions_aggregate::count::{count, count_all};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, lit};
use datafusion::optimizer::{OptimizerContext, OptimizerRule};
use datafusion::prelude::SessionContext;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// One row: a key, a SMALLINT, one that is NOT NULL, an INTEGER, cents.
#[derive(Debug, Clone, Copy)]
struct Row {
    g: i32,
    s: Option<i16>,
    k: i16,
    i: Option<i32>,
    d: Option<i128>,
}

fn scan(rows: &[Row]) -> LogicalPlanBuilder {
    let field = |name: &str, data_type: DataType, nullable: bool| Field::new(name, data_type, nullable);
    let schema = Arc::new(Schema::new(vec![
        field("g", DataType::Int32, false),
        field("s", DataType::Int16, true),
        field("k", DataType::Int16, false),
        field("i", DataType::Int32, true),
        field("d", DataType::Decimal128(12, 2), true),
        field("b", DataType::Int64, true),
        field("f", DataType::Float64, true),
        field("wide", DataType::Decimal128(18, 2), true),
    ]));
    let part = |rows: &[Row]| {
        let decimal = |digits: u8| {
            let values: Decimal128Array = rows.iter().map(|row| row.d).collect();
            Arc::new(values.with_precision_and_scale(digits, 2).unwrap()) as ArrayRef
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.g))),
            Arc::new(rows.iter().map(|row| row.s).collect::<Int16Array>()),
            Arc::new(Int16Array::from_iter_values(rows.iter().map(|row| row.k))),
            Arc::new(rows.iter().map(|row| row.i).collect::<Int32Array>()),
            decimal(12),
            Arc::new(rows.iter().map(|row| row.i.map(i64::from)).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.i.map(f64::from)).collect::<Float64Array>()),
            decimal(18),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let (first, second) = rows.split_at(rows.len() / 3);
    let table = MemTable::try_new(Arc::clone(&schema), vec![vec![part(first)], vec![part(second)]]).unwrap();
    LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None).unwrap()
}

fn sum_of(dialect: Dialect, argument: Expr, distinct: bool, filter: Option<Expr>) -> Expr {
    let function = functions::aggregate(dialect, "sum").unwrap();
    let filter = filter.map(Box::new);
    Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![argument], distinct, filter, Vec::new(), None))
}

fn sum(argument: Expr) -> Expr {
    sum_of(Dialect::Redshift, argument, false, None)
}

fn call(name: &str, operands: Vec<Expr>) -> Expr {
    functions::call(Dialect::Redshift, name, operands).unwrap()
}

fn add(left: Expr, right: Expr) -> Expr {
    call("$add", vec![left, right])
}

fn subtract(left: Expr, right: Expr) -> Expr {
    call("$subtract", vec![left, right])
}

fn int(column: &str) -> Expr {
    cast(col(column), DataType::Int32)
}

fn big(value: Expr) -> Expr {
    cast(value, DataType::Int64)
}

fn decimal(value: i128, digits: u8, scale: i8) -> Expr {
    lit(ScalarValue::Decimal128(Some(value), digits, scale))
}

fn grouped(rows: &[Row], keys: Vec<Expr>, functions: Vec<Expr>) -> LogicalPlan {
    scan(rows).aggregate(keys, functions).unwrap().build().unwrap()
}

/// What the rule makes of a plan; `None` where it leaves it.
fn rewritten(plan: LogicalPlan) -> Option<LogicalPlan> {
    let changed = ShiftedSums.rewrite(plan, &OptimizerContext::new()).unwrap();
    changed.transformed.then_some(changed.data)
}

/// How many functions a grouping of all rows has after the rule, where it is rewritten.
fn left(functions: Vec<Expr>) -> Option<usize> {
    let plan = grouped(&[], Vec::new(), functions);
    let made = rewritten(plan.clone())?;
    assert_eq!(made.schema().as_arrow(), plan.schema().as_arrow());
    let LogicalPlan::Projection(projection) = made else { panic!("{made:?}") };
    let LogicalPlan::Aggregate(aggregate) = projection.input.as_ref() else { panic!("{:?}", projection.input) };
    Some(aggregate.aggr_expr.len())
}

#[test]
fn sums_that_differ_in_constants_become_a_sum_and_a_count() {
    let athena = |argument: Expr| sum_of(Dialect::Athena, argument, false, None);
    let filtered =
        |argument: Expr, least: i32| sum_of(Dialect::Redshift, argument, false, Some(col("g").gt(lit(least))));
    let random = || cast(builtin::functions().scalar["random"].call(Vec::new()), DataType::Int16);
    // An INTEGER of 2147483647 is the largest SMALLINT plus this.
    let most = 2_147_450_880;
    let cases = [
        ("both sides", vec![sum(int("s")), sum(add(int("s"), lit(1))), sum(subtract(lit(3), int("s")))], Some(2)),
        ("no plain sum", vec![sum(add(int("s"), lit(1))), sum(add(lit(2), int("s")))], Some(2)),
        ("Athena", vec![athena(int("s")), athena(add(int("s"), lit(1)))], Some(2)),
        ("alone", vec![sum(add(int("s"), lit(1))), sum(add(int("k"), lit(1))), count(col("g"))], None),
        ("beside its count", vec![sum(add(int("s"), lit(1))), count(col("s"))], Some(2)),
        ("beside the count of rows", vec![sum(add(int("k"), lit(1))), count_all()], Some(2)),
        ("NULLs do not count", vec![sum(add(int("s"), lit(1))), count_all()], None),
        ("chains", vec![sum(int("s")), sum(call("$add", vec![lit(1), int("s"), lit(2)]))], Some(2)),
        ("nested", vec![sum(int("s")), sum(subtract(add(int("s"), lit(1)), lit(5)))], Some(2)),
        ("others stay", vec![sum(int("s")), sum(add(int("s"), lit(1))), sum(col("i")), count(col("i"))], Some(4)),
        ("room to the last", vec![sum(int("s")), sum(add(int("s"), lit(most)))], Some(2)),
        ("one too many", vec![sum(int("s")), sum(add(int("s"), lit(most + 1)))], None),
        ("may overflow", vec![sum(col("i")), sum(add(col("i"), lit(1)))], None),
        ("may overflow on the way", vec![sum(col("i")), sum(subtract(add(col("i"), lit(1)), lit(1)))], None),
        ("may overflow in 64 bits", vec![sum(col("b")), sum(add(col("b"), lit(1_i64)))], None),
        ("wider", vec![sum(big(col("i"))), sum(add(big(col("i")), lit(1_i64)))], Some(2)),
        ("widened later", vec![sum(big(col("s"))), sum(big(add(int("s"), lit(1))))], Some(2)),
        ("BIGINT of BIGINT", vec![athena(big(col("i"))), athena(add(big(col("i")), lit(1_i64)))], None),
        ("two operands", vec![sum(int("s")), sum(add(int("s"), int("k")))], None),
        (
            "decimals",
            vec![sum(col("d")), sum(col("d") + decimal(125, 3, 2)), sum(decimal(1, 1, 0) - col("d"))],
            Some(2),
        ),
        ("more digits", vec![sum(col("d")), sum(col("d") + decimal(1, 4, 3))], None),
        ("too many digits", vec![sum(col("wide")), sum(col("wide") + decimal(1, 3, 2))], None),
        ("floating point", vec![sum(col("f")), sum(col("f") + lit(1.0)), sum(col("f") + lit(2.0))], None),
        ("one filter", vec![filtered(int("s"), 1), filtered(add(int("s"), lit(1)), 1)], Some(2)),
        ("two filters", vec![filtered(int("s"), 1), filtered(add(int("s"), lit(1)), 2)], None),
        ("DISTINCT", vec![sum(int("s")), sum_of(Dialect::Redshift, add(int("s"), lit(1)), true, None)], None),
        (
            "another value each time",
            vec![sum(add(cast(random(), DataType::Int32), lit(1))), sum(add(cast(random(), DataType::Int32), lit(2)))],
            None,
        ),
    ];
    for (name, functions, expected) in cases {
        assert_eq!(left(functions), expected, "{name}");
    }
}

#[test]
fn names_and_keys_stay() {
    let functions = vec![sum(add(int("s"), lit(1))).alias("more"), sum(int("s")), sum(add(int("s"), lit(2)))];
    let keys = vec![Expr::GroupingSet(datafusion::logical_expr::GroupingSet::Rollup(vec![col("g"), col("k")]))];
    let plan = grouped(&[], keys, functions);
    let made = rewritten(plan.clone()).unwrap();
    assert_eq!(made.schema().as_arrow(), plan.schema().as_arrow());
    let qualifiers = |plan: &LogicalPlan| plan.schema().iter().map(|(of, _)| of.cloned()).collect::<Vec<_>>();
    assert_eq!(qualifiers(&made), qualifiers(&plan));
    // Nothing is left for a second time.
    let LogicalPlan::Projection(projection) = made else { panic!("no projection") };
    assert!(rewritten(projection.input.as_ref().clone()).is_none());
}

/// A function, and what it adds up of a row.
type Case = (Expr, fn(&Row) -> Option<i128>);

fn cases() -> [Case; 14] {
    let athena = |argument: Expr| sum_of(Dialect::Athena, argument, false, None);
    let positive = |argument: Expr| sum_of(Dialect::Redshift, argument, false, Some(col("k").gt(lit(0_i16))));
    [
        (sum(int("s")), |row| row.s.map(i128::from)),
        (sum(add(int("s"), lit(7))), |row| Some(i128::from(row.s?) + 7)),
        (sum(subtract(lit(-9), int("s"))), |row| Some(-9 - i128::from(row.s?))),
        (sum(subtract(int("s"), lit(2_147_450_880))), |row| Some(i128::from(row.s?) - 2_147_450_880)),
        (athena(add(int("k"), lit(1))), |row| Some(i128::from(row.k) + 1)),
        (athena(add(int("k"), lit(-100))), |row| Some(i128::from(row.k) - 100)),
        (positive(int("s")), |row| row.s.filter(|_| row.k > 0).map(i128::from)),
        (positive(add(int("s"), lit(40))), |row| row.s.filter(|_| row.k > 0).map(|s| i128::from(s) + 40)),
        (sum(big(col("i"))), |row| row.i.map(i128::from)),
        (sum(add(big(col("i")), lit(9_000_000_000_000_000_000_i64))), |row| {
            Some(i128::from(row.i?) + 9_000_000_000_000_000_000)
        }),
        (sum(subtract(lit(5_i64), big(col("i")))), |row| Some(5 - i128::from(row.i?))),
        (sum(col("d")), |row| row.d),
        (sum(col("d") - decimal(999_999, 6, 2)), |row| Some(row.d? - 999_999)),
        (sum(decimal(15, 2, 1) - col("d")), |row| Some(150 - row.d?)),
    ]
}

fn numbers(array: &ArrayRef) -> Vec<Option<i128>> {
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)).collect(),
        _ => array.as_primitive::<Decimal128Type>().iter().collect(),
    }
}

/// Runs what the rule makes of sums by key, or of all rows, and gives each function's values.
async fn computed(rows: &[Row], keys: Vec<Expr>) -> Vec<Vec<Option<i128>>> {
    let functions: Vec<Expr> =
        cases().into_iter().enumerate().map(|(at, (sum, _))| sum.alias(format!("c{at}"))).collect();
    let skipped = keys.len();
    let order: Vec<_> = keys.iter().map(|key| key.clone().sort(true, false)).collect();
    let plan = rewritten(grouped(rows, keys, functions)).unwrap();
    let plan =
        if order.is_empty() { plan } else { LogicalPlanBuilder::from(plan).sort(order).unwrap().build().unwrap() };
    let batches = SessionContext::new().execute_logical_plan(plan).await.unwrap().collect().await.unwrap();
    let values = |at: usize| batches.iter().flat_map(|batch| numbers(batch.column(skipped + at))).collect();
    (0..cases().len()).map(values).collect()
}

#[tokio::test]
async fn sums_are_those_of_the_rows() {
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..12 {
        let count = [0, 1, 40, 500][round % 4];
        let row = |random: &mut StdRng| Row {
            g: random.random_range(0..5),
            s: random.random_bool(0.7).then(|| match random.random_range(0..4) {
                0 => i16::MIN,
                1 => i16::MAX,
                _ => random.random_range(-9..99),
            }),
            k: random.random_range(-9..9),
            i: random.random_bool(0.2).then(|| if random.random_bool(0.5) { i32::MIN } else { i32::MAX }),
            d: random.random_bool(0.8).then(|| random.random_range(-999_999_999_999..=999_999_999_999)),
        };
        let rows: Vec<Row> = (0..count).map(|_| row(&mut random)).collect();
        let expected = |groups: &[Vec<Row>]| -> Vec<Vec<Option<i128>>> {
            // Of no value the sum is NULL.
            let sum = |rows: &[Row], value: fn(&Row) -> Option<i128>| {
                rows.iter().filter_map(value).fold(None, |sum: Option<i128>, value| Some(sum.unwrap_or(0) + value))
            };
            cases().iter().map(|(_, value)| groups.iter().map(|rows| sum(rows, *value)).collect()).collect()
        };
        assert_eq!(computed(&rows, Vec::new()).await, expected(std::slice::from_ref(&rows)), "round {round}");
        let groups = (0..5).map(|g| rows.iter().filter(|row| row.g == g).copied().collect::<Vec<_>>());
        let groups: Vec<_> = groups.filter(|rows| !rows.is_empty()).collect();
        assert_eq!(computed(&rows, vec![col("g")]).await, expected(&groups), "round {round}, by key");
    }
}

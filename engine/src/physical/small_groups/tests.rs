//! The operator beside DataFusion's on the same plans.

#![allow(clippy::unwrap_used)]

use super::exec::{functions, in_small_groups};
use super::input::with_less_input;
use super::rule::is_suitable;
use super::totals::Totals;
use crate::physical::decimal::NarrowDecimals;
use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringViewArray};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::MemTable;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Rows in two partitions, with NULLs, short and long texts, decimals that 64 bits have no room for, whole numbers whose
/// sums wrap around, and `groups` values of `many`.
fn table(random: &mut StdRng, groups: i64) -> MemTable {
    let mut batch = || {
        let rows = if random.random_bool(0.1) { 0 } else { random.random_range(0..4_000) };
        let texts =
            [None, Some(""), Some("A"), Some("N"), Some("a text longer than a view's"), Some("another such text")];
        let text: Vec<_> = (0..rows).map(|_| texts[random.random_range(0..texts.len())]).collect();
        let flag: Vec<_> = (0..rows).map(|_| [None, Some(true), Some(false)][random.random_range(0..3)]).collect();
        let many: Vec<_> = (0..rows).map(|_| random.random_range(0..groups)).collect();
        let price: Vec<_> =
            (0..rows).map(|_| random.random_bool(0.9).then(|| random.random_range(-999_i128..9_999))).collect();
        let price = Decimal128Array::from(price).with_precision_and_scale(15, 2).unwrap();
        let rate = (0..rows).map(|_| random.random_range(0_i128..=10));
        let rate = Decimal128Array::from_iter_values(rate).with_precision_and_scale(4, 2).unwrap();
        // From some row on, or from none.
        let wide_from = random.random_range(0..=2 * rows);
        let wide: Decimal128Array = (0..rows)
            .map(|row| {
                let most = if row < wide_from { 1_i128 << 62 } else { 1 << 100 };
                random.random_bool(0.8).then(|| random.random_range(-most..most))
            })
            .collect();
        let wide = wide.with_precision_and_scale(38, 0).unwrap();
        let small: Vec<_> = (0..rows).map(|_| random.random_bool(0.5).then(|| random.random_range(-9..99))).collect();
        let huge = (0..rows).map(|_| random.random_range(i64::MAX / 2..i64::MAX));
        let huge = Int64Array::from_iter_values(huge);
        let columns: [(&str, ArrayRef); 8] = [
            ("text", Arc::new(StringViewArray::from(text))),
            ("flag", Arc::new(BooleanArray::from(flag))),
            ("many", Arc::new(Int64Array::from(many))),
            ("price", Arc::new(price)),
            ("rate", Arc::new(rate)),
            ("wide", Arc::new(wide)),
            ("small", Arc::new(Int32Array::from(small))),
            ("huge", Arc::new(huge)),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    };
    let partitions = vec![vec![batch(), batch()], vec![batch()]];
    MemTable::try_new(partitions[0][0].schema(), partitions).unwrap()
}

async fn rows(plan: Arc<dyn ExecutionPlan>, context: &SessionContext) -> Vec<String> {
    let batches = collect(plan, context.task_ctx()).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A query's plan with arithmetic of ours.
async fn plan(query: &str, context: &SessionContext) -> Arc<dyn ExecutionPlan> {
    let plan = context.sql(query).await.unwrap().create_physical_plan().await.unwrap();
    NarrowDecimals.optimize(plan, &ConfigOptions::default()).unwrap()
}

#[tokio::test]
async fn it_gives_what_hash_aggregation_gives() {
    let (mut random, mut read_less) = (StdRng::seed_from_u64(11), 0);
    for round in 0..24 {
        let batch_rows = if round % 2 == 0 { 512 } else { 8_192 };
        let config = SessionConfig::new().with_target_partitions(2).with_batch_size(batch_rows);
        let context = SessionContext::new_with_config(config);
        // In some rounds more groups than the table has room for, or more than are added in lanes.
        let groups = [3_000, 20, 200][round % 3];
        context.register_table("t", Arc::new(table(&mut random, groups))).unwrap();
        for (keys, values) in [
            ("text, flag", "sum(price), avg(price), count(*), min(text), max(many)"),
            ("many", "sum(price) FILTER (WHERE flag), count(flag), max(text)"),
            ("flag, many % 7, text, price", "count(*), sum(many)"),
            ("price", "bool_or(flag)"),
            (
                "flag",
                "sum(price * (1 - rate)), sum(price * (1 - rate) * (1 + rate)), avg(price * (1 - rate)), count(price), \
                 sum(price - rate) FILTER (WHERE many > 5), avg(rate) FILTER (WHERE flag), count(*) FILTER (WHERE flag)",
            ),
            ("text", "sum(wide), avg(wide), count(wide), sum(wide * 3), sum(price + wide), sum(small), avg(small)"),
            (
                "many",
                "sum(wide) FILTER (WHERE small > 9), sum(price * rate), count(small), sum(huge), sum(1), count(NULL)",
            ),
            ("rate, small", "sum(huge), avg(wide) FILTER (WHERE flag), sum(rate), max(price), count(text), sum(2.5)"),
        ] {
            let query = format!("SELECT {keys}, {values} FROM t GROUP BY {keys}");
            let theirs = context.sql(&query).await.unwrap().create_physical_plan().await.unwrap();
            let ours = plan(&query, &context).await.transform_up(|node| match node.downcast_ref::<AggregateExec>() {
                Some(aggregate) if is_suitable(aggregate)? => {
                    let reading_less = with_less_input(aggregate)?;
                    read_less += usize::from(reading_less.is_some());
                    let aggregate = reading_less.as_ref().unwrap_or(aggregate);
                    Ok(Transformed::yes(Arc::new(in_small_groups(aggregate)) as _))
                }
                _ => Ok(Transformed::no(node)),
            });
            let ours = ours.data().unwrap();
            let shown = displayable(ours.as_ref()).indent(false).to_string();
            assert!(shown.contains("SmallGroupsExec"), "{shown}");
            assert!(rows(ours, &context).await == rows(theirs, &context).await, "rows differ: {query}");
        }
    }
    assert!(read_less > 0);
}

#[tokio::test]
async fn decimals_and_whole_numbers_are_summed_here() {
    let context = SessionContext::new();
    context.register_table("t", Arc::new(table(&mut StdRng::seed_from_u64(1), 9))).unwrap();
    for (values, here) in [
        (
            "count(*), count(text), sum(price), avg(price), sum(price * (1 - rate)), sum(many), sum(small)",
            [true; 7].as_slice(),
        ),
        ("sum(many) FILTER (WHERE flag), avg(wide), sum(wide)", [true; 3].as_slice()),
        ("avg(small), min(price), bool_or(flag), sum(many * 1.5e0)", [false; 4].as_slice()),
    ] {
        let plan = plan(&format!("SELECT text, {values} FROM t GROUP BY text"), &context).await;
        let mut found = Vec::new();
        plan.apply(|node| {
            if let Some(aggregate) = node.downcast_ref::<AggregateExec>().filter(|it| is_suitable(it).unwrap()) {
                let functions = functions(aggregate)?;
                let totals = Totals::of(aggregate.aggr_expr(), &functions, &aggregate.input().schema())?;
                found.extend((0..functions.len()).map(|at| totals.does(at)));
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        assert_eq!(found, here, "{values}");
    }
}

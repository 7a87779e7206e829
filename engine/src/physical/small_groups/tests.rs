//! The operator beside DataFusion's on the same plans.

#![allow(clippy::unwrap_used)]

use super::exec::in_small_groups;
use super::rule::is_suitable;
use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringViewArray};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Rows in two partitions, with NULLs, short and long texts, and `groups` values of `many`.
fn table(random: &mut StdRng, groups: i64) -> MemTable {
    let mut batch = || {
        let rows = random.random_range(0..4_000);
        let texts =
            [None, Some(""), Some("A"), Some("N"), Some("a text longer than a view's"), Some("another such text")];
        let text: Vec<_> = (0..rows).map(|_| texts[random.random_range(0..texts.len())]).collect();
        let flag: Vec<_> = (0..rows).map(|_| [None, Some(true), Some(false)][random.random_range(0..3)]).collect();
        let many: Vec<_> = (0..rows).map(|_| random.random_range(0..groups)).collect();
        let price: Vec<_> =
            (0..rows).map(|_| random.random_bool(0.9).then(|| random.random_range(-999_i128..9_999))).collect();
        let price = Decimal128Array::from(price).with_precision_and_scale(15, 2).unwrap();
        let columns: [(&str, ArrayRef); 4] = [
            ("text", Arc::new(StringViewArray::from(text))),
            ("flag", Arc::new(BooleanArray::from(flag))),
            ("many", Arc::new(Int64Array::from(many))),
            ("price", Arc::new(price)),
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

#[tokio::test]
async fn it_gives_what_hash_aggregation_gives() {
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..12 {
        let config = SessionConfig::new().with_target_partitions(2).with_batch_size(512);
        let context = SessionContext::new_with_config(config);
        // In some rounds more groups than the table has room for.
        context.register_table("t", Arc::new(table(&mut random, if round % 3 == 0 { 3_000 } else { 20 }))).unwrap();
        for (keys, values) in [
            ("text, flag", "sum(price), avg(price), count(*), min(text), max(many)"),
            ("many", "sum(price) FILTER (WHERE flag), count(flag), max(text)"),
            ("flag, many % 7, text, price", "count(*), sum(many)"),
            ("price", "bool_or(flag)"),
        ] {
            let query = format!("SELECT {keys}, {values} FROM t GROUP BY {keys}");
            let plan = context.sql(&query).await.unwrap().create_physical_plan().await.unwrap();
            let ours = Arc::clone(&plan).transform_up(|node| match node.downcast_ref::<AggregateExec>() {
                Some(aggregate) if is_suitable(aggregate)? => {
                    Ok(Transformed::yes(Arc::new(in_small_groups(aggregate)) as _))
                }
                _ => Ok(Transformed::no(node)),
            });
            let ours = ours.data().unwrap();
            let shown = displayable(ours.as_ref()).indent(false).to_string();
            assert!(shown.contains("SmallGroupsExec"), "{shown}");
            assert!(rows(ours, &context).await == rows(plan, &context).await, "rows differ: {query}");
        }
    }
}

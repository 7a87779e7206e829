//! Queries with some megabytes beside the same with all memory.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::physical::{exchanges_write_apart, fit_to_memory, rules};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::row::{RowConverter, SortField};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;
use std::time::Duration;

const ROWS: i64 = 32_000;
const PARTITIONS: usize = 4;
/// A third of what the table's rows take, 11 MB; a partition of a sort counts each twice.
const BYTES: usize = 4 << 20;

/// Rows in no order: a number of its own, one of 10,000 and one of seven, a text of 320 letters.
fn table() -> MemTable {
    let columns = |numbers: Vec<i64>| {
        let text = numbers.iter().map(|n| format!("{n:0>20}{}", "x".repeat(300)));
        let columns: [(&str, ArrayRef); 4] = [
            ("text", Arc::new(StringViewArray::from_iter_values(text))),
            ("k", Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| n % 10_000)))),
            ("part", Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| n % 7)))),
            ("id", Arc::new(Int64Array::from(numbers))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    // 7,919 has no factor in common with how many there are.
    let numbers: Vec<_> = (0..ROWS).map(|n| n * 7_919 % ROWS).collect();
    let batches: Vec<_> = numbers.chunks(200).map(|chunk| columns(chunk.to_vec())).collect();
    let partitions: Vec<_> = batches.chunks(batches.len() / PARTITIONS).map(<[_]>::to_vec).collect();
    assert_eq!(partitions.len(), PARTITIONS);
    MemTable::try_new(batches[0].schema(), partitions).unwrap()
}

fn little_memory() -> Arc<RuntimeEnv> {
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(BYTES))).build_arc().unwrap()
}

fn session(runtime: Option<Arc<RuntimeEnv>>, table: &Arc<MemTable>) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS);
    if runtime.is_some() {
        config = exchanges_write_apart(fit_to_memory(config, BYTES));
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.unwrap_or_default())
        .with_default_features()
        .with_physical_optimizer_rules(rules())
        .build();
    let session = SessionContext::new_with_state(state);
    session.register_table("t", Arc::clone(table) as _).unwrap();
    session
}

/// The rows of a query, and the plan that gave them.
async fn run(session: &SessionContext, query: &str) -> Result<(Vec<Vec<u8>>, Arc<dyn ExecutionPlan>)> {
    let plan = session.sql(query).await?.create_physical_plan().await?;
    let rows = tokio::time::timeout(Duration::from_mins(5), collect(Arc::clone(&plan), session.task_ctx()));
    let batches = rows.await.unwrap_or_else(|_| panic!("{query}: it waits without end"))?;
    let fields = plan.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut rows = Vec::new();
    for batch in batches {
        rows.extend(converter.convert_columns(batch.columns())?.iter().map(|row| row.as_ref().to_vec()));
    }
    if !query.contains("ORDER BY 1") {
        rows.sort();
    }
    Ok((rows, plan))
}

/// What operators of a kind wrote to the disk.
fn spilled<Kind: ExecutionPlan>(plan: &dyn ExecutionPlan) -> usize {
    let own = if plan.is::<Kind>() { plan.metrics().and_then(|metrics| metrics.spilled_bytes()) } else { None };
    own.unwrap_or(0) + plan.children().into_iter().map(|child| spilled::<Kind>(child.as_ref())).sum::<usize>()
}

/// Whether nothing is held any more: tasks that read ahead end a little later than who reads.
async fn is_left(runtime: &RuntimeEnv) -> bool {
    for _ in 0..100 {
        if runtime.memory_pool.reserved() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

const SORTS: [&str; 3] = [
    "SELECT text, id FROM t ORDER BY 1",
    "SELECT a.id, b.k FROM t a JOIN t b ON a.text = b.text ORDER BY 1, 2",
    "SELECT text, max(id), min(text) FROM t GROUP BY text ORDER BY 1 DESC",
];

const GROUPINGS: [&str; 6] = [
    "SELECT text || text || text || text || text, count(*), sum(id) FROM t GROUP BY 1",
    "SELECT text, count(*), sum(id) FROM t GROUP BY text",
    "SELECT k, min(text), max(text) FROM t GROUP BY k",
    "SELECT DISTINCT text, k FROM t",
    "SELECT count(DISTINCT text) FROM t",
    "SELECT text FROM t EXCEPT SELECT text FROM t WHERE id >= 1000",
];

const JOINS: [&str; 3] = [
    "SELECT a.id, b.text, c.k FROM t a JOIN t b ON a.id = b.id JOIN t c ON b.text = c.text",
    "SELECT count(*), count(b.text) FROM t a FULL JOIN t b ON a.text = b.text AND b.id >= 20000",
    "SELECT text FROM t WHERE text NOT IN (SELECT text FROM t WHERE id >= 2000)",
];

const WINDOWS: [&str; 3] = [
    "SELECT id, row_number() OVER (ORDER BY text) FROM t",
    "SELECT id, sum(id) OVER (PARTITION BY k ORDER BY text ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT g.k, g.n, rank() OVER (ORDER BY g.most, g.k) FROM (SELECT a.k, count(*) AS n, max(b.text) AS most FROM t a \
     JOIN t b ON a.text = b.text GROUP BY a.k) g",
];

/// Runs queries with little memory, each alone. At least one of their operators of this kind goes to the disk.
async fn alone<Kind: ExecutionPlan>(queries: &[&str]) {
    let table = Arc::new(table());
    let all = session(None, &table);
    let mut all_spilled = 0;
    for query in queries {
        let (wanted, _) = run(&all, query).await.unwrap();
        let runtime = little_memory();
        let (given, plan) = run(&session(Some(Arc::clone(&runtime)), &table), query)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(given == wanted, "{query}: {} rows instead of {}", given.len(), wanted.len());
        all_spilled += spilled::<Kind>(plan.as_ref());
        drop(plan);
        assert!(is_left(&runtime).await, "{query}");
    }
    assert!(all_spilled > 0, "nothing was spilled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sorts_end_with_little_memory() {
    alone::<SortExec>(&SORTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groupings_end_with_little_memory() {
    alone::<AggregateExec>(&GROUPINGS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_end_with_little_memory() {
    alone::<HashJoinExec>(&JOINS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_end_with_little_memory() {
    alone::<SortExec>(&WINDOWS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_end_with_little_memory() {
    let table = Arc::new(table());
    let all = session(None, &table);
    for (one, other) in [(SORTS[1], GROUPINGS[1]), (JOINS[0], SORTS[0]), (WINDOWS[0], GROUPINGS[2])] {
        let runtime = little_memory();
        let little = || session(Some(Arc::clone(&runtime)), &table);
        let (first, second) = (little(), little());
        let (given, given_other) = tokio::join!(run(&first, one), run(&second, other));
        for (query, given) in [(one, given), (other, given_other)] {
            let (given, _) = given.unwrap_or_else(|error| panic!("{query}, of {one} and {other}: {error}"));
            assert!(given == run(&all, query).await.unwrap().0, "{query}");
        }
    }
}

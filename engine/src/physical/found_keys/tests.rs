//! Plans of a join with a foreign table as they run: what the system is asked, and what the join's inputs are run with.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::federated::stub::{Stub, scan, shown, text};
use crate::physical::forward::{Around, AroundExec, Plan};
use crate::physical::spilling_join::SpillingJoins;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::common::JoinType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_expr::{Partitioning, PhysicalExprRef};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExecBuilder, PartitionMode};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::repartition::RepartitionExec;
use std::sync::{Arc, Mutex};

/// Stands around an input and notes how long a list may be in the context that it is run with.
#[derive(Debug, Clone, Default)]
struct Noted(Arc<Mutex<Vec<usize>>>);

impl Around for Noted {
    const NAME: &'static str = "NotedExec";

    fn again(&self, _inner: &Plan) -> Result<Option<Self>> {
        Ok(Some(self.clone()))
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let limits = &context.session_config().options().optimizer;
        self.0.lock().unwrap().push(limits.hash_join_inlist_pushdown_max_distinct_values);
        inner.execute(partition, context)
    }

    fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
        inner.metrics()
    }
}

/// So many rows with so many different keys.
fn wanted(rows: i64, keys: i64) -> Plan {
    let numbers = (0..rows).map(|row| row % keys);
    let columns: [(&str, ArrayRef); 2] = [
        ("a", Arc::new(Int64Array::from_iter_values(numbers.clone()))),
        ("b", Arc::new(StringViewArray::from_iter_values(numbers.map(text)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None).unwrap()
}

/// A join on the first columns of both.
fn join(build: Plan, probe: Plan, columns: usize, mode: PartitionMode) -> HashJoinExec {
    let column = |number: usize| -> PhysicalExprRef { Arc::new(Column::new(["a", "b"][number], number)) };
    let keys: Vec<_> = (0..columns).map(column).collect();
    let input = |plan: Plan| -> Plan {
        match mode {
            PartitionMode::Partitioned => {
                Arc::new(RepartitionExec::try_new(plan, Partitioning::Hash(keys.clone(), 3)).unwrap())
            }
            _ => plan,
        }
    };
    let on = keys.iter().cloned().zip(keys.iter().cloned()).collect();
    let join = HashJoinExecBuilder::new(input(build), input(probe), on, JoinType::Inner).with_partition_mode(mode);
    join.build().unwrap()
}

/// How many rows the join of so many rows with the foreign table gives, and what the system is asked for.
async fn run(rows: (i64, i64), columns: usize, mode: PartitionMode, takes_rows: bool) -> (usize, String) {
    let stub = Stub::new(takes_rows);
    let noted = Noted::default();
    let input = |plan: Plan| -> Plan { Arc::new(AroundExec::new(plan, noted.clone())) };
    let plan = join(input(wanted(rows.0, rows.1)), input(Arc::new(scan(&stub))), columns, mode);
    let config = ConfigOptions::default();
    let plan = FilterPushdown::new_post_optimization().optimize(Arc::new(plan), &config).unwrap();
    let plan = SpillingJoins.optimize(plan, &config).unwrap();
    let pool = Arc::new(GreedyMemoryPool::new(1 << 30));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
    let given = collect(plan, Arc::new(TaskContext::default().with_runtime(runtime))).await.unwrap();
    let limits = noted.0.lock().unwrap();
    let usual = config.optimizer.hash_join_inlist_pushdown_max_distinct_values;
    assert!(limits.len() >= 2 && limits.iter().all(|limit| *limit == usual), "{limits:?}");
    let asked: Vec<String> = stub.take_requests().iter().map(|request| shown(&request.predicates)).collect();
    (given.iter().map(RecordBatch::num_rows).sum(), asked.join(" | "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_up_to_the_limit() {
    let bounds = |last: i64| format!("a GtEq Integer(0); a LtEq Integer({last})");
    let most = MOST_KEYS as i64;
    for mode in [PartitionMode::CollectLeft, PartitionMode::Partitioned] {
        for (rows, keys, listed) in [
            (1, 1, true),
            (151, 151, true),
            (1_000, 1_000, true),
            (most, most, true),
            (most + 1, most + 1, false),
            // Rows with the same keys.
            (3 * most, 500, true),
            (20 * most, 500, false),
        ] {
            let (count, asked) = run((rows, keys), 1, mode, true).await;
            assert_eq!(count as i64, rows, "{rows} {mode:?}");
            let (plain, list) = match asked.split_once("; a in ") {
                Some((plain, list)) => (plain, list.split(' ').next().unwrap()),
                None => (asked.as_str(), ""),
            };
            assert_eq!(plain, bounds(keys - 1), "{rows} {mode:?}");
            assert_eq!(list, if listed { keys.to_string() } else { String::new() }, "{rows} {mode:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_two_columns_are_told_together() {
    for mode in [PartitionMode::CollectLeft, PartitionMode::Partitioned] {
        for (takes_rows, expected) in [(true, "[\"a\", \"B\"] in 1000 from "), (false, "a in 1000 from ")] {
            let (count, asked) = run((1_000, 1_000), 2, mode, takes_rows).await;
            assert_eq!(count, 1_000, "{mode:?}");
            assert!(asked.contains(expected), "{mode:?}: {asked}");
            assert_eq!(asked.contains("; B in 1000 from "), !takes_rows, "{mode:?}: {asked}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_without_rows_asks_for_nothing() {
    for mode in [PartitionMode::CollectLeft, PartitionMode::Partitioned] {
        assert_eq!(run((0, 1), 1, mode, true).await, (0, String::new()), "{mode:?}");
    }
}

#[test]
fn other_scans_are_told_no_more_than_before() {
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![Arc::new(Column::new("a", 0))], lit(true)));
    let probe = FilterExec::try_new(Arc::clone(&filter) as _, wanted(10, 10)).unwrap();
    let of_files = join(wanted(1, 1), Arc::new(probe), 1, PartitionMode::CollectLeft);
    assert!(!reach_connector(&of_files.with_dynamic_filter_expr(filter).unwrap()).unwrap());
    // Nor is one that is told nothing.
    let stub = Stub::new(true);
    let unfiltered = join(wanted(1, 1), Arc::new(scan(&stub)), 1, PartitionMode::CollectLeft);
    assert!(!reach_connector(&unfiltered).unwrap());
}

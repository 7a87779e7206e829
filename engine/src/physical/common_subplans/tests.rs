//! Places of subplans beside each other: how often these run, and what comes out.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::physical::forward::{Around, AroundExec};
use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::exec_err;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{collect, execute_stream_partitioned};
use futures::{StreamExt, stream};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a partition ends.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum End {
    #[default]
    Well,
    Error,
    Panic,
}

/// Counts how often partitions run, each of which has an end.
#[derive(Debug, Clone, Default)]
struct Counted {
    runs: Arc<AtomicUsize>,
    end: End,
}

impl Around for Counted {
    const NAME: &'static str = "CountedExec";

    fn again(&self, _: &Plan) -> Result<Option<Self>> {
        Ok(Some(self.clone()))
    }

    fn execute(&self, inner: &Plan, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let rows = inner.execute(partition, task)?;
        let end = self.end;
        let ended = stream::iter((end != End::Well).then_some(end)).map(|end| match end {
            End::Panic => panic!("of the subplan"),
            _ => exec_err!("of the subplan"),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(inner.schema(), rows.chain(ended))))
    }

    fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
        inner.metrics()
    }
}

/// Two partitions of ten batches of 100 numbers.
fn numbers() -> Plan {
    let batch = |first: i64| {
        let column = Int64Array::from_iter_values(first..first + 100);
        RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap()
    };
    let parts: Vec<Vec<RecordBatch>> =
        (0..2).map(|part| (0..10).map(|at| batch(part * 1_000 + at * 100)).collect()).collect();
    MemorySourceConfig::try_new_exec(&parts, batch(0).schema(), None).unwrap()
}

fn counted(counter: &Counted) -> Plan {
    Arc::new(AroundExec::new(numbers(), counter.clone()))
}

fn common(number: usize, input: &Plan) -> Plan {
    Arc::new(CommonSubplanExec::new(number, Arc::clone(input)))
}

fn united(places: Vec<Plan>) -> Plan {
    UniteSubplans.optimize(UnionExec::try_new(places).unwrap(), &ConfigOptions::default()).unwrap()
}

/// The numbers that are given, each as often as there are places.
fn assert_all(given: &[RecordBatch], places: usize) {
    let mut all: Vec<i64> =
        given.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values()).copied().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..2_000).flat_map(|n| std::iter::repeat_n(n, places))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_of_one_number_compute_once() {
    let counter = Counted::default();
    let plan = united(vec![common(0, &counted(&counter)), common(0, &counted(&counter))]);
    let given = collect(Arc::clone(&plan), Arc::default()).await.unwrap();
    assert_all(&given, 2);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 2);
    let repeated: Vec<bool> = plan
        .children()
        .into_iter()
        .map(|place| place.downcast_ref::<CommonSubplanExec>().unwrap().is_repeated())
        .collect();
    assert_eq!(repeated, [false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subplans_within_subplans_compute_once() {
    let counter = Counted::default();
    let outer = || {
        let inner = common(0, &counted(&counter));
        common(1, &(Arc::new(LocalLimitExec::new(inner, 2_000)) as Plan))
    };
    let plan = united(vec![outer(), common(0, &counted(&counter)), outer()]);
    assert_all(&collect(plan, Arc::default()).await.unwrap(), 3);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_different_is_computed_by_itself() {
    let counter = Counted::default();
    let limited: Plan = Arc::new(LocalLimitExec::new(counted(&counter), 2_000));
    let plan = united(vec![common(0, &counted(&counter)), common(0, &limited)]);
    assert_all(&collect(Arc::clone(&plan), Arc::default()).await.unwrap(), 2);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 4);
    assert!(plan.children().into_iter().all(|place| !place.is::<CommonSubplanExec>()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_place_may_read_all_before_another_begins() {
    let counter = Counted::default();
    // All of 16 kB, two batches of 800 bytes, none.
    for bytes in [1 << 20, 2_400, 1] {
        let pool = Arc::new(GreedyMemoryPool::new(bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
        let task = Arc::new(TaskContext::default().with_runtime(Arc::clone(&runtime)));
        let plan = united(vec![common(0, &counted(&counter)), common(0, &counted(&counter))]);
        for place in plan.children() {
            assert_all(&collect(Arc::clone(place), Arc::clone(&task)).await.unwrap(), 1);
        }
        let spilled = plan.children()[0].metrics().unwrap().spilled_bytes().unwrap_or_default();
        assert_eq!(spilled > 0, bytes < 1 << 20, "{bytes}");
        assert_eq!(runtime.memory_pool.reserved(), 0, "{bytes}");
    }
    assert_eq!(counter.runs.load(Ordering::Relaxed), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_places_hear_of_an_error() {
    for (end, said) in [(End::Error, "of the subplan"), (End::Panic, "stopped coming")] {
        let counter = Counted { end, ..Counted::default() };
        let plan = united(vec![common(0, &counted(&counter)), common(0, &counted(&counter))]);
        for place in plan.children() {
            let error = collect(Arc::clone(place), Arc::default()).await.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        assert_eq!(counter.runs.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_early_leaves_the_rows_to_others() {
    let counter = Counted::default();
    let plan = united(vec![common(0, &counted(&counter)), common(0, &counted(&counter))]);
    let places: Vec<Plan> = plan.children().into_iter().cloned().collect();
    let mut rows = execute_stream_partitioned(Arc::clone(&places[0]), Arc::default()).unwrap();
    assert_eq!(rows[0].next().await.unwrap().unwrap().num_rows(), 100);
    drop(rows);
    assert_all(&collect(Arc::clone(&places[1]), Arc::default()).await.unwrap(), 1);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 2);
    // Nothing is kept for who comes later, or asks again.
    assert_all(&collect(Arc::clone(&places[0]), Arc::default()).await.unwrap(), 1);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 4);
    let reset = reset_plan_states(plan).unwrap();
    assert_all(&collect(reset, Arc::default()).await.unwrap(), 2);
    assert_eq!(counter.runs.load(Ordering::Relaxed), 8);
}

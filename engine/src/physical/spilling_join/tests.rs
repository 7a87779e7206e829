//! The join with little memory beside DataFusion's with all it wants, on the same rows.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::collect::Collected;
use super::exec::{SpillingJoin, SpillingJoinExec};
use super::memory::{Claim, Env, Sizes};
use crate::physical::afresh::Afresh;
use crate::physical::forward::{AroundExec, Plan};
use crate::physical::memory::exchanges_write_apart;
use crate::tables::InKeySet;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, HashTableLookupExpr, PartitionMode};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, Partitioning, collect, execute_stream_partitioned};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

const TYPES: [JoinType; 10] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

/// Small enough for a few thousand rows to be split many times.
const SIZES: Sizes = Sizes { floor_bytes: 32 << 10, most_parts: 4 };

/// How the keys of a table's rows are.
#[derive(Debug, Clone, Copy)]
struct Keys {
    /// How many there are.
    most: i64,
    /// Which part of the rows has one and the same.
    skew: f64,
    nulls: f64,
}

/// Rows in partitions of batches: two keys, a number, a text of some length.
fn table(random: &mut StdRng, rows: usize, keys: Keys, partitions: usize) -> Arc<DataSourceExec> {
    let mut number = 0;
    let mut batch = |rows: usize| {
        let mut key = || match () {
            () if random.random_bool(keys.nulls) => None,
            () if random.random_bool(keys.skew) => Some(7),
            () => Some(random.random_range(0..keys.most)),
        };
        let k: Vec<_> = (0..rows).map(|_| key()).collect();
        let s: Vec<_> = (0..rows).map(|_| key().map(|key| format!("key {}", key % 3))).collect();
        let v = (0..rows).map(|_| {
            number += 1;
            number
        });
        let v = Int64Array::from_iter_values(v);
        let text: Vec<_> = (0..rows).map(|row| "t".repeat(row % 50)).collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("k", Arc::new(Int64Array::from(k))),
            ("s", Arc::new(StringViewArray::from_iter(s))),
            ("v", Arc::new(v)),
            ("text", Arc::new(StringArray::from(text))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    };
    let empty = batch(0);
    let parts: Vec<Vec<_>> = (0..partitions)
        .map(|_| (0..(rows / partitions).div_ceil(100)).map(|_| batch(100.min(rows / partitions))).collect())
        .collect();
    MemorySourceConfig::try_new_exec(&parts, empty.schema(), None).unwrap()
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    join_type: JoinType,
    mode: PartitionMode,
    null_equality: NullEquality,
    null_aware: bool,
    keys: usize,
    filter: bool,
}

const PLAIN: Shape = Shape {
    join_type: JoinType::Inner,
    mode: PartitionMode::Partitioned,
    null_equality: NullEquality::NullEqualsNothing,
    null_aware: false,
    keys: 1,
    filter: false,
};

fn by(partitioning: Partitioning, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(RepartitionExec::try_new(plan, partitioning).unwrap())
}

fn join(shape: Shape, left: Arc<dyn ExecutionPlan>, right: Arc<dyn ExecutionPlan>) -> HashJoinExec {
    let column = |number: usize| -> PhysicalExprRef { Arc::new(Column::new(["k", "s"][number], number)) };
    let keys: Vec<_> = (0..shape.keys).map(column).collect();
    let (left, right) = match shape.mode {
        PartitionMode::Partitioned => {
            let partitioning = Partitioning::Hash(keys.clone(), 3);
            (by(partitioning.clone(), left), by(partitioning, right))
        }
        _ => {
            let all: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(left));
            (all, right)
        }
    };
    let filter = shape.filter.then(|| {
        let fields = ["l", "r"].map(|name| Field::new(name, DataType::Int64, true));
        let (l, r) = (Arc::new(Column::new("l", 0)), Arc::new(Column::new("r", 1)));
        let sides = [JoinSide::Left, JoinSide::Right].map(|side| ColumnIndex { index: 2, side });
        let less = BinaryExpr::new(l, Operator::Lt, r);
        JoinFilter::new(Arc::new(less), sides.to_vec(), Arc::new(Schema::new(fields.to_vec())))
    });
    HashJoinExecBuilder::new(left, right, keys.iter().cloned().zip(keys.iter().cloned()).collect(), shape.join_type)
        .with_partition_mode(shape.mode)
        .with_null_equality(shape.null_equality)
        .with_null_aware(shape.null_aware)
        .with_filter(filter)
        .build()
        .unwrap()
}

fn spilling(join: HashJoinExec) -> Arc<SpillingJoinExec> {
    let join: Plan = Arc::new(join);
    let around = SpillingJoin::of(&join, SIZES).unwrap().unwrap();
    Arc::new(SpillingJoinExec::new(join, around))
}

fn runtime(bytes: usize) -> RuntimeEnvBuilder {
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
}

fn context(runtime: Arc<RuntimeEnv>) -> Arc<TaskContext> {
    let config = SessionConfig::new().with_batch_size(100).with_sort_spill_reservation_bytes(1 << 10);
    let config = exchanges_write_apart(config);
    Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime))
}

/// The rows of a result in an order of their own.
async fn result(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Vec<Vec<u8>>> {
    let batches = collect(Arc::clone(&plan), context).await?;
    let fields = plan.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(batch.schema(), plan.schema());
        let all = converter.convert_columns(batch.columns()).unwrap();
        rows.extend(all.iter().map(|row| row.as_ref().to_vec()));
    }
    rows.sort();
    Ok(rows)
}

/// Joins both ways, and says how many bytes were spilled.
async fn compare(join: &HashJoinExec, bytes: usize, told: &str) -> usize {
    let wanted = result(Arc::new(fresh(join)), Arc::new(TaskContext::default())).await.unwrap();
    let little = spilling(fresh(join));
    let runtime = runtime(bytes).build_arc().unwrap();
    let given = result(Arc::clone(&little) as _, context(Arc::clone(&runtime))).await;
    let given = given.unwrap_or_else(|error| panic!("{told}: {error}"));
    assert!(given == wanted, "{told}: {} rows instead of {}", given.len(), wanted.len());
    let metrics = little.metrics().unwrap();
    assert_eq!(metrics.output_rows(), Some(wanted.len()), "{told}");
    let spilled = metrics.spilled_bytes().unwrap_or(0);
    drop(little);
    assert!(is_left(&runtime).await, "{told}");
    spilled
}

/// Whether nothing is held any more: tasks that read files ahead end a little later than who reads them.
async fn is_left(runtime: &RuntimeEnv) -> bool {
    let left = || {
        let files = runtime.disk_manager.spilling_progress();
        files.active_files_count == 0 && files.current_bytes == 0 && runtime.memory_pool.reserved() == 0
    };
    for _ in 0..100 {
        if left() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The join as if it had never run, and its exchanges too.
fn fresh(join: &HashJoinExec) -> HashJoinExec {
    let children = join.children().into_iter().map(|child| match child.downcast_ref::<RepartitionExec>() {
        Some(exchange) => by(exchange.partitioning().clone(), Arc::clone(exchange.input())),
        None => Arc::clone(child),
    });
    join.builder().reset_state().with_new_children(children.collect()).unwrap().build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_have_the_rows_of_those_with_all_memory() {
    for seed in 0..24 {
        let mut random = StdRng::seed_from_u64(seed);
        let keys = Keys {
            most: [3, 100, 10_000][random.random_range(0..3)],
            skew: [0., 0.3, 1.][random.random_range(0..3)],
            nulls: [0., 0.1, 0.9][random.random_range(0..3)],
        };
        // Rows of one key meet all others: fewer of them.
        let most = if keys.most == 3 || keys.skew > 0. || keys.nulls > 0.5 { 400 } else { 2_000 };
        let (left, right) = (random.random_range(0..most), random.random_range(0..most));
        let shape = Shape {
            join_type: TYPES[random.random_range(0..TYPES.len())],
            mode: [PartitionMode::Partitioned, PartitionMode::CollectLeft][random.random_range(0..2)],
            null_equality: [NullEquality::NullEqualsNothing, NullEquality::NullEqualsNull][random.random_range(0..2)],
            null_aware: false,
            keys: random.random_range(1..3),
            filter: random.random_bool(0.4),
        };
        let bytes = [1, 20_000, 200_000, 100 << 20][random.random_range(0..4)];
        let left = table(&mut random, left, keys, 2);
        let right = table(&mut random, right, keys, 3);
        let told = format!("seed {seed}: {shape:?}, {keys:?}, {bytes} bytes");
        let spilled = compare(&join(shape, left, right), bytes, &told).await;
        assert!(spilled == 0 || bytes < 100 << 20, "{told}: spilled {spilled}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_one_key_are_joined_in_blocks() {
    let keys = Keys { most: 1, skew: 0., nulls: 0. };
    for join_type in TYPES {
        for mode in [PartitionMode::Partitioned, PartitionMode::CollectLeft] {
            let random = &mut StdRng::seed_from_u64(5);
            let (left, right) = (table(random, 160, keys, 2), table(random, 70, keys, 3));
            let told = format!("{join_type} {mode:?}");
            let spilled =
                compare(&join(Shape { join_type, mode, filter: true, ..PLAIN }, left, right), 1 << 10, &told).await;
            assert!(spilled > 0, "{told} did not spill");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_in_knows_null_in_all_parts() {
    for (left_nulls, right_nulls, right_rows) in [(0.2, 0., 900), (0.2, 0.001, 3_000), (0.2, 0., 0), (0., 0., 900)] {
        for filter in [false, true] {
            let random = &mut StdRng::seed_from_u64(11);
            let left = table(random, 2_000, Keys { most: 3_000, skew: 0., nulls: left_nulls }, 1);
            let right = table(random, right_rows, Keys { most: 3_000, skew: 0., nulls: right_nulls }, 3);
            let shape = Shape {
                join_type: JoinType::LeftAnti,
                mode: PartitionMode::CollectLeft,
                null_aware: true,
                filter,
                ..PLAIN
            };
            let told = format!("{left_nulls} {right_nulls} {right_rows}");
            assert!(compare(&join(shape, left, right), 30_000, &told).await > 0, "{told} did not spill");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_the_probe_side_and_a_limit_are_kept() {
    // Few rows of a partition meet some, so that its sort is short; what is split is the build side.
    let keys = Keys { most: 500, skew: 0.02, nulls: 0.1 };
    let kept = [
        (JoinType::Inner, 6),
        (JoinType::Right, 6),
        (JoinType::RightSemi, 2),
        (JoinType::RightAnti, 2),
        (JoinType::RightMark, 2),
    ];
    for (join_type, number) in kept {
        let random = &mut StdRng::seed_from_u64(3);
        let (left, right) = (table(random, 2_000, keys, 1), table(random, 900, keys, 3));
        let source = right.data_source().downcast_ref::<MemorySourceConfig>().unwrap().clone();
        let by_number = LexOrdering::new([PhysicalSortExpr::new_default(Arc::new(Column::new("v", 2)))]).unwrap();
        let source = source.try_with_sort_information(vec![by_number]).unwrap();
        let shape = Shape { join_type, mode: PartitionMode::CollectLeft, ..PLAIN };
        let all = join(shape, left, DataSourceExec::from_data_source(source));
        for fetch in [None, Some(30)] {
            let plan = all.builder().reset_state().with_fetch(fetch).build().unwrap();
            let plan = spilling(plan);
            let context = context(runtime(200_000).build_arc().unwrap());
            let mut rows = 0;
            for stream in execute_stream_partitioned(Arc::clone(&plan) as _, context).unwrap() {
                let batches: Vec<_> = stream.try_collect().await.unwrap();
                let numbers =
                    batches.iter().flat_map(|batch| batch.column(number).as_primitive::<Int64Type>().values());
                assert!(numbers.is_sorted(), "{join_type}");
                let count = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
                assert!(fetch.is_none_or(|fetch| count <= fetch), "{join_type}: {count}");
                rows += count;
            }
            let unlimited = result(all.builder().reset_state().build_exec().unwrap(), Arc::new(TaskContext::default()));
            assert!(fetch.is_some() || rows == unlimited.await.unwrap().len(), "{join_type}");
            assert!(plan.metrics().unwrap().spilled_bytes().unwrap() > 0, "{join_type} did not spill");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_with_a_result_that_is_dropped() {
    let keys = Keys { most: 500, skew: 0., nulls: 0. };
    for mode in [PartitionMode::Partitioned, PartitionMode::CollectLeft] {
        let random = &mut StdRng::seed_from_u64(1);
        let (left, right) = (table(random, 4_000, keys, 2), table(random, 4_000, keys, 3));
        let plan = spilling(join(Shape { mode, ..PLAIN }, left, right));
        let runtime = runtime(50_000).build_arc().unwrap();
        let streams = execute_stream_partitioned(Arc::clone(&plan) as _, context(Arc::clone(&runtime))).unwrap();
        let mut all = futures::stream::select_all(streams);
        all.next().await.unwrap().unwrap();
        assert!(runtime.disk_manager.spilling_progress().active_files_count > 0);
        drop((all, plan));
        assert!(is_left(&runtime).await, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told() {
    let keys = Keys { most: 500, skew: 0., nulls: 0. };
    let random = &mut StdRng::seed_from_u64(1);
    let (left, right) = (table(random, 4_000, keys, 2), table(random, 4_000, keys, 3));
    let plan = spilling(join(PLAIN, left, right));
    let runtime = runtime(50_000).with_max_temp_directory_size(100_000).build_arc().unwrap();
    let error = collect(plan, context(Arc::clone(&runtime))).await.unwrap_err();
    let error = crate::error::Error::from(error);
    assert_eq!(error.sqlstate(), "53100", "{error}");
    assert!(is_left(&runtime).await);
}

/// A join whose probe side is filtered by what it finds in its build side.
fn finding(join: &HashJoinExec) -> HashJoinExec {
    let on = join.on().iter().map(|(_, probe)| Arc::clone(probe)).collect();
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(on, lit(true)));
    let probe = FilterExec::try_new(Arc::clone(&filter) as _, Arc::clone(join.right())).unwrap();
    let children = vec![Arc::clone(join.left()), Arc::new(probe) as _];
    let join = join.builder().with_new_children(children).unwrap().build().unwrap();
    join.with_dynamic_filter_expr(filter).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_is_told_the_keys_as_a_set() {
    for mode in [PartitionMode::Partitioned, PartitionMode::CollectLeft] {
        // In memory, split, and of so few keys that they are a list.
        for (bytes, most, told) in [(100 << 20, 5_000, true), (50_000, 5_000, false), (100 << 20, 50, false)] {
            let (random, nulls) = (&mut StdRng::seed_from_u64(12), 0.1);
            let left = table(random, 2_000, Keys { most, skew: 0., nulls }, 2);
            let right = table(random, 6_000, Keys { most: 3 * most, skew: 0., nulls }, 3);
            let all = join(Shape { mode, ..PLAIN }, Arc::clone(&left) as _, Arc::clone(&right) as _);
            let wanted = result(Arc::new(fresh(&all)), Arc::new(TaskContext::default())).await.unwrap();
            let finding = finding(&fresh(&all));
            let filter = finding.dynamic_expressions_produced().remove(0);
            let probe = Arc::clone(finding.right());
            let given = result(spilling(finding), context(runtime(bytes).build_arc().unwrap())).await.unwrap();
            let what = format!("{mode:?}, {bytes} bytes, {most} keys");
            assert!(given == wanted, "{what}: {} rows instead of {}", given.len(), wanted.len());
            let found = filter.downcast_ref::<DynamicFilterPhysicalExpr>().unwrap().current().unwrap();
            assert_eq!(found.exists(|part| Ok(part.is::<InKeySet>())).unwrap(), told, "{what}: {found}");
            assert!(!told || !found.exists(|part| Ok(part.is::<HashTableLookupExpr>())).unwrap(), "{what}: {found}");
            // Those that pass are those that meet some.
            let passed = probe.metrics().unwrap().output_rows().unwrap();
            let meet = join(Shape { mode, join_type: JoinType::RightSemi, ..PLAIN }, left, right);
            let meet = result(Arc::new(meet), Arc::new(TaskContext::default())).await.unwrap().len();
            assert!(passed >= meet && (!told || passed == meet), "{what}: {passed} passed, {meet} meet some");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_dropped_is_not_waited_for() {
    let keys = Keys { most: 500, skew: 0., nulls: 0. };
    for mode in [PartitionMode::Partitioned, PartitionMode::CollectLeft] {
        // In memory, and split.
        for bytes in [100 << 20, 50_000] {
            for is_begun in [false, true] {
                let random = &mut StdRng::seed_from_u64(2);
                let all = join(Shape { mode, ..PLAIN }, table(random, 2_000, keys, 2), table(random, 3_000, keys, 3));
                let task = Arc::new(TaskContext::default());
                let mut wanted = Vec::new();
                for rows in execute_stream_partitioned(Arc::new(fresh(&all)), task).unwrap() {
                    let batches: Vec<RecordBatch> = rows.try_collect().await.unwrap();
                    wanted.push(batches.iter().map(RecordBatch::num_rows).sum::<usize>());
                }
                let plan = spilling(finding(&fresh(&all)));
                let runtime = runtime(bytes).build_arc().unwrap();
                let mut streams =
                    execute_stream_partitioned(Arc::clone(&plan) as _, context(Arc::clone(&runtime))).unwrap();
                let mut dropped = streams.remove(0);
                if is_begun {
                    let _ = futures::poll!(dropped.next());
                }
                drop(dropped);
                let others = streams.into_iter().map(TryStreamExt::try_collect::<Vec<RecordBatch>>);
                let others = tokio::time::timeout(Duration::from_mins(1), futures::future::join_all(others)).await;
                let told = format!("{mode:?}, {bytes} bytes, begun: {is_begun}");
                let others = others.unwrap_or_else(|_| panic!("{told}: the others wait"));
                for (batches, wanted) in others.into_iter().zip(&wanted[1..]) {
                    let rows = batches.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>();
                    assert_eq!(rows, *wanted, "{told}");
                }
                drop(plan);
                assert!(is_left(&runtime).await, "{told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_run_twice_has_its_rows_twice() {
    let keys = Keys { most: 500, skew: 0., nulls: 0.1 };
    for join_type in [JoinType::Inner, JoinType::Left, JoinType::Full] {
        for bytes in [100 << 20, 50_000] {
            let random = &mut StdRng::seed_from_u64(8);
            let (left, right) = (table(random, 2_000, keys, 2), table(random, 3_000, keys, 3));
            let all = join(Shape { join_type, mode: PartitionMode::CollectLeft, ..PLAIN }, left, right);
            let wanted = result(Arc::new(fresh(&all)), Arc::new(TaskContext::default())).await.unwrap();
            let plan = Arc::new(AroundExec::new(spilling(fresh(&all)) as _, Afresh::new(true)));
            let runtime = runtime(bytes).build_arc().unwrap();
            for run in ["first", "second"] {
                let given = result(Arc::clone(&plan) as _, context(Arc::clone(&runtime))).await.unwrap();
                let told = format!("{join_type}, {bytes} bytes, the {run} time");
                assert!(given == wanted, "{told}: {} rows instead of {}", given.len(), wanted.len());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_side_of_most_of_the_memory_stays_in_it() {
    let keys = Keys { most: 10_000, skew: 0., nulls: 0. };
    for join_type in [JoinType::Inner, JoinType::Left] {
        let random = &mut StdRng::seed_from_u64(4);
        let (left, right) = (table(random, 4_000, keys, 2), table(random, 3_000, keys, 3));
        let rows = collect(Arc::clone(&left) as _, Arc::new(TaskContext::default())).await.unwrap();
        let rows: usize = rows.iter().map(get_record_batch_memory_size).sum();
        // A table of 8,192 places of 17 bytes and 64 more, a chain of 4,000 numbers, their hashes, a bit for each.
        let table_bytes = 8_192 * 17 + 64 + 4_000 * 4 + 4_000 * 8 + 500;
        let shape = Shape { join_type, mode: PartitionMode::CollectLeft, ..PLAIN };
        let all = join(shape, left, right);
        let three_quarters = |bytes: usize| bytes.div_ceil(3) * 4;
        let spilled = compare(&all, three_quarters(rows + table_bytes), "of three quarters").await;
        assert_eq!(spilled, 0, "{join_type}");
        let spilled = compare(&all, three_quarters(rows + table_bytes / 2), "of more").await;
        assert!(spilled > 0, "{join_type}");
    }
}

#[tokio::test]
async fn what_was_collected_is_given_back_as_it_is_written() {
    let random = &mut StdRng::seed_from_u64(6);
    let source = table(random, 2_000, Keys { most: 500, skew: 0., nulls: 0. }, 1);
    let all = join(Shape { mode: PartitionMode::CollectLeft, ..PLAIN }, Arc::clone(&source) as _, source.clone());
    let runtime = runtime(100 << 20).build_arc().unwrap();
    let task = context(Arc::clone(&runtime));
    let batches = collect(source, Arc::clone(&task)).await.unwrap();
    let spill = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
    let env = Env { task, limit: 100 << 20, sizes: SIZES, lanes: 1, spill, nulls: None };
    let mut collected = Collected::new(&env, &all, Claim::First).unwrap();
    for batch in &batches {
        assert!(collected.add(&env, batch.clone()).unwrap());
    }
    let rest = RecordBatchStreamAdapter::new(all.left().schema(), futures::stream::pending());
    let mut held = runtime.memory_pool.reserved();
    let mut rows = collected.given_up(Box::pin(rest));
    for batch in &batches {
        assert_eq!(&rows.next().await.unwrap().unwrap(), batch);
        let before = std::mem::replace(&mut held, runtime.memory_pool.reserved());
        assert!(held < before, "{held} is held after {before}");
    }
    assert!(futures::poll!(rows.next()).is_pending());
    assert_eq!(runtime.memory_pool.reserved(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_slices_are_as_large_as_those_of_copies() {
    let random = &mut StdRng::seed_from_u64(7);
    let keys = Keys { most: 1, skew: 0., nulls: 0. };
    let (source, right) = (table(random, 600, keys, 1), table(random, 5, keys, 1));
    let rows = collect(Arc::clone(&source) as _, Arc::new(TaskContext::default())).await.unwrap();
    let rows = concat_batches(&source.schema(), &rows).unwrap();
    let slices: Vec<_> = (0..60).map(|number| rows.slice(number * 10, 10)).collect();
    let all = UInt32Array::from_iter_values(0..10);
    let copies: Vec<_> = slices.iter().map(|slice| take_record_batch(slice, &all).unwrap()).collect();
    let mut files = Vec::new();
    for batches in [slices, copies] {
        let left = MemorySourceConfig::try_new_exec(&[batches], source.schema(), None).unwrap();
        let all = join(Shape { mode: PartitionMode::CollectLeft, ..PLAIN }, left, Arc::clone(&right) as _);
        let plan = spilling(all);
        let context = context(runtime(1 << 10).build_arc().unwrap());
        let rows = collect(Arc::clone(&plan) as _, context).await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 3_000);
        files.push(plan.metrics().unwrap().spill_count().unwrap());
    }
    assert!(files[0] <= files[1] * 2, "{files:?}");
}

//! Sorting by a column of numbers keeps every row, and equal keys in the order in which they came, whether it spills or not.

use super::super::keys::ordering;
use super::super::number::NumberKey;
use super::super::sort::Sort;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionConfig;
use futures::{TryStreamExt, stream};
use std::sync::Arc;

/// Rows of a batch.
const BATCH: usize = 500;

type Row = (Option<i64>, String);

fn batches(rows: &[Row]) -> Vec<RecordBatch> {
    let batch = |rows: &[Row]| {
        let keys: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.1)));
        RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("t", texts, true)]).unwrap()
    };
    let parts = rows.chunks(BATCH).map(batch);
    // Empty ones are nothing.
    parts.flat_map(|batch| [batch.slice(0, 0), batch]).collect()
}

fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let rows = batches.iter().flat_map(|batch| {
        let (keys, texts) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string_view());
        keys.iter().zip(texts.iter().map(|text| text.unwrap().to_owned())).collect::<Vec<_>>()
    });
    rows.collect()
}

fn context(pool_bytes: usize) -> Arc<TaskContext> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(pool_bytes)));
    let config = SessionConfig::new().with_batch_size(BATCH).with_sort_spill_reservation_bytes(256 << 10);
    Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime.build_arc().unwrap()))
}

/// What becomes of rows, in batches.
async fn sorted(rows: &[Row], context: &Arc<TaskContext>) -> datafusion::error::Result<Vec<RecordBatch>> {
    let batches = batches(rows);
    let schema = batches[0].schema();
    let sort = Sort::new(NumberKey::of(&schema, &[0]).unwrap(), ordering([(0, "k")]).unwrap(), context);
    let rows = RecordBatchStreamAdapter::new(schema, stream::iter(batches.into_iter().map(Ok)));
    sort.sorted(Box::pin(rows)).try_collect().await
}

fn rows(count: usize, key: impl Fn(usize) -> Option<i64>) -> Vec<Row> {
    (0..count).map(|row| (key(row), format!("row {row:05} of many"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_keys_stay_in_order() {
    let keys: [fn(usize) -> Option<i64>; 5] = [
        |row| Some((row as i64).wrapping_mul(7919) % 1_000 - 500),
        |row| Some(row as i64),
        |row| Some(-(row as i64)),
        |row| (!row.is_multiple_of(3)).then_some(row as i64 % 7),
        |_| None,
    ];
    for (number, key) in keys.into_iter().enumerate() {
        for count in [1, BATCH, 20_000, 70_000] {
            let given = rows(count, key);
            let found = rows_of(&sorted(&given, &context(1 << 30)).await.unwrap());
            let mut wanted = given;
            wanted.sort_by_key(|(key, _)| (key.is_none(), *key));
            assert!(found == wanted, "keys {number}, {count} rows");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_does_not_hold_is_spilled() {
    let given = rows(60_000, |row| (!row.is_multiple_of(11)).then_some((row as i64).wrapping_mul(7919) % 10_000));
    let context = context(2 << 20);
    let found = rows_of(&sorted(&given, &context).await.unwrap());
    assert!(found.is_sorted_by_key(|(key, _)| (key.is_none(), *key)));
    let in_order = |mut rows: Vec<Row>| {
        rows.sort();
        rows
    };
    assert!(in_order(found) == in_order(given));
    assert_eq!(context.memory_pool().reserved(), 0);
    // A batch that does not fit at all is an error.
    let error = sorted(&rows(BATCH, |_| None), &self::context(260 << 10)).await.unwrap_err();
    assert!(error.to_string().contains("sorted rows"), "{error}");
}

/// What is sorted already is not copied.
#[tokio::test]
async fn rows_in_order_are_given_as_they_are() {
    let given = rows(4 * BATCH, |row| Some(row as i64));
    let schema = batches(&given)[0].schema();
    let sort = Sort::new(NumberKey::of(&schema, &[0]).unwrap(), ordering([(0, "k")]).unwrap(), &context(1 << 30));
    let mut batches = batches(&given);
    let keys = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().as_ptr();
    let whole: Vec<_> = batches.iter().filter(|batch| batch.num_rows() > 0).map(keys).collect();
    batches.rotate_left(4);
    let rows = RecordBatchStreamAdapter::new(schema, stream::iter(batches.into_iter().map(Ok)));
    let found: Vec<RecordBatch> = sort.sorted(Box::pin(rows)).try_collect().await.unwrap();
    assert_eq!(found.iter().map(keys).collect::<Vec<_>>(), whole);
}

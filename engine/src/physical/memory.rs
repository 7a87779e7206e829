//! The sizes that operators work in where there is little memory, and what rows take of it.
//!
//! A merge of what was spilled reads a batch of each of at least two runs, a join or an exchange one of each part, in each
//! slice: with the usual batches, or the usual reserve for merges, nothing would be left of some megabytes.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a row for which a slice has room for [`BATCHES`] batches.
const ROW_BYTES: usize = 1 << 10;

/// Batches of wide rows that a slice holds at once.
const BATCHES: usize = 16;

/// The fewest rows of a batch.
const LEAST_ROWS: usize = 128;

/// Sorts in a slice, each of which reserves memory for its merge.
const SORTS: usize = 8;

/// The part of the memory that is left to others by those who can go to the disk, so that what is above and below them
/// finds some: a quarter.
const LEFT_TO_OTHERS: usize = 4;

/// Makes batches and reserves small enough for so many bytes, in which all slices work.
pub(crate) fn fit_to_memory(mut config: SessionConfig, bytes: usize) -> SessionConfig {
    let slice = bytes / config.target_partitions().max(1);
    let rows = 1 << (slice / BATCHES / ROW_BYTES).max(LEAST_ROWS).ilog2();
    if rows < config.batch_size() {
        config = config.with_batch_size(rows);
    }
    let merge = &mut config.options_mut().execution.sort_spill_reservation_bytes;
    *merge = (*merge).min(slice / SORTS);
    config
}

/// Has exchanges write each batch that they are refused memory for into a file of its own.
///
/// Several inputs of DataFusion's exchange write for one output at the same time into several files that stay open
/// (`SpillPoolSink::push_batch`), and the output reads the first of them to its end before the next. It waits there for rows
/// that no input writes any more: they wait in turn for an output that takes rows. A file of one batch is at its end as soon
/// as it is written.
pub(crate) fn exchanges_write_apart(config: SessionConfig) -> SessionConfig {
    config.set_usize("datafusion.execution.max_spill_file_size_bytes", 1)
}

/// The bytes that a statement may hold; `None` where there is no limit or no disk to go to.
pub(super) fn limit(task: &TaskContext) -> Option<usize> {
    match task.memory_pool().memory_limit() {
        MemoryLimit::Finite(bytes) if task.runtime_env().disk_manager.tmp_files_enabled() => Some(bytes),
        _ => None,
    }
}

/// What of a statement's memory those who can go to the disk take as they come.
pub(super) fn first_come(limit: usize) -> usize {
    limit - limit / LEFT_TO_OTHERS
}

/// A statement's context with other memory and other settings, for an operator whose input is handed to it. Expressions have
/// their functions: none is looked up by its name.
pub(super) fn with_memory(task: &TaskContext, pool: Arc<dyn MemoryPool>, config: SessionConfig) -> TaskContext {
    TaskContext::new(
        task.task_id(),
        task.session_id(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::new(RuntimeEnv { memory_pool: pool, ..task.runtime_env().as_ref().clone() }),
    )
}

/// What rows would take alone. A slice shares its buffers with others, which are not counted.
pub(super) fn own_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(own_bytes_of).sum()
}

fn own_bytes_of(array: &ArrayRef) -> usize {
    let nulls = array.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            nulls + own_bytes_of_lists(list.values(), list.value_offsets())
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            nulls + own_bytes_of_lists(&(Arc::new(map.entries().clone()) as _), map.value_offsets())
        }
        DataType::Struct(_) => nulls + array.as_struct().columns().iter().map(own_bytes_of).sum::<usize>(),
        DataType::Utf8View => own_bytes_of_values(array) + array.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => own_bytes_of_values(array) + array.as_binary_view().total_buffer_bytes_used(),
        _ => own_bytes_of_values(array),
    }
}

fn own_bytes_of_lists(values: &ArrayRef, offsets: &[i32]) -> usize {
    let (first, last) = (offsets.first().copied().unwrap_or_default(), offsets.last().copied().unwrap_or_default());
    size_of_val(offsets) + own_bytes_of(&values.slice(first as usize, (last - first) as usize))
}

/// Arrow's measure, which leaves out what the views of texts point at, and knows no slices of nested values.
pub(super) fn own_bytes_of_values(array: &ArrayRef) -> usize {
    let data = array.to_data();
    data.get_slice_memory_size().unwrap_or_else(|_| data.get_buffer_memory_size())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, ListArray, StringArray, StringViewArray, StructArray};
    use arrow::datatypes::Int64Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::{ExecutionPlan, Partitioning, execute_stream_partitioned};
    use futures::TryStreamExt;
    use std::time::Duration;

    #[test]
    fn batches_shrink_with_the_memory() {
        let usual = || SessionConfig::new().with_target_partitions(2).with_batch_size(16_384);
        for (megabytes, rows, merge_bytes) in [(4_096, 16_384, 10 << 20), (56, 1_024, 3_670_016), (1, 128, 65_536)] {
            let config = fit_to_memory(usual(), megabytes << 20);
            let merge = config.options().execution.sort_spill_reservation_bytes;
            assert_eq!((config.batch_size(), merge), (rows, merge_bytes), "{megabytes} MB");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn exchanges_without_memory_come_to_an_end() {
        let batch = |number: i64| {
            let column = Int64Array::from_iter_values(number * 10..(number + 1) * 10);
            RecordBatch::try_from_iter([("n", Arc::new(column) as ArrayRef)]).unwrap()
        };
        let inputs: Vec<Vec<_>> = (0..4).map(|input| (0..100).map(|n| batch(input * 100 + n)).collect()).collect();
        let source = MemorySourceConfig::try_new_exec(&inputs, batch(0).schema(), None).unwrap();
        let exchange = Arc::new(RepartitionExec::try_new(source, Partitioning::RoundRobinBatch(3)).unwrap());
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(1))).build_arc().unwrap();
        let config = exchanges_write_apart(SessionConfig::new().with_batch_size(10));
        let task = Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime));
        let outputs = execute_stream_partitioned(Arc::clone(&exchange) as _, task).unwrap();
        let outputs =
            futures::future::try_join_all(outputs.into_iter().map(TryStreamExt::try_collect::<Vec<RecordBatch>>));
        let given = tokio::time::timeout(Duration::from_mins(1), outputs).await.unwrap().unwrap();
        let numbers = given.iter().flatten().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
        let mut numbers: Vec<_> = numbers.copied().collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..4_000));
        // No file has two batches.
        assert_eq!(exchange.metrics().unwrap().spill_count(), Some(400));
    }

    #[test]
    fn a_slice_is_counted_as_what_it_is() {
        let values = |rows: usize| -> ArrayRef { Arc::new(Int64Array::from_iter_values(0..rows as i64)) };
        let text = "more letters than a view holds";
        // What ten of a thousand rows take: values, offsets, views of 16 bytes.
        let cases: [(ArrayRef, usize); 5] = [
            (values(1_000), 80),
            (Arc::new(StringArray::from(vec![text; 1_000])), 11 * 4 + 10 * text.len()),
            (Arc::new(StringViewArray::from(vec![text; 1_000])), 10 * 16 + 10 * text.len()),
            (
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                    (0..1_000).map(|n| Some([Some(n), Some(n)])),
                )),
                11 * 4 + 2 + 20 * 8 + 2,
            ),
            (Arc::new(StructArray::try_from(vec![("a", values(1_000)), ("b", values(1_000))]).unwrap()), 160),
        ];
        for (array, bytes) in cases {
            let kind = array.data_type().clone();
            let batch = RecordBatch::try_from_iter([("column", array.slice(500, 10))]).unwrap();
            let bitmaps = 4;
            assert!((bytes - bitmaps..=bytes + bitmaps).contains(&own_bytes(&batch)), "{kind}: {}", own_bytes(&batch));
        }
    }
}

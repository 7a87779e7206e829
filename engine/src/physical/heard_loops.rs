//! Nested loop joins that hear when their statement is to end.
//!
//! DataFusion's looks at all pairs of a batch with the whole build side before it gives anything back: with a condition
//! that keeps nothing that is minutes in which its task is not asked, no timer is looked at and nobody can end it. So it
//! runs in a task of its own, whose thread others need not wait for, and its condition fails when nobody wants rows any
//! more.

use super::afresh::Afresh;
use super::forward::{Around, AroundExec, Plan};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{JoinType, exec_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use futures::{StreamExt, future};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc::Sender;

/// Puts [`HeardLoop`] around nested loop joins.
#[derive(Debug, Default)]
pub(super) struct HeardLoops;

impl PhysicalOptimizerRule for HeardLoops {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        AroundExec::put(plan, HeardLoop::of)
    }

    fn name(&self) -> &'static str {
        "heard_loops"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A nested loop join in tasks of its own. Whoever looks for one in the plan finds it here.
#[derive(Debug)]
struct HeardLoop {
    /// The join as it is run: its condition, if there is one, fails when nobody reads, and its inner side may be read twice.
    run: Plan,
    readers: Arc<AtomicUsize>,
}

impl HeardLoop {
    fn of(plan: &Plan) -> Result<Option<Self>> {
        let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else { return Ok(None) };
        let readers = Arc::new(AtomicUsize::new(0));
        let filter = join.filter().map(|filter| {
            let condition = Arc::clone(filter.expression());
            let expression = WhileRead { condition, readers: Arc::clone(&readers) };
            JoinFilter::new(Arc::new(expression), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
        });
        let heard: Plan = Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?);
        let repeats = !keeps_inner_rows(*join.join_type()) || join.right().output_partitioning().partition_count() == 1;
        let inner_side: Plan = Arc::new(AroundExec::new(Arc::clone(join.left()), Afresh::new(repeats)));
        let run = replace_children_if_necessary(heard, vec![inner_side, Arc::clone(join.right())])?;
        Ok(Some(Self { run, readers }))
    }
}

/// Whether a join gives rows of its inner side by whether they met any. From the disk DataFusion's does so in each partition
/// of the other side by itself, so that such a row would come several times.
fn keeps_inner_rows(join_type: JoinType) -> bool {
    matches!(join_type, JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark | JoinType::Full)
}

impl Around for HeardLoop {
    const NAME: &'static str = "HeardLoopExec";

    fn again(&self, inner: &Plan) -> Result<Option<Self>> {
        Self::of(inner)
    }

    fn execute(&self, _inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.run.execute(partition, context)?;
        let (schema, read) = (rows.schema(), Read::begin(&self.readers));
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), 1);
        let given = builder.tx();
        builder.spawn(async move {
            give(rows, given).await;
            Ok(())
        });
        let rows = builder.build().inspect(move |_| {
            let _ = &read;
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self, _inner: &Plan) -> Option<MetricsSet> {
        self.run.metrics()
    }
}

/// Gives rows to whoever reads, up to the first error.
async fn give(mut rows: SendableRecordBatchStream, given: Sender<Result<RecordBatch>>) {
    let apart = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    // Others' tasks leave this thread while it looks at pairs.
    while let Some(batch) = future::poll_fn(|context| {
        let mut next = || rows.poll_next_unpin(context);
        if apart { tokio::task::block_in_place(next) } else { next() }
    })
    .await
    {
        let failed = batch.is_err();
        if given.send(batch).await.is_err() || failed {
            break;
        }
    }
}

/// Somebody reads, as long as this is there.
struct Read(Arc<AtomicUsize>);

impl Read {
    fn begin(readers: &Arc<AtomicUsize>) -> Self {
        readers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(readers))
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A condition that fails when nobody reads what it lets through.
#[derive(Debug)]
struct WhileRead {
    condition: Arc<dyn PhysicalExpr>,
    readers: Arc<AtomicUsize>,
}

impl fmt::Display for WhileRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for WhileRead {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition) && Arc::ptr_eq(&self.readers, &other.readers)
    }
}

impl Eq for WhileRead {}

impl Hash for WhileRead {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl PhysicalExpr for WhileRead {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.readers.load(Ordering::Relaxed) == 0 {
            return exec_err!("nobody reads the rows of a join any more");
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[Arc<dyn PhysicalExpr>; 1]>::try_from(children) {
            Ok([condition]) => Ok(Arc::new(Self { condition, readers: Arc::clone(&self.readers) })),
            Err(_) => exec_err!("a condition has one expression"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{Field, Int64Type};
    use datafusion::common::JoinSide;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::error::DataFusionError;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{BinaryExpr, Column};
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::joins::utils::ColumnIndex;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::{Partitioning, collect};
    use datafusion::prelude::SessionConfig;
    use futures::stream;

    fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(range)) as _)]).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_asked_for_after_an_error() {
        let batch = numbers(0..3);
        let polled = Arc::new(AtomicUsize::new(0));
        let (schema, counted) = (batch.schema(), Arc::clone(&polled));
        let rows = stream::iter([Ok(batch.clone()), exec_err!("of the join"), Ok(batch)]);
        let rows = rows.inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let (given, mut read) = tokio::sync::mpsc::channel(10);
        give(Box::pin(RecordBatchStreamAdapter::new(schema, rows)), given).await;
        assert_eq!(read.recv().await.unwrap().unwrap().num_rows(), 3);
        assert!(read.recv().await.unwrap().unwrap_err().to_string().contains("of the join"));
        assert!(read.recv().await.is_none());
        assert_eq!(polled.load(Ordering::Relaxed), 2);
    }

    /// 0 … 1999 with itself, `l < r`, where the inner side comes through an exchange.
    fn joined(join_type: JoinType, right: &[Vec<RecordBatch>]) -> Plan {
        let source =
            |parts: &[Vec<RecordBatch>]| MemorySourceConfig::try_new_exec(parts, numbers(0..0).schema(), None).unwrap();
        let left = source(&[vec![numbers(0..1_000), numbers(1_000..2_000)]]);
        let dealt = RepartitionExec::try_new(left, Partitioning::RoundRobinBatch(3)).unwrap();
        let left: Plan = Arc::new(CoalescePartitionsExec::new(Arc::new(dealt)));
        let fields = ["l", "r"].map(|name| Field::new(name, DataType::Int64, true));
        let (l, r) = (Arc::new(Column::new("l", 0)), Arc::new(Column::new("r", 1)));
        let sides = [JoinSide::Left, JoinSide::Right].map(|side| ColumnIndex { index: 0, side });
        let less = Arc::new(BinaryExpr::new(l, Operator::Lt, r));
        let filter = JoinFilter::new(less, sides.to_vec(), Arc::new(Schema::new(fields.to_vec())));
        let join = NestedLoopJoinExec::try_new(left, source(right), Some(filter), &join_type, None).unwrap();
        HeardLoops.optimize(Arc::new(join), &ConfigOptions::default()).unwrap()
    }

    /// A context with less memory than the 16 kB of the inner side.
    fn little_memory() -> Arc<TaskContext> {
        let pool = Arc::new(GreedyMemoryPool::new(12_000));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
        let config = SessionConfig::new().with_batch_size(500);
        Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime))
    }

    /// 1999 + 1998 + … + 1 rows.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_inner_side_with_exchanges_is_written_to_the_disk() {
        let plan = joined(JoinType::Inner, &[vec![numbers(0..1_000), numbers(1_000..2_000)]]);
        let given = collect(Arc::clone(&plan), little_memory()).await.unwrap();
        assert_eq!(given.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_999_000);
        let l_is_less = |batch: &RecordBatch| {
            let (l, r) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
            l.values().iter().zip(r.values()).all(|(l, r)| l < r)
        };
        assert!(given.iter().all(l_is_less));
        assert!(plan.metrics().unwrap().spilled_bytes().unwrap() > 0);
    }

    /// All but the last meet a greater one: of two partitions each would give those that it has none for.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_of_the_inner_side_do_not_come_for_each_partition() {
        let right = [vec![numbers(0..1_000)], vec![numbers(1_000..2_000)]];
        for (join_type, rows) in [(JoinType::LeftSemi, 1_999), (JoinType::LeftAnti, 1)] {
            let given = collect(joined(join_type, &right), Arc::new(TaskContext::default())).await.unwrap();
            assert_eq!(given.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{join_type}");
            let error = collect(joined(join_type, &right), little_memory()).await.unwrap_err();
            assert!(matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)), "{join_type}: {error}");
        }
    }
}

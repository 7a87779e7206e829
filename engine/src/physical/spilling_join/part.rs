//! One join: of a build side with the probe rows of one or several partitions, in memory if it fits and else split.

use super::collect::{Collected, Grant};
use super::found::FoundKeys;
use super::memory::{Claim, Env};
use super::outer::Outer;
use super::report::{Silence, report_all};
use super::split::Split;
use super::template::{Instance, Template};
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::PartitionMode;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, TryStreamExt, stream};
use std::sync::Arc;

/// How a build side that does not fit is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// By a hash of its keys, when it was hashed so often before.
    Hash(u64),
    /// Into blocks of so many bytes.
    Blocks(usize),
    /// It cannot be.
    Never,
}

/// What became of a build side.
#[derive(Clone)]
enum Built {
    Whole(Grant),
    Split(Arc<Split>),
}

/// A join whose build side is looked at once, by whoever of its partitions comes first.
pub(super) struct PartJoin {
    instance: Arc<Instance>,
    /// The first of its partitions, as numbered by the join.
    first: usize,
    schema: SchemaRef,
    outer: Option<Arc<Outer>>,
    /// What it finds for the scan of its probe side.
    keys: Option<Arc<FoundKeys>>,
    built: Shared<BoxFuture<'static, Result<Built, Arc<DataFusionError>>>>,
}

impl PartJoin {
    /// A join of the plan: its partitions from `first` on, of which there are `partitions`. `outer` keeps what it promises
    /// when there are parts.
    pub(super) fn whole(
        env: Arc<Env>,
        instance: Arc<Instance>,
        keys: Option<Arc<FoundKeys>>,
        build: SendableRecordBatchStream,
        (first, partitions): (usize, usize),
        outer: Arc<Outer>,
    ) -> Self {
        let by_partition = *instance.join.partition_mode() == PartitionMode::Partitioned;
        let silence = by_partition.then(|| Silence::new(&env, &instance, first));
        let shape = Shape::Plan { numbered: outer.ordered };
        let rows = Rows { build, first, partitions, keys: keys.clone() };
        let built = collect(env, Arc::clone(&instance), shape, rows, (Next::Hash(0), Claim::First), silence);
        Self { keys, ..Self::new(instance, first, Some(outer), built.boxed()) }
    }

    /// A part of a join, of so many partitions of the probe side.
    pub(super) fn part(
        env: Arc<Env>,
        template: Arc<Template>,
        build: SendableRecordBatchStream,
        partitions: usize,
        next: Next,
    ) -> Result<Self> {
        let instance = Arc::new(template.instance(partitions)?);
        let claim = if next == Next::Never { Claim::Last } else { Claim::Part };
        let rows = Rows { build, first: 0, partitions, keys: None };
        let built = collect(env, Arc::clone(&instance), Shape::Part(template), rows, (next, claim), None);
        Ok(Self::new(instance, 0, None, built.boxed()))
    }

    fn new(
        instance: Arc<Instance>,
        first: usize,
        outer: Option<Arc<Outer>>,
        built: BoxFuture<'static, Result<Built>>,
    ) -> Self {
        let schema = instance.join.schema();
        let built = built.map(|built| built.map_err(Arc::new)).boxed().shared();
        Self { instance, first, schema, outer, keys: None, built }
    }

    /// The join of a partition's probe rows.
    pub(super) fn run(&self, partition: usize, probe: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let (built, instance) = (self.built.clone(), Arc::clone(&self.instance));
        let (outer, keys, output) = (self.outer.clone(), self.keys.clone(), partition - self.first);
        let rows = async move {
            match built.await.map_err(DataFusionError::Shared)? {
                Built::Whole(grant) => {
                    instance.probe.hand(partition, settling(probe, &grant, keys));
                    instance.join.execute(partition, grant.task)
                }
                Built::Split(split) => match outer {
                    Some(outer) => outer.run(partition, output, &split, probe),
                    None => Ok(split.run(output, probe)),
                },
            }
        };
        let rows = stream::once(rows).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// A build side, and the partitions that it is joined with.
struct Rows {
    build: SendableRecordBatchStream,
    first: usize,
    partitions: usize,
    /// Where the keys are noted of a build side that fits.
    keys: Option<Arc<FoundKeys>>,
}

/// The shape of a join's parts.
enum Shape {
    /// That of the plan's join; whether rows of its probe side are numbered.
    Plan { numbered: bool },
    /// That of the part itself.
    Part(Arc<Template>),
}

impl Shape {
    fn template(self, instance: &Instance) -> Result<Arc<Template>> {
        match self {
            Self::Part(template) => Ok(template),
            Self::Plan { numbered } => {
                let template = Template::of(&instance.join)?;
                Ok(Arc::new(if numbered { template.numbered()? } else { template }))
            }
        }
    }
}

async fn collect(
    env: Arc<Env>,
    instance: Arc<Instance>,
    shape: Shape,
    rows: Rows,
    (next, claim): (Next, Claim),
    silence: Option<Silence>,
) -> Result<Built> {
    let Rows { mut build, first, partitions, keys } = rows;
    let by_partition = silence.is_some();
    let mut collected = Collected::new(&env, &instance.join, claim)?;
    while let Some(batch) = build.try_next().await? {
        if batch.num_rows() == 0 || collected.add(&env, batch)? {
            continue;
        }
        // The other partitions wait for what this one says of its keys.
        drop(silence);
        let template = shape.template(&instance)?;
        return Ok(Built::Split(Split::write(env, template, partitions, collected.given_up(build), next).await?));
    }
    let schema = build.schema();
    drop(build);
    let (grant, batches) = collected.grant(&env)?;
    let side = if by_partition { first } else { 0 };
    if let Some(keys) = keys {
        keys.note(&env, side, &batches)?;
    }
    let batches = Box::pin(MemoryStream::try_new(batches, schema, None)?);
    instance.build.hand(side, batches);
    match silence {
        // Its partition is run next, by whoever waits for this.
        Some(silence) => silence.broken(),
        None => report_all(&instance, partitions, &grant).await?,
    }
    Ok(Built::Whole(grant))
}

/// Probe rows, with which building is over: they are asked for only then, and the keys are known.
fn settling(
    probe: SendableRecordBatchStream,
    grant: &Grant,
    keys: Option<Arc<FoundKeys>>,
) -> SendableRecordBatchStream {
    let (schema, memory) = (probe.schema(), Arc::clone(&grant.memory));
    let rows = stream::once(async move {
        memory.settle();
        if let Some(keys) = keys {
            keys.tell()?;
        }
        Ok::<_, DataFusionError>(probe)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
}

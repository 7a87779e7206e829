//! A join whose build side lies in files.
//!
//! By a hash of the keys, part *n* of the probe side meets part *n* of the build side and no other. Where hashing does
//! not divide, the build side is cut into blocks and the probe side is read once for each; a row of the build side is in
//! one block and meets all probe rows there, so what a join keeps of its build side comes out right. What it keeps of its
//! probe side does not: there the sides change places, and blocks of the probe side meet all of the build side. A full
//! join does the one for its build side and the other for the probe rows that meet none.

use super::files::{File, Writing};
use super::memory::Env;
use super::part::{Next, PartJoin};
use super::scatter::Scatter;
use super::template::Template;
use crate::physical::memory::own_bytes;
use arrow::array::new_null_array;
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{JoinType, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How often rows are hashed; each time they are divided at least by four.
const MOST_HASHES: u64 = 6;

/// The part of the rows in one part from which on hashing them again is not worth it: they are of one key.
const MOST_OF_ALL: f64 = 0.8;

/// A build side in files, which so many partitions of the probe side are joined with.
pub(super) struct Split {
    env: Arc<Env>,
    /// The shape of the result.
    template: Arc<Template>,
    way: Way,
    outputs: usize,
    parts: Vec<Part>,
}

enum Way {
    Hash {
        depth: u64,
    },
    Blocks {
        bytes: usize,
        /// The join of each block with all probe rows.
        build: Option<Arc<Template>>,
        /// The join of blocks of the probe rows with all of the build side, its sides changed.
        probe: Option<Arc<Template>>,
    },
}

struct Part {
    next: Next,
    /// Whether its rows have NULL in their key, and were put aside for it.
    nulls: bool,
    state: Mutex<PartState>,
}

struct PartState {
    files: Vec<File>,
    join: Option<Arc<PartJoin>>,
    /// Partitions that have not joined it yet.
    waited_for: usize,
}

impl Split {
    /// Writes a build side.
    pub(super) async fn write(
        env: Arc<Env>,
        template: Arc<Template>,
        outputs: usize,
        rows: SendableRecordBatchStream,
        next: Next,
    ) -> Result<Arc<Self>> {
        let split = match next {
            Next::Hash(depth) => Self::by_hash(env, template, outputs, rows, depth).await?,
            Next::Blocks(bytes) => Self::into_blocks(env, template, outputs, rows, bytes).await?,
            Next::Never => return internal_err!("a join that cannot be split was to be"),
        };
        Ok(Arc::new(split))
    }

    async fn by_hash(
        env: Arc<Env>,
        template: Arc<Template>,
        outputs: usize,
        rows: SendableRecordBatchStream,
        depth: u64,
    ) -> Result<Self> {
        let nulls_apart = depth == 0 && env.nulls.is_some();
        let keys = template.join().on().iter().map(|(key, _)| Arc::clone(key)).collect();
        let scatter = scatter(&env, &template, keys, depth, nulls_apart);
        let written = scatter.write(rows, &env.manager(&template.build_schema())).await?;
        let all: u64 = written.iter().map(|(_, rows)| rows).sum();
        let block_bytes = env.block_bytes();
        let part = |(number, (file, rows)): (usize, (Option<File>, u64))| {
            let of_one_key = rows as f64 > MOST_OF_ALL * all as f64;
            let again = depth + 1 < MOST_HASHES && !of_one_key;
            let next = if again { Next::Hash(depth + 1) } else { Next::Blocks(block_bytes) };
            Part::new(file, outputs, next, nulls_apart && number == scatter.parts)
        };
        let parts = written.into_iter().enumerate().map(part).collect();
        Ok(Self { env, template, way: Way::Hash { depth }, outputs, parts })
    }

    async fn into_blocks(
        env: Arc<Env>,
        template: Arc<Template>,
        outputs: usize,
        rows: SendableRecordBatchStream,
        bytes: usize,
    ) -> Result<Self> {
        let (build, probe) = match template.join().join_type() {
            JoinType::Full => (Some(Arc::new(template.left_half()?)), Some(Arc::new(template.rest()?.swapped()?))),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                (None, Some(Arc::new(template.swapped()?)))
            }
            _ => (Some(Arc::clone(&template)), None),
        };
        let next = env.smaller_blocks(bytes).map_or(Next::Never, Next::Blocks);
        let files = blocks(&env, &template.build_schema(), rows, bytes).await?;
        let parts = files.into_iter().map(|file| Part::new(Some(file), outputs, next, false)).collect();
        Ok(Self { env, template, way: Way::Blocks { bytes, build, probe }, outputs, parts })
    }

    /// The join of a partition's probe rows.
    pub(super) fn run(self: Arc<Self>, output: usize, probe: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = self.template.join().schema();
        let rows = async move {
            match &self.way {
                Way::Hash { depth } => {
                    let keys = self.template.join().on().iter().map(|(_, key)| Arc::clone(key)).collect();
                    let scatter = scatter(&self.env, &self.template, keys, *depth, false);
                    let manager = self.env.manager(&self.template.probe_schema());
                    let written = scatter.write(probe, &manager).await?;
                    let mut files: Vec<_> = written.into_iter().map(|(file, _)| file.into_iter().collect()).collect();
                    files.resize(self.parts.len(), Vec::new());
                    Ok(self.meet(output, files))
                }
                Way::Blocks { .. } => {
                    let mut writing = Writing::new(self.env.manager(&self.template.probe_schema()));
                    let mut probe = probe;
                    while let Some(batch) = probe.try_next().await? {
                        writing.append(&batch)?;
                    }
                    let files = writing.finish()?.0.into_iter().collect();
                    self.meet_blocks(output, files)
                }
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(rows).try_flatten()))
    }

    /// The joins of the parts, one after the other, each with the probe rows of its files.
    fn meet(self: Arc<Self>, output: usize, files: Vec<Vec<File>>) -> BoxStream<'static, Result<RecordBatch>> {
        let through = Arc::new(Through { split: Arc::clone(&self), next: AtomicUsize::new(0) });
        let joined = move |(part, files): (usize, Vec<File>)| {
            let (split, through) = (Arc::clone(&self), Arc::clone(&through));
            let rows = async move {
                let probe = split.env.read_coalesced(&split.template.probe_schema(), files);
                let rows = split.join_of(part)?.run(output, probe);
                let nulls = split.parts[part].nulls;
                let seen = split.env.nulls.clone();
                let kept =
                    rows.try_filter(move |_| std::future::ready(seen.as_ref().is_none_or(|seen| seen.keeps(nulls))));
                // When its rows are all given, nothing of the part is needed for this partition any more.
                let done = stream::once(async move { through.finish(part) }).filter_map(|()| async { None });
                Ok::<_, DataFusionError>(kept.chain(done))
            };
            stream::once(rows).try_flatten().boxed()
        };
        stream::iter(files.into_iter().enumerate()).flat_map(joined).boxed()
    }

    /// The joins of blocks with all probe rows, which are in these files.
    fn meet_blocks(
        self: Arc<Self>,
        output: usize,
        files: Vec<File>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Way::Blocks { bytes, build, probe } = &self.way else {
            return internal_err!("rows dealt by a hash are no blocks");
        };
        let schema = self.template.join().schema();
        let of_build = build.is_some().then(|| {
            let given = Arc::clone(&schema);
            let rows = Arc::clone(&self).meet(output, vec![files.clone(); self.parts.len()]);
            rows.map(move |batch| with_schema(&batch?, &given))
        });
        let of_probe = probe.clone().map(|template| {
            let (split, bytes) = (Arc::clone(&self), *bytes);
            let rows = async move {
                let build_files = split.parts.iter().flat_map(Part::files).collect();
                let rows = split.env.read(&template.build_schema(), files);
                // Blocks of the probe rows, joined with the build side as theirs.
                let env = Arc::clone(&split.env);
                let blocks = Arc::new(Self::into_blocks(env, template, 1, rows, bytes).boxed().await?);
                let rows = blocks.meet_blocks(0, build_files)?;
                Ok::<_, DataFusionError>(rows.map(move |batch| split.padded(&batch?)))
            };
            stream::once(rows).try_flatten()
        });
        let of_build = stream::iter(of_build).flatten();
        Ok(of_build.chain(stream::iter(of_probe).flatten()).boxed())
    }

    /// Rows of the probe side that a full join adds: with NULL for all of the build side. Those of other joins have their
    /// columns already.
    fn padded(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.template.join().schema();
        if *self.template.join().join_type() != JoinType::Full {
            return with_schema(batch, &schema);
        }
        let build = self.template.build_schema().fields().len();
        let rows = batch.num_rows();
        let column = |(number, field): (&usize, &FieldRef)| match number.checked_sub(build) {
            Some(number) => Arc::clone(batch.column(number)),
            None => new_null_array(field.data_type(), rows),
        };
        let columns = self.template.projection().iter().zip(schema.fields()).map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }

    /// A part's join, made when it is first needed.
    fn join_of(&self, number: usize) -> Result<Arc<PartJoin>> {
        let part = &self.parts[number];
        let mut state = part.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(join) = &state.join {
            return Ok(Arc::clone(join));
        }
        let (template, files) = match &self.way {
            Way::Hash { .. } => (&self.template, std::mem::take(&mut state.files)),
            Way::Blocks { build, .. } => (build.as_ref().unwrap_or(&self.template), state.files.clone()),
        };
        let rows = self.env.read(&template.build_schema(), files);
        let join = PartJoin::part(Arc::clone(&self.env), Arc::clone(template), rows, self.outputs, part.next)?;
        Ok(Arc::clone(state.join.insert(Arc::new(join))))
    }

    /// A partition is through with a part; the last of them lets it go.
    fn finish(&self, number: usize) {
        let mut state = self.parts[number].state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waited_for = state.waited_for.saturating_sub(1);
        if state.waited_for == 0 {
            state.join = None;
        }
    }
}

/// A partition's way through the parts. When it is dropped before the end, the parts that are left do not wait for it.
struct Through {
    split: Arc<Split>,
    /// The first part that it is not through with.
    next: AtomicUsize,
}

impl Through {
    fn finish(&self, part: usize) {
        self.next.store(part + 1, Ordering::Relaxed);
        self.split.finish(part);
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        (*self.next.get_mut()..self.split.parts.len()).for_each(|part| self.split.finish(part));
    }
}

impl Part {
    fn new(file: Option<File>, outputs: usize, next: Next, nulls: bool) -> Self {
        let state = PartState { files: file.into_iter().collect(), join: None, waited_for: outputs };
        Self { next, nulls, state: Mutex::new(state) }
    }

    fn files(&self) -> Vec<File> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).files.clone()
    }
}

/// Rows as those of a schema that allows more: of half of a full join, NULL.
fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}

fn scatter(env: &Env, template: &Template, keys: Vec<PhysicalExprRef>, depth: u64, nulls_apart: bool) -> Scatter {
    Scatter { keys, null_equality: template.join().null_equality(), parts: env.parts(), depth, nulls_apart }
}

/// Writes rows in order into files of at most so many bytes, but at least of a row.
async fn blocks(env: &Env, schema: &SchemaRef, mut rows: SendableRecordBatchStream, bytes: usize) -> Result<Vec<File>> {
    let manager = env.manager(schema);
    let mut files = Vec::new();
    let (mut writing, mut written) = (Writing::new(manager.clone()), 0);
    while let Some(batch) = rows.try_next().await? {
        let count = batch.num_rows();
        let row_bytes = own_bytes(&batch) / count.max(1) + 1;
        let most = (bytes / row_bytes).max(1);
        let mut from = 0;
        while from < count {
            let slice = batch.slice(from, most.min(count - from));
            from += slice.num_rows();
            let size = slice.num_rows() * row_bytes;
            if written > 0 && written + size > bytes {
                let full = std::mem::replace(&mut writing, Writing::new(manager.clone()));
                files.extend(full.finish()?.0);
                written = 0;
            }
            writing.append(&slice)?;
            written += size;
        }
    }
    files.extend(writing.finish()?.0);
    Ok(files)
}

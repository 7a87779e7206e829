//! Text and JSON files as a table of streams: each stream reads its share of the files, one after another, and of large
//! plain files of lines a share of each. Other large files they read together when there are fewer than streams.

use super::files::File;
use super::progress::LoadProgress;
use super::shared::Shared;
use super::{Load, files};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::decompress::{ByteStream, Codec, decompress};
use crate::lake::json::JsonPath;
use crate::lake::records::open_listed;
use crate::load::{self, Layout, LoadErrors, Loader, LoaderSpec, Part};
use crate::sql::{CopyCompression, CopyFormat, JsonMapping};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// The rows of the files.
pub(super) async fn plan(load: &Load<'_>) -> Result<LogicalPlan> {
    let spec = LoaderSpec::new(layout(load).await?, &load.copy.options, load.targets.clone())?;
    let spec = Arc::new(spec.in_zone(load.zone()));
    let lanes = load.context.state().config().target_partitions().max(1);
    let mut pieces = Vec::new();
    for file in &load.files {
        let codec = codec(load, file)?;
        let whole = || vec![Piece { file: file.clone(), codec, part: None }];
        let splits = !codec.is_compressed() && spec.is_splittable();
        let parts = if splits { parts(file, spec.header_lines(), lanes).await? } else { Vec::new() };
        pieces.extend(if parts.is_empty() {
            whole()
        } else {
            parts.into_iter().map(|part| Piece { file: file.clone(), codec, part: Some(part) }).collect()
        });
    }
    // Fewer pieces than lanes: large ones are read by all lanes together.
    let mut shared = Vec::new();
    if pieces.len() < lanes && spec.is_cuttable() {
        let large = |piece: &Piece| piece.part.is_none() && piece.file.meta.size >= LEAST_SHARED;
        let (together, alone): (Vec<Piece>, Vec<Piece>) = pieces.into_iter().partition(large);
        let own = |piece: Piece| Shared::new(piece.file, piece.codec, &spec, &load.errors, &load.progress);
        shared = together.into_iter().map(own).collect();
        pieces = alone;
    }
    let mut shares = shares(pieces, lanes, Piece::size);
    if !shared.is_empty() {
        shares.resize_with(lanes, Vec::new);
    }
    let partitions = shares.into_iter().map(|pieces| {
        let (errors, progress) = (Arc::clone(&load.errors), Arc::clone(&load.progress));
        let lane = Lane { spec: Arc::clone(&spec), errors, progress, pieces, shared: shared.clone() };
        Arc::new(lane) as Arc<dyn PartitionStream>
    });
    let table = StreamingTable::try_new(Arc::clone(spec.schema()), partitions.collect())?;
    Ok(LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?.build()?)
}

/// What each of so many lanes reads, or of fewer when there is less: the largest first, each to the lane that has least.
pub(super) fn shares<T>(mut pieces: Vec<T>, lanes: usize, bytes: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut shares: Vec<(u64, Vec<T>)> = (0..lanes.min(pieces.len())).map(|_| (0, Vec::new())).collect();
    pieces.sort_by_key(|piece| std::cmp::Reverse(bytes(piece)));
    for piece in pieces {
        if let Some(least) = shares.iter_mut().min_by_key(|(sum, _)| *sum) {
            least.0 += bytes(&piece);
            least.1.push(piece);
        }
    }
    shares.into_iter().map(|(_, pieces)| pieces).collect()
}

/// The paths of a file, one for each column that the load fills.
pub(super) async fn json_paths(load: &Load<'_>, place: &str) -> Result<Vec<JsonPath>> {
    let bytes = files::read_small(&load.stores, place, "JSONPaths").await?;
    let paths = load::paths_of(&bytes, place)?;
    if paths.len() == load.targets.len() {
        return Ok(paths);
    }
    let (found, wanted) = (paths.len(), load.targets.len());
    let message = format!("number of jsonpaths and the number of columns should match: {found} and {wanted}");
    Err(Error::new(ErrorKind::InvalidParameter, message))
}

/// The least bytes of a part of a file.
const LEAST_PART: u64 = 4 << 20;
/// The least bytes, compressed as they may be, of a file that several streams read together.
const LEAST_SHARED: u64 = 1 << 20;
/// The most bytes in which a file's header is looked for before it is split.
const MOST_HEADER: u64 = 1 << 20;

/// What one stream reads at a time.
#[derive(Clone)]
struct Piece {
    file: File,
    codec: Codec,
    /// `None` for the whole file.
    part: Option<Part>,
}

impl Piece {
    fn size(&self) -> u64 {
        self.part.map_or(self.file.meta.size, |part| part.end - part.from)
    }
}

/// The parts of a plain file of lines; none when it is best read as a whole.
async fn parts(file: &File, header: u64, lanes: usize) -> Result<Vec<Part>> {
    let size = file.meta.size;
    if size < 2 * LEAST_PART || lanes < 2 {
        return Ok(Vec::new());
    }
    let start = match header {
        0 => 0,
        lines => match header_end(file, lines).await? {
            Some(end) => end,
            None => return Ok(Vec::new()),
        },
    };
    let length = ((size - start) / (lanes as u64 * 4)).max(LEAST_PART);
    let mut parts = Vec::new();
    let mut from = start;
    while from < size {
        let end = if size - from < 2 * length { size } else { from + length };
        let is_first = from == start;
        // The byte before a part tells whether a line begins with it.
        parts.push(Part { from: if is_first { from } else { from - 1 }, end, skipped: header, is_first });
        from = end;
    }
    Ok(parts)
}

/// Where so many lines of a file end.
async fn header_end(file: &File, lines: u64) -> Result<Option<u64>> {
    let until = file.meta.size.min(MOST_HEADER);
    let mut bytes = open_listed(&file.store, &file.meta, Some(0..until)).await?;
    let (mut at, mut left) = (0, lines);
    while at < until
        && let Some(chunk) = bytes.try_next().await?
    {
        for newline in memchr::memchr_iter(b'\n', &chunk) {
            left -= 1;
            if left == 0 {
                return Ok(Some(at + newline as u64 + 1));
            }
        }
        at += chunk.len() as u64;
    }
    Ok(None)
}

/// Counts the lines of bad lines that were found in parts of files from the starts of these.
pub(super) async fn place_lines(load: &Load<'_>) -> Result<()> {
    for (url, after) in load.errors.unplaced() {
        let Some(file) = load.files.iter().find(|file| file.url() == url) else { continue };
        let mut bytes = open_listed(&file.store, &file.meta, Some(0..after)).await?;
        let (mut at, mut lines) = (0, 0);
        while at < after
            && let Some(chunk) = bytes.try_next().await?
        {
            let until = chunk.len().min(usize::try_from(after - at).unwrap_or(usize::MAX));
            lines += memchr::memchr_iter(b'\n', &chunk[..until]).count() as u64;
            at += chunk.len() as u64;
        }
        load.errors.place(&url, after, lines);
    }
    Ok(())
}

fn codec(load: &Load<'_>, file: &File) -> Result<Codec> {
    Ok(match load.copy.compression {
        Some(CopyCompression::Gzip) => Codec::Gzip,
        Some(CopyCompression::Bzip2) => Codec::Bzip2,
        Some(CopyCompression::Zstd) => Codec::Zstd,
        Some(CopyCompression::Snappy) => Codec::Snappy,
        None => Codec::of(&file.meta.location)?,
    })
}

async fn layout(load: &Load<'_>) -> Result<Layout> {
    Ok(match &load.copy.format {
        CopyFormat::Csv { quote } => Layout::Csv(*quote),
        CopyFormat::FixedWidth(widths) => {
            if widths.len() != load.targets.len() {
                let message = format!("FIXEDWIDTH has {} columns, the load fills {}", widths.len(), load.targets.len());
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
            Layout::FixedWidth(widths.iter().map(|(_, width)| *width).collect())
        }
        CopyFormat::Json(JsonMapping::Auto { ignore_case }) => Layout::JsonNames { ignore_case: *ignore_case },
        CopyFormat::Json(JsonMapping::NoShred) => {
            let [target] = load.targets.as_slice() else {
                let message = "JSON 'noshred' loads into one column of type SUPER";
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            };
            if target.data_type != crate::tables::SqlType::Super {
                let message = format!("column \"{}\" is no SUPER: JSON 'noshred' needs one", target.name);
                return Err(Error::new(ErrorKind::DatatypeMismatch, message));
            }
            Layout::JsonWhole
        }
        CopyFormat::Json(JsonMapping::Paths(place)) => Layout::JsonPaths(json_paths(load, place).await?),
        _ => Layout::Delimited,
    })
}

/// The files that one stream reads.
struct Lane {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    progress: Arc<LoadProgress>,
    pieces: Vec<Piece>,
    /// Files that it reads together with the other lanes.
    shared: Vec<Arc<Shared>>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pieces={}", self.pieces.len())
    }
}

impl PartitionStream for Lane {
    fn schema(&self) -> &SchemaRef {
        self.spec.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (spec, errors, progress) = (Arc::clone(&self.spec), Arc::clone(&self.errors), Arc::clone(&self.progress));
        let rows = stream::iter(self.pieces.clone()).map(move |piece| {
            let loader = Loader::of_part(Arc::clone(&spec), Arc::clone(&errors), piece.file.url(), piece.part);
            stream::once(read(piece, loader, Arc::clone(&progress))).try_flatten().boxed()
        });
        let shared = stream::iter(self.shared.clone()).map(Shared::rows).flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.spec.schema()), rows.flatten().chain(shared)))
    }
}

/// The batches of a file or a part of it.
async fn read(
    piece: Piece,
    loader: Loader,
    progress: Arc<LoadProgress>,
) -> DfResult<stream::BoxStream<'static, DfResult<RecordBatch>>> {
    let Piece { file, codec, part } = piece;
    let url: Arc<str> = file.url().into();
    let bytes: ByteStream = open_listed(&file.store, &file.meta, part.map(|part| part.from..part.end)).await?;
    let counted = Arc::clone(&progress);
    let name = Arc::clone(&url);
    let bytes = bytes.inspect_ok(move |chunk| counted.read(chunk.len())).boxed();
    let plain = decompress(bytes, codec, &url);
    let is_last = part.is_none_or(|part| part.end == file.meta.size);
    let batches = stream::try_unfold(Some((plain, loader)), move |state| {
        let (progress, name) = (Arc::clone(&progress), Arc::clone(&name));
        async move {
            let Some((mut plain, mut loader)) = state else { return Ok::<_, DataFusionError>(None) };
            let (batches, next) = match plain.try_next().await? {
                Some(chunk) if !loader.is_done() => (loader.feed(&chunk)?, Some((plain, loader))),
                _ => {
                    if is_last {
                        progress.file_done();
                    }
                    (loader.finish()?, None)
                }
            };
            progress.made(&name, batches.iter().map(RecordBatch::num_rows).sum());
            Ok(Some((batches, next)))
        }
    });
    Ok(batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed())
}

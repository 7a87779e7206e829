//! Text and JSON files as a table of streams: each stream reads its share of the files, one after another.

use super::files::File;
use super::{Load, files};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::decompress::{ByteStream, Codec, decompress};
use crate::lake::records::open_whole;
use crate::load::{self, Layout, LoadErrors, Loader, LoaderSpec};
use crate::sql::{CopyCompression, CopyFormat, JsonMapping};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::metrics::Count;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// The rows of the files.
pub(super) async fn plan(load: &Load<'_>) -> Result<LogicalPlan> {
    let spec = Arc::new(LoaderSpec::new(layout(load).await?, &load.copy.options, load.targets.clone())?);
    let lanes = load.context.state().config().target_partitions().clamp(1, load.files.len());
    // The largest first, each to the lane that has least.
    let mut shares: Vec<(u64, Vec<(File, Codec)>)> = (0..lanes).map(|_| (0, Vec::new())).collect();
    let mut files: Vec<&File> = load.files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.meta.size));
    for file in files {
        let codec = codec(load, file)?;
        if let Some(least) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            least.0 += file.meta.size;
            least.1.push((file.clone(), codec));
        }
    }
    let partitions = shares.into_iter().map(|(_, files)| {
        let lane = Lane { spec: Arc::clone(&spec), errors: Arc::clone(&load.errors), files };
        Arc::new(lane) as Arc<dyn PartitionStream>
    });
    let table = StreamingTable::try_new(Arc::clone(spec.schema()), partitions.collect())?;
    Ok(LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?.build()?)
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
        CopyFormat::Json(JsonMapping::Paths(place)) => {
            let bytes = files::read_small(load.context, place, "JSONPaths").await?;
            let paths = load::paths_of(&bytes, place)?;
            if paths.len() != load.targets.len() {
                let message = format!(
                    "number of jsonpaths and the number of columns should match: {} and {}",
                    paths.len(),
                    load.targets.len()
                );
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
            Layout::JsonPaths(paths)
        }
        _ => Layout::Delimited,
    })
}

/// The files that one stream reads.
struct Lane {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    files: Vec<(File, Codec)>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files={}", self.files.len())
    }
}

impl PartitionStream for Lane {
    fn schema(&self) -> &SchemaRef {
        self.spec.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (spec, errors) = (Arc::clone(&self.spec), Arc::clone(&self.errors));
        let rows = stream::iter(self.files.clone()).map(move |(file, codec)| {
            let loader = Loader::new(Arc::clone(&spec), Arc::clone(&errors), file.url());
            stream::once(read(file, codec, loader)).try_flatten().boxed()
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.spec.schema()), rows.flatten()))
    }
}

/// A file's batches.
async fn read(
    file: File,
    codec: Codec,
    loader: Loader,
) -> DfResult<stream::BoxStream<'static, DfResult<datafusion::arrow::record_batch::RecordBatch>>> {
    let url: Arc<str> = file.url().into();
    let bytes: ByteStream = open_whole(&file.store, &file.meta.location, Count::new()).await?;
    let plain = decompress(bytes, codec, &url);
    let batches = stream::try_unfold(Some((plain, loader)), |state| async move {
        let Some((mut plain, mut loader)) = state else { return Ok::<_, datafusion::error::DataFusionError>(None) };
        match plain.try_next().await? {
            Some(chunk) => {
                let batches = loader.feed(&chunk)?;
                Ok(Some((batches, Some((plain, loader)))))
            }
            None => Ok(Some((loader.finish()?, None))),
        }
    });
    Ok(batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed())
}

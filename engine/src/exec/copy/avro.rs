//! Avro files as a table of streams: each stream reads whole files, one after another, so that a record's number is known,
//! and makes rows of records as of those of JSON.

use super::files::File;
use super::progress::LoadProgress;
use super::{Load, source};
use crate::error::{Error, Result};
use crate::lake::format::Format;
use crate::lake::json::{JsonPath, Step};
use crate::lake::table::LakeTable;
use crate::load::{Layout, LoadErrors, LoaderSpec, TypedLoader};
use crate::sql::{CopyFormat, JsonMapping};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// Files whose heads are read, and whose scans are planned, at a time.
const CONCURRENCY: usize = 16;

/// What fills the columns.
enum Mapping {
    /// Fields of their names.
    Names { ignore_case: bool },
    /// What stands at paths.
    Paths(Vec<JsonPath>),
}

/// The rows of the files.
pub(super) async fn plan(load: &Load<'_>) -> Result<LogicalPlan> {
    let mapping = match &load.copy.format {
        CopyFormat::Avro(JsonMapping::Auto { ignore_case }) => Mapping::Names { ignore_case: *ignore_case },
        CopyFormat::Avro(JsonMapping::Paths(place)) => Mapping::Paths(source::json_paths(load, place).await?),
        _ => return Err(Error::unsupported("COPY … AVRO 'noshred'")),
    };
    let spec = LoaderSpec::new(Layout::Records, &load.copy.options, load.targets.clone())?;
    let spec = Arc::new(spec.in_zone(load.zone()));
    // Writers that were given no records leave files without a head.
    let files: Vec<File> = load.files.iter().filter(|file| file.meta.size > 0).cloned().collect();
    let state = load.context.state();
    let mapping = &mapping;
    let scans = stream::iter(files).map(|file| async move {
        let head = Format::infer("avro", &file.store, (&file.url(), &file.meta), state).await?;
        scan(load, mapping, &file, head).await
    });
    let scans: Vec<Scan> = scans.buffered(CONCURRENCY).try_collect().await?;
    let lanes = load.context.state().config().target_partitions().max(1);
    let mut shares = source::shares(scans, lanes, |scan| scan.bytes);
    // A table of streams has one at least.
    shares.resize_with(shares.len().max(1), Vec::new);
    let partitions = shares.into_iter().map(|scans| {
        let (errors, progress) = (Arc::clone(&load.errors), Arc::clone(&load.progress));
        Arc::new(Lane { spec: Arc::clone(&spec), errors, progress, scans }) as Arc<dyn PartitionStream>
    });
    let table = StreamingTable::try_new(Arc::clone(spec.schema()), partitions.collect())?;
    Ok(LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?.build()?)
}

/// The scan of one file.
#[derive(Clone)]
struct Scan {
    url: String,
    bytes: u64,
    records: Arc<dyn ExecutionPlan>,
    /// For each column that is filled where its values are; `None` where the file has none for it.
    paths: Vec<Option<JsonPath>>,
}

/// How a file of these columns is read.
async fn scan(load: &Load<'_>, mapping: &Mapping, file: &File, (schema, format): (SchemaRef, Format)) -> Result<Scan> {
    let has = |name: &str| schema.fields().iter().any(|field| field.name() == name);
    let paths: Vec<Option<JsonPath>> = match mapping {
        Mapping::Names { ignore_case } => {
            let path = |name: &String| {
                let same = |field: &&String| *field == name || (*ignore_case && field.eq_ignore_ascii_case(name));
                let found = schema.fields().iter().map(|field| field.name()).find(same)?;
                Some(JsonPath { steps: vec![Step::Member(found.clone())] })
            };
            load.targets.iter().map(|target| path(&target.name)).collect()
        }
        Mapping::Paths(paths) => {
            let begins = |path: &JsonPath| !matches!(path.steps.first(), Some(Step::Member(name)) if !has(name));
            paths.iter().map(|path| Some(path.clone()).filter(begins)).collect()
        }
    };
    // A path without a step is the record with all of its fields.
    let is_read = |name: &String| {
        paths.iter().flatten().any(|path| match path.steps.first() {
            Some(Step::Member(member)) => member == name,
            _ => true,
        })
    };
    let fields = schema.fields().iter().enumerate();
    let read: Vec<usize> = fields.filter(|(_, field)| is_read(field.name())).map(|(at, _)| at).collect();
    let place = load.stores.place(&file.location).await?;
    let (lake, files) = (Arc::clone(load.context.lake()), vec![(file.meta.clone(), Vec::new())]);
    let table = LakeTable::of_files(lake, place, files, format, schema, Vec::new(), Vec::new());
    let records = table.scan(load.context.state(), Some(&read), &[], None).await?;
    load.progress.watch(&records);
    Ok(Scan { url: file.url(), bytes: file.meta.size, records, paths })
}

/// The files that one stream reads.
struct Lane {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    progress: Arc<LoadProgress>,
    scans: Vec<Scan>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files={}", self.scans.len())
    }
}

impl PartitionStream for Lane {
    fn schema(&self) -> &SchemaRef {
        self.spec.schema()
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (spec, errors, progress) = (Arc::clone(&self.spec), Arc::clone(&self.errors), Arc::clone(&self.progress));
        let rows = stream::iter(self.scans.clone()).map(move |scan| {
            let Scan { url, records, paths, .. } = scan;
            let mut loader = TypedLoader::new(Arc::clone(&spec), Arc::clone(&errors), url.clone(), paths)?;
            let (records, progress) = (execute_stream(records, Arc::clone(&context))?, Arc::clone(&progress));
            let rows = records.map(move |records| {
                let rows = loader.rows(&records?)?;
                progress.counted(&url, rows.num_rows());
                DfResult::Ok(rows)
            });
            Ok::<_, DataFusionError>(rows)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.spec.schema()), rows.try_flatten()))
    }
}

//! The items of a table of DynamoDB as a table of streams: each reads its share of the segments, and makes rows of a page
//! of items as of a file of JSON.

use super::Load;
use super::progress::LoadProgress;
use crate::error::{Error, Result};
use crate::load::{Layout, LoadErrors, Loader, LoaderSpec};
use crate::session::Context;
use crate::sql::{Copy, CopyFormat};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_connectors::{Connector, Measures, Options, ScanRequest, Split};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kind of the connector, and what its tables are named by.
const KIND: &str = "dynamodb";

/// A table of DynamoDB that is loaded.
#[derive(Debug, Clone)]
pub(super) struct Items {
    connector: Arc<dyn Connector>,
    request: ScanRequest,
    measures: Arc<Measures>,
}

impl Items {
    /// The table that a statement loads; `None` when it loads files. No request is made yet.
    ///
    /// # Errors
    /// `InvalidParameter` for an endpoint that is none.
    pub(super) fn of(context: &Context, copy: &Copy) -> Result<Option<Self>> {
        let CopyFormat::DynamoDb { read_ratio, endpoint } = &copy.format else { return Ok(None) };
        let mut options = Options::new();
        let mut set = |name: &str, value: String| options.insert(name.to_owned(), value);
        set("items", "documents".to_owned());
        set("read_ratio", read_ratio.to_string());
        if let Some(endpoint) = endpoint {
            set("endpoint", endpoint.clone());
        }
        if let Some(region) = &copy.access.region {
            set("region", region.clone());
        }
        if let Some(keys) = &copy.access.keys {
            set("access_key_id", keys.key_id.clone());
            set("secret_access_key", keys.secret.clone());
            if let Some(token) = &keys.token {
                set("session_token", token.clone());
            }
        }
        let connector = context.sources().connect(KIND, &options)?;
        let table = copy.source.split_once("://").map_or(copy.source.as_str(), |(_, table)| table);
        let request = ScanRequest {
            table: table.to_owned(),
            columns: Vec::new(),
            predicates: Vec::new(),
            limit: None,
            order: Vec::new(),
            checkpoints: Vec::new(),
        };
        Ok(Some(Self { connector, request, measures: Arc::default() }))
    }

    /// The same table, read by another whose bytes do not count.
    pub(super) fn uncounted(&self) -> Self {
        Self { measures: Arc::default(), ..self.clone() }
    }

    /// The bytes that were read of the table so far.
    pub(super) fn bytes(&self) -> u64 {
        self.measures.bytes.load(Ordering::Relaxed)
    }

    /// The rows of the items.
    pub(super) async fn plan(&self, load: &Load<'_>) -> Result<LogicalPlan> {
        let spec = LoaderSpec::new(Layout::Items, &load.copy.options, load.targets.clone())?;
        let spec = Arc::new(spec.in_zone(load.zone()));
        let lanes = load.context.state().config().target_partitions().max(1);
        let columns = self.connector.schema(&self.request.table).await?;
        let [document] = columns.fields().as_ref() else {
            return Err(Error::internal("an item is more than one column"));
        };
        let request = ScanRequest { columns: vec![document.name().clone()], ..self.request.clone() };
        let request = Arc::new(request);
        let mut shares: Vec<Vec<Split>> = vec![Vec::new(); lanes];
        for (at, split) in self.connector.splits(&request, lanes).await?.into_iter().enumerate() {
            shares[at % lanes].push(split);
        }
        let seen = Arc::<AtomicU64>::default();
        let partitions = shares.into_iter().filter(|share| !share.is_empty()).map(|splits| {
            let pages = Pages {
                source: load.copy.source.clone(),
                connector: Arc::clone(&self.connector),
                request: Arc::clone(&request),
                measures: Arc::clone(&self.measures),
                spec: Arc::clone(&spec),
                errors: Arc::clone(&load.errors),
                progress: Arc::clone(&load.progress),
                seen: Arc::clone(&seen),
            };
            Arc::new(Lane { pages: Arc::new(pages), splits }) as Arc<dyn PartitionStream>
        });
        let table = StreamingTable::try_new(Arc::clone(spec.schema()), partitions.collect())?;
        Ok(LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?.build()?)
    }
}

/// What makes rows of pages of items.
struct Pages {
    source: String,
    connector: Arc<dyn Connector>,
    request: Arc<ScanRequest>,
    measures: Arc<Measures>,
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    progress: Arc<LoadProgress>,
    /// The items so far: what stands for the number of a line is the number of an item as they come.
    seen: Arc<AtomicU64>,
}

impl Pages {
    /// The rows of a page.
    fn rows(&self, page: &RecordBatch) -> DfResult<Vec<RecordBatch>> {
        if !matches!(page.columns(), [items] if *items.data_type() == DataType::Utf8View) {
            return Err(Error::internal("items came as something else than documents").into());
        }
        let items = page.column(0).as_string_view();
        let first = self.seen.fetch_add(items.len() as u64, Ordering::Relaxed) + 1;
        let (spec, errors) = (Arc::clone(&self.spec), Arc::clone(&self.errors));
        let mut loader = Loader::of_block(spec, errors, self.source.clone(), first);
        let mut batches = Vec::new();
        for item in items.iter().flatten() {
            batches.extend(loader.feed(item.as_bytes())?);
            batches.extend(loader.feed(b"\n")?);
        }
        batches.extend(loader.finish()?);
        self.progress.made(&self.source, batches.iter().map(RecordBatch::num_rows).sum());
        Ok(batches)
    }
}

/// The segments that one stream reads, one after another.
struct Lane {
    pages: Arc<Pages>,
    splits: Vec<Split>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segments={}", self.splits.len())
    }
}

impl PartitionStream for Lane {
    fn schema(&self) -> &SchemaRef {
        self.pages.spec.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let pages = Arc::clone(&self.pages);
        let rows = stream::iter(self.splits.clone()).then(move |split| {
            let pages = Arc::clone(&pages);
            async move {
                let found = pages.connector.scan(&pages.request, &split, &pages.measures).await.map_err(translated)?;
                let rows = found.map(move |page| pages.rows(&page.map_err(translated)?));
                let rows = rows.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
                Ok::<_, DataFusionError>(rows)
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.schema()), rows.try_flatten()))
    }
}

fn translated(error: millrace_connectors::ConnectorError) -> DataFusionError {
    Error::from(error).into()
}

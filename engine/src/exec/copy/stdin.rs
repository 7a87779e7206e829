//! `COPY … FROM STDIN` and `COPY … TO STDOUT`: PostgreSQL's, whose rows go between the client and a table.
//!
//! The first bad line ends a load, and its error is PostgreSQL's. Binary rows are turned into lines of the text format
//! by whoever speaks the protocol.

use super::{external_targets, managed_targets};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{done, managed, query, write};
use crate::load::{
    CopyChunks, Header, Layout, LoadError, LoadErrors, Loader, LoaderSpec, StreamCsv, StreamText, Target,
};
use crate::plan;
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{CopyIn, CopyOptions, CopyOut, StreamFormat, StreamHeader, StreamLayout};
use crate::tables::SqlType;
use crate::zone::Zone;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{TryStreamExt, stream};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

/// Executes `COPY … FROM STDIN`.
pub(crate) async fn load(context: &Context, copy: &CopyIn) -> Result<StatementResult> {
    let relation = resolve::find_relation(context, &copy.table).await?;
    let (name, targets) = match &relation {
        Relation::Managed(table) => (table.name.clone(), managed_targets(table, &copy.columns, false)?),
        Relation::Catalog(table) => (table.name.clone(), external_targets(table, &copy.columns, false)?),
        Relation::Foreign(table) => return Err(table.unchangeable()),
    };
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let zone = Zone::of_session(context.state().config_options());
    let spec = Arc::new(spec(&copy.layout, targets)?.in_zone(zone));
    let Some(input) = context.take_input() else {
        let hint = "connect with a client such as psql to millrace serve, or put the rows into a file and COPY that";
        return Err(Error::unsupported("COPY … FROM STDIN here").with_hint(hint));
    };
    let errors = Arc::new(LoadErrors::new(Some(1)));
    let declared = |name: &String| match &relation {
        Relation::Managed(table) => {
            let column = table.columns.iter().find(|column| column.name == *name);
            column.and_then(|column| column.data_type.parse::<SqlType>().ok())
        }
        Relation::Catalog(_) | Relation::Foreign(_) => None,
    };
    let chunks = input.begin(plan::with_declarations(spec.schema(), names.iter().map(declared).collect()));
    let rows = Rows { spec: Arc::clone(&spec), errors: Arc::clone(&errors), chunks: Mutex::new(Some(chunks)) };
    let table = StreamingTable::try_new(Arc::clone(spec.schema()), vec![Arc::new(rows)])?;
    let plan = LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?.build()?;
    let loaded = match &relation {
        Relation::Managed(table) => managed::load(context, table, &names, plan, false).await,
        Relation::Catalog(table) => write::load(context, table, &names, plan, ready(Ok(()))).await,
        Relation::Foreign(table) => Err(table.unchangeable()),
    };
    match (loaded, errors.recorded().first()) {
        (Ok(rows), _) => Ok(done(CommandTag::Count("COPY", rows), vec![])),
        (Err(_), Some(bad)) => Err(of_line(&name, &names, bad)),
        (Err(error), None) => Err(error),
    }
}

/// Executes `COPY … TO STDOUT`: the rows, for whoever speaks the protocol to write as the statement says.
pub(crate) async fn unload(context: &Context, copy: &CopyOut) -> Result<StatementResult> {
    let result = query::execute(context, &copy.query).await?;
    let names = result.schema.fields().iter().map(|field| field.name().as_str());
    if let Some(name) = copy.layout.force_quote.unknown(names) {
        return Err(Error::new(ErrorKind::UndefinedColumn, format!("column \"{name}\" does not exist")));
    }
    Ok(StatementResult { tag: CommandTag::Counted("COPY"), ..result })
}

fn spec(layout: &StreamLayout, targets: Vec<Target>) -> Result<LoaderSpec> {
    let names = || targets.iter().map(|target| target.name.as_str());
    for chosen in [&layout.force_null, &layout.force_not_null] {
        if let Some(name) = chosen.unknown(names()) {
            let message = format!("column \"{name}\" is not referenced by COPY");
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        }
    }
    let null = layout.null.clone().into_bytes();
    let fields = match layout.format {
        StreamFormat::Text => Layout::StreamText(StreamText { delimiter: layout.delimiter, null }),
        StreamFormat::Binary => Layout::StreamText(StreamText { delimiter: b'\t', null: b"\\N".to_vec() }),
        StreamFormat::Csv => Layout::StreamCsv(StreamCsv {
            delimiter: layout.delimiter,
            null,
            quote: layout.quote,
            escape: layout.escape,
            force_not_null: names().map(|name| layout.force_not_null.contains(name)).collect(),
            force_null: names().map(|name| layout.force_null.contains(name)).collect(),
        }),
    };
    let header = match layout.header {
        StreamHeader::Absent => Header::Skipped(0),
        StreamHeader::Present => Header::Skipped(1),
        StreamHeader::Match => Header::Names,
    };
    // PostgreSQL rounds what has more digits than its column.
    let options = CopyOptions { round_decimals: true, ..CopyOptions::default() };
    Ok(LoaderSpec::new(fields, &options, targets)?.with_header(header))
}

/// The client's rows.
struct Rows {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    /// They come once.
    chunks: Mutex<Option<CopyChunks>>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("STDIN")
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        self.spec.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let loader = Loader::new(Arc::clone(&self.spec), Arc::clone(&self.errors), "STDIN".to_owned());
        let batches = stream::try_unfold(chunks.map(|chunks| (chunks, loader)), next).map_ok(stream_of).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.spec.schema()), batches))
    }
}

fn stream_of(batches: Vec<RecordBatch>) -> impl futures::Stream<Item = DfResult<RecordBatch>> {
    stream::iter(batches.into_iter().map(Ok))
}

type Reading = Option<(CopyChunks, Loader)>;

async fn next(reading: Reading) -> DfResult<Option<(Vec<RecordBatch>, Reading)>> {
    let Some((mut chunks, mut loader)) = reading else { return Ok(None) };
    match chunks.next().await.map_err(DataFusionError::from)? {
        Some(chunk) => Ok(Some((loader.feed(&chunk)?, Some((chunks, loader))))),
        None => Ok(Some((loader.finish()?, None))),
    }
}

/// A bad line as PostgreSQL tells of it.
fn of_line(table: &str, names: &[String], bad: &LoadError) -> Error {
    let (value, data_type) = (&bad.raw_value, &bad.data_type);
    let format = |message: String| (ErrorKind::BadCopyFormat, message);
    let text = data_type.starts_with("character");
    let (kind, message) = match bad.code {
        1202 => format("extra data after last expected column".to_owned()),
        1214 => {
            let missing = names.get(bad.fields.len()).map_or("", String::as_str);
            format(format!("missing data for column \"{missing}\""))
        }
        1216 if bad.column.is_empty() && bad.raw_line.is_empty() => (ErrorKind::LimitExceeded, bad.reason.clone()),
        1216 if bad.column.is_empty() => format(bad.reason.clone()),
        1204 if text => (ErrorKind::StringTruncation, format!("value too long for type {data_type}")),
        1204 if data_type.starts_with("numeric") => (ErrorKind::NumericOverflow, "numeric field overflow".to_owned()),
        1204 | 1222 => (ErrorKind::NumericOverflow, format!("value \"{value}\" is out of range for type {data_type}")),
        1213 => {
            let column = &bad.column;
            let message =
                format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
            (ErrorKind::NotNull, message)
        }
        1220 if text || data_type == "super" => {
            (ErrorKind::InvalidEncoding, "invalid byte sequence for encoding \"UTF8\"".to_owned())
        }
        1205 | 1206 => (ErrorKind::InvalidDateTime, format!("invalid input syntax for type {data_type}: \"{value}\"")),
        _ => (ErrorKind::InvalidText, format!("invalid input syntax for type {data_type}: \"{value}\"")),
    };
    let place = if bad.column.is_empty() {
        format!("COPY {table}, line {}: \"{}\"", bad.line, bad.raw_line)
    } else {
        format!("COPY {table}, line {}, column {}: \"{value}\"", bad.line, bad.column)
    };
    Error::new(kind, message).with_detail(place)
}

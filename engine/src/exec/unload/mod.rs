//! `UNLOAD`: a query's rows into files of the lake, all of them or none.
//!
//! The files are staged and made visible together (`lake::write`); a failed or cancelled UNLOAD removes what it wrote.

mod manifest;
mod place;
mod record;
mod unfinished;

use super::{done, query};
use crate::error::{Error, ErrorKind, Result};
use crate::interval::is_interval;
use crate::lake::own_stores::OwnStores;
use crate::lake::write::{
    self, Compression, JsonFormat, SliceNames, TextFormat, UnloadLayout, UnloadText, WriteFormat, WriteTarget,
};
use crate::plan::{self, declared_types, shown_name};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::Context;
use crate::sql::{Names, Unload, UnloadFormat};
use crate::tables::SqlType;
use crate::zone::Zone;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, lit};
use datafusion::physical_plan::{execute_stream, execute_stream_partitioned};
use millrace_catalog::model::{Column, HiveType};
use object_store::path::Path;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The size of a file when MAXFILESIZE says none: Redshift's 6.2 GB.
const DEFAULT_FILE_BYTES: u64 = 6_657_199_308;

/// Executes UNLOAD.
pub(crate) async fn execute(context: &Context, unload: &Unload) -> Result<StatementResult> {
    let mut recording = record::Recording::begin(context, unload);
    let written = run(context, unload).await;
    recording.end(&written);
    let rows = written?.rows;
    let message = format!("UNLOAD completed, {rows} record(s) unloaded successfully.");
    let notices = if unload.athena { vec![] } else { vec![Notice { severity: Severity::Info, message }] };
    Ok(StatementResult { notices, ..done(CommandTag::Verb("UNLOAD"), vec![]) })
}

/// Writes the files; what they are.
async fn run(context: &Context, unload: &Unload) -> Result<Unloaded> {
    let plan = query::logical_plan(context, &unload.query).await?;
    let place = place::Place::of(unload)?;
    let stores = OwnStores::new(context.lake().listings.stores(), &unload.access);
    let store = stores.open(&place.location).await?;
    let old = place.existing(store.as_ref()).await?;
    if !old.is_empty() && !unload.allow_overwrite && !unload.clean_path {
        let message = format!("specified unload destination \"{}\" is not empty", unload.target);
        let hint = "use another prefix, remove the files, or use ALLOWOVERWRITE or CLEANPATH";
        return Err(Error::new(ErrorKind::DuplicateObject, message).with_hint(hint));
    }
    let Columns { plan, data, declared, keys } = columns(unload, plan, context.names())?;
    let target = WriteTarget {
        existing: old.clone(),
        store: Arc::clone(&store),
        url: place.location.store().clone(),
        prefix: place.folder.clone(),
        format: format(unload, &data, &declared, Zone::of_session(context.state().config_options()))?,
        compression: Compression::parse(unload.compression, unload.compression_level)?,
        data_schema: Arc::clone(&data),
        partition_columns: keys.iter().map(|name| Column::new(name.clone(), HiveType::String)).collect(),
        partition_folders: HashMap::new(),
        bucketing: None,
        max_file_size_bytes: unload.max_file_size_bytes.unwrap_or(DEFAULT_FILE_BYTES),
        file_name_prefix: format!("{}_{}", chrono::Utc::now().format("%Y%m%d_%H%M%S"), uuid::Uuid::new_v4().simple()),
        slices: (!unload.athena).then(|| slices(unload, &place)),
        row_group_bytes: unload.row_group_bytes,
        cleanup: context.warehouse().cleanup().clone(),
    };
    let task = context.state().task_ctx();
    let streams = if unload.parallel {
        execute_stream_partitioned(query::physical_plan(context, &plan).await?, task)?
    } else {
        vec![execute_stream(query::physical_plan(&context.in_order(), &plan).await?, task)?]
    };
    let staged = write::write(target, streams).await.map_err(removed)?;
    let written = staged.commit().await.map_err(removed)?;
    let mut unfinished = unfinished::Unfinished::new(&store, written, context.warehouse().cleanup());
    context.lake().listings.forget(&place.location.url());
    // Of no rows Redshift writes nothing at all since 2019.
    let manifest = unload.manifest.filter(|_| !unfinished.written().files.is_empty());
    if let Some(verbose) = manifest {
        let verbose = verbose.then(|| manifest::Verbose {
            schema: &data,
            declared: &declared,
            header: has_header(&unload.format),
        });
        let text = manifest::text(&place, unfinished.written(), verbose.as_ref());
        if let Err(error) = place.put_manifest(store.as_ref(), text).await {
            unfinished.remove().await;
            return Err(removed(error));
        }
    }
    let written = unfinished.keep();
    if unload.clean_path {
        // Only now: until the new files are complete the old ones are all there is.
        let manifest = manifest.map(|_| place.manifest());
        let new = |path: &Path| manifest.as_ref() == Some(path) || written.files.iter().any(|file| file.path == *path);
        // With partitions only their folders are cleaned, and of them only those that have new files.
        let folders: HashSet<&str> = written.files.iter().map(|file| folder(&file.path)).collect();
        let is_cleaned = |path: &Path| unload.partition_by.is_empty() || folders.contains(folder(path));
        let old = old.into_iter().filter(|path| !new(path) && is_cleaned(path)).collect();
        place::remove(store.as_ref(), old).await.map_err(|error| match &error.detail {
            Some(_) => error,
            None => error.with_detail("the new files are complete, but some of the old ones could not be removed"),
        })?;
    }
    let files = written.files.into_iter().map(|file| (place.url(&file.path), file.size_bytes, file.rows));
    Ok(Unloaded { rows: written.rows, files: files.collect() })
}

fn has_header(format: &UnloadFormat) -> bool {
    matches!(format, UnloadFormat::Delimited { header: true, .. } | UnloadFormat::Csv { header: true, .. })
}

/// The folder of a file.
fn folder(path: &Path) -> &str {
    path.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What an UNLOAD wrote.
struct Unloaded {
    rows: u64,
    /// For each file its URL, its bytes and its rows.
    files: Vec<(String, u64, u64)>,
}

/// Says that nothing was left behind.
fn removed(error: Error) -> Error {
    match &error.detail {
        Some(_) => error,
        None => error.with_detail("the files that UNLOAD had written are removed"),
    }
}

fn slices(unload: &Unload, place: &place::Place) -> SliceNames {
    let extension = match (&unload.extension, &unload.format, unload.compression) {
        (Some(extension), ..) => format!(".{extension}"),
        (None, UnloadFormat::Parquet, _) => ".parquet".to_owned(),
        (None, _, "GZIP") => ".gz".to_owned(),
        (None, _, "BZIP2") => ".bz2".to_owned(),
        (None, _, "ZSTD") => ".zst".to_owned(),
        _ => String::new(),
    };
    SliceNames { prefix: place.name.clone(), sliced: unload.parallel, extension }
}

fn format(unload: &Unload, data: &SchemaRef, declared: &[Option<SqlType>], zone: Zone) -> Result<WriteFormat> {
    let texts = data.fields().iter().map(|field| field.data_type() == &DataType::Utf8View);
    let text = |layout, null_as: &str, header| {
        let (null_as, texts) = (null_as.to_owned(), texts.clone().collect());
        WriteFormat::Unload(UnloadText { layout, null_as, header, zone, texts })
    };
    Ok(match &unload.format {
        UnloadFormat::Parquet => WriteFormat::Parquet,
        UnloadFormat::Json => {
            let documents = declared.iter().map(|declared| *declared == Some(SqlType::Super)).collect();
            WriteFormat::Json(JsonFormat { base64: false, hex: true, zone: Some(zone), documents })
        }
        UnloadFormat::Delimited { delimiter, null_as, .. } if unload.athena => {
            let mut format = TextFormat { null: null_as.clone(), ..TextFormat::default() };
            format.delimiters[0] = *delimiter;
            WriteFormat::Text(format)
        }
        UnloadFormat::Delimited { delimiter, add_quotes, escape, null_as, header } => {
            let layout = UnloadLayout::Delimited { delimiter: *delimiter, add_quotes: *add_quotes, escape: *escape };
            text(layout, null_as, *header)
        }
        UnloadFormat::Csv { delimiter, null_as, header } => {
            text(UnloadLayout::Csv { delimiter: *delimiter }, null_as, *header)
        }
        UnloadFormat::FixedWidth { widths, null_as } => {
            if widths.len() != data.fields().len() {
                let message = format!("FIXEDWIDTH has {} columns, the query {}", widths.len(), data.fields().len());
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
            text(UnloadLayout::FixedWidth(widths.clone()), null_as, false)
        }
    })
}

/// The rows as they are written: data columns, then partition columns as text.
struct Columns {
    plan: LogicalPlan,
    data: SchemaRef,
    /// What the data columns were declared as, where they are a table's.
    declared: Vec<Option<SqlType>>,
    keys: Vec<String>,
}

fn columns(unload: &Unload, plan: LogicalPlan, of_quoted: Names) -> Result<Columns> {
    let all = plan.schema().columns();
    let fields = plan.schema().fields().clone();
    let name = |field: &FieldRef| match of_quoted {
        Names::Folded => field.name().to_lowercase(),
        Names::Kept => shown_name(field.name()).to_owned(),
    };
    let names: Vec<String> = fields.iter().map(name).collect();
    let mut keys = Vec::new();
    for key in &unload.partition_by {
        let at = names.iter().position(|name| name == key).ok_or_else(|| {
            Error::new(ErrorKind::UndefinedColumn, format!("partition column \"{key}\" is not in the query"))
        })?;
        if keys.contains(&at) {
            return Err(Error::new(ErrorKind::DuplicateColumn, format!("column \"{key}\" specified more than once")));
        }
        keys.push(at);
    }
    let named = unload.format == UnloadFormat::Parquet || unload.format == UnloadFormat::Json;
    let origins = declared_types(&plan);
    let shows = matches!(unload.format, UnloadFormat::Delimited { .. } | UnloadFormat::Csv { .. });
    if let Some(at) = origins.iter().position(|declared| *declared == Some(SqlType::HllSketch))
        && (!shows || keys.contains(&at))
    {
        let error = Error::unsupported(format!("UNLOAD of the HLLSKETCH column \"{}\" in this format", names[at]));
        return Err(error.with_hint("sketches are unloaded to delimited text and CSV, and are no partition columns"));
    }
    let offset = lit(ScalarValue::Utf8View(Some("+00".to_owned())));
    let mut expressions = Vec::new();
    let mut data = Vec::new();
    let mut declared = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        if keys.contains(&at) && !unload.include {
            continue;
        }
        if named && names[..at].contains(&names[at]) {
            let message = format!("duplicate column name \"{}\" in the files of UNLOAD", names[at]);
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
        let wanted = written_type(field.data_type(), unload.format == UnloadFormat::Parquet);
        let value = written(Expr::Column(all[at].clone()), field.data_type(), &wanted);
        // A time with a zone is UTC's.
        let is_text = origins[at] == Some(SqlType::TimeTz) && wanted == DataType::Utf8View;
        let value = if is_text { binary_expr(value, Operator::StringConcat, offset.clone()) } else { value };
        expressions.push(value.alias(format!("{at}")));
        data.push(Field::new(&names[at], wanted, true));
        declared.push(origins[at]);
    }
    for at in &keys {
        let key = written(Expr::Column(all[*at].clone()), fields[*at].data_type(), &DataType::Utf8View);
        expressions.push(key.alias(format!("key {at}")));
    }
    if data.is_empty() {
        return Err(Error::new(ErrorKind::InvalidParameter, "UNLOAD needs a column that is no partition column"));
    }
    let plan = LogicalPlanBuilder::from(plan).project(expressions)?.build()?;
    Ok(Columns {
        plan,
        data: Arc::new(Schema::new(data)),
        declared,
        keys: keys.into_iter().map(|at| names[at].clone()).collect(),
    })
}

/// A column as the type that it is written as.
fn written(column: Expr, from: &DataType, to: &DataType) -> Expr {
    if is_interval(from) { plan::assigned(column, from, to) } else { cast(column, to.clone()) }
}

/// The type that a column is written as.
fn written_type(data_type: &DataType, parquet: bool) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => written_type(values, parquet),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Null | DataType::Interval(_) | DataType::Duration(_) => {
            DataType::Utf8View
        }
        DataType::Time32(_) | DataType::Time64(_) if !parquet => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        other => other.clone(),
    }
}

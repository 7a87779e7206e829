//! The files of `hits`: generated ones, or the public file with our types.

use super::data::Row;
use super::schema::{COLUMNS, Column, Type, Values};
use super::text;
use crate::numbers::skewed;
use crate::{parallel, parquet_file, side};
use anyhow::{Context, Result, ensure};
use arrow::array::{
    ArrayRef, Date32Array, Int16Array, Int32Array, Int64Array, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use std::path::Path;
use std::sync::Arc;

/// Rows of a file; each is sorted.
const FILE_ROWS: u64 = 500_000;
/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// The table's columns in Arrow.
pub(super) fn schema() -> Arc<Schema> {
    let fields = COLUMNS.iter().map(|column| {
        let data_type = match column.data_type {
            Type::Small => DataType::Int16,
            Type::Int => DataType::Int32,
            Type::Big => DataType::Int64,
            Type::Text | Type::Char => DataType::Utf8,
            Type::Date => DataType::Date32,
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        Field::new(column.name.to_lowercase(), data_type, false)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Writes so many rows into files of `folder`, on all cores.
pub(super) fn generate(rows: u64, folder: &Path) -> Result<()> {
    let files: Vec<u64> = (0..rows.div_ceil(FILE_ROWS)).collect();
    parallel::each("files", &files, |file| {
        parquet_file::write(&folder.join(format!("part-{file:05}.parquet")), schema(), batches(*file, rows))
    })
}

/// The rows of a file.
pub(super) fn batches(file: u64, rows: u64) -> impl Iterator<Item = Result<RecordBatch>> {
    let first = file * FILE_ROWS;
    let mut sorted: Vec<Row> = (first..rows.min(first + FILE_ROWS)).map(|number| Row::new(number, rows)).collect();
    sorted.sort_by_cached_key(Row::key);
    let schema = schema();
    let mut at = 0;
    std::iter::from_fn(move || {
        let rows = sorted.get(at..sorted.len().min(at + BATCH_ROWS)).filter(|rows| !rows.is_empty())?;
        at += rows.len();
        let columns = COLUMNS.iter().enumerate().map(|(number, column)| array(number, column, rows)).collect();
        Some(RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Into::into))
    })
}

fn array(number: usize, column: &Column, rows: &[Row]) -> ArrayRef {
    let numbers = rows.iter().map(|row| integer(number, column, row));
    match column.data_type {
        Type::Small => Arc::new(numbers.map(|value| value as i16).collect::<Int16Array>()),
        Type::Int => Arc::new(numbers.map(|value| value as i32).collect::<Int32Array>()),
        Type::Big => Arc::new(numbers.collect::<Int64Array>()),
        Type::Date => Arc::new(Date32Array::from_iter_values(numbers.map(|value| value as i32))),
        Type::Timestamp => {
            Arc::new(TimestampMicrosecondArray::from_iter_values(numbers.map(|value| value * 1_000_000)))
        }
        Type::Text | Type::Char => {
            let mut texts = StringBuilder::with_capacity(rows.len(), rows.len() * 16);
            let mut value = String::new();
            for row in rows {
                value.clear();
                push_text(number, column, row, &mut value);
                texts.append_value(&value);
            }
            Arc::new(texts.finish())
        }
    }
}

fn integer(number: usize, column: &Column, row: &Row) -> i64 {
    let hash = row.hash(number);
    match column.values {
        Values::One(value) => value,
        Values::Skewed(low, high) => low + skewed(hash, (high - low + 1) as u64, 3) as i64,
        Values::Rare(part, high) if hash % 1000 < part => 1 + skewed(hash, high as u64, 2) as i64,
        Values::Of(special) => row.number(special),
        Values::Rare(..) | Values::Words(..) | Values::OneOf(_) => 0,
    }
}

fn push_text(number: usize, column: &Column, row: &Row, out: &mut String) {
    let hash = row.hash(number);
    match column.values {
        Values::Words(part, count) if hash % 1000 < part => text::push_name(skewed(hash, count, 3), out),
        Values::OneOf(texts) => out.push_str(texts[skewed(hash, texts.len() as u64, 3) as usize]),
        Values::Of(special) => row.text(special, out),
        Values::One(_) | Values::Skewed(..) | Values::Rare(..) | Values::Words(..) => {}
    }
}

/// Writes the rows of the public file, whose dates and times are numbers and whose texts are bytes, with our types.
pub(super) async fn convert(file: &Path, folder: &Path) -> Result<()> {
    let config = SessionConfig::new().with_target_partitions(side::cores());
    let context =
        SessionContext::new_with_config(config.set_bool("datafusion.execution.parquet.binary_as_string", true));
    context.register_parquet("hits", file.display().to_string(), ParquetReadOptions::default()).await?;
    let table = context.table("hits").await?;
    let mut columns = Vec::new();
    for column in &COLUMNS {
        let found = table.schema().fields().iter().find(|field| field.name().eq_ignore_ascii_case(column.name));
        let found = found.with_context(|| format!("{} has no column {}", file.display(), column.name))?;
        let (name, target) = (format!("\"{}\"", found.name()), column.name.to_lowercase());
        let value = match (column.data_type, found.data_type()) {
            (Type::Date, data_type) if data_type.is_integer() => format!("arrow_cast(CAST({name} AS int), 'Date32')"),
            (Type::Date, _) => format!("CAST({name} AS date)"),
            (Type::Timestamp, data_type) if data_type.is_integer() => {
                format!("arrow_cast(to_timestamp_seconds({name}), 'Timestamp(Microsecond, None)')")
            }
            (Type::Timestamp, _) => format!("arrow_cast({name}, 'Timestamp(Microsecond, None)')"),
            (Type::Small, _) => format!("CAST({name} AS smallint)"),
            (Type::Int, _) => format!("CAST({name} AS int)"),
            (Type::Big, _) => format!("CAST({name} AS bigint)"),
            (Type::Text | Type::Char, _) => format!("CAST({name} AS varchar)"),
        };
        columns.push(format!("{value} AS {target}"));
    }
    let place = folder.display().to_string().replace('\'', "''");
    let copy = format!("COPY (SELECT {} FROM hits) TO '{place}/' STORED AS PARQUET", columns.join(", "));
    side::run_plain(&context, &copy).await?;
    ensure!(std::fs::read_dir(folder)?.next().is_some(), "{} has no rows", file.display());
    Ok(())
}

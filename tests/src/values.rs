//! Rows as scripts write them: one text a value, the same on every machine.
//!
//! NULL is `NULL`, the empty string `(empty)`, a line break inside a value `\n`; floats are the shortest text that
//! reads back as the same number; decimals are exact; intervals are PostgreSQL's texts; nested values look as Arrow prints
//! them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millrace_engine::interval::{as_texts, is_interval};
use sqllogictest::DefaultColumnType;

/// The script's letter for a column: `I` integers, `R` floats and decimals, `T` all else.
pub fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Null | DataType::Boolean => DefaultColumnType::Text,
        t if t.is_integer() => DefaultColumnType::Integer,
        t if t.is_floating() || t.is_decimal() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

/// The rows of a batch as texts.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));
    let spelled = batch.columns().iter();
    let spelled = spelled
        .map(|column| if is_interval(column.data_type()) { as_texts(column) } else { Ok(ArrayRef::clone(column)) });
    let spelled = spelled.collect::<Result<Vec<_>, _>>()?;
    let columns = spelled
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).map(|formatter| (column, formatter)))
        .collect::<Result<Vec<_>, _>>()?;
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|(column, formatter)| value(column, formatter, row)).collect())
        .collect()
}

fn value(column: &dyn Array, formatter: &ArrayFormatter<'_>, row: usize) -> Result<String, ArrowError> {
    if column.is_null(row) {
        return Ok("NULL".to_owned());
    }
    let text = match column.data_type() {
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => format!("{:?}", column.as_primitive::<Float32Type>().value(row)),
        _ => formatter.value(row).try_to_string()?,
    };
    Ok(if text.is_empty() { "(empty)".to_owned() } else { text.replace('\r', "\\r").replace('\n', "\\n") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{
        BooleanArray, Decimal128Array, Float64Array, ListArray, StringArray, TimestampMillisecondArray,
    };
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[test]
    fn values_are_written_as_documented() {
        let columns: [(&str, ArrayRef); 6] = [
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("f", Arc::new(Float64Array::from(vec![0.1 + 0.2, 1.0]))),
            ("d", Arc::new(Decimal128Array::from(vec![-150, 7]).with_precision_and_scale(9, 2).unwrap())),
            ("s", Arc::new(StringArray::from(vec!["", "a\nb"]))),
            ("t", Arc::new(TimestampMillisecondArray::from(vec![1_357_016_400_000, 1_357_016_400_250]))),
            ("l", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None]), None]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(
            rows(&batch).unwrap(),
            [
                ["true", "0.30000000000000004", "-1.50", "(empty)", "2013-01-01 05:00:00", "[1, NULL]"],
                ["NULL", "1.0", "0.07", "a\\nb", "2013-01-01 05:00:00.250", "NULL"],
            ]
        );
    }
}

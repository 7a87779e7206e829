//! Values as texts: bounds and initial values, as DuckLake's manifest has them.
//!
//! The texts are those of DuckDB's casts to VARCHAR. A value that DuckDB would not read back, or that cannot be told
//! without a time zone (dates outside the years 1 to 9999, bytes), has no text.

use super::hll::HllSketch;
use super::types::SqlType;
use crate::error::{Error, ErrorKind, Result};
use crate::interval;
use arrow::datatypes::{Decimal128Type, DecimalType};
use arrow::temporal_conversions::{date32_to_datetime, time64us_to_time, timestamp_us_to_datetime};
use chrono::{Datelike, NaiveDateTime};
use datafusion::common::ScalarValue;
use millrace_catalog::manifest::float_text;

/// The text of a value; `None` for NULL and for values without a text.
pub fn value_text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Boolean(value) => value.map(|v| v.to_string()),
        ScalarValue::Int16(value) => value.map(|v| v.to_string()),
        ScalarValue::Int32(value) => value.map(|v| v.to_string()),
        ScalarValue::Int64(value) => value.map(|v| v.to_string()),
        ScalarValue::Decimal128(value, precision, scale) => {
            value.map(|v| Decimal128Type::format_decimal(v, *precision, *scale))
        }
        // NaN is no bound.
        ScalarValue::Float32(value) => value.filter(|v| !v.is_nan()).map(float_text),
        ScalarValue::Float64(value) => value.filter(|v| !v.is_nan()).map(float_text),
        ScalarValue::Utf8View(value) => value.clone(),
        ScalarValue::Date32(value) => {
            let date = in_range(date32_to_datetime((*value)?)?)?;
            Some(date.format("%Y-%m-%d").to_string())
        }
        ScalarValue::Time64Microsecond(value) => {
            time64us_to_time((*value)?).map(|time| time.format("%H:%M:%S%.f").to_string())
        }
        ScalarValue::TimestampMicrosecond(value, zone) => {
            let time = in_range(timestamp_us_to_datetime((*value)?)?)?;
            let offset = if zone.is_some() { "+00" } else { "" };
            Some(format!("{}{offset}", time.format("%Y-%m-%d %H:%M:%S%.f")))
        }
        ScalarValue::IntervalYearMonth(value) => value.map(|months| interval::duckdb_text(months, 0, 0)),
        ScalarValue::DurationMicrosecond(value) => value.map(|micros| {
            let (days, rest) = interval::days_and_rest(micros);
            interval::duckdb_text(0, days, rest)
        }),
        _ => None,
    }
}

fn in_range(time: NaiveDateTime) -> Option<NaiveDateTime> {
    (1..=9999).contains(&time.year()).then_some(time)
}

/// The value that a text of the manifest stands for.
pub fn parse_value(text: &str, data_type: SqlType) -> Result<ScalarValue> {
    let invalid = || Error::new(ErrorKind::InvalidText, format!("invalid value \"{text}\" for type {data_type}"));
    match data_type {
        SqlType::Char(_) | SqlType::Varchar(_) | SqlType::Super => Ok(ScalarValue::Utf8View(Some(text.to_owned()))),
        SqlType::HllSketch => {
            let sketch = HllSketch::parse(text).map_err(|reason| invalid().with_detail(reason))?;
            Ok(ScalarValue::Utf8View(Some(sketch.to_string())))
        }
        SqlType::VarByte(_) => Err(Error::unsupported("a default of type VARBYTE for a column that is added")),
        SqlType::Interval(qualifier) => {
            let parts = interval::parse(text, qualifier)?;
            Ok(if qualifier.is_months() {
                ScalarValue::IntervalYearMonth(Some(parts.as_months(qualifier)?))
            } else {
                ScalarValue::DurationMicrosecond(Some(parts.as_micros(qualifier)?))
            })
        }
        _ => {
            let text = if data_type == SqlType::TimeTz { text.trim_end_matches("+00") } else { text };
            let value = ScalarValue::try_from_string(text.to_owned(), &data_type.to_arrow());
            value.ok().filter(|value| !value.is_null()).ok_or_else(invalid)
        }
    }
}

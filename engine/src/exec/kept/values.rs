//! Values of parameters as a plan has them: of the type of the column that they are compared with.

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

/// Days from the first year's first day to 1970-01-01.
const EPOCH_DAYS: i32 = 719_163;

/// Kinds of types within which a value of one is the same value of another.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Whole,
    Double,
    Truth,
    Text,
    Date,
    Timestamp,
}

fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Int16 | DataType::Int32 | DataType::Int64 => Kind::Whole,
        DataType::Float64 => Kind::Double,
        DataType::Boolean => Kind::Truth,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(TimeUnit::Microsecond, None) => Kind::Timestamp,
        _ => return None,
    })
}

/// Whether values that are meant as one type may be compared with a column of another as they are.
pub(super) fn compares(declared: &DataType, column: &DataType) -> bool {
    kind(column).is_some_and(|wanted| kind(declared) == Some(wanted))
}

/// A value of a column's type; `None` for NULL, for what the type has no room for, and for a text that is only perhaps a
/// value of it: the planner knows all spellings.
pub(super) fn value(text: Option<&str>, column: &DataType) -> Option<ScalarValue> {
    let text = text?;
    Some(match column {
        DataType::Int16 => ScalarValue::Int16(Some(text.trim().parse().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(text.trim().parse().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(text.trim().parse().ok()?)),
        DataType::Float64 => {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'e'));
            ScalarValue::Float64(Some(text.parse::<f64>().ok().filter(|value| plain && value.is_finite())?))
        }
        DataType::Boolean => ScalarValue::Boolean(Some(match text {
            "t" | "true" => true,
            "f" | "false" => false,
            _ => return None,
        })),
        DataType::Utf8 => ScalarValue::Utf8(Some(text.to_owned())),
        DataType::LargeUtf8 => ScalarValue::LargeUtf8(Some(text.to_owned())),
        DataType::Utf8View => ScalarValue::Utf8View(Some(text.to_owned())),
        DataType::Date32 => ScalarValue::Date32(Some(date(text)?)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            ScalarValue::TimestampMicrosecond(Some(timestamp(text)?), None)
        }
        _ => return None,
    })
}

/// Whether a text has digits where a sample has some, and else what the sample has.
fn is_like(text: &str, sample: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted.is_ascii_digit() { byte.is_ascii_digit() } else { byte == wanted };
    text.len() == sample.len() && text.bytes().zip(sample.bytes()).all(fits)
}

/// `2024-02-29` and nothing else.
fn date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    // There is no year 0: the one before the first is written as one BC.
    let fits = is_like(text, "2024-02-29") && date.year() > 0;
    fits.then(|| date.num_days_from_ce() - EPOCH_DAYS)
}

/// `2024-02-29 23:59:59`, with up to six digits of a fraction.
fn timestamp(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fits = is_like(whole, "2024-02-29 23:59:59") && (1..=6).contains(&fraction.len());
    let parsed = NaiveDateTime::parse_from_str(whole, "%Y-%m-%d %H:%M:%S").ok()?;
    let parsed = (fits && parsed.year() > 0).then_some(parsed)?;
    // A leap second is a second that the planner does not know.
    let seconds = (!whole.ends_with(":60")).then(|| parsed.and_utc().timestamp())?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()).then_some(fraction)?;
    let micros = format!("{digits:0<6}").parse::<i64>().ok()?;
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn values_are_of_the_columns_type() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        // The days and microseconds are DuckDB's: epoch_us(TIMESTAMP '…').
        for (text, data_type, expected) in [
            ("7", DataType::Int16, ScalarValue::Int16(Some(7))),
            ("-7", DataType::Int64, ScalarValue::Int64(Some(-7))),
            ("1.5", DataType::Float64, ScalarValue::Float64(Some(1.5))),
            ("f", DataType::Boolean, ScalarValue::Boolean(Some(false))),
            (" a ", DataType::Utf8View, ScalarValue::Utf8View(Some(" a ".to_owned()))),
            ("1970-01-02", DataType::Date32, ScalarValue::Date32(Some(1))),
            ("2024-02-29", DataType::Date32, ScalarValue::Date32(Some(19_782))),
            (
                "2024-01-01 10:00:00.25",
                timestamp.clone(),
                ScalarValue::TimestampMicrosecond(Some(1_704_103_200_250_000), None),
            ),
            ("1969-12-31 23:59:59.5", timestamp, ScalarValue::TimestampMicrosecond(Some(-500_000), None)),
        ] {
            assert_eq!(value(Some(text), &data_type), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_surely_a_value_is_left_to_the_planner() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (text, data_type) in [
            (None, DataType::Int32),
            (Some("40000"), DataType::Int16),
            (Some("infinity"), DataType::Float64),
            (Some("1e400"), DataType::Float64),
            (Some("yes"), DataType::Boolean),
            (Some("2024-2-9"), DataType::Date32),
            (Some("2024- 2- 9"), DataType::Date32),
            (Some("-024-02-09"), DataType::Date32),
            (Some("today"), DataType::Date32),
            (Some("2024-01-01"), timestamp.clone()),
            (Some("0000-01-01"), DataType::Date32),
            (Some("0000-01-01 00:00:00"), timestamp.clone()),
            (Some("2024-01-01 23:59:60"), timestamp.clone()),
            (Some("2024-01-01 10:00:00."), timestamp.clone()),
            (Some("2024-01-01 10:00:00.1234567"), timestamp),
            (Some("1.50"), DataType::Decimal128(12, 2)),
        ] {
            assert_eq!(value(text, &data_type), None, "{text:?}");
        }
        assert!(compares(&DataType::Int64, &DataType::Int16));
        assert!(!compares(&DataType::Utf8, &DataType::Int32));
        assert!(!compares(&DataType::Decimal128(38, 10), &DataType::Decimal128(12, 2)));
    }
}

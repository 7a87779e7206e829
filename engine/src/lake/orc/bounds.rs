//! What ORC's statistics say of a column: between which values it lies and how many are NULL.
//!
//! Everything doubtful is unknown. orc-rust reads a bound that is missing as 0 or the empty string, so where that could
//! be meant the bound is not believed; NaN is outside of all bounds; texts may be cut short; timestamps are in
//! milliseconds (ORC specification v1, "Column Statistics").

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use orc_rust::schema::DataType as OrcType;
use orc_rust::statistics::{ColumnStatistics, TypeStatistics};

use super::tail::Trust;

/// How far a timestamp may lie outside of its statistics. They are made from the writer's local time, of which one
/// hour of the year exists twice.
const CLOCK_CHANGE_MICROS: i64 = 3_600_000_000;
const MICROS_PER_MILLI: i64 = 1_000;

/// The bounds of a column in one file, stripe or group of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bounds {
    /// No value is less.
    pub min: Option<ScalarValue>,
    /// No value is greater.
    pub max: Option<ScalarValue>,
    /// Whether both are values of the column.
    pub exact: bool,
    /// How many rows are NULL.
    pub nulls: Option<u64>,
}

impl Bounds {
    /// Reads the statistics of a column of the root over `rows` rows.
    pub(super) fn read(orc: &OrcType, statistics: &ColumnStatistics, rows: u64, trust: Trust) -> Self {
        let values = statistics.number_of_values();
        // No values and no NULLs in some rows: the writer counted neither.
        let counted = values > 0 || statistics.has_null() || rows == 0;
        let nulls = rows.checked_sub(values).filter(|_| counted);
        let (min, max, exact) = statistics
            .type_statistics()
            .map_or((None, None, false), |statistics| limits(orc, statistics, values, trust));
        Self { min, max, exact, nulls }
    }
}

type Limits = (Option<ScalarValue>, Option<ScalarValue>, bool);
const UNKNOWN: Limits = (None, None, false);

fn limits(orc: &OrcType, statistics: &TypeStatistics, values: u64, trust: Trust) -> Limits {
    match (orc, statistics) {
        (_, TypeStatistics::Integer { min, max, sum }) if (*min, *max) != (0, 0) || sum.is_some() => {
            pair(integer(orc, *min), integer(orc, *max))
        }
        (_, TypeStatistics::Double { min, max, sum }) => doubles(orc, *min, *max, *sum, trust),
        (
            OrcType::String { .. } | OrcType::Varchar { .. },
            TypeStatistics::String { lower_bound, upper_bound, is_exact_min, is_exact_max, .. },
        ) if trust.in_strings() => {
            let min = bound(lower_bound, *is_exact_min);
            let max = bound(upper_bound, *is_exact_max);
            (min, max, *is_exact_min && *is_exact_max)
        }
        (OrcType::Boolean { .. }, TypeStatistics::Bucket { true_count }) if *true_count <= values => {
            pair(Some(ScalarValue::from(*true_count == values)), Some(ScalarValue::from(*true_count > 0)))
        }
        (OrcType::Decimal { precision, scale, .. }, TypeStatistics::Decimal { min, max, .. })
            if trust.in_decimals() =>
        {
            let read = |text: &str| {
                let value = decimal(text, *scale)?;
                Some(ScalarValue::Decimal128(Some(value), *precision as u8, *scale as i8))
            };
            pair(read(min), read(max))
        }
        (OrcType::Date { .. }, TypeStatistics::Date { min, max }) if (*min, *max) != (0, 0) && min <= max => {
            pair(Some(ScalarValue::Date32(Some(*min))), Some(ScalarValue::Date32(Some(*max))))
        }
        (_, TypeStatistics::Timestamp { min_utc, max_utc, .. }) if (*min_utc, *max_utc) != (0, 0) => {
            timestamps(orc, *min_utc, *max_utc)
        }
        _ => UNKNOWN,
    }
}

fn pair(min: Option<ScalarValue>, max: Option<ScalarValue>) -> Limits {
    match (&min, &max) {
        (Some(low), Some(high)) if low <= high => (min, max, true),
        _ => UNKNOWN,
    }
}

fn integer(orc: &OrcType, value: i64) -> Option<ScalarValue> {
    Some(match orc {
        OrcType::Byte { .. } => ScalarValue::Int8(Some(value.try_into().ok()?)),
        OrcType::Short { .. } => ScalarValue::Int16(Some(value.try_into().ok()?)),
        OrcType::Int { .. } => ScalarValue::Int32(Some(value.try_into().ok()?)),
        OrcType::Long { .. } => ScalarValue::Int64(Some(value)),
        _ => return None,
    })
}

fn doubles(orc: &OrcType, min: f64, max: f64, sum: Option<f64>, trust: Trust) -> Limits {
    // A NaN stands above all numbers in comparisons but outside of the bounds; the sum alone shows that it is there.
    let free_of_nan = sum.map_or(trust.in_doubles_without_sum(), |sum| !sum.is_nan());
    let missing = min == 0.0 && max == 0.0 && sum.is_none();
    if !free_of_nan || missing || min.is_nan() || max.is_nan() || min > max {
        return UNKNOWN;
    }
    // Writers take -0.0 and 0.0 for the same, comparisons here do not.
    let exact = min != 0.0 && max != 0.0;
    let min = if min == 0.0 { -0.0 } else { min };
    let max = if max == 0.0 { 0.0 } else { max };
    let limit = |value: f64| match orc {
        OrcType::Float { .. } => Some(ScalarValue::Float32(Some(value as f32))),
        OrcType::Double { .. } => Some(ScalarValue::Float64(Some(value))),
        _ => None,
    };
    (limit(min), limit(max), exact)
}

fn bound(text: &str, exact: bool) -> Option<ScalarValue> {
    (exact || !text.is_empty()).then(|| ScalarValue::Utf8View(Some(text.to_owned())))
}

/// The unscaled value of a decimal written as text, if it has no more digits than the scale.
fn decimal(text: &str, scale: u32) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = scale as usize;
    let missing = scale.checked_sub(fraction.len())?;
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()?;
    Some(if digits.len() < text.len() { -value } else { value })
}

fn timestamps(orc: &OrcType, min: i64, max: i64) -> Limits {
    let zone = match orc {
        OrcType::Timestamp { .. } => None,
        OrcType::TimestampWithLocalTimezone { .. } => Some("UTC".into()),
        _ => return UNKNOWN,
    };
    let limit = |millis: i64, slack: i64| {
        let micros = millis.checked_mul(MICROS_PER_MILLI)?.checked_add(slack)?;
        Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
    };
    // A millisecond more, because the statistics are cut to whole ones.
    let slack = CLOCK_CHANGE_MICROS + MICROS_PER_MILLI;
    let (min, max, _) = pair(limit(min, -slack), limit(max, slack));
    (min, max, false)
}

/// NULL of the type of a column's bounds, for a container of which nothing is known.
pub(super) fn unknown(data_type: &DataType) -> Option<ScalarValue> {
    ScalarValue::try_new_null(data_type).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_as_written() {
        let cases = [
            ("12.34", 2, Some(1234)),
            ("-12.3", 2, Some(-1230)),
            ("7", 3, Some(7000)),
            ("-0.05", 2, Some(-5)),
            ("0", 0, Some(0)),
            ("1.234", 2, None),
            ("1E+3", 2, None),
            ("", 2, None),
            ("-", 2, None),
            ("--1", 2, None),
        ];
        for (text, scale, value) in cases {
            assert_eq!(decimal(text, scale), value, "{text}");
        }
    }

    #[test]
    fn doubtful_bounds_are_unknown() {
        let trust = Trust { writer: 1, version: 6 };
        let double = OrcType::Double { column_index: 1 };
        let text = OrcType::String { column_index: 1 };
        let cases = [
            (&double, TypeStatistics::Double { min: 1.0, max: 2.0, sum: None }),
            (&double, TypeStatistics::Double { min: 1.0, max: 2.0, sum: Some(f64::NAN) }),
            (&double, TypeStatistics::Double { min: f64::NAN, max: f64::NAN, sum: Some(1.0) }),
            (&OrcType::Long { column_index: 1 }, TypeStatistics::Integer { min: 0, max: 0, sum: None }),
            (&OrcType::Int { column_index: 1 }, TypeStatistics::Integer { min: 0, max: i64::MAX, sum: None }),
            (&OrcType::Date { column_index: 1 }, TypeStatistics::Date { min: 0, max: 0 }),
            (
                &OrcType::Timestamp { column_index: 1 },
                TypeStatistics::Timestamp { min: 5, max: 9, min_utc: 0, max_utc: 0 },
            ),
            (
                &text,
                TypeStatistics::String {
                    lower_bound: String::new(),
                    upper_bound: String::new(),
                    sum: 9,
                    is_exact_min: false,
                    is_exact_max: false,
                },
            ),
        ];
        for (orc, statistics) in cases {
            assert_eq!(limits(orc, &statistics, 3, trust), UNKNOWN, "{statistics:?}");
        }
    }

    #[test]
    fn zero_has_two_signs() {
        let trust = Trust { writer: 1, version: 6 };
        let (min, max, exact) = doubles(&OrcType::Double { column_index: 1 }, 0.0, -0.0, Some(0.0), trust);
        assert_eq!(min, Some(ScalarValue::Float64(Some(-0.0))));
        assert_eq!(max, Some(ScalarValue::Float64(Some(0.0))));
        assert!(!exact);
    }
}

//! What is known of a column, as the planner asks for it: which part of the rows a condition leaves.
//!
//! Pure: no data is read. A constant is looked for among the frequent values, then placed in the histogram, else between
//! the bounds; without any of them the planner gets `None` and guesses by itself.

use crate::tables::types::SqlType;
use crate::tables::values::parse_value;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use millrace_catalog::model::ColumnEstimates;
use std::cmp::Ordering;

/// What is known of a column's values, all of it about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnKnowledge {
    /// The part of rows that are NULL.
    pub null_fraction: f64,
    /// How many different values there are, if known.
    pub distinct: Option<f64>,
    /// Bytes of a value on average, if known.
    pub average_width: Option<f64>,
    /// The least value, if known.
    pub minimum: Option<ScalarValue>,
    /// The greatest value, if known.
    pub maximum: Option<ScalarValue>,
    /// Frequent values with the part of all rows that each has.
    common: Vec<(ScalarValue, f64)>,
    /// Bounds of parts with equally many of all values, ascending; empty or at least two.
    histogram: Vec<ScalarValue>,
}

impl ColumnKnowledge {
    /// From a table's statistics of the column and what `ANALYZE` found of it.
    pub(in crate::tables) fn new(
        data_type: SqlType,
        table: &Statistics,
        column: &ColumnStatistics,
        estimates: Option<&ColumnEstimates>,
    ) -> Self {
        let parse = |text: &String| parse_value(text, data_type).ok();
        let rows = table.num_rows.get_value().copied().unwrap_or(0).max(1) as f64;
        let analysis = estimates.and_then(|known| known.analysis.as_ref());
        let nulls = column.null_count.get_value().map(|count| (*count as f64 / rows).min(1.));
        let histogram: Option<Vec<ScalarValue>> =
            analysis.and_then(|found| found.histogram.iter().map(parse).collect::<Option<_>>());
        let mut known = Self {
            null_fraction: nulls.or(analysis.map(|found| found.null_fraction)).unwrap_or(0.),
            distinct: column.distinct_count.get_value().map(|count| *count as f64),
            average_width: analysis.map(|found| found.average_width),
            minimum: bound(&column.min_value),
            maximum: bound(&column.max_value),
            common: Vec::new(),
            histogram: histogram.filter(|bounds| bounds.len() >= 2).unwrap_or_default(),
        };
        if let Some(found) = analysis {
            let common = found.common.iter().filter_map(|(text, part)| Some((parse(text)?, *part)));
            known.common = common.collect();
        }
        known
    }

    /// The part of rows whose value equals a constant, which need not be of the column's own type.
    pub fn equal(&self, constant: &ScalarValue) -> Option<f64> {
        if constant.is_null() {
            return Some(0.);
        }
        let outside = |edge: &Option<ScalarValue>, side: Ordering| {
            edge.as_ref().and_then(|edge| compare(constant, edge)).is_some_and(|found| found == side)
        };
        if outside(&self.minimum, Ordering::Less) || outside(&self.maximum, Ordering::Greater) {
            return Some(0.);
        }
        let same = |value: &ScalarValue| compare(value, constant) == Some(Ordering::Equal);
        if let Some((_, part)) = self.common.iter().find(|(value, _)| same(value)) {
            return Some(*part);
        }
        // The others share what the frequent values leave.
        let rest = 1. - self.null_fraction - self.common.iter().map(|(_, part)| part).sum::<f64>();
        let values = self.distinct? - self.common.len() as f64;
        Some((rest / values.max(1.)).clamp(0., 1.))
    }

    /// The part of rows whose value is less than a constant, or equal to it where `or_equal` is set.
    pub fn less(&self, constant: &ScalarValue, or_equal: bool) -> Option<f64> {
        if constant.is_null() {
            return Some(0.);
        }
        let values = 1. - self.null_fraction;
        let below = match self.histogram.as_slice() {
            [] => {
                let (low, high) = (self.minimum.as_ref()?, self.maximum.as_ref()?);
                position(constant, low, high)?
            }
            bounds => {
                compare(&bounds[0], constant)?;
                let parts = (bounds.len() - 1) as f64;
                let at = bounds.partition_point(|bound| compare(bound, constant) == Some(Ordering::Less));
                match at {
                    0 => 0.,
                    at if at == bounds.len() => 1.,
                    at => {
                        let inside = position(constant, &bounds[at - 1], &bounds[at]).unwrap_or(0.5);
                        (at as f64 - 1. + inside) / parts
                    }
                }
            }
        };
        let equal = if or_equal { self.equal(constant).unwrap_or(0.) } else { 0. };
        Some((below * values + equal).clamp(0., values))
    }

    /// The part of rows whose value is greater than a constant, or equal to it where `or_equal` is set.
    pub fn greater(&self, constant: &ScalarValue, or_equal: bool) -> Option<f64> {
        if constant.is_null() {
            return Some(0.);
        }
        Some((1. - self.null_fraction - self.less(constant, !or_equal)?).max(0.))
    }

    /// The part of rows whose value lies between two constants, both included.
    pub fn between(&self, low: &ScalarValue, high: &ScalarValue) -> Option<f64> {
        if low.is_null() || high.is_null() {
            return Some(0.);
        }
        let part = self.less(high, true)? - self.less(low, false)?;
        // A range within one value of the histogram still has that value's rows.
        let least = self.equal(low).unwrap_or(0.).min(self.equal(high).unwrap_or(0.));
        Some(if compare(low, high) == Some(Ordering::Greater) { 0. } else { part.max(least) })
    }
}

fn bound(value: &Precision<ScalarValue>) -> Option<ScalarValue> {
    value.get_value().filter(|value| !value.is_null()).cloned()
}

/// The order of two values, which may be of two types: numbers and times, or texts.
fn compare(a: &ScalarValue, b: &ScalarValue) -> Option<Ordering> {
    if a.data_type() == b.data_type() {
        return a.partial_cmp(b);
    }
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(text(a)?.cmp(&text(b)?)),
    }
}

/// Where a value lies between two others, from 0 to 1.
fn position(value: &ScalarValue, low: &ScalarValue, high: &ScalarValue) -> Option<f64> {
    if compare(value, low)? != Ordering::Greater {
        return Some(0.);
    }
    if compare(value, high)? == Ordering::Greater {
        return Some(1.);
    }
    let (value, low, high) = match (number(value), number(low), number(high)) {
        (Some(value), Some(low), Some(high)) => (value, low, high),
        _ => text_numbers(&text(value)?, &text(low)?, &text(high)?),
    };
    Some(if high > low { ((value - low) / (high - low)).clamp(0., 1.) } else { 0.5 })
}

/// A number, date or time as a number.
fn number(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Decimal128(value, _, scale) => (*value).map(|value| value as f64 / 10_f64.powi(i32::from(*scale))),
        ScalarValue::Date32(days) => (*days).map(|days| f64::from(days) * 86_400e6),
        ScalarValue::TimestampSecond(time, _) => (*time).map(|time| time as f64 * 1e6),
        ScalarValue::TimestampMillisecond(time, _) => (*time).map(|time| time as f64 * 1e3),
        ScalarValue::TimestampMicrosecond(time, _) | ScalarValue::Time64Microsecond(time) => {
            (*time).map(|time| time as f64)
        }
        ScalarValue::TimestampNanosecond(time, _) => (*time).map(|time| time as f64 / 1e3),
        ScalarValue::Boolean(value) => (*value).map(|value| f64::from(u8::from(value))),
        other if other.data_type().is_numeric() => match other.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(value)) => value.filter(|value| !value.is_nan()),
            _ => None,
        },
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}

/// Three texts as numbers in the same order: the eight bytes behind what the two bounds have in common.
fn text_numbers(value: &str, low: &str, high: &str) -> (f64, f64, f64) {
    let shared = low.bytes().zip(high.bytes()).take_while(|(a, b)| a == b).count();
    let key = |text: &str| {
        let mut bytes = text.as_bytes().get(shared..).unwrap_or_default().iter().chain(std::iter::repeat(&0));
        (0..8).fold(0., |sum, _| sum * 256. + f64::from(bytes.next().copied().unwrap_or(0)))
    };
    (key(value), key(low), key(high))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use millrace_catalog::model::ColumnAnalysis;

    fn int(value: i32) -> ScalarValue {
        ScalarValue::Int32(Some(value))
    }

    fn knowledge(histogram: Vec<String>, common: Vec<(String, f64)>) -> ColumnKnowledge {
        let column = ColumnStatistics {
            null_count: Precision::Exact(100),
            distinct_count: Precision::Inexact(50),
            min_value: Precision::Exact(int(0)),
            max_value: Precision::Exact(int(100)),
            ..ColumnStatistics::new_unknown()
        };
        let table = Statistics {
            num_rows: Precision::Exact(1_000),
            total_byte_size: Precision::Absent,
            column_statistics: vec![column.clone()],
        };
        let analysis = ColumnAnalysis { histogram, common, ..ColumnAnalysis::default() };
        let estimates = ColumnEstimates { distinct_count: Some(50), analysis: Some(analysis) };
        ColumnKnowledge::new(SqlType::Integer, &table, &column, Some(&estimates))
    }

    fn about(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-6, "{found:?} {expected}");
    }

    #[test]
    fn by_bounds_alone() {
        let known = knowledge(Vec::new(), Vec::new());
        about(known.less(&int(25), false), 0.9 * 0.25);
        about(known.less(&int(-5), true), 0.);
        about(known.less(&int(500), false), 0.9);
        about(known.greater(&int(25), true), 0.9 * 0.75);
        about(known.equal(&int(7)), 0.9 / 50.);
        about(known.equal(&int(101)), 0.);
        about(known.equal(&ScalarValue::Int32(None)), 0.);
        about(known.between(&int(10), &int(30)), 0.9 * 0.2 + 0.9 / 50.);
        about(known.between(&int(30), &int(10)), 0.);
        // Of another type.
        about(known.less(&ScalarValue::Int64(Some(50)), false), 0.45);
        about(known.less(&ScalarValue::Float64(Some(50.)), false), 0.45);
    }

    #[test]
    fn by_histogram_and_frequent_values() {
        // Half of the values lie below 10.
        let bounds = ["0", "10", "100"].map(str::to_owned).to_vec();
        let known = knowledge(bounds, vec![("5".to_owned(), 0.3)]);
        about(known.less(&int(10), false), 0.45);
        about(known.less(&int(5), false), 0.9 * 0.25);
        about(known.less(&int(5), true), 0.9 * 0.25 + 0.3);
        about(known.less(&int(55), false), 0.9 * 0.75);
        about(known.equal(&int(5)), 0.3);
        about(known.equal(&int(6)), 0.6 / 49.);
        about(known.greater(&int(10), true), 0.45);
    }

    #[test]
    fn texts_dates_and_decimals_are_placed() {
        let text = |text: &str| ScalarValue::Utf8View(Some(text.to_owned()));
        about(position(&text("abm"), &text("aba"), &text("aby")), 0.5);
        about(position(&text("zz"), &text("a"), &text("b")), 1.);
        about(position(&text("b"), &text("b"), &text("b")), 0.);
        let date = |days: i32| ScalarValue::Date32(Some(days));
        about(position(&date(10), &date(0), &date(20)), 0.5);
        about(position(&ScalarValue::TimestampNanosecond(Some(86_400_000_000_000), None), &date(0), &date(2)), 0.5);
        let decimal = |value: i128| ScalarValue::Decimal128(Some(value), 10, 2);
        about(position(&decimal(150), &decimal(100), &decimal(200)), 0.5);
        assert_eq!(position(&text("a"), &date(0), &date(1)), None);
    }
}

//! Values as positions on a line, so that a range can be measured as a share of another.

use datafusion::common::ScalarValue;

/// Seconds of a day: dates and timestamps share a scale.
const DAY_SECONDS: f64 = 86_400.;

/// How many bytes of a text count.
const TEXT_BYTES: usize = 6;

/// Where a value stands; `None` for NULL and for types that have no order to measure.
pub(crate) fn position(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Int8(v) => v.map(f64::from),
        ScalarValue::Int16(v) => v.map(f64::from),
        ScalarValue::Int32(v) => v.map(f64::from),
        ScalarValue::Int64(v) => v.map(|v| v as f64),
        ScalarValue::UInt8(v) => v.map(f64::from),
        ScalarValue::UInt16(v) => v.map(f64::from),
        ScalarValue::UInt32(v) => v.map(f64::from),
        ScalarValue::UInt64(v) => v.map(|v| v as f64),
        ScalarValue::Float32(v) => v.map(f64::from).filter(|v| v.is_finite()),
        ScalarValue::Float64(v) => v.filter(|v| v.is_finite()),
        ScalarValue::Boolean(v) => v.map(|v| f64::from(u8::from(v))),
        ScalarValue::Decimal32(v, _, scale) => v.map(|v| f64::from(v) / 10_f64.powi(i32::from(*scale))),
        ScalarValue::Decimal64(v, _, scale) => v.map(|v| v as f64 / 10_f64.powi(i32::from(*scale))),
        ScalarValue::Decimal128(v, _, scale) => v.map(|v| v as f64 / 10_f64.powi(i32::from(*scale))),
        ScalarValue::Date32(v) => v.map(|v| f64::from(v) * DAY_SECONDS),
        ScalarValue::Date64(v) => v.map(|v| v as f64 / 1e3),
        ScalarValue::TimestampSecond(v, _) => v.map(|v| v as f64),
        ScalarValue::TimestampMillisecond(v, _) => v.map(|v| v as f64 / 1e3),
        ScalarValue::TimestampMicrosecond(v, _) => v.map(|v| v as f64 / 1e6),
        ScalarValue::TimestampNanosecond(v, _) => v.map(|v| v as f64 / 1e9),
        ScalarValue::IntervalYearMonth(v) => v.map(f64::from),
        ScalarValue::DurationMicrosecond(v) => v.map(|v| v as f64 / 1e6),
        ScalarValue::Utf8(v) | ScalarValue::LargeUtf8(v) | ScalarValue::Utf8View(v) => v.as_deref().map(text),
        ScalarValue::Dictionary(_, inner) => position(inner),
        _ => None,
    }
}

/// The first bytes of a text as one number: its order, about.
fn text(text: &str) -> f64 {
    let bytes = text.bytes().chain(std::iter::repeat(0)).take(TEXT_BYTES);
    bytes.fold(0., |number, byte| number * 256. + f64::from(byte))
}

/// How many values lie in a range: whole numbers and days; `None` where the values are not countable.
pub(crate) fn countable(value: &ScalarValue, low: f64, high: f64) -> Option<f64> {
    match value {
        ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::Int64(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_)
        | ScalarValue::UInt64(_)
        | ScalarValue::IntervalYearMonth(_)
        | ScalarValue::Boolean(_) => Some(high - low + 1.),
        ScalarValue::Date32(_) => Some((high - low) / DAY_SECONDS + 1.),
        ScalarValue::Decimal32(_, _, scale)
        | ScalarValue::Decimal64(_, _, scale)
        | ScalarValue::Decimal128(_, _, scale) => Some((high - low) * 10_f64.powi(i32::from(*scale)) + 1.),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_the_order() {
        let text = |text: &str| position(&ScalarValue::Utf8View(Some(text.to_owned())));
        assert!(text("") < text("a") && text("a") < text("ab") && text("ab") < text("b"));
        // 2 January 1970, as a date and as a timestamp.
        let timestamp = ScalarValue::TimestampMicrosecond(Some(86_400_000_000), None);
        assert_eq!(position(&ScalarValue::Date32(Some(1))), position(&timestamp));
        let (price, plain) = (ScalarValue::Decimal128(Some(1_050), 15, 2), ScalarValue::Float64(Some(10.5)));
        assert_eq!(position(&price), position(&plain));
        assert_eq!(position(&ScalarValue::Int32(None)), None);
    }

    #[test]
    fn countable_ranges() {
        assert_eq!(countable(&ScalarValue::Int32(Some(1)), 1., 5.), Some(5.));
        assert_eq!(countable(&ScalarValue::Date32(Some(1)), 0., 86_400.), Some(2.));
        assert_eq!(countable(&ScalarValue::Float64(Some(1.)), 0., 1.), None);
    }
}

//! Constants of conditions, exactly as a connector gets them, and the casts that change no value.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use millrace_connectors::Value;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// A constant; `None` for one that has no exact counterpart, and for NULL.
pub(super) fn of_scalar(scalar: &ScalarValue) -> Option<Value> {
    Some(match scalar {
        ScalarValue::Boolean(Some(value)) => Value::Boolean(*value),
        ScalarValue::Int8(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int16(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int32(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::Int64(Some(value)) => Value::Integer(*value),
        ScalarValue::UInt8(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::UInt16(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::UInt32(Some(value)) => Value::Integer((*value).into()),
        ScalarValue::UInt64(Some(value)) => {
            i64::try_from(*value).map_or(Value::Decimal((*value).into(), 0), Value::Integer)
        }
        ScalarValue::Decimal32(Some(value), _, scale) => Value::Decimal((*value).into(), *scale),
        ScalarValue::Decimal64(Some(value), _, scale) => Value::Decimal((*value).into(), *scale),
        ScalarValue::Decimal128(Some(value), _, scale) => Value::Decimal(*value, *scale),
        ScalarValue::Decimal256(Some(value), _, scale) => Value::Decimal(value.to_i128()?, *scale),
        // Systems disagree about what is not a number, and about zeros with a sign.
        ScalarValue::Float32(Some(value)) if plain(f64::from(*value)) => Value::Float(f64::from(*value)),
        ScalarValue::Float64(Some(value)) if plain(*value) => Value::Float(*value),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Value::Text(text.clone())
        }
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => Value::Binary(bytes.clone()),
        ScalarValue::Date32(Some(days)) => Value::Timestamp(i64::from(*days) * DAY_US),
        ScalarValue::TimestampSecond(Some(value), _) => Value::Timestamp(value.checked_mul(1_000_000)?),
        ScalarValue::TimestampMillisecond(Some(value), _) => Value::Timestamp(value.checked_mul(1_000)?),
        ScalarValue::TimestampMicrosecond(Some(value), _) => Value::Timestamp(*value),
        ScalarValue::TimestampNanosecond(Some(value), _) if value % 1_000 == 0 => Value::Timestamp(value / 1_000),
        ScalarValue::Dictionary(_, value) => return of_scalar(value),
        _ => return None,
    })
}

fn plain(value: f64) -> bool {
    value.is_finite() && (value != 0. || value.is_sign_positive())
}

/// Whether a cast gives a different value for each value, in the same order, and fails for none (but for dates of which
/// no timestamp can tell, 290,000 years from now).
pub(super) fn is_lossless(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Date32, Decimal32, Decimal64, Decimal128, Decimal256, Float32, Float64, LargeBinary,
        LargeUtf8, Timestamp, Utf8, Utf8View,
    };
    let digits = |data_type: &DataType| match data_type {
        Decimal32(precision, scale)
        | Decimal64(precision, scale)
        | Decimal128(precision, scale)
        | Decimal256(precision, scale) => Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale))),
        _ => whole(data_type).map(|(_, bits)| (whole_digits(bits), 0)),
    };
    match (from, to) {
        _ if from == to => true,
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        | (Binary | LargeBinary | BinaryView, Binary | LargeBinary | BinaryView)
        | (Float32, Float64)
        | (Date32, Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, None)) => true,
        (Timestamp(from, zone), Timestamp(to, other)) => zone == other && unit(*from) <= unit(*to),
        (_, Float64) => whole(from).is_some_and(|(_, bits)| bits <= 32),
        (_, Float32) => whole(from).is_some_and(|(_, bits)| bits <= 16),
        (_, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..)) => {
            let fits = |((before, after), (most_before, most_after))| before <= most_before && after <= most_after;
            digits(from).zip(digits(to)).is_some_and(fits)
        }
        _ => match (whole(from), whole(to)) {
            (Some((signed, bits)), Some((to_signed, to_bits))) => {
                (signed == to_signed && bits <= to_bits) || (!signed && to_signed && bits < to_bits)
            }
            _ => false,
        },
    }
}

/// Whether a type has whole numbers: with a sign, and its bits.
fn whole(data_type: &DataType) -> Option<(bool, u8)> {
    Some(match data_type {
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        DataType::UInt64 => (false, 64),
        _ => return None,
    })
}

/// The most decimal digits of a whole number of so many bits.
fn whole_digits(bits: u8) -> i16 {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        _ => 20,
    }
}

fn unit(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_exact() {
        for (scalar, expected) in [
            (ScalarValue::Int32(Some(-7)), Some(Value::Integer(-7))),
            (ScalarValue::UInt64(Some(u64::MAX)), Some(Value::Decimal(18_446_744_073_709_551_615, 0))),
            (ScalarValue::Decimal128(Some(1234), 10, 2), Some(Value::Decimal(1234, 2))),
            (ScalarValue::Float64(Some(1.5)), Some(Value::Float(1.5))),
            (ScalarValue::Float64(Some(f64::NAN)), None),
            (ScalarValue::Float64(Some(-0.)), None),
            (ScalarValue::Utf8View(Some("a".to_owned())), Some(Value::Text("a".to_owned()))),
            (ScalarValue::Utf8(None), None),
            (ScalarValue::Date32(Some(1)), Some(Value::Timestamp(DAY_US))),
            (ScalarValue::TimestampMillisecond(Some(5), None), Some(Value::Timestamp(5_000))),
            (ScalarValue::TimestampNanosecond(Some(1_001), None), None),
            (ScalarValue::TimestampSecond(Some(i64::MAX), None), None),
        ] {
            assert_eq!(of_scalar(&scalar), expected, "{scalar:?}");
        }
    }

    #[test]
    fn casts_that_lose_nothing() {
        use DataType::{Decimal128, Float64, Int16, Int32, Int64, UInt32, Utf8, Utf8View};
        let stamp = |unit| DataType::Timestamp(unit, None);
        for (from, to, expected) in [
            (Int32, Int64, true),
            (Int64, Int32, false),
            (UInt32, Int64, true),
            (Int16, UInt32, false),
            (Int32, Float64, true),
            (Int64, Float64, false),
            (Int32, Decimal128(10, 0), true),
            (Int32, Decimal128(11, 2), false),
            (Decimal128(5, 2), Decimal128(8, 4), true),
            (Decimal128(5, 2), Decimal128(8, 1), false),
            (Utf8, Utf8View, true),
            (Int32, Utf8, false),
            (stamp(TimeUnit::Millisecond), stamp(TimeUnit::Microsecond), true),
            (stamp(TimeUnit::Microsecond), stamp(TimeUnit::Millisecond), false),
            (DataType::Date32, stamp(TimeUnit::Millisecond), true),
        ] {
            assert_eq!(is_lossless(&from, &to), expected, "{from} {to}");
        }
    }
}

//! Values of other systems as the types that their columns are declared with, exactly or not at all.
//!
//! A number fits a type that holds all of its digits; a text fits the type that it is written as (`'1.50'` a decimal,
//! `'true'` a boolean, `'2026-01-31'` a date); a text column takes numbers and truth values by their text.

use crate::connector::SUPER_METADATA;
use crate::declared::is_super;
use crate::error::{ConnectorError, Result};
use crate::number::{Number, plain_unscaled};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{DataType, Date32Type, Field, TimeUnit};
use chrono::{NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A type that a column can be declared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Type {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// Digits in all, and after the point.
    Decimal(u8, u8),
    Text,
    Binary,
    Date,
    Timestamp,
    Super,
}

/// A plain value as a system has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    /// A number's digits as they are written.
    Number(&'a str),
    Boolean(bool),
    Bytes(&'a [u8]),
}

impl Type {
    /// The type of a declared column.
    ///
    /// # Errors
    /// `Unsupported` for other types.
    pub(crate) fn of(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal128(precision, scale) if *scale >= 0 => Self::Decimal(*precision, scale.unsigned_abs()),
            DataType::Utf8View if is_super(field) => Self::Super,
            DataType::Utf8View => Self::Text,
            DataType::Binary => Self::Binary,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::Timestamp,
            other => {
                let message = format!("the type {other} of the declared column \"{}\"", field.name());
                return Err(ConnectorError::Unsupported(message));
            }
        })
    }

    /// Arrow's type.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale as i8),
            Self::Text | Self::Super => DataType::Utf8View,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// A nullable column of this type.
    pub(crate) fn field(self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), true);
        match self {
            Self::Super => field.with_metadata([(SUPER_METADATA.to_owned(), String::new())].into()),
            _ => field,
        }
    }
}

/// As SQL writes it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int8 => "tinyint",
            Self::Int16 => "smallint",
            Self::Int32 => "int",
            Self::Int64 => "bigint",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Decimal(precision, scale) => return write!(f, "decimal({precision},{scale})"),
            Self::Text => "varchar",
            Self::Binary => "binary",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Super => "super",
        })
    }
}

/// A column that is being filled.
pub(crate) enum Builder {
    Boolean(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    /// With the most digits before and after the point.
    Decimal(Decimal128Builder, u8, u8),
    Text(StringViewBuilder),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

/// Does the same with whatever is built.
macro_rules! each {
    ($builder:expr, $inner:ident => $work:expr) => {
        match $builder {
            Builder::Boolean($inner) => $work,
            Builder::Int8($inner) => $work,
            Builder::Int16($inner) => $work,
            Builder::Int32($inner) => $work,
            Builder::Int64($inner) => $work,
            Builder::Float32($inner) => $work,
            Builder::Float64($inner) => $work,
            Builder::Decimal($inner, ..) => $work,
            Builder::Text($inner) => $work,
            Builder::Binary($inner) => $work,
            Builder::Date($inner) => $work,
            Builder::Timestamp($inner) => $work,
        }
    };
}

impl Builder {
    /// An empty column of a type. SUPER is text here: who fills it writes the JSON.
    pub(crate) fn new(of: Type) -> Self {
        match of {
            Type::Boolean => Self::Boolean(BooleanBuilder::new()),
            Type::Int8 => Self::Int8(Int8Builder::new()),
            Type::Int16 => Self::Int16(Int16Builder::new()),
            Type::Int32 => Self::Int32(Int32Builder::new()),
            Type::Int64 => Self::Int64(Int64Builder::new()),
            Type::Float32 => Self::Float32(Float32Builder::new()),
            Type::Float64 => Self::Float64(Float64Builder::new()),
            Type::Decimal(precision, scale) => {
                let builder = Decimal128Builder::new().with_data_type(of.data_type());
                Self::Decimal(builder, precision, scale)
            }
            Type::Text | Type::Super => Self::Text(StringViewBuilder::new()),
            Type::Binary => Self::Binary(BinaryBuilder::new()),
            Type::Date => Self::Date(Date32Builder::new()),
            Type::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Adds a NULL.
    pub(crate) fn null(&mut self) {
        each!(self, builder => builder.append_null());
    }

    /// Adds a value; `None`, and nothing is added, when the type cannot hold it.
    pub(crate) fn value(&mut self, value: Scalar<'_>) -> Option<()> {
        match self {
            Self::Boolean(builder) => builder.append_value(boolean(value)?),
            Self::Int8(builder) => builder.append_value(whole(value)?.try_into().ok()?),
            Self::Int16(builder) => builder.append_value(whole(value)?.try_into().ok()?),
            Self::Int32(builder) => builder.append_value(whole(value)?.try_into().ok()?),
            Self::Int64(builder) => builder.append_value(whole(value)?),
            Self::Float32(builder) => {
                builder.append_value(digits(value)?.parse().ok().filter(|n: &f32| n.is_finite())?);
            }
            Self::Float64(builder) => {
                builder.append_value(digits(value)?.parse().ok().filter(|n: &f64| n.is_finite())?);
            }
            Self::Decimal(builder, precision, scale) => builder.append_value(decimal(value, *precision, *scale)?),
            Self::Text(builder) => builder.append_value(match value {
                Scalar::Text(text) | Scalar::Number(text) => text,
                Scalar::Boolean(true) => "true",
                Scalar::Boolean(false) => "false",
                Scalar::Bytes(_) => return None,
            }),
            Self::Binary(builder) => match value {
                Scalar::Bytes(bytes) => builder.append_value(bytes),
                _ => return None,
            },
            Self::Date(builder) => {
                let Scalar::Text(text) = value else { return None };
                builder.append_value(Date32Type::from_naive_date(text.parse::<NaiveDate>().ok()?));
            }
            Self::Timestamp(builder) => {
                let Scalar::Text(text) = value else { return None };
                builder.append_value(string_to_datetime(&Utc, text).ok()?.timestamp_micros());
            }
        }
        Some(())
    }

    /// The column.
    pub(crate) fn finish(mut self) -> ArrayRef {
        each!(&mut self, builder => Arc::new(builder.finish()))
    }
}

fn boolean(value: Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Boolean(truth) => Some(truth),
        Scalar::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Scalar::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn digits(value: Scalar<'_>) -> Option<&str> {
    match value {
        Scalar::Number(text) | Scalar::Text(text) => Some(text),
        Scalar::Boolean(_) | Scalar::Bytes(_) => None,
    }
}

fn whole(value: Scalar<'_>) -> Option<i64> {
    let digits = digits(value)?;
    digits.parse().ok().or_else(|| Number::parse(digits)?.integer())
}

fn decimal(value: Scalar<'_>, precision: u8, scale: u8) -> Option<i128> {
    let (digits, places) = (digits(value)?, usize::from(scale));
    let unscaled = plain_unscaled(digits, places).or_else(|| Number::parse(digits)?.unscaled(places))?;
    (unscaled.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(unscaled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::Array;
    use arrow::util::display::array_value_to_string;

    fn converted(of: Type, value: Scalar<'_>) -> Option<String> {
        let mut builder = Builder::new(of);
        builder.value(value)?;
        Some(array_value_to_string(&builder.finish(), 0).unwrap())
    }

    #[test]
    fn values_fit_exactly_or_not_at_all() {
        use Scalar::{Boolean, Number, Text};
        let cent = Type::Decimal(5, 2);
        for (of, value, expected) in [
            (Type::Int32, Number("7"), Some("7")),
            (Type::Int32, Number("7.0"), Some("7")),
            (Type::Int32, Number("1E+3"), Some("1000")),
            (Type::Int32, Text("-12"), Some("-12")),
            (Type::Int32, Number("7.5"), None),
            (Type::Int32, Number("3000000000"), None),
            (Type::Int8, Number("128"), None),
            (Type::Int64, Number("9223372036854775807"), Some("9223372036854775807")),
            (Type::Int64, Number("9223372036854775808"), None),
            (cent, Number("1.5"), Some("1.50")),
            (cent, Text("123.45"), Some("123.45")),
            (cent, Number("123.456"), None),
            (cent, Number("1234.5"), None),
            (cent, Text("x"), None),
            (cent, Boolean(true), None),
            (Type::Float64, Number("0.1"), Some("0.1")),
            (Type::Float64, Text("1e400"), None),
            (Type::Float64, Text("NaN"), None),
            (Type::Boolean, Boolean(false), Some("false")),
            (Type::Boolean, Text("TRUE"), Some("true")),
            (Type::Boolean, Number("1"), None),
            (Type::Text, Number("1.50"), Some("1.50")),
            (Type::Text, Boolean(true), Some("true")),
            (Type::Text, Scalar::Bytes(&[1]), None),
            (Type::Binary, Scalar::Bytes(&[1, 255]), Some("01ff")),
            (Type::Binary, Text("AP8="), None),
            (Type::Date, Text("2026-01-31"), Some("2026-01-31")),
            (Type::Date, Text("2026-02-30"), None),
            (Type::Date, Number("20260131"), None),
            (Type::Timestamp, Text("2026-01-31T10:00:00.5+01:00"), Some("2026-01-31T09:00:00.500")),
            (Type::Timestamp, Text("2026-01-31 10:00:00"), Some("2026-01-31T10:00:00")),
            (Type::Timestamp, Text("soon"), None),
        ] {
            assert_eq!(converted(of, value).as_deref(), expected, "{of} {value:?}");
        }
    }

    #[test]
    fn what_does_not_fit_adds_nothing() {
        let mut builder = Builder::new(Type::Decimal(3, 1));
        assert!(builder.value(Scalar::Number("100.5")).is_none());
        builder.null();
        builder.value(Scalar::Number("9.5")).unwrap();
        let column = builder.finish();
        assert_eq!((column.len(), column.null_count()), (2, 1));
        assert_eq!(column.data_type(), &DataType::Decimal128(3, 1));
    }
}

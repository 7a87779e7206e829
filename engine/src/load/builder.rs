//! The columns of a batch that is being filled.

use super::run::Values;
use super::value::Value;
use crate::error::{Error, Result};
use crate::tables::SqlType;
use datafusion::arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, DurationMicrosecondBuilder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, IntervalYearMonthBuilder,
    StringViewBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use std::sync::Arc;

/// A column of the batch that is being filled.
pub(super) enum Column {
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Numeric(Decimal128Builder, SqlType),
    Real(Float32Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder, SqlType),
    Months(IntervalYearMonthBuilder),
    Micros(DurationMicrosecondBuilder),
    Bytes(BinaryViewBuilder),
}

impl Column {
    pub(super) fn new(data_type: SqlType) -> Self {
        match data_type {
            SqlType::SmallInt => Self::SmallInt(Int16Builder::new()),
            SqlType::Integer => Self::Integer(Int32Builder::new()),
            SqlType::BigInt => Self::BigInt(Int64Builder::new()),
            SqlType::Numeric(..) => Self::Numeric(Decimal128Builder::new(), data_type),
            SqlType::Real => Self::Real(Float32Builder::new()),
            SqlType::Double => Self::Double(Float64Builder::new()),
            SqlType::Boolean => Self::Boolean(BooleanBuilder::new()),
            SqlType::Char(_) | SqlType::Varchar(_) | SqlType::Super | SqlType::HllSketch => {
                Self::Text(StringViewBuilder::new())
            }
            SqlType::Date => Self::Date(Date32Builder::new()),
            SqlType::Time | SqlType::TimeTz => Self::Time(Time64MicrosecondBuilder::new()),
            SqlType::Timestamp | SqlType::TimestampTz => Self::Timestamp(TimestampMicrosecondBuilder::new(), data_type),
            SqlType::Interval(qualifier) if qualifier.is_months() => Self::Months(IntervalYearMonthBuilder::new()),
            SqlType::Interval(_) => Self::Micros(DurationMicrosecondBuilder::new()),
            SqlType::VarByte(_) => Self::Bytes(BinaryViewBuilder::new()),
        }
    }

    /// Appends a value that [`super::value::Conversion`] made for this type: the casts lose nothing, it has checked the range.
    pub(super) fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::SmallInt(builder), Value::Integer(value)) => builder.append_value(value as i16),
            (Self::Integer(builder), Value::Integer(value)) => builder.append_value(value as i32),
            (Self::BigInt(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Numeric(builder, _), Value::Decimal(value)) => builder.append_value(value),
            (Self::Real(builder), Value::Float(value)) => builder.append_value(value as f32),
            (Self::Double(builder), Value::Float(value)) => builder.append_value(value),
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(value),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Date(builder), Value::Integer(value)) => builder.append_value(value as i32),
            (Self::Time(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Timestamp(builder, _), Value::Integer(value)) => builder.append_value(value),
            (Self::Months(builder), Value::Integer(value)) => builder.append_value(value as i32),
            (Self::Micros(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Bytes(builder), Value::Bytes(value)) => builder.append_value(value),
            (Self::SmallInt(builder), _) => builder.append_null(),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::BigInt(builder), _) => builder.append_null(),
            (Self::Numeric(builder, _), _) => builder.append_null(),
            (Self::Real(builder), _) => builder.append_null(),
            (Self::Double(builder), _) => builder.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::Time(builder), _) => builder.append_null(),
            (Self::Timestamp(builder, _), _) => builder.append_null(),
            (Self::Months(builder), _) => builder.append_null(),
            (Self::Micros(builder), _) => builder.append_null(),
            (Self::Bytes(builder), _) => builder.append_null(),
        }
    }

    /// Appends the values of a run; the same holds.
    pub(super) fn extend(&mut self, values: Values<'_>) {
        match (self, values) {
            (Self::SmallInt(builder), Values::Integers(values)) => {
                builder.extend(values.into_iter().map(|value| value.map(|value| value as i16)));
            }
            (Self::Integer(builder), Values::Integers(values)) => {
                builder.extend(values.into_iter().map(|value| value.map(|value| value as i32)));
            }
            (Self::Date(builder), Values::Integers(values)) => {
                builder.extend(values.into_iter().map(|value| value.map(|value| value as i32)));
            }
            (Self::BigInt(builder), Values::Integers(values)) => builder.extend(values),
            (Self::Numeric(builder, _), Values::Decimals(values)) => builder.extend(values),
            (Self::Text(builder), Values::Texts(values)) => builder.extend(values),
            (column, Values::Others(values)) => {
                for value in values {
                    column.append(value);
                }
            }
            // A run's values are of its column's type.
            (_, Values::Integers(_) | Values::Decimals(_) | Values::Texts(_)) => {}
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::SmallInt(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Numeric(builder, SqlType::Numeric(precision, scale)) => {
                Arc::new(builder.finish().with_precision_and_scale(*precision, *scale)?)
            }
            Self::Numeric(..) => return Err(Error::internal("a decimal without its scale")),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder, SqlType::TimestampTz) => Arc::new(builder.finish().with_timezone("UTC")),
            Self::Timestamp(builder, _) => Arc::new(builder.finish()),
            Self::Months(builder) => Arc::new(builder.finish()),
            Self::Micros(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        })
    }
}

//! The columns of a batch that is being filled.

use super::value::Value;
use crate::error::{Error, Result};
use crate::tables::SqlType;
use datafusion::arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanBuilder, NullBufferBuilder, PrimitiveArray,
    StringViewBuilder,
};
use datafusion::arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType,
};
use std::sync::Arc;

/// Values of one width. Those of a run that is given up are taken back.
pub(super) struct Primitives<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Primitives<T> {
    fn new() -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    /// Makes room for more values at once.
    pub(super) fn reserve(&mut self, more: usize) {
        self.values.reserve(more);
    }

    #[inline]
    pub(super) fn append(&mut self, value: T::Native) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    pub(super) fn append_null(&mut self) {
        self.values.push(T::Native::default());
        self.nulls.append_null();
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    fn finish(&mut self) -> PrimitiveArray<T> {
        // The next batch will be about as large.
        let values = std::mem::take(&mut self.values);
        self.values.reserve(values.len());
        PrimitiveArray::new(values.into(), self.nulls.finish())
    }
}

/// A column of the batch that is being filled.
pub(super) enum Column {
    SmallInt(Primitives<Int16Type>),
    Integer(Primitives<Int32Type>),
    BigInt(Primitives<Int64Type>),
    Numeric(Primitives<Decimal128Type>, SqlType),
    Real(Primitives<Float32Type>),
    Double(Primitives<Float64Type>),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Date(Primitives<Date32Type>),
    Time(Primitives<Time64MicrosecondType>),
    Timestamp(Primitives<TimestampMicrosecondType>, SqlType),
    Months(Primitives<IntervalYearMonthType>),
    Micros(Primitives<DurationMicrosecondType>),
    Bytes(BinaryViewBuilder),
}

impl Column {
    pub(super) fn new(data_type: SqlType) -> Self {
        match data_type {
            SqlType::SmallInt => Self::SmallInt(Primitives::new()),
            SqlType::Integer => Self::Integer(Primitives::new()),
            SqlType::BigInt => Self::BigInt(Primitives::new()),
            SqlType::Numeric(..) => Self::Numeric(Primitives::new(), data_type),
            SqlType::Real => Self::Real(Primitives::new()),
            SqlType::Double => Self::Double(Primitives::new()),
            SqlType::Boolean => Self::Boolean(BooleanBuilder::new()),
            SqlType::Char(_) | SqlType::Varchar(_) | SqlType::Super | SqlType::HllSketch => {
                Self::Text(StringViewBuilder::new())
            }
            SqlType::Date => Self::Date(Primitives::new()),
            SqlType::Time | SqlType::TimeTz => Self::Time(Primitives::new()),
            SqlType::Timestamp | SqlType::TimestampTz => Self::Timestamp(Primitives::new(), data_type),
            SqlType::Interval(qualifier) if qualifier.is_months() => Self::Months(Primitives::new()),
            SqlType::Interval(_) => Self::Micros(Primitives::new()),
            SqlType::VarByte(_) => Self::Bytes(BinaryViewBuilder::new()),
        }
    }

    /// Appends a value that [`super::value::Conversion`] made for this type: the casts lose nothing, it has checked the range.
    pub(super) fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::SmallInt(values), Value::Integer(value)) => values.append(value as i16),
            (Self::Integer(values), Value::Integer(value)) => values.append(value as i32),
            (Self::BigInt(values), Value::Integer(value)) => values.append(value),
            (Self::Numeric(values, _), Value::Decimal(value)) => values.append(value),
            (Self::Real(values), Value::Float(value)) => values.append(value as f32),
            (Self::Double(values), Value::Float(value)) => values.append(value),
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(value),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Date(values), Value::Integer(value)) => values.append(value as i32),
            (Self::Time(values), Value::Integer(value)) => values.append(value),
            (Self::Timestamp(values, _), Value::Integer(value)) => values.append(value),
            (Self::Months(values), Value::Integer(value)) => values.append(value as i32),
            (Self::Micros(values), Value::Integer(value)) => values.append(value),
            (Self::Bytes(builder), Value::Bytes(value)) => builder.append_value(value),
            (Self::SmallInt(values), _) => values.append_null(),
            (Self::Integer(values), _) => values.append_null(),
            (Self::BigInt(values), _) => values.append_null(),
            (Self::Numeric(values, _), _) => values.append_null(),
            (Self::Real(values), _) => values.append_null(),
            (Self::Double(values), _) => values.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Date(values), _) => values.append_null(),
            (Self::Time(values), _) => values.append_null(),
            (Self::Timestamp(values, _), _) => values.append_null(),
            (Self::Months(values), _) => values.append_null(),
            (Self::Micros(values), _) => values.append_null(),
            (Self::Bytes(builder), _) => builder.append_null(),
        }
    }

    /// Takes back what was appended behind so many rows. Of a run that is given up nothing else has been appended to the
    /// columns of texts, bytes and truths.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::SmallInt(values) => values.truncate(rows),
            Self::Integer(values) => values.truncate(rows),
            Self::BigInt(values) => values.truncate(rows),
            Self::Numeric(values, _) => values.truncate(rows),
            Self::Real(values) => values.truncate(rows),
            Self::Double(values) => values.truncate(rows),
            Self::Date(values) => values.truncate(rows),
            Self::Time(values) => values.truncate(rows),
            Self::Timestamp(values, _) => values.truncate(rows),
            Self::Months(values) => values.truncate(rows),
            Self::Micros(values) => values.truncate(rows),
            Self::Boolean(_) | Self::Text(_) | Self::Bytes(_) => {}
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::SmallInt(values) => Arc::new(values.finish()),
            Self::Integer(values) => Arc::new(values.finish()),
            Self::BigInt(values) => Arc::new(values.finish()),
            Self::Numeric(values, SqlType::Numeric(precision, scale)) => {
                Arc::new(values.finish().with_precision_and_scale(*precision, *scale)?)
            }
            Self::Numeric(..) => return Err(Error::internal("a decimal without its scale")),
            Self::Real(values) => Arc::new(values.finish()),
            Self::Double(values) => Arc::new(values.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Time(values) => Arc::new(values.finish()),
            Self::Timestamp(values, SqlType::TimestampTz) => Arc::new(values.finish().with_timezone("UTC")),
            Self::Timestamp(values, _) => Arc::new(values.finish()),
            Self::Months(values) => Arc::new(values.finish()),
            Self::Micros(values) => Arc::new(values.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        })
    }
}

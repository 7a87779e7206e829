//! What a system table is: a declaration, and a function that gives its rows.

use crate::error::{Error, Result};
use crate::session::Context;
use datafusion::arrow::array::{
    ArrayRef, ArrowNativeTypeOp, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, ListArray, ListBuilder, PrimitiveBuilder, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Fields, Int16Type, Int32Type, Schema, SchemaRef, TimeUnit,
};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::datasource::MemTable;
use futures::future::BoxFuture;
use std::sync::Arc;

/// A system table.
pub(crate) struct SystemTable {
    /// `pg_catalog` or `information_schema`.
    pub(crate) schema: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its columns in order, as documented.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// Its rows now, for whoever the context's user is.
    pub(crate) rows: Read,
}

/// Gives a system table's rows; each has a value for each column.
pub(crate) type Read = for<'a> fn(&'a Context) -> BoxFuture<'a, Result<Rows>>;

/// Rows of a system table.
pub(crate) type Rows = Vec<Vec<Value>>;

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric(precision, scale)`
    Numeric(u8, i8),
    /// `oid`: as `integer`, for ours are below 2^31
    Oid,
    /// `text`, `varchar(n)`, `char(n)`, `name`
    Text,
    /// `date`, of days since the epoch
    #[allow(dead_code, reason = "part of the framework: other modules' tables have it")]
    Date,
    /// `timestamp`, of microseconds since the epoch
    Time,
    /// `smallint[]`, `int2vector`
    Int2s,
    /// `oid[]`, `oidvector`
    Oids,
    /// `text[]`
    Texts,
    /// An array of integers, each with its place from 1: records of `x` and `n`
    Pairs,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// For `Bool`.
    Bool(bool),
    /// For all integers, oids, dates and times.
    Int(i64),
    /// For `Real`, `Double` and `Numeric`.
    Double(f64),
    /// For `Text`.
    Text(String),
    /// For `Int2s` and `Oids`.
    Ints(Vec<i64>),
    /// For `Texts`.
    Texts(Vec<String>),
}

macro_rules! values_from {
    ($($from:ty => |$value:ident| $made:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $made
            }
        })*
    };
}

values_from! {
    bool => |value| Self::Bool(value),
    i16 => |value| Self::Int(value.into()),
    i32 => |value| Self::Int(value.into()),
    i64 => |value| Self::Int(value),
    u32 => |value| Self::Int(value.into()),
    u64 => |value| Self::Int(i64::try_from(value).unwrap_or(i64::MAX)),
    usize => |value| Self::Int(i64::try_from(value).unwrap_or(i64::MAX)),
    f64 => |value| Self::Double(value),
    &str => |value| Self::Text(value.to_owned()),
    &String => |value| Self::Text(value.clone()),
    String => |value| Self::Text(value),
    char => |value| Self::Text(value.to_string()),
    Vec<i64> => |value| Self::Ints(value),
    Vec<String> => |value| Self::Texts(value),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of values of any types that a [`Value`] is made from.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::system::Value::from($value)),*] };
}
pub(crate) use row;

/// NULL in [`row!`].
pub(crate) const NULL: Option<&str> = None;

impl SystemTable {
    /// Its columns as Arrow has them.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Its rows now, as a table that a query can read.
    pub(crate) async fn read(&self, context: &Context) -> Result<MemTable> {
        if let Some(work) = context.work() {
            work.note_unrepeatable();
        }
        let schema = self.schema();
        let batch = self.batch(&schema, (self.rows)(context).await?)?;
        Ok(MemTable::try_new(schema, vec![vec![batch]])?)
    }

    fn batch(&self, schema: &SchemaRef, rows: Rows) -> Result<RecordBatch> {
        let count = rows.len();
        let mut columns: Vec<Vec<Value>> = self.columns.iter().map(|_| Vec::with_capacity(count)).collect();
        for row in rows {
            if row.len() != columns.len() {
                let message = format!("{} has {} columns and a row of {}", self.name, columns.len(), row.len());
                return Err(Error::internal(message));
            }
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let arrays = columns.into_iter().zip(self.columns).map(|(values, (name, kind))| {
            array(*kind, values)
                .ok_or_else(|| Error::internal(format!("a value of another type in {}.{name}", self.name)))
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }
}

impl Kind {
    /// The type in Arrow.
    pub(crate) fn data_type(self) -> DataType {
        let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 | Self::Oid => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Numeric(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Int2s => list(DataType::Int16),
            Self::Oids => list(DataType::Int32),
            Self::Texts => list(DataType::Utf8),
            Self::Pairs => list(DataType::Struct(pair())),
        }
    }
}

/// The fields of [`Kind::Pairs`].
fn pair() -> Fields {
    ["x", "n"].into_iter().map(|name| Field::new(name, DataType::Int32, true)).collect()
}

/// Values as an array; `None` where one is not of the kind.
pub(crate) fn array(kind: Kind, values: Vec<Value>) -> Option<ArrayRef> {
    fn each<T>(values: Vec<Value>, of: impl Fn(Value) -> Option<T>) -> Option<Vec<Option<T>>> {
        let each = values.into_iter().map(|value| match value {
            Value::Null => Some(None),
            value => of(value).map(Some),
        });
        each.collect()
    }
    // A number that its documented type has no room for is the largest of that: the table stays readable.
    fn int<T: TryFrom<i64> + ArrowNativeTypeOp>(value: Value) -> Option<T> {
        let Value::Int(value) = value else { return None };
        let nearest = if value < 0 { T::MIN_TOTAL_ORDER } else { T::MAX_TOTAL_ORDER };
        Some(T::try_from(value).unwrap_or(nearest))
    }
    fn double(value: Value) -> Option<f64> {
        match value {
            Value::Double(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            _ => None,
        }
    }
    fn ints<T>(values: Vec<Value>) -> Option<ArrayRef>
    where
        T: ArrowPrimitiveType,
        T::Native: TryFrom<i64>,
    {
        let mut lists = ListBuilder::new(PrimitiveBuilder::<T>::new());
        for value in values {
            match value {
                Value::Null => lists.append_null(),
                Value::Ints(items) => {
                    let items = items.into_iter().map(|item| T::Native::try_from(item).ok().map(Some));
                    lists.append_value(items.collect::<Option<Vec<_>>>()?);
                }
                _ => return None,
            }
        }
        Some(Arc::new(lists.finish()))
    }
    Some(match kind {
        Kind::Bool => Arc::new(BooleanArray::from(each(values, |value| match value {
            Value::Bool(value) => Some(value),
            _ => None,
        })?)),
        Kind::Int2 => Arc::new(Int16Array::from(each(values, int::<i16>)?)),
        Kind::Int4 | Kind::Oid => Arc::new(Int32Array::from(each(values, int::<i32>)?)),
        Kind::Int8 => Arc::new(Int64Array::from(each(values, int::<i64>)?)),
        Kind::Real => Arc::new(Float32Array::from(each(values, |value| double(value).map(|value| value as f32))?)),
        Kind::Double => Arc::new(Float64Array::from(each(values, double)?)),
        Kind::Numeric(precision, scale) => {
            let digits = |value| Some((double(value)? * 10_f64.powi(scale.into())).round() as i128);
            let numbers = Decimal128Array::from(each(values, digits)?);
            Arc::new(numbers.with_precision_and_scale(precision, scale).ok()?)
        }
        Kind::Text => Arc::new(StringArray::from(each(values, |value| match value {
            Value::Text(value) => Some(value),
            _ => None,
        })?)),
        Kind::Date => Arc::new(Date32Array::from(each(values, int::<i32>)?)),
        Kind::Time => Arc::new(TimestampMicrosecondArray::from(each(values, int::<i64>)?)),
        Kind::Int2s => ints::<Int16Type>(values)?,
        Kind::Oids => ints::<Int32Type>(values)?,
        Kind::Pairs => {
            let mut offsets = vec![0];
            let (mut items, mut places, mut there) = (Vec::new(), Vec::new(), Vec::new());
            for value in values {
                there.push(value != Value::Null);
                match value {
                    Value::Null => {}
                    Value::Ints(of) => {
                        places.extend(1..=i32::try_from(of.len()).ok()?);
                        for item in of {
                            items.push(i32::try_from(item).ok()?);
                        }
                    }
                    _ => return None,
                }
                offsets.push(i32::try_from(items.len()).ok()?);
            }
            let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(items)), Arc::new(Int32Array::from(places))];
            let pairs = StructArray::try_new(pair(), columns, None).ok()?;
            let field = Arc::new(Field::new_list_field(DataType::Struct(pair()), true));
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(ListArray::try_new(field, offsets, Arc::new(pairs), Some(there.into())).ok()?)
        }
        Kind::Texts => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                match value {
                    Value::Null => lists.append_null(),
                    Value::Texts(items) => lists.append_value(items.into_iter().map(Some)),
                    _ => return None,
                }
            }
            Arc::new(lists.finish())
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Decimal128Type;

    #[test]
    fn numbers_have_the_documented_type_whatever_their_size() {
        let values = row![7, 3_000_000_000_i64, -3_000_000_000_i64, NULL];
        let found = array(Kind::Int4, values).unwrap();
        let found: Vec<Option<i32>> = found.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(found, [Some(7), Some(i32::MAX), Some(i32::MIN), None]);
        let found = array(Kind::Numeric(5, 2), row![0.296, 100, NULL]).unwrap();
        assert_eq!(found.data_type(), &DataType::Decimal128(5, 2));
        let found: Vec<Option<i128>> = found.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(found, [Some(30), Some(10_000), None]);
        assert!(array(Kind::Int4, row!["7"]).is_none());
    }
}

//! Values written once, from their parts.

use arrow::array::{
    Array, ArrayRef, AsArray, GenericStringArray, GenericStringBuilder, LargeStringArray, OffsetSizeTrait, StringArray,
    StringViewArray, StringViewBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use std::fmt::Write;
use std::sync::Arc;

/// The most that is reserved at once for values of views; what is more goes into further buffers.
const BLOCK_BYTES: usize = 16 << 20;

/// One part of all rows' values.
pub(super) enum Texts<'a> {
    /// The same in each row.
    One(&'a str),
    Views(&'a StringViewArray),
    Short(&'a StringArray),
    Large(&'a LargeStringArray),
}

impl<'a> Texts<'a> {
    /// None is NULL in each row.
    pub(super) fn of(value: &'a ColumnarValue) -> Result<Option<Self>> {
        let array = match value {
            ColumnarValue::Scalar(scalar) => match scalar.try_as_str() {
                Some(text) => return Ok(text.map(Self::One)),
                None => return internal_err!("{} is no text", scalar.data_type()),
            },
            ColumnarValue::Array(array) => array,
        };
        Ok(Some(match array.data_type() {
            DataType::Utf8View => Self::Views(array.as_string_view()),
            DataType::Utf8 => Self::Short(array.as_string()),
            DataType::LargeUtf8 => Self::Large(array.as_string()),
            other => return internal_err!("{other} is no text"),
        }))
    }

    #[inline]
    fn value(&self, row: usize) -> &'a str {
        match self {
            Self::One(text) => text,
            Self::Views(texts) => texts.value(row),
            Self::Short(texts) => texts.value(row),
            Self::Large(texts) => texts.value(row),
        }
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Self::One(_) => None,
            Self::Views(texts) => texts.nulls(),
            Self::Short(texts) => texts.nulls(),
            Self::Large(texts) => texts.nulls(),
        }
    }

    /// Of all rows together; bytes behind a NULL may count.
    fn size_bytes(&self, rows: usize) -> usize {
        match self {
            Self::One(text) => text.len().saturating_mul(rows),
            Self::Views(texts) => texts.lengths().map(|length| length as usize).sum(),
            Self::Short(texts) => span(texts),
            Self::Large(texts) => span(texts),
        }
    }
}

fn span<O: OffsetSizeTrait>(texts: &GenericStringArray<O>) -> usize {
    let offsets = texts.value_offsets();
    offsets[texts.len()].as_usize() - offsets[0].as_usize()
}

/// So many rows of texts of this type.
pub(super) fn joined(parts: &[Texts<'_>], rows: usize, gives: &DataType) -> Result<ArrayRef> {
    let nulls = parts.iter().fold(None::<NullBuffer>, |all, part| NullBuffer::union(all.as_ref(), part.nulls()));
    let size_bytes = parts.iter().fold(0, |all: usize, part| all.saturating_add(part.size_bytes(rows)));
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    match gives {
        DataType::Utf8View => views(parts, rows, size_bytes, is_null),
        DataType::Utf8 => texts::<i32>(parts, rows, size_bytes, is_null),
        DataType::LargeUtf8 => texts::<i64>(parts, rows, size_bytes, is_null),
        other => internal_err!("{other} is no text"),
    }
}

/// A value is put together where the processor has it at hand, then goes into its view or behind it.
fn views(parts: &[Texts<'_>], rows: usize, size_bytes: usize, is_null: impl Fn(usize) -> bool) -> Result<ArrayRef> {
    let block = u32::try_from(size_bytes.clamp(1, BLOCK_BYTES)).unwrap_or(u32::MAX);
    let mut built = StringViewBuilder::with_capacity(rows).with_fixed_block_size(block);
    let mut value = String::with_capacity(256);
    for row in 0..rows {
        if is_null(row) {
            built.append_null();
            continue;
        }
        value.clear();
        for part in parts {
            value.push_str(part.value(row));
        }
        built.try_append_value(&value)?;
    }
    Ok(Arc::new(built.finish()))
}

fn texts<O: OffsetSizeTrait>(
    parts: &[Texts<'_>],
    rows: usize,
    size_bytes: usize,
    is_null: impl Fn(usize) -> bool,
) -> Result<ArrayRef> {
    if O::from_usize(size_bytes).is_none() {
        let reason = format!("joined texts of {size_bytes} bytes are more than a batch holds");
        return Err(DataFusionError::ResourcesExhausted(reason));
    }
    let mut built = GenericStringBuilder::<O>::with_capacity(rows, size_bytes);
    for row in 0..rows {
        if is_null(row) {
            built.append_null();
            continue;
        }
        for part in parts {
            built.write_str(part.value(row)).map_err(|error| DataFusionError::External(Box::new(error)))?;
        }
        built.append_value("");
    }
    Ok(Arc::new(built.finish()))
}

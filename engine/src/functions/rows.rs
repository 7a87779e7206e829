//! Columns read and written row by row, as most kernels do: arguments by their types, results by closures.

use super::kernel::Call;
use crate::error::Result;
use datafusion::arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, BooleanArray, BooleanBuilder,
    Date32Array, Float64Array, Int64Array, PrimitiveArray, PrimitiveBuilder, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use std::sync::Arc;

impl Call<'_> {
    /// An argument that is a text.
    pub(super) fn text(&self, at: usize) -> &StringViewArray {
        self.args[at].as_string_view()
    }

    /// An argument that is a whole number.
    pub(super) fn int(&self, at: usize) -> &Int64Array {
        self.args[at].as_primitive::<Int64Type>()
    }

    /// An argument that is a floating-point number.
    pub(super) fn float(&self, at: usize) -> &Float64Array {
        self.args[at].as_primitive::<Float64Type>()
    }

    /// An argument that is a truth value.
    pub(super) fn bool(&self, at: usize) -> &BooleanArray {
        self.args[at].as_boolean()
    }

    /// An argument that is a date.
    pub(super) fn date(&self, at: usize) -> &Date32Array {
        self.args[at].as_primitive::<Date32Type>()
    }

    /// An argument that is a moment.
    pub(super) fn stamp(&self, at: usize) -> &TimestampMicrosecondArray {
        self.args[at].as_primitive::<TimestampMicrosecondType>()
    }

    /// An argument that is a text, perhaps one for all rows.
    pub(super) fn spread_text(&self, at: usize) -> Spread<'_, StringViewArray> {
        Spread::new(self.text(at), self.rows)
    }

    /// An argument that is a whole number, perhaps one for all rows.
    pub(super) fn spread_int(&self, at: usize) -> Spread<'_, Int64Array> {
        Spread::new(self.int(at), self.rows)
    }

    /// An argument that is a truth value, perhaps one for all rows.
    pub(super) fn spread_bool(&self, at: usize) -> Spread<'_, BooleanArray> {
        Spread::new(self.bool(at), self.rows)
    }

    /// An argument that is a moment, perhaps one for all rows.
    pub(super) fn spread_stamp(&self, at: usize) -> Spread<'_, TimestampMicrosecondArray> {
        Spread::new(self.stamp(at), self.rows)
    }

    /// An argument with as many values as there are rows.
    pub(super) fn whole(&self, at: usize) -> Result<ArrayRef> {
        let values = &self.args[at];
        if values.len() == self.rows {
            return Ok(Arc::clone(values));
        }
        Ok(ScalarValue::try_from_array(values, 0)?.to_array_of_size(self.rows)?)
    }

    /// Whether the argument was given.
    pub(super) fn has(&self, at: usize) -> bool {
        at < self.args.len()
    }

    /// Whether a row lacks an argument that it needs.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Texts by a function of the row.
    pub(super) fn texts<T: AsRef<str>>(&self, mut of: impl FnMut(usize) -> Result<Option<T>>) -> Result<ArrayRef> {
        let mut built = StringViewBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            if self.is_null(row) {
                built.append_null();
            } else {
                built.append_option(of(row)?);
            }
        }
        Ok(Arc::new(built.finish()))
    }

    /// Bytes by a function of the row.
    pub(super) fn binaries<T: AsRef<[u8]>>(&self, mut of: impl FnMut(usize) -> Result<T>) -> Result<ArrayRef> {
        let mut built = BinaryViewBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            if self.is_null(row) {
                built.append_null();
            } else {
                built.append_value(of(row)?);
            }
        }
        Ok(Arc::new(built.finish()))
    }

    /// Values of a primitive type by a function of the row.
    pub(super) fn values<T: ArrowPrimitiveType>(
        &self,
        mut of: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let mut built = PrimitiveBuilder::<T>::with_capacity(self.rows).with_data_type(self.gives.clone());
        for row in 0..self.rows {
            if self.is_null(row) {
                built.append_null();
            } else {
                built.append_option(of(row)?);
            }
        }
        Ok(Arc::new(built.finish()))
    }

    /// Values of a primitive type, computed also below NULLs: for what is cheap and cannot fail.
    pub(super) fn all<T: ArrowPrimitiveType>(&self, of: impl Fn(usize) -> T::Native) -> Result<ArrayRef> {
        self.column::<T>((0..self.rows).map(of).collect())
    }

    /// The same of values that were computed.
    pub(super) fn column<T: ArrowPrimitiveType>(&self, values: Vec<T::Native>) -> Result<ArrayRef> {
        let array = PrimitiveArray::<T>::try_new(values.into(), self.nulls.clone())?;
        Ok(Arc::new(array.with_data_type(self.gives.clone())))
    }

    /// `Int64` by a function of the row.
    pub(super) fn ints(&self, of: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
        self.values::<Int64Type>(of)
    }

    /// `Int32` by a function of the row.
    pub(super) fn int4s(&self, of: impl FnMut(usize) -> Result<Option<i32>>) -> Result<ArrayRef> {
        self.values::<Int32Type>(of)
    }

    /// `Float64` by a function of the row.
    pub(super) fn floats(&self, of: impl FnMut(usize) -> Result<Option<f64>>) -> Result<ArrayRef> {
        self.values::<Float64Type>(of)
    }

    /// Moments by a function of the row.
    pub(super) fn stamps(&self, of: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
        self.values::<TimestampMicrosecondType>(of)
    }

    /// Dates by a function of the row.
    pub(super) fn dates(&self, of: impl FnMut(usize) -> Result<Option<i32>>) -> Result<ArrayRef> {
        self.values::<Date32Type>(of)
    }

    /// Truth values by a function of the row.
    pub(super) fn bools(&self, mut of: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let mut built = BooleanBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            if self.is_null(row) {
                built.append_null();
            } else {
                built.append_option(of(row)?);
            }
        }
        Ok(Arc::new(built.finish()))
    }
}

/// A column, or one value for all rows.
pub(super) struct Spread<'a, A> {
    values: &'a A,
    /// All bits of a row's number for a column, none for one value.
    mask: usize,
}

impl<'a, A> Spread<'a, A>
where
    &'a A: ArrayAccessor,
{
    /// Values of so many rows, or one.
    pub(super) fn new(values: &'a A, rows: usize) -> Self {
        let mask = if Array::len(&values) == rows { usize::MAX } else { 0 };
        Self { values, mask }
    }

    /// A row's value.
    #[inline]
    pub(super) fn value(&self, row: usize) -> <&'a A as ArrayAccessor>::Item {
        ArrayAccessor::value(&self.values, row & self.mask)
    }

    /// The value that all rows have, where it is known to be one.
    pub(super) fn one(&self) -> Option<<&'a A as ArrayAccessor>::Item> {
        (Array::len(&self.values) == 1).then(|| self.value(0))
    }
}

impl<'a, T: ArrowPrimitiveType> Spread<'a, PrimitiveArray<T>> {
    /// The values, of all rows or the one.
    pub(super) fn column(&self) -> &'a [T::Native] {
        self.values.values()
    }
}

/// What was made last of a text: patterns and parts are nearly always the same in all rows.
pub(super) struct Last<T> {
    text: Option<String>,
    made: Option<T>,
}

impl<T> Last<T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { text: None, made: None }
    }

    /// What a text makes, made anew only when it is another.
    pub(super) fn of(&mut self, text: &str, make: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        if self.text.as_deref() != Some(text) {
            self.made = Some(make(text)?);
            self.text = Some(text.to_owned());
        }
        self.made.as_ref().ok_or_else(|| crate::error::Error::internal("nothing was made of a text"))
    }
}

//! Runs of records, column by column: what most rows are costs no dispatch for each value.
//!
//! A run that holds anything out of the ordinary (a bad value, a NULL where none may be) is given up before any column has
//! changed; its rows are then read one by one.

use super::builder::Column;
use super::fields::Field;
use super::spec::Target;
use super::value::{Conversion, Value, short_integer};
use crate::tables::SqlType;
use std::borrow::Cow;

/// Records of a run: so many that their fields stay in the processor's cache.
pub(super) const RUN_ROWS: usize = 256;

/// The values of one column of a run; `None` is NULL.
pub(super) enum Values<'a> {
    /// Whole numbers, days, microseconds.
    Integers(Vec<Option<i64>>),
    Decimals(Vec<Option<i128>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    /// What is read value by value.
    Others(Vec<Value<'a>>),
}

/// Appends the rows whose fields these are, row after row, as many in each as there are targets; `false`, and nothing is
/// appended, when one of them must be looked at by itself.
pub(super) fn append(
    conversion: &Conversion,
    targets: &[Target],
    fields: &[Option<Field<'_>>],
    columns: &mut [Column],
) -> bool {
    let column = |at: usize| Of { conversion, target: &targets[at], at, width: targets.len(), fields }.values();
    let Some(read) = (0..targets.len()).map(column).collect::<Option<Vec<_>>>() else { return false };
    for (column, values) in columns.iter_mut().zip(read) {
        column.extend(values);
    }
    true
}

/// One column of a run.
struct Of<'r, 'a> {
    conversion: &'r Conversion,
    target: &'r Target,
    at: usize,
    width: usize,
    fields: &'r [Option<Field<'a>>],
}

impl<'r> Of<'r, '_> {
    fn values(&self) -> Option<Values<'r>> {
        let conversion = self.conversion;
        match self.target.data_type {
            SqlType::SmallInt => self.integers(i16::MIN.into(), i16::MAX.into()),
            SqlType::Integer => self.integers(i32::MIN.into(), i32::MAX.into()),
            SqlType::BigInt => self.integers(i64::MIN, i64::MAX),
            SqlType::Date => {
                let plain = |field: &Field<'_>| conversion.plain_date(&field.bytes).map(i64::from);
                self.read(plain, whole).map(Values::Integers)
            }
            SqlType::Numeric(precision, scale) => {
                let plain = |field: &Field<'_>| conversion.plain_decimal(&field.bytes, precision, scale);
                let decimal = |value| if let Value::Decimal(value) = value { Some(value) } else { None };
                self.read(plain, decimal).map(Values::Decimals)
            }
            SqlType::Varchar(length) if conversion.keeps_texts() => self.texts(length, false),
            SqlType::Char(length) if conversion.keeps_texts() => self.texts(length, true),
            _ => self.fields().map(|field| self.general(field)).collect::<Option<_>>().map(Values::Others),
        }
    }

    fn fields(&self) -> impl Iterator<Item = Option<&'r Field<'r>>> {
        self.fields.iter().skip(self.at).step_by(self.width).map(Option::as_ref)
    }

    fn integers(&self, least: i64, most: i64) -> Option<Values<'r>> {
        let plain = |field: &Field<'_>| short_integer(&field.bytes).filter(|value| (least..=most).contains(value));
        self.read(plain, whole).map(Values::Integers)
    }

    /// Values that `plain` reads at once; what it leaves over is read as ever, and is what `kept` takes out.
    #[inline]
    fn read<T>(
        &self,
        plain: impl Fn(&'r Field<'r>) -> Option<T>,
        kept: impl Fn(Value<'r>) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        let mut values = Vec::with_capacity(self.fields.len() / self.width.max(1));
        for field in self.fields() {
            let value = match field.filter(|field| !self.conversion.is_null(field)).and_then(&plain) {
                Some(value) => Some(value),
                None => match self.general(field)? {
                    Value::Null => None,
                    value => Some(kept(value)?),
                },
            };
            values.push(value);
        }
        Some(values)
    }

    /// Texts; those that go in as they stand in the record are only looked at.
    fn texts(&self, length: u32, ascii: bool) -> Option<Values<'r>> {
        let plain = |field: &'r Field<'r>| {
            let bytes = field.bytes.as_ref();
            let fits = bytes.len() <= length as usize && (!ascii || bytes.is_ascii());
            fits.then(|| std::str::from_utf8(bytes).ok().map(Cow::Borrowed)).flatten()
        };
        let text = |value| if let Value::Text(text) = value { Some(text) } else { None };
        self.read(plain, text).map(Values::Texts)
    }

    fn general(&self, field: Option<&'r Field<'r>>) -> Option<Value<'r>> {
        let value = match field {
            Some(field) => self.conversion.value(field.clone(), self.target.data_type).ok()?,
            None => Value::Null,
        };
        (value != Value::Null || self.target.nullable).then_some(value)
    }
}

fn whole(value: Value<'_>) -> Option<i64> {
    if let Value::Integer(value) = value { Some(value) } else { None }
}

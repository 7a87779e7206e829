//! Runs of records, column by column: what most rows are costs no dispatch for each value.
//!
//! A run that holds anything out of the ordinary (a bad value, a NULL where none may be) is given up, and what it had
//! added to columns is taken back; its rows are then read one by one.

use super::builder::{Column, Primitives};
use super::cells::{Cell, Run};
use super::digits;
use super::fields::Field;
use super::spec::Target;
use super::value::{Conversion, Value};
use crate::tables::SqlType;
use datafusion::arrow::array::ArrowPrimitiveType;
use std::borrow::Cow;

/// Records of a run: so many that their fields stay in the processor's cache.
pub(super) const RUN_ROWS: usize = 256;

/// What is left to do for a column when all values of the run are known to be good.
enum Later<'a> {
    /// Nothing: its values are there.
    Done,
    /// Texts that go in as they stand.
    AsTheyStand,
    /// What was read value by value.
    Values(Vec<Value<'a>>),
}

/// Appends a run's rows to columns that have so many; `false`, and nothing is appended, when one of them must be looked at
/// by itself.
pub(super) fn append(
    conversion: &Conversion,
    targets: &[Target],
    run: &Run<'_>,
    columns: &mut [Column],
    rows: usize,
) -> bool {
    let mut left = Vec::with_capacity(targets.len());
    for (at, target) in targets.iter().enumerate() {
        match (Of { conversion, target, run, at }).fill(&mut columns[at]) {
            Some(later) => left.push(later),
            None => {
                columns[..=at].iter_mut().for_each(|column| column.truncate(rows));
                return false;
            }
        }
    }
    for (at, later) in left.into_iter().enumerate() {
        let column = &mut columns[at];
        match (later, column) {
            (Later::AsTheyStand, Column::Text(builder)) => {
                for cell in run.column(at) {
                    builder.append_option(if is_null(conversion, run, cell) { None } else { run.text(cell) });
                }
            }
            (Later::Values(values), column) => values.into_iter().for_each(|value| column.append(value)),
            (Later::Done | Later::AsTheyStand, _) => {}
        }
    }
    true
}

/// Whether a field is NULL: there is none, or its text says so.
#[inline]
fn is_null(conversion: &Conversion, run: &Run<'_>, cell: Cell) -> bool {
    cell.is_missing() || (conversion.may_be_null(cell.is_quoted()) && conversion.stands_for_null(run.bytes(cell)))
}

/// One column of a run.
struct Of<'r, 'a> {
    conversion: &'r Conversion,
    target: &'r Target,
    run: &'r Run<'a>,
    at: usize,
}

impl<'a> Of<'_, 'a> {
    /// Appends the column's values, or says what is to be appended.
    fn fill(&self, column: &mut Column) -> Option<Later<'a>> {
        let whole = |value| if let Value::Integer(value) = value { Some(value) } else { None };
        match (column, self.target.data_type) {
            (Column::SmallInt(values), _) => self.values(
                values,
                |text, from, to| digits::integer(text, from, to)?.try_into().ok(),
                |value| whole(value).map(|value| value as i16),
            ),
            (Column::Integer(values), _) => self.values(
                values,
                |text, from, to| digits::integer(text, from, to)?.try_into().ok(),
                |value| whole(value).map(|value| value as i32),
            ),
            (Column::BigInt(values), _) => self.values(values, digits::integer, whole),
            (Column::Date(values), _) if self.conversion.has_plain_dates() => self.values(
                values,
                |text, from, to| digits::date(&text[from..to]),
                |value| whole(value).map(|value| value as i32),
            ),
            (Column::Timestamp(values, _), data_type) if self.conversion.has_plain_moments(data_type) => {
                self.values(values, |text, from, to| digits::timestamp(&text[from..to]), whole)
            }
            (Column::Numeric(values, _), SqlType::Numeric(precision, scale)) => self.values(
                values,
                |text, from, to| digits::decimal(text, from, to, precision, scale),
                |value| if let Value::Decimal(value) = value { Some(value) } else { None },
            ),
            (Column::Text(_), SqlType::Varchar(length)) if self.stand_as_they_are(length, false) => {
                Some(Later::AsTheyStand)
            }
            (Column::Text(_), SqlType::Char(length)) if self.stand_as_they_are(length, true) => {
                Some(Later::AsTheyStand)
            }
            _ => self.run.column(self.at).map(|cell| self.general(cell)).collect::<Option<_>>().map(Later::Values),
        }
    }

    /// Appends values that `plain` reads at once; what it leaves over is read as ever, and is what `kept` takes out.
    #[inline]
    fn values<T: ArrowPrimitiveType>(
        &self,
        values: &mut Primitives<T>,
        plain: impl Fn(&[u8], usize, usize) -> Option<T::Native>,
        kept: impl Fn(Value<'a>) -> Option<T::Native>,
    ) -> Option<Later<'a>> {
        values.reserve(self.run.len());
        for cell in self.run.column(self.at) {
            let value = if is_null(self.conversion, self.run, cell) {
                None
            } else {
                let (text, from, to) = self.run.place(cell);
                plain(text.as_bytes(), from, to)
            };
            match value {
                Some(value) => values.append(value),
                None => match self.general(cell)? {
                    Value::Null => values.append_null(),
                    value => values.append(kept(value)?),
                },
            }
        }
        Some(Later::Done)
    }

    /// Whether texts go in as they stand in the records: all of them fit, and there is a NULL only where there may be one.
    fn stand_as_they_are(&self, length: u32, ascii: bool) -> bool {
        let (conversion, run) = (self.conversion, self.run);
        let fits = |cell: Cell| {
            cell.len() <= length as usize
                && (!ascii || run.is_ascii || run.bytes(cell).is_ascii())
                && run.text(cell).is_some()
                && (self.target.nullable || !is_null(conversion, run, cell))
        };
        conversion.keeps_texts() && run.column(self.at).all(fits)
    }

    fn general(&self, cell: Cell) -> Option<Value<'a>> {
        let value = if cell.is_missing() {
            Value::Null
        } else {
            let field = Field { bytes: Cow::Borrowed(self.run.bytes(cell)), quoted: cell.is_quoted(), at: 0 };
            self.conversion.value(field, self.target.data_type).ok()?
        };
        (value != Value::Null || self.target.nullable).then_some(value)
    }
}

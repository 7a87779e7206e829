//! What fills a column out of records whose values have types: followed to where a path leads, and made the texts that
//! JSON would have for it.

use super::fields::Field;
use crate::error::{Error, Result};
use crate::lake::json::{JsonPath, Step};
use crate::lake::write::documents;
use crate::tables::SqlType;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, BooleanArray, ListArray, MapArray, StructArray,
    UInt64Array, UnionArray, new_null_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::compute::{cast, is_null, nullif, take};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use std::borrow::Cow;
use std::sync::Arc;

/// What fills a column, record after record.
pub(super) struct Found {
    /// Of a union one for each of its types.
    texts: Vec<Texts>,
    /// Of a union which of them a record has, and where; `None` where there is no union.
    chosen: Option<Vec<Option<(usize, usize)>>>,
    /// Records in which the path's array is none, or too short.
    misplaced: Option<BooleanBuffer>,
}

impl Found {
    /// What a path leads to, for a column of a type.
    ///
    /// # Errors
    /// `Unsupported` for types that JSON has no form for.
    pub(super) fn of(records: &RecordBatch, path: &JsonPath, data_type: SqlType) -> Result<Self> {
        let Followed { values, present, misplaced } = follow(records, path)?;
        let Some(union) = values.as_union_opt() else {
            return Ok(Self { texts: vec![Texts::of(&values, data_type)?], chosen: None, misplaced });
        };
        let ids: Vec<i8> = union.fields().iter().map(|(id, _)| id).collect();
        let texts = ids.iter().map(|id| Texts::of(union.child(*id), data_type)).collect::<Result<_>>()?;
        let chosen = (0..union.len()).map(|row| {
            let which = ids.iter().position(|id| *id == union.type_id(row))?;
            is_present(present.as_ref(), row).then(|| (which, union.value_offset(row)))
        });
        Ok(Self { texts, chosen: Some(chosen.collect()), misplaced })
    }

    fn at(&self, row: usize) -> Option<(&Texts, usize)> {
        let (which, row) = match &self.chosen {
            Some(chosen) => chosen[row]?,
            None => (0, row),
        };
        Some((&self.texts[which], row))
    }

    /// Whether the path's array is none there, or too short.
    pub(super) fn is_misplaced(&self, row: usize) -> bool {
        self.misplaced.as_ref().is_some_and(|misplaced| misplaced.value(row))
    }

    /// Whether there is a value without a text: a moment that no calendar has.
    pub(super) fn is_unreadable(&self, row: usize) -> bool {
        let is_unreadable = |(texts, row): (&Texts, usize)| texts.unreadable.as_ref().is_some_and(|all| all.value(row));
        self.at(row).is_some_and(is_unreadable)
    }

    /// Whether it is a date or a moment already.
    pub(super) fn is_moment(&self, row: usize) -> bool {
        self.at(row).is_some_and(|(texts, _)| texts.is_moment)
    }

    /// The field of a record; `None` for NULL.
    pub(super) fn field(&self, row: usize) -> Option<Field<'_>> {
        let (texts, row) = self.at(row)?;
        let bytes = texts.values.is_valid(row).then(|| texts.values.value(row))?;
        let bytes = if texts.is_hex { Cow::Owned(hex::encode(bytes).into_bytes()) } else { Cow::Borrowed(bytes) };
        Some(Field { bytes, quoted: texts.is_text, at: 0 })
    }
}

/// Values of one type.
struct Texts {
    /// Texts, or the bytes themselves.
    values: BinaryViewArray,
    /// The bytes are written in hexadecimal, as texts of VARBYTE are.
    is_hex: bool,
    /// They are texts, or bytes that stand for some.
    is_text: bool,
    is_moment: bool,
    /// Values that have no text.
    unreadable: Option<BooleanBuffer>,
}

impl Texts {
    fn of(values: &ArrayRef, data_type: SqlType) -> Result<Self> {
        let plain = match values.data_type() {
            DataType::Dictionary(_, plain) => plain.as_ref(),
            plain => plain,
        };
        let is_binary = matches!(
            plain,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        );
        let is_text = is_binary || matches!(plain, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let (is_moment, is_hex) = (plain.is_temporal(), is_binary && matches!(data_type, SqlType::VarByte(_)));
        let (texts, unreadable) = match plain {
            DataType::Null => (BinaryViewArray::new_null(values.len()), None),
            _ if is_binary => (cast(values, &DataType::BinaryView)?.as_binary_view().clone(), None),
            _ if is_text => (cast(values, &DataType::Utf8View)?.as_string_view().clone().to_binary_view(), None),
            nested if nested.is_nested() => (documents(values)?, None),
            _ => scalars(values)?,
        };
        Ok(Self { values: texts, is_hex, is_text, is_moment, unreadable })
    }
}

/// Numbers and moments as texts, and which of them have none.
fn scalars(values: &ArrayRef) -> Result<(BinaryViewArray, Option<BooleanBuffer>)> {
    // Moments with a zone are moments of UTC; what has no microseconds becomes NULL, but is none.
    let nulls = values.logical_nulls();
    let values = match values.data_type() {
        DataType::Timestamp(_, _) => cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?,
        _ => Arc::clone(values),
    };
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let formatter = ArrayFormatter::try_new(values.as_ref(), &options)?;
    let mut texts = BinaryViewBuilder::with_capacity(values.len());
    let (mut text, mut missing) = (String::new(), 0);
    for row in 0..values.len() {
        text.clear();
        if !is_present(nulls.as_ref(), row) {
            texts.append_null();
        } else if values.is_valid(row) && formatter.value(row).write(&mut text).is_ok() {
            texts.append_value(&text);
        } else {
            missing += 1;
            texts.append_null();
        }
    }
    let texts = texts.finish();
    let is_unreadable = |row: usize| is_present(nulls.as_ref(), row) && texts.is_null(row);
    let unreadable = BooleanBuffer::collect_bool(values.len(), is_unreadable);
    Ok((texts, (missing > 0).then_some(unreadable)))
}

/// What a path leads to in each record.
struct Followed {
    /// NULL where there is nothing, but for unions, which cannot say so.
    values: ArrayRef,
    /// Of a union, in which records there is one.
    present: Option<NullBuffer>,
    /// Where an item is asked for of what is no array or has fewer items.
    misplaced: Option<BooleanBuffer>,
}

/// Values, and of which records they are.
type Reached = (ArrayRef, Option<NullBuffer>);

fn follow(records: &RecordBatch, path: &JsonPath) -> Result<Followed> {
    let mut values: ArrayRef = Arc::new(StructArray::from(records.clone()));
    let (mut present, mut misplaced) = (None, None);
    let mut mark = |wrong: BooleanBuffer| {
        misplaced = Some(misplaced.take().map_or_else(|| wrong.clone(), |before: BooleanBuffer| &before | &wrong));
    };
    for step in &path.steps {
        if let Some(union) = values.as_union_opt() {
            let (variant, others) = variant(union, present.as_ref(), step)?;
            if matches!(step, Step::Item(_)) {
                mark(others);
            }
            values = variant;
        }
        (values, present) = match (step, values.data_type()) {
            (Step::Member(name), DataType::Struct(_)) => member(values.as_struct(), name)?,
            (Step::Member(name), DataType::Map(_, _)) => entry(values.as_map(), name)?,
            (Step::Item(index), DataType::List(_)) => {
                let list = values.as_list::<i32>();
                let (items, present) = item(list, *index)?;
                let wrong = |row| list.is_valid(row) && !is_present(present.as_ref(), row);
                mark(BooleanBuffer::collect_bool(list.len(), wrong));
                (items, present)
            }
            (Step::Item(_), _) => {
                mark(held(&values));
                (new_null_array(&DataType::Null, values.len()), None)
            }
            (Step::Member(_) | Step::All, _) => (new_null_array(&DataType::Null, values.len()), None),
        };
    }
    Ok(Followed { values, present, misplaced })
}

fn is_present(present: Option<&NullBuffer>, row: usize) -> bool {
    present.is_none_or(|present| present.is_valid(row))
}

/// Where an array holds more than NULL, whatever its type.
fn held(values: &dyn Array) -> BooleanBuffer {
    values.logical_nulls().map_or_else(|| BooleanBuffer::new_set(values.len()), |nulls| nulls.inner().clone())
}

/// Of a union the values that a step can be taken into, NULL where it holds others; and where those are.
///
/// # Errors
/// `Unsupported` for a union with several such types.
fn variant(union: &UnionArray, present: Option<&NullBuffer>, step: &Step) -> Result<(ArrayRef, BooleanBuffer)> {
    let suits = |data_type: &DataType| match step {
        Step::Member(_) => matches!(data_type, DataType::Struct(_) | DataType::Map(_, _)),
        Step::Item(_) => matches!(data_type, DataType::List(_)),
        Step::All => false,
    };
    let mut suitable = union.fields().iter().filter(|(_, field)| suits(field.data_type())).map(|(id, _)| id);
    let found = suitable.next();
    if suitable.next().is_some() {
        return Err(Error::unsupported(format!("a path into a column of type {}", union.data_type())));
    }
    let held = held(union);
    let is_it = |row: usize| is_present(present, row) && found == Some(union.type_id(row));
    let is_other = |row: usize| is_present(present, row) && held.value(row) && !is_it(row);
    let others = BooleanBuffer::collect_bool(union.len(), is_other);
    let Some(id) = found else { return Ok((new_null_array(&DataType::Null, union.len()), others)) };
    let places: UInt64Array = (0..union.len()).map(|row| is_it(row).then(|| union.value_offset(row) as u64)).collect();
    Ok((take(union.child(id), &places, None)?, others))
}

/// A member of records; NULL where there is no record, whatever stands in its place.
fn member(records: &StructArray, name: &str) -> Result<Reached> {
    let Some(values) = records.column_by_name(name) else {
        return Ok((new_null_array(&DataType::Null, records.len()), None));
    };
    if matches!(values.data_type(), DataType::Union(..)) {
        return Ok((Arc::clone(values), records.nulls().cloned()));
    }
    let absent: BooleanArray = is_null(records)?;
    Ok((nullif(values, &absent)?, None))
}

/// The value of a key in maps.
fn entry(maps: &MapArray, name: &str) -> Result<Reached> {
    let keys = cast(maps.keys(), &DataType::Utf8View)?;
    let (keys, offsets) = (keys.as_string_view(), maps.offsets());
    let place = |row: usize| {
        let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
        entries.find(|at| maps.is_valid(row) && keys.value(*at) == name).map(|at| at as u64)
    };
    reach(maps.values(), &(0..maps.len()).map(place).collect())
}

/// An item of arrays.
fn item(lists: &ListArray, index: usize) -> Result<Reached> {
    let offsets = lists.offsets();
    let place = |row: usize| {
        let at = (offsets[row] as usize).saturating_add(index);
        (lists.is_valid(row) && at < offsets[row + 1] as usize).then_some(at as u64)
    };
    reach(lists.values(), &(0..lists.len()).map(place).collect())
}

/// What stands at places, and where there is one.
fn reach(values: &ArrayRef, places: &UInt64Array) -> Result<Reached> {
    let present = places.nulls().cloned();
    if !matches!(values.data_type(), DataType::Union(..)) {
        return Ok((take(values, places, None)?, present));
    }
    // What a union is taken from must be there, whether it counts or not.
    let Some(any) = places.iter().flatten().next() else {
        return Ok((new_null_array(&DataType::Null, places.len()), present));
    };
    let places = UInt64Array::from_iter_values(places.iter().map(|place| place.unwrap_or(any)));
    Ok((take(values, &places, None)?, present))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{TimestampMicrosecondArray, TimestampMillisecondArray};

    /// Neither what no calendar has nor what microseconds do not hold is NULL.
    #[test]
    fn moments_without_a_text() {
        let values = vec![Some(0), None, Some(i64::MAX)];
        let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(values.clone()).with_timezone("+00:00"));
        let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(values));
        for moments in [millis, micros] {
            let records = RecordBatch::try_from_iter([("at", moments)]).unwrap();
            let found = Found::of(&records, &JsonPath::parse("$.at").unwrap(), SqlType::Timestamp).unwrap();
            assert_eq!(found.field(0).unwrap().bytes, b"1970-01-01 00:00:00".as_slice());
            assert_eq!([0, 1, 2].map(|row| found.field(row).is_some()), [true, false, false]);
            assert_eq!([0, 1, 2].map(|row| found.is_unreadable(row)), [false, false, true]);
        }
    }
}

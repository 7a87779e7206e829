//! Which type of a file can be read as which type of a table, and how both are called in messages.
//!
//! The rule is Athena's: a table may be wider than its files (`int` read as `bigint`, `float` as `double`, a smaller
//! decimal as a larger one), never narrower, and values are never reinterpreted (a `string` is not read as an `int`).
//! See Athena's "Handling schema updates", "Changing a column's data type".

use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

/// Whether every value of the file's type is a value of the table's type.
pub fn fits(file: &DataType, table: &DataType) -> bool {
    if file == table {
        return true;
    }
    match (file, table) {
        (DataType::Null, _) => true,
        (DataType::Dictionary(_, value), _) => fits(value, table),
        (DataType::Struct(file), DataType::Struct(table)) => {
            table.iter().all(|field| match position(file, field.name()) {
                Some(index) => fits(file[index].data_type(), field.data_type()),
                None => true,
            })
        }
        (
            DataType::List(file) | DataType::LargeList(file) | DataType::FixedSizeList(file, _),
            DataType::List(table) | DataType::LargeList(table),
        ) => fits(file.data_type(), table.data_type()),
        (DataType::Map(file, _), DataType::Map(table, _)) => match (entry(file), entry(table)) {
            (Some([key, value]), Some([table_key, table_value])) => {
                fits(key.data_type(), table_key.data_type()) && fits(value.data_type(), table_value.data_type())
            }
            _ => false,
        },
        _ => scalar_fits(file, table) && can_cast_types(file, table),
    }
}

fn scalar_fits(file: &DataType, table: &DataType) -> bool {
    use DataType::{Date32, Date64, Float16, Float32, Float64, Timestamp};
    if let Some((precision, scale)) = decimal(table) {
        return match (decimal(file), integer(file)) {
            (Some((p, s)), _) => s <= scale && whole_digits(p, s) <= whole_digits(precision, scale),
            (None, Some(integer)) => integer.digits <= whole_digits(precision, scale),
            (None, None) => false,
        };
    }
    if let Some(file) = integer(file) {
        return match table {
            Float32 => file.bits <= 16,
            Float64 => file.bits <= 32,
            _ => integer(table).is_some_and(|table| table.holds(&file)),
        };
    }
    match (file, table) {
        (Float16, Float32 | Float64)
        | (Float32, Float64)
        | (Date32 | Date64, Date32 | Date64 | Timestamp(_, _))
        | (Timestamp(_, _), Timestamp(_, _)) => true,
        _ => bytes(file) && bytes(table),
    }
}

/// Texts and byte strings: old writers leave texts unmarked, so one is read as the other.
fn bytes(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(data_type, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}

fn decimal(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => Some((*p, *s)),
        _ => None,
    }
}

fn whole_digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

struct Integer {
    signed: bool,
    bits: u8,
    digits: i16,
}

impl Integer {
    fn holds(&self, other: &Self) -> bool {
        // An unsigned 64-bit number has no wider type in Hive: it is read as `bigint`, and the cast fails where a
        // value does not fit.
        let unsigned_long = other.bits == 64 && !other.signed && self.bits == 64;
        unsigned_long
            || if self.signed == other.signed { self.bits >= other.bits } else { self.signed && self.bits > other.bits }
    }
}

fn integer(data_type: &DataType) -> Option<Integer> {
    let (signed, bits, digits) = match data_type {
        DataType::Int8 => (true, 8, 3),
        DataType::Int16 => (true, 16, 5),
        DataType::Int32 => (true, 32, 10),
        DataType::Int64 => (true, 64, 19),
        DataType::UInt8 => (false, 8, 3),
        DataType::UInt16 => (false, 16, 5),
        DataType::UInt32 => (false, 32, 10),
        DataType::UInt64 => (false, 64, 20),
        _ => return None,
    };
    Some(Integer { signed, bits, digits })
}

/// The key and the value of a map's entries.
pub(super) fn entry(entries: &Field) -> Option<[&FieldRef; 2]> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some([&fields[0], &fields[1]]),
        _ => None,
    }
}

/// Where a field stands: under its very name, or else the first under its name in other letter case. Hive's names are
/// lower case, those in files often are not.
pub(super) fn position(fields: &Fields, name: &str) -> Option<usize> {
    fields
        .iter()
        .position(|field| field.name() == name)
        .or_else(|| fields.iter().position(|field| field.name().to_lowercase() == name.to_lowercase()))
}

/// The name of a type in Hive's words, for messages.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 | DataType::UInt8 => "tinyint".into(),
        DataType::Int16 | DataType::UInt16 => "smallint".into(),
        DataType::Int32 | DataType::UInt32 => "int".into(),
        DataType::Int64 | DataType::UInt64 => "bigint".into(),
        DataType::Float16 | DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary".into()
        }
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("decimal({p},{s})"),
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Timestamp(_, _) => "timestamp".into(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array<{}>", type_name(item.data_type()))
        }
        DataType::Map(entries, _) => match entry(entries) {
            Some([key, value]) => format!("map<{},{}>", type_name(key.data_type()), type_name(value.data_type())),
            None => "map".into(),
        },
        DataType::Struct(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|field| format!("{}:{}", field.name(), type_name(field.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        DataType::Union(fields, _) => {
            let variants: Vec<_> = fields.iter().map(|(_, field)| type_name(field.data_type())).collect();
            format!("uniontype<{}>", variants.join(","))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// The table type a file's type is read as when nobody declared one: texts and byte strings as views, timestamps in
/// microseconds without a zone, unsigned numbers in the next wider signed type.
pub fn table_type(file: &DataType) -> DataType {
    match file {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Dictionary(_, value) => table_type(value),
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Date64 => DataType::Date32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(table_field(item, true))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| table_field(field, true)).collect()),
        DataType::Map(entries, sorted) => match entry(entries) {
            Some([key, value]) => {
                let fields = Fields::from(vec![table_field(key, false), table_field(value, true)]);
                DataType::Map(Arc::new(Field::new_struct(entries.name(), fields, false)), *sorted)
            }
            None => file.clone(),
        },
        other => other.clone(),
    }
}

/// The columns of a table over files of this schema; see [`table_type`].
pub fn table_schema(file: &Schema) -> SchemaRef {
    Arc::new(Schema::new(file.fields().iter().map(|field| table_field(field, true)).collect::<Vec<_>>()))
}

fn table_field(field: &Field, nullable: bool) -> FieldRef {
    Arc::new(Field::new(field.name(), table_type(field.data_type()), nullable))
}

#[cfg(test)]
mod tests {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8,
        Timestamp, UInt8, UInt32, Utf8, Utf8View,
    };

    use super::*;

    #[test]
    fn tables_may_be_wider_and_never_narrower() {
        let micros = Timestamp(TimeUnit::Microsecond, None);
        let millis_utc = Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
        let entry_of = |value| Field::new_struct("entries", vec![Field::new("key", Utf8, false), value], false);
        let map = |value: DataType| DataType::Map(Arc::new(entry_of(Field::new("value", value, true))), false);
        let cases = [
            (Int32, Int64, true),
            (Int8, Int32, true),
            (Int64, Int32, false),
            (UInt8, Int16, true),
            (UInt8, Int8, false),
            (UInt32, Int32, false),
            (Int32, Float64, true),
            (Int64, Float64, false),
            (Int16, Float32, true),
            (Float32, Float64, true),
            (Float64, Float32, false),
            (Float64, Int64, false),
            (Utf8, Utf8View, true),
            (LargeUtf8, Utf8View, true),
            (Binary, Utf8View, true),
            (Utf8, Int32, false),
            (Int32, Utf8View, false),
            (Boolean, Int32, false),
            (Decimal128(10, 2), Decimal128(12, 2), true),
            (Decimal128(10, 2), Decimal128(12, 4), true),
            (Decimal128(10, 2), Decimal128(11, 4), false),
            (Decimal128(10, 2), Decimal128(10, 1), false),
            (Int32, Decimal128(12, 2), true),
            (Int32, Decimal128(10, 2), false),
            (Date32, micros.clone(), true),
            (micros.clone(), Date32, false),
            (millis_utc, micros.clone(), true),
            (Int64, micros, false),
            (Dictionary(Box::new(Int32), Box::new(Utf8)), Utf8View, true),
            (DataType::new_list(Int32, true), DataType::new_list(Int64, true), true),
            (DataType::new_list(Utf8, true), DataType::new_list(Int64, true), false),
            (map(Int32), map(Int64), true),
            (map(Int64), map(Int32), false),
        ];
        for (file, table, expected) in cases {
            assert_eq!(fits(&file, &table), expected, "{file} read as {table}");
        }
    }

    #[test]
    fn types_are_named_as_in_hive() {
        let point = DataType::Struct(vec![Field::new("x", Int32, true), Field::new("t", Utf8View, true)].into());
        assert_eq!(type_name(&DataType::new_list(point, true)), "array<struct<x:int,t:string>>");
        assert_eq!(type_name(&Decimal128(10, 2)), "decimal(10,2)");
        assert_eq!(type_name(&Int8), "tinyint");
    }
}

//! Which PostgreSQL type stands for which of arrow's.
//!
//! Numbers of types are PostgreSQL's (`pg_type.dat`), for SUPER Redshift's 4000, for columns of intervals of months and of
//! days and times its 1188 and 1190, and to its own drivers 6551 for VARBYTE. Lists of simple values are arrays;
//! structs, maps and lists of those are SUPER, whose text is JSON.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use millrace_engine::{LENGTH_METADATA, TYPE_METADATA};
use std::sync::Arc;

pub(crate) const BOOL: u32 = 16;
pub(crate) const BYTEA: u32 = 17;
pub(crate) const CHAR: u32 = 18;
pub(crate) const NAME: u32 = 19;
pub(crate) const INT8: u32 = 20;
pub(crate) const INT2: u32 = 21;
pub(crate) const INT4: u32 = 23;
pub(crate) const REGPROC: u32 = 24;
pub(crate) const TEXT: u32 = 25;
pub(crate) const OID: u32 = 26;
pub(crate) const FLOAT4: u32 = 700;
pub(crate) const FLOAT8: u32 = 701;
pub(crate) const UNKNOWN: u32 = 705;
pub(crate) const BPCHAR: u32 = 1042;
pub(crate) const VARCHAR: u32 = 1043;
pub(crate) const DATE: u32 = 1082;
pub(crate) const TIME: u32 = 1083;
pub(crate) const TIMESTAMP: u32 = 1114;
pub(crate) const TIMESTAMPTZ: u32 = 1184;
pub(crate) const INTERVAL: u32 = 1186;
pub(crate) const INTERVALY2M: u32 = 1188;
pub(crate) const INTERVALD2S: u32 = 1190;
pub(crate) const TIMETZ: u32 = 1266;
pub(crate) const NUMERIC: u32 = 1700;
pub(crate) const REGCLASS: u32 = 2205;
pub(crate) const SUPER: u32 = 4000;
pub(crate) const VARBYTE: u32 = 6551;

/// Each type with the type of its arrays.
const ARRAYS: [(u32, u32); 22] = [
    (BOOL, 1000),
    (BYTEA, 1001),
    (CHAR, 1002),
    (NAME, 1003),
    (INT2, 1005),
    (INT4, 1007),
    (TEXT, 1009),
    (BPCHAR, 1014),
    (VARCHAR, 1015),
    (INT8, 1016),
    (FLOAT4, 1021),
    (FLOAT8, 1022),
    (OID, 1028),
    (TIMESTAMP, 1115),
    (DATE, 1182),
    (TIME, 1183),
    (TIMETZ, 1270),
    (TIMESTAMPTZ, 1185),
    (INTERVAL, 1187),
    (INTERVALY2M, 1189),
    (INTERVALD2S, 1191),
    (NUMERIC, 1231),
];

/// A column's type as RowDescription tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PgType {
    /// The type's number.
    pub(crate) oid: u32,
    /// Bytes of a value; -1 where they differ.
    pub(crate) size: i16,
    /// Precision and scale of a numeric, the length of a CHAR or VARCHAR; -1 where there is none.
    pub(crate) modifier: i32,
}

impl PgType {
    /// The type of a column.
    pub(crate) fn of(field: &Field) -> Self {
        let named = field.metadata().get(TYPE_METADATA).and_then(|name| oid_of_name(name));
        let oid = named.unwrap_or_else(|| oid_of(field.data_type()));
        let length = field.metadata().get(LENGTH_METADATA).and_then(|length| length.parse::<i32>().ok());
        // PostgreSQL counts the length with a header of four bytes.
        let modifier = match length {
            Some(length) if matches!(oid, VARCHAR | BPCHAR) => length.saturating_add(4),
            _ => modifier_of(field.data_type()),
        };
        Self { oid, size: size_of(oid), modifier }
    }
}

fn oid_of_name(name: &str) -> Option<u32> {
    Some(match name {
        "oid" => OID,
        "name" => NAME,
        "char" => CHAR,
        "bpchar" => BPCHAR,
        "text" => TEXT,
        "super" => SUPER,
        "timetz" => TIMETZ,
        "intervaly2m" => INTERVALY2M,
        "intervald2s" => INTERVALD2S,
        "regproc" => REGPROC,
        "regclass" => REGCLASS,
        "varbyte" => VARBYTE,
        _ => return None,
    })
}

/// A result's columns as Redshift's own drivers know them: VARBYTE by its number there, where others read `bytea`.
pub(crate) fn for_redshift(schema: &SchemaRef) -> SchemaRef {
    let is_bytes = |field: &Field| oid_of(field.data_type()) == BYTEA;
    if !schema.fields().iter().any(|field| is_bytes(field)) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().map(|field| {
        let mut metadata = field.metadata().clone();
        if is_bytes(field) {
            metadata.insert(TYPE_METADATA.to_owned(), "varbyte".to_owned());
        }
        field.as_ref().clone().with_metadata(metadata)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The number of the type that stands for one of arrow's.
pub(crate) fn oid_of(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Null => TEXT,
        DataType::Boolean => BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => INT2,
        DataType::Int32 | DataType::UInt16 => INT4,
        DataType::Int64 | DataType::UInt32 => INT8,
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => NUMERIC,
        DataType::Float16 | DataType::Float32 => FLOAT4,
        DataType::Float64 => FLOAT8,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => VARCHAR,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => BYTEA,
        DataType::Date32 | DataType::Date64 => DATE,
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        DataType::Dictionary(_, values) => oid_of(values),
        DataType::RunEndEncoded(_, values) => oid_of(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => array_of(PgType::of(item).oid).unwrap_or(SUPER),
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => SUPER,
    }
}

/// The type of the arrays of a type.
fn array_of(oid: u32) -> Option<u32> {
    ARRAYS.iter().find(|(element, _)| *element == oid).map(|(_, array)| *array)
}

/// The type of an array's elements.
pub(super) fn element_of(oid: u32) -> Option<u32> {
    ARRAYS.iter().find(|(_, array)| *array == oid).map(|(element, _)| *element)
}

fn size_of(oid: u32) -> i16 {
    match oid {
        BOOL | CHAR => 1,
        INT2 => 2,
        INT4 | FLOAT4 | DATE | OID | REGPROC | REGCLASS | INTERVALY2M => 4,
        INT8 | FLOAT8 | TIME | TIMESTAMP | TIMESTAMPTZ | INTERVALD2S => 8,
        TIMETZ => 12,
        INTERVAL => 16,
        NAME => 64,
        _ => -1,
    }
}

/// PostgreSQL keeps precision and scale in one number, plus four.
fn modifier_of(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            (i32::from(*precision) << 16 | i32::from((*scale).max(0))).saturating_add(4)
        }
        _ => -1,
    }
}

/// The arrow type that a parameter of a PostgreSQL type is planned with; `None` for types that no column can have.
pub(crate) fn data_type_of(oid: u32) -> Option<DataType> {
    Some(match oid {
        BOOL => DataType::Boolean,
        INT2 => DataType::Int16,
        INT4 => DataType::Int32,
        INT8 | OID | REGPROC | REGCLASS => DataType::Int64,
        FLOAT4 => DataType::Float32,
        FLOAT8 => DataType::Float64,
        // How many digits there are is seen when the value comes.
        NUMERIC => DataType::Decimal128(38, 10),
        TEXT | VARCHAR | BPCHAR | NAME | CHAR | SUPER => DataType::Utf8,
        BYTEA | VARBYTE => DataType::Binary,
        DATE => DataType::Date32,
        TIME | TIMETZ => DataType::Time64(TimeUnit::Microsecond),
        TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        INTERVALY2M => DataType::Interval(IntervalUnit::YearMonth),
        INTERVALD2S => DataType::Duration(TimeUnit::Microsecond),
        _ => {
            let element = data_type_of(element_of(oid)?)?;
            DataType::List(Arc::new(Field::new_list_field(element, true)))
        }
    })
}

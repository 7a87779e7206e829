//! Redshift's column types: their names, and what they are in Arrow and in DuckLake's manifest.
//!
//! Lengths of CHAR and VARCHAR count bytes. A TIMETZ is kept as the time of day in UTC, which is how Redshift keeps it.
//! A SUPER is kept as JSON text, a HLLSKETCH as the text that shows it. GEOMETRY and GEOGRAPHY are refused.

use crate::error::{Error, ErrorKind, Result};
use crate::interval::Qualifier;
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use millrace_catalog::model::ManagedColumn;
use millrace_connectors::SUPER_METADATA;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most digits of a DECIMAL.
const MOST_DIGITS: u8 = 38;

/// The most bytes of a CHAR.
const MOST_CHAR: u32 = 4096;

/// The most bytes of a VARCHAR.
const MOST_VARCHAR: u32 = 65_535;

/// The most bytes of a VARBYTE.
const MOST_VARBYTE: u32 = 16_777_216;

/// The key of a field's metadata that says that its texts are sketches.
const SKETCH_METADATA: &str = "millrace:hllsketch";

/// A column type. It prints as Redshift's catalogs do and parses from every name that Redshift takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// SMALLINT, INT2.
    SmallInt,
    /// INTEGER, INT, INT4.
    Integer,
    /// BIGINT, INT8.
    BigInt,
    /// NUMERIC, DECIMAL: precision and scale, (18,0) when not given.
    Numeric(u8, i8),
    /// REAL, FLOAT4.
    Real,
    /// DOUBLE PRECISION, FLOAT8, FLOAT.
    Double,
    /// BOOLEAN, BOOL.
    Boolean,
    /// CHARACTER, CHAR, NCHAR: bytes, 1 when not given; BPCHAR is CHAR(256).
    Char(u32),
    /// CHARACTER VARYING, VARCHAR, NVARCHAR: bytes, 256 when not given; TEXT is VARCHAR(256).
    Varchar(u32),
    /// DATE.
    Date,
    /// TIME, microseconds.
    Time,
    /// TIMETZ, as the time in UTC.
    TimeTz,
    /// TIMESTAMP, microseconds.
    Timestamp,
    /// TIMESTAMPTZ, microseconds in UTC.
    TimestampTz,
    /// INTERVAL with its qualifier: months, or microseconds.
    Interval(Qualifier),
    /// VARBYTE, VARBINARY: bytes, 64000 when not given.
    VarByte(u32),
    /// SUPER, as JSON text.
    Super,
    /// HLLSKETCH, as text.
    HllSketch,
}

impl SqlType {
    /// The Arrow type that its values have in memory.
    pub fn to_arrow(self) -> DataType {
        match self {
            Self::SmallInt => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Numeric(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Char(_) | Self::Varchar(_) | Self::Super | Self::HllSketch => DataType::Utf8View,
            Self::Date => DataType::Date32,
            Self::Time | Self::TimeTz => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval(qualifier) => qualifier.to_arrow(),
            Self::VarByte(_) => DataType::BinaryView,
        }
    }

    /// Whether its values are texts of characters: CHAR and VARCHAR.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_))
    }

    /// The type of a column that holds values of an Arrow type; `None` where there is none.
    pub fn of_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::SmallInt,
            DataType::Int32 | DataType::UInt16 => Self::Integer,
            DataType::Int64 | DataType::UInt32 => Self::BigInt,
            DataType::UInt64 => Self::Numeric(20, 0),
            DataType::Float16 | DataType::Float32 => Self::Real,
            DataType::Float64 => Self::Double,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
                if *scale >= 0 =>
            {
                Self::Numeric(*precision, *scale)
            }
            // NULL alone and texts of no known length; Redshift makes them VARCHAR too.
            DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Varchar(MOST_VARCHAR),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::VarByte(MOST_VARBYTE),
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::TimestampTz,
            DataType::Interval(IntervalUnit::YearMonth) => Self::Interval(Qualifier::YEAR_TO_MONTH),
            DataType::Duration(_) => Self::Interval(Qualifier::DAY_TO_SECOND),
            _ => return None,
        })
    }

    /// Its name as functions are told apart by it: without the length of a text.
    pub fn argument_name(self) -> String {
        match self {
            Self::Varchar(_) => "character varying".to_owned(),
            Self::Char(_) => "character".to_owned(),
            Self::VarByte(_) => "binary varying".to_owned(),
            other => other.to_string(),
        }
    }

    /// `ducklake_column.column_type` (DuckLake 1.0, "Data Types").
    pub fn to_ducklake(self) -> String {
        let name = match self {
            Self::SmallInt => "int16",
            Self::Integer => "int32",
            Self::BigInt => "int64",
            Self::Numeric(precision, scale) => return format!("decimal({precision},{scale})"),
            Self::Real => "float32",
            Self::Double => "float64",
            Self::Boolean => "boolean",
            Self::Char(_) | Self::Varchar(_) | Self::HllSketch => "varchar",
            Self::Date => "date",
            Self::Time => "time",
            Self::TimeTz => "timetz",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Interval(_) => "interval",
            Self::VarByte(_) => "blob",
            Self::Super => "json",
        };
        name.to_owned()
    }

    /// The most bytes of a value, for types with a length.
    pub fn max_bytes(self) -> Option<u32> {
        match self {
            Self::Char(length) | Self::Varchar(length) | Self::VarByte(length) => Some(length),
            _ => None,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Numeric(precision, scale) => write!(f, "numeric({precision},{scale})"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Boolean => f.write_str("boolean"),
            Self::Char(length) => write!(f, "character({length})"),
            Self::Varchar(length) => write!(f, "character varying({length})"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time without time zone"),
            Self::TimeTz => f.write_str("time with time zone"),
            Self::Timestamp => f.write_str("timestamp without time zone"),
            Self::TimestampTz => f.write_str("timestamp with time zone"),
            Self::Interval(qualifier) => write!(f, "interval {qualifier}"),
            Self::VarByte(length) => write!(f, "binary varying({length})"),
            Self::Super => f.write_str("super"),
            Self::HllSketch => f.write_str("hllsketch"),
        }
    }
}

impl FromStr for SqlType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(qualifier) = interval(text) {
            return qualifier.map(Self::Interval);
        }
        let (name, arguments) = split(text)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let sized = |default: u32, most: u32| length(text, &arguments, default, most);
        let parsed = match name.as_str() {
            "decimal" | "numeric" | "dec" => return numeric(text, &arguments),
            "float" => return float(text, &arguments),
            "char" | "character" | "nchar" => return sized(1, MOST_CHAR).map(Self::Char),
            "varchar" | "character varying" | "char varying" | "nvarchar" => {
                return sized(256, MOST_VARCHAR).map(Self::Varchar);
            }
            "varbyte" | "varbinary" | "binary varying" => return sized(64_000, MOST_VARBYTE).map(Self::VarByte),
            "smallint" | "int2" => Self::SmallInt,
            "integer" | "int" | "int4" => Self::Integer,
            "bigint" | "int8" => Self::BigInt,
            "real" | "float4" => Self::Real,
            "double precision" | "float8" => Self::Double,
            "boolean" | "bool" => Self::Boolean,
            "bpchar" => Self::Char(256),
            "text" => Self::Varchar(256),
            "date" => Self::Date,
            "time" | "time without time zone" => Self::Time,
            "timetz" | "time with time zone" => Self::TimeTz,
            "timestamp" | "timestamp without time zone" => Self::Timestamp,
            "timestamptz" | "timestamp with time zone" => Self::TimestampTz,
            "super" => Self::Super,
            "hllsketch" => Self::HllSketch,
            "geometry" | "geography" => return Err(Error::unsupported(format!("type \"{name}\""))),
            name => return Err(Error::new(ErrorKind::UndefinedObject, format!("type \"{name}\" does not exist"))),
        };
        if arguments.is_empty() {
            Ok(parsed)
        } else {
            Err(Error::new(ErrorKind::Syntax, format!("type modifier is not allowed for type \"{name}\"")))
        }
    }
}

/// The qualifier of a type that begins with INTERVAL.
fn interval(text: &str) -> Option<Result<Qualifier>> {
    let text = text.trim();
    let (word, rest) = text.split_at_checked("interval".len())?;
    if !word.eq_ignore_ascii_case("interval") || rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    if rest.trim().is_empty() || rest.trim_start().starts_with('(') {
        let error = Error::unsupported("a column of type INTERVAL without a qualifier");
        return Some(Err(error.with_hint("write INTERVAL YEAR TO MONTH or INTERVAL DAY TO SECOND")));
    }
    Some(rest.parse())
}

/// The name in lower case with single blanks, and what stands in parentheses.
fn split(text: &str) -> Result<(String, Vec<String>)> {
    let lower = text.to_ascii_lowercase();
    let (before, arguments, after) = match lower.split_once('(') {
        None => (lower.as_str(), None, ""),
        Some((before, rest)) => {
            let (arguments, after) = rest.split_once(')').ok_or_else(|| invalid(text))?;
            (before, Some(arguments), after)
        }
    };
    let name = before.split_whitespace().chain(after.split_whitespace()).collect::<Vec<_>>().join(" ");
    let arguments = arguments.map(|list| list.split(',').map(|argument| argument.trim().to_owned()).collect());
    Ok((name, arguments.unwrap_or_default()))
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("invalid type \"{text}\""))
}

fn length(text: &str, arguments: &[&str], default: u32, most: u32) -> Result<u32> {
    match arguments {
        [] => Ok(default),
        ["max"] => Ok(most),
        [length] => match length.parse() {
            Ok(length) if (1..=most).contains(&length) => Ok(length),
            Ok(_) => {
                let message = format!("length of type \"{text}\" must be between 1 and {most}");
                Err(Error::new(ErrorKind::InvalidParameter, message))
            }
            Err(_) => Err(invalid(text)),
        },
        _ => Err(invalid(text)),
    }
}

fn numeric(text: &str, arguments: &[&str]) -> Result<SqlType> {
    let (precision, scale) = match arguments {
        [] => (18, 0),
        [precision] => (precision.parse().map_err(|_| invalid(text))?, 0),
        [precision, scale] => {
            (precision.parse().map_err(|_| invalid(text))?, scale.parse().map_err(|_| invalid(text))?)
        }
        _ => return Err(invalid(text)),
    };
    if !(1..=MOST_DIGITS).contains(&precision) {
        let message = format!("precision of type \"{text}\" must be between 1 and {MOST_DIGITS}");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    // Redshift: "the maximum scale is 37".
    if !(0..=precision.cast_signed().min(37)).contains(&scale) {
        let message = format!("scale of type \"{text}\" must be between 0 and its precision, at most 37");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    Ok(SqlType::Numeric(precision, scale))
}

fn float(text: &str, arguments: &[&str]) -> Result<SqlType> {
    match arguments {
        [] => Ok(SqlType::Double),
        [bits] => match bits.parse::<u8>() {
            Ok(1..=24) => Ok(SqlType::Real),
            Ok(25..=53) => Ok(SqlType::Double),
            _ => Err(Error::new(ErrorKind::InvalidParameter, "precision for type float must be between 1 and 53")),
        },
        _ => Err(invalid(text)),
    }
}

/// The Arrow field of a column.
pub fn arrow_field(column: &ManagedColumn) -> Result<Field> {
    let data_type: SqlType = column.data_type.parse()?;
    Ok(marked_field(Field::new(&column.name, data_type.to_arrow(), column.nullable), data_type))
}

/// A field with the mark of its type, where Arrow's does not tell it.
pub fn marked_field(field: Field, data_type: SqlType) -> Field {
    match data_type {
        SqlType::Super => super_field(field),
        SqlType::HllSketch => sketch_field(field),
        _ => field,
    }
}

/// The field of a text marked as SUPER.
pub fn super_field(field: Field) -> Field {
    marked(field, SUPER_METADATA)
}

/// The field of a text marked as HLLSKETCH.
pub fn sketch_field(field: Field) -> Field {
    marked(field, SKETCH_METADATA)
}

fn marked(field: Field, mark: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(mark.to_owned(), String::new());
    field.with_metadata(metadata)
}

/// Whether a field's texts are SUPER values.
pub fn is_super(field: &Field) -> bool {
    is_marked(field, SUPER_METADATA)
}

/// Whether a field's texts are HLLSKETCH values.
pub fn is_sketch(field: &Field) -> bool {
    is_marked(field, SKETCH_METADATA)
}

fn is_marked(field: &Field, mark: &str) -> bool {
    matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        && field.metadata().contains_key(mark)
}

/// The Arrow schema of columns.
pub fn arrow_schema(columns: &[ManagedColumn]) -> Result<SchemaRef> {
    let fields = columns.iter().map(arrow_field).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that the manifest has for a type of Redshift's.
pub fn ducklake_type(data_type: &str) -> Result<String> {
    Ok(data_type.parse::<SqlType>()?.to_ducklake())
}

//! Arrow arrays from the texts of a column's values.

use super::InvalidValues;
use super::scalar::{
    decode_base64, parse_boolean, parse_date, parse_decimal, parse_integer, parse_integral, parse_timestamp,
};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BinaryViewBuilder, BooleanBuilder, LargeStringBuilder,
    NullBufferBuilder, PrimitiveArray, StringBuilder, StringViewBuilder,
};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use std::borrow::Cow;
use std::sync::Arc;

/// The longest part of a value that a message shows, in characters.
const SHOWN: usize = 64;

/// What the numbers of a timestamp column mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// A number is no timestamp, nor a date.
    #[default]
    No,
    /// Milliseconds, and days for dates: Athena's rule for OpenCSV.
    Milliseconds,
    /// OpenX: with a point seconds; from 13 digits on milliseconds, under that seconds; days for dates.
    SecondsOrMilliseconds,
}

/// How texts are made into values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own of some SerDe")]
pub(crate) struct ScalarRules {
    pub(crate) invalid_values: InvalidValues,
    pub(crate) epoch: Epoch,
    /// `1` and `0` are booleans.
    pub(crate) boolean_digits: bool,
    /// `12.0` is an integer.
    pub(crate) integral_floats: bool,
    /// Binary values are base64 where they can be.
    pub(crate) base64: bool,
    /// What stands before a character that is meant literally.
    pub(crate) escape: Option<u8>,
    /// After the escape character, `n` and `r` are line breaks.
    pub(crate) escaped_line_breaks: bool,
}

/// A value that its column's type cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadCell {
    /// Which of the column's cells.
    pub(crate) row: usize,
    /// The value and type, in words.
    value: String,
    type_name: String,
}

impl BadCell {
    pub(crate) fn new(row: usize, value: &str, data_type: &DataType) -> Self {
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { row, value: shown, type_name: type_name(data_type) }
    }

    /// For bytes that are no text at all.
    pub(crate) fn not_utf8(row: usize, value: &[u8], data_type: &DataType) -> Self {
        Self {
            type_name: format!("{} (not UTF-8)", type_name(data_type)),
            ..Self::new(row, &String::from_utf8_lossy(value), data_type)
        }
    }

    /// The same for the cell's parent.
    pub(crate) fn at_row(self, row: usize) -> Self {
        Self { row, ..self }
    }

    /// The error, without the place.
    pub(crate) fn error(&self, column: &str) -> Error {
        let Self { value, type_name, .. } = self;
        Error::new(
            ErrorKind::InvalidText,
            format!("invalid value \"{value}\" for column \"{column}\" of type {type_name}"),
        )
    }
}

/// A type as Hive calls it.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::BinaryView => "binary".into(),
        DataType::List(field) => format!("array<{}>", type_name(field.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}:{}", f.name(), type_name(f.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map<{},{}>", type_name(fields[0].data_type()), type_name(fields[1].data_type()))
            }
            _ => "map".into(),
        },
        other => other.to_string(),
    }
}

/// Refuses types that [`scalar_array`] does not build.
pub(crate) fn check_scalar(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Timestamp(_, None)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::BinaryView => Ok(()),
        other => Err(Error::unsupported(format_args!("type {} in a text file", type_name(other)))),
    }
}

/// A column's array. `None` is NULL; so is an empty text, but for strings and binaries. Types must have passed
/// [`check_scalar`].
pub(crate) fn scalar_array<S: AsRef<str>>(
    data_type: &DataType,
    cells: &[Option<S>],
    rules: &ScalarRules,
) -> std::result::Result<ArrayRef, BadCell> {
    let column = Column { data_type, cells, rules };
    Ok(match data_type {
        DataType::Boolean => column.booleans()?,
        DataType::Int8 => column.integers::<Int8Type>()?,
        DataType::Int16 => column.integers::<Int16Type>()?,
        DataType::Int32 => column.integers::<Int32Type>()?,
        DataType::Int64 => column.integers::<Int64Type>()?,
        DataType::Float32 => Arc::new(column.primitives::<Float32Type>(|text| Float32Type::parse(text.trim_ascii()))?),
        DataType::Float64 => Arc::new(column.primitives::<Float64Type>(|text| Float64Type::parse(text.trim_ascii()))?),
        DataType::Decimal128(precision, scale) => {
            let values = column.primitives::<Decimal128Type>(|text| parse_decimal(text, *precision, *scale))?;
            Arc::new(values.with_data_type(data_type.clone()))
        }
        DataType::Date32 => Arc::new(column.primitives::<Date32Type>(|text| rules.date(text))?),
        DataType::Timestamp(TimeUnit::Second, _) => column.timestamps::<TimestampSecondType>(1)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.timestamps::<TimestampMillisecondType>(1_000)?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => column.timestamps::<TimestampMicrosecondType>(1_000_000)?,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => column.timestamps::<TimestampNanosecondType>(1_000_000_000)?,
        DataType::Utf8 => {
            let mut builder = StringBuilder::with_capacity(cells.len(), 0);
            column.strings(|text| builder.append_option(text));
            Arc::new(builder.finish())
        }
        DataType::LargeUtf8 => {
            let mut builder = LargeStringBuilder::with_capacity(cells.len(), 0);
            column.strings(|text| builder.append_option(text));
            Arc::new(builder.finish())
        }
        DataType::Binary => {
            let mut builder = BinaryBuilder::with_capacity(cells.len(), 0);
            column.binaries(|bytes| builder.append_option(bytes));
            Arc::new(builder.finish())
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::with_capacity(cells.len());
            column.binaries(|bytes| builder.append_option(bytes));
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringViewBuilder::with_capacity(cells.len());
            column.strings(|text| builder.append_option(text));
            Arc::new(builder.finish())
        }
    })
}

impl ScalarRules {
    fn date(&self, text: &str) -> Option<i32> {
        parse_date(text).or_else(|| match self.epoch {
            Epoch::No => None,
            // OpenX passes over what follows a blank.
            Epoch::SecondsOrMilliseconds if text.contains('-') && text.contains(' ') => {
                parse_date(text.split(' ').next()?)
            }
            Epoch::Milliseconds | Epoch::SecondsOrMilliseconds => i32::try_from(parse_integer(text)?).ok(),
        })
    }

    /// Seconds and nanoseconds.
    fn timestamp(&self, text: &str) -> Option<(i64, u32)> {
        if let Some(value) = parse_timestamp(text) {
            return Some(value);
        }
        let milliseconds = |value: i64| (value.div_euclid(1000), value.rem_euclid(1000) as u32 * 1_000_000);
        match self.epoch {
            Epoch::No => None,
            Epoch::Milliseconds => parse_integer(text).map(milliseconds),
            Epoch::SecondsOrMilliseconds if text.contains(['.', 'e', 'E']) => {
                let nanos = parse_decimal(text, 38, 9)?;
                Some((i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?, nanos.rem_euclid(1_000_000_000) as u32))
            }
            Epoch::SecondsOrMilliseconds if text.trim_ascii().len() >= 13 => parse_integer(text).map(milliseconds),
            Epoch::SecondsOrMilliseconds => parse_integer(text).map(|seconds| (seconds, 0)),
        }
    }

    /// The text that is meant.
    pub(crate) fn unescape<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(escape) = self.escape.filter(|escape| memchr::memchr(*escape, text.as_bytes()).is_some()) else {
            return Cow::Borrowed(text);
        };
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != char::from(escape) {
                plain.push(c);
                continue;
            }
            match chars.next() {
                Some('n') if self.escaped_line_breaks => plain.push('\n'),
                Some('r') if self.escaped_line_breaks => plain.push('\r'),
                Some(literal) => plain.push(literal),
                None => plain.push(c),
            }
        }
        Cow::Owned(plain)
    }
}

struct Column<'a, S> {
    data_type: &'a DataType,
    cells: &'a [Option<S>],
    rules: &'a ScalarRules,
}

impl<S: AsRef<str>> Column<'_, S> {
    fn bad(&self, row: usize, text: &str) -> std::result::Result<(), BadCell> {
        match self.rules.invalid_values {
            InvalidValues::Null => Ok(()),
            InvalidValues::Error => Err(BadCell::new(row, text, self.data_type)),
        }
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        parse: impl Fn(&str) -> Option<T::Native>,
    ) -> std::result::Result<PrimitiveArray<T>, BadCell> {
        let mut values = Vec::with_capacity(self.cells.len());
        let mut nulls = NullBufferBuilder::new(self.cells.len());
        for (row, cell) in self.cells.iter().enumerate() {
            let text = cell.as_ref().map_or("", AsRef::as_ref);
            let value = if text.is_empty() { None } else { parse(text) };
            if let Some(value) = value {
                values.push(value);
                nulls.append_non_null();
            } else {
                if !text.is_empty() {
                    self.bad(row, text)?;
                }
                values.push(T::Native::default());
                nulls.append_null();
            }
        }
        Ok(PrimitiveArray::new(values.into(), nulls.finish()))
    }

    fn integers<T: ArrowPrimitiveType<Native: TryFrom<i64>>>(&self) -> std::result::Result<ArrayRef, BadCell> {
        let narrow = |value: i64| T::Native::try_from(value).ok();
        Ok(Arc::new(if self.rules.integral_floats {
            self.primitives::<T>(|text| parse_integral(text).and_then(narrow))?
        } else {
            self.primitives::<T>(|text| parse_integer(text).and_then(narrow))?
        }))
    }

    /// `units` of the type make a second.
    fn timestamps<T: ArrowPrimitiveType<Native = i64>>(&self, units: u32) -> std::result::Result<ArrayRef, BadCell> {
        let scale = |(seconds, nanos): (i64, u32)| {
            seconds.checked_mul(i64::from(units))?.checked_add(i64::from(nanos / (1_000_000_000 / units)))
        };
        Ok(Arc::new(self.primitives::<T>(|text| self.rules.timestamp(text).and_then(scale))?))
    }

    fn booleans(&self) -> std::result::Result<ArrayRef, BadCell> {
        let mut builder = BooleanBuilder::with_capacity(self.cells.len());
        for (row, cell) in self.cells.iter().enumerate() {
            let text = cell.as_ref().map_or("", AsRef::as_ref);
            let value = parse_boolean(text, self.rules.boolean_digits);
            if value.is_none() && !text.is_empty() {
                self.bad(row, text)?;
            }
            builder.append_option(value);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn strings(&self, mut append: impl FnMut(Option<&str>)) {
        if self.rules.escape.is_none() {
            self.cells.iter().for_each(|cell| append(cell.as_ref().map(AsRef::as_ref)));
        } else {
            self.cells
                .iter()
                .for_each(|cell| append(cell.as_ref().map(|c| self.rules.unescape(c.as_ref())).as_deref()));
        }
    }

    /// Hive takes a value for base64 when it can be, and as it stands when not.
    fn binaries(&self, mut append: impl FnMut(Option<&[u8]>)) {
        for cell in self.cells {
            let Some(cell) = cell.as_ref().map(AsRef::as_ref) else {
                append(None);
                continue;
            };
            let text = self.rules.unescape(cell);
            let decoded = if self.rules.base64 { decode_base64(text.as_bytes()) } else { None };
            append(Some(decoded.as_deref().unwrap_or(text.as_bytes())));
        }
    }
}

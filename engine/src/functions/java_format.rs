//! Trino's `format`, which takes Java's format strings (java.util.Formatter), and `format_number`.
//!
//! Of a moment with a zone that is what its clocks show. `%h` of decimals and moments is refused, whose hash codes Java does
//! not tell.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use super::parts::of_no_calendar;
use super::rows::Last;
use super::written_numbers::{Figures, hexadecimal, java_double, java_real, thousands, with_unit};
use super::{cast, is_text};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use crate::zone::{Zone, hours_and_minutes};
use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast as arrow_cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

/// The most characters that a value is filled up to.
const MOST_WIDTH: usize = 1 << 16;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("format", ATHENA, &[Kind::Text, Kind::Any], Gives::Text, format).variadic().with_nulls().doc(
        "format(format, value [, …])",
        "Values in a format of Java's: %s, %d, %f, %e, %g, %a, %x, %o, %b, %c, %h, %t with flags, width and precision.",
        &[
            ("format('%s%%', 123)", "123%"),
            ("format('%.5f', pi())", "3.14159"),
            ("format('%03d', 8)", "008"),
            ("format('%,.2f', 1234567.89)", "1,234,567.89"),
            ("format('%-7s,%7s', 'hello', 'world')", "hello  ,  world"),
            ("format('%g %g', 123.456, 0.00001234)", "123.456 1.23400e-05"),
            ("format('%a', 3E0)", "0x1.8p1"),
            ("format('%h', 'hello')", "5e918d2"),
            ("format('%2$s %3$s %1$s', 'a', 'b', 'c')", "b c a"),
            ("format('%1$tA, %1$tB %1$te, %1$tY', date '2006-07-04')", "Tuesday, July 4, 2006"),
        ],
    ),
    scalar("format_number", ATHENA, &[Kind::Float], Gives::Text, |call| {
        let numbers = call.float(0);
        call.texts(|row| Ok(Some(with_unit(numbers.value(row)))))
    })
    .doc(
        "format_number(number)",
        "A number of at most three digits with a unit.",
        &[("format_number(123456)", "123K"), ("format_number(1000000)", "1M")],
    ),
];

/// A part of a format.
enum Piece {
    Plain(String),
    Value(Spec),
}

/// How a value is written.
#[derive(Default)]
struct Spec {
    /// Which of the values, counted from 0; else the next one.
    index: Option<usize>,
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    grouped: bool,
    parentheses: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    /// What of a moment.
    part: char,
    upper: bool,
}

/// A value.
enum Value<'a> {
    Null,
    Text(&'a str),
    Whole(i64),
    Decimal(i128, i8),
    Real(f32),
    Float(f64),
    Bool(bool),
    Moment { micros: i64, of: &'a DataType },
}

fn wrong(format: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("Invalid format string: {format}")).with_detail(reason)
}

fn parse(format: &str) -> Result<Vec<Piece>> {
    let (mut pieces, mut rest) = (Vec::new(), format);
    while let Some(at) = rest.find('%') {
        pieces.push(Piece::Plain(rest[..at].to_owned()));
        let mut spec = Spec::default();
        rest = &rest[at + 1..];
        // Figures are an index before a dollar sign, else a width, which no zero begins.
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 && rest[digits..].starts_with('$') {
            let index: usize = rest[..digits].parse().map_err(|_| wrong(format, "an index is too large"))?;
            spec.index = Some(index.checked_sub(1).ok_or_else(|| wrong(format, "values are counted from 1"))?);
            rest = &rest[digits + 1..];
        }
        loop {
            let flag = match rest.as_bytes().first() {
                Some(b'-') => &mut spec.left,
                Some(b'0') => &mut spec.zeros,
                Some(b'+') => &mut spec.plus,
                Some(b' ') => &mut spec.space,
                Some(b',') => &mut spec.grouped,
                Some(b'(') => &mut spec.parentheses,
                _ => break,
            };
            *flag = true;
            rest = &rest[1..];
        }
        spec.width = leading_number(&mut rest).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            spec.precision = Some(leading_number(&mut rest).ok_or_else(|| wrong(format, "a precision is missing"))?);
        }
        if spec.width.max(spec.precision.unwrap_or_default()) > MOST_WIDTH {
            return Err(wrong(format, "a width or precision is too large"));
        }
        let conversion = rest.chars().next().ok_or_else(|| wrong(format, "it ends too early"))?;
        rest = &rest[conversion.len_utf8()..];
        spec.conversion = conversion.to_ascii_lowercase();
        spec.upper = conversion.is_ascii_uppercase();
        match conversion {
            '%' => pieces.push(Piece::Plain("%".to_owned())),
            'n' => pieces.push(Piece::Plain("\n".to_owned())),
            't' | 'T' => {
                spec.part = rest.chars().next().ok_or_else(|| wrong(format, "it ends too early"))?;
                rest = &rest[spec.part.len_utf8()..];
                pieces.push(Piece::Value(spec));
            }
            'a' | 'A' if spec.grouped || spec.parentheses => {
                return Err(wrong(format, &format!("%{conversion} takes no such flag")));
            }
            's' | 'S' | 'd' | 'f' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' | 'x' | 'X' | 'o' | 'b' | 'B' | 'c' | 'C'
            | 'h' | 'H' => pieces.push(Piece::Value(spec)),
            other => return Err(wrong(format, &format!("there is no conversion %{other}"))),
        }
    }
    pieces.push(Piece::Plain(rest.to_owned()));
    Ok(pieces)
}

/// Takes the number that a text begins with.
fn leading_number(rest: &mut &str) -> Option<usize> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    number.parse().ok()
}

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let formats = call.text(0);
    let columns = call.args[1..].iter().map(column).collect::<Result<Vec<_>>>()?;
    let mut last = Last::new();
    call.texts(|row| {
        if formats.is_null(row) {
            return Ok(None);
        }
        let format = formats.value(row);
        let (mut made, mut next) = (String::new(), 0);
        for piece in last.of(format, parse)? {
            match piece {
                Piece::Plain(text) => made.push_str(text),
                Piece::Value(spec) => {
                    let at = spec.index.unwrap_or(next);
                    next += usize::from(spec.index.is_none());
                    let column = columns.get(at).ok_or_else(|| wrong(format, "there are too few values"))?;
                    made.push_str(&written(format, spec, &value(column, row))?);
                }
            }
        }
        Ok(Some(made))
    })
}

/// A column in one of the types that values have.
fn column(values: &ArrayRef) -> Result<ArrayRef> {
    let to = match values.data_type() {
        integer if integer.is_integer() => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        kept @ (DataType::Float32 | DataType::Float64) => kept.clone(),
        kept @ (DataType::Decimal128(..) | DataType::Boolean | DataType::Date32) => kept.clone(),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        text if is_text(text) => DataType::Utf8View,
        _ => return Ok(arrow_cast(&cast::as_text(values, Dialect::Athena)?, &DataType::Utf8View)?),
    };
    Ok(arrow_cast(values, &to)?)
}

fn value(column: &ArrayRef, row: usize) -> Value<'_> {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => Value::Whole(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => Value::Real(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => Value::Decimal(column.as_primitive::<Decimal128Type>().value(row), *scale),
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        of @ DataType::Date32 => {
            let days = i64::from(column.as_primitive::<Date32Type>().value(row));
            Value::Moment { micros: days * 86_400_000_000, of }
        }
        of @ DataType::Timestamp(..) => {
            Value::Moment { micros: column.as_primitive::<TimestampMicrosecondType>().value(row), of }
        }
        _ => Value::Text(column.as_string_view().value(row)),
    }
}

/// A value as a part of a format has it.
fn written(format: &str, spec: &Spec, value: &Value<'_>) -> Result<String> {
    let mismatch = || wrong(format, &format!("%{} does not take such a value", spec.conversion));
    let numeric = |negative: bool, digits: String| number(spec, negative, digits);
    let text = match (spec.conversion, value) {
        ('b', Value::Null) => "false".to_owned(),
        ('b', Value::Bool(flag)) => flag.to_string(),
        ('b', _) => "true".to_owned(),
        (_, Value::Null) => "null".to_owned(),
        ('s', value) => plain(value)?,
        ('c', Value::Whole(number)) => {
            let found = u32::try_from(*number).ok().and_then(char::from_u32);
            found.ok_or_else(mismatch)?.to_string()
        }
        ('d', Value::Whole(number)) => {
            let digits = number.unsigned_abs().to_string();
            return Ok(numeric(*number < 0, if spec.grouped { thousands(&digits) } else { digits }));
        }
        ('x', Value::Whole(number)) => return Ok(filled(spec, cased(spec, format!("{number:x}")), spec.zeros)),
        ('o', Value::Whole(number)) => return Ok(filled(spec, format!("{number:o}"), spec.zeros)),
        ('h', value) => format!("{:x}", hash_code(value)?),
        ('f' | 'e' | 'g' | 'a', Value::Real(real)) => return written(format, spec, &Value::Float(f64::from(*real))),
        ('f' | 'e' | 'g' | 'a', Value::Float(float)) if !float.is_finite() => {
            let sign = if spec.plus && *float > 0.0 { "+" } else { "" };
            return Ok(filled(spec, cased(spec, format!("{sign}{}", java_double(*float))), false));
        }
        ('a', Value::Float(float)) => return Ok(in_hexadecimal(spec, *float)),
        ('f' | 'e' | 'g', Value::Float(_) | Value::Decimal(..)) => {
            let digits = match value {
                Value::Decimal(value, scale) => Some(Figures::of_decimal(*value, *scale)),
                Value::Float(float) => Figures::of_float(*float),
                _ => None,
            };
            let digits = digits.ok_or_else(mismatch)?;
            let (negative, places) = (digits.negative, spec.precision.unwrap_or(6));
            let made = match spec.conversion {
                'f' => digits.fixed(places, spec.grouped),
                'g' => cased(spec, digits.general(places.max(1), spec.grouped)),
                _ => cased(spec, digits.scientific(places)),
            };
            return Ok(numeric(negative, made));
        }
        ('t', Value::Moment { micros, of }) => moment(format, spec.part, shown(*micros, of)?)?,
        _ => return Err(mismatch()),
    };
    let text = match spec.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    };
    Ok(filled(spec, cased(spec, text), false))
}

fn cased(spec: &Spec, text: String) -> String {
    if spec.upper { text.to_uppercase() } else { text }
}

/// A double's binary digits in hexadecimal; zeros that fill it stand behind its `0x`.
fn in_hexadecimal(spec: &Spec, float: f64) -> String {
    let sign = match float.is_sign_negative() {
        true => "-",
        false if spec.plus => "+",
        false if spec.space => " ",
        false => "",
    };
    let digits = hexadecimal(float, spec.precision.map(|digits| digits.max(1)));
    let zeros = if spec.zeros { spec.width.saturating_sub(sign.len() + 2 + digits.len()) } else { 0 };
    filled(spec, cased(spec, format!("{sign}0x{}{digits}", "0".repeat(zeros))), false)
}

/// What Java's documentation says a value's `hashCode` is.
fn hash_code(value: &Value<'_>) -> Result<i32> {
    let of_long = |bits: i64| (bits ^ (bits.cast_unsigned() >> 32).cast_signed()) as i32;
    // All that is no number is one number to Java.
    let bits = |float: f64| if float.is_nan() { 0x7ff8_0000_0000_0000 } else { float.to_bits().cast_signed() };
    Ok(match value {
        Value::Text(text) => {
            text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
        }
        Value::Whole(number) => of_long(*number),
        Value::Float(float) => of_long(bits(*float)),
        Value::Real(real) if real.is_nan() => 0x7fc0_0000,
        Value::Real(real) => real.to_bits().cast_signed(),
        Value::Bool(true) => 1231,
        Value::Bool(false) => 1237,
        Value::Null | Value::Decimal(..) | Value::Moment { .. } => {
            return Err(Error::unsupported("%h of decimals and moments in format()"));
        }
    })
}

/// A number's digits with its sign.
fn number(spec: &Spec, negative: bool, digits: String) -> String {
    let (before, after) = match negative {
        true if spec.parentheses => ("(", ")"),
        true => ("-", ""),
        false if spec.plus => ("+", ""),
        false if spec.space => (" ", ""),
        false => ("", ""),
    };
    let length = before.len() + digits.len() + after.len();
    let zeros = if spec.zeros { spec.width.saturating_sub(length) } else { 0 };
    filled(spec, format!("{before}{}{digits}{after}", "0".repeat(zeros)), false)
}

/// A text with as many characters as the width says.
fn filled(spec: &Spec, text: String, zeros: bool) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    match (missing, spec.left) {
        (0, _) => text,
        (_, true) => text + &" ".repeat(missing),
        (_, false) => (if zeros { "0" } else { " " }).repeat(missing) + &text,
    }
}

fn time_of(micros: i64) -> Result<NaiveDateTime> {
    let moment = DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc());
    moment.ok_or_else(|| Error::new(ErrorKind::DateTimeOverflow, "a moment is out of range"))
}

/// A value as Java's `toString` has it.
fn plain(value: &Value<'_>) -> Result<String> {
    Ok(match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => (*text).to_owned(),
        Value::Whole(number) => number.to_string(),
        Value::Decimal(value, scale) => {
            let digits = Figures::of_decimal(*value, *scale);
            let sign = if digits.negative { "-" } else { "" };
            format!("{sign}{}", digits.fixed(usize::try_from(*scale).unwrap_or_default(), false))
        }
        Value::Real(real) => java_real(*real),
        Value::Float(float) => java_double(*float),
        Value::Bool(flag) => flag.to_string(),
        Value::Moment { micros, of: DataType::Date32 } => time_of(*micros)?.format("%Y-%m-%d").to_string(),
        Value::Moment { micros, of } => {
            let local = shown(*micros, of)?;
            let seconds = if local % 60_000_000 == 0 { "" } else { ":%S" };
            let fraction = match local.rem_euclid(1_000_000) {
                0 => "",
                rest if rest % 1000 == 0 => "%.3f",
                _ => "%.6f",
            };
            let text = time_of(local)?.format(&format!("%Y-%m-%dT%H:%M{seconds}{fraction}")).to_string();
            match of {
                DataType::Timestamp(_, Some(zone)) => text + &zone_text(((local - micros) / 1_000_000) as i32, zone),
                _ => text,
            }
        }
    })
}

/// What clocks of a moment's zone show.
fn shown(micros: i64, of: &DataType) -> Result<i64> {
    Zone::of_type(of).map_or(Some(micros), |zone| zone.to_local(micros)).ok_or_else(of_no_calendar)
}

/// A zone at seconds from UTC as Java's `ZonedDateTime` has it: the offset, and a name that is none.
fn zone_text(seconds: i32, zone: &str) -> String {
    let offset = if seconds == 0 { "Z".to_owned() } else { hours_and_minutes(seconds) };
    if zone.starts_with(['+', '-']) { offset } else { format!("{offset}[{zone}]") }
}

/// A part of a moment by Java's letter for it.
fn moment(format: &str, part: char, micros: i64) -> Result<String> {
    let moment = time_of(micros)?;
    let as_chrono = match part {
        'A' => "%A",
        'a' => "%a",
        'B' => "%B",
        'b' | 'h' => "%b",
        'C' => "%C",
        'D' => "%m/%d/%y",
        'd' => "%d",
        'e' => "%-d",
        'F' => "%Y-%m-%d",
        'H' => "%H",
        'I' => "%I",
        'j' => "%j",
        'k' => "%-H",
        'L' => "%3f",
        'l' => "%-I",
        'M' => "%M",
        'm' => "%m",
        'N' => "%9f",
        'p' => "%P",
        'R' => "%H:%M",
        'r' => "%I:%M:%S %p",
        'S' => "%S",
        'T' => "%H:%M:%S",
        'Y' => "%Y",
        'y' => "%y",
        other => return Err(wrong(format, &format!("there is no conversion %t{other}"))),
    };
    Ok(moment.format(as_chrono).to_string())
}

//! What people write and read, as Trino's functions take it: sizes, durations, numbers with a check digit; where a text is
//! for the n-th time.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, DurationMicrosecondType, TimeUnit};

/// `strpos` with the number of the instance that is sought.
pub(crate) const STRPOS_OF_INSTANCE: &str = "$strpos_of_instance";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar(STRPOS_OF_INSTANCE, ATHENA, &[Kind::Text, Kind::Text, Kind::Int], Gives::Int8, |call| {
        let (texts, sought, instances) = (call.text(0), call.text(1), call.int(2));
        call.ints(|row| instance(texts.value(row), sought.value(row), instances.value(row)).map(Some))
    }),
    scalar("luhn_check", ATHENA, &[Kind::Text], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| luhn(texts.value(row)).map(Some))
    })
    .doc(
        "luhn_check(text)",
        "Whether the last digit of a number is right by Luhn's algorithm.",
        &[("luhn_check('79927398713')", "true"), ("luhn_check('79927398714')", "false")],
    ),
    scalar("human_readable_seconds", ATHENA, &[Kind::Float], Gives::Text, |call| {
        let seconds = call.float(0);
        call.texts(|row| readable(seconds.value(row)).map(Some))
    })
    .doc(
        "human_readable_seconds(seconds)",
        "Seconds as weeks, days, hours, minutes and seconds.",
        &[
            ("human_readable_seconds(96)", "1 minute, 36 seconds"),
            ("human_readable_seconds(3762)", "1 hour, 2 minutes, 42 seconds"),
            ("human_readable_seconds(56363463)", "93 weeks, 1 day, 8 hours, 31 minutes, 3 seconds"),
        ],
    ),
    scalar("parse_data_size", ATHENA, &[Kind::Text], Gives::Of(whole), data_size).doc(
        "parse_data_size(text)",
        "The bytes of a size with its unit, of which each is 1024 of the one before.",
        &[("parse_data_size('1B')", "1"), ("parse_data_size('1kB')", "1024"), ("parse_data_size('2.3MB')", "2411724")],
    ),
    scalar("parse_presto_data_size", ATHENA, &[Kind::Text], Gives::Of(whole), data_size).doc(
        "parse_presto_data_size(text)",
        "The same.",
        &[("parse_presto_data_size('1MB')", "1048576")],
    ),
    scalar("parse_duration", ATHENA, &[Kind::Text], Gives::Of(span), |call| {
        let texts = call.text(0);
        call.values::<DurationMicrosecondType>(|row| duration(texts.value(row)).map(Some))
    })
    .doc(
        "parse_duration(text)",
        "The interval that a number with a unit is (ns, us, ms, s, m, h or d), rounded to milliseconds.",
        &[
            ("to_milliseconds(parse_duration('42.8ms'))", "43"),
            ("to_milliseconds(parse_duration('3.81 d'))", "329184000"),
            ("to_milliseconds(parse_duration('5m'))", "300000"),
        ],
    ),
    scalar("to_milliseconds", ATHENA, &[Kind::Any], Gives::Of(milliseconds_type), milliseconds).doc(
        "to_milliseconds(interval)",
        "An interval of days and times in milliseconds.",
        &[("to_milliseconds(INTERVAL '1' DAY)", "86400000")],
    ),
];

fn span(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Duration(TimeUnit::Microsecond))
}

fn milliseconds_type(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Duration(_) | DataType::Null) => Ok(DataType::Int64),
        _ => Err(no_span()),
    }
}

fn no_span() -> Error {
    Error::new(ErrorKind::DatatypeMismatch, "to_milliseconds() takes an interval of days and times")
}

fn milliseconds(call: &Call<'_>) -> Result<ArrayRef> {
    let spans = cast(&call.args[0], &DataType::Duration(TimeUnit::Microsecond))?;
    let spans = spans.as_primitive::<DurationMicrosecondType>();
    call.ints(|row| Ok(Some(spans.value(row) / 1_000)))
}

/// Microseconds.
fn duration(text: &str) -> Result<i64> {
    let micros = milliseconds_of(text).and_then(|milliseconds| milliseconds.checked_mul(1_000));
    micros.ok_or_else(|| invalid(format!("invalid duration: '{text}'")))
}

fn milliseconds_of(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-6), ("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (text[..unit_at].trim_end(), &text[unit_at..]);
    let (_, size) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = number.parse::<f64>().ok().filter(|_| is_plain)?;
    Some((number * size).round() as i64)
}

fn whole(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Decimal128(38, 0))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

/// The place, in characters from 1, where a text is for the n-th time, from the end where n is negative; 0 where it is not.
fn instance(text: &str, sought: &str, number: i64) -> Result<i64> {
    if number == 0 {
        return Err(invalid("the instance of strpos() is not 0".to_owned()));
    }
    if sought.is_empty() {
        return Ok(1);
    }
    // Instances may overlap.
    let mut places = text.char_indices().map(|(at, _)| at).filter(|at| text[*at..].starts_with(sought));
    let nth = usize::try_from(number.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let found = if number > 0 { places.nth(nth) } else { places.nth_back(nth) };
    Ok(found.map_or(0, |at| text[..at].chars().count() as i64 + 1))
}

fn luhn(text: &str) -> Result<bool> {
    let mut sum = 0_u32;
    for (at, c) in text.chars().rev().enumerate() {
        let digit = c.to_digit(10).ok_or_else(|| invalid("luhn_check() takes digits only".to_owned()))?;
        let doubled = if at % 2 == 1 { digit * 2 } else { digit };
        sum += doubled / 10 + doubled % 10;
    }
    Ok(!text.is_empty() && sum.is_multiple_of(10))
}

fn readable(seconds: f64) -> Result<String> {
    const UNITS: [(u64, &str); 5] =
        [(604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    if !seconds.is_finite() {
        return Err(invalid("human_readable_seconds() takes a finite number".to_owned()));
    }
    let mut rest = seconds.abs().round() as u64;
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    Ok(if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(", ") })
}

fn data_size(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.values::<Decimal128Type>(|row| {
        let text = texts.value(row);
        let size = bytes_of_size(text).ok_or_else(|| invalid(format!("invalid data size: '{text}'")))?;
        Ok(Some(size))
    })
}

fn bytes_of_size(text: &str) -> Option<i128> {
    const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (text[..unit_at].trim_end(), &text[unit_at..]);
    let power = UNITS.iter().position(|known| *known == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let all: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let size = all.checked_mul(1_i128 << (10 * power))? / scale;
    // The numbers that are given have 38 digits.
    (size < 10_i128.pow(38)).then_some(size)
}

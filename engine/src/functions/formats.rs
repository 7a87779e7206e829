//! Values as texts by a template, and back: Redshift's TO_CHAR and its kin, Trino's MySQL and Joda formats.

use super::arithmetic::overflow;
use super::cast::decimal;
use super::date_parts::{micros, shown};
use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::number_template::NumberTemplate;
use super::parts::{DAY_US, micros_of, moment_of, of_no_calendar};
use super::rows::Last;
use super::template::{Template, ZoneWords};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, name_of_type, offset_text};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use std::fmt::{Display, Write};

use Kind::{Bool, Instant, Text};

/// Digits behind the point that TO_NUMBER keeps.
const MOST_FRACTION: i8 = 10;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("to_char", REDSHIFT, &[Kind::Any, Text], Gives::Text, to_char).doc(
        "to_char(moment or number, template)",
        "A moment or number as text.",
        &[
            ("to_char(timestamp '2009-12-31 23:15:59', 'MON-DY-DD-YYYY HH12:MIPM')", "DEC-THU-31-2009 11:15PM"),
            ("to_char(125.8, '999.99')", " 125.80"),
            ("to_char(-125.8, '999D99S')", "125.80-"),
            ("to_char(1234.5, 'FM999,990.00')", "1,234.50"),
            ("to_char(64.60, 'FMrn')", "lxv"),
        ],
    ),
    scalar("to_date", REDSHIFT, &[Text, Text, Bool], Gives::Date, |call| {
        let (texts, templates) = (call.text(0), call.text(1));
        let mut last = Last::new();
        call.dates(|row| {
            let template = last.of(templates.value(row), |text| Ok(Template::parse(text)))?;
            let micros = template.read(texts.value(row), is_strict(call, row))?;
            Ok(i32::try_from(micros.div_euclid(DAY_US)).ok())
        })
    })
    .optional(1)
    .doc(
        "to_date(text, template [, strict])",
        "A date as the template writes it. A day that its month lacks is one of the next, or an error if strict.",
        &[
            ("to_date('02 Oct 2001', 'DD Mon YYYY')", "2001-10-02"),
            ("to_date('20010631', 'YYYYMMDD', false)", "2001-07-01"),
        ],
    ),
    scalar("to_timestamp", REDSHIFT, &[Text, Text, Bool], Gives::StampTz, |call| {
        let (texts, templates) = (call.text(0), call.text(1));
        let mut last = Last::new();
        call.stamps(|row| {
            let template = last.of(templates.value(row), |text| Ok(Template::parse(text)))?;
            let local = template.read(texts.value(row), is_strict(call, row))?;
            call.zone.to_utc(local).map(Some).ok_or_else(of_no_calendar)
        })
    })
    .optional(1)
    .doc(
        "to_timestamp(text, template [, strict])",
        "A moment with zone as the template writes it; what is out of range as in to_date.",
        &[
            ("to_timestamp('2011-12-18 23:38:15', 'YYYY-MM-DD HH24:MI:SS')", "2011-12-18 23:38:15+00:00"),
            ("to_timestamp('2011-12-18 24:38:15', 'YYYY-MM-DD HH24:MI:SS')", "2011-12-19 00:38:15+00:00"),
        ],
    ),
    scalar("to_number", REDSHIFT, &[Text, Text], Gives::Of(number_type), |call| {
        let (texts, templates) = (call.text(0), call.text(1));
        let DataType::Decimal128(precision, scale) = call.gives else {
            return Err(Error::internal("a number is lost"));
        };
        let mut last = Last::new();
        call.values::<Decimal128Type>(|row| {
            let digits = last.of(templates.value(row), NumberTemplate::parse)?.read(texts.value(row))?;
            decimal(&digits, precision, scale).map(Some).ok_or_else(overflow)
        })
    })
    .doc(
        "to_number(text, template)",
        "A number as the template writes it.",
        &[("to_number('12,454.8-', '99G999D9S')", "-12454.8000000000")],
    ),
    scalar("date_format", ATHENA, &[Instant, Text], Gives::Text, |call| {
        let (stamps, templates) = (shown(&call.args[0])?, call.text(1));
        let mut last = Last::new();
        call.texts(|row| {
            let format = last.of(templates.value(row), mysql)?;
            Ok(Some(written(&moment_of(stamps.value(row))?.and_utc(), format)?))
        })
    })
    .doc(
        "date_format(moment, format)",
        "A moment as text, by MySQL's format.",
        &[
            ("date_format(timestamp '2022-10-20 05:10:00', '%m-%d-%Y %H')", "10-20-2022 05"),
            ("date_format(date '2022-10-20', '%W, %M %e')", "Thursday, October 20"),
        ],
    ),
    scalar("date_parse", ATHENA, &[Text, Text], Gives::Stamp, |call| read(call, mysql)).doc(
        "date_parse(text, format)",
        "A moment from a text, by MySQL's format.",
        &[("date_parse('2022/10/20/05', '%Y/%m/%d/%H')", "2022-10-20 05:00:00")],
    ),
    scalar("format_datetime", ATHENA, &[Instant, Text], Gives::Text, format_datetime).doc(
        "format_datetime(moment, format)",
        "A moment as text, by Joda's format.",
        &[
            ("format_datetime(timestamp '2022-10-20 05:10:00', 'yyyy-MM-dd HH:mm')", "2022-10-20 05:10"),
            (
                "format_datetime(timestamp '2022-10-20 05:10:00 Asia/Tokyo', 'HH:mm ZZ, ZZZ')",
                "05:10 +09:00, Asia/Tokyo",
            ),
        ],
    ),
    scalar("parse_datetime", ATHENA, &[Text, Text], Gives::StampTz, |call| read(call, |format| joda(format, None)))
        .doc(
            "parse_datetime(text, format)",
            "A moment with zone from a text, by Joda's format.",
            &[("parse_datetime('2022-10-20 05:10', 'yyyy-MM-dd HH:mm')", "2022-10-20 05:10:00+00:00")],
        ),
];

/// Whether TO_DATE and TO_TIMESTAMP refuse what is out of range.
fn is_strict(call: &Call<'_>, row: usize) -> bool {
    call.has(2) && call.bool(2).value(row)
}

fn number_type(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Decimal128(38, MOST_FRACTION))
}

fn to_char(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, templates) = (&call.args[0], call.text(1));
    let data_type = values.data_type();
    if data_type.is_temporal() {
        let zoned = matches!(data_type, DataType::Timestamp(_, Some(_)));
        let micros = micros(values)?;
        let mut last = Last::new();
        return call.texts(|row| {
            let template = last.of(templates.value(row), |text| Ok(Template::parse(text)))?;
            let utc = micros.value(row);
            if !zoned {
                return Ok(Some(template.write(moment_of(utc)?, None)));
            }
            let offset = call.zone.offset_at(utc).ok_or_else(of_no_calendar)?;
            let local = moment_of(utc.checked_add(offset).ok_or_else(of_no_calendar)?)?;
            let zone = ZoneWords { abbreviation: call.zone.abbreviation_at(utc), offset: offset_text(offset) };
            Ok(Some(template.write(local, Some(&zone))))
        });
    }
    let mut last = Last::new();
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            let floats = cast(values, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>();
            call.texts(|row| {
                let template = last.of(templates.value(row), NumberTemplate::parse)?;
                let number = floats.value(row) * 10_f64.powi(template.shift() as i32);
                let digits = format!("{:.*}", template.digits(), number.abs());
                Ok(Some(template.write(number < 0.0, &digits)))
            })
        }
        _ if data_type.is_integer() || matches!(data_type, DataType::Decimal128(..)) => {
            let (decimals, scale) = match data_type {
                DataType::Decimal128(_, scale) => (ArrayRef::clone(values), *scale),
                _ => (cast(values, &DataType::Decimal128(38, 0))?, 0),
            };
            let decimals = decimals.as_primitive::<Decimal128Type>();
            call.texts(|row| {
                let template = last.of(templates.value(row), NumberTemplate::parse)?;
                let number = decimals.value(row);
                let digits =
                    rounded(number.unsigned_abs(), i32::from(scale) - template.shift() as i32, template.digits());
                Ok(Some(template.write(number < 0, &digits)))
            })
        }
        other => {
            let message =
                format!("function to_char({}, character varying) does not exist", super::kernel::shown_type(other));
            Err(Error::new(ErrorKind::UndefinedFunction, message))
        }
    }
}

/// A decimal's digits with so many behind the point, halves rounded up.
fn rounded(number: u128, scale: i32, digits: usize) -> String {
    let dropped = scale - digits as i32;
    let mut value = number;
    if dropped > 0 {
        let unit = 10_u128.checked_pow(dropped.unsigned_abs()).unwrap_or(u128::MAX);
        value = value / unit + u128::from(value % unit >= unit / 2 + unit % 2);
    } else if let Some(unit) = 10_u128.checked_pow(dropped.unsigned_abs()) {
        value = value.saturating_mul(unit);
    }
    let text = format!("{value:0>width$}", width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    format!("{whole}.{fraction}")
}

/// MySQL's format in chrono's words.
fn mysql(format: &str) -> Result<String> {
    let (mut made, mut chars) = (String::new(), format.chars());
    while let Some(c) = chars.next() {
        if c != '%' {
            made.push(c);
            continue;
        }
        let field = chars.next().unwrap_or('%');
        made.push_str(match field {
            'a' => "%a",
            'b' => "%b",
            'c' => "%-m",
            'd' => "%d",
            'e' => "%-d",
            'f' => "%6f",
            'H' => "%H",
            'h' | 'I' => "%I",
            'i' => "%M",
            'j' => "%j",
            'k' => "%-H",
            'l' => "%-I",
            'M' => "%B",
            'm' => "%m",
            'p' => "%p",
            'r' => "%I:%M:%S %p",
            'S' | 's' => "%S",
            'T' => "%H:%M:%S",
            'v' => "%V",
            'W' => "%A",
            'x' => "%G",
            'Y' => "%Y",
            'y' => "%y",
            '%' => "%%",
            other => {
                // Trino refuses %D, %U, %u, %V, %w and %X by name.
                return Err(Error::new(ErrorKind::Unsupported, format!("%{other} in a date format is not supported")));
            }
        });
    }
    Ok(made)
}

/// Moments by Joda's format, as clocks of their zone show them.
fn format_datetime(call: &Call<'_>) -> Result<ArrayRef> {
    let (stamps, templates) = (call.stamp(0), call.text(1));
    let data_type = call.args[0].data_type();
    let zone = Zone::of_type(data_type).unwrap_or(Zone::UTC);
    let name = name_of_type(data_type);
    let mut last = Last::new();
    call.texts(|row| {
        let format = last.of(templates.value(row), |format| joda(format, Some(name)))?;
        let moment = moment_of(stamps.value(row))?.and_utc();
        Ok(Some(match zone {
            Zone::Named(zone) => written(&moment.with_timezone(&zone), format)?,
            Zone::Fixed(seconds) => {
                let offset = FixedOffset::east_opt(seconds).ok_or_else(of_no_calendar)?;
                written(&moment.with_timezone(&offset), format)?
            }
        }))
    })
}

/// Joda's format in chrono's words, to write a moment of a zone by or, without one, to read by.
fn joda(format: &str, zone: Option<&str>) -> Result<String> {
    let (mut made, mut rest) = (String::new(), format);
    while let Some(c) = rest.chars().next() {
        let length = rest.chars().take_while(|next| *next == c).count();
        let run = length * c.len_utf8();
        if c == '\'' {
            if length >= 2 {
                made.push('\'');
                rest = &rest[2..];
                continue;
            }
            let end = rest[1..].find('\'').map_or(rest.len(), |at| at + 1);
            made.push_str(&rest[1..end].replace('%', "%%"));
            rest = rest.get(end + 1..).unwrap_or_default();
            continue;
        }
        let field = match (c, length) {
            ('y' | 'Y', 2) => "%y",
            ('y' | 'Y', _) => "%Y",
            ('x', _) => "%G",
            ('w', 1) => "%-V",
            ('w', _) => "%V",
            ('e', _) => "%u",
            ('E', 1..=3) => "%a",
            ('E', _) => "%A",
            ('D', 1..=2) => "%-j",
            ('D', _) => "%j",
            ('M', 1) => "%-m",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', _) => "%B",
            ('d', 1) => "%-d",
            ('d', _) => "%d",
            ('a', _) => "%p",
            ('H', 1) => "%-H",
            ('H', _) => "%H",
            ('h', 1) => "%-I",
            ('h', _) => "%I",
            ('m', 1) => "%-M",
            ('m', _) => "%M",
            ('s', 1) => "%-S",
            ('s', _) => "%S",
            ('S', 1..=3) => "%3f",
            ('S', 4..=6) => "%6f",
            ('S', _) => "%9f",
            ('Z', 1) => "%z",
            ('Z', 3..) if zone.is_some() => zone.unwrap_or_default(),
            ('Z', _) => "%:z",
            ('z', 4..) if zone.is_some_and(|zone| zone != "UTC") => {
                return Err(Error::unsupported("a zone's long name (zzzz) in a date format"));
            }
            ('z', _) if zone.is_some_and(|zone| zone != "UTC") => "%Z",
            ('z', _) => "UTC",
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(Error::new(ErrorKind::Unsupported, format!("{letter} in a date format is not supported")));
            }
            ('%', _) => "%%",
            _ => "",
        };
        if field.is_empty() {
            made.push_str(&rest[..run]);
        } else {
            made.push_str(field);
        }
        rest = &rest[run..];
    }
    Ok(made)
}

fn written<Z: TimeZone>(moment: &DateTime<Z>, format: &str) -> Result<String>
where
    Z::Offset: Display,
{
    let mut made = String::new();
    let shown = write!(made, "{}", moment.format(format));
    shown.map_err(|_| Error::new(ErrorKind::InvalidParameter, format!("invalid date format \"{format}\"")))?;
    Ok(made)
}

fn read(call: &Call<'_>, translate: fn(&str) -> Result<String>) -> Result<ArrayRef> {
    let (texts, templates) = (call.text(0), call.text(1));
    let mut last = Last::new();
    call.stamps(|row| {
        let (text, template) = (texts.value(row), templates.value(row));
        let format = last.of(template, translate)?;
        moment_by(text, format).map(Some).ok_or_else(|| {
            Error::new(ErrorKind::InvalidText, format!("invalid format: \"{text}\" is not as \"{template}\" says"))
        })
    })
}

/// A moment by chrono's format; what the format does not have begins with 1970-01-01.
fn moment_by(text: &str, format: &str) -> Option<i64> {
    if format.contains("%z") || format.contains("%:z") {
        let format = format.replace("%:z", "%#z").replace("%z", "%#z");
        return DateTime::parse_from_str(text, &format).ok().map(|moment| moment.timestamp_micros());
    }
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    let mut parsed = chrono::format::Parsed::new();
    chrono::format::parse(&mut parsed, text, items.iter()).ok()?;
    let date = parsed.to_naive_date().ok().or_else(|| {
        let year = parsed
            .year()
            .or_else(|| parsed.year_mod_100().map(|year| if year < 70 { 2000 + year } else { 1900 + year }));
        NaiveDate::from_ymd_opt(year.unwrap_or(1970), parsed.month().unwrap_or(1), parsed.day().unwrap_or(1))
    })?;
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    if parsed.hour_mod_12().is_none() {
        parsed.set_hour(0).ok()?;
    } else if parsed.hour_div_12().is_none() {
        parsed.set_ampm(false).ok()?;
    }
    Some(micros_of(date.and_time(parsed.to_naive_time().ok()?)))
}

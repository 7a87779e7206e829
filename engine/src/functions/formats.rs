//! Values as texts by a template, and back: Redshift's TO_CHAR and its kin, Trino's MySQL and Joda formats.

use super::arithmetic::overflow;
use super::date_parts::{micros, shown};
use super::iso::in_utc;
use super::joda::{Pattern, Shown};
use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::number_template::NumberTemplate;
use super::parts::{DAY_US, SECOND_US, micros_of, moment_of, of_no_calendar};
use super::read_numbers::decimal;
use super::rows::Last;
use super::template::{Template, ZoneWords};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, name_of_type, offset_text};
use chrono::NaiveDateTime;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};

use Kind::{Bool, Instant, Text};

/// `parse_datetime` where nothing but the moment matters.
pub(crate) const PARSED_INSTANT: &str = "$parsed_instant";

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
            let pattern = last.of(templates.value(row), Pattern::mysql)?;
            pattern.write(&without_zone(moment_of(stamps.value(row))?)).map(Some)
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
    scalar("date_parse", ATHENA, &[Text, Text], Gives::Stamp, |call| read(call, Pattern::mysql, true)).doc(
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
    scalar("parse_datetime", ATHENA, &[Text, Text], Gives::StampTz, |call| read(call, Pattern::joda, false)).doc(
        "parse_datetime(text, format)",
        "A moment with zone from a text, by Joda's format.",
        &[("parse_datetime('2022-10-20 05:10', 'yyyy-MM-dd HH:mm')", "2022-10-20 05:10:00+00:00")],
    ),
    scalar(PARSED_INSTANT, ATHENA, &[Text, Text], Gives::StampTz, |call| read(call, Pattern::joda, true)),
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

/// A moment without a zone, or whose zone does not matter.
fn without_zone(local: NaiveDateTime) -> Shown<'static> {
    Shown { local, offset: 0, zone: "UTC", abbreviation: "" }
}

/// Moments by Joda's format, as clocks of their zone show them.
fn format_datetime(call: &Call<'_>) -> Result<ArrayRef> {
    let (stamps, templates) = (call.stamp(0), call.text(1));
    let data_type = call.args[0].data_type();
    let (zone, name) = (Zone::of_type(data_type), name_of_type(data_type));
    let mut last = Last::new();
    call.texts(|row| {
        let pattern = last.of(templates.value(row), Pattern::joda)?;
        let utc = stamps.value(row);
        let Some(zone) = zone else {
            if pattern.has_zone() {
                let message = "a timestamp without time zone has no zone that z and Z in its format could be";
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
            return pattern.write(&without_zone(moment_of(utc)?)).map(Some);
        };
        let local = zone.to_local(utc).ok_or_else(of_no_calendar)?;
        let offset = i32::try_from((local - utc) / SECOND_US).map_err(|_| of_no_calendar())?;
        pattern
            .write(&Shown { local: moment_of(local)?, offset, zone: name, abbreviation: &zone.abbreviation_at(utc) })
            .map(Some)
    })
}

/// Moments of texts, in UTC; one of another zone is an error where more than the moment matters.
fn read(call: &Call<'_>, parse: fn(&str) -> Result<Pattern>, is_instant: bool) -> Result<ArrayRef> {
    let (texts, templates) = (call.text(0), call.text(1));
    let mut last = Last::new();
    call.stamps(|row| {
        let (local, zone) = last.of(templates.value(row), parse)?.read(texts.value(row))?;
        in_utc(micros_of(local), zone, texts.value(row), is_instant)
    })
}

//! Moments as texts.

use super::{Field, Pattern, Piece, SHORT};
use crate::error::{Error, Result};
use crate::zone::hours_and_minutes;
use chrono::{Datelike, NaiveDateTime, Timelike};
use std::fmt::Write;

/// A moment as clocks show it, and the zone whose clocks these are.
pub(in crate::functions) struct Shown<'a> {
    pub(in crate::functions) local: NaiveDateTime,
    /// Seconds east of UTC.
    pub(in crate::functions) offset: i32,
    /// As the moment's type names it.
    pub(in crate::functions) zone: &'a str,
    /// What the zone's time is called then; empty where it has no name.
    pub(in crate::functions) abbreviation: &'a str,
}

impl Pattern {
    /// A moment as text, to the millisecond.
    ///
    /// # Errors
    /// `Unsupported` for a zone's long name.
    pub(in crate::functions) fn write(&self, moment: &Shown<'_>) -> Result<String> {
        let mut made = String::with_capacity(32);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => made.push_str(text),
                Piece::Number(field, least, _) => padded(&mut made, number(moment.local, *field), *least),
                Piece::TwoDigits(field, ..) => padded(&mut made, number(moment.local, *field).abs() % 100, 2),
                Piece::Fraction(least, most) => {
                    let digits = format!("{:03}", number(moment.local, Field::Millisecond));
                    let digits = &digits[..digits.len().min(*most)];
                    let _ = write!(made, "{digits:0<least$}", least = *least);
                }
                Piece::Name(field, is_short) => {
                    let name = field.name(number(moment.local, *field));
                    made.push_str(if *is_short { &name[..SHORT] } else { name });
                }
                Piece::ZoneName(is_short) => made.push_str(zone_name(moment, *is_short)?),
                Piece::Offset(has_colon) => {
                    let offset = hours_and_minutes(moment.offset);
                    made.extend(offset.chars().filter(|c| *has_colon || *c != ':'));
                }
                Piece::ZoneId => made.push_str(moment.zone),
            }
        }
        Ok(made)
    }
}

fn padded(made: &mut String, number: i32, least: usize) {
    if number < 0 {
        made.push('-');
    }
    let _ = write!(made, "{:0>least$}", number.unsigned_abs());
}

fn zone_name<'a>(moment: &'a Shown<'_>, is_short: bool) -> Result<&'a str> {
    match (moment.zone, is_short) {
        ("UTC", true) => Ok("UTC"),
        ("UTC", false) => Ok("Coordinated Universal Time"),
        (zone, _) if zone.starts_with(['+', '-']) => Ok(zone),
        (_, true) => Ok(moment.abbreviation),
        (_, false) => Err(Error::unsupported("a zone's long name (zzzz) in a date format")),
    }
}

/// What a field is of a moment.
fn number(at: NaiveDateTime, field: Field) -> i32 {
    let year_of_era = || if at.year() > 0 { at.year() } else { 1 - at.year() };
    let small = match field {
        Field::Year => return at.year(),
        Field::YearOfEra => return year_of_era(),
        Field::Century => return year_of_era() / 100,
        Field::Weekyear => return at.iso_week().year(),
        Field::Era => u32::from(at.year() > 0),
        Field::Month => at.month(),
        Field::Week => at.iso_week().week(),
        Field::DayOfYear => at.ordinal(),
        Field::Day => at.day(),
        Field::DayOfWeek => at.weekday().number_from_monday(),
        Field::HalfDay => at.hour() / 12,
        Field::Hour => at.hour(),
        Field::ClockHour if at.hour() == 0 => 24,
        Field::ClockHour => at.hour(),
        Field::HalfHour => at.hour() % 12,
        Field::HalfClockHour => at.hour12().1,
        Field::Minute => at.minute(),
        Field::Second => at.second(),
        Field::Millisecond => at.nanosecond() / 1_000_000,
    };
    small.cast_signed()
}

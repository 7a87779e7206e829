//! Intervals as Redshift's documentation has them ("Interval data types and literals"): what a qualifier keeps, texts to
//! values and back.
//!
//! There are two kinds. YEAR TO MONTH counts months, in Arrow `Interval(YearMonth)`; DAY TO SECOND counts microseconds,
//! in Arrow `Duration(Microsecond)`: a day is 24 hours. So values have the order and the equality that SQL asks for, which
//! Arrow's `Interval(MonthDayNano)` lacks: there a day is neither more nor less than 24 hours. That third type is a
//! literal's without a qualifier, and no column has it. Trino has the same two kinds, and texts of its own.

mod arrays;
mod parse;
mod trino;

pub use arrays::{as_general, as_texts, is_interval};
pub(crate) use arrays::{as_integers, as_trino_texts};
use parse::Number;
pub(crate) use parse::{parse, parse_unqualified};
pub(crate) use trino::{parse_trino, trino_micros, trino_months};

use crate::error::{Error, ErrorKind, Result};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use std::fmt::{self, Write};
use std::str::FromStr;

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// The most digits of a second's fraction, and those of a qualifier that names none.
const MOST_DIGITS: u8 = 6;

/// Days that stand for a month where months are compared with days, as in PostgreSQL.
const MONTH_DAYS: i64 = 30;

/// The unit of a number in an interval, from the longest to the shortest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Twelve months.
    Year,
    /// A month.
    Month,
    /// 24 hours.
    Day,
    /// 60 minutes.
    Hour,
    /// 60 seconds.
    Minute,
    /// A second and its fraction.
    Second,
}

impl Field {
    const ALL: [Self; 6] = [Self::Year, Self::Month, Self::Day, Self::Hour, Self::Minute, Self::Second];

    fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Microseconds of one, of the fields that are so many.
    fn micros(self) -> i64 {
        match self {
            Self::Day => DAY_US,
            Self::Hour => 3_600_000_000,
            Self::Minute => 60_000_000,
            _ => 1_000_000,
        }
    }
}

/// What stands after INTERVAL: the fields that a value has, and the digits of its seconds.
///
/// It prints as Redshift writes it and parses from that: `year to month`, `day to second(3)`, `hour`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Qualifier {
    first: Field,
    last: Field,
    digits: u8,
}

impl Qualifier {
    /// All of an interval of months.
    pub const YEAR_TO_MONTH: Self = Self { first: Field::Year, last: Field::Month, digits: MOST_DIGITS };

    /// All of an interval of days and times.
    pub const DAY_TO_SECOND: Self = Self { first: Field::Day, last: Field::Second, digits: MOST_DIGITS };

    /// The qualifier of these fields; `None` where there is none.
    pub(crate) fn new(first: Field, last: Field, digits: Option<u64>) -> Option<Self> {
        let is_months = |field: Field| field <= Field::Month;
        let digits = match digits {
            Some(digits) if last == Field::Second => u8::try_from(digits).ok()?,
            Some(_) => return None,
            None => MOST_DIGITS,
        };
        let exists = first <= last && is_months(first) == is_months(last) && digits <= MOST_DIGITS;
        exists.then_some(Self { first, last, digits })
    }

    /// Whether it is one of months.
    pub fn is_months(self) -> bool {
        self.last <= Field::Month
    }

    /// The Arrow type of its values.
    pub fn to_arrow(self) -> DataType {
        if self.is_months() {
            DataType::Interval(IntervalUnit::YearMonth)
        } else {
            DataType::Duration(TimeUnit::Microsecond)
        }
    }

    /// Its fields without the digits of seconds.
    pub(crate) fn fields(self) -> String {
        Self { digits: MOST_DIGITS, ..self }.to_string()
    }

    /// The digits of seconds; `None` for months.
    pub(crate) fn digits(self) -> Option<u8> {
        (!self.is_months()).then_some(self.digits)
    }

    /// Whether it keeps all of a value.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self.last, Field::Month | Field::Second) && self.digits == MOST_DIGITS
    }

    /// The fields as PostgreSQL's `atttypmod` has them, a bit each, over the digits of seconds; -1 for all of a kind.
    pub(crate) fn modifier(self) -> i64 {
        if self == Self::YEAR_TO_MONTH || self == Self::DAY_TO_SECOND {
            return -1;
        }
        let bit = |field: Field| match field {
            Field::Year => 2,
            Field::Month => 1,
            Field::Day => 3,
            Field::Hour => 10,
            Field::Minute => 11,
            Field::Second => 12,
        };
        let fields = Field::ALL.into_iter().filter(|field| (self.first..=self.last).contains(field));
        let mask: i64 = fields.map(|field| 1 << bit(field)).sum();
        let digits = if self.digits == MOST_DIGITS { 0xffff } else { i64::from(self.digits) };
        mask << 16 | digits
    }

    /// The qualifier of an `atttypmod`.
    pub(crate) fn of_modifier(modifier: i64) -> Option<Self> {
        if modifier < 0 {
            return None;
        }
        Field::ALL.into_iter().flat_map(|first| Field::ALL.map(|last| (first, last))).find_map(|(first, last)| {
            let digits = if modifier & 0xffff == 0xffff { None } else { u64::try_from(modifier & 0xffff).ok() };
            Self::new(first, last, digits).filter(|known| known.modifier() == modifier)
        })
    }

    /// Months as it keeps them.
    pub(crate) fn cut_months(self, months: i32) -> i32 {
        if self.last == Field::Year { months / 12 * 12 } else { months }
    }

    /// Microseconds as it keeps them: shorter units are cut, fractions of seconds rounded, as PostgreSQL does both.
    pub(crate) fn cut_micros(self, micros: i64) -> i64 {
        if self.last != Field::Second {
            return micros / self.last.micros() * self.last.micros();
        }
        let unit = 10_i64.pow(u32::from(MOST_DIGITS - self.digits));
        let (whole, rest) = (micros / unit, micros % unit);
        let up = i64::from(rest.abs() * 2 >= unit) * rest.signum();
        (whole + up).checked_mul(unit).unwrap_or(micros)
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.first.name())?;
        if self.first != self.last {
            write!(f, " to {}", self.last.name())?;
        }
        if self.digits == MOST_DIGITS { Ok(()) } else { write!(f, "({})", self.digits) }
    }
}

impl FromStr for Qualifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let (fields, digits) = match lower.split_once('(') {
            Some((fields, rest)) => (fields, Some(rest.trim_end().trim_end_matches(')').trim().parse().ok())),
            None => (lower.as_str(), None),
        };
        let words: Vec<&str> = fields.split_whitespace().collect();
        let (first, last) = match words.as_slice() {
            [field] => (*field, *field),
            [first, "to", last] => (*first, *last),
            _ => return Err(unknown(text)),
        };
        let known = match digits {
            Some(None) => None,
            Some(digits) => Field::parse(first).zip(Field::parse(last)).and_then(|(a, b)| Self::new(a, b, digits)),
            None => Field::parse(first).zip(Field::parse(last)).and_then(|(a, b)| Self::new(a, b, None)),
        };
        known.ok_or_else(|| unknown(text))
    }
}

fn unknown(text: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("invalid INTERVAL qualifier \"{}\"", text.trim().to_uppercase()))
        .with_hint("it is YEAR, MONTH or YEAR TO MONTH; or fields from DAY to SECOND, seconds with 0 to 6 digits")
}

/// 22008.
pub(crate) fn out_of_range() -> Error {
    Error::new(ErrorKind::DateTimeOverflow, "interval out of range")
}

/// What an interval holds that is of both kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Years and months.
    pub(crate) months: i64,
    /// Days and what is shorter.
    pub(crate) micros: i64,
}

impl Parts {
    /// The parts of a value of Arrow's most general type.
    pub(crate) fn of(value: IntervalMonthDayNano) -> Result<Self> {
        let days = i64::from(value.days).checked_mul(DAY_US);
        let micros = days.and_then(|days| days.checked_add(value.nanoseconds / 1_000)).ok_or_else(out_of_range)?;
        Ok(Self { months: i64::from(value.months), micros })
    }

    /// An interval of months, as a qualifier keeps it.
    pub(crate) fn as_months(self, qualifier: Qualifier) -> Result<i32> {
        if self.micros != 0 {
            return Err(composite("Year To Month", "day-second"));
        }
        i32::try_from(self.months).map(|months| qualifier.cut_months(months)).map_err(|_| out_of_range())
    }

    /// An interval of days and times, as a qualifier keeps it.
    pub(crate) fn as_micros(self, qualifier: Qualifier) -> Result<i64> {
        if self.months != 0 {
            return Err(composite("Day To Second", "year-month"));
        }
        Ok(qualifier.cut_micros(self.micros))
    }

    /// The same before as after.
    pub(crate) fn negated(self) -> Self {
        Self { months: -self.months, micros: -self.micros }
    }

    /// All of it on one line, a month as 30 days: what PostgreSQL compares.
    pub(crate) fn total(self) -> Result<i64> {
        let months = self.months.checked_mul(MONTH_DAYS * DAY_US);
        months.and_then(|months| months.checked_add(self.micros)).ok_or_else(out_of_range)
    }
}

/// As the documentation of `interval_forbid_composite_literals` has it, which is on.
fn composite(kind: &str, other: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("Interval {kind} literal cannot contain {other} parts"))
}

/// Days and the rest of a time of days, both of one sign.
pub(crate) fn days_and_rest(micros: i64) -> (i32, i64) {
    // 64 bits of microseconds are 106,751,991 days.
    ((micros / DAY_US) as i32, micros % DAY_US)
}

/// Microseconds as Arrow's most general type.
pub(crate) fn general(micros: i64) -> IntervalMonthDayNano {
    let (days, rest) = days_and_rest(micros);
    IntervalMonthDayNano::new(0, days, rest * 1_000)
}

/// An interval in PostgreSQL's own style, which is the default of `IntervalStyle`: `1 year 2 mons`, `1 day 02:03:04.5678`.
pub(crate) fn text(months: i32, days: i32, micros: i64) -> String {
    spelled(months, days, micros, ["year", "mon", "day"], true)
}

/// An interval as DuckDB's casts write it: `1 year 2 months`, `2 days 01:01:00`.
pub(crate) fn duckdb_text(months: i32, days: i32, micros: i64) -> String {
    spelled(months, days, micros, ["year", "month", "day"], false)
}

fn spelled(months: i32, days: i32, micros: i64, names: [&str; 3], signs: bool) -> String {
    let mut text = String::new();
    let mut negative = false;
    for (value, name) in [months / 12, months % 12, days].into_iter().zip(names) {
        if value == 0 {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        if signs && negative && value > 0 {
            text.push('+');
        }
        // PostgreSQL writes `-1 years`, DuckDB `-1 year`.
        let one = value == 1 || (!signs && value == -1);
        // Writing to a String cannot fail.
        let _ = write!(text, "{value} {name}{}", if one { "" } else { "s" });
        negative = value < 0;
    }
    if micros == 0 && !text.is_empty() {
        return text;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    if micros < 0 {
        text.push('-');
    } else if signs && negative {
        text.push('+');
    }
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let _ = write!(text, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests;

//! Texts as intervals, as PostgreSQL's 8.5.4 and Redshift's documentation have them: quantities with units, SQL's
//! standard forms (`1-2`, `1 2:03:04`), ISO 8601's with designators, and numbers alone, whose unit the qualifier tells.

use super::{DAY_US, Field, Parts, Qualifier, out_of_range};
use crate::error::{Error, ErrorKind, Result};

/// A number of a text, exactly: its digits before the point, and the fraction as numerator and denominator.
#[derive(Debug, Clone, Copy)]
struct Number {
    negative: bool,
    whole: i64,
    fraction: (i128, i128),
}

/// The most digits of a fraction that are looked at.
const MOST_FRACTION: usize = 15;

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
            || digits.len() <= 1 && whole.is_empty()
        {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fraction = &fraction[..fraction.len().min(MOST_FRACTION)];
        let numerator = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        Some(Self { negative, whole, fraction: (numerator, 10_i128.pow(fraction.len() as u32)) })
    }

    /// So many times a unit; what is less than one is cut.
    fn times(self, unit: i64) -> Option<i64> {
        let (numerator, denominator) = self.fraction;
        let value = i128::from(self.whole) * i128::from(unit) + numerator * i128::from(unit) / denominator;
        i64::try_from(if self.negative { -value } else { value }).ok()
    }

    /// Years and the like as months, to the nearest.
    fn months(self, unit: i64) -> Option<i64> {
        let (numerator, denominator) = self.fraction;
        let part = (numerator * i128::from(unit) * 2 + denominator) / (denominator * 2);
        let value = i128::from(self.whole) * i128::from(unit) + part;
        i64::try_from(if self.negative { -value } else { value }).ok()
    }
}

/// What a word of a text counts.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// So many months.
    Months(i64),
    /// So many microseconds.
    Micros(i64),
}

impl Unit {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "millennium" | "millennia" | "mil" | "mils" => Self::Months(12_000),
            "century" | "centuries" | "cent" | "c" => Self::Months(1_200),
            "decade" | "decades" | "dec" | "decs" => Self::Months(120),
            "year" | "years" | "yr" | "yrs" | "y" => Self::Months(12),
            "month" | "months" | "mon" | "mons" => Self::Months(1),
            "week" | "weeks" | "w" => Self::Micros(7 * DAY_US),
            "day" | "days" | "d" => Self::Micros(DAY_US),
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Micros(Field::Hour.micros()),
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Micros(Field::Minute.micros()),
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Micros(Field::Second.micros()),
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => Self::Micros(1_000),
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" => Self::Micros(1),
            _ => return None,
        })
    }

    fn of_field(field: Field) -> Self {
        match field {
            Field::Year => Self::Months(12),
            Field::Month => Self::Months(1),
            shorter => Self::Micros(shorter.micros()),
        }
    }
}

/// Why a text is no interval.
enum Failure {
    Form,
    Range,
}

/// The value of a text under a qualifier, which tells what numbers alone count, not yet cut to it.
///
/// # Errors
/// `InvalidDateTime` for what is no interval; `DateTimeOverflow`.
pub(crate) fn parse(text: &str, qualifier: Qualifier) -> Result<Parts> {
    read(text, qualifier).map_err(|failure| match failure {
        Failure::Range => out_of_range(),
        Failure::Form => {
            Error::new(ErrorKind::InvalidDateTime, format!("invalid input syntax for type interval: \"{text}\""))
        }
    })
}

fn read(text: &str, qualifier: Qualifier) -> std::result::Result<Parts, Failure> {
    let lower = text.trim().to_ascii_lowercase();
    if let Some(designated) = lower.strip_prefix('p') {
        return iso(designated);
    }
    let mut words: Vec<&str> = lower.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()).collect();
    if words.first() == Some(&"@") {
        words.remove(0);
    }
    let ago = words.last() == Some(&"ago");
    if ago {
        words.pop();
    }
    if words.is_empty() {
        return Err(Failure::Form);
    }
    let mut sum = Sum::default();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let next = words.get(at + 1).copied();
        at += 1 + sum.word(word, next, qualifier)?;
    }
    let parts = sum.0;
    if !ago {
        return Ok(parts);
    }
    let negated = parts.months.checked_neg().zip(parts.micros.checked_neg());
    negated.map(|(months, micros)| Parts { months, micros }).ok_or(Failure::Range)
}

#[derive(Default)]
struct Sum(Parts);

impl Sum {
    fn add(&mut self, number: Number, unit: Unit) -> std::result::Result<(), Failure> {
        let sum = &mut self.0;
        match unit {
            // Of a month nothing less is kept.
            Unit::Months(1) => {
                let months = number.times(1);
                sum.months = months.and_then(|months| sum.months.checked_add(months)).ok_or(Failure::Range)?;
            }
            Unit::Months(unit) => {
                let months = number.months(unit);
                sum.months = months.and_then(|months| sum.months.checked_add(months)).ok_or(Failure::Range)?;
            }
            Unit::Micros(unit) => {
                let micros = number.times(unit);
                sum.micros = micros.and_then(|micros| sum.micros.checked_add(micros)).ok_or(Failure::Range)?;
            }
        }
        Ok(())
    }

    /// Adds what a word says; how many of the following words it took.
    fn word(&mut self, word: &str, next: Option<&str>, qualifier: Qualifier) -> std::result::Result<usize, Failure> {
        if word.contains(':') {
            self.clock(word, qualifier)?;
            return Ok(0);
        }
        if let Some((years, months)) = year_month(word) {
            self.add(years, Unit::Months(12))?;
            self.add(months, Unit::Months(1))?;
            return Ok(0);
        }
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (digits, unit) = word.split_at(end);
        let number = Number::parse(digits).ok_or(Failure::Form)?;
        if !unit.is_empty() {
            self.add(number, Unit::of(unit).ok_or(Failure::Form)?)?;
            return Ok(0);
        }
        match next {
            Some(next) if next.contains(':') => self.add(number, Unit::Micros(DAY_US)).map(|()| 0),
            Some(next) => self.add(number, Unit::of(next).ok_or(Failure::Form)?).map(|()| 1),
            None => self.add(number, Unit::of_field(qualifier.last)).map(|()| 0),
        }
    }

    /// `1:2:3.4`; two numbers are hours and minutes, or minutes and seconds where the qualifier has no hours.
    fn clock(&mut self, word: &str, qualifier: Qualifier) -> std::result::Result<(), Failure> {
        let (negative, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        let parts: Vec<&str> = digits.split(':').collect();
        let fields: &[Field] = match parts.as_slice() {
            [_, last] if qualifier.first == Field::Minute || last.contains('.') => &[Field::Minute, Field::Second],
            [_, _] => &[Field::Hour, Field::Minute],
            [_, _, _] => &[Field::Hour, Field::Minute, Field::Second],
            _ => return Err(Failure::Form),
        };
        for (at, (part, field)) in parts.iter().zip(fields).enumerate() {
            let is_plain = part.starts_with(|c: char| c.is_ascii_digit());
            let number = Number::parse(part).filter(|_| is_plain).ok_or(Failure::Form)?;
            if at > 0 && number.whole >= 60 {
                return Err(Failure::Range);
            }
            if *field != Field::Second && number.fraction.1 > 1 {
                return Err(Failure::Form);
            }
            self.add(Number { negative, ..number }, Unit::of_field(*field))?;
        }
        Ok(())
    }
}

/// `1-2`, `-1-2`: years and months.
fn year_month(word: &str) -> Option<(Number, Number)> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let (years, months) = digits.split_once('-')?;
    let whole = |text: &str| Number::parse(text).filter(|number| number.fraction.1 == 1 && !number.negative);
    let (years, months) = (whole(years)?, whole(months).filter(|months| months.whole < 12)?);
    Some((Number { negative, ..years }, Number { negative, ..months }))
}

/// What follows the `P` of `P1Y2M3DT4H5M6.7S`.
fn iso(text: &str) -> std::result::Result<Parts, Failure> {
    let mut sum = Sum::default();
    let (mut rest, mut in_time) = (text, false);
    if rest.is_empty() {
        return Err(Failure::Form);
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('t').filter(|_| !in_time) {
            (rest, in_time) = (time, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or(Failure::Form)?;
        let number = Number::parse(&rest[..end]).ok_or(Failure::Form)?;
        let unit = match (&rest[end..=end], in_time) {
            ("y", false) => Unit::Months(12),
            ("m", false) => Unit::Months(1),
            ("w", false) => Unit::Micros(7 * DAY_US),
            ("d", false) => Unit::Micros(DAY_US),
            ("h", true) => Unit::of_field(Field::Hour),
            ("m", true) => Unit::of_field(Field::Minute),
            ("s", true) => Unit::of_field(Field::Second),
            _ => return Err(Failure::Form),
        };
        sum.add(number, unit)?;
        rest = &rest[end + 1..];
    }
    Ok(sum.0)
}

//! Texts as intervals, as PostgreSQL's 8.5.4 and Redshift's documentation have them: quantities with units, SQL's
//! standard forms (`1-2`, `1 2:03:04`), ISO 8601's with designators, and numbers alone, whose unit the qualifier tells;
//! without one they are seconds, and parts of months and weeks become days.

use super::{DAY_US, Field, MONTH_DAYS, Parts, Qualifier, out_of_range};
use crate::error::{Error, ErrorKind, Result};
use arrow::datatypes::IntervalMonthDayNano;

/// A number of a text, exactly: its digits before the point, and the fraction as numerator and denominator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    negative: bool,
    whole: i64,
    fraction: (i128, i128),
}

/// The most digits of a fraction that are looked at.
const MOST_FRACTION: usize = 15;

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
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
    pub(super) fn times(self, unit: i64) -> Option<i64> {
        let (numerator, denominator) = self.fraction;
        let value = i128::from(self.whole) * i128::from(unit) + numerator * i128::from(unit) / denominator;
        i64::try_from(if self.negative { -value } else { value }).ok()
    }

    /// The same to the nearest.
    fn nearest(self, unit: i64) -> Option<i64> {
        let (numerator, denominator) = self.fraction;
        let part = (numerator * i128::from(unit) * 2 + denominator) / (denominator * 2);
        let value = i128::from(self.whole) * i128::from(unit) + part;
        i64::try_from(if self.negative { -value } else { value }).ok()
    }
}

/// What a word of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many months.
    Months(i64),
    /// So many days.
    Days(i64),
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
            "week" | "weeks" | "w" => Self::Days(7),
            "day" | "days" | "d" => Self::Days(1),
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Micros(Field::Hour.micros()),
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Micros(Field::Minute.micros()),
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Micros(Field::Second.micros()),
            "millisecond" | "milliseconds" | "msecond" | "mseconds" | "msec" | "msecs" | "ms" => Self::Micros(1_000),
            "microsecond" | "microseconds" | "usecond" | "useconds" | "usec" | "usecs" | "us" => Self::Micros(1),
            _ => return None,
        })
    }

    fn of_field(field: Field) -> Self {
        match field {
            Field::Year => Self::Months(12),
            Field::Month => Self::Months(1),
            Field::Day => Self::Days(1),
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
    read(text, Some(qualifier)).and_then(Sum::parts).map_err(|failure| failure.of(text))
}

/// The value of a text without a qualifier, as PostgreSQL has it: days are kept apart from the times of a day.
///
/// # Errors
/// `InvalidDateTime` for what is no interval; `DateTimeOverflow`.
pub(crate) fn parse_unqualified(text: &str) -> Result<IntervalMonthDayNano> {
    read(text, None).and_then(Sum::general).map_err(|failure| failure.of(text))
}

impl Failure {
    fn of(self, text: &str) -> Error {
        match self {
            Self::Range => out_of_range(),
            Self::Form => {
                Error::new(ErrorKind::InvalidDateTime, format!("invalid input syntax for type interval: \"{text}\""))
            }
        }
    }
}

fn read(text: &str, qualifier: Option<Qualifier>) -> std::result::Result<Sum, Failure> {
    let lower = text.trim().to_ascii_lowercase();
    let mut sum = Sum::new(qualifier);
    if let Some(designated) = lower.strip_prefix('p') {
        sum.iso(designated)?;
        return Ok(sum);
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
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let next = words.get(at + 1).copied();
        at += 1 + sum.word(word, next)?;
    }
    if ago { sum.negated().ok_or(Failure::Range) } else { Ok(sum) }
}

/// What the words of a text say so far.
struct Sum {
    qualifier: Option<Qualifier>,
    months: i64,
    days: i64,
    micros: i64,
    /// The units of which it has a number; each comes once.
    told: Vec<Unit>,
}

impl Sum {
    fn new(qualifier: Option<Qualifier>) -> Self {
        Self { qualifier, months: 0, days: 0, micros: 0, told: Vec::new() }
    }

    /// A day being 24 hours.
    fn parts(self) -> std::result::Result<Parts, Failure> {
        let micros = self.days.checked_mul(DAY_US).and_then(|days| days.checked_add(self.micros));
        Ok(Parts { months: self.months, micros: micros.ok_or(Failure::Range)? })
    }

    fn general(self) -> std::result::Result<IntervalMonthDayNano, Failure> {
        let narrow = |count: i64| i32::try_from(count).map_err(|_| Failure::Range);
        let nanos = self.micros.checked_mul(1_000).ok_or(Failure::Range)?;
        Ok(IntervalMonthDayNano::new(narrow(self.months)?, narrow(self.days)?, nanos))
    }

    fn negated(mut self) -> Option<Self> {
        self.months = self.months.checked_neg()?;
        self.days = self.days.checked_neg()?;
        self.micros = self.micros.checked_neg()?;
        Some(self)
    }

    fn tell(&mut self, unit: Unit) -> std::result::Result<(), Failure> {
        if self.told.contains(&unit) {
            return Err(Failure::Form);
        }
        self.told.push(unit);
        Ok(())
    }

    fn add(&mut self, number: Number, unit: Unit) -> std::result::Result<(), Failure> {
        self.added(number, unit).ok_or(Failure::Range)
    }

    fn added(&mut self, number: Number, unit: Unit) -> Option<()> {
        let is_qualified = self.qualifier.is_some();
        let (whole, part) = (Number { fraction: (0, 1), ..number }, Number { whole: 0, ..number });
        let micros = |number: Number, unit: i64| if is_qualified { number.times(unit) } else { number.nearest(unit) };
        let (months, days, rest) = match unit {
            // Of a month a qualified interval keeps nothing less.
            Unit::Months(1) if is_qualified => (whole.times(1)?, 0, 0),
            Unit::Months(1) => (whole.times(1)?, 0, part.nearest(MONTH_DAYS * DAY_US)?),
            Unit::Months(unit) => (number.nearest(unit)?, 0, 0),
            Unit::Days(unit) => (0, whole.times(unit)?, micros(part, unit * DAY_US)?),
            Unit::Micros(unit) => {
                self.micros = self.micros.checked_add(micros(number, unit)?)?;
                return Some(());
            }
        };
        self.months = self.months.checked_add(months)?;
        self.days = self.days.checked_add(days)?.checked_add(rest / DAY_US)?;
        self.micros = self.micros.checked_add(rest % DAY_US)?;
        Some(())
    }

    /// Adds a number whose unit has none yet.
    fn tell_and_add(&mut self, number: Number, unit: Unit) -> std::result::Result<(), Failure> {
        self.tell(unit)?;
        self.add(number, unit)
    }

    /// Adds what a word says; how many of the following words it took.
    fn word(&mut self, word: &str, next: Option<&str>) -> std::result::Result<usize, Failure> {
        if word.contains(':') {
            self.clock(word)?;
            return Ok(0);
        }
        if let Some((years, months)) = year_month(word) {
            self.tell_and_add(years, Unit::of_field(Field::Year))?;
            self.tell_and_add(months, Unit::of_field(Field::Month))?;
            return Ok(0);
        }
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (digits, unit) = word.split_at(end);
        let number = Number::parse(digits).ok_or(Failure::Form)?;
        if !unit.is_empty() {
            self.tell_and_add(number, Unit::of(unit).ok_or(Failure::Form)?)?;
            return Ok(0);
        }
        match next {
            Some(next) if next.contains(':') => self.tell_and_add(number, Unit::of_field(Field::Day)).map(|()| 0),
            Some(next) => self.tell_and_add(number, Unit::of(next).ok_or(Failure::Form)?).map(|()| 1),
            None => {
                let field = self.qualifier.map_or(Field::Second, |qualifier| qualifier.last);
                self.tell_and_add(number, Unit::of_field(field)).map(|()| 0)
            }
        }
    }

    /// `1:2:3.4`; two numbers are hours and minutes, or minutes and seconds where the qualifier has no hours.
    fn clock(&mut self, word: &str) -> std::result::Result<(), Failure> {
        let (negative, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        let has_no_hours = self.qualifier.is_some_and(|qualifier| qualifier.first == Field::Minute);
        let parts: Vec<&str> = digits.split(':').collect();
        let fields: &[Field] = match parts.as_slice() {
            [_, last] if has_no_hours || last.contains('.') => &[Field::Minute, Field::Second],
            [_, _] => &[Field::Hour, Field::Minute],
            [_, _, _] => &[Field::Hour, Field::Minute, Field::Second],
            _ => return Err(Failure::Form),
        };
        for field in [Field::Hour, Field::Minute, Field::Second] {
            self.tell(Unit::of_field(field))?;
        }
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

    /// Adds what follows the `P` of `P1Y2M3DT4H5M6.7S`.
    fn iso(&mut self, text: &str) -> std::result::Result<(), Failure> {
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
                ("y", false) => Unit::of_field(Field::Year),
                ("m", false) => Unit::of_field(Field::Month),
                ("w", false) => Unit::Days(7),
                ("d", false) => Unit::of_field(Field::Day),
                ("h", true) => Unit::of_field(Field::Hour),
                ("m", true) => Unit::of_field(Field::Minute),
                ("s", true) => Unit::of_field(Field::Second),
                _ => return Err(Failure::Form),
            };
            self.add(number, unit)?;
            rest = &rest[end + 1..];
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

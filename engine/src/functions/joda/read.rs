//! Texts as moments.
//!
//! A pattern's pieces are read one after another. What they say is then put together from the longest time to the
//! shortest, whichever order they stand in, so that of two that say the same the latter counts; what none says is as in
//! 1970-01-01 00:00:00, or in the year 2000 where there are months or days without a year (Joda-Time's
//! `DateTimeParserBucket`).

use super::{Field, Pattern, Piece, SHORT};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::Zone;
use chrono::{DateTime, Datelike, Days, IsoWeek, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Short names of zones that are read; what they are, whatever the season.
const ZONES: [(&str, Tz); 11] = [
    ("UTC", Tz::UTC),
    ("UT", Tz::UTC),
    ("GMT", Tz::UTC),
    ("EST", Tz::America__New_York),
    ("EDT", Tz::America__New_York),
    ("CST", Tz::America__Chicago),
    ("CDT", Tz::America__Chicago),
    ("MST", Tz::America__Denver),
    ("MDT", Tz::America__Denver),
    ("PST", Tz::America__Los_Angeles),
    ("PDT", Tz::America__Los_Angeles),
];

/// The year of days and months without one.
const YEAR_OF_DAYS: i32 = 2000;

impl Pattern {
    /// A moment as clocks show it, and the zone that the text names.
    ///
    /// # Errors
    /// `InvalidText` where the text is not as the pattern says, or a number is out of its range.
    pub(in crate::functions) fn read(&self, text: &str) -> Result<(NaiveDateTime, Option<Zone>)> {
        let mut reader = Reader { text, at: 0, said: Vec::new(), zone: None };
        for piece in &self.pieces {
            reader.piece(piece).ok_or_else(|| reader.malformed())?;
        }
        if reader.at < text.len() {
            return Err(reader.malformed());
        }
        let moment = put_together(reader.said)
            .map_err(|reason| Error::new(ErrorKind::InvalidText, format!("cannot parse \"{text}\": {reason}")))?;
        Ok((moment, reader.zone))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    said: Vec<(Field, i32)>,
    zone: Option<Zone>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn malformed(&self) -> Error {
        let reason = match self.rest() {
            _ if self.at == 0 => String::new(),
            "" => " is too short".to_owned(),
            rest => format!(" is malformed at \"{rest}\""),
        };
        Error::new(ErrorKind::InvalidText, format!("invalid format: \"{}\"{reason}", self.text))
    }

    /// Takes what a piece stands for; None where the text has something else, which then is what comes next.
    fn piece(&mut self, piece: &Piece) -> Option<()> {
        match piece {
            Piece::Literal(literal) => self.skip(literal),
            Piece::Number(field, _, most) => {
                let number = self.number(*field, *most)?;
                self.said.push((*field, number));
                Some(())
            }
            Piece::TwoDigits(field, pivot, is_lenient) => {
                let year = self.two_digits(*pivot, *is_lenient)?;
                self.said.push((*field, year));
                Some(())
            }
            Piece::Fraction(_, most) => {
                let digits = self.digits(*most)?;
                let milliseconds = format!("{digits:0<3}")[..3].parse().ok()?;
                self.said.push((Field::Millisecond, milliseconds));
                Some(())
            }
            Piece::Name(field, _) => self.name(*field),
            Piece::ZoneName(_) => {
                let (name, zone) = ZONES.iter().find(|(name, _)| self.rest().starts_with(name))?;
                self.at += name.len();
                self.zone = Some(Zone::Named(*zone));
                Some(())
            }
            Piece::ZoneId => {
                let known = TZ_VARIANTS.iter().filter(|zone| self.rest().starts_with(zone.name()));
                let zone = known.max_by_key(|zone| zone.name().len())?;
                self.at += zone.name().len();
                self.zone = Some(Zone::Named(*zone));
                Some(())
            }
            Piece::Offset(_) => self.offset(),
        }
    }

    /// Passes over a text in whichever case.
    fn skip(&mut self, wanted: &str) -> Option<()> {
        let mut chars = self.rest().chars();
        for wanted in wanted.chars() {
            let found = chars.next()?;
            if found != wanted && !found.to_lowercase().eq(wanted.to_lowercase()) {
                return None;
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        Some(())
    }

    /// Takes digits, at least one and at most so many.
    fn digits(&mut self, most: usize) -> Option<&'a str> {
        let count = self.rest().bytes().take(most).take_while(u8::is_ascii_digit).count();
        let digits = &self.rest()[..count];
        self.at += count;
        (count > 0).then_some(digits)
    }

    fn number(&mut self, field: Field, most: usize) -> Option<i32> {
        let begin = self.at;
        let is_signed = field.is_signed() && self.rest().starts_with(['+', '-']);
        self.at += usize::from(is_signed);
        let number = self.digits(most).and_then(|_| self.text[begin..self.at].parse().ok());
        if number.is_none() {
            self.at = begin;
        }
        number
    }

    fn two_digits(&mut self, pivot: i32, is_lenient: bool) -> Option<i32> {
        let begin = self.at;
        let is_signed = is_lenient && self.rest().starts_with(['+', '-']);
        self.at += usize::from(is_signed);
        let digits = self.digits(if is_lenient { 9 } else { 2 }).map(str::len);
        let number: Option<i32> = digits.and_then(|_| self.text[begin..self.at].parse().ok());
        match (number, digits) {
            (Some(number), Some(2)) if !is_signed => {
                let first = pivot - 50;
                Some(first + (number - first).rem_euclid(100))
            }
            (Some(number), Some(_)) if is_lenient => Some(number),
            _ => {
                self.at = begin;
                None
            }
        }
    }

    /// Takes the longest of a field's names, or of their first letters, in whichever case.
    fn name(&mut self, field: Field) -> Option<()> {
        let rest = self.rest();
        let is_next = |name: &str| rest.get(..name.len()).is_some_and(|next| next.eq_ignore_ascii_case(name));
        let found = field.named().filter_map(|value| {
            let name = field.name(value);
            let length = [name, &name[..name.len().min(SHORT)]].into_iter().find(|name| is_next(name))?.len();
            Some((length, value))
        });
        let (length, value) = found.max()?;
        self.at += length;
        self.said.push((field, value));
        Some(())
    }

    /// Takes `Z`, or a sign, two digits of hours and perhaps two of minutes.
    fn offset(&mut self) -> Option<()> {
        let rest = self.rest();
        if rest.starts_with(['Z', 'z']) {
            self.at += 1;
            self.zone = Some(Zone::UTC);
            return Some(());
        }
        let two = |at: usize| {
            let digits = rest.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<i32>().ok()
        };
        let sign = if rest.starts_with('-') { -1 } else { 1 };
        let hours = two(1).filter(|hours| rest.starts_with(['+', '-']) && *hours < 24)?;
        let has_colon = rest[3..].starts_with(':');
        let has_minutes = has_colon || rest[3..].starts_with(|c: char| c.is_ascii_digit());
        let minutes = if has_minutes { two(3 + usize::from(has_colon)).filter(|minutes| *minutes < 60)? } else { 0 };
        self.at += 3 + usize::from(has_colon) + 2 * usize::from(has_minutes);
        self.zone = Some(Zone::Fixed(sign * (hours * 3600 + minutes * 60)));
        Some(())
    }
}

/// The place of a field among those that a moment is put together from.
fn rank(field: Field) -> usize {
    match field {
        Field::Era => 0,
        Field::Century => 1,
        Field::YearOfEra | Field::Year | Field::Weekyear => 2,
        Field::Month => 3,
        Field::Week => 4,
        Field::DayOfYear => 5,
        Field::Day => 6,
        Field::DayOfWeek => 7,
        Field::HalfDay => 8,
        Field::Hour | Field::ClockHour => 9,
        Field::HalfHour | Field::HalfClockHour => 10,
        Field::Minute => 11,
        Field::Second => 12,
        Field::Millisecond => 13,
    }
}

/// The moment of which this is said, or what is out of range.
fn put_together(mut said: Vec<(Field, i32)>) -> std::result::Result<NaiveDateTime, String> {
    said.sort_by_key(|(field, _)| rank(*field));
    let is_of_days = |(field, _): &(Field, i32)| (rank(Field::Month)..=rank(Field::DayOfWeek)).contains(&rank(*field));
    if said.first().is_some_and(is_of_days) {
        said.insert(0, (Field::Year, YEAR_OF_DAYS));
    }
    let mut at = DateTime::UNIX_EPOCH.naive_utc();
    for (field, value) in &said {
        at = floor(set(at, *field, *value)?, *field);
    }
    // Once more: a field that came later may have moved what an earlier one said.
    for (field, value) in &said {
        at = set(at, *field, *value)?;
    }
    Ok(said.last().map_or(at, |(field, _)| floor(at, *field)))
}

/// A moment with another value of a field.
fn set(at: NaiveDateTime, field: Field, value: i32) -> std::result::Result<NaiveDateTime, String> {
    let (date, time) = (at.date(), at.time());
    let on = |date: Option<NaiveDate>| {
        date.map(|date| date.and_time(time)).ok_or_else(|| format!("{value} is beyond the calendar"))
    };
    let within = |name: &str, least: u32, most: u32| match u32::try_from(value) {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("value {value} for {name} must be in the range [{least},{most}]")),
    };
    let of_year = |year: i32, month: u32| {
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        first.with_day(date.day().min(u32::from(first.num_days_in_month())))
    };
    let in_half = |hour: u32| at.hour() / 12 * 12 + hour;
    let clock = |time: Option<NaiveTime>| Ok(date.and_time(time.unwrap_or(at.time())));
    match field {
        Field::Era => on(of_year(if (value == 1) == (at.year() > 0) { at.year() } else { -at.year() }, at.month())),
        Field::Century => on(of_year(value.saturating_mul(100).saturating_add(at.year() % 100), at.month())),
        Field::YearOfEra => on(of_year(if at.year() > 0 { value } else { 1 - value }, at.month())),
        Field::Year => on(of_year(value, at.month())),
        Field::Weekyear => {
            let week = date.iso_week().week();
            let of = |week| NaiveDate::from_isoywd_opt(value, week, date.weekday());
            on(of(week).or_else(|| of(week - 1)))
        }
        Field::Month => on(of_year(at.year(), within("monthOfYear", 1, 12)?)),
        Field::Week => {
            let week = date.iso_week();
            let wanted = within("weekOfWeekyear", 1, weeks_of(week))?;
            on(NaiveDate::from_isoywd_opt(week.year(), wanted, date.weekday()))
        }
        Field::DayOfYear => {
            let most = if date.leap_year() { 366 } else { 365 };
            on(date.with_ordinal(within("dayOfYear", 1, most)?))
        }
        Field::Day => on(date.with_day(within("dayOfMonth", 1, u32::from(date.num_days_in_month()))?)),
        Field::DayOfWeek => {
            let days = within("dayOfWeek", 1, 7)? - 1;
            on(monday(date).checked_add_days(Days::new(u64::from(days))))
        }
        Field::HalfDay => clock(time.with_hour(at.hour() % 12 + 12 * within("halfdayOfDay", 0, 1)?)),
        Field::Hour => clock(time.with_hour(within("hourOfDay", 0, 23)?)),
        Field::ClockHour => clock(time.with_hour(within("clockhourOfDay", 1, 24)? % 24)),
        Field::HalfHour => clock(time.with_hour(in_half(within("hourOfHalfday", 0, 11)?))),
        Field::HalfClockHour => clock(time.with_hour(in_half(within("clockhourOfHalfday", 1, 12)? % 12))),
        Field::Minute => clock(time.with_minute(within("minuteOfHour", 0, 59)?)),
        Field::Second => clock(time.with_second(within("secondOfMinute", 0, 59)?)),
        Field::Millisecond => clock(time.with_nanosecond(within("millisOfSecond", 0, 999)? * 1_000_000)),
    }
}

fn weeks_of(week: IsoWeek) -> u32 {
    if NaiveDate::from_isoywd_opt(week.year(), 53, Weekday::Mon).is_some() { 53 } else { 52 }
}

fn monday(date: NaiveDate) -> NaiveDate {
    date.week(Weekday::Mon).checked_first_day().unwrap_or(date)
}

/// Where a field's value began.
fn floor(at: NaiveDateTime, field: Field) -> NaiveDateTime {
    let date = at.date();
    let day = |date: Option<NaiveDate>| date.map_or(at, |date| date.and_time(NaiveTime::MIN));
    let clock = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).map_or(at, |time| date.and_time(time));
    match field {
        Field::Era | Field::Millisecond => at,
        Field::Century => day(NaiveDate::from_ymd_opt(date.year().div_euclid(100) * 100, 1, 1)),
        Field::YearOfEra | Field::Year => day(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        Field::Weekyear => day(NaiveDate::from_isoywd_opt(date.iso_week().year(), 1, Weekday::Mon)),
        Field::Month => day(date.with_day(1)),
        Field::Week => day(Some(monday(date))),
        Field::DayOfYear | Field::Day | Field::DayOfWeek => day(Some(date)),
        Field::HalfDay => clock(at.hour() / 12 * 12, 0),
        Field::Hour | Field::ClockHour | Field::HalfHour | Field::HalfClockHour => clock(at.hour(), 0),
        Field::Minute => clock(at.hour(), at.minute()),
        Field::Second => at.with_nanosecond(0).unwrap_or(at),
    }
}

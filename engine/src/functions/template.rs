//! Templates of dates as PostgreSQL and Redshift have them (`YYYY-MM-DD HH24:MI:SS`), for writing and for reading.

use super::parts::{SECOND_US, micros_of};
use crate::error::{Error, ErrorKind, Result};
use chrono::{Datelike, Days, Month, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// What a moment's zone is called, and what it is from UTC.
pub(super) struct ZoneWords {
    pub(super) abbreviation: String,
    pub(super) offset: String,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    what: What,
    /// Neither blanks nor zeros fill it up (`FM`).
    fill: bool,
    /// The ending of an ordinal number: `TH`, `th`.
    ordinal: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Literal(String),
    /// A pattern in its own spelling, whose case matters for names.
    Field(&'static str, Case),
}

/// How a name's letters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Capital,
    Lower,
}

/// The patterns, the longer before those they begin with.
const FIELDS: [&str; 46] = [
    "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "IW", "ID", "I", "CC", "Q", "MONTH", "MON", "MM",
    "MI", "MS", "RM", "WW", "W", "DAY", "DDD", "DD", "DY", "D", "J", "HH24", "HH12", "HH", "SSSSS", "SSSS", "SS", "US",
    "A.M.", "P.M.", "AM", "PM", "B.C.", "A.D.", "BC", "AD", "TZ", "OF", "FF",
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// The months' names, from January on.
fn months() -> [&'static str; 12] {
    std::array::from_fn(|at| Month::try_from(at as u8 + 1).map_or("", |month| month.name()))
}

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Takes a template apart; what is no pattern stands for itself.
    pub(super) fn parse(text: &str) -> Self {
        let (mut pieces, mut rest, mut fill) = (Vec::new(), text, true);
        while let Some(first) = rest.chars().next() {
            let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            if starts("FM") {
                fill = false;
                rest = &rest[2..];
                continue;
            }
            if first == '"' {
                let end = rest[1..].find('"').map_or(rest.len(), |at| at + 1);
                pieces.push(Piece { what: What::Literal(rest[1..end].to_owned()), fill, ordinal: None });
                rest = rest.get(end + 1..).unwrap_or_default();
                continue;
            }
            let Some(field) = FIELDS.iter().find(|field| starts(field)) else {
                pieces.push(Piece { what: What::Literal(first.to_string()), fill, ordinal: None });
                rest = &rest[first.len_utf8()..];
                continue;
            };
            let spelled = &rest[..field.len()];
            let case = match spelled.as_bytes() {
                [a, b, ..] if a.is_ascii_uppercase() && b.is_ascii_lowercase() => Case::Capital,
                [a, ..] if a.is_ascii_lowercase() => Case::Lower,
                _ => Case::Upper,
            };
            rest = &rest[field.len()..];
            let ordinal = match rest.get(..2) {
                Some("TH") => Some("TH"),
                Some("th") => Some("th"),
                _ => None,
            };
            rest = &rest[ordinal.map_or(0, str::len)..];
            pieces.push(Piece { what: What::Field(field, case), fill, ordinal });
            // PostgreSQL's FM is for the next pattern only.
            fill = true;
        }
        Self { pieces }
    }

    /// Writes a moment.
    pub(super) fn write(&self, moment: NaiveDateTime, zone: Option<&ZoneWords>) -> String {
        let mut made = String::new();
        for piece in &self.pieces {
            match &piece.what {
                What::Literal(text) => made.push_str(text),
                What::Field(field, case) => {
                    let written = write_field(field, *case, piece.fill, moment, zone);
                    let number = written.trim().parse::<i64>();
                    made.push_str(&written);
                    if let (Some(ending), Ok(number)) = (piece.ordinal, number) {
                        let suffix = ordinal_suffix(number);
                        made.push_str(&if ending == "TH" { suffix.to_uppercase() } else { suffix.to_owned() });
                    }
                }
            }
        }
        made
    }

    /// Reads a moment, in microseconds. Days that a month lacks and hours that a day lacks go on into the next one, unless it
    /// is to be strict.
    ///
    /// # Errors
    /// `InvalidText` where the text does not have what the template says, or no such day exists.
    pub(super) fn read(&self, text: &str, strict: bool) -> Result<i64> {
        let mut found = Found::default();
        let mut rest = text.trim_start();
        for (at, piece) in self.pieces.iter().enumerate() {
            match &piece.what {
                What::Literal(literal) => {
                    let blank = literal.trim().is_empty();
                    let trimmed = rest.trim_start();
                    if blank {
                        rest = trimmed;
                    } else if let Some(after) = trimmed.strip_prefix(literal.as_str()) {
                        rest = after;
                    } else if let Some(c) = trimmed.chars().next().filter(|c| !c.is_alphanumeric()) {
                        // One separator is as good as another.
                        rest = &trimmed[c.len_utf8()..];
                    }
                }
                What::Field(field, _) => {
                    rest = rest.trim_start();
                    if rest.is_empty() {
                        break;
                    }
                    let next_is_field = matches!(self.pieces.get(at + 1), Some(Piece { what: What::Field(..), .. }));
                    rest = found.read(field, rest, next_is_field && piece.fill).ok_or_else(|| {
                        let message = format!("\"{text}\" does not fit the template at \"{field}\"");
                        Error::new(ErrorKind::InvalidText, message)
                    })?;
                    if piece.ordinal.is_some() {
                        rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
                    }
                }
            }
        }
        found.moment(strict).ok_or_else(|| {
            Error::new(ErrorKind::InvalidText, format!("date/time field value out of range: \"{text}\""))
        })
    }
}

fn ordinal_suffix(number: i64) -> &'static str {
    match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn write_field(field: &str, case: Case, fill: bool, moment: NaiveDateTime, zone: Option<&ZoneWords>) -> String {
    let number = |value: i64, width: usize| if fill { format!("{value:0width$}") } else { value.to_string() };
    let name = |name: &str, width: usize| {
        let cased = match case {
            Case::Upper => name.to_uppercase(),
            Case::Capital => name.to_owned(),
            Case::Lower => name.to_lowercase(),
        };
        if fill { format!("{cased:width$}") } else { cased }
    };
    let year = i64::from(moment.year());
    let era = if year > 0 { year } else { 1 - year };
    let iso = i64::from(moment.iso_week().year());
    let hour12 = i64::from((moment.hour() + 11) % 12 + 1);
    let month = months()[moment.month0() as usize];
    let day = DAYS[moment.weekday().num_days_from_sunday() as usize];
    match field {
        "Y,YYY" => {
            let digits = number(era, 4);
            let (thousands, rest) = digits.split_at(digits.len().saturating_sub(3));
            format!("{thousands},{rest}")
        }
        "YYYY" => number(era, 4),
        "YYY" => number(era % 1000, 3),
        "YY" => number(era % 100, 2),
        "Y" => (era % 10).to_string(),
        "IYYY" => number(iso, 4),
        "IYY" => number(iso % 1000, 3),
        "IY" => number(iso % 100, 2),
        "I" => (iso % 10).to_string(),
        "IDDD" => number(i64::from(moment.iso_week().week0() * 7 + moment.weekday().number_from_monday()), 3),
        "IW" => number(i64::from(moment.iso_week().week()), 2),
        "ID" => moment.weekday().number_from_monday().to_string(),
        "CC" => number((era - 1) / 100 + 1, 2),
        "Q" => (moment.month0() / 3 + 1).to_string(),
        "MONTH" => name(month, 9),
        "MON" => name(&month[..3], 3),
        "MM" => number(i64::from(moment.month()), 2),
        "RM" => {
            let roman = ROMAN[moment.month0() as usize];
            let roman = if case == Case::Lower { roman.to_lowercase() } else { roman.to_owned() };
            if fill { format!("{roman:4}") } else { roman }
        }
        "WW" => number(i64::from(moment.ordinal0() / 7 + 1), 2),
        "W" => (moment.day0() / 7 + 1).to_string(),
        "DAY" => name(day, 9),
        "DY" => name(&day[..3], 3),
        "DDD" => number(i64::from(moment.ordinal()), 3),
        "DD" => number(i64::from(moment.day()), 2),
        "D" => (moment.weekday().num_days_from_sunday() + 1).to_string(),
        "J" => (i64::from(moment.num_days_from_ce()) + 1_721_425).to_string(),
        "HH24" => number(i64::from(moment.hour()), 2),
        "HH12" | "HH" => number(hour12, 2),
        "MI" => number(i64::from(moment.minute()), 2),
        "SS" => number(i64::from(moment.second()), 2),
        "MS" => number(i64::from(moment.nanosecond() / 1_000_000), 3),
        "US" | "FF" => number(i64::from(moment.nanosecond() / 1000), 6),
        "SSSS" | "SSSSS" => moment.num_seconds_from_midnight().to_string(),
        "AM" | "PM" => name(if moment.hour() < 12 { "AM" } else { "PM" }, 2),
        "A.M." | "P.M." => name(if moment.hour() < 12 { "A.M." } else { "P.M." }, 4),
        "BC" | "AD" => name(if year > 0 { "AD" } else { "BC" }, 2),
        "B.C." | "A.D." => name(if year > 0 { "A.D." } else { "B.C." }, 4),
        "TZ" => name(zone.map_or("UTC", |zone| zone.abbreviation.as_str()), 0),
        _ => zone.map(|zone| zone.offset.clone()).unwrap_or_default(),
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Found {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    julian: Option<i64>,
    iso: (Option<i32>, Option<u32>, Option<u32>),
    hour: u32,
    afternoon: Option<bool>,
    twelve: bool,
    minute: u32,
    second: u32,
    micros: u32,
    since_midnight: Option<u32>,
    before_christ: bool,
    offset_us: i64,
}

impl Found {
    /// Reads a field from the start of a text, and gives the rest.
    fn read<'t>(&mut self, field: &str, text: &'t str, exact: bool) -> Option<&'t str> {
        // A number with as many digits as the pattern has, where another follows at once.
        let number = |most: usize| -> Option<(i64, &'t str, usize)> {
            let sign = usize::from(text.starts_with(['+', '-']));
            let digits = text[sign..].bytes().take(most).take_while(u8::is_ascii_digit).count();
            let value = text[..sign + digits].trim_start_matches('+').parse().ok()?;
            Some((value, &text[sign + digits..], digits))
        };
        let small = |most: usize| number(most).and_then(|(value, rest, _)| Some((u32::try_from(value).ok()?, rest)));
        let name = |names: &[&str], short: bool| {
            names.iter().position(|name| {
                let wanted = if short { &name[..3] } else { name };
                text.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
            })
        };
        let rest = match field {
            "YYYY" | "Y,YYY" => {
                let (year, rest, _) = number(if exact { 4 } else { 6 })?;
                if field == "Y,YYY" && rest.starts_with(',') {
                    let thousands = year;
                    let end = rest[1..].bytes().take(3).take_while(u8::is_ascii_digit).count() + 1;
                    self.year = Some(thousands * 1000 + rest[1..end].parse::<i64>().ok()?);
                    &rest[end..]
                } else {
                    self.year = Some(year);
                    rest
                }
            }
            "YYY" | "YY" | "Y" => {
                let (year, rest, digits) = number(if exact { field.len() } else { 4 })?;
                // Two digits up to 69 are of this century (PostgreSQL, 9.8).
                self.year = Some(match digits {
                    4.. => year,
                    3 => year + if year < 700 { 2000 } else { 1000 },
                    _ => year + if year < 70 { 2000 } else { 1900 },
                });
                rest
            }
            "IYYY" | "IYY" | "IY" | "I" => {
                let (year, rest, _) = number(4)?;
                self.iso.0 = i32::try_from(year).ok();
                rest
            }
            "IW" => {
                let (week, rest) = small(2)?;
                self.iso.1 = Some(week);
                rest
            }
            "ID" => {
                let (day, rest) = small(1)?;
                self.iso.2 = Some(day);
                rest
            }
            "MONTH" | "MON" => {
                let months = months();
                let at = name(&months, field == "MON").or_else(|| name(&months, true))?;
                self.month = Some(at as u32 + 1);
                let long = months[at];
                let whole = field == "MONTH" && text.get(..long.len()).is_some_and(|t| t.eq_ignore_ascii_case(long));
                &text[if whole { long.len() } else { 3 }..]
            }
            "RM" => {
                let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
                let at = ROMAN.iter().position(|roman| roman.eq_ignore_ascii_case(&text[..length]))?;
                self.month = Some(at as u32 + 1);
                &text[length..]
            }
            "DAY" | "DY" => {
                let at = name(&DAYS, true)?;
                let whole = text.get(..DAYS[at].len()).is_some_and(|t| t.eq_ignore_ascii_case(DAYS[at]));
                &text[if whole && field == "DAY" { DAYS[at].len() } else { 3 }..]
            }
            "AM" | "PM" | "A.M." | "P.M." => {
                self.afternoon = Some(text.starts_with(['p', 'P']));
                text.get(field.len()..)?
            }
            "BC" | "AD" | "B.C." | "A.D." => {
                self.before_christ = text.starts_with(['b', 'B']);
                text.get(field.len()..)?
            }
            "TZ" | "OF" => {
                let end = text.find(char::is_whitespace).unwrap_or(text.len());
                let offset = chrono::DateTime::parse_from_str(
                    &format!("2000-01-01 00:00 {}", &text[..end]),
                    "%Y-%m-%d %H:%M %#z",
                );
                if let Ok(moment) = offset {
                    self.offset_us = i64::from(moment.offset().local_minus_utc()) * 1_000_000;
                }
                &text[end..]
            }
            "J" => {
                let (day, rest, _) = number(9)?;
                self.julian = Some(day);
                rest
            }
            "MS" | "US" | "FF" => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count().min(if field == "MS" { 3 } else { 6 });
                let padded = format!("{:0<6}", &text[..digits]);
                self.micros = padded.parse().ok()?;
                &text[digits..]
            }
            _ => {
                let width = match field {
                    "DDD" | "IDDD" => 3,
                    "Q" | "W" | "D" => 1,
                    "SSSS" | "SSSSS" => 5,
                    _ => 2,
                };
                let (value, rest) = small(width)?;
                let place = match field {
                    "MM" => {
                        self.month = Some(value);
                        return Some(rest);
                    }
                    "DD" => {
                        self.day = Some(value);
                        return Some(rest);
                    }
                    "DDD" => {
                        self.day_of_year = Some(value);
                        return Some(rest);
                    }
                    "SSSS" | "SSSSS" => {
                        self.since_midnight = Some(value);
                        return Some(rest);
                    }
                    "HH24" => &mut self.hour,
                    "HH12" | "HH" => {
                        self.twelve = true;
                        &mut self.hour
                    }
                    "MI" => &mut self.minute,
                    "SS" => &mut self.second,
                    // Quarters, weeks and the like do not say which day it is.
                    _ => return Some(rest),
                };
                *place = value;
                rest
            }
        };
        Some(rest)
    }

    fn date(&self, strict: bool) -> Option<NaiveDate> {
        if let Some(day) = self.julian {
            return NaiveDate::from_num_days_from_ce_opt(i32::try_from(day - 1_721_425).ok()?);
        }
        if let (Some(year), Some(week), day) = self.iso {
            let day = chrono::Weekday::try_from(day.unwrap_or(1).checked_sub(1)? as u8).ok()?;
            return NaiveDate::from_isoywd_opt(year, week, day);
        }
        let year = self.year.or(self.iso.0.map(i64::from)).unwrap_or(1);
        let year = i32::try_from(if self.before_christ { 1 - year } else { year }).ok()?;
        let (month, day) = match (self.day_of_year, self.month) {
            (Some(day), None) if strict => return NaiveDate::from_yo_opt(year, day),
            (Some(day), None) => (1, day),
            (_, month) => (month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if strict {
            return NaiveDate::from_ymd_opt(year, month, day);
        }
        let first = NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_months(Months::new(month.checked_sub(1)?))?;
        first.checked_add_days(Days::new(u64::from(day.checked_sub(1)?)))
    }

    fn moment(&self, strict: bool) -> Option<i64> {
        let hour = match self.afternoon {
            Some(afternoon) if self.twelve || self.hour <= 12 => {
                if self.hour > 12 {
                    return None;
                }
                self.hour % 12 + if afternoon { 12 } else { 0 }
            }
            _ => self.hour,
        };
        let is_time = match self.since_midnight {
            Some(seconds) => seconds < 24 * 3600,
            None => hour < 24 && self.minute < 60 && self.second < 60,
        };
        if strict && !is_time {
            return None;
        }
        let seconds = self.since_midnight.unwrap_or((hour * 60 + self.minute) * 60 + self.second);
        let midnight = micros_of(self.date(strict)?.and_time(NaiveTime::MIN));
        Some(midnight + i64::from(seconds) * SECOND_US + i64::from(self.micros) - self.offset_us)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::functions::parts::moment_of;

    fn at(text: &str) -> i64 {
        crate::load::moment_of(text, false).unwrap()
    }

    // PostgreSQL 15's answers, which Redshift's pages of datetime format strings agree with.
    #[test]
    fn moments_are_written() {
        let moment = moment_of(at("2009-12-31 23:15:59.25")).unwrap();
        for (template, expected) in [
            ("YYYY-MM-DD HH24:MI:SS", "2009-12-31 23:15:59"),
            ("MM/DD/YY HH12:MI:SS AM", "12/31/09 11:15:59 PM"),
            ("MON-DY-DD-YYYY HH12:MIPM", "DEC-THU-31-2009 11:15PM"),
            ("Month", "December "),
            ("FMMonth FMDDth, YYYY", "December 31st, 2009"),
            ("FMDay, FMDD", "Thursday, 31"),
            ("Day", "Thursday "),
            ("Y,YYY Q", "2,009 4"),
            ("IYYY-IW-ID", "2009-53-4"),
            ("DDD WW W D J", "365 53 5 5 2455197"),
            ("MS US SSSS", "250 250000 83759"),
            ("CC", "21"),
            ("\"Day\" DD", "Day 31"),
            ("RM", "XII "),
            ("am", "pm"),
        ] {
            assert_eq!(Template::parse(template).write(moment, None), expected, "{template}");
        }
    }

    #[test]
    fn moments_are_read() {
        for (text, template, expected) in [
            ("02 Oct 2001", "DD Mon YYYY", "2001-10-02"),
            ("20010631", "YYYYMMDD", ""),
            ("20010630", "YYYYMMDD", "2001-06-30"),
            ("2011-12-18 23:38:15", "YYYY-MM-DD HH24:MI:SS", "2011-12-18 23:38:15"),
            ("12/31/09 11:15 PM", "MM/DD/YY HH12:MI AM", "2009-12-31 23:15:00"),
            ("December 5, 1999", "Month DD, YYYY", "1999-12-05"),
            ("1997 12", "YYYY MM", "1997-12-01"),
            ("2009-365", "YYYY-DDD", "2009-12-31"),
            ("2009-W53-4", "IYYY-\"W\"IW-ID", "2009-12-31"),
            ("5.5.2020", "DD.MM.YYYY", "2020-05-05"),
            ("hello", "YYYY", ""),
        ] {
            let read = Template::parse(template).read(text, true);
            assert_eq!(read.ok(), (!expected.is_empty()).then(|| at(expected)), "{text} as {template}");
        }
        // Redshift's pages of TO_DATE and TO_TIMESTAMP.
        for (text, template, expected) in [
            ("20010631", "YYYYMMDD", "2001-07-01"),
            ("2011-12-18 24:38:15", "YYYY-MM-DD HH24:MI:SS", "2011-12-19 00:38:15"),
            ("2011-12-18 23:38:15", "YYYY-MM-DD HH24:MI:SS", "2011-12-18 23:38:15"),
        ] {
            assert_eq!(Template::parse(template).read(text, false).unwrap(), at(expected), "{text} as {template}");
        }
    }
}

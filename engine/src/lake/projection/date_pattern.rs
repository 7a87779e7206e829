//! Date patterns in the language of Java's `DateTimeFormatter`, as far as partition folders use it.
//!
//! Numbers of year, month, day, hour, minute, second and fraction, English month names, AM and PM, and literals.
//! Patterns that name weeks, eras, zones or weekdays are refused.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use std::fmt::Write;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The units of dates, from coarse to fine: how exact a pattern is and in which steps a range goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DateUnit {
    Years,
    Months,
    Weeks,
    Days,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatePattern(Vec<Piece>);

/// What a text gave for each field; the first moment of what is not given.
struct Fields {
    year: i32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    half_day_hour: Option<u32>,
    afternoon: bool,
    minute: u32,
    second: u32,
    nanos: u32,
}

impl DatePattern {
    /// Parses a pattern. The error says what is not understood.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            text.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
                // Two quotes on their own are one quote.
                push_literal(&mut pieces, if text.is_empty() { "'" } else { &text });
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                pieces.push(field(c, count)?);
            } else if matches!(c, '[' | ']' | '{' | '}' | '#') {
                return Err(format!("\"{c}\" is not supported"));
            } else {
                push_literal(&mut pieces, c.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(Self(pieces))
    }

    /// The finest unit in the pattern; `None` if it has no field at all.
    pub(super) fn precision(&self) -> Option<DateUnit> {
        self.0.iter().filter_map(|piece| unit(piece).map(|(unit, _)| unit)).max()
    }

    /// Whether texts of the pattern sort as their dates do: numbers of fixed width, from the year downwards.
    pub(super) fn is_sortable(&self) -> bool {
        let mut units = self.0.iter().filter_map(unit);
        units.next() == Some((DateUnit::Years, true))
            && units.try_fold(DateUnit::Years, |last, (unit, fixed)| (fixed && unit > last).then_some(unit)).is_some()
    }

    /// The text of a moment.
    pub(super) fn format(&self, moment: NaiveDateTime) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Literal(literal) => text.write_str(literal),
                Piece::Field('y' | 'u', 2) => write!(text, "{:02}", moment.year().rem_euclid(100)),
                Piece::Field('y' | 'u', width) => write!(text, "{:0width$}", moment.year()),
                Piece::Field('M' | 'L', 3) => text.write_str(&month_name(moment.month())[..3]),
                Piece::Field('M' | 'L', 4) => text.write_str(month_name(moment.month())),
                Piece::Field('M' | 'L', width) => write!(text, "{:0width$}", moment.month()),
                Piece::Field('d', width) => write!(text, "{:0width$}", moment.day()),
                Piece::Field('D', width) => write!(text, "{:0width$}", moment.ordinal()),
                Piece::Field('H', width) => write!(text, "{:0width$}", moment.hour()),
                Piece::Field('h', width) => write!(text, "{:0width$}", moment.hour12().1),
                Piece::Field('a', _) => text.write_str(if moment.hour() < 12 { "AM" } else { "PM" }),
                Piece::Field('m', width) => write!(text, "{:0width$}", moment.minute()),
                Piece::Field('s', width) => write!(text, "{:0width$}", moment.second()),
                Piece::Field(_, width) => {
                    text.write_str(&format!("{:09}", moment.nanosecond() % 1_000_000_000)[..*width])
                }
            };
        }
        text
    }

    /// The first moment that a text of the pattern stands for.
    pub(super) fn moment(&self, text: &str) -> Option<NaiveDateTime> {
        let mut fields = Fields {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            half_day_hour: None,
            afternoon: false,
            minute: 0,
            second: 0,
            nanos: 0,
        };
        let mut rest = text;
        for piece in &self.0 {
            rest = match piece {
                Piece::Literal(literal) => rest.strip_prefix(literal.as_str())?,
                Piece::Field(letter, width) => fields.read(*letter, *width, rest)?,
            };
        }
        if rest.is_empty() { fields.moment() } else { None }
    }
}

impl Fields {
    /// Reads one field and returns what follows it.
    fn read<'a>(&mut self, letter: char, width: usize, text: &'a str) -> Option<&'a str> {
        if letter == 'a' {
            self.afternoon = text.get(..2)?.eq_ignore_ascii_case("PM");
            return (self.afternoon || text.get(..2)?.eq_ignore_ascii_case("AM")).then(|| &text[2..]);
        }
        if matches!(letter, 'M' | 'L') && width >= 3 {
            let name = |month: &str| if width == 3 { month[..3].to_owned() } else { month.to_owned() };
            let found = MONTHS.iter().position(|month| text.starts_with(&name(month)))?;
            self.month = found as u32 + 1;
            return text.strip_prefix(&name(MONTHS[found]));
        }
        // A single letter takes as many digits as the field can have, several letters exactly as many as they are.
        let most = match letter {
            'y' | 'u' if width == 1 => 4,
            'D' if width == 1 => 3,
            _ if width == 1 && letter != 'S' => 2,
            _ => width,
        };
        let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits == 0 || width > 1 && digits < width {
            return None;
        }
        let (number, rest) = text.split_at(digits);
        let number: u32 = number.parse().ok()?;
        match letter {
            'y' | 'u' if width == 2 => self.year = 2000 + number as i32,
            'y' | 'u' => self.year = i32::try_from(number).ok()?,
            'M' | 'L' => self.month = number,
            'd' => self.day = number,
            'D' => self.day_of_year = Some(number),
            'H' => self.hour = number,
            'h' => self.half_day_hour = Some(number),
            'm' => self.minute = number,
            's' => self.second = number,
            _ => self.nanos = number * 10_u32.pow(9_u32.saturating_sub(digits as u32)),
        }
        Some(rest)
    }

    fn moment(&self) -> Option<NaiveDateTime> {
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(self.year, day)?,
            None => NaiveDate::from_ymd_opt(self.year, self.month, self.day)?,
        };
        let hour = match self.half_day_hour {
            Some(hour) if (1..=12).contains(&hour) => hour % 12 + if self.afternoon { 12 } else { 0 },
            Some(_) => return None,
            None => self.hour,
        };
        date.and_hms_nano_opt(hour, self.minute, self.second, self.nanos)
    }
}

fn month_name(month: u32) -> &'static str {
    MONTHS.get(month as usize - 1).copied().unwrap_or_default()
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if let Some(Piece::Literal(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

fn field(letter: char, count: usize) -> Result<Piece, String> {
    let most = match letter {
        'y' | 'u' | 'M' | 'L' => 4,
        'D' => 3,
        'd' | 'H' | 'h' | 'm' | 's' => 2,
        'a' => 1,
        'S' => 9,
        _ => return Err(format!("the pattern letter \"{letter}\" is not supported")),
    };
    if count > most || matches!(letter, 'y' | 'u') && count == 3 {
        return Err(format!("\"{}\" is not supported", letter.to_string().repeat(count)));
    }
    Ok(Piece::Field(letter, count))
}

/// The unit of a field, and whether it is a number of fixed width that sorts.
fn unit(piece: &Piece) -> Option<(DateUnit, bool)> {
    let Piece::Field(letter, count) = piece else { return None };
    Some(match letter {
        'y' | 'u' => (DateUnit::Years, *count == 4),
        'M' | 'L' => (DateUnit::Months, *count == 2),
        'd' => (DateUnit::Days, *count == 2),
        'D' => (DateUnit::Days, *count == 3),
        'H' => (DateUnit::Hours, *count == 2),
        'h' | 'a' => (DateUnit::Hours, false),
        'm' => (DateUnit::Minutes, *count == 2),
        's' => (DateUnit::Seconds, *count == 2),
        _ => (DateUnit::Milliseconds, true),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Texts as `DateTimeFormatter` (JDK 17, Locale.US) gives them for 2021-03-04T15:06:07.089.
    #[test]
    fn patterns_format_and_parse_as_javas() {
        let moment = NaiveDate::from_ymd_opt(2021, 3, 4).unwrap().and_hms_milli_opt(15, 6, 7, 89).unwrap();
        for (pattern, text, sortable) in [
            ("yyyy-MM-dd", "2021-03-04", true),
            ("yyyy/MM/dd/HH", "2021/03/04/15", true),
            ("yyyyMMdd", "20210304", true),
            ("yyyyMMddHHmmssSSS", "20210304150607089", true),
            ("uuuu-DDD", "2021-063", true),
            ("yyyy-MM-dd'T'HH:mm", "2021-03-04T15:06", true),
            ("'year='yyyy'/month='M", "year=2021/month=3", false),
            ("MM-dd-yyyy", "03-04-2021", false),
            ("yy", "21", false),
            ("d MMM yyyy", "4 Mar 2021", false),
            ("MMMM", "March", false),
            ("h a", "3 PM", false),
            ("yyyy''MM", "2021'03", true),
        ] {
            let parsed = DatePattern::parse(pattern).unwrap();
            assert_eq!(parsed.format(moment), text, "{pattern}");
            assert_eq!(parsed.is_sortable(), sortable, "{pattern}");
            let read = parsed.moment(text).unwrap();
            assert_eq!(parsed.format(read), text, "{pattern}");
        }
        let day = DatePattern::parse("yyyy-MM-dd").unwrap();
        assert_eq!(day.precision(), Some(DateUnit::Days));
        for text in ["2021-3-04", "2021-02-30", "2021-03-04 ", "21-03-04", "", "2021-03-0é"] {
            assert_eq!(day.moment(text), None, "{text}");
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        for (pattern, message) in [
            ("YYYY-ww", "the pattern letter \"Y\" is not supported"),
            ("yyyy'T", "a quote is not closed"),
            ("ddd", "\"ddd\" is not supported"),
            ("yyyy[-MM]", "\"[\" is not supported"),
        ] {
            assert_eq!(DatePattern::parse(pattern), Err(message.to_owned()));
        }
    }
}

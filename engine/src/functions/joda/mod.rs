//! Patterns by which Trino writes moments and reads them: those of the library Joda-Time (`yyyy-MM-dd`), and MySQL's
//! (`%Y-%m-%d`), which Trino has Joda-Time carry out. [`write`] has a moment as text, [`read`] the other way.
//!
//! Values and errors are those of a server of Trino 435. Names are English; a zone's long name is refused.

mod read;
mod write;

use crate::error::{Error, ErrorKind, Result};
use chrono::{Datelike, Month, Utc};
use std::ops::RangeInclusive;

pub(super) use write::Shown;

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HALVES: [&str; 2] = ["AM", "PM"];
const ERAS: [&str; 2] = ["BC", "AD"];

/// How many letters of a name its short form has.
const SHORT: usize = 3;

/// The year in whose century MySQL's years of two digits lie: 1970 to 2069.
const MYSQL_PIVOT: i32 = 2020;

/// What a piece of a pattern is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Era,
    Century,
    YearOfEra,
    Year,
    /// The year of ISO 8601's weeks.
    Weekyear,
    Month,
    Week,
    DayOfYear,
    Day,
    DayOfWeek,
    HalfDay,
    /// 0 to 23, and 1 to 24.
    Hour,
    ClockHour,
    /// 0 to 11, and 1 to 12.
    HalfHour,
    HalfClockHour,
    Minute,
    Second,
    Millisecond,
}

impl Field {
    /// Whether a number of it may have a sign.
    fn is_signed(self) -> bool {
        matches!(self, Self::Century | Self::Year | Self::Weekyear)
    }

    /// Its values that have names.
    fn named(self) -> RangeInclusive<i32> {
        match self {
            Self::Month => 1..=12,
            Self::DayOfWeek => 1..=7,
            _ => 0..=1,
        }
    }

    /// The name of a value; empty where it has none.
    fn name(self, value: i32) -> &'static str {
        let Ok(value) = u8::try_from(value) else { return "" };
        let of = |names: &[&'static str], at: u8| names.get(usize::from(at)).copied().unwrap_or_default();
        match self {
            Self::Month => Month::try_from(value).map_or("", |month| month.name()),
            Self::DayOfWeek => of(&DAYS, value.wrapping_sub(1)),
            Self::HalfDay => of(&HALVES, value),
            Self::Era => of(&ERAS, value),
            _ => "",
        }
    }
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// With the least digits that are written, and the most that are read.
    Number(Field, usize, usize),
    /// Of a year the last two digits: when read those of one around a pivot, or, leniently, all digits that there are.
    TwoDigits(Field, i32, bool),
    /// A second's digits behind the point, at least and at most.
    Fraction(usize, usize),
    Name(Field, bool),
    /// A zone's short or long name.
    ZoneName(bool),
    /// Hours and minutes from UTC, with a colon or without.
    Offset(bool),
    ZoneId,
}

/// A pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

impl Pattern {
    /// A pattern of letters, as Joda-Time's `DateTimeFormat` has them.
    ///
    /// # Errors
    /// `InvalidParameter` for letters that mean nothing, and for none.
    pub(super) fn joda(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidParameter, "invalid pattern: it is empty"));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(token) = Token::first_of(&mut rest) {
            let (letter, count) = match token {
                Token::Literal(text) => {
                    pieces.push(Piece::Literal(text));
                    continue;
                }
                Token::Letters(letter, count) => (letter, count),
            };
            let mut following = rest;
            let before_number = Token::first_of(&mut following).is_some_and(|token| token.is_number());
            let number = |field, most| Piece::Number(field, count, most);
            let year = |field| {
                if count == 2 {
                    Piece::TwoDigits(field, Utc::now().year() - 30, !before_number)
                } else {
                    Piece::Number(field, count, if before_number { count } else { 9 })
                }
            };
            pieces.push(match letter {
                'G' => Piece::Name(Field::Era, false),
                'C' => number(Field::Century, count),
                'Y' => year(if count == 2 { Field::Year } else { Field::YearOfEra }),
                'y' => year(Field::Year),
                'x' => year(Field::Weekyear),
                'w' => number(Field::Week, 2),
                'e' => number(Field::DayOfWeek, 1),
                'E' => Piece::Name(Field::DayOfWeek, count < 4),
                'D' => number(Field::DayOfYear, 3),
                'M' if count > 2 => Piece::Name(Field::Month, count < 4),
                'M' => number(Field::Month, 2),
                'd' => number(Field::Day, 2),
                'a' => Piece::Name(Field::HalfDay, false),
                'K' => number(Field::HalfHour, 2),
                'h' => number(Field::HalfClockHour, 2),
                'H' => number(Field::Hour, 2),
                'k' => number(Field::ClockHour, 2),
                'm' => number(Field::Minute, 2),
                's' => number(Field::Second, 2),
                'S' => Piece::Fraction(count, count),
                'z' => Piece::ZoneName(count < 4),
                'Z' if count > 2 => Piece::ZoneId,
                'Z' => Piece::Offset(count == 2),
                other => {
                    let message = format!("invalid pattern \"{text}\": there is no component \"{other}\"");
                    return Err(Error::new(ErrorKind::InvalidParameter, message));
                }
            });
        }
        Ok(Self { pieces })
    }

    /// MySQL's pattern. A letter that it has no meaning for stands for itself.
    ///
    /// # Errors
    /// `Unsupported` for the letters that Trino refuses, `InvalidParameter` for an empty pattern.
    pub(super) fn mysql(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let Some(letter) = (if c == '%' { chars.next() } else { Some(c) }) else { break };
            let two = |field| Piece::Number(field, 2, 2);
            let colon = || Piece::Literal(":".to_owned());
            let clock = |hour| [two(hour), colon(), two(Field::Minute), colon(), two(Field::Second)];
            let piece = match letter {
                _ if c != '%' => Piece::Literal(letter.to_string()),
                'a' => Piece::Name(Field::DayOfWeek, true),
                'b' => Piece::Name(Field::Month, true),
                'c' => Piece::Number(Field::Month, 1, 2),
                'd' => two(Field::Day),
                'e' => Piece::Number(Field::Day, 1, 2),
                'f' => Piece::Fraction(6, 9),
                'H' => two(Field::Hour),
                'h' | 'I' => two(Field::HalfClockHour),
                'i' => two(Field::Minute),
                'j' => Piece::Number(Field::DayOfYear, 3, 3),
                'k' => Piece::Number(Field::Hour, 1, 2),
                'l' => Piece::Number(Field::HalfClockHour, 1, 2),
                'M' => Piece::Name(Field::Month, false),
                'm' => two(Field::Month),
                'p' => Piece::Name(Field::HalfDay, false),
                'r' => {
                    pieces.extend(clock(Field::HalfClockHour));
                    pieces.push(Piece::Literal(" ".to_owned()));
                    Piece::Name(Field::HalfDay, false)
                }
                'S' | 's' => two(Field::Second),
                'T' => {
                    pieces.extend(clock(Field::Hour));
                    continue;
                }
                'v' => two(Field::Week),
                'W' => Piece::Name(Field::DayOfWeek, false),
                'x' => Piece::Number(Field::Weekyear, 4, 4),
                'Y' => Piece::Number(Field::Year, 4, 4),
                'y' => Piece::TwoDigits(Field::Year, MYSQL_PIVOT, false),
                'D' | 'U' | 'u' | 'V' | 'w' | 'X' => {
                    let message = format!("%{letter} in a date format is not supported");
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
                other => Piece::Literal(other.to_string()),
            };
            pieces.push(piece);
        }
        if pieces.is_empty() {
            return Err(Error::new(ErrorKind::InvalidParameter, "invalid date format: it is empty"));
        }
        Ok(Self { pieces })
    }

    /// Whether it asks for a moment's zone.
    pub(super) fn has_zone(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::ZoneName(_) | Piece::Offset(_) | Piece::ZoneId))
    }
}

/// Letters that are one, or what stands for itself.
enum Token {
    Letters(char, usize),
    Literal(String),
}

impl Token {
    /// Takes the first one of a pattern. Text between apostrophes stands for itself, two of them for one.
    fn first_of(rest: &mut &str) -> Option<Self> {
        let letter = rest.chars().next()?;
        if letter.is_ascii_alphabetic() {
            let count = rest.bytes().take_while(|byte| char::from(*byte) == letter).count();
            *rest = &rest[count..];
            return Some(Self::Letters(letter, count));
        }
        let (mut text, mut is_quoted) = (String::new(), false);
        while let Some(c) = rest.chars().next() {
            if c == '\'' {
                let is_doubled = rest[1..].starts_with('\'');
                *rest = &rest[1 + usize::from(is_doubled)..];
                if is_doubled {
                    text.push('\'');
                } else {
                    is_quoted = !is_quoted;
                }
                continue;
            }
            if !is_quoted && c.is_ascii_alphabetic() {
                break;
            }
            text.push(c);
            *rest = &rest[c.len_utf8()..];
        }
        Some(Self::Literal(text))
    }

    /// Whether digits are read for it, so that a year before it has no more than its letters.
    fn is_number(&self) -> bool {
        match self {
            Self::Letters('M', count) => *count <= 2,
            Self::Letters(letter, _) => "cCxyYdhHmsSeDFwWkK".contains(*letter),
            Self::Literal(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;

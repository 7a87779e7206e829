//! Intervals as Trino's literals and casts have them ("Interval" of its "Literals", `io.trino.util.DateTimeUtils`).

use super::{DAY_US, Field, Number, Parts, Qualifier, out_of_range};
use crate::error::{Error, ErrorKind, Result};

/// Digits of a second's fraction that are kept.
const DIGITS: usize = 3;

/// What stands before a field that is not the first.
const fn mark(field: Field) -> char {
    match field {
        Field::Month => '-',
        Field::Hour => ' ',
        _ => ':',
    }
}

/// The value of a literal: a sign of all, then the fields from the first on, of which the last ones may be missing, or all.
///
/// # Errors
/// `InvalidDateTime` for what is no interval; `DateTimeOverflow`.
pub(crate) fn parse_trino(text: &str, qualifier: Qualifier) -> Result<Parts> {
    let invalid = || Error::new(ErrorKind::InvalidDateTime, format!("invalid interval: '{text}'"));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = Parts::default();
    for field in Field::ALL.into_iter().filter(|field| (qualifier.first..=qualifier.last).contains(field)) {
        if rest.is_empty() {
            break;
        }
        if field != qualifier.first {
            rest = rest.strip_prefix(mark(field)).ok_or_else(invalid)?;
        }
        let digits = rest.strip_prefix('+').unwrap_or(rest);
        let has_fraction = field == Field::Second;
        let end = digits.find(|c: char| !(c.is_ascii_digit() || has_fraction && c == '.')).unwrap_or(digits.len());
        let (number, others) = digits.split_at(end);
        let kept = number.find('.').map_or(number.len(), |point| number.len().min(point + 1 + DIGITS));
        let number = Number::parse(&number[..kept]).ok_or_else(invalid)?;
        let (sum, unit) = match field {
            Field::Year => (&mut parts.months, 12),
            Field::Month => (&mut parts.months, 1),
            shorter => (&mut parts.micros, shorter.micros()),
        };
        *sum = number.times(unit).and_then(|more| sum.checked_add(more)).ok_or_else(out_of_range)?;
        rest = others;
    }
    if !rest.is_empty() {
        return Err(invalid());
    }
    Ok(if negative { parts.negated() } else { parts })
}

/// An interval of months in Trino's style: `1-2`.
pub(crate) fn trino_months(months: i32) -> String {
    let (sign, count) = (if months < 0 { "-" } else { "" }, months.unsigned_abs());
    format!("{sign}{}-{}", count / 12, count % 12)
}

/// One of days and times: `1 02:03:04.500`.
pub(crate) fn trino_micros(micros: i64) -> String {
    let (sign, count) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (days, rest) = (count / DAY_US.unsigned_abs(), count % DAY_US.unsigned_abs());
    let (seconds, thousandths) = (rest / 1_000_000, rest % 1_000_000 / 1_000);
    format!("{sign}{days} {:02}:{:02}:{:02}.{thousandths:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

//! The values that one projected column takes, as a sequence that is counted and searched without being listed.

use super::date_pattern::{DatePattern, DateUnit};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use millrace_catalog::model::HiveType;

/// The values of a column, numbered from 0.
#[derive(Debug, Clone)]
pub(super) enum Series {
    /// Listed values.
    Enum(Vec<String>),
    /// `low`, `low + step`, … up to `high`, padded with zeros to `digits`.
    Integer { low: i64, high: i64, step: u64, digits: usize },
    /// Moments in even steps.
    Date { pattern: DatePattern, low: NaiveDateTime, high: NaiveDateTime, step: u32, unit: DateUnit },
}

/// Where a value stands in a series.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    At(u64),
    Nowhere,
    /// Only comparing with each value tells.
    Unknown,
}

impl Series {
    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Enum(values) => values.len() as u64,
            Self::Integer { low, high, step, .. } if low <= high => (high.abs_diff(*low) / step).saturating_add(1),
            Self::Date { low, high, step, unit, .. } if low <= high => count_steps(*low, *high, *step, *unit),
            Self::Integer { .. } | Self::Date { .. } => 0,
        }
    }

    /// The text of a value in folder names.
    pub(super) fn folder_text(&self, index: u64) -> String {
        match self {
            Self::Enum(values) => values.get(index as usize).cloned().unwrap_or_default(),
            Self::Integer { digits, .. } => integer_text(self.integer(index), *digits),
            Self::Date { pattern, .. } => pattern.format(self.moment(index)),
        }
    }

    /// The text of a value as the catalog has it for a key of this type: dates and timestamps in their own form,
    /// whatever the folder's.
    pub(super) fn value_text(&self, index: u64, key: &HiveType) -> String {
        match (self, key) {
            (Self::Date { .. }, HiveType::Date) => self.moment(index).format("%Y-%m-%d").to_string(),
            (Self::Date { .. }, HiveType::Timestamp) => self.moment(index).format("%Y-%m-%d %H:%M:%S%.f").to_string(),
            _ => self.folder_text(index),
        }
    }

    /// Whether values of this key type come in their ascending order.
    pub(super) fn is_sorted(&self, key: &HiveType) -> bool {
        match self {
            Self::Enum(_) => false,
            Self::Integer { low, high, digits, .. } => {
                let fixed = |value: i64| integer_text(value, *digits).len();
                is_integer(key) || is_text(key) && *low >= 0 && fixed(*low) == fixed(*high)
            }
            Self::Date { pattern, .. } => {
                matches!(key, HiveType::Date | HiveType::Timestamp) || is_text(key) && pattern.is_sortable()
            }
        }
    }

    /// Finds a value by the text that a condition gives.
    pub(super) fn place(&self, text: &str, key: &HiveType) -> Place {
        match self {
            Self::Enum(values) if is_text(key) => {
                values.iter().position(|value| value == text).map_or(Place::Nowhere, |at| Place::At(at as u64))
            }
            Self::Integer { low, high, step, digits } if is_integer(key) || is_text(key) => match text.parse::<i64>() {
                Ok(value) if is_text(key) && integer_text(value, *digits) != text => Place::Nowhere,
                Ok(value) if (*low..=*high).contains(&value) && value.abs_diff(*low) % step == 0 => {
                    Place::At(value.abs_diff(*low) / step)
                }
                _ => Place::Nowhere,
            },
            Self::Date { pattern, .. } => {
                let moment = match key {
                    HiveType::Date | HiveType::Timestamp => typed_moment(text),
                    key if is_text(key) => pattern.moment(text).filter(|moment| pattern.format(*moment) == text),
                    _ => return Place::Unknown,
                };
                moment.map_or(Place::Nowhere, |moment| self.place_moment(moment))
            }
            _ => Place::Unknown,
        }
    }

    /// The moments ascend, so a binary search finds one without listing them.
    fn place_moment(&self, moment: NaiveDateTime) -> Place {
        let at = first_where(0..self.count(), |index| self.moment(index) >= moment);
        if at < self.count() && self.moment(at) == moment { Place::At(at) } else { Place::Nowhere }
    }

    fn integer(&self, index: u64) -> i64 {
        match self {
            Self::Integer { low, step, .. } => low.wrapping_add_unsigned(index.wrapping_mul(*step)),
            _ => 0,
        }
    }

    fn moment(&self, index: u64) -> NaiveDateTime {
        match self {
            Self::Date { pattern, low, high, step, unit } => {
                let moment =
                    add_units(*low, i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(i64::from(*step)), *unit);
                truncate(moment.unwrap_or(*high), pattern.precision().unwrap_or(DateUnit::Milliseconds))
            }
            _ => NaiveDateTime::MIN,
        }
    }
}

/// The first index of the range from which on the condition holds; the range's end if it never does.
pub(super) fn first_where(range: std::ops::Range<u64>, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn integer_text(value: i64, digits: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{:0digits$}", value.unsigned_abs())
}

fn is_integer(key: &HiveType) -> bool {
    matches!(key, HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt)
}

fn is_text(key: &HiveType) -> bool {
    matches!(key, HiveType::String | HiveType::Varchar(_) | HiveType::Char(_))
}

/// A moment as a condition on a `date` or `timestamp` key writes it.
fn typed_moment(text: &str) -> Option<NaiveDateTime> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN));
    date.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")).ok()
}

/// How many steps from `low` stay within `high`; at least 1.
fn count_steps(low: NaiveDateTime, high: NaiveDateTime, step: u32, unit: DateUnit) -> u64 {
    let most = match unit {
        DateUnit::Years => i64::from(high.year()) - i64::from(low.year()),
        DateUnit::Months => {
            (i64::from(high.year()) - i64::from(low.year())) * 12 + i64::from(high.month()) - i64::from(low.month())
        }
        fixed => high.signed_duration_since(low).num_milliseconds() / milliseconds(fixed),
    };
    let steps = most.max(0) as u64 / u64::from(step.max(1));
    // Whole months apart by the calendar may be less than a month apart by the day.
    first_where(steps.saturating_sub(1)..steps + 1, |index| {
        add_units(low, index as i64 * i64::from(step), unit).is_none_or(|moment| moment > high)
    })
}

fn milliseconds(unit: DateUnit) -> i64 {
    match unit {
        DateUnit::Milliseconds => 1,
        DateUnit::Seconds => 1_000,
        DateUnit::Minutes => 60_000,
        DateUnit::Hours => 3_600_000,
        DateUnit::Weeks => 7 * 86_400_000,
        DateUnit::Years | DateUnit::Months | DateUnit::Days => 86_400_000,
    }
}

/// A moment so many units later (or earlier); `None` beyond the calendar. The day of the month is cut to the month's
/// last, as `java.time` does.
pub(super) fn add_units(moment: NaiveDateTime, count: i64, unit: DateUnit) -> Option<NaiveDateTime> {
    let months = match unit {
        DateUnit::Years => count.checked_mul(12)?,
        DateUnit::Months => count,
        fixed => {
            let delta = TimeDelta::try_milliseconds(count.checked_mul(milliseconds(fixed))?)?;
            return moment.checked_add_signed(delta);
        }
    };
    let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { moment.checked_sub_months(size) } else { moment.checked_add_months(size) }
}

/// The start of the unit that the moment is in.
pub(super) fn truncate(moment: NaiveDateTime, unit: DateUnit) -> NaiveDateTime {
    let date = moment.date();
    let date = match unit {
        DateUnit::Years => date.with_ordinal(1).unwrap_or(date),
        DateUnit::Months => date.with_day(1).unwrap_or(date),
        _ => date,
    };
    let time = moment.time();
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let millis = time.nanosecond() % 1_000_000_000 / 1_000_000;
    let time = match unit {
        DateUnit::Years | DateUnit::Months | DateUnit::Weeks | DateUnit::Days => Some(NaiveTime::MIN),
        DateUnit::Hours => NaiveTime::from_hms_opt(hour, 0, 0),
        DateUnit::Minutes => NaiveTime::from_hms_opt(hour, minute, 0),
        DateUnit::Seconds => NaiveTime::from_hms_opt(hour, minute, second),
        DateUnit::Milliseconds => NaiveTime::from_hms_milli_opt(hour, minute, second, millis),
    };
    date.and_time(time.unwrap_or(NaiveTime::MIN))
}

/// One end of a date range: a date, or one relative to the time of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DateBound {
    At(NaiveDateTime),
    Now { count: i64, unit: DateUnit },
}

impl DateBound {
    /// Parses a date of the pattern or `NOW`, `NOW-3YEARS`, `NOW + 1 DAY`.
    pub(super) fn parse(text: &str, pattern: &DatePattern) -> Option<Self> {
        let trimmed = text.trim();
        let Some(rest) =
            trimmed.get(..3).filter(|start| start.eq_ignore_ascii_case("NOW")).map(|_| trimmed[3..].trim())
        else {
            return pattern.moment(text).or_else(|| pattern.moment(trimmed)).map(Self::At);
        };
        if rest.is_empty() {
            return Some(Self::Now { count: 0, unit: DateUnit::Days });
        }
        let (sign, rest) = match rest.as_bytes()[0] {
            b'+' => (1, &rest[1..]),
            b'-' => (-1, &rest[1..]),
            _ => return None,
        };
        let rest = rest.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().ok()?;
        Some(Self::Now { count: sign * count, unit: parse_unit(&rest[digits..])? })
    }

    /// The moment at the time of the query; `None` beyond the calendar.
    pub(super) fn moment(&self, now: DateTime<Utc>) -> Option<NaiveDateTime> {
        match self {
            Self::At(moment) => Some(*moment),
            Self::Now { count, unit } => add_units(now.naive_utc(), *count, *unit),
        }
    }
}

/// A unit by its name, singular or plural, without regard to case.
pub(super) fn parse_unit(text: &str) -> Option<DateUnit> {
    let name = text.trim().to_ascii_uppercase();
    Some(match name.strip_suffix('S').unwrap_or(&name) {
        "YEAR" => DateUnit::Years,
        "MONTH" => DateUnit::Months,
        "WEEK" => DateUnit::Weeks,
        "DAY" => DateUnit::Days,
        "HOUR" => DateUnit::Hours,
        "MINUTE" => DateUnit::Minutes,
        "SECOND" => DateUnit::Seconds,
        "MILLISECOND" => DateUnit::Milliseconds,
        _ => return None,
    })
}

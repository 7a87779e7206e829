//! Dates a column at a time: what [`Part`] computes of one moment, in whole numbers that run without a branch or a table
//! for each row.
//!
//! The calendar is by Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms":
//! years that begin in March, so that a leap day is the last one, and divisions that are products. It covers the years
//! -143,140 to 147,079. A column with a moment beyond them, perhaps below a NULL, and every error are left to [`Part`]:
//! then there is nothing here.

use super::parts::{DAY_US, HOUR_US, Length, MINUTE_US, Part, SECOND_US};
use super::rows::Spread;
use datafusion::arrow::array::{Int64Array, TimestampMicrosecondArray};

/// The days that are covered, before 1970 and after. The difference of two moments of these has 64 bits.
const MOST_DAYS: i64 = 53_000_000;
/// As many months may be added, or taken away.
const MOST_MONTHS: i64 = 600_000;

/// Whole cycles of 400 years that make all years and days positive.
const CYCLES: i64 = 600;
const YEARS_BEFORE: i64 = 400 * CYCLES;
/// Days from the beginning of March of the first year to 1970.
const DAYS_BEFORE: i64 = 719_468 + 146_097 * CYCLES;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Date {
    year: i64,
    /// From 1.
    month: u32,
    /// From 1.
    day: u32,
}

impl Date {
    /// The date so many days after 1970 began.
    #[inline]
    fn of(days: i64) -> Self {
        let quarters = 4 * (days + DAYS_BEFORE) as u32 + 3;
        let (century, day_of_century) = (quarters / 146_097, quarters % 146_097 / 4);
        let scaled = 2_939_745 * u64::from(4 * day_of_century + 3);
        let (year_of_century, day_of_year) = ((scaled >> 32) as u32, scaled as u32 / 2_939_745 / 4);
        let months = 2_141 * day_of_year + 197_913;
        let (month, day) = (months >> 16, (months & 0xffff) / 2_141);
        // January and February end the year that began in March.
        let is_next = day_of_year >= 306;
        Self {
            year: i64::from(100 * century + year_of_century) + i64::from(is_next) - YEARS_BEFORE,
            month: if is_next { month - 12 } else { month },
            day: day + 1,
        }
    }

    /// Days since 1970 began.
    #[inline]
    fn days(self) -> i64 {
        let ends = self.month <= 2;
        let year = (self.year + YEARS_BEFORE) as u32 - u32::from(ends);
        let month = if ends { self.month + 12 } else { self.month };
        let century = year / 100;
        let before_year = 1_461 * year / 4 - century + century / 4;
        let before_month = (979 * month - 2_919) / 32;
        i64::from(before_year + before_month + self.day - 1) - DAYS_BEFORE
    }

    #[inline]
    fn first(year: i64, month: u32) -> Self {
        Self { year, month, day: 1 }
    }

    /// Months since year 0.
    #[inline]
    fn months(self) -> i64 {
        self.year * 12 + i64::from(self.month) - 1
    }

    /// The day so many months since year 0, or the month's last where the month is shorter.
    #[inline]
    fn of_months(months: i64, day: u32) -> Self {
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = if month == 2 { 28 + u32::from(is_leap) } else { 30 + ((month ^ (month >> 3)) & 1) };
        Self { year, month, day: day.min(last) }
    }
}

/// Whether all moments are in the years that are covered.
fn are_covered(moments: &[i64]) -> bool {
    let covered = -MOST_DAYS * DAY_US..MOST_DAYS * DAY_US;
    moments.iter().fold(true, |all, moment| all & covered.contains(moment))
}

fn each(moments: &[i64], of: impl Fn(i64) -> i64) -> Vec<i64> {
    moments.iter().map(|moment| of(*moment)).collect()
}

fn each_day(moments: &[i64], of: impl Fn(i64) -> i64) -> Vec<i64> {
    each(moments, |moment| of(moment.div_euclid(DAY_US)))
}

fn each_date(moments: &[i64], of: impl Fn(Date) -> i64) -> Vec<i64> {
    each_day(moments, |days| of(Date::of(days)))
}

fn each_midnight(moments: &[i64], of: impl Fn(Date) -> Date) -> Vec<i64> {
    each_date(moments, |date| of(date).days() * DAY_US)
}

/// When the parts that hold moments began ([`Part::begin`]).
pub(super) fn begins(part: Part, moments: &[i64]) -> Option<Vec<i64>> {
    if !are_covered(moments) {
        return None;
    }
    Some(match part {
        Part::Microsecond => moments.to_vec(),
        Part::Millisecond => each(moments, |moment| moment.div_euclid(1_000) * 1_000),
        Part::Second => each(moments, |moment| moment.div_euclid(SECOND_US) * SECOND_US),
        Part::Minute => each(moments, |moment| moment.div_euclid(MINUTE_US) * MINUTE_US),
        Part::Hour => each(moments, |moment| moment.div_euclid(HOUR_US) * HOUR_US),
        Part::Day => each_day(moments, |days| days * DAY_US),
        Part::Week => each_day(moments, |days| (days - (days + 3).rem_euclid(7)) * DAY_US),
        Part::Month => each_day(moments, |days| (days - i64::from(Date::of(days).day) + 1) * DAY_US),
        Part::Quarter => each_midnight(moments, |date| Date::first(date.year, (date.month - 1) / 3 * 3 + 1)),
        Part::Year => each_midnight(moments, |date| Date::first(date.year, 1)),
        Part::Decade => each_midnight(moments, |date| Date::first(date.year.div_euclid(10) * 10, 1)),
        Part::Century => each_midnight(moments, |date| Date::first((date.year - 1).div_euclid(100) * 100 + 1, 1)),
        Part::Millennium => {
            each_midnight(moments, |date| Date::first((date.year - 1).div_euclid(1_000) * 1_000 + 1, 1))
        }
        _ => return None,
    })
}

/// The part's values of moments ([`Part::value`]).
pub(super) fn values(part: Part, moments: &[i64]) -> Option<Vec<i64>> {
    if !are_covered(moments) {
        return None;
    }
    // The week of ISO 8601 is the year's that has its Thursday.
    let thursday = |days: i64| days - (days + 3).rem_euclid(7) + 3;
    let day_of_year = |days: i64| days - Date::first(Date::of(days).year, 1).days();
    Some(match part {
        Part::Microsecond => each(moments, |moment| moment.rem_euclid(SECOND_US)),
        Part::Millisecond => each(moments, |moment| moment.rem_euclid(SECOND_US) / 1_000),
        Part::Second => each(moments, |moment| moment.rem_euclid(MINUTE_US) / SECOND_US),
        Part::Minute => each(moments, |moment| moment.rem_euclid(HOUR_US) / MINUTE_US),
        Part::Hour => each(moments, |moment| moment.rem_euclid(DAY_US) / HOUR_US),
        Part::Epoch => each(moments, |moment| moment.div_euclid(SECOND_US)),
        Part::Timezone | Part::TimezoneHour | Part::TimezoneMinute => vec![0; moments.len()],
        Part::Day => each_date(moments, |date| i64::from(date.day)),
        Part::DayOfWeek => each_day(moments, |days| (days + 4).rem_euclid(7)),
        Part::IsoDayOfWeek => each_day(moments, |days| (days + 3).rem_euclid(7) + 1),
        Part::DayOfYear => each_day(moments, |days| day_of_year(days) + 1),
        Part::Week => each_day(moments, |days| day_of_year(thursday(days)) / 7 + 1),
        Part::IsoYear => each_day(moments, |days| Date::of(thursday(days)).year),
        Part::Month => each_date(moments, |date| i64::from(date.month)),
        Part::Quarter => each_date(moments, |date| i64::from((date.month - 1) / 3 + 1)),
        Part::Year => each_date(moments, |date| date.year),
        Part::Decade => each_date(moments, |date| date.year.div_euclid(10) + 1),
        Part::Century => each_date(moments, |date| (date.year - 1).div_euclid(100) + 1),
        Part::Millennium => each_date(moments, |date| (date.year - 1).div_euclid(1_000) + 1),
    })
}

/// Moments so many parts later ([`Part::add`]).
pub(super) fn sums(part: Part, counts: &Spread<'_, Int64Array>, moments: &[i64]) -> Option<Vec<i64>> {
    match part.length()? {
        Length::Micros(length) => {
            let mut overflows = false;
            let mut sum = |moment: i64, count: i64| {
                let (added, too_many) = count.overflowing_mul(length);
                let (sum, too_late) = moment.overflowing_add(added);
                overflows |= too_many | too_late;
                sum
            };
            let sums = match counts.one() {
                Some(count) => moments.iter().map(|moment| sum(*moment, count)).collect(),
                None => moments.iter().zip(counts.column()).map(|(moment, count)| sum(*moment, *count)).collect(),
            };
            (!overflows).then_some(sums)
        }
        Length::Months(length) => dates(counts, moments, MOST_MONTHS / length, |date, count| {
            Date::of_months(date.months() + count * length, date.day)
        }),
    }
}

/// Moments so many years later ([`Part::add_leaping`]).
pub(super) fn years(counts: &Spread<'_, Int64Array>, moments: &[i64]) -> Option<Vec<i64>> {
    // The day after a February's last is the 1st of March, whatever it is called.
    dates(counts, moments, MOST_MONTHS / 12, |date, count| Date { year: date.year + count, ..date })
}

/// Moments of which the dates are moved, by at most so many.
fn dates(
    counts: &Spread<'_, Int64Array>,
    moments: &[i64],
    most: i64,
    moved: impl Fn(Date, i64) -> Date,
) -> Option<Vec<i64>> {
    if !are_covered(moments) || !counts.column().iter().all(|count| (-most..=most).contains(count)) {
        return None;
    }
    let sum = |moment: i64, count: i64| {
        let (days, time) = (moment.div_euclid(DAY_US), moment.rem_euclid(DAY_US));
        moved(Date::of(days), count).days() * DAY_US + time
    };
    Some(match counts.one() {
        Some(count) => each(moments, |moment| sum(moment, count)),
        None => moments.iter().zip(counts.column()).map(|(moment, count)| sum(*moment, *count)).collect(),
    })
}

/// Two columns of moments, one of which may be one moment.
pub(super) struct Spans<'a> {
    pub(super) from: Spread<'a, TimestampMicrosecondArray>,
    pub(super) to: Spread<'a, TimestampMicrosecondArray>,
    pub(super) rows: usize,
}

impl Spans<'_> {
    fn are_covered(&self) -> bool {
        are_covered(self.from.column()) && are_covered(self.to.column())
    }

    fn each(&self, of: impl Fn(i64, i64) -> i64) -> Vec<i64> {
        match (self.from.one(), self.to.one()) {
            (None, None) => {
                let both = self.from.column().iter().zip(self.to.column());
                both.map(|(from, to)| of(*from, *to)).collect()
            }
            (Some(from), None) => each(self.to.column(), |to| of(from, to)),
            (None, Some(to)) => each(self.from.column(), |from| of(from, to)),
            (Some(from), Some(to)) => vec![of(from, to); self.rows],
        }
    }

    /// How many boundaries of a part lie between ([`Part::boundaries`]).
    pub(super) fn boundaries(&self, part: Part) -> Option<Vec<i64>> {
        if !self.are_covered() {
            return None;
        }
        let days = |moment: i64| moment.div_euclid(DAY_US);
        let months = |moment: i64| Date::of(days(moment)).months();
        Some(match part {
            Part::Week => self.each(|from, to| (days(to) + 4).div_euclid(7) - (days(from) + 4).div_euclid(7)),
            Part::Day | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear => {
                self.each(|from, to| days(to) - days(from))
            }
            Part::Hour => self.each(|from, to| to.div_euclid(HOUR_US) - from.div_euclid(HOUR_US)),
            Part::Minute => self.each(|from, to| to.div_euclid(MINUTE_US) - from.div_euclid(MINUTE_US)),
            Part::Second => self.each(|from, to| to.div_euclid(SECOND_US) - from.div_euclid(SECOND_US)),
            Part::Millisecond => self.each(|from, to| to.div_euclid(1_000) - from.div_euclid(1_000)),
            Part::Microsecond => self.each(|from, to| to - from),
            Part::Month => self.each(|from, to| months(to) - months(from)),
            Part::Year => self.each(|from, to| Date::of(days(to)).year - Date::of(days(from)).year),
            _ => match part.length()? {
                Length::Months(length) => {
                    self.each(|from, to| months(to).div_euclid(length) - months(from).div_euclid(length))
                }
                Length::Micros(_) => return None,
            },
        })
    }

    /// How many whole parts lie between ([`Part::whole`]).
    pub(super) fn whole(&self, part: Part) -> Option<Vec<i64>> {
        if !self.are_covered() {
            return None;
        }
        Some(match (part, part.length()?) {
            (Part::Week, _) => self.each(|from, to| (to - from) / (7 * DAY_US)),
            (Part::Hour, _) => self.each(|from, to| (to - from) / HOUR_US),
            (Part::Minute, _) => self.each(|from, to| (to - from) / MINUTE_US),
            (Part::Second, _) => self.each(|from, to| (to - from) / SECOND_US),
            (Part::Millisecond, _) => self.each(|from, to| (to - from) / 1_000),
            (Part::Microsecond, _) => self.each(|from, to| to - from),
            (_, Length::Micros(_)) => self.each(|from, to| (to - from) / DAY_US),
            (_, Length::Months(length)) => self.each(|from, to| whole_months(from, to) / length),
        })
    }
}

/// The last month counts only when its day and time are reached.
#[inline]
fn whole_months(from: i64, to: i64) -> i64 {
    let (begin, end) = (Date::of(from.div_euclid(DAY_US)), Date::of(to.div_euclid(DAY_US)));
    let months = end.months() - begin.months();
    let reached = (Date::of_months(end.months(), begin.day), from.rem_euclid(DAY_US));
    let wanted = (end, to.rem_euclid(DAY_US));
    if months > 0 && reached > wanted {
        months - 1
    } else if months < 0 && reached < wanted {
        months + 1
    } else {
        months
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::functions::parts::moment_of;
    use chrono::Datelike;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    const PARTS: [Part; 19] = [
        Part::Millennium,
        Part::Century,
        Part::Decade,
        Part::Year,
        Part::IsoYear,
        Part::Quarter,
        Part::Month,
        Part::Week,
        Part::Day,
        Part::DayOfWeek,
        Part::IsoDayOfWeek,
        Part::DayOfYear,
        Part::Epoch,
        Part::Hour,
        Part::Minute,
        Part::Second,
        Part::Millisecond,
        Part::Microsecond,
        Part::Timezone,
    ];

    /// Moments of few years, of many, at midnights and at the ends of months and years.
    fn moments() -> Vec<i64> {
        let mut random = StdRng::seed_from_u64(11);
        let mut moments = vec![0, -1, 1, DAY_US - 1, -DAY_US, MOST_DAYS * DAY_US - 1, -MOST_DAYS * DAY_US];
        for _ in 0..3_000 {
            moments.push(random.random_range(-60 * 366 * DAY_US..60 * 366 * DAY_US));
            moments.push(random.random_range(-MOST_DAYS..MOST_DAYS) * DAY_US);
            let (year, month) = (random.random_range(1_800..2_200), random.random_range(1..=12));
            moments.push(Date::first(year, month).days() * DAY_US + random.random_range(-1..=1));
        }
        moments
    }

    fn spread(moments: &[i64], rows: usize) -> TimestampMicrosecondArray {
        TimestampMicrosecondArray::from(moments[..rows].to_vec())
    }

    // chrono is the authority of the calendar.
    #[test]
    fn dates_are_the_calendars() {
        for moment in moments() {
            let days = moment.div_euclid(DAY_US);
            let (date, expected) = (Date::of(days), moment_of(moment).unwrap());
            let expected = Date { year: i64::from(expected.year()), month: expected.month(), day: expected.day() };
            assert_eq!(date, expected, "{moment}");
            assert_eq!(date.days(), days, "{moment}");
        }
    }

    #[test]
    fn columns_are_what_single_moments_are() {
        let moments = moments();
        for part in PARTS {
            let expected: Option<Vec<i64>> = moments.iter().map(|moment| part.begin(*moment).ok()).collect();
            assert_eq!(begins(part, &moments), expected, "{part:?}");
            let expected: Option<Vec<i64>> = moments.iter().map(|moment| part.value(*moment).ok()).collect();
            assert_eq!(values(part, &moments), expected, "{part:?}");
        }
    }

    #[test]
    fn sums_are_what_single_moments_are() {
        let moments = moments();
        let rows = moments.len();
        let many = Int64Array::from_iter_values((0..rows as i64).map(|row| row % 101 - 50));
        let one = Int64Array::from(vec![-7]);
        for part in PARTS {
            for counts in [&many, &one] {
                let counts = Spread::new(counts, rows);
                let expected: Option<Vec<i64>> =
                    moments.iter().enumerate().map(|(row, moment)| part.add(counts.value(row), *moment).ok()).collect();
                assert_eq!(sums(part, &counts, &moments), expected, "{part:?}");
            }
        }
        for counts in [&many, &one] {
            let counts = Spread::new(counts, rows);
            let later = |(row, moment): (usize, &i64)| Part::Year.add_leaping(counts.value(row), *moment).ok();
            let expected: Option<Vec<i64>> = moments.iter().enumerate().map(later).collect();
            assert_eq!(years(&counts, &moments), expected);
        }
        let counts = Int64Array::from(vec![i64::MAX]);
        assert_eq!(sums(Part::Day, &Spread::new(&counts, rows), &moments), None);
        assert_eq!(sums(Part::Month, &Spread::new(&counts, rows), &moments), None);
    }

    #[test]
    fn spans_are_what_those_of_single_moments_are() {
        let moments = moments();
        let rows = moments.len() - 1;
        let (all, one) = (spread(&moments, rows), spread(&moments[5..], 1));
        let later = TimestampMicrosecondArray::from(moments[1..].to_vec());
        for (from, to) in [(&all, &later), (&one, &later), (&all, &one), (&one, &one)] {
            let spans = Spans { from: Spread::new(from, rows), to: Spread::new(to, rows), rows };
            let each = |of: &dyn Fn(i64, i64) -> Option<i64>| -> Option<Vec<i64>> {
                (0..rows).map(|row| of(spans.from.value(row), spans.to.value(row))).collect()
            };
            for part in PARTS {
                assert_eq!(spans.boundaries(part), each(&|from, to| part.boundaries(from, to).ok()), "{part:?}");
                assert_eq!(spans.whole(part), each(&|from, to| part.whole(from, to).ok()), "{part:?}");
            }
        }
    }

    #[test]
    fn what_no_calendar_here_has_is_left() {
        for moment in [i64::MIN, i64::MAX, MOST_DAYS * DAY_US] {
            assert_eq!(begins(Part::Day, &[0, moment]), None);
            assert_eq!(values(Part::Year, &[moment, 0]), None);
        }
        assert_eq!(begins(Part::Epoch, &[0]), None);
        assert_eq!(begins(Part::Year, &[]), Some(Vec::new()));
    }
}

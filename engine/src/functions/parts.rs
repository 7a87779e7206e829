//! Parts of dates and moments: their names, their values, where one begins, and how to add and count them; of one moment
//! here, of columns in [`super::calendar`].

use crate::error::{Error, ErrorKind, Result};
use crate::zone::Zone;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Timelike};
use datafusion::arrow::datatypes::{DataType, TimeUnit};

pub(super) const DAY_US: i64 = 86_400_000_000;
pub(super) const HOUR_US: i64 = 3_600_000_000;
pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const SECOND_US: i64 = 1_000_000;

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl Part {
    /// A part by its name or abbreviation (Redshift: "Date parts for date or timestamp functions").
    pub(super) fn parse(name: &str) -> Result<Self> {
        let lower = name.trim().to_lowercase();
        Ok(match lower.as_str() {
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "century" | "centuries" | "c" | "cent" | "cents" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "year" | "years" | "y" | "yr" | "yrs" | "yyyy" | "yy" => Self::Year,
            "isoyear" | "year_of_week" | "yow" => Self::IsoYear,
            "quarter" | "quarters" | "qtr" | "qtrs" | "q" => Self::Quarter,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "week" | "weeks" | "w" | "isoweek" => Self::Week,
            "day" | "days" | "d" | "day_of_month" => Self::Day,
            "dayofweek" | "dow" | "dw" | "weekday" => Self::DayOfWeek,
            "isodow" | "day_of_week" => Self::IsoDayOfWeek,
            "dayofyear" | "doy" | "dy" | "yearday" | "day_of_year" => Self::DayOfYear,
            "epoch" => Self::Epoch,
            "hour" | "hours" | "h" | "hr" | "hrs" => Self::Hour,
            "minute" | "minutes" | "m" | "min" | "mins" => Self::Minute,
            "second" | "seconds" | "s" | "sec" | "secs" => Self::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisec"
            | "millisecs" | "millisecon" => Self::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "microsec" | "microsecs" => Self::Microsecond,
            "timezone" => Self::Timezone,
            "timezone_hour" => Self::TimezoneHour,
            "timezone_minute" => Self::TimezoneMinute,
            _ => return Err(Error::new(ErrorKind::InvalidParameter, format!("date part \"{name}\" is not known"))),
        })
    }

    /// How many months or microseconds it has, where it has as many every time.
    pub(super) fn length(self) -> Option<Length> {
        Some(match self {
            Self::Millennium => Length::Months(12_000),
            Self::Century => Length::Months(1200),
            Self::Decade => Length::Months(120),
            Self::Year => Length::Months(12),
            Self::Quarter => Length::Months(3),
            Self::Month => Length::Months(1),
            Self::Week => Length::Micros(7 * DAY_US),
            Self::Day | Self::DayOfWeek | Self::IsoDayOfWeek | Self::DayOfYear => Length::Micros(DAY_US),
            Self::Hour => Length::Micros(HOUR_US),
            Self::Minute => Length::Micros(MINUTE_US),
            Self::Second => Length::Micros(SECOND_US),
            Self::Millisecond => Length::Micros(1000),
            Self::Microsecond => Length::Micros(1),
            Self::IsoYear | Self::Epoch | Self::Timezone | Self::TimezoneHour | Self::TimezoneMinute => return None,
        })
    }

    fn unsuited(self) -> Error {
        Error::new(ErrorKind::InvalidParameter, format!("date part {self:?} cannot be used here").to_lowercase())
    }

    /// A moment so many of these parts later; the day is the month's last where the month is shorter.
    pub(super) fn add(self, count: i64, micros: i64) -> Result<i64> {
        match self.length().ok_or_else(|| self.unsuited())? {
            Length::Micros(length) => {
                count.checked_mul(length).and_then(|added| micros.checked_add(added)).ok_or_else(of_no_calendar)
            }
            Length::Months(months) => {
                let months = count.checked_mul(months).ok_or_else(of_no_calendar)?;
                add_months(micros, months).ok_or_else(of_no_calendar)
            }
        }
    }

    /// The same as Redshift's DATEADD has it: the 29th of February becomes the 1st of March of a year that has none, but
    /// only where years are added ("DATEADD function").
    pub(super) fn add_leaping(self, count: i64, micros: i64) -> Result<i64> {
        let moved = self.add(count, micros)?;
        let is_cut = self == Self::Year && moment_of(micros)?.day() != moment_of(moved)?.day();
        Ok(if is_cut { moved + DAY_US } else { moved })
    }

    /// The part, where a time of day has it.
    pub(super) fn of_time(self) -> Result<Self> {
        match self {
            Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond | Self::Epoch => Ok(self),
            Self::Timezone | Self::TimezoneHour | Self::TimezoneMinute => {
                Err(Error::unsupported("the zone of a TIMETZ, which is kept as the time in UTC,"))
            }
            _ => Err(self.unsuited()),
        }
    }

    /// A time of day so many of these parts later, round the clock.
    pub(super) fn add_to_time(self, count: i64, time: i64) -> Result<i64> {
        match self.of_time()?.length() {
            // Each of these parts fits into a day; whole days change nothing.
            Some(Length::Micros(length)) => Ok((time + count.rem_euclid(DAY_US / length) * length).rem_euclid(DAY_US)),
            _ => Err(self.unsuited()),
        }
    }

    /// How many microseconds a part of a minute has that DATE_PART gives with all that is below it.
    pub(super) fn within_minute(self) -> Option<f64> {
        Some(match self {
            Self::Second => 1e6,
            Self::Millisecond => 1e3,
            Self::Microsecond => 1.,
            _ => return None,
        })
    }

    /// How many boundaries of the part lie between two moments (Redshift's DATEDIFF).
    pub(super) fn boundaries(self, from: i64, to: i64) -> Result<i64> {
        Ok(match self.length().ok_or_else(|| self.unsuited())? {
            // Weeks begin on Sunday for Redshift's DATEDIFF; 1970-01-01 was a Thursday.
            Length::Micros(length) if self == Self::Week => {
                (to + 4 * DAY_US).div_euclid(length) - (from + 4 * DAY_US).div_euclid(length)
            }
            Length::Micros(length) => to.div_euclid(length) - from.div_euclid(length),
            Length::Months(length) => months_of(to)?.div_euclid(length) - months_of(from)?.div_euclid(length),
        })
    }

    /// How many whole parts lie between two moments (Trino's `date_diff`).
    pub(super) fn whole(self, from: i64, to: i64) -> Result<i64> {
        match self.length().ok_or_else(|| self.unsuited())? {
            Length::Micros(length) => Ok((to - from) / length),
            Length::Months(length) => {
                let mut months = months_of(to)? - months_of(from)?;
                // The last month counts only when its day and time are reached.
                let reached = add_months(from, months).unwrap_or(from);
                if months > 0 && reached > to {
                    months -= 1;
                } else if months < 0 && reached < to {
                    months += 1;
                }
                Ok(months / length)
            }
        }
    }

    /// The moment at which the part that holds a moment began.
    pub(super) fn begin(self, micros: i64) -> Result<i64> {
        let floor = |length: i64| micros.div_euclid(length) * length;
        let moment = || moment_of(micros);
        let date = |year: i32, month: u32| {
            let first = NaiveDate::from_ymd_opt(year, month, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            first.map(micros_of).ok_or_else(|| self.unsuited())
        };
        Ok(match self {
            Self::Microsecond => micros,
            Self::Millisecond => floor(1000),
            Self::Second => floor(SECOND_US),
            Self::Minute => floor(MINUTE_US),
            Self::Hour => floor(HOUR_US),
            Self::Day => floor(DAY_US),
            // Weeks begin on Monday.
            Self::Week => (micros + 3 * DAY_US).div_euclid(7 * DAY_US) * 7 * DAY_US - 3 * DAY_US,
            Self::Month => date(moment()?.year(), moment()?.month())?,
            Self::Quarter => date(moment()?.year(), moment()?.month0() / 3 * 3 + 1)?,
            Self::Year => date(moment()?.year(), 1)?,
            Self::Decade => date(moment()?.year().div_euclid(10) * 10, 1)?,
            Self::Century => date((moment()?.year() - 1).div_euclid(100) * 100 + 1, 1)?,
            Self::Millennium => date((moment()?.year() - 1).div_euclid(1000) * 1000 + 1, 1)?,
            _ => return Err(self.unsuited()),
        })
    }

    /// The part's value.
    pub(super) fn value(self, micros: i64) -> Result<i64> {
        let within = |whole: i64, length: i64| micros.rem_euclid(whole) / length;
        let moment = || moment_of(micros);
        Ok(match self {
            Self::Microsecond => within(SECOND_US, 1),
            Self::Millisecond => within(SECOND_US, 1000),
            Self::Second => within(MINUTE_US, SECOND_US),
            Self::Minute => within(HOUR_US, MINUTE_US),
            Self::Hour => within(DAY_US, HOUR_US),
            Self::Epoch => micros.div_euclid(SECOND_US),
            Self::Timezone | Self::TimezoneHour | Self::TimezoneMinute => 0,
            Self::Day => i64::from(moment()?.day()),
            Self::DayOfWeek => i64::from(moment()?.weekday().num_days_from_sunday()),
            Self::IsoDayOfWeek => i64::from(moment()?.weekday().number_from_monday()),
            Self::DayOfYear => i64::from(moment()?.ordinal()),
            Self::Week => i64::from(moment()?.iso_week().week()),
            Self::IsoYear => i64::from(moment()?.iso_week().year()),
            Self::Month => i64::from(moment()?.month()),
            Self::Quarter => i64::from(moment()?.month0() / 3 + 1),
            Self::Year => i64::from(moment()?.year()),
            // The years 1 to 9 are the first (Redshift: "CENTURY, EPOCH, DECADE, and MIL notes").
            Self::Decade => i64::from(moment()?.year().div_euclid(10) + 1),
            Self::Century => i64::from((moment()?.year() - 1).div_euclid(100) + 1),
            Self::Millennium => i64::from((moment()?.year() - 1).div_euclid(1000) + 1),
        })
    }
}

impl Part {
    /// Whether it is less than a day: then a zone's clocks are not put forward or back for what is counted in it.
    fn is_of_a_day(self) -> bool {
        matches!(self.length(), Some(Length::Micros(length)) if length < DAY_US)
    }

    /// When the part that holds a moment began by clocks of a zone.
    pub(super) fn begin_in(self, zone: Zone, utc: i64) -> Result<i64> {
        let offset = zone.offset_at(utc).ok_or_else(of_no_calendar)?;
        let begun = self.begin(utc.checked_add(offset).ok_or_else(of_no_calendar)?)?;
        let made = if self.is_of_a_day() { begun.checked_sub(offset) } else { zone.to_utc_near(begun, offset) };
        made.ok_or_else(of_no_calendar)
    }

    /// A moment so many of these parts later by clocks of a zone.
    pub(super) fn add_in(self, zone: Zone, count: i64, utc: i64) -> Result<i64> {
        if self.is_of_a_day() {
            return self.add(count, utc);
        }
        let offset = zone.offset_at(utc).ok_or_else(of_no_calendar)?;
        let moved = self.add(count, utc.checked_add(offset).ok_or_else(of_no_calendar)?)?;
        zone.to_utc_near(moved, offset).ok_or_else(of_no_calendar)
    }

    /// How many whole parts lie between two moments by clocks of a zone.
    pub(super) fn whole_in(self, zone: Zone, from: i64, to: i64) -> Result<i64> {
        if self.is_of_a_day() {
            return self.whole(from, to);
        }
        let local = |utc: i64| zone.to_local(utc).ok_or_else(of_no_calendar);
        self.whole(local(from)?, local(to)?)
    }

    /// The part's value of a moment with a zone, of what its clocks show.
    pub(super) fn value_in(self, zone: Zone, utc: i64) -> Result<i64> {
        let local = zone.to_local(utc).ok_or_else(of_no_calendar)?;
        match self {
            Self::Epoch => self.value(utc),
            Self::Timezone => Ok((local - utc) / SECOND_US),
            Self::TimezoneHour => Ok((local - utc) / HOUR_US),
            Self::TimezoneMinute => Ok((local - utc) % HOUR_US / MINUTE_US),
            _ => self.value(local),
        }
    }

    /// The part's value of an interval: months in years, days and times (Redshift's EXTRACT, PostgreSQL's fields).
    pub(super) fn of_interval(self, months: i64, micros: i64) -> Result<i64> {
        Ok(match self {
            Self::Microsecond => micros % SECOND_US,
            Self::Millisecond => micros % SECOND_US / 1000,
            Self::Second => micros % MINUTE_US / SECOND_US,
            Self::Minute => micros % HOUR_US / MINUTE_US,
            Self::Hour => micros % DAY_US / HOUR_US,
            Self::Day => micros / DAY_US,
            // A year has 365.25 days here, a month beside years 30.
            Self::Epoch => micros / SECOND_US + months / 12 * 31_557_600 + months % 12 * 30 * (DAY_US / SECOND_US),
            Self::Month => months % 12,
            Self::Quarter => months % 12 / 3 + 1,
            Self::Year => months / 12,
            Self::Decade => months / 120,
            Self::Century => months / 1_200,
            Self::Millennium => months / 12_000,
            _ => return Err(self.unsuited()),
        })
    }
}

/// A moment with a zone and an interval later: months and days as clocks of the zone show them, one after the other, then
/// the time (PostgreSQL: "Date/Time Functions and Operators"); `None` for moments that no calendar has.
pub(super) fn add_in(zone: Zone, utc: i64, months: i64, days: i64, micros: i64) -> Option<i64> {
    let mut moment = utc;
    if months != 0 {
        moment = zone.to_utc(add_months(zone.to_local(moment)?, months)?)?;
    }
    if days != 0 {
        moment = zone.to_utc(zone.to_local(moment)?.checked_add(days.checked_mul(DAY_US)?)?)?;
    }
    moment.checked_add(micros)
}

/// How long a part is.
pub(super) enum Length {
    Months(i64),
    Micros(i64),
}

/// A moment as a calendar has it.
pub(super) fn moment_of(micros: i64) -> Result<NaiveDateTime> {
    let moment = DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc());
    moment.ok_or_else(of_no_calendar)
}

/// What is said of a moment that no calendar has.
pub(super) fn of_no_calendar() -> Error {
    super::arithmetic::out_of_range(&DataType::Timestamp(TimeUnit::Microsecond, None))
}

/// Microseconds of a moment.
pub(super) fn micros_of(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

/// Months since year 0.
fn months_of(micros: i64) -> Result<i64> {
    let moment = moment_of(micros)?;
    Ok(i64::from(moment.year()) * 12 + i64::from(moment.month0()))
}

fn add_months(micros: i64, months: i64) -> Option<i64> {
    let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 { moment.checked_sub_months(count) } else { moment.checked_add_months(count) };
    moved.map(micros_of)
}

/// Months added as ADD_MONTHS does: the last day of a month stays the last one.
pub(super) fn add_months_sticky(micros: i64, months: i64) -> Result<i64> {
    let moved = Part::Month.add(months, micros)?;
    let (before, after) = (moment_of(micros)?, moment_of(moved)?);
    if is_last_day(before.date()) {
        let last = last_day(after.date());
        return Ok(micros_of(last.and_time(after.time())));
    }
    Ok(moved)
}

fn is_last_day(date: NaiveDate) -> bool {
    last_day(date) == date
}

/// The last day of a date's month.
pub(super) fn last_day(date: NaiveDate) -> NaiveDate {
    let first = date.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
    first.and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(date)
}

/// MONTHS_BETWEEN: whole months where the days are equal or both last, else with a part of 31.
pub(super) fn months_between(later: i64, earlier: i64) -> Result<f64> {
    let (a, b) = (moment_of(later)?, moment_of(earlier)?);
    let months = (months_of(later)? - months_of(earlier)?) as f64;
    if a.day() == b.day() || (is_last_day(a.date()) && is_last_day(b.date())) {
        return Ok(months);
    }
    let seconds =
        |moment: NaiveDateTime| f64::from(moment.day()) * 86_400.0 + f64::from(moment.num_seconds_from_midnight());
    Ok(months + (seconds(a) - seconds(b)) / (31.0 * 86_400.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> i64 {
        crate::load::moment_of(text, false).unwrap()
    }

    // Redshift's pages of DATEDIFF and Trino's of date_diff.
    #[test]
    fn differences() {
        for (part, from, to, boundaries, whole) in [
            ("week", "2009-01-01", "2009-12-31", 52, 52),
            ("qtr", "1998-07-01", "2008-10-06", 41, 41),
            ("day", "2008-12-31 23:59:59", "2009-01-01", 1, 0),
            ("year", "2008-12-31", "2009-01-01", 1, 0),
            ("month", "2020-01-31", "2020-02-29", 1, 1),
            ("month", "2020-03-31", "2020-02-29", -1, -1),
            ("hour", "2020-01-01 00:59", "2020-01-01 01:01", 1, 0),
            ("second", "2020-03-01", "2020-03-02", 86_400, 86_400),
        ] {
            let part = Part::parse(part).unwrap();
            assert_eq!(part.boundaries(at(from), at(to)).unwrap(), boundaries, "{part:?} {from} {to}");
            assert_eq!(part.whole(at(from), at(to)).unwrap(), whole, "{part:?} {from} {to}");
        }
    }

    #[test]
    fn beginnings_and_values() {
        let moment = at("2008-06-18 10:20:30.123456");
        for (part, begin, value) in [
            ("millennium", "2001-01-01", 3),
            ("century", "2001-01-01", 21),
            ("decade", "2000-01-01", 201),
            ("year", "2008-01-01", 2008),
            ("quarter", "2008-04-01", 2),
            ("month", "2008-06-01", 6),
            ("week", "2008-06-16", 25),
            ("day", "2008-06-18", 18),
            ("hour", "2008-06-18 10:00:00", 10),
            ("minute", "2008-06-18 10:20:00", 20),
            ("second", "2008-06-18 10:20:30", 30),
            ("millisecond", "2008-06-18 10:20:30.123", 123),
        ] {
            let part = Part::parse(part).unwrap();
            assert_eq!(part.begin(moment).unwrap(), at(begin), "{part:?}");
            assert_eq!(part.value(moment).unwrap(), value, "{part:?}");
        }
        assert_eq!(Part::parse("dow").unwrap().value(moment).unwrap(), 3);
        assert_eq!(Part::parse("doy").unwrap().value(moment).unwrap(), 170);
    }

    #[test]
    fn months() {
        assert_eq!(Part::Month.add(1, at("2008-01-31")).unwrap(), at("2008-02-29"));
        assert_eq!(add_months_sticky(at("2008-02-29"), 1).unwrap(), at("2008-03-31"));
        assert_eq!(Part::Month.add(1, at("2008-02-29")).unwrap(), at("2008-03-29"));
        assert!((months_between(at("1969-01-18"), at("1969-03-18")).unwrap() + 2.0).abs() < 1e-12);
        assert!((months_between(at("2020-01-31"), at("2020-02-29")).unwrap() + 1.0).abs() < 1e-12);
    }

    // Redshift's page of DATEADD; 2020 has a 29th of February.
    #[test]
    fn years_of_leap_days() {
        for (part, count, from, to) in [
            (Part::Year, 1, "2016-02-29", "2017-03-01"),
            (Part::Month, 12, "2016-02-29", "2017-02-28"),
            (Part::Year, -1, "2016-02-29 23:59:59", "2015-03-01 23:59:59"),
            (Part::Year, 4, "2016-02-29", "2020-02-29"),
            (Part::Year, 1, "2016-02-28", "2017-02-28"),
        ] {
            assert_eq!(part.add_leaping(count, at(from)).unwrap(), at(to), "{part:?} {count} {from}");
        }
    }

    // Redshift's pages of DATEADD and EXTRACT.
    #[test]
    fn times_of_day() {
        let time = |hours: i64, minutes: i64, seconds: i64| hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US;
        for (part, count, from, to) in [
            (Part::Minute, 5, time(20, 0, 0), time(20, 5, 0)),
            (Part::Hour, 8, time(13, 24, 55), time(21, 24, 55)),
            (Part::Hour, 12, time(13, 24, 55), time(1, 24, 55)),
            (Part::Second, -1, 0, time(23, 59, 59)),
            (Part::Hour, i64::MAX, time(13, 0, 0), time(20, 0, 0)),
        ] {
            assert_eq!(part.add_to_time(count, from).unwrap(), to, "{part:?} {count} {from}");
        }
        assert_eq!(Part::Day.add_to_time(1, 0).unwrap_err().kind, ErrorKind::InvalidParameter);
        assert_eq!(Part::Epoch.add_to_time(1, 0).unwrap_err().kind, ErrorKind::InvalidParameter);
        assert_eq!(Part::TimezoneHour.of_time().unwrap_err().kind, ErrorKind::Unsupported);
    }

    // Days are clocks' and hours are not, as Joda's fields count them, which Trino calls: 2020-03-08 has 23 hours in New York,
    // 2020-11-01 has 25, with one to two o'clock twice.
    #[test]
    fn parts_by_clocks_of_a_zone() {
        let zone = Zone::of_name("America/New_York").unwrap();
        for (part, utc, begin) in [
            (Part::Day, "2020-03-09 03:59", "2020-03-08 05:00"),
            (Part::Day, "2020-03-09 04:00", "2020-03-09 04:00"),
            (Part::Month, "2020-03-31 12:00", "2020-03-01 05:00"),
            (Part::Year, "2020-01-01 04:59", "2019-01-01 05:00"),
            (Part::Hour, "2020-11-01 05:30", "2020-11-01 05:00"),
            (Part::Hour, "2020-11-01 06:30", "2020-11-01 06:00"),
        ] {
            assert_eq!(part.begin_in(zone, at(utc)).unwrap(), at(begin), "{part:?} {utc}");
        }
        for (part, count, utc, later) in [
            (Part::Day, 1, "2020-03-07 17:00", "2020-03-08 16:00"),
            (Part::Hour, 24, "2020-03-07 17:00", "2020-03-08 17:00"),
            (Part::Month, 1, "2020-10-02 04:30", "2020-11-02 05:30"),
            // Half past one is there twice: of two moments the one whose season the moved one has.
            (Part::Day, -1, "2020-11-02 06:30", "2020-11-01 06:30"),
            (Part::Day, 1, "2020-10-31 05:30", "2020-11-01 05:30"),
        ] {
            assert_eq!(part.add_in(zone, count, at(utc)).unwrap(), at(later), "{part:?} {utc}");
        }
        for (part, from, to, count) in [
            (Part::Day, "2020-03-08 05:00", "2020-03-09 04:00", 1),
            (Part::Hour, "2020-03-08 05:00", "2020-03-09 04:00", 23),
            (Part::Day, "2020-11-01 04:00", "2020-11-02 04:00", 0),
        ] {
            assert_eq!(part.whole_in(zone, at(from), at(to)).unwrap(), count, "{part:?} {from}");
        }
        assert_eq!(Part::Epoch.begin_in(zone, 0).unwrap_err().kind, ErrorKind::InvalidParameter);
        assert_eq!(Part::Day.add_in(zone, i64::MAX, 0).unwrap_err().kind, ErrorKind::NumericOverflow);
    }

    // PostgreSQL 15 with TimeZone set to America/New_York, whose clocks go from two to three on 2020-03-08, and from two
    // to one on 2020-11-01.
    #[test]
    fn intervals_of_a_zone() {
        let zone = Zone::of_name("America/New_York").unwrap();
        for (from, (months, days, micros), to) in [
            ("2020-03-07 17:00", (0, 1, 0), "2020-03-08 16:00"),
            ("2020-03-07 17:00", (0, 0, DAY_US), "2020-03-08 17:00"),
            ("2020-03-08 16:00", (0, -1, 0), "2020-03-07 17:00"),
            ("2020-02-08 17:00", (1, 0, 0), "2020-03-08 16:00"),
            ("2020-01-31 17:00", (1, 0, 0), "2020-02-29 17:00"),
            ("2020-10-31 16:00", (0, 1, HOUR_US), "2020-11-01 18:00"),
            // Half past two is not there on that day, and is read as if clocks had not changed.
            ("2020-03-07 07:30", (0, 1, 0), "2020-03-08 07:30"),
            // Half past one is there twice.
            ("2020-10-31 05:30", (0, 1, 0), "2020-11-01 06:30"),
            // The day is the zone's: the 30th, and then February's last.
            ("2020-01-31 04:59:59", (1, 0, 0), "2020-03-01 04:59:59"),
        ] {
            assert_eq!(add_in(zone, at(from), months, days, micros), Some(at(to)), "{from}");
        }
        assert_eq!(add_in(zone, at("2020-03-07"), i64::MAX, 0, 0), None);
        assert_eq!(add_in(zone, at("2020-03-07"), 0, i64::MAX, 0), None);
    }
}

//! Time zones by name: of the IANA database, or abbreviations; and the session's, which its configuration carries.

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, OffsetName, Tz};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::config::ConfigOptions;

/// Abbreviations and what they are from UTC, in hours and minutes, whatever the season: PostgreSQL's default set
/// (`timezonesets/Default`), of which Redshift has an older state.
const ABBREVIATIONS: &str = "\
    ACDT +1030 ACSST +1030 ACST +0930 ACT -0500 ACWST +0845 ADT -0300 AEDT +1100 AESST +1100 AEST +1000 AFT +0430 \
    AKDT -0800 AKST -0900 ALMST +0700 ALMT +0600 AMT -0400 AST -0400 AWSST +0900 AWST +0800 AZOST +0000 AZOT -0100 \
    BDST +0200 BDT +0600 BNT +0800 BORT +0800 BOT -0400 BRA -0300 BRST -0200 BRT -0300 BST +0100 BTT +0600 \
    CADT +1030 CAST +0930 CCT +0800 CDT -0500 CEST +0200 CET +0100 CETDST +0200 CHADT +1345 CHAST +1245 CHUT +1000 \
    CLST -0300 COT -0500 CST -0600 CXT +0700 DDUT +1000 EAT +0300 EDT -0400 EEST +0300 EET +0200 EETDST +0300 \
    EGST +0000 EGT -0100 EST -0500 FET +0300 FJST +1300 FJT +1200 FNST -0100 FNT -0200 GALT -0600 GAMT -0900 \
    GFT -0300 GILT +1200 GMT +0000 HKT +0800 HST -1000 ICT +0700 IDT +0300 IRT +0330 IST +0200 JAYT +0900 JST +0900 \
    KDT +1000 KGST +0600 KST +0900 LHST +1030 LIGT +1000 MART -0930 MDT -0600 MEST +0200 MESZ +0200 MET +0100 \
    METDST +0200 MEZ +0100 MHT +1200 MMT +0630 MPT +1000 MSD +0400 MST -0700 MUST +0500 MUT +0400 MVT +0500 \
    MYT +0800 NDT -0230 NFT -0330 NPT +0545 NST -0330 NZDT +1300 NZST +1200 NZT +1200 PDT -0700 PET -0500 PGT +1000 \
    PHT +0800 PKST +0600 PKT +0500 PMDT -0200 PMST -0300 PONT +1100 PST -0800 PWT +0900 PYST -0300 RET +0400 \
    SADT +1030 SAST +0200 SCT +0400 TAHT -1000 TFT +0500 TJT +0500 TOT +1300 TRUT +1000 TVT +1200 UCT +0000 \
    ULAST +0900 UT +0000 UTC +0000 UYST -0200 UYT -0300 UZST +0600 UZT +0500 VUT +1100 WADT +0800 WAKT +1200 \
    WAST +0700 WAT +0100 WDT +0900 WET +0000 WETDST +0100 WFT +1200 WGST -0200 WGT -0300 XJT +0600 YAPT +1000 \
    YEKST +0600 Z +0000 ZULU +0000";

const DAY_US: i64 = 86_400_000_000;

/// When the changes that chrono-tz lists end: the year 2100 in UTC.
const LISTED_UNTIL_US: i64 = 4_102_444_800_000_000;

/// Years with leap days in their order, of which there are all kinds: what weekday they begin with, and how long they are.
const ALL_KINDS_OF_YEARS: std::ops::Range<i32> = 2071..2099;

/// Names of UTC in the IANA database, some of them also with `Etc/` before them.
const UTC_NAMES: &str = "utc uct gmt gmt0 gmt+0 gmt-0 greenwich universal zulu";

/// A zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Of the IANA database.
    Named(Tz),
    /// So many seconds east of UTC.
    Fixed(i32),
}

/// A zone as the setting `timezone` names it: of the IANA database in any case, so many whole hours east of UTC (`-5`,
/// `-8:00`), or as POSIX has it, an abbreviation and hours west of UTC (`UTC+5`), both of which become the database's
/// `Etc/GMT+5`. `None` where it is none of these.
pub(crate) fn of_setting(text: &str) -> Option<Tz> {
    let text = text.trim();
    let named = || chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text)).copied();
    let west = |hours: i32| format!("Etc/GMT{hours:+}").parse::<Tz>().ok();
    let offset = || {
        // Redshift: "ISO-8601 offset".
        let whole = text.strip_suffix(":00").unwrap_or(text);
        if let Ok(hours) = whole.parse::<i32>() {
            return hours.checked_neg().and_then(west);
        }
        let digits = text.find(|c: char| !c.is_ascii_alphabetic()).filter(|at| *at >= 3)?;
        text[digits..].parse::<i32>().ok().and_then(west)
    };
    text.parse().ok().or_else(named).or_else(offset)
}

/// A zone as types of moments name it (Arrow's `Timestamp`): UTC by whichever of its names, a name of the IANA database in
/// any case, else an abbreviation or an offset (`-8`, `+05:30`, `UTC+2`) as hours and minutes from UTC. `None` where there
/// is no such zone.
pub(crate) fn name_in_types(text: &str) -> Option<String> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if UTC_NAMES.split(' ').any(|name| name == lower.strip_prefix("etc/").unwrap_or(&lower)) {
        return Some("UTC".to_owned());
    }
    if let Some(zone) = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text)) {
        return Some(zone.name().to_owned());
    }
    let seconds = match Zone::of_name(text) {
        Some(Zone::Fixed(seconds)) => seconds,
        _ => offset_seconds(lower.trim_start_matches("utc").trim_start_matches("gmt"))?,
    };
    Some(if seconds == 0 { "UTC".to_owned() } else { hours_and_minutes(seconds) })
}

/// The date, the time of day and the zone of a text that has a zone behind them; the time may be empty.
pub(crate) fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (date, rest) = text.trim().split_once(' ')?;
    let (time, zone) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic() || c == '+' || c == '-')?);
    Some((date, time.trim_end(), zone))
}

/// The name of the zone that a type of moments has; UTC for types that name none.
pub(crate) fn name_of_type(data_type: &DataType) -> &str {
    match data_type {
        DataType::Timestamp(_, Some(name)) => name,
        _ => "UTC",
    }
}

/// Seconds east of UTC as `+05:30`.
pub(crate) fn hours_and_minutes(seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Seconds east of UTC: `+02:00`, `-8`, `+0530`.
pub(crate) fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u8>().ok().filter(|_| plain).map(i32::from)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

impl Zone {
    /// Universal time.
    pub(crate) const UTC: Self = Self::Fixed(0);

    /// The zone of the session that is configured so.
    pub(crate) fn of_session(options: &ConfigOptions) -> Self {
        match options.execution.time_zone.as_deref() {
            None | Some("UTC") => Self::UTC,
            Some(name) => name.parse().ok().map(Self::Named).or_else(|| Self::of_name(name)).unwrap_or(Self::UTC),
        }
    }

    /// The zone that a type of moments names; `None` for other types, and where no zone has the name.
    pub(crate) fn of_type(data_type: &DataType) -> Option<Self> {
        let DataType::Timestamp(_, Some(name)) = data_type else { return None };
        if name.as_ref() == "UTC" {
            return Some(Self::UTC);
        }
        name.parse().ok().map(Self::Named).or_else(|| offset_seconds(name).map(Self::Fixed))
    }

    /// The zone of a name that types may have, in any of its forms ([`name_in_types`]).
    pub(crate) fn in_types(name: &str) -> Option<Self> {
        let name = name_in_types(name)?;
        Self::of_type(&DataType::Timestamp(TimeUnit::Microsecond, Some(name.into())))
    }

    /// The same where it is not UTC: moments whose clocks are neither UTC's nor the session's, as Trino has them.
    pub(crate) fn own(data_type: &DataType) -> Option<Self> {
        Self::of_type(data_type).filter(|zone| !zone.is_utc())
    }

    /// Whether clocks of the zone show UTC, by its name.
    pub(crate) fn is_utc(self) -> bool {
        matches!(self, Self::UTC | Self::Named(Tz::UTC))
    }

    /// The zone of a name, in any case; `None` when there is none.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let mut words = ABBREVIATIONS.split(' ');
        while let (Some(known), Some(offset)) = (words.next(), words.next()) {
            if known.eq_ignore_ascii_case(name) {
                let (hours, minutes) = (offset.get(..3)?.parse::<i32>().ok()?, offset.get(3..)?.parse::<i32>().ok()?);
                let minutes = if offset.starts_with('-') { -minutes } else { minutes };
                return Some(Self::Fixed(hours * 3600 + minutes * 60));
            }
        }
        chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied().map(Self::Named)
    }

    /// What is added to UTC, in microseconds, at a moment in UTC; `None` for moments that no calendar has.
    pub(crate) fn offset_at(self, utc_us: i64) -> Option<i64> {
        let seconds = match self {
            Self::Fixed(seconds) => seconds,
            Self::Named(zone) => {
                let listed = moment_of(utc_us - beyond_list(utc_us)?)?;
                zone.offset_from_utc_datetime(&listed).fix().local_minus_utc()
            }
        };
        Some(i64::from(seconds) * 1_000_000)
    }

    /// What clocks of the zone show at a moment in UTC; `None` for moments that no calendar has.
    pub(crate) fn to_local(self, utc_us: i64) -> Option<i64> {
        utc_us.checked_add(self.offset_at(utc_us)?)
    }

    /// The time in UTC at which clocks of the zone show a time of day today: their offset in a year has a season, and a time
    /// of day has no other date (PostgreSQL: `timetz`).
    pub(crate) fn time_in_utc(self, time_us: i64) -> i64 {
        let today = self.to_local(Utc::now().timestamp_micros()).map(|local| local.div_euclid(DAY_US) * DAY_US);
        let moment = today.and_then(|today| self.to_utc(today + time_us));
        moment.unwrap_or(time_us).rem_euclid(DAY_US)
    }

    /// What the zone is called at a moment in UTC: `EST`, or its offset where it has no such name.
    pub(crate) fn abbreviation_at(self, utc_us: i64) -> String {
        if self.is_utc() {
            return "UTC".to_owned();
        }
        let name = match self {
            Self::Named(zone) => beyond_list(utc_us).and_then(|later| moment_of(utc_us - later)).and_then(|moment| {
                let offset = zone.offset_from_utc_datetime(&moment);
                offset.abbreviation().map(str::to_owned)
            }),
            Self::Fixed(_) => None,
        };
        name.unwrap_or_else(|| offset_text(self.offset_at(utc_us).unwrap_or(0)))
    }

    /// The moment in UTC at which clocks of the zone show this; the later one where they show it twice, and where they never
    /// do, as if they had not been put forward, as PostgreSQL takes both. `None` for moments that no calendar has.
    pub(crate) fn to_utc(self, local_us: i64) -> Option<i64> {
        self.in_utc(local_us, MappedLocalTime::latest)
    }

    /// The same, but for the earlier moment where clocks show it twice, as Trino takes it.
    pub(crate) fn to_utc_earlier(self, local_us: i64) -> Option<i64> {
        self.in_utc(local_us, MappedLocalTime::earliest)
    }

    /// The moment in UTC at which clocks of the zone show this, among two the one with this offset from UTC, if it is one of
    /// them: a moment that is moved by them keeps its season (Joda's `DateTimeZone::convertLocalToUTC`, which Trino calls).
    pub(crate) fn to_utc_near(self, local_us: i64, offset_us: i64) -> Option<i64> {
        let same = local_us.checked_sub(offset_us)?;
        if self.offset_at(same)? == offset_us { Some(same) } else { self.to_utc_earlier(local_us) }
    }

    fn in_utc(self, local_us: i64, chosen: fn(MappedLocalTime<DateTime<Tz>>) -> Option<DateTime<Tz>>) -> Option<i64> {
        let Self::Named(zone) = self else { return local_us.checked_sub(self.offset_at(local_us)?) };
        let later = beyond_list(local_us)?;
        let local = moment_of(local_us - later)?;
        match chosen(zone.from_local_datetime(&local)) {
            Some(moment) => moment.with_timezone(&Utc).timestamp_micros().checked_add(later),
            None => {
                let (_, before) = GapInfo::new(&local, &zone)?.begin?;
                local_us.checked_sub(i64::from(before.fix().local_minus_utc()) * 1_000_000)
            }
        }
    }
}

/// What is added to UTC, in microseconds, as PostgreSQL writes it: `+00`, `-05`, `+05:30`, `-00:25:21`.
pub(crate) fn offset_text(offset_us: i64) -> String {
    let sign = if offset_us < 0 { '-' } else { '+' };
    let seconds = offset_us.unsigned_abs() / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// How much later than in a year that is listed something is in a year beyond: the same day of a year that is as long and begins
/// with the same weekday. The rules that a zone ends with name months, weeks and weekdays (RFC 9636, "TZ string extension").
fn beyond_list(micros: i64) -> Option<i64> {
    if micros < LISTED_UNTIL_US {
        return Some(0);
    }
    let begin = |year| NaiveDate::from_ymd_opt(year, 1, 1);
    let own = begin(moment_of(micros)?.year())?;
    let is_same = |other: &NaiveDate| other.weekday() == own.weekday() && other.leap_year() == own.leap_year();
    let listed = ALL_KINDS_OF_YEARS.filter_map(begin).find(is_same)?;
    own.signed_duration_since(listed).num_microseconds()
}

fn moment_of(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Hours from UTC at 2024-07-01 and 2024-01-01 12:00 of local clocks.
    #[test]
    fn names_and_what_they_mean() {
        let (summer, winter) = (1_719_835_200_000_000, 1_704_110_400_000_000);
        for (name, in_summer, in_winter) in [
            ("UTC", 0.0, 0.0),
            ("z", 0.0, 0.0),
            ("PST", -8.0, -8.0),
            ("cest", 2.0, 2.0),
            ("NPT", 5.75, 5.75),
            ("NST", -3.5, -3.5),
            ("America/New_York", -4.0, -5.0),
            ("europe/warsaw", 2.0, 1.0),
            ("PST8PDT", -7.0, -8.0),
        ] {
            let zone = Zone::of_name(name).unwrap();
            let hours = |local: i64| (local - zone.to_utc(local).unwrap()) as f64 / 3_600_000_000.0;
            assert_eq!((hours(summer), hours(winter)), (in_summer, in_winter), "{name}");
        }
        for name in ["", "Mars", "+0530", "ACDT +1030", "12"] {
            assert_eq!(Zone::of_name(name), None, "{name}");
        }
    }

    // PostgreSQL: numbers are hours east, the hours of POSIX's forms west.
    #[test]
    fn settings_name_zones() {
        for (text, name) in [
            ("UTC", Some("UTC")),
            ("utc", Some("UTC")),
            (" america/new_york ", Some("America/New_York")),
            ("EST5EDT", Some("EST5EDT")),
            ("-5", Some("Etc/GMT+5")),
            ("7", Some("Etc/GMT-7")),
            ("-8:00", Some("Etc/GMT+8")),
            ("+7:30", None),
            ("UTC+12", Some("Etc/GMT+12")),
            ("PST8", Some("Etc/GMT+8")),
            ("Mars/Olympus", None),
            ("-25", None),
            ("5.5", None),
            ("", None),
        ] {
            assert_eq!(of_setting(text).map(Tz::name), name, "{text}");
        }
    }

    // The United States' winter time in 2020, India's, and Amsterdam's local time before 1937, as PostgreSQL writes them.
    #[test]
    fn offsets_and_abbreviations() {
        let winter = 1_577_836_800_000_000;
        for (name, moment, offset, abbreviation) in [
            ("UTC", winter, "+00", "UTC"),
            ("America/New_York", winter, "-05", "EST"),
            ("America/New_York", winter + 180 * 86_400_000_000, "-04", "EDT"),
            ("Asia/Kolkata", winter, "+05:30", "IST"),
        ] {
            let zone = Zone::of_name(name).unwrap();
            assert_eq!(offset_text(zone.offset_at(moment).unwrap()), offset, "{name}");
            assert_eq!(zone.abbreviation_at(moment), abbreviation, "{name}");
        }
        assert_eq!(offset_text(1_172_000_000), "+00:19:32");
    }

    // Trino's "Time zones": UTC has many names, and offsets have hours and minutes.
    #[test]
    fn types_name_zones() {
        for (text, name) in [
            ("UTC", Some("UTC")),
            ("etc/gmt", Some("UTC")),
            ("Z", Some("UTC")),
            ("+00:00", Some("UTC")),
            ("america/los_angeles", Some("America/Los_Angeles")),
            ("CET", Some("CET")),
            ("PST", Some("-08:00")),
            ("+05:30", Some("+05:30")),
            ("-8", Some("-08:00")),
            ("UTC+2", Some("+02:00")),
            ("Mars/Olympus", None),
            ("", None),
            ("+25:00", None),
        ] {
            assert_eq!(name_in_types(text).as_deref(), name, "{text}");
        }
        let zone_of = |name: Option<&str>| {
            let zone = name.map(Into::into);
            Zone::own(&DataType::Timestamp(TimeUnit::Microsecond, zone))
        };
        assert_eq!(zone_of(Some("America/Los_Angeles")), Some(Zone::Named(Tz::America__Los_Angeles)));
        assert_eq!(zone_of(Some("-04:30")), Some(Zone::Fixed(-16_200)));
        for name in [None, Some("UTC"), Some("+00:00"), Some("Mars/Olympus")] {
            assert_eq!(zone_of(name), None, "{name:?}");
        }
    }

    // Zones without seasons.
    #[test]
    fn times_of_day() {
        for (name, local, utc) in [("UTC", 10, 10), ("Etc/GMT+5", 22, 3), ("Asia/Tokyo", 8, 23), ("Asia/Tokyo", 9, 0)] {
            let zone = Zone::of_name(name).unwrap();
            assert_eq!(zone.time_in_utc(local * 3_600_000_000), utc * 3_600_000_000, "{name} {local}");
        }
    }

    /// What clocks never show, east and west of Greenwich, and for a whole day; and what they show twice. PostgreSQL takes
    /// what was before a gap, and what was after clocks were put back.
    #[test]
    fn hours_that_are_not_there_or_come_twice() {
        let form = "%Y-%m-%d %H:%M";
        let micros = |text: &str| NaiveDateTime::parse_from_str(text, form).unwrap().and_utc().timestamp_micros();
        let shown = |utc: Option<i64>| moment_of(utc.unwrap()).unwrap().format(form).to_string();
        for (name, local, utc) in [
            ("Europe/Berlin", "2024-03-31 02:30", "2024-03-31 01:30"),
            ("America/Los_Angeles", "2024-03-10 02:30", "2024-03-10 10:30"),
            ("America/St_Johns", "2024-03-10 02:15", "2024-03-10 05:45"),
            ("Australia/Sydney", "2024-10-06 02:30", "2024-10-05 16:30"),
            ("Australia/Lord_Howe", "2024-10-06 02:15", "2024-10-05 15:45"),
            ("Pacific/Apia", "2011-12-30 00:00", "2011-12-30 10:00"),
            ("Pacific/Apia", "2011-12-30 23:59", "2011-12-31 09:59"),
            ("Europe/Berlin", "2024-10-27 02:30", "2024-10-27 01:30"),
            ("America/New_York", "2020-11-01 01:30", "2020-11-01 06:30"),
        ] {
            let zone = Zone::of_name(name).unwrap();
            assert_eq!(shown(zone.to_utc(micros(local))), utc, "{name} {local}");
        }
        // Beyond the years that are listed, as Python's zoneinfo has them.
        for (name, local, utc) in [
            ("Europe/Berlin", "2100-03-28 01:59", "2100-03-28 00:59"),
            ("Europe/Berlin", "2100-03-28 03:00", "2100-03-28 01:00"),
            ("Europe/Berlin", "2400-07-01 00:00", "2400-06-30 22:00"),
            ("Australia/Sydney", "2100-01-01 00:00", "2099-12-31 13:00"),
            ("Australia/Sydney", "2150-01-15 12:00", "2150-01-15 01:00"),
            ("America/New_York", "2101-03-13 12:00", "2101-03-13 16:00"),
            ("America/New_York", "3000-03-09 01:59", "3000-03-09 06:59"),
            ("America/New_York", "3000-03-09 03:00", "3000-03-09 07:00"),
            ("Asia/Tokyo", "9999-12-31 23:00", "9999-12-31 14:00"),
        ] {
            let zone = Zone::of_name(name).unwrap();
            let found = zone.to_utc(micros(local));
            assert_eq!(shown(found), utc, "{name} {local}");
            assert_eq!(shown(found.and_then(|found| zone.to_local(found))), local, "{name} {local}");
        }
        let zone = Zone::of_name("Europe/Berlin").unwrap();
        assert_eq!(shown(zone.to_utc_earlier(micros("2024-10-27 02:30"))), "2024-10-27 00:30");
        assert_eq!(shown(zone.to_utc_earlier(micros("2024-03-31 02:30"))), "2024-03-31 01:30");
        for (hours, utc) in [(1, "2024-10-27 01:30"), (2, "2024-10-27 00:30"), (5, "2024-10-27 00:30")] {
            assert_eq!(shown(zone.to_utc_near(micros("2024-10-27 02:30"), hours * 3_600_000_000)), utc);
        }
    }
}

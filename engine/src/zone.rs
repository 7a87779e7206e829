//! Time zones by name: of the IANA database, or abbreviations.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

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

/// A zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Of the IANA database.
    Named(Tz),
    /// So many seconds east of UTC.
    Fixed(i32),
}

impl Zone {
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
            Self::Named(zone) => zone.offset_from_utc_datetime(&moment_of(utc_us)?).fix().local_minus_utc(),
        };
        Some(i64::from(seconds) * 1_000_000)
    }

    /// The moment in UTC at which clocks of the zone show this; the earlier one where they show it twice, and where they
    /// never do, as if they had not been put forward. `None` for moments that no calendar has.
    pub(crate) fn to_utc(self, local_us: i64) -> Option<i64> {
        let Self::Named(zone) = self else { return local_us.checked_sub(self.offset_at(local_us)?) };
        let local = moment_of(local_us)?;
        match zone.from_local_datetime(&local).earliest() {
            Some(moment) => Some(moment.with_timezone(&Utc).timestamp_micros()),
            None => {
                let (_, before) = GapInfo::new(&local, &zone)?.begin?;
                local_us.checked_sub(i64::from(before.fix().local_minus_utc()) * 1_000_000)
            }
        }
    }
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

    /// What clocks never show, east and west of Greenwich, and for a whole day; and what they show twice. PostgreSQL takes
    /// what was before a gap.
    #[test]
    fn hours_that_are_not_there_or_come_twice() {
        for (name, local, utc) in [
            ("Europe/Berlin", "2024-03-31 02:30", "2024-03-31 01:30"),
            ("America/Los_Angeles", "2024-03-10 02:30", "2024-03-10 10:30"),
            ("America/St_Johns", "2024-03-10 02:15", "2024-03-10 05:45"),
            ("Australia/Sydney", "2024-10-06 02:30", "2024-10-05 16:30"),
            ("Australia/Lord_Howe", "2024-10-06 02:15", "2024-10-05 15:45"),
            ("Pacific/Apia", "2011-12-30 00:00", "2011-12-30 10:00"),
            ("Pacific/Apia", "2011-12-30 23:59", "2011-12-31 09:59"),
            ("Europe/Berlin", "2024-10-27 02:30", "2024-10-27 00:30"),
        ] {
            let zone = Zone::of_name(name).unwrap();
            let micros = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp_micros();
            let found = moment_of(zone.to_utc(micros).unwrap()).unwrap().format("%Y-%m-%d %H:%M").to_string();
            assert_eq!(found, utc, "{name} {local}");
        }
    }
}

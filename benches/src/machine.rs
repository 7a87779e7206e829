//! The machine that something is measured on and the day, as reports name them.

use crate::{proc, side};
use arrow::temporal_conversions::date32_to_datetime;
use std::env::consts::{ARCH, OS};
use std::time::{SystemTime, UNIX_EPOCH};

/// This machine and today: `2 cores, 24 GiB, linux x86_64, 2026-11-30`; without the memory where nobody tells it.
pub fn described() -> String {
    let memory = match proc::bytes("/proc/meminfo", "MemTotal") {
        0 => String::new(),
        bytes => format!("{:.0} GiB, ", bytes as f64 / f64::from(1 << 30)),
    };
    format!("{} cores, {memory}{OS} {ARCH}, {}", side::cores(), today())
}

/// The day in UTC.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    day(since.as_secs() / 86_400)
}

/// A day by its number since 1970.
fn day(number: u64) -> String {
    let moment = i32::try_from(number).ok().and_then(date32_to_datetime);
    moment.map_or_else(String::new, |moment| moment.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (number, expected) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_787, "2026-11-30"), (u64::MAX, "")] {
            assert_eq!(day(number), expected);
        }
    }

    #[test]
    fn a_machine_has_cores_and_a_day() {
        let described = described();
        assert!(described.contains(" cores, ") && described.ends_with(&today()), "{described}");
    }
}

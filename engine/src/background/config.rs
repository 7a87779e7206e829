//! When something is done in the background: the settings `auto_vacuum…`, `auto_analyze…` and
//! `auto_refresh…` of a warehouse.

use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// When something is done in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceConfig {
    /// `auto_vacuum`: whether files are rewritten.
    pub enabled: bool,
    /// `auto_vacuum_interval_ms`: how often tables that were changed are looked at.
    pub interval: Duration,
    /// `auto_vacuum_quiet_ms`: how long no statement must have run.
    pub quiet: Duration,
    /// `auto_vacuum_deleted_percent`: the percentage of deleted rows that is left out.
    pub deleted_percent: u8,
    /// `auto_vacuum_unsorted_percent`: the percentage of rows out of order that is sorted.
    pub unsorted_percent: u8,
    /// `auto_vacuum_small_files`: how many small files are merged.
    pub small_files: usize,
    /// `auto_vacuum_inlined_rows`: how many rows of the catalog go into a file.
    pub inlined_rows: u64,
    /// `auto_vacuum_inlined_quiet_ms`: how long a table must not have changed for fewer of its rows to go there.
    pub inlined_quiet: Duration,
    /// `auto_analyze`: whether tables are analyzed.
    pub analyze: bool,
    /// `auto_analyze_percent`: by how much the number of rows has changed since they were analyzed.
    pub analyze_percent: u8,
    /// `auto_refresh`: whether materialized views that say so are refreshed.
    pub refresh: bool,
    /// `auto_refresh_interval_ms`: how often.
    pub refresh_interval: Duration,
    /// `auto_analyze_rows`: how many rows a table has that is analyzed for the first time.
    pub analyze_rows: u64,
}

impl Default for MaintenanceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_mins(1),
            quiet: Duration::from_secs(5),
            deleted_percent: 20,
            unsorted_percent: 20,
            small_files: 16,
            inlined_rows: 500,
            inlined_quiet: Duration::from_mins(10),
            analyze: true,
            analyze_percent: 10,
            analyze_rows: 1000,
            refresh: true,
            refresh_interval: Duration::from_secs(2),
        }
    }
}

/// The names of the settings.
const SETTINGS: [&str; 13] = [
    "auto_vacuum",
    "auto_vacuum_interval_ms",
    "auto_vacuum_quiet_ms",
    "auto_vacuum_deleted_percent",
    "auto_vacuum_unsorted_percent",
    "auto_vacuum_small_files",
    "auto_vacuum_inlined_rows",
    "auto_vacuum_inlined_quiet_ms",
    "auto_analyze",
    "auto_analyze_percent",
    "auto_analyze_rows",
    "auto_refresh",
    "auto_refresh_interval_ms",
];

impl MaintenanceConfig {
    /// Whether there is such a setting.
    pub fn has(name: &str) -> bool {
        SETTINGS.contains(&name)
    }

    /// Sets a setting by name; false when there is none.
    ///
    /// # Errors
    /// `InvalidParameter` for a value that it does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        let invalid = |reason: &str| {
            let message = format!("invalid value for setting \"{name}\": \"{value}\"");
            Error::new(ErrorKind::InvalidParameter, message).with_detail(reason)
        };
        let number = || value.parse::<u64>().map_err(|_| invalid("it takes a number"));
        let percent = || match value.parse::<u8>() {
            Ok(percent) if percent <= 100 => Ok(percent),
            _ => Err(invalid("it takes a number from 0 to 100")),
        };
        let switch = || match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "1" => Ok(true),
            "off" | "false" | "0" => Ok(false),
            _ => Err(invalid("it takes on or off")),
        };
        match name {
            "auto_vacuum" => self.enabled = switch()?,
            "auto_refresh" => self.refresh = switch()?,
            "auto_refresh_interval_ms" => self.refresh_interval = Duration::from_millis(number()?.max(1)),
            "auto_analyze" => self.analyze = switch()?,
            "auto_analyze_percent" => self.analyze_percent = percent()?,
            "auto_analyze_rows" => self.analyze_rows = number()?,
            "auto_vacuum_interval_ms" => self.interval = Duration::from_millis(number()?.max(1)),
            "auto_vacuum_quiet_ms" => self.quiet = Duration::from_millis(number()?),
            "auto_vacuum_deleted_percent" => self.deleted_percent = percent()?,
            "auto_vacuum_unsorted_percent" => self.unsorted_percent = percent()?,
            "auto_vacuum_small_files" => self.small_files = usize::try_from(number()?).unwrap_or(usize::MAX),
            "auto_vacuum_inlined_rows" => self.inlined_rows = number()?,
            "auto_vacuum_inlined_quiet_ms" => self.inlined_quiet = Duration::from_millis(number()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

//! When something is done in the background: the settings `auto_vacuum…` of a warehouse.

use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// When something is done in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceConfig {
    /// `auto_vacuum`: whether anything is.
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
        }
    }
}

/// The names of the settings.
const SETTINGS: [&str; 7] = [
    "auto_vacuum",
    "auto_vacuum_interval_ms",
    "auto_vacuum_quiet_ms",
    "auto_vacuum_deleted_percent",
    "auto_vacuum_unsorted_percent",
    "auto_vacuum_small_files",
    "auto_vacuum_inlined_rows",
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
        match name {
            "auto_vacuum" => {
                self.enabled = match value.to_ascii_lowercase().as_str() {
                    "on" | "true" | "1" => true,
                    "off" | "false" | "0" => false,
                    _ => return Err(invalid("it takes on or off")),
                }
            }
            "auto_vacuum_interval_ms" => self.interval = Duration::from_millis(number()?.max(1)),
            "auto_vacuum_quiet_ms" => self.quiet = Duration::from_millis(number()?),
            "auto_vacuum_deleted_percent" => self.deleted_percent = percent()?,
            "auto_vacuum_unsorted_percent" => self.unsorted_percent = percent()?,
            "auto_vacuum_small_files" => self.small_files = usize::try_from(number()?).unwrap_or(usize::MAX),
            "auto_vacuum_inlined_rows" => self.inlined_rows = number()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

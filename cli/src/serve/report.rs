//! The settings that clients are told of: at the start, and whenever one of them changes.

use super::failure::Failure;
use super::wire::Wire;
use millrace_engine::{Session, Severity};
use pgwire::messages::startup::ParameterStatus;

/// The settings, by the names that clients know them under.
const REPORTED: [&str; 13] = [
    "server_version",
    "server_encoding",
    "client_encoding",
    "application_name",
    "is_superuser",
    "session_authorization",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
    "padb_version",
    "padb_revision",
];

/// What a client was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    values: [Option<String>; REPORTED.len()],
    version: Option<u64>,
}

impl Told {
    /// Tells of what has changed; whether something may have.
    pub(super) fn update(&mut self, wire: &mut Wire, session: &Session) -> Result<bool, Failure> {
        if self.version == Some(session.settings_version()) {
            return Ok(false);
        }
        self.version = Some(session.settings_version());
        for (name, told) in REPORTED.iter().zip(&mut self.values) {
            let value = session.setting(&name.to_ascii_lowercase()).ok();
            if *told != value {
                *told = value;
                let value = told.clone().unwrap_or_default();
                wire.push(&ParameterStatus::new((*name).to_owned(), value))?;
            }
        }
        Ok(true)
    }
}

/// Whether the session wants messages of this severity.
pub(super) fn wants(session: &Session, severity: Severity) -> bool {
    let least = session.setting("client_min_messages").unwrap_or_default();
    match severity {
        // PostgreSQL sends what INFO tells whatever the setting says.
        Severity::Info => true,
        Severity::Notice => !matches!(least.as_str(), "warning" | "error"),
        Severity::Warning => least != "error",
    }
}

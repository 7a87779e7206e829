//! The settings of a session: what `SET`, `RESET` and `SHOW` know.

use super::client_settings::{CASE_OF_NAMES, ClientSettings};
use super::search_path::SearchPath;
use crate::error::{Error, ErrorKind, Result, nearest};
use crate::functions::Seed;
use crate::optimize::CostBased;
use crate::sql::{Dialect, Names};
use crate::{wlm, zone};
use datafusion::prelude::SessionConfig;
use std::sync::Arc;
use std::time::Duration;

/// The settings that are ours, with what each is for.
pub(crate) const SETTINGS: [(&str, &str); 6] = [
    ("cost_based_optimizer", "whether joins are ordered by what they cost, not by the text"),
    ("dialect", "SQL dialect of the session: redshift or athena"),
    ("search_path", "the schemas that unqualified names are looked up in, in order"),
    ("seed", "the number from 0 to 1 that RANDOM's numbers follow from"),
    ("statement_timeout", "milliseconds after which a statement is canceled; 0 is never"),
    ("timezone", "the session's time zone, an IANA name"),
];

/// The seed of a session that set none, as PostgreSQL shows it.
const NO_SEED: &str = "unavailable";

/// The prefix of DataFusion's own settings, which pass through.
const DATAFUSION: &str = "datafusion.";

/// A session's settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) path: SearchPath,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) timezone: String,
    /// What RANDOM draws its numbers of, where the session set it.
    pub(crate) seed: Option<Seed>,
    pub(super) client: ClientSettings,
    /// Grows with every change.
    pub(super) version: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            path: SearchPath::of("default"),
            statement_timeout: None,
            timezone: "UTC".to_owned(),
            seed: None,
            client: ClientSettings::default(),
            version: 0,
        }
    }
}

impl Settings {
    /// Sets one; `None` is its default.
    ///
    /// # Errors
    /// `UndefinedObject` for a setting that does not exist, `InvalidParameter` for a value it does not take.
    pub(crate) fn set(&mut self, config: &mut SessionConfig, name: &str, value: Option<&str>) -> Result<()> {
        let default = Self::default();
        let invalid = |reason: String| {
            let message = format!("invalid value for setting \"{name}\": \"{}\"", value.unwrap_or_default());
            Error::new(ErrorKind::InvalidParameter, message).with_detail(reason)
        };
        self.version += 1;
        match name {
            "all" if value.is_none() => {
                let client = std::mem::take(&mut self.client);
                *self = Self { version: self.version, ..default };
                self.client.keep_user(&client);
                config.options_mut().execution.time_zone = Some(self.timezone.clone());
            }
            "dialect" => self.dialect = value.map_or(Ok(default.dialect), str::parse).map_err(invalid)?,
            "search_path" => self.path = value.map_or(default.path, |value| SearchPath::parse(value, self.names())),
            "statement_timeout" => {
                let millis = value.unwrap_or("0").trim_end_matches("ms").trim();
                let millis: u64 = millis.parse().map_err(|_| invalid("it takes milliseconds".to_owned()))?;
                self.statement_timeout = (millis > 0).then(|| Duration::from_millis(millis));
            }
            "seed" => {
                let seed = value.filter(|value| *value != NO_SEED).map(|value| {
                    let seed = value.trim().parse().ok().and_then(Seed::new);
                    seed.ok_or_else(|| invalid("it takes a number from 0 to 1".to_owned()))
                });
                self.seed = seed.transpose()?;
            }
            "cost_based_optimizer" => {
                let on = match value.unwrap_or("on").to_lowercase().as_str() {
                    "on" | "true" | "yes" | "1" => true,
                    "off" | "false" | "no" | "0" => false,
                    _ => return Err(invalid("it takes on or off".to_owned())),
                };
                config.set_extension(Arc::new(CostBased(on)));
            }
            "timezone" => {
                let zone = value.unwrap_or(&default.timezone);
                let zone = zone::of_setting(zone).ok_or_else(|| {
                    let takes = "it takes an IANA time zone such as Europe/Berlin, or whole hours from UTC";
                    invalid(takes.to_owned())
                })?;
                zone.name().clone_into(&mut self.timezone);
                config.options_mut().execution.time_zone = Some(self.timezone.clone());
            }
            _ if name.starts_with(DATAFUSION) => {
                let default = || {
                    let entry = SessionConfig::new().options().entries().into_iter().find(|entry| entry.key == name);
                    entry.and_then(|entry| entry.value).unwrap_or_default()
                };
                let value = value.map_or_else(default, str::to_owned);
                config.options_mut().set(name, &value).map_err(|e| invalid(e.strip_backtrace()))?;
            }
            wlm::SETTING => {
                let message = format!("parameter \"{name}\" cannot be changed now");
                return Err(
                    Error::new(ErrorKind::CannotChange, message).with_hint(format!("ALTER SYSTEM SET {name} = …"))
                );
            }
            _ if self.client.set(name, value)? => {}
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// What becomes of the case of names in double quotes.
    pub(crate) fn names(&self) -> Names {
        if self.client.get(CASE_OF_NAMES) == Some("on") { Names::Kept } else { Names::Folded }
    }

    /// The names of all settings but DataFusion's, with what each is for, in order.
    pub(crate) fn described() -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = SETTINGS.into_iter().chain(ClientSettings::described()).collect();
        all.sort_unstable();
        all
    }

    /// A setting's value as text.
    pub(crate) fn get(&self, config: &SessionConfig, name: &str) -> Result<String> {
        Ok(match name {
            "cost_based_optimizer" => if CostBased::is_on(config) { "on" } else { "off" }.to_owned(),
            "dialect" => self.dialect.name().to_owned(),
            "search_path" => self.path.to_string(),
            "statement_timeout" => self.statement_timeout.map_or(0, |timeout| timeout.as_millis()).to_string(),
            "timezone" => self.timezone.clone(),
            "seed" => self.seed.as_ref().map_or_else(|| NO_SEED.to_owned(), |seed| seed.value().to_string()),
            _ if self.client.get(name).is_some() => self.client.get(name).unwrap_or_default().to_owned(),
            _ => {
                let entry = config.options().entries().into_iter().find(|entry| entry.key == name);
                entry.ok_or_else(|| unknown(name))?.value.unwrap_or_default()
            }
        })
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::new(ErrorKind::UndefinedObject, format!("setting \"{name}\" does not exist"));
    if name.starts_with("s3.") {
        return error.with_hint("s3.* settings are given when the warehouse is opened: millrace --set name=value");
    }
    match nearest(name, Settings::described().into_iter().map(|(known, _)| known)) {
        Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

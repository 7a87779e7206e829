//! A schema's options: how the service is reached, what its streams carry, how fast they are read.

use super::payload::Payload;
use crate::aws::{self, option};
use crate::declared::Invalid;
use crate::error::{ConnectorError, Result};
use crate::registry::{OptionSpec, Options};
use arrow::datatypes::Fields;
use std::collections::BTreeSet;

/// All options that the connector takes.
pub(super) static OPTIONS: [OptionSpec; 17] = aws::options_and(&[
    option("avro_schema", false),
    option("columns", false),
    option("compression", false),
    option("delimiter", false),
    option("fan_out", false),
    option("format", false),
    option("malformed", false),
    option("reads_per_second", false),
    option("streams", false),
]);

/// The options that say what records carry.
const PAYLOAD: [&str; 6] = ["avro_schema", "columns", "compression", "delimiter", "format", "malformed"];

/// What the service allows of each shard, to all its readers together.
const READS_PER_SECOND: u32 = 5;

/// No more than this makes sense, also for a server of one's own.
const MOST_READS_PER_SECOND: u32 = 1000;

/// What the options say, apart from how the service is reached.
#[derive(Debug)]
pub(super) struct Config {
    /// The streams to show; `None` for all.
    pub(super) streams: Option<BTreeSet<String>>,
    /// What records carry, where that is declared.
    pub(super) payload: Option<Payload>,
    /// How often a shard is read a second; 2 MB/s go with 5 reads, and in proportion.
    pub(super) reads_per_second: u32,
    /// The consumer, by name or ARN, whose own throughput is used.
    pub(super) fan_out: Option<String>,
}

impl Config {
    /// Takes options whose names were checked.
    ///
    /// # Errors
    /// `InvalidArgument` for values that make no sense.
    pub(super) fn parse(options: &Options) -> Result<Self> {
        Self::with_payload(options, Payload::parse(options)?)
    }

    /// The same for a payload of declared columns, which is JSON where no format is given.
    ///
    /// # Errors
    /// As of [`Config::parse`], and for columns that the payload's format cannot have.
    pub(super) fn declared(options: &Options, columns: &Fields, invalid: Invalid) -> Result<Self> {
        let mut options = options.clone();
        if columns.is_empty() {
            options.retain(|name, _| !PAYLOAD.contains(&name.as_str()));
            return Self::parse(&options);
        }
        options.remove("columns");
        options.entry("format".to_owned()).or_insert_with(|| "json".to_owned());
        if invalid == Invalid::Null {
            options.entry("malformed".to_owned()).or_insert_with(|| "null".to_owned());
        }
        let payload = Payload::declared(&options, columns)?;
        Self::with_payload(&options, payload)
    }

    fn with_payload(options: &Options, payload: Option<Payload>) -> Result<Self> {
        aws::check(options)?;
        let invalid = |message: String| Err(ConnectorError::InvalidArgument(message));
        let streams = options.get("streams").map(|streams| {
            let names = streams.split(',').map(|name| name.trim().to_owned());
            names.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>()
        });
        if streams.as_ref().is_some_and(BTreeSet::is_empty) {
            return invalid("option \"streams\" takes names of streams: one, another".to_owned());
        }
        let reads_per_second = match options.get("reads_per_second").map(|reads| reads.parse()) {
            None => READS_PER_SECOND,
            Some(Ok(reads)) if (1..=MOST_READS_PER_SECOND).contains(&reads) => reads,
            Some(_) => {
                let message = format!("option \"reads_per_second\" takes a number from 1 to {MOST_READS_PER_SECOND}");
                return invalid(message);
            }
        };
        let fan_out = options.get("fan_out").cloned();
        if fan_out.as_deref().is_some_and(str::is_empty) {
            return invalid("option \"fan_out\" takes a consumer's name or ARN".to_owned());
        }
        Ok(Self { streams, payload, reads_per_second, fan_out })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_checked() {
        let parse = |name: &str, value: &str| Config::parse(&Options::from([(name.to_owned(), value.to_owned())]));
        for (name, value, error) in [
            ("streams", " , ", "option \"streams\" takes names of streams: one, another"),
            ("reads_per_second", "0", "option \"reads_per_second\" takes a number from 1 to 1000"),
            ("reads_per_second", "many", "option \"reads_per_second\" takes a number from 1 to 1000"),
            ("fan_out", "", "option \"fan_out\" takes a consumer's name or ARN"),
        ] {
            assert_eq!(parse(name, value).unwrap_err().to_string(), error);
        }
        let config = parse("streams", "a, b").unwrap();
        assert_eq!(config.streams, Some(BTreeSet::from(["a".to_owned(), "b".to_owned()])));
        assert_eq!((config.reads_per_second, config.fan_out), (5, None));
    }
}

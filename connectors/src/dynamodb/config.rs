//! The options of a DynamoDB connector.

use crate::aws;
use crate::error::{ConnectorError, Result};
use crate::registry::{OptionSpec, Options};

/// What the connector takes besides the options of all AWS services.
const OWN: [OptionSpec; 7] = [
    aws::option("consistent_read", false),
    aws::option("read_ratio", false),
    aws::option("sample", false),
    aws::option("page_size", false),
    aws::option("segments", false),
    aws::option("attributes", false),
    aws::option("items", false),
];

/// All options.
pub(super) static OPTIONS: [OptionSpec; 15] = aws::options_and(&OWN);

/// The items that are looked at for a schema when nothing else is said.
const SAMPLE: usize = 1000;

/// How a connector reads, from its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether each read sees all writes that ended before it. Costs twice as much and cannot be had from a global
    /// secondary index.
    pub(super) consistent_read: bool,
    /// Percent of a table's read capacity per second that this connector may use; `None` for no limit.
    pub(super) read_ratio: Option<u32>,
    /// The items that are looked at for a table's schema.
    pub(super) sample: usize,
    /// The items that one request looks at; `None` for as many as fit in DynamoDB's page of 1 MB.
    pub(super) page_size: Option<usize>,
    /// The segments of a scan; `None` for as many as are read at the same time.
    pub(super) segments: Option<usize>,
    /// Whether all attributes but keys are SUPER, whatever the sample shows.
    pub(super) all_super: bool,
    /// Whether an item is one column, `item`, instead of a column for each attribute.
    pub(super) documents: bool,
}

impl Settings {
    /// Reads the options.
    ///
    /// # Errors
    /// `InvalidArgument` for a value that an option does not take.
    pub(super) fn parse(options: &Options) -> Result<Self> {
        aws::check(options)?;
        let consistent_read = match option(options, "consistent_read").as_deref() {
            None | Some("false" | "off" | "no" | "0") => false,
            Some("true" | "on" | "yes" | "1") => true,
            Some(_) => return Err(invalid("consistent_read", "true or false")),
        };
        let all_super = match option(options, "attributes").as_deref() {
            None | Some("sampled") => false,
            Some("super") => true,
            Some(_) => return Err(invalid("attributes", "sampled or super")),
        };
        let documents = match option(options, "items").as_deref() {
            None | Some("columns") => false,
            Some("documents") => true,
            Some(_) => return Err(invalid("items", "columns or documents")),
        };
        Ok(Self {
            consistent_read,
            read_ratio: number(options, "read_ratio", 200)?.map(|ratio| ratio as u32),
            sample: match option(options, "sample").as_deref() {
                Some("all") => usize::MAX,
                _ => number(options, "sample", 1_000_000)?.unwrap_or(SAMPLE),
            },
            page_size: number(options, "page_size", 1_000_000)?,
            segments: number(options, "segments", 10_000)?,
            all_super,
            documents,
        })
    }
}

fn option(options: &Options, name: &str) -> Option<String> {
    options.get(name).map(|value| value.to_ascii_lowercase())
}

fn number(options: &Options, name: &str, most: usize) -> Result<Option<usize>> {
    let Some(value) = options.get(name) else { return Ok(None) };
    let value = value.parse::<usize>().ok().filter(|number| (1..=most).contains(number));
    value.map(Some).ok_or_else(|| invalid(name, &format!("a number from 1 to {most}")))
}

fn invalid(name: &str, takes: &str) -> ConnectorError {
    ConnectorError::InvalidArgument(format!("option \"{name}\" takes {takes}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::parse(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn options_are_read_and_refused() {
        let settings = parse(&[("consistent_read", "TRUE"), ("read_ratio", "200"), ("attributes", "super")]).unwrap();
        assert!(settings.consistent_read && settings.all_super);
        assert_eq!(parse(&[("sample", "all")]).unwrap().sample, usize::MAX);
        assert_eq!((settings.read_ratio, settings.sample, settings.page_size), (Some(200), 1000, None));
        for (name, value, error) in [
            ("consistent_read", "maybe", "option \"consistent_read\" takes true or false"),
            ("read_ratio", "0", "option \"read_ratio\" takes a number from 1 to 200"),
            ("read_ratio", "201", "option \"read_ratio\" takes a number from 1 to 200"),
            ("sample", "many", "option \"sample\" takes a number from 1 to 1000000"),
            ("segments", "0", "option \"segments\" takes a number from 1 to 10000"),
            ("attributes", "json", "option \"attributes\" takes sampled or super"),
            ("items", "rows", "option \"items\" takes columns or documents"),
        ] {
            assert_eq!(parse(&[(name, value)]).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn secrets_are_marked() {
        let secrets: Vec<_> = OPTIONS.iter().filter(|option| option.secret).map(|option| option.name).collect();
        assert_eq!(secrets, ["secret_access_key", "session_token"]);
    }
}

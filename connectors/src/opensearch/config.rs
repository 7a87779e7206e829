//! The options of a search server, read once: where it is, as whom, and how much at a time.

use crate::error::{ConnectorError, Result};
use crate::registry::{OptionSpec, Options};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use std::time::Duration;
use url::{Host, Url};

const fn option(name: &'static str, required: bool, secret: bool) -> OptionSpec {
    OptionSpec { name, required, secret }
}

/// The options that both kinds take.
pub(super) const OPTIONS: &[OptionSpec] = &[
    option("endpoint", true, false),
    option("user", false, false),
    option("password", false, true),
    option("api_key", false, true),
    option("ca_file", false, false),
    option("page_size", false, false),
    option("timeout_ms", false, false),
    option("slices", false, false),
    option("arrays", false, false),
];

/// The server's own bound on a page, `index.max_result_window`.
const PAGE_SIZE_MAX: usize = 10_000;
const PAGE_SIZE: usize = 2_000;
const TIMEOUT_MS: usize = 30_000;
/// The server's own bound on slices, `index.max_slices_per_scroll` and its like.
const SLICES_MAX: usize = 1_024;

/// What a column does with a field that holds several values: mappings do not tell one value from many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrays {
    /// It is an error that names the document.
    Refuse,
    /// The first value counts.
    First,
}

/// A server and how it is read.
pub(super) struct Config {
    /// Its address; a path before the API's own is kept.
    pub(super) endpoint: Url,
    /// The header that proves who asks; marked as sensitive.
    pub(super) authorization: Option<HeaderValue>,
    /// Certificates that are trusted instead of the system's.
    pub(super) ca: Vec<reqwest::Certificate>,
    /// Documents a page.
    pub(super) page_size: usize,
    /// How long to wait for a connection, and for each next part of an answer.
    pub(super) timeout: Duration,
    /// Parts to read at the same time, when the user says so.
    pub(super) slices: Option<usize>,
    /// What to do with several values.
    pub(super) arrays: Arrays,
}

impl Config {
    /// Reads options whose names were checked.
    ///
    /// # Errors
    /// `InvalidArgument` for a value that makes no sense. It is not shown when it may hold a secret.
    pub(super) fn new(options: &Options) -> Result<Config> {
        let endpoint = options.get("endpoint").map(String::as_str).unwrap_or_default();
        let ca = match options.get("ca_file") {
            Some(path) => certificates(path)?,
            None => vec![],
        };
        let arrays = match options.get("arrays") {
            None => Arrays::Refuse,
            Some(arrays) if arrays.eq_ignore_ascii_case("error") => Arrays::Refuse,
            Some(arrays) if arrays.eq_ignore_ascii_case("first") => Arrays::First,
            Some(other) => return Err(invalid(format!("\"arrays\" is error or first, not \"{other}\""))),
        };
        Ok(Config {
            endpoint: address(endpoint)?,
            authorization: authorization(options)?,
            ca,
            page_size: number(options, "page_size", PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE),
            timeout: Duration::from_millis(
                number(options, "timeout_ms", 3_600_000)?.unwrap_or(TIMEOUT_MS).try_into().unwrap_or(u64::MAX),
            ),
            slices: number(options, "slices", SLICES_MAX)?,
            arrays,
        })
    }

    /// Whether the server is on this machine: then no proxy stands between.
    pub(super) fn is_local(&self) -> bool {
        match self.endpoint.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

fn invalid(message: String) -> ConnectorError {
    ConnectorError::InvalidArgument(message)
}

fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| invalid(format!("\"endpoint\" is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("\"endpoint\" takes http://host:port or https://host:port".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("\"endpoint\" takes no credentials, give them as \"user\" and \"password\"".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("\"endpoint\" takes no query".to_owned()));
    }
    Ok(url)
}

fn authorization(options: &Options) -> Result<Option<HeaderValue>> {
    let get = |name: &str| options.get(name).map(String::as_str);
    let text = match (get("user"), get("password"), get("api_key")) {
        (None, None, None) => return Ok(None),
        (Some(user), Some(password), None) if !user.contains(':') => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
        (Some(_), Some(_), None) => return Err(invalid("\"user\" must have no colon".to_owned())),
        (None, None, Some(key)) => format!("ApiKey {key}"),
        (_, _, Some(_)) => {
            return Err(invalid("\"api_key\" stands alone, without \"user\" and \"password\"".to_owned()));
        }
        _ => return Err(invalid("\"user\" and \"password\" are given together".to_owned())),
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| invalid("\"api_key\" has a character that none has".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn certificates(path: &str) -> Result<Vec<reqwest::Certificate>> {
    let pem = std::fs::read(path).map_err(|error| invalid(format!("\"ca_file\" cannot be read: {error}")))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if found.is_empty() {
        return Err(invalid("\"ca_file\" holds no certificate in PEM form".to_owned()));
    }
    Ok(found)
}

fn number(options: &Options, name: &str, max: usize) -> Result<Option<usize>> {
    let Some(text) = options.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(Some(number)),
        _ => Err(invalid(format!("\"{name}\" takes a number from 1 to {max}, not \"{text}\""))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config> {
        Config::new(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let endpoint = ("endpoint", "https://host:9200");
        for (options, message) in [
            (vec![("endpoint", "host:9200")], "\"endpoint\" takes http://host:port or https://host:port"),
            (
                vec![("endpoint", "http://u:geheim@host")],
                "\"endpoint\" takes no credentials, give them as \"user\" and \"password\"",
            ),
            (vec![endpoint, ("user", "u")], "\"user\" and \"password\" are given together"),
            (
                vec![endpoint, ("user", "u"), ("password", "p"), ("api_key", "k")],
                "\"api_key\" stands alone, without \"user\" and \"password\"",
            ),
            (vec![endpoint, ("page_size", "10001")], "\"page_size\" takes a number from 1 to 10000, not \"10001\""),
            (vec![endpoint, ("slices", "0")], "\"slices\" takes a number from 1 to 1024, not \"0\""),
            (vec![endpoint, ("arrays", "all")], "\"arrays\" is error or first, not \"all\""),
        ] {
            assert_eq!(config(&options).err().unwrap().to_string(), message);
        }
    }

    #[test]
    fn credentials_become_one_header_that_debug_hides() {
        let config = config(&[("endpoint", "http://host"), ("user", "Aladdin"), ("password", "open sesame")]).unwrap();
        let header = config.authorization.unwrap();
        // RFC 7617's example.
        assert_eq!(header.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}

//! Requests to a search server: sent again while it is busy or away, within bounds; what is no answer is told apart.
//!
//! A request is repeated only when that changes nothing (`repeatable`); every attempt is counted. No message holds
//! credentials.

use super::config::Config;
use crate::backoff::{Again, Backoff};
use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, redirect};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// What a server may ask for with `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers that are not documents: mappings of many indices are the largest.
const CONTROL_BYTES_MAX: usize = 512 << 20;
/// How much of an error's answer is read.
const ERROR_BYTES_MAX: usize = 64 << 10;
const REASON_CHARS_MAX: usize = 500;

/// A connection to one server.
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
}

/// One request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Segments of the path; they are encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    /// JSON.
    pub(super) body: Option<String>,
    /// Whether asking twice is as asking once.
    pub(super) repeatable: bool,
    /// Bytes that the answer may have.
    pub(super) bytes_max: usize,
}

impl<'a> Request<'a> {
    /// A small request that may be repeated.
    pub(super) fn new(method: Method, path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Request { method, path, query, body: None, repeatable: true, bytes_max: CONTROL_BYTES_MAX }
    }

    /// With a body.
    pub(super) fn json(self, body: &Value) -> Self {
        Request { body: Some(body.to_string()), ..self }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server says no.
    Refused { status: u16, kind: String, reason: String },
    /// The answer has more bytes than the request allows; the rest was not read.
    TooLarge,
    /// No connection, none any more, or silence.
    Transport { message: String, source: Option<reqwest::Error> },
}

impl Failure {
    /// What a caller is told, where the request was about a table.
    pub(super) fn on(self, table: &str) -> ConnectorError {
        match self {
            Failure::Refused { kind, .. } if is_missing(&kind) => missing(table),
            Failure::Refused { status: 401 | 403, reason, .. } => ConnectorError::AccessDenied(reason),
            Failure::Refused { status: 404, kind, reason } if kind == "search_context_missing_exception" => {
                unavailable(format!("the server has forgotten the point in time or scroll: {reason}"))
            }
            Failure::Refused { status: 404, .. } => missing(table),
            Failure::Refused { status: 429 | 500.., kind, reason } => {
                unavailable(format!("the search server fails: {kind}: {reason}"))
            }
            Failure::Refused { status, kind, reason } => {
                ConnectorError::InvalidArgument(format!("the search server refuses it ({status} {kind}): {reason}"))
            }
            Failure::TooLarge => ConnectorError::BadData(format!("an answer about \"{table}\" is too large")),
            Failure::Transport { message, source } => {
                ConnectorError::Unavailable { message, source: source.map(|source| Box::new(source) as _) }
            }
        }
    }

    fn again(&self) -> Again {
        match self {
            Failure::Refused { status: 429, .. } => Again::Throttled,
            Failure::Refused { status: 502..=504, .. } | Failure::Transport { .. } => Again::Transient,
            Failure::Refused { .. } | Failure::TooLarge => Again::Never,
        }
    }

    /// Whether the server did nothing for the request.
    fn is_unheard(&self) -> bool {
        match self {
            Failure::Refused { status, .. } => *status == 429,
            Failure::TooLarge => false,
            Failure::Transport { source, .. } => source.as_ref().is_some_and(reqwest::Error::is_connect),
        }
    }
}

/// Whether an error of the server says that an index is gone.
pub(super) fn is_missing(kind: &str) -> bool {
    matches!(kind, "index_not_found_exception" | "index_closed_exception")
}

/// The error for a table that is not there.
pub(super) fn missing(table: &str) -> ConnectorError {
    ConnectorError::NotFound { kind: "index", name: table.to_owned() }
}

/// The error for what may succeed another time.
pub(super) fn unavailable(message: String) -> ConnectorError {
    ConnectorError::Unavailable { message, source: None }
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidArgument` when TLS cannot be set up.
    pub(super) fn new(config: &Config) -> Result<Client> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(config.timeout.min(CONNECT_TIMEOUT))
            .read_timeout(config.timeout)
            .redirect(redirect::Policy::none())
            .tls_built_in_root_certs(config.endpoint.scheme() == "https" && config.ca.is_empty());
        for certificate in &config.ca {
            builder = builder.add_root_certificate(certificate.clone());
        }
        if config.is_local() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            ConnectorError::InvalidArgument(format!("no client can be made for the endpoint: {}", chain(&error)))
        })?;
        Ok(Client { http, endpoint: config.endpoint.clone(), authorization: config.authorization.clone() })
    }

    /// Sends a request, again while that may help, and gives the answer's bytes.
    pub(super) async fn send(
        &self,
        request: &Request<'_>,
        measures: &Measures,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let mut backoff = Backoff::default();
        loop {
            measures.requests.fetch_add(1, Ordering::Relaxed);
            let (failure, asked) = match self.attempt(request, measures).await {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            let again = if request.repeatable || failure.is_unheard() { failure.again() } else { Again::Never };
            if let Some(pause) = asked.filter(|_| again != Again::Never) {
                tokio::time::sleep(pause).await;
            }
            if !backoff.wait(again).await {
                return Err(failure);
            }
            tracing::debug!(?failure, "a request to the search server is sent again");
            measures.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a request about a table whose answer is a small JSON value.
    pub(super) async fn ask(&self, request: &Request<'_>, measures: &Measures, table: &str) -> Result<Value> {
        let bytes = self.send(request, measures).await.map_err(|failure| failure.on(table))?;
        parse(&bytes)
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        measures: &Measures,
    ) -> std::result::Result<Vec<u8>, (Failure, Option<Duration>)> {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let mut builder = self.http.request(request.method.clone(), url);
        if let Some(authorization) = &self.authorization {
            builder = builder.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = builder.send().await.map_err(|error| (transport(error), None))?;
        let status = response.status();
        let max = if status.is_success() { request.bytes_max } else { ERROR_BYTES_MAX };
        let body = read(&mut response, max, measures).await;
        if status.is_success() {
            return body.map_err(|failure| (failure, None));
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = asked.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        Err((refusal(status, &body.unwrap_or_default()), asked))
    }
}

/// Reads a small answer.
pub(super) fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes)
        .map_err(|error| ConnectorError::BadData(format!("the server's answer is not JSON: {error}")))
}

async fn read(response: &mut Response, max: usize, measures: &Measures) -> std::result::Result<Vec<u8>, Failure> {
    let expected = response.content_length().unwrap_or(0) as usize;
    if expected > max {
        return Err(Failure::TooLarge);
    }
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        measures.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if body.len() + chunk.len() > max {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the server says in an error: `{"error": {"type": …, "reason": …, "root_cause": […]}}`, a text, or what a proxy
/// says.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let error = serde_json::from_slice::<Value>(body).ok().and_then(|body| body.get("error").cloned());
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let cause = error.as_ref().and_then(|error| error.get("root_cause")?.get(0).or_else(|| error.get("caused_by")));
    let kind = error.as_ref().and_then(|error| text(error.get("type")));
    let reason = match &error {
        Some(Value::String(reason)) => Some(reason.clone()),
        Some(error) => cause.and_then(|cause| text(cause.get("reason"))).or_else(|| text(error.get("reason"))),
        None => None,
    };
    let reason = reason.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason is given").to_owned());
    Failure::Refused {
        status: status.as_u16(),
        kind: kind.unwrap_or_else(|| status.as_u16().to_string()),
        reason: reason.chars().take(REASON_CHARS_MAX).collect(),
    }
}

fn transport(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let what = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke the connection"
    };
    Failure::Transport { message: format!("the search server {what}: {}", chain(&error)), source: Some(error) }
}

/// An error with its causes, which alone say what happened.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

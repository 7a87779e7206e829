//! What the clients of AWS's services share: configuration from a connector's options, and what their errors mean.
//!
//! Credentials come from the options, else from the usual chain (environment, profile files, web identity, container,
//! instance); `iam_role` names a role to take on with them. The client's own repetitions are off, because connectors
//! repeat requests themselves and count that ([`crate::backoff`]).

#[cfg(feature = "dynamodb")]
use aws_sdk_dynamodb as sdk;
#[cfg(all(feature = "kinesis", not(feature = "dynamodb")))]
use aws_sdk_kinesis as sdk;

use crate::backoff::{Again, Failure};
use crate::error::{ConnectorError, Result};
use crate::registry::{OptionSpec, Options};
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use chrono::{DateTime, TimeDelta, Utc};
use sdk::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::time::Duration;
use url::Url;

/// The time within which a connection must stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time within which an answer must begin, unless an option says otherwise; it must be complete in twice that time.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The most that the option may say, in milliseconds: an hour.
const MOST_TIMEOUT_MS: u64 = 3_600_000;

/// What a service answers where the clock of this machine is wrong, among other reasons.
const SKEWED: [&str; 5] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "AccessDeniedException",
];

/// Clocks that differ by less are no reason to refuse a request: services allow five minutes.
const ALLOWED_SKEW: TimeDelta = TimeDelta::minutes(4);

/// The region that requests to an endpoint are signed for when none is known.
const FALLBACK_REGION: Region = Region::from_static("us-east-1");

/// The options of [`config`].
const OPTIONS: [OptionSpec; 8] = [
    option("endpoint", false),
    option("region", false),
    option("access_key_id", false),
    option("secret_access_key", true),
    option("session_token", true),
    option("profile", false),
    option("iam_role", false),
    option("timeout_ms", false),
];

/// An option that need not be given.
pub(crate) const fn option(name: &'static str, secret: bool) -> OptionSpec {
    OptionSpec { name, required: false, secret }
}

/// The options of [`config`], then a connector's own.
pub(crate) const fn options_and<const N: usize>(own: &[OptionSpec]) -> [OptionSpec; N] {
    assert!(N == OPTIONS.len() + own.len(), "the number of all options");
    let mut all = [OPTIONS[0]; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < OPTIONS.len() { OPTIONS[i] } else { own[i - OPTIONS.len()] };
        i += 1;
    }
    all
}

/// Checks what can be said of the options before a request is made.
///
/// # Errors
/// `InvalidArgument` for an endpoint that is no address, or credentials of which a part lacks.
pub(crate) fn check(options: &Options) -> Result<()> {
    let invalid = |message: String| Err(ConnectorError::InvalidArgument(message));
    if let Some(endpoint) = options.get("endpoint") {
        let url = Url::parse(endpoint).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none_or(|url| !url.username().is_empty() || url.password().is_some()) {
            return invalid("option \"endpoint\" takes an address as http://host:port or https://host".to_owned());
        }
    }
    let given = |name: &str| options.contains_key(name);
    if given("access_key_id") != given("secret_access_key") {
        return invalid("options \"access_key_id\" and \"secret_access_key\" go together".to_owned());
    }
    if given("session_token") && !given("access_key_id") {
        return invalid("option \"session_token\" needs \"access_key_id\" and \"secret_access_key\"".to_owned());
    }
    if given("access_key_id") && given("profile") {
        return invalid("options \"access_key_id\" and \"profile\" exclude each other".to_owned());
    }
    timeout(options)?;
    for role in roles(options) {
        if !role.starts_with("arn:") {
            return invalid(format!("option \"iam_role\" takes default or a role's ARN, not \"{role}\""));
        }
    }
    Ok(())
}

/// The time within which an answer must begin.
fn timeout(options: &Options) -> Result<Duration> {
    match options.get("timeout_ms").map(|ms| ms.parse()) {
        None => Ok(READ_TIMEOUT),
        Some(Ok(ms)) if (1..=MOST_TIMEOUT_MS).contains(&ms) => Ok(Duration::from_millis(ms)),
        Some(_) => {
            let message = format!("option \"timeout_ms\" takes a number from 1 to {MOST_TIMEOUT_MS}");
            Err(ConnectorError::InvalidArgument(message))
        }
    }
}

/// The roles to take on, one with the credentials of the one before it, as Redshift chains them.
fn roles(options: &Options) -> impl Iterator<Item = &str> {
    let roles = options.get("iam_role").map_or("default", String::as_str);
    roles.split(',').map(str::trim).filter(|role| !role.eq_ignore_ascii_case("default"))
}

/// The configuration that options and environment give.
///
/// # Errors
/// As [`check`], and `InvalidArgument` when no region is known.
pub(crate) async fn config(options: &Options) -> Result<SdkConfig> {
    check(options)?;
    let option = |name: &str| options.get(name).cloned();
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeout = timeout(options)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .read_timeout(timeout)
        .operation_attempt_timeout(timeout * 2)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
    let profile = option("profile");
    if let Some(profile) = &profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = option("region") {
        loader = loader.region(Region::new(region));
    } else if options.contains_key("endpoint") {
        loader = loader.region(region_without_instance(profile));
    }
    if let (Some(key), Some(secret)) = (option("access_key_id"), option("secret_access_key")) {
        loader = loader.credentials_provider(Credentials::new(key, secret, option("session_token"), None, "options"));
    }
    let mut config = loader.load().await;
    if config.region().is_none() {
        let message = "no region is known: give the option \"region\" or set AWS_REGION".to_owned();
        return Err(ConnectorError::InvalidArgument(message));
    }
    for role in roles(options) {
        let role = AssumeRoleProvider::builder(role).session_name("millrace").configure(&config).build().await;
        config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(role)).build();
    }
    let mut config = config.into_builder().retry_config(RetryConfig::disabled());
    if let Some(endpoint) = option("endpoint") {
        config = config.endpoint_url(endpoint);
    }
    Ok(config.build())
}

/// A server of one's own needs no region that is right, so an instance's description is not asked for it.
fn region_without_instance(profile: Option<String>) -> impl ProvideRegion + 'static {
    let mut file = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        file = file.profile_name(profile);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(file.build())
        .or_else(FALLBACK_REGION)
}

/// A service and where it is, for messages: `DynamoDB at http://localhost:8000`, `Kinesis in eu-west-1`.
pub(crate) fn place(service: &str, config: &SdkConfig) -> String {
    match (config.endpoint_url(), config.region()) {
        (Some(endpoint), _) => format!("{service} at {endpoint}"),
        (None, Some(region)) => format!("{service} in {region}"),
        (None, None) => service.to_owned(),
    }
}

/// What a failed request means.
///
/// `place` names the service as [`place`] does; `kind` and `name` are what was asked for, e.g. a table, in case that
/// it does not exist.
pub(crate) fn failure<E>(error: SdkError<E>, place: &str, kind: &'static str, name: &str) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let SdkError::ServiceError(context) = &error {
        let status = context.raw().status().as_u16();
        let code = context.err().code().map(|code| code.rsplit('#').next().unwrap_or(code));
        let mut failure = refusal(code, context.err().message(), status, place, kind, name);
        // The client has seen the service's time and signs its next request by it.
        let date = context.raw().headers().get("date");
        if code.is_some_and(|code| SKEWED.contains(&code)) && date.is_some_and(is_another_time) {
            failure.again = Again::Transient;
        }
        return failure;
    }
    // An error that is not in the service's words, such as a gateway's.
    if let SdkError::ResponseError(context) = &error
        && context.raw().status().as_u16() >= 400
    {
        return refusal(None, None, context.raw().status().as_u16(), place, kind, name);
    }
    if let Some(credentials) = cause::<CredentialsError>(&error) {
        let message = format!("{place}: credentials cannot be had: {}", root(credentials));
        return match credentials {
            CredentialsError::ProviderTimedOut(_) => unavailable(message, error),
            _ => ConnectorError::AccessDenied(message).into(),
        };
    }
    match &error {
        SdkError::TimeoutError(_) => unavailable(format!("{place} does not answer in time"), error),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            unavailable(format!("{place} does not answer in time"), error)
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            ConnectorError::InvalidArgument(format!("{place}: {}", root(&error))).into()
        }
        SdkError::ConstructionFailure(_) => {
            ConnectorError::InvalidArgument(format!("{place}: {}", root(&error))).into()
        }
        SdkError::ResponseError(_) => unavailable(format!("{place} broke off its answer: {}", root(&error)), error),
        _ => unavailable(format!("{place} does not answer: {}", root(&error)), error),
    }
}

/// Whether a service's time (RFC 9110's Date) is so far from ours that it refuses what is signed by ours.
fn is_another_time(date: &str) -> bool {
    DateTime::parse_from_rfc2822(date).is_ok_and(|date| (Utc::now() - date.to_utc()).abs() > ALLOWED_SKEW)
}

/// What a service's own error means, by its code, else by HTTP's status.
fn refusal(
    code: Option<&str>,
    message: Option<&str>,
    status: u16,
    place: &str,
    kind: &'static str,
    name: &str,
) -> Failure {
    let text = match (code, message) {
        (Some(code), Some(message)) => format!("{place}: {message} ({code})"),
        (Some(one), None) | (None, Some(one)) => format!("{place}: {one}"),
        (None, None) => format!("{place} answers with status {status}"),
    };
    let busy = |again| Failure { error: ConnectorError::Unavailable { message: text.clone(), source: None }, again };
    match (code.unwrap_or_default(), status) {
        ("ResourceNotFoundException" | "TableNotFoundException", _) => {
            ConnectorError::NotFound { kind, name: name.to_owned() }.into()
        }
        (
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "TooManyRequestsException"
            | "KMSThrottlingException"
            | "SlowDown",
            _,
        )
        | (_, 429) => busy(Again::Throttled),
        (
            "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationTokenException"
            | "MissingAuthenticationToken"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "NotAuthorized"
            | "OptInRequired"
            | "KMSAccessDeniedException"
            | "KMSOptInRequired",
            _,
        )
        | (_, 401 | 403) => ConnectorError::AccessDenied(text).into(),
        ("RequestTimeout" | "RequestTimeoutException" | "InternalServerError" | "InternalFailure", _)
        | (_, 408 | 500..) => busy(Again::Transient),
        // The key that what is stored is encrypted with cannot be used, which is no fault of the request.
        ("KMSDisabledException" | "KMSInvalidStateException" | "KMSNotFoundException", _) => busy(Again::Never),
        _ => ConnectorError::InvalidArgument(text).into(),
    }
}

fn unavailable(message: String, source: impl Error + Send + Sync + 'static) -> Failure {
    Failure { error: ConnectorError::Unavailable { message, source: Some(Box::new(source)) }, again: Again::Transient }
}

/// The first error of a type among an error's causes.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref::<T>())
}

/// The error at the bottom, which says what happened.
fn root(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (given, error) in [
            (
                &[("endpoint", "localhost:8000")][..],
                "option \"endpoint\" takes an address as http://host:port or https://host",
            ),
            (
                &[("endpoint", "http://u:p@localhost")],
                "option \"endpoint\" takes an address as http://host:port or https://host",
            ),
            (&[("access_key_id", "k")], "options \"access_key_id\" and \"secret_access_key\" go together"),
            (&[("session_token", "t")], "option \"session_token\" needs \"access_key_id\" and \"secret_access_key\""),
            (&[("timeout_ms", "0")], "option \"timeout_ms\" takes a number from 1 to 3600000"),
            (&[("timeout_ms", "soon")], "option \"timeout_ms\" takes a number from 1 to 3600000"),
            (&[("iam_role", "reader")], "option \"iam_role\" takes default or a role's ARN, not \"reader\""),
        ] {
            assert_eq!(check(&options(given)).unwrap_err().to_string(), error);
        }
        let chained = options(&[("iam_role", "arn:aws:iam::1:role/a, arn:aws:iam::2:role/b")]);
        check(&chained).unwrap();
        assert_eq!(roles(&chained).collect::<Vec<_>>(), ["arn:aws:iam::1:role/a", "arn:aws:iam::2:role/b"]);
        assert_eq!(roles(&options(&[("iam_role", "DEFAULT")])).count(), 0);
    }

    #[tokio::test]
    async fn an_endpoint_needs_no_region() {
        let config = config(&options(&[
            ("endpoint", "http://localhost:8000"),
            ("region", "eu-west-1"),
            ("access_key_id", "key"),
            ("secret_access_key", "secret"),
        ]))
        .await
        .unwrap();
        assert_eq!(config.region().map(AsRef::as_ref), Some("eu-west-1"));
        assert_eq!(place("DynamoDB", &config), "DynamoDB at http://localhost:8000");
        assert_eq!(config.retry_config().unwrap().max_attempts(), 1);
    }

    #[test]
    fn clocks_may_differ_by_minutes() {
        let date = |minutes| (Utc::now() + TimeDelta::minutes(minutes)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for (minutes, is_another) in [(0, false), (3, false), (-3, false), (6, true), (-6, true), (-600, true)] {
            assert_eq!(is_another_time(&date(minutes)), is_another, "{}", date(minutes));
        }
        assert!(!is_another_time("") && !is_another_time("now"));
    }

    #[test]
    fn codes_tell_what_to_do() {
        for (code, status, again, error) in [
            (Some("ResourceNotFoundException"), 400, Again::Never, "table \"t\" does not exist"),
            (
                Some("ProvisionedThroughputExceededException"),
                400,
                Again::Throttled,
                "S: why (ProvisionedThroughputExceededException)",
            ),
            (
                Some("UnrecognizedClientException"),
                400,
                Again::Never,
                "access is denied: S: why (UnrecognizedClientException)",
            ),
            (
                Some("KMSAccessDeniedException"),
                400,
                Again::Never,
                "access is denied: S: why (KMSAccessDeniedException)",
            ),
            (Some("KMSDisabledException"), 400, Again::Never, "S: why (KMSDisabledException)"),
            (Some("KMSThrottlingException"), 400, Again::Throttled, "S: why (KMSThrottlingException)"),
            (Some("ValidationException"), 400, Again::Never, "S: why (ValidationException)"),
            (None, 503, Again::Transient, "S: why"),
            (None, 403, Again::Never, "access is denied: S: why"),
            (None, 429, Again::Throttled, "S: why"),
        ] {
            let failure = refusal(code, Some("why"), status, "S", "table", "t");
            assert_eq!((failure.error.to_string().as_str(), failure.again), (error, again));
        }
        let of = |code: &str| refusal(Some(code), None, 400, "S", "stream", "s").error;
        assert!(matches!(of("KMSNotFoundException"), ConnectorError::Unavailable { .. }));
        assert!(matches!(of("InvalidArgumentException"), ConnectorError::InvalidArgument(_)));
        assert_eq!(refusal(None, None, 502, "S", "table", "t").error.to_string(), "S answers with status 502");
    }
}

//! URLs: Trino's functions. A text that is no URL, as one with a broken escape, has no parts.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use percent_encoding::percent_decode_str;
use url::form_urlencoded::byte_serialize;

use Kind::Text;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("url_extract_protocol", ATHENA, &[Text], Gives::Text, |call| {
        part(call, |url| Some(url.protocol.to_owned()))
    })
    .doc(
        "url_extract_protocol(url)",
        "The protocol.",
        &[("url_extract_protocol('https://example.com/x')", "https")],
    ),
    scalar("url_extract_host", ATHENA, &[Text], Gives::Text, |call| part(call, |url| Some(url.host.to_owned()))).doc(
        "url_extract_host(url)",
        "The host.",
        &[("url_extract_host('http://example.com:8080/path?k1=v1#Ref1')", "example.com")],
    ),
    scalar("url_extract_port", ATHENA, &[Text], Gives::Int8, |call| {
        let texts = call.text(0);
        call.ints(|row| Ok(Url::of(texts.value(row)).and_then(|url| url.port)))
    })
    .doc("url_extract_port(url)", "The port.", &[("url_extract_port('http://example.com:8080/path')", "8080")]),
    scalar("url_extract_path", ATHENA, &[Text], Gives::Text, |call| part(call, |url| Some(decoded(url.path)))).doc(
        "url_extract_path(url)",
        "The path.",
        &[("url_extract_path('http://example.com:8080/path/a?k1=v1')", "/path/a")],
    ),
    scalar("url_extract_query", ATHENA, &[Text], Gives::Text, |call| part(call, |url| Some(decoded(url.query)))).doc(
        "url_extract_query(url)",
        "The query, without escapes.",
        &[("url_extract_query('http://example.com/path?k1=v1&k2=v%202#Ref1')", "k1=v1&k2=v 2")],
    ),
    scalar("url_extract_fragment", ATHENA, &[Text], Gives::Text, |call| part(call, |url| Some(decoded(url.fragment))))
        .doc(
            "url_extract_fragment(url)",
            "The fragment, without escapes.",
            &[("url_extract_fragment('http://example.com/path?k1=v1#Ref1')", "Ref1")],
        ),
    scalar("url_extract_parameter", ATHENA, &[Text, Text], Gives::Text, |call| {
        let (texts, names) = (call.text(0), call.text(1));
        call.texts(|row| {
            let Some(url) = Url::of(texts.value(row)) else { return Ok(None) };
            let wanted = names.value(row);
            let found = url.query.split('&').find_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (name == wanted).then_some(value)
            });
            Ok(found.map(decoded_of_form))
        })
    })
    .doc(
        "url_extract_parameter(url, name)",
        "The first parameter of that name.",
        &[("url_extract_parameter('http://example.com/path?k1=v1&k2=v%202#Ref1', 'k2')", "v 2")],
    ),
    scalar("url_encode", ATHENA, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(byte_serialize(texts.value(row).as_bytes()).collect::<String>())))
    })
    .doc("url_encode(text)", "A text as part of a query.", &[("url_encode('a b&ü')", "a+b%26%C3%BC")]),
    scalar("url_decode", ATHENA, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| {
            let text = texts.value(row);
            let invalid = || Error::new(ErrorKind::InvalidText, format!("\"{text}\" is not an encoded text"));
            if has_whole_escapes(text) { Ok(Some(decoded_of_form(text))) } else { Err(invalid()) }
        })
    })
    .doc("url_decode(text)", "The text that was encoded.", &[("url_decode('a+b%26')", "a b&")]),
];

/// The parts of a URL as it is written (RFC 3986).
struct Url<'a> {
    protocol: &'a str,
    host: &'a str,
    port: Option<i64>,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Url<'a> {
    fn of(text: &'a str) -> Option<Self> {
        if !has_whole_escapes(text)
            || text.contains(|c: char| {
                c.is_whitespace() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`')
            })
        {
            return None;
        }
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (protocol, rest) = match rest.split_once(':') {
            Some((protocol, rest)) if is_protocol(protocol) => (protocol, rest),
            _ => ("", rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match host_and_port.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => (host, port.parse().ok()),
            _ => (host_and_port, None),
        };
        Some(Self { protocol, host, port, path, query, fragment })
    }
}

fn is_protocol(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn part(call: &Call<'_>, of: impl Fn(&Url<'_>) -> Option<String>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(Url::of(texts.value(row)).and_then(|url| of(&url))))
}

/// The text behind `%41`. Bytes that are no text are replaced, as Trino does.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The same of a form's text, where `+` is a blank.
fn decoded_of_form(text: &str) -> String {
    decoded(&text.replace('+', " "))
}

/// Whether two digits follow each `%`.
fn has_whole_escapes(text: &str) -> bool {
    let is_escape = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    text.split('%').skip(1).all(|after| after.as_bytes().get(..2).is_some_and(is_escape))
}

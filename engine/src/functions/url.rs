//! URLs: Trino's functions. A text that is no URL, as one with a broken escape, has no parts.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use std::fmt::Write;

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
    scalar("url_extract_path", ATHENA, &[Text], Gives::Text, |call| part(call, |url| decoded(url.path))).doc(
        "url_extract_path(url)",
        "The path.",
        &[("url_extract_path('http://example.com:8080/path/a?k1=v1')", "/path/a")],
    ),
    scalar("url_extract_query", ATHENA, &[Text], Gives::Text, |call| part(call, |url| decoded(url.query))).doc(
        "url_extract_query(url)",
        "The query, without escapes.",
        &[("url_extract_query('http://example.com/path?k1=v1&k2=v%202#Ref1')", "k1=v1&k2=v 2")],
    ),
    scalar("url_extract_fragment", ATHENA, &[Text], Gives::Text, |call| part(call, |url| decoded(url.fragment))).doc(
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
            Ok(found.and_then(decoded_of_form))
        })
    })
    .doc(
        "url_extract_parameter(url, name)",
        "The first parameter of that name.",
        &[("url_extract_parameter('http://example.com/path?k1=v1&k2=v%202#Ref1', 'k2')", "v 2")],
    ),
    scalar("url_encode", ATHENA, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(encoded(texts.value(row)))))
    })
    .doc("url_encode(text)", "A text as part of a query.", &[("url_encode('a b&ü')", "a+b%26%C3%BC")]),
    scalar("url_decode", ATHENA, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| {
            let text = texts.value(row);
            let invalid = || Error::new(ErrorKind::InvalidText, format!("\"{text}\" is not an encoded text"));
            decoded_of_form(text).map(Some).ok_or_else(invalid)
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
        if text
            .contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`'))
        {
            return None;
        }
        if !text.split('%').skip(1).all(|after| after.as_bytes().get(..2).is_some_and(is_escape)) {
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

/// The text behind `%41`; None where an escape is broken. Bytes that are no text are replaced, as Trino does.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2).filter(|(digits, _)| is_escape(digits))?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The same of a form's text, where `+` is a blank.
fn decoded_of_form(text: &str) -> Option<String> {
    decoded(&text.replace('+', " "))
}

fn is_escape(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// The form of `application/x-www-form-urlencoded`.
fn encoded(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => made.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => made.push(char::from(byte)),
            other => {
                let _ = write!(made, "%{other:02X}");
            }
        }
    }
    made
}

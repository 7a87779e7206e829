//! A JSON object's members as text, without building the object.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Gives each member of the one object that the text is: its name, and its value's own text.
///
/// # Errors
/// Why the text is no object.
pub(super) fn members<'a>(json: &'a str, mut each: impl FnMut(String, &'a str)) -> Result<(), String> {
    let mut rest = after(json, '{')?;
    if let Some(end) = blank(rest).strip_prefix('}') {
        return ended(end);
    }
    loop {
        let (name, following) = value::<String>(rest)?;
        let text = blank(after(following, ':')?);
        let (_, following) = value::<IgnoredAny>(text)?;
        each(name, text[..text.len() - following.len()].trim_end());
        let following = blank(following);
        if let Some(end) = following.strip_prefix('}') {
            return ended(end);
        }
        rest = after(following, ',')?;
    }
}

/// Gives each member of the text's one object by its path, and those of the objects in it whose path leads on.
///
/// # Errors
/// Why the text is no object.
pub(super) fn walk(json: &str, leads: &dyn Fn(&str) -> bool, each: &mut dyn FnMut(&str, &str)) -> Result<(), String> {
    walk_below("", json, leads, each)
}

fn walk_below(
    above: &str,
    json: &str,
    leads: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(&str, &str),
) -> Result<(), String> {
    let mut below = Ok(());
    members(json, |name, value| {
        let path = if above.is_empty() { name } else { format!("{above}.{name}") };
        each(&path, value);
        if value.starts_with('{') && leads(&path) && below.is_ok() {
            below = walk_below(&path, value, leads, &mut *each);
        }
    })?;
    below
}

/// A value's text as a column's: a text without its quotes, `None` for null.
///
/// # Errors
/// Why a text is none.
pub(super) fn text(value: &str) -> Result<Option<String>, String> {
    match value.as_bytes() {
        b"null" => Ok(None),
        [b'"', ..] => serde_json::from_str(value).map(Some).map_err(|error| error.to_string()),
        _ => Ok(Some(value.to_owned())),
    }
}

/// Whether a text is one JSON value.
pub(super) fn is_value(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The first value of a text and what follows it.
fn value<'a, T: Deserialize<'a>>(json: &'a str) -> Result<(T, &'a str), String> {
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => {
            let end = values.byte_offset();
            Ok((value, &json[end..]))
        }
        Some(Err(error)) => Err(error.to_string()),
        None => Err("a value is missing".to_owned()),
    }
}

fn after(json: &str, expected: char) -> Result<&str, String> {
    blank(json).strip_prefix(expected).ok_or_else(|| format!("\"{expected}\" is missing"))
}

fn blank(json: &str) -> &str {
    json.trim_start_matches([' ', '\t', '\n', '\r'])
}

fn ended(rest: &str) -> Result<(), String> {
    if blank(rest).is_empty() { Ok(()) } else { Err("something follows the object".to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn members_keep_their_text() {
        let json = " {\"a\" : 12.50 , \"b\\n\":\"x\\u0041\",\"c\": {\"d\":[1, {}]} ,\"e\":null,\"f\":true}\n";
        let mut seen = vec![];
        members(json, |name, text| seen.push((name, text))).unwrap();
        let seen: Vec<_> = seen.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(
            seen,
            [("a", "12.50"), ("b\n", "\"x\\u0041\""), ("c", "{\"d\":[1, {}]}"), ("e", "null"), ("f", "true")]
        );
        assert_eq!(text("\"x\\u0041\"").unwrap().as_deref(), Some("xA"));
        assert_eq!(text("null").unwrap(), None);
        members("{ }", |_, _| panic!("no member")).unwrap();
    }

    #[test]
    fn paths_lead_into_objects() {
        let json = r#"{"a":{"b":{"c":1},"x":2},"d":{"e":3},"a.x":4,"f":{"g":5}}"#;
        let mut seen = vec![];
        let leads = |path: &str| ["a", "a.b", "d"].contains(&path);
        walk(json, &leads, &mut |path, value| seen.push(format!("{path}={value}"))).unwrap();
        let plain: Vec<_> = seen.iter().filter(|one| !one.contains('{')).map(String::as_str).collect();
        assert_eq!(plain, ["a.b.c=1", "a.x=2", "d.e=3", "a.x=4"]);
        assert!(walk("[]", &leads, &mut |_, _| ()).is_err());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [
            "",
            "[]",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1} {}",
            "{\"a\":01}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":tru}",
        ] {
            assert!(members(json, |_, _| ()).is_err(), "{json}");
        }
    }
}

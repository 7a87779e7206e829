//! Partition folders as Hive names them: `year=2013/month=01`.
//!
//! Names and values are escaped as Hive's `FileUtils.escapePathName` escapes them; NULL and the empty text, which Hive
//! cannot tell apart here, are both `__HIVE_DEFAULT_PARTITION__`.

use millrace_catalog::model::HIVE_DEFAULT_PARTITION;
use std::fmt::Write;

/// Whether Hive escapes the character in folder names: control characters and what is special in URLs and shells.
fn is_escaped(c: char) -> bool {
    c.is_ascii_control()
        || matches!(c, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^')
}

/// A text with Hive's special characters as `%XX`; the others, unicode among them, stay.
pub fn escape_partition_value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The text that [`escape_partition_value`] was given.
///
/// Accepts more than Hive writes: `%XX` of any byte, as programs write that escape all of UTF-8. What is no escape, or
/// would not be UTF-8, stays as it is.
pub fn unescape_partition_value(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut unescaped = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| Some((hex(bytes.get(at + 1))?, hex(bytes.get(at + 2))?))).flatten();
        if let Some((high, low)) = escape {
            unescaped.push(high << 4 | low);
            at += 3;
        } else {
            unescaped.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(unescaped).unwrap_or_else(|_| text.to_owned())
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    char::from(*digit?).to_digit(16).map(|d| d as u8)
}

/// The relative folder of a partition, e.g. `year=2013/month=01`; `None` is NULL. Pairs beyond the shorter list are
/// left out.
pub fn partition_path<K: AsRef<str>>(keys: &[K], values: &[Option<String>]) -> String {
    let mut path = String::new();
    for (key, value) in keys.iter().zip(values) {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&escape_partition_value(&key.as_ref().to_lowercase()));
        path.push('=');
        match value.as_deref() {
            None | Some("") => path.push_str(HIVE_DEFAULT_PARTITION),
            Some(value) => path.push_str(&escape_partition_value(value)),
        }
    }
    path
}

/// The keys (lower case) and values of a relative folder, in order; `None` when a part of it is not `key=value`.
pub fn parse_partition_path(path: &str) -> Option<Vec<(String, Option<String>)>> {
    path.trim_matches('/')
        .split('/')
        .map(|part| {
            let (key, value) = part.split_once('=')?;
            if key.is_empty() {
                return None;
            }
            let value = (value != HIVE_DEFAULT_PARTITION).then(|| unescape_partition_value(value));
            Some((unescape_partition_value(key).to_lowercase(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Escapes as Hive's FileUtils and Spark's ExternalCatalogUtils have them.
    #[test]
    fn special_characters_are_escaped_as_hive_does() {
        for (text, escaped) in [
            ("2024-01-31 10:20:30", "2024-01-31 10%3A20%3A30"),
            ("a/b", "a%2Fb"),
            ("k=v", "k%3Dv"),
            ("100%", "100%25"),
            ("it's", "it%27s"),
            ("tab\tnew\nline", "tab%09new%0Aline"),
            ("{x}[y]^", "%7Bx}%5By%5D%5E"),
            ("Zürich 日本", "Zürich 日本"),
            ("..", ".."),
        ] {
            assert_eq!(escape_partition_value(text), escaped);
            assert_eq!(unescape_partition_value(escaped), text);
        }
    }

    #[test]
    fn unescaping_accepts_what_other_programs_write() {
        for (escaped, text) in [
            ("Z%C3%BCrich", "Zürich"),
            ("a%2fb", "a/b"),
            ("50%", "50%"),
            ("%zz", "%zz"),
            ("%+1", "%+1"),
            ("%FF", "%FF"),
            ("é%2", "é%2"),
        ] {
            assert_eq!(unescape_partition_value(escaped), text);
        }
    }

    #[test]
    fn paths_are_built_and_taken_apart() {
        let values = [Some("2013".to_owned()), Some(String::new()), None, Some("a/b=c".to_owned())];
        let path = partition_path(&["Year", "e", "n", "x"], &values);
        assert_eq!(path, "year=2013/e=__HIVE_DEFAULT_PARTITION__/n=__HIVE_DEFAULT_PARTITION__/x=a%2Fb%3Dc");
        let parsed = parse_partition_path(&path).unwrap_or_default();
        let values: Vec<_> = parsed.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        assert_eq!(values, [("year", Some("2013")), ("e", None), ("n", None), ("x", Some("a/b=c"))]);
        assert_eq!(parse_partition_path("year=2013/data"), None);
        assert_eq!(parse_partition_path("=x"), None);
        assert_eq!(parse_partition_path("/a=/"), Some(vec![("a".into(), Some(String::new()))]));
    }
}

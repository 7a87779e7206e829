//! Settings that clients and tools of PostgreSQL and Redshift send: each with what it takes.
//!
//! A value that would promise what we do not do is refused; what is taken without an effect is listed as such in
//! `docs/compatibility.md`.

use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// Nothing: it tells of the server.
    Fixed,
    /// Any text.
    Text,
    /// `on`, `off` and their other spellings.
    Switch,
    /// A whole number in a range.
    Number(i64, i64),
    /// One of some words, in any case.
    Word(&'static [&'static str]),
    /// An isolation level: all are run as SERIALIZABLE, as in Redshift.
    Isolation,
    /// An encoding, which must be UTF-8 under one of its names.
    Encoding,
    /// `ISO` with an order of day, month and year.
    DateStyle,
}

/// A setting.
struct Known {
    name: &'static str,
    default: &'static str,
    takes: Takes,
    about: &'static str,
}

const fn known(name: &'static str, default: &'static str, takes: Takes, about: &'static str) -> Known {
    Known { name, default, takes, about }
}

/// How long an identifier may be, in bytes; Redshift's limit.
const IDENTIFIER_BYTES: &str = "127";

/// The setting that tells who the user is.
const USER: &str = "session_authorization";

/// The setting that tells whether the user may do everything.
const SUPERUSER: &str = "is_superuser";

/// The setting that says whether names in double quotes keep their case.
pub(super) const CASE_OF_NAMES: &str = "enable_case_sensitive_identifier";

/// The setting that says whether names of members of SUPER values keep their case.
const CASE_OF_MEMBERS: &str = "enable_case_sensitive_super_attribute";

/// All of them, by name.
const KNOWN: [Known; 33] = [
    known("application_name", "", Takes::Text, "the name that the client gives itself"),
    known("bytea_output", "hex", Takes::Word(&["hex"]), "form of binary values as text"),
    known("client_encoding", "UTF8", Takes::Encoding, "encoding of the client's texts"),
    known(
        "client_min_messages",
        "notice",
        Takes::Word(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "info", "notice", "warning", "error",
        ]),
        "the least serious messages that the client is sent",
    ),
    known("datestyle", "ISO, MDY", Takes::DateStyle, "form of dates as text"),
    known("default_transaction_isolation", "serializable", Takes::Isolation, "isolation of transactions"),
    known("default_transaction_read_only", "off", Takes::Switch, "whether transactions only read"),
    known(CASE_OF_NAMES, "off", Takes::Switch, "whether names in double quotes keep their case"),
    known(CASE_OF_MEMBERS, "off", Takes::Switch, "whether names of members of SUPER values keep their case"),
    known(
        "enable_result_cache_for_session",
        "on",
        Takes::Switch,
        "whether results of queries are kept and given again",
    ),
    known(
        "extra_float_digits",
        "0",
        Takes::Number(-15, 3),
        "numbers always have the digits that give them back; no effect",
    ),
    known(
        "idle_in_transaction_session_timeout",
        "0",
        Takes::Number(0, 2_147_483_647),
        "milliseconds after which an idle transaction ends its session; 0 is never",
    ),
    known(
        "idle_session_timeout",
        "0",
        Takes::Number(0, 2_147_483_647),
        "milliseconds after which an idle session ends; 0 is never",
    ),
    known("integer_datetimes", "on", Takes::Fixed, "times are whole numbers of microseconds"),
    known(
        "interval_forbid_composite_literals",
        "true",
        Takes::Word(&["true", "on"]),
        "whether an interval of months and days under a qualifier is an error",
    ),
    known("intervalstyle", "postgres", Takes::Word(&["postgres"]), "form of intervals as text"),
    known(SUPERUSER, "on", Takes::Fixed, "whether the user may do everything"),
    known(
        "json_parse_dedup_attributes",
        "off",
        Takes::Switch,
        "whether json_parse keeps the last of an object's members of one name instead of an error",
    ),
    known(
        "json_parse_truncate_strings",
        "off",
        Takes::Switch,
        "whether json_parse cuts strings of more than 65,535 bytes instead of an error",
    ),
    known("max_cursor_result_set_size", "0", Takes::Number(0, 14_400_000), "cursors do not hold their rows; no effect"),
    known("max_identifier_length", IDENTIFIER_BYTES, Takes::Fixed, "bytes of a name"),
    known("max_index_keys", "32", Takes::Fixed, "columns of a key that JDBC looks at; no limit"),
    known("padb_revision", "1", Takes::Fixed, "tells drivers that Redshift's protocol is spoken"),
    known("padb_version", "1.0", Takes::Fixed, "tells drivers that Redshift's protocol is spoken"),
    known("query_group", "default", Takes::Text, "label of the session's statements, which may choose their queue"),
    known("server_encoding", "UTF8", Takes::Fixed, "encoding of all texts"),
    known("server_version", "8.0.2", Takes::Fixed, "the PostgreSQL version that Redshift tells"),
    known("server_version_num", "80002", Takes::Fixed, "the same as a number"),
    known(USER, "admin", Takes::Fixed, "the user who logged in"),
    known(
        "standard_conforming_strings",
        "off",
        Takes::Word(&["off", "false"]),
        "whether backslashes in strings are plain",
    ),
    known("transaction_isolation", "serializable", Takes::Isolation, "isolation of the transaction"),
    known("transaction_read_only", "off", Takes::Fixed, "whether the transaction only reads"),
    known("wlm_query_slot_count", "1", Takes::Number(1, 50), "slots that a statement takes in its queue"),
];

/// The values that a session has given them.
#[derive(Debug, Clone, Default)]
pub(super) struct ClientSettings(BTreeMap<&'static str, String>);

impl ClientSettings {
    /// The names, with what each is for.
    pub(super) fn described() -> impl Iterator<Item = (&'static str, &'static str)> {
        KNOWN.iter().map(|known| (known.name, known.about))
    }

    /// Sets one; `None` is its default. `false` when there is none of that name.
    ///
    /// # Errors
    /// `InvalidParameter` for a value that it does not take; `Unsupported` for one that PostgreSQL would take.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<bool> {
        let Some(known) = find(name) else { return Ok(false) };
        if matches!(known.takes, Takes::Fixed) {
            let message = format!("parameter \"{name}\" cannot be changed");
            return Err(Error::new(ErrorKind::CannotChange, message));
        }
        match value {
            None => self.0.remove(known.name),
            Some(value) => self.0.insert(known.name, checked(known, value.trim().trim_matches('\''))?),
        };
        Ok(true)
    }

    /// A value as text; `None` when there is no setting of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let known = find(name)?;
        Some(self.0.get(known.name).map_or(known.default, String::as_str))
    }

    /// Takes over who the session's user is.
    pub(super) fn keep_user(&mut self, from: &Self) {
        let kept = [USER, SUPERUSER].into_iter().filter_map(|name| from.0.get_key_value(name));
        self.0.extend(kept.map(|(name, value)| (*name, value.clone())));
    }

    /// Says whether names of members of SUPER values keep their case.
    pub(super) fn keep_case_of_members(&mut self, keeps: bool) {
        self.0.insert(CASE_OF_MEMBERS, if keeps { "on" } else { "off" }.to_owned());
    }

    /// Tells who the session's user is.
    pub(super) fn set_user(&mut self, user: &str, superuser: bool) {
        self.0.insert(USER, user.to_owned());
        self.0.insert(SUPERUSER, if superuser { "on" } else { "off" }.to_owned());
    }
}

fn find(name: &str) -> Option<&'static Known> {
    KNOWN.binary_search_by(|known| known.name.cmp(name)).ok().map(|at| &KNOWN[at])
}

fn checked(known: &Known, value: &str) -> Result<String> {
    let name = known.name;
    let invalid = |takes: &str| {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        Error::new(ErrorKind::InvalidParameter, message).with_detail(takes.to_owned())
    };
    let word = value.to_ascii_lowercase();
    match known.takes {
        Takes::Fixed | Takes::Text => Ok(value.to_owned()),
        Takes::Switch => match word.as_str() {
            "on" | "true" | "yes" | "1" | "t" => Ok("on".to_owned()),
            "off" | "false" | "no" | "0" | "f" => Ok("off".to_owned()),
            _ => Err(invalid("it takes on or off")),
        },
        Takes::Number(least, most) => match word.trim_end_matches("ms").trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            _ => Err(invalid(&format!("it takes a number from {least} to {most}"))),
        },
        Takes::Word(words) if words.contains(&word.as_str()) => Ok(word),
        Takes::Word(words) => {
            Err(Error::unsupported(format!("{name} = \"{value}\""))
                .with_detail(format!("it takes {}", words.join(", "))))
        }
        Takes::Isolation => match word.as_str() {
            "serializable" | "repeatable read" | "read committed" | "read uncommitted" => Ok("serializable".to_owned()),
            _ => Err(invalid("it takes serializable, repeatable read, read committed or read uncommitted")),
        },
        Takes::Encoding => match word.replace(['-', '_'], "").as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            _ => Err(Error::unsupported(format!("encoding \"{value}\"")).with_detail("texts are UTF8")),
        },
        Takes::DateStyle => date_style(&word).ok_or_else(|| {
            Error::unsupported(format!("datestyle \"{value}\"")).with_detail("it takes ISO with MDY, DMY or YMD")
        }),
    }
}

fn date_style(words: &str) -> Option<String> {
    let mut order = "MDY";
    for word in words.split(',').map(str::trim) {
        match word {
            "iso" | "" => {}
            "mdy" | "us" | "noneuro" | "noneuropean" => order = "MDY",
            "dmy" | "euro" | "european" => order = "DMY",
            "ymd" => order = "YMD",
            _ => return None,
        }
    }
    Some(format!("ISO, {order}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
    }

    #[test]
    fn values_are_checked() {
        let mut settings = ClientSettings::default();
        for (name, value, expected) in [
            ("client_encoding", "utf-8", "UTF8"),
            ("client_encoding", "'UNICODE'".trim_matches('\''), "UTF8"),
            ("datestyle", "iso", "ISO, MDY"),
            ("datestyle", "ISO, DMY", "ISO, DMY"),
            ("extra_float_digits", "3", "3"),
            ("application_name", "a 'b", "a 'b"),
            ("enable_case_sensitive_identifier", "true", "on"),
            ("enable_result_cache_for_session", "TRUE", "on"),
        ] {
            assert!(settings.set(name, Some(value)).unwrap());
            assert_eq!(settings.get(name), Some(expected), "{name}");
        }
        for (name, value, sqlstate) in [
            ("client_encoding", "latin1", "0A000"),
            ("extra_float_digits", "4", "22023"),
            ("server_version", "15", "55P02"),
            ("standard_conforming_strings", "on", "0A000"),
            ("enable_result_cache_for_session", "maybe", "22023"),
        ] {
            assert_eq!(settings.set(name, Some(value)).unwrap_err().sqlstate(), sqlstate, "{name}");
        }
        assert!(!settings.set("no_such_setting", Some("1")).unwrap());
        assert!(settings.set("application_name", None).unwrap());
        assert_eq!(settings.get("application_name"), Some(""));
    }
}

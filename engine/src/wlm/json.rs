//! Values out of a JSON object, with errors that say which queue and which key are wrong.

use super::SETTING;
use crate::error::{Error, ErrorKind, Result, nearest};
use serde_json::{Map, Value};

/// An error in the configuration: where, and what.
pub(super) fn invalid(place: &str, what: impl std::fmt::Display) -> Error {
    let message = format!("invalid value for parameter \"{SETTING}\"");
    let detail = if place.is_empty() { what.to_string() } else { format!("{place}: {what}") };
    Error::new(ErrorKind::InvalidParameter, message).with_detail(detail)
}

/// An object and where it stands.
pub(super) struct Object<'a> {
    pub(super) place: String,
    pub(super) values: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// A value that must be an object of these keys.
    pub(super) fn of(place: String, value: &'a Value, known: &[&str]) -> Result<Self> {
        let Some(values) = value.as_object() else {
            return Err(invalid(&place, format!("an object is needed, not {}", kind(value))));
        };
        for key in values.keys() {
            if !known.contains(&key.as_str()) {
                let error = invalid(&place, format!("there is no key \"{key}\""));
                return Err(match nearest(key, known.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
                    None => error,
                });
            }
        }
        Ok(Self { place, values })
    }

    /// Whether a key has a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| !value.is_null())
    }

    /// An error in a key's value.
    pub(super) fn invalid(&self, key: &str, what: impl std::fmt::Display) -> Error {
        invalid(&self.place, format!("\"{key}\" {what}"))
    }

    /// A text, trimmed.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(other) => Err(self.invalid(key, format!("takes a text, not {}", kind(other)))),
        }
    }

    /// A list of texts that are not empty; one text alone is a list of it.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>> {
        let items = match self.values.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let texts = items.iter().map(|item| match item.as_str().map(str::trim) {
            Some("") => Err(self.invalid(key, "has an empty name")),
            Some(text) => Ok(text.to_owned()),
            None => Err(self.invalid(key, format!("takes a list of names, not {}", kind(item)))),
        });
        texts.collect()
    }

    /// A whole number in a range; Redshift's console writes numbers as texts, too.
    pub(super) fn number(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let number = match self.values.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.invalid(key, format!("takes a whole number from {least} to {most}"))),
        }
    }

    /// A switch: `true` or `false`, 1 or 0, or one of these as text.
    pub(super) fn switch(&self, key: &str) -> Result<bool> {
        let text = match self.values.get(key) {
            None | Some(Value::Null) => return Ok(false),
            Some(Value::Bool(value)) => return Ok(*value),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.trim().to_lowercase(),
            Some(other) => kind(other).to_owned(),
        };
        match text.as_str() {
            "1" | "true" | "on" => Ok(true),
            "0" | "false" | "off" => Ok(false),
            _ => Err(self.invalid(key, "takes 1 or 0")),
        }
    }
}

/// What a value is, for people.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

//! `set_config`: a setting that a query changes, as SET does by itself.

use super::system::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::system::{Facts, Kind, Value};

/// `set_config(parameter, value, is_local)`: from the next statement on, for the transaction only or for the session. Gives
/// the value.
fn set_config(facts: &Facts, args: &[Value]) -> Result<Value> {
    let [name, value, is_local] = args else {
        let error = Error::new(ErrorKind::UndefinedFunction, "set_config() takes three arguments");
        return Err(error.with_hint("it is set_config(parameter, value, is_local)"));
    };
    let is_local = match is_local {
        Value::Null => return Ok(Value::Null),
        Value::Bool(is_local) => *is_local,
        Value::Text(text) if matches!(text.to_lowercase().as_str(), "t" | "true") => true,
        Value::Text(text) if matches!(text.to_lowercase().as_str(), "f" | "false") => false,
        _ => return Err(Error::new(ErrorKind::InvalidParameter, "is_local of set_config() is true or false")),
    };
    let value = match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return Ok(Value::Null),
    };
    match name {
        Value::Text(name) => Ok(facts.changer.change(name, &value, is_local)?.into()),
        _ => Ok(Value::Null),
    }
}

pub(super) const FUNCTIONS: &[Definition] =
    &[Definition { name: "set_config", gives: |_| Kind::Text, call: set_config }];

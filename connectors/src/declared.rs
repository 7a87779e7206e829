//! Columns that a user declares of a foreign table, where those that its system tells will not do.
//!
//! A declared column is named by its source: a member of payloads, an attribute of items, a field of documents. Dots
//! lead into nested values. A source is found by its exact name, or else, where the system tells names, by the one name
//! that differs in upper and lower case only. A value that the declared type cannot hold is an error that names where
//! it stands, or NULL; it is never rounded or cut to fit.

use crate::connector::SUPER_METADATA;
#[cfg(any(feature = "dynamodb", feature = "opensearch"))]
use crate::error::{ConnectorError, Result};
use arrow::datatypes::{Field, Fields};
use serde::{Deserialize, Serialize};
#[cfg(any(feature = "dynamodb", feature = "opensearch"))]
use std::collections::HashMap;

/// What becomes of a value that a declared type cannot hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invalid {
    /// It is an error.
    #[default]
    Error,
    /// It is NULL.
    Null,
}

/// The columns of a table as they are declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// Each named by its source, all nullable. Types are those of [`crate::Connector::schema`]: booleans, whole numbers
    /// of 8 to 64 bits, floats of 32 and 64, decimals of 38 digits, `Utf8View`, `Binary`, `Date32`, timestamps in
    /// microseconds without a zone, and `Utf8View` marked as SUPER.
    pub columns: Fields,
    /// What becomes of values that do not fit.
    pub invalid: Invalid,
}

/// The one of these names that a source is: the same, or the only one that differs in upper and lower case alone.
pub fn named<'a>(source: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if let Some(same) = names.clone().find(|name| *name == source) {
        return Some(same);
    }
    let lower = source.to_lowercase();
    let mut alike = names.filter(|name| name.to_lowercase() == lower);
    alike.next().filter(|_| alike.next().is_none())
}

/// Refuses declared columns of which two stand for one name of the system's, in the same order.
///
/// # Errors
/// `InvalidArgument` that names both sources; `what` is what the system calls a column.
#[cfg(any(feature = "dynamodb", feature = "opensearch"))]
pub(crate) fn distinct<'a>(declared: &Fields, names: impl Iterator<Item = &'a str>, what: &str) -> Result<()> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for (field, name) in declared.iter().zip(names) {
        if let Some(other) = known.insert(name, field.name()) {
            let source = field.name();
            let message = format!("the sources \"{other}\" and \"{source}\" are one {what}, \"{name}\"");
            return Err(ConnectorError::InvalidArgument(message));
        }
    }
    Ok(())
}

/// Whether a field is SUPER.
pub(crate) fn is_super(field: &Field) -> bool {
    field.metadata().contains_key(SUPER_METADATA)
}

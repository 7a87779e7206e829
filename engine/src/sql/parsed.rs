//! A statement with the text that it was parsed from, and with the values that were given to its parameters.

use crate::error::{Error, ErrorKind};
use crate::sql::{Dialect, Names, Statement};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A statement with the text it was parsed from.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    /// What to do.
    pub statement: Statement,
    /// The statement's own text, without the semicolon.
    pub text: String,
    /// The dialect it was parsed in.
    pub dialect: Dialect,
    /// Whether its names in quotes kept their case.
    pub names: Names,
    /// How many characters of the whole text stand before `text`; add it to positions within the statement.
    pub offset: usize,
    /// What stands for the statement, whatever values its parameters have, where its plan is kept; 0 where it is not.
    pub(crate) number: u64,
    /// The values that took the place of its parameters.
    pub(crate) bound: Option<Arc<Bound>>,
}

/// A statement with values of its parameters beside it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// With placeholders in their places.
    pub(crate) statement: Arc<ParsedStatement>,
    /// What the values are meant as, one a parameter.
    pub(crate) types: Vec<DataType>,
    /// The values as texts; `None` is NULL.
    pub(crate) values: Vec<Option<String>>,
}

impl ParsedStatement {
    /// A statement that this one has within it, in its place in the text.
    pub(crate) fn within(&self, statement: Statement) -> Self {
        let Self { text, dialect, names, offset, .. } = self;
        let (dialect, names, offset) = (*dialect, *names, *offset);
        Self { statement, text: text.clone(), dialect, names, offset, number: 0, bound: None }
    }

    /// What becomes of what the statement had done when it is canceled, where it does more than its transaction undoes.
    pub fn undone(&self) -> Option<&'static str> {
        match &self.statement {
            Statement::Unload(_) => Some("the files that it had written are removed"),
            _ => None,
        }
    }

    /// The error of canceling the statement, with what becomes of what it had done.
    #[must_use]
    pub fn canceled(&self, error: Error) -> Error {
        match self.undone() {
            Some(undone) if error.kind == ErrorKind::Cancelled && error.detail.is_none() => error.with_detail(undone),
            _ => error,
        }
    }
}

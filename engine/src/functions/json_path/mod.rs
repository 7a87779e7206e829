//! SQL's language of paths into JSON (Trino: "JSON path language"): a path is parsed once and evaluated on documents.
//!
//! Items of dates and times, and the methods that make them, are refused.

mod evaluate;
mod parse;

use crate::error::{Error, ErrorKind, Result};
use serde_json::Value;
use std::borrow::Cow;

/// How deep a path's parentheses and predicates nest.
const MAX_DEPTH: usize = 64;

/// Of how many steps and operators a path consists.
const MAX_STEPS: usize = 500;

/// A path, and how it takes data of another shape than it expects.
#[derive(Debug, PartialEq)]
pub(super) struct JsonPath {
    /// Whether such data are no errors.
    lax: bool,
    path: Path,
}

impl JsonPath {
    /// Parses a path with its mode, whose variables have these names.
    ///
    /// # Errors
    /// `InvalidParameter` for what is none, and for variables of other names; `Unsupported` for methods that make moments.
    pub(super) fn parse(text: &str, passed: &[String]) -> Result<Self> {
        parse::parse(text, passed)
    }

    /// The items that the path leads to in a document, with the values of named variables.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) fn evaluate<'a>(&'a self, document: &'a Value, passed: &'a [(String, Value)]) -> Items<'a> {
        evaluate::Evaluation::new(self.lax, document, passed).items(&self.path)
    }
}

/// A sequence of items, or why there is none.
pub(super) type Items<'a> = std::result::Result<Vec<Cow<'a, Value>>, String>;

/// An expression that gives a sequence of items.
#[derive(Debug, PartialEq)]
enum Path {
    Literal(Value),
    /// `$`
    Context,
    /// `$name`
    Variable(String),
    /// `@`
    Current,
    /// `last`
    Last,
    Negated(Box<Path>),
    Arithmetic(Box<Path>, char, Box<Path>),
    Member(Box<Path>, String),
    Members(Box<Path>),
    Descendants(Box<Path>, String),
    /// `[*]`, or the elements at places and from one place to another.
    Elements(Box<Path>, Subscripts),
    Method(Box<Path>, Method),
    Filter(Box<Path>, Box<Predicate>),
}

/// Places, and from one place to another; all where it is `None`.
type Subscripts = Option<Vec<(Path, Option<Path>)>>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Abs,
    Ceiling,
    Double,
    Floor,
    KeyValue,
    Size,
    Type,
}

#[derive(Debug, PartialEq)]
enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    Compare(Path, Comparison, Path),
    Exists(Path),
    StartsWith(Path, Path),
    IsUnknown(Box<Predicate>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Goes a level deeper into a path, on a stack with room for it.
fn deeper<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 << 10, 4 << 20, work)
}

fn wrong(path: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("invalid JSON path: \"{path}\"")).with_detail(reason)
}

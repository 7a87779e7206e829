//! `EXPLAIN`: its words and its options in parentheses, PostgreSQL's and Athena's way of writing them.
//!
//! An option that is not known is refused by its name, and so is a form that we do not write: `TYPE LOGICAL` as anything but
//! text, `TYPE IO` as anything but JSON.

use crate::error::{Error, Result};
use crate::sql::Statement;
use crate::sql::cursor::Cursor;
use sqlparser::tokenizer::Token;

/// `EXPLAIN`.
#[derive(Debug, Clone)]
pub struct Explain {
    /// Run it and show true figures.
    pub analyze: bool,
    /// Show more.
    pub verbose: bool,
    /// Show what is estimated of each step; `(COSTS OFF)` does not.
    pub costs: bool,
    /// `(FORMAT …)`; the dialect's own form when `None`.
    pub format: Option<ExplainFormat>,
    /// Athena's `(TYPE …)`: which plan, or none.
    pub shows: ExplainType,
    /// What to explain: a query, or what writes the rows of one.
    pub statement: Box<Statement>,
}

/// What of a statement is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainType {
    /// The plan that runs.
    Distributed,
    /// The plan before operators are chosen.
    Logical,
    /// Only that there is one.
    Validate,
    /// Which tables are read and written, as JSON.
    Io,
}

impl ExplainType {
    /// The option's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Distributed => "DISTRIBUTED",
            Self::Logical => "LOGICAL",
            Self::Validate => "VALIDATE",
            Self::Io => "IO",
        }
    }
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    /// The dialect's own form.
    Text,
    /// The steps as JSON, with PostgreSQL's keys.
    Json,
    /// The steps as a graph in Graphviz's language.
    Graphviz,
    /// The operators that run, as DataFusion shows them.
    DataFusion,
}

impl ExplainFormat {
    /// The option's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Json => "JSON",
            Self::Graphviz => "GRAPHVIZ",
            Self::DataFusion => "DATAFUSION",
        }
    }
}

/// `EXPLAIN [ANALYZE] [VERBOSE] [(option [value], …)] statement`.
pub(super) fn explain(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("EXPLAIN")?;
    let mut analyze = cursor.eat("ANALYZE");
    let mut verbose = cursor.eat("VERBOSE");
    let mut costs = true;
    let mut format = None;
    let mut shows = ExplainType::Distributed;
    if *cursor.peek() == Token::LParen && !cursor.at_query() {
        cursor.list(|cursor| {
            let position = cursor.position();
            if cursor.eat("ANALYZE") {
                analyze = switch(cursor)?;
            } else if cursor.eat("VERBOSE") {
                verbose = switch(cursor)?;
            } else if !cursor.is_athena() && cursor.eat("COSTS") {
                costs = switch(cursor)?;
            } else if cursor.eat("FORMAT") {
                format = Some(format_of(cursor)?);
            } else if cursor.is_athena() && cursor.eat("TYPE") {
                shows = type_of(cursor)?;
            } else {
                return Err(unknown(cursor));
            }
            fit(analyze, costs, shows, format).map_err(|error| error.with_position(position))
        })?;
    }
    if cursor.at("EXPLAIN") {
        return Err(cursor.syntax_error("a query, INSERT or CREATE TABLE AS"));
    }
    let refused = cursor.unsupported("EXPLAIN of a statement that neither reads nor writes rows");
    let statement = Box::new(super::parse::statement(cursor)?);
    match *statement {
        Statement::Query(_)
        | Statement::Insert(_)
        | Statement::CreateTableAs(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_) => {}
        Statement::CreateTable(ref create) if create.query.is_some() => {}
        _ => return Err(refused),
    }
    Ok(Statement::Explain(Explain { analyze, verbose, costs, format, shows, statement }))
}

/// Whether options go together.
fn fit(analyze: bool, costs: bool, shows: ExplainType, format: Option<ExplainFormat>) -> Result<()> {
    if !costs && format == Some(ExplainFormat::DataFusion) {
        return Err(Error::unsupported("EXPLAIN (COSTS OFF, FORMAT DATAFUSION)"));
    }
    if shows == ExplainType::Distributed {
        return Ok(());
    }
    if analyze {
        return Err(Error::unsupported(format!("EXPLAIN ANALYZE (TYPE {})", shows.name())));
    }
    match format {
        None => Ok(()),
        Some(ExplainFormat::Json) if shows == ExplainType::Io => Ok(()),
        Some(ExplainFormat::Text) if shows != ExplainType::Io => Ok(()),
        Some(format) => {
            let construct = format!("EXPLAIN (TYPE {}, FORMAT {})", shows.name(), format.name());
            Err(Error::unsupported(construct))
        }
    }
}

/// `[TRUE|FALSE|ON|OFF]`; an option without a value is on.
fn switch(cursor: &mut Cursor) -> Result<bool> {
    if cursor.eat("TRUE") || cursor.eat("ON") {
        return Ok(true);
    }
    if cursor.eat("FALSE") || cursor.eat("OFF") {
        return Ok(false);
    }
    match cursor.peek() {
        Token::Comma | Token::RParen => Ok(true),
        _ => Err(cursor.syntax_error("TRUE or FALSE")),
    }
}

fn format_of(cursor: &mut Cursor) -> Result<ExplainFormat> {
    let formats = [ExplainFormat::Text, ExplainFormat::Json, ExplainFormat::Graphviz, ExplainFormat::DataFusion];
    if let Some(format) = formats.into_iter().find(|format| cursor.eat(format.name())) {
        return Ok(format);
    }
    match cursor.peek_word() {
        Some(word) => Err(cursor.unsupported(&format!("EXPLAIN (FORMAT {word})"))),
        None => Err(cursor.syntax_error("TEXT, JSON, GRAPHVIZ or DATAFUSION")),
    }
}

fn type_of(cursor: &mut Cursor) -> Result<ExplainType> {
    let types = [ExplainType::Logical, ExplainType::Distributed, ExplainType::Validate, ExplainType::Io];
    if let Some(found) = types.into_iter().find(|shows| cursor.eat(shows.name())) {
        return Ok(found);
    }
    match cursor.peek_word() {
        Some(word) => Err(cursor.unsupported(&format!("EXPLAIN (TYPE {word})"))),
        None => Err(cursor.syntax_error("LOGICAL, DISTRIBUTED, VALIDATE or IO")),
    }
}

fn unknown(cursor: &Cursor) -> Error {
    match cursor.peek_word() {
        Some(option) => cursor.unsupported(&format!("EXPLAIN ({option})")),
        None => cursor.syntax_error("an option of EXPLAIN"),
    }
}

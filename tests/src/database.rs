//! The engine as sqllogictest's database: the one place of the harness that knows the session.
//!
//! Places such as `${lake}` are put into the statement before it runs and taken out of results and errors again, so
//! that a script's text is the same on every machine.

use crate::values;
use async_trait::async_trait;
use futures::TryStreamExt;
use millrace_engine::{CommandTag, Error, Session, StatementResult};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use std::fmt;
use std::sync::Arc;

/// Names in a script and what they stand for, e.g. `${tmp}`.
pub type Places = Arc<[(String, String)]>;

/// A session that a script talks to.
pub struct Database {
    session: Session,
    places: Places,
}

/// An error as a script sees it, on one line: `42P01: relation "x" does not exist HINT: …`.
#[derive(Debug)]
pub struct ScriptError {
    sqlstate: String,
    message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl std::error::Error for ScriptError {}

/// Runs the statements of a text and gives the last one's result; an error ends them.
pub async fn execute(session: &mut Session, text: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
    let mut last = DBOutput::StatementComplete(0);
    for statement in session.parse(text)? {
        let result = session.execute(&statement).await?;
        last = output(result).await?;
    }
    Ok(last)
}

/// Runs the statements of a text and gives the last one's rows, none for a statement without rows.
pub async fn rows(session: &mut Session, text: &str) -> Result<Vec<Vec<String>>, Error> {
    match execute(session, text).await? {
        DBOutput::Rows { rows, .. } => Ok(rows),
        _ => Ok(Vec::new()),
    }
}

async fn output(result: StatementResult) -> Result<DBOutput<DefaultColumnType>, Error> {
    let Some(stream) = result.rows else {
        return Ok(DBOutput::StatementComplete(match result.tag {
            CommandTag::Insert(count) | CommandTag::Count(_, count) => count,
            _ => 0,
        }));
    };
    let types = result.schema.fields().iter().map(|field| values::column_type(field.data_type())).collect();
    let batches = stream.try_collect::<Vec<_>>().await.map_err(Error::from)?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(values::rows(batch).map_err(|error| Error::internal(error.to_string()))?);
    }
    Ok(DBOutput::Rows { types, rows })
}

impl Database {
    /// A database over a session.
    pub fn new(session: Session, places: Places) -> Self {
        Self { session, places }
    }

    fn show_places(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (name, place)| text.replace(name, place))
    }

    fn hide_places(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (name, place)| text.replace(place, name))
    }
}

#[async_trait]
impl AsyncDB for Database {
    type Error = ScriptError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, ScriptError> {
        let text = self.show_places(sql);
        let mut output = execute(&mut self.session, &text).await.map_err(|error| ScriptError {
            sqlstate: error.sqlstate().to_owned(),
            message: self.hide_places(&error.to_string()).replace('\n', " "),
        })?;
        if let DBOutput::Rows { rows, .. } = &mut output {
            rows.iter_mut().flatten().for_each(|value| *value = self.hide_places(value));
        }
        Ok(output)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "millrace"
    }

    async fn sleep(time: std::time::Duration) {
        tokio::time::sleep(time).await;
    }

    fn error_sql_state(error: &ScriptError) -> Option<String> {
        Some(error.sqlstate.clone())
    }
}

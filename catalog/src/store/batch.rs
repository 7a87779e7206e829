//! Statements that a file's connection is sent together.
//!
//! What is sent goes to the connection's thread and back, which costs more than most statements of the catalog do. SQLite
//! takes several statements as one text, runs them in order and stops at the first that fails; the text is kept prepared
//! like any other. So there are few different texts: a batch has a limit, and ends where what follows varies.

use super::sql::{Sql, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Statements of one text, without the one behind them that is waited for.
const MOST_STATEMENTS: usize = 16;
/// Values of one text: those of many rows are better off in texts of their own, all alike.
const MOST_VALUES: usize = 200;

/// Statements that wait for the next one; none of them has rows.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: String,
    values: Vec<Value<'static>>,
    statements: usize,
}

impl Batch {
    /// Whether a statement may wait at all.
    pub(super) fn is_for(query: &Sql<'_>) -> bool {
        query.values.len() <= MOST_VALUES
    }

    /// Whether there is a place for another statement.
    pub(super) fn takes(&self, query: &Sql<'_>) -> bool {
        self.statements == 0
            || (self.statements < MOST_STATEMENTS && self.values.len() + query.values.len() <= MOST_VALUES)
    }

    /// Adds a statement.
    pub(super) fn push(&mut self, query: Sql<'_>) {
        if self.statements > 0 {
            self.text.push_str("; ");
        }
        push_renumbered(&mut self.text, &query.text, self.values.len());
        self.values.extend(query.values.into_iter().map(Value::into_owned));
        self.statements += 1;
    }

    /// All that wait as one text; `None` where none does.
    pub(super) fn take(&mut self) -> Option<Sql<'static>> {
        if self.statements == 0 {
            return None;
        }
        let Self { text, values, .. } = std::mem::take(self);
        Some(Sql { text: Cow::Owned(text), values })
    }

    /// All that wait, and one more behind them: the statement itself where none does.
    pub(super) fn before<'q>(&mut self, query: Sql<'q>) -> Sql<'q> {
        if self.statements == 0 {
            return query;
        }
        self.push(query);
        let Self { text, values, .. } = std::mem::take(self);
        Sql { text: Cow::Owned(text), values }
    }
}

/// Adds a statement's text with its placeholders counted on from those before it: SQLite's driver takes `$3` for the third
/// of all values. What stands in quotes is a name or a text.
fn push_renumbered(to: &mut String, text: &str, before: usize) {
    let mut chars = text.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        to.push(c);
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '$') => {
                let mut number = 0;
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    number = number * 10 + digit as usize;
                    chars.next();
                }
                // A String takes any text.
                let _ = write!(to, "{}", before + number);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::{sql, sql_text};

    #[test]
    fn statements_become_one_text_with_all_values() {
        let mut batch = Batch::default();
        assert_eq!(batch.take(), None);
        let alone = sql("SELECT $1").bind(7_i64);
        assert_eq!(batch.before(alone.clone()), alone);
        batch.push(sql("SAVEPOINT s"));
        batch.push(sql("INSERT INTO t VALUES ($1, $2, '$1')").bind(1_i64).bind("a"));
        batch
            .push(sql_text("UPDATE \"it\"\"s $1\" SET \"$2\" = $2, b = $1 WHERE c = 'it''s $3'").bind(2_i64).bind("b"));
        let all = batch.before(sql("COMMIT"));
        assert_eq!(
            all.text,
            "SAVEPOINT s; INSERT INTO t VALUES ($1, $2, '$1'); \
             UPDATE \"it\"\"s $1\" SET \"$2\" = $4, b = $3 WHERE c = 'it''s $3'; COMMIT"
        );
        assert_eq!(
            all.values,
            [Value::Integer(1), Value::Text("a".into()), Value::Integer(2), Value::Text("b".into())]
        );
        assert_eq!(batch.take(), None);
    }

    #[test]
    fn a_batch_has_a_limit() {
        let mut batch = Batch::default();
        for _ in 0..MOST_STATEMENTS {
            assert!(batch.takes(&sql("SELECT 1")));
            batch.push(sql("SELECT 1"));
        }
        assert!(!batch.takes(&sql("SELECT 1")));
        let many = |count: usize| (0..count).fold(sql("SELECT 1"), |query, at| query.bind(at as i64));
        let mut batch = Batch::default();
        assert!(Batch::is_for(&many(MOST_VALUES)) && !Batch::is_for(&many(MOST_VALUES + 1)));
        batch.push(many(MOST_VALUES - 1));
        assert!(batch.takes(&many(1)) && !batch.takes(&many(2)));
    }
}

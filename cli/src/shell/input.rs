//! Lines in, statements and backslash commands out, for the line editor and for scripts alike.

use crate::syntax::{Open, split};
use millrace_engine::sql::Dialect;

/// A statement longer than this is refused: it is more likely a data file than SQL.
const MAX_STATEMENT_BYTES: usize = 64 << 20;

/// Something to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A statement without its semicolon.
    Statement {
        /// Its text.
        text: String,
        /// The line it begins on, from 1.
        line: usize,
    },
    /// A line that begins with a backslash.
    Command {
        /// The line.
        text: String,
        /// Its number, from 1.
        line: usize,
    },
}

/// Lines that are not run yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pending: String,
    /// Lines before `pending`.
    lines_before: usize,
}

impl Input {
    /// Takes a line, with or without its line end, and gives what is complete by a dialect's rules for quotes.
    pub(crate) fn push(&mut self, line: &str, dialect: Dialect) -> Result<Vec<Item>, String> {
        if is_command(line) && !matches!(self.open(dialect), Open::Quote(_) | Open::Comment) {
            let number = self.lines_before + count_lines(&self.pending) + 1;
            // The command's line stays counted: as an empty line of the statement around it, if there is one.
            self.pending.push('\n');
            if self.pending.trim().is_empty() {
                self.clear();
            }
            return Ok(vec![Item::Command { text: line.trim().to_owned(), line: number }]);
        }
        if self.pending.len() + line.len() > MAX_STATEMENT_BYTES {
            self.clear();
            return Err(format!("the statement is longer than {} MiB", MAX_STATEMENT_BYTES >> 20));
        }
        self.pending.push_str(line);
        if !line.ends_with('\n') {
            self.pending.push('\n');
        }
        // Without a semicolon nothing can be complete: a long statement is not read again for each of its lines.
        Ok(if line.contains(';') { self.take_complete(dialect) } else { Vec::new() })
    }

    /// Gives what is left at the end of a script, where the last semicolon may be missing.
    pub(crate) fn finish(&mut self, dialect: Dialect) -> Option<Item> {
        let cut = split(&self.pending, dialect);
        let item = (cut.open != Open::Nothing).then(|| self.statement(&cut.rest));
        self.clear();
        item
    }

    /// Forgets the lines that are not run yet.
    pub(crate) fn clear(&mut self) {
        self.lines_before += count_lines(&self.pending);
        self.pending.clear();
    }

    /// The lines that are not run yet.
    pub(crate) fn pending(&self) -> &str {
        &self.pending
    }

    /// What the pending lines wait for.
    pub(crate) fn open(&self, dialect: Dialect) -> Open {
        split(&self.pending, dialect).open
    }

    fn take_complete(&mut self, dialect: Dialect) -> Vec<Item> {
        let cut = split(&self.pending, dialect);
        let items = cut.statements.iter().map(|range| self.statement(range)).collect();
        self.lines_before += count_lines(&self.pending[..cut.rest.start]);
        self.pending.drain(..cut.rest.start);
        if cut.open == Open::Nothing {
            self.clear();
        }
        items
    }

    fn statement(&self, range: &std::ops::Range<usize>) -> Item {
        let line = self.lines_before + count_lines(&self.pending[..range.start]) + 1;
        Item::Statement { text: self.pending[range.clone()].to_owned(), line }
    }
}

fn is_command(line: &str) -> bool {
    line.trim_start().starts_with('\\')
}

/// Line ends; the pending text always ends with one.
fn count_lines(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn statement(text: &str, line: usize) -> Item {
        Item::Statement { text: text.to_owned(), line }
    }

    fn command(text: &str, line: usize) -> Item {
        Item::Command { text: text.to_owned(), line }
    }

    fn all(script: &str) -> Vec<Item> {
        let mut input = Input::default();
        let mut items: Vec<Item> =
            script.split_inclusive('\n').flat_map(|line| input.push(line, Dialect::Redshift).unwrap()).collect();
        items.extend(input.finish(Dialect::Redshift));
        items
    }

    #[test]
    fn statements_know_their_lines() {
        let script = "-- head\n\nselect 1; select\n 2;\n\\x\n\n-- c\nselect ';\n\\q;'\n;\n\\d t\nselect 3";
        let expected = [
            statement("-- head\n\nselect 1", 1),
            statement("select\n 2", 3),
            command("\\x", 5),
            statement("-- c\nselect ';\n\\q;'", 7),
            command("\\d t", 11),
            statement("select 3", 12),
        ];
        assert_eq!(all(script), expected);
    }

    #[test]
    fn a_command_leaves_the_statement_before_it_pending() {
        let mut input = Input::default();
        assert_eq!(input.push("select 1", Dialect::Redshift).unwrap(), []);
        assert_eq!(input.push("\\e", Dialect::Redshift).unwrap(), [command("\\e", 2)]);
        assert_eq!(input.pending(), "select 1\n\n");
        assert_eq!(input.open(Dialect::Redshift), Open::Statement);
        assert_eq!(input.push(", 2; select", Dialect::Redshift).unwrap(), [statement("select 1\n\n, 2", 1)]);
        assert_eq!(input.pending(), "select\n");
    }

    #[test]
    fn comments_alone_are_nothing_to_run() {
        assert_eq!(all("-- a\n/* b */;\n;;\n  \n"), []);
    }

    #[test]
    fn a_statement_has_a_limit() {
        let mut input = Input::default();
        let line = "x".repeat(MAX_STATEMENT_BYTES / 2);
        assert!(input.push(&line, Dialect::Redshift).is_ok());
        assert!(input.push(&line, Dialect::Redshift).is_err());
        assert_eq!(input.pending(), "");
    }
}

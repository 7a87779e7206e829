//! The tables that a transaction has read, and which of them its statement has.

use std::collections::BTreeSet;

/// Tables of the catalog by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    all: BTreeSet<i64>,
    of_statement: BTreeSet<i64>,
}

impl Reads {
    /// A statement begins to read.
    pub(crate) fn begin_statement(&mut self) {
        self.of_statement.clear();
    }

    /// A table is read.
    pub(super) fn note(&mut self, table: i64) {
        self.all.insert(table);
        self.of_statement.insert(table);
    }

    /// Tables are read.
    pub(crate) fn extend(&mut self, tables: &BTreeSet<i64>) {
        self.all.extend(tables);
        self.of_statement.extend(tables);
    }

    /// All that were read.
    pub(super) fn all(&self) -> &BTreeSet<i64> {
        &self.all
    }

    /// Those that were read since a statement began.
    pub(crate) fn of_statement(&self) -> &BTreeSet<i64> {
        &self.of_statement
    }
}

//! What a transaction changes in the manifest, and what its commit tells.

use crate::model::{DataFile, DeleteFile, ManagedTable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for [`DataFile::row_id_start`] in a file of [`ManifestChange::ReplaceFiles`] whose rows' old ids nobody can
/// have seen.
pub const NEW_ROW_IDS: i64 = i64::MIN;

/// One change of a transaction. Changes are applied in order; a table made by an earlier one of the same transaction
/// is named by the negative number that its maker gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum ManifestChange {
    /// Makes a table; its id is negative.
    CreateTable(ManagedTable),
    /// Drops a table.
    DropTable {
        /// The table's id.
        table: i64,
    },
    /// Gives the table of this id a new definition: columns (added with the next ids, dropped, renamed, with another
    /// type or default), attributes, comment, name, schema. Its uuid and path stay.
    AlterTable(ManagedTable),
    /// Adds data files, with their delete files if they have some already.
    AddFiles {
        /// The table's id.
        table: i64,
        /// The new files; ids and begins are chosen by the commit.
        files: Vec<DataFile>,
    },
    /// Deletes rows of data files: each delete file replaces the data file's earlier one, whose positions it includes,
    /// and has none of [`DataFile::inlined_deletes`].
    AddDeletes {
        /// The table's id.
        table: i64,
        /// Data files' ids with their new delete files.
        deletes: Vec<(i64, DeleteFile)>,
    },
    /// Takes data files out of the table, with all their rows.
    RemoveFiles {
        /// The table's id.
        table: i64,
        /// The files' ids.
        files: Vec<i64>,
    },
    /// Puts new files with the same rows in the place of old ones (VACUUM). Conflicts only with changes of the same
    /// files.
    ReplaceFiles {
        /// The table's id.
        table: i64,
        /// The ids of the old files.
        old: Vec<i64>,
        /// The new ones. A row keeps its id, so `row_id_start` is taken as given: -1 for a file that has its rows' ids
        /// in a column. The rows of one with [`NEW_ROW_IDS`] get new ids.
        new: Vec<DataFile>,
    },
    /// Adds a few rows in the catalog itself, as DuckLake's data inlining does.
    InlineRows {
        /// The table's id.
        table: i64,
        /// Rows with a value for each column of the table's definition, in its order.
        rows: Vec<Vec<InlinedValue>>,
    },
    /// Deletes inlined rows.
    DeleteInlined {
        /// The table's id.
        table: i64,
        /// The rows' ids.
        row_ids: Vec<i64>,
    },
    /// Moves inlined rows into files: the rows are the same, so this conflicts only with deletes of them.
    FlushInlined {
        /// The table's id.
        table: i64,
        /// The ids of the rows that the files have.
        row_ids: Vec<i64>,
        /// The files; a row keeps its id, so `row_id_start` is taken as given.
        files: Vec<DataFile>,
    },
    /// Removes all rows (TRUNCATE).
    Truncate {
        /// The table's id.
        table: i64,
    },
    /// Says that values of an IDENTITY column of a table made in this transaction are taken.
    AdvanceIdentity {
        /// The table's id.
        table: i64,
        /// The column's id.
        column: i64,
        /// The next value to give.
        next: i64,
    },
}

/// A value of an inlined row, in the form in which DuckDB keeps it in SQLite: integers and booleans (0, 1) as integers, `varbyte` as
/// bytes, everything else as the text that DuckDB's cast to VARCHAR gives (`1.50`, `2020-01-02`,
/// `2020-01-02 03:04:05.1+00`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InlinedValue {
    /// NULL.
    Null,
    /// An integer or a boolean.
    Integer(i64),
    /// Any type but integers, booleans and bytes.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Rows in the catalog that were written under one set of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinedRows {
    /// The ids of the columns that the rows have. A column that is missing was added later: its value is its
    /// [`initial`](crate::model::ManagedColumn::initial) one. One that the table no longer has was dropped.
    pub columns: Vec<i64>,
    /// The rows in the order in which they were added. Those that stay are shared from one snapshot to the next.
    pub rows: Vec<Arc<InlinedRow>>,
}

/// A row in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinedRow {
    /// Its id.
    pub row_id: i64,
    /// The snapshot that added it.
    pub begin_snapshot: i64,
    /// A value for each of [`InlinedRows::columns`].
    pub values: Vec<InlinedValue>,
}

/// What is noted beside a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitNote {
    /// Who.
    pub author: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The snapshot that shows the changes; the one before when nothing changed.
    pub snapshot_id: i64,
    /// The ids of the tables that were made, by the negative numbers that they had.
    pub tables: BTreeMap<i64, i64>,
}

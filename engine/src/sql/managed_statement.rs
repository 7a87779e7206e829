//! What `parse` makes of statements over managed tables.

use crate::sql::{ObjectName, PartitionSpec};
use millrace_catalog::model::{Constraint, Identity, Parameters};
use sqlparser::ast;

/// The name under which the table that a statement changes stands in the query that finds its rows.
pub const TARGET: &str = "\u{1}target";

/// Redshift's `CREATE TABLE`: columns, or a query that gives them.
#[derive(Debug, Clone, Default)]
pub struct CreateTable {
    /// The table.
    pub name: ObjectName,
    /// `TEMP`, or a name that begins with `#`.
    pub temporary: bool,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// The columns; none with a query.
    pub columns: Vec<ColumnDefinition>,
    /// `LIKE parent`, whose columns come first.
    pub like: Option<Like>,
    /// The constraints of columns and of the table.
    pub constraints: Vec<Constraint>,
    /// Names for a query's columns; empty means the query's.
    pub names: Vec<String>,
    /// The rows, and where they come from.
    pub query: Option<Box<ast::Query>>,
    /// `BACKUP YES|NO`
    pub backup: Option<bool>,
    /// `DISTSTYLE`
    pub dist_style: Option<Distribution>,
    /// `DISTKEY (column)`
    pub dist_key: Option<String>,
    /// `SORTKEY`
    pub sort_key: Option<SortKeyClause>,
    /// `TABLE PROPERTIES (…)`
    pub properties: Parameters,
}

/// `LIKE parent [INCLUDING DEFAULTS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// The table whose columns are taken.
    pub parent: ObjectName,
    /// `INCLUDING DEFAULTS`
    pub defaults: bool,
}

/// A column of `CREATE TABLE`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Its name, folded.
    pub name: String,
    /// Its type as written, words in lower case.
    pub data_type: String,
    /// Where the type stands, in characters from 1.
    pub type_position: usize,
    /// `NULL` or `NOT NULL`, where said.
    pub nullable: Option<bool>,
    /// `DEFAULT expression`, as text.
    pub default: Option<String>,
    /// `IDENTITY`
    pub identity: Option<Identity>,
    /// `ENCODE`, folded.
    pub encoding: Option<String>,
    /// `COLLATE`
    pub collation: Option<Collation>,
    /// `DISTKEY`
    pub dist_key: bool,
    /// `SORTKEY`
    pub sort_key: bool,
}

impl ColumnDefinition {
    /// The same name and type without anything else.
    pub(crate) fn plain(&self) -> Self {
        let Self { name, data_type, type_position, .. } = self;
        Self { name: name.clone(), data_type: data_type.clone(), type_position: *type_position, ..Self::default() }
    }
}

/// How texts are compared (Redshift: "Database collation").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// As they are.
    CaseSensitive,
    /// Without their case.
    CaseInsensitive,
}

impl Collation {
    /// The collation of a name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "case_sensitive" | "cs" => Some(Self::CaseSensitive),
            "case_insensitive" | "ci" => Some(Self::CaseInsensitive),
            _ => None,
        }
    }
}

/// `DISTSTYLE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// `AUTO`
    Auto,
    /// `EVEN`
    Even,
    /// `KEY`
    Key,
    /// `ALL`
    All,
}

/// `SORTKEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKeyClause {
    /// `SORTKEY AUTO`
    Auto,
    /// `SORTKEY NONE`
    None,
    /// `[COMPOUND] SORTKEY (…)`
    Compound(Vec<String>),
    /// `INTERLEAVED SORTKEY (…)`
    Interleaved(Vec<String>),
}

/// `c = expression` in UPDATE and MERGE.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The column, folded.
    pub column: String,
    /// Where it stands, in characters from 1.
    pub position: usize,
    /// The value; `None` is DEFAULT.
    pub value: Option<ast::Expr>,
}

/// `UPDATE`.
#[derive(Debug, Clone)]
pub struct Update {
    /// The table.
    pub table: ObjectName,
    /// Its alias.
    pub alias: Option<String>,
    /// What is set.
    pub assignments: Vec<Assignment>,
    /// The values in order (NULL for DEFAULT) of every row to change, from [`TARGET`] and what FROM names.
    pub query: Box<ast::Query>,
}

/// `DELETE`.
#[derive(Debug, Clone)]
pub struct Delete {
    /// The table.
    pub table: ObjectName,
    /// Its alias.
    pub alias: Option<String>,
    /// The rows to delete, without a projection yet, from [`TARGET`] and what USING names.
    pub query: Box<ast::Query>,
}

/// `MERGE`.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The table.
    pub table: ObjectName,
    /// Its alias.
    pub alias: Option<String>,
    /// `WHEN MATCHED THEN`
    pub matched: Option<MergeMatched>,
    /// `WHEN NOT MATCHED THEN INSERT`
    pub insert: Option<MergeInsert>,
    /// `REMOVE DUPLICATES`
    pub remove_duplicates: bool,
    /// The pairs of a row of [`TARGET`] and of the source that match, with the values that UPDATE assigns.
    pub matched_query: Box<ast::Query>,
    /// The source's rows that match none, with the values that INSERT gives; with REMOVE DUPLICATES all its rows.
    pub unmatched_query: Box<ast::Query>,
}

/// What a MERGE does with rows that match.
#[derive(Debug, Clone)]
pub enum MergeMatched {
    /// `UPDATE SET`
    Update(Vec<Assignment>),
    /// `DELETE`
    Delete,
}

/// `INSERT [(columns)] VALUES (…)` of a MERGE.
#[derive(Debug, Clone)]
pub struct MergeInsert {
    /// The columns named; empty means all in order.
    pub columns: Vec<String>,
    /// Their values; `None` is DEFAULT.
    pub values: Vec<Option<ast::Expr>>,
}

/// `COMMENT ON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The table or view.
    pub name: ObjectName,
    /// Whether it is called a view; `None` where a column is meant.
    pub view: Option<bool>,
    /// `ON COLUMN t.c`
    pub column: Option<String>,
    /// What is said; `None` takes back what was.
    pub text: Option<String>,
}

/// `RESTORE TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreTable {
    /// The table, by the name that it had then.
    pub table: ObjectName,
    /// The snapshot's name.
    pub snapshot: String,
    /// The new table.
    pub restored: ObjectName,
}

/// `DESCRIBE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Describe {
    /// The table.
    pub table: ObjectName,
    /// `FORMATTED` or `EXTENDED`.
    pub formatted: bool,
    /// `PARTITION (…)`
    pub partition: Option<PartitionSpec>,
    /// One column (`DESCRIBE t c`).
    pub column: Option<String>,
}

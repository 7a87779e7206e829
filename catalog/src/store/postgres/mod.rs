//! What is PostgreSQL's own: where a server is, sessions, values, what its error codes mean, and the opening of a catalog
//! there.
//!
//! All tables are in one schema, which a session has as its only search path. The lock of a writer is the row of
//! `millrace_meta`: DuckDB's ducklake extension does not ask for it, but numbers snapshots like us, so that of two
//! commits at once one finds its number taken, and begins again.

mod error;
mod open;
mod outcome;
mod session;
mod url;
mod values;

pub(super) use error::{collided, fault, is_lost};
pub(super) use open::open;
pub(super) use outcome::settle;
#[cfg(test)]
pub(super) use session::options;
pub(super) use session::{Session, answered, begin_migration, begin_write, connect, make_schema};
pub use url::PostgresUrl;
pub(super) use values::{arguments, read_text};

/// The longest name that a server does not cut.
pub(crate) const MOST_NAME_BYTES: usize = 63;

/// What definitions and functions are here. Names are compared by bytes, as the order of partitions needs.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    (" WITHOUT ROWID", ""),
    (" INTEGER PRIMARY KEY", " BIGINT PRIMARY KEY"),
    (" BLOB", " BYTEA"),
    (" TEXT", " TEXT COLLATE \"C\""),
    ("NOW()", "clock_timestamp()"),
    ("NEW_UUID()", "gen_random_uuid()"),
];

pub(super) const MAY_WRITE: &str = "SELECT has_table_privilege('millrace_meta', 'UPDATE')";
pub(super) const HAS_TABLE: &str = "SELECT to_regclass($1) IS NOT NULL";
pub(super) const TABLES_LIKE: &str = "SELECT tablename FROM pg_catalog.pg_tables \
     WHERE schemaname = current_schema() AND tablename LIKE $1 ESCAPE '\\'";

//! Where a catalog is.

use super::database::Database;
use super::postgres::PostgresUrl;
use std::fmt;
use std::path::PathBuf;

/// The database of a catalog, shown as users name it, without a password.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A schema of a PostgreSQL database.
    Postgres(PostgresUrl),
}

impl Place {
    /// Which database it is.
    pub(crate) fn database(&self) -> Database {
        match self {
            Self::File(_) => Database::Sqlite,
            Self::Postgres(_) => Database::Postgres,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

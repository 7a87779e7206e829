//! Where a server is: libpq's URL, with `schema` besides. A password in it is told to the server and to nobody else.

use super::MOST_NAME_BYTES;
use crate::error::{CatalogError, Result};
use crate::store::database::STATEMENTS;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::str::FromStr;
use url::Url;

/// The schema of a catalog that names none.
const DEFAULT_SCHEMA: &str = "public";

/// The parameters of libpq that are passed on.
const PARAMETERS: [&str; 11] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// A database of a PostgreSQL server and a schema in it. What is shown of it has no password.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) options: Box<PgConnectOptions>,
    pub(super) schema: String,
}

impl PostgresUrl {
    /// Whether a text is such a URL, be it right or not.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// That the schema has a table of another program.
    pub(in crate::store) fn has_others_tables(&self, table: &str) -> String {
        format!(
            "the schema \"{}\" of {self} has another program's tables, \"{table}\" for one: name another schema, \
             ?schema=…",
            self.schema
        )
    }

    #[cfg(test)]
    pub(in crate::store) fn host(&self) -> &str {
        self.options.get_host()
    }

    #[cfg(test)]
    pub(in crate::store) fn port(&self) -> u16 {
        self.options.get_port()
    }
}

/// `postgres://user:password@host:port/database?sslmode=…&schema=…`, everything but the scheme optional. What is missing
/// is taken of `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE` and the file `~/.pgpass`, as
/// libpq does.
///
/// [`CatalogError::InvalidArgument`] for another scheme, and for parameters that have no meaning here.
impl FromStr for PostgresUrl {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        // The text itself is not repeated: it may have a password.
        let wrong = |why: String| CatalogError::InvalidArgument(format!("invalid URL of a catalog: {why}"));
        if !Self::is_one(text) {
            return Err(wrong("it begins with postgres://".to_owned()));
        }
        let mut url = Url::parse(text).map_err(|e| wrong(e.to_string()))?;
        let mut schema = DEFAULT_SCHEMA.to_owned();
        let mut passed: Vec<(String, String)> = Vec::new();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "schema" => schema = value.into_owned(),
                known if PARAMETERS.contains(&known) => passed.push((known.to_owned(), value.into_owned())),
                other => {
                    let known = PARAMETERS.join(", ");
                    return Err(wrong(format!("parameter \"{other}\" is none of schema, {known}")));
                }
            }
        }
        if schema.is_empty() || schema.len() > MOST_NAME_BYTES || schema.starts_with("pg_") || schema.contains('\0') {
            return Err(wrong(format!("schema \"{schema}\" cannot be the catalog's")));
        }
        url.query_pairs_mut().clear().extend_pairs(passed);
        let options: PgConnectOptions = url.as_str().parse().map_err(|e: sqlx::Error| wrong(e.to_string()))?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("millrace"),
        };
        let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
        Ok(Self { options: Box::new(options), schema })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        let user = options.get_username();
        let database = options.get_database().unwrap_or(user);
        let host = options.get_socket().map_or_else(|| options.get_host().into(), |path| path.to_string_lossy());
        write!(f, "postgres://{user}@{host}:{}/{database}", options.get_port())?;
        if self.schema != DEFAULT_SCHEMA {
            write!(f, "?schema={}", self.schema)?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgres://me:secret@db.example:6432/lake", "postgres://me@db.example:6432/lake"),
            (
                "postgresql://me@db.example:5432/lake?password=secret&schema=w",
                "postgres://me@db.example:5432/lake?schema=w",
            ),
            ("postgres://me:secret@[::1]:5432/", "postgres://me@[::1]:5432/me"),
            ("postgres://me:secret@%2Frun%2Fpg:5433/lake", "postgres://me@/run/pg:5433/lake"),
            ("postgres:///lake?host=/run/pg&user=me&port=5433", "postgres://me@/run/pg:5433/lake"),
        ] {
            let url: PostgresUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
            assert!(!format!("{url:?}").contains("secret"));
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused_without_repeating_the_password() {
        for (text, why) in [
            ("mysql://me:secret@host/db", "it begins with postgres://"),
            ("postgres://me:secret@host:port/db", "invalid port number"),
            ("postgres://me:secret@host/db?sslmod=require", "parameter \"sslmod\" is none of"),
            ("postgres://me:secret@host/db?sslmode=maybe", "maybe"),
            ("postgres://me:secret@host/db?schema=", "schema \"\" cannot be the catalog's"),
            ("postgres://me:secret@host/db?schema=pg_catalog", "schema \"pg_catalog\" cannot be the catalog's"),
        ] {
            let message = text.parse::<PostgresUrl>().unwrap_err().to_string();
            assert!(message.contains(why) && !message.contains("secret"), "{text}: {message}");
        }
    }
}

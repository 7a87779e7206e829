//! Databases and the external schemas that point at them.

use super::{Parameters, SqlFunction};
use serde::{Deserialize, Serialize};

/// A database of the catalog: what Glue and Athena call a database and Redshift an external schema's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Lower-case name, unique in the catalog.
    pub name: String,
    /// The COMMENT of `CREATE DATABASE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where tables without a location of their own are placed (a URL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// `WITH DBPROPERTIES`.
    #[serde(default)]
    pub parameters: Parameters,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
    /// The functions that users have made in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<SqlFunction>,
}

/// The parameter that says how texts of a database's tables compare where their columns do not: `case_insensitive`.
const COLLATION: &str = "millrace.collation";

/// Its value where their case does not count.
const CASE_INSENSITIVE: &str = "case_insensitive";

impl Database {
    /// Whether columns of its tables that name no collation are compared without case.
    pub fn ignores_case(&self) -> bool {
        self.parameters.get(COLLATION).is_some_and(|collation| collation == CASE_INSENSITIVE)
    }

    /// Has such columns compared without case.
    pub fn ignore_case(&mut self) {
        self.parameters.insert(COLLATION.to_owned(), CASE_INSENSITIVE.to_owned());
    }

    /// A database with a name and nothing else.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            location: None,
            parameters: Parameters::new(),
            create_time_ms: 0,
            functions: Vec::new(),
        }
    }
}

/// Redshift's `CREATE EXTERNAL SCHEMA name FROM DATA CATALOG DATABASE 'database'`: another name for a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalSchema {
    /// Lower-case schema name; it shares the name space of databases.
    pub name: String,
    /// The catalog database that it shows.
    pub database: String,
    /// Options as given (`IAM_ROLE`, `REGION`), kept for `svv_external_schemas`; never secrets.
    #[serde(default)]
    pub options: Parameters,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
}

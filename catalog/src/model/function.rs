//! Functions that users make.

use super::Securable;
use serde::{Deserialize, Serialize};

/// Whether a function gives the same for the same arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Volatility {
    /// Perhaps not, from row to row.
    #[default]
    Volatile,
    /// Within a statement.
    Stable,
    /// Always.
    Immutable,
}

impl Volatility {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Volatile => "VOLATILE",
            Self::Stable => "STABLE",
            Self::Immutable => "IMMUTABLE",
        }
    }
}

/// A function in SQL over values: `CREATE FUNCTION … LANGUAGE sql`. It belongs to its database's definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlFunction {
    /// Lower-case name; functions of one name differ in their arguments' types.
    pub name: String,
    /// The arguments' types as Redshift writes them.
    pub arguments: Vec<String>,
    /// The result's type.
    pub returns: String,
    /// Whether it gives the same for the same arguments.
    pub volatility: Volatility,
    /// `SELECT expression`, as the user wrote it; `$1` is the first argument.
    pub body: String,
    /// The schemas that names in it are looked up in.
    pub search_path: String,
    /// Whether names in double quotes in its body keep their case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_names: bool,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
}

impl SqlFunction {
    /// `f(integer, character varying)`
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.arguments.join(", "))
    }

    /// What rights on it are on, in a schema.
    pub fn securable(&self, schema: &str) -> Securable {
        Securable::Function(schema.to_owned(), self.name.clone(), self.arguments.clone())
    }
}

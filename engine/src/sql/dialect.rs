//! The two dialects and what differs between them, in one place.

use std::fmt;
use std::str::FromStr;

/// A dialect of SQL, chosen by session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Amazon Redshift.
    #[default]
    Redshift,
    /// Amazon Athena (Trino's SQL, Hive's DDL).
    Athena,
}

impl Dialect {
    /// The name that `SET dialect` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redshift => "redshift",
            Self::Athena => "athena",
        }
    }

    /// DataFusion's name for where NULLs sort: Redshift holds NULL for the largest value (last when ascending, first
    /// when descending), Athena sorts it last both ways.
    pub fn default_null_ordering(self) -> &'static str {
        match self {
            Self::Redshift => "nulls_max",
            Self::Athena => "nulls_last",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "redshift" => Ok(Self::Redshift),
            "athena" => Ok(Self::Athena),
            _ => Err(format!("dialect \"{name}\" is not known: redshift and athena are")),
        }
    }
}

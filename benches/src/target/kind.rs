//! The kinds of targets, and the words in which each takes a suite's tables.

use crate::suite::Table;
use anyhow::{Result, bail};
use clap::ValueEnum;
use std::path::Path;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Millrace's managed tables
    Managed,
    /// Millrace on external Parquet tables
    External,
    /// Plain DataFusion on the same Parquet files
    #[value(name = "datafusion")]
    DataFusion,
    /// DuckDB's own tables
    #[value(name = "duckdb")]
    DuckDb,
    /// DuckDB on the same Parquet files
    #[value(name = "duckdb-parquet")]
    DuckDbParquet,
}

impl Kind {
    /// The name as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::External => "external",
            Self::DataFusion => "datafusion",
            Self::DuckDb => "duckdb",
            Self::DuckDbParquet => "duckdb-parquet",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Result<Self> {
        match <Self as ValueEnum>::from_str(name, false) {
            Ok(kind) => Ok(kind),
            Err(error) => bail!("unknown target \"{name}\": {error}"),
        }
    }

    /// Whether its process is a script for Python.
    pub fn script(self) -> Option<&'static str> {
        match self {
            Self::DuckDb | Self::DuckDbParquet => Some(include_str!("duckdb.py")),
            Self::Managed | Self::External | Self::DataFusion => None,
        }
    }

    /// Whether it has a copy of the data of its own.
    pub fn loads(self) -> bool {
        matches!(self, Self::Managed | Self::DuckDb)
    }

    /// Whether its tables are there again when its process begins again.
    pub fn stays(self) -> bool {
        self != Self::DataFusion
    }

    /// The statements that make its tables of Parquet files, a folder a table below `data`.
    pub fn setup(self, tables: &[Table], data: &Path) -> Vec<String> {
        let mut statements: Vec<String> = Vec::new();
        for table in tables {
            let folder = data.join(table.name).display().to_string().replace('\'', "''");
            let (name, columns) = (table.name, table.columns);
            match self {
                Self::Managed => {
                    statements.push(format!("CREATE TABLE {name} ({}) {}", table.managed_columns, table.attributes));
                    statements.push(format!("INSERT INTO {name} SELECT * FROM '{folder}/*.parquet'"));
                }
                Self::External => statements
                    .push(format!("CREATE EXTERNAL TABLE {name} ({columns}) STORED AS PARQUET LOCATION '{folder}/'")),
                Self::DataFusion => {
                    statements.push(format!("CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION '{folder}/'"));
                }
                Self::DuckDb => {
                    statements.push(format!("CREATE TABLE {name} AS SELECT * FROM read_parquet('{folder}/*.parquet')"));
                }
                Self::DuckDbParquet => {
                    statements.push(format!("CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/*.parquet')"));
                }
            }
        }
        if self == Self::Managed {
            statements.push("ANALYZE".to_owned());
        }
        statements
    }
}

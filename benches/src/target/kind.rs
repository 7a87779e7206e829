//! The kinds of targets, and the words in which each takes a suite's tables.

use super::{Programs, Request, wire};
use crate::server;
use crate::suite::{Format, Table};
use anyhow::{Result, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Millrace's managed tables
    Managed,
    /// Millrace on external Parquet tables
    External,
    /// Millrace's managed tables, asked over the wire
    Wire,
    /// Plain DataFusion on the same Parquet files
    #[value(name = "datafusion")]
    DataFusion,
    /// DuckDB's own tables
    #[value(name = "duckdb")]
    DuckDb,
    /// DuckDB on the same Parquet files
    #[value(name = "duckdb-parquet")]
    DuckDbParquet,
    /// Polars' SQL on the same Parquet files
    Polars,
    /// ClickHouse, in Python's chdb, on the same files
    #[value(name = "chdb")]
    ChDb,
    /// PostgreSQL's tables
    Postgres,
}

/// A program for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// Its text, which reads requests by `peer.py`.
    pub text: &'static str,
    /// The packages that it imports.
    pub packages: &'static str,
}

impl Kind {
    /// DuckDB on its own tables and on files.
    pub const DUCKDB: [Self; 2] = [Self::DuckDb, Self::DuckDbParquet];

    /// All that are not ours.
    pub fn peers() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(|kind| !kind.is_ours())
    }

    /// The name as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::External => "external",
            Self::Wire => "wire",
            Self::DataFusion => "datafusion",
            Self::DuckDb => "duckdb",
            Self::DuckDbParquet => "duckdb-parquet",
            Self::Polars => "polars",
            Self::ChDb => "chdb",
            Self::Postgres => "postgres",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Result<Self> {
        match <Self as ValueEnum>::from_str(name, false) {
            Ok(kind) => Ok(kind),
            Err(error) => bail!("unknown target \"{name}\": {error}"),
        }
    }

    /// Whether it is ours.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Managed | Self::External | Self::Wire)
    }

    /// Whether it is DuckDB.
    pub fn is_duckdb(self) -> bool {
        matches!(self, Self::DuckDb | Self::DuckDbParquet)
    }

    /// The script for Python that its process is.
    pub fn script(self) -> Option<Script> {
        let (text, packages) = match self {
            Self::DuckDb | Self::DuckDbParquet => (include_str!("duckdb.py"), "duckdb, pyarrow"),
            Self::Polars => (include_str!("polars.py"), "polars"),
            Self::ChDb => (include_str!("chdb.py"), "chdb, pyarrow"),
            Self::Managed | Self::External | Self::Wire | Self::DataFusion | Self::Postgres => return None,
        };
        Some(Script { text, packages })
    }

    /// Why it cannot be measured here.
    pub fn missing(self, programs: &Programs) -> Option<String> {
        if self == Self::Postgres {
            return server::postgres_programs().is_none().then(|| "there is no initdb".to_owned());
        }
        let packages = self.script()?.packages;
        let python = programs.python.display();
        (!programs.can_import(packages))
            .then(|| format!("{python} cannot import {packages}; name a Python that can with --python"))
    }

    /// Whether it has a copy of the data of its own.
    pub fn loads(self) -> bool {
        matches!(self, Self::Managed | Self::Wire | Self::DuckDb | Self::Postgres)
    }

    /// Whether its tables are there again when its process begins again.
    pub fn stays(self) -> bool {
        !matches!(self, Self::DataFusion | Self::Polars | Self::ChDb)
    }

    /// Whether its tables are in its folder; PostgreSQL's are not, as it may be another user.
    pub fn can_be_kept(self) -> bool {
        self.stays() && self != Self::Postgres
    }

    /// The statements that make its tables of Parquet files, a folder a table below `data`.
    pub fn setup(self, tables: &[Table], data: &Path) -> Vec<Request> {
        let mut setup = Setup(Vec::new());
        for table in tables {
            let files = data.join(&table.name);
            let folder = files.display().to_string().replace('\'', "''");
            let (name, columns) = (&table.name, hive_columns(table));
            match self {
                Self::Managed | Self::Wire => {
                    setup.say(format!("CREATE TABLE {name} ({}) {}", with_key(table), table.attributes));
                    setup.say(if table.is_copied {
                        format!("COPY {name} FROM '{folder}/' PARQUET")
                    } else {
                        format!("INSERT INTO {name} SELECT * FROM '{folder}/*.parquet'")
                    });
                }
                Self::External => {
                    let keys = &table.keys;
                    let partitioned = if keys.is_empty() { String::new() } else { format!("PARTITIONED BY ({keys}) ") };
                    let format = match table.format {
                        Format::Parquet => "STORED AS PARQUET",
                        Format::Csv => "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'",
                        Format::JsonGzip => "STORED AS JSONFILE",
                        Format::Orc => "STORED AS ORC",
                    };
                    setup.say(format!(
                        "CREATE EXTERNAL TABLE {name} ({columns}) {partitioned}{format} LOCATION '{folder}/'"
                    ));
                    if !keys.is_empty() {
                        setup.say(format!("MSCK REPAIR TABLE {name}"));
                    }
                }
                Self::DataFusion => {
                    let names = key_names(table);
                    let keys = if names.is_empty() { names } else { format!("PARTITIONED BY ({names}) ") };
                    let place = format!("LOCATION '{folder}/'");
                    match table.format {
                        Format::Parquet => {
                            setup.say(format!("CREATE EXTERNAL TABLE {name} STORED AS PARQUET {keys}{place}"));
                        }
                        Format::Csv => setup.say(format!(
                            "CREATE EXTERNAL TABLE {name} ({columns}) STORED AS CSV {place} \
                             OPTIONS ('format.has_header' 'false', 'format.delimiter' '|')"
                        )),
                        Format::JsonGzip => setup.say(format!(
                            "CREATE EXTERNAL TABLE {name} ({columns}) STORED AS JSON {place} \
                             OPTIONS ('format.compression' 'gzip')"
                        )),
                        // It does not read these: its queries fail, and say so.
                        Format::Orc => {}
                    }
                }
                Self::DuckDb | Self::DuckDbParquet => {
                    let made = if self == Self::DuckDb { "TABLE" } else { "VIEW" };
                    if let Some(source) = duckdb_source(table, &folder) {
                        setup.say(format!("CREATE {made} {name} AS SELECT * FROM {source}"));
                    }
                }
                Self::Polars if table.format != Format::Parquet => {}
                Self::Polars => setup.send(name.clone(), files),
                Self::ChDb => {
                    let source = clickhouse_source(table, &folder);
                    setup.say(format!("CREATE OR REPLACE VIEW {name} AS SELECT * FROM {source}"));
                }
                Self::Postgres => {
                    // Redshift's longest texts are longer than PostgreSQL says it of a type.
                    setup.say(format!("CREATE TABLE {name} ({})", with_key(table).replace("varchar(65535)", "text")));
                    let copy = format!("COPY {name} FROM STDIN (FORMAT csv, NULL '{}')", wire::NULL);
                    setup.send(copy, files);
                }
            }
        }
        match self {
            Self::Managed | Self::Wire => setup.say("ANALYZE".to_owned()),
            Self::Postgres => setup.say("VACUUM ANALYZE".to_owned()),
            _ => {}
        }
        setup.0
    }
}

/// Statements in order.
struct Setup(Vec<Request>);

impl Setup {
    fn say(&mut self, sql: String) {
        self.0.push(Request::new(sql));
    }

    /// With Parquet files that the target reads itself.
    fn send(&mut self, sql: String, files: PathBuf) {
        self.0.push(Request { files: Some(files), ..Request::new(sql) });
    }
}

/// The names of a table's keys.
fn key_names(table: &Table) -> String {
    pairs(&table.keys).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// The columns of a DDL's list with their types.
fn pairs(columns: &str) -> impl Iterator<Item = (&str, &str)> {
    // A comma within a type is followed by no space.
    let pairs = columns.split(", ").filter_map(|column| column.trim().split_once(' '));
    pairs.map(|(name, data_type)| (name, data_type.trim_end_matches(" NOT NULL")))
}

/// A table's columns with its primary key.
fn with_key(table: &Table) -> String {
    match table.primary_key.as_str() {
        "" => table.columns.clone(),
        key => format!("{}, PRIMARY KEY ({key})", table.columns),
    }
}

/// A table's columns in Hive's DDL.
pub(crate) fn hive_columns(table: &Table) -> String {
    let columns = pairs(&table.columns).map(|(name, data_type)| {
        let data_type = if data_type.contains("char") { "string" } else { data_type };
        format!("{name} {data_type}")
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// The columns as DuckDB's readers of text take them.
pub(crate) fn duckdb_columns(table: &Table) -> String {
    let columns = pairs(&table.columns).map(|(name, data_type)| format!("'{name}': '{data_type}'"));
    format!("columns = {{{}}}", columns.collect::<Vec<_>>().join(", "))
}

/// DuckDB's function over a table's files, where it has one.
fn duckdb_source(table: &Table, folder: &str) -> Option<String> {
    let columns = || duckdb_columns(table);
    match table.format {
        Format::Parquet if table.keys.is_empty() => Some(format!("read_parquet('{folder}/*.parquet')")),
        Format::Parquet => Some(format!("read_parquet('{folder}/**/*.parquet', hive_partitioning = true)")),
        Format::Csv => Some(format!("read_csv('{folder}/*', delim = '|', header = false, quote = '', {})", columns())),
        Format::JsonGzip => Some(format!("read_json('{folder}/*', format = 'newline_delimited', {})", columns())),
        Format::Orc => None,
    }
}

/// ClickHouse's function over a table's files. It takes keys from the folders in paths; its session knows of the bars.
fn clickhouse_source(table: &Table, folder: &str) -> String {
    let columns = || {
        let columns = pairs(&table.columns).map(|(name, data_type)| format!("{name} {data_type}"));
        columns.collect::<Vec<_>>().join(", ")
    };
    match table.format {
        Format::Parquet if table.keys.is_empty() => format!("file('{folder}/*.parquet', Parquet)"),
        Format::Parquet => format!("file('{folder}/**/*.parquet', Parquet)"),
        Format::Csv => format!("file('{folder}/*', CSV, '{}')", columns()),
        Format::JsonGzip => format!("file('{folder}/*', JSONEachRow, '{}')", columns()),
        Format::Orc => format!("file('{folder}/*', ORC)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(kind: Kind, table: &Table) -> Vec<String> {
        kind.setup(std::slice::from_ref(table), Path::new("/d")).into_iter().map(|statement| statement.sql).collect()
    }

    #[test]
    fn every_target_has_its_words() {
        let table = Table {
            name: "t".to_owned(),
            columns: "a int NOT NULL, b decimal(15,2), c varchar(65535)".to_owned(),
            primary_key: "a".to_owned(),
            attributes: "DISTKEY (a)".to_owned(),
            is_copied: true,
            ..Table::default()
        };
        let managed = [
            "CREATE TABLE t (a int NOT NULL, b decimal(15,2), c varchar(65535), PRIMARY KEY (a)) DISTKEY (a)",
            "COPY t FROM '/d/t/' PARQUET",
            "ANALYZE",
        ];
        assert_eq!(setup(Kind::Managed, &table), managed);
        assert_eq!(setup(Kind::Wire, &table), managed);
        let postgres = [
            "CREATE TABLE t (a int NOT NULL, b decimal(15,2), c text, PRIMARY KEY (a))",
            "COPY t FROM STDIN (FORMAT csv, NULL '\\N')",
            "VACUUM ANALYZE",
        ];
        assert_eq!(setup(Kind::Postgres, &table), postgres);
        let months = Table { keys: "y int, m int".to_owned(), ..table.clone() };
        let external = "CREATE EXTERNAL TABLE t (a int, b decimal(15,2), c string) PARTITIONED BY (y int, m int) STORED AS PARQUET LOCATION '/d/t/'";
        assert_eq!(setup(Kind::External, &months), [external, "MSCK REPAIR TABLE t"]);
        assert!(setup(Kind::DataFusion, &months)[0].contains("PARTITIONED BY (y, m) "));
        let csv = Table { format: Format::Csv, ..table };
        assert!(
            setup(Kind::DuckDbParquet, &csv)[0]
                .ends_with("columns = {'a': 'int', 'b': 'decimal(15,2)', 'c': 'varchar(65535)'})")
        );
        assert_eq!(
            setup(Kind::ChDb, &csv),
            [
                "CREATE OR REPLACE VIEW t AS SELECT * FROM file('/d/t/*', CSV, 'a int, b decimal(15,2), c varchar(65535)')"
            ]
        );
        assert!(setup(Kind::DuckDb, &Table { format: Format::Orc, ..csv }).is_empty());
    }
}

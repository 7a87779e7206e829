//! Loads: COPY of TPC-H's lineitem from delimited text, gzipped CSV, JSON lines and Parquet, UNLOAD of it to Parquet and CSV,
//! and changes of its rows ([`changes`]); beside DuckDB's INSERT and COPY TO, commits included.

mod changes;

use crate::report::{self, Line, Report, Side};
use crate::run::OutputOptions;
use crate::target::{Kind, Programs, Request, Target};
use crate::{cache, compare, side, tpch};
use anyhow::{Result, ensure};
use datafusion::prelude::ParquetReadOptions;
use std::path::{Path, PathBuf};

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct Options {
    /// Scale factor of TPC-H
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Runs of each statement on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Inserts of one row
    #[arg(long, default_value_t = 200)]
    inserts: usize,
    /// Threads of each side; the cores by default
    #[arg(long)]
    threads: Option<usize>,
    /// Without DuckDB
    #[arg(long)]
    alone: bool,
    /// A Python with the package duckdb
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    output: OutputOptions,
}

impl Eq for Options {}

/// Into how many files each text is cut.
const FILES: usize = 8;

const COLUMNS: &str = "l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
     l_linenumber int NOT NULL, l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL, \
     l_discount decimal(15,2) NOT NULL, l_tax decimal(15,2) NOT NULL, l_returnflag varchar(1) NOT NULL, \
     l_linestatus varchar(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, \
     l_receiptdate date NOT NULL, l_shipinstruct varchar(25) NOT NULL, l_shipmode varchar(10) NOT NULL, \
     l_comment varchar(44) NOT NULL";

/// What a load and an unload must agree on.
const CHECK: &str =
    "SELECT count(*), sum(l_quantity), sum(l_extendedprice), max(l_comment), min(l_shipdate) FROM lineitem";

/// A load: its name, the folder of its files, what COPY is told, and DuckDB's function and its arguments.
const LOADS: [(&str, &str, &str, &str); 4] = [
    ("COPY text", "text", "DELIMITER '|'", "read_csv('{}/*', delim = '|', header = false, quote = '', {columns})"),
    ("COPY CSV gzip", "csv", "CSV GZIP", "read_csv('{}/*', header = false, compression = 'gzip', {columns})"),
    ("COPY JSON", "json", "JSON 'auto'", "read_json('{}/*', format = 'newline_delimited', {columns})"),
    ("COPY Parquet", "parquet", "PARQUET", "read_parquet('{}/*')"),
];

/// An unload: its name, what UNLOAD is told, what DuckDB's COPY is.
const UNLOADS: [(&str, &str, &str); 2] = [
    ("UNLOAD Parquet", "PARQUET", "FORMAT parquet, COMPRESSION snappy"),
    ("UNLOAD CSV", "CSV", "FORMAT csv, HEADER false"),
];

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &Options, cache: &Path, side: &[&str]) -> Result<()> {
    ensure!((1..=10).contains(&options.runs), "there are 1 to 10 runs");
    let before = options.output.before()?;
    let data = tpch::folder(options.scale, cache).await?;
    let texts =
        cache::folder(cache, format!("load-{}", options.scale), |folder| generate(data.clone(), folder)).await?;
    let threads = options.threads.unwrap_or_else(side::cores);
    let programs = Programs::new(&options.python, side);
    let homes = tempfile::Builder::new().prefix(".running-").tempdir_in(cache)?;
    let mut targets = Vec::new();
    for kind in [Kind::Managed, Kind::DuckDb] {
        match kind.missing(&programs) {
            _ if options.alone && kind == Kind::DuckDb => {}
            Some(missing) => report::print(&format!("SKIPPED: {}: {missing}", kind.name())),
            None => targets.push(Target::start(kind, &programs, &homes.path().join(kind.name()), threads, None)?),
        }
    }
    let place = |folder: &str| match folder {
        "parquet" => data.join("lineitem").display().to_string(),
        folder => texts.join(folder).display().to_string(),
    };
    let mut lines = Vec::new();
    for (name, folder, ours, theirs) in LOADS {
        let mut line = Line::new(name, targets.len());
        for _ in 0..options.runs {
            let mut answers = Vec::new();
            for (at, target) in targets.iter_mut().enumerate() {
                target.run(&Request::new("DROP TABLE IF EXISTS lineitem".to_owned()), None)?;
                target.run(&Request::new(format!("CREATE TABLE lineitem ({COLUMNS})")), None)?;
                let place = place(folder);
                let load = if target.kind == Kind::Managed {
                    format!("COPY lineitem FROM '{place}/' {ours}")
                } else {
                    let source = theirs.replace("{}", &place).replace("{columns}", &columns());
                    format!("INSERT INTO lineitem SELECT * FROM {source}")
                };
                line.push(at, target.run(&Request::new(load), None)?.time);
                answers.push(target.run(&Request::asking(CHECK.to_owned()), None)?.rows);
            }
            agree(&answers, name)?;
        }
        lines.push(line);
    }
    for (name, ours, theirs) in UNLOADS {
        let mut line = Line::new(name, targets.len());
        for run in 0..options.runs {
            for (at, target) in targets.iter_mut().enumerate() {
                let out = homes.path().join(format!("out-{at}-{run}-{}", lines.len()));
                std::fs::create_dir_all(&out)?;
                let place = out.join("part").display().to_string();
                let unload = if target.kind == Kind::Managed {
                    format!("UNLOAD ('SELECT * FROM lineitem') TO '{place}' {ours}")
                } else {
                    format!("COPY lineitem TO '{place}' ({theirs})")
                };
                line.push(at, target.run(&Request::new(unload), None)?.time);
                ensure!(std::fs::read_dir(&out)?.next().is_some(), "{name} wrote nothing");
                std::fs::remove_dir_all(&out)?;
            }
        }
        lines.push(line);
    }
    // COPY of Parquet came last: all sides hold lineitem.
    lines.extend(changes::measure(options, &mut targets)?);
    let sides = targets.iter().map(|target| Side {
        name: target.kind.name().to_owned(),
        version: target.version.clone(),
        peak_memory_bytes: Some(target.used().peak_memory_bytes),
        cpu_seconds: Some(target.used().cpu_seconds),
        ..Side::default()
    });
    let title = format!("lineitem, scale {}, {threads} threads, median of {} runs", options.scale, options.runs);
    let report = Report { title, sides: sides.collect(), lines };
    options.output.write(&report, before.as_ref())
}

fn agree(answers: &[Vec<compare::Row>], name: &str) -> Result<()> {
    match answers {
        [ours, theirs] => compare::same(ours, theirs, compare::Digits::Same, name),
        _ => Ok(()),
    }
}

/// The columns as DuckDB's readers take them.
fn columns() -> String {
    let mut pairs: Vec<String> = Vec::new();
    // A comma within a type is not one between columns.
    for column in COLUMNS.split(" NOT NULL") {
        let column = column.trim_start_matches(',').trim();
        if let Some((name, data_type)) = column.split_once(' ') {
            pairs.push(format!("'{name}': '{data_type}'"));
        }
    }
    format!("columns = {{{}}}", pairs.join(", "))
}

/// Writes the text files out of the Parquet ones.
async fn generate(data: PathBuf, folder: PathBuf) -> Result<()> {
    let context = side::plain(side::cores());
    let files = data.join("lineitem").display().to_string();
    context.register_parquet("lineitem", files, ParquetReadOptions::default()).await?;
    let formats = [
        ("text", "CSV OPTIONS ('format.has_header' 'false', 'format.delimiter' '|')"),
        ("csv", "CSV OPTIONS ('format.has_header' 'false', 'format.compression' 'gzip')"),
        ("json", "JSON"),
    ];
    for (name, format) in formats {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        for part in 0..FILES {
            let extension = if name == "csv" { "csv.gz" } else { name };
            let file = folder.join(format!("part-{part}.{extension}")).display().to_string();
            let rows = format!("SELECT * FROM lineitem WHERE l_orderkey % {FILES} = {part}");
            side::run_plain(&context, &format!("COPY ({rows}) TO '{file}' STORED AS {format}")).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_for_duckdb() {
        let columns = columns();
        assert!(columns.starts_with("columns = {'l_orderkey': 'bigint', "), "{columns}");
        assert!(columns.contains("'l_tax': 'decimal(15,2)', 'l_returnflag': 'varchar(1)'"), "{columns}");
        assert!(columns.ends_with("'l_comment': 'varchar(44)'}"), "{columns}");
    }
}

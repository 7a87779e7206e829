//! Loads: COPY of TPC-H's lineitem from delimited text, gzipped CSV, JSON lines and Parquet, UNLOAD of it to Parquet and CSV,
//! and changes of its rows ([`changes`]); beside DuckDB's INSERT and COPY TO, commits included.

mod changes;

use crate::report::{self, Line, Report};
use crate::run::OutputOptions;
use crate::suite::Table;
use crate::target::{Kind, Programs, Request, Target, duckdb_columns, hive_columns};
use crate::{cache, compare, side, tpch};
use anyhow::{Context, Result, ensure};
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

/// What must agree of a table after a load, an unload and each change.
const CHECK: &str = "SELECT count(*), sum(l_quantity), sum(l_extendedprice), max(l_comment), min(l_shipdate) FROM {}";

/// A load: its name, the folder of its files, what COPY is told, and DuckDB's function and its arguments.
const LOADS: [(&str, &str, &str, &str); 4] = [
    ("COPY text", "text", "DELIMITER '|'", "read_csv('{}/*', delim = '|', header = false, quote = '', {columns})"),
    ("COPY CSV gzip", "csv", "CSV GZIP", "read_csv('{}/*', header = false, compression = 'gzip', {columns})"),
    ("COPY JSON", "json", "JSON 'auto'", "read_json('{}/*', format = 'newline_delimited', {columns})"),
    ("COPY Parquet", "parquet", "PARQUET", "read_parquet('{}/*')"),
];

/// An unload: its name, what UNLOAD is told, what DuckDB's COPY is, and how DataFusion reads the files of both.
const UNLOADS: [(&str, &str, &str, &str); 2] = [
    ("UNLOAD Parquet", "PARQUET", "FORMAT parquet, COMPRESSION snappy", "STORED AS PARQUET LOCATION {}"),
    (
        "UNLOAD CSV",
        "CSV",
        "FORMAT csv, HEADER false",
        "({columns}) STORED AS CSV LOCATION {} OPTIONS ('format.has_header' 'false')",
    ),
];

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &Options, cache: &Path, side: &[&str]) -> Result<()> {
    ensure!((1..=5).contains(&options.runs), "there are 1 to 5 runs");
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
    let table = tpch::lineitem();
    let (columns, reader_columns) = (&table.columns, duckdb_columns(&table));
    let mut lines = Vec::new();
    for (name, folder, ours, theirs) in LOADS {
        let mut line = Line::new(name, targets.len());
        for _ in 0..options.runs {
            let mut answers = Vec::new();
            for (at, target) in targets.iter_mut().enumerate() {
                target.run(&Request::new("DROP TABLE IF EXISTS lineitem".to_owned()), None)?;
                target.run(&Request::new(format!("CREATE TABLE lineitem ({columns})")), None)?;
                let place = place(folder);
                let load = if target.kind == Kind::Managed {
                    format!("COPY lineitem FROM '{place}/' {ours}")
                } else {
                    let source = theirs.replace("{}", &place).replace("{columns}", &reader_columns);
                    format!("INSERT INTO lineitem SELECT * FROM {source}")
                };
                line.push(at, target.run(&Request::new(load), None)?.time);
                answers.push(check(target, "lineitem")?);
            }
            agree(&answers, name)?;
        }
        lines.push(line);
    }
    for (name, ours, theirs, read) in UNLOADS {
        let mut line = Line::new(name, targets.len());
        for run in 0..options.runs {
            for (at, target) in targets.iter_mut().enumerate() {
                let out = homes.path().join(format!("out-{at}-{run}-{}", lines.len()));
                std::fs::create_dir_all(&out)?;
                let place = out.join("part").display().to_string();
                let unload = if target.kind == Kind::Managed {
                    format!("UNLOAD ('SELECT * FROM lineitem') TO '{place}' {ours}")
                } else {
                    format!("COPY lineitem TO '{place}.{}' ({theirs})", ours.to_lowercase())
                };
                line.push(at, target.run(&Request::new(unload), None)?.time);
                if run == 0 {
                    let written = unloaded(&table, &out, read).await.with_context(|| name.to_owned())?;
                    compare::same(&written, &check(target, "lineitem")?, compare::Digits::Same, name)?;
                }
                std::fs::remove_dir_all(&out)?;
            }
        }
        lines.push(line);
    }
    // COPY of Parquet came last: all sides hold lineitem.
    lines.extend(changes::measure(options, &mut targets)?);
    let sides = targets.iter().map(Target::describe);
    let title = format!("lineitem, scale {}, {threads} threads, median of {} runs", options.scale, options.runs);
    let report = Report { title, sides: sides.collect(), lines };
    options.output.write(&report, before.as_ref())
}

/// Whether what both sides have is the same.
pub(crate) fn agree(answers: &[Vec<compare::Row>], name: &str) -> Result<()> {
    match answers {
        [ours, theirs] => compare::same(ours, theirs, compare::Digits::Same, name),
        _ => Ok(()),
    }
}

/// What a target has in a table.
pub(crate) fn check(target: &mut Target, table: &str) -> Result<Vec<compare::Row>> {
    Ok(target.run(&Request::asking(CHECK.replace("{}", table)), None)?.rows)
}

/// The same of unloaded files, which plain DataFusion reads.
async fn unloaded(table: &Table, folder: &Path, declaration: &str) -> Result<Vec<compare::Row>> {
    let context = side::plain(side::cores());
    let declaration = declaration.replace("{columns}", &hive_columns(table)).replace("{}", &side::literal(folder));
    side::run_plain(&context, &format!("CREATE EXTERNAL TABLE unloaded {declaration}")).await?;
    compare::rows(&side::run_plain(&context, &CHECK.replace("{}", "unloaded")).await?)
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

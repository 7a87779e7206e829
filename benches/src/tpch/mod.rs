//! TPC-H: the standard's queries with its validation parameters, answers compared before a time counts.

mod data;
mod estimates;

pub use estimates::{JoinRows, join_rows};

use crate::compare::{self, Row};
use crate::report::{self, Line, Report, Side};
use crate::target::{Kind, Programs, Target};
use crate::{cache, chart, side, suite};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The suite's name, of its folders too.
const SUITE: &str = "tpch";

/// Columns of answers that are quotients and averages of decimals: query, column, digits. Redshift's have so many digits
/// after the point and cut the rest (averages keep the scale; quotients of DECIMAL(38,4) have 4); published answers and
/// peers' are doubles. Every other value is compared as it is.
const CUT: [(usize, usize, usize); 5] = [(1, 6, 2), (1, 7, 2), (1, 8, 2), (8, 1, 4), (14, 0, 4)];

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct TpchOptions {
    /// Scale factor; answers are published for 1
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// What is measured
    #[arg(long, value_enum, default_value_t = Kind::Managed)]
    target: Kind,
    /// What it is compared with, e.g. duckdb,duckdb-parquet,datafusion
    #[arg(long, value_enum, value_delimiter = ',')]
    against: Vec<Kind>,
    /// Runs of each query on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these queries, e.g. 1,6,18
    #[arg(long, value_delimiter = ',')]
    queries: Vec<usize>,
    /// Threads of each side; the cores by default
    #[arg(long)]
    threads: Option<usize>,
    /// Sort lineitem and orders by their dates instead of the order key
    #[arg(long)]
    by_date: bool,
    /// Keep loaded tables and use those of an earlier run
    #[arg(long)]
    keep: bool,
    /// A Python with the peers' packages, such as duckdb
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Also write all times here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a page with bars here
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Mark what changed since a run that was written with --json
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

impl Eq for TpchOptions {}

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &TpchOptions, cache: &Path, side: &[&str]) -> Result<()> {
    let scale = options.scale;
    ensure!(scale > 0.0 && scale <= 1000.0, "the scale factor is from 0 to 1000");
    let before = options.compare.as_deref().map(Report::read_json).transpose()?;
    let folder = folder(scale, cache).await?;
    let programs =
        Programs { python: options.python.clone(), side: side.iter().map(|text| (*text).to_owned()).collect() };
    let homes = tempfile::Builder::new().prefix(".running-").tempdir_in(cache)?;
    let mut sides = Vec::new();
    for kind in std::iter::once(&options.target).chain(&options.against) {
        let home = if options.keep { cache.join(kept_name(*kind, options)) } else { homes.path().join(kind.name()) };
        sides.push(prepare(*kind, &programs, &home, &folder, options)?);
    }
    let mut lines = Vec::new();
    for number in 1..=22 {
        if options.queries.is_empty() || options.queries.contains(&number) {
            let line = measure(number, options, &mut sides).with_context(|| format!("query {number}"))?;
            lines.push(line);
        }
    }
    let described = sides.iter().map(Measured::describe).collect();
    let order = if options.by_date { ", lineitem and orders by date" } else { "" };
    let title = format!("TPC-H, scale {scale}, {} threads, median of {} runs{order}", options.threads(), options.runs);
    let report = Report { title, sides: described, lines };
    report::print(&report.table());
    if let Some(before) = &before {
        report::print(&report.comparison(before));
    }
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    if let Some(path) = &options.html {
        std::fs::write(path, chart::page(&report)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The tables as Parquet, a folder each.
pub(crate) async fn folder(scale: f64, cache: &Path) -> Result<PathBuf> {
    cache::folder(cache, format!("{SUITE}-{scale}"), |folder| async move { data::generate(scale, &folder) }).await
}

impl TpchOptions {
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(side::cores)
    }
}

/// A target with its tables.
struct Measured {
    target: Target,
    load: Option<Duration>,
    /// CPU seconds when the queries began.
    cpu_before: f64,
}

impl Measured {
    fn describe(&self) -> Side {
        let used = self.target.used();
        Side {
            name: self.target.kind.name().to_owned(),
            version: self.target.version.clone(),
            load_ms: self.load.map(|time| time.as_secs_f64() * 1e3),
            peak_memory_bytes: Some(used.peak_memory_bytes),
            cpu_seconds: Some(used.cpu_seconds - self.cpu_before),
        }
    }
}

/// The folder of a target's own copy of the data.
fn kept_name(kind: Kind, options: &TpchOptions) -> String {
    let order = if options.by_date && kind == Kind::Managed { "-by-date" } else { "" };
    format!("{SUITE}-{}-{}{order}", options.scale, kind.name())
}

fn prepare(kind: Kind, programs: &Programs, home: &Path, data: &Path, options: &TpchOptions) -> Result<Measured> {
    let done = home.join("loaded");
    let is_loaded = done.exists();
    if !is_loaded && home.exists() {
        // An earlier load that did not come to its end.
        std::fs::remove_dir_all(home)?;
    }
    let mut target = Target::start(kind, programs, home, options.threads())?;
    let mut load = None;
    if !(is_loaded && kind.stays()) {
        let mut time = Duration::ZERO;
        for statement in kind.setup(&data::tables(options.by_date), data) {
            time += target.run(&statement, false)?.0;
        }
        load = kind.loads().then_some(time);
        std::fs::write(&done, "")?;
    }
    if load.is_some() && kind.stays() {
        // Begins again, so that what the load used is not counted to the queries.
        drop(target);
        target = Target::start(kind, programs, home, options.threads())?;
    }
    target.run("SELECT 1", false)?;
    let cpu_before = target.used().cpu_seconds;
    Ok(Measured { target, load, cpu_before })
}

/// A query's answer with those digits that Redshift's has.
fn cut(rows: &[Row], query: usize) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for (_, column, digits) in CUT.into_iter().filter(|(of, ..)| *of == query) {
        for value in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            if let Some((_, fraction)) = value.split_once('.')
                && fraction.len() > digits
            {
                value.truncate(value.len() - fraction.len() + digits);
            }
        }
    }
    rows
}

fn measure(number: usize, options: &TpchOptions, sides: &mut [Measured]) -> Result<Line> {
    let query = suite::query(SUITE, number).with_context(|| format!("there is no query {number}"))?;
    let mut answers: Vec<Vec<Row>> = Vec::new();
    for side in &mut *sides {
        answers.push(side.target.run(query, true)?.1);
    }
    if let Some((ours, others)) = answers.split_first() {
        for (answer, side) in others.iter().zip(&sides[1..]) {
            compare::same(ours, &cut(answer, number), &format!("against {}", side.target.kind.name()))?;
        }
        if (options.scale - 1.0).abs() < f64::EPSILON {
            let published = suite::answer(SUITE, number).with_context(|| format!("there is no answer {number}"))?;
            let published = cut(&compare::parse_answer(published), number);
            compare::same(ours, &published, "against the published answer")?;
        }
    }
    let mut line = Line::new(format!("Q{number}"), sides.len());
    for _ in 0..options.runs {
        for (at, side) in sides.iter_mut().enumerate() {
            line.push(at, side.target.run(query, false)?.0);
        }
    }
    Ok(line)
}

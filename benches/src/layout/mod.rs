//! What the layout of managed tables has to do, on TPC-H's tables, each beside its bar: look-ups of the sort key ([`points`]),
//! CTAS beside DuckDB's ([`bulk`]), readers beside a writer and a VACUUM ([`readers`]), statements under a limit of memory
//! ([`memory`]); and on small tables, how long joins of ten take to plan ([`planning`]).
//!
//! A bar that is missed is said and no failure: times are the machine's. Wrong answers and lost rows are, after everything is
//! printed.

mod bulk;
mod memory;
mod planning;
mod points;
mod readers;

use crate::bar::Bar;
use crate::report::{self, Line, Report, Side};
use crate::target::{Kind, Programs, Target, Used};
use crate::{run, side, tpch};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Scale factor of TPC-H
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Only these parts, e.g. points,bulk
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Points and memory: sort lineitem and orders by their dates instead of the order key
    #[arg(long)]
    by_date: bool,
    /// Points and planning: how many places of the key are asked for, how often each join is planned
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// Bulk and memory: runs of each statement on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Readers: seconds of each load
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Readers: sessions that read
    #[arg(long, default_value_t = 8)]
    readers: usize,
    /// Memory: the limit in megabytes
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    memory_limit_mb: u64,
    /// Memory: a query that takes longer is given up, with its process
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// Threads of each side; the cores by default
    #[arg(long)]
    threads: Option<usize>,
    /// Points and memory: keep loaded tables and use those of an earlier run, of `tpch --keep`, too
    #[arg(long)]
    keep: bool,
    /// Bulk: a Python with the packages duckdb and pyarrow
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Also write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    /// Point and range queries of the sort key
    Points,
    /// CTAS of lineitem from Parquet, beside DuckDB
    Bulk,
    /// Readers beside a writer and a VACUUM
    Readers,
    /// Large sorts, joins and groupings under a limit of memory
    Memory,
    /// Joins of ten tables, planned
    Planning,
}

/// What a part found.
#[derive(Debug, Serialize)]
struct Found {
    part: Part,
    report: Report,
    bars: Vec<Bar>,
    /// What else there is to know, a line each.
    notes: Vec<String>,
    /// Answers that are not what they have to be.
    wrong: Vec<String>,
}

impl Found {
    /// The report, the bars and the notes.
    fn text(&self) -> String {
        let lines = self.bars.iter().map(Bar::line).chain(self.notes.iter().cloned());
        let wrong = self.wrong.iter().map(|wrong| format!("WRONG: {wrong}"));
        let lines: Vec<String> = lines.chain(wrong).collect();
        format!("{}{}\n", self.report.table(), lines.join("\n"))
    }
}

/// What all parts work with.
struct Place<'a> {
    options: &'a Options,
    threads: usize,
    /// TPC-H's Parquet files, a folder a table.
    data: PathBuf,
    cache: &'a Path,
    /// A folder that goes with the benchmark.
    homes: PathBuf,
    /// The arguments that make this program a target.
    side: &'a [&'a str],
}

impl Place<'_> {
    fn programs(&self) -> Programs {
        Programs::new(&self.options.python, self.side)
    }

    fn has(&self, part: Part) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&part)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.options.limit)
    }

    /// The column that lineitem is sorted by.
    fn key(&self) -> &'static str {
        if self.options.by_date { "l_shipdate" } else { "l_orderkey" }
    }

    /// The home of a target whose warehouse has TPC-H's tables: all of them where they are asked or kept, else lineitem.
    fn tables(&self) -> Result<PathBuf> {
        let Options { scale, by_date, keep, .. } = *self.options;
        let place: &Path = if keep { self.cache } else { &self.homes };
        let home = run::kept(place, &tpch::kept_name(scale, by_date), Kind::Managed);
        if run::is_loaded(&home)? {
            return Ok(home);
        }
        let mut tables = tpch::tables_by(by_date);
        tables.retain(|table| keep || self.has(Part::Memory) || table.name == "lineitem");
        let mut target = Target::start(Kind::Managed, &self.programs(), &home, self.threads, None)?;
        for statement in Kind::Managed.setup(&tables, &self.data) {
            target.run(&statement, None).with_context(|| statement.sql.clone())?;
        }
        run::set_loaded(&home)?;
        Ok(home)
    }
}

/// A run of a statement in a process that did nothing before.
struct Run {
    version: String,
    time: Duration,
    used: Used,
}

impl Run {
    /// What a target took for the statement that it has run.
    fn of(target: &Target, time: Duration) -> Self {
        Self { version: target.version.clone(), time, used: target.used() }
    }

    /// Notes it as one of so many runs of a side.
    fn note(self, line: &mut Line, side: &mut Side, (at, runs): (usize, usize)) {
        line.push(at, self.time);
        let measure = &mut line.measures[at];
        measure.peak_memory_bytes = measure.peak_memory_bytes.max(Some(self.used.peak_memory_bytes));
        measure.cpu_seconds = Some(measure.cpu_seconds.unwrap_or(0.0) + self.used.cpu_seconds / runs as f64);
        side.peak_memory_bytes = side.peak_memory_bytes.max(measure.peak_memory_bytes);
        side.version = self.version;
    }
}

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &Options, cache: &Path, side: &[&str]) -> Result<()> {
    let Options { scale, queries, runs, seconds, readers, .. } = *options;
    ensure!(scale > 0.0 && scale <= 1000.0, "the scale factor is from 0 to 1000");
    ensure!(
        queries > 0 && runs > 0 && seconds > 0 && readers > 0,
        "there has to be a query, a run, a second, a reader"
    );
    let data = tpch::folder(scale, cache).await?;
    let folder = tempfile::Builder::new().prefix(".running-").tempdir_in(cache)?;
    let threads = options.threads.unwrap_or_else(side::cores);
    let place = Place { options, threads, data, cache, homes: folder.path().to_owned(), side };
    let mut found = Vec::new();
    for part in Part::value_variants().iter().copied().filter(|part| place.has(*part)) {
        let part = match part {
            Part::Points => Box::pin(points::measure(&place)).await?,
            Part::Bulk => bulk::measure(&place)?,
            Part::Readers => Box::pin(readers::measure(&place)).await?,
            Part::Memory => memory::measure(&place)?,
            Part::Planning => Box::pin(planning::measure(&place)).await?,
        };
        report::print(&part.text());
        found.push(part);
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&found)?).with_context(|| path.display().to_string())?;
    }
    let wrong: Vec<&str> = found.iter().flat_map(|found| &found.wrong).map(String::as_str).collect();
    ensure!(wrong.is_empty(), "wrong: {}", wrong.join("; "));
    Ok(())
}

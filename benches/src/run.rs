//! Runs a suite: starts the targets and loads their tables, compares the answers to each query, then takes its times in
//! turns.

use crate::compare::{self, Row};
use crate::progress::Progress;
use crate::report::{self, Line, Report, Side};
use crate::server::{self, Server};
use crate::suite::{Query, Suite};
use crate::target::{Kind, Outcome, Programs, Request, Target};
use crate::{chart, machine, side};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of every suite.
#[derive(Debug, clap::Args, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// What is measured; what the suite is for where it is not said
    #[arg(long, value_enum)]
    target: Option<Kind>,
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
    /// A query that takes longer is given up, with its process
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// Keep loaded tables and use those of an earlier run
    #[arg(long)]
    keep: bool,
    /// A Python with the peers' packages, such as duckdb
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: PathBuf,
    #[command(flatten)]
    output: OutputOptions,
}

/// Where a report goes beside the terminal.
#[derive(Debug, Default, clap::Args, Clone, PartialEq, Eq)]
pub struct OutputOptions {
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

impl OutputOptions {
    /// The earlier report, read before anything is measured, as this run may overwrite it.
    pub fn before(&self) -> Result<Option<Report>> {
        self.compare.as_deref().map(Report::read_json).transpose()
    }

    /// Prints and writes a report.
    pub fn write(&self, report: &Report, before: Option<&Report>) -> Result<()> {
        report::print(&report.table());
        report::print(&machine::described());
        if let Some(before) = before {
            report::print(&report.comparison(before));
        }
        if let Some(path) = &self.json {
            report.write_json(path)?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, chart::page(report)).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

impl RunOptions {
    /// All targets, the one that is measured first.
    pub fn kinds(&self, measured: Kind) -> impl Iterator<Item = Kind> {
        std::iter::once(self.target.unwrap_or(measured)).chain(self.against.iter().copied())
    }

    /// The same on one thread a side, where no other number is given.
    #[must_use]
    pub fn on_one_thread(&self) -> Self {
        Self { threads: self.threads.or(Some(1)), ..self.clone() }
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(side::cores)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}

/// Runs a suite, of `measured` where the options name no other target; `side` are the arguments that make this program a
/// target.
///
/// # Errors
/// After the report, when a query failed in what is measured, or its answer was no peer's.
pub fn run(suite: &Suite, options: &RunOptions, measured: Kind, cache: &Path, side: &[&str]) -> Result<()> {
    ensure!(options.runs > 0, "there has to be a run");
    let before = options.output.before()?;
    let programs = Programs::new(&options.python, side);
    let homes = tempfile::Builder::new().prefix(".running-").tempdir_in(cache)?;
    let mut sides: Vec<Measured> = Vec::new();
    for kind in options.kinds(measured) {
        if sides.iter().any(|side| side.kind == kind) {
            bail!("{} is named twice", kind.name());
        }
        let home = if options.keep && kind.can_be_kept() {
            kept(cache, &suite.folder, kind)
        } else {
            homes.path().join(kind.name())
        };
        if !sides.is_empty()
            && let Some(missing) = kind.missing(&programs)
        {
            report::print(&format!("SKIPPED: {}: {missing}", kind.name()));
            continue;
        }
        sides.push(Measured::prepare(kind, &programs, &home, suite, options)?);
    }
    let queries =
        suite.queries.iter().filter(|query| options.queries.is_empty() || options.queries.contains(&query.number));
    let queries: Vec<&Query> = queries.collect();
    ensure!(!queries.is_empty(), "there is no such query");
    let progress = Progress::new("queries", queries.len());
    let mut lines = Vec::new();
    for query in queries {
        progress.step(&query.name);
        lines.push(measure(query, options, &mut sides));
    }
    drop(progress);
    let title = format!("{}, {} threads, median of {} runs", suite.title, options.threads(), options.runs);
    let report = Report { title, sides: sides.iter().map(Measured::describe).collect(), lines };
    options.output.write(&report, before.as_ref())?;
    let wrong = report.lines.iter().filter(|line| is_wrong(line)).map(|line| line.name.as_str()).collect::<Vec<_>>();
    ensure!(wrong.is_empty(), "failed, or gave an answer that is no peer's: {}", wrong.join(", "));
    Ok(())
}

/// Whether what is measured failed, or all its peers contradict it.
fn is_wrong(line: &Line) -> bool {
    match line.problems.split_first() {
        Some((Some(_), _)) => true,
        Some((None, peers)) => {
            let differ =
                peers.iter().filter(|problem| problem.as_deref().is_some_and(|text| text.starts_with(DIFFERS)));
            !peers.is_empty() && differ.count() > 0 && peers.iter().all(Option::is_some)
        }
        None => false,
    }
}

/// How a problem begins that is an answer.
const DIFFERS: &str = "answers differ";

/// Where a target's tables of a suite are kept, by the suite's folder.
pub(crate) fn kept(cache: &Path, folder: &str, kind: Kind) -> PathBuf {
    cache.join(format!("{folder}-{}", kind.name()))
}

/// The file in a target's home that says that its tables are whole.
const LOADED: &str = "loaded";

/// Whether a target's tables are in its home. What is left of a load that did not come to its end is removed.
pub(crate) fn is_loaded(home: &Path) -> Result<bool> {
    let is_loaded = home.join(LOADED).exists();
    if !is_loaded && home.exists() {
        std::fs::remove_dir_all(home)?;
    }
    Ok(is_loaded)
}

/// Says that a target's tables are in its home.
pub(crate) fn set_loaded(home: &Path) -> Result<()> {
    Ok(std::fs::write(home.join(LOADED), "")?)
}

/// A target with its tables.
struct Measured {
    kind: Kind,
    target: Target,
    /// The server that the target asks.
    server: Option<Server>,
    programs: Programs,
    home: PathBuf,
    threads: usize,
    /// What its sessions are told first.
    session: Vec<String>,
    /// What makes the tables.
    setup: Vec<Request>,
    load: Option<Duration>,
    /// The most memory of processes that are gone.
    peak_before: u64,
    /// CPU seconds of the queries.
    cpu_seconds: f64,
    limit: Duration,
}

impl Measured {
    fn prepare(kind: Kind, programs: &Programs, home: &Path, suite: &Suite, options: &RunOptions) -> Result<Self> {
        let is_loaded = is_loaded(home)?;
        let threads = options.threads();
        let server = serve(kind, home, threads)?;
        let target = Target::start(kind, programs, home, threads, server.as_ref())?;
        let mut side = Self {
            kind,
            target,
            server,
            programs: programs.clone(),
            home: home.to_owned(),
            threads,
            session: if kind.is_duckdb() { suite.duckdb_settings.clone() } else { Vec::new() },
            setup: kind.setup(&suite.tables, &suite.data),
            load: None,
            peak_before: 0,
            cpu_seconds: 0.0,
            limit: options.limit(),
        };
        if !(is_loaded && kind.stays()) {
            let time = side.make_tables()?;
            side.load = kind.loads().then_some(time);
            set_loaded(home)?;
        }
        if side.load.is_some() && kind.stays() {
            // Begins again, so that what the load used is not counted to the queries.
            side.start_again()?;
            side.peak_before = 0;
        } else {
            side.begin()?;
        }
        Ok(side)
    }

    fn make_tables(&mut self) -> Result<Duration> {
        let progress = Progress::new(self.kind.name(), self.setup.len());
        let mut time = Duration::ZERO;
        for statement in &self.setup {
            progress.step(&statement.sql);
            time += self.target.run(statement, None).with_context(|| statement.sql.clone())?.time;
        }
        Ok(time)
    }

    /// Tells a new session what the suite wants.
    fn begin(&mut self) -> Result<()> {
        for statement in &self.session {
            self.target.run(&Request::new(statement.clone()), None)?;
        }
        Ok(())
    }

    fn start_again(&mut self) -> Result<()> {
        self.peak_before = self.peak_before.max(self.target.used().peak_memory_bytes);
        self.target.end();
        if self.kind == Kind::Wire {
            // The warehouse is there again; the old server is gone before the new one starts.
            self.server = None;
            self.server = serve(self.kind, &self.home, self.threads)?;
        }
        self.target = Target::start(self.kind, &self.programs, &self.home, self.threads, self.server.as_ref())?;
        if !self.kind.stays() {
            self.make_tables()?;
        }
        self.begin()
    }

    /// Runs a query. A process that ended by it begins again for the next one.
    fn ask(&mut self, request: &Request) -> Result<Outcome> {
        let outcome = self.target.run(request, Some(self.limit));
        if outcome.is_err() && self.target.has_ended() {
            self.start_again()?;
        }
        outcome
    }

    fn describe(&self) -> Side {
        Side {
            name: self.kind.name().to_owned(),
            version: self.target.version.clone(),
            load_ms: self.load.map(|time| time.as_secs_f64() * 1e3),
            // A server of several processes tells none.
            peak_memory_bytes: Some(self.target.used().peak_memory_bytes.max(self.peak_before))
                .filter(|bytes| *bytes > 0),
            cpu_seconds: Some(self.cpu_seconds),
        }
    }
}

/// The server of a target that asks one.
fn serve(kind: Kind, home: &Path, threads: usize) -> Result<Option<Server>> {
    match kind {
        Kind::Wire => {
            std::fs::create_dir_all(home)?;
            let slices = [format!("slices={threads}")];
            Ok(Some(Server::millrace(&server::program(None)?, &home.join("warehouse"), &slices, &[])?))
        }
        Kind::Postgres => Ok(Some(Server::postgres(threads, 1)?)),
        _ => Ok(None),
    }
}

/// A query's answers, compared, then its times. A side that cannot run it, or gives other rows, has a problem and no times.
fn measure(query: &Query, options: &RunOptions, sides: &mut [Measured]) -> Line {
    let mut line = Line::new(&*query.name, sides.len());
    let mut first: Option<Vec<Row>> = None;
    for (at, side) in sides.iter_mut().enumerate() {
        match side.ask(&Request::asking(query.checked.of(side.kind).to_owned())) {
            Ok(mut outcome) => {
                line.measures[at].rows_read = outcome.rows_read;
                line.measures[at].bytes_read = outcome.bytes_read;
                if !query.is_ordered {
                    outcome.rows.sort();
                }
                let compared = match &first {
                    None => Ok(()),
                    Some(ours) => compare::same(ours, &outcome.rows, query.digits, DIFFERS),
                };
                line.problems[at] = compared.err().map(|error| error.to_string());
                if at == 0 {
                    line.answer_rows = Some(outcome.rows.len());
                    first = Some(outcome.rows);
                }
            }
            Err(error) => line.problems[at] = Some(format!("{error:#}")),
        }
    }
    if let (Some(ours), Some(published)) = (&first, &query.published)
        && let Err(error) = compare::same(ours, published, query.digits, "answers differ from the published one")
    {
        line.problems[0] = Some(error.to_string());
    }
    let mut spent = vec![0.0; sides.len()];
    for _ in 0..options.runs {
        for (at, side) in sides.iter_mut().enumerate() {
            if line.problems[at].is_some() {
                continue;
            }
            let before = side.target.used().cpu_seconds;
            match side.ask(&Request::new(query.timed.of(side.kind).to_owned())) {
                Ok(outcome) => {
                    line.push(at, outcome.time);
                    spent[at] += side.target.used().cpu_seconds - before;
                }
                Err(error) => line.problems[at] = Some(format!("{error:#}")),
            }
        }
    }
    for (at, side) in sides.iter_mut().enumerate() {
        if line.problems[at].is_some() {
            line.times_ms[at].clear();
        } else {
            side.cpu_seconds += spent[at];
            line.measures[at].cpu_seconds = Some(spent[at] / options.runs as f64);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_ours_and_a_contradiction_by_all_peers_are_wrong() {
        let problem = |text: &str| Some(text.to_owned());
        for (problems, expected) in [
            (vec![None], false),
            (vec![problem("XX000")], true),
            (vec![None, None], false),
            (vec![None, problem("answers differ: 1 rows instead of 2")], true),
            (vec![None, problem("not supported")], false),
            (vec![None, None, problem("answers differ: 1 rows instead of 2")], false),
        ] {
            let line = Line { problems: problems.clone(), ..Line::new("Q1", problems.len()) };
            assert_eq!(is_wrong(&line), expected, "{problems:?}");
        }
    }
}

//! Managed tables: small inserts from one session and from several at once, large ones, an UPDATE of one row in a hundred,
//! scans; beside DuckDB where a Python with its package is given.

use crate::{compare, report, side};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rows of the table that is updated and scanned
    #[arg(long, default_value_t = 6_000_000)]
    rows: u64,
    /// Inserts of one row
    #[arg(long, default_value_t = 2_000)]
    inserts: u32,
    /// Sessions that insert one row at a time at once
    #[arg(long, default_value_t = 16)]
    sessions: u32,
    /// Runs of each statement on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where the warehouse and DuckDB's file are made: on the disk whose syncing counts; the system's folder for temporary
    /// files when not given
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// A Python that can `import duckdb`, to run the same statements in DuckDB
    #[arg(long, value_name = "PYTHON")]
    duckdb: Option<PathBuf>,
}

/// Rows of one larger INSERT.
const LARGE_INSERT: u64 = 10_000;

/// The table's rows, in words that both sides take.
const ROWS: &str = "SELECT value AS id, CAST(value % 97 AS int) AS quantity, value % 100003 / 7.0 AS price, \
     'a note about row ' || value AS note FROM generate_series(1, ";

/// The statements that are timed on the large table; the first changes one row in a hundred.
const STATEMENTS: [(&str, &str); 3] = [
    ("update 1%", "UPDATE big SET price = price + 1 WHERE id % 100 = 7"),
    ("sum", "SELECT sum(quantity), max(price), count(*) FROM big"),
    ("range", "SELECT count(*), max(note) FROM big WHERE id BETWEEN 1000 AND 2000"),
];

/// Runs it.
pub async fn run(options: &Options) -> Result<()> {
    let place = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::tempdir_in(place)?;
    let mut ours = side::Ours::open(&folder.path().join("warehouse"), side::cores()).await?;
    ours.run("CREATE TABLE small (id bigint, name varchar(20), at timestamp)").await?;
    let mut took = Duration::ZERO;
    for id in 0..options.inserts {
        took += ours.time(&insert("small", id)).await?;
    }
    let inserted = compare::rows(&ours.run("SELECT count(*) FROM small").await?)?;
    ensure!(inserted == [[options.inserts.to_string()]], "rows were lost or doubled: {inserted:?}");
    let per_second = f64::from(options.inserts) / took.as_secs_f64();
    report::print(&format!("INSERT of one row, autocommit: {per_second:.0} a second"));
    let together = at_once(&mut ours, options).await?;
    let gain = together / per_second;
    let sessions = options.sessions;
    report::print(&format!(
        "the same from {sessions} sessions at once: {together:.0} a second, {gain:.1} times as many"
    ));

    ours.run("CREATE TABLE large (id bigint, quantity int, price double precision, note varchar(64))").await?;
    let mut took = Duration::ZERO;
    let rounds = 20;
    for _ in 0..rounds {
        took += ours.time(&format!("INSERT INTO large {}", rows(LARGE_INSERT))).await?;
    }
    let per_second = (rounds * LARGE_INSERT) as f64 / took.as_secs_f64();
    report::print(&format!("INSERT of {LARGE_INSERT} rows: {per_second:.0} rows a second"));

    ours.run("CREATE TABLE big (id bigint, quantity int, price double precision, note varchar(64))").await?;
    let load = ours.time(&format!("INSERT INTO big {}", rows(options.rows))).await?;
    let mut lines = vec![("load", vec![load])];
    for (name, statement) in STATEMENTS {
        let mut times = Vec::new();
        for _ in 0..options.runs {
            times.push(ours.time(statement).await?);
        }
        lines.push((name, times));
    }
    let theirs = match &options.duckdb {
        Some(python) => Some(duckdb(python, options, folder.path())?),
        None => None,
    };
    let mut text = format!("{:<12} {:>12} {:>12} {:>8}\n", "", "millrace ms", "duckdb ms", "ratio");
    for (at, (name, times)) in lines.iter().enumerate() {
        let ours = report::median_ms(times);
        let theirs = theirs.as_ref().and_then(|times| times.get(at)).copied();
        let (shown, ratio) = match theirs {
            Some(theirs) => (format!("{theirs:.1}"), format!("{:.3}", ours / theirs)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        writeln!(text, "{name:<12} {ours:>12.1} {shown:>12} {ratio:>8}")?;
    }
    report::print(&format!("{} rows, median of {} runs\n{text}", options.rows, options.runs));
    Ok(())
}

/// Inserts of one row a second from several sessions at once, as many in all as from one.
async fn at_once(ours: &mut side::Ours, options: &Options) -> Result<f64> {
    ours.run("CREATE TABLE shared (id bigint, name varchar(20), at timestamp)").await?;
    let each = options.inserts.div_ceil(options.sessions.max(1));
    let (begun, mut inserting) = (Instant::now(), JoinSet::new());
    for session in 0..options.sessions {
        let mut another = ours.another();
        inserting.spawn(async move {
            for id in session * each..(session + 1) * each {
                another.run(&insert("shared", id)).await?;
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    while let Some(done) = inserting.join_next().await {
        done??;
    }
    let took = begun.elapsed();
    let all = options.sessions * each;
    let found = compare::rows(&ours.run("SELECT count(*), count(DISTINCT id) FROM shared").await?)?;
    ensure!(found == [[all.to_string(), all.to_string()]], "rows were lost or doubled: {found:?}");
    Ok(f64::from(all) / took.as_secs_f64())
}

/// An INSERT of one row.
fn insert(table: &str, id: u32) -> String {
    format!("INSERT INTO {table} VALUES ({id}, 'name {id}', '2024-01-01 00:00:00')")
}

fn rows(count: u64) -> String {
    format!("{ROWS}{count}) AS numbers(value)")
}

/// The medians, in milliseconds, of the load and the statements in DuckDB's own table on disk.
fn duckdb(python: &Path, options: &Options, folder: &Path) -> Result<Vec<f64>> {
    let statements: Vec<String> = STATEMENTS.iter().map(|(_, statement)| format!("{statement:?}")).collect();
    let program = format!(
        "import duckdb, time, statistics\n\
         c = duckdb.connect({file:?}, config={{'threads': {threads}}})\n\
         c.execute('SET enable_progress_bar = false')\n\
         def timed(s):\n    b = time.perf_counter(); c.execute(s).fetchall(); return (time.perf_counter() - b) * 1e3\n\
         c.execute('CREATE TABLE big (id bigint, quantity int, price double precision, note varchar(64))')\n\
         print(timed({load:?}))\n\
         for s in [{statements}]: print(statistics.median(timed(s) for _ in range({runs})))\n",
        file = folder.join("peer.duckdb").display().to_string(),
        threads = side::cores(),
        load = format!("INSERT INTO big {}", rows(options.rows)),
        statements = statements.join(", "),
        runs = options.runs,
    );
    let output = Command::new(python).args(["-c", &program]).output().context("could not start the Python")?;
    ensure!(output.status.success(), "DuckDB failed: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| line.trim().parse().context("DuckDB printed no time")).collect()
}

//! Clients at once through the wire: each asks a mix of look-ups, short questions, reports and inserts over TPC-H's tables,
//! for some seconds; how many of each were answered, and how long they took. Beside PostgreSQL where it is installed.

use crate::numbers::mixed;
use crate::report::{self, Line, Report, Side};
use crate::run::OutputOptions;
use crate::server::Server;
use crate::suite::Table;
use crate::target::{Kind, Programs, Used, Wire};
use crate::{compare, side, tpch};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct ConcurrencyOptions {
    /// Scale factor of TPC-H
    #[arg(long, default_value_t = 0.1)]
    scale: f64,
    /// How many clients there are at once, in turn
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16])]
    clients: Vec<usize>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What it is compared with: postgres
    #[arg(long, value_enum, value_delimiter = ',')]
    against: Vec<Kind>,
    /// Threads of each server; the cores by default
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Eq for ConcurrencyOptions {}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A customer by its key, prepared.
    Lookup,
    /// A sum over the orders of a week.
    Short,
    /// TPC-H's query 6 over a year: a scan of the largest table.
    Report,
    /// One row more, committed.
    Insert,
}

const WORKS: [(Work, &str); 4] =
    [(Work::Lookup, "look-up"), (Work::Short, "short"), (Work::Report, "report"), (Work::Insert, "insert")];

/// Kept of a line's times: enough for any percentile.
const SAMPLES: usize = 1_000;

impl Work {
    /// Of a hundred, sixty look-ups, twenty short questions, ten reports and ten inserts.
    fn drawn(hash: u64) -> Self {
        match hash % 100 {
            0..60 => Self::Lookup,
            60..80 => Self::Short,
            80..90 => Self::Report,
            _ => Self::Insert,
        }
    }
}

/// Runs it.
pub async fn run(options: &ConcurrencyOptions, cache: &Path) -> Result<()> {
    ensure!(options.against.iter().all(|kind| *kind == Kind::Postgres), "only postgres has clients at once, too");
    ensure!(
        options.clients.iter().all(|clients| *clients > 0) && options.seconds > 0,
        "there has to be a client, for a time"
    );
    let before = options.output.before()?;
    let threads = options.threads.unwrap_or_else(side::cores);
    let data = tpch::folder(options.scale, cache).await?;
    let homes = tempfile::Builder::new().prefix(".running-").tempdir_in(cache)?;
    let mut sides = Vec::new();
    for kind in std::iter::once(Kind::Wire).chain(options.against.iter().copied()) {
        if let Some(missing) = kind.missing(&Programs::new(Path::new("python3"), &[])) {
            report::print(&format!("SKIPPED: {}: {missing}", kind.name()));
            continue;
        }
        sides.push(prepare(kind, homes.path(), &data, threads).await?);
    }
    let mut lines = Vec::new();
    let mut text = format!("{:<28} {:>12} {:>10} {:>10} {:>10}\n", "", "per second", "p50 ms", "p95 ms", "p99 ms");
    for clients in &options.clients {
        let mut by_work: Vec<Line> =
            WORKS.iter().map(|(_, name)| Line::new(format!("{name} x{clients}"), sides.len())).collect();
        for (at, side) in sides.iter().enumerate() {
            let cpu = Used::of_server(side.server.process()).cpu_seconds;
            let times = measure(&side.server.connection, *clients, options, &side.keys).await?;
            let cpu = Used::of_server(side.server.process()).cpu_seconds - cpu;
            for ((work, name), line) in WORKS.iter().zip(&mut by_work) {
                let mut of_work: Vec<f64> = times.iter().filter(|(of, _)| of == work).map(|(_, ms)| *ms).collect();
                of_work.sort_by(f64::total_cmp);
                let label = format!("{} {name} x{clients}", side.kind.name());
                let per_second = of_work.len() as f64 / options.seconds as f64;
                let [p50, p95, p99] = [50, 95, 99].map(|part| percentile(&of_work, part));
                writeln!(text, "{label:<28} {per_second:>12.1} {p50:>10.2} {p95:>10.2} {p99:>10.2}")?;
                line.times_ms[at] = sampled(&of_work);
            }
            let label = format!("{} all x{clients}", side.kind.name());
            let per_second = times.len() as f64 / options.seconds as f64;
            writeln!(text, "{label:<28} {per_second:>12.1} {:>21} {cpu:.1} s", "CPU")?;
        }
        lines.extend(by_work);
    }
    report::print(&text);
    let described = sides.iter().map(|side| Side {
        name: side.kind.name().to_owned(),
        version: side.version.clone(),
        load_ms: Some(side.load.as_secs_f64() * 1e3),
        peak_memory_bytes: Some(Used::of_server(side.server.process()).peak_memory_bytes).filter(|bytes| *bytes > 0),
        cpu_seconds: Some(Used::of_server(side.server.process()).cpu_seconds),
    });
    let title = format!(
        "clients at once, TPC-H at scale {}, {threads} threads, {} s each, medians",
        options.scale, options.seconds
    );
    let report = Report { title, sides: described.collect(), lines };
    options.output.write(&report, before.as_ref())
}

/// A server with its tables.
struct Prepared {
    kind: Kind,
    server: Server,
    version: String,
    load: Duration,
    /// Keys of customers.
    keys: Arc<Vec<i64>>,
}

async fn prepare(kind: Kind, homes: &Path, data: &Path, threads: usize) -> Result<Prepared> {
    let server = if kind == Kind::Postgres {
        Server::postgres(threads)?
    } else {
        let home: PathBuf = homes.join(kind.name());
        std::fs::create_dir_all(&home)?;
        let program = std::env::current_exe()?.with_file_name("millrace");
        Server::millrace(&program, &home.join("warehouse"), threads)?
    };
    let wire = Wire::connect(kind, &server.connection, server.process()).await?;
    let begin = Instant::now();
    let tables: Vec<Table> = tpch::tables();
    for statement in kind.setup(&tables, data) {
        wire.run(&statement).await.with_context(|| statement.sql.clone())?;
    }
    let load = begin.elapsed();
    let client = connect(&server.connection).await?;
    client.batch_execute("CREATE TABLE notes (id bigint, client int, note varchar(40))").await?;
    let rows = client.query("SELECT c_custkey FROM customer ORDER BY 1", &[]).await?;
    let keys = rows.iter().map(|row| row.get::<_, i64>(0)).collect();
    Ok(Prepared { kind, version: wire.version, server, load, keys: Arc::new(keys) })
}

async fn connect(connection: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(connection, NoTls).await?;
    // It ends with its client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// The times in milliseconds of all that so many clients did.
async fn measure(
    connection: &str,
    clients: usize,
    options: &ConcurrencyOptions,
    keys: &Arc<Vec<i64>>,
) -> Result<Vec<(Work, f64)>> {
    let counted = connect(connection).await?;
    let count = async || -> Result<i64> { Ok(counted.query_one("SELECT count(*) FROM notes", &[]).await?.get(0)) };
    let before = count().await?;
    let mut tasks = JoinSet::new();
    let length = Duration::from_secs(options.seconds);
    for number in 0..clients {
        let (client, keys) = (connect(connection).await?, Arc::clone(keys));
        tasks.spawn(async move {
            let lookup = client.prepare("SELECT c_name, c_acctbal FROM customer WHERE c_custkey = $1").await?;
            ask(&client, &lookup, &keys, number as u64, length).await
        });
    }
    let mut times = Vec::new();
    while let Some(asked) = tasks.join_next().await {
        times.extend(asked??);
    }
    let inserted = times.iter().filter(|(work, _)| *work == Work::Insert).count();
    ensure!(count().await? - before == inserted as i64, "rows were lost or made: {inserted} were inserted");
    Ok(times)
}

/// What one client does until its time is over; every client does other things, and the same in every run.
async fn ask(
    client: &Client,
    lookup: &Statement,
    keys: &[i64],
    number: u64,
    length: Duration,
) -> Result<Vec<(Work, f64)>> {
    let (mut times, end) = (Vec::new(), Instant::now() + length);
    let mut turn = 0;
    while Instant::now() < end {
        let hash = mixed((number << 40) | turn);
        let work = Work::drawn(hash);
        let value = mixed(hash);
        let begin = Instant::now();
        match work {
            Work::Lookup => {
                let key = keys[value as usize % keys.len()];
                let row = client.query_one(lookup, &[&key]).await?;
                let name: &str = row.get(0);
                ensure!(compare::number_in(name) == key as u64, "another customer came: {name} of {key}");
            }
            Work::Short => drop(client.simple_query(&short(value)).await?),
            Work::Report => drop(client.simple_query(&yearly(value)).await?),
            Work::Insert => {
                let insert = format!("INSERT INTO notes VALUES ({turn}, {number}, 'a note of client {number}')");
                client.batch_execute(&insert).await?;
            }
        }
        times.push((work, begin.elapsed().as_secs_f64() * 1e3));
        turn += 1;
    }
    Ok(times)
}

fn short(value: u64) -> String {
    let (year, month, day) = (1992 + value % 6, 1 + value / 7 % 12, 1 + value / 101 % 21);
    format!(
        "SELECT count(*), sum(o_totalprice) FROM orders WHERE o_orderdate >= date '{year}-{month:02}-{day:02}' \
         AND o_orderdate < date '{year}-{month:02}-{:02}'",
        day + 7
    )
}

fn yearly(value: u64) -> String {
    let year = 1993 + value % 5;
    format!(
        "SELECT sum(l_extendedprice * l_discount) FROM lineitem WHERE l_shipdate >= date '{year}-01-01' \
         AND l_shipdate < date '{}-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
        year + 1
    )
}

/// A percentile of sorted times.
fn percentile(times: &[f64], percent: usize) -> f64 {
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or(0.0)
}

/// So many of sorted times that their percentiles stay.
fn sampled(times: &[f64]) -> Vec<f64> {
    if times.len() <= SAMPLES {
        return times.to_vec();
    }
    (0..SAMPLES).map(|at| times[at * (times.len() - 1) / (SAMPLES - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_stay_when_times_are_sampled() {
        let times: Vec<f64> = (0..12_345).map(f64::from).collect();
        let kept = sampled(&times);
        assert_eq!((kept.len(), kept.first(), kept.last()), (SAMPLES, times.first(), times.last()));
        for percent in [50, 95, 99] {
            let (all, some) = (percentile(&times, percent), percentile(&kept, percent));
            assert!((all - some).abs() < 15.0, "{percent}: {all} and {some}");
        }
        assert_eq!(percentile(&[], 50).total_cmp(&0.0), std::cmp::Ordering::Equal);
    }

    #[test]
    fn clients_do_all_works_in_their_parts() {
        let drawn: Vec<Work> = (0..10_000).map(|turn| Work::drawn(mixed(turn))).collect();
        for (work, expected) in
            [(Work::Lookup, 6_000), (Work::Short, 2_000), (Work::Report, 1_000), (Work::Insert, 1_000)]
        {
            let count = drawn.iter().filter(|drawn| **drawn == work).count();
            assert!(count.abs_diff(expected) < 250, "{work:?}: {count}");
        }
    }

    #[test]
    fn weeks_are_in_their_months() {
        for value in 0..5_000 {
            let text = short(mixed(value));
            let days: Vec<&str> = text.split("date '").skip(1).map(|rest| &rest[8..10]).collect();
            assert!(days.iter().all(|day| day.parse::<u8>().is_ok_and(|day| (1..=28).contains(&day))), "{text}");
        }
    }
}

//! Clients at once through the wire: each asks a mix of look-ups, short questions, reports and inserts over TPC-H's tables,
//! for some seconds; how many of each were answered within the time, and how long they took. Beside PostgreSQL where it is
//! installed.
//!
//! A second is a run: the median of what began in it. Answers of short questions and reports are not compared; a look-up
//! must find its customer, and no insert may be lost.

use crate::numbers::mixed;
use crate::report::{self, Line, Measure, Report, Side, median, percentile};
use crate::run::OutputOptions;
use crate::server::{self, SPARE_CONNECTIONS, Server};
use crate::suite::Table;
use crate::target::{Kind, Programs, Used, Wire};
use crate::{compare, side, tpch};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Statement};

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

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Asked {
    work: Work,
    /// When it began, since the clients did.
    begin: Duration,
    time: Duration,
}

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
    let most = options.clients.iter().copied().max().unwrap_or(1);
    let mut sides = Vec::new();
    for kind in std::iter::once(Kind::Wire).chain(options.against.iter().copied()) {
        if let Some(missing) = kind.missing(&Programs::new(Path::new("python3"), &[])) {
            report::print(&format!("SKIPPED: {}: {missing}", kind.name()));
            continue;
        }
        sides.push(prepare(kind, homes.path(), &data, threads, most).await?);
    }
    let mut lines = Vec::new();
    for clients in &options.clients {
        let mut all = Line::new(format!("all x{clients}"), sides.len());
        let mut by_work: Vec<Line> =
            WORKS.iter().map(|(_, name)| Line::new(format!("{name} x{clients}"), sides.len())).collect();
        for (at, side) in sides.iter_mut().enumerate() {
            let cpu = Used::of_server(side.server.process()).cpu_seconds;
            let asked = measure(&side.server.connection, *clients, options, &side.keys).await?;
            let cpu = Used::of_server(side.server.process()).cpu_seconds - cpu;
            side.cpu_seconds += cpu;
            for ((work, _), line) in WORKS.iter().zip(&mut by_work) {
                let of_work: Vec<Asked> = asked.iter().filter(|asked| asked.work == *work).copied().collect();
                note(line, at, &of_work, options.seconds);
            }
            note(&mut all, at, &asked, options.seconds);
            all.measures[at].cpu_seconds = Some(cpu / options.seconds as f64);
        }
        lines.push(all);
        lines.extend(by_work);
    }
    let described = sides.iter().map(|side| Side {
        name: side.kind.name().to_owned(),
        version: side.version.clone(),
        load_ms: Some(side.load.as_secs_f64() * 1e3),
        peak_memory_bytes: Some(Used::of_server(side.server.process()).peak_memory_bytes).filter(|bytes| *bytes > 0),
        cpu_seconds: Some(side.cpu_seconds),
    });
    let title = format!(
        "clients at once, TPC-H at scale {}, {threads} threads, medians of {} seconds",
        options.scale, options.seconds
    );
    let report = Report { title, sides: described.collect(), lines };
    options.output.write(&report, before.as_ref())
}

/// Notes what a side did in so many seconds: the median of each second, what ended within the time, and slow ones.
fn note(line: &mut Line, side: usize, asked: &[Asked], seconds: u64) {
    let ms = |asked: &Asked| asked.time.as_secs_f64() * 1e3;
    for second in 0..seconds {
        let begun: Vec<f64> = asked.iter().filter(|asked| asked.begin.as_secs() == second).map(ms).collect();
        if !begun.is_empty() {
            line.times_ms[side].push(median(&begun));
        }
    }
    let length = Duration::from_secs(seconds);
    let ended = asked.iter().filter(|asked| asked.begin + asked.time <= length).count();
    let times: Vec<f64> = asked.iter().map(ms).collect();
    let late = |percent| (!times.is_empty()).then(|| percentile(&times, percent));
    line.measures[side] = Measure {
        per_second: Some(ended as f64 / seconds as f64),
        p95_ms: late(95),
        p99_ms: late(99),
        ..Measure::default()
    };
}

/// A server with its tables.
struct Prepared {
    kind: Kind,
    server: Server,
    version: String,
    load: Duration,
    /// What its clients made it spend.
    cpu_seconds: f64,
    /// Keys of customers.
    keys: Arc<Vec<i64>>,
}

async fn prepare(kind: Kind, homes: &Path, data: &Path, threads: usize, clients: usize) -> Result<Prepared> {
    let server = if kind == Kind::Postgres {
        Server::postgres(threads, clients)?
    } else {
        let home: PathBuf = homes.join(kind.name());
        std::fs::create_dir_all(&home)?;
        let connections = ["--max-connections".to_owned(), (clients + SPARE_CONNECTIONS).to_string()];
        let slices = [format!("slices={threads}")];
        Server::millrace(&server::program(None)?, &home.join("warehouse"), &slices, &connections)?
    };
    let wire = Wire::connect(kind, &server.connection, server.process()).await?;
    let begin = Instant::now();
    let tables: Vec<Table> = tpch::tables();
    for statement in kind.setup(&tables, data) {
        wire.run(&statement).await.with_context(|| statement.sql.clone())?;
    }
    let load = begin.elapsed();
    let client = server::connect(&server.connection).await?;
    client.batch_execute("CREATE TABLE notes (id bigint, client int, note varchar(40))").await?;
    let rows = client.query("SELECT c_custkey FROM customer ORDER BY 1", &[]).await?;
    let keys = rows.iter().map(|row| row.get::<_, i64>(0)).collect();
    Ok(Prepared { kind, version: wire.version, server, load, cpu_seconds: 0.0, keys: Arc::new(keys) })
}

/// All that so many clients asked.
async fn measure(
    connection: &str,
    clients: usize,
    options: &ConcurrencyOptions,
    keys: &Arc<Vec<i64>>,
) -> Result<Vec<Asked>> {
    let counted = server::connect(connection).await?;
    let count = async || -> Result<i64> { Ok(counted.query_one("SELECT count(*) FROM notes", &[]).await?.get(0)) };
    let before = count().await?;
    let mut tasks = JoinSet::new();
    let length = Duration::from_secs(options.seconds);
    // All begin when the last one is connected.
    let ready = Arc::new(Barrier::new(clients));
    for number in 0..clients {
        let (client, keys) = (server::connect(connection).await?, Arc::clone(keys));
        let ready = Arc::clone(&ready);
        tasks.spawn(async move {
            let lookup = client.prepare("SELECT c_name, c_acctbal FROM customer WHERE c_custkey = $1").await;
            ready.wait().await;
            ask(&client, &lookup?, &keys, number as u64, length).await
        });
    }
    let mut all = Vec::new();
    while let Some(asked) = tasks.join_next().await {
        all.extend(asked??);
    }
    let inserted = all.iter().filter(|asked| asked.work == Work::Insert).count();
    ensure!(count().await? - before == inserted as i64, "rows were lost or made: {inserted} were inserted");
    Ok(all)
}

/// What one client does until its time is over; every client does other things, and the same in every run.
async fn ask(client: &Client, lookup: &Statement, keys: &[i64], number: u64, length: Duration) -> Result<Vec<Asked>> {
    let (mut all, first) = (Vec::new(), Instant::now());
    let mut turn = 0;
    while first.elapsed() < length {
        let hash = mixed((number << 40) | turn);
        let work = Work::drawn(hash);
        let value = mixed(hash);
        let begin = first.elapsed();
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
        all.push(Asked { work, begin, time: first.elapsed().saturating_sub(begin) });
        turn += 1;
    }
    Ok(all)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_run_and_what_ends_late_is_not_counted() {
        let asked = |begin_ms, ms| Asked {
            work: Work::Short,
            begin: Duration::from_millis(begin_ms),
            time: Duration::from_millis(ms),
        };
        let mut line = Line::new("short x2", 2);
        note(&mut line, 1, &[asked(0, 10), asked(500, 30), asked(990, 20), asked(2_100, 400), asked(2_900, 500)], 3);
        assert_eq!(line.times_ms, [vec![], vec![20.0, 450.0]]);
        let expected =
            Measure { per_second: Some(4.0 / 3.0), p95_ms: Some(500.0), p99_ms: Some(500.0), ..Measure::default() };
        assert_eq!(line.measures, [Measure::default(), expected]);
        // What nobody asked was measured, too.
        note(&mut line, 0, &[], 3);
        assert_eq!((line.measures[0].per_second, line.measures[0].p95_ms), (Some(0.0), None));
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

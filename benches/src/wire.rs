//! The wire: latency of small queries by 1 and 16 clients, and rows fetched in binary, beside PostgreSQL in one run.
//!
//! Both servers run already and are named by connection strings; without a peer only ours is measured. Rows are fetched twice:
//! by a client that takes each apart, which may be what takes time, and by one that only counts them.

mod counting;

use crate::report::{self, percentile_ms};
use crate::server;
use anyhow::{Context, Result, bail, ensure};
use counting::Counting;
use futures::{TryStreamExt, future};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Rows of the table that point queries read.
const POINTS: i32 = 10_000;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Connection string of a running `millrace serve`
    #[arg(long, default_value = "host=127.0.0.1 port=5439 user=admin dbname=dev")]
    millrace: String,
    /// Connection string of a PostgreSQL to compare with
    #[arg(long, value_name = "CONNECTION")]
    peer: Option<String>,
    /// Seconds of each measurement of latencies
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rows of the large fetch
    #[arg(long, default_value_t = 10_000_000)]
    rows: i32,
}

/// A query of the measurement.
#[derive(Debug, Clone, Copy)]
enum Query {
    /// `SELECT 1`, by the simple protocol.
    Simple,
    /// One row of a table by its key, prepared once.
    Point,
}

/// Runs it.
pub async fn run(options: &Options) -> Result<()> {
    let mut text = format!("{:<28} {:>12} {:>12} {:>12}\n", "", "p50 ms", "p99 ms", "per second");
    let servers = [("millrace", Some(&options.millrace)), ("peer", options.peer.as_ref())];
    for (name, place) in servers.iter().filter_map(|(name, place)| place.map(|place| (*name, place))) {
        let client = connect(place).await.with_context(|| format!("cannot connect to {name}"))?;
        prepare_tables(&client, options.rows).await?;
        for (query, label) in [(Query::Simple, "select 1"), (Query::Point, "point query")] {
            for clients in [1, 16] {
                let times = latencies(place, query, clients, Duration::from_secs(options.seconds)).await?;
                let per_second = times.len() as f64 / options.seconds.max(1) as f64;
                let label = format!("{name} {label} x{clients}");
                let (middle, late) = (percentile_ms(&times, 50), percentile_ms(&times, 99));
                writeln!(text, "{label:<28} {middle:>12.3} {late:>12.3} {per_second:>12.0}")?;
            }
        }
        let rows = Arc::new(AtomicUsize::new(0));
        let counted = counting_client(place, &rows).await?;
        for (label, client) in [("fetch", &client), ("fetch, counted", &counted)] {
            let before = rows.load(Ordering::Relaxed);
            let begin = Instant::now();
            let taken = fetch(client).await?;
            let seconds = begin.elapsed().as_secs_f64();
            let fetched = taken + rows.load(Ordering::Relaxed) - before;
            ensure!(fetched >= options.rows as usize, "{fetched} rows came");
            writeln!(text, "{:<28} {seconds:>25.1} s {:>12.0}", format!("{name} {label}"), fetched as f64 / seconds)?;
        }
    }
    report::print(&text);
    Ok(())
}

/// The rows of the large table in binary, one after another as they come; how many there were.
async fn fetch(client: &Client) -> Result<usize> {
    let rows = client.query_raw("SELECT a, b, c, d FROM wire_rows", Vec::<i32>::new()).await?;
    let rows = rows.try_fold(0, |count, _| future::ok(count + 1));
    Ok(rows.await?)
}

async fn connect(place: &str) -> Result<Client> {
    let client = server::connect(place).await?;
    // What is measured is computed; a peer that keeps no results does not know the setting.
    drop(client.simple_query("SET enable_result_cache_for_session TO off").await);
    Ok(client)
}

/// A client of the server at `place` whose rows only `rows` hears of.
async fn counting_client(place: &str, rows: &Arc<AtomicUsize>) -> Result<Client> {
    let config: Config = place.parse()?;
    let host = config.get_hosts().first().context("no host is named")?;
    let Host::Tcp(host) = host else { bail!("rows are counted over TCP") };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = config.connect_raw(Counting::new(stream, Arc::clone(rows)), NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    drop(client.simple_query("SET enable_result_cache_for_session TO off").await);
    Ok(client)
}

/// Tables with the same rows in both systems; made by doubling, which both understand.
async fn prepare_tables(client: &Client, rows: i32) -> Result<()> {
    for (table, least) in [("wire_points", POINTS), ("wire_rows", rows)] {
        client.simple_query(&format!("DROP TABLE IF EXISTS {table}")).await?;
        let columns = "(a int, b varchar(20), c decimal(12,2), d timestamp)";
        client.simple_query(&format!("CREATE TABLE {table} {columns}")).await?;
        let first = "(0, 'row', 1.25, timestamp '2024-01-01 00:00:00')";
        client.simple_query(&format!("INSERT INTO {table} VALUES {first}")).await?;
        let mut count = 1;
        while count < least {
            let double = format!("INSERT INTO {table} SELECT a + {count}, b, c, d FROM {table}");
            client.simple_query(&double).await?;
            count *= 2;
        }
    }
    Ok(())
}

/// The times of single queries that so many clients ask at once.
async fn latencies(place: &str, query: Query, clients: usize, length: Duration) -> Result<Vec<Duration>> {
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let client = connect(place).await?;
        tasks.spawn(async move { ask(&client, query, number as i32, length).await });
    }
    let mut times = Vec::new();
    while let Some(asked) = tasks.join_next().await {
        times.extend(asked??);
    }
    Ok(times)
}

async fn ask(client: &Client, query: Query, first: i32, length: Duration) -> Result<Vec<Duration>> {
    let prepared = client.prepare("SELECT b, c FROM wire_points WHERE a = $1").await?;
    let (mut times, end, mut key) = (Vec::new(), Instant::now() + length, first);
    while Instant::now() < end {
        let begin = Instant::now();
        match query {
            Query::Simple => drop(client.simple_query("SELECT 1").await?),
            Query::Point => drop(client.query_one(&prepared, &[&key]).await?),
        }
        times.push(begin.elapsed());
        key = (key + 7_919) % POINTS;
    }
    Ok(times)
}

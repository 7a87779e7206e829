//! Queues under load: clients of three queues with 5, 3 and 2 slots ask short and long queries over the wire, with short
//! query acceleration, without it, and without WLM at the same concurrency, which the clients keep to themselves.
//!
//! The loads take turns, so that the machine's noise meets all of them. Limits, waiting and fairness are read of
//! `stl_wlm_query`, every statement of the load; memory is what the server's process has. Bars stand beside the figures.

mod load;

use crate::bar::Bar;
use crate::report::{self, percentile_ms};
use crate::server::{self, SPARE_CONNECTIONS, Server};
use anyhow::{Context, Result, ensure};
use load::{Clients, Seen};
use millrace_tests::stays::{self, COLUMNS, Stay, judge, longest_fair_wait};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, SimpleQueryMessage};

/// A queue of the configuration.
struct Queue {
    group: &'static str,
    slots: usize,
    class: i32,
}

const QUEUES: [Queue; 3] = [
    Queue { group: "five", slots: 5, class: 6 },
    Queue { group: "three", slots: 3, class: 7 },
    Queue { group: "two", slots: 2, class: 8 },
];
/// The service class of short queries, and their slots.
const SHORT_QUEUE: (i32, usize) = (14, 4);

/// A few thousand groups of all rows.
const LONG: &str = "SELECT count(*), max(total) FROM (SELECT who, what % 40 AS kind, sum(amount) AS total, \
                    count(DISTINCT what) AS things FROM facts GROUP BY 1, 2)";
/// One of a thousand.
const SHORT: &str = "SELECT name FROM people WHERE who = {}";

/// The least part of the throughput without WLM.
const LEAST_THROUGHPUT: f64 = 0.95;
/// The most of the time without acceleration that short queries take with it.
const MOST_OF_SHORT: f64 = 0.2;
/// The longest turn of a load.
const TURN: u64 = 100;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The program; by default the `millrace` beside this one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Seconds of each of the three loads
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Clients of all queues together
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Rows of the table that long queries read: so many that a query of it takes longer than what counts as short
    #[arg(long, default_value_t = 20_000_000)]
    rows: u64,
    /// The server's memory for statements, in megabytes
    #[arg(long, default_value_t = 1024)]
    memory_mb: u64,
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Accelerated,
    Queued,
    WithoutWlm,
}

const LOADS: [Load; 3] = [Load::Accelerated, Load::Queued, Load::WithoutWlm];

/// What was found of a load.
#[derive(Default)]
struct Found {
    seen: Seen,
    /// By queue, that of short queries last.
    stays: [Vec<stays::Found>; QUEUES.len() + 1],
}

/// Runs it.
pub async fn run(options: &Options) -> Result<()> {
    let binary = server::program(options.binary.as_deref())?;
    let warehouse = tempfile::tempdir()?;
    let settings = [format!("memory_limit_mb={}", options.memory_mb)];
    let connections = ["--max-connections".to_owned(), (options.clients + SPARE_CONNECTIONS).to_string()];
    let server = Server::millrace(&binary, warehouse.path(), &settings, &connections)?;
    let admin = server::connect(&server.connection).await?;
    prepare(&admin, options.rows).await?;
    let alone = (time(&admin, &SHORT.replace("{}", "7")).await?, time(&admin, LONG).await?);
    let mut clients = Clients::connect(&server, options.clients).await?;
    let turns = options.seconds.div_ceil(TURN).max(1);
    let length = Duration::from_secs_f64(options.seconds as f64 / turns as f64);
    let mut found: [Found; LOADS.len()] = Default::default();
    for _ in 0..turns {
        for (load, found) in LOADS.iter().zip(&mut found) {
            configure(&admin, *load).await?;
            let first = last_statement(&admin).await?;
            found.seen.add(clients.ask(&server, length, *load == Load::WithoutWlm).await?);
            for (at, own) in found.stays.iter_mut().enumerate() {
                own.push(judge(&stays(&admin, class(at), first).await?));
            }
        }
    }
    let (text, missed) = told_of(options, &clients, alone, &found)?;
    report::print(&text);
    ensure!(missed == 0, "{missed} bars are missed");
    Ok(())
}

/// The service class of a queue, that of short queries last.
fn class(at: usize) -> i32 {
    QUEUES.get(at).map_or(SHORT_QUEUE.0, |queue| queue.class)
}

/// The tables that are read.
async fn prepare(client: &Client, rows: u64) -> Result<()> {
    client.simple_query("CREATE TABLE people (who int, name varchar(20)) DISTSTYLE ALL SORTKEY (who)").await?;
    client.simple_query("CREATE TABLE facts (who int, what int, amount decimal(12,2)) DISTKEY (who)").await?;
    let people = "INSERT INTO people SELECT value, 'name ' || value FROM generate_series(0, 999) AS g (value)";
    client.simple_query(people).await?;
    let facts = format!(
        "INSERT INTO facts SELECT value % 1000, value % 977, (value % 10007)::decimal(12,2) FROM generate_series(1, {rows}) AS g (value)"
    );
    client.simple_query(&facts).await?;
    client.simple_query("ANALYZE").await?;
    Ok(())
}

/// How long a query takes alone, the second time.
async fn time(client: &Client, text: &str) -> Result<Duration> {
    client.simple_query(text).await?;
    let begin = Instant::now();
    client.simple_query(text).await?;
    Ok(begin.elapsed())
}

async fn configure(client: &Client, load: Load) -> Result<()> {
    if load == Load::WithoutWlm {
        client.simple_query("ALTER SYSTEM RESET wlm_json_configuration").await?;
        return Ok(());
    }
    let queue = |(at, queue): (usize, &Queue)| {
        // The last one is the default one, and takes who matches no other.
        let group =
            if at + 1 < QUEUES.len() { format!("\"query_group\":[\"{}\"],", queue.group) } else { String::new() };
        format!("{{{group}\"query_concurrency\":{},\"memory_percent_to_use\":{}}}", queue.slots, queue.slots * 10)
    };
    let mut queues: Vec<String> = QUEUES.iter().enumerate().map(queue).collect();
    if load == Load::Accelerated {
        queues.push("{\"short_query_queue\":true,\"max_execution_time\":1000}".to_owned());
    }
    let text = format!("ALTER SYSTEM SET wlm_json_configuration = '[{}]'", queues.join(","));
    client.simple_query(&text).await?;
    Ok(())
}

/// The first column of the first row, a number.
async fn number(client: &Client, text: &str) -> Result<i64> {
    let rows = client.simple_query(text).await?;
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.and_then(|value| value.parse().ok()).with_context(|| format!("no number came of {text}"))
}

async fn last_statement(client: &Client) -> Result<i64> {
    number(client, "SELECT coalesce(max(query), 0) FROM stl_query").await
}

/// The stays in a queue of statements after one.
async fn stays(client: &Client, class: i32, after: i64) -> Result<Vec<Stay>> {
    let text = format!(
        "SELECT {COLUMNS} FROM stl_wlm_query WHERE service_class = {class} AND query > {after} AND exec_start_time IS NOT NULL"
    );
    let mut stays = Vec::new();
    for message in client.simple_query(&text).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let at = |at: usize| row.get(at).and_then(|value| value.parse().ok()).context("a time of stl_wlm_query");
        stays.push(Stay { queued: at(0)?, begun: at(1)?, ended: at(2)? });
    }
    Ok(stays)
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

/// The report, and how many bars are missed.
fn told_of(
    options: &Options,
    clients: &Clients,
    alone: (Duration, Duration),
    found: &[Found; LOADS.len()],
) -> Result<(String, usize)> {
    let mut text = format!(
        "{} clients, {} s of each load; alone a short query takes {:.1} ms, a long one {:.0} ms\n",
        options.clients,
        options.seconds,
        alone.0.as_secs_f64() * 1e3,
        alone.1.as_secs_f64() * 1e3
    );
    writeln!(
        text,
        "{:<18} {:>10} {:>12} {:>12} {:>12} {:>7}",
        "", "per second", "short p50 ms", "short p95 ms", "long p95 ms", "errors"
    )?;
    for (load, found) in LOADS.iter().zip(found) {
        let seen = &found.seen;
        writeln!(
            text,
            "{:<18} {:>10.2} {:>12.1} {:>12.1} {:>12.1} {:>7}",
            match load {
                Load::Accelerated => "with SQA",
                Load::Queued => "without SQA",
                Load::WithoutWlm => "without WLM",
            },
            seen.throughput(),
            percentile_ms(&seen.short, 50),
            percentile_ms(&seen.short, 95),
            percentile_ms(&seen.long, 95),
            seen.errors.len()
        )?;
        if let Some(error) = seen.errors.first() {
            writeln!(text, "  the first error: {error}")?;
        }
    }
    let mut bars = Vec::new();
    for (load, name) in [(0, "with SQA"), (1, "without SQA")] {
        let Found { seen, stays } = &found[load];
        for (at, turns) in stays.iter().enumerate().filter(|(_, turns)| turns.iter().any(|found| found.statements > 0))
        {
            let (own, slots) =
                QUEUES.get(at).map_or((options.clients, SHORT_QUEUE.1), |queue| (clients.of(at), queue.slots));
            let most = |of: fn(&stays::Found) -> i64| turns.iter().map(of).max().unwrap_or(0);
            let statements: usize = turns.iter().map(|found| found.statements).sum();
            let looked = seen.at_once.get(at).copied().unwrap_or(0);
            let at_once = most(|found| found.at_once as i64).max(looked);
            let queue = format!("{name}, class {}", class(at));
            bars.push(Bar::at_most(format!("{queue}: at once, of {statements}"), at_once as f64, slots as f64));
            let (wait, run) = (most(|found| found.longest_wait), most(|found| found.longest_run));
            let fair = longest_fair_wait(own, slots, run);
            bars.push(Bar::at_most(format!("{queue}: oldest wait, s"), seconds(wait), seconds(fair)));
            let passed = most(|found| found.passed_by as i64);
            // Who was given a slot is written down when it runs, which is later by chance.
            bars.push(Bar::at_most(format!("{queue}: passed by"), passed as f64, (2 * slots) as f64));
        }
    }
    let [accelerated, queued, without] = found;
    let ratio = percentile_ms(&accelerated.seen.short, 95) / percentile_ms(&queued.seen.short, 95).max(1e-9);
    bars.push(Bar::at_most("short p95 with SQA, of that without", ratio, MOST_OF_SHORT));
    let kept = queued.seen.throughput() / without.seen.throughput().max(1e-9);
    bars.push(Bar::at_least("throughput, of that without WLM", kept, LEAST_THROUGHPUT));
    let memory = found.iter().map(|found| found.seen.memory_bytes >> 20).max().unwrap_or(0);
    bars.push(Bar::at_most("the server's memory, MB", memory as f64, options.memory_mb as f64));
    let errors: usize = found.iter().map(|found| found.seen.errors.len()).sum();
    bars.push(Bar::at_most("errors", errors as f64, 0.0));
    for bar in &bars {
        writeln!(text, "{}", bar.line())?;
    }
    Ok((text, bars.iter().filter(|bar| !bar.is_met()).count()))
}

//! What the journal costs: the same short query again and again by one session, with the journal and without it in turns,
//! in one process. The bar is of the query itself, until its last row; beside it stands the time until its records are
//! in the file, too, and the CPU time of both.

use crate::bar::Bar;
use crate::report::{self, median};
use crate::side::failed;
use crate::target::Used;
use anyhow::{Result, ensure};
use futures::TryStreamExt;
use millrace_engine::sql::ParsedStatement;
use millrace_engine::{Error, Session, Warehouse, WarehouseConfig};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Rows of the table; a query of one of them takes about a millisecond.
const ROWS: i32 = 10_000;
/// The most of a query's time without the journal that it takes with it.
const BAR: f64 = 1.02;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Turns with the journal, and as many without
    #[arg(long, default_value_t = 30)]
    turns: usize,
    /// Queries of a turn
    #[arg(long, default_value_t = 500)]
    queries: usize,
}

/// The seconds and the CPU seconds of a query, by turn.
#[derive(Debug, Default)]
struct Side {
    /// Until the query's last row.
    query: Vec<f64>,
    /// Until its records are in the file, too.
    written: Vec<f64>,
    cpu: Vec<f64>,
}

/// Runs it.
pub async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = WarehouseConfig::new(folder.path());
    config.result_cache_bytes = 0;
    let warehouse = Warehouse::open(config).await.map_err(|error| failed(&error))?;
    let mut session = Session::new(warehouse.clone());
    let table = format!(
        "CREATE TABLE points (a int, b varchar(20), c decimal(12,2)) SORTKEY (a); \
         INSERT INTO points SELECT value, 'row ' || value, value FROM generate_series(1, {ROWS}) AS g (value); ANALYZE points"
    );
    for statement in parse(&session, &table)? {
        ask(&mut session, &statement).await?;
    }
    let Some(query) = parse(&session, "SELECT b, c FROM points WHERE a = 4711")?.pop() else {
        anyhow::bail!("there is no query");
    };
    let (mut on, mut off) = (Side::default(), Side::default());
    // The first turns are not counted: everything is cold.
    for turn in 0..=options.turns {
        for (records, side) in [(true, &mut on), (false, &mut off)] {
            warehouse.journal().set_recording(records);
            let (begin, cpu) = (Instant::now(), Used::of_this_process().cpu_seconds);
            for _ in 0..options.queries {
                ask(&mut session, &query).await?;
            }
            let asked = begin.elapsed();
            warehouse.journal().flush().await;
            if turn > 0 {
                let of_one = |time: Duration| time.as_secs_f64() / options.queries as f64;
                side.query.push(of_one(asked));
                side.written.push(of_one(begin.elapsed()));
                side.cpu.push((Used::of_this_process().cpu_seconds - cpu) / options.queries as f64);
            }
        }
    }
    ensure!(warehouse.journal().lost() == 0, "{} records were lost", warehouse.journal().lost());
    let mut text = format!("a query of one row, {} turns of {} queries, medians\n", options.turns, options.queries);
    writeln!(text, "{:<28} {:>12} {:>12} {:>8}", "", "with ms", "without ms", "ratio")?;
    let mut ratio = 0.0;
    for (name, with, without) in [
        ("the query", &on.query, &off.query),
        ("its records in the file, too", &on.written, &off.written),
        ("CPU of all threads", &on.cpu, &off.cpu),
    ] {
        // Each turn beside the one that followed it, so that the machine's noise meets both.
        let ratios: Vec<f64> = with.iter().zip(without).map(|(with, without)| with / without.max(1e-9)).collect();
        let (with, without) = (median(with) * 1e3, median(without) * 1e3);
        writeln!(text, "{name:<28} {with:>12.4} {without:>12.4} {:>8.4}", median(&ratios))?;
        if ratio == 0.0 {
            ratio = median(&ratios);
        }
    }
    writeln!(text, "{}", Bar::at_most("the query, of its time without the journal", ratio, BAR).line())?;
    report::print(&text);
    Ok(())
}

fn parse(session: &Session, text: &str) -> Result<Vec<ParsedStatement>> {
    session.parse(text).map_err(|error| failed(&error))
}

async fn ask(session: &mut Session, statement: &ParsedStatement) -> Result<()> {
    let result = session.execute(statement).await.map_err(|error| failed(&error))?;
    if let Some(mut rows) = result.rows {
        while rows.try_next().await.map_err(|error| failed(&Error::from(error)))?.is_some() {}
    }
    Ok(())
}

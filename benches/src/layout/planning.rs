//! How long a join of ten tables takes to plan, as `EXPLAIN` tells it: names, statistics, the order of the joins, operators. The
//! tables are small, their joins a chain, a star and all with all.

use super::{Bar, Found, Part, Place};
use crate::compare::{self, Row};
use crate::report::{Line, Report, Side, median};
use crate::side::Ours;
use anyhow::{Context, Result};
use std::time::Duration;

/// The most milliseconds.
const MOST_MS: f64 = 5.0;
/// Rows of each table; each join gives as many.
const ROWS: usize = 1_000;

/// The statements that make the tables: `t0` has a key for each of nine others, `t1` to `t10` two columns.
fn tables() -> Vec<String> {
    let keys = (1..10).map(|n| format!("k{n} int")).collect::<Vec<_>>().join(", ");
    let values = (1..10).map(|n| format!("value AS k{n}")).collect::<Vec<_>>().join(", ");
    let rows = format!("FROM generate_series(1, {ROWS}) AS g (value)");
    let star = [format!("CREATE TABLE t0 ({keys})"), format!("INSERT INTO t0 SELECT {values} {rows}")];
    let others = (1..=10).flat_map(|n| {
        [format!("CREATE TABLE t{n} (a int, b int)"), format!("INSERT INTO t{n} SELECT value AS a, value AS b {rows}")]
    });
    star.into_iter().chain(others).collect()
}

/// The queries, by the form of their joins.
fn queries() -> [(&'static str, String); 3] {
    let query = |tables: std::ops::Range<usize>, condition: &dyn Fn(usize) -> String| {
        let from = tables.clone().map(|n| format!("t{n}")).collect::<Vec<_>>().join(", ");
        let conditions = tables.skip(1).map(condition).collect::<Vec<_>>().join(" AND ");
        format!("SELECT count(*) FROM {from} WHERE {conditions}")
    };
    [
        ("chain", query(1..11, &|n| format!("t{}.b = t{n}.a", n - 1))),
        ("star", query(0..10, &|n| format!("t0.k{n} = t{n}.a"))),
        ("all with all", query(1..11, &|n| format!("t1.a = t{n}.a"))),
    ]
}

/// How long planning took, of an explained plan.
fn planning_time(plan: &[Row]) -> Option<Duration> {
    let told = plan.iter().flatten().find_map(|line| line.strip_prefix("Planning time: "))?;
    let milliseconds: f64 = told.strip_suffix(" ms")?.parse().ok()?;
    Some(Duration::from_secs_f64(milliseconds / 1e3))
}

/// Measures them.
pub(super) async fn measure(place: &Place<'_>) -> Result<Found> {
    let times = place.options.queries;
    let mut ours = Ours::new(place.threads).await?;
    for statement in tables() {
        ours.run(&statement).await.with_context(|| statement.clone())?;
    }
    let (mut lines, mut bars, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text) in queries() {
        let answer = compare::rows(&ours.run(&text).await.with_context(|| text.clone())?)?;
        if answer.concat() != [ROWS.to_string()] {
            wrong.push(format!("{name}: {answer:?} instead of {ROWS}"));
        }
        let mut line = Line::new(name, 1);
        for _ in 0..times {
            let plan = compare::rows(&ours.run(&format!("EXPLAIN (FORMAT DATAFUSION) {text}")).await?)?;
            line.push(0, planning_time(&plan).with_context(|| format!("no time is told of {text}"))?);
        }
        bars.push(Bar::at_most(format!("{name}: median, ms"), median(&line.times_ms[0]), MOST_MS));
        lines.push(line);
    }
    let title = format!("planning joins of ten tables, {times} times each, {} threads", place.threads);
    let report = Report { title, sides: vec![Side::named("planning")], lines };
    Ok(Found { part: Part::Planning, report, bars, notes: Vec::new(), wrong })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn ten_tables_are_joined_and_the_time_is_told() -> Result<()> {
        let mut ours = Ours::new(2).await?;
        for statement in tables() {
            ours.run(&statement).await?;
        }
        for (name, text) in queries() {
            assert_eq!(compare::rows(&ours.run(&text).await?)?, [[ROWS.to_string()]], "{name}");
            let plan = compare::rows(&ours.run(&format!("EXPLAIN (FORMAT DATAFUSION) {text}")).await?)?;
            let scans =
                plan.iter().flatten().filter(|line| line.trim_start().starts_with("Seq Scan default.t")).count();
            assert_eq!(scans, 10, "{name}: {plan:?}");
            // Each of the nine joins is one that the optimizer ordered.
            let joins = plan.iter().flatten().filter(|line| line.contains("(estimated rows=")).count();
            assert_eq!(joins, 9, "{name}: {plan:?}");
            assert!(planning_time(&plan).is_some_and(|time| !time.is_zero()), "{name}: {plan:?}");
        }
        Ok(())
    }
}

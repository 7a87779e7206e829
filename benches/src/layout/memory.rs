//! Statements that need more memory than they may have: TPC-H's queries, a sort, groupings and a join of all of lineitem, each
//! under a limit and without one, each in a process of its own; answers compared, what went to the disk as the journal counts
//! it. What fails is told, and the others are run.

use super::{Bar, Found, Part, Place, Run};
use crate::compare::{self, Digits, Row};
use crate::progress::Progress;
use crate::report::{Line, Report, Side};
use crate::target::{Kind, Programs, Request, Target};
use crate::tpch;
use anyhow::{Context, Result};
use std::path::Path;

/// Large ones: the name, the text, and the columns that its rows come in the order of.
const LARGE: [(&str, &str, &[usize]); 4] = [
    ("sort", "SELECT * FROM lineitem ORDER BY l_extendedprice", &[5]),
    (
        "group by order",
        "SELECT l_orderkey, count(*), sum(l_quantity), max(l_comment) FROM lineitem GROUP BY l_orderkey",
        &[],
    ),
    (
        "group by part",
        "SELECT l_partkey, l_suppkey, count(*), sum(l_extendedprice), min(l_shipdate) FROM lineitem GROUP BY l_partkey, l_suppkey",
        &[],
    ),
    (
        "join",
        "SELECT count(*), sum(a.l_quantity), max(b.l_comment) FROM lineitem a JOIN lineitem b ON a.l_orderkey = b.l_orderkey",
        &[],
    ),
];

/// What the session's statement before wrote to temporary files, in megabytes.
const SPILLED: &str =
    "SELECT query_temp_blocks_to_disk FROM svl_query_metrics_summary WHERE query = pg_last_query_id()";

/// How many bytes journals count as one.
const MEGABYTE: u64 = 1 << 20;

/// Measures them.
pub(super) fn measure(place: &Place<'_>) -> Result<Found> {
    let home = place.tables()?;
    let limit = place.options.memory_limit_mb;
    let setting = format!("memory_limit_mb={limit}");
    let mut limited = place.side.to_vec();
    limited.extend(["--set", &setting]);
    // The first one is compared with the second.
    let programs = [Programs::new(&place.options.python, &limited), place.programs()];
    let mut sides = [Side::named(&format!("{limit} MB")), Side::named("no limit")];
    let mut queries = Vec::new();
    for number in 1..=22 {
        queries.push((format!("Q{number}"), Request::asking(tpch::text(number)?.to_owned())));
    }
    queries.extend(
        LARGE.iter().map(|(name, text, ordered)| ((*name).to_owned(), Request::digesting((*text).to_owned(), ordered))),
    );
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    let progress = Progress::new("queries", queries.len() * place.options.runs);
    for (name, request) in queries {
        let mut line = Line::new(name, sides.len());
        let mut answers: [Option<Vec<Row>>; 2] = [None, None];
        for _ in 0..place.options.runs {
            progress.step(&line.name);
            // Without a limit first: what it leaves in the system's cache of files is the limited one's gain, not its loss.
            for at in [1, 0] {
                if line.problems[at].is_some() {
                    continue;
                }
                match ask(&programs[at], &home, &request, place) {
                    Ok(asked) => {
                        asked.run.note(&mut line, &mut sides[at], (at, place.options.runs));
                        let measure = &mut line.measures[at];
                        measure.spilled_bytes = measure.spilled_bytes.max(asked.spilled_bytes);
                        answers[at].get_or_insert(asked.rows);
                    }
                    Err(error) => line.problems[at] = Some(format!("{error:#}")),
                }
            }
        }
        if let [Some(ours), Some(theirs)] = &answers {
            line.answer_rows = Some(rows_of(&request, ours));
            wrong.extend(compare::same(ours, theirs, Digits::Same, &line.name).err().map(|error| error.to_string()));
        }
        for (_, times) in line.problems.iter().zip(&mut line.times_ms).filter(|(problem, _)| problem.is_some()) {
            times.clear();
        }
        lines.push(line);
    }
    drop(progress);
    let failed = |at: usize| lines.iter().filter(|line| line.problems[at].is_some()).count();
    let spilled = |at: usize| lines.iter().filter(|line| line.measures[at].spilled_bytes.unwrap_or(0) > 0).count();
    let bars = vec![
        Bar::at_most("queries that failed under the limit", failed(0) as f64, 0.0),
        Bar::at_most("answers that differ", wrong.len() as f64, 0.0),
    ];
    let notes = vec![format!("{} queries spilled under the limit, {} without", spilled(0), spilled(1))];
    let title = format!(
        "TPC-H's tables, scale {}, lineitem sorted by {}, {} threads, median of {} runs, a process each",
        place.options.scale,
        place.key(),
        place.threads,
        place.options.runs
    );
    Ok(Found { part: Part::Memory, report: Report { title, sides: sides.into(), lines }, bars, notes, wrong })
}

/// How many rows a query gave.
fn rows_of(request: &Request, answer: &[Row]) -> usize {
    let digested = || answer.first()?.first()?.parse().ok();
    request.digest.as_ref().and_then(|_| digested()).unwrap_or(answer.len())
}

/// What became of a query.
struct Asked {
    run: Run,
    rows: Vec<Row>,
    spilled_bytes: Option<u64>,
}

/// Runs a query in a process of its own.
fn ask(programs: &Programs, home: &Path, request: &Request, place: &Place<'_>) -> Result<Asked> {
    let mut target = Target::start(Kind::Managed, programs, home, place.threads, None)?;
    let outcome = target.run(request, Some(place.limit()))?;
    let run = Run::of(&target, outcome.time);
    let spilled = target.run(&Request::asking(SPILLED.to_owned()), None).context("what was spilled")?;
    let spilled = spilled.rows.first().and_then(|row| row.first()?.parse::<u64>().ok());
    Ok(Asked { run, rows: outcome.rows, spilled_bytes: spilled.map(|megabytes| megabytes * MEGABYTE) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::{self, Ours};
    use arrow::record_batch::RecordBatch;
    use datafusion::prelude::ParquetReadOptions;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn large_queries_are_told_whole() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let data = tpch::folder(0.002, folder.path()).await?;
        let settings = ["memory_limit_mb=64".to_owned()];
        let mut ours = Ours::open_with(&folder.path().join("warehouse"), 2, &settings).await?;
        ours.load(Kind::Managed, &[tpch::lineitem()], &data).await?;
        let plain = side::plain(2);
        let files = data.join("lineitem").display().to_string();
        plain.register_parquet("lineitem", files, ParquetReadOptions::default()).await?;
        for (name, text, ordered) in LARGE {
            let request = Request::digesting(text.to_owned(), ordered);
            let answer = [ours.digest(text, ordered).await?.row()];
            let expected: usize = side::run_plain(&plain, text).await?.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(rows_of(&request, &answer), expected, "{name}");
            let spilled = compare::rows(&ours.run(SPILLED).await?)?;
            assert!(matches!(&spilled[..], [row] if row[0].parse::<u64>().is_ok()), "{name}: {spilled:?}");
        }
        Ok(())
    }
}

//! Bulk inserts: CTAS of lineitem from Parquet files into a table that is distributed and sorted, beside DuckDB's CTAS of the
//! same files; each a process of its own, in turns. The files have the rows in the order of the order key: sorted by a date
//! they come in another order than they are wanted in.

use super::{Bar, Found, Part, Place, Run};
use crate::load;
use crate::progress::Progress;
use crate::report::{self, Line, Report, Side, median};
use crate::target::{Kind, Request, Target};
use anyhow::{Context, Result};

/// The least part of DuckDB's speed.
const LEAST_SPEED: f64 = 0.7;
/// The most memory, in megabytes.
const MOST_MB: f64 = 2048.0;

/// What the table is sorted by.
const SORTED_BY: [&str; 2] = ["l_orderkey", "l_shipdate"];

/// Measures them.
pub(super) fn measure(place: &Place<'_>) -> Result<Found> {
    let programs = place.programs();
    let mut kinds = vec![Kind::Managed];
    match Kind::DuckDb.missing(&programs) {
        Some(missing) => report::print(&format!("SKIPPED: {}: {missing}", Kind::DuckDb.name())),
        None => kinds.push(Kind::DuckDb),
    }
    let mut sides: Vec<Side> = kinds.iter().map(|kind| Side::named(kind.name())).collect();
    let mut lines: Vec<Line> =
        SORTED_BY.iter().map(|column| Line::new(format!("CTAS by {column}"), kinds.len())).collect();
    let mut wrong = Vec::new();
    let runs = place.options.runs;
    let progress = Progress::new("CTAS", runs * lines.len() * kinds.len());
    for _ in 0..runs {
        for (line, column) in lines.iter_mut().zip(SORTED_BY) {
            let mut held = Vec::new();
            for (at, kind) in kinds.iter().enumerate() {
                progress.step(kind.name());
                let home = place.homes.join(format!("bulk-{}", kind.name()));
                let mut target = Target::start(*kind, &programs, &home, place.threads, None)?;
                let statement = statement(*kind, &place.data.join("lineitem").display().to_string(), column);
                let outcome = target.run(&Request::new(statement.clone()), None).context(statement)?;
                // Before its table is read.
                Run::of(&target, outcome.time).note(line, &mut sides[at], (at, runs));
                held.push(load::check(&mut target, "lineitem")?);
                target.end();
                std::fs::remove_dir_all(&home)?;
            }
            wrong.extend(load::agree(&held, &line.name).err().map(|error| error.to_string()));
        }
    }
    drop(progress);
    let mut bars = Vec::new();
    for line in &lines {
        if let [ours, theirs] = line.times_ms.as_slice() {
            let speed = median(theirs) / median(ours);
            bars.push(Bar::at_least(format!("{}: speed, of DuckDB's", line.name), speed, LEAST_SPEED));
        }
        let memory = line.measures[0].peak_memory_bytes.unwrap_or(0);
        let memory = memory as f64 / f64::from(1 << 20);
        bars.push(Bar::at_most(format!("{}: peak memory, MB", line.name), memory, MOST_MB));
    }
    let title = format!(
        "CTAS of lineitem at scale {} from Parquet, {} threads, median of {runs} runs",
        place.options.scale, place.threads
    );
    Ok(Found { part: Part::Bulk, report: Report { title, sides, lines }, bars, notes: Vec::new(), wrong })
}

/// The statement that makes the table of the files in a folder; DuckDB's has no order of its own.
fn statement(kind: Kind, folder: &str, column: &str) -> String {
    let folder = folder.replace('\'', "''");
    if kind.is_duckdb() {
        return format!("CREATE TABLE lineitem AS SELECT * FROM read_parquet('{folder}/*.parquet')");
    }
    format!("CREATE TABLE lineitem DISTKEY (l_orderkey) SORTKEY ({column}) AS SELECT * FROM '{folder}/*.parquet'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{self, Digits};
    use crate::side::{self, Ours};
    use crate::tpch;
    use datafusion::prelude::ParquetReadOptions;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tables_have_all_rows_of_the_files() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let files = tpch::folder(0.002, folder.path()).await?.join("lineitem").display().to_string();
        let plain = side::plain(2);
        plain.register_parquet("lineitem", &files, ParquetReadOptions::default()).await?;
        let check = "SELECT count(*), sum(l_quantity), min(l_shipdate), max(l_comment) FROM lineitem";
        let expected = compare::rows(&side::run_plain(&plain, check).await?)?;
        let mut ours = Ours::open(&folder.path().join("warehouse"), 2).await?;
        for column in SORTED_BY {
            ours.run(&statement(Kind::Managed, &files, column)).await?;
            compare::same(&compare::rows(&ours.run(check).await?)?, &expected, Digits::Same, column)?;
            let key = "SELECT \"column\" FROM pg_table_def WHERE tablename = 'lineitem' AND sortkey = 1";
            assert_eq!(compare::rows(&ours.run(key).await?)?, [[column]]);
            ours.run("DROP TABLE lineitem").await?;
        }
        Ok(())
    }
}

//! Changes of lineitem's rows: inserts, an UPDATE, a MERGE, a DELETE, and VACUUM of what they leave; beside DuckDB's CHECKPOINT.

use super::{Options, agree, check};
use crate::progress::Progress;
use crate::report::Line;
use crate::target::{Request, Target};
use anyhow::{Context, Result};

/// A change in words that both sides take, and the table that is compared after it. `{}` is the number of the run, 0 to 4, so
/// that each run finds other rows: keys that end in 0 to 4 are copied, changed and merged, those in 9 to 5 deleted.
const CHANGES: [(&str, &str, &str); 5] = [
    ("INSERT SELECT", "more", "INSERT INTO more SELECT * FROM lineitem WHERE l_orderkey % 10 = {}"),
    ("UPDATE 1 %", "lineitem", "UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE l_orderkey % 100 = 10 + {}"),
    (
        "MERGE 6 %",
        "lineitem",
        "MERGE INTO lineitem USING staged ON lineitem.l_orderkey = staged.l_orderkey \
         AND lineitem.l_linenumber = staged.l_linenumber \
         WHEN MATCHED THEN UPDATE SET l_quantity = staged.l_quantity, l_comment = staged.l_comment \
         WHEN NOT MATCHED THEN INSERT VALUES (staged.l_orderkey, staged.l_partkey, staged.l_suppkey, \
         staged.l_linenumber, staged.l_quantity, staged.l_extendedprice, staged.l_discount, staged.l_tax, \
         staged.l_returnflag, staged.l_linestatus, staged.l_shipdate, staged.l_commitdate, staged.l_receiptdate, \
         staged.l_shipinstruct, staged.l_shipmode, staged.l_comment)",
    ),
    ("DELETE 10 %", "lineitem", "DELETE FROM lineitem WHERE l_orderkey % 10 = 9 - {}"),
    ("VACUUM", "lineitem", "VACUUM lineitem"),
];

/// What is merged: a twentieth of the rows that are there, and a hundredth as new ones.
const STAGED: [&str; 3] = [
    "DROP TABLE IF EXISTS staged",
    "CREATE TABLE staged AS SELECT * FROM lineitem WHERE l_orderkey % 20 = {}",
    "INSERT INTO staged SELECT l_orderkey + CAST(1000000000 AS bigint) * ({} + 1), l_partkey, l_suppkey, l_linenumber, l_quantity, \
     l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, \
     l_shipinstruct, l_shipmode, 'merged' FROM lineitem WHERE l_orderkey % 100 = {}",
];

/// One row, as programs insert it.
const ROW: &str = "INSERT INTO more VALUES ({}, 1, 1, 1, 17.00, 21168.23, 0.04, 0.02, 'N', 'O', date '1996-03-13', \
     date '1996-02-12', date '1996-03-22', 'DELIVER IN PERSON', 'TRUCK', 'one row')";

/// Runs them on tables that hold lineitem.
pub(super) fn measure(options: &Options, targets: &mut [Target]) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = CHANGES.iter().map(|(name, ..)| Line::new(*name, targets.len())).collect();
    let mut rows = Line::new("INSERT 1 row", targets.len());
    for target in &mut *targets {
        for statement in
            ["DROP TABLE IF EXISTS more", "CREATE TABLE more AS SELECT * FROM lineitem WHERE l_orderkey < 0"]
        {
            target.run(&Request::new(statement.to_owned()), None)?;
        }
    }
    for number in 0..options.inserts {
        for (at, target) in targets.iter_mut().enumerate() {
            rows.push(at, target.run(&Request::new(numbered(ROW, number)), None)?.time);
        }
    }
    let held = targets.iter_mut().map(|target| check(target, "more")).collect::<Result<Vec<_>>>()?;
    agree(&held, "INSERT 1 row")?;
    let progress = Progress::new("changes", options.runs * CHANGES.len());
    for run in 0..options.runs {
        for target in &mut *targets {
            for statement in STAGED {
                target.run(&Request::new(numbered(statement, run)), None).with_context(|| statement.to_owned())?;
            }
        }
        for ((name, table, change), line) in CHANGES.iter().zip(&mut lines) {
            progress.step(name);
            let mut answers = Vec::new();
            for (at, target) in targets.iter_mut().enumerate() {
                let statement = if *name == "VACUUM" && target.kind.is_duckdb() {
                    "CHECKPOINT".to_owned()
                } else {
                    numbered(change, run)
                };
                line.push(at, target.run(&Request::new(statement), None).with_context(|| (*name).to_owned())?.time);
                answers.push(check(target, table)?);
            }
            agree(&answers, name)?;
        }
    }
    lines.insert(0, rows);
    Ok(lines)
}

fn numbered(statement: &str, number: usize) -> String {
    statement.replace("{}", &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::CHECK;
    use super::*;
    use crate::side::Ours;
    use crate::target::Kind;
    use crate::{compare, tpch};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_run_finds_other_rows() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let data = tpch::folder(0.002, folder.path()).await?;
        let mut ours = Ours::open(&folder.path().join("warehouse"), 2).await?;
        ours.load(Kind::Managed, &[tpch::lineitem()], &data).await?;
        ours.run("CREATE TABLE more AS SELECT * FROM lineitem WHERE l_orderkey < 0").await?;
        for run in 0..5 {
            for statement in STAGED {
                ours.run(&numbered(statement, run)).await?;
            }
            for (name, table, change) in CHANGES {
                let check = CHECK.replace("{}", table);
                let before = compare::rows(&ours.run(&check).await?)?;
                ours.run(&numbered(change, run)).await?;
                let after = compare::rows(&ours.run(&check).await?)?;
                assert_eq!(before != after, name != "VACUUM", "{name} in run {run}: {before:?} {after:?}");
            }
        }
        Ok(())
    }
}

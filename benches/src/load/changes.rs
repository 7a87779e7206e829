//! Changes of lineitem's rows: inserts, an UPDATE, a MERGE, a DELETE, and VACUUM of what they leave; beside DuckDB's CHECKPOINT.

use super::{CHECK, Options, agree};
use crate::progress::Progress;
use crate::report::Line;
use crate::target::{Request, Target};
use anyhow::{Context, Result};

/// A change in words that both sides take; `{}` is the number of the run, so that each run finds other rows.
const CHANGES: [(&str, &str); 5] = [
    ("INSERT SELECT", "INSERT INTO more SELECT * FROM lineitem WHERE l_orderkey % 10 = {}"),
    ("UPDATE 1 %", "UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE l_orderkey % 100 = 7 + {}"),
    (
        "MERGE 6 %",
        "MERGE INTO lineitem USING staged ON lineitem.l_orderkey = staged.l_orderkey \
         AND lineitem.l_linenumber = staged.l_linenumber \
         WHEN MATCHED THEN UPDATE SET l_quantity = staged.l_quantity, l_comment = staged.l_comment \
         WHEN NOT MATCHED THEN INSERT VALUES (staged.l_orderkey, staged.l_partkey, staged.l_suppkey, \
         staged.l_linenumber, staged.l_quantity, staged.l_extendedprice, staged.l_discount, staged.l_tax, \
         staged.l_returnflag, staged.l_linestatus, staged.l_shipdate, staged.l_commitdate, staged.l_receiptdate, \
         staged.l_shipinstruct, staged.l_shipmode, staged.l_comment)",
    ),
    ("DELETE 10 %", "DELETE FROM lineitem WHERE l_orderkey % 10 = 9 - {}"),
    ("VACUUM", "VACUUM lineitem"),
];

/// What is merged: a twentieth of the rows that are there, and a hundredth as new ones.
const STAGED: [&str; 3] = [
    "DROP TABLE IF EXISTS staged",
    "CREATE TABLE staged AS SELECT * FROM lineitem WHERE l_orderkey % 20 = {}",
    "INSERT INTO staged SELECT l_orderkey + 1000000000 * ({} + 1), l_partkey, l_suppkey, l_linenumber, l_quantity, \
     l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, \
     l_shipinstruct, l_shipmode, 'merged' FROM lineitem WHERE l_orderkey % 100 = {}",
];

/// One row, as programs insert it.
const ROW: &str = "INSERT INTO more VALUES ({}, 1, 1, 1, 17.00, 21168.23, 0.04, 0.02, 'N', 'O', date '1996-03-13', \
     date '1996-02-12', date '1996-03-22', 'DELIVER IN PERSON', 'TRUCK', 'one row')";

/// Runs them on tables that hold lineitem.
pub(super) fn measure(options: &Options, targets: &mut [Target]) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = CHANGES.iter().map(|(name, _)| Line::new(*name, targets.len())).collect();
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
    let progress = Progress::new("changes", options.runs * CHANGES.len());
    for run in 0..options.runs {
        for target in &mut *targets {
            for statement in STAGED {
                target.run(&Request::new(numbered(statement, run)), None).with_context(|| statement.to_owned())?;
            }
        }
        for ((name, change), line) in CHANGES.iter().zip(&mut lines) {
            progress.step(name);
            let mut answers = Vec::new();
            for (at, target) in targets.iter_mut().enumerate() {
                let statement = if *name == "VACUUM" && target.kind.is_duckdb() {
                    "CHECKPOINT".to_owned()
                } else {
                    numbered(change, run)
                };
                line.push(at, target.run(&Request::new(statement), None).with_context(|| (*name).to_owned())?.time);
                answers.push(target.run(&Request::asking(CHECK.to_owned()), None)?.rows);
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

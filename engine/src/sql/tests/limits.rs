//! Limits: depth, length, time.

use super::*;
use std::time::{Duration, Instant};

/// Parses on a stack of 2 MiB, as tests and the server's threads have it.
fn outcome(text: String) -> Option<ErrorKind> {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(move || parse(&text, Athena).err().map(|error| error.kind)).unwrap().join().unwrap()
}

#[test]
fn deep_nesting_is_an_error() {
    let start = Instant::now();
    for depth in [300, 10_000] {
        for (open, close) in [
            ("(", ")"),
            ("f(", ")"),
            ("ARRAY[", "]"),
            ("(SELECT ", ")"),
            ("NOT ", ""),
            ("CASE WHEN ", " THEN 1 END"),
            ("x IN (", ")"),
            ("CAST(", " AS ARRAY(INTEGER))"),
        ] {
            let text = format!("SELECT {}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(outcome(text), Some(ErrorKind::LimitExceeded), "{open} {depth}");
        }
        let from = format!("SELECT * FROM {}t{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(outcome(from), Some(ErrorKind::LimitExceeded));
        let types = format!("SELECT CAST(1 AS {}INTEGER{})", "ARRAY(".repeat(depth), ")".repeat(depth));
        assert_eq!(outcome(types), Some(ErrorKind::LimitExceeded));
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    for depth in [20, 60] {
        assert_eq!(outcome(format!("SELECT {}1{}", "f((".repeat(depth), "))".repeat(depth))), None);
        assert_eq!(outcome(format!("{}SELECT 1{}", "SELECT * FROM (".repeat(depth), ")".repeat(depth))), None);
    }
}

#[test]
fn long_chains_parse_or_are_refused() {
    assert_eq!(outcome(format!("SELECT 1 WHERE a = 1{}", " OR a = 1".repeat(5000))), None);
    assert_eq!(outcome(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(2000))), None);
    assert_eq!(outcome(format!("SELECT CASE {} END", "WHEN a = 1 THEN 2 ".repeat(10_000))), None);
    assert_eq!(outcome(format!("SELECT 1{}", " + 1".repeat(100_000))), Some(ErrorKind::LimitExceeded));
    assert_eq!(outcome(format!("SELECT 1{} FROM FROM", " OR 1".repeat(7000))), Some(ErrorKind::Syntax));
}

/// A long OR becomes a tree of logarithmic depth that means the same: its operands keep their order.
#[test]
fn long_chains_are_balanced() {
    use sqlparser::ast::{BinaryOperator, Expr, SetExpr};
    fn walk(expr: &Expr, depth: usize, deepest: &mut usize, leaves: &mut Vec<String>) {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                walk(left, depth + 1, deepest, leaves);
                walk(right, depth + 1, deepest, leaves);
            }
            leaf => {
                *deepest = (*deepest).max(depth);
                leaves.push(leaf.to_string());
            }
        }
    }
    let operands: Vec<String> = (0..1000).map(|n| format!("a{n}")).collect();
    let Statement::Query(query) = one(&format!("SELECT 1 WHERE {}", operands.join(" OR ")), Redshift) else { panic!() };
    let SetExpr::Select(select) = *query.body else { panic!() };
    let (mut deepest, mut leaves) = (0, Vec::new());
    walk(&select.selection.unwrap(), 0, &mut deepest, &mut leaves);
    assert_eq!((deepest, leaves), (10, operands));
}

#[test]
fn a_megabyte_parses() {
    let rows = "(1, 'value', 2.5), ".repeat(55_000);
    assert!(rows.len() > 1_000_000);
    assert_eq!(outcome(format!("INSERT INTO t VALUES {rows}(1, 'v', 2)")), None);
    let columns: Vec<String> = (0..50_000).map(|n| format!("c{n} array<int>")).collect();
    let columns = columns.join(",");
    assert_eq!(outcome(format!("CREATE EXTERNAL TABLE t (ü int, {columns}) LOCATION 's3://x/'")), None);
    assert_eq!(outcome(format!("SELECT '{}'", "ü".repeat(1 << 20))), None);
    assert_eq!(outcome("DROP TABLE t;".repeat(80_000)), None);
}

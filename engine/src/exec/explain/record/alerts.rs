//! What Redshift warns of, by its own limits where they are documented: `stl_alert_event_log`.

use crate::exec::explain::step::Detail;
use crate::journal::{AlertRecord, ScanRecord, skewness};

/// Rows that are many to move.
const MANY_MOVED: u64 = 1_000_000;
/// Rows of a scan of which it matters how many are wanted.
const MANY_SCANNED: u64 = 10_000;
/// A filter that leaves less of the rows is very selective.
const SELECTIVE: f64 = 0.05;
/// Deleted rows that are many to pass over, if they are such a part of what is read.
const MANY_DELETED: u64 = 1_000;
const DELETED_PART: f64 = 0.2;
/// Rows of a table that ought to have statistics: what `auto_analyze_rows` is by default.
const MANY_UNANALYZED: u64 = 1_000;
/// Rows of which it matters how they are dealt to slices, and how unevenly they are when one has nearly all of them.
const MANY_DEALT: u64 = 100_000;
const UNEVEN: i64 = 80;

/// What is said of a scan of a table without statistics.
pub(super) const MISSING_STATISTICS: &str = "Missing query planner statistics";

fn alert(event: impl Into<String>, solution: &str) -> AlertRecord {
    AlertRecord { event: event.into(), solution: solution.to_owned(), ..AlertRecord::default() }
}

/// Of a scan that gave so many rows.
pub(super) fn of_scan(detail: &Detail, rows: u64) -> Vec<AlertRecord> {
    let Some(scan) = &detail.scan else { return Vec::new() };
    let mut alerts = Vec::new();
    if detail.unanalyzed && scan.rows_read >= MANY_UNANALYZED {
        alerts.push(alert(MISSING_STATISTICS, "Run the ANALYZE command"));
    }
    let ScanRecord { rows_read, rows_deleted, filtered, files, .. } = scan;
    let alive = rows_read.saturating_sub(*rows_deleted);
    let ratio = rows as f64 / alive.max(1) as f64;
    // No order of files would spare reading what is in memory.
    if *filtered && *files > 0 && alive >= MANY_SCANNED && ratio < SELECTIVE {
        let event = format!("Very selective query filter:ratio=rows({rows})/rows_pre_user_filter({alive})={ratio:.6}");
        let solution = "Review the choice of sort key to enable range restricted scans, or run the VACUUM command to \
                        ensure the table is sorted";
        alerts.push(alert(event, solution));
    }
    if *rows_deleted >= MANY_DELETED && *rows_deleted as f64 >= DELETED_PART * *rows_read as f64 {
        let event = format!("Scanned a large number of deleted rows:rows deleted={rows_deleted} rows read={rows_read}");
        alerts.push(alert(event, "Run the VACUUM command to reclaim deleted space"));
    }
    alerts
}

/// Of rows that a table's distribution key has dealt to slices.
pub(super) fn of_placed(slices: &[(u64, u64)]) -> Option<AlertRecord> {
    let solution = "Review the choice of distribution key: most rows have the same value of it, or use DISTSTYLE EVEN";
    of_dealt(slices, solution)
}

/// Of rows that were dealt to slices for a join.
pub(super) fn of_joined(slices: &[(u64, u64)]) -> Option<AlertRecord> {
    of_dealt(slices, "Review the join predicates: most rows have the same value of the join key")
}

/// Of the rows of each slice.
fn of_dealt(slices: &[(u64, u64)], solution: &str) -> Option<AlertRecord> {
    let rows = slices.iter().map(|(rows, _)| *rows);
    let (all, most) = (rows.clone().sum::<u64>(), rows.clone().max().unwrap_or(0));
    let event = format!("Distributed rows unevenly to the slices:rows={all} rows of one slice={most}");
    (all >= MANY_DEALT && skewness(rows) >= UNEVEN).then(|| alert(event, solution))
}

/// Of a nested loop.
pub(super) fn of_nested_loop() -> AlertRecord {
    alert("Nested Loop Join in the query plan", "Review the join predicates to avoid Cartesian products")
}

/// Of a join whose inner side goes to one slice as a whole.
pub(super) fn of_serial_join() -> AlertRecord {
    let solution = "Review the choice of distribution key to distribute the inner table, rather than keep the outer table \
                    as a whole on every node";
    alert("DS_DIST_ALL_INNER for Hash Join in the query plan", solution)
}

/// Of rows that were moved, by `dist` or `bcast`.
pub(super) fn of_moved(word: &str, rows: u64) -> Option<AlertRecord> {
    let (what, solution) = match word {
        "bcast" => {
            let solution =
                "Review the choice of distribution key to collocate the join and consider using distributed tables";
            ("Broadcasted", solution)
        }
        _ => ("Distributed", "Review the choice of distribution key to collocate the join or aggregation"),
    };
    let event = format!("{what} a large number of rows across the network:rows={rows}");
    (rows > MANY_MOVED).then(|| alert(event, solution))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_judged_by_their_rows() {
        let scan = |rows_read, rows_deleted| ScanRecord {
            rows_read,
            rows_deleted,
            files: 1,
            filtered: true,
            ..ScanRecord::default()
        };
        let detail = |scan, unanalyzed| Detail { scan: Some(scan), unanalyzed, ..Detail::default() };
        let events = |detail: &Detail, rows| {
            let found = of_scan(detail, rows).into_iter();
            found.map(|alert| alert.event.split(':').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(events(&detail(scan(100_000, 0), false), 4_999), ["Very selective query filter"]);
        assert!(events(&detail(scan(100_000, 0), false), 5_000).is_empty());
        assert!(events(&detail(scan(9_999, 0), false), 1).is_empty());
        assert!(events(&detail(ScanRecord { files: 0, ..scan(100_000, 0) }, false), 1).is_empty());
        assert_eq!(events(&detail(scan(5_000, 1_000), false), 4_000), ["Scanned a large number of deleted rows"]);
        assert!(events(&detail(scan(5_001, 1_000), false), 4_000).is_empty());
        assert_eq!(events(&detail(scan(1_000, 0), true), 900), ["Missing query planner statistics"]);
        assert!(events(&detail(scan(999, 0), true), 900).is_empty());
    }

    #[test]
    fn many_rows_that_one_slice_has_are_uneven() {
        assert!(of_placed(&[(90_000, 5), (10_000, 5)]).is_some());
        assert!(of_placed(&[(89_000, 5), (11_000, 5)]).is_none());
        assert!(of_placed(&[(89_999, 5), (10_000, 5)]).is_none(), "few rows");
        assert!(of_joined(&[(1_000_000, 5)]).is_none(), "there is one slice only");
        let alert = of_joined(&[(0, 0), (100_000, 5), (0, 0), (0, 0)]).unwrap_or_default();
        assert_eq!(alert.event, "Distributed rows unevenly to the slices:rows=100000 rows of one slice=100000");
        assert!(alert.solution.contains("join key"), "{}", alert.solution);
    }

    #[test]
    fn more_than_a_million_rows_are_many_to_move() {
        assert!(of_moved("dist", 1_000_000).is_none());
        let event = |word| of_moved(word, 1_000_001).map(|alert| alert.event).unwrap_or_default();
        assert!(event("dist").starts_with("Distributed a large number"));
        assert!(event("bcast").starts_with("Broadcasted a large number"));
    }
}

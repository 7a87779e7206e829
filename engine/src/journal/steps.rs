//! The record of what a statement's plans did, step by step.
//!
//! One record a statement, bounded: of a plan with more steps the first ones are kept. It is made of the plans' counters
//! when the statement has ended, off its path.

use super::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most steps of a statement that are kept, and the most nodes of its plans.
pub(crate) const MOST_STEPS: usize = 500;

/// What the plans of a statement did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StepsRecord {
    pub(crate) query: i64,
    pub(crate) xid: i64,
    pub(crate) pid: i32,
    pub(crate) user: String,
    /// When the statement had its slots.
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) nodes: Vec<NodeRecord>,
    pub(crate) steps: Vec<StepRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alerts: Vec<AlertRecord>,
    pub(crate) totals: TotalsRecord,
}

/// A node of a plan, as EXPLAIN shows it; its number is its place, from 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NodeRecord {
    /// The number of the node that it gives its rows; 0 for the highest.
    pub(crate) parent: u32,
    /// `XN Seq Scan on sales  (cost=…)`
    pub(crate) text: String,
    /// What stands below it, as `Filter: …`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) info: String,
    pub(crate) cost: (f64, f64),
    pub(crate) rows: u64,
    /// Bytes of its rows, as estimated.
    pub(crate) bytes: u64,
}

/// A step that ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StepRecord {
    /// Segments of one stream run at the same time.
    pub(crate) stream: u32,
    /// Steps of one segment hand each other their rows.
    pub(crate) segment: u32,
    pub(crate) step: u32,
    /// What it does, in Redshift's word: `scan`, `hash`, `hjoin`.
    pub(crate) name: String,
    /// The node of the plan that it belongs to.
    pub(crate) node: u32,
    /// The number of the table that it reads or writes, or of the work table that its rows are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table_id: Option<i64>,
    /// The table's name with its schema; empty for a work table.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) table: String,
    /// A scan of rows that came from other slices.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) from_network: bool,
    /// How rows are moved for a join, as `DS_DIST_NONE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distribution: Option<String>,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The most memory that it held.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) memory_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) spilled_bytes: u64,
    /// What each slice did: rows, and the microseconds that it computed. The first slices only, where there are many.
    pub(crate) slices: Vec<(u64, u64)>,
    /// What a scan of files read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan: Option<ScanRecord>,
}

/// What a scan of files read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ScanRecord {
    /// Files of a lake, not of a managed table.
    pub(crate) external: bool,
    /// Rows of what was read, before any filter.
    pub(crate) rows_read: u64,
    /// Of these, deleted ones.
    pub(crate) rows_deleted: u64,
    pub(crate) files: u64,
    /// Files that bounds or partitions left out.
    pub(crate) files_skipped: u64,
    /// Bytes that were asked of the files.
    pub(crate) read_bytes: u64,
    /// Bytes of the files.
    pub(crate) file_bytes: u64,
    /// Row groups that were read and left out, where a format counts them.
    pub(crate) blocks: Option<(Option<u64>, u64)>,
    /// Partitions that were read, of a table that has them.
    pub(crate) partitions: Option<u64>,
    /// `parquet`, `vortex`, …
    pub(crate) format: String,
    pub(crate) location: String,
    /// Ranges of the scan, each read by one slice: their number and the bytes of the largest.
    pub(crate) splits: (u64, u64),
    /// Columns of values within values.
    pub(crate) nested: bool,
    /// Whether it had a filter.
    pub(crate) filtered: bool,
    /// What it asked of a foreign system, where it is a scan of one's table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) foreign: Option<ForeignRecord>,
}

/// What a scan asked of a foreign system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ForeignRecord {
    /// `DynamoDB`, `Kinesis`, …
    pub(crate) source: String,
    /// What was asked, in a line.
    pub(crate) remote: String,
    /// Requests that were sent, those sent again too.
    pub(crate) requests: u64,
    /// Requests that were sent again.
    pub(crate) retries: u64,
    /// Rows that the system looked at, where it tells.
    pub(crate) rows_examined: u64,
    /// Capacity that it says was consumed, in thousandths of its unit.
    pub(crate) capacity_milliunits: u64,
    /// Parts that were read to their end.
    pub(crate) splits_ended: u64,
}

/// What is wrong with a plan, and what helps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AlertRecord {
    pub(crate) segment: u32,
    pub(crate) step: u32,
    pub(crate) event: String,
    pub(crate) solution: String,
}

/// The metrics of query monitoring rules when the statement ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TotalsRecord {
    pub(crate) cpu_us: u64,
    pub(crate) cpu_skew: f64,
    pub(crate) io_skew: f64,
    pub(crate) read_bytes: u64,
    pub(crate) spilled_bytes: u64,
    pub(crate) scan_rows: u64,
    pub(crate) join_rows: u64,
    pub(crate) nested_loop_rows: u64,
    pub(crate) returned_rows: u64,
    pub(crate) external_rows: u64,
    pub(crate) external_bytes: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How unevenly work is dealt to slices: 0 where each has as much, 100 where one has all of it.
pub(crate) fn skewness(parts: impl Iterator<Item = u64> + Clone) -> i64 {
    let (sum, count) = (parts.clone().sum::<u64>(), parts.clone().count());
    if sum == 0 || count < 2 {
        return 0;
    }
    let most = parts.max().unwrap_or(0);
    let average = sum as f64 / count as f64;
    (100. * (most as f64 / average - 1.) / (count as f64 - 1.)).round() as i64
}

/// Steps that give nothing before they have all rows: what they give is the next segment's.
const BLOCKING: [&str; 3] = ["aggr", "sort", "unique"];

impl StepsRecord {
    /// When each segment ran, in microseconds since the epoch. However early its operators are made, a segment begins
    /// when those of the streams before it have ended, and it has ended when it has all the rows that it works on.
    pub(crate) fn segment_times(&self) -> BTreeMap<u32, (i64, i64)> {
        let mut segments: BTreeMap<(u32, u32), Vec<&StepRecord>> = BTreeMap::new();
        for step in &self.steps {
            segments.entry((step.stream, step.segment)).or_default().push(step);
        }
        let (mut stream, mut begins, mut ended) = (0, i64::MIN, i64::MIN);
        let mut times = BTreeMap::new();
        for ((of, segment), steps) in segments {
            if of != stream {
                (stream, begins) = (of, ended);
            }
            let work = match steps.split_last() {
                Some((last, before)) if BLOCKING.contains(&last.name.as_str()) && !before.is_empty() => before,
                _ => &steps[..],
            };
            let start = steps.iter().map(|step| step.start_us).min().unwrap_or(0);
            let end = work.iter().map(|step| step.end_us).max().unwrap_or(start);
            ended = ended.max(end);
            times.insert(segment, (start.max(begins).min(end), end));
        }
        times
    }

    /// The time of the segment that took longest, in microseconds.
    pub(crate) fn longest_segment_us(&self) -> i64 {
        self.segment_times().into_values().map(|(start, end)| end - start).max().unwrap_or(0)
    }
}

impl StepRecord {
    /// The microseconds that the slowest slice computed, and those of a slice on average.
    pub(crate) fn times_us(&self) -> (u64, u64) {
        let times = self.slices.iter().map(|(_, time)| *time);
        let (most, sum) = (times.clone().max().unwrap_or(0), times.sum::<u64>());
        (most, sum / self.slices.len().max(1) as u64)
    }

    /// `scan   tbl=100172 name=sales`, as in `svl_query_summary.label`.
    pub(crate) fn label(&self) -> String {
        let Some(table) = self.table_id else { return self.name.clone() };
        let name = self.table.rsplit('.').next().unwrap_or_default();
        match self.name.as_str() {
            "scan" => {
                let name = if name.is_empty() { "Internal Worktable" } else { name };
                format!("{:<6} tbl={table} name={name}", self.name)
            }
            _ => format!("{:<6} tbl={table}", self.name),
        }
    }
}

impl Record for StepsRecord {
    const KIND: &'static str = "steps";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}

#[cfg(test)]
mod tests {
    use super::{StepRecord, StepsRecord, skewness};

    #[test]
    fn skewness_goes_from_even_work_to_that_of_one_slice() {
        for (parts, expected) in [
            (&[][..], 0),
            (&[7], 0),
            (&[0, 0], 0),
            (&[5, 5, 5, 5], 0),
            (&[20, 0, 0, 0], 100),
            (&[9, 1], 80),
            // Twice the average, of a greatest possible four times.
            (&[10, 5, 5, 0], 33),
        ] {
            assert_eq!(skewness(parts.iter().copied()), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_segment_begins_when_the_streams_before_it_have_ended() {
        let step = |(stream, segment, step): (u32, u32, u32), name: &str, (start_us, end_us): (i64, i64)| StepRecord {
            stream,
            segment,
            step,
            name: name.to_owned(),
            start_us,
            end_us,
            ..StepRecord::default()
        };
        // All operators are made at 100. The inner side of a join is there at 250, its other side is grouped at 900, and
        // the groups are given until 1000.
        let steps = vec![
            step((0, 0, 0), "scan", (100, 250)),
            step((0, 0, 1), "hash", (100, 250)),
            step((1, 1, 0), "scan", (100, 880)),
            step((1, 1, 1), "hjoin", (100, 900)),
            step((1, 1, 2), "aggr", (100, 1000)),
            step((2, 2, 0), "scan", (100, 1000)),
            step((2, 2, 1), "return", (100, 1000)),
        ];
        let record = StepsRecord { steps, ..StepsRecord::default() };
        let times: Vec<_> = record.segment_times().into_iter().collect();
        assert_eq!(times, [(0, (100, 250)), (1, (250, 900)), (2, (900, 1000))]);
        assert_eq!(record.longest_segment_us(), 650);
        assert_eq!(StepsRecord::default().longest_segment_us(), 0);
    }
}

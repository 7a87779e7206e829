//! Tables of times, for eyes and as JSON.

use crate::machine;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// What was measured, side by side. The first side is the one that the others are compared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// What and how: suite, scale, runs.
    pub title: String,
    /// Those that were measured, ours first.
    pub sides: Vec<Side>,
    /// What was done.
    pub lines: Vec<Line>,
}

/// One of those that are measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Side {
    /// Its short name.
    pub name: String,
    /// Its program and version.
    pub version: String,
    /// How long it took to load its tables, in milliseconds; of a kept copy, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_ms: Option<f64>,
    /// The most memory it had in RAM, with the load when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// CPU time in seconds, without the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
}

impl Side {
    /// A side with nothing but a name.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// One line: what was done, and how long each side took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The work's name.
    pub name: String,
    /// By side, the times of its runs in milliseconds; none of a side that could not do it.
    pub times_ms: Vec<Vec<f64>>,
    /// By side, what it took beside time.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// By side, why it has no times.
    #[serde(default)]
    pub problems: Vec<Option<String>>,
    /// How many rows ours gave, where it was asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_rows: Option<usize>,
}

/// What a run took beside time, where the side tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// CPU time of all threads, the mean of the runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Rows that scans gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_read: Option<u64>,
    /// Bytes of files that scans read or found in a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_read: Option<u64>,
    /// How many clients' requests ended in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// The times in milliseconds below which 95 and 99 of a hundred requests are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// See `p95_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// The longest time in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// The most memory that a process had which did nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that went to temporary files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spilled_bytes: Option<u64>,
    /// The most blocks that scans read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_read: Option<u64>,
}

/// How many measures there are.
const MEASURES: usize = 10;
/// Of these, the first one that is shown of every side.
const OF_ALL_SIDES: usize = 3;

impl Measure {
    /// What there may be, as headings and texts.
    fn shown(self) -> [(&'static str, Option<String>); MEASURES] {
        [
            ("CPU s", self.cpu_seconds.map(|seconds| format!("{seconds:.2}"))),
            ("rows read", self.rows_read.map(|rows| rows.to_string())),
            ("MB read", self.bytes_read.map(|bytes| format!("{:.1}", bytes as f64 / 1e6))),
            ("per second", self.per_second.map(|count| format!("{count:.1}"))),
            ("p95 ms", self.p95_ms.map(|ms| format!("{ms:.1}"))),
            ("p99 ms", self.p99_ms.map(|ms| format!("{ms:.1}"))),
            ("max ms", self.max_ms.map(|ms| format!("{ms:.1}"))),
            ("peak MB", self.peak_memory_bytes.map(|bytes| (bytes >> 20).to_string())),
            ("spilled MB", self.spilled_bytes.map(|bytes| (bytes >> 20).to_string())),
            ("blocks", self.blocks_read.map(|blocks| blocks.to_string())),
        ]
    }
}

/// A column of a report beside times: the measure of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    side: usize,
    at: usize,
}

impl Column {
    /// What stands above it: the side's name, too, unless it is the first one.
    pub fn heading(self, report: &Report) -> String {
        let (heading, _) = Measure::default().shown()[self.at];
        match report.sides.get(self.side).filter(|_| self.side > 0) {
            Some(side) => format!("{} {heading}", side.name),
            None => heading.to_owned(),
        }
    }

    /// What stands in it.
    pub fn value(self, line: &Line) -> Option<String> {
        line.measure(self.side).shown()[self.at].1.clone()
    }
}

impl Line {
    /// A line without times yet.
    pub fn new(name: impl Into<String>, sides: usize) -> Self {
        Self {
            name: name.into(),
            times_ms: vec![Vec::new(); sides],
            measures: vec![Measure::default(); sides],
            problems: vec![None; sides],
            answer_rows: None,
        }
    }

    /// Notes a run of a side.
    pub fn push(&mut self, side: usize, time: Duration) {
        self.times_ms[side].push(time.as_secs_f64() * 1e3);
    }

    /// The median of each side that has times.
    pub fn medians(&self) -> Vec<Option<f64>> {
        self.times_ms.iter().map(|times| (!times.is_empty()).then(|| median(times))).collect()
    }

    /// What a side took beside time.
    pub fn measure(&self, side: usize) -> Measure {
        self.measures.get(side).copied().unwrap_or_default()
    }

    /// Whether all sides have times.
    pub fn is_complete(&self) -> bool {
        self.times_ms.iter().all(|times| !times.is_empty())
    }
}

/// The median; of an even number of values, the mean of the middle two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The median, in milliseconds.
pub fn median_ms(times: &[Duration]) -> f64 {
    median(&times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>())
}

/// The value below which so many of a hundred are; 0 of none.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0.0)
}

/// A percentile, in milliseconds.
pub fn percentile_ms(times: &[Duration], percent: usize) -> f64 {
    percentile(&times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>(), percent)
}

/// How far the runs of a side lie apart: half of the span between the fastest and the slowest, as a part of the median.
fn spread(times: &[f64]) -> f64 {
    let (low, high) = times.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), ms| (low.min(*ms), high.max(*ms)));
    let middle = median(times);
    if middle > 0.0 { (high - low) / 2.0 / middle } else { 0.0 }
}

impl Report {
    /// The lines that all sides have times of: only these are summed up.
    fn complete(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_complete())
    }

    /// By side, the sum of its medians.
    pub fn sums(&self) -> Vec<f64> {
        let sum = |side: usize| self.complete().map(|line| median(&line.times_ms[side])).sum();
        (0..self.sides.len()).map(sum).collect()
    }

    /// By side, the geometric mean of its medians.
    pub fn geometric_means(&self) -> Vec<f64> {
        let count = self.complete().count().max(1) as f64;
        let logarithms =
            |side: usize| self.complete().map(|line| median(&line.times_ms[side]).max(1e-6).ln()).sum::<f64>();
        (0..self.sides.len()).map(|side| (logarithms(side) / count).exp()).collect()
    }

    /// What was measured beside time: all of the first side, of the others not what a query took and read.
    pub fn columns(&self) -> Vec<Column> {
        let all = (0..self.sides.len()).flat_map(|side| (0..MEASURES).map(move |at| Column { side, at }));
        let wanted = all.filter(|column| column.side == 0 || column.at >= OF_ALL_SIDES);
        wanted.filter(|column| self.lines.iter().any(|line| column.value(line).is_some())).collect()
    }

    /// Which lines are not summed up.
    pub fn incomplete(&self) -> Option<String> {
        let missing = self.lines.len() - self.complete().count();
        (missing > 0)
            .then(|| format!("{missing} of {} are not in the sums, as not every side ran them", self.lines.len()))
    }

    /// The report for a terminal: times, how far runs lie apart, ours in parts of each other's, and what ours took beside
    /// time.
    pub fn table(&self) -> String {
        let columns = self.columns();
        let headings: Vec<String> = columns.iter().map(|column| column.heading(self)).collect();
        let width = self.name_width();
        let mut text = format!("{}\n{:<width$}", self.title, "");
        for (at, side) in self.sides.iter().enumerate() {
            let _ = write!(text, " {:>17}", format!("{} ms", side.name));
            if at > 0 {
                let _ = write!(text, " {:>7}", "ratio");
            }
        }
        for heading in &headings {
            let _ = write!(text, " {heading:>11}");
        }
        text.push('\n');
        for line in &self.lines {
            let spreads = line.times_ms.iter().map(|times| Some(spread(times))).collect::<Vec<_>>();
            let mut measures = String::new();
            for (column, heading) in columns.iter().zip(&headings) {
                let value = column.value(line).unwrap_or_else(|| "-".to_owned());
                let _ = write!(measures, " {value:>width$}", width = heading.len().max(11));
            }
            push_row(&mut text, width, &line.name, &line.medians(), &spreads, &measures);
        }
        let without = vec![None; self.sides.len()];
        let all = |values: Vec<f64>| values.into_iter().map(Some).collect::<Vec<_>>();
        push_row(&mut text, width, "sum", &all(self.sums()), &without, "");
        push_row(&mut text, width, "geometric mean", &all(self.geometric_means()), &without, "");
        for side in &self.sides {
            push_side(&mut text, side);
        }
        if let Some(missing) = self.incomplete() {
            let _ = writeln!(text, "{missing}:");
        }
        for (line, side, problem) in self.problems() {
            let _ = writeln!(text, "{} {}: {problem}", line.name, side.name);
        }
        text
    }

    /// How many characters the names of lines take.
    fn name_width(&self) -> usize {
        self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0).max("geometric mean".len())
    }

    /// All problems, with their lines and sides.
    pub fn problems(&self) -> impl Iterator<Item = (&Line, &Side, &str)> {
        self.lines.iter().flat_map(|line| {
            let sides = line.problems.iter().zip(&self.sides);
            sides.filter_map(move |(problem, side)| Some((line, side, problem.as_deref()?)))
        })
    }

    /// What became of each line since an earlier report of the same sides: ours then and now. Marked where the
    /// difference is beyond what runs lie apart.
    pub fn comparison(&self, before: &Self) -> String {
        let width = self.name_width();
        let mut text =
            format!("against: {}\n{:<width$} {:>12} {:>12} {:>7}\n", before.title, "", "then ms", "now ms", "ratio");
        let earlier: BTreeMap<&str, &Line> = before.lines.iter().map(|line| (line.name.as_str(), line)).collect();
        let (mut slower, mut faster, mut sums) = (0, 0, (0.0, 0.0));
        for line in &self.lines {
            let then = earlier.get(line.name.as_str()).and_then(|line| line.times_ms.first());
            let now = line.times_ms.first().filter(|times| !times.is_empty());
            let (then, now) = match (then.filter(|times| !times.is_empty()), now) {
                (Some(then), Some(now)) => (then, now),
                (Some(_), None) => {
                    let _ = writeln!(text, "{:<width$} has no times any more", line.name);
                    continue;
                }
                (None, Some(_)) => {
                    let _ = writeln!(text, "{:<width$} had no times then", line.name);
                    continue;
                }
                (None, None) => continue,
            };
            let (old, new) = (median(then), median(now));
            let noise = (spread(then) + spread(now)).max(0.03);
            let mark = match new / old {
                ratio if ratio > 1.0 + noise => {
                    slower += 1;
                    "slower"
                }
                ratio if ratio < 1.0 - noise => {
                    faster += 1;
                    "faster"
                }
                _ => "",
            };
            sums = (sums.0 + old, sums.1 + new);
            let _ = writeln!(text, "{:<width$} {old:>12.1} {new:>12.1} {:>7.3} {mark}", line.name, new / old);
        }
        let (old, new) = sums;
        let _ = writeln!(text, "{:<width$} {old:>12.1} {new:>12.1} {:>7.3}", "sum", new / old);
        let _ = writeln!(text, "{slower} slower, {faster} faster");
        text
    }

    /// Writes it as JSON, with the machine and the day.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let written = Written { machine: machine::described(), report: self };
        std::fs::write(path, serde_json::to_string_pretty(&written)?).with_context(|| path.display().to_string())
    }

    /// Reads one that was written.
    pub fn read_json(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// What a file has of a report.
#[derive(Serialize)]
struct Written<'a> {
    machine: String,
    #[serde(flatten)]
    report: &'a Report,
}

fn push_row(
    text: &mut String,
    width: usize,
    name: &str,
    medians: &[Option<f64>],
    spreads: &[Option<f64>],
    measures: &str,
) {
    let _ = write!(text, "{name:<width$}");
    for (at, (ms, spread)) in medians.iter().zip(spreads).enumerate() {
        match ms {
            Some(ms) => {
                let spread = spread.map_or_else(String::new, |part| format!("±{:.0}%", part * 100.0));
                let _ = write!(text, " {ms:>11.1} {spread:>5}");
            }
            None => {
                let _ = write!(text, " {:>11} {:>5}", "-", "");
            }
        }
        if at > 0 {
            let ratio = medians[0].zip(*ms).map_or_else(|| "-".to_owned(), |(ours, ms)| format!("{:.3}", ours / ms));
            let _ = write!(text, " {ratio:>7}");
        }
    }
    text.push_str(measures);
    text.truncate(text.trim_end().len());
    text.push('\n');
}

fn push_side(text: &mut String, side: &Side) {
    let mut facts = Vec::new();
    facts.extend(side.load_ms.map(|ms| format!("load {:.1} s", ms / 1e3)));
    facts.extend(side.peak_memory_bytes.map(|bytes| format!("peak memory {} MB", bytes >> 20)));
    facts.extend(side.cpu_seconds.map(|seconds| format!("CPU {seconds:.1} s")));
    if !side.version.is_empty() || !facts.is_empty() {
        let _ = writeln!(text, "{}: {}; {}", side.name, side.version, facts.join(", "));
    }
}

/// Prints a report: the one place that does.
#[allow(clippy::print_stdout, reason = "a report is what a benchmark prints")]
pub fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [(&[][..], 0.0), (&[7.0], 7.0), (&[9.0, 1.0, 5.0], 5.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)]
        {
            assert!((median(values) - expected).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn percentiles() {
        let values: Vec<f64> = (0..200).rev().map(f64::from).collect();
        for (percent, expected) in [(0, 0.0), (50, 100.0), (95, 190.0), (100, 199.0)] {
            assert!((percentile(&values, percent) - expected).abs() < 1e-9, "{percent}");
        }
        assert!(percentile(&[], 95).abs() < 1e-9);
    }

    fn report(ours: &[f64], theirs: &[f64]) -> Report {
        let line = Line { times_ms: vec![ours.to_vec(), theirs.to_vec()], ..Line::new("Q1", 2) };
        let sides = vec![Side::named("managed"), Side::named("duckdb")];
        Report { title: "t".to_owned(), sides, lines: vec![line] }
    }

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let table = report(&[10.0, 12.0, 11.0], &[22.0]).table();
        assert!(table.contains("Q1                    11.0   ±9%        22.0   ±0%   0.500\n"), "{table}");
    }

    #[test]
    fn a_table_has_what_ours_took_beside_time() {
        let mut report = report(&[10.0], &[20.0]);
        report.lines[0].measures[0] =
            Measure { cpu_seconds: Some(0.018), rows_read: Some(6_000_000), ..Measure::default() };
        let table = report.table();
        assert!(table.contains("   ratio       CPU s   rows read\n"), "{table}");
        assert!(table.contains("0.500        0.02     6000000\n"), "{table}");
        // Of others only what requests are measured by.
        report.lines[0].measures[1] = Measure { cpu_seconds: Some(9.0), per_second: Some(17.3), ..Measure::default() };
        let table = report.table();
        assert!(table.contains("   rows read duckdb per second\n"), "{table}");
        assert!(table.contains("     6000000              17.3\n"), "{table}");
    }

    #[test]
    fn a_line_that_not_all_ran_is_in_no_sum() {
        let mut report = report(&[10.0], &[20.0]);
        let mut failed = Line::new("Q2", 2);
        failed.times_ms[0] = vec![40.0];
        failed.problems[1] = Some("no such function".to_owned());
        report.lines.push(failed);
        assert_eq!((report.sums(), report.geometric_means().len()), (vec![10.0, 20.0], 2));
        let table = report.table();
        assert!(table.contains("Q2                    40.0   ±0%           -             -\n"), "{table}");
        assert!(table.contains("1 of 2 are not in the sums"), "{table}");
        assert!(table.ends_with("Q2 duckdb: no such function\n"), "{table}");
    }

    #[test]
    fn only_changes_beyond_the_noise_are_marked() {
        let marked = |then: &[f64], now: &[f64]| report(now, &[1.0]).comparison(&report(then, &[1.0]));
        assert!(marked(&[10.0, 10.0], &[15.0, 15.0]).ends_with("1 slower, 0 faster\n"));
        assert!(marked(&[10.0, 10.0], &[5.0, 5.0]).ends_with("0 slower, 1 faster\n"));
        let noisy = marked(&[10.0, 14.0], &[12.0, 16.0]);
        assert!(noisy.ends_with("0 slower, 0 faster\n"), "{noisy}");
    }

    #[test]
    fn json_keeps_a_report() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("report.json");
        let written = report(&[1.5], &[2.5]);
        written.write_json(&path)?;
        assert_eq!(Report::read_json(&path)?.table(), written.table());
        // As versions before measures and problems wrote it.
        let old =
            r#"{"title":"t","sides":[{"name":"managed","version":""}],"lines":[{"name":"Q1","times_ms":[[2.0]]}]}"#;
        std::fs::write(&path, old)?;
        assert_eq!(Report::read_json(&path)?.sums(), [2.0]);
        Ok(())
    }
}

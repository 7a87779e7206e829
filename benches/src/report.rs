//! Tables of times, for eyes and as JSON.

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
    /// By side, the times of its runs in milliseconds.
    pub times_ms: Vec<Vec<f64>>,
}

impl Line {
    /// A line without times yet.
    pub fn new(name: impl Into<String>, sides: usize) -> Self {
        Self { name: name.into(), times_ms: vec![Vec::new(); sides] }
    }

    /// Notes a run of a side.
    pub fn push(&mut self, side: usize, time: Duration) {
        self.times_ms[side].push(time.as_secs_f64() * 1e3);
    }

    /// The median of each side.
    pub fn medians(&self) -> impl Iterator<Item = f64> {
        self.times_ms.iter().map(|times| median(times))
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

/// How far the runs of a side lie apart: half of the span between the fastest and the slowest, as a part of the median.
fn spread(times: &[f64]) -> f64 {
    let (low, high) = times.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), ms| (low.min(*ms), high.max(*ms)));
    let middle = median(times);
    if middle > 0.0 { (high - low) / 2.0 / middle } else { 0.0 }
}

impl Report {
    /// By side, the sum of its medians.
    pub fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.sides.len()];
        for line in &self.lines {
            sums.iter_mut().zip(line.medians()).for_each(|(sum, median)| *sum += median);
        }
        sums
    }

    /// By side, the geometric mean of its medians.
    pub fn geometric_means(&self) -> Vec<f64> {
        let mut logarithms = vec![0.0; self.sides.len()];
        for line in &self.lines {
            logarithms.iter_mut().zip(line.medians()).for_each(|(sum, median)| *sum += median.max(1e-6).ln());
        }
        logarithms.into_iter().map(|sum| (sum / self.lines.len().max(1) as f64).exp()).collect()
    }

    /// The report for a terminal: times, how far runs lie apart, and ours in parts of each other's.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n{:<14}", self.title, "");
        for (at, side) in self.sides.iter().enumerate() {
            let _ = write!(text, " {:>17}", format!("{} ms", side.name));
            if at > 0 {
                let _ = write!(text, " {:>7}", "ratio");
            }
        }
        text.push('\n');
        for line in &self.lines {
            let spreads = line.times_ms.iter().map(|times| Some(spread(times))).collect::<Vec<_>>();
            push_row(&mut text, &line.name, &line.medians().collect::<Vec<_>>(), &spreads);
        }
        let without = vec![None; self.sides.len()];
        push_row(&mut text, "sum", &self.sums(), &without);
        push_row(&mut text, "geometric mean", &self.geometric_means(), &without);
        for side in &self.sides {
            push_side(&mut text, side);
        }
        text
    }

    /// What became of each line since an earlier report of the same sides: ours then and now. Marked where the
    /// difference is beyond what runs lie apart.
    pub fn comparison(&self, before: &Self) -> String {
        let mut text =
            format!("against: {}\n{:<14} {:>12} {:>12} {:>7}\n", before.title, "", "then ms", "now ms", "ratio");
        let earlier: BTreeMap<&str, &Line> = before.lines.iter().map(|line| (line.name.as_str(), line)).collect();
        for line in &self.lines {
            let (Some(then), Some(now)) = (earlier.get(line.name.as_str()), line.times_ms.first()) else { continue };
            let Some(then) = then.times_ms.first() else { continue };
            let (old, new) = (median(then), median(now));
            let noise = (spread(then) + spread(now)).max(0.03);
            let mark = match new / old {
                ratio if ratio > 1.0 + noise => "slower",
                ratio if ratio < 1.0 - noise => "faster",
                _ => "",
            };
            let _ = writeln!(text, "{:<14} {old:>12.1} {new:>12.1} {:>7.3} {mark}", line.name, new / old);
        }
        text
    }

    /// Writes it as JSON.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_string_pretty(self)?).with_context(|| path.display().to_string())
    }

    /// Reads one that was written.
    pub fn read_json(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

fn push_row(text: &mut String, name: &str, medians: &[f64], spreads: &[Option<f64>]) {
    let _ = write!(text, "{name:<14}");
    for (at, (ms, spread)) in medians.iter().zip(spreads).enumerate() {
        let spread = spread.map_or_else(String::new, |part| format!("±{:.0}%", part * 100.0));
        let _ = write!(text, " {ms:>11.1} {spread:>5}");
        if at > 0 {
            let _ = write!(text, " {:>7.3}", medians[0] / ms);
        }
    }
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

    fn report(ours: &[f64], theirs: &[f64]) -> Report {
        let line = Line { name: "Q1".to_owned(), times_ms: vec![ours.to_vec(), theirs.to_vec()] };
        let sides = vec![Side::named("managed"), Side::named("duckdb")];
        Report { title: "t".to_owned(), sides, lines: vec![line] }
    }

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let table = report(&[10.0, 12.0, 11.0], &[22.0]).table();
        assert!(table.contains("Q1                    11.0   ±9%        22.0   ±0%   0.500"), "{table}");
    }

    #[test]
    fn only_changes_beyond_the_noise_are_marked() {
        let marked = |then: &[f64], now: &[f64]| report(now, &[1.0]).comparison(&report(then, &[1.0]));
        assert!(marked(&[10.0, 10.0], &[15.0, 15.0]).contains("slower"));
        assert!(marked(&[10.0, 10.0], &[5.0, 5.0]).contains("faster"));
        let noisy = marked(&[10.0, 14.0], &[12.0, 16.0]);
        assert!(!noisy.contains("slower") && !noisy.contains("faster"), "{noisy}");
    }

    #[test]
    fn json_keeps_a_report() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("report.json");
        let written = report(&[1.5], &[2.5]);
        written.write_json(&path)?;
        assert_eq!(Report::read_json(&path)?.table(), written.table());
        Ok(())
    }
}

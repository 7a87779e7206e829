//! Tables of times, for eyes and as JSON.

use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// One line: what was done, how long we and DataFusion took.
#[derive(Debug, Clone)]
pub struct Line {
    /// The work's name.
    pub name: String,
    /// Our times, one a run.
    pub ours: Vec<Duration>,
    /// DataFusion's times, one a run.
    pub plain: Vec<Duration>,
}

/// The median, in milliseconds; of an even number of times, the mean of the middle two.
pub fn median_ms(times: &[Duration]) -> f64 {
    let mut sorted = times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The table with its sums.
pub fn table(title: &str, lines: &[Line]) -> String {
    let mut text = format!("{title}\n{:<16} {:>12} {:>12} {:>8}\n", "", "millrace ms", "plain ms", "ratio");
    let mut sums = (0.0, 0.0);
    let mut push = |name: &str, ours: f64, plain: f64| {
        let _ = writeln!(text, "{name:<16} {ours:>12.1} {plain:>12.1} {:>8.3}", ours / plain);
    };
    for line in lines {
        let (ours, plain) = (median_ms(&line.ours), median_ms(&line.plain));
        push(&line.name, ours, plain);
        sums = (sums.0 + ours, sums.1 + plain);
    }
    push("sum", sums.0, sums.1);
    text
}

/// Writes the lines as JSON: `[{"name": …, "ours_ms": …, "plain_ms": …}]`.
pub fn write_json(path: &Path, lines: &[Line]) -> Result<()> {
    let objects = lines.iter().map(|line| {
        let (ours, plain) = (median_ms(&line.ours), median_ms(&line.plain));
        format!("  {{\"name\": \"{}\", \"ours_ms\": {ours:.3}, \"plain_ms\": {plain:.3}}}", line.name)
    });
    std::fs::write(path, format!("[\n{}\n]\n", objects.collect::<Vec<_>>().join(",\n")))?;
    Ok(())
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
        let times = |values: &[u64]| values.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        for (values, expected) in [(&[][..], 0.0), (&[7], 7.0), (&[9, 1, 5], 5.0), (&[4, 1, 2, 9], 3.0)] {
            assert!((median_ms(&times(values)) - expected).abs() < 1e-9, "{values:?}");
        }
    }
}

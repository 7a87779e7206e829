//! What was measured of one work, for eyes and as JSON.

use super::{LOOKUP_BAR, SCAN_BAR};
use crate::report;
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// What one side did, run after run.
#[derive(Debug, Default)]
pub(super) struct Side {
    rows: u64,
    times: Vec<Duration>,
}

impl Side {
    /// Adds a run that gave so many rows.
    pub(super) fn push(&mut self, rows: u64, time: Duration) {
        self.rows += rows;
        self.times.push(time);
    }

    /// The median of its runs, in milliseconds; `None` when none ended.
    fn median_ms(&self) -> Option<f64> {
        (!self.times.is_empty()).then(|| report::median_ms(&self.times))
    }

    /// The rows of a run by its median time.
    fn rows_per_second(&self) -> Option<f64> {
        Some(self.rows as f64 / self.times.len() as f64 / self.median_ms()? * 1e3)
    }
}

/// What was measured of one work.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    work: &'static str,
    /// Rows of a run, or those that keys were taken of.
    rows: u64,
    /// Whether there are more, for which was no time.
    is_prefix: bool,
    /// Runs of ours that ended.
    runs: usize,
    ours_ms: Option<f64>,
    bare_ms: Option<f64>,
    ours_rows_per_second: Option<f64>,
    bare_rows_per_second: Option<f64>,
    /// What is to be reached.
    bar: Bar,
    /// The part of the bare loop's speed, or how often its time.
    ratio: Option<f64>,
    is_met: bool,
    /// What a run of ours that was given up came to.
    late: Option<Late>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bar {
    /// At least this part of the bare loop's speed.
    Speed(f64),
    /// At most this many times the bare request's time.
    Times(f64),
}

/// A run that was given up.
#[derive(Debug, Clone, Copy, Serialize)]
struct Late {
    after_ms: f64,
    /// Rows that it had read, where it tells.
    rows: Option<u64>,
    rows_per_second: Option<f64>,
}

impl Line {
    /// A work over many rows. `late` tells of a run of ours that was given up: the rows that it had read, where it told
    /// them, and after which time.
    pub(super) fn of_rows(
        work: &'static str,
        rows: u64,
        is_prefix: bool,
        sides: (&Side, &Side),
        late: Option<(Option<u64>, Duration)>,
    ) -> Self {
        let (ours, bare) = (sides.0.rows_per_second(), sides.1.rows_per_second());
        let ratio = ours.zip(bare).map(|(ours, bare)| ours / bare);
        let late = late.map(|(rows, time)| Late {
            after_ms: time.as_secs_f64() * 1e3,
            rows,
            rows_per_second: rows.map(|rows| rows as f64 / time.as_secs_f64()),
        });
        Self { is_prefix, late, ..Self::of(work, rows, sides, (Bar::Speed(SCAN_BAR), ratio)) }
    }

    /// A work over single rows of so many.
    pub(super) fn of_keys(work: &'static str, rows: u64, sides: (&Side, &Side)) -> Self {
        let times = sides.0.median_ms().zip(sides.1.median_ms());
        Self::of(work, rows, sides, (Bar::Times(LOOKUP_BAR), times.map(|(ours, bare)| ours / bare)))
    }

    fn of(work: &'static str, rows: u64, (ours, bare): (&Side, &Side), (bar, ratio): (Bar, Option<f64>)) -> Self {
        let is_met = ratio.is_some_and(|ratio| match bar {
            Bar::Speed(part) => ratio >= part,
            Bar::Times(times) => ratio <= times,
        });
        Self {
            work,
            rows,
            is_prefix: false,
            runs: ours.times.len(),
            ours_ms: ours.median_ms(),
            bare_ms: bare.median_ms(),
            ours_rows_per_second: ours.rows_per_second(),
            bare_rows_per_second: bare.rows_per_second(),
            bar,
            ratio,
            is_met,
            late: None,
        }
    }

    fn text(&self) -> String {
        let number =
            |value: Option<f64>, digits| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
        let (rates, bar) = match self.bar {
            Bar::Speed(part) => {
                let rates = [self.ours_rows_per_second, self.bare_rows_per_second].map(|rate| number(rate, 0));
                (rates, format!("speed at least {part}"))
            }
            Bar::Times(times) => (<[String; 2]>::default(), format!("time at most {times}")),
        };
        let mut text = format!(
            "{:<22} {:>9} {:>4} {:>12} {:>12} {:>10} {:>10} {:>8}  {bar}: {}",
            self.work,
            self.rows,
            self.runs,
            number(self.ours_ms, 2),
            number(self.bare_ms, 2),
            rates[0],
            rates[1],
            number(self.ratio, 3),
            if self.is_met { "met" } else { "missed" },
        );
        if self.is_prefix {
            text.push_str("; not all rows, for want of time");
        }
        if let Some(late) = self.late {
            let reached = late.rows.zip(late.rows_per_second);
            let reached = reached.map(|(rows, rate)| format!(" with {rows} rows, {rate:.0} a second"));
            // Writing to a String cannot fail.
            let _ =
                write!(text, "; a run of ours given up after {:.0} ms{}", late.after_ms, reached.unwrap_or_default());
        }
        text
    }
}

/// The lines of a source under a heading.
pub(super) fn table(lines: &[Line]) -> String {
    let heading = format!(
        "{:<22} {:>9} {:>4} {:>12} {:>12} {:>10} {:>10} {:>8}",
        "medians", "rows", "runs", "millrace ms", "bare ms", "rows/s", "bare", "ratio"
    );
    std::iter::once(heading).chain(lines.iter().map(Line::text)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rows: u64, ms: &[u64]) -> Side {
        let mut side = Side::default();
        for ms in ms {
            side.push(rows, Duration::from_millis(*ms));
        }
        side
    }

    #[test]
    fn bars_are_of_speed_or_of_time() {
        for (ours, bare, is_met) in [(100, 95, true), (100, 80, false)] {
            let line = Line::of_rows("w", 1000, false, (&side(1000, &[ours]), &side(1000, &[bare])), None);
            assert_eq!(line.is_met, is_met, "{line:?}");
        }
        for (ours, bare, is_met) in [(19, 10, true), (21, 10, false)] {
            let line = Line::of_keys("w", 1000, (&side(1, &[ours]), &side(1, &[bare])));
            assert_eq!(line.is_met, is_met, "{line:?}");
        }
        let line = Line::of_rows("w", 1000, false, (&side(1000, &[100, 90, 110]), &side(1000, &[80, 80, 70])), None);
        assert!(line.text().ends_with("10000      12500    0.800  speed at least 0.9: missed"), "{}", line.text());
    }

    #[test]
    fn what_ended_before_its_time_says_how_far_it_came() {
        // The bare loop read a page more than it should: speeds are compared, not times.
        let prefix = Line::of_rows("w", 900, true, (&side(900, &[100]), &side(1000, &[100])), None);
        assert!(prefix.is_met && prefix.text().ends_with(": met; not all rows, for want of time"), "{}", prefix.text());
        let late = Some((Some(500), Duration::from_secs(2)));
        let late = Line::of_rows("w", 900, true, (&Side::default(), &side(1000, &[100])), late);
        assert!(!late.is_met);
        assert!(
            late.text().ends_with("; a run of ours given up after 2000 ms with 500 rows, 250 a second"),
            "{}",
            late.text()
        );
        assert_eq!(table(&[late]).lines().count(), 2);
    }
}

//! Figures beside what they should be.

use serde::Serialize;

/// A figure beside what it should be.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    what: String,
    figure: f64,
    limit: f64,
    /// Whether the figure may be no less than the limit, instead of no more.
    is_least: bool,
}

impl Bar {
    /// A figure that may be so much at most.
    pub(crate) fn at_most(what: impl Into<String>, figure: f64, limit: f64) -> Self {
        Self { what: what.into(), figure, limit, is_least: false }
    }

    /// A figure that may be so much at least.
    pub(crate) fn at_least(what: impl Into<String>, figure: f64, limit: f64) -> Self {
        Self { is_least: true, ..Self::at_most(what, figure, limit) }
    }

    /// Whether the figure is what it should be.
    pub(crate) fn is_met(&self) -> bool {
        if self.is_least { self.figure >= self.limit } else { self.figure <= self.limit }
    }

    /// Figure and limit in a line, and whether it is met.
    pub(crate) fn line(&self) -> String {
        let limit = format!("at {} {:.3}", if self.is_least { "least" } else { "most" }, self.limit);
        let met = if self.is_met() { "met" } else { "MISSED" };
        format!("{:<52} {:>12.3} {limit:>20} {met}", self.what, self.figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_say_whether_they_are_met() {
        for (bar, met, line) in [
            (Bar::at_most("median, ms", 9.5, 10.0), true, "9.500       at most 10.000 met"),
            (Bar::at_most("median, ms", 10.5, 10.0), false, "10.500       at most 10.000 MISSED"),
            (Bar::at_least("speed", 0.7, 0.7), true, "0.700       at least 0.700 met"),
            (Bar::at_least("speed", 0.69, 0.7), false, "0.690       at least 0.700 MISSED"),
            // Nothing was measured.
            (Bar::at_least("speed", f64::NAN, 0.7), false, "NaN       at least 0.700 MISSED"),
        ] {
            assert_eq!(bar.is_met(), met, "{line}");
            assert!(bar.line().ends_with(line), "{} {line}", bar.line());
        }
    }
}

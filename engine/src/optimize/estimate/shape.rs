//! How a column's values are spread: frequent values and an equi-depth histogram, as `ANALYZE` kept them, on the scale
//! of [`super::number::position`]. Shares are of the values that are not NULL.

use super::number::position;
use crate::tables::ColumnKnowledge;
use datafusion::common::ScalarValue;

/// A text's position is that of its first bytes; a longer one cannot be told from others that begin alike.
const TOLD_BYTES: usize = 6;

/// How a column's values are spread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Frequent values with their shares.
    common: Vec<(f64, f64)>,
    /// Bounds of parts with equal shares, ascending; none or at least two.
    bounds: Vec<f64>,
}

impl Shape {
    /// What a managed table's statistics tell; `None` where they tell nothing of the kind.
    pub(crate) fn of(known: &ColumnKnowledge) -> Option<Self> {
        let values = 1. - known.null_fraction;
        let told = |value: &ScalarValue| value.try_as_str().flatten().is_none_or(|text| text.len() <= TOLD_BYTES);
        let common = known.common().iter().filter(|(value, _)| told(value));
        let common: Vec<(f64, f64)> =
            common.filter_map(|(value, part)| Some((position(value)?, part / values))).collect();
        let bounds: Vec<f64> = known.histogram().iter().filter_map(position).collect();
        let whole = bounds.len() == known.histogram().len() && bounds.is_sorted();
        let bounds = if whole { bounds } else { Vec::new() };
        (values > 0. && !(common.is_empty() && bounds.is_empty())).then_some(Self { common, bounds })
    }

    /// The share of one value, among `distinct` different ones.
    pub(crate) fn of_value(&self, value: f64, distinct: f64) -> f64 {
        if let Some((_, share)) = self.common.iter().find(|(common, _)| *common == value) {
            return *share;
        }
        // The others share what the frequent values leave.
        let rest = 1. - self.common.iter().map(|(_, share)| share).sum::<f64>();
        rest.max(0.) / (distinct - self.common.len() as f64).max(1.)
    }

    /// The share of values in a range among those from `first` to `last`; `None` without a histogram.
    pub(crate) fn of_range(&self, low: f64, high: f64, (first, last): (f64, f64)) -> Option<f64> {
        let all = self.below(last)? - self.below(first)?;
        let kept = self.below(high.min(last))? - self.below(low.max(first))?;
        (all > 0.).then(|| (kept / all).clamp(0., 1.))
    }

    /// The share of values below a position.
    fn below(&self, at: f64) -> Option<f64> {
        let parts = self.bounds.len().checked_sub(1).filter(|parts| *parts > 0)? as f64;
        let next = self.bounds.partition_point(|bound| *bound < at);
        Some(match next {
            0 => 0.,
            next if next == self.bounds.len() => 1.,
            next => {
                let (low, high) = (self.bounds[next - 1], self.bounds[next]);
                (next as f64 - 1. + (at - low) / (high - low)) / parts
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_values_and_ranges() {
        // Half of the values lie below 10; 5 is three tenths of all.
        let shape = Shape { common: vec![(5., 0.3)], bounds: vec![0., 10., 100.] };
        let about = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        about(shape.of_value(5., 50.), 0.3);
        about(shape.of_value(6., 50.), 0.7 / 49.);
        let whole = (0., 100.);
        for (low, high, expected) in [
            (f64::NEG_INFINITY, 10., 0.5),
            (10., f64::INFINITY, 0.5),
            (0., 5., 0.25),
            (55., 100., 0.25),
            (-9., -1., 0.),
            (0., 100., 1.),
        ] {
            about(shape.of_range(low, high, whole).unwrap_or(-1.), expected);
        }
        // Among values that a range has left already.
        about(shape.of_range(0., 5., (0., 10.)).unwrap_or(-1.), 0.5);
        let none = Shape { common: Vec::new(), bounds: Vec::new() };
        assert_eq!(none.of_range(0., 1., whole), None);
    }
}

//! What steps cost: a simple model over estimated rows, in the units of Redshift's plans.
//!
//! Figures are cumulative, the first row's and all rows', and compare steps of one plan only. Reading a row costs 0.01
//! (8,798 rows: 87.98), a filter 0.0025 a row and condition, grouping 0.005 a row and 0.0025 a group, a hash table
//! 0.0025 a row to build and 0.0225 a row to probe, a sort 0.005 a row and comparison. Moving a byte to another slice
//! costs 0.001: less than Redshift counts, where a broadcast crosses a network.

use crate::exec::explain::step::Step;

/// Reading a row, or taking it from the files' side.
const READ: f64 = 0.01;
/// Deciding a condition, or handing a row on.
const TOUCH: f64 = 0.0025;
/// Putting a row into its group, or comparing two rows.
const COMPARE: f64 = 0.005;
/// Looking up a row in a hash table.
const PROBE: f64 = 0.0225;
/// Moving a byte.
const MOVE_BYTE: f64 = 0.001;

/// Reading rows and deciding conditions on each.
pub(super) fn scanned(step: Step, rows_read: f64, conditions: usize) -> Step {
    let total = rows_read * (READ + TOUCH * conditions as f64);
    step.costing(0., total)
}

/// Taking the rows that the files' side found.
pub(super) fn taken(step: Step) -> Step {
    let total = step.total + step.rows * READ;
    let startup = step.startup;
    step.costing(startup, total)
}

/// Deciding a condition on rows.
pub(super) fn filtered(step: Step, rows_before: f64) -> Step {
    let (startup, total) = (step.startup, step.total + rows_before * TOUCH);
    step.costing(startup, total)
}

/// Grouping rows; `sorted` gives groups as they come.
pub(super) fn grouped(step: Step, input: (f64, f64, f64), keys: bool, sorted: bool) -> Step {
    let (startup, total, rows) = input;
    let groups = step.rows;
    match (keys, sorted) {
        (false, _) => {
            let total = total + rows * TOUCH;
            step.costing(total, total)
        }
        (true, true) => step.costing(startup, total + rows * COMPARE),
        (true, false) => {
            let startup = total + rows * COMPARE;
            step.costing(startup, startup + groups * TOUCH)
        }
    }
}

/// Sorting rows.
pub(super) fn sorted(step: Step) -> Step {
    let rows = step.rows;
    let startup = step.total + rows * rows.max(2.).log2() * COMPARE;
    step.costing(startup, startup + rows * TOUCH)
}

/// Computing over rows in their order.
pub(super) fn windowed(step: Step) -> Step {
    let (startup, total) = (step.startup, step.total + step.rows * COMPARE);
    step.costing(startup, total)
}

/// The first of the rows.
pub(super) fn limited(step: Step, rows: f64) -> Step {
    let share = if step.rows > 0. { (rows / step.rows).min(1.) } else { 1. };
    let (startup, total) = (step.startup, step.startup + (step.total - step.startup) * share);
    Step { rows: step.rows.min(rows), ..step }.costing(startup, total)
}

/// How much of a join's inputs is moved.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    /// How many times the inner side.
    pub(super) inner: f64,
    /// How many times the outer side.
    pub(super) outer: f64,
}

impl Moved {
    fn cost(self, outer: &Step, inner: &Step) -> f64 {
        (inner.bytes() * self.inner + outer.bytes() * self.outer) * MOVE_BYTE
    }
}

/// A hash table of the inner side, and a look-up for each row of the outer one.
pub(super) fn hash_joined(step: Step, outer: &Step, inner: &Step, moved: Moved) -> Step {
    let startup = outer.startup + inner.total + inner.rows * TOUCH;
    let total = startup + (outer.total - outer.startup) + outer.rows * PROBE + moved.cost(outer, inner);
    step.costing(startup, total)
}

/// Both sides read in their order.
pub(super) fn merge_joined(step: Step, outer: &Step, inner: &Step, moved: Moved) -> Step {
    let startup = outer.startup + inner.startup;
    let rows = outer.rows + inner.rows;
    step.costing(startup, outer.total + inner.total + rows * TOUCH + moved.cost(outer, inner))
}

/// Each row with each.
pub(super) fn looped(step: Step, outer: &Step, inner: &Step, moved: Moved) -> Step {
    let startup = outer.startup + inner.startup;
    let pairs = outer.rows * inner.rows;
    step.costing(startup, outer.total + inner.total + pairs * (READ + TOUCH) + moved.cost(outer, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of the plans in Redshift's documentation, but for its price of a broadcast.
    #[test]
    fn documented_figures() {
        let rows = |rows: f64| Step { rows, ..Step::new("Seq Scan", Vec::new()) };
        let event = scanned(rows(8_798.), 8_798., 0);
        assert_eq!(event.figures(), "(cost=0.00..87.98 rows=8798 width=0)");
        let of_event = (event.startup, event.total, event.rows);
        let groups = grouped(rows(576.), of_event, true, false);
        assert_eq!(groups.figures(), "(cost=131.97..133.41 rows=576 width=0)");
        let sales = scanned(rows(172_456.), 172_456., 0);
        assert_eq!(sales.figures(), "(cost=0.00..1724.56 rows=172456 width=0)");
        let joined = hash_joined(rows(172_456.), &sales, &event, Moved::default());
        assert_eq!(joined.figures(), "(cost=109.98..5714.80 rows=172456 width=0)");
        let sorted = sorted(groups);
        assert_eq!(sorted.figures(), "(cost=159.82..161.26 rows=576 width=0)");
        let external = scanned(rows(172_000.), 172_000., 1);
        assert_eq!(external.figures(), "(cost=0.00..2150.00 rows=172000 width=0)");
        // PostgreSQL's rule: of the cost behind the first row the part that the rows have.
        let expected = sorted.startup + (sorted.total - sorted.startup) * 10. / 576.;
        let limited = limited(sorted, 10.);
        assert!((limited.total - expected).abs() < 1e-9, "{}", limited.figures());
    }
}

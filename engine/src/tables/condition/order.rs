//! Which pieces of a table are in order with each other, told from the first column of its sort key.

use super::pieces::{Piece, SortForm};
use datafusion::common::ScalarValue;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// An end of a range.
#[derive(Debug, Clone, PartialEq)]
enum End {
    /// Below every value.
    Lowest,
    /// A value.
    Value(ScalarValue),
    /// Above every value: where NULLs stand.
    Highest,
}

impl End {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Lowest, Self::Lowest) | (Self::Highest, Self::Highest) => Ordering::Equal,
            (Self::Lowest, _) | (_, Self::Highest) => Ordering::Less,
            (Self::Highest, _) | (_, Self::Lowest) => Ordering::Greater,
            (Self::Value(one), Self::Value(other)) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
        }
    }
}

/// Between what the values of some rows lie, both ends included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Range {
    low: End,
    high: End,
}

impl Range {
    /// Nothing is known.
    pub(crate) const ANY: Self = Self { low: End::Lowest, high: End::Highest };
    /// All of them are NULL, which sorts last.
    pub(crate) const NULLS: Self = Self { low: End::Highest, high: End::Highest };

    /// A range by its bounds as far as they are known.
    pub(crate) fn new(low: Option<ScalarValue>, high: Option<ScalarValue>, has_null: bool) -> Self {
        Self {
            low: low.map_or(End::Lowest, End::Value),
            high: high.filter(|_| !has_null).map_or(End::Highest, End::Value),
        }
    }

    /// Which of two begins lower.
    pub(crate) fn compare_lows(&self, other: &Self) -> Ordering {
        self.low.cmp(&other.low)
    }

    /// Whether the low end of `other` is within this range, or where it begins; ranges that only touch are in order.
    pub(super) fn has_low_of(&self, other: &Self) -> bool {
        match self.low.cmp(&other.low) {
            Ordering::Less => other.low.cmp(&self.high).is_lt(),
            Ordering::Equal => true,
            Ordering::Greater => false,
        }
    }
}

/// The buckets of the pieces; `None` is one where none has a bucket.
fn buckets(pieces: &[Piece]) -> BTreeSet<Option<u32>> {
    let of: BTreeSet<Option<u32>> = pieces.iter().filter_map(|piece| piece.bucket).map(Some).collect();
    if of.is_empty() { [None].into() } else { of }
}

/// For each piece, whether it is in the sorted region: the largest set of sorted pieces of a bucket that do not overlap
/// (they may touch), by live rows. Under an interleaved key all sorted pieces are in it: their ranges say little.
pub(crate) fn sorted_region(pieces: &[Piece], form: SortForm) -> Vec<bool> {
    if form == SortForm::Interleaved {
        return pieces.iter().map(|piece| piece.sorted).collect();
    }
    let mut inside = vec![false; pieces.len()];
    let of: BTreeSet<Option<u32>> = pieces.iter().map(|piece| piece.bucket).collect();
    for bucket in of {
        let mut sorted: Vec<usize> =
            (0..pieces.len()).filter(|at| pieces[*at].sorted && pieces[*at].bucket == bucket).collect();
        sorted.sort_by(|a, b| {
            let (a, b) = (&pieces[*a].range, &pieces[*b].range);
            a.high.cmp(&b.high).then_with(|| a.low.cmp(&b.low))
        });
        // The best of the first n by high end: `(rows, the last one taken is n - 1)`.
        let mut best: Vec<(u64, bool)> = vec![(0, false)];
        let before = |n: usize| {
            let low = &pieces[sorted[n]].range.low;
            sorted[..n].partition_point(|at| pieces[*at].range.high.cmp(low).is_le())
        };
        for n in 0..sorted.len() {
            let with = best[before(n)].0 + pieces[sorted[n]].live;
            let without = best[n].0;
            best.push(if with >= without { (with, true) } else { (without, false) });
        }
        let mut n = sorted.len();
        while n > 0 {
            if best[n].1 {
                inside[sorted[n - 1]] = true;
                n = before(n - 1);
            } else {
                n -= 1;
            }
        }
    }
    inside
}

/// The pieces in groups that overlap, directly or through others; one that overlaps nothing is a group of its own.
/// A piece without a bucket has rows of all of them.
pub(crate) fn clusters(pieces: &[Piece]) -> Vec<Vec<usize>> {
    let mut leaders: Vec<usize> = (0..pieces.len()).collect();
    for bucket in buckets(pieces) {
        let within = |at: &usize| pieces[*at].bucket == bucket || pieces[*at].bucket.is_none();
        let mut by_low: Vec<usize> = (0..pieces.len()).filter(within).collect();
        by_low.sort_by(|a, b| pieces[*a].range.low.cmp(&pieces[*b].range.low));
        let mut highest: Option<usize> = None;
        for at in by_low {
            let Some(top) = highest else {
                highest = Some(at);
                continue;
            };
            if pieces[at].range.low.cmp(&pieces[top].range.high).is_lt() {
                let (one, other) = (leader(&mut leaders, top), leader(&mut leaders, at));
                leaders[one.max(other)] = one.min(other);
            }
            if pieces[at].range.high.cmp(&pieces[top].range.high).is_gt() {
                highest = Some(at);
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); pieces.len()];
    for at in 0..pieces.len() {
        groups[leader(&mut leaders, at)].push(at);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Who leads the group of a piece (union-find with halved paths).
fn leader(leaders: &mut [usize], mut at: usize) -> usize {
    while leaders[at] != at {
        leaders[at] = leaders[leaders[at]];
        at = leaders[at];
    }
    at
}

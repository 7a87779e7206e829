//! Elements of two arrays side by side, and entries of two maps by their keys.

use super::maps::comparable;
use crate::error::Result;
use datafusion::arrow::array::{Array, ArrayRef, ListArray, MapArray, UInt64Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::interleave;
use datafusion::arrow::row::Row;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Places of values of two sides, one pair after the other; a side that lacks a value has NULL for its place.
pub(super) struct Pairs {
    pub(super) first: UInt64Array,
    pub(super) second: UInt64Array,
    /// The row of each.
    pub(super) rows: UInt64Array,
    /// How many each row has.
    pub(super) lengths: Vec<usize>,
    pub(super) nulls: Option<NullBuffer>,
}

impl Pairs {
    /// Elements by their places; the shorter array's are NULL beyond its end.
    pub(super) fn of_lists(first: &ListArray, second: &ListArray) -> Self {
        let nulls = NullBuffer::union(first.nulls(), second.nulls());
        let mut made = Builder::default();
        for row in 0..first.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                made.lengths.push(0);
                continue;
            }
            let (ours, theirs) = (part(first.value_offsets(), row), part(second.value_offsets(), row));
            let longest = ours.len().max(theirs.len());
            let place = |part: &Range<usize>, at: usize| (at < part.len()).then(|| part.start + at);
            for at in 0..longest {
                made.push(row, place(&ours, at), place(&theirs, at));
            }
            made.lengths.push(longest);
        }
        made.finish(nulls)
    }

    /// Entries of equal keys, those of the first map first; and the keys.
    pub(super) fn of_maps(first: &MapArray, second: &MapArray) -> Result<(Self, ArrayRef)> {
        let nulls = NullBuffer::union(first.nulls(), second.nulls());
        let known = comparable(&[Arc::clone(first.keys()), Arc::clone(second.keys())])?;
        let (mut made, mut keys) = (Builder::default(), Vec::new());
        for row in 0..first.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                made.lengths.push(0);
                continue;
            }
            let (ours, theirs) = (part(first.value_offsets(), row), part(second.value_offsets(), row));
            let before = keys.len();
            let mut left: HashMap<Row<'_>, usize> = theirs.clone().map(|at| (known[1].row(at), at)).collect();
            for at in ours {
                made.push(row, Some(at), left.remove(&known[0].row(at)));
                keys.push((0, at));
            }
            for at in theirs.filter(|at| left.contains_key(&known[1].row(*at))) {
                made.push(row, None, Some(at));
                keys.push((1, at));
            }
            made.lengths.push(keys.len() - before);
        }
        let keys = interleave(&[first.keys().as_ref(), second.keys().as_ref()], &keys)?;
        Ok((made.finish(nulls), keys))
    }
}

/// The places of a row's values.
fn part(offsets: &[i32], row: usize) -> Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

#[derive(Default)]
struct Builder {
    first: Vec<Option<u64>>,
    second: Vec<Option<u64>>,
    rows: Vec<u64>,
    lengths: Vec<usize>,
}

impl Builder {
    fn push(&mut self, row: usize, first: Option<usize>, second: Option<usize>) {
        self.first.push(first.map(|at| at as u64));
        self.second.push(second.map(|at| at as u64));
        self.rows.push(row as u64);
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Pairs {
        Pairs {
            first: self.first.into(),
            second: self.second.into(),
            rows: self.rows.into(),
            lengths: self.lengths,
            nulls,
        }
    }
}

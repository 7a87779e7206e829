//! What conditions ask of a key: the values that it may have, or the bounds between which it lies.

use super::Item;
use super::condition::{Condition, Operator};
use super::constant::Constant;
use super::plan::Slice;
use super::table::Keys;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::Hash;

/// The values that a column must have one of, each once, and the condition that says this and no more.
pub(super) fn equal(conditions: &[Condition], name: &str) -> Option<(Option<usize>, Vec<Constant>)> {
    let lists = conditions.iter().enumerate().filter_map(|(at, condition)| match condition {
        Condition::Compare { column, operator: Operator::Eq, value } if column == name => {
            Some((Some(at), vec![value.clone()]))
        }
        Condition::In { column, values, negated: false } if column == name => {
            Some((Some(at), distinct(values.iter()).cloned().collect()))
        }
        Condition::Rows { columns, rows } => {
            let place = columns.iter().position(|column| column == name)?;
            Some((None, distinct(rows.iter().filter_map(|row| row.get(place))).cloned().collect()))
        }
        _ => None,
    });
    lists.min_by_key(|(_, values)| values.len())
}

/// Each value once, in the order in which they come.
pub(super) fn distinct<T: Copy + Eq + Hash>(values: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    values.filter(move |value| seen.insert(*value))
}

/// A partition key and a sort key.
pub(super) type Pair = (Constant, Constant);

/// The pairs of partition key and sort key that an item must have one of, each once, with the conditions that this is the
/// whole of: those on the two keys, by which pairs are left out.
pub(super) fn pairs(conditions: &[Condition], keys: &Keys) -> Option<(Vec<usize>, Vec<Pair>)> {
    let sort = keys.sort.as_deref()?;
    let (columns, rows) = conditions.iter().find_map(|condition| match condition {
        Condition::Rows { columns, rows } => {
            let of = |name: &str| columns.iter().position(|column| column == name);
            Some(((of(&keys.partition)?, of(sort)?), rows))
        }
        _ => None,
    })?;
    let on_keys = |condition: &Condition| condition.columns().into_iter().all(|column| keys.contain(column));
    let places: Vec<usize> =
        conditions.iter().enumerate().filter(|(_, condition)| on_keys(condition)).map(|(at, _)| at).collect();
    let found = distinct(rows.iter().filter_map(|row| Some((row.get(columns.0)?, row.get(columns.1)?))));
    let holds = |(first, second): &(&Constant, &Constant)| {
        let key: Item = [(keys.partition.as_str(), first), (sort, second)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.attribute()))
            .collect();
        places.iter().all(|at| conditions[*at].holds(&key))
    };
    let kept = found.filter(holds).map(|(first, second)| (first.clone(), second.clone())).collect();
    Some((places, kept))
}

/// The narrowest part of a partition that DynamoDB can be asked for, with the conditions that it implies; no part when
/// its bounds leave nothing.
pub(super) fn slice(conditions: &[Condition], sort: &str) -> Option<(Option<Slice>, Vec<usize>)> {
    let (mut low, mut high): (Option<Bound<'_>>, Option<Bound<'_>>) = (None, None);
    let mut prefix: Option<(usize, &String)> = None;
    for (at, condition) in conditions.iter().enumerate() {
        match condition {
            Condition::Compare { column, operator, value } if column == sort && value.fits_sort_key() => {
                let bound = Bound { at: Some(at), operator: *operator, value };
                match operator {
                    Operator::Gt | Operator::GtEq => low = Some(bound.larger(low)),
                    Operator::Lt | Operator::LtEq => high = Some(bound.smaller(high)),
                    Operator::Eq | Operator::NotEq => {}
                }
            }
            // They lie between the least and the greatest of them, which is not all that is asked.
            Condition::In { column, values, negated: false }
                if column == sort && values.iter().all(Constant::fits_sort_key) =>
            {
                let bound = |operator| move |value| Bound { at: None, operator, value };
                let least = values.iter().map(bound(Operator::GtEq)).reduce(|one, other| one.smaller(Some(other)));
                let most = values.iter().map(bound(Operator::LtEq)).reduce(|one, other| one.larger(Some(other)));
                low = least.map(|bound| bound.larger(low)).or(low);
                high = most.map(|bound| bound.smaller(high)).or(high);
            }
            Condition::Prefix { column, prefix: beginning, negated: false } if column == sort => {
                let longer = prefix.is_none_or(|(_, other)| beginning.len() > other.len());
                if Constant::Text(beginning.clone()).fits_sort_key() && longer {
                    prefix = Some((at, beginning));
                }
            }
            _ => {}
        }
    }
    if let Some((at, prefix)) = prefix {
        return Some((Some(Slice::Prefix(prefix.clone())), vec![at]));
    }
    match (low, high) {
        (Some(low), Some(high)) if low.value_exceeds(high) => Some((None, vec![])),
        (Some(low), Some(high)) => {
            let inclusive = [low, high].into_iter().filter(|bound| bound.is_inclusive()).filter_map(|bound| bound.at);
            Some((Some(Slice::Between(low.value.clone(), high.value.clone())), inclusive.collect()))
        }
        (Some(bound), None) | (None, Some(bound)) => {
            Some((Some(Slice::Compare(bound.operator, bound.value.clone())), bound.at.into_iter().collect()))
        }
        (None, None) => None,
    }
}

/// A bound of a sort key.
#[derive(Clone, Copy)]
struct Bound<'a> {
    /// The condition that it is the whole of.
    at: Option<usize>,
    operator: Operator,
    value: &'a Constant,
}

impl<'a> Bound<'a> {
    fn larger(self, other: Option<Bound<'a>>) -> Self {
        other.filter(|other| !self.exceeds(*other)).unwrap_or(self)
    }

    fn smaller(self, other: Option<Bound<'a>>) -> Self {
        other.filter(|other| !other.exceeds(self)).unwrap_or(self)
    }

    fn is_inclusive(self) -> bool {
        matches!(self.operator, Operator::GtEq | Operator::LtEq)
    }

    fn value_exceeds(self, other: Self) -> bool {
        other.value.order_of(&self.value.attribute()).is_some_and(Ordering::is_gt)
    }

    /// Whether it is the larger one; of equal values the lower bound that excludes it, the upper one that includes it.
    fn exceeds(self, other: Self) -> bool {
        match other.value.order_of(&self.value.attribute()) {
            Some(Ordering::Equal) => match self.operator {
                Operator::Gt => true,
                Operator::LtEq => other.operator == Operator::Lt,
                _ => false,
            },
            order => order.is_some_and(Ordering::is_gt),
        }
    }
}

//! Filters on partition keys, as sets of sort keys: for each key all, some points, or a range.

use super::sort_key::{FIRST, LAST, NULL, Purpose, SEPARATOR, encode_value};
use crate::error::{CatalogError, Result};
use crate::model::{Column, PartitionCondition, PartitionFilter};
use std::collections::BTreeSet;
use std::ops::Bound;

/// More combinations of points than this are looked up as ranges.
pub(super) const MOST_RANGES: usize = 1000;
/// After the separator, before any other character of a name: closes the range of one key's value.
const PAST_SEPARATOR: char = '\u{2}';

/// The sort keys that one key may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySet {
    /// Any.
    All,
    /// One of these.
    Points(BTreeSet<String>),
    /// Between these.
    Range(Bound<String>, Bound<String>),
}

/// Texts with `from <= text < to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: String,
    pub(super) to: String,
}

impl KeySet {
    fn of(key: &Column, condition: &PartitionCondition) -> Result<Self> {
        let encode = |value: &String| encode_value(key, value, Purpose::Compare);
        Ok(match condition {
            PartitionCondition::In(values) => Self::Points(values.iter().map(encode).collect::<Result<_>>()?),
            PartitionCondition::Range(low, high) => {
                let low = match low {
                    Bound::Unbounded => Bound::Included(FIRST.to_owned()),
                    Bound::Included(value) => Bound::Included(encode(value)?),
                    Bound::Excluded(value) => Bound::Excluded(encode(value)?),
                };
                let high = match high {
                    Bound::Unbounded => Bound::Excluded(LAST.to_owned()),
                    Bound::Included(value) => Bound::Included(encode(value)?),
                    Bound::Excluded(value) => Bound::Excluded(encode(value)?),
                };
                Self::Range(low, high)
            }
            PartitionCondition::IsNull => Self::Points(BTreeSet::from([NULL.to_owned()])),
            PartitionCondition::IsNotNull => {
                Self::Range(Bound::Included(FIRST.to_owned()), Bound::Excluded(LAST.to_owned()))
            }
        })
    }

    pub(super) fn contains(&self, sort_key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Points(points) => points.contains(sort_key),
            Self::Range(low, high) => {
                (match low {
                    Bound::Unbounded => true,
                    Bound::Included(low) => sort_key >= low.as_str(),
                    Bound::Excluded(low) => sort_key > low.as_str(),
                }) && (match high {
                    Bound::Unbounded => true,
                    Bound::Included(high) => sort_key <= high.as_str(),
                    Bound::Excluded(high) => sort_key < high.as_str(),
                })
            }
        }
    }

    fn intersect(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, set) | (set, Self::All) => set,
            (Self::Points(points), set) | (set, Self::Points(points)) => {
                Self::Points(points.into_iter().filter(|point| set.contains(point)).collect())
            }
            (Self::Range(low, high), Self::Range(other_low, other_high)) => {
                Self::Range(tighter(low, other_low, true), tighter(high, other_high, false))
            }
        }
    }

    /// The span that holds the set's sort keys, with what must stand before and after them in the texts searched.
    fn span(&self, prefix: &str, past: char) -> Span {
        let (low, high) = match self {
            Self::All => (Bound::Included(FIRST), Bound::Included(NULL)),
            Self::Points(points) => (
                points.first().map_or(Bound::Included(NULL), |p| Bound::Included(p.as_str())),
                points.last().map_or(Bound::Excluded(FIRST), |p| Bound::Included(p.as_str())),
            ),
            Self::Range(low, high) => (low.as_ref().map(String::as_str), high.as_ref().map(String::as_str)),
        };
        let from = match low {
            Bound::Unbounded => prefix.to_owned(),
            Bound::Included(low) => format!("{prefix}{low}"),
            Bound::Excluded(low) => format!("{prefix}{low}{past}"),
        };
        let to = match high {
            Bound::Unbounded => format!("{prefix}{NULL}{past}"),
            Bound::Included(high) => format!("{prefix}{high}{past}"),
            Bound::Excluded(high) => format!("{prefix}{high}"),
        };
        Span { from, to }
    }

    /// The span of the set among sort keys.
    pub(super) fn sort_key_span(&self) -> Span {
        self.span("", SEPARATOR)
    }
}

fn tighter(a: Bound<String>, b: Bound<String>, low: bool) -> Bound<String> {
    let (Bound::Included(x) | Bound::Excluded(x)) = &a else { return b };
    let (Bound::Included(y) | Bound::Excluded(y)) = &b else { return a };
    let first_is_tighter = match x.cmp(y) {
        std::cmp::Ordering::Equal => matches!(a, Bound::Excluded(_)),
        order => order.is_gt() == low,
    };
    if first_is_tighter { a } else { b }
}

/// What each key of the table may be, after all filters.
pub(super) fn key_sets(keys: &[Column], filters: &[PartitionFilter]) -> Result<Vec<KeySet>> {
    let mut sets = vec![KeySet::All; keys.len()];
    for filter in filters {
        let (Some(key), Some(set)) = (keys.get(filter.key), sets.get_mut(filter.key)) else {
            return Err(CatalogError::InvalidArgument(format!(
                "a filter is on partition key {}, of {}",
                filter.key + 1,
                keys.len()
            )));
        };
        let previous = std::mem::replace(set, KeySet::All);
        *set = previous.intersect(KeySet::of(key, &filter.condition)?);
    }
    Ok(sets)
}

/// Whether a partition of this name satisfies all sets.
pub(super) fn matches(sets: &[KeySet], name: &str) -> bool {
    name.split(SEPARATOR).zip(sets).all(|(sort_key, set)| set.contains(sort_key))
}

/// All names, where every key is one of some points and they are not too many.
pub(super) fn exact_names(sets: &[KeySet]) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    for (index, set) in sets.iter().enumerate() {
        let KeySet::Points(points) = set else { return None };
        // A single key's list is as long as its statement made it; only combinations multiply.
        if index > 0 && names.len() * points.len() > MOST_RANGES {
            return None;
        }
        names = extend(&names, points, index > 0);
    }
    (!sets.is_empty()).then_some(names)
}

/// Spans of names that hold all partitions of the sets, from the filters on the leading keys, in order and apart.
pub(super) fn name_spans(sets: &[KeySet]) -> Vec<Span> {
    let mut prefixes = vec![String::new()];
    for (index, set) in sets.iter().enumerate() {
        match set {
            KeySet::Points(points) if prefixes.len() * points.len() <= MOST_RANGES => {
                prefixes = extend(&prefixes, points, index > 0);
            }
            set => return closed_spans(&prefixes, index, Some(set)),
        }
    }
    closed_spans(&prefixes, sets.len(), None)
}

fn extend(prefixes: &[String], points: &BTreeSet<String>, separated: bool) -> Vec<String> {
    let separator = if separated { SEPARATOR.to_string() } else { String::new() };
    prefixes
        .iter()
        .flat_map(|prefix| points.iter().map(|point| format!("{prefix}{separator}{point}")).collect::<Vec<_>>())
        .collect()
}

fn closed_spans(prefixes: &[String], keys: usize, next: Option<&KeySet>) -> Vec<Span> {
    let span = |prefix: &String| match next {
        Some(KeySet::All) | None if keys > 0 => Span { from: prefix.clone(), to: format!("{prefix}{PAST_SEPARATOR}") },
        Some(set) if keys > 0 => set.span(&format!("{prefix}{SEPARATOR}"), PAST_SEPARATOR),
        Some(set) => set.span("", PAST_SEPARATOR),
        None => KeySet::All.span("", PAST_SEPARATOR),
    };
    prefixes.iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::sort_key::encode_name;
    use super::*;
    use crate::model::HiveType;

    fn filter(key: usize, condition: PartitionCondition) -> PartitionFilter {
        PartitionFilter { key, condition }
    }

    fn range(low: Bound<&str>, high: Bound<&str>) -> PartitionCondition {
        PartitionCondition::Range(low.map(str::to_owned), high.map(str::to_owned))
    }

    /// Every combination of conditions: the spans must hold exactly the names that the leading filters admit, and no
    /// name twice.
    #[test]
    fn spans_hold_every_name_that_matches() {
        let keys = [Column::new("a", HiveType::String), Column::new("b", HiveType::Int)];
        let texts = [None, Some(""), Some("a"), Some("a\u{0}"), Some("a\u{1}"), Some("ab"), Some("b"), Some("~")];
        let numbers = [None, Some("-10"), Some("-1"), Some("0"), Some("1"), Some("10")];
        let names: Vec<String> = texts
            .iter()
            .flat_map(|a| numbers.iter().map(move |b| [a.map(str::to_owned), b.map(str::to_owned)]))
            .map(|values| encode_name(&keys, &values).unwrap())
            .collect();
        let on_text = [
            None,
            Some(PartitionCondition::IsNull),
            Some(PartitionCondition::IsNotNull),
            Some(PartitionCondition::In(vec!["a".into(), "b".into(), "zz".into()])),
            Some(PartitionCondition::In(vec![])),
            Some(range(Bound::Excluded("a"), Bound::Included("ab"))),
            Some(range(Bound::Included("a"), Bound::Excluded("a\u{1}"))),
            Some(range(Bound::Unbounded, Bound::Included("a"))),
            Some(range(Bound::Included("b"), Bound::Included("a"))),
        ];
        let on_number = [
            None,
            Some(PartitionCondition::IsNull),
            Some(PartitionCondition::In(vec!["01".into(), "-10".into()])),
            Some(range(Bound::Excluded("-10"), Bound::Excluded("10"))),
            Some(range(Bound::Included("0.5"), Bound::Unbounded)),
        ];
        for a in &on_text {
            for b in &on_number {
                let filters: Vec<_> =
                    [a, b].iter().enumerate().filter_map(|(k, c)| (*c).clone().map(|c| filter(k, c))).collect();
                let sets = key_sets(&keys, &filters).unwrap();
                let spans = name_spans(&sets);
                for name in &names {
                    let holding = spans.iter().filter(|s| *name >= s.from && *name < s.to).count();
                    assert!(holding <= 1, "{filters:?} {name:?} {spans:?}");
                    assert!(holding == 1 || !matches(&sets, name), "{filters:?} {name:?} {spans:?}");
                    if let Some(exact) = exact_names(&sets) {
                        assert_eq!(exact.contains(name), matches(&sets, name));
                    }
                    let number = name.split(SEPARATOR).next_back().unwrap();
                    let span = sets[1].sort_key_span();
                    let inside = number >= span.from.as_str() && number < span.to.as_str();
                    assert!(inside || !sets[1].contains(number), "{filters:?} {number:?} {span:?}");
                }
            }
        }
    }

    #[test]
    fn filters_on_one_key_are_joined_by_and() {
        let keys = [Column::new("n", HiveType::Int)];
        let filters = [
            filter(0, range(Bound::Included("1"), Bound::Unbounded)),
            filter(0, range(Bound::Excluded("1"), Bound::Included("5"))),
            filter(0, range(Bound::Unbounded, Bound::Excluded("5"))),
        ];
        let sets = key_sets(&keys, &filters).unwrap();
        let admitted: Vec<i32> =
            (0..8).filter(|n| matches(&sets, &encode_name(&keys, &[Some(n.to_string())]).unwrap())).collect();
        assert_eq!(admitted, [2, 3, 4]);
        assert!(key_sets(&keys, &[filter(1, PartitionCondition::IsNull)]).is_err());
    }
}

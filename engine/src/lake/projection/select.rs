//! Which values of a projected column satisfy the conditions on it.

use super::series::{Place, Series, first_where};
use super::{MAX_PROJECTED_PARTITIONS, ProjectedValue, too_many_values};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::types::parse_partition_value;
use datafusion::common::ScalarValue;
use millrace_catalog::model::{HiveType, PartitionCondition};
use std::cmp::Ordering;
use std::ops::{Bound, Range};

/// The chosen values of a key.
#[derive(Debug)]
pub(super) enum Selection {
    /// Values of a series from one number to another, not listed yet.
    Span { series: Series, span: Range<u64>, key: HiveType },
    /// Listed values.
    List(Vec<ProjectedValue>),
}

impl Selection {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Span { span, .. } => span.end.saturating_sub(span.start),
            Self::List(values) => values.len() as u64,
        }
    }

    pub(super) fn into_values(self) -> Vec<ProjectedValue> {
        match self {
            Self::Span { series, span, key } => list(&series, span, &key),
            Self::List(values) => values,
        }
    }
}

/// A condition whose texts are typed, so that values compare as the key's type does.
enum Check {
    In(Vec<ScalarValue>),
    Range(Bound<ScalarValue>, Bound<ScalarValue>),
}

/// Chooses from a series.
///
/// Equality finds its values by arithmetic or binary search; a range narrows a sorted series by binary search; only
/// what is left is listed and compared value by value.
pub(super) fn select(
    series: Series,
    name: &str,
    key: &HiveType,
    conditions: &[&PartitionCondition],
) -> Result<Selection> {
    let Some(checks) = checks(conditions, key)? else { return Ok(Selection::List(Vec::new())) };
    if let Some(places) = places(&series, key, conditions) {
        let values = places.into_iter().map(|at| value(&series, at, key)).collect();
        return filter(values, &checks, key);
    }
    let mut span = 0..series.count();
    let sorted = series.is_sorted(key);
    if sorted {
        for check in &checks {
            if let Check::Range(low, high) = check {
                span = narrow(&series, key, span, low, high);
            }
        }
    }
    if sorted && checks.iter().all(|check| matches!(check, Check::Range(_, _))) || checks.is_empty() {
        return Ok(Selection::Span { series, span, key: key.clone() });
    }
    if span.end - span.start > MAX_PROJECTED_PARTITIONS {
        return Err(too_many_values(&format!("\"{name}\"")));
    }
    filter(list(&series, span, key), &checks, key)
}

/// The values of an injected key: those that the conditions list.
pub(super) fn select_injected(name: &str, key: &HiveType, conditions: &[&PartitionCondition]) -> Result<Selection> {
    let listed = conditions.iter().find_map(|condition| match condition {
        PartitionCondition::In(values) => Some(values),
        _ => None,
    });
    let Some(listed) = listed else {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "a static equality predicate on the partition column \"{name}\" is required (projection type injected)"
            ),
        )
        .with_hint(format!("Add a condition such as WHERE \"{name}\" = 'value' or WHERE \"{name}\" IN ('a', 'b').")));
    };
    let Some(checks) = checks(conditions, key)? else { return Ok(Selection::List(Vec::new())) };
    let mut values: Vec<_> =
        listed.iter().map(|text| ProjectedValue { value: text.clone(), folder: text.clone() }).collect();
    values.sort_by(|a, b| a.value.cmp(&b.value));
    values.dedup();
    filter(values, &checks, key)
}

/// The conditions with typed values; `None` when one of them can never hold. Projected values are never NULL.
fn checks(conditions: &[&PartitionCondition], key: &HiveType) -> Result<Option<Vec<Check>>> {
    let typed = |text: &String| parse_partition_value(Some(text), key);
    let bound = |bound: &Bound<String>| {
        Ok::<_, Error>(match bound {
            Bound::Included(text) => Bound::Included(typed(text)?),
            Bound::Excluded(text) => Bound::Excluded(typed(text)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    };
    let mut checks = Vec::new();
    for condition in conditions {
        match condition {
            PartitionCondition::IsNull => return Ok(None),
            PartitionCondition::IsNotNull => {}
            // A text that is no value of the type equals none of its values.
            PartitionCondition::In(texts) => {
                checks.push(Check::In(texts.iter().filter_map(|t| typed(t).ok()).collect()));
            }
            PartitionCondition::Range(low, high) => checks.push(Check::Range(bound(low)?, bound(high)?)),
        }
    }
    Ok(Some(checks))
}

/// The numbers of the values that the first equality condition lists, in order; `None` when there is no such
/// condition or the series cannot tell.
fn places(series: &Series, key: &HiveType, conditions: &[&PartitionCondition]) -> Option<Vec<u64>> {
    let texts = conditions.iter().find_map(|condition| match condition {
        PartitionCondition::In(texts) => Some(texts),
        _ => None,
    })?;
    let mut places = Vec::new();
    for text in texts {
        match series.place(text, key) {
            Place::At(at) => places.push(at),
            Place::Nowhere => {}
            Place::Unknown => return None,
        }
    }
    places.sort_unstable();
    places.dedup();
    Some(places)
}

fn value(series: &Series, at: u64, key: &HiveType) -> ProjectedValue {
    ProjectedValue { value: series.value_text(at, key), folder: series.folder_text(at) }
}

/// Steps finer than the pattern give the same text several times in a row.
fn list(series: &Series, span: Range<u64>, key: &HiveType) -> Vec<ProjectedValue> {
    let mut values: Vec<_> = span.map(|at| value(series, at, key)).collect();
    values.dedup();
    values
}

fn narrow(
    series: &Series,
    key: &HiveType,
    span: Range<u64>,
    low: &Bound<ScalarValue>,
    high: &Bound<ScalarValue>,
) -> Range<u64> {
    let order = |at: u64, bound: &ScalarValue| {
        parse_partition_value(Some(&series.value_text(at, key)), key).ok().and_then(|value| value.partial_cmp(bound))
    };
    let start = match low {
        Bound::Unbounded => span.start,
        Bound::Included(bound) => first_where(span.clone(), |at| order(at, bound) != Some(Ordering::Less)),
        Bound::Excluded(bound) => first_where(span.clone(), |at| order(at, bound) == Some(Ordering::Greater)),
    };
    let span = start..span.end;
    let end = match high {
        Bound::Unbounded => span.end,
        Bound::Included(bound) => first_where(span, |at| order(at, bound) == Some(Ordering::Greater)),
        Bound::Excluded(bound) => first_where(span, |at| order(at, bound) != Some(Ordering::Less)),
    };
    start..end
}

/// Keeps the values that satisfy all conditions.
fn filter(values: Vec<ProjectedValue>, checks: &[Check], key: &HiveType) -> Result<Selection> {
    let mut kept = Vec::new();
    for value in values {
        let typed = parse_partition_value(Some(&value.value), key);
        match typed {
            Ok(typed) if checks.iter().all(|check| check.holds(&typed)) => kept.push(value),
            Ok(_) => {}
            // A text that is no value of the key's type satisfies no condition.
            Err(error) if error.kind == ErrorKind::InvalidText => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Selection::List(kept))
}

impl Check {
    fn holds(&self, value: &ScalarValue) -> bool {
        let order = |bound: &ScalarValue| value.partial_cmp(bound);
        match self {
            Self::In(listed) => listed.contains(value),
            Self::Range(low, high) => {
                let above = match low {
                    Bound::Unbounded => true,
                    Bound::Included(bound) => matches!(order(bound), Some(Ordering::Greater | Ordering::Equal)),
                    Bound::Excluded(bound) => order(bound) == Some(Ordering::Greater),
                };
                let below = match high {
                    Bound::Unbounded => true,
                    Bound::Included(bound) => matches!(order(bound), Some(Ordering::Less | Ordering::Equal)),
                    Bound::Excluded(bound) => order(bound) == Some(Ordering::Less),
                };
                above && below
            }
        }
    }
}

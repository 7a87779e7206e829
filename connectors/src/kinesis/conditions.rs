//! Conditions that the service decides for us: on a record's shard and on the time of its arrival.
//!
//! A condition over these two columns only is decided exactly: shards that it excludes are not read, its bounds on the
//! time say where reading begins and ends, and each record is looked at before it becomes a row.

use crate::predicate::{Comparison, Predicate, Value};
use std::cmp::Ordering;

/// The column of the time of arrival.
pub(super) const ARRIVAL: &str = "approximate_arrival_timestamp";

/// The column of the shard.
pub(super) const SHARD: &str = "shard_id";

/// Microseconds, both ends included; `None` is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Not before.
    pub(super) lower: Option<i64>,
    /// Not after.
    pub(super) upper: Option<i64>,
}

impl Bounds {
    /// Whether no time is within.
    pub(super) fn is_empty(self) -> bool {
        matches!((self.lower, self.upper), (Some(lower), Some(upper)) if lower > upper)
    }

    fn both(self, other: Self) -> Self {
        let narrower = |a: Option<i64>, b: Option<i64>, choose: fn(i64, i64) -> i64| match (a, b) {
            (Some(a), Some(b)) => Some(choose(a, b)),
            (one, None) | (None, one) => one,
        };
        Self { lower: narrower(self.lower, other.lower, i64::max), upper: narrower(self.upper, other.upper, i64::min) }
    }

    fn either(self, other: Self) -> Self {
        Self {
            lower: self.lower.zip(other.lower).map(|(a, b)| a.min(b)),
            upper: self.upper.zip(other.upper).map(|(a, b)| a.max(b)),
        }
    }
}

/// Whether a condition looks at nothing but shard and time.
pub(super) fn decidable(predicate: &Predicate) -> bool {
    let constant = |column: &str, value: &Value| match value {
        Value::Text(_) => column == SHARD,
        Value::Timestamp(_) => column == ARRIVAL,
        _ => false,
    };
    match predicate {
        Predicate::Compare { column, value, .. } => constant(column, value),
        Predicate::In { column, values } => values.iter().all(|value| constant(column, value)),
        Predicate::Prefix { column, .. } => column == SHARD,
        Predicate::And(all) | Predicate::Or(all) => all.iter().all(decidable),
        Predicate::Not(inner) => decidable(inner),
        Predicate::InRows { .. } | Predicate::IsNull(_) | Predicate::IsNotNull(_) | Predicate::FullText { .. } => false,
    }
}

/// A decidable condition for a record of a shard; `None` where that hangs on a time that is not known.
pub(super) fn holds(predicate: &Predicate, shard: &str, arrival_us: Option<i64>) -> Option<bool> {
    let compare = |column: &str, value: &Value| match value {
        Value::Text(text) if column == SHARD => Some(shard.cmp(text)),
        Value::Timestamp(at) if column == ARRIVAL => arrival_us.map(|arrival| arrival.cmp(at)),
        _ => None,
    };
    match predicate {
        Predicate::Compare { column, comparison, value } => {
            compare(column, value).map(|ordering| satisfies(*comparison, ordering))
        }
        Predicate::In { column, values } => any(values.iter().map(|value| compare(column, value).map(Ordering::is_eq))),
        Predicate::Prefix { prefix, .. } => Some(shard.starts_with(prefix)),
        Predicate::And(all) => {
            let fails = any(all.iter().map(|one| holds(one, shard, arrival_us).map(|holds| !holds)));
            fails.map(|fails| !fails)
        }
        Predicate::Or(all) => any(all.iter().map(|one| holds(one, shard, arrival_us))),
        Predicate::Not(inner) => holds(inner, shard, arrival_us).map(|holds| !holds),
        Predicate::InRows { .. } | Predicate::IsNull(_) | Predicate::IsNotNull(_) | Predicate::FullText { .. } => None,
    }
}

fn satisfies(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Eq => ordering.is_eq(),
        Comparison::NotEq => ordering.is_ne(),
        Comparison::Lt => ordering.is_lt(),
        Comparison::LtEq => ordering.is_le(),
        Comparison::Gt => ordering.is_gt(),
        Comparison::GtEq => ordering.is_ge(),
    }
}

/// SQL's OR.
fn any(terms: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for term in terms {
        match term {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

/// The times that conditions, joined by AND, leave.
pub(super) fn bounds(predicates: &[Predicate]) -> Bounds {
    predicates.iter().map(bounds_of).fold(Bounds::default(), Bounds::both)
}

fn bounds_of(predicate: &Predicate) -> Bounds {
    match predicate {
        Predicate::Compare { column, comparison, value: Value::Timestamp(at) } if column == ARRIVAL => {
            let (lower, upper) = match comparison {
                Comparison::Eq => (Some(*at), Some(*at)),
                Comparison::NotEq => (None, None),
                Comparison::Lt => (None, Some(at.saturating_sub(1))),
                Comparison::LtEq => (None, Some(*at)),
                Comparison::Gt => (Some(at.saturating_add(1)), None),
                Comparison::GtEq => (Some(*at), None),
            };
            Bounds { lower, upper }
        }
        Predicate::In { column, values } if column == ARRIVAL => {
            let times = || values.iter().map(|value| if let Value::Timestamp(at) = value { Some(*at) } else { None });
            let times = || times().collect::<Option<Vec<i64>>>().unwrap_or_default();
            Bounds { lower: times().iter().min().copied(), upper: times().iter().max().copied() }
        }
        Predicate::And(all) => bounds(all),
        Predicate::Or(all) => all.iter().map(bounds_of).reduce(Bounds::either).unwrap_or_default(),
        _ => Bounds::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(comparison: Comparison, at: i64) -> Predicate {
        Predicate::Compare { column: ARRIVAL.to_owned(), comparison, value: Value::Timestamp(at) }
    }

    fn shard(comparison: Comparison, id: &str) -> Predicate {
        Predicate::Compare { column: SHARD.to_owned(), comparison, value: Value::Text(id.to_owned()) }
    }

    #[test]
    fn times_are_bounded_by_what_conditions_leave() {
        use Comparison::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        for (predicates, lower, upper) in [
            (vec![], None, None),
            (vec![time(Gt, 10)], Some(11), None),
            (vec![time(GtEq, 10), time(Gt, 4), time(Lt, 20)], Some(10), Some(19)),
            (vec![time(Eq, 10)], Some(10), Some(10)),
            (vec![time(NotEq, 10), shard(Eq, "a")], None, None),
            (vec![Predicate::And(vec![time(GtEq, 1), time(LtEq, 5)])], Some(1), Some(5)),
            (vec![Predicate::Or(vec![time(Eq, 9), time(Eq, 3)])], Some(3), Some(9)),
            (vec![Predicate::Or(vec![time(Eq, 9), time(GtEq, 3)])], Some(3), None),
            (vec![Predicate::Or(vec![time(Eq, 9), shard(Eq, "a")])], None, None),
            (vec![Predicate::Not(Box::new(time(Gt, 9)))], None, None),
            (
                vec![Predicate::In { column: ARRIVAL.into(), values: vec![Value::Timestamp(7), Value::Timestamp(2)] }],
                Some(2),
                Some(7),
            ),
        ] {
            assert_eq!(bounds(&predicates), Bounds { lower, upper }, "{predicates:?}");
        }
        assert!(bounds(&[time(Gt, 5), time(Lt, 5)]).is_empty());
        assert!(!bounds(&[time(GtEq, 5), time(LtEq, 5)]).is_empty());
    }

    #[test]
    fn unknown_times_keep_a_shard_and_drop_a_row() {
        use Comparison::{Eq, Gt, Lt};
        let either = Predicate::Or(vec![shard(Eq, "a"), time(Gt, 10)]);
        let both = Predicate::And(vec![shard(Eq, "a"), time(Gt, 10)]);
        for (predicate, id, arrival, holds_so) in [
            (&either, "a", None, Some(true)),
            (&either, "b", None, None),
            (&either, "b", Some(10), Some(false)),
            (&either, "b", Some(11), Some(true)),
            (&both, "a", None, None),
            (&both, "b", None, Some(false)),
            (&both, "a", Some(11), Some(true)),
            (&Predicate::Not(Box::new(both.clone())), "b", None, Some(true)),
            (&shard(Lt, "b"), "a", None, Some(true)),
            (&Predicate::Prefix { column: SHARD.into(), prefix: "sh".into() }, "shard", None, Some(true)),
            (&Predicate::In { column: SHARD.into(), values: vec![] }, "a", None, Some(false)),
        ] {
            assert_eq!(holds(predicate, id, arrival), holds_so, "{predicate:?} for {id} at {arrival:?}");
        }
    }

    #[test]
    fn other_columns_and_other_types_are_not_decided_here() {
        let key = Predicate::Compare {
            column: "partition_key".to_owned(),
            comparison: Comparison::Eq,
            value: Value::Text("k".to_owned()),
        };
        assert!(!decidable(&key));
        assert!(!decidable(&Predicate::Or(vec![shard(Comparison::Eq, "a"), key])));
        assert!(!decidable(&Predicate::IsNull(ARRIVAL.to_owned())));
        let text = Value::Text("2024-01-01".to_owned());
        assert!(!decidable(&Predicate::Compare { column: ARRIVAL.into(), comparison: Comparison::Gt, value: text }));
        assert!(decidable(&Predicate::And(vec![shard(Comparison::Eq, "a"), time(Comparison::Gt, 1)])));
    }
}

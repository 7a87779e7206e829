//! The parts of a table that are read at the same time.
//!
//! A table of several indices is divided by index, an index by shard: a part asks its own shards only (`preference`), and
//! one of a single shard is searched and fetched in one step. Elasticsearch divides a shard only within one point in time,
//! which parts that are read apart do not share; OpenSearch does it by a hash of `_id`, for which it must look at all of
//! them, so that is done only when the option `slices` asks for it.
//!
//! A part knows how many shards the table had: with another number of them the parts would no longer be the table.

use super::client::unavailable;
use super::cursor::Flavour;
use crate::connector::Split;
use crate::error::{ConnectorError, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of an index so many times more parts are made than are read at the same time, while it has the shards.
const PARTS_EACH: usize = 4;

/// A server keeps open so many shards at once on a node (OpenSearch 300, Elasticsearch 500): all parts stay below.
const SHARDS_OPEN_MAX: usize = 250;

/// How many parts are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// So many are read at the same time.
    pub(super) at_once: usize,
    /// Whether more may wait until others are read.
    pub(super) may_wait: bool,
    /// Whether the user says how many.
    pub(super) is_asked_for: bool,
}

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Some shards of an index, by their numbers.
    Shards {
        numbers: Vec<u64>,
        shards: u64,
    },
    /// A piece of each shard of an index.
    Slice {
        id: usize,
        max: usize,
        shards: u64,
    },
    /// Some of the indices.
    Indices {
        names: Vec<String>,
        shards: u64,
    },
}

impl Part {
    /// How many shards a search of it looks at.
    pub(super) fn searched(&self) -> Option<u64> {
        match self {
            Part::All => None,
            Part::Shards { numbers, .. } => Some(numbers.len() as u64),
            Part::Slice { shards, .. } | Part::Indices { shards, .. } => Some(*shards),
        }
    }

    /// The parameter by which a request is kept to its shards.
    pub(super) fn preference(&self) -> Option<String> {
        match self {
            Part::Shards { numbers, .. } => Some(format!("_shards:{}", joined(numbers, ","))),
            Part::All | Part::Slice { .. } | Part::Indices { .. } => None,
        }
    }

    /// Divides a table by the answer of `GET /table/_search_shards`.
    ///
    /// # Errors
    /// As [`shards`].
    pub(super) fn divide((answer, table): (&Value, &str), wanted: Wanted, flavour: Flavour) -> Result<Vec<Part>> {
        let Wanted { at_once, may_wait, is_asked_for } = wanted;
        let indices = shards(answer, table)?;
        let count: usize = indices.values().map(Vec::len).sum();
        // Each of these parts opens all shards.
        let whole = at_once.min(SHARDS_OPEN_MAX / count.max(1)).max(1);
        let shards = count as u64;
        let mut parts: Vec<Part> = if indices.len() > 1 {
            let max = whole.min(indices.len());
            groups(indices, max).into_iter().map(|names| Part::Indices { names, shards }).collect()
        } else if count > 0 && whole > count && is_asked_for && flavour.is_opensearch {
            (0..whole).map(|id| Part::Slice { id, max: whole, shards }).collect()
        } else {
            let all = indices.into_values().next().unwrap_or_default();
            let most = if may_wait && !is_asked_for { at_once.saturating_mul(PARTS_EACH) } else { at_once };
            let max = most.min(count).max(1);
            let numbers = |first| all.iter().skip(first).step_by(max).copied().collect();
            (0..max).map(|first| Part::Shards { numbers: numbers(first), shards }).collect()
        };
        if at_once <= 1 || parts.len() <= 1 {
            parts = vec![Part::All];
        }
        Ok(parts)
    }

    /// Whether an answer of `GET /table/_search_shards` is of the table that was divided.
    ///
    /// # Errors
    /// `Unavailable` when it has other shards by now, and as [`shards`].
    pub(super) fn check(&self, answer: &Value, table: &str) -> Result<()> {
        match self {
            Part::Shards { shards: expected, .. } => {
                let found = shards(answer, table)?.values().map(Vec::len).sum::<usize>() as u64;
                if found == *expected { Ok(()) } else { Err(changed(table, *expected, found)) }
            }
            Part::All | Part::Slice { .. } | Part::Indices { .. } => Ok(()),
        }
    }

    /// As a split; its name tells what it is.
    pub(super) fn split(&self) -> Split {
        let (id, payload) = match self {
            Part::All => ("all".to_owned(), json!({})),
            Part::Shards { numbers, shards } => {
                (format!("shards-{}-of-{shards}", joined(numbers, ".")), json!({"numbers": numbers, "shards": shards}))
            }
            Part::Slice { id, max, shards } => {
                (format!("slice-{id}-of-{max}"), json!({"id": id, "max": max, "shards": shards}))
            }
            Part::Indices { names, shards } => {
                let first = names.first().map(String::as_str).unwrap_or_default();
                (format!("indices-{first}"), json!({"indices": names, "shards": shards}))
            }
        };
        Split { id, payload: payload.to_string().into_bytes(), after: vec![] }
    }

    /// From a split.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not one of ours.
    pub(super) fn of(split: &Split) -> Result<Part> {
        let bad = || ConnectorError::InvalidArgument(format!("\"{}\" is no split of a search index", split.id));
        let payload: Value = serde_json::from_slice(&split.payload).map_err(|_| bad())?;
        let number = |name: &str| payload.get(name).and_then(Value::as_u64).ok_or_else(bad);
        if let Some(names) = payload.get("indices").and_then(Value::as_array) {
            let names = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Ok(Part::Indices { names, shards: number("shards")? });
        }
        if let Some(numbers) = payload.get("numbers").and_then(Value::as_array) {
            let numbers = numbers.iter().filter_map(Value::as_u64).collect();
            return Ok(Part::Shards { numbers, shards: number("shards")? });
        }
        if payload.get("max").is_none() {
            return Ok(Part::All);
        }
        Ok(Part::Slice { id: number("id")? as usize, max: number("max")? as usize, shards: number("shards")? })
    }
}

/// The error for parts that are no longer the table.
pub(super) fn changed(table: &str, expected: u64, found: u64) -> ConnectorError {
    unavailable(format!(
        "the indices of \"{table}\" changed while the query was prepared: {found} shards instead of {expected}"
    ))
}

/// The numbers of each index's shards, by the answer of `GET /table/_search_shards`.
///
/// # Errors
/// `Unavailable` when no copy of a shard is there.
fn shards<'a>(answer: &'a Value, table: &str) -> Result<BTreeMap<&'a str, Vec<u64>>> {
    let groups = answer.get("shards").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut indices: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut missing = 0;
    for group in groups {
        let copy = group.get(0);
        let index = copy.and_then(|copy| copy.get("index")).and_then(Value::as_str);
        let number = copy.and_then(|copy| copy.get("shard")).and_then(Value::as_u64);
        match index.zip(number) {
            Some((index, number)) => indices.entry(index).or_default().push(number),
            None => missing += 1,
        }
    }
    if missing > 0 {
        return Err(unavailable(format!("{missing} of {} shards of \"{table}\" are not available", groups.len())));
    }
    for numbers in indices.values_mut() {
        numbers.sort_unstable();
    }
    Ok(indices)
}

fn joined(numbers: &[u64], with: &str) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(with)
}

/// Indices in groups with about as many shards each, the same for the same indices.
fn groups(indices: BTreeMap<&str, Vec<u64>>, count: usize) -> Vec<Vec<String>> {
    let mut indices: Vec<(&str, usize)> = indices.into_iter().map(|(index, numbers)| (index, numbers.len())).collect();
    indices.sort_by_key(|(_, shards)| std::cmp::Reverse(*shards));
    let mut groups: Vec<(usize, Vec<String>)> = vec![(0, vec![]); count];
    for (index, shards) in indices {
        if let Some((load, group)) = groups.iter_mut().min_by_key(|(load, _)| *load) {
            *load += shards;
            group.push(index.to_owned());
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OPENSEARCH: Flavour = Flavour { is_opensearch: true, version: (2, 19) };
    const ELASTICSEARCH: Flavour = Flavour { is_opensearch: false, version: (8, 0) };

    fn shards(indices: &[(&str, usize)]) -> Value {
        let groups = indices.iter().flat_map(|(index, shards)| {
            (0..*shards).map(move |shard| json!([{"index": index, "shard": shard}, {"index": index, "shard": shard}]))
        });
        json!({"shards": groups.collect::<Vec<_>>()})
    }

    fn divide(answer: &Value, at_once: usize, is_asked_for: bool, flavour: Flavour) -> Vec<Part> {
        Part::divide((answer, "t"), Wanted { at_once, may_wait: true, is_asked_for }, flavour).unwrap()
    }

    fn numbers(numbers: &[u64], shards: u64) -> Part {
        Part::Shards { numbers: numbers.to_vec(), shards }
    }

    #[test]
    fn an_index_is_divided_by_shard_and_further_only_when_asked_for() {
        let answer = shards(&[("logs", 3)]);
        assert_eq!(divide(&answer, 2, true, ELASTICSEARCH), [numbers(&[0, 2], 3), numbers(&[1], 3)]);
        assert_eq!(divide(&answer, 8, false, OPENSEARCH), [numbers(&[0], 3), numbers(&[1], 3), numbers(&[2], 3)]);
        assert_eq!(divide(&answer, 8, true, ELASTICSEARCH).len(), 3);
        let parts = divide(&answer, 8, true, OPENSEARCH);
        assert_eq!(parts[7], Part::Slice { id: 7, max: 8, shards: 3 });
        // More are made than are read at the same time, but not one for each of many.
        assert_eq!(divide(&shards(&[("logs", 20)]), 2, false, OPENSEARCH)[7], numbers(&[7, 15], 20));
        let at_once = Wanted { at_once: 2, may_wait: false, is_asked_for: false };
        assert_eq!(Part::divide((&answer, "t"), at_once, OPENSEARCH).unwrap().len(), 2);
        assert_eq!(divide(&answer, 1, false, OPENSEARCH), [Part::All]);
        assert_eq!(divide(&shards(&[("logs", 1)]), 8, false, OPENSEARCH), [Part::All]);
        assert_eq!(divide(&shards(&[]), 8, false, OPENSEARCH), [Part::All]);
        for part in parts.into_iter().chain(divide(&answer, 2, true, ELASTICSEARCH)) {
            assert_eq!(Part::of(&part.split()).unwrap(), part);
        }
        assert_eq!(numbers(&[0, 2], 3).preference().unwrap(), "_shards:0,2");
        assert_eq!(
            (numbers(&[0, 2], 3).searched(), numbers(&[0, 2], 3).split().id),
            (Some(2), "shards-0.2-of-3".into())
        );
    }

    #[test]
    fn several_indices_are_divided_by_index() {
        let parts = divide(&shards(&[("a", 1), ("b", 5), ("c", 2), ("d", 2)]), 2, false, OPENSEARCH);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(parts[0], Part::Indices { names: names(&["b"]), shards: 10 });
        assert_eq!(parts[1], Part::Indices { names: names(&["c", "d", "a"]), shards: 10 });
        assert_eq!(Part::of(&parts[1].split()).unwrap(), parts[1]);
        // So many shards at once are more than a server keeps open.
        let many: Vec<(String, usize)> = (0..200).map(|day| (format!("logs-{day}"), 1)).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|(name, shards)| (name.as_str(), *shards)).collect();
        assert_eq!(divide(&shards(&many), 16, false, OPENSEARCH), [Part::All]);
    }

    /// A shard without a copy is an empty list, as OpenSearch 2.19 answers for an index with unassigned shards.
    #[test]
    fn shards_that_are_not_there_are_missed() {
        let mut answer = shards(&[("logs", 3)]);
        let part = numbers(&[0], 3);
        assert!(part.check(&answer, "logs").is_ok());
        let more = part.check(&shards(&[("logs", 4)]), "logs").unwrap_err().to_string();
        assert_eq!(more, "the indices of \"logs\" changed while the query was prepared: 4 shards instead of 3");
        answer["shards"][1] = json!([]);
        let wanted = Wanted { at_once: 2, may_wait: true, is_asked_for: false };
        let divided = Part::divide((&answer, "logs"), wanted, OPENSEARCH).unwrap_err();
        for error in [divided, part.check(&answer, "logs").unwrap_err()] {
            assert_eq!(error.to_string(), "1 of 3 shards of \"logs\" are not available");
        }
    }
}

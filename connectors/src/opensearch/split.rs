//! The parts of a table that are read at the same time.
//!
//! A table of several indices is divided by index, an index by shard. Elasticsearch divides a shard only within one
//! point in time, which parts that are read apart do not share; OpenSearch does it by a hash of `_id`, for which it
//! must look at all of them, so that is done only when the option `slices` asks for it.

use super::cursor::Flavour;
use crate::connector::Split;
use crate::error::{ConnectorError, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A server keeps open so many shards at once on a node (OpenSearch 300, Elasticsearch 500): all parts stay below.
const SHARDS_OPEN_MAX: usize = 250;

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Whole shards of an index, or pieces of them.
    Slice {
        id: usize,
        max: usize,
        by_id: bool,
        shards: u64,
    },
    /// Some of the indices.
    Indices {
        names: Vec<String>,
        shards: u64,
    },
}

impl Part {
    /// How many shards the table had when it was divided.
    pub(super) fn shards(&self) -> Option<u64> {
        match self {
            Part::All => None,
            Part::Slice { shards, .. } | Part::Indices { shards, .. } => Some(*shards),
        }
    }

    /// Divides a table by the answer of `GET /table/_search_shards`.
    pub(super) fn divide(answer: &Value, wanted: usize, is_asked_for: bool, flavour: Flavour) -> Vec<Part> {
        let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
        for group in answer.get("shards").and_then(Value::as_array).into_iter().flatten() {
            if let Some(index) = group.get(0).and_then(|copy| copy.get("index")).and_then(Value::as_str) {
                *indices.entry(index).or_default() += 1;
            }
        }
        let shards: usize = indices.values().sum();
        let wanted = wanted.min(SHARDS_OPEN_MAX / shards.max(1)).max(1);
        let by_id = indices.len() == 1 && wanted > shards && is_asked_for && flavour.is_opensearch;
        let max = match indices.len() {
            1 if by_id => wanted,
            1 => wanted.min(shards),
            many => wanted.min(many),
        };
        let shards = shards as u64;
        match indices.len() {
            _ if max <= 1 => vec![Part::All],
            1 => (0..max).map(|id| Part::Slice { id, max, by_id, shards }).collect(),
            _ => groups(indices, max).into_iter().map(|names| Part::Indices { names, shards }).collect(),
        }
    }

    /// As a split; its name tells what it is.
    pub(super) fn split(&self) -> Split {
        let (id, payload) = match self {
            Part::All => ("all".to_owned(), json!({})),
            Part::Slice { id, max, by_id, shards } => {
                (format!("slice-{id}-of-{max}"), json!({"id": id, "max": max, "by_id": by_id, "shards": shards}))
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
        if payload.get("max").is_none() {
            return Ok(Part::All);
        }
        Ok(Part::Slice {
            id: number("id")? as usize,
            max: number("max")? as usize,
            by_id: payload.get("by_id") == Some(&Value::Bool(true)),
            shards: number("shards")?,
        })
    }
}

/// Indices in groups with about as many shards each, the same for the same indices.
fn groups(indices: BTreeMap<&str, usize>, count: usize) -> Vec<Vec<String>> {
    let mut indices: Vec<(&str, usize)> = indices.into_iter().collect();
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

    #[test]
    fn an_index_is_divided_by_shard_and_further_only_when_asked_for() {
        let answer = shards(&[("logs", 3)]);
        assert_eq!(Part::divide(&answer, 2, false, ELASTICSEARCH).len(), 2);
        assert_eq!(Part::divide(&answer, 8, false, OPENSEARCH).len(), 3);
        assert_eq!(Part::divide(&answer, 8, true, ELASTICSEARCH).len(), 3);
        let parts = Part::divide(&answer, 8, true, OPENSEARCH);
        assert_eq!(parts[7], Part::Slice { id: 7, max: 8, by_id: true, shards: 3 });
        assert_eq!(Part::divide(&shards(&[("logs", 1)]), 8, false, OPENSEARCH), vec![Part::All]);
        assert_eq!(Part::divide(&shards(&[]), 8, false, OPENSEARCH), vec![Part::All]);
        for part in parts {
            assert_eq!(Part::of(&part.split()).unwrap(), part);
        }
    }

    #[test]
    fn several_indices_are_divided_by_index() {
        let parts = Part::divide(&shards(&[("a", 1), ("b", 5), ("c", 2), ("d", 2)]), 2, false, OPENSEARCH);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(parts[0], Part::Indices { names: names(&["b"]), shards: 10 });
        assert_eq!(parts[1], Part::Indices { names: names(&["c", "d", "a"]), shards: 10 });
        assert_eq!(Part::of(&parts[1].split()).unwrap(), parts[1]);
        // So many shards at once are more than a server keeps open.
        let many: Vec<(String, usize)> = (0..200).map(|day| (format!("logs-{day}"), 1)).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|(name, shards)| (name.as_str(), *shards)).collect();
        assert_eq!(Part::divide(&shards(&many), 16, false, OPENSEARCH), vec![Part::All]);
    }
}

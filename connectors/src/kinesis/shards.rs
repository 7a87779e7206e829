//! Shards as splits: which are read, from where, and after which.
//!
//! A stream is split and merged while it lives: a shard that is closed has children, which hold the records that came
//! after it was closed. A scan's splits are the shards that exist when it begins, parents before children. A child
//! that is made later holds only records that came after the scan began, so the scan does not need it; the next scan
//! finds it, and its parent's checkpoint says that the parent is finished.

use super::conditions::{self, Bounds};
use crate::connector::{Checkpoint, ScanRequest, Split};
use crate::error::{ConnectorError, Result};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A shard as the service lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    /// Its name.
    pub(super) id: String,
    /// Those that it came from, one after a split, two after a merge.
    pub(super) parents: Vec<String>,
    /// Whether nothing will be added to it.
    pub(super) closed: bool,
    /// The sequence number that none of its records is below.
    pub(super) first: Option<String>,
}

impl Shard {
    /// Whether a place can be one of its own. One that it has not is of another stream, which had the same name and the
    /// same shards: a shard that was finished is not open again, and sequence numbers grow from stream to stream.
    fn has(&self, position: &Position) -> bool {
        let digits = |number: &str| {
            let number = number.trim_start_matches('0');
            (number.len(), number.to_owned())
        };
        match position {
            Position::Start | Position::Time(_) => true,
            Position::End => self.closed,
            Position::After(sequence) | Position::Within(sequence, _) => {
                self.first.as_ref().is_none_or(|first| digits(sequence) >= digits(first))
            }
        }
    }
}

/// A place in a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Position {
    /// Before everything that is kept.
    Start,
    /// Before the first record from this millisecond on.
    Time(i64),
    /// Within a record that holds many: after the one with this sub-sequence number.
    Within(String, u64),
    /// After the record with this sequence number.
    After(String),
    /// After everything; the shard is closed.
    End,
}

impl Position {
    /// What a checkpoint says of it. Where nothing was read yet, that is the start: the time comes from the request.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Start | Self::Time(_) => "start".to_owned(),
            Self::Within(sequence, sub) => format!("{sequence}:{sub}"),
            Self::After(sequence) => sequence.clone(),
            Self::End => "end".to_owned(),
        }
    }

    /// A checkpoint's place.
    ///
    /// # Errors
    /// `InvalidArgument` for a text that is none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once(':') {
            None if text == "start" => return Ok(Self::Start),
            None if text == "end" => return Ok(Self::End),
            None if digits(text) => return Ok(Self::After(text.to_owned())),
            Some((sequence, sub)) if digits(sequence) => {
                if let Ok(sub) = sub.parse() {
                    return Ok(Self::Within(sequence.to_owned(), sub));
                }
            }
            _ => {}
        }
        Err(ConnectorError::InvalidArgument(format!("\"{text}\" is no checkpoint of a shard")))
    }
}

/// What a split says to whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The scan that it belongs to, a number of chance.
    pub(super) scan: u64,
    /// When that scan began, in milliseconds.
    pub(super) began_ms: i64,
    /// Whether the shard was closed then.
    pub(super) closed: bool,
    /// Where to begin.
    pub(super) from: Position,
}

impl Part {
    /// What a split of ours says.
    ///
    /// # Errors
    /// `InvalidArgument` for a split that is not ours.
    pub(super) fn of(split: &Split) -> Result<Self> {
        serde_json::from_slice(&split.payload)
            .map_err(|error| ConnectorError::InvalidArgument(format!("split \"{}\" is no shard: {error}", split.id)))
    }
}

/// Whether conditions leave any record of a shard.
pub(super) fn chosen(request: &ScanRequest, shard: &str) -> bool {
    request.predicates.iter().all(|predicate| conditions::holds(predicate, shard, None) != Some(false))
}

/// The time to ask the service for, where conditions name one: it keeps milliseconds, and it refuses the future.
pub(super) fn from_ms(bounds: Bounds, now_ms: i64) -> Option<i64> {
    bounds.lower.map(|lower| lower.div_euclid(1000).min(now_ms))
}

/// The splits of a request over the shards that exist now.
///
/// # Errors
/// `InvalidArgument` for checkpoints that are not ours, or of another stream that had the name.
pub(super) fn splits(request: &ScanRequest, shards: &[Shard], scan: u64, now_ms: i64) -> Result<Vec<Split>> {
    let bounds = conditions::bounds(&request.predicates);
    if bounds.is_empty() {
        return Ok(vec![]);
    }
    let known = |checkpoint: &Checkpoint| Ok((checkpoint.split.clone(), Position::parse(&checkpoint.position)?));
    let known: HashMap<String, Position> = request.checkpoints.iter().map(known).collect::<Result<_>>()?;
    let shards: Vec<&Shard> = shards.iter().filter(|shard| chosen(request, &shard.id)).collect();
    let ids: HashSet<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
    let split = |shard: &&Shard| {
        let from = match known.get(&shard.id) {
            None | Some(Position::Start) => from_ms(bounds, now_ms).map_or(Position::Start, Position::Time),
            Some(position) if !shard.has(position) => return Err(another(&request.table, &shard.id, position)),
            Some(position) => position.clone(),
        };
        let part = Part { scan, began_ms: now_ms, closed: shard.closed, from };
        let payload = serde_json::to_vec(&part).map_err(|error| ConnectorError::BadData(error.to_string()))?;
        let after = shard.parents.iter().filter(|parent| ids.contains(parent.as_str())).cloned().collect();
        Ok(Split { id: shard.id.clone(), payload, after })
    };
    shards.iter().map(split).collect()
}

/// The error for a checkpoint that a shard cannot have given.
pub(super) fn another(stream: &str, shard: &str, position: &Position) -> ConnectorError {
    let missing = match position {
        Position::After(sequence) | Position::Within(sequence, _) => format!("knows no record {sequence}"),
        Position::Start | Position::Time(_) | Position::End => "is open again".to_owned(),
    };
    let message = format!("shard \"{shard}\" of stream \"{stream}\" {missing}: the checkpoint is of another stream");
    ConnectorError::InvalidArgument(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::predicate::{Comparison, Predicate, Value};

    fn shard(id: &str, parents: &[&str], closed: bool) -> Shard {
        let parents = parents.iter().map(|p| (*p).to_owned()).collect();
        Shard { id: id.to_owned(), parents, closed, first: Some("9".to_owned()) }
    }

    fn request(predicates: Vec<Predicate>, checkpoints: &[(&str, &str)]) -> ScanRequest {
        let checkpoint = |(split, position): &(&str, &str)| Checkpoint {
            split: (*split).to_owned(),
            position: (*position).to_owned(),
        };
        ScanRequest {
            table: "events".to_owned(),
            columns: vec![],
            predicates,
            limit: None,
            order: vec![],
            checkpoints: checkpoints.iter().map(checkpoint).collect(),
        }
    }

    fn planned(request: &ScanRequest) -> Vec<(String, Position, Vec<String>)> {
        let shards = [
            shard("0", &["gone"], true),
            shard("1", &["gone"], true),
            shard("2", &["0"], true),
            shard("3", &["0"], false),
            shard("4", &["1", "2"], false),
        ];
        let splits = splits(request, &shards, 7, 5000).unwrap();
        splits.into_iter().map(|split| (split.id.clone(), Part::of(&split).unwrap().from, split.after)).collect()
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn shards_are_read_after_their_parents_from_where_they_were_left() {
        let splits =
            planned(&request(vec![], &[("0", "end"), ("1", "49"), ("2", "50:3"), ("old", "end"), ("3", "start")]));
        assert_eq!(
            splits,
            [
                ("0".to_owned(), Position::End, vec![]),
                ("1".to_owned(), Position::After("49".to_owned()), vec![]),
                ("2".to_owned(), Position::Within("50".to_owned(), 3), texts(&["0"])),
                ("3".to_owned(), Position::Start, texts(&["0"])),
                ("4".to_owned(), Position::Start, texts(&["1", "2"])),
            ]
        );
    }

    #[test]
    fn checkpoints_of_another_stream_are_refused() {
        let listed = [shard("0", &[], false)];
        for (checkpoint, expected) in [
            ("10", None),
            ("009", None),
            ("start", None),
            ("8", Some("shard \"0\" of stream \"events\" knows no record 8: the checkpoint is of another stream")),
            ("8:3", Some("shard \"0\" of stream \"events\" knows no record 8: the checkpoint is of another stream")),
            ("end", Some("shard \"0\" of stream \"events\" is open again: the checkpoint is of another stream")),
        ] {
            let split = splits(&request(vec![], &[("0", checkpoint)]), &listed, 7, 5000);
            assert_eq!(split.err().map(|error| error.to_string()).as_deref(), expected, "{checkpoint}");
        }
    }

    #[test]
    fn conditions_choose_shards_and_times() {
        let shards = Predicate::In {
            column: "shard_id".to_owned(),
            values: vec![Value::Text("2".to_owned()), Value::Text("4".to_owned())],
        };
        let time = |comparison, at| Predicate::Compare {
            column: "approximate_arrival_timestamp".to_owned(),
            comparison,
            value: Value::Timestamp(at),
        };
        let splits = planned(&request(vec![shards, time(Comparison::Gt, 1_234_999)], &[]));
        let at = Position::Time(1235);
        assert_eq!(splits, [("2".to_owned(), at.clone(), vec![]), ("4".to_owned(), at, texts(&["2"]))]);
        let future = planned(&request(vec![time(Comparison::GtEq, 9_000_000)], &[]));
        assert_eq!(future[0].1, Position::Time(5000));
        let none = request(vec![time(Comparison::Gt, 9), time(Comparison::Lt, 9)], &[]);
        assert!(planned(&none).is_empty());
    }

    #[test]
    fn places_are_kept_as_text() {
        for text in ["start", "end", "495", "495:0"] {
            assert_eq!(Position::parse(text).unwrap().to_text(), text);
        }
        for text in ["", "x", "1:", ":1", "1:2:3", "-1", "1:-1"] {
            assert!(Position::parse(text).is_err(), "{text}");
        }
    }
}

//! Where a projected partition lies.

use super::ProjectedValue;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::write::partition_path;

/// The property that holds a template.
const PROPERTY: &str = "storage.location.template";

/// The folders of projected partitions, as URLs that end in `/`.
#[derive(Debug, Clone)]
pub(super) enum Location {
    /// `key=value` folders below the table's.
    Hive { table: String, keys: Vec<String> },
    /// A template with `${key}` in it.
    Template(Vec<Piece>),
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Literal(String),
    /// The position of a key.
    Key(usize),
}

impl Location {
    pub(super) fn hive(table: &str, keys: Vec<String>) -> Self {
        Self::Hive { table: table.trim_end_matches('/').to_owned(), keys }
    }

    /// Parses a template, which must name every key and nothing else.
    pub(super) fn parse(template: &str, keys: &[String]) -> Result<Self> {
        let invalid = |detail: String| {
            Error::new(
                ErrorKind::InvalidTableDefinition,
                format!("invalid value \"{template}\" for table property \"{PROPERTY}\""),
            )
            .with_detail(detail)
        };
        let mut pieces = Vec::new();
        let mut rest = template.trim();
        while let Some(start) = rest.find("${") {
            let (literal, placeholder) = rest.split_at(start);
            pieces.push(Piece::Literal(literal.to_owned()));
            let Some(end) = placeholder.find('}') else {
                return Err(invalid("a placeholder is not closed with \"}\"".to_owned()));
            };
            let name = placeholder[2..end].trim();
            let Some(key) = keys.iter().position(|key| key.eq_ignore_ascii_case(name)) else {
                return Err(invalid(format!("\"{name}\" is not a partition column")));
            };
            pieces.push(Piece::Key(key));
            rest = &placeholder[end + 1..];
        }
        pieces.push(Piece::Literal(if rest.ends_with('/') { rest.to_owned() } else { format!("{rest}/") }));
        let is_named = |at: usize| pieces.iter().any(|piece| matches!(piece, Piece::Key(key) if *key == at));
        match keys.iter().enumerate().find(|(at, _)| !is_named(*at)) {
            Some((_, key)) => Err(invalid(format!("the placeholder \"${{{key}}}\" is missing"))),
            None => Ok(Self::Template(pieces)),
        }
    }

    /// The folder of a partition. Values go into a template as they are, so that a date may make several folders.
    pub(super) fn of(&self, values: &[&ProjectedValue]) -> String {
        match self {
            Self::Hive { table, keys } => {
                let folders: Vec<_> = values.iter().map(|value| Some(value.folder.clone())).collect();
                format!("{table}/{}/", partition_path(keys, &folders))
            }
            Self::Template(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.as_str(),
                    Piece::Key(at) => values.get(*at).map_or("", |value| value.folder.as_str()),
                })
                .collect(),
        }
    }
}

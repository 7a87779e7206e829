//! `ducklake_snapshot_changes.changes_made`: what each snapshot did, as DuckLake writes it.

use crate::store::quoted;
use std::collections::BTreeSet;

/// One thing that a snapshot did. The order is that of DuckLake's texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    CreatedSchema(String),
    DroppedSchema(i64),
    DroppedTable(i64),
    /// A new or renamed table or a view.
    Created {
        schema: String,
        name: String,
    },
    Inserted(i64),
    Deleted(i64),
    Altered(i64),
    InlinedInsert(i64),
    InlinedDelete(i64),
    Flushed(i64),
    /// The same rows in other files; `true` when deleted rows were left out.
    Compacted(i64, bool),
    /// Something that no managed table shows: macros, views.
    Other(String),
}

impl Effect {
    /// The table that it changed for readers.
    pub(super) fn written(&self) -> Option<i64> {
        match self {
            Self::DroppedTable(table)
            | Self::Inserted(table)
            | Self::Deleted(table)
            | Self::Altered(table)
            | Self::InlinedInsert(table)
            | Self::InlinedDelete(table) => Some(*table),
            _ => None,
        }
    }

    /// The table whose files or inlined rows it changed.
    pub(super) fn touched(&self) -> Option<i64> {
        match self {
            Self::Flushed(table) | Self::Compacted(table, _) => Some(*table),
            other => other.written(),
        }
    }

    /// Whether only rows in the catalog came or went: files and what is known of them stayed, too.
    pub(super) fn is_of_inlined_rows(&self) -> bool {
        matches!(self, Self::InlinedInsert(_) | Self::InlinedDelete(_))
    }

    /// Whether only rows came, went or moved: definitions stayed.
    pub(super) fn is_of_rows(&self) -> bool {
        matches!(
            self,
            Self::Inserted(_)
                | Self::Deleted(_)
                | Self::InlinedInsert(_)
                | Self::InlinedDelete(_)
                | Self::Flushed(_)
                | Self::Compacted(..)
        )
    }

    /// Whether more happened to the table than that rows were added.
    pub(super) fn is_destructive(&self) -> bool {
        matches!(self, Self::DroppedTable(_) | Self::Deleted(_) | Self::Altered(_) | Self::InlinedDelete(_))
    }

    fn text(&self) -> String {
        match self {
            Self::CreatedSchema(name) => format!("created_schema:{}", quoted(name)),
            Self::DroppedSchema(id) => format!("dropped_schema:{id}"),
            Self::DroppedTable(id) => format!("dropped_table:{id}"),
            Self::Created { schema, name } => format!("created_table:{}.{}", quoted(schema), quoted(name)),
            Self::Inserted(id) => format!("inserted_into_table:{id}"),
            Self::Deleted(id) => format!("deleted_from_table:{id}"),
            Self::Altered(id) => format!("altered_table:{id}"),
            Self::InlinedInsert(id) => format!("inlined_insert:{id}"),
            Self::InlinedDelete(id) => format!("inlined_delete:{id}"),
            Self::Flushed(id) => format!("inline_flush:{id}"),
            Self::Compacted(id, false) => format!("merge_adjacent:{id}"),
            Self::Compacted(id, true) => format!("rewrite_delete:{id}"),
            Self::Other(text) => text.clone(),
        }
    }

    fn parse(text: &str) -> Self {
        let other = || Self::Other(text.to_owned());
        let Some((kind, value)) = text.split_once(':') else { return other() };
        let id = value.parse::<i64>();
        match (kind, id) {
            ("dropped_schema", Ok(id)) => Self::DroppedSchema(id),
            ("dropped_table", Ok(id)) => Self::DroppedTable(id),
            ("inserted_into_table", Ok(id)) => Self::Inserted(id),
            ("deleted_from_table", Ok(id)) => Self::Deleted(id),
            ("altered_table", Ok(id)) => Self::Altered(id),
            ("inlined_insert", Ok(id)) => Self::InlinedInsert(id),
            ("inlined_delete", Ok(id)) => Self::InlinedDelete(id),
            ("inline_flush" | "flushed_inlined", Ok(id)) => Self::Flushed(id),
            ("merge_adjacent" | "compacted_table", Ok(id)) => Self::Compacted(id, false),
            ("rewrite_delete", Ok(id)) => Self::Compacted(id, true),
            ("created_schema", _) => Self::CreatedSchema(unquote(value)),
            ("created_table", _) => match value.split_once("\".\"") {
                Some((schema, name)) => {
                    Self::Created { schema: unquote(&format!("{schema}\"")), name: unquote(&format!("\"{name}")) }
                }
                None => other(),
            },
            _ => other(),
        }
    }
}

fn unquote(text: &str) -> String {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).replace("\"\"", "\"")
}

/// The text of a snapshot's effects.
pub(super) fn format_effects(effects: &BTreeSet<Effect>) -> String {
    effects.iter().map(Effect::text).collect::<Vec<_>>().join(",")
}

/// The effects of a text; commas inside quotes do not separate.
pub(super) fn parse_effects(text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                effects.push(Effect::parse(&text[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        effects.push(Effect::parse(&text[start..]));
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that DuckDB 1.5.5 wrote.
    #[test]
    fn ducklake_s_texts_are_read_and_written() {
        let text = "created_table:\"s2\".\"y\",inlined_insert:3,inlined_insert:5,inlined_delete:3";
        let effects = parse_effects(text);
        let created = Effect::Created { schema: "s2".to_owned(), name: "y".to_owned() };
        assert_eq!(effects, [created, Effect::InlinedInsert(3), Effect::InlinedInsert(5), Effect::InlinedDelete(3)]);
        assert_eq!(format_effects(&effects.into_iter().collect()), text);
        let text = "created_table:\"a b\".\"x,\"\"y\"";
        let effects = parse_effects(text);
        assert_eq!(effects, [Effect::Created { schema: "a b".to_owned(), name: "x,\"y".to_owned() }]);
        assert_eq!(format_effects(&effects.into_iter().collect()), text);
        assert_eq!(parse_effects("inserted_into_table:1,deleted_from_table:1").len(), 2);
        assert_eq!(parse_effects("").len(), 0);
    }
}

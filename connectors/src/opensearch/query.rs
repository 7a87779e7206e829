//! Conditions as one query.
//!
//! SQL knows three truth values and the server two, so NOT is moved inwards to where it means the same: `NOT (a = 1 AND
//! b < 2)` is asked as `a <> 1 OR b >= 2`, and each of these finds no document without the field. Full-text conditions
//! are true or false, never NULL. They stand where the server scores; all others stand in filter context.

use super::config::Arrays;
use super::leaf::Leaf;
use super::mapping::{Column, Mapping, Read};
use super::node::{Node, Translated};
use crate::connector::{Order, Pushdown};
use crate::predicate::{Comparison, FullText, Predicate, Value};
use serde_json::json;

/// Under the servers' own bound on the clauses of a query, 1,024.
const CLAUSES_MAX: usize = 1_000;
/// Under the servers' own bound on nested queries, 20.
const DEPTH_MAX: usize = 16;

/// Puts conditions on one table into queries.
pub(super) struct Translator<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) arrays: Arrays,
}

impl<'a> Translator<'a> {
    /// How much of a condition the server decides.
    pub(super) fn pushdown(&self, predicate: &Predicate) -> Pushdown {
        match self.translate(predicate) {
            Some(Translated { exact: true, .. }) => Pushdown::Exact,
            Some(Translated { node: Node::All, .. }) | None => Pushdown::Unsupported,
            Some(_) => Pushdown::Inexact,
        }
    }

    /// A condition as a query; `None` when the server cannot narrow by it.
    pub(super) fn translate(&self, predicate: &Predicate) -> Option<Translated> {
        let translated = self.condition(predicate, false)?;
        let (clauses, depth) = translated.node.size();
        (clauses <= CLAUSES_MAX && depth <= DEPTH_MAX).then_some(translated)
    }

    fn condition(&self, predicate: &Predicate, negated: bool) -> Option<Translated> {
        match predicate {
            Predicate::Not(inner) => self.condition(inner, !negated),
            Predicate::And(parts) if negated => self.any(parts, true),
            Predicate::Or(parts) if negated => self.all(parts, true),
            Predicate::And(parts) => self.all(parts, false),
            Predicate::Or(parts) => self.any(parts, false),
            Predicate::Compare { column, comparison, value } => {
                let comparison = if negated { opposite(*comparison) } else { *comparison };
                self.compare(self.mapping.column(column)?, comparison, value)
            }
            Predicate::In { column, values } => {
                let column = self.mapping.column(column)?;
                match column.read {
                    Read::Id | Read::Index => meta(&column.read, values, negated),
                    _ => self.leaves(column, |leaf| leaf.one_of(values, negated)),
                }
            }
            // The server has no such query, and a clause for each row would soon be too many.
            Predicate::InRows { .. } => None,
            Predicate::Prefix { column, prefix } => {
                self.leaves(self.mapping.column(column)?, |leaf| leaf.prefix(prefix, negated))
            }
            Predicate::IsNull(column) => self.is_null(self.mapping.column(column)?, negated),
            Predicate::IsNotNull(column) => self.is_null(self.mapping.column(column)?, !negated),
            Predicate::FullText { kind, column, text } => {
                let query = full_text(*kind, column.as_deref(), text);
                Some(Translated { node: if negated { Node::Not(query) } else { Node::Score(query) }, exact: true })
            }
        }
    }

    /// The keys that the server sorts by, as SQL orders; `None` when it cannot. Without a query that scores, all scores
    /// are NULL and order nothing.
    pub(super) fn sort(&self, order: &[Order], is_scored: bool) -> Option<Vec<serde_json::Value>> {
        let mut keys = vec![];
        for key in order {
            let direction = if key.descending { "desc" } else { "asc" };
            let column = self.mapping.column(&key.column)?;
            if column.read == Read::Score {
                if is_scored {
                    keys.push(json!({"_score": {"order": direction}}));
                }
                continue;
            }
            let (name, kind) = self.sort_key(column)?;
            let missing = if key.nulls_first { "_first" } else { "_last" };
            keys.push(json!({name: {"order": direction, "missing": missing, "unmapped_type": kind}}));
            if matches!(kind, "long" | "integer") {
                // A missing value sorts as the greatest or the least number; beside that very number it is put right.
                let back = if key.descending { "asc" } else { "desc" };
                keys.push(json!({name: {"order": back, "missing": missing, "unmapped_type": kind}}));
            }
        }
        Some(keys)
    }

    /// The field that sorts as a column does: one kind everywhere, all of its values kept, one of them a document.
    fn sort_key(&self, column: &'a Column) -> Option<(&'a str, &'static str)> {
        let [field] = column.fields.as_slice() else { return None };
        if self.arrays == Arrays::First || !field.searchable {
            return None;
        }
        if let Some(whole) = field.whole.as_ref().filter(|whole| whole.ignore_above.is_none()) {
            return Some((whole.name.as_str(), "keyword"));
        }
        let is_whole = field.doc_values && !field.normalized && field.ignore_above.is_none();
        Some((column.path.as_str(), field.kind.sort_type().filter(|_| is_whole)?))
    }

    /// All of these: what cannot be asked is left out.
    fn all(&self, parts: &[Predicate], negated: bool) -> Option<Translated> {
        let (mut nodes, mut exact) = (vec![], true);
        for part in parts {
            match self.condition(part, negated) {
                Some(translated) => {
                    exact &= translated.exact;
                    nodes.push(translated.node);
                }
                None => exact = false,
            }
        }
        if nodes.is_empty() && !parts.is_empty() {
            return None;
        }
        Some(Translated { node: Node::And(nodes), exact })
    }

    /// One of these: all must be asked.
    fn any(&self, parts: &[Predicate], negated: bool) -> Option<Translated> {
        if parts.is_empty() {
            return Some(Translated { node: Node::Nothing, exact: true });
        }
        let parts = parts.iter().map(|part| self.condition(part, negated)).collect::<Option<Vec<_>>>()?;
        let exact = parts.iter().all(|part| part.exact);
        Some(Translated { node: Node::Or(parts.into_iter().map(|part| part.node).collect()), exact })
    }

    fn compare(&self, column: &Column, comparison: Comparison, value: &Value) -> Option<Translated> {
        let values = std::slice::from_ref(value);
        match (&column.read, comparison) {
            (Read::Id | Read::Index, Comparison::Eq) => meta(&column.read, values, false),
            (Read::Id | Read::Index, Comparison::NotEq) => meta(&column.read, values, true),
            _ => self.leaves(column, |leaf| leaf.compare(comparison, value)),
        }
    }

    fn is_null(&self, column: &Column, negated: bool) -> Option<Translated> {
        match column.read {
            Read::Id | Read::Index | Read::Source => {
                Some(Translated { node: if negated { Node::All } else { Node::Nothing }, exact: true })
            }
            _ => self.leaves(column, |leaf| leaf.is_null(negated)),
        }
    }

    /// The one query that is right for every definition of a field.
    fn leaves(&self, column: &Column, translate: impl Fn(&Leaf<'_>) -> Option<Translated>) -> Option<Translated> {
        let first_only = self.arrays == Arrays::First;
        let mut found: Option<Translated> = None;
        for field in &column.fields {
            let translated = translate(&Leaf::new(field, &column.path, first_only)?)?;
            match &mut found {
                None => found = Some(translated),
                Some(found) if found.node == translated.node => found.exact &= translated.exact,
                Some(_) => return None,
            }
        }
        found
    }
}

fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Eq => Comparison::NotEq,
        Comparison::NotEq => Comparison::Eq,
        Comparison::Lt => Comparison::GtEq,
        Comparison::LtEq => Comparison::Gt,
        Comparison::Gt => Comparison::LtEq,
        Comparison::GtEq => Comparison::Lt,
    }
}

/// Conditions on a document's identity. An index's name is also found by its aliases and by patterns, so that only
/// narrows.
fn meta(read: &Read, values: &[Value], negated: bool) -> Option<Translated> {
    let texts = values.iter().map(|value| match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let texts = texts.collect::<Option<Vec<_>>>()?;
    match (read, negated) {
        (Read::Id, false) => Some(Translated { node: Node::Filter(json!({"ids": {"values": texts}})), exact: true }),
        (Read::Id, true) => Some(Translated { node: Node::Not(json!({"ids": {"values": texts}})), exact: true }),
        (Read::Index, false) => {
            Some(Translated { node: Node::Filter(json!({"terms": {"_index": texts}})), exact: false })
        }
        _ => None,
    }
}

fn full_text(kind: FullText, column: Option<&str>, text: &str) -> serde_json::Value {
    match (kind, column) {
        (FullText::Match, Some(column)) => json!({"match": {column: {"query": text}}}),
        (FullText::Phrase, Some(column)) => json!({"match_phrase": {column: {"query": text}}}),
        (FullText::QueryString, Some(column)) => json!({"query_string": {"query": text, "default_field": column}}),
        (FullText::Match, None) => json!({"multi_match": {"query": text, "fields": ["*"], "lenient": true}}),
        (FullText::Phrase, None) => {
            json!({"multi_match": {"query": text, "type": "phrase", "fields": ["*"], "lenient": true}})
        }
        (FullText::QueryString, None) => json!({"query_string": {"query": text}}),
    }
}

//! One condition on one field as a query, where the server's answer is SQL's.
//!
//! The server finds what it indexed, which is not always what the document holds: long values are dropped
//! (`ignore_above`), text is normalised, numbers are rounded. A query is exact when that makes no difference for this
//! constant, inexact when it only finds more, and there is none when it would find less.

use super::dates;
use super::field::{Field, Kind};
use super::node::{Node, Translated};
use crate::predicate::{Comparison, Value};
use serde_json::{Value as Json, json};
use std::net::IpAddr;

/// Whole numbers below this are the same as doubles.
const DOUBLE_EXACT: i128 = 1 << 53;
/// The servers' bound on the values of one `terms` query, `index.max_terms_count`.
const TERMS_MAX: usize = 65_536;
/// How many values may stand in a list for a field of kind `wildcard`, of which the servers make a clause each, of at most
/// 1,024 (`indices.query.bool.max_clause_count`).
const WILDCARDS_MAX: usize = 1_000;
/// Times with nanoseconds end here, in 2262; they begin at the epoch.
const NANOS_END_MICROS: i64 = i64::MAX / 1000;
/// How many ranges may stand for a list of times.
const RANGES_MAX: usize = 256;

/// A field and how it is asked for.
pub(super) struct Leaf<'a> {
    field: &'a Field,
    /// The field's name.
    name: &'a str,
    /// The name of the field that finds values: the field itself or a sub-field.
    values: &'a str,
    /// Values that are longer are not found.
    ignore_above: Option<usize>,
    /// Only the first of several values counts, while the server looks at all.
    first_only: bool,
}

impl<'a> Leaf<'a> {
    /// `None` for a field whose values the server does not find.
    pub(super) fn new(field: &'a Field, name: &'a str, first_only: bool) -> Option<Leaf<'a>> {
        if !field.searchable {
            return None;
        }
        let (values, ignore_above) = match (&field.whole, field.kind) {
            (Some(whole), _) => (whole.name.as_str(), whole.ignore_above),
            (None, _) => (name, field.ignore_above),
        };
        Some(Leaf { field, name, values, ignore_above, first_only })
    }

    /// Whether every document with a value is known to have one.
    fn knows_null(&self) -> bool {
        self.ignore_above.is_none() || self.values != self.name
    }

    fn exists(&self) -> Node {
        Node::Filter(json!({"exists": {"field": self.name}}))
    }

    /// A condition that holds: all that is found, or more.
    fn found(&self, query: Json, exact: bool) -> Translated {
        Translated { node: Node::Filter(query), exact: exact && !self.first_only }
    }

    /// A condition on values that may be too long to be found: those come too.
    fn found_or_long(&self, query: Json) -> Translated {
        let found = Node::Filter(query);
        if self.ignore_above.is_none() {
            return Translated { node: found, exact: !self.first_only };
        }
        let unseen = Node::Not(json!({"exists": {"field": self.values}}));
        let long = if self.knows_null() { Node::And(vec![self.exists(), unseen]) } else { unseen };
        Translated { node: Node::Or(vec![found, long]), exact: false }
    }

    /// A value that is not NULL and for which a query finds nothing.
    fn not(&self, query: Json, exact: bool) -> Translated {
        let others = if self.first_only { Node::All } else { Node::Not(query) };
        if self.knows_null() {
            Translated { node: Node::And(vec![self.exists(), others]), exact: exact && !self.first_only }
        } else {
            Translated { node: others, exact: false }
        }
    }

    /// `IS NULL` or, negated, `IS NOT NULL`.
    pub(super) fn is_null(&self, negated: bool) -> Option<Translated> {
        match (negated, self.knows_null()) {
            (true, true) => Some(Translated { node: self.exists(), exact: true }),
            (true, false) => None,
            (false, exact) => Some(Translated { node: Node::Not(json!({"exists": {"field": self.name}})), exact }),
        }
    }

    /// A comparison with a constant.
    pub(super) fn compare(&self, comparison: Comparison, value: &Value) -> Option<Translated> {
        match comparison {
            Comparison::Eq => self.one_of(std::slice::from_ref(value), false),
            Comparison::NotEq => self.one_of(std::slice::from_ref(value), true),
            _ => self.range(comparison, value),
        }
    }

    /// Equal to one of these, or, negated, not NULL and to none.
    pub(super) fn one_of(&self, values: &[Value], negated: bool) -> Option<Translated> {
        let most = if self.field.kind == Kind::Wildcard { WILDCARDS_MAX } else { TERMS_MAX };
        if values.len() > most {
            return None;
        }
        let equals = values.iter().map(|value| self.equal(value)).collect::<Option<Vec<_>>>()?;
        let mut exact = !self.field.normalized;
        let (mut terms, mut ranges) = (vec![], vec![]);
        for equal in equals {
            match equal {
                Equal::Never => {}
                Equal::Term(term) => terms.push(term),
                Equal::Range(bounds) => ranges.push(json!({"range": {self.name: bounds}})),
                Equal::Rounded(term) => {
                    exact = false;
                    terms.push(term);
                }
                Equal::Zero => {
                    exact = false;
                    ranges.push(json!({"range": {self.name: {"gte": -0.0, "lte": 0.0}}}));
                }
            }
        }
        if ranges.len() > RANGES_MAX {
            return None;
        }
        let query = match (terms.len(), ranges.len()) {
            (0, 0) if negated => return Some(Translated { node: self.is_null(true)?.node, exact: true }),
            (0, 0) => return Some(Translated { node: Node::Nothing, exact: true }),
            (0, 1) => ranges.remove(0),
            (1, 0) => json!({"term": {self.values: terms.remove(0)}}),
            (_, 0) => json!({"terms": {self.values: terms}}),
            (several, _) => {
                if several > 0 {
                    ranges.push(json!({"terms": {self.values: terms}}));
                }
                json!({"bool": {"should": ranges, "minimum_should_match": 1}})
            }
        };
        match (negated, exact) {
            (false, exact) => Some(self.found(query, exact)),
            (true, true) => Some(self.not(query, true)),
            // What the server takes for equal may not be.
            (true, false) => Some(Translated { node: self.is_null(true)?.node, exact: false }),
        }
    }

    /// Begins with a text or, negated, is not NULL and does not.
    pub(super) fn prefix(&self, prefix: &str, negated: bool) -> Option<Translated> {
        if !matches!(self.field.kind, Kind::Keyword | Kind::Wildcard | Kind::Text) || !self.finds_text() {
            return None;
        }
        let query = json!({"prefix": {self.values: prefix}});
        if negated { Some(self.not(query, self.ignore_above.is_none())) } else { Some(self.found_or_long(query)) }
    }

    /// Whether texts are found as documents hold them.
    fn finds_text(&self) -> bool {
        !self.field.normalized && (self.field.kind != Kind::Text || self.field.whole.is_some())
    }

    fn equal(&self, value: &Value) -> Option<Equal> {
        match (self.field.kind, value) {
            (Kind::Keyword | Kind::Wildcard | Kind::Text, Value::Text(text)) => {
                let findable = self.field.kind != Kind::Text || self.field.whole.is_some();
                let short = self.ignore_above.is_none_or(|limit| text.encode_utf16().count() <= limit);
                (findable && short).then(|| Equal::Term(json!(text)))
            }
            (Kind::ConstantKeyword, Value::Text(text)) => Some(Equal::Term(json!(text))),
            (Kind::Boolean, Value::Boolean(value)) => Some(Equal::Term(json!(value))),
            (Kind::Ip, Value::Text(text)) => Some(match text.parse().map(shortest) {
                Ok(address) if address == *text => Equal::Term(json!(text)),
                _ => Equal::Never,
            }),
            (Kind::ScaledFloat, _) => double(value).map(|number| Equal::Rounded(json!(number))),
            (Kind::Date | Kind::DateNanos, Value::Timestamp(_)) => self.times(Comparison::Eq, value),
            (kind, _) if kind.bounds().is_some() => {
                let (low, high) = kind.bounds()?;
                Some(match whole(value)? {
                    Whole::Is(number) if (low..=high).contains(&number) => Equal::Term(number_json(number)?),
                    _ => Equal::Never,
                })
            }
            (kind, _) => {
                float(kind, value).map(|number| if number == 0.0 { Equal::Zero } else { Equal::Term(json!(number)) })
            }
        }
    }

    fn range(&self, comparison: Comparison, value: &Value) -> Option<Translated> {
        let operator = operator(comparison)?;
        match (self.field.kind, value) {
            (Kind::Keyword | Kind::Text, Value::Text(text)) if self.finds_text() => {
                Some(self.found_or_long(json!({"range": {self.values: {operator: text}}})))
            }
            (Kind::Date | Kind::DateNanos, Value::Timestamp(_)) => match self.times(comparison, value)? {
                Equal::Range(bounds) => Some(self.found(json!({"range": {self.name: bounds}}), true)),
                _ => None,
            },
            (Kind::ScaledFloat, _) => {
                // Values are rounded to the nearest step, so a bound is a step wider.
                let step = 1.0 / self.field.scaling_factor;
                let number = double(value)?;
                let wider =
                    if matches!(comparison, Comparison::Lt | Comparison::LtEq) { number + step } else { number - step };
                let operator = if wider > number { "lte" } else { "gte" };
                Some(self.found(json!({"range": {self.name: {operator: wider}}}), false))
            }
            (kind, _) if kind.bounds().is_some() => self.whole_range(comparison, kind.bounds()?, value),
            (kind, _) => {
                let number = float(kind, value)?;
                Some(if number != 0.0 {
                    self.found(json!({"range": {self.name: {operator: number}}}), true)
                } else if matches!(comparison, Comparison::Lt | Comparison::LtEq) {
                    self.found(json!({"range": {self.name: {"lte": 0.0}}}), false)
                } else {
                    self.found(json!({"range": {self.name: {"gte": -0.0}}}), false)
                })
            }
        }
    }

    /// A range of whole numbers; the constant may lie between two of them, or beyond all.
    fn whole_range(&self, comparison: Comparison, (low, high): (i128, i128), value: &Value) -> Option<Translated> {
        let (comparison, number) = match (whole(value)?, comparison) {
            (Whole::Is(number), comparison) => (comparison, number),
            (Whole::After(number), Comparison::Lt | Comparison::LtEq) => (Comparison::LtEq, number),
            (Whole::After(number), _) => (Comparison::Gt, number),
        };
        let (all, nothing) = match comparison {
            Comparison::Lt => (number > high, number <= low),
            Comparison::LtEq => (number >= high, number < low),
            Comparison::Gt => (number < low, number >= high),
            _ => (number <= low, number > high),
        };
        if all {
            return self.is_null(true);
        }
        if nothing {
            return Some(Translated { node: Node::Nothing, exact: true });
        }
        // OpenSearch 2.19 finds nothing of an unsigned_long below the greatest.
        let (comparison, number) = match comparison {
            Comparison::Lt if self.field.kind == Kind::UnsignedLong => (Comparison::LtEq, number - 1),
            comparison => (comparison, number),
        };
        let query = json!({"range": {self.name: {operator(comparison)?: number_json(number)?}}});
        Some(self.found(query, true))
    }

    /// The bounds of a comparison with a time, in the field's own resolution.
    fn times(&self, comparison: Comparison, value: &Value) -> Option<Equal> {
        let Value::Timestamp(micros) = value else { return None };
        let format = "strict_date_optional_time";
        if self.field.kind == Kind::DateNanos {
            if !(0..NANOS_END_MICROS).contains(micros) {
                return None;
            }
            // A column's microsecond is a thousand nanoseconds.
            let (from, to) = (dates::write(*micros)?, dates::write(micros.checked_add(1)?)?);
            return Some(Equal::Range(match comparison {
                Comparison::Eq => json!({"gte": from, "lt": to, "format": format}),
                Comparison::Lt => json!({"lt": from, "format": format}),
                Comparison::LtEq => json!({"lt": to, "format": format}),
                Comparison::Gt => json!({"gte": to, "format": format}),
                _ => json!({"gte": from, "format": format}),
            }));
        }
        let rest = micros.rem_euclid(1000);
        let millis = dates::write(micros - rest)?;
        let millis = format!("{}Z", &millis[..millis.len() - "000Z".len()]);
        Some(Equal::Range(match (comparison, rest) {
            (Comparison::Eq, 0) => json!({"gte": millis, "lte": millis, "format": format}),
            (Comparison::Eq, _) => return Some(Equal::Never),
            (Comparison::Lt | Comparison::LtEq, 1..) => json!({"lte": millis, "format": format}),
            (Comparison::Gt | Comparison::GtEq, 1..) => json!({"gt": millis, "format": format}),
            (comparison, _) => json!({operator(comparison)?: millis, "format": format}),
        }))
    }
}

/// What equals a constant.
enum Equal {
    Never,
    Term(Json),
    /// And more.
    Rounded(Json),
    /// What lies between these bounds.
    Range(Json),
    /// One zero or the other: the server tells them apart, SQL does not.
    Zero,
}

/// A number beside the whole ones.
enum Whole {
    Is(i128),
    /// Between this one and the next.
    After(i128),
}

fn operator(comparison: Comparison) -> Option<&'static str> {
    match comparison {
        Comparison::Lt => Some("lt"),
        Comparison::LtEq => Some("lte"),
        Comparison::Gt => Some("gt"),
        Comparison::GtEq => Some("gte"),
        Comparison::Eq | Comparison::NotEq => None,
    }
}

fn whole(value: &Value) -> Option<Whole> {
    match value {
        Value::Integer(number) => Some(Whole::Is(i128::from(*number))),
        Value::Decimal(digits, scale) if *scale <= 0 => {
            let factor = 10_i128.checked_pow(u32::from(scale.unsigned_abs()))?;
            Some(Whole::Is(digits.checked_mul(factor)?))
        }
        Value::Decimal(digits, scale) => {
            let factor = 10_i128.checked_pow(u32::from(scale.unsigned_abs()))?;
            let number = digits.div_euclid(factor);
            Some(if digits.rem_euclid(factor) == 0 { Whole::Is(number) } else { Whole::After(number) })
        }
        // Compared as doubles, which beyond this are not the numbers themselves.
        Value::Float(number) if number.abs() < DOUBLE_EXACT as f64 => {
            let floor = number.floor() as i128;
            Some(if number.fract() == 0.0 { Whole::Is(floor) } else { Whole::After(floor) })
        }
        _ => None,
    }
}

/// A number in JSON, to 64 bits with or without a sign.
fn number_json(number: i128) -> Option<Json> {
    i64::try_from(number).map(Json::from).or_else(|_| u64::try_from(number).map(Json::from)).ok()
}

/// A constant as a double, where every way to convert it gives the same.
fn double(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        Value::Integer(number) if i128::from(*number).abs() <= DOUBLE_EXACT => *number as f64,
        Value::Decimal(digits, scale) if digits.abs() <= DOUBLE_EXACT && scale.unsigned_abs() <= 22 => {
            format!("{digits}e{}", -i32::from(*scale)).parse().ok()?
        }
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A constant that a field of this kind can hold to the last bit.
fn float(kind: Kind, value: &Value) -> Option<f64> {
    let number = double(value)?;
    match kind {
        Kind::Double => Some(number),
        Kind::Float if f64::from(number as f32) - number == 0.0 => Some(number),
        _ => None,
    }
}

/// An address in its shortest form (RFC 5952), as the server gives it.
pub(super) fn shortest(address: IpAddr) -> String {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or_else(|| six.to_string(), |four| four.to_string()),
        IpAddr::V4(four) => four.to_string(),
    }
}

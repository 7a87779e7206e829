//! Queries for rows of one table whose columns equal constants, such as `SELECT n FROM s.t WHERE id = 'a'`: what differs
//! from one to the next are the constants, which may stand beside the query as its parameters.
//!
//! Nothing is said of the rest of a query: whoever uses this looks at its plan.

use arrow::datatypes::DataType;
use sqlparser::ast::{BinaryOperator, Expr, Query, Select, SetExpr, TableFactor, Value};

/// The most columns.
const MOST_KEYS: usize = 8;
/// The longest text that is a parameter, in bytes; a longer one may be more than the planner takes.
const LONGEST_TEXT: usize = 1024;
/// The digits that every number of 64 bits has room for.
const MOST_DIGITS: usize = 18;

/// A query with its constants beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyQuery {
    /// With placeholders in their places.
    pub(crate) query: Query,
    /// What the constants are, one a placeholder.
    pub(crate) types: Vec<DataType>,
    /// The constants as texts.
    pub(crate) values: Vec<Option<String>>,
}

/// The schema of the one table that a query names first of all, where it is written.
pub(crate) fn schema(query: &Query) -> Option<&str> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [from] = select.from.as_slice() else { return None };
    let TableFactor::Table { name, .. } = &from.relation else { return None };
    match name.0.as_slice() {
        [schema, _] if from.joins.is_empty() => schema.as_ident().map(|schema| schema.value.as_str()),
        _ => None,
    }
}

/// A query with constants in its condition, if that is nothing but columns that equal constants.
pub(crate) fn with_parameters(query: &Query) -> Option<KeyQuery> {
    let mut query = query.clone();
    let (mut types, mut values) = (Vec::new(), Vec::new());
    let mut left = vec![select_mut(&mut query)?.selection.as_mut()?];
    while let Some(condition) = left.pop() {
        match condition {
            Expr::Nested(inner) => left.push(inner),
            Expr::BinaryOp { left: one, op: BinaryOperator::And, right: other } => {
                left.extend([&mut **other, &mut **one]);
            }
            Expr::BinaryOp { left: one, op: BinaryOperator::Eq, right: other } => {
                let constant = match (column(one), column(other)) {
                    (Some(_), None) => other,
                    (None, Some(_)) => one,
                    _ => return None,
                };
                let Expr::Value(value) = constant.as_mut() else { return None };
                let (data_type, text) = parameter(&value.value)?;
                types.push(data_type);
                values.push(Some(text));
                value.value = Value::Placeholder(format!("${}", values.len()));
            }
            _ => return None,
        }
        if values.len() > MOST_KEYS {
            return None;
        }
    }
    Some(KeyQuery { query, types, values })
}

/// The columns that a query's condition says to equal its parameters, each with the parameter's place from 0, if it says
/// nothing else.
pub(crate) fn keys(query: &Query) -> Option<Vec<(&str, usize)>> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let mut found = Vec::new();
    let mut left = vec![select.selection.as_ref()?];
    while let Some(condition) = left.pop() {
        match condition {
            Expr::Nested(inner) => left.push(inner),
            Expr::BinaryOp { left: one, op: BinaryOperator::And, right: other } => {
                left.extend([other.as_ref(), one.as_ref()]);
            }
            Expr::BinaryOp { left: one, op: BinaryOperator::Eq, right: other } => {
                let key = column(one).zip(place(other)).or_else(|| column(other).zip(place(one)));
                found.push(key?);
            }
            _ => return None,
        }
    }
    Some(found)
}

fn select_mut(query: &mut Query) -> Option<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The name of a column.
fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(name) => Some(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.as_str()),
        _ => None,
    }
}

/// A placeholder's place, from 0.
fn place(expr: &Expr) -> Option<usize> {
    super::placeholders::number_of(expr)?.checked_sub(1)
}

/// A constant as a parameter: a whole number, or a text that says the same to every reader.
fn parameter(value: &Value) -> Option<(DataType, String)> {
    match value {
        Value::Number(digits, false) => {
            let is_whole = digits.len() <= MOST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_whole.then(|| (DataType::Int64, digits.clone()))
        }
        Value::SingleQuotedString(text) => {
            let is_plain = text.len() <= LONGEST_TEXT && !text.contains('\\');
            is_plain.then(|| (DataType::Utf8, text.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::sql::{Dialect, Names, parse_query};

    fn query(text: &str) -> Query {
        *parse_query(text, Dialect::Redshift, Names::Folded).unwrap().unwrap()
    }

    #[test]
    fn constants_become_parameters() {
        let one = query("SELECT n FROM s.t WHERE (id = 'a' AND 7 = k)");
        let found = with_parameters(&one).unwrap();
        assert_eq!(found.types, [DataType::Utf8, DataType::Int64]);
        assert_eq!(found.values, [Some("a".to_owned()), Some("7".to_owned())]);
        assert_eq!(keys(&found.query).unwrap(), [("id", 0), ("k", 1)]);
        let other = query("select n from s.t where (id = 'it''s' and 08 = k)");
        let other = with_parameters(&other).unwrap();
        assert_eq!((other.values[0].as_deref(), other.query == found.query), (Some("it's"), true));
        assert_eq!((schema(&one), keys(&one)), (Some("s"), None));
    }

    #[test]
    fn other_conditions_stay() {
        for text in [
            "SELECT n FROM s.t",
            "SELECT n FROM s.t WHERE id = 'a' OR id = 'b'",
            "SELECT n FROM s.t WHERE id = 'a' AND k > 7",
            "SELECT n FROM s.t WHERE id = 1.5",
            "SELECT n FROM s.t WHERE id = 1234567890123456789",
            "SELECT n FROM s.t WHERE id = 'a\\\\b'",
            "SELECT n FROM s.t WHERE id = NULL",
            "SELECT n FROM s.t WHERE lower(id) = k",
            "SELECT n FROM s.t WHERE id = k",
            "SELECT n FROM s.t WHERE 1 = 1",
            "SELECT n FROM s.t WHERE a=1 AND b=1 AND c=1 AND d=1 AND e=1 AND f=1 AND g=1 AND h=1 AND i=1",
            "SELECT 1 UNION SELECT 2",
        ] {
            assert_eq!(with_parameters(&query(text)), None, "{text}");
        }
        let long = format!("SELECT n FROM s.t WHERE id = '{}'", "x".repeat(LONGEST_TEXT + 1));
        assert_eq!(with_parameters(&query(&long)), None);
        for text in ["SELECT n FROM t WHERE id = 'a'", "SELECT 1", "SELECT n FROM s.t, s.u", "SELECT n FROM d.s.t"] {
            assert_eq!(schema(&query(text)), None, "{text}");
        }
    }
}

//! `LIKE … ESCAPE 'c'`: the pattern with the one escape character that the planner knows, the backslash. In Trino a pattern has
//! no other.

use crate::functions::PATTERN;
use crate::sql;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

/// What no pattern has.
const NONE: char = '\u{0}';

/// Writes a pattern with backslashes: now where it is a literal, else when the query runs. Where no character is named,
/// `backslash` says whether the backslash is one.
pub(super) fn rewrite(expr: &mut Expr, backslash: bool) {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr else { return };
    let escape = match escape_char {
        Some(named) => text(named).and_then(single),
        None => (!backslash).then_some(NONE),
    };
    let Some(escape) = escape.filter(|escape| *escape != '\\') else { return };
    let written = literal(pattern);
    // What has no backslash stays as it is.
    if escape == NONE && written.as_ref().is_some_and(|written| !written.contains('\\')) {
        return;
    }
    **pattern = match written {
        Some(written) => Expr::Value(Value::SingleQuotedString(with_backslashes(&written, escape)).into()),
        None => {
            let escape = Expr::Value(Value::SingleQuotedString(escape.to_string()).into());
            sql::call(PATTERN, vec![pattern.as_ref().clone(), escape])
        }
    };
    *escape_char = (!backslash).then(|| Value::SingleQuotedString("\\".to_owned()).into());
}

/// The text of a literal, or of several put together.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => text(value),
        Expr::Nested(inner) => literal(inner),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => Some(literal(left)? + &literal(right)?),
        _ => None,
    }
}

fn text(value: &ValueWithSpan) -> Option<String> {
    match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text.clone()),
        _ => None,
    }
}

fn single(text: String) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// A pattern whose escape character is another as one with backslashes.
pub(crate) fn with_backslashes(pattern: &str, escape: char) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == escape => {
                let meant = chars.next().unwrap_or(escape);
                if matches!(meant, '%' | '_' | '\\') {
                    written.push('\\');
                }
                written.push(meant);
            }
            '\\' => written.push_str("\\\\"),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::with_backslashes;

    #[test]
    fn patterns() {
        for (pattern, escape, expected) in [
            ("pg!_%", '!', "pg\\_%"),
            ("100!%", '!', "100\\%"),
            ("a!!b", '!', "a!b"),
            ("a\\b", '!', "a\\\\b"),
            ("a\\_b", '\\', "a\\_b"),
            ("end!", '!', "end!"),
            ("a\\_b%", super::NONE, "a\\\\_b%"),
        ] {
            assert_eq!(with_backslashes(pattern, escape), expected, "{pattern}");
        }
    }
}

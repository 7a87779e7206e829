//! Time travel as Trino and Athena write it: `t FOR VERSION AS OF n`, `t FOR TIMESTAMP AS OF time`.
//!
//! The planner knows tables by name only. So the moment becomes a part of the name, behind a mark that no user can
//! write, and the table keeps its own name as an alias.

use crate::error::{Error, ErrorKind};
use crate::sql::tokens::{folded, is_word};
use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, TableAlias, TableVersion, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

/// What stands between a table's name and the moment.
const MARK: &str = "\u{1}as of ";

/// Which state of a table a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// `FOR VERSION AS OF n`: the manifest's snapshot of this number.
    Version(i64),
    /// `FOR VERSION AS OF 'name'`: the snapshot of this name.
    Name(String),
    /// `FOR TIMESTAMP AS OF expression`, as text: the snapshot that was the newest then.
    Time(String),
}

/// Writes `FOR VERSION|TIMESTAMP AS OF` in the words that sqlparser has for them, in the places of the old ones:
/// `TIMESTAMP AS OF` takes any expression there and stands for a version, `FOR SYSTEM_TIME AS OF` for a time.
pub(super) fn rewrite(tokens: &mut [TokenWithSpan]) {
    let words: Vec<usize> = (0..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_))).collect();
    for four in words.windows(4) {
        let is = |at: usize, word: &str| is_word(&tokens[four[at]].token, word);
        if !(is(0, "FOR") && is(2, "AS") && is(3, "OF")) {
            continue;
        }
        if is(1, "VERSION") || is(1, "SYSTEM_VERSION") {
            tokens[four[0]].token = Token::Whitespace(Whitespace::Space);
            tokens[four[1]].token = Token::make_keyword("TIMESTAMP");
        } else if is(1, "TIMESTAMP") {
            tokens[four[1]].token = Token::make_keyword("SYSTEM_TIME");
        }
    }
}

/// Puts a moment into a table's name; its alias, when it has none, is the name that it had.
pub(super) fn mark(name: &mut ObjectName, alias: &mut Option<TableAlias>, version: TableVersion) -> Result<(), Error> {
    let moment = match version {
        TableVersion::TimestampAsOf(expr) => version_text(&expr)?,
        TableVersion::ForSystemTimeAsOf(expr) => format!("time {expr}"),
        _ => return Err(Error::unsupported("AT and CHANGES after a table")),
    };
    let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else {
        return Err(Error::unsupported("time travel of a table function"));
    };
    let plain = folded(last);
    *last = Ident { value: format!("{plain}{MARK}{moment}"), quote_style: Some('"'), span: last.span };
    if alias.is_none() {
        let name = Ident { value: plain, quote_style: Some('"'), span: last.span };
        *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
    }
    Ok(())
}

fn version_text(expr: &Expr) -> Result<String, Error> {
    let value = match expr {
        Expr::Value(ValueWithSpan { value, .. }) => Some((value, "")),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(ValueWithSpan { value, .. }) => Some((value, "-")),
            _ => None,
        },
        _ => None,
    };
    match value {
        Some((Value::Number(number, _), sign)) if number.parse::<i64>().is_ok() => {
            Ok(format!("version {sign}{number}"))
        }
        Some((Value::SingleQuotedString(name), "")) => Ok(format!("snapshot {}", name.to_lowercase())),
        _ => {
            let message = "FOR VERSION AS OF takes a snapshot's number, or its name in quotes";
            Err(Error::new(ErrorKind::Syntax, message))
        }
    }
}

/// A table's own name and the moment, of a name that [`mark`] has made.
pub(crate) fn moment_of(name: &str) -> Option<(&str, Moment)> {
    let (name, moment) = name.split_once(MARK)?;
    let (kind, text) = moment.split_once(' ')?;
    let moment = match kind {
        "version" => Moment::Version(text.parse().ok()?),
        "snapshot" => Moment::Name(text.to_owned()),
        _ => Moment::Time(text.to_owned()),
    };
    Some((name, moment))
}

//! Where statements end, which is for the engine to say, and what an unfinished one waits for.

use super::lexer::{Kind, tokens};
use millrace_engine::sql::{self, Dialect};
use std::ops::Range;

/// What a text still waits for: the continuation prompt shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Nothing has begun.
    Nothing,
    /// A statement without its semicolon.
    Statement,
    /// A parenthesis that is not closed.
    Parenthesis,
    /// A quote that is not closed, by its character (`$` for a dollar quote).
    Quote(char),
    /// A comment that is not closed.
    Comment,
}

/// A text cut into statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// The bytes of each complete statement, without its semicolon.
    pub(crate) statements: Vec<Range<usize>>,
    /// The bytes of what follows the last semicolon, without blanks around it.
    pub(crate) rest: Range<usize>,
    /// What the rest waits for; with `Nothing` it holds nothing to run.
    pub(crate) open: Open,
}

/// Cuts a text into statements. Empty statements (`;;`) are left out.
pub(crate) fn split(text: &str, dialect: Dialect) -> Split {
    let cut = sql::split(text, dialect);
    let rest = &text[cut.remainder.clone()];
    let open = match cut.open {
        Some(sql::Open::String) => Open::Quote('\''),
        Some(sql::Open::Identifier) => Open::Quote('"'),
        Some(sql::Open::DollarString) => Open::Quote('$'),
        Some(sql::Open::Comment) => Open::Comment,
        None if !cut.incomplete => Open::Nothing,
        None if open_parentheses(rest) > 0 => Open::Parenthesis,
        None => Open::Statement,
    };
    let statements = cut.statements.into_iter().map(|range| trim(text, range)).collect();
    Split { statements, rest: cut.remainder, open }
}

/// Takes the semicolon and the blanks before it away.
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let statement = &text[range.clone()];
    let statement = statement.strip_suffix(';').unwrap_or(statement).trim_end();
    range.start..range.start + statement.len()
}

fn open_parentheses(text: &str) -> usize {
    tokens(text).filter(|token| token.kind == Kind::Symbol).fold(0_usize, |depth, token| {
        match &text[token.start..token.end] {
            "(" => depth + 1,
            ")" => depth.saturating_sub(1),
            _ => depth,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_without_their_semicolons() {
        let text = "select ';' ; ;; values ($$;$$);\n select 2 -- done";
        let split = split(text, Dialect::Redshift);
        let pieces: Vec<&str> = split.statements.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(pieces, ["select ';'", "values ($$;$$)"]);
        assert_eq!(&text[split.rest], "select 2 -- done");
    }

    #[test]
    fn the_rest_tells_what_it_waits_for() {
        let cases = [
            ("", Open::Nothing),
            ("select 1;  ", Open::Nothing),
            ("select 1; -- x", Open::Nothing),
            ("select 1", Open::Statement),
            ("select (1", Open::Parenthesis),
            ("select (1; select 2", Open::Statement),
            ("select 'a", Open::Quote('\'')),
            ("select \"a", Open::Quote('"')),
            ("select $$a", Open::Quote('$')),
            ("select /* a", Open::Comment),
            ("/* a", Open::Comment),
        ];
        for (text, open) in cases {
            assert_eq!(split(text, Dialect::Redshift).open, open, "{text}");
        }
    }
}

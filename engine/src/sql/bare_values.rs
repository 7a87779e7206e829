//! `VALUES 1, 2`: rows of one column without parentheses, as Trino takes them. sqlparser wants each row in its own.

use super::tokens::{insert, is_word};
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::RangeInclusive;

/// Words that end a list of rows.
const ENDS: [&str; 7] = ["ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT"];

/// Words that a list of rows may follow.
const OPENS: [&str; 9] = ["AS", "UNION", "EXCEPT", "INTERSECT", "ALL", "DISTINCT", "EXPLAIN", "ANALYZE", "VERBOSE"];

/// Puts parentheses around rows that have none.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>) {
    let mut added: Vec<(usize, Token)> = Vec::new();
    for at in lists(tokens) {
        for row in rows(tokens, at + 1).into_iter().filter(|row| !is_enclosed(tokens, row)) {
            added.push((*row.start(), Token::LParen));
            added.push((row.end() + 1, Token::RParen));
        }
    }
    insert(tokens, starts, added);
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// The word that says what a statement does, behind EXPLAIN and its options.
fn verb(tokens: &[TokenWithSpan]) -> Option<&Token> {
    let mut depth = 0_usize;
    tokens.iter().filter(|token| !is_blank(token)).map(|token| &token.token).find(|token| match token {
        Token::LParen => {
            depth += 1;
            false
        }
        Token::RParen => {
            depth = depth.saturating_sub(1);
            false
        }
        word => depth == 0 && !["EXPLAIN", "ANALYZE", "VERBOSE"].iter().any(|explains| is_word(word, explains)),
    })
}

/// Where VALUES begins a query, also behind WITH, or the rows of an INSERT.
fn lists(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let verb = verb(tokens);
    let is_verb = |word: &str| verb.is_some_and(|verb| is_word(verb, word));
    // One row of a MERGE is in parentheses, and other clauses follow it.
    let (inserts, merges) = (is_verb("INSERT"), is_verb("MERGE"));
    let mut before: Option<&Token> = None;
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !is_blank(token)) {
        let opens = match before {
            None | Some(Token::LParen) => true,
            Some(Token::RParen) => !merges,
            Some(word @ Token::Word(_)) => inserts || OPENS.iter().any(|opens| is_word(word, opens)),
            Some(_) => false,
        };
        if opens && is_word(&token.token, "VALUES") {
            found.push(at);
        }
        before = Some(&token.token);
    }
    found
}

/// The rows of a list that begins here, each from its first token to its last.
fn rows(tokens: &[TokenWithSpan], from: usize) -> Vec<RangeInclusive<usize>> {
    let (mut rows, mut row, mut depth) = (Vec::new(), None::<(usize, usize)>, 0_usize);
    for (at, token) in tokens.iter().enumerate().skip(from).filter(|(_, token)| !is_blank(token)) {
        match &token.token {
            Token::RParen | Token::SemiColon if depth == 0 => break,
            Token::Comma if depth == 0 => {
                rows.extend(row.take().map(|(first, last)| first..=last));
                continue;
            }
            word if depth == 0 && ENDS.iter().any(|end| is_word(word, end)) => break,
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        row = Some((row.map_or(at, |(first, _)| first), at));
    }
    rows.extend(row.map(|(first, last)| first..=last));
    rows
}

/// Whether a row is one parenthesis from its first token to its last.
fn is_enclosed(tokens: &[TokenWithSpan], row: &RangeInclusive<usize>) -> bool {
    let mut depth = 0_usize;
    for at in row.clone() {
        match tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at == *row.end() && at != *row.start();
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::sql::Names;
    use crate::sql::scan::Lexing;
    use crate::sql::tokens::tokenise;

    #[test]
    fn rows_get_parentheses_wherever_a_query_or_an_insert_has_them() {
        for (text, respelled) in [
            ("values 1, 2 + 3", "values (1), (2 + 3)"),
            ("values (1, 'a'), (2, 'b')", "values (1, 'a'), (2, 'b')"),
            ("with t as (values 5) values 1, 2 limit 1", "with t as (values (5)) values (1), (2) limit 1"),
            ("explain analyze verbose values 1", "explain analyze verbose values (1)"),
            ("explain (type logical) values 1", "explain (type logical) values (1)"),
            ("explain insert into t values 1, 2", "explain insert into t values (1), (2)"),
            ("insert into t (a) values 1", "insert into t (a) values (1)"),
            (
                "merge into t using (values 1) s on a = b when not matched then insert (a) values (b) when matched then delete",
                "merge into t using (values (1)) s on a = b when not matched then insert (a) values (b) when matched then delete",
            ),
        ] {
            let tokens = tokenise(text, Lexing::Trino, Names::Folded).unwrap().tokens;
            let found: String = tokens.iter().map(|token| token.token.to_string()).collect();
            assert_eq!(found.to_lowercase(), respelled);
        }
    }
}

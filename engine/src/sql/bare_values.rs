//! `VALUES 1, 2`: rows of one column without parentheses, as Trino takes them. sqlparser wants each row in its own.

use super::tokens::is_word;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::RangeInclusive;

/// Words that end a list of rows.
const ENDS: [&str; 7] = ["ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT"];

/// Words that a list of rows may follow.
const OPENS: [&str; 7] = ["AS", "UNION", "EXCEPT", "INTERSECT", "ALL", "DISTINCT", "EXPLAIN"];

/// Puts parentheses around rows that have none.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>) {
    let mut added: Vec<(usize, Token)> = Vec::new();
    for at in lists(tokens) {
        for row in rows(tokens, at + 1).into_iter().filter(|row| !is_enclosed(tokens, row)) {
            added.push((*row.start(), Token::LParen));
            added.push((row.end() + 1, Token::RParen));
        }
    }
    let (Some(last), Some(end)) = (tokens.last().map(|token| token.span), starts.last().copied()) else { return };
    if added.is_empty() {
        return;
    }
    added.sort_by_key(|(at, _)| *at);
    let mut added = added.into_iter().peekable();
    for (at, (token, start)) in std::mem::take(tokens).into_iter().zip(std::mem::take(starts)).enumerate() {
        while let Some((_, parenthesis)) = added.next_if(|(place, _)| *place == at) {
            tokens.push(TokenWithSpan::new(parenthesis, token.span));
            starts.push(start);
        }
        tokens.push(token);
        starts.push(start);
    }
    for (_, parenthesis) in added {
        tokens.push(TokenWithSpan::new(parenthesis, last));
        starts.push(end);
    }
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// Where VALUES begins a query, or the rows of an INSERT.
fn lists(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let inserts = tokens.iter().find(|token| !is_blank(token)).is_some_and(|first| is_word(&first.token, "INSERT"));
    let mut before: Option<&Token> = None;
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !is_blank(token)) {
        let opens = match before {
            None | Some(Token::LParen) => true,
            Some(Token::RParen) => inserts,
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

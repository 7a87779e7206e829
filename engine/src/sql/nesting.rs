//! Limits on how deep a statement's tree may grow, checked on its tokens, before anything recursive sees them.

use crate::error::{Error, ErrorKind};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// How deep sqlparser may recurse: some hundred levels of parentheses, which it has stack for.
pub(super) const MAX_DEPTH: usize = 250;

/// How many operators or set operations may stand in a row: `a + b + …` makes a tree as deep as it is long, which is
/// dropped by recursion.
const MAX_CHAIN: usize = 8000;

/// 54000.
pub(super) fn too_deep() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the statement nests too deeply")
}

/// One level of brackets or of CASE.
#[derive(Default)]
struct Level {
    case: bool,
    /// AND, OR and set operations since the last comma.
    joined: usize,
    /// Other operators since the last of those.
    operators: usize,
}

/// Refuses what nests too deeply; gives the index of the token that goes too far.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<(), (usize, Error)> {
    let mut levels = vec![Level::default()];
    let mut nots = 0;
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if word.keyword == Keyword::NOT => nots += 1,
            _ => nots = 0,
        }
        match &token.token {
            Token::LParen | Token::LBracket => levels.push(Level::default()),
            Token::Word(word) if word.keyword == Keyword::CASE => levels.push(Level { case: true, ..Level::default() }),
            Token::RParen | Token::RBracket => close(&mut levels),
            Token::Word(word) if word.keyword == Keyword::END && levels.last().is_some_and(|level| level.case) => {
                close(&mut levels);
            }
            token => grow(&mut levels, token),
        }
        if levels.len() > MAX_DEPTH || nots > MAX_DEPTH / 2 {
            return Err((index, too_deep()));
        }
        if levels.last().is_some_and(|level| level.joined > MAX_CHAIN || level.operators > MAX_CHAIN) {
            let error = Error::new(ErrorKind::LimitExceeded, "too many operators in one expression")
                .with_detail(format!("there may be {MAX_CHAIN} in a row"))
                .with_hint("a list of values can be written with IN (…)");
            return Err((index, error));
        }
    }
    Ok(())
}

fn close(levels: &mut Vec<Level>) {
    if levels.len() > 1 {
        levels.pop();
    }
}

fn grow(levels: &mut [Level], token: &Token) {
    let Some(level) = levels.last_mut() else { return };
    match token {
        Token::Comma => (level.joined, level.operators) = (0, 0),
        Token::Word(word) => match word.keyword {
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE => (level.joined, level.operators) = (0, 0),
            Keyword::AND | Keyword::OR | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                level.joined += 1;
                level.operators = 0;
            }
            Keyword::AT
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::DIV
            | Keyword::ILIKE
            | Keyword::IN
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::OVERLAPS
            | Keyword::SIMILAR => level.operators += 1,
            _ => {}
        },
        Token::Number(..)
        | Token::Period
        | Token::SemiColon
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_) => {}
        _ => level.operators += 1,
    }
}

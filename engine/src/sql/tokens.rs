//! One statement's tokens: sqlparser's, with their places in the source, folded as the dialect folds them.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::scan::Lexing;
use crate::sql::strings::{Escapes, decode};
use crate::sql::{Names, bare_values, json_table, nesting, semistructured, syntax, time_travel};
use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace, Word};

/// Tokens, blanks and comments included, and the byte where each begins.
pub(super) struct Tokens {
    pub(super) tokens: Vec<TokenWithSpan>,
    pub(super) starts: Vec<usize>,
}

/// Tokenises a statement, refuses it when it nests too deeply, and folds names in quotes to lower case, or keeps their case.
pub(super) fn tokenise(text: &str, lexing: Lexing, names: Names) -> Result<Tokens> {
    let mut tokens = Tokenizer::new(syntax::dialect_of(lexing), text).tokenize_with_location().map_err(|e| {
        let position = position_of(text, e.location);
        Error::new(ErrorKind::Syntax, e.message.to_lowercase()).with_position(position)
    })?;
    let mut starts = starts(text, &tokens);
    nesting::check(&tokens).map_err(|(index, error)| error.with_position(text[..starts[index]].chars().count() + 1))?;
    let (mut after_period, mut in_path, mut parameters) = (false, false, 0);
    for (index, token) in tokens.iter_mut().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        // What follows `].` is a member's name, which is folded later or not.
        in_path = match &token.token {
            Token::RBracket => lexing == Lexing::Redshift,
            Token::Word(_) => in_path && after_period,
            Token::Period => in_path,
            _ => false,
        };
        if !in_path {
            fold(&mut token.token, &text[starts[index]..end], (lexing, names));
        }
        // What follows a period is a name, whatever it means elsewhere: `t.user`.
        if let (true, Token::Word(word)) = (after_period, &mut token.token) {
            word.keyword = Keyword::NoKeyword;
        }
        after_period = token.token == Token::Period;
        // Athena's parameters have no numbers.
        if let Token::Placeholder(name) = &mut token.token
            && name == "?"
        {
            parameters += 1;
            *name = format!("${parameters}");
        }
    }
    free_words(&mut tokens);
    if lexing == Lexing::Redshift {
        approximate(&mut tokens);
    }
    time_travel::rewrite(&mut tokens);
    expand_table_queries(&mut tokens, &mut starts);
    match lexing {
        Lexing::Redshift => semistructured::rewrite(&mut tokens, &mut starts),
        Lexing::Trino => {
            json_table::rewrite(&mut tokens, &mut starts, text);
            bare_values::rewrite(&mut tokens, &mut starts);
        }
        Lexing::Hive => {}
    }
    Ok(Tokens { tokens, starts })
}

/// Makes of a token what the dialect means by it.
fn fold(token: &mut Token, source: &str, (lexing, names): (Lexing, Names)) {
    match token {
        // Both Redshift and Athena fold names in quotes too, unless the session says otherwise.
        Token::Word(Word { value, quote_style: Some(_), .. }) if names == Names::Folded => {
            *value = value.to_lowercase();
        }
        // These are plain names in Trino.
        Token::Word(word)
            if lexing == Lexing::Trino
                && matches!(word.keyword, Keyword::TOP | Keyword::MINUS | Keyword::USER | Keyword::SESSION_USER) =>
        {
            word.keyword = Keyword::NoKeyword;
        }
        Token::UnicodeStringLiteral(value) if lexing == Lexing::Trino => {
            *token = Token::SingleQuotedString(std::mem::take(value));
        }
        Token::SingleQuotedString(value) if lexing == Lexing::Redshift && source.contains('\\') => {
            *value = decode(source, Escapes::Postgres);
        }
        _ => {}
    }
}

/// `APPROXIMATE COUNT(DISTINCT x)` as `approx_distinct(x)`; an exact PERCENTILE_DISC is as good as an approximate one.
fn approximate(tokens: &mut [TokenWithSpan]) {
    let blank = || Token::Whitespace(Whitespace::Space);
    let next = |tokens: &[TokenWithSpan], at: usize| {
        let found = tokens.iter().skip(at + 1).position(|token| !matches!(token.token, Token::Whitespace(_)));
        found.map(|skipped| at + 1 + skipped)
    };
    for at in 0..tokens.len() {
        if !is_word(&tokens[at].token, "APPROXIMATE") {
            continue;
        }
        let Some(function) = next(tokens, at) else { continue };
        if is_word(&tokens[function].token, "PERCENTILE_DISC") {
            tokens[at].token = blank();
        } else if is_word(&tokens[function].token, "COUNT")
            && let Some(open) = next(tokens, function)
            && let Some(distinct) = next(tokens, open)
            && is_word(&tokens[distinct].token, "DISTINCT")
        {
            tokens[at].token = blank();
            tokens[distinct].token = blank();
            tokens[function].token = Token::make_word("approx_distinct", None);
        }
    }
}

/// Makes plain names of words that sqlparser takes for other systems' time travel behind a table.
fn free_words(tokens: &mut [TokenWithSpan]) {
    let mut next_is_time = false;
    for token in tokens.iter_mut().rev().map(|token| &mut token.token) {
        if let Token::Word(word) = token
            && (matches!(word.keyword, Keyword::BEFORE | Keyword::CHANGES)
                || (word.keyword == Keyword::AT && !next_is_time))
        {
            word.keyword = Keyword::NoKeyword;
        }
        if !matches!(token, Token::Whitespace(_)) {
            next_is_time = is_word(token, "TIME");
        }
    }
}

/// A name of a statement's as it is meant: without quotes in lower case, in quotes as its token has it.
pub(crate) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// A token's word, when it has no quotes.
pub(super) fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(Word { value, quote_style: None, .. }) => Some(value),
        _ => None,
    }
}

/// Whether a token is this word without quotes, in any case.
pub(super) fn is_word(token: &Token, expected: &str) -> bool {
    word(token).is_some_and(|word| word.eq_ignore_ascii_case(expected))
}

/// The byte where each token begins.
fn starts(text: &str, tokens: &[TokenWithSpan]) -> Vec<usize> {
    let mut chars = text.char_indices();
    let mut here = Location::new(1, 1);
    let mut offset = 0;
    let mut starts = Vec::with_capacity(tokens.len());
    for token in tokens {
        while here < token.span.start {
            let Some((at, c)) = chars.next() else { break };
            offset = at + c.len_utf8();
            here = if c == '\n' { Location::new(here.line + 1, 1) } else { Location::new(here.line, here.column + 1) };
        }
        starts.push(offset);
    }
    starts
}

/// Writes `TABLE t`, where it is a query, as `SELECT * FROM t`: sqlparser takes too many tokens for it.
fn expand_table_queries(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>) {
    let mut before: Option<&Token> = None;
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if matches!(token.token, Token::Whitespace(_)) {
            continue;
        }
        let opens = match before {
            None | Some(Token::LParen) => true,
            Some(Token::Word(word)) => matches!(
                word.keyword,
                Keyword::AS
                    | Keyword::UNION
                    | Keyword::EXCEPT
                    | Keyword::INTERSECT
                    | Keyword::ALL
                    | Keyword::DISTINCT
                    | Keyword::EXPLAIN
            ),
            Some(_) => false,
        };
        let name = tokens[index + 1..].iter().find(|next| !matches!(next.token, Token::Whitespace(_)));
        if opens && is_word(&token.token, "TABLE") && name.is_some_and(|next| matches!(next.token, Token::Word(_))) {
            found.push(index);
        }
        before = Some(&token.token);
    }
    for index in found.into_iter().rev() {
        let (span, start) = (tokens[index].span, starts[index]);
        let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
        tokens.splice(index..=index, words.map(|token| TokenWithSpan::new(token, span)));
        starts.splice(index..=index, [start; 3]);
    }
}

/// Puts tokens before those of these places; those of one place keep their order.
pub(super) fn insert(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>, mut added: Vec<(usize, Token)>) {
    let (Some(last), Some(end)) = (tokens.last().map(|token| token.span), starts.last().copied()) else { return };
    if added.is_empty() {
        return;
    }
    added.sort_by_key(|(at, _)| *at);
    let mut added = added.into_iter().peekable();
    for (at, (token, start)) in std::mem::take(tokens).into_iter().zip(std::mem::take(starts)).enumerate() {
        while let Some((_, new)) = added.next_if(|(place, _)| *place == at) {
            tokens.push(TokenWithSpan::new(new, token.span));
            starts.push(start);
        }
        tokens.push(token);
        starts.push(start);
    }
    for (_, new) in added {
        tokens.push(TokenWithSpan::new(new, last));
        starts.push(end);
    }
}

/// The position of a line and column in characters from 1.
pub(super) fn position_of(text: &str, location: Location) -> usize {
    let before: usize = text.split_inclusive('\n').take(location.line.saturating_sub(1) as usize).map(count).sum();
    before + (location.column as usize).max(1)
}

fn count(line: &str) -> usize {
    line.chars().count()
}

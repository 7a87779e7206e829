//! Words that sqlparser has no grammar for, in words that it has: `UNPIVOT path AS value AT name`, `element AT place`,
//! `ARRAY(1, 2)`, `OBJECT_TRANSFORM(value KEEP … SET …)`.

use super::{OBJECT_CLAUSES, UNPIVOT};
use crate::sql::tokens::is_word;
use sqlparser::keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS};
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace, Word};

/// Rewrites the tokens of a statement, and where each begins.
pub(in crate::sql) fn rewrite(tokens: &mut Vec<TokenWithSpan>, starts: &mut Vec<usize>) {
    let words: Vec<usize> = (0..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_))).collect();
    let mut clauses = Vec::new();
    for (nth, at) in words.iter().copied().enumerate() {
        let near = Near { tokens, words: &words, nth };
        if is_word(&tokens[at].token, "AT") && near.is_place() {
            tokens[at].token = Token::make_keyword("AT");
        } else if is_word(&tokens[at].token, "UNPIVOT") && near.is_unpivot() {
            let first = words[nth + 1];
            tokens[at].token = Token::Whitespace(Whitespace::Space);
            if let Token::Word(word) = &mut tokens[first].token {
                let value = if word.quote_style.is_none() { word.value.to_lowercase() } else { word.value.clone() };
                *word =
                    Word { value: format!("{UNPIVOT}{value}"), quote_style: Some('"'), keyword: Keyword::NoKeyword };
            }
        } else if is_word(&tokens[at].token, "ARRAY") && near.is_array() {
            tokens[at].token = Token::make_word("array", None);
            if let Token::Word(word) = &mut tokens[at].token {
                word.keyword = Keyword::NoKeyword;
            }
        } else if is_word(&tokens[at].token, "OBJECT_TRANSFORM") {
            clauses.extend(near.clauses());
        }
    }
    clauses.sort_unstable();
    clauses.dedup();
    for (at, clause) in clauses.into_iter().rev() {
        let (span, start) = (tokens[at].span, starts[at]);
        let made = [Token::Comma, Token::SingleQuotedString(OBJECT_CLAUSES[clause].to_owned()), Token::Comma];
        tokens.splice(at..=at, made.map(|token| TokenWithSpan::new(token, span)));
        starts.splice(at..=at, [start; 3]);
    }
}

/// A token that is no blank, and those around it.
struct Near<'t> {
    tokens: &'t [TokenWithSpan],
    words: &'t [usize],
    nth: usize,
}

impl Near<'_> {
    fn after(&self, by: usize) -> Option<&Token> {
        self.words.get(self.nth + by).map(|at| &self.tokens[*at].token)
    }

    fn before(&self, by: usize) -> Option<&Token> {
        self.nth.checked_sub(by).map(|nth| &self.tokens[self.words[nth]].token)
    }

    /// `alias AT name`
    fn is_place(&self) -> bool {
        let name = |token: Option<&Token>| match token {
            Some(Token::Word(word)) => word.quote_style.is_some() || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword),
            _ => false,
        };
        let is_time = self.after(1).is_some_and(|token| is_word(token, "TIME"));
        name(self.before(1)) && name(self.after(1)) && !is_time && self.before(2) != Some(&Token::Period)
    }

    /// `FROM t, UNPIVOT t.value AS …`
    fn is_unpivot(&self) -> bool {
        let begins = match self.before(1) {
            Some(Token::Comma) => true,
            Some(word) => is_word(word, "FROM") || is_word(word, "JOIN"),
            None => false,
        };
        let is_path = match self.after(2) {
            Some(Token::Period | Token::LBracket) => true,
            Some(word) => is_word(word, "AS") || self.after(3).is_some_and(|at| is_word(at, "AT")),
            None => false,
        };
        begins && matches!(self.after(1), Some(Token::Word(_))) && is_path
    }

    /// `ARRAY(` where no query follows, of which sqlparser makes an array. What has parentheses of its own is a value:
    /// `ARRAY((SELECT 1), 2)`.
    fn is_array(&self) -> bool {
        let queries = ["SELECT", "WITH", "VALUES", "TABLE"];
        let is_query = |token: &Token| queries.iter().any(|word| is_word(token, word));
        self.after(1) == Some(&Token::LParen) && !self.after(2).is_some_and(is_query)
    }

    /// The places of KEEP (0) and SET (1) in the call that follows.
    fn clauses(&self) -> Vec<(usize, usize)> {
        let (mut found, mut depth) = (Vec::new(), 0_usize);
        for at in &self.words[self.nth + 1..] {
            match &self.tokens[*at].token {
                Token::LParen => depth += 1,
                Token::RParen if depth <= 1 => break,
                Token::RParen => depth -= 1,
                _ if depth == 0 => break,
                word if depth == 1 && is_word(word, "KEEP") => found.push((*at, 0)),
                word if depth == 1 && is_word(word, "SET") => found.push((*at, 1)),
                _ => {}
            }
        }
        found
    }
}

//! A place in one statement's tokens: what every grammar of ours is written with.
//!
//! Wraps sqlparser's parser, knows the source text of every token, and gives errors with positions in characters
//! from 1, counted in the statement's own text; `parse` moves them to the whole text.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::scan::{Lexing, Piece};
use crate::sql::strings::{Escapes, decode};
use crate::sql::tokens::{self, Tokens, folded, is_word, word};
use crate::sql::{Names, ObjectName};
use crate::sql::{diagnose, nesting, query, semistructured, syntax, table_functions};
use millrace_catalog::model::Parameters;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{self, Expr, Ident, ObjectNamePart, Query, SelectInto, TableFactor, TableWithJoins, With};
use sqlparser::dialect::Precedence;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Word};

/// A place in a statement's tokens.
pub(super) struct Cursor<'a> {
    parser: Parser<'static>,
    text: &'a str,
    /// Where each token begins in `text`, in bytes, blanks and comments included.
    starts: Vec<usize>,
    lexing: Lexing,
    names: Names,
    /// How many characters after the text's end the semicolon stands; `None` when there is none.
    semicolon: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a piece of `whole`.
    pub(super) fn new(whole: &'a str, piece: &Piece, names: Names) -> Result<Self> {
        let text = &whole[piece.range.clone()];
        let lexing = piece.lexing;
        let Tokens { tokens, starts } = tokens::tokenise(text, lexing, names)?;
        let parser = Parser::new(syntax::dialect_of(lexing)).with_recursion_limit(nesting::MAX_DEPTH);
        let semicolon = piece.semicolon.map(|at| whole[piece.range.end..at].chars().count());
        Ok(Self { parser: parser.with_tokens_with_locations(tokens), text, starts, lexing, names, semicolon })
    }

    /// True for Hive's and Trino's rules.
    pub(super) fn is_athena(&self) -> bool {
        self.lexing != Lexing::Redshift
    }

    /// What becomes of the case of names in quotes, for a text within the statement.
    pub(super) fn names(&self) -> Names {
        self.names
    }

    // --- looking ---

    pub(super) fn peek(&self) -> &Token {
        self.peek_nth(0)
    }

    pub(super) fn peek_nth(&self, n: usize) -> &Token {
        &self.parser.peek_nth_token_ref(n).token
    }

    /// The next token's word in upper case, when it is one without quotes.
    pub(super) fn peek_word(&self) -> Option<String> {
        word(self.peek()).map(str::to_ascii_uppercase)
    }

    /// The word after `n` tokens in upper case, when it is one without quotes.
    pub(super) fn peek_nth_word(&self, n: usize) -> Option<String> {
        word(self.peek_nth(n)).map(str::to_ascii_uppercase)
    }

    /// Whether these words come next, in any case.
    pub(super) fn at(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(n, expected)| is_word(self.peek_nth(n), expected))
    }

    pub(super) fn at_end(&self) -> bool {
        *self.peek() == Token::EOF
    }

    /// Whether a query comes next.
    pub(super) fn at_query(&self) -> bool {
        self.at_query_from(0)
    }

    /// Whether a query comes after `n` tokens; parentheses around it do not matter.
    pub(super) fn at_query_from(&self, mut n: usize) -> bool {
        while *self.peek_nth(n) == Token::LParen {
            n += 1;
        }
        ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|expected| is_word(self.peek_nth(n), expected))
    }

    /// Whether a word or string equal to `text` is among the tokens still to come.
    pub(super) fn mentions(&self, text: &str) -> bool {
        (self.parser.index()..self.starts.len()).any(|index| match &self.parser.token_at(index).token {
            Token::Word(Word { value, .. }) | Token::SingleQuotedString(value) | Token::DoubleQuotedString(value) => {
                value.eq_ignore_ascii_case(text)
            }
            _ => false,
        })
    }

    // --- taking ---

    pub(super) fn advance(&mut self) {
        self.parser.advance_token();
    }

    /// Takes these words when all of them come next.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let found = self.at(words);
        if found {
            words.split(' ').for_each(|_| self.advance());
        }
        found
    }

    /// Takes `[CASCADE|RESTRICT]`; whether it is the first.
    pub(super) fn eat_cascade(&mut self) -> bool {
        let cascade = self.eat("CASCADE");
        if !cascade {
            self.eat("RESTRICT");
        }
        cascade
    }

    /// Takes these words; a syntax error when they do not come next.
    pub(super) fn expect(&mut self, words: &str) -> Result<()> {
        for expected in words.split(' ') {
            if !self.eat(expected) {
                return Err(self.syntax_error(expected));
            }
        }
        Ok(())
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.eat_token(token) { Ok(()) } else { Err(self.syntax_error(&format!("\"{token}\""))) }
    }

    /// A syntax error unless the statement is over.
    pub(super) fn finish(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.syntax_error("end of statement")) }
    }

    /// Takes `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat("IF NOT EXISTS")
    }

    /// A name, folded. Any word will do: that our own grammars use it elsewhere does not reserve it.
    pub(super) fn identifier(&mut self) -> Result<String> {
        let name = match self.peek() {
            // The case of names in quotes is what the tokens made of it.
            Token::Word(Word { value, quote_style: Some(_), .. }) => value.clone(),
            Token::Word(word) => word.value.to_lowercase(),
            Token::DoubleQuotedString(_) => decode(self.next_source(), Escapes::Hive).to_lowercase(),
            _ => return Err(self.syntax_error("a name")),
        };
        if name.is_empty() {
            return Err(
                Error::new(ErrorKind::Syntax, "zero-length delimited identifier").with_position(self.position())
            );
        }
        self.advance();
        Ok(name)
    }

    /// A user's name, whose case is kept wherever it is in double quotes (Redshift: "CREATE USER").
    pub(super) fn user_name(&mut self) -> Result<String> {
        let written = match self.peek() {
            Token::Word(Word { quote_style: Some('"'), .. }) if !self.is_athena() => {
                Some(decode(self.next_source(), Escapes::Plain))
            }
            _ => None,
        };
        let name = self.identifier()?;
        Ok(written.unwrap_or(name))
    }

    /// A function's name, which is folded wherever it stands; its schema is a name like others.
    pub(super) fn function_name(&mut self) -> Result<ObjectName> {
        let mut name = self.object_name()?;
        if let Some(last) = name.parts.last_mut() {
            *last = last.to_lowercase();
        }
        Ok(name)
    }

    /// A table's or view's name of at most three parts.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let position = self.position();
        let mut parts = vec![self.identifier()?];
        while self.eat_token(&Token::Period) {
            parts.push(self.identifier()?);
        }
        if parts.len() > 3 {
            let name = parts.join(".");
            let message = format!("improper qualified name (too many dotted names): {name}");
            return Err(Error::new(ErrorKind::Syntax, message).with_position(position));
        }
        Ok(ObjectName { parts, position })
    }

    /// A database's name; Glue's catalog may stand before it, no other.
    pub(super) fn database_name(&mut self) -> Result<String> {
        let name = self.object_name()?;
        match <[String; 1]>::try_from(name.parts) {
            Ok([database]) => Ok(database),
            Err(parts) => match <[String; 2]>::try_from(parts) {
                Ok([catalog, database]) if catalog == "awsdatacatalog" => Ok(database),
                Ok([catalog, _]) => {
                    Err(Error::unsupported(format!("catalog \"{catalog}\"")).with_position(name.position))
                }
                Err(_) => {
                    let message = "improper qualified name (too many dotted names)";
                    Err(Error::new(ErrorKind::Syntax, message).with_position(name.position))
                }
            },
        }
    }

    /// A string literal's value, when one comes next.
    pub(super) fn optional_string(&mut self) -> Option<String> {
        let value = match self.peek() {
            Token::EscapedStringLiteral(value) | Token::UnicodeStringLiteral(value) => value.clone(),
            Token::DollarQuotedString(string) => string.value.clone(),
            Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::Word(Word { quote_style: Some('"'), .. }) => {
                let escapes = if self.lexing == Lexing::Trino { Escapes::Plain } else { Escapes::Hive };
                decode(self.next_source(), escapes)
            }
            _ => return None,
        };
        self.advance();
        Some(value)
    }

    pub(super) fn string(&mut self) -> Result<String> {
        self.optional_string().ok_or_else(|| self.syntax_error("a string in single quotes"))
    }

    /// A number as written, with its sign.
    pub(super) fn optional_number(&mut self) -> Option<String> {
        let signed = matches!(self.peek(), Token::Minus | Token::Plus);
        if !matches!(self.peek_nth(usize::from(signed)), Token::Number(..)) {
            return None;
        }
        let sign = if *self.peek() == Token::Minus { "-" } else { "" };
        if signed {
            self.advance();
        }
        let number = format!("{sign}{}", self.next_source());
        self.advance();
        Some(number)
    }

    /// `(item, item, …)`, at least one.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_token(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.eat_token(&Token::Comma) {
            items.push(item(self)?);
        }
        if self.eat_token(&Token::RParen) { Ok(items) } else { Err(self.syntax_error("\",\" or \")\"")) }
    }

    /// `('key' = 'value', …)`
    pub(super) fn properties(&mut self) -> Result<Parameters> {
        let pairs = self.list(|cursor| {
            let key = cursor.string()?;
            cursor.expect_token(&Token::Eq)?;
            let value = match cursor.optional_number() {
                Some(number) => number,
                None => cursor.string()?,
            };
            Ok((key, value))
        })?;
        Ok(pairs.into_iter().collect())
    }

    /// A query to where it ends, with its source text.
    pub(super) fn query(&mut self) -> Result<(Box<Query>, &'a str)> {
        let (start, position) = (self.offset(), self.position());
        let query = self.parser.parse_query().map_err(|e| self.parser_error(e))?;
        let text = &self.text[start..self.end_offset()];
        Ok((self.settled(*query, position)?, text))
    }

    /// `WITH [RECURSIVE] name AS (query), …`, where it stands before another statement than a query.
    pub(super) fn with_clause(&mut self) -> Result<With> {
        self.expect("WITH")?;
        let recursive = self.eat("RECURSIVE");
        let cte_tables = self.parser.parse_comma_separated(Parser::parse_cte).map_err(|e| self.parser_error(e))?;
        Ok(With { with_token: AttachedToken::empty(), recursive, cte_tables })
    }

    /// The first of these words that stands outside of all parentheses.
    pub(super) fn first_outside<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        let mut depth = 0_usize;
        for index in self.next_index()..self.starts.len() {
            match &self.parser.token_at(index).token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(Word { value, quote_style: None, .. }) if depth == 0 => {
                    if let Some(found) = words.iter().find(|word| value.eq_ignore_ascii_case(word)) {
                        return Some(found);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// A query, and the table that SELECT … INTO names for its rows; Athena has no such table.
    pub(super) fn query_into(&mut self) -> Result<(Box<Query>, Option<SelectInto>)> {
        let position = self.position();
        let mut query = self.parser.parse_query().map_err(|e| self.parser_error(e))?;
        let into = if self.is_athena() { None } else { query::take_into(&mut query) };
        Ok((self.settled(*query, position)?, into))
    }

    /// A name out of a tree of sqlparser's, folded.
    pub(super) fn folded(&self, name: &ast::ObjectName) -> ObjectName {
        let idents: Vec<&Ident> = name.0.iter().filter_map(ObjectNamePart::as_ident).collect();
        let position = idents.first().map_or(0, |ident| tokens::position_of(self.text, ident.span.start));
        ObjectName { parts: idents.into_iter().map(folded).collect(), position }
    }

    /// An expression to where it ends.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.parser.parse_expr().map_err(|e| self.parser_error(e))
    }

    /// A type to where it ends.
    pub(super) fn data_type(&mut self) -> Result<ast::DataType> {
        self.parser.parse_data_type().map_err(|e| self.parser_error(e))
    }

    /// An expression after which NOT NULL and COLLATE may stand without being part of it, as source text.
    pub(super) fn default_expression(&mut self) -> Result<&'a str> {
        let start = self.offset();
        let is = syntax::dialect_of(self.lexing).prec_value(Precedence::Is);
        self.parser.parse_subexpr(is).map_err(|e| self.parser_error(e))?;
        // The parser takes COLLATE and its name for the expression's.
        self.parser.prev_token();
        self.parser.prev_token();
        if !self.at("COLLATE") {
            self.parser.advance_token();
            self.parser.advance_token();
        }
        Ok(self.text[start..self.end_offset()].trim())
    }

    /// Tables with their joins, separated by commas, as they stand after FROM.
    pub(super) fn relations(&mut self) -> Result<Vec<TableWithJoins>> {
        let relations = self.parser.parse_comma_separated(Parser::parse_table_and_joins);
        relations.map_err(|e| self.parser_error(e))
    }

    /// One table or subquery, with the alias it may have.
    pub(super) fn relation(&mut self) -> Result<TableFactor> {
        self.parser.parse_table_factor().map_err(|e| self.parser_error(e))
    }

    /// Does to a query that a grammar has put together what is done to those that are written as one.
    pub(super) fn settled(&self, mut query: Query, position: usize) -> Result<Box<Query>> {
        let written = |location| {
            let index = self.index_of(location);
            (self.parser.token_at(index).span.start == location).then(|| &self.text[self.start_at(index)..])
        };
        let resolved = if self.is_athena() {
            table_functions::resolve(&mut query)
        } else {
            semistructured::resolve(&mut query, &written, self.names)
        };
        resolved.and_then(|()| query::settle(&mut query)).map_err(|(location, error)| match location {
            Some(location) => error.with_position(tokens::position_of(self.text, location)),
            None => error.with_position(position),
        })?;
        Ok(Box::new(query))
    }

    // --- source text ---

    /// Which token comes next; [`Cursor::position_at`] makes a position of it, at some cost.
    pub(super) fn next_index(&self) -> usize {
        let mut index = self.parser.index();
        while matches!(self.parser.token_at(index).token, Token::Whitespace(_)) {
            index += 1;
        }
        index.min(self.starts.len())
    }

    fn start_at(&self, index: usize) -> usize {
        self.starts.get(index).copied().unwrap_or(self.text.len())
    }

    fn token_source(&self, index: usize) -> &'a str {
        &self.text[self.start_at(index)..self.start_at(index + 1)]
    }

    /// The source of the next token.
    pub(super) fn next_source(&self) -> &'a str {
        self.token_source(self.next_index())
    }

    /// Where the next token begins, in bytes.
    fn offset(&self) -> usize {
        self.start_at(self.next_index())
    }

    /// Where the last token taken ends, in bytes.
    fn end_offset(&self) -> usize {
        let mut index = self.parser.index().min(self.starts.len());
        while index > 0 && matches!(self.parser.token_at(index - 1).token, Token::Whitespace(_)) {
            index -= 1;
        }
        self.start_at(index)
    }

    /// Where the next token begins, in characters from 1.
    pub(super) fn position(&self) -> usize {
        self.position_at(self.next_index())
    }

    /// Where a token begins, in characters from 1.
    pub(super) fn position_at(&self, index: usize) -> usize {
        self.text[..self.start_at(index)].chars().count() + 1
    }

    // --- errors ---

    /// A syntax error at the next token, where `expected` should stand.
    pub(super) fn syntax_error(&self, expected: &str) -> Error {
        self.syntax_error_at(self.next_index(), Some(format!("expected {expected}")))
    }

    /// 0A000 at the next token.
    pub(super) fn unsupported(&self, construct: &str) -> Error {
        Error::unsupported(construct).with_position(self.position())
    }

    fn syntax_error_at(&self, index: usize, detail: Option<String>) -> Error {
        let near = match self.starts.get(index) {
            Some(_) => Some(self.token_source(index)),
            None => self.semicolon.map(|_| ";"),
        };
        let after = if index < self.starts.len() { 0 } else { self.semicolon.unwrap_or(0) };
        let mut error = diagnose::syntax_error(near, detail).with_position(self.position_at(index) + after);
        if error.hint.is_none() {
            error.hint = self.word_before(index).and_then(diagnose::meant_before);
        }
        error
    }

    /// The word before a token when no dialect knows it: `FORM` in `SELECT a FORM t` was taken for an alias.
    fn word_before(&self, index: usize) -> Option<&str> {
        let mut before = (0..index).rev().map(|at| &self.parser.token_at(at).token);
        match before.find(|token| !matches!(token, Token::Whitespace(_)))? {
            Token::Word(Word { value, quote_style: None, keyword: Keyword::NoKeyword }) => Some(value),
            _ => None,
        }
    }

    /// sqlparser's error in our words.
    fn parser_error(&self, error: ParserError) -> Error {
        let message = match error {
            ParserError::RecursionLimitExceeded => return nesting::too_deep().with_position(self.position()),
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
        };
        let (detail, location) = diagnose::split_location(&message);
        let index = match location {
            Some(at) => self.index_of(at),
            None if message.ends_with("found: EOF") => self.starts.len(),
            None => self.next_index(),
        };
        if !self.is_athena()
            && let Some(at) = self.json_table_around(index)
        {
            return Error::unsupported("JSON_TABLE").with_position(self.position_at(at));
        }
        self.syntax_error_at(index, Some(detail))
    }

    /// The JSON_TABLE in whose parentheses a token stands: the parser knows MySQL's only.
    fn json_table_around(&self, index: usize) -> Option<usize> {
        let is_space = |at: usize| matches!(self.parser.token_at(at).token, Token::Whitespace(_));
        let mut closed = 0_usize;
        for at in (0..index.min(self.starts.len())).rev() {
            match &self.parser.token_at(at).token {
                Token::RParen => closed += 1,
                Token::LParen if closed > 0 => closed -= 1,
                Token::LParen => {
                    let before = (0..at).rev().find(|before| !is_space(*before))?;
                    let word = &self.parser.token_at(before).token;
                    if matches!(word, Token::Word(word) if word.keyword == Keyword::JSON_TABLE) {
                        return Some(before);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn index_of(&self, location: Location) -> usize {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.parser.token_at(middle).span.start < location { low = middle + 1 } else { high = middle }
        }
        low
    }
}

//! What sqlparser must know of our dialects: three sets of lexical and grammatical switches.
//!
//! Redshift and Athena's queries are each one; Hive's DDL, which Athena takes beside Trino's SQL, is the third, because
//! there double quotes make strings and a backslash escapes.
//!
//! All three answer to the name of PostgreSQL in sqlparser's closed checks: only there are UNNEST, CURRENT_USER without
//! parentheses and, for Redshift, `^`, `|/`, `||/` and `@` what our users mean.

use crate::sql::scan::Lexing;
use crate::sql::{table_functions, trino_json, trino_types};
use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;

/// The switches for a piece of text.
pub(super) fn dialect_of(lexing: Lexing) -> &'static dyn Dialect {
    match lexing {
        Lexing::Redshift => &RedshiftSyntax,
        Lexing::Trino => &TrinoSyntax,
        Lexing::Hive => &HiveSyntax,
    }
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic() || !c.is_ascii() && !c.is_whitespace()
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit() || c == '$'
}

/// Words that both PostgreSQL and Trino reserve and that begin no expression.
const RESERVED: &[Keyword] = &[
    Keyword::AND,
    Keyword::AS,
    Keyword::CREATE,
    Keyword::ELSE,
    Keyword::END,
    Keyword::EXCEPT,
    Keyword::FROM,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::IN,
    Keyword::INTERSECT,
    Keyword::INTO,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LIKE,
    Keyword::ON,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::SELECT,
    Keyword::THEN,
    Keyword::UNION,
    Keyword::USING,
    Keyword::WHEN,
    Keyword::WHERE,
];

/// Whether a word needs quotes to be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    RESERVED.iter().any(|keyword| format!("{keyword:?}") == word)
}

/// sqlparser takes any word for a column where nothing else fits: `WHERE a AND AND`.
fn refuse_reserved(parser: &Parser) -> Option<Result<Expr, ParserError>> {
    let token = parser.peek_token_ref();
    match &token.token {
        Token::Word(word) if RESERVED.contains(&word.keyword) => Some(parser.expected_ref("an expression", token)),
        _ => None,
    }
}

/// Redshift: a child of PostgreSQL 8.
#[derive(Debug)]
struct RedshiftSyntax;

impl Dialect for RedshiftSyntax {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    // Backticks too: the DDL of external tables is Hive's, and `SHOW CREATE TABLE` writes them.
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"' || c == '`'
    }

    // A `#` begins the name of a temporary table.
    fn is_identifier_start(&self, c: char) -> bool {
        is_name_start(c) || c == '#'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        is_name_part(c) || c == '#'
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        PostgreSqlDialect {}.prec_value(precedence)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        PostgreSqlDialect {}.get_next_precedence(parser)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        refuse_reserved(parser)
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn convert_type_before_value(&self) -> bool {
        true
    }

    fn supports_top_before_distinct(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_exclude(&self) -> bool {
        true
    }

    fn supports_outer_join_operator(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    // Subscripts of paths into SUPER values, and AT after a FROM item.
    fn supports_partiql(&self) -> bool {
        true
    }
}

/// Athena's queries: Trino's SQL, and backticks tolerated around names.
#[derive(Debug)]
struct TrinoSyntax;

impl Dialect for TrinoSyntax {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn is_identifier_start(&self, c: char) -> bool {
        is_name_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        is_name_part(c)
    }

    // `||` binds more loosely than + and -, more tightly than comparisons (Trino's grammar, valueExpression). A colon is no
    // operator, it parts a key and a value in `json_object`.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat => {
                Some(Ok(u8::midpoint(self.prec_value(Precedence::PlusMinus), self.prec_value(Precedence::Eq))))
            }
            Token::Colon => Some(Ok(self.prec_unknown())),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        refuse_reserved(parser)
            .or_else(|| trino_types::parse_cast(parser))
            .or_else(|| trino_json::parse_call(parser))
            .or_else(|| table_functions::parse_argument(parser))
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    // Trino has no dollar-quoted strings: `$` must not open one.
    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }
}

/// Athena's DDL: Hive's lexical rules. Only the tokeniser asks.
#[derive(Debug)]
struct HiveSyntax;

impl Dialect for HiveSyntax {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        is_name_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        is_name_part(c)
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }
}

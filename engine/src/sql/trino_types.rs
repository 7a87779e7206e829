//! Trino's spelling of nested types in casts, which sqlparser does not know: `ARRAY(T)`, `MAP(K, V)`, `ROW(a T, …)`.
//!
//! They become sqlparser's array, map and struct types, which the planner knows.

use sqlparser::ast::{ArrayElemTypeDef, CastKind, DataType, Expr, StructBracketKind, StructField};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// How deep types may nest.
const MAX_DEPTH: usize = 64;

/// Parses `CAST(x AS type)` and `TRY_CAST(x AS type)`; `None` when the next tokens are neither.
pub(super) fn parse_cast(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let kind = match parser.peek_tokens_ref() {
        [word, open] if open.token == Token::LParen => match &word.token {
            Token::Word(word) if word.keyword == Keyword::CAST => CastKind::Cast,
            Token::Word(word) if word.keyword == Keyword::TRY_CAST => CastKind::TryCast,
            _ => return None,
        },
        _ => return None,
    };
    Some(cast(parser, kind))
}

fn cast(parser: &mut Parser, kind: CastKind) -> Result<Expr, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_keyword(Keyword::AS)?;
    let data_type = data_type(parser, 0)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// Parses a type that stands so deep in others.
pub(super) fn data_type(parser: &mut Parser, depth: usize) -> Result<DataType, ParserError> {
    if depth > MAX_DEPTH {
        return Err(ParserError::RecursionLimitExceeded);
    }
    let nested = match parser.peek_tokens_ref() {
        [word, open] if open.token == Token::LParen => match &word.token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    if !matches!(nested.as_str(), "ARRAY" | "MAP" | "ROW") {
        return parser.parse_data_type();
    }
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let nested = match nested.as_str() {
        "ARRAY" => DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(data_type(parser, depth + 1)?))),
        "MAP" => {
            let key = Box::new(data_type(parser, depth + 1)?);
            parser.expect_token(&Token::Comma)?;
            DataType::Map(key, Box::new(data_type(parser, depth + 1)?))
        }
        _ => DataType::Struct(fields(parser, depth)?, StructBracketKind::Parentheses),
    };
    parser.expect_token(&Token::RParen)?;
    Ok(nested)
}

/// The fields of a ROW; a field without a name is a type alone.
fn fields(parser: &mut Parser, depth: usize) -> Result<Vec<StructField>, ParserError> {
    let mut fields = Vec::new();
    loop {
        let named = matches!(parser.peek_tokens_ref(), [_, after] if matches!(after.token, Token::Word(_)))
            && !parser.peek_keyword(Keyword::DOUBLE);
        let field_name = if named { Some(parser.parse_identifier()?) } else { None };
        fields.push(StructField { field_name, field_type: data_type(parser, depth + 1)?, options: None });
        if !parser.consume_token(&Token::Comma) {
            return Ok(fields);
        }
    }
}

//! SQL's functions over JSON, whose arguments have a grammar of their own: `json_exists`, `json_value`, `json_query`,
//! `json_array`, `json_object` (Trino: "JSON functions and operators").
//!
//! They become calls of functions of ours over plain arguments, the clauses as texts. `json_table` has clauses of theirs.

use super::calls::call;
use super::json_table;
use super::trino_types::data_type;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, ObjectNamePart, Value, helpers::attached_token::AttachedToken,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

pub(super) type Parsed<T> = Result<T, ParserError>;

/// Functions whose texts are JSON, which others of these functions take as such.
const GIVES_JSON: [&str; 3] = ["$json_array", "$json_object", "$json_query"];

/// Whether an expression is a text of JSON by the look of it.
fn is_json(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => GIVES_JSON.contains(&name.value.to_lowercase().as_str()),
            _ => false,
        },
        Expr::Nested(inner) => is_json(inner),
        _ => false,
    }
}

/// Parses a call of such a function; `None` when the next tokens are none.
pub(super) fn parse_call(parser: &mut Parser) -> Option<Parsed<Expr>> {
    let name = match parser.peek_tokens_ref() {
        [word, open] if open.token == Token::LParen => match &word.token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
            _ => return None,
        },
        _ => return None,
    };
    let parse: fn(&mut Parser) -> Parsed<Expr> = match name.as_str() {
        "json_exists" => exists,
        "json_value" => value,
        "json_query" => query,
        "json_array" => array,
        "json_object" => object,
        json_table::NAME => json_table::parse,
        _ => return None,
    };
    parser.advance_token();
    parser.advance_token();
    Some(parse(parser))
}

/// Takes words, all or none.
pub(super) fn eat(parser: &mut Parser, words: &[&str]) -> bool {
    let is = |(at, word): (usize, &&str)| {
        matches!(&parser.peek_nth_token_ref(at).token,
            Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    };
    let found = words.iter().enumerate().all(is);
    if found {
        for _ in words {
            parser.advance_token();
        }
    }
    found
}

/// The first of several choices of words that is there.
pub(super) fn choice(parser: &mut Parser, choices: &[(&[&str], &'static str)]) -> Option<&'static str> {
    choices.iter().find(|(words, _)| eat(parser, words)).map(|(_, meaning)| *meaning)
}

pub(super) fn text(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).into())
}

pub(super) fn cast(kind: CastKind, expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `FORMAT JSON [ENCODING name]`: the encoding, UTF-8 where none is named.
pub(super) fn format_json(parser: &mut Parser) -> Parsed<Option<&'static str>> {
    if !eat(parser, &["FORMAT", "JSON"]) {
        return Ok(None);
    }
    if !eat(parser, &["ENCODING"]) {
        return Ok(Some("utf8"));
    }
    match choice(parser, &[(&["UTF8"], "utf8"), (&["UTF16"], "utf16"), (&["UTF32"], "utf32")]) {
        Some(encoding) => Ok(Some(encoding)),
        None => parser.expected_ref("UTF8, UTF16 or UTF32", parser.peek_token_ref()),
    }
}

/// A value, and whether it is JSON.
pub(super) fn json_or_value(parser: &mut Parser) -> Parsed<(Expr, bool)> {
    let expr = parser.parse_expr()?;
    let json = is_json(&expr);
    Ok(match format_json(parser)? {
        Some("utf8") => (expr, true),
        Some(encoding) => (call("$json_decoded", vec![expr, text(encoding)]), true),
        None => (expr, json),
    })
}

/// What the three functions over paths begin with: the input and the path; and the arguments that are passed.
fn context(parser: &mut Parser) -> Parsed<(Vec<Expr>, Vec<Expr>)> {
    let (input, _) = json_or_value(parser)?;
    parser.expect_token(&Token::Comma)?;
    let path = parser.parse_literal_string()?;
    Ok((vec![input, text(path)], passing(parser)?))
}

/// `PASSING value AS name, …`: pairs of a name, behind a letter that tells JSON, and a value. Paths have names that are
/// not quoted in capitals, as a server of Trino does.
pub(super) fn passing(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let mut passed = Vec::new();
    if eat(parser, &["PASSING"]) {
        loop {
            let (value, json) = json_or_value(parser)?;
            if !eat(parser, &["AS"]) {
                return parser.expected_ref("AS", parser.peek_token_ref());
            }
            let name = parser.parse_identifier()?;
            let name = if name.quote_style.is_some() { name.value } else { name.value.to_uppercase() };
            passed.push(text(format!("{}{name}", if json { 'j' } else { 'v' })));
            passed.push(value);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    Ok(passed)
}

fn exists(parser: &mut Parser) -> Parsed<Expr> {
    let (mut args, passed) = context(parser)?;
    let on_error = choice(
        parser,
        &[
            (&["TRUE", "ON", "ERROR"], "true"),
            (&["FALSE", "ON", "ERROR"], "false"),
            (&["UNKNOWN", "ON", "ERROR"], "unknown"),
            (&["ERROR", "ON", "ERROR"], "error"),
        ],
    );
    parser.expect_token(&Token::RParen)?;
    args.push(text(on_error.unwrap_or("false")));
    args.extend(passed);
    Ok(call("$json_exists", args))
}

/// What is said of no value, and of errors, with the default; `None` where nothing is said.
pub(super) type Otherwise = [Option<(&'static str, Option<Expr>)>; 2];

/// `[{ ERROR | NULL | DEFAULT expression } ON EMPTY] [{ ERROR | NULL | DEFAULT expression } ON ERROR]`
pub(super) fn otherwise(parser: &mut Parser) -> Parsed<Otherwise> {
    let mut found = [None, None];
    let mut next = 0;
    loop {
        let said = choice(parser, &[(&["ERROR", "ON"], "error"), (&["NULL", "ON"], "null"), (&["DEFAULT"], "default")]);
        let Some(said) = said else { return Ok(found) };
        let mut default = None;
        if said == "default" {
            default = Some(parser.parse_expr()?);
            if !eat(parser, &["ON"]) {
                return parser.expected_ref("ON EMPTY or ON ERROR", parser.peek_token_ref());
            }
        }
        let at = match choice(parser, &[(&["EMPTY"], "empty"), (&["ERROR"], "error")]) {
            Some("empty") if next == 0 => 0,
            Some("error") if next < 2 => 1,
            _ => return parser.expected_ref("EMPTY or ERROR", parser.peek_token_ref()),
        };
        found[at] = Some((said, default));
        next = at + 1;
    }
}

fn value(parser: &mut Parser) -> Parsed<Expr> {
    let (mut args, passed) = context(parser)?;
    let returning = if eat(parser, &["RETURNING"]) { Some(data_type(parser, 0)?) } else { None };
    let said = otherwise(parser)?;
    parser.expect_token(&Token::RParen)?;
    let [(on_empty, empty), (on_error, error)] = said.map(|said| said.unwrap_or(("null", None)));
    args.extend([text(on_empty), default_text(empty), text(on_error), default_text(error.clone())]);
    args.extend(passed);
    let name = if returning.as_ref().is_some_and(is_whole) { "$json_whole_value" } else { "$json_value" };
    let found = call(name, args);
    let Some(returning) = returning else { return Ok(found) };
    Ok(converted(found, returning, on_error, error))
}

/// Whether a type is one of whole numbers, to which numbers are rounded.
pub(super) fn is_whole(data_type: &DataType) -> bool {
    use DataType::{BigInt, Int, Integer, SmallInt, TinyInt};
    matches!(data_type, TinyInt(_) | SmallInt(_) | Int(_) | Integer(_) | BigInt(_))
}

/// A default as the text that a scalar is before it becomes what it is to be.
pub(super) fn default_text(default: Option<Expr>) -> Expr {
    match default {
        Some(value) => cast(CastKind::Cast, value, DataType::Varchar(None)),
        None => Expr::Value(Value::Null.into()),
    }
}

/// A scalar that was found, a text, as another type; what is no such value is an error, NULL or the default, as is said of
/// errors.
pub(super) fn converted(found: Expr, returning: DataType, on_error: &str, error: Option<Expr>) -> Expr {
    match (on_error, error) {
        ("error", _) => cast(CastKind::Cast, found, returning),
        (_, None) => cast(CastKind::TryCast, found, returning),
        (_, Some(error)) => {
            let tried = cast(CastKind::TryCast, found.clone(), returning.clone());
            let fails = Expr::BinaryOp {
                left: Box::new(Expr::IsNotNull(Box::new(found))),
                op: BinaryOperator::And,
                right: Box::new(Expr::IsNull(Box::new(tried.clone()))),
            };
            Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![CaseWhen { condition: fails, result: cast(CastKind::Cast, error, returning) }],
                else_result: Some(Box::new(tried)),
            }
        }
    }
}

fn query(parser: &mut Parser) -> Parsed<Expr> {
    let (mut args, passed) = context(parser)?;
    let returning = returning(parser)?;
    let Shape { wrapper, quotes, on_empty, on_error } = shape(parser);
    parser.expect_token(&Token::RParen)?;
    args.extend([wrapper, quotes, on_empty.unwrap_or("null"), on_error.unwrap_or("null")].map(text));
    args.extend(passed);
    Ok(returned(call("$json_query", args), returning))
}

/// What JSON that is found becomes, and what is said of no item and of errors; `None` where nothing is said.
pub(super) struct Shape {
    pub(super) wrapper: &'static str,
    pub(super) quotes: &'static str,
    pub(super) on_empty: Option<&'static str>,
    pub(super) on_error: Option<&'static str>,
}

/// `[{ WITHOUT | WITH … } [ARRAY] WRAPPER] [{ KEEP | OMIT } QUOTES [ON SCALAR STRING]] [… ON EMPTY] [… ON ERROR]`
pub(super) fn shape(parser: &mut Parser) -> Shape {
    let wrapper = choice(
        parser,
        &[
            (&["WITHOUT", "ARRAY", "WRAPPER"], "without"),
            (&["WITHOUT", "WRAPPER"], "without"),
            (&["WITH", "CONDITIONAL", "ARRAY", "WRAPPER"], "conditional"),
            (&["WITH", "CONDITIONAL", "WRAPPER"], "conditional"),
            (&["WITH", "UNCONDITIONAL", "ARRAY", "WRAPPER"], "unconditional"),
            (&["WITH", "UNCONDITIONAL", "WRAPPER"], "unconditional"),
            (&["WITH", "ARRAY", "WRAPPER"], "unconditional"),
            (&["WITH", "WRAPPER"], "unconditional"),
        ],
    );
    let quotes = choice(parser, &[(&["KEEP", "QUOTES"], "keep"), (&["OMIT", "QUOTES"], "omit")]);
    if quotes.is_some() {
        eat(parser, &["ON", "SCALAR", "STRING"]);
    }
    let mut behaviour = |on: &str| {
        let choices: [(&[&str], &'static str); 5] = [
            (&["ERROR", "ON", on], "error"),
            (&["NULL", "ON", on], "null"),
            (&["EMPTY", "ON", on], "array"),
            (&["EMPTY", "ARRAY", "ON", on], "array"),
            (&["EMPTY", "OBJECT", "ON", on], "object"),
        ];
        choice(parser, &choices)
    };
    let (on_empty, on_error) = (behaviour("EMPTY"), behaviour("ERROR"));
    Shape { wrapper: wrapper.unwrap_or("without"), quotes: quotes.unwrap_or("keep"), on_empty, on_error }
}

/// `RETURNING type [FORMAT JSON [ENCODING name]]`
fn returning(parser: &mut Parser) -> Parsed<Option<(DataType, &'static str)>> {
    if !eat(parser, &["RETURNING"]) {
        return Ok(None);
    }
    let data_type = data_type(parser, 0)?;
    Ok(Some((data_type, format_json(parser)?.unwrap_or("utf8"))))
}

/// What JSON is returned as.
pub(super) fn returned(made: Expr, returning: Option<(DataType, &'static str)>) -> Expr {
    match returning {
        None => made,
        Some((DataType::Varbinary(_), encoding)) => call("$json_encoded", vec![made, text(encoding)]),
        Some((data_type, _)) => cast(CastKind::Cast, made, data_type),
    }
}

/// `NULL ON NULL`, `ABSENT ON NULL`
fn on_null(parser: &mut Parser) -> Option<&'static str> {
    choice(parser, &[(&["NULL", "ON", "NULL"], "n"), (&["ABSENT", "ON", "NULL"], "a")])
}

fn array(parser: &mut Parser) -> Parsed<Expr> {
    let (mut flags, mut elements) = (String::new(), Vec::new());
    if !ends(parser) {
        loop {
            let (element, json) = json_or_value(parser)?;
            flags.push(if json { 'j' } else { 'v' });
            elements.push(element);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let on_null = on_null(parser).unwrap_or("a");
    let returning = returning(parser)?;
    parser.expect_token(&Token::RParen)?;
    let mut args = vec![text(format!("{on_null}{flags}"))];
    args.extend(elements);
    Ok(returned(call("$json_array", args), returning))
}

/// Whether no values follow.
fn ends(parser: &Parser) -> bool {
    match &parser.peek_token_ref().token {
        Token::RParen => true,
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("RETURNING"),
        _ => false,
    }
}

fn object(parser: &mut Parser) -> Parsed<Expr> {
    let (mut flags, mut members) = (String::new(), Vec::new());
    if !ends(parser) {
        loop {
            // It may be a column's name, too.
            let named = !matches!(parser.peek_nth_token_ref(1).token, Token::Colon)
                && !is_value(&parser.peek_nth_token_ref(1).token)
                && eat(parser, &["KEY"]);
            let key = parser.parse_expr()?;
            let parted = (!named && parser.consume_token(&Token::Colon)) || eat(parser, &["VALUE"]);
            if !parted {
                return parser.expected_ref("VALUE or a colon", parser.peek_token_ref());
            }
            let (member, json) = json_or_value(parser)?;
            flags.push(if json { 'j' } else { 'v' });
            members.extend([key, member]);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let on_null = on_null(parser).unwrap_or("n");
    let unique = choice(
        parser,
        &[
            (&["WITH", "UNIQUE", "KEYS"], "u"),
            (&["WITH", "UNIQUE"], "u"),
            (&["WITHOUT", "UNIQUE", "KEYS"], "d"),
            (&["WITHOUT", "UNIQUE"], "d"),
        ],
    );
    let returning = returning(parser)?;
    parser.expect_token(&Token::RParen)?;
    let mut args = vec![text(format!("{on_null}{}{flags}", unique.unwrap_or("d")))];
    args.extend(members);
    Ok(returned(call("$json_object", args), returning))
}

fn is_value(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case("VALUE"))
}

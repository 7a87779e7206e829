//! Functions in the place of tables (Trino: "Table functions"): `TABLE(f(…))`.
//!
//! Each becomes a query, or a function that the planner knows, before names are resolved. An argument that is a table is
//! written `TABLE(t)`, which is a call to the parser, or `TABLE(query)`, which it is told to take for a subquery.

use super::calls::call;
use super::json_table;
use super::modify::{select, table};
use super::query::Refusal;
use super::trino_json::{Parsed, cast};
use crate::error::{Error, ErrorKind};
use sqlparser::ast::{
    CastKind, DataType, ExcludeSelectItem, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SelectItem, Spanned, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::ControlFlow;

/// The name of a query that is an argument.
const INPUT: &str = "$input";

/// Parses `TABLE(query)`; `None` when the next tokens are none.
pub(super) fn parse_argument(parser: &mut Parser) -> Option<Parsed<Expr>> {
    let [word, open, next] = parser.peek_tokens_ref();
    let begins = keyword(word) == Some(Keyword::TABLE)
        && open.token == Token::LParen
        && matches!(keyword(next), Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES));
    if !begins {
        return None;
    }
    parser.advance_token();
    Some(query(parser))
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn query(parser: &mut Parser) -> Parsed<Expr> {
    parser.expect_token(&Token::LParen)?;
    let query = parser.parse_query()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Subquery(query))
}

/// Puts what the planner knows in the place of functions in FROM.
///
/// # Errors
/// `UndefinedFunction` for one that is not known; `Syntax` for a call of a wrong shape.
pub(super) fn resolve(query: &mut Query) -> Result<(), Refusal> {
    match query.visit(&mut Functions { count: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

struct Functions {
    /// How many have been found.
    count: usize,
}

impl VisitorMut for Functions {
    type Break = Box<Refusal>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::TableFunction { expr, alias } = factor else { return ControlFlow::Continue(()) };
        self.count += 1;
        let alias = alias.take().unwrap_or_else(|| self.unnamed());
        match relation(expr, alias) {
            Ok(relation) => {
                *factor = relation;
                ControlFlow::Continue(())
            }
            Err(error) => {
                let at = expr.span().start;
                ControlFlow::Break(Box::new(((at.line > 0).then_some(at), error)))
            }
        }
    }
}

impl Functions {
    /// A name for a relation that has none, which tells its columns from others of their names.
    fn unnamed(&self) -> TableAlias {
        let name = Ident::with_quote('"', format!("$table{}", self.count));
        TableAlias { explicit: true, name, columns: Vec::new(), at: None }
    }
}

/// What a call in FROM is.
fn relation(call: &Expr, alias: TableAlias) -> Result<TableFactor, Error> {
    let Expr::Function(function) = call else {
        return Err(Error::new(ErrorKind::Syntax, "TABLE takes a call of a function"));
    };
    let name = name_of(function);
    match name.as_str() {
        json_table::NAME => json_table(function, alias),
        "sequence" => sequence(function, alias),
        "exclude_columns" => exclude_columns(function, alias),
        _ => Err(Error::new(ErrorKind::UndefinedFunction, format!("table function {name} does not exist"))),
    }
}

/// The query that the parser has made, which may name columns of what stands before it.
fn json_table(function: &Function, alias: TableAlias) -> Result<TableFactor, Error> {
    if let FunctionArguments::List(list) = &function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))] = list.args.as_slice()
    {
        return Ok(TableFactor::Derived { lateral: true, subquery: query.clone(), alias: Some(alias), sample: None });
    }
    Err(wrong_shape(function))
}

fn name_of(function: &Function) -> String {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => name.value.to_lowercase(),
        _ => function.name.to_string(),
    }
}

fn wrong_shape(function: &Function) -> Error {
    let message = format!("{} is called in a way that it does not take", name_of(function));
    Error::new(ErrorKind::Syntax, message)
}

/// The arguments of these names, by name or in this order.
fn arguments<'f, const N: usize>(function: &'f Function, names: [&str; N]) -> Result<[Option<&'f Expr>; N], Error> {
    let wrong = || wrong_shape(function);
    let FunctionArguments::List(list) = &function.args else { return Err(wrong()) };
    let mut found = [None; N];
    for (place, argument) in list.args.iter().enumerate() {
        let (place, expr) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => (place, expr),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(expr),
                operator: FunctionArgOperator::RightArrow,
            } => {
                let place = names.iter().position(|known| name.value.eq_ignore_ascii_case(known));
                (place.ok_or_else(wrong)?, expr)
            }
            _ => return Err(wrong()),
        };
        let free = found.get_mut(place).filter(|free| free.is_none());
        *free.ok_or_else(wrong)? = Some(expr);
    }
    Ok(found)
}

/// `sequence([start,] stop [, step])`: a series of whole numbers, which is made as it is read.
fn sequence(function: &Function, mut alias: TableAlias) -> Result<TableFactor, Error> {
    let [start, stop, step] = arguments(function, ["start", "stop", "step"])?;
    let stop = stop.ok_or_else(|| wrong_shape(function))?;
    let number = |number: &str| Expr::Value(Value::Number(number.to_owned(), false).into());
    let bounds =
        [start.cloned().unwrap_or_else(|| number("0")), stop.clone(), step.cloned().unwrap_or_else(|| number("1"))];
    let [start, stop, step] = bounds.map(|bound| cast(CastKind::Cast, bound, DataType::BigInt(None)));
    let step = call("$sequence_step", vec![start.clone(), stop.clone(), step]);
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef::from_name("sequential_number"));
    }
    Ok(TableFactor::Function {
        lateral: false,
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new("generate_series"))]),
        args: [start, stop, step].map(|bound| FunctionArg::Unnamed(FunctionArgExpr::Expr(bound))).into(),
        with_ordinality: false,
        alias: Some(alias),
    })
}

/// `exclude_columns(input => TABLE(…), columns => DESCRIPTOR(…))`
fn exclude_columns(function: &Function, alias: TableAlias) -> Result<TableFactor, Error> {
    let [Some(input), Some(Expr::Function(columns))] = arguments(function, ["input", "columns"])? else {
        return Err(wrong_shape(function));
    };
    let relation = match input {
        Expr::Subquery(query) => {
            let name = Ident::with_quote('"', INPUT);
            let alias = TableAlias { explicit: true, name, columns: Vec::new(), at: None };
            TableFactor::Derived { lateral: false, subquery: query.clone(), alias: Some(alias), sample: None }
        }
        Expr::Function(input) if name_of(input) == "table" => match plain(input).as_deref() {
            Some([Expr::Identifier(name)]) => table(ObjectName::from(vec![name.clone()]), None),
            Some([Expr::CompoundIdentifier(names)]) => table(ObjectName::from(names.clone()), None),
            _ => return Err(wrong_shape(function)),
        },
        _ => return Err(wrong_shape(function)),
    };
    let excluded = plain(columns).filter(|_| name_of(columns) == "descriptor").unwrap_or_default();
    let excluded = excluded.iter().map(|column| match column {
        Expr::Identifier(name) => Ok(ObjectName::from(vec![Ident::with_quote('"', name.value.to_lowercase())])),
        _ => Err(wrong_shape(function)),
    });
    let mut excluded = excluded.collect::<Result<Vec<_>, Error>>()?;
    excluded.sort();
    excluded.dedup();
    if excluded.is_empty() {
        return Err(wrong_shape(function));
    }
    let opt_exclude = Some(ExcludeSelectItem::Multiple(excluded));
    let all = SelectItem::Wildcard(WildcardAdditionalOptions { opt_exclude, ..WildcardAdditionalOptions::default() });
    let query = select(vec![all], vec![TableWithJoins { relation, joins: Vec::new() }], None);
    Ok(TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None })
}

/// The expressions that a function is called with; `None` where one is none, or has a name.
fn plain(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    plain.collect()
}

//! PostgreSQL's ways of writing that its clients use and the planner does not know, in ways that it does.
//!
//! `pg_catalog.f(x)` is `f(x)`, `a OPERATOR(pg_catalog.~) b` is `a ~ b`, COLLATE of a default goes, casts to `regclass`,
//! `regtype`, `oid`, `name` and `"char"` become what they mean here, and a number is a condition (`WHERE 1 AND …`).
//! A scalar subquery over the system's own tables, whose keys give one row at most, says so by `max`.

use crate::functions::{REGCLASS, REGTYPE};
use crate::system::{self, SystemTable};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, TableFactor, Value,
    VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

/// Rewrites a query, and gives the names of the functions that it calls.
pub(super) fn rewrite(query: &mut Query) -> BTreeSet<String> {
    let mut rewriter = Rewriter { functions: BTreeSet::new() };
    let _: ControlFlow<Infallible> = query.visit(&mut rewriter);
    rewriter.functions
}

struct Rewriter {
    functions: BTreeSet<String>,
}

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::BinaryOp { left, op, right } => {
                if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                    && let Some(plain) = parts.last().and_then(|name| operator(name))
                {
                    *op = plain;
                }
                if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
                    condition(left);
                    condition(right);
                }
            }
            Expr::Collate { expr: inner, .. } => {
                let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                *expr = inner;
            }
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, .. } => {
                if let Some(function) = cast_function(data_type) {
                    self.functions.insert(function.to_owned());
                    let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                    *expr = call(function, inner);
                } else if let Some(plain) = plain_type(data_type) {
                    *data_type = plain;
                }
            }
            Expr::Subquery(query) if reads_nothing(query) => *expr = Expr::Value(Value::Null.into()),
            Expr::Subquery(query) => one_row(query),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter {
    fn function(&mut self, function: &mut Function) {
        let parts: Vec<String> =
            function.name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
        if let [schema, name] = parts.as_slice()
            && system::is_schema(schema)
        {
            function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name.clone()))]);
        }
        self.functions.extend(parts.last().cloned());
    }
}

fn operator(name: &str) -> Option<BinaryOperator> {
    Some(match name {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "||" => BinaryOperator::StringConcat,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        _ => return None,
    })
}

/// A whole number where a condition stands: true unless it is 0.
fn condition(expr: &mut Expr) {
    if let Expr::Value(value) = expr
        && let Value::Number(number, _) = &value.value
        && let Ok(number) = number.parse::<i64>()
    {
        *expr = Expr::Value(Value::Boolean(number != 0).into());
    }
}

/// A type's name without `pg_catalog`.
fn type_name(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            let parts: Vec<String> =
                name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
            match parts.as_slice() {
                [name] => Some(name.clone()),
                [schema, name] if schema == system::PG_CATALOG => Some(name.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

fn cast_function(data_type: &DataType) -> Option<&'static str> {
    match type_name(data_type)?.as_str() {
        "regclass" => Some(REGCLASS),
        "regtype" => Some(REGTYPE),
        _ => None,
    }
}

fn plain_type(data_type: &DataType) -> Option<DataType> {
    Some(match type_name(data_type)?.as_str() {
        "oid" | "int4" | "xid" | "cid" => DataType::Integer(None),
        "int8" => DataType::BigInt(None),
        "int2" => DataType::SmallInt(None),
        "name"
        | "char"
        | "text"
        | "varchar"
        | "bpchar"
        | "regproc"
        | "regprocedure"
        | "regnamespace"
        | "cstring"
        | "aclitem"
        | "information_schema.sql_identifier" => DataType::Text,
        "bool" => DataType::Boolean,
        "float8" => DataType::DoublePrecision,
        "float4" => DataType::Real,
        "timestamp" => DataType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::None),
        "date" => DataType::Date,
        _ => return None,
    })
}

fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Puts `max(…)` around what a scalar subquery gives that reads tables of `pg_catalog` only.
fn one_row(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let plain = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let system_only = !select.from.is_empty()
        && select.from.iter().all(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)).all(is_system)
        });
    if !plain || !system_only || query.limit_clause.is_some() || select.distinct.is_some() {
        return;
    }
    if let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice()
        && !is_aggregate(expr)
    {
        let inner = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        *expr = call("max", inner);
        query.order_by = None;
    }
}

/// Whether a scalar subquery lists a table that never has a row, so that it is NULL: psql asks for collations in a way
/// that cannot be planned.
fn reads_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let is_plain = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
        && !select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => is_aggregate(expr),
            _ => true,
        });
    is_plain && select.from.iter().any(|from| system_table(&from.relation).is_some_and(system::is_always_empty))
}

fn is_system(factor: &TableFactor) -> bool {
    system_table(factor).is_some()
}

fn system_table(factor: &TableFactor) -> Option<&'static SystemTable> {
    let TableFactor::Table { name, args: None, .. } = factor else { return None };
    let parts: Vec<String> =
        name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
    match parts.as_slice() {
        [name] => system::find(None, name),
        [schema, name] => system::find(Some(schema), name),
        _ => None,
    }
}

fn is_aggregate(expr: &Expr) -> bool {
    const AGGREGATES: [&str; 8] = ["max", "min", "count", "sum", "avg", "bool_or", "bool_and", "listagg"];
    match expr {
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
            name.is_some_and(|name| AGGREGATES.contains(&name.as_str()))
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_aggregate(expr),
        _ => false,
    }
}

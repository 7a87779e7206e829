//! PostgreSQL's ways of writing that its clients use and the planner does not know, in ways that it does.
//!
//! `pg_catalog.f(x)` is `f(x)`, `a OPERATOR(pg_catalog.~) b` is `a ~ b`, `x COLLATE "default"` is `x` and `x COLLATE ci`
//! the function, casts to `regclass`, `regtype`, `oid`, `name` and `"char"` become what they mean here, and a number is a
//! condition (`WHERE 1 AND …`). A scalar subquery over the system's own tables, whose keys give one row at most, says so by
//! `max`.

mod arrays;
mod names;
mod patterns;
mod relations;

pub(crate) use patterns::with_backslashes;

use crate::functions::{COLLATE, REGCLASS, REGCLASS_NAME, REGTYPE, REGTYPE_NAME, TEXTS};
use crate::session::literal::array_elements;
use crate::sql::{self, Dialect, folded};
use crate::system::{self, SystemTable};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor,
    Value, VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

/// Rewrites a query, and gives the names of the functions that it calls.
pub(super) fn rewrite(query: &mut Query, dialect: Dialect) -> BTreeSet<String> {
    let mut rewriter = Rewriter { functions: BTreeSet::new(), backslash: dialect.rules().backslash_escapes };
    let _: ControlFlow<Infallible> = query.visit(&mut rewriter);
    // What a query shows of an object is its name.
    if let SetExpr::Select(select) = query.body.as_mut() {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                rewriter.show_name(expr);
            }
        }
    }
    rewriter.functions
}

struct Rewriter {
    functions: BTreeSet<String>,
    /// Whether patterns of LIKE have the backslash by themselves.
    backslash: bool,
}

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        names::resolve(select);
        arrays::name_columns(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Infallible> {
        relations::rewrite(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        patterns::rewrite(expr, self.backslash);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        match expr {
            Expr::Function(function) => {
                self.function(function);
                arrays::rewrite(expr);
                self.own_functions(expr);
            }
            Expr::BinaryOp { left, op, right } => {
                if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                    && let Some(plain) = parts.last().and_then(|name| operator(name))
                {
                    *op = plain;
                }
                if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                    compare_function(left, right);
                }
                if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
                    condition(left);
                    condition(right);
                }
            }
            Expr::Collate { expr: inner, collation } => {
                let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                *expr = match collation.0.last() {
                    Some(ObjectNamePart::Identifier(name)) if !is_plain(name) => {
                        let name = Expr::Value(Value::SingleQuotedString(name.value.clone()).into());
                        sql::call(COLLATE, vec![inner, name])
                    }
                    _ => inner,
                };
            }
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, .. } => {
                if let Some(items) = array_literal(inner, data_type) {
                    *expr = items;
                    self.own_functions(expr);
                } else if let Some(function) = cast_function(data_type) {
                    self.functions.insert(function.to_owned());
                    let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                    *expr = call(function, inner);
                } else if is_text(data_type) && is_object(inner) {
                    let mut inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                    self.show_name(&mut inner);
                    *expr = inner;
                } else if let Some(plain) = plain_type(data_type) {
                    *data_type = plain;
                }
            }
            Expr::Subquery(query) => one_row(query),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter {
    /// Notes the functions of ours in an expression that was just made.
    fn own_functions(&mut self, expr: &Expr) {
        let Expr::Function(function) = expr else { return };
        self.functions.extend(name_parts(&function.name).pop());
        if let FunctionArguments::List(list) = &function.args {
            for argument in &list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) = argument {
                    self.own_functions(inner);
                }
            }
        }
    }

    /// Gives the name of what a cast to `regclass` or `regtype` names.
    fn show_name(&mut self, expr: &mut Expr) {
        let Expr::Function(function) = expr else { return };
        let shown = match name_parts(&function.name).as_slice() {
            [name] if name == REGCLASS => REGCLASS_NAME,
            [name] if name == REGTYPE => REGTYPE_NAME,
            _ => return,
        };
        function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(shown))]);
        self.functions.insert(shown.to_owned());
    }

    fn function(&mut self, function: &mut Function) {
        let parts: Vec<String> =
            function.name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
        if let [schema, name] = parts.as_slice()
            && system::is_schema(schema)
        {
            function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name.clone()))]);
        }
        // Names of functions are folded in quotes too, whatever becomes of others.
        if let Some(ObjectNamePart::Identifier(name)) = function.name.0.last_mut()
            && name.quote_style.is_some()
        {
            name.value = name.value.to_lowercase();
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

/// `typreceive <> 0`: a function that a type has is told by its name here, which 0 is none of.
fn compare_function(left: &Expr, right: &mut Expr) {
    const FUNCTIONS: [&str; 4] = ["typinput", "typoutput", "typreceive", "typsend"];
    let name = match left {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) if !parts.is_empty() => &parts[parts.len() - 1],
        _ => return,
    };
    if let Expr::Value(value) = right
        && let Value::Number(number, _) = &value.value
        && FUNCTIONS.contains(&name.value.to_lowercase().as_str())
    {
        value.value = Value::SingleQuotedString(number.clone());
    }
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

/// `'{a,b}'::aclitem[]`, an array of texts.
fn array_literal(value: &Expr, data_type: &DataType) -> Option<Expr> {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(of, None)) = data_type else { return None };
    let Expr::Value(value) = value else { return None };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    let items = array_elements(text)?;
    if !is_text(of) && type_name(of)? != "aclitem" {
        return None;
    }
    // An array of no type has the aggregate's NULL; arrays of the catalog's texts have no NULL in them.
    if items.is_empty() {
        return Some(call(TEXTS, Expr::Value(Value::Null.into())));
    }
    let has_null = items.iter().any(Option::is_none);
    let items = items.into_iter().map(|item| item.map_or(Value::Null, Value::SingleQuotedString));
    let array = sql::call("make_array", items.map(|item| Expr::Value(item.into())).collect());
    Some(if has_null { array } else { call(TEXTS, array) })
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

/// Whether an expression is a cast to `regclass` or `regtype`, which has been rewritten.
fn is_object(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            matches!(name_parts(&function.name).as_slice(), [name] if name == REGCLASS || name == REGTYPE)
        }
        Expr::Nested(inner) => is_object(inner),
        _ => false,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Text | DataType::Varchar(_) | DataType::CharVarying(_) | DataType::CharacterVarying(_)
    ) || type_name(data_type).is_some_and(|name| matches!(name.as_str(), "text" | "varchar" | "name"))
}

/// A name's parts in lower case.
fn name_parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect()
}

/// Whether a collation of PostgreSQL's is the one that texts have: by their bytes.
fn is_plain(collation: &Ident) -> bool {
    ["c", "default", "posix", "ucs_basic"].iter().any(|name| collation.value.eq_ignore_ascii_case(name))
}

fn call(name: &str, argument: Expr) -> Expr {
    sql::call(name, vec![argument])
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

fn is_system(factor: &TableFactor) -> bool {
    system_table(factor).is_some()
}

fn system_table(factor: &TableFactor) -> Option<&'static SystemTable> {
    let TableFactor::Table { name, args: None, .. } = factor else { return None };
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(folded).collect();
    match parts.as_slice() {
        [name] => system::find(None, name),
        [schema, name] | [_, schema, name] => system::find(Some(schema), name),
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

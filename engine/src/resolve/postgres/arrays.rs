//! `ARRAY(query)`: the query's values as one array, empty where there are none; functions that give an array's rows.

use super::{is_system, name_parts};
use crate::functions::{PAIRS, TEXTS};
use crate::sql;
use crate::system;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident, OrderByKind, Query,
    Select, SelectItem, SetExpr, TableFactor,
};

/// Names a column that is the rows of a relation's columns by the function.
pub(super) fn name_columns(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && let Expr::Function(function) = expr
            && is_columns(function)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::new(system::COLUMNS) };
        }
    }
}

fn is_columns(function: &Function) -> bool {
    name_parts(&function.name).last().is_some_and(|name| name == system::COLUMNS)
}

/// Writes `ARRAY(query)` as an aggregate, `_pg_expandarray(a)` as the rows of an array of records, and `pg_get_cols(name)`
/// as those of an array of texts.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Function(function) = expr else { return };
    if is_columns(function) {
        *expr = sql::call("unnest", vec![expr.clone()]);
        return;
    }
    if name_parts(&function.name).last().is_some_and(|name| name == "_pg_expandarray")
        && let FunctionArguments::List(list) = &function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] = list.args.as_slice()
    {
        *expr = sql::call("unnest", vec![sql::call(PAIRS, vec![array.clone()])]);
        return;
    }
    let is_array = matches!(function.name.0.as_slice(), [part] if part.as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case("array")));
    let FunctionArguments::Subquery(query) = &mut function.args else { return };
    if !is_array || !aggregate(query) {
        return;
    }
    let texts = reads_system(query);
    let array = Expr::Subquery(query.clone());
    // Arrays of the catalog's are arrays of text; what is empty is NULL to the aggregate.
    *expr = if texts {
        sql::call(TEXTS, vec![array])
    } else {
        sql::call("coalesce", vec![array, sql::call("make_array", vec![])])
    };
}

fn aggregate(query: &mut Query) -> bool {
    let order = query.order_by.take();
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return false;
    };
    let mut call = sql::call("array_agg", vec![value.clone()]);
    if let (Expr::Function(Function { args: FunctionArguments::List(list), .. }), Some(order)) = (&mut call, order)
        && let OrderByKind::Expressions(by) = order.kind
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(by));
    }
    *value = call;
    true
}

fn reads_system(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    select.from.iter().all(|from| {
        std::iter::once(&from.relation)
            .chain(from.joins.iter().map(|join| &join.relation))
            .all(|factor| is_system(factor) || matches!(factor, TableFactor::UNNEST { .. }))
    })
}

//! What PostgreSQL's clients write in FROM: functions of the system in the place of tables.
//!
//! `unnest(…)` becomes SQL's UNNEST, `f(…)` a query of one row, and a function that gives rows the system table that
//! has them. Types in an alias (`t(a name, b int)`) are what the columns have anyway.

use super::name_parts;
use crate::functions::{self, REGCLASS};
use crate::sql;
use crate::system;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    TableAlias, TableAliasColumnDef, TableFactor,
};
use datafusion::sql::sqlparser::dialect::RedshiftSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The function that gives numbers in order.
const SERIES: &str = "generate_series";

/// Puts what the planner knows in the place of a function in FROM.
pub(super) fn rewrite(factor: &mut TableFactor) {
    let TableFactor::Table { name, args: Some(args), alias, .. } = factor else { return };
    let parts = name_parts(name);
    let (schema, function) = match parts.as_slice() {
        [function] => (None, function.clone()),
        [schema, function] => (Some(schema), function.clone()),
        _ => return,
    };
    if schema.is_some_and(|schema| !system::is_schema(schema)) {
        return;
    }
    let mut values = Vec::new();
    for arg in &args.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => values.push(expr.clone()),
            _ => return,
        }
    }
    let mut alias = alias.take().map(without_types);
    let one_column = matches!(function.as_str(), "unnest" | SERIES);
    // A function's alias is its column's name too.
    if one_column
        && let Some(alias) = &mut alias
        && alias.columns.is_empty()
    {
        alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
    }
    if function == SERIES {
        let alias = alias.unwrap_or_else(|| TableAlias {
            columns: vec![TableAliasColumnDef { name: Ident::new(SERIES), data_type: None }],
            ..named(SERIES)
        });
        *factor = TableFactor::Function {
            lateral: false,
            name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(SERIES))]),
            args: std::mem::take(&mut args.args),
            with_ordinality: false,
            alias: Some(alias),
        };
    } else if function == "unnest" {
        *factor = TableFactor::UNNEST {
            alias,
            array_exprs: values,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        };
    } else if function == system::COLUMNS && values.len() == 1 {
        if let Some(subquery) = columns_of(values.remove(0)) {
            let alias = Some(alias.unwrap_or_else(|| named(&function)));
            *factor = TableFactor::Derived { lateral: false, subquery: Box::new(subquery), alias, sample: None };
        }
    } else if values.is_empty() && system::find(None, &function).is_some_and(system::is_function) {
        if let TableFactor::Table { name, args, alias: old, .. } = factor {
            let parts = [system::PG_CATALOG, &function];
            *name = ObjectName(parts.map(|part| ObjectNamePart::Identifier(Ident::new(part))).to_vec());
            *args = None;
            *old = alias;
        }
    } else if functions::is_known(&function) {
        let alias = alias.unwrap_or_else(|| named(&function));
        let column = alias.columns.first().map_or_else(|| alias.name.clone(), |column| column.name.clone());
        if let Some(subquery) = one_row(sql::call(&function, values), column) {
            let alias = TableAlias { columns: Vec::new(), ..alias };
            *factor =
                TableFactor::Derived { lateral: false, subquery: Box::new(subquery), alias: Some(alias), sample: None };
        }
    } else if let TableFactor::Table { alias: old, .. } = factor {
        *old = alias;
    }
}

fn named(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: Ident::new(name), columns: Vec::new(), at: None }
}

fn without_types(mut alias: TableAlias) -> TableAlias {
    alias.columns.iter_mut().for_each(|column| column.data_type = None);
    alias
}

/// The columns of the relation that a name or number stands for.
fn columns_of(relation: Expr) -> Option<Query> {
    let text = format!(
        "SELECT view_schema, view_name, col_name, col_type, col_num FROM {}.{} WHERE {} = 0",
        system::PG_CATALOG,
        system::COLUMNS,
        system::RELATION
    );
    let mut query = Parser::new(&RedshiftSqlDialect {}).try_with_sql(&text).ok()?.parse_query().ok()?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let Some(Expr::BinaryOp { right, .. }) = &mut select.selection else { return None };
    **right = sql::call(REGCLASS, vec![relation]);
    Some(*query)
}

/// `SELECT expr AS column`
fn one_row(expr: Expr, column: Ident) -> Option<Query> {
    let mut query = Parser::new(&RedshiftSqlDialect {}).try_with_sql("SELECT 1").ok()?.parse_query().ok()?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let select: &mut Select = select;
    select.projection = vec![SelectItem::ExprWithAlias { expr, alias: column }];
    Some(*query)
}

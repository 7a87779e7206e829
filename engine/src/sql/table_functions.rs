//! Functions in the place of tables (Trino: "Table functions"): `TABLE(f(…))`.
//!
//! Each becomes a query, or a function that the planner knows, before names are resolved.

use super::json_table;
use super::query::Refusal;
use crate::error::{Error, ErrorKind};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart, Query, Spanned, TableAlias,
    TableFactor, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Puts what the planner knows in the place of functions in FROM.
///
/// # Errors
/// `UndefinedFunction` for one that is not known.
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
    let name = match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => name.value.to_lowercase(),
        _ => function.name.to_string(),
    };
    match name.as_str() {
        json_table::NAME => json_table(function, alias),
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
    Err(Error::internal("a JSON_TABLE is lost"))
}

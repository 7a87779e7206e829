//! `SLICE_NUM()`: the slice that has a row of a managed table, which its distribution decides.
//!
//! A distribution key's hash says it; of a table of which each node has a copy it is the first. Rows of other tables are dealt
//! to slices as they are read: of them it is refused, and so it is where a query reads anything else than one table.

use super::{Tables, behind_grants};
use crate::error::{Error, Result};
use crate::functions::SLICE;
use crate::sql;
use crate::tables::{ManagedTableProvider, RowPlace};
use datafusion::datasource::source_as_provider;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// The function.
pub(super) const NAME: &str = "slice_num";

/// Writes the calls in a query as what they are of its tables' columns.
///
/// # Errors
/// `Unsupported` where rows are in no slice.
pub(super) fn rewrite(query: &mut Query, tables: &Tables, slices: usize) -> Result<()> {
    match query.visit(&mut Slices { tables, count: slices, places: Vec::new() }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Slices<'a> {
    tables: &'a Tables,
    count: usize,
    /// What the function is in the queries around, the innermost last.
    places: Vec<Option<Expr>>,
}

impl VisitorMut for Slices<'_> {
    type Break = Error;

    // The query's own ORDER BY stands outside of its SELECT.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let place = if let SetExpr::Select(select) = query.body.as_ref() { self.place(select) } else { None };
        self.places.push(place);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.places.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let place = self.place(select);
        self.places.push(place);
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && is_call(expr)
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::new(NAME) };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<Error> {
        self.places.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if !is_call(expr) {
            return ControlFlow::Continue(());
        }
        match self.places.last().cloned().flatten() {
            Some(place) => {
                *expr = place;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(
                Error::unsupported("SLICE_NUM() of rows that are dealt to slices as they are read")
                    .with_hint("it tells of one managed table with a distribution key or DISTSTYLE ALL"),
            ),
        }
    }
}

fn is_call(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let name = function.name.0.last().and_then(|part| part.as_ident());
    name.is_some_and(|name| name.value.eq_ignore_ascii_case(NAME))
}

impl Slices<'_> {
    /// What the function is of the one table that a SELECT reads.
    fn place(&self, select: &Select) -> Option<Expr> {
        let [from] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, alias, args: None, .. } = &from.relation else { return None };
        if !from.joins.is_empty() {
            return None;
        }
        let source = self.tables.get(&object_name_to_table_reference(name.clone(), true).ok()?)?;
        let provider = source_as_provider(source).ok()?;
        let table = behind_grants(&provider).downcast_ref::<ManagedTableProvider>()?;
        let number = |number: String| Expr::Value(Value::Number(number, false).into());
        match table.row_place() {
            RowPlace::Hashed(at) => {
                let relation = alias.as_ref().map_or_else(|| name.0.last()?.as_ident(), |alias| Some(&alias.name))?;
                let column = renamed(alias.as_ref(), at)
                    .unwrap_or_else(|| Ident::with_quote('"', &table.table().columns[at].name));
                let key = Expr::CompoundIdentifier(vec![relation.clone(), column]);
                Some(sql::call(SLICE, vec![key, number(self.count.to_string())]))
            }
            RowPlace::First => Some(number("0".to_owned())),
            RowPlace::Dealt => None,
        }
    }
}

/// The name that an alias gives to a column, by its place.
fn renamed(alias: Option<&TableAlias>, at: usize) -> Option<Ident> {
    alias?.columns.get(at).map(|column| column.name.clone())
}

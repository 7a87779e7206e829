//! Names of the SELECT list in the list itself and in WHERE, as Redshift takes them, where all tables are the system's.
//!
//! Drivers' queries of the catalog name an expression of the same list. The columns of system tables are known here,
//! and a column always comes first.

use super::{relations, system_table};
use crate::sql::folded;
use datafusion::sql::sqlparser::ast::{Expr, Select, SelectItem, TableFactor, VisitMut, VisitorMut};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::ControlFlow;

/// Puts the expressions of the SELECT list in the place of their names.
pub(super) fn resolve(select: &mut Select) {
    for from in &mut select.from {
        relations::rewrite(&mut from.relation);
        from.joins.iter_mut().for_each(|join| relations::rewrite(&mut join.relation));
    }
    let mut columns = BTreeSet::new();
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let mut tables = 0;
    for factor in factors {
        let TableFactor::Table { alias, .. } = factor else { return };
        let Some(table) = system_table(factor) else { return };
        let renamed = alias.as_ref().map_or(&[][..], |alias| &alias.columns);
        columns.extend(renamed.iter().map(|column| folded(&column.name)));
        columns.extend(table.columns.iter().skip(renamed.len()).map(|(name, _)| (*name).to_owned()));
        tables += 1;
    }
    if tables == 0 {
        return;
    }
    let mut names = Names(BTreeMap::new());
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { expr, alias } = item {
            let _: ControlFlow<Infallible> = expr.visit(&mut names);
            let name = folded(alias);
            if !columns.contains(&name) {
                names.0.insert(name, expr.clone());
            }
        }
    }
    if let Some(condition) = &mut select.selection {
        let _: ControlFlow<Infallible> = condition.visit(&mut names);
    }
}

struct Names(BTreeMap<String, Expr>);

impl VisitorMut for Names {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Identifier(name) = expr
            && let Some(meant) = self.0.get(&folded(name))
        {
            *expr = Expr::Nested(Box::new(meant.clone()));
        }
        ControlFlow::Continue(())
    }
}

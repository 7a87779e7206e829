//! Aliases used right of their place in the same list (Redshift: `SELECT a + 1 AS b, b * 2 AS c`).
//!
//! A column of the tables goes before an alias. So a query is planned as it is; where the planner misses a column of
//! that name, the alias's expression takes its place, and it is planned again.

use crate::sql::folded;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SelectItem, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// The most aliases that one query resolves so.
const MOST: usize = 512;

/// How often an alias was put in.
#[derive(Debug, Default)]
pub(in crate::plan) struct Laterals {
    replaced: usize,
}

impl Laterals {
    /// Puts the alias's expression for a column that was not found, named at a line and column; false where there is
    /// none.
    pub(in crate::plan) fn resolve(&mut self, query: &mut Query, name: &str, at: Option<(u64, u64)>) -> bool {
        self.replaced += 1;
        if self.replaced > MOST {
            return false;
        }
        let mut finder = Finder { name, at, found: false };
        let _: ControlFlow<()> = query.visit(&mut finder);
        finder.found
    }
}

struct Finder<'a> {
    name: &'a str,
    at: Option<(u64, u64)>,
    found: bool,
}

impl VisitorMut for Finder<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for at in 1..select.projection.len() {
            let (before, rest) = select.projection.split_at_mut(at);
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &mut rest[0] else {
                continue;
            };
            let Some(aliased) = before.iter().rev().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if folded(alias) == self.name => Some(expr),
                _ => None,
            }) else {
                continue;
            };
            let mut replacer = Replacer { name: self.name, at: self.at, with: aliased, found: false };
            let _: ControlFlow<()> = expr.visit(&mut replacer);
            if replacer.found {
                self.found = true;
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

struct Replacer<'a> {
    name: &'a str,
    at: Option<(u64, u64)>,
    with: &'a Expr,
    found: bool,
}

impl VisitorMut for Replacer<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = expr
            && folded(ident) == self.name
            && self.at.is_none_or(|at| at == (ident.span.start.line, ident.span.start.column))
        {
            *expr = Expr::Nested(Box::new(self.with.clone()));
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

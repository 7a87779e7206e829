//! Calls and grouping keys that differ in casts only: the planner calls them by one name (`avg(x)` for `avg(x::float)`
//! too) and wants names that differ. All but the first get a call around their casts that says nothing and that the
//! optimizer takes away: COALESCE of one value.

use super::calls::null;
use crate::sql::call;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
    visit_expressions_mut,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// Queries with longer texts are left alone: those are made by programs, which name what they compute.
const MOST_BYTES: usize = 1 << 17;

/// Tells them apart.
pub(in crate::plan) fn tell_apart(query: &mut Query) {
    let mut found = Found::default();
    let _: ControlFlow<()> = Visit::visit(query, &mut found);
    let mut wraps: HashMap<String, usize> = HashMap::new();
    for variants in found.by_name.into_values().filter(|variants| variants.len() > 1) {
        wraps.extend(variants.into_iter().enumerate().skip(1).map(|(at, text)| (text, at)));
    }
    if wraps.is_empty() {
        return;
    }
    let _: ControlFlow<()> = VisitMut::visit(query, &mut Wrapper { wraps });
}

/// The texts of calls and keys by what the planner calls them, each in the order of the query.
#[derive(Default)]
struct Found {
    by_name: BTreeMap<String, Vec<String>>,
    bytes: usize,
}

impl Found {
    fn add(&mut self, expr: &Expr) {
        let text = expr.to_string();
        self.bytes += text.len();
        let mut plain = expr.clone();
        strip(&mut plain);
        let variants = self.by_name.entry(plain.to_string()).or_default();
        if !variants.contains(&text) {
            variants.push(text);
        }
    }

    fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES
    }
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let GroupByExpr::Expressions(keys, _) = &select.group_by
            && !keys.is_empty()
        {
            for key in keys {
                self.add(key);
            }
            // A key may be the number or the alias of an item.
            for item in &select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    self.add(expr);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.is_full() {
            self.by_name.clear();
            return ControlFlow::Break(());
        }
        if let Expr::Function(_) = expr {
            self.add(expr);
        }
        ControlFlow::Continue(())
    }
}

fn strip(expr: &mut Expr) {
    let _: ControlFlow<()> = visit_expressions_mut(expr, |part| {
        while let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = part {
            let inner = std::mem::replace(inner.as_mut(), null());
            *part = inner;
        }
        ControlFlow::Continue(())
    });
}

struct Wrapper {
    wraps: HashMap<String, usize>,
}

impl VisitorMut for Wrapper {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_cast = |expr: &Expr| matches!(expr, Expr::Cast { .. });
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)) {
            return ControlFlow::Continue(());
        }
        let Some(times) = self.wraps.get(&expr.to_string()).copied() else { return ControlFlow::Continue(()) };
        let mut has_cast = false;
        let _: ControlFlow<()> = visit_expressions(expr, |part| {
            has_cast |= is_cast(part);
            ControlFlow::Continue(())
        });
        if !has_cast {
            return ControlFlow::Continue(());
        }
        let _: ControlFlow<()> = visit_expressions_mut(expr, |part| {
            if is_cast(part) {
                for _ in 0..times {
                    let inner = std::mem::replace(part, null());
                    *part = call("$library_coalesce", vec![inner]);
                }
            }
            ControlFlow::Continue(())
        });
        ControlFlow::Continue(())
    }
}

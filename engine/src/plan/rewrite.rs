//! Queries in words that DataFusion's planner takes: ordinals in ORDER BY, columns of the same name.
//!
//! Both work on the syntax tree and change no meaning. A repeated column gets a name with a mark that no user can
//! write; [`shown_name`] takes the mark off again where rows leave the engine.

use crate::sql::folded;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What stands before the number of a repeated column's name.
const MARK: char = '\u{1}';

/// Rewrites a query and all queries in it.
pub(super) fn rewrite(query: &mut Query) {
    let _: ControlFlow<Infallible> = query.visit(&mut Rewriter);
}

/// A column's name as the user wrote it.
pub(crate) fn shown_name(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// A schema with the columns' names as the user wrote them; `None` when they are so already.
pub(crate) fn shown_schema(schema: &SchemaRef) -> Option<SchemaRef> {
    if !schema.fields().iter().any(|field| field.name().contains(MARK)) {
        return None;
    }
    let shown = schema.fields().iter().map(|field| field.as_ref().clone().with_name(shown_name(field.name())));
    Some(Arc::new(Schema::new_with_metadata(shown.collect::<Vec<_>>(), schema.metadata().clone())))
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        if let SetExpr::Select(select) = query.body.as_mut()
            && is_grouped(select)
            && let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            for key in keys {
                replace_ordinal(&mut key.expr, select);
            }
        }
        tell_apart(&mut query.body);
        ControlFlow::Continue(())
    }

    /// `a[1].b`: the planner takes a field after a subscript as a text only.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::CompoundFieldAccess { root, access_chain } = expr {
            // Names that follow a name are parts of a column's, perhaps.
            let names = |access: &AccessExpr| matches!(access, AccessExpr::Dot(Expr::Identifier(_)));
            let of_column = matches!(root.as_ref(), Expr::Identifier(_));
            let parts = if of_column { access_chain.iter().take_while(|access| names(access)).count() } else { 0 };
            for access in &mut access_chain[parts..] {
                if let AccessExpr::Dot(Expr::Identifier(field)) = access {
                    let name = Value::SingleQuotedString(field.value.clone());
                    *access = AccessExpr::Dot(Expr::Value(name.with_span(field.span)));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn is_grouped(select: &Select) -> bool {
    select.distinct.is_none()
        && match &select.group_by {
            GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
            GroupByExpr::All(_) => true,
        }
}

/// Puts the select item for its number: the planner loses the grouping of an expression behind a number.
fn replace_ordinal(key: &mut Expr, select: &Select) {
    let Expr::Value(value) = &*key else { return };
    let Value::Number(number, _) = &value.value else { return };
    let Some(at) = number.parse::<usize>().ok().and_then(|ordinal| ordinal.checked_sub(1)) else { return };
    let Some(items) = select.projection.get(..=at) else { return };
    if items.iter().all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })) {
        match &items[at] {
            // A constant in ORDER BY would be taken for another number.
            SelectItem::UnnamedExpr(Expr::Value(_)) => {}
            SelectItem::UnnamedExpr(expr) => *key = expr.clone(),
            SelectItem::ExprWithAlias { expr, alias } => {
                let same = |item: &&SelectItem| matches!(item, SelectItem::ExprWithAlias { alias: other, .. } if folded(other) == folded(alias));
                // Columns that were not named may have one name.
                let is_unique = select.projection.iter().filter(same).count() == 1;
                if is_unique {
                    *key = Expr::Identifier(alias.clone());
                } else if !is_constant(expr) {
                    *key = expr.clone();
                }
            }
            _ => {}
        }
    }
}

/// A constant in ORDER BY would be taken for a number of a column.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) => true,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_constant(expr),
        _ => false,
    }
}

/// Gives marked names to the select items whose name came before.
fn tell_apart(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => tell_items_apart(&mut select.projection),
        SetExpr::SetOperation { left, right, .. } => {
            tell_apart(left);
            tell_apart(right);
        }
        _ => {}
    }
}

fn tell_items_apart(items: &mut [SelectItem]) {
    let mut seen = HashSet::new();
    let mut after_wildcard = false;
    for (at, item) in items.iter_mut().enumerate() {
        let (key, shown) = match item {
            SelectItem::UnnamedExpr(expr) => (key_of(expr), name_of(expr)),
            SelectItem::ExprWithAlias { alias, .. } => (folded(alias), folded(alias)),
            _ => {
                after_wildcard = true;
                continue;
            }
        };
        let may_repeat = after_wildcard && matches!(item, SelectItem::UnnamedExpr(_));
        if seen.insert(key) && !may_repeat {
            continue;
        }
        let marked = Ident::with_quote('"', format!("{shown}{MARK}{at}"));
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let expr = std::mem::replace(expr, Expr::Identifier(marked.clone()));
                *item = SelectItem::ExprWithAlias { expr, alias: marked };
            }
            SelectItem::ExprWithAlias { alias, .. } => *alias = marked,
            _ => {}
        }
    }
}

/// What two select items share when the planner would give them one name.
fn key_of(expr: &Expr) -> String {
    match expr {
        Expr::Subquery(_) => "(<subquery>)".to_owned(),
        // A cast has the name of what it casts.
        Expr::Cast { expr, .. } => key_of(expr),
        _ => name_of(expr),
    }
}

fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => folded(ident),
        Expr::CompoundIdentifier(idents) => idents.last().map(folded).unwrap_or_default(),
        _ => expr.to_string(),
    }
}

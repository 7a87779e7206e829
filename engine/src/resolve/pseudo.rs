//! Pseudo-columns such as `"$path"`: given to a query's tables only when it names them, and never part of `*`.

use crate::error::{Error, Result};
use crate::lake::table::PseudoColumn;
use crate::sql::folded;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor, VisitMut, VisitorMut, WildcardAdditionalOptions,
    visit_expressions,
};
use std::ops::ControlFlow;

/// The pseudo-columns that a query names.
pub(super) fn named(query: &Query) -> Vec<PseudoColumn> {
    let mut found = Vec::new();
    let _: ControlFlow<()> = visit_expressions(query, |expr| {
        let ident = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(idents) => idents.last(),
            _ => None,
        };
        let column = ident.and_then(|ident| PseudoColumn::ALL.into_iter().find(|c| c.name() == ident.value));
        found.extend(column.filter(|column| !found.contains(column)));
        ControlFlow::Continue(())
    });
    found
}

/// Takes pseudo-columns out of the wildcards over tables: `*` becomes `t.* EXCLUDE (…)` for each table of a FROM.
///
/// # Errors
/// `Unsupported` for `*` over a join with USING or NATURAL, whose columns only the planner knows.
pub(super) fn hide_from_wildcards(query: &mut Query, columns: &[PseudoColumn], ctes: &[String]) -> Result<()> {
    let mut hider = Hider { columns, ctes };
    match query.visit(&mut hider) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Hider<'a> {
    columns: &'a [PseudoColumn],
    ctes: &'a [String],
}

/// One relation of a FROM: how it is called there, and whether it is a table that has pseudo-columns.
struct Relation {
    name: ObjectName,
    has_pseudo: bool,
}

impl VisitorMut for Hider<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.set_expr(&mut query.body)
    }
}

impl Hider<'_> {
    fn set_expr(&self, body: &mut SetExpr) -> ControlFlow<Error> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.set_expr(left)?;
                self.set_expr(right)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn select(&self, select: &mut Select) -> ControlFlow<Error> {
        let mut relations = Vec::new();
        let mut merges_columns = false;
        for from in &select.from {
            relations.extend(self.relation(&from.relation));
            for join in &from.joins {
                relations.extend(self.relation(&join.relation));
                merges_columns |= merges(&join.join_operator);
            }
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) if relations.iter().any(|r| r.has_pseudo) => {
                    if merges_columns {
                        return ControlFlow::Break(Error::unsupported(
                            "* over a join with USING or NATURAL beside a pseudo-column",
                        ));
                    }
                    items.extend(relations.iter().map(|relation| self.qualified(relation, options.clone())));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let known = relations.iter().find(|relation| relation.name == name);
                    let has_pseudo = known.is_some_and(|relation| relation.has_pseudo);
                    items.push(self.qualified(&Relation { name, has_pseudo }, options));
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        ControlFlow::Continue(())
    }

    fn qualified(&self, relation: &Relation, mut options: WildcardAdditionalOptions) -> SelectItem {
        if relation.has_pseudo {
            let mut excluded = match options.opt_exclude.take() {
                Some(ExcludeSelectItem::Single(name)) => vec![name],
                Some(ExcludeSelectItem::Multiple(names)) => names,
                None => Vec::new(),
            };
            excluded.extend(self.columns.iter().map(|column| one_part(Ident::with_quote('"', column.name()))));
            options.opt_exclude = Some(ExcludeSelectItem::Multiple(excluded));
        }
        let kind = SelectItemQualifiedWildcardKind::ObjectName(relation.name.clone());
        SelectItem::QualifiedWildcard(kind, options)
    }

    fn relation(&self, factor: &TableFactor) -> Option<Relation> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let is_cte = match name.0.as_slice() {
                    [ObjectNamePart::Identifier(ident)] => self.ctes.contains(&folded(ident)),
                    _ => false,
                };
                let name = alias.as_ref().map_or_else(|| name.clone(), |alias| one_part(alias.name.clone()));
                Some(Relation { name, has_pseudo: !is_cte })
            }
            TableFactor::Derived { alias: Some(alias), .. } => {
                Some(Relation { name: one_part(alias.name.clone()), has_pseudo: false })
            }
            _ => None,
        }
    }
}

fn one_part(ident: Ident) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(ident)])
}

fn merges(operator: &JoinOperator) -> bool {
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::FullOuter(constraint)) = operator
    else {
        return false;
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

//! Paths into SUPER values, and FROM items that are paths (PartiQL's `FROM t, t.items AS i AT place`).
//!
//! A FROM item whose first name is a table or element that the query has already is a path: it becomes a lateral query
//! whose one column has the name of its alias. So `i` is `i.i` and `i.price` a step from it, wherever it stands.

use super::{EXACT, UNPIVOT};
use crate::error::{Error, ErrorKind};
use crate::sql::scan::Lexing;
use crate::sql::{Names, folded, query::Refusal, relation_name, syntax};
use sqlparser::ast::{
    AccessExpr, Expr, Ident, JsonPath, JsonPathElem, ObjectNamePart, Query, Select, SetExpr, Spanned, Subscript,
    TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Location;
use std::ops::ControlFlow;

/// The name that stands for the path in a template.
const PATH: &str = "\u{1}path";

/// The text from a token on, by the line and column where it begins.
type Written<'t> = dyn Fn(Location) -> Option<&'t str> + 't;

/// Makes lateral queries of FROM items that are paths, and of paths what the planner knows.
///
/// # Errors
/// `Unsupported`, `UndefinedTable` for words that belong to paths after what is none.
pub(in crate::sql) fn resolve<'t>(
    query: &mut Query,
    written: &'t Written<'t>,
    of_quoted: Names,
) -> Result<(), Refusal> {
    match query.visit(&mut Paths { written, of_quoted, scopes: Vec::new(), done: Vec::new() }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

/// What names stand for in one SELECT: whether it is an element, by name.
type Scope = Vec<(String, bool)>;

struct Paths<'t> {
    written: &'t Written<'t>,
    of_quoted: Names,
    scopes: Vec<Scope>,
    /// For each open query whether its SELECT has been looked at.
    done: Vec<bool>,
}

impl VisitorMut for Paths<'_> {
    type Break = Box<Refusal>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        // ORDER BY sees what the SELECT has.
        let mut scope = Scope::new();
        let select = match query.body.as_mut() {
            SetExpr::Select(select) => Some(select),
            _ => None,
        };
        self.done.push(select.is_some());
        if let Some(select) = select
            && let Err(refusal) = self.from(select, &mut scope)
        {
            return ControlFlow::Break(Box::new(refusal));
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.scopes.pop();
        self.done.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let mut scope = Scope::new();
        let done = self.done.last_mut().is_some_and(std::mem::take);
        if !done && let Err(refusal) = self.from(select, &mut scope) {
            return ControlFlow::Break(Box::new(refusal));
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<Self::Break> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        // A member's name is no name of a column.
        if let Expr::CompoundFieldAccess { access_chain, .. } = expr {
            for access in access_chain {
                if let AccessExpr::Dot(Expr::Identifier(name)) = access {
                    *access = self.step(name);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Identifier(name) if self.find(name, &[]) == Some(true) => {
                *expr = Expr::CompoundIdentifier(vec![name.clone(), name.clone()]);
            }
            Expr::CompoundIdentifier(names) => {
                let Some(first) = names.first() else { return ControlFlow::Continue(()) };
                // What is a column of a table stays; the others are steps from a column.
                let (root, known) = match self.find(first, &[]) {
                    Some(true) => (Expr::CompoundIdentifier(vec![first.clone(), first.clone()]), 1),
                    Some(false) if names.len() > 2 => (Expr::CompoundIdentifier(names[..2].to_vec()), 2),
                    Some(false) => return ControlFlow::Continue(()),
                    // A schema's table, or a column's member: the planner knows.
                    None => {
                        let parts = names[1..].iter().map(|name| AccessExpr::Dot(Expr::Identifier(self.written(name))));
                        let parts = parts.collect();
                        let root = Box::new(Expr::Identifier(first.clone()));
                        *expr = Expr::CompoundFieldAccess { root, access_chain: parts };
                        return ControlFlow::Continue(());
                    }
                };
                let access_chain = names[known..].iter().map(|name| self.step(name)).collect();
                *expr = Expr::CompoundFieldAccess { root: Box::new(root), access_chain };
            }
            Expr::JsonAccess { value, path } => {
                if let Some(steps) = self.steps(path) {
                    let value = std::mem::replace(value.as_mut(), Expr::Identifier(Ident::new("")));
                    *expr = with_steps(value, steps);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// A step to a member, by its name as the user wrote it: the planner folds it, or does not.
fn step(name: Ident) -> AccessExpr {
    let value = Value::SingleQuotedString(name.value);
    AccessExpr::Dot(Expr::Value(value.with_span(name.span)))
}

fn with_steps(value: Expr, steps: Vec<AccessExpr>) -> Expr {
    match value {
        Expr::CompoundFieldAccess { root, mut access_chain } => {
            access_chain.extend(steps);
            Expr::CompoundFieldAccess { root, access_chain }
        }
        value => Expr::CompoundFieldAccess { root: Box::new(value), access_chain: steps },
    }
}

impl Paths<'_> {
    /// What a name stands for, seen from a SELECT whose own FROM has these so far.
    fn find(&self, name: &Ident, own: &[(String, bool)]) -> Option<bool> {
        let name = folded(name);
        let scopes = std::iter::once(own).chain(self.scopes.iter().rev().map(Vec::as_slice));
        scopes.flat_map(|scope| scope.iter().rev()).find(|(known, _)| *known == name).map(|(_, element)| *element)
    }

    fn step(&self, name: &Ident) -> AccessExpr {
        let mut written = self.written(name);
        if self.of_quoted == Names::Kept && written.quote_style.is_some() {
            written.value.insert_str(0, EXACT);
        }
        step(written)
    }

    /// The steps of `[0].name[1]`; `None` for other systems' paths.
    fn steps(&self, path: &JsonPath) -> Option<Vec<AccessExpr>> {
        let mut steps = Vec::with_capacity(path.path.len());
        for element in &path.path {
            steps.push(match element {
                JsonPathElem::Bracket { key } => AccessExpr::Subscript(Subscript::Index { index: key.clone() }),
                JsonPathElem::Dot { key, quoted: true } if !steps.is_empty() => {
                    self.step(&Ident::with_quote('"', key.clone()))
                }
                JsonPathElem::Dot { key, .. } if !steps.is_empty() => step(Ident::new(key.clone())),
                _ => return None,
            });
        }
        Some(steps)
    }

    /// A name in the case that the user wrote it in, without quotes: those in quotes are folded already. Where these keep
    /// their case, so do the quotes.
    fn written(&self, name: &Ident) -> Ident {
        let Some(quote) = name.quote_style else { return name.clone() };
        if self.of_quoted == Names::Kept {
            return name.clone();
        }
        let Some(text) = (self.written)(name.span.start) else { return name.clone() };
        let mut letters = text.chars().peekable();
        let mut written = String::new();
        if letters.next() == Some(quote) {
            while let Some(letter) = letters.next() {
                if letter == quote && letters.next_if_eq(&quote).is_none() {
                    break;
                }
                written.push(letter);
            }
        }
        let value = if written.to_lowercase() == name.value { written } else { name.value.clone() };
        Ident { value, quote_style: None, span: name.span }
    }

    fn from(&self, select: &mut Select, scope: &mut Scope) -> Result<(), Refusal> {
        for item in &mut select.from {
            self.factor(&mut item.relation, scope)?;
            for join in &mut item.joins {
                self.factor(&mut join.relation, scope)?;
            }
        }
        Ok(())
    }

    fn factor(&self, factor: &mut TableFactor, scope: &mut Scope) -> Result<(), Refusal> {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            self.factor(&mut table_with_joins.relation, scope)?;
            for join in &mut table_with_joins.joins {
                self.factor(&mut join.relation, scope)?;
            }
            return Ok(());
        }
        let at = factor.span().start;
        let located = |error: Error| ((at.line > 0).then_some(at), error);
        if let Some(item) = self.path(factor, scope).map_err(located)? {
            scope.extend(item.names());
            *factor = item.lateral().map_err(located)?;
            return Ok(());
        }
        if let Some(name) = relation_name(factor) {
            scope.push((name, false));
        }
        Ok(())
    }

    /// A FROM item as a path; `None` where it is none.
    fn path(&self, factor: &TableFactor, scope: &Scope) -> Result<Option<Item>, Error> {
        match factor {
            TableFactor::Table { name, alias, args: None, json_path, .. } => {
                let mut names: Vec<Ident> = name.0.iter().filter_map(ObjectNamePart::as_ident).cloned().collect();
                let Some(first) = names.first_mut() else { return Ok(None) };
                let unpivots = match first.value.strip_prefix(UNPIVOT) {
                    Some(plain) => {
                        first.value = plain.to_owned();
                        true
                    }
                    None => false,
                };
                let found = self.find(first, scope);
                if found.is_none() || found == Some(false) && names.len() < 2 {
                    return refuse(names, alias.as_ref(), json_path.as_ref(), unpivots).map(|()| None);
                }
                let named = names.last().map(|name| Ident::with_quote('"', folded(name)));
                let mut path = match <[Ident; 1]>::try_from(names) {
                    Ok([name]) => Expr::Identifier(name),
                    Err(names) => Expr::CompoundIdentifier(names),
                };
                if let Some(json_path) = json_path {
                    path = Expr::JsonAccess { value: Box::new(path), path: json_path.clone() };
                }
                let (variable, place) = match alias {
                    Some(alias) if alias.columns.is_empty() => (alias.name.clone(), alias.at.clone()),
                    Some(_) => return Err(Error::unsupported("names of columns after an array in FROM")),
                    None => (named.unwrap_or_else(|| Ident::new("")), None),
                };
                Ok(Some(Item { path, variable, place, unpivots }))
            }
            TableFactor::UNNEST {
                alias: Some(alias),
                array_exprs,
                with_offset,
                with_offset_alias,
                with_ordinality,
            } => {
                let [path] = array_exprs.as_slice() else { return Ok(None) };
                if *with_ordinality || !alias.columns.is_empty() {
                    return Ok(None);
                }
                let place = match with_offset_alias {
                    None if *with_offset => Some(Ident::new("offset")),
                    named => named.clone().or_else(|| alias.at.clone()),
                };
                Ok(Some(Item { path: path.clone(), variable: alias.name.clone(), place, unpivots: false }))
            }
            _ => Ok(None),
        }
    }
}

/// Refuses what only a path may have after what is none.
fn refuse(names: Vec<Ident>, alias: Option<&TableAlias>, path: Option<&JsonPath>, unpivots: bool) -> Result<(), Error> {
    let name = names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(".");
    if unpivots || path.is_some() {
        let message = format!("\"{name}\" is no value of a table that stands before it in FROM");
        return Err(Error::new(ErrorKind::UndefinedTable, message)
            .with_hint("begin the path with the table's alias: FROM t, t.items AS i"));
    }
    match alias.and_then(|alias| alias.at.as_ref()) {
        Some(_) => Err(Error::unsupported("AT after a table")),
        None => Ok(()),
    }
}

/// A FROM item that iterates over a value.
struct Item {
    path: Expr,
    variable: Ident,
    /// The name of an element's place, or a member's name.
    place: Option<Ident>,
    unpivots: bool,
}

impl Item {
    /// What the query may call by a name.
    fn names(&self) -> impl Iterator<Item = (String, bool)> {
        std::iter::once((folded(&self.variable), true))
    }

    /// The item as a lateral query.
    fn lateral(self) -> Result<TableFactor, Error> {
        let (elements, places) =
            if self.unpivots { ("$super_values", "$super_names") } else { ("$super_elements", "$super_places") };
        let place = match &self.place {
            Some(_) => format!(", unnest(\"{places}\"(\"{PATH}\")) AS k"),
            None => String::new(),
        };
        let text = format!("SELECT \"$super_element\"(unnest(\"{elements}\"(\"{PATH}\"))) AS v{place}");
        let broken = |error: sqlparser::parser::ParserError| Error::internal(error.to_string());
        let mut parser = Parser::new(syntax::dialect_of(Lexing::Redshift)).try_with_sql(&text).map_err(broken)?;
        let mut subquery = parser.parse_query().map_err(broken)?;
        let _: ControlFlow<()> = subquery.visit(&mut Template { path: &self.path });
        if let SetExpr::Select(select) = subquery.body.as_mut() {
            let names = std::iter::once(&self.variable).chain(&self.place);
            for (item, name) in select.projection.iter_mut().zip(names) {
                if let sqlparser::ast::SelectItem::ExprWithAlias { alias, .. } = item {
                    *alias = Ident::with_quote('"', folded(name));
                }
            }
        }
        let alias = TableAlias { explicit: true, name: self.variable, columns: Vec::new(), at: None };
        Ok(TableFactor::Derived { lateral: true, subquery, alias: Some(alias), sample: None })
    }
}

/// Puts a path in its place.
struct Template<'a> {
    path: &'a Expr,
}

impl VisitorMut for Template<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Identifier(name) if name.value == PATH) {
            *expr = self.path.clone();
        }
        ControlFlow::Continue(())
    }
}

//! What does not count when texts are compared: blanks at their ends, and case where their collation says so.
//!
//! Redshift ("CREATE DATABASE": database collation): a column's collation goes with its values into what is computed of
//! them, a literal takes the other side's, and texts of both collations are not compared, joined or put together.

use super::Walker;
use super::ends::{Texts, is_null, literal};
use crate::error::Error;
use crate::functions::{self, COLLATE, FOLDED, WITHOUT_BLANKS};
use crate::sql::Collation as Named;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, binary_expr, cast, lit};

/// How texts compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Collation {
    /// As what they are compared with does: literals.
    #[default]
    Any,
    Sensitive,
    Insensitive,
    /// Texts of both came together.
    Mixed,
}

impl Collation {
    /// That of something made of both.
    pub(super) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, one) | (one, Self::Any) => one,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }
}

impl From<Named> for Collation {
    fn from(named: Named) -> Self {
        match named {
            Named::CaseSensitive => Self::Sensitive,
            Named::CaseInsensitive => Self::Insensitive,
        }
    }
}

/// What does not count in a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ignored {
    pub(super) blanks: bool,
    pub(super) case: bool,
}

impl Ignored {
    pub(super) fn any(self) -> bool {
        self.blanks || self.case
    }

    /// What a known text is compared as.
    fn of(self, text: &str) -> String {
        let text = if self.blanks { text.trim_end_matches(' ') } else { text };
        if self.case { functions::folded(text) } else { text.to_owned() }
    }
}

/// Whether an expression is a text as it is compared.
pub(super) fn is_key(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => is_key(&cast.expr),
        Expr::ScalarFunction(call) => [WITHOUT_BLANKS, FOLDED].contains(&call.name()),
        _ => false,
    }
}

/// The collation that a call of COLLATE names.
fn named(call: &ScalarFunction) -> Result<Named> {
    let name = call.args.get(1).and_then(literal);
    let name = name.ok_or_else(|| Error::unsupported("COLLATE without the name of a collation as a literal"))?;
    Ok(Named::parse(name).ok_or_else(|| Error::unsupported(format!("COLLATE {name}")))?)
}

impl Walker {
    /// What does not count when these texts are compared with one another.
    ///
    /// # Errors
    /// `Unsupported` for texts of both collations.
    pub(super) fn ignored(&self, texts: &[Texts]) -> Result<Ignored> {
        let by_dialect = self.dialect.rules().blanks_are_ignored || texts.iter().any(|texts| texts.char.is_some());
        let blanks = by_dialect && texts.iter().any(|t| t.blanks) && texts.iter().all(|texts| !texts.exact);
        let collation = texts.iter().fold(Collation::Any, |all, texts| all.with(texts.collation));
        refuse_mixed(collation)?;
        Ok(Ignored { blanks, case: collation == Collation::Insensitive })
    }

    /// What is compared in place of a text; of its type.
    pub(super) fn key_of(&self, text: &Expr, texts: Texts, ignored: Ignored) -> Result<Expr> {
        if let Some(text) = literal(text) {
            return Ok(lit(ignored.of(text)));
        }
        let strips = ignored.blanks && texts.blanks;
        if is_null(text) || !(strips || ignored.case) {
            return Ok(text.clone());
        }
        let mut key = text.clone();
        if strips {
            key = functions::call(self.dialect, WITHOUT_BLANKS, vec![key])?;
        }
        if ignored.case {
            key = functions::call(self.dialect, FOLDED, vec![key])?;
        }
        Ok(self.typed(key, text))
    }

    /// Puts in the place of a text what is compared for it, where that is something else; what does not count.
    pub(super) fn compare_by_key(&self, expr: &mut Expr) -> Result<Ignored> {
        let Some(texts) = self.texts(expr) else { return Ok(Ignored::default()) };
        let ignored = self.ignored(&[texts])?;
        if ignored.any() {
            *expr = self.key_of(expr, texts, ignored)?;
        }
        Ok(ignored)
    }

    /// What was computed by our functions, which give one type of texts, in the type of what it stands for.
    pub(super) fn typed(&self, computed: Expr, before: &Expr) -> Expr {
        let field = self.scope().and_then(|scope| before.to_field(scope.schema()).ok());
        match field.map(|(_, field)| field.data_type().clone()) {
            Some(data_type) => as_type(computed, &data_type),
            None => computed,
        }
    }

    /// Notes the collations of a node's columns.
    ///
    /// # Errors
    /// `Unsupported` for a column of texts of both.
    pub(super) fn note_collations(&mut self, columns: &[Texts]) -> Result<()> {
        self.collates |= columns.iter().any(|texts| texts.collation == Collation::Insensitive);
        columns.iter().try_for_each(|texts| refuse_mixed(texts.collation))
    }

    /// Refuses an expression over texts of both collations. Nothing is looked at before a text ignores its case.
    pub(super) fn check_collations(&mut self, expr: &Expr) -> Result<()> {
        if let Expr::ScalarFunction(call) = expr
            && call.name() == COLLATE
        {
            self.collates |= named(call)? == Named::CaseInsensitive;
            return Ok(());
        }
        if !self.collates {
            return Ok(());
        }
        let operands: Vec<&Expr> = match expr {
            Expr::BinaryExpr(BinaryExpr { left, right, .. }) => vec![left.as_ref(), right.as_ref()],
            Expr::Like(like) => vec![like.expr.as_ref(), like.pattern.as_ref()],
            Expr::Between(between) => vec![between.expr.as_ref(), between.low.as_ref(), between.high.as_ref()],
            Expr::InList(InList { expr, list, .. }) => std::iter::once(expr.as_ref()).chain(list.iter()).collect(),
            Expr::Case(case) => {
                let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
                self.check_together(results.map(AsRef::as_ref))?;
                case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when)).map(AsRef::as_ref).collect()
            }
            Expr::ScalarFunction(call) => call.args.iter().collect(),
            Expr::AggregateFunction(call) => call.params.args.iter().collect(),
            Expr::WindowFunction(call) => call.params.args.iter().collect(),
            _ => return Ok(()),
        };
        self.check_together(operands)
    }

    fn check_together<'a>(&self, operands: impl IntoIterator<Item = &'a Expr>) -> Result<()> {
        let texts = operands.into_iter().filter_map(|operand| self.texts(operand));
        refuse_mixed(texts.fold(Collation::Any, |all, texts| all.with(texts.collation)))
    }

    /// Whether any of these texts ignores its case.
    pub(super) fn ignores_case<'a>(&self, operands: impl IntoIterator<Item = &'a Expr>) -> bool {
        let ignores = |operand| self.texts(operand).is_some_and(|texts| texts.collation == Collation::Insensitive);
        self.collates && operands.into_iter().any(ignores)
    }

    /// What COLLATE gives.
    pub(super) fn collated(&self, call: &ScalarFunction) -> Texts {
        let text = call.args.first().and_then(|text| self.texts(text)).unwrap_or(Texts::UNKNOWN);
        // Names are checked before.
        let collation = named(call).map_or(Collation::Any, Collation::from);
        Texts { collation, exact: false, ..text }
    }

    /// Functions that look for a text in another one, whose case does not count.
    ///
    /// # Errors
    /// `Unsupported` for a SUPER value of such a text.
    pub(super) fn sought_in_any_case(&self, call: &mut ScalarFunction) -> Result<bool> {
        if !self.ignores_case(&call.args) {
            return Ok(false);
        }
        let name = call.name().to_owned();
        match name.as_str() {
            "strpos" | "$similar_to" => {
                for text in &mut call.args {
                    *text = match literal(text) {
                        Some(text) => lit(functions::folded(text)),
                        None => functions::call(self.dialect, FOLDED, vec![std::mem::take(text)])?,
                    };
                }
            }
            name if name.starts_with("regexp_") => {
                if let Some(pattern) = call.args.get_mut(1) {
                    *pattern = match literal(pattern) {
                        Some(pattern) => lit(format!("{ANY_CASE}{pattern}")),
                        None => binary_expr(lit(ANY_CASE), Operator::StringConcat, std::mem::take(pattern)),
                    };
                }
            }
            name if name.starts_with("$super") => {
                return Err(Error::unsupported("a SUPER value of a case-insensitive text").into());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What makes a regular expression ignore case.
const ANY_CASE: &str = "(?i)";

/// A text in another type of texts, where it is one.
pub(super) fn as_type(text: Expr, data_type: &DataType) -> Expr {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => cast(text, data_type.clone()),
        _ => text,
    }
}

fn refuse_mixed(collation: Collation) -> Result<()> {
    if collation != Collation::Mixed {
        return Ok(());
    }
    let error = Error::unsupported("a query with different collations");
    Err(error.with_hint("COLLATE(text, 'case_insensitive') gives one side the collation of the other").into())
}

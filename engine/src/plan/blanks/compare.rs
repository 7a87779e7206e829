//! Comparisons inside of expressions, and what a filter on them says of the texts as they are stored.

use super::Walker;
use super::ends::{Texts, is_plain_text, literal};
use crate::functions::{self, CHAR, COUNT_BLANKS, WITH_BLANKS, WITHOUT_BLANKS};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Case, Exists, InList, InSubquery, ScalarFunction, SetComparison, WindowFunction,
};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Subquery, binary_expr, lit};
use std::sync::Arc;

impl Walker {
    /// An expression whose comparisons leave blanks out of account.
    pub(super) fn expr(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|part| self.part(part))
    }

    fn part(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                Ok(match self.sides(&left, op, &right) {
                    Some((left, right)) => Transformed::yes(binary_expr(left, op, right)),
                    None => Transformed::no(binary_expr(*left, op, *right)),
                })
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let (left, right) = (self.seen(*left)?, self.seen(*right)?);
                let changed = left.transformed || right.transformed;
                let whole = binary_expr(left.data, Operator::StringConcat, right.data);
                Ok(Transformed::new_transformed(whole, changed))
            }
            Expr::Cast(mut cast) if is_plain_text(&cast.field) => {
                let value = self.seen(*cast.expr)?;
                cast.expr = Box::new(value.data);
                Ok(Transformed::new_transformed(Expr::Cast(cast), value.transformed))
            }
            Expr::Like(mut like) => {
                let value = self.seen(*like.expr)?;
                like.expr = Box::new(value.data);
                Ok(Transformed::new_transformed(Expr::Like(like), value.transformed))
            }
            Expr::InList(list) => self.list(list),
            Expr::Between(between) => self.between(between),
            Expr::Case(case) => self.case(case),
            Expr::ScalarFunction(call) => self.arguments(call),
            Expr::AggregateFunction(mut aggregate) => {
                let changed = self.aggregated(&mut aggregate)?;
                Ok(Transformed::new_transformed(Expr::AggregateFunction(aggregate), changed))
            }
            Expr::WindowFunction(mut window) => {
                let WindowFunction { params, .. } = window.as_mut();
                let mut changed = false;
                for key in &mut params.partition_by {
                    changed |= self.compare_without_blanks(key)?;
                }
                for key in &mut params.order_by {
                    changed |= self.compare_without_blanks(&mut key.expr)?;
                }
                if params.distinct {
                    for arg in &mut params.args {
                        changed |= self.compare_without_blanks(arg)?;
                    }
                }
                Ok(Transformed::new_transformed(Expr::WindowFunction(window), changed))
            }
            Expr::ScalarSubquery(query) => {
                let (query, texts) = self.query(query)?;
                self.queries.push((Arc::clone(&query.subquery), texts.first().copied().unwrap_or(Texts::UNKNOWN)));
                Ok(Transformed::yes(Expr::ScalarSubquery(query)))
            }
            Expr::Exists(Exists { subquery, negated }) => {
                let subquery = self.query(subquery)?.0;
                Ok(Transformed::yes(Expr::Exists(Exists { subquery, negated })))
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let (expr, subquery) = self.member(*expr, subquery)?;
                Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr: Box::new(expr), subquery, negated })))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let (expr, subquery) = self.member(*expr, subquery)?;
                let expr = Box::new(expr);
                Ok(Transformed::yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// The sides of a comparison as they compare without blanks at their ends; `None` where they do already.
    pub(super) fn sides(&self, left: &Expr, op: Operator, right: &Expr) -> Option<(Expr, Expr)> {
        let (l, r) = (self.texts(left)?, self.texts(right)?);
        if !(l.blanks || r.blanks) || !self.is_ignored(&[l, r]) {
            return None;
        }
        let is_plain = |texts: Texts, other: &Expr, op: Option<Operator>| {
            literal(other).zip(op).is_some_and(|(text, op)| compares_alike(texts, op, text.trim_end_matches(' ')))
        };
        let left_stays = literal(left).is_none() && is_plain(l, right, Some(op));
        let right_stays = literal(right).is_none() && is_plain(r, left, op.swap());
        let left = if left_stays { left.clone() } else { self.bare(left, l)? };
        let right = if right_stays { right.clone() } else { self.bare(right, r)? };
        Some((left, right))
    }

    /// A text without blanks at its end.
    fn bare(&self, expr: &Expr, texts: Texts) -> Option<Expr> {
        match literal(expr) {
            Some(text) => Some(lit(text.trim_end_matches(' '))),
            None if texts.blanks => self.without_blanks(expr.clone()).ok(),
            None => Some(expr.clone()),
        }
    }

    /// Takes the blanks from what is compared with its like; whether there may be any.
    pub(super) fn compare_without_blanks(&self, expr: &mut Expr) -> Result<bool> {
        let loses = self.texts(expr).is_some_and(|texts| texts.blanks && self.is_ignored(&[texts]));
        if loses {
            *expr = self.without_blanks(expr.clone())?;
        }
        Ok(loses)
    }

    /// `a IN (b, c)`
    fn list(&self, mut list: InList) -> Result<Transformed<Expr>> {
        let all: Option<Vec<Texts>> = list.list.iter().map(|item| self.texts(item)).collect();
        let (Some(value), Some(items)) = (self.texts(&list.expr), all) else {
            return Ok(Transformed::no(Expr::InList(list)));
        };
        let compared: Vec<Texts> = items.iter().copied().chain([value]).collect();
        if !compared.iter().any(|texts| texts.blanks) || !self.is_ignored(&compared) {
            return Ok(Transformed::no(Expr::InList(list)));
        }
        let mut stays = literal(&list.expr).is_none();
        for (item, texts) in list.list.iter_mut().zip(items) {
            if let Some(bare) = self.bare(item, texts) {
                *item = bare;
            }
            stays &= literal(item).is_some_and(|text| compares_alike(value, Operator::Eq, text));
        }
        if !stays && let Some(bare) = self.bare(&list.expr, value) {
            *list.expr = bare;
        }
        Ok(Transformed::yes(Expr::InList(list)))
    }

    /// `a BETWEEN b AND c` as two comparisons, where blanks matter.
    fn between(&self, between: Between) -> Result<Transformed<Expr>> {
        let Between { expr, negated, low, high } = &between;
        let (from, to) = if *negated { (Operator::Lt, Operator::Gt) } else { (Operator::GtEq, Operator::LtEq) };
        let (lower, upper) = (self.sides(expr, from, low), self.sides(expr, to, high));
        if lower.is_none() && upper.is_none() {
            return Ok(Transformed::no(Expr::Between(between)));
        }
        let same = |other: &Expr| (expr.as_ref().clone(), other.clone());
        let (lower, upper) = (lower.unwrap_or_else(|| same(low)), upper.unwrap_or_else(|| same(high)));
        let (lower, upper) = (binary_expr(lower.0, from, lower.1), binary_expr(upper.0, to, upper.1));
        Ok(Transformed::yes(if *negated { lower.or(upper) } else { lower.and(upper) }))
    }

    /// `CASE a WHEN b THEN …`
    fn case(&self, mut case: Case) -> Result<Transformed<Expr>> {
        let texts = case.expr.as_ref().and_then(|value| self.texts(value));
        let whens = case.when_then_expr.iter();
        let whens = texts.and_then(|_| whens.map(|(when, _)| self.texts(when)).collect::<Option<Vec<_>>>());
        let (Some(texts), Some(whens)) = (texts, whens) else { return Ok(Transformed::no(Expr::Case(case))) };
        let compared: Vec<Texts> = whens.iter().copied().chain([texts]).collect();
        if !compared.iter().any(|texts| texts.blanks) || !self.is_ignored(&compared) {
            return Ok(Transformed::no(Expr::Case(case)));
        }
        let whens = case.when_then_expr.iter_mut().map(|(when, _)| when).zip(whens);
        for (compared, texts) in case.expr.iter_mut().zip([texts]).chain(whens) {
            if let Some(bare) = self.bare(compared, texts) {
                **compared = bare;
            }
        }
        Ok(Transformed::yes(Expr::Case(case)))
    }

    /// NULLIF compares; other functions see a CHAR as the dialect has it.
    fn arguments(&self, mut call: ScalarFunction) -> Result<Transformed<Expr>> {
        if [CHAR, COUNT_BLANKS, WITH_BLANKS, WITHOUT_BLANKS, "cast", "try_cast"].contains(&call.name()) {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        if let ("nullif", [value, other]) = (call.name(), call.args.as_slice())
            && let Some((left, right)) = self.sides(value, Operator::Eq, other)
        {
            let (equal, nothing) = (Box::new(left.eq(right)), Box::new(lit(ScalarValue::Null)));
            let case = Case::new(None, vec![(equal, nothing)], Some(Box::new(value.clone())));
            return Ok(Transformed::yes(Expr::Case(case)));
        }
        let mut changed = false;
        for arg in &mut call.args {
            let seen = self.seen(std::mem::take(arg))?;
            changed |= seen.transformed;
            *arg = seen.data;
        }
        Ok(Transformed::new_transformed(Expr::ScalarFunction(call), changed))
    }

    /// A CHAR as functions see it; anything else as it is.
    fn seen(&self, expr: Expr) -> Result<Transformed<Expr>> {
        // Of what is computed only a cast gives a CHAR, as the dialect has it.
        let column = matches!(expr, Expr::Column(_) | Expr::OuterReferenceColumn(..)).then(|| self.texts(&expr));
        let Some((texts, length)) = column.flatten().and_then(|texts| Some((texts, texts.char?))) else {
            return Ok(Transformed::no(expr));
        };
        if self.dialect.rules().char_is_padded {
            return Ok(Transformed::yes(functions::call(self.dialect, CHAR, vec![expr, lit(i64::from(length))])?));
        }
        if texts.blanks { self.without_blanks(expr).map(Transformed::yes) } else { Ok(Transformed::no(expr)) }
    }

    /// Distinct values, and what an aggregate orders by.
    fn aggregated(&self, aggregate: &mut AggregateFunction) -> Result<bool> {
        let params = &mut aggregate.params;
        let mut changed = false;
        if params.distinct || aggregate.func.name() == "approx_distinct" {
            for arg in &mut params.args {
                changed |= self.compare_without_blanks(arg)?;
            }
        }
        for key in &mut params.order_by {
            changed |= self.compare_without_blanks(&mut key.expr)?;
        }
        Ok(changed)
    }

    /// A query in an expression, and what is known of its columns.
    fn query(&mut self, query: Subquery) -> Result<(Subquery, Vec<Texts>)> {
        let (plan, texts) = self.plan(query.subquery.as_ref().clone())?;
        Ok((query.with_plan(Arc::new(plan)), texts))
    }

    /// A value and the query whose values it is compared with.
    fn member(&mut self, expr: Expr, query: Subquery) -> Result<(Expr, Subquery)> {
        let (query, columns) = self.query(query)?;
        let is_text = query.subquery.schema().fields().first().is_some_and(|field| is_plain_text(field));
        let (Some(value), true) = (self.texts(&expr), is_text) else { return Ok((expr, query)) };
        let values = columns.first().copied().unwrap_or(Texts::UNKNOWN);
        if !(value.blanks || values.blanks) || !self.is_ignored(&[value, values]) {
            return Ok((expr, query));
        }
        let expr = self.bare(&expr, value).unwrap_or(expr);
        Ok((expr, if values.blanks { self.column_without_blanks(&query)? } else { query }))
    }

    /// What a condition says of texts as they are stored, blanks included: a text that equals `x` but for blanks lies
    /// between `x` and what follows `x` and any number of blanks. It adds nothing to the condition but can be decided by
    /// the bounds of files and partitions.
    pub(super) fn bounds(&self, condition: &Expr) -> Vec<Expr> {
        split_conjunction(condition).into_iter().filter_map(|part| self.bounds_of(part)).flatten().collect()
    }

    fn bounds_of(&self, condition: &Expr) -> Option<Vec<Expr>> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (column, op, text) = match (literal(left), literal(right)) {
                    (None, Some(text)) => (left, *op, text),
                    (Some(text), None) => (right, op.swap()?, text),
                    _ => return None,
                };
                self.bounds_by(column, &[text], op)
            }
            Expr::Between(Between { expr, negated: false, high, .. }) => {
                self.bounds_by(expr, &[literal(high)?], Operator::LtEq)
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                self.bounds_by(expr, &list.iter().map(literal).collect::<Option<Vec<_>>>()?, Operator::Eq)
            }
            _ => None,
        }
    }

    fn bounds_by(&self, column: &Expr, texts: &[&str], op: Operator) -> Option<Vec<Expr>> {
        let known = self.texts(column).filter(|known| known.blanks && self.is_ignored(&[*known]))?;
        let texts: Vec<&str> = texts.iter().map(|text| text.trim_end_matches(' ')).collect();
        if !matches!(column, Expr::Column(_)) || texts.iter().all(|text| compares_alike(known, op, text)) {
            return None;
        }
        let low = || texts.iter().min().map(|text| column.clone().gt_eq(lit(*text)));
        // The sign that follows the blank.
        let high = || texts.iter().map(|text| format!("{text}!")).max().map(|text| column.clone().lt(lit(text)));
        match op {
            Operator::Eq => Some([low()?, high()?].into()),
            Operator::LtEq if !has_control(texts[0]) => Some([high()?].into()),
            Operator::Gt => Some([low()?].into()),
            _ => None,
        }
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Whether blanks at the ends of texts make no difference to a comparison with a text that has none: no text that is so
/// long has any room for them, and what is less than the text stays less with blanks. (What comes before the blank in the
/// order of characters would stand in between.)
fn compares_alike(texts: Texts, op: Operator, other: &str) -> bool {
    match op {
        Operator::Lt | Operator::GtEq => !has_control(other),
        Operator::LtEq | Operator::Gt => false,
        _ => texts.most.is_some_and(|most| other.chars().count() >= most),
    }
}

/// Whether a text has a character that sorts before the blank.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str) -> &str {
        text.trim_end_matches(' ')
    }

    // What the plan relies on, for all short texts of a few characters.
    #[test]
    fn plain_comparisons_and_bounds_are_right() {
        let letters = ["", " ", "\t", "!", "a", "b"];
        let mut texts = vec![String::new()];
        for _ in 0..3 {
            texts = texts.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect();
        }
        let unlimited = Texts::UNKNOWN;
        for stored in &texts {
            let bare = without(stored);
            for other in texts.iter().map(|text| without(text)) {
                let longest = Texts { most: Some(stored.chars().count()), ..Texts::UNKNOWN };
                if compares_alike(longest, Operator::Eq, other) {
                    assert_eq!(stored == other, bare == other, "{stored:?} = {other:?}");
                }
                if compares_alike(unlimited, Operator::Lt, other) {
                    assert_eq!(stored.as_str() < other, bare < other, "{stored:?} < {other:?}");
                    assert_eq!(stored.as_str() >= other, bare >= other, "{stored:?} >= {other:?}");
                }
                let next = format!("{other}!");
                if bare == other {
                    assert!(stored.as_str() >= other && *stored < next, "{stored:?} = {other:?}");
                }
                if bare <= other && !has_control(other) {
                    assert!(*stored < next, "{stored:?} <= {other:?}");
                }
                if bare > other {
                    assert!(stored.as_str() >= other, "{stored:?} > {other:?}");
                }
            }
        }
    }
}

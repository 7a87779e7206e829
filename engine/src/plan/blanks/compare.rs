//! Comparisons inside of expressions, and what a filter on them says of the texts as they are stored.

use super::Walker;
use super::ends::{CHOOSERS, Texts, is_null, is_plain_text, literal};
use super::extremes::EXTREMES;
use crate::error::Error;
use crate::functions::{self, CHAR, COLLATE, COUNT_BLANKS, FOLDED, ORDERED, ORDERED_TEXT, WITH_BLANKS, WITHOUT_BLANKS};
use crate::plan::dialect::compares;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Case, Exists, InList, InSubquery, ScalarFunction, SetComparison, WindowFunction,
};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Subquery, binary_expr, lit};
use std::sync::Arc;

/// Aggregates that tell different values apart, and show none of them.
const COUNTING: [&str; 4] = ["approx_distinct", "approx_set", "hll", "hll_create_sketch"];

impl Walker {
    /// An expression whose comparisons leave blanks out of account.
    pub(super) fn expr(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|part| self.part(part))
    }

    fn part(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        self.check_collations(&expr)?;
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
                Ok(match self.sides(&left, op, &right)? {
                    Some((left, right)) => Transformed::yes(binary_expr(left, op, right)),
                    None => Transformed::no(binary_expr(*left, op, *right)),
                })
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if in_any_case(op).is_some() => {
                let any_case = in_any_case(op).filter(|_| self.ignores_case([left.as_ref(), right.as_ref()]));
                let (text, changed) = (self.seen(*left)?, any_case.is_some_and(|any_case| any_case != op));
                let matched = binary_expr(text.data, any_case.unwrap_or(op), *right);
                Ok(Transformed::new_transformed(matched, text.transformed || changed))
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
            Expr::TryCast(mut cast) if is_plain_text(&cast.field) => {
                let value = self.seen(*cast.expr)?;
                cast.expr = Box::new(value.data);
                Ok(Transformed::new_transformed(Expr::TryCast(cast), value.transformed))
            }
            Expr::Like(mut like) => {
                let any_case = !like.case_insensitive && self.ignores_case([like.expr.as_ref(), like.pattern.as_ref()]);
                let value = self.seen(*like.expr)?;
                like.expr = Box::new(value.data);
                like.case_insensitive |= any_case;
                Ok(Transformed::new_transformed(Expr::Like(like), value.transformed || any_case))
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
                let WindowFunction { fun, params } = window.as_mut();
                let mut changed = false;
                for key in &mut params.partition_by {
                    changed |= self.compare_by_key(key)?.any();
                }
                for key in &mut params.order_by {
                    changed |= self.compare_by_key(&mut key.expr)?.any();
                }
                if params.distinct || COUNTING.contains(&fun.name()) {
                    changed |= self.distinct_values(fun.name(), &mut params.args)?;
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

    /// The sides of a comparison as what they are compared as; `None` where that is what they are.
    pub(super) fn sides(&self, left: &Expr, op: Operator, right: &Expr) -> Result<Option<(Expr, Expr)>> {
        let (Some(l), Some(r)) = (self.texts(left), self.texts(right)) else { return Ok(None) };
        let ignored = self.ignored(&[l, r])?;
        if !ignored.any() {
            return Ok(None);
        }
        let is_plain = |texts: Texts, other: &Expr, op: Option<Operator>| {
            let other = literal(other).filter(|_| !ignored.case).zip(op);
            other.is_some_and(|(text, op)| compares_alike(texts, op, text.trim_end_matches(' ')))
        };
        let left_stays = literal(left).is_none() && is_plain(l, right, Some(op));
        let right_stays = literal(right).is_none() && is_plain(r, left, op.swap());
        let left = if left_stays { left.clone() } else { self.key_of(left, l, ignored)? };
        let right = if right_stays { right.clone() } else { self.key_of(right, r, ignored)? };
        Ok(Some((left, right)))
    }

    /// `a IN (b, c)`
    fn list(&self, mut list: InList) -> Result<Transformed<Expr>> {
        let all: Option<Vec<Texts>> = list.list.iter().map(|item| self.texts(item)).collect();
        let (Some(value), Some(items)) = (self.texts(&list.expr), all) else {
            return Ok(Transformed::no(Expr::InList(list)));
        };
        let compared: Vec<Texts> = items.iter().copied().chain([value]).collect();
        let ignored = self.ignored(&compared)?;
        if !ignored.any() {
            return Ok(Transformed::no(Expr::InList(list)));
        }
        let mut stays = literal(&list.expr).is_none() && !ignored.case;
        for (item, texts) in list.list.iter_mut().zip(items) {
            *item = self.key_of(item, texts, ignored)?;
            let alike = literal(item).is_some_and(|text| compares_alike(value, Operator::Eq, text));
            stays &= alike || is_null(item);
        }
        if !stays {
            *list.expr = self.key_of(&list.expr, value, ignored)?;
        }
        Ok(Transformed::yes(Expr::InList(list)))
    }

    /// `a BETWEEN b AND c` as two comparisons, where blanks or case matter.
    fn between(&self, between: Between) -> Result<Transformed<Expr>> {
        let Between { expr, negated, low, high } = &between;
        let (from, to) = if *negated { (Operator::Lt, Operator::Gt) } else { (Operator::GtEq, Operator::LtEq) };
        let (lower, upper) = (self.sides(expr, from, low)?, self.sides(expr, to, high)?);
        if lower.is_none() && upper.is_none() {
            return Ok(Transformed::no(Expr::Between(between)));
        }
        let same = |other: &Expr| (expr.as_ref().clone(), other.clone());
        let (lower, upper) = (lower.unwrap_or_else(|| same(low)), upper.unwrap_or_else(|| same(high)));
        let (lower, upper) = (binary_expr(lower.0, from, lower.1), binary_expr(upper.0, to, upper.1));
        Ok(Transformed::yes(if *negated { lower.or(upper) } else { lower.and(upper) }))
    }

    /// `CASE a WHEN b THEN …`; of its results, those of CHAR are seen as such where the others are not.
    fn case(&self, mut case: Case) -> Result<Transformed<Expr>> {
        let mut changed = self.case_compares(&mut case)?;
        let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
        if self.choice(results.map(AsRef::as_ref)).is_some_and(|texts| texts.char.is_none()) {
            for result in case.when_then_expr.iter_mut().map(|(_, then)| then).chain(&mut case.else_expr) {
                let seen = self.seen(std::mem::take(result.as_mut()))?;
                changed |= seen.transformed;
                **result = seen.data;
            }
        }
        Ok(Transformed::new_transformed(Expr::Case(case), changed))
    }

    fn case_compares(&self, case: &mut Case) -> Result<bool> {
        let Some(value) = &mut case.expr else { return Ok(false) };
        let whens: Option<Vec<Texts>> = case.when_then_expr.iter().map(|(when, _)| self.texts(when)).collect();
        let (Some(texts), Some(whens)) = (self.texts(value), whens) else { return Ok(false) };
        let compared: Vec<Texts> = whens.iter().copied().chain([texts]).collect();
        let ignored = self.ignored(&compared)?;
        if !ignored.any() {
            return Ok(false);
        }
        **value = self.key_of(value, texts, ignored)?;
        for ((when, _), texts) in case.when_then_expr.iter_mut().zip(whens) {
            **when = self.key_of(when, texts, ignored)?;
        }
        Ok(true)
    }

    /// NULLIF, GREATEST and LEAST compare; what gives one of its arguments gives a CHAR of CHARs; other functions see a
    /// CHAR as the dialect has it.
    fn arguments(&self, mut call: ScalarFunction) -> Result<Transformed<Expr>> {
        const OURS: [&str; 10] = [
            CHAR,
            COLLATE,
            COUNT_BLANKS,
            FOLDED,
            ORDERED,
            ORDERED_TEXT,
            WITH_BLANKS,
            WITHOUT_BLANKS,
            "cast",
            "try_cast",
        ];
        if OURS.contains(&call.name()) {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        if let ("nullif", [value, other]) = (call.name(), call.args.as_slice()) {
            let Some((left, right)) = self.sides(value, Operator::Eq, other)? else {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            };
            let (equal, nothing) = (Box::new(left.eq(right)), Box::new(lit(ScalarValue::Null)));
            let case = Case::new(None, vec![(equal, nothing)], Some(Box::new(value.clone())));
            return Ok(Transformed::yes(Expr::Case(case)));
        }
        if let Some(extreme) = self.extreme_argument(&call)? {
            return Ok(Transformed::yes(extreme));
        }
        if CHOOSERS.contains(&call.name()) && self.choice(call.args.iter()).is_none_or(|texts| texts.char.is_some()) {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        let mut changed = self.sought_in_any_case(&mut call)?;
        for arg in &mut call.args {
            let seen = self.seen(std::mem::take(arg))?;
            changed |= seen.transformed;
            *arg = seen.data;
        }
        Ok(Transformed::new_transformed(Expr::ScalarFunction(call), changed))
    }

    /// A CHAR as functions see it; anything else as it is.
    fn seen(&self, expr: Expr) -> Result<Transformed<Expr>> {
        let texts = if may_be_char(&expr) { self.texts(&expr) } else { None };
        let Some((texts, length)) = texts.and_then(|texts| Some((texts, texts.char?))) else {
            return Ok(Transformed::no(expr));
        };
        if self.dialect.rules().char_is_padded {
            return Ok(Transformed::yes(functions::call(self.dialect, CHAR, vec![expr, lit(i64::from(length))])?));
        }
        if !texts.blanks {
            return Ok(Transformed::no(expr));
        }
        functions::call(self.dialect, WITHOUT_BLANKS, vec![expr]).map(Transformed::yes)
    }

    /// Distinct values, and what an aggregate orders by.
    fn aggregated(&self, aggregate: &mut AggregateFunction) -> Result<bool> {
        let (name, params) = (aggregate.func.name(), &mut aggregate.params);
        let mut changed = false;
        if params.distinct || COUNTING.contains(&name) {
            changed |= self.distinct_values(name, &mut params.args)?;
        }
        for key in &mut params.order_by {
            changed |= self.compare_by_key(&mut key.expr)?.any();
        }
        Ok(changed)
    }

    /// The distinct values of an aggregate's arguments: what is compared goes in.
    ///
    /// # Errors
    /// `Unsupported` for an aggregate that shows texts that it has compared without their case.
    fn distinct_values(&self, name: &str, args: &mut [Expr]) -> Result<bool> {
        // The least of distinct values is the least of all.
        if EXTREMES.contains(&name) {
            return Ok(false);
        }
        let mut changed = false;
        for arg in args {
            let ignored = self.compare_by_key(arg)?;
            if ignored.case && name != "count" && !COUNTING.contains(&name) {
                return Err(Error::unsupported(format!("{name}(DISTINCT …) of case-insensitive texts")).into());
            }
            changed |= ignored.any();
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
        let ignored = self.ignored(&[value, values])?;
        if !ignored.any() {
            return Ok((expr, query));
        }
        let expr = self.key_of(&expr, value, ignored)?;
        let changes = ignored.case || values.blanks;
        Ok((expr, if changes { self.column_as_key(&query, values, ignored)? } else { query }))
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
                let list = list.iter().filter(|item| !is_null(item));
                self.bounds_by(expr, &list.map(literal).collect::<Option<Vec<_>>>()?, Operator::Eq)
            }
            _ => None,
        }
    }

    fn bounds_by(&self, column: &Expr, texts: &[&str], op: Operator) -> Option<Vec<Expr>> {
        let known = self.texts(column)?;
        let ignored = self.ignored(&[known]).ok()?;
        if !ignored.blanks || ignored.case {
            return None;
        }
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

/// Whether an expression may give a CHAR that functions would see otherwise: what is computed gives none, and a cast gives
/// it as they see it.
fn may_be_char(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::Case(_) => true,
        Expr::ScalarFunction(call) => {
            CHOOSERS.contains(&call.name()) || ["nullif", COLLATE, ORDERED_TEXT].contains(&call.name())
        }
        _ => false,
    }
}

/// An operator of regular expressions as it matches in any case.
fn in_any_case(op: Operator) -> Option<Operator> {
    match op {
        Operator::RegexMatch | Operator::RegexIMatch => Some(Operator::RegexIMatch),
        Operator::RegexNotMatch | Operator::RegexNotIMatch => Some(Operator::RegexNotIMatch),
        _ => None,
    }
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

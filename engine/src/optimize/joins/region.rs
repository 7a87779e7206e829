//! A region: its relations, the columns that are equal in its result, its other conditions.

use super::collect::{Attached, Names, Parts};
use super::relation::Relation;
use crate::optimize::estimate::{
    ColumnEstimate, Estimate, Estimator, Scope, computed, matching, partnered, selectivity,
};
use crate::optimize::order::{self, Attachment, Member, Problem, Set, bit, members};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::utils::{can_hash, conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator};
use std::collections::HashMap;
use std::sync::Arc;

/// More relations than a set has bits for are left in the order of their text.
const MOST_RELATIONS: usize = 60;

/// The parts of a region with what they name.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) relations: Vec<Relation>,
    /// Expressions of free relations that are equal in the result, each with its relation; of two relations or more.
    pub(super) classes: Vec<Vec<(usize, Expr)>>,
    /// The other conditions, with the relations that they name.
    pub(super) conditions: Vec<(Set, Expr)>,
    /// Which relation has a column.
    owners: HashMap<Column, usize>,
}

impl Region {
    /// The region at the top of a plan, with the names that the plan has for its columns; `None` where its columns
    /// cannot be told apart.
    pub(super) fn of(plan: &LogicalPlan) -> Result<Option<(Self, Names)>> {
        // Within derived tables, two relations may have one name.
        match Self::collected(plan, true)? {
            None => Self::collected(plan, false),
            found => Ok(found),
        }
    }

    fn collected(plan: &LogicalPlan, through_names: bool) -> Result<Option<(Self, Names)>> {
        let mut parts = Parts { through_names, ..Parts::default() };
        let names = parts.collect(plan)?;
        if parts.relations.len() < 2 || parts.relations.len() > MOST_RELATIONS {
            return Ok(None);
        }
        parts.join_whole();
        let mut owners = HashMap::new();
        for (at, (plan, _)) in parts.relations.iter().enumerate() {
            for column in plan.schema().columns() {
                if owners.insert(column, at).is_some() {
                    return Ok(None);
                }
            }
        }
        let mut region = Self { relations: Vec::new(), classes: Vec::new(), conditions: Vec::new(), owners };
        for (at, (plan, attached)) in parts.relations.into_iter().enumerate() {
            let attached = match attached {
                None => None,
                Some(attached) => {
                    let keys = attached.on.iter().flat_map(|(left, right)| [left, right]).chain(&attached.filter);
                    let mut needs = 0;
                    for key in keys {
                        let Some(set) = region.named(key) else { return Ok(None) };
                        needs |= set & !bit(at);
                    }
                    if needs == 0 {
                        return Ok(None);
                    }
                    Some((needs, attached))
                }
            };
            region.relations.push(Relation::new(plan, attached));
        }
        let mut equal = Vec::new();
        for condition in parts.conditions {
            let Some(set) = region.named(&condition) else { return Ok(None) };
            match region.equality(&condition)? {
                Some(pair) => equal.push(pair),
                None => region.conditions.push((set, condition)),
            }
        }
        region.classes = classes(equal);
        region.place_local()?;
        Ok(Some((region, names)))
    }

    /// The relations that an expression names; `None` where one is not of the region.
    pub(super) fn named(&self, expr: &Expr) -> Option<Set> {
        expr.column_refs().into_iter().try_fold(0, |set, column| Some(set | bit(*self.owners.get(column)?)))
    }

    /// The relations on the two sides of an equality.
    pub(super) fn sides(&self, condition: &Expr) -> Option<(Set, Set)> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
        self.named(left).zip(self.named(right)).filter(|(left, right)| *left != 0 && *right != 0)
    }

    /// The two sides of a condition that equates two free relations.
    fn equality(&self, condition: &Expr) -> Result<Option<[(usize, Expr); 2]>> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return Ok(None) };
        let free = |expr: &Expr| {
            let set = self.named(expr).filter(|set| set.is_power_of_two())?;
            let at = set.trailing_zeros() as usize;
            self.relations[at].attached.is_none().then_some(at)
        };
        let (Some(one), Some(other)) = (free(left), free(right)) else { return Ok(None) };
        let left_type = left.get_type(self.relations[one].plan().schema())?;
        let right_type = right.get_type(self.relations[other].plan().schema())?;
        let joins = one != other && left_type == right_type && can_hash(&left_type);
        Ok(joins.then(|| [(one, left.as_ref().clone()), (other, right.as_ref().clone())]))
    }

    /// Puts what concerns one free relation into it: conditions, and equality of two columns of one class.
    fn place_local(&mut self) -> Result<()> {
        let mut local: Vec<Vec<Expr>> = vec![Vec::new(); self.relations.len()];
        let relations = &self.relations;
        self.conditions.retain(|(set, condition)| {
            let at = set.trailing_zeros() as usize;
            let here = set.is_power_of_two() && relations[at].attached.is_none();
            if here {
                local[at].push(condition.clone());
            }
            !here
        });
        for class in &mut self.classes {
            let mut seen: HashMap<usize, Expr> = HashMap::new();
            class.retain(|(at, expr)| match seen.get(at) {
                Some(first) => {
                    local[*at].push(first.clone().eq(expr.clone()));
                    false
                }
                None => seen.insert(*at, expr.clone()).is_none(),
            });
        }
        for (at, conditions) in local.into_iter().enumerate() {
            self.filter(at, conditions)?;
        }
        Ok(())
    }

    /// Filters a relation by more conditions.
    pub(super) fn filter(&mut self, at: usize, conditions: Vec<Expr>) -> Result<()> {
        if let Some(condition) = conjunction(conditions) {
            self.relations[at].change(|plan| filtered(plan, condition))?;
        }
        Ok(())
    }

    /// What an order of the joins depends on; `None` where a table's rows are unknown.
    pub(super) fn problem(&self, estimator: Estimator) -> Option<Problem> {
        let estimates: Vec<&Estimate> = self.relations.iter().map(|relation| relation.estimate(estimator)).collect();
        if !estimates.iter().all(|estimate| estimate.known) {
            return None;
        }
        let columns = Columns::new(&self.relations, &estimates);
        let mut problem = Problem::default();
        for (at, (relation, estimate)) in self.relations.iter().zip(estimates.iter().copied()).enumerate() {
            let attached = relation.attached.as_ref().map(|(needs, attached)| {
                let mut attachment = columns.attachment(attached, estimate, *needs);
                let own = self.conditions.iter().filter(|(set, _)| *set == bit(at));
                attachment.factor *= own.map(|(_, condition)| columns.share(condition, estimate.rows)).product::<f64>();
                attachment
            });
            problem.relations.push(order::Relation { rows: estimate.rows, width: estimate.width(), attached });
        }
        for class in &self.classes {
            let member = |(relation, expr): &(usize, Expr)| Member {
                relation: *relation,
                column: columns.of(expr, estimates[*relation]),
            };
            let set = class.iter().fold(0, |set, (at, _)| set | bit(*at));
            problem.classes.push(order::Class { members: class.iter().map(member).collect(), set });
        }
        for (set, condition) in self.conditions.iter().filter(|(set, _)| set.count_ones() > 1) {
            let rows = members(*set).map(|at| estimates[at].rows).product();
            let share = columns.share(condition, rows);
            let equates = self.sides(condition).filter(|(left, right)| left & right == 0);
            problem.conditions.push(order::Condition { set: *set, share, equates });
        }
        Some(problem)
    }
}

/// A plan with a condition more, in the filter that it has where it has one.
pub(super) fn filtered(plan: LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            LogicalPlan::Filter(Filter::try_new(filter.predicate.and(condition), filter.input)?)
        }
        plan => LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?),
    })
}

/// Joins pairs that share an expression into classes.
fn classes(pairs: Vec<[(usize, Expr); 2]>) -> Vec<Vec<(usize, Expr)>> {
    let mut classes: Vec<Vec<(usize, Expr)>> = Vec::new();
    for pair in pairs {
        let (mut joined, rest): (Vec<_>, Vec<_>) =
            classes.into_iter().partition(|class| pair.iter().any(|member| class.contains(member)));
        classes = rest;
        let mut class: Vec<(usize, Expr)> = joined.drain(..).flatten().collect();
        for member in pair {
            if !class.contains(&member) {
                class.push(member);
            }
        }
        classes.push(class);
    }
    classes
}

/// The columns of all relations of a region, side by side.
pub(super) struct Columns {
    all: Vec<ColumnEstimate>,
    places: HashMap<Column, usize>,
}

impl Columns {
    pub(super) fn new(relations: &[Relation], estimates: &[&Estimate]) -> Self {
        let mut columns = Self { all: Vec::new(), places: HashMap::new() };
        for (relation, estimate) in relations.iter().zip(estimates) {
            for (column, known) in relation.plan().schema().columns().into_iter().zip(&estimate.columns) {
                columns.places.insert(column, columns.all.len());
                columns.all.push(known.clone());
            }
        }
        columns
    }

    /// The share of rows that a condition keeps.
    pub(super) fn share(&self, condition: &Expr, rows: f64) -> f64 {
        let find = |column: &Column| self.places.get(column).copied();
        selectivity(condition, &Scope { columns: &self.all, rows, find: &find })
    }

    /// What is known of an expression over a relation.
    pub(super) fn of(&self, expr: &Expr, relation: &Estimate) -> ColumnEstimate {
        let find = |column: &Column| self.places.get(column).copied();
        computed(expr, &self.all, relation.rows, &find, &DataType::Int64)
    }

    fn attachment(&self, attached: &Attached, right: &Estimate, needs: Set) -> Attachment {
        let pairs: Vec<_> = attached.on.iter().map(|(l, r)| (self.of(l, right), self.of(r, right))).collect();
        let pairs: Vec<_> = pairs.iter().map(|(left, right)| (left, right)).collect();
        let share = attached.filter.as_ref().map_or(1., |filter| self.share(filter, right.rows.max(1_000.)));
        let some = (partnered(&pairs) * share.sqrt()).clamp(0., 1.);
        let factor = match attached.join_type {
            JoinType::LeftSemi => some,
            JoinType::LeftAnti => (1. - some).max(0.02),
            _ => (right.rows * matching(&pairs) * share).max(1.),
        };
        let widens = attached.join_type == JoinType::Left;
        Attachment { needs, factor, widens, keyed: !attached.on.is_empty() }
    }
}

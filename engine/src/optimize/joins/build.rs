//! A plan of a region's joins in the order that was found.

use super::region::{Region, filtered};
use crate::optimize::order::{Node, Set, Split, bit, members};
use datafusion::common::{JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::{can_hash, conjunction};
use datafusion::logical_expr::{Expr, ExprSchemable, Join, JoinConstraint, LogicalPlan};
use std::collections::HashMap;
use std::sync::Arc;

/// Joins the relations as a tree says.
pub(super) fn in_order(region: Region, tree: &HashMap<Set, Node>) -> Result<LogicalPlan> {
    let all = bit(region.relations.len()) - 1;
    let mut builder = Builder { region };
    let plan = builder.set(all, tree)?;
    builder.constants(plan)
}

struct Builder {
    region: Region,
}

impl Builder {
    fn set(&mut self, set: Set, tree: &HashMap<Set, Node>) -> Result<LogicalPlan> {
        match tree.get(&set).and_then(|node| node.split) {
            Some(Split { left, right }) => {
                let (left_plan, right_plan) = (self.set(left, tree)?, self.set(right, tree)?);
                self.join((left, left_plan), (right, right_plan))
            }
            None => Ok(self.region.relations[set.trailing_zeros() as usize].take()),
        }
    }

    fn join(&self, left: (Set, LogicalPlan), right: (Set, LogicalPlan)) -> Result<LogicalPlan> {
        let both = left.0 | right.0;
        // Conditions that can be decided now and could not before.
        let inside = |set: Set, of: Set| set & !of == 0;
        let free = |set: Set| members(set).all(|at| self.region.relations[at].attached.is_none());
        let decided = |side: Set, named: Set| inside(named, side) && (side.count_ones() > 1 || free(side));
        let newly = self.region.conditions.iter().filter(|(named, _)| {
            *named != 0 && inside(*named, both) && !decided(left.0, *named) && !decided(right.0, *named)
        });
        let conditions = newly.map(|(_, condition)| condition.clone());
        let attached = if right.0.is_power_of_two() {
            self.region.relations[right.0.trailing_zeros() as usize].attached.as_ref()
        } else {
            None
        };
        let (left_plan, right_plan) = (Arc::new(left.1), Arc::new(right.1));
        let Some((_, attached)) = attached else {
            let keys = self.region.classes.iter().filter_map(|class| {
                let of = |set: Set| class.iter().find(|(at, _)| bit(*at) & set != 0).map(|(_, expr)| expr.clone());
                of(left.0).zip(of(right.0))
            });
            let mut on: Vec<(Expr, Expr)> = keys.collect();
            let mut rest = Vec::new();
            for condition in conditions {
                match self.key(condition, (left.0, &left_plan), (right.0, &right_plan)) {
                    Ok(key) => on.push(key),
                    Err(condition) => rest.push(condition),
                }
            }
            return join(left_plan, right_plan, on, conjunction(rest), JoinType::Inner, false);
        };
        let (on, filter) = (attached.on.clone(), attached.filter.clone());
        let plan = join(left_plan, right_plan, on, filter, attached.join_type, attached.null_aware)?;
        match conjunction(conditions) {
            Some(condition) => filtered(plan, condition),
            None => Ok(plan),
        }
    }

    /// A condition as a key of a join, left side first, where it equates the one side with the other; else itself.
    fn key(
        &self,
        condition: Expr,
        left: (Set, &LogicalPlan),
        right: (Set, &LogicalPlan),
    ) -> std::result::Result<(Expr, Expr), Expr> {
        let Some((one, other)) = self.region.sides(&condition) else { return Err(condition) };
        let turned = match (one & !left.0, other & !right.0, one & !right.0, other & !left.0) {
            (0, 0, ..) => false,
            (_, _, 0, 0) => true,
            _ => return Err(condition),
        };
        let Expr::BinaryExpr(equality) = condition else { return Err(condition) };
        let (first, second) = if turned { (right.1, left.1) } else { (left.1, right.1) };
        let types = (equality.left.get_type(first.schema()), equality.right.get_type(second.schema()));
        match types {
            (Ok(one), Ok(other)) if one == other && can_hash(&one) => {
                let (one, other) = (*equality.left, *equality.right);
                Ok(if turned { (other, one) } else { (one, other) })
            }
            _ => Err(Expr::BinaryExpr(equality)),
        }
    }

    /// Conditions that name no relation.
    fn constants(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let constant = self.region.conditions.iter().filter(|(named, _)| *named == 0);
        match conjunction(constant.map(|(_, condition)| condition.clone())) {
            Some(condition) => filtered(plan, condition),
            None => Ok(plan),
        }
    }
}

fn join(
    left: Arc<LogicalPlan>,
    right: Arc<LogicalPlan>,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    join_type: JoinType,
    null_aware: bool,
) -> Result<LogicalPlan> {
    let nulls = NullEquality::NullEqualsNothing;
    let join = Join::try_new(left, right, on, filter, join_type, JoinConstraint::On, nulls, null_aware)?;
    Ok(LogicalPlan::Join(join))
}

//! The order of joins: relations, what joins them, and the cheapest tree over them. Knows no plan.

mod dynamic;
mod greedy;
mod problem;

pub(super) use problem::{Attachment, Class, Condition, Member, Node, Problem, Relation, Set, Split, bit, members};

use std::collections::HashMap;

/// The most relations for which all orders are weighed.
const MOST_RELATIONS: usize = 14;

/// The cheapest tree that was found: of each set of relations in it, how it is made. `None` where no order exists.
pub(super) fn order(problem: &Problem) -> Option<HashMap<Set, Node>> {
    let nodes = if problem.relations.len() <= MOST_RELATIONS { dynamic::order(problem) } else { None };
    nodes.or_else(|| greedy::order(problem))
}

//! The best of all orders: dynamic programming over pairs of connected sets of relations (DPccp: Moerkotte and
//! Neumann, "Analysis of two existing and one new dynamic programming algorithm for the generation of optimal bushy
//! join trees without cross products", VLDB 2006).

use super::problem::{Node, Problem, Set, bit, members};
use std::collections::HashMap;

/// The most pairs that are weighed: where all join all, there are too many for the time that planning may take.
const MOST_PAIRS: usize = 20_000;

struct Search<'a> {
    problem: &'a Problem,
    neighbours: Vec<Set>,
    nodes: Vec<Option<Node>>,
    pairs: usize,
}

/// The cheapest tree over all relations; `None` where there is none, or too many to look at.
pub(super) fn order(problem: &Problem) -> Option<HashMap<Set, Node>> {
    let count = problem.relations.len();
    let mut search = Search { problem, neighbours: problem.neighbours(), nodes: vec![None; 1 << count], pairs: 0 };
    for relation in 0..count {
        search.nodes[bit(relation) as usize] = Some(problem.leaf(relation));
    }
    for relation in (0..count).rev() {
        let start = bit(relation);
        search.pairs_of(start)?;
        search.grow(start, up_to(relation))?;
    }
    search.tree(up_to(count - 1))
}

/// The relations up to one.
fn up_to(relation: usize) -> Set {
    bit(relation) | (bit(relation) - 1)
}

/// Every subset of a set but the empty one, smaller numbers first.
fn subsets(set: Set) -> impl Iterator<Item = Set> {
    let mut subset: Set = 0;
    std::iter::from_fn(move || {
        subset = subset.wrapping_sub(set) & set;
        (subset != 0).then_some(subset)
    })
}

impl Search<'_> {
    fn neighbours_of(&self, set: Set) -> Set {
        members(set).fold(0, |all, relation| all | self.neighbours[relation]) & !set
    }

    /// Every connected set that grows from one, without the excluded relations.
    fn grow(&mut self, set: Set, excluded: Set) -> Option<()> {
        let near = self.neighbours_of(set) & !excluded;
        for more in subsets(near) {
            self.pairs_of(set | more)?;
        }
        for more in subsets(near) {
            self.grow(set | more, excluded | near)?;
        }
        Some(())
    }

    /// Every connected set that is joined with one.
    fn pairs_of(&mut self, set: Set) -> Option<()> {
        let excluded = up_to(set.trailing_zeros() as usize) | set;
        let near = self.neighbours_of(set) & !excluded;
        let mut rest: Vec<usize> = members(near).collect();
        rest.reverse();
        for relation in rest {
            let other = bit(relation);
            self.pair(set, other)?;
            self.grow_other(set, other, excluded | (up_to(relation) & near))?;
        }
        Some(())
    }

    fn grow_other(&mut self, set: Set, other: Set, excluded: Set) -> Option<()> {
        let near = self.neighbours_of(other) & !excluded;
        for more in subsets(near) {
            self.pair(set, other | more)?;
        }
        for more in subsets(near) {
            self.grow_other(set, other | more, excluded | near)?;
        }
        Some(())
    }

    fn pair(&mut self, one: Set, other: Set) -> Option<()> {
        self.pairs += 1;
        if self.pairs > MOST_PAIRS {
            return None;
        }
        let (Some(first), Some(second)) = (&self.nodes[one as usize], &self.nodes[other as usize]) else {
            return Some(());
        };
        let both = (one | other) as usize;
        let known = self.nodes[both].as_ref();
        if let Some(joined) = self.problem.join((one, first), (other, second), known.map(|known| known.rows))
            && known.is_none_or(|known| joined.cost < known.cost)
        {
            self.nodes[both] = Some(joined);
        }
        Some(())
    }

    /// The nodes of the tree over a set.
    fn tree(&self, set: Set) -> Option<HashMap<Set, Node>> {
        let mut tree = HashMap::new();
        let mut open = vec![set];
        while let Some(set) = open.pop() {
            let node = self.nodes[set as usize]?;
            open.extend(node.split.into_iter().flat_map(|split| [split.left, split.right]));
            tree.insert(set, node);
        }
        Some(tree)
    }
}

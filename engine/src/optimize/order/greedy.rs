//! A good order of many relations: join the two sets that give the fewest rows, until one is left (greedy operator
//! ordering: Fegaras, 1998).

use super::problem::{Node, Problem, Set, bit};
use std::collections::HashMap;

/// A tree over all relations; `None` where there is none.
pub(super) fn order(problem: &Problem) -> Option<HashMap<Set, Node>> {
    let mut open: Vec<(Set, Node)> =
        (0..problem.relations.len()).map(|relation| (bit(relation), problem.leaf(relation))).collect();
    let mut tree: HashMap<Set, Node> = open.iter().copied().collect();
    while open.len() > 1 {
        let mut best: Option<(usize, usize, Node, (bool, f64))> = None;
        for (at, (one, first)) in open.iter().enumerate() {
            for (to, (other, second)) in open.iter().enumerate().skip(at + 1) {
                let Some(joined) = problem.join((*one, first), (*other, second), None) else { continue };
                // A cross product comes last, however few rows it gives.
                let attached = joined.split.is_some_and(|split| attaches(problem, split.right));
                let rank = (!attached && !problem.connects(*one, *other), joined.rows + first.rows.min(second.rows));
                let better = |(_, _, _, known): &(usize, usize, Node, (bool, f64))| {
                    rank.0.cmp(&known.0).then(rank.1.total_cmp(&known.1)).is_lt()
                };
                if best.as_ref().is_none_or(better) {
                    best = Some((at, to, joined, rank));
                }
            }
        }
        let (at, to, joined, _) = best?;
        let (right, _) = open.swap_remove(to);
        let (left, _) = open[at];
        open[at] = (left | right, joined);
        tree.insert(left | right, joined);
    }
    Some(tree)
}

fn attaches(problem: &Problem, set: Set) -> bool {
    set.is_power_of_two() && problem.relations[set.trailing_zeros() as usize].attached.is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::problem::{Attachment, Class, Condition, Member, Relation, Split};
    use super::super::{dynamic, order};
    use super::*;
    use crate::optimize::estimate::ColumnEstimate;

    fn column(domain: f64, table_rows: f64) -> ColumnEstimate {
        ColumnEstimate {
            distinct: domain,
            domain,
            measured: true,
            nulls: 0.,
            range: None,
            width: 8.,
            table_rows,
            computed: false,
            knowledge: None,
        }
    }

    fn relation(rows: f64) -> Relation {
        Relation { rows, width: 16., attached: None }
    }

    /// A class of key columns: relation, domain.
    fn class(members: &[(usize, f64)]) -> Class {
        let set = members.iter().map(|(at, _)| bit(*at)).sum();
        let member = |(relation, domain): &(usize, f64)| Member { relation: *relation, column: column(*domain, 1e9) };
        Class { members: members.iter().map(member).collect(), set }
    }

    /// The tree as text: `(0 1)` joins 0, built, with 1.
    fn shown(tree: &HashMap<Set, Node>, set: Set) -> String {
        match tree[&set].split {
            None => set.trailing_zeros().to_string(),
            Some(Split { left, right }) => format!("({} {})", shown(tree, left), shown(tree, right)),
        }
    }

    fn all(problem: &Problem) -> Set {
        bit(problem.relations.len()) - 1
    }

    /// nation (1 of 25), customer, orders, lineitem, as TPC-H at scale 1 has them.
    fn chain() -> Problem {
        Problem {
            relations: vec![relation(1.), relation(150_000.), relation(1_500_000.), relation(6_000_000.)],
            classes: vec![
                class(&[(0, 25.), (1, 25.)]),
                class(&[(1, 150_000.), (2, 150_000.)]),
                class(&[(2, 1_500_000.), (3, 1_500_000.)]),
            ],
            conditions: Vec::new(),
        }
    }

    #[test]
    fn both_find_the_order_of_a_chain() {
        let problem = chain();
        for tree in [dynamic::order(&problem).unwrap(), super::order(&problem).unwrap()] {
            assert_eq!(shown(&tree, all(&problem)), "(((0 1) 2) 3)");
            assert!((tree[&all(&problem)].rows - 240_000.).abs() < 1.);
        }
    }

    #[test]
    fn a_class_joins_all_its_members_and_counts_each_once() {
        let problem = Problem {
            relations: vec![relation(10.), relation(1_000.), relation(100_000.)],
            classes: vec![class(&[(0, 1_000.), (1, 1_000.), (2, 1_000.)])],
            conditions: Vec::new(),
        };
        let tree = order(&problem).unwrap();
        assert_eq!(shown(&tree, 0b111), "((0 1) 2)");
        assert!((tree[&0b111].rows - 1_000.).abs() < 1e-6);
    }

    #[test]
    fn attached_relations_come_when_it_pays_and_never_before_what_they_need() {
        let attached = |needs, factor| Some(Attachment { needs, factor, widens: false, keyed: true });
        // A semi-join that keeps a thousandth of orders goes down to them; the needed relation comes before.
        let mut problem = chain();
        problem.relations.push(Relation { attached: attached(bit(2), 0.001), ..relation(600.) });
        let tree = order(&problem).unwrap();
        assert!(shown(&tree, all(&problem)).contains("(2 4)"), "{}", shown(&tree, all(&problem)));
        // One that keeps all and costs much to probe waits until few rows are left.
        let mut problem = chain();
        problem.relations[2].rows = 100.;
        problem.relations.push(Relation { attached: attached(bit(3), 1.), ..relation(6_000_000.) });
        let tree = order(&problem).unwrap();
        assert_eq!(tree[&all(&problem)].split.unwrap().right, bit(4), "{}", shown(&tree, all(&problem)));
    }

    #[test]
    fn what_nothing_joins_is_crossed_last_and_conditions_wait_for_their_relations() {
        let problem = Problem {
            relations: vec![relation(1_000.), relation(1_000.), relation(2.)],
            classes: vec![class(&[(0, 1_000.), (1, 1_000.)])],
            conditions: vec![Condition { set: 0b111, share: 0.5, equates: None }],
        };
        for tree in [dynamic::order(&problem).unwrap(), super::order(&problem).unwrap()] {
            assert!((tree[&0b111].rows - 1_000.).abs() < 1., "{}", shown(&tree, 0b111));
        }
    }

    #[test]
    fn many_relations_are_ordered_greedily() {
        // A clique of 20: too many pairs for all orders.
        let keys: Vec<(usize, f64)> = (0..20).map(|at| (at, 1_000.)).collect();
        let relations = (0..20).map(|at| relation(1_000. + f64::from(at))).collect();
        let problem = Problem { relations, classes: vec![class(&keys)], conditions: Vec::new() };
        let tree = order(&problem).unwrap();
        assert_eq!(tree.len(), 39);
        let clique: Vec<(usize, f64)> = (0..13).map(|at| (at, 1_000.)).collect();
        let relations = (0..13).map(|_| relation(1_000.)).collect();
        let problem = Problem { relations, classes: vec![class(&clique)], conditions: Vec::new() };
        assert!(dynamic::order(&problem).is_none() && order(&problem).is_some());
    }

    #[test]
    fn every_order_of_a_small_problem_costs_no_less() {
        // All trees over a star of five, by brute force over splits.
        let relations = [1e6, 10., 1_000., 50_000., 3.].map(relation).into();
        let classes = vec![
            class(&[(0, 100.), (1, 100.)]),
            class(&[(0, 5_000.), (2, 5_000.)]),
            class(&[(0, 60_000.), (3, 60_000.)]),
            class(&[(0, 3.), (4, 3.)]),
        ];
        let problem = Problem { relations, classes, conditions: Vec::new() };
        let mut best: HashMap<Set, Node> = HashMap::new();
        for set in 1..32_u64 {
            if set.is_power_of_two() {
                best.insert(set, problem.leaf(set.trailing_zeros() as usize));
                continue;
            }
            for part in 1..set {
                if part & !set == 0
                    && let (Some(one), Some(other)) = (best.get(&part), best.get(&(set & !part)))
                    && problem.connects(part, set & !part)
                {
                    let rows = best.get(&set).map(|known| known.rows);
                    let joined = problem.join((part, one), (set & !part, other), rows).unwrap();
                    if best.get(&set).is_none_or(|known| joined.cost < known.cost) {
                        best.insert(set, joined);
                    }
                }
            }
        }
        let found = dynamic::order(&problem).unwrap()[&31].cost;
        assert!((found - best[&31].cost).abs() / found < 1e-6, "{found} {}", best[&31].cost);
    }
}

//! The problem of a join order: rows of relations, what joins them, what a join costs.
//!
//! A relation is either free, joined by inner joins in any order, or *attached*: the right side of an outer, semi- or
//! anti-join, which comes alone and only after the relations that its condition needs. Attached relations act on rows
//! of their left side one by one, so that they commute with inner joins and with each other.

use crate::optimize::estimate::{ColumnEstimate, matching};

/// A set of relations, a bit each.
pub(crate) type Set = u64;

/// The set of one relation.
pub(crate) fn bit(relation: usize) -> Set {
    1 << relation
}

/// The relations of a set, the first ones first.
pub(crate) fn members(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(next)
    })
}

/// What each step of a join costs, in rows of 16 bytes: building a hash table, probing it, giving a row on.
const BUILD: f64 = 2.;
const PROBE: f64 = 1.;
const OUTPUT: f64 = 1.;
/// Comparing a pair of rows, where no key joins.
const COMPARE: f64 = 0.3;
/// Bytes beside which a row's own cost does not count.
const ROW_BYTES: f64 = 48.;

/// All that an order depends on.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    pub(crate) relations: Vec<Relation>,
    pub(crate) classes: Vec<Class>,
    pub(crate) conditions: Vec<Condition>,
}

/// A relation.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) rows: f64,
    /// Bytes of a row.
    pub(crate) width: f64,
    pub(crate) attached: Option<Attachment>,
}

/// How an attached relation acts on the rows of its left side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attachment {
    /// The relations that its condition names.
    pub(crate) needs: Set,
    /// Rows that come out, for each that goes in.
    pub(crate) factor: f64,
    /// Whether its columns come out too, as an outer join's do.
    pub(crate) widens: bool,
    /// Whether equal keys join, not only a condition.
    pub(crate) keyed: bool,
}

/// Columns that are equal in the result, one or more of several free relations.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) members: Vec<Member>,
    pub(crate) set: Set,
}

/// A column of a class.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) relation: usize,
    pub(crate) column: ColumnEstimate,
}

/// A condition on two relations or more that is no equality of a class.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) set: Set,
    pub(crate) share: f64,
    /// The relations on the sides of an equality, where they are different: a key once each side is together.
    pub(crate) equates: Option<(Set, Set)>,
}

/// How a set of relations is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) rows: f64,
    /// Bytes of a row.
    pub(crate) width: f64,
    pub(crate) cost: f64,
    /// The two sets that are joined; `None` for a relation.
    pub(crate) split: Option<Split>,
}

/// The sides of a join: an attached relation is the right one, else the left one is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) left: Set,
    pub(crate) right: Set,
}

impl Node {
    fn bytes(&self) -> f64 {
        self.rows * self.width
    }
}

impl Problem {
    /// A relation by itself.
    pub(super) fn leaf(&self, relation: usize) -> Node {
        let Relation { rows, width, .. } = self.relations[relation];
        Node { rows, width, cost: 0., split: None }
    }

    fn attachment(&self, set: Set) -> Option<Attachment> {
        if set.count_ones() == 1 { self.relations[set.trailing_zeros() as usize].attached } else { None }
    }

    /// Relations that some condition joins with each relation, and where that leaves parts apart, one pair of each two.
    pub(super) fn neighbours(&self) -> Vec<Set> {
        let mut neighbours = vec![0; self.relations.len()];
        let mut link = |set: Set| {
            for relation in members(set) {
                neighbours[relation] |= set & !bit(relation);
            }
        };
        self.classes.iter().for_each(|class| link(class.set));
        self.conditions.iter().for_each(|condition| link(condition.set));
        for (at, relation) in self.relations.iter().enumerate() {
            if let Some(attached) = relation.attached {
                members(attached.needs).for_each(|needed| link(bit(needed) | bit(at)));
            }
        }
        self.link_parts(&mut neighbours);
        neighbours
    }

    /// Joins the parts that nothing joins by their smallest relations: a cross product is all that is left.
    fn link_parts(&self, neighbours: &mut [Set]) {
        let free = |relation: usize| self.relations[relation].attached.is_none();
        let all: Set = (0..self.relations.len()).filter(|at| free(*at)).map(bit).sum();
        let mut parts: Vec<usize> = Vec::new();
        let mut left = all;
        while left != 0 {
            let mut part = left & left.wrapping_neg();
            loop {
                let wider = members(part).fold(part, |wider, at| wider | neighbours[at]) & all;
                if wider == part {
                    break;
                }
                part = wider;
            }
            left &= !part;
            let rows = |at: &usize| self.relations[*at].rows;
            parts.extend(members(part).min_by(|a, b| rows(a).total_cmp(&rows(b))));
        }
        for (at, first) in parts.iter().enumerate() {
            for second in &parts[at + 1..] {
                neighbours[*first] |= bit(*second);
                neighbours[*second] |= bit(*first);
            }
        }
    }

    /// Joins two disjoint sets; `rows` are those that are known already of the set of both. `None` where an attached
    /// relation stands in the way.
    pub(super) fn join(&self, one: (Set, &Node), other: (Set, &Node), rows: Option<f64>) -> Option<Node> {
        match (self.attachment(one.0), self.attachment(other.0)) {
            (Some(_), Some(_)) => None,
            (None, Some(attached)) => self.attach(one, other, attached, rows),
            (Some(attached), None) => self.attach(other, one, attached, rows),
            (None, None) => {
                let (left, right) = if one.1.bytes() <= other.1.bytes() { (one, other) } else { (other, one) };
                let keyed = self.crosses(left.0, right.0) || self.equates(left.0, right.0);
                let rows = rows.unwrap_or_else(|| left.1.rows * right.1.rows * self.share(left.0, right.0));
                Some(node(left, right, rows, left.1.width + right.1.width, keyed))
            }
        }
    }

    fn attach(&self, left: (Set, &Node), right: (Set, &Node), by: Attachment, rows: Option<f64>) -> Option<Node> {
        if by.needs & !left.0 != 0 {
            return None;
        }
        let rows = rows.unwrap_or_else(|| left.1.rows * by.factor * self.conditions_share(left.0, right.0));
        let width = left.1.width + if by.widens { right.1.width } else { 0. };
        Some(node(left, right, rows, width, by.keyed))
    }

    /// Whether equal columns join two sets.
    pub(super) fn crosses(&self, left: Set, right: Set) -> bool {
        self.classes.iter().any(|class| class.set & left != 0 && class.set & right != 0)
    }

    /// Whether an equality of expressions joins two sets.
    fn equates(&self, left: Set, right: Set) -> bool {
        let within = |(one, other): (Set, Set)| one & !left == 0 && other & !right == 0;
        let mut sides = self.conditions.iter().filter_map(|condition| condition.equates);
        sides.any(|(one, other)| within((one, other)) || within((other, one)))
    }

    /// Whether anything joins two sets.
    pub(super) fn connects(&self, left: Set, right: Set) -> bool {
        let across = |set: Set| set & left != 0 && set & right != 0 && set & !(left | right) == 0;
        self.crosses(left, right) || self.conditions.iter().any(|condition| across(condition.set))
    }

    /// The share of pairs of rows of two sets that join.
    fn share(&self, left: Set, right: Set) -> f64 {
        let of = |class: &'_ Class, set: Set| {
            let inside = class.members.iter().enumerate().filter(|(_, member)| bit(member.relation) & set != 0);
            inside.min_by(|(_, a), (_, b)| a.column.domain.total_cmp(&b.column.domain)).map(|(at, _)| at)
        };
        let crossing = self.classes.iter().filter(|class| class.set & left != 0 && class.set & right != 0);
        let pairs: Vec<_> = crossing
            .filter_map(|class| {
                let (l, r) = (of(class, left)?, of(class, right)?);
                Some((&class.members[l].column, &class.members[r].column))
            })
            .collect();
        matching(&pairs) * self.conditions_share(left, right)
    }

    /// The share that the conditions keep that can be decided first when two sets are together.
    fn conditions_share(&self, left: Set, right: Set) -> f64 {
        let newly = |set: Set| set & !(left | right) == 0 && set & !left != 0 && set & !right != 0;
        self.conditions.iter().filter(|condition| newly(condition.set)).map(|condition| condition.share).product()
    }
}

fn node(left: (Set, &Node), right: (Set, &Node), rows: f64, width: f64, keyed: bool) -> Node {
    let (small, large) = if left.1.bytes() <= right.1.bytes() { (left.1, right.1) } else { (right.1, left.1) };
    let weight = |node: &Node| node.rows * (1. + node.width / ROW_BYTES);
    let step = if keyed {
        weight(small) * BUILD + large.rows * PROBE
    } else {
        weight(small) * BUILD + left.1.rows * right.1.rows * COMPARE
    };
    let rows = rows.max(1e-6);
    let cost = left.1.cost + right.1.cost + step + rows * (1. + width / ROW_BYTES) * OUTPUT;
    Node { rows, width, cost, split: Some(Split { left: left.0, right: right.0 }) }
}

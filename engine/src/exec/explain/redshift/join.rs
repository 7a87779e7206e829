//! Joins, and how their rows are moved: read from the operators, not from the tables' definitions.
//!
//! The inner side is what the hash table is built of. A table that is built once for all slices was broadcast, unless
//! each node has a copy of it; sides of a join in slices were redistributed where an exchange by hash stands below.

use super::words::words;
use super::{At, Builder, Built, Output, Plan, actual, cost, rows};
use crate::exec::explain::step::Step;
use crate::physical::is_copied;
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::physical_expr::{Partitioning, PhysicalExprRef};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

const NONE: &str = "DS_DIST_NONE";
const ALL_NONE: &str = "DS_DIST_ALL_NONE";
const BROADCAST: &str = "DS_BCAST_INNER";
const ALL_INNER: &str = "DS_DIST_ALL_INNER";
const INNER: &str = "DS_DIST_INNER";
const OUTER: &str = "DS_DIST_OUTER";
const BOTH: &str = "DS_DIST_BOTH";

/// A join, whatever runs it.
struct Join<'a> {
    plan: &'a Plan,
    /// `Hash`, `Merge`, `Nested Loop`.
    name: &'static str,
    left: &'a Plan,
    right: &'a Plan,
    /// Which side is the inner one.
    inner: JoinSide,
    on: &'a [(PhysicalExprRef, PhysicalExprRef)],
    filter: Option<&'a JoinFilter>,
    kind: JoinType,
    projection: Option<&'a [usize]>,
    label: &'static str,
}

impl Builder<'_> {
    /// A join, if it is one.
    pub(super) fn join(&mut self, plan: &Plan) -> Option<Built> {
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            if let Some((name, first)) = set_operation(join) {
                return Some(self.set_operation(plan, join, name, first));
            }
            let (inner, outer) = (join.left(), join.right());
            let label = match join.partition_mode() {
                PartitionMode::Partitioned => in_slices(inner, outer),
                PartitionMode::CollectLeft | PartitionMode::Auto => self.collected(inner, outer),
            };
            return Some(self.joined(&Join {
                plan,
                name: "Hash",
                left: join.left(),
                right: join.right(),
                inner: JoinSide::Left,
                on: join.on(),
                filter: join.filter(),
                kind: *join.join_type(),
                projection: join.projection.as_deref(),
                label,
            }));
        }
        if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
            return Some(self.joined(&Join {
                plan,
                name: "Merge",
                left: join.left(),
                right: join.right(),
                inner: JoinSide::Right,
                on: join.on(),
                filter: join.filter().as_ref(),
                kind: join.join_type(),
                projection: None,
                label: in_slices(join.right(), join.left()),
            }));
        }
        let (left, right, filter, join_type, projection) = if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>()
        {
            (join.left(), join.right(), join.filter(), *join.join_type(), join.projection().as_deref())
        } else {
            let join = plan.downcast_ref::<CrossJoinExec>()?;
            (join.left(), join.right(), None, JoinType::Inner, None)
        };
        self.nested_loop = true;
        let label = self.collected(left, right);
        let (name, inner, on) = ("Nested Loop", JoinSide::Left, &[][..]);
        Some(self.joined(&Join { plan, name, left, right, inner, on, filter, kind: join_type, projection, label }))
    }

    /// Rows of one query that another has, or has not.
    fn set_operation(&mut self, plan: &Plan, join: &HashJoinExec, name: &'static str, first: JoinSide) -> Built {
        let (left, right) = (self.build(join.left(), At::default()), self.build(join.right(), At::default()));
        let (kept, other) = if first == JoinSide::Left { (left, right) } else { (right, left) };
        let columns = match join.projection.as_deref() {
            Some(chosen) => chosen.iter().filter_map(|at| kept.columns.get(*at).cloned()).collect(),
            None => kept.columns,
        };
        let names = rows::names(join.join_schema());
        let expected = self.rows.join(plan, &names).or_else(|| rows::of_operator(plan)).unwrap_or(kept.step.rows);
        let step = Step { rows: expected, ..Step::new(name, Vec::new()) };
        let mut step = cost::hash_joined(step, &kept.step, &other.step, cost::Moved::default());
        step.children = vec![super::subquery(kept.step, 0), super::subquery(other.step, 1)];
        Built::new(step, columns)
    }

    fn joined(&mut self, join: &Join<'_>) -> Built {
        let at = At { counted: true, ..At::default() };
        // Scans take their estimates in the order of the plan.
        let (left, right) = (self.build(join.left, at), self.build(join.right, at));
        let is_left = join.inner == JoinSide::Left;
        let texts = Sides { left: &left.columns, right: &right.columns, is_inner_left: is_left };
        let condition = texts.equalities(join.on);
        let filter = join.filter.map(|filter| texts.condition(filter));
        let columns = columns(join, &left.columns, &right.columns);
        let names = joined_names(join);
        let (inner, outer) = if is_left { (left.step, right.step) } else { (right.step, left.step) };
        let expected = self.rows.join(join.plan, &names).or_else(|| rows::of_operator(join.plan));
        let expected = expected.unwrap_or_else(|| outer.rows.max(inner.rows));
        let moved = self.moved(join.label);
        let (inner, key) = if join.name == "Hash" {
            let (total, actual) = (inner.total, actual::handed_on(&inner));
            (Step { actual, ..Step::new("Hash", vec![inner]) }.costing(total, total), "Hash Cond")
        } else {
            (inner, "Merge Cond")
        };
        let mut step = Step { label: Some(join.label), ..Step::new(name(join), Vec::new()) };
        step.rows = expected;
        step = match join.name {
            "Hash" => cost::hash_joined(step, &outer, &inner, moved),
            "Merge" => cost::merge_joined(step, &outer, &inner, moved),
            _ => cost::looped(step, &outer, &inner, moved),
        };
        step.children = vec![outer, inner];
        if let Some(condition) = condition {
            step = step.with(key, condition);
        }
        if let Some(filter) = filter {
            step = step.with("Join Filter", filter);
        }
        Built::new(step, columns)
    }

    /// Of a side that is built once for all slices.
    fn collected(&self, inner: &Plan, outer: &Plan) -> &'static str {
        if is_copied(inner) {
            ALL_NONE
        } else if self.slices < 2 {
            NONE
        } else if is_copied(outer) {
            ALL_INNER
        } else {
            BROADCAST
        }
    }

    fn moved(&self, label: &str) -> cost::Moved {
        let (inner, outer) = match label {
            BROADCAST => (self.slices as f64, 0.),
            ALL_INNER | INNER => (1., 0.),
            OUTER => (0., 1.),
            BOTH => (1., 1.),
            _ => (0., 0.),
        };
        cost::Moved { inner, outer }
    }
}

/// The set operation that a join does, and the side whose rows it gives: NULLs are equal in these alone.
fn set_operation(join: &HashJoinExec) -> Option<(&'static str, JoinSide)> {
    if join.null_equality() != NullEquality::NullEqualsNull || join.filter().is_some() {
        return None;
    }
    match join.join_type() {
        JoinType::LeftSemi => Some(("Hash Intersect Distinct", JoinSide::Left)),
        JoinType::RightSemi => Some(("Hash Intersect Distinct", JoinSide::Right)),
        JoinType::LeftAnti => Some(("SetOp Except", JoinSide::Left)),
        JoinType::RightAnti => Some(("SetOp Except", JoinSide::Right)),
        _ => None,
    }
}

/// Of sides that are joined slice by slice.
fn in_slices(inner: &Plan, outer: &Plan) -> &'static str {
    match (is_moved(inner), is_moved(outer)) {
        (false, false) if is_copied(inner) => ALL_NONE,
        (false, false) => NONE,
        (true, false) => INNER,
        (false, true) => OUTER,
        (true, true) => BOTH,
    }
}

/// Whether an exchange by hash gives the rows to a join, and not to what stands below it.
fn is_moved(plan: &Plan) -> bool {
    if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
        return matches!(exchange.partitioning(), Partitioning::Hash(..));
    }
    let passes = plan.is::<ProjectionExec>() || plan.is::<FilterExec>() || plan.is::<SortExec>();
    passes && plan.children().into_iter().any(is_moved)
}

/// `Hash Left Join`: the preserved side is named as seen from the outer side, which stands left in Redshift's words.
fn name(join: &Join<'_>) -> String {
    let inner_is_left = join.inner == JoinSide::Left;
    let kind = match join.kind {
        JoinType::Inner => "",
        JoinType::Full => "Full",
        JoinType::Left if inner_is_left => "Right",
        JoinType::Right if !inner_is_left => "Right",
        JoinType::Left | JoinType::Right => "Left",
        JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftMark | JoinType::RightMark => "IN",
        JoinType::LeftAnti | JoinType::RightAnti => "NOT IN",
    };
    match (join.name, kind) {
        ("Nested Loop", "") => join.name.to_owned(),
        (name, "") => format!("{name} Join"),
        (name, kind) => format!("{name} {kind} Join"),
    }
}

/// The columns that a join gives.
fn columns(join: &Join<'_>, left: &[Output], right: &[Output]) -> Vec<Output> {
    let mark = Output { plain: "mark".to_owned(), qualified: "mark".to_owned(), is_column: false, width: 1. };
    let all: Vec<Output> = match join.kind {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => [left, right].concat(),
        JoinType::LeftSemi | JoinType::LeftAnti => left.to_vec(),
        JoinType::RightSemi | JoinType::RightAnti => right.to_vec(),
        JoinType::LeftMark => left.iter().cloned().chain([mark]).collect(),
        JoinType::RightMark => right.iter().cloned().chain([mark]).collect(),
    };
    match join.projection {
        Some(chosen) => chosen.iter().filter_map(|at| all.get(*at).cloned()).collect(),
        None => all,
    }
}

/// The names of a join's columns before it chooses among them.
fn joined_names(join: &Join<'_>) -> Vec<String> {
    match join.plan.downcast_ref::<HashJoinExec>() {
        Some(hash) => rows::names(hash.join_schema()),
        None => rows::names(&join.plan.schema()),
    }
}

/// The columns of both sides, as conditions name them.
struct Sides<'a> {
    left: &'a [Output],
    right: &'a [Output],
    is_inner_left: bool,
}

impl Sides<'_> {
    fn column(&self, side: JoinSide, at: usize, name: &str) -> String {
        let columns = if side == JoinSide::Left { self.left } else { self.right };
        let is_inner = (side == JoinSide::Left) == self.is_inner_left;
        let relation = if is_inner { "inner" } else { "outer" };
        match columns.get(at) {
            Some(column) if column.is_column => format!("\"{relation}\".{}", column.plain),
            Some(computed) => computed.plain.clone(),
            None => format!("\"{relation}\".{}", crate::system::quoted(name)),
        }
    }

    fn key(&self, expr: &PhysicalExprRef, side: JoinSide) -> String {
        words(expr, &|column| self.column(side, column.index(), column.name()))
    }

    /// `("outer".a = "inner".b)`
    fn equalities(&self, on: &[(PhysicalExprRef, PhysicalExprRef)]) -> Option<String> {
        let pair = |(left, right): &(PhysicalExprRef, PhysicalExprRef)| {
            let (left, right) = (self.key(left, JoinSide::Left), self.key(right, JoinSide::Right));
            let (outer, inner) = if self.is_inner_left { (right, left) } else { (left, right) };
            format!("({outer} = {inner})")
        };
        let pairs: Vec<String> = on.iter().map(pair).collect();
        match pairs.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("({})", several.join(" AND "))),
        }
    }

    fn condition(&self, filter: &JoinFilter) -> String {
        words(filter.expression(), &|column| match filter.column_indices().get(column.index()) {
            Some(of) => self.column(of.side, of.index, column.name()),
            None => crate::system::quoted(column.name()),
        })
    }
}

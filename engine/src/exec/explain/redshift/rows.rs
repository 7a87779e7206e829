//! How many rows operators are expected to give: by the optimizer's estimates where it has one for them, else by the
//! statistics that operators compute themselves.

use crate::optimize::{self, JoinEstimates, NodeEstimate, NodeKind};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use std::collections::HashMap;
use std::sync::Arc;

/// The estimates of a plan.
pub(super) struct Rows {
    nodes: Vec<NodeEstimate>,
    /// Which of them an operator took.
    taken: Vec<bool>,
    /// Of joins, by their address.
    joins: HashMap<usize, f64>,
}

impl Rows {
    /// Those of a plan; `joins` in its order.
    pub(super) fn new(nodes: Vec<NodeEstimate>, plan: &Arc<dyn ExecutionPlan>, joins: &JoinEstimates) -> Self {
        let mut found = HashMap::new();
        note(plan, &mut joins.iter(), &mut found);
        Self { taken: vec![false; nodes.len()], nodes, joins: found }
    }

    /// What is estimated of the scan of a table that gives these columns.
    pub(super) fn scan(&mut self, table: &str, names: &[String], filtered: bool) -> Option<NodeEstimate> {
        let is_scan = |node: &NodeEstimate| matches!(&node.kind, NodeKind::Scan(name) if name == table);
        self.best(is_scan, |node| usize::from(same(&node.names, names)) * 2 + usize::from(node.filtered == filtered))
    }

    /// The table whose rows in memory have these columns.
    pub(super) fn in_memory(&mut self, names: &[String]) -> Option<String> {
        let is_scan = |node: &NodeEstimate| matches!(node.kind, NodeKind::Scan(_)) && same(&node.names, names);
        match self.best(is_scan, |_| 0)?.kind {
            NodeKind::Scan(table) => Some(table),
            _ => None,
        }
    }

    /// What is estimated of another node with these columns.
    pub(super) fn node(&mut self, kind: &NodeKind, names: &[String]) -> Option<f64> {
        let found = self.best(|node| node.kind == *kind && same(&node.names, names), |_| 0)?;
        found.known.then_some(found.rows)
    }

    /// What is estimated of a join with these columns before it chooses among them.
    pub(super) fn join(&mut self, plan: &Arc<dyn ExecutionPlan>, names: &[String]) -> Option<f64> {
        self.joins.get(&address(plan)).copied().or_else(|| self.node(&NodeKind::Join, names))
    }

    /// The best that no operator took yet, or else the best.
    fn best(
        &mut self,
        fits: impl Fn(&NodeEstimate) -> bool,
        score: impl Fn(&NodeEstimate) -> usize,
    ) -> Option<NodeEstimate> {
        let fitting = (0..self.nodes.len()).filter(|at| self.nodes.get(*at).is_some_and(&fits));
        let rank = |at: &usize| {
            let score = self.nodes.get(*at).map_or(0, &score);
            // Of equals the first.
            (self.taken.get(*at) == Some(&false), score, std::cmp::Reverse(*at))
        };
        let at = fitting.max_by_key(rank)?;
        if let Some(taken) = self.taken.get_mut(at) {
            *taken = true;
        }
        self.nodes.get(at).cloned()
    }
}

/// What an operator's own statistics say.
pub(super) fn of_operator(plan: &Arc<dyn ExecutionPlan>) -> Option<f64> {
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    known.num_rows.get_value().map(|rows| *rows as f64)
}

/// The names of an operator's columns.
pub(super) fn names(schema: &datafusion::arrow::datatypes::Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

fn address(plan: &Arc<dyn ExecutionPlan>) -> usize {
    Arc::as_ptr(plan).cast::<()>() as usize
}

fn note(
    plan: &Arc<dyn ExecutionPlan>,
    estimates: &mut std::slice::Iter<'_, Option<u64>>,
    found: &mut HashMap<usize, f64>,
) {
    if optimize::is_join(plan.as_ref())
        && let Some(Some(rows)) = estimates.next()
    {
        found.insert(address(plan), *rows as f64);
    }
    for child in plan.children() {
        note(child, estimates, found);
    }
}

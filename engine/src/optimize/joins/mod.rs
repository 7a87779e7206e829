//! Regions of joins in a plan: flattened to relations and conditions, ordered, built again.
//!
//! A region is a tree of inner joins with the outer, semi- and anti-joins, filters and choices of columns between them.
//! Whatever else stands below is a relation, a plan of its own with regions of its own.

mod build;
mod collect;
mod derive;
mod keys;
mod region;
mod relation;

use super::estimate::Estimator;
use super::order;
use collect::{Names, is_region};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use region::Region;
use std::sync::Arc;

/// What all regions of one plan share.
pub(super) struct Ordering<'a> {
    /// What is known of the plan's scans.
    pub(super) estimator: Estimator<'a>,
    /// The number of the next alias of ours.
    pub(super) aliases: usize,
}

impl Ordering<'_> {
    /// Orders the joins of every region, the topmost first: it may pass keys down into those below.
    pub(super) fn order(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if is_region(&plan, true) {
            let schema = Arc::clone(plan.schema());
            if let Some((region, names)) = Region::of(&plan)?
                && let Some(ordered) = self.order_region(region)?
            {
                return named(ordered, schema, &names);
            }
        }
        let plan = plan.map_uncorrelated_subqueries(|inner| self.order_subquery(inner))?.data;
        Ok(plan.map_children(|child| self.order(child).map(Transformed::yes))?.data)
    }

    fn order_subquery(&mut self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Subquery(mut subquery) = plan else { return self.order(plan).map(Transformed::yes) };
        let inner = self.order(Arc::unwrap_or_clone(subquery.subquery))?;
        subquery.subquery = Arc::new(inner);
        Ok(Transformed::yes(LogicalPlan::Subquery(subquery)))
    }

    /// The best order of a region; `None` where a table's rows are unknown, and nothing is better than the text's.
    fn order_region(&mut self, mut region: Region) -> Result<Option<LogicalPlan>> {
        let Some(mut problem) = region.problem(self.estimator) else { return Ok(None) };
        let derived = derive::derive(&mut region, self.estimator)?;
        if keys::pass(&mut region, self)? || derived {
            let Some(changed) = region.problem(self.estimator) else { return Ok(None) };
            problem = changed;
        }
        let Some(tree) = order::order(&problem) else { return Ok(None) };
        for relation in &mut region.relations {
            relation.change(|plan| self.order(plan))?;
        }
        build::in_order(region, &tree).map(Some)
    }
}

/// The columns of a plan by the names and in the order of a schema.
fn named(plan: LogicalPlan, schema: DFSchemaRef, names: &Names) -> Result<LogicalPlan> {
    if plan.schema() == &schema {
        return Ok(plan);
    }
    let column = |column: Column| match names.get(&column) {
        Some(known) if *known != column => Expr::Column(known.clone()).alias_qualified(column.relation, column.name),
        _ => Expr::Column(column),
    };
    let columns = schema.columns().into_iter().map(column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new_with_schema(columns, Arc::new(plan), schema)?))
}

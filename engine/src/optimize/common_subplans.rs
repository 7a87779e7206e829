//! Parts of a plan that are equal, whose rows are computed once.
//!
//! A query that names a CTE or a view several times has a copy of it in each place. Of what became of the copies, the largest
//! parts that are still equal and end in a grouping, a window or DISTINCT are marked with a number; operators of one number
//! share their rows ([`CommonSubplanExec`]). What a filter or a choice of columns made different is computed by itself.

use crate::physical::CommonSubplanExec;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Marks the equal parts of a plan.
pub(super) fn mark(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !reads_a_table_twice(&plan)? {
        return Ok(plan);
    }
    let mut parts = Parts::default();
    parts.count(&plan)?;
    parts.0.retain(|part, count| *count > 1 && part.is_repeatable);
    if parts.0.is_empty() {
        return Ok(plan);
    }
    for (number, count) in parts.0.values_mut().enumerate() {
        *count = number;
    }
    parts.mark(plan)
}

fn reads_a_table_twice(plan: &LogicalPlan) -> Result<bool> {
    let (mut names, mut twice) = (Vec::new(), false);
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            twice |= names.contains(&scan.table_name);
            names.push(scan.table_name.clone());
        }
        Ok(if twice { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(twice)
}

/// A part of a plan, and the tables that it reads: equal names may stand for tables of different times.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    plan: LogicalPlan,
    tables: Vec<usize>,
    /// Whether its rows are the same wherever it stands.
    is_repeatable: bool,
}

impl Part {
    /// The part that ends in a node, where it is of a kind that is shared.
    fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        if !matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(_)) {
            return Ok(None);
        }
        let (mut tables, mut is_repeatable) = (Vec::new(), true);
        plan.apply_with_subqueries(|node| {
            match node {
                LogicalPlan::TableScan(scan) => {
                    tables.push(Arc::as_ptr(&source_as_provider(&scan.source)?).cast::<()>().addr());
                }
                // Its terms read what the last round made.
                LogicalPlan::RecursiveQuery(_) => is_repeatable = false,
                _ => {}
            }
            node.apply_expressions(|expr| {
                is_repeatable &= !expr.is_volatile() && !expr.contains_outer();
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(Some(Self { plan: plan.clone(), tables, is_repeatable }))
    }
}

/// Parts, and in how many places each of them stands; then the number of each that is shared.
#[derive(Default)]
struct Parts(HashMap<Part, usize>);

impl Parts {
    /// Counts parts; those within one count once, however often that one stands in the plan.
    fn count(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            let Some(part) = Part::of(node)? else { return Ok(TreeNodeRecursion::Continue) };
            let places = self.0.entry(part).or_default();
            *places += 1;
            Ok(if *places > 1 { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Continue })
        })?;
        Ok(())
    }

    fn mark(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let number = Part::of(&plan)?.and_then(|part| self.0.get(&part).copied());
        let within = |plan: LogicalPlan| self.mark(plan).map(Transformed::yes);
        let plan = plan.map_subqueries(within)?.data.map_children(within).data()?;
        Ok(match number {
            Some(number) => LogicalPlan::Extension(Extension { node: Arc::new(CommonSubplan { input: plan, number }) }),
            None => plan,
        })
    }
}

/// A part of a plan that stands in other places too, under the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
struct CommonSubplan {
    input: LogicalPlan,
    number: usize,
}

impl UserDefinedLogicalNodeCore for CommonSubplan {
    fn name(&self) -> &'static str {
        "CommonSubplan"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CommonSubplan: {}", self.number)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("a common subplan has one input");
        };
        Ok(Self { input, number: self.number })
    }
}

/// Plans common subplans.
#[derive(Debug)]
pub(super) struct CommonSubplanPlanner;

#[async_trait]
impl ExtensionPlanner for CommonSubplanPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(match (node.as_any().downcast_ref::<CommonSubplan>(), physical_inputs) {
            (Some(common), [input]) => Some(Arc::new(CommonSubplanExec::new(common.number, Arc::clone(input)))),
            _ => None,
        })
    }
}

//! From an optimized logical plan to operators, with the leader's own optimization between.
//!
//! It runs once, after DataFusion's rules have reached their end: run among them, it would be undone, since DataFusion
//! puts inner joins back into the order of their text in every pass.

use super::common_subplans::{self, CommonSubplanPlanner};
use super::estimate::{Estimator, Known};
use super::joins::Ordering;
use super::marker::{Estimated, MarkPlanner};
use crate::lake::table::LakeTable;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Extension, Join, LogicalPlan, TableProviderFilterPushDown, TableScan};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// Whether a session's plans are optimized by cost: a setting of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CostBased(pub(crate) bool);

impl CostBased {
    /// Whether it is on, as it is where nothing was set.
    pub(crate) fn is_on(config: &SessionConfig) -> bool {
        config.get_extension::<Self>().is_none_or(|set| set.0)
    }
}

/// Plans queries.
#[derive(Debug, Default)]
pub(crate) struct CostBasedPlanner;

#[async_trait]
impl QueryPlanner for CostBasedPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let arranged = arranged(logical_plan, session).await?;
        operators(arranged.as_ref().unwrap_or(logical_plan), session).await
    }
}

/// A plan with its joins in the order that costs least, what is estimated of them, and marks on equal parts, as [`operators`]
/// takes it; `None` where there is nothing to order. It is right as long as what its tables tell is the same.
pub(crate) async fn arranged(plan: &LogicalPlan, session: &dyn Session) -> Result<Option<LogicalPlan>> {
    if !CostBased::is_on(session.config()) || !has_joins(plan)? {
        return Ok(None);
    }
    let known = ask(plan, session).await?;
    crate::plan::with_room(|| {
        let ordered = order(plan.clone(), &known, session)?;
        common_subplans::mark(mark(ordered, Estimator::new(&known))?)
    })
    .map(Some)
}

/// The operators of a plan, its joins in the order in which they stand.
pub(crate) async fn operators(plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
    let planner =
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(MarkPlanner), Arc::new(CommonSubplanPlanner)]);
    planner.create_physical_plan(plan, session).await
}

/// A plan in the order that costs least, with the estimate of each node, as EXPLAIN shows it.
pub(crate) async fn explained(plan: &LogicalPlan, session: &dyn Session) -> Result<Vec<String>> {
    let (plan, known) = ordered(plan, session).await?;
    let mut lines = Vec::new();
    describe(&plan, Estimator::new(&known), 0, &mut lines);
    Ok(lines)
}

/// A plan in the order that costs least, and what its tables told.
pub(super) async fn ordered(plan: &LogicalPlan, session: &dyn Session) -> Result<(LogicalPlan, Known)> {
    let known = ask(plan, session).await?;
    let plan = if CostBased::is_on(session.config()) && has_joins(plan)? {
        crate::plan::with_room(|| order(plan.clone(), &known, session))?
    } else {
        plan.clone()
    };
    Ok((plan, known))
}

fn describe(plan: &LogicalPlan, estimator: Estimator, depth: usize, lines: &mut Vec<String>) {
    let estimate = estimator.plan(plan);
    let rows = if estimate.known { format!("{:.0}", estimate.rows) } else { "unknown".to_owned() };
    lines.push(format!("{}{}  (rows={rows})", "  ".repeat(depth), plan.display()));
    for input in plan.inputs() {
        describe(input, estimator, depth + 1, lines);
    }
}

fn has_joins(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(_));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Orders the joins of a plan, then lets DataFusion put filters and choices of columns where they belong now.
fn order(plan: LogicalPlan, known: &Known, session: &dyn Session) -> Result<LogicalPlan> {
    let mut ordering = Ordering { estimator: Estimator::new(known), aliases: 0 };
    let plan = ordering.order(plan)?;
    let rules = Optimizer::with_rules(vec![Arc::new(PushDownFilter::new()), Arc::new(OptimizeProjections::new())]);
    let options = Arc::new(session.config_options().clone());
    let context = OptimizerContext::new_with_config_options(options).with_max_passes(1);
    rules.optimize(plan, &context, |_, _| {})
}

/// Asks every table for its statistics once; external ones, which know their rows only when their files are listed, by
/// planning the scan.
async fn ask(plan: &LogicalPlan, session: &dyn Session) -> Result<Known> {
    let mut scans: Vec<TableScan> = Vec::new();
    let mut known = Known::default();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            match provider.downcast_ref::<LakeTable>() {
                Some(_) => scans.push(scan.clone()),
                None => known.add_table(scan, provider.as_ref()),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for scan in scans {
        let provider = source_as_provider(&scan.source)?;
        // Listings and footers are kept, so that the plan's own scan finds them there. What is wrong with a table is
        // told by that scan.
        let planned = provider.scan(session, scan.projection.as_ref(), &scan.filters, scan.fetch).await;
        let Ok(planned) = planned else { continue };
        let Ok(statistics) = StatisticsContext::new().compute(planned.as_ref(), &StatisticsArgs::new()) else {
            continue;
        };
        let decided = provider.supports_filters_pushdown(&scan.filters.iter().collect::<Vec<_>>())?;
        let exact = scan.filters.iter().zip(decided).filter(|(_, by)| *by == TableProviderFilterPushDown::Exact);
        let applied = exact.map(|(filter, _)| filter.clone()).collect();
        known.add(&scan, applied, statistics);
    }
    Ok(known)
}

/// Marks joins and their inputs with their estimates.
fn mark(plan: LogicalPlan, estimator: Estimator) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::Join(join) => match marked(&join, estimator) {
                Some(marked) => Transformed::yes(marked),
                None => Transformed::no(LogicalPlan::Join(join)),
            },
            node => Transformed::no(node),
        })
    })
    .data()
}

fn marked(join: &Join, estimator: Estimator) -> Option<LogicalPlan> {
    let mark = |plan: LogicalPlan| {
        let estimate = estimator.plan(&plan);
        let is_known = estimate.known;
        is_known.then(|| LogicalPlan::Extension(Extension { node: Arc::new(Estimated::new(plan, estimate)) }))
    };
    // The input of an input is marked already where it is a join itself.
    let side = |plan: &Arc<LogicalPlan>| match plan.as_ref() {
        LogicalPlan::Extension(_) => Some(Arc::clone(plan)),
        plan => mark(plan.clone()).map(Arc::new),
    };
    let (left, right) = (side(&join.left)?, side(&join.right)?);
    mark(LogicalPlan::Join(Join { left, right, ..join.clone() }))
}

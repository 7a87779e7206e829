//! Plans that use how managed tables are laid out: joins and groupings on distribution keys without an exchange,
//! sorts and groupings in the order of sort keys, and joins with tables of which each node has a copy.
//!
//! A scan does not know the plan above it, so it declares nothing. This rule runs before DataFusion adds exchanges and
//! sorts. Where an operator needs its input by a key, it tries each scan below in the layout of its table; if DataFusion
//! then finds the need satisfied, through all that stands between, the scan stays so, else it stays as it was. So
//! nothing here repeats what projections, filters and joins do to partitionings and orders.

use crate::tables::ManagedScan;
use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::Aggregate;
use datafusion::physical_expr::{Distribution, OrderingRequirements};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};
use std::sync::Arc;

type Plan = Arc<dyn ExecutionPlan>;

/// The rule.
#[derive(Debug, Default)]
pub(super) struct UseLayout;

impl PhysicalOptimizerRule for UseLayout {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> Result<Plan> {
        let improve = |node: Plan| {
            let node = join_copies(node)?;
            let node = by_keys(node, config)?;
            in_order(node, config).map(Transformed::yes)
        };
        if !has_managed_scan(&plan) {
            return Ok(plan);
        }
        plan.transform_up(improve).data()
    }

    fn name(&self) -> &'static str {
        "UseLayout"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn has_managed_scan(plan: &Plan) -> bool {
    ManagedScan::of(plan.as_ref()).is_some() || plan.children().into_iter().any(has_managed_scan)
}

/// Whether something that is changed below the build side and below the probe side of a join is seen above the join.
type Shows = fn(&HashJoinExec) -> [bool; 2];

/// How its rows are distributed; a table that is built of all of them for all partitions has lost that, and where its own
/// rows come out at the end, so has the other side.
fn shows_distribution(join: &HashJoinExec) -> [bool; 2] {
    use JoinType::{Inner, Right, RightAnti, RightMark, RightSemi};
    let partitioned = join.mode != PartitionMode::CollectLeft;
    [partitioned, partitioned || matches!(join.join_type(), Inner | Right | RightSemi | RightAnti | RightMark)]
}

/// How its rows are ordered; those of the build side only behind the order of the probe side, if that has one.
fn shows_order(join: &HashJoinExec) -> [bool; 2] {
    let keeps = join.maintains_input_order();
    let [build, probe] = [0_usize, 1].map(|side| keeps.get(side) != Some(&false));
    [build || (probe && !join.right().equivalence_properties().oeq_class().is_empty()), probe]
}

/// The scans of managed tables below a node, without those below joins where no change of them is seen.
fn scans(plan: &Plan, shows: Shows) -> Vec<Plan> {
    if ManagedScan::of(plan.as_ref()).is_some() {
        return vec![Arc::clone(plan)];
    }
    let shown = plan.downcast_ref::<HashJoinExec>().map_or([true; 2], shows);
    // All other nodes show what is below each of their inputs, however many these are.
    let shown = shown.into_iter().chain(std::iter::repeat(true));
    let inputs = plan.children().into_iter().zip(shown).filter(|(_, shown)| *shown);
    inputs.flat_map(|(input, _)| scans(input, shows)).collect()
}

/// The plan with another scan in the place of one.
fn with_scan(plan: &Plan, scan: &Plan, other: &Plan) -> Result<Plan> {
    let swap = |node: Plan| {
        Ok(if Arc::ptr_eq(&node, scan) {
            Transformed::new(Arc::clone(other), true, TreeNodeRecursion::Stop)
        } else {
            Transformed::no(node)
        })
    };
    Arc::clone(plan).transform_down(swap).data()
}

/// The first plan with one of its scans changed that passes a test. Each try makes all operators above the scan anew.
fn try_scans(
    plan: &Plan,
    shows: Shows,
    change: impl Fn(&ManagedScan<'_>) -> Option<Plan>,
    test: impl Fn(&Plan) -> Result<bool>,
) -> Result<Option<Plan>> {
    for scan in scans(plan, shows) {
        let Some(other) = ManagedScan::of(scan.as_ref()).and_then(|known| change(&known)) else { continue };
        let changed = with_scan(plan, &scan, &other)?;
        if test(&changed)? {
            return Ok(Some(changed));
        }
    }
    Ok(None)
}

/// An operator that wants its inputs by a key gets scans by their distribution keys, where those are the key or, if
/// any partitioning will do, a part of it.
fn by_keys(node: Plan, config: &ConfigOptions) -> Result<Plan> {
    let partitions = config.execution.target_partitions;
    if partitions < 2 {
        return Ok(node);
    }
    let joins = node.downcast_ref::<HashJoinExec>().is_some_and(|join| join.mode == PartitionMode::Partitioned)
        || node.is::<SortMergeJoinExec>();
    let requirements = node.input_distribution_requirements().into_per_child();
    let mut children: Vec<Plan> = node.children().into_iter().cloned().collect();
    let mut changed = false;
    for (child, requirement) in children.iter_mut().zip(requirements) {
        if matches!(requirement, Distribution::UnspecifiedDistribution | Distribution::SinglePartition) {
            continue;
        }
        let part_will_do =
            !joins && partitions >= config.optimizer.subset_repartition_threshold && !by_grouping_set(child);
        let fits = |plan: &Plan| {
            let partitioning = plan.output_partitioning();
            let satisfied = partitioning.satisfaction(&requirement, plan.equivalence_properties(), part_will_do);
            Ok(partitioning.partition_count() == partitions && satisfied.is_satisfied())
        };
        if fits(child)? {
            continue;
        }
        if let Some(plan) = try_scans(child, shows_distribution, |scan| scan.by_distribution_key(partitions), fits)? {
            *child = plan;
            changed = true;
        }
    }
    if changed { replace_children_if_necessary(node, children) } else { Ok(node) }
}

/// Whether rows are grouped in several ways at once, so that a part of the key does not tell the groups apart.
fn by_grouping_set(plan: &Plan) -> bool {
    plan.schema().fields().iter().any(|field| field.name() == Aggregate::INTERNAL_GROUPING_ID)
}

/// A sort, a grouping or another operator that profits from order gets a scan in the order of its sort key.
fn in_order(node: Plan, config: &ConfigOptions) -> Result<Plan> {
    let partitions = config.execution.target_partitions;
    let change = |scan: &ManagedScan<'_>| scan.in_key_order(partitions);
    if let Some(sort) = node.downcast_ref::<SortExec>() {
        let ordered = |plan: &Plan| plan.equivalence_properties().ordering_satisfy(sort.expr().iter().cloned());
        return match try_scans(sort.input(), shows_order, change, ordered)? {
            Some(input) => replace_children_if_necessary(Arc::clone(&node), vec![input]),
            None => Ok(node),
        };
    }
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        if aggregate.group_expr().is_empty() || *aggregate.input_order_mode() != InputOrderMode::Linear {
            return Ok(node);
        }
        let ordered = |plan: &Plan| {
            let aggregate = plan.downcast_ref::<AggregateExec>();
            Ok(aggregate.is_some_and(|aggregate| *aggregate.input_order_mode() == InputOrderMode::Sorted))
        };
        return Ok(try_scans(&node, shows_order, change, ordered)?.unwrap_or(node));
    }
    let mut children: Vec<Plan> = node.children().into_iter().cloned().collect();
    let mut changed = false;
    for (child, requirement) in children.iter_mut().zip(node.required_input_ordering()) {
        let Some(requirement) = requirement.map(OrderingRequirements::into_single) else { continue };
        let ordered = |plan: &Plan| plan.equivalence_properties().ordering_satisfy_requirement(requirement.clone());
        if ordered(child)? {
            continue;
        }
        if let Some(plan) = try_scans(child, shows_order, change, ordered)? {
            *child = plan;
            changed = true;
        }
    }
    if changed { replace_children_if_necessary(node, children) } else { Ok(node) }
}

/// A join with a table of which each node has a copy needs no exchange: the copy is what its hash table is made of, if
/// it is not the larger side.
fn join_copies(node: Plan) -> Result<Plan> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else { return Ok(node) };
    if join.mode != PartitionMode::Partitioned || join.null_aware {
        return Ok(node);
    }
    let (left, right) = (is_copied(join.left()), is_copied(join.right()) && join.join_type().supports_swap());
    if !left && !right {
        // Before its rows are counted, for which the whole plan below is gone through.
        return Ok(node);
    }
    let (left_rows, right_rows) = (rows(join.left())?, rows(join.right())?);
    let smaller = |one: Option<usize>, other: Option<usize>| one.zip(other).is_none_or(|(one, other)| one <= other);
    if left && smaller(left_rows, right_rows) {
        return Ok(Arc::new(join.builder().with_partition_mode(PartitionMode::CollectLeft).build()?));
    }
    if right && smaller(right_rows, left_rows) {
        return join.swap_inputs(PartitionMode::CollectLeft);
    }
    Ok(node)
}

/// Whether a plan reads nothing but tables of which each node has a copy.
pub(crate) fn is_copied(plan: &Plan) -> bool {
    match ManagedScan::of(plan.as_ref()) {
        Some(scan) => scan.is_copied(),
        None => !plan.children().is_empty() && plan.children().into_iter().all(is_copied),
    }
}

fn rows(plan: &Plan) -> Result<Option<usize>> {
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
    Ok(known.num_rows.get_value().copied())
}

//! What is estimated of the nodes of a plan, for those who look at the operators that became of them.
//!
//! Operators do not know the nodes that they come from. They are found by their kind and the names of their columns;
//! a node that is not found has no estimate here, and the operator's own statistics must do.

use super::estimate::{Estimate, Estimator};
use super::planner::ordered;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

/// What kind of node it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A table with the filter over it; the table's name without its schema.
    Scan(String),
    /// A filter over anything else.
    Filter,
    /// A grouping.
    Aggregate,
    /// A join.
    Join,
}

/// What is estimated of a node.
#[derive(Debug, Clone)]
pub(crate) struct NodeEstimate {
    /// Its kind.
    pub(crate) kind: NodeKind,
    /// The names of its columns.
    pub(crate) names: Vec<String>,
    /// Its rows.
    pub(crate) rows: f64,
    /// Whether every table below told its rows.
    pub(crate) known: bool,
    /// Bytes of a value of each column.
    pub(crate) widths: Vec<f64>,
    /// Whether rows are left out of a scan.
    pub(crate) filtered: bool,
}

/// The estimates of a plan's nodes in the order that costs least, a node before its inputs.
pub(crate) async fn node_estimates(plan: &LogicalPlan, session: &dyn Session) -> Result<Vec<NodeEstimate>> {
    let (plan, known) = ordered(plan, session).await?;
    let mut found = Vec::new();
    crate::plan::with_room(|| collect(&plan, Estimator::new(&known), &mut found));
    Ok(found)
}

/// Bytes of a value of which only the type is known.
pub(crate) fn value_width(data_type: &DataType) -> f64 {
    super::estimate::width(data_type)
}

fn collect(plan: &LogicalPlan, estimator: Estimator, found: &mut Vec<NodeEstimate>) {
    let kind = match plan {
        LogicalPlan::TableScan(scan) => {
            Some((NodeKind::Scan(scan.table_name.table().to_owned()), !scan.filters.is_empty()))
        }
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::TableScan(scan) => Some((NodeKind::Scan(scan.table_name.table().to_owned()), true)),
            _ => Some((NodeKind::Filter, true)),
        },
        LogicalPlan::Aggregate(_) => Some((NodeKind::Aggregate, false)),
        LogicalPlan::Join(_) => Some((NodeKind::Join, false)),
        _ => None,
    };
    let over_scan = matches!((&kind, plan), (Some((NodeKind::Scan(_), _)), LogicalPlan::Filter(_)));
    if let Some((kind, filtered)) = kind {
        let Estimate { rows, known, columns } = estimator.plan(plan);
        let names = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let widths = columns.iter().map(|column| column.width).collect();
        found.push(NodeEstimate { kind, names, rows, known, widths, filtered });
    }
    // The scan below its filter is told already.
    if !over_scan {
        for input in plan.inputs() {
            collect(input, estimator, found);
        }
    }
}

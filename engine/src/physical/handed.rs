//! A plan's leaf whose rows are handed to it: how an operator of DataFusion's reads what we have collected, written or
//! counted.

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{internal_datafusion_err, internal_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, replace_children_if_necessary};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives each partition the rows that it was handed before, once.
pub(super) struct HandedExec {
    properties: Arc<PlanProperties>,
    /// The plan in whose place it stands: where a join looks whether anybody uses the filter that it finds.
    origin: Option<Arc<dyn ExecutionPlan>>,
    rows: Mutex<HashMap<usize, SendableRecordBatchStream>>,
}

impl HandedExec {
    /// In the place of a plan, with all that it promises.
    pub(super) fn in_place_of(origin: &Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::clone(origin.properties());
        Self { properties, origin: Some(Arc::clone(origin)), rows: Mutex::default() }
    }

    /// An operator over rows that it is handed, in the place of those of its one input.
    pub(super) fn below(operator: &Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, Arc<Self>)> {
        let input = Arc::new(Self::in_place_of(operator.children()[0]));
        let run = replace_children_if_necessary(Arc::clone(operator), vec![Arc::clone(&input) as _])?;
        Ok((run, input))
    }

    /// Of rows in so many partitions of which nothing is known.
    pub(super) fn new(schema: SchemaRef, partitions: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { properties: Arc::new(properties), origin: None, rows: Mutex::default() }
    }

    /// Hands a partition its rows.
    pub(super) fn hand(&self, partition: usize, rows: SendableRecordBatchStream) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, rows);
    }
}

impl fmt::Debug for HandedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedExec").field("properties", &self.properties).finish_non_exhaustive()
    }
}

impl DisplayAs for HandedExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandedExec")
    }
}

impl ExecutionPlan for HandedExec {
    fn name(&self) -> &'static str {
        "HandedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.origin.iter().collect()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("what stands in the place of a plan has no other children")
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
        rows.ok_or_else(|| internal_datafusion_err!("nothing was handed to partition {partition}"))
    }
}

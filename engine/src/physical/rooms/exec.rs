//! An operator whose partitions have rooms.

use super::fit::fitted;
use super::room::{Need, enter, filling, giving_back};
use crate::physical::forward::{Around, AroundExec, Plan};
use crate::physical::handed::HandedExec;
use arrow::datatypes::{DataType, Schema};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlanProperties, InputOrderMode};
use std::sync::Arc;

/// What a table of groups takes for a column of texts, which it keeps in pieces of 2 MB: one that is given out, one that is
/// full and one that is filled.
const TEXT_BYTES: usize = 3 * (2 << 20);

/// Runs a sort, a grouping or a merge in rooms. Its input is not: what it reads has the statement's memory, and is handed
/// to it.
#[derive(Debug)]
pub(super) struct InRooms {
    /// The operator as it is run: over rows that it is handed.
    run: Plan,
    input: Arc<HandedExec>,
    need: Need,
}

impl InRooms {
    /// Around an operator that gains by it.
    pub(super) fn of(plan: &Plan) -> Result<Option<Self>> {
        let need = if let Some(sort) = plan.downcast_ref::<SortExec>() {
            // With a limit it holds as many rows, and cannot write them.
            if sort.fetch().is_none() { Need::Sort } else { Need::Whole }
        } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            // Without groups there is one row, whose states cannot be written.
            if aggregate.group_expr().is_true_no_grouping() {
                Need::Whole
            } else {
                // Groups that come one after the other are not written: one that is too large is an error.
                let can_spill = *aggregate.input_order_mode() != InputOrderMode::Sorted;
                Need::Group { table_bytes: texts(&plan.schema()) * TEXT_BYTES, can_spill }
            }
        } else if plan.is::<SortPreservingMergeExec>() {
            Need::Merge
        } else {
            return Ok(None);
        };
        let (run, input) = HandedExec::below(plan)?;
        Ok(Some(Self { run, input, need }))
    }
}

impl Around for InRooms {
    const NAME: &'static str = "InRoomsExec";

    fn again(&self, inner: &Plan) -> Result<Option<Self>> {
        Self::of(inner)
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = inner.children()[0];
        let read = match self.need {
            Need::Merge => 0..input.output_partitioning().partition_count(),
            _ => partition..partition + 1,
        };
        let name = format!("{}[{partition}]", inner.name());
        let entered = enter(&context, name, self.need, &input.schema());
        for partition in read {
            let mut rows = input.execute(partition, Arc::clone(&context))?;
            if let Some((_, room)) = &entered {
                if self.need == Need::Sort {
                    rows = fitted(rows, room.least());
                }
                rows = filling(rows, Arc::clone(room));
            }
            self.input.hand(partition, rows);
        }
        match entered {
            Some((context, room)) => Ok(giving_back(self.run.execute(partition, context)?, room)),
            None => self.run.execute(partition, context),
        }
    }

    fn metrics(&self, _inner: &Plan) -> Option<MetricsSet> {
        self.run.metrics()
    }
}

/// How many columns are texts.
fn texts(schema: &Schema) -> usize {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
    };
    schema.fields().iter().filter(|field| is_text(field.data_type())).count()
}

/// Such an operator around a plan's, if it is one.
pub(in crate::physical) fn in_rooms(plan: &Plan) -> Result<Option<Plan>> {
    Ok(InRooms::of(plan)?.map(|around| Arc::new(AroundExec::new(Arc::clone(plan), around)) as _))
}

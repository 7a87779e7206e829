//! The shapes in which a join is done in parts.

use crate::physical::handed::HandedExec;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{JoinType, internal_err};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use std::sync::Arc;

/// The name of the column that numbers rows of the probe side.
const NUMBER: &str = "row_number";

/// A join without children: of the rows that it is handed.
#[derive(Debug)]
pub(super) struct Template {
    join: HashJoinExec,
}

/// A join that can be run, once for each partition.
pub(super) struct Instance {
    pub(super) join: HashJoinExec,
    pub(super) build: Arc<HandedExec>,
    pub(super) probe: Arc<HandedExec>,
}

impl Instance {
    /// The join itself with its children's rows handed to it: it keeps its counters and the filter that it finds.
    pub(super) fn of(join: &HashJoinExec) -> Result<Self> {
        let build = Arc::new(HandedExec::in_place_of(join.left()));
        let probe = Arc::new(HandedExec::in_place_of(join.right()));
        let children = vec![Arc::clone(&build) as _, Arc::clone(&probe) as _];
        let join = join.builder().with_new_children(children)?.build()?;
        Ok(Self { join, build, probe })
    }
}

impl Template {
    /// A join's own shape, without what is decided over all parts together: its limit, and NOT IN's way with NULL.
    pub(super) fn of(join: &HashJoinExec) -> Result<Self> {
        let columns = join.join_schema().fields().len();
        let projection = join.projection.as_ref().map_or_else(|| (0..columns).collect(), |given| given.to_vec());
        let join = join
            .builder()
            .reset_state()
            .with_partition_mode(PartitionMode::CollectLeft)
            .with_null_aware(false)
            .with_fetch(None)
            .with_projection(Some(projection))
            .with_new_children(vec![leaf(&join.left().schema()), leaf(&join.right().schema())])?
            .build()?;
        Ok(Self { join })
    }

    /// The join.
    pub(super) fn join(&self) -> &HashJoinExec {
        &self.join
    }

    /// The rows of the build side.
    pub(super) fn build_schema(&self) -> SchemaRef {
        self.join.left().schema()
    }

    /// The rows of the probe side.
    pub(super) fn probe_schema(&self) -> SchemaRef {
        self.join.right().schema()
    }

    /// The columns of its result, as numbers of those of both sides.
    pub(super) fn projection(&self) -> &[usize] {
        self.join.projection.as_deref().unwrap_or_default()
    }

    /// A join of its own, of one build side with so many partitions of the probe side.
    pub(super) fn instance(&self, partitions: usize) -> Result<Instance> {
        let build = Arc::new(HandedExec::new(self.build_schema(), 1));
        let probe = Arc::new(HandedExec::new(self.probe_schema(), partitions));
        let children = vec![Arc::clone(&build) as _, Arc::clone(&probe) as _];
        let join = self.join.builder().reset_state().with_new_children(children)?.recompute_properties().build()?;
        Ok(Instance { join, build, probe })
    }

    /// The same with its sides changed: what it keeps of its probe side it keeps of its build side then.
    pub(super) fn swapped(&self) -> Result<Self> {
        let swapped = self.join.swap_inputs(PartitionMode::CollectLeft)?;
        match swapped.downcast_ref::<HashJoinExec>() {
            Some(join) => Self::of(join),
            None => internal_err!("a join with its sides changed is another operator"),
        }
    }

    /// Of a full join, the rows of the build side with those that they meet, if any.
    pub(super) fn left_half(&self) -> Result<Self> {
        Ok(Self { join: self.join.builder().reset_state().with_type(JoinType::Left).build()? })
    }

    /// Of a full join, the rows of the probe side that meet none, all their columns.
    pub(super) fn rest(&self) -> Result<Self> {
        let columns = self.probe_schema().fields().len();
        let join = self.join.builder().reset_state().with_type(JoinType::RightAnti);
        Ok(Self { join: join.with_projection(Some((0..columns).collect())).build()? })
    }

    /// The same where each row of the probe side has a number, its last column, which is the last of the result too.
    /// Only for joins that keep the order of their probe side.
    pub(super) fn numbered(&self) -> Result<Self> {
        let probe = numbered(&self.probe_schema());
        let (build, columns) = (self.build_schema().fields().len(), self.probe_schema().fields().len());
        let number = match self.join.join_type() {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => columns,
            _ => build + columns,
        };
        // The mark stands after the probe side's columns.
        let moved = self.projection().iter().map(|column| if *column < number { *column } else { column + 1 });
        let projection = moved.chain([number]).collect();
        let children = vec![leaf(&self.build_schema()), leaf(&probe)];
        let join = self.join.builder().reset_state().with_projection(Some(projection));
        Ok(Self { join: join.with_new_children(children)?.recompute_properties().build()? })
    }
}

/// A schema with the column that numbers rows.
pub(super) fn numbered(schema: &SchemaRef) -> SchemaRef {
    let number = Arc::new(Field::new(NUMBER, DataType::UInt64, false));
    let fields = schema.fields().iter().cloned().chain([number]);
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn leaf(schema: &SchemaRef) -> Arc<dyn ExecutionPlan> {
    Arc::new(HandedExec::new(Arc::clone(schema), 1))
}

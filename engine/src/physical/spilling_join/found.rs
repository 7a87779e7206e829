//! The keys that a join found, as the scan of its probe side is told them: a set of bits ([`KeySet`]) in the place of
//! DataFusion's look-ups in the join's tables of hashes. What a list says, of few keys, stays a list.

use super::memory::{Claim, Env};
use crate::tables::{InKeySet, KeySet};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::NullEquality;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::{BinaryExpr, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_plan::joins::{HashJoinExec, HashTableLookupExpr, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::{Arc, Mutex, PoisonError};

/// The keys of a join whose scan is told them.
pub(super) struct FoundKeys {
    /// The join's filter, where the scan reads what it found.
    filter: PhysicalExprRef,
    build: PhysicalExprRef,
    probe: PhysicalExprRef,
    data_type: DataType,
    sets: Mutex<Sets>,
}

/// What the build sides said of their keys.
enum Sets {
    /// Of each build side what it said, once it did.
    Coming(Vec<Option<Held>>),
    /// The scan knows it all; the memory that its set is held in.
    Told { _memory: Option<MemoryReservation> },
}

struct Held {
    set: KeySet,
    memory: MemoryReservation,
}

impl FoundKeys {
    /// Of a join by one integer or date that finds a filter, which NULL does not pass.
    pub(super) fn of(join: &HashJoinExec) -> Result<Option<Self>> {
        let (Some(filter), [(build, probe)]) = (join.dynamic_expressions_produced().pop(), join.on()) else {
            return Ok(None);
        };
        let data_type = build.data_type(&join.left().schema())?;
        let is_same = probe.data_type(&join.right().schema())? == data_type;
        let nulls_meet = join.null_aware || join.null_equality() == NullEquality::NullEqualsNull;
        if !KeySet::is_of(&data_type) || !is_same || nulls_meet {
            return Ok(None);
        }
        let sides = match join.partition_mode() {
            PartitionMode::Partitioned => join.left().output_partitioning().partition_count(),
            _ => 1,
        };
        let sets = Mutex::new(Sets::Coming((0..sides).map(|_| None).collect()));
        Ok(Some(Self { filter, build: Arc::clone(build), probe: Arc::clone(probe), data_type, sets }))
    }

    /// Notes the keys of a whole build side, if there is memory for a set of them.
    pub(super) fn note(&self, env: &Env, side: usize, batches: &[RecordBatch]) -> Result<()> {
        let key = |batch: &RecordBatch| self.build.evaluate(batch)?.into_array(batch.num_rows());
        let keys = batches.iter().map(key).collect::<Result<Vec<ArrayRef>>>()?;
        let Some(set) = KeySet::of(&keys) else { return Ok(()) };
        let memory = env.reserve();
        if env.claim(&memory, set.bytes(), Claim::First)
            && let Sets::Coming(sets) = &mut *self.sets.lock().unwrap_or_else(PoisonError::into_inner)
            && let Some(place) = sets.get_mut(side)
        {
            *place = Some(Held { set, memory });
        }
        Ok(())
    }

    /// Tells the scan all keys, once: when the join has made its filter, before the first rows are asked for.
    pub(super) fn tell(&self) -> Result<()> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let Sets::Coming(found) = &mut *sets else { return Ok(()) };
        let found: Option<Vec<Held>> = std::mem::take(found).into_iter().collect();
        // Where a side said nothing it never will: the filter stays as it is.
        *sets = Sets::Told { _memory: self.told(found.unwrap_or_default())? };
        Ok(())
    }

    fn told(&self, found: Vec<Held>) -> Result<Option<MemoryReservation>> {
        let (mut sets, mut memories): (Vec<_>, Vec<_>) = found.into_iter().map(|held| (held.set, held.memory)).unzip();
        let set = if sets.len() > 1 { KeySet::union(&sets) } else { sets.pop() };
        let (Some(set), Some(memory)) = (set, memories.pop()) else { return Ok(None) };
        let Some(filter) = self.filter.downcast_ref::<DynamicFilterPhysicalExpr>() else { return Ok(None) };
        let Some((least, greatest)) = set.bounds(&self.data_type) else { return Ok(None) };
        if !filter.current()?.exists(|part| Ok(part.is::<HashTableLookupExpr>()))? {
            return Ok(None);
        }
        memory.resize(set.bytes());
        let key = || Arc::clone(&self.probe);
        let bounds = and(compare(key(), Operator::GtEq, lit(least)), compare(key(), Operator::LtEq, lit(greatest)));
        filter.update(and(bounds, Arc::new(InKeySet::new(key(), Arc::new(set)))))?;
        filter.mark_complete();
        Ok(Some(memory))
    }
}

fn compare(left: PhysicalExprRef, operator: Operator, right: PhysicalExprRef) -> PhysicalExprRef {
    Arc::new(BinaryExpr::new(left, operator, right))
}

fn and(left: PhysicalExprRef, right: PhysicalExprRef) -> PhysicalExprRef {
    compare(left, Operator::And, right)
}

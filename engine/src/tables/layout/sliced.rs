//! Files of which a partition keeps a part of the rows: those of its buckets.

use super::buckets::bucket_numbers;
use super::groups::Slice;
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::internal_err;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::Result;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;

/// Leaves out the rows of other slices, where a file says so.
#[derive(Debug)]
pub(in crate::tables) struct SlicedMorselizer {
    pub(in crate::tables) inner: Box<dyn Morselizer>,
    /// The distribution key's place in what the scan gives.
    pub(in crate::tables) key: Option<usize>,
}

impl Morselizer for SlicedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let slice = file.extension::<Slice>().copied();
        let inner = self.inner.plan_file(file)?;
        match (slice, self.key) {
            (None, _) => Ok(inner),
            (Some(slice), Some(key)) => Ok(Box::new(SlicedPlanner { inner, slice, key })),
            (Some(_), None) => internal_err!("a scan by slices does not read the distribution key"),
        }
    }
}

#[derive(Debug)]
struct SlicedPlanner {
    inner: Box<dyn MorselPlanner>,
    slice: Slice,
    key: usize,
}

impl MorselPlanner for SlicedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, slice, key } = *self;
        let Some(mut plan) = inner.plan()? else { return Ok(None) };
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| Box::new(SlicedMorsel { inner, slice, key }) as Box<dyn Morsel>).collect();
        let planners = plan.take_ready_planners().into_iter();
        let planners =
            planners.map(|inner| Box::new(SlicedPlanner { inner, slice, key }) as Box<dyn MorselPlanner>).collect();
        let pending = plan.take_pending_planner();
        let mut wrapped = MorselPlan::new().with_morsels(morsels).with_planners(planners);
        if let Some(pending) = pending {
            wrapped.set_pending_planner(async move {
                let inner = pending.into_future().await?;
                Ok(Box::new(SlicedPlanner { inner, slice, key }) as Box<dyn MorselPlanner>)
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct SlicedMorsel {
    inner: Box<dyn Morsel>,
    slice: Slice,
    key: usize,
}

impl Morsel for SlicedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, slice, key } = *self;
        inner.into_stream().map(move |batch| keep(&batch?, slice, key)).boxed()
    }
}

fn keep(batch: &RecordBatch, slice: Slice, key: usize) -> Result<RecordBatch> {
    let buckets = bucket_numbers(batch.column(key), slice.of)?;
    let kept: BooleanArray = buckets.into_iter().map(|bucket| Some(bucket == slice.number)).collect();
    Ok(filter_record_batch(batch, &kept)?)
}

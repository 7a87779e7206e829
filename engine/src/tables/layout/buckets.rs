//! The hash of distribution keys, and how many buckets and slices there are.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::hash_utils::create_hashes;
use datafusion::error::Result;
use datafusion::physical_plan::repartition::REPARTITION_RANDOM_STATE;

/// The version of the hash: to be raised when a release of DataFusion changes what [`bucket_numbers`] gives, which the
/// golden test notices. Files of another version count as files without a bucket.
pub(in crate::tables) const HASH_VERSION: u32 = 1;

/// The buckets of a table that was made without a number of them.
const DEFAULT_BUCKETS: u32 = 64;

/// For each value its bucket of `buckets`, as DataFusion's exchanges number their partitions.
pub(crate) fn bucket_numbers(keys: &ArrayRef, buckets: u32) -> Result<Vec<u32>> {
    let mut hashes = vec![0; keys.len()];
    create_hashes([keys], REPARTITION_RANDOM_STATE.random_state(), &mut hashes)?;
    let buckets = u64::from(buckets.max(1));
    Ok(hashes.into_iter().map(|hash| (hash % buckets) as u32).collect())
}

/// Whether equal values of a type have equal hashes. Floating-point zeros are equal and have two, and NaN has many.
pub(in crate::tables) fn is_hashable(data_type: &DataType) -> bool {
    !data_type.is_floating() && !data_type.is_nested()
}

/// How many groups of buckets `partitions` slices are written in: a power of two, at most the table's buckets.
pub(super) fn group_count(partitions: usize, buckets: u32) -> u32 {
    let buckets = if buckets == 0 { DEFAULT_BUCKETS } else { buckets };
    let most = u32::try_from(partitions).unwrap_or(u32::MAX).clamp(1, buckets);
    1 << most.ilog2()
}

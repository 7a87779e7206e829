//! The machine's part in a warehouse: its memory, its temporary space and its cores, and what plans are made for them.

use super::WarehouseConfig;
use crate::error::Result;
use crate::lake::stores::Stores;
use crate::physical;
use crate::wlm::LittleForAll;
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Bytes of Parquet footers that are kept.
const METADATA_CACHE_BYTES: usize = 256 << 20;

/// The part of the memory limit that the cache of files has.
const CACHE_SHARE: usize = 8;

/// Rows of a batch: twice DataFusion's, so that what is done once a batch counts less.
const BATCH_ROWS: usize = 16_384;

/// A join on one integer looks its rows up by the value itself, without a hash, where the values lie within so many (8
/// MiB for the array)…
const DIRECT_JOIN_RANGE: usize = 1 << 21;

/// … or where at least this part of the values between the least and the greatest is there.
const DIRECT_JOIN_DENSITY: f64 = 0.1;

/// What a session's statements are planned and run with, before it sets anything.
pub(super) fn session_config(warehouse: &WarehouseConfig) -> SessionConfig {
    let mut config = SessionConfig::new().with_information_schema(false).with_create_default_catalog_and_schema(false);
    // Buckets are a power of two: with as many slices, those of a table and of an exchange are the same.
    let slices = warehouse.target_partitions.unwrap_or_else(|| config.target_partitions().next_power_of_two());
    config = config.with_target_partitions(slices.max(1)).with_batch_size(BATCH_ROWS);
    let options = config.options_mut();
    // Redshift's and Trino's literals such as 1.5 are decimals.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    options.execution.parquet.bloom_filter_on_read = true;
    options.execution.collect_statistics = true;
    options.execution.perfect_hash_join_small_build_threshold = DIRECT_JOIN_RANGE;
    options.execution.perfect_hash_join_min_key_density = DIRECT_JOIN_DENSITY;
    // Rows by one key are also rows by that key and another.
    options.optimizer.subset_repartition_threshold = 2;
    config = physical::exchanges_write_apart(config);
    match statements_memory(warehouse) {
        Some(bytes) => physical::fit_to_memory(config, bytes),
        None => config,
    }
}

/// The stores, the memory and the temporary space of all statements.
pub(super) fn runtime(config: &WarehouseConfig, stores: Arc<Stores>) -> Result<Arc<RuntimeEnv>> {
    let mut builder =
        RuntimeEnvBuilder::new().with_object_store_registry(stores).with_metadata_cache_limit(METADATA_CACHE_BYTES);
    if let Some(limit) = statements_memory(config) {
        let consumers = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN);
        let pool = LittleForAll(GreedyMemoryPool::new(limit));
        builder = builder.with_memory_pool(Arc::new(TrackConsumersPool::new(pool, consumers)));
    }
    if let Some(bytes) = config.temporary_space_bytes {
        builder = builder.with_max_temp_directory_size(bytes);
    }
    Ok(builder.build_arc()?)
}

/// What the cache of files may hold.
pub(super) fn cache_memory(config: &WarehouseConfig) -> Option<u64> {
    memory_limit(config).map(|limit| (limit / CACHE_SHARE) as u64)
}

/// What statements may hold together.
fn statements_memory(config: &WarehouseConfig) -> Option<usize> {
    memory_limit(config).map(|limit| limit - limit / CACHE_SHARE)
}

/// What statements and the cache of files may hold together.
fn memory_limit(config: &WarehouseConfig) -> Option<usize> {
    config.memory_limit_bytes.or_else(|| machine_memory().map(|bytes| bytes / 5 * 4))
}

/// The machine's memory in bytes, or the control group's limit where that is less; `None` where Linux does not tell.
fn machine_memory() -> Option<usize> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.trim().trim_end_matches("kB").trim().parse::<usize>().ok()?.checked_mul(1024)?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = group.and_then(|text| text.trim().parse::<usize>().ok());
    Some(limit.map_or(total, |limit| limit.min(total)))
}

//! The state that all sessions of a warehouse share: its catalog, its lake, its memory and its functions.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::listing::{DEFAULT_TIME_TO_LIVE, Listings};
use crate::lake::location::Location;
use crate::lake::statistics::FileStatistics;
use crate::lake::stores::Stores;
use crate::lake::table::Lake;
use crate::optimize;
use crate::physical;
use crate::session::Turns;
use crate::tables::{self, TableStorage};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;
use millrace_catalog::Catalog;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// The catalog's file in a warehouse's directory.
const CATALOG_FILE: &str = "catalog.db";

/// The folder of managed tables' files in a warehouse's directory.
const DATA_FOLDER: &str = "data";

/// Bytes of Parquet footers that are kept.
const METADATA_CACHE_BYTES: usize = 256 << 20;

/// How old a file is that no transaction can still be writing.
const DEFAULT_ORPHAN_AGE: Duration = Duration::from_hours(24);

/// What a warehouse is opened with.
#[derive(Debug, Clone)]
pub struct WarehouseConfig {
    /// The warehouse's directory; made when it is not there.
    pub directory: PathBuf,
    /// `s3.*` settings, which go before the environment's.
    pub settings: BTreeMap<String, String>,
    /// How many partitions a plan runs in; the cores by default.
    pub target_partitions: Option<usize>,
    /// How many bytes statements may hold together; four fifths of the machine's memory by default.
    pub memory_limit_bytes: Option<usize>,
    /// How long a listing of files is believed.
    pub listing_time_to_live: Duration,
    /// How old a data file is that is removed when the warehouse opens and no manifest names it: older than the longest
    /// transaction of any process, which may have written it and not committed yet.
    pub orphan_age: Duration,
}

impl WarehouseConfig {
    /// A warehouse in a directory, everything else by default.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            settings: BTreeMap::new(),
            target_partitions: None,
            memory_limit_bytes: None,
            listing_time_to_live: DEFAULT_TIME_TO_LIVE,
            orphan_age: DEFAULT_ORPHAN_AGE,
        }
    }

    /// The same with a setting: `s3.*`, or `listing_ttl_ms`.
    ///
    /// # Errors
    /// `InvalidParameter` for a value that the setting does not take.
    pub fn with_setting(mut self, name: &str, value: &str) -> Result<Self> {
        if name == "listing_ttl_ms" {
            let millis = value.parse().map_err(|_| {
                Error::new(ErrorKind::InvalidParameter, format!("invalid value for setting \"{name}\": \"{value}\""))
            })?;
            self.listing_time_to_live = Duration::from_millis(millis);
        } else {
            self.settings.insert(name.to_owned(), value.to_owned());
        }
        Ok(self)
    }
}

/// An open warehouse.
#[derive(Debug)]
pub struct Warehouse {
    config: WarehouseConfig,
    catalog: Arc<Catalog>,
    lake: Arc<Lake>,
    data: TableStorage,
    base: SessionState,
    cleanup: TaskTracker,
    turns: Turns,
}

impl Warehouse {
    /// Opens a warehouse, and makes it when there is none.
    ///
    /// # Errors
    /// `DataCorrupted` for a damaged or newer catalog, `UndefinedObject` for a setting that does not exist, and what
    /// the file system says.
    pub async fn open(config: WarehouseConfig) -> Result<Arc<Self>> {
        let stores = Arc::new(Stores::new(config.settings.clone())?);
        let catalog = Arc::new(Catalog::open(&config.directory.join(CATALOG_FILE)).await?);
        let runtime = runtime(&config, Arc::clone(&stores))?;
        let base = SessionStateBuilder::new()
            .with_config(session_config(config.target_partitions))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_query_planner(Arc::new(optimize::CostBasedPlanner))
            .with_physical_optimizer_rules(optimize::with_selection(physical::rules()))
            .build();
        let listings = Listings::new(stores, config.listing_time_to_live);
        let lake = Arc::new(Lake { listings, statistics: FileStatistics::default() });
        let cleanup = TaskTracker::new();
        let data = data_storage(&config.directory, &lake, cleanup.clone()).await?;
        note_data_path(&config.directory, &catalog).await?;
        if !catalog.is_read_only() {
            cleanup.spawn(tables::remove_orphans(data.clone(), Arc::clone(&catalog), config.orphan_age));
        }
        Ok(Arc::new(Self { config, catalog, lake, data, base, cleanup, turns: Turns::default() }))
    }

    /// What it was opened with.
    pub fn config(&self) -> &WarehouseConfig {
        &self.config
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Where the files of managed tables are.
    pub(crate) fn data(&self) -> &TableStorage {
        &self.data
    }

    /// What external tables share.
    pub(crate) fn lake(&self) -> &Arc<Lake> {
        &self.lake
    }

    /// Owns the requests that clean up behind writes that failed or were cancelled.
    pub(crate) fn cleanup(&self) -> &TaskTracker {
        &self.cleanup
    }

    /// Whose turn it is to write a table.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Waits until what cancelled writes left is removed, no longer than this, and closes the catalog.
    pub async fn close(&self, patience: Duration) {
        self.cleanup.close();
        if tokio::time::timeout(patience, self.cleanup.wait()).await.is_err() {
            tracing::warn!("the files of a cancelled write are still being removed");
        }
        self.catalog.close().await;
    }

    /// The state that sessions begin with.
    pub(crate) fn base_state(&self) -> &SessionState {
        &self.base
    }
}

/// Where managed tables keep their files: a folder in the warehouse's directory.
async fn data_storage(directory: &Path, lake: &Lake, cleanup: TaskTracker) -> Result<TableStorage> {
    let folder = directory.join(DATA_FOLDER);
    let location = Location::literal(&folder.to_string_lossy())?;
    let store = lake.listings.stores().open(&location).await?;
    Ok(TableStorage::new(store, location.store().clone(), location.path().clone(), cleanup))
}

/// Tells other programs that attach the catalog where data files are, also after the warehouse was moved.
async fn note_data_path(directory: &Path, catalog: &Catalog) -> Result<()> {
    let folder = std::path::absolute(directory.join(DATA_FOLDER)).map_err(|e| {
        Error::new(ErrorKind::Internal, format!("could not find the directory {}: {e}", directory.display()))
    })?;
    let path = format!("{}/", folder.display());
    if !catalog.is_read_only() && catalog.data_path().await?.is_none_or(|noted| noted != path) {
        catalog.set_data_path(&path).await?;
    }
    Ok(())
}

fn session_config(target_partitions: Option<usize>) -> SessionConfig {
    let mut config = SessionConfig::new().with_information_schema(false).with_create_default_catalog_and_schema(false);
    if let Some(partitions) = target_partitions {
        config = config.with_target_partitions(partitions.max(1));
    }
    let options = config.options_mut();
    // Redshift's and Trino's literals such as 1.5 are decimals.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    options.execution.parquet.bloom_filter_on_read = true;
    options.execution.collect_statistics = true;
    config
}

fn runtime(config: &WarehouseConfig, stores: Arc<Stores>) -> Result<Arc<RuntimeEnv>> {
    let mut builder =
        RuntimeEnvBuilder::new().with_object_store_registry(stores).with_metadata_cache_limit(METADATA_CACHE_BYTES);
    if let Some(limit) = config.memory_limit_bytes.or_else(|| machine_memory().map(|bytes| bytes / 5 * 4)) {
        let consumers = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN);
        builder = builder.with_memory_pool(Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(limit), consumers)));
    }
    Ok(builder.build_arc()?)
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

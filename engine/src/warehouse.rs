//! The state that all sessions of a warehouse share: its catalog, its lake, its memory and its functions.

mod resources;

use crate::background::{Activity, MaintenanceConfig, Vacuums};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::{self, Sources};
use crate::journal::{Audit, AuditConfig, Bucket, ConnectionEvent, Journal, JournalConfig};
use crate::kept_plans::KeptPlans;
use crate::lake::listing::{DEFAULT_TIME_TO_LIVE, Listings};
use crate::lake::location::Location;
use crate::lake::statistics::FileStatistics;
use crate::lake::stores::Stores;
use crate::lake::table::Lake;
use crate::optimize;
use crate::physical::{self, PatientThreads};
use crate::result_cache::ResultCache;
use crate::retention::{self, RetentionPolicy};
use crate::session::{Leases, Sessions, Turns, is_temporary};
use crate::tables::{self, Blocks, CachedStore, InlinedCache, SeenTables, TableStorage, TemporaryFolder};
use crate::texts::Texts;
use crate::wlm::{self, Wlm};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use millrace_catalog::model::ManagedTable;
use millrace_catalog::{Catalog, Place, PostgresUrl};
use millrace_connectors::Registry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The catalog's file in a warehouse's directory.
const CATALOG_FILE: &str = "catalog.db";

/// The journal's file in a warehouse's directory.
const JOURNAL_FILE: &str = "journal.db";

/// The folder of managed tables' files in a warehouse's directory.
const DATA_FOLDER: &str = "data";

/// The folder in a warehouse's directory of what is kept of files in an object store.
const CACHE_FOLDER: &str = "cache";

/// Megabytes of it, where nothing is said.
const CACHE_MB: u64 = 4096;

/// Megabytes of results that are kept, where nothing is said.
const RESULT_CACHE_MB: usize = 64;

/// The settings of [`WarehouseConfig::with_setting`] but for `s3.*`.
const SETTINGS: [&str; 15] = [
    "cache_mb",
    "catalog",
    "connector_ttl_ms",
    "data_path",
    "deleted_file_grace_minutes",
    "journal_days",
    "journal_mb",
    "listing_ttl_ms",
    "memory_limit_mb",
    "result_cache_mb",
    "slices",
    "snapshot_retention_count",
    "snapshot_retention_hours",
    "temporary_space_mb",
    wlm::SETTING,
];

/// The least of the setting `memory_limit_mb`.
const LEAST_MEMORY_MB: u64 = 64;

/// The most slices that a plan runs in.
const MOST_SLICES: usize = 1024;

/// How old a file is that no transaction can still be writing.
const DEFAULT_ORPHAN_AGE: Duration = Duration::from_hours(24);

/// What a warehouse is opened with.
#[derive(Debug, Clone)]
pub struct WarehouseConfig {
    /// The warehouse's directory; made when it is not there.
    pub directory: PathBuf,
    /// Where the catalog is, if not in a file in the directory. Warehouses of several machines may share one.
    pub catalog: Option<PostgresUrl>,
    /// Where the files of managed tables are: a URL in an object store; by default in the directory, or where the
    /// warehouse has put them before.
    pub data_path: Option<String>,
    /// `s3.*` settings, which go before the environment's.
    pub settings: BTreeMap<String, String>,
    /// How many slices a plan runs in; the cores by default, rounded up to a power of two.
    pub target_partitions: Option<usize>,
    /// How many bytes statements and the cache of files may hold together; four fifths of the machine's memory by
    /// default. An eighth of it is the cache's.
    pub memory_limit_bytes: Option<usize>,
    /// How many bytes all statements may have in temporary files together; DataFusion's default, 100 GiB, where nothing is
    /// said.
    pub temporary_space_bytes: Option<u64>,
    /// The most bytes that are kept on the local disk of managed tables' files in an object store; 0 keeps none.
    pub cache_bytes: u64,
    /// How long a listing of files is believed.
    pub listing_time_to_live: Duration,
    /// How long what a foreign system told of its tables is believed.
    pub connector_time_to_live: Duration,
    /// How old a data file is that is removed when the warehouse opens and no manifest names it: older than the longest
    /// transaction of any process, which may have written it and not committed yet.
    pub orphan_age: Duration,
    /// What is done in the background where a process stays open.
    pub maintenance: MaintenanceConfig,
    /// How long snapshots of managed tables stay, and the files that only they have.
    pub retention: RetentionPolicy,
    /// How much is kept of what happened.
    pub journal: JournalConfig,
    /// What is written down for auditors, and where.
    pub audit: AuditConfig,
    /// The most bytes of results of queries that are kept to be given again; 0 keeps none.
    pub result_cache_bytes: usize,
    /// Redshift's `wlm_json_configuration`, which goes before the one that the warehouse keeps.
    pub wlm_json_configuration: Option<String>,
}

impl WarehouseConfig {
    /// A warehouse in a directory, everything else by default.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            catalog: None,
            data_path: None,
            settings: BTreeMap::new(),
            target_partitions: None,
            cache_bytes: CACHE_MB << 20,
            memory_limit_bytes: None,
            temporary_space_bytes: None,
            listing_time_to_live: DEFAULT_TIME_TO_LIVE,
            connector_time_to_live: federated::DEFAULT_TIME_TO_LIVE,
            orphan_age: DEFAULT_ORPHAN_AGE,
            maintenance: MaintenanceConfig::default(),
            retention: RetentionPolicy::default(),
            journal: JournalConfig::default(),
            audit: AuditConfig::default(),
            result_cache_bytes: RESULT_CACHE_MB << 20,
            wlm_json_configuration: None,
        }
    }

    /// Whether a setting is a warehouse's, to be made before it is opened, and not a session's.
    pub fn has_setting(name: &str) -> bool {
        name.starts_with("s3.") || SETTINGS.contains(&name) || MaintenanceConfig::has(name) || AuditConfig::has(name)
    }

    /// The same with a setting: `s3.*`, `data_path`, `cache_mb`, `catalog`, `connector_ttl_ms`, `listing_ttl_ms`,
    /// `slices`, `journal_days`, `journal_mb`, `memory_limit_mb`, `temporary_space_mb`, `result_cache_mb`,
    /// `snapshot_retention_hours`, `snapshot_retention_count`, `deleted_file_grace_minutes`, `wlm_json_configuration`,
    /// or one of [`MaintenanceConfig::set`] or [`AuditConfig::set`].
    ///
    /// # Errors
    /// `InvalidParameter` for a value that the setting does not take.
    pub fn with_setting(mut self, name: &str, value: &str) -> Result<Self> {
        let invalid =
            || Error::new(ErrorKind::InvalidParameter, format!("invalid value for setting \"{name}\": \"{value}\""));
        // Up to a hundred years.
        let number = |most: u64| value.parse::<u64>().ok().filter(|number| *number <= most).ok_or_else(invalid);
        match name {
            "cache_mb" => self.cache_bytes = number(1 << 30)? << 20,
            "catalog" => self.catalog = Some(value.parse()?),
            "connector_ttl_ms" => {
                self.connector_time_to_live = Duration::from_millis(value.parse().map_err(|_| invalid())?);
            }
            "data_path" => self.data_path = Some(value.to_owned()),
            "listing_ttl_ms" => {
                self.listing_time_to_live = Duration::from_millis(value.parse().map_err(|_| invalid())?);
            }
            "result_cache_mb" => self.result_cache_bytes = (number(1 << 20)? as usize) << 20,
            "journal_days" => self.journal.days = number(36_500)?.max(1) as u32,
            "journal_mb" => self.journal.megabytes = number(1 << 20)? as u32,
            "memory_limit_mb" => {
                let limit = number(1 << 30)?;
                if limit < LEAST_MEMORY_MB {
                    return Err(invalid().with_hint(format!("it takes {LEAST_MEMORY_MB} or more")));
                }
                self.memory_limit_bytes = Some((limit as usize) << 20);
            }
            "temporary_space_mb" => self.temporary_space_bytes = Some(number(1 << 30)? << 20),
            "slices" => {
                let slices = value.parse().ok().filter(|slices| (1..=MOST_SLICES).contains(slices));
                self.target_partitions =
                    Some(slices.ok_or_else(|| invalid().with_hint(format!("it takes 1 to {MOST_SLICES}")))?);
            }
            "snapshot_retention_hours" => self.retention.keep = Duration::from_hours(number(876_000)?),
            "snapshot_retention_count" => {
                self.retention.most = usize::try_from(number(u64::MAX)?.max(1)).unwrap_or(usize::MAX);
            }
            "deleted_file_grace_minutes" => self.retention.grace = Duration::from_mins(number(52_560_000)?),
            wlm::SETTING => {
                wlm::Configuration::parse(value)?;
                self.wlm_json_configuration = Some(value.to_owned());
            }
            _ if self.maintenance.set(name, value)? || self.audit.set(name, value)? => {}
            _ => {
                self.settings.insert(name.to_owned(), value.to_owned());
            }
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
    sources: Sources,
    data: TableStorage,
    base: SessionState,
    cleanup: TaskTracker,
    turns: Turns,
    journal: Journal,
    audit: Arc<Audit>,
    open_sessions: Arc<Sessions>,
    activity: Arc<Activity>,
    vacuums: Vacuums,
    leases: Leases,
    wlm: Arc<Wlm>,
    patient_threads: PatientThreads,
    results: ResultCache,
    texts: Texts,
    plans: KeptPlans,
    inlined: InlinedCache,
    seen: SeenTables,
    /// Tells other processes of the leases.
    _heartbeat: Option<AbortOnDropHandle<()>>,
    sessions: AtomicU64,
    temporary: OnceCell<(TemporaryFolder, TableStorage)>,
}

impl Warehouse {
    /// Opens a warehouse, and makes it when there is none.
    ///
    /// # Errors
    /// `DataCorrupted` for a damaged or newer catalog, `UndefinedObject` for a setting that does not exist, and what
    /// the file system says.
    pub async fn open(config: WarehouseConfig) -> Result<Arc<Self>> {
        Self::open_with(config, Registry::builtin()).await
    }

    /// The same with these kinds of connectors.
    ///
    /// # Errors
    /// As [`Warehouse::open`].
    pub async fn open_with(config: WarehouseConfig, connectors: Registry) -> Result<Arc<Self>> {
        if config.directory.to_string_lossy().contains("://") {
            let construct =
                format!("a warehouse's catalog in {}, not in a local directory,", config.directory.display());
            return Err(Error::unsupported(construct)
                .with_hint("name a directory, and the place of its tables' files with --set data_path=s3://…"));
        }
        let stores = Arc::new(Stores::new(config.settings.clone())?);
        let place = match &config.catalog {
            Some(url) => Place::Postgres(url.clone()),
            None => Place::File(config.directory.join(CATALOG_FILE)),
        };
        let catalog = Arc::new(Catalog::open_at(&place).await?);
        let journal = Journal::open(&config.directory.join(JOURNAL_FILE), config.journal).await?;
        let bucket = match &config.audit.bucket {
            Some(url) => {
                let location = Location::literal(url)?;
                Some(Bucket { store: stores.open(&location).await?, prefix: location.path().clone() })
            }
            None => None,
        };
        let audit = Audit::open(&config.audit, &config.directory, bucket).await?;
        let runtime = resources::runtime(&config, Arc::clone(&stores))?;
        let given = config.wlm_json_configuration.as_deref();
        let wlm = Arc::new(Wlm::open(&config.directory, given, &runtime.memory_pool)?);
        let base = SessionStateBuilder::new()
            .with_config(resources::session_config(&config))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_scalar_functions(Vec::new())
            .with_higher_order_functions(Vec::new())
            .with_window_functions(Vec::new())
            // The optimizer looks this one up, to write DISTINCT ON with it; the planner asks `builtin`.
            .with_aggregate_functions(vec![first_value_udaf()])
            .with_optimizer_rules(optimize::rules())
            .with_query_planner(Arc::new(optimize::CostBasedPlanner))
            .with_physical_optimizer_rules(optimize::with_selection(&physical::rules()))
            .build();
        let listings = Listings::new(stores, config.listing_time_to_live);
        let lake = Arc::new(Lake { listings, statistics: FileStatistics::default() });
        let sources = Sources::new(connectors, config.connector_time_to_live);
        let cleanup = TaskTracker::new();
        let mut data = data_storage(&config, &catalog, &lake, cleanup.clone()).await?;
        if let Some(bytes) = resources::cache_memory(&config) {
            data = data.with_cache_bytes(bytes);
        }
        if !catalog.is_read_only() {
            tables::remove_abandoned(&config.directory);
            cleanup.spawn(tables::remove_orphans(data.clone(), Arc::clone(&catalog), config.orphan_age));
        }
        let leases = Leases::default();
        let results = ResultCache::new(config.result_cache_bytes);
        let beat = || tokio::spawn(retention::heartbeat(Arc::clone(&catalog), leases.clone()));
        let heartbeat = (!catalog.is_read_only()).then(|| AbortOnDropHandle::new(beat()));
        Ok(Arc::new(Self {
            config,
            catalog,
            lake,
            sources,
            data,
            base,
            cleanup,
            turns: Turns::default(),
            journal,
            audit,
            open_sessions: Arc::default(),
            activity: Arc::default(),
            vacuums: Vacuums::default(),
            leases,
            wlm,
            patient_threads: PatientThreads::default(),
            results,
            texts: Texts::default(),
            plans: KeptPlans::default(),
            inlined: InlinedCache::default(),
            seen: SeenTables::default(),
            _heartbeat: heartbeat,
            sessions: AtomicU64::new(0),
            temporary: OnceCell::new(),
        }))
    }

    /// What it was opened with.
    pub fn config(&self) -> &WarehouseConfig {
        &self.config
    }

    /// Prepares for statements without end, of a process that stays with this warehouse: whether others have changed the
    /// catalog is seen without asking its database, at the cost of a descriptor that stays open.
    ///
    /// # Errors
    /// What the catalog's database says.
    pub async fn serve_many(&self) -> Result<()> {
        Ok(self.catalog.watch_commits().await?)
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Where the files of managed tables are.
    pub(crate) fn data(&self) -> &TableStorage {
        &self.data
    }

    /// Where the files of a managed table are; a temporary one's are in a folder of this process.
    ///
    /// # Errors
    /// What the file system says when that folder is first needed.
    pub(crate) async fn storage_of(&self, table: &ManagedTable) -> Result<TableStorage> {
        if !is_temporary(table) {
            return Ok(self.data.clone());
        }
        let make = || async {
            let folder = TemporaryFolder::make(&self.config.directory)?;
            let storage = local_storage(folder.path(), &self.lake, self.cleanup.clone()).await?;
            Ok::<_, Error>((folder, storage))
        };
        Ok(self.temporary.get_or_try_init(make).await?.1.clone())
    }

    /// A number that no other session of this process has.
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The snapshots that transactions and queries of this process read.
    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// What external tables share.
    pub(crate) fn lake(&self) -> &Arc<Lake> {
        &self.lake
    }

    /// The foreign systems that schemas are over.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Owns the requests that clean up behind writes that failed or were cancelled.
    pub(crate) fn cleanup(&self) -> &TaskTracker {
        &self.cleanup
    }

    /// Whose turn it is to write a table.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// What happened.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is written down for auditors.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Tells the journal and the audit log of a connection that came, was refused or went.
    ///
    /// # Errors
    /// `BadFile` where the audit log is required and cannot be written: nobody may come in then.
    pub fn note_connection(&self, event: &ConnectionEvent) -> Result<()> {
        self.journal.record(event);
        self.audit.connection(event)
    }

    /// Who is connected.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.open_sessions
    }

    /// The vacuum that runs now.
    pub(crate) fn vacuums(&self) -> &Vacuums {
        &self.vacuums
    }

    /// The queues that statements run in.
    pub(crate) fn wlm(&self) -> &Arc<Wlm> {
        &self.wlm
    }

    /// Where what lets others go before computes.
    pub(crate) fn patient_threads(&self) -> &PatientThreads {
        &self.patient_threads
    }

    /// The rows of managed tables that the catalog holds.
    pub(crate) fn inlined(&self) -> &InlinedCache {
        &self.inlined
    }

    /// Its tables as the last statement saw them.
    pub(crate) fn seen(&self) -> &SeenTables {
        &self.seen
    }

    /// The texts that were parsed before.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The plans of queries that come again.
    pub(crate) fn plans(&self) -> &KeptPlans {
        &self.plans
    }

    /// The results that may be given again.
    pub(crate) fn results(&self) -> &ResultCache {
        &self.results
    }

    /// Whether statements run.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Waits until what cancelled writes left is removed, no longer than this, and closes the catalog.
    pub async fn close(&self, patience: Duration) {
        self.activity.close();
        self.cleanup.close();
        if tokio::time::timeout(patience, self.cleanup.wait()).await.is_err() {
            tracing::warn!("the files of a cancelled write are still being removed");
        }
        self.journal.close().await;
        self.audit.close().await;
        self.catalog.close().await;
    }

    /// The state that sessions begin with.
    pub(crate) fn base_state(&self) -> &SessionState {
        &self.base
    }
}

/// Tables' files in a folder of the local disk.
async fn local_storage(folder: &Path, lake: &Lake, cleanup: TaskTracker) -> Result<TableStorage> {
    let location = Location::literal(&folder.to_string_lossy())?;
    let store = lake.listings.stores().open(&location).await?;
    Ok(TableStorage::new(store, location.store().clone(), location.path().clone(), cleanup))
}

/// Where managed tables have their files: in an object store when the settings say so or once did, else in the
/// warehouse's directory. The catalog notes it, for other programs that attach it, also after the directory was moved.
///
/// # Errors
/// `InvalidParameter` for a place that is not in an object store, or another one than that of files that exist;
/// `ObjectInUse` for the place of another warehouse.
async fn data_storage(
    config: &WarehouseConfig,
    catalog: &Catalog,
    lake: &Lake,
    cleanup: TaskTracker,
) -> Result<TableStorage> {
    let noted = catalog.data_path().await?;
    let remote = noted.as_ref().filter(|path| path.contains("://"));
    let Some(wanted) = config.data_path.as_ref().or(remote) else {
        let folder = config.directory.join(DATA_FOLDER);
        let absolute = std::path::absolute(&folder).map_err(|e| {
            Error::new(ErrorKind::Internal, format!("could not find the directory {}: {e}", folder.display()))
        })?;
        let path = format!("{}/", absolute.display());
        let storage = local_storage(&folder, lake, cleanup).await?;
        if config.catalog.is_some() && !catalog.is_read_only() {
            claim_folder(catalog, &storage, noted.as_deref(), &path).await?;
        }
        note_data_path(catalog, noted.as_deref(), &path).await?;
        return Ok(storage);
    };
    let location = Location::literal(wanted)?;
    if location.is_local() {
        let message = format!("invalid value for setting \"data_path\": \"{wanted}\"");
        return Err(Error::new(ErrorKind::InvalidParameter, message)
            .with_hint("it takes the URL of a place in an object store: s3://bucket/path"));
    }
    let url = format!("{}/", location.url().trim_end_matches('/'));
    if let Some(noted) = &noted
        && *noted != url
        && catalog.has_files().await?
    {
        let message = format!("the files of this warehouse's tables are in {noted}, not in {url}");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    let mut store = lake.listings.stores().open(&location).await?;
    if noted.as_ref() != Some(&url) && !catalog.is_read_only() {
        tables::claim(store.as_ref(), location.path(), &catalog.identity().await?).await?;
    }
    note_data_path(catalog, noted.as_deref(), &url).await?;
    if config.cache_bytes > 0 {
        let (folder, limit) = (config.directory.join(CACHE_FOLDER), config.cache_bytes);
        // The bucket's name keeps those of a place that the warehouse had before apart.
        let bucket = location.store().as_str().split("//").nth(1).unwrap_or_default().trim_matches('/').to_owned();
        let blocks = tokio::task::spawn_blocking(move || Blocks::open(folder.join(bucket), limit)).await;
        let blocks = blocks.map_err(|error| Error::internal(format!("could not look at the cache: {error}")))?;
        store = Arc::new(CachedStore::new(store, location.path().clone(), Arc::new(blocks)));
        // Scans look the store up by its URL.
        lake.listings.stores().replace(&location, Arc::clone(&store));
    }
    Ok(TableStorage::new(store, location.store().clone(), location.path().clone(), cleanup))
}

/// Of the folders of those who share a catalog there is one that has the tables' files, wherever it is moved or mounted.
async fn claim_folder(catalog: &Catalog, storage: &TableStorage, noted: Option<&str>, path: &str) -> Result<()> {
    let (store, root, identity) = (&storage.store, &storage.root, catalog.identity().await?);
    if let Some(noted) = noted.filter(|noted| *noted != path)
        && !tables::is_claimed(store.as_ref(), root, &identity).await?
    {
        let message = format!("the files of the tables of {} are in {noted}, not in {path}", catalog.place());
        return Err(Error::new(ErrorKind::InvalidParameter, message).with_hint(
            "open it with the directory that has them, or keep files that several machines read in an object store",
        ));
    }
    tables::claim(store.as_ref(), root, &identity).await
}

async fn note_data_path(catalog: &Catalog, noted: Option<&str>, path: &str) -> Result<()> {
    if !catalog.is_read_only() && noted != Some(path) {
        catalog.set_data_path(path).await?;
    }
    Ok(())
}

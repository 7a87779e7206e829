//! Where the files of all managed tables are.

use super::blocks::BlockCache;
use super::deletes::DeleteCache;
use super::predicates::{self, PredicateColumns};
use super::segments::SegmentCache;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::write::upload::Destination;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::Catalog;
use millrace_catalog::model::ManagedTable;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// Bytes of files that are kept in memory where nothing else is said.
const DEFAULT_CACHE_BYTES: u64 = 64 << 20;

/// The warehouse's data path. Cloning it is cheap and shares what is kept of its files.
#[derive(Debug, Clone)]
pub struct TableStorage {
    /// The store; scans look it up by `url`, so it must be registered there too.
    pub store: Arc<dyn ObjectStore>,
    /// The store's URL; `file:///` means that paths are those of the local disk, and that files are synced.
    pub url: ObjectStoreUrl,
    /// The data path within the store.
    pub root: Path,
    /// Owns the requests that clean up behind a write that failed or was dropped.
    pub cleanup: TaskTracker,
    pub(super) deletes: Arc<DeleteCache>,
    pub(super) segments: SegmentCache,
    pub(super) blocks: BlockCache,
    predicates: Arc<PredicateColumns>,
}

impl TableStorage {
    /// The data path `root` of a store.
    pub fn new(store: Arc<dyn ObjectStore>, url: ObjectStoreUrl, root: Path, cleanup: TaskTracker) -> Self {
        let (segments, blocks) = (SegmentCache::new(DEFAULT_CACHE_BYTES), BlockCache::default());
        Self { store, url, root, cleanup, deletes: Arc::default(), segments, blocks, predicates: Arc::default() }
    }

    /// The same with so many bytes of files kept in memory.
    #[must_use]
    pub fn with_cache_bytes(self, bytes: u64) -> Self {
        Self { segments: SegmentCache::new(bytes), ..self }
    }

    /// The same for reading files that are soon gone: of what is kept in memory it takes what is there, and adds nothing.
    #[must_use]
    pub(crate) fn keeping_no_more(&self) -> Self {
        Self { segments: self.segments.keeping_no_more(), ..self.clone() }
    }

    /// The path of a file that the manifest knows by a path relative to its table.
    pub fn file_path(&self, table: &ManagedTable, relative: &str) -> Result<Path> {
        let path = format!("{}/{}{relative}", self.root, table.path);
        Path::parse(path.trim_start_matches('/')).map_err(|e| {
            let message = format!("table \"{}.{}\" has a file with an invalid path", table.schema, table.name);
            Error::new(ErrorKind::DataCorrupted, message).with_detail(e.to_string())
        })
    }

    /// Notes which columns of managed tables a query uses, by its optimized plan.
    pub(crate) fn note_predicate_columns(&self, plan: &LogicalPlan, catalog: &Arc<Catalog>) {
        predicates::note(&self.predicates, plan, catalog, &self.cleanup);
    }

    /// Writes to the catalog what queries have used.
    ///
    /// # Errors
    /// The catalog's.
    pub(crate) async fn write_column_uses(&self, catalog: &Catalog) -> Result<()> {
        self.predicates.write(catalog).await
    }

    /// The tables that queries have used since this was asked last.
    pub(crate) fn take_used_tables(&self) -> BTreeSet<i64> {
        self.predicates.take_tables()
    }

    pub(super) fn is_local(&self) -> bool {
        self.url.as_str().starts_with("file:")
    }

    /// Must be called within a runtime.
    pub(super) fn destination(&self) -> Destination {
        Destination::new(Arc::clone(&self.store), self.is_local(), self.cleanup.clone()).durable()
    }
}

/// A name that was never used: version 7 of UUIDs (RFC 9562), so that names sort by time.
pub(super) fn unique_name(extension: &str) -> String {
    let millis = chrono::Utc::now().timestamp_millis().cast_unsigned();
    let random = uuid::Uuid::new_v4();
    let mut bytes = *random.as_bytes();
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    format!("millrace-{}.{extension}", uuid::Uuid::from_bytes(bytes))
}

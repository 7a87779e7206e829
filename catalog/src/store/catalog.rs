//! The catalog as the engine holds it.

use super::commits::{Commits, Mark, is_next};
use super::connection::{Connections, Lease, Write};
use super::database::{BUSY_TIMEOUT, Durability};
use super::load::load;
use super::open::{Opened, open};
use super::place::Place;
use super::row::FromRow;
use super::sql::{Sql, sql};
use crate::error::{CatalogError, Result};
use crate::manifest::{CommitQueue, EstimateCache, FileCache, InlinedCache, OwnCommits, Settled};
use crate::snapshot::Snapshot;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::Mutex;

/// A catalog in one SQLite file or one schema of a PostgreSQL database. Any number of these, in any number of processes,
/// may be open on the same one.
///
/// Every method that changes something is one transaction: it happens wholly or not at all, and is on disk when the
/// method returns, but for leases, uses of columns and values of IDENTITY columns, which are before anything that is
/// committed later. A file, folder or server that cannot be written gives a catalog that reads, whose changes fail with
/// [`CatalogError::ReadOnly`].
pub struct Catalog {
    parts: Arc<Parts>,
}

/// What an open catalog consists of. Work that goes to its end by itself holds it, too.
struct Parts {
    readers: Connections,
    writer: Option<Connections>,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// Held while a snapshot is loaded, so that sessions that start together load it once.
    loading: Mutex<()>,
    queue: CommitQueue,
    files: FileCache,
    inlined: InlinedCache,
    own_commits: Arc<OwnCommits>,
    settled: Settled,
    estimates: EstimateCache,
    commits: OnceLock<Commits>,
    /// A snapshot, and what stood for the commits before it was found to be the last.
    marked: RwLock<Option<(Mark, Arc<Snapshot>)>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("place", self.place()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog in the file at `path`: [`Catalog::open_at`].
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_at(&Place::File(path.to_owned())).await
    }

    /// Opens the catalog at a place, made with its parent directories or its schema where it is missing.
    ///
    /// [`CatalogError::Damaged`] for a file or schema that has something else, is damaged, or has a newer format;
    /// [`CatalogError::Unavailable`] where it can be neither read nor made.
    pub async fn open_at(place: &Place) -> Result<Self> {
        let Opened { readers, writer } = open(place).await?;
        let own_commits = Arc::<OwnCommits>::default();
        let parts = Parts {
            readers,
            writer,
            snapshot: RwLock::new(None),
            loading: Mutex::new(()),
            queue: CommitQueue::default(),
            files: FileCache::default(),
            inlined: InlinedCache::default(),
            settled: Settled::new(Arc::clone(&own_commits)),
            own_commits,
            estimates: EstimateCache::default(),
            commits: OnceLock::new(),
            marked: RwLock::new(None),
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// The same open catalog, for a task that works on when whoever began it has gone.
    pub(crate) fn share(&self) -> Self {
        Self { parts: Arc::clone(&self.parts) }
    }

    /// The database; a file by its absolute path.
    pub fn place(&self) -> &Place {
        self.parts.readers.place()
    }

    /// Whether every change fails with [`CatalogError::ReadOnly`].
    pub fn is_read_only(&self) -> bool {
        self.parts.writer.is_none()
    }

    /// Closes the database in order, which also merges a file's log into it. Later calls fail; a catalog that is dropped
    /// without it loses nothing, the next one to open the file merges.
    pub async fn close(&self) {
        // What is under way comes to its end; whoever goes on committing all the same is refused.
        let _ = tokio::time::timeout(BUSY_TIMEOUT, self.parts.queue.rest()).await;
        self.parts.readers.close().await;
        if let Some(writer) = &self.parts.writer {
            writer.merge_log().await;
            writer.close().await;
        }
    }

    /// From now on [`Catalog::snapshot`] asks the database of a file only when somebody has committed. For a process that
    /// stays with one catalog: it keeps a descriptor until it ends (`commits` says why).
    ///
    /// # Errors
    /// What the database says.
    pub async fn watch_commits(&self) -> Result<()> {
        let Place::File(path) = self.place() else { return Ok(()) };
        let mut lease = self.read().await?;
        let mode: Option<(String,)> = lease.first(sql("PRAGMA journal_mode")).await?;
        lease.release();
        if mode.is_some_and(|(mode,)| mode == "wal") {
            self.parts.commits.get_or_init(|| Commits::of(path));
        }
        Ok(())
    }

    /// The snapshot that is known to be the last one without asking the database.
    #[cfg(test)]
    pub(crate) fn unchanged(&self) -> Option<Arc<Snapshot>> {
        self.last_at(&self.mark()?)
    }

    fn mark(&self) -> Option<Mark> {
        self.parts.commits.get()?.mark()
    }

    fn last_at(&self, mark: &Mark) -> Option<Arc<Snapshot>> {
        let marked = self.parts.marked.read().unwrap_or_else(PoisonError::into_inner);
        marked.as_ref().filter(|(known, _)| known == mark).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// A snapshot was the last one at some time after the mark was taken.
    fn note_last(&self, mark: Option<Mark>, snapshot: &Arc<Snapshot>) {
        if let Some(mark) = mark {
            *self.parts.marked.write().unwrap_or_else(PoisonError::into_inner) = Some((mark, Arc::clone(snapshot)));
        }
    }

    /// What stands for the commits up to now, for whoever has the writers' lock and found these versions: that of the
    /// catalog, the manifest's newest snapshot, and that of estimates. `None` unless what is cached is of the same.
    pub(crate) fn mark_of(&self, (version, manifest_version, statistics_version): (i64, i64, i64)) -> Option<Mark> {
        let mark = self.mark()?;
        let cached = self.cached()?;
        let is_last = (cached.version(), cached.manifest_version()) == (version, manifest_version);
        (is_last && self.parts.estimates.is_at(statistics_version)).then_some(mark)
    }

    /// A transaction of this process has committed since the mark was taken under the writers' lock. It made the manifest's
    /// newest snapshot, which the cached one was brought to, and nothing else that is cached: unless others have committed
    /// too by now, the next statement need not ask.
    pub(crate) fn note_own(&self, mark: Option<Mark>, manifest_version: i64) {
        let (Some(before), Some(after)) = (mark, self.mark()) else { return };
        if is_next(&before, &after)
            && let Some(cached) = self.cached().filter(|cached| cached.manifest_version() == manifest_version)
        {
            self.note_last(Some(after), &cached);
        }
    }

    /// What exists now: everything committed before the call, by whichever process. Costs one small query unless
    /// something has changed, and then reads the changed definitions only.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let mark = self.mark();
        if let Some(last) = mark.as_ref().and_then(|mark| self.last_at(mark)) {
            return Ok(last);
        }
        let snapshot = self.asked().await?;
        // Whatever was committed since the mark, the snapshot has at least what had been before it.
        self.note_last(mark, &snapshot);
        Ok(snapshot)
    }

    /// The same by asking the database.
    async fn asked(&self) -> Result<Arc<Snapshot>> {
        if let Some(current) = self.current().await? {
            return Ok(current);
        }
        let _loading = match self.parts.loading.try_lock() {
            Ok(loading) => loading,
            Err(_) => {
                // Who held it has perhaps loaded what is wanted.
                let loading = self.parts.loading.lock().await;
                if let Some(current) = self.current().await? {
                    return Ok(current);
                }
                loading
            }
        };
        let before = self.cached();
        let loaded = Arc::new(load(self.read().await?, before.as_deref()).await?);
        *self.parts.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    fn cached(&self) -> Option<Arc<Snapshot>> {
        self.parts.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cached snapshot, if nothing was committed since.
    async fn current(&self) -> Result<Option<Arc<Snapshot>>> {
        let Some(cached) = self.cached() else { return Ok(None) };
        let mut lease = self.read().await?;
        let query = "SELECT version, (SELECT MAX(snapshot_id) FROM ducklake_snapshot), \
                     (SELECT statistics_version FROM millrace_manifest) FROM millrace_meta";
        let versions: Option<(i64, i64, i64)> = lease.first(sql(query)).await?;
        lease.release();
        let Some((version, manifest_version, statistics_version)) = versions else { return Ok(None) };
        self.parts.estimates.seen(statistics_version);
        Ok(((version, manifest_version) == (cached.version(), cached.manifest_version())).then_some(cached))
    }

    /// Brings the cached snapshot to a commit of the manifest that changed no definition, where nobody else's came
    /// between.
    pub(crate) fn follow_manifest(&self, snapshot_id: i64) {
        let mut cached = self.parts.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = cached.as_deref().filter(|before| before.manifest_version() == snapshot_id - 1) {
            *cached = Some(Arc::new(before.at_manifest_version(snapshot_id)));
        }
    }

    /// The commits that wait.
    pub(crate) fn queue(&self) -> &CommitQueue {
        &self.parts.queue
    }

    /// The lists of managed tables' files that were read.
    pub(crate) fn files(&self) -> &FileCache {
        &self.parts.files
    }

    /// What was read of managed tables' rows in the catalog.
    pub(crate) fn inlined(&self) -> &InlinedCache {
        &self.parts.inlined
    }

    /// The manifest's last commits of this process.
    pub(crate) fn own_commits(&self) -> &OwnCommits {
        &self.parts.own_commits
    }

    /// Managed tables as this process's commits left them.
    pub(crate) fn settled(&self) -> &Settled {
        &self.parts.settled
    }

    /// What was read of managed tables' estimates.
    pub(crate) fn estimate_cache(&self) -> &EstimateCache {
        &self.parts.estimates
    }

    pub(crate) async fn read(&self) -> Result<Lease<'_>> {
        self.parts.readers.lease().await
    }

    pub(crate) async fn write(&self) -> Result<Write<'_>> {
        self.begin_write(Durability::AtOnce).await
    }

    /// A transaction whose commit need not be on disk before the next one is: see [`Durability::WithTheNext`].
    pub(crate) async fn write_lazily(&self) -> Result<Write<'_>> {
        self.begin_write(Durability::WithTheNext).await
    }

    /// A transaction for a lease. Where a file's machine crashes, so does who holds it; where a server does, its holders go
    /// on, so that there a lease is on disk before it counts.
    pub(crate) async fn write_lease(&self) -> Result<Write<'_>> {
        match self.place() {
            Place::File(_) => self.write_lazily().await,
            Place::Postgres(_) => self.write().await,
        }
    }

    /// [`Catalog::write`] with the first row that a query finds once it has the lock, in one round trip to a file.
    pub(crate) async fn write_with<T: FromRow + Send>(&self, query: Sql<'_>) -> Result<(Write<'_>, Option<T>)> {
        Write::begin_with(self.writer()?.lease().await?, Durability::AtOnce, query).await
    }

    /// The same of [`Catalog::write_lazily`].
    pub(crate) async fn write_lazily_with<T: FromRow + Send>(&self, query: Sql<'_>) -> Result<(Write<'_>, Option<T>)> {
        Write::begin_with(self.writer()?.lease().await?, Durability::WithTheNext, query).await
    }

    async fn begin_write(&self, durability: Durability) -> Result<Write<'_>> {
        Write::begin(self.writer()?.lease().await?, durability).await
    }

    fn writer(&self) -> Result<&Connections> {
        self.parts.writer.as_ref().ok_or_else(|| CatalogError::ReadOnly(self.place().to_string()))
    }

    /// How often statements were sent to the database and waited for.
    #[cfg(test)]
    pub(crate) fn round_trips(&self) -> u64 {
        self.parts.readers.round_trips() + self.parts.writer.as_ref().map_or(0, Connections::round_trips)
    }
}

//! What a warehouse does by itself while nothing else runs: rows of the catalog go into files, small files are merged,
//! deleted rows are left out, what is out of order is sorted; keys that are left to the warehouse are chosen by use;
//! tables that have changed much are analyzed; old snapshots expire, and the files that only they had go. Materialized
//! views that say so are refreshed also while something runs (`refresh`).
//!
//! Only a process that stays open does it ([`start`]); of several on one warehouse only one at a time, by a lease in
//! the catalog. It begins when no statement has run for a while, stops between batches while one runs, and ends when
//! the warehouse is closed. What it changes conflicts with nobody: a statement that changes the same files wins.
//!
//! Of a warehouse that is never quiet it moves rows that are very many in the catalog into files: transaction blocks leave
//! them there, a few at a time.

mod refresh;

use self::refresh::Refresher;
use crate::background::Activity;
pub use crate::background::MaintenanceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::maintenance::{Aim, Look, MOST_ROWS_OF_TABLE, Rewriter, choose_keys, look};
use crate::session::Session;
use crate::sql::VacuumMode;
use crate::tables::condition::{Piece, sort_form, sorted_percent};
use crate::warehouse::Warehouse;
use millrace_catalog::{Catalog, Snapshot};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The name of the lease.
const LEASE: &str = "maintenance";

/// How long a lease lasts when it is not renewed: longer than the rewrite of one table may stand still.
const LEASE_TIME_MS: i64 = 10 * 60 * 1000;

/// How often old snapshots are let go where nothing is changed.
const EXPIRY: Duration = Duration::from_mins(10);

/// Looks after the tables of a warehouse until it is closed, unless its configuration says not to or it cannot be
/// written. Must be called within a runtime, once for a warehouse.
pub fn start(warehouse: &Arc<Warehouse>) {
    let config = warehouse.config().maintenance.clone();
    if warehouse.catalog().is_read_only() {
        return;
    }
    if config.refresh {
        let refresher = Refresher::new(config.refresh_interval);
        warehouse.cleanup().spawn(refresher.run(Arc::downgrade(warehouse), Arc::clone(warehouse.activity())));
    }
    if config.enabled || config.analyze {
        let owner = uuid::Uuid::new_v4().to_string();
        let keeper = Keeper::new(owner, config);
        // Owned by the warehouse, which waits for it when it is closed, and does not keep the warehouse open.
        warehouse.cleanup().spawn(keeper.run(Arc::downgrade(warehouse), Arc::clone(warehouse.activity())));
    }
}

/// Looks after tables.
struct Keeper {
    /// The lease's owner.
    owner: String,
    config: MaintenanceConfig,
    /// The manifest's snapshot up to which tables were looked at.
    seen: Option<i64>,
    /// Tables that queries have used since they were looked at.
    used: BTreeSet<i64>,
    /// Tables with a few rows in the catalog, and since when they are as they are.
    left: HashMap<i64, Instant>,
    /// The manifest's snapshot up to which very many rows were moved out of the catalog while statements ran.
    flushed: Option<i64>,
    /// When old snapshots were last let go.
    expired: Option<Instant>,
}

impl Keeper {
    fn new(owner: String, config: MaintenanceConfig) -> Self {
        let (used, left) = (BTreeSet::new(), HashMap::new());
        Self { owner, config, seen: None, used, left, flushed: None, expired: None }
    }

    async fn run(mut self, warehouse: Weak<Warehouse>, activity: Arc<Activity>) {
        while activity.sleep(self.config.interval).await.is_ok() {
            let patience = self.config.interval + self.config.quiet;
            let quiet = tokio::time::timeout(patience, activity.quiet(self.config.quiet)).await;
            let Some(warehouse) = warehouse.upgrade() else { return };
            let done = match quiet {
                Ok(Ok(())) => self.round(&warehouse).await,
                Ok(Err(_)) => return,
                Err(_) => self.flush(&warehouse).await,
            };
            match done {
                Err(error) if error.kind == ErrorKind::Cancelled => {}
                Err(error) => tracing::warn!(%error, "could not look after the tables"),
                Ok(()) => {}
            }
        }
    }

    /// Does what there is to do, if nobody else is doing it.
    async fn round(&mut self, warehouse: &Arc<Warehouse>) -> Result<()> {
        let catalog = warehouse.catalog();
        let version = catalog.snapshot().await?.manifest_version();
        let due = self.expired.is_none_or(|last| last.elapsed() >= EXPIRY);
        self.used.extend(warehouse.data().take_used_tables());
        let left = self.left.keys().any(|table| self.is_left_alone(*table));
        if (self.seen == Some(version) && self.used.is_empty() && !due && !left)
            || !catalog.take_lease(LEASE, &self.owner, LEASE_TIME_MS).await?
        {
            return Ok(());
        }
        let mut done = self.tables(warehouse).await;
        if done.is_ok() {
            // What was rewritten goes when no snapshot needs it any more.
            done = warehouse.expire().await.map(|expired| tracing::debug!(?expired, "let old snapshots expire"));
            self.expired = Some(Instant::now());
        }
        catalog.end_lease(LEASE, &self.owner).await?;
        done
    }

    /// Looks at the tables that were changed since the last time.
    async fn tables(&mut self, warehouse: &Arc<Warehouse>) -> Result<()> {
        let snapshot = warehouse.catalog().snapshot().await?;
        let version = snapshot.manifest_version();
        let touched = touched(warehouse.catalog(), self.seen, version).await?;
        let rewriter = Rewriter::in_background(warehouse);
        self.left.retain(|table, _| snapshot.managed_table_by_id(*table).is_some());
        for table in snapshot.all_managed_tables() {
            // How a table is used may make other keys right for it.
            let used = self.config.enabled && self.used.contains(&table.id);
            let changed = touched.as_ref().is_none_or(|touched| touched.contains(&table.id));
            if changed {
                self.left.remove(&table.id);
            } else if !used && !self.is_left_alone(table.id) {
                continue;
            }
            warehouse.activity().pause().await?;
            match self.keep(warehouse, &rewriter, table.id).await {
                Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
                // The other tables are looked after all the same.
                Err(error) => tracing::warn!(%error, table = table.name, "could not look after a table"),
                Ok(()) => {}
            }
        }
        self.seen = Some(version);
        self.used.clear();
        Ok(())
    }

    /// Whether a table with a few rows in the catalog has not changed for so long that these go into a file.
    fn is_left_alone(&self, table: i64) -> bool {
        self.left.get(&table).is_some_and(|since| since.elapsed() >= self.config.inlined_quiet)
    }

    /// Moves rows of which a table has very many in the catalog into a file, while statements run.
    async fn flush(&mut self, warehouse: &Arc<Warehouse>) -> Result<()> {
        let catalog = warehouse.catalog();
        let snapshot = catalog.snapshot().await?;
        let (version, since) = (snapshot.manifest_version(), self.flushed.max(self.seen));
        if !self.config.enabled
            || since == Some(version)
            || !catalog.take_lease(LEASE, &self.owner, LEASE_TIME_MS).await?
        {
            return Ok(());
        }
        let done = flush_many(warehouse, &snapshot, since).await;
        if done.is_ok() {
            self.flushed = Some(version);
        }
        catalog.end_lease(LEASE, &self.owner).await?;
        done
    }

    async fn keep(&mut self, warehouse: &Arc<Warehouse>, rewriter: &Rewriter, table: i64) -> Result<()> {
        let Some(mut seen) = look(warehouse, table).await? else { return Ok(()) };
        if self.config.enabled {
            let (now, keys) = choose_keys(warehouse, seen, None).await?;
            if !keys.is_empty() {
                tracing::info!(table = now.table.name, ?keys, "chose keys in the background");
            }
            seen = now;
        }
        let slices = warehouse.base_state().config().target_partitions();
        let aim = aim(&seen, &self.config, slices).filter(|_| self.config.enabled);
        let analyze = self.config.analyze && self.is_to_be_analyzed(warehouse, &seen).await?;
        let flush = self.config.enabled && aim.is_none() && self.is_to_be_flushed(&seen);
        // All may take long: the lease begins anew with each table.
        let idle = aim.is_none() && !analyze && !flush;
        if idle || !warehouse.catalog().take_lease(LEASE, &self.owner, LEASE_TIME_MS).await? {
            return Ok(());
        }
        if let Some(aim) = aim
            && let Some(report) = rewriter.vacuum(table, &aim, None).await?
        {
            tracing::info!(?report, "vacuumed a table in the background");
            warehouse.journal().record(&report.record("", 0));
        }
        if flush {
            let rows = rewriter.flush(table).await?;
            tracing::info!(table = seen.table.name, rows, "moved rows of the catalog into a file in the background");
        }
        if analyze { analyze_table(warehouse, &seen).await } else { Ok(()) }
    }

    /// Whether a table's few rows in the catalog are to go into a file; from now on they wait anew.
    fn is_to_be_flushed(&mut self, seen: &Look) -> bool {
        let (table, due) = (seen.table.id, self.is_left_alone(seen.table.id));
        if seen.inlined.iter().all(|rows| rows.rows.is_empty()) {
            self.left.remove(&table);
            return false;
        }
        if due {
            self.left.insert(table, Instant::now());
        } else {
            self.left.entry(table).or_insert_with(Instant::now);
        }
        due
    }

    /// Whether a table has changed enough since it was analyzed.
    async fn is_to_be_analyzed(&self, warehouse: &Warehouse, seen: &Look) -> Result<bool> {
        let rows: u64 = seen.pieces.iter().map(|piece| piece.live).sum();
        let known = warehouse.catalog().estimates(seen.table.id).await?;
        Ok(match &known.analysis {
            None => rows >= self.config.analyze_rows.max(1),
            Some(then) => {
                let changed = u128::from(then.row_count.abs_diff(rows));
                changed > 0 && changed * 100 >= u128::from(then.row_count) * u128::from(self.config.analyze_percent)
            }
        })
    }
}

/// The tables that commits touched between two snapshots; `None` where nobody can tell.
async fn touched(catalog: &Catalog, since: Option<i64>, version: i64) -> Result<Option<BTreeSet<i64>>> {
    match since {
        Some(since) if since <= version => Ok(catalog.touched_tables(since, version).await?),
        _ => Ok(None),
    }
}

/// Moves the rows of the tables that have very many in the catalog, of those that changed since a snapshot.
async fn flush_many(warehouse: &Arc<Warehouse>, snapshot: &Snapshot, since: Option<i64>) -> Result<()> {
    let (catalog, version) = (warehouse.catalog(), snapshot.manifest_version());
    let touched = touched(catalog, since, version).await?;
    for table in snapshot.all_managed_tables() {
        if touched.as_ref().is_some_and(|touched| !touched.contains(&table.id)) {
            continue;
        }
        let rows: usize = catalog.inlined_rows(table.id, version).await?.iter().map(|rows| rows.rows.len()).sum();
        if rows > MOST_ROWS_OF_TABLE {
            let rows = Rewriter::new(warehouse).flush(table.id).await?;
            tracing::info!(table = table.name, rows, "moved rows of the catalog into a file beside statements");
        }
    }
    Ok(())
}

/// Analyzes the columns that queries use, as a session would.
///
/// # Errors
/// `Cancelled` when a statement begins meanwhile: it is done anew when nothing runs.
async fn analyze_table(warehouse: &Arc<Warehouse>, seen: &Look) -> Result<()> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!("ANALYZE {}.{} PREDICATE COLUMNS", quoted(&seen.table.schema), quoted(&seen.table.name));
    let mut session = Session::new(Arc::clone(warehouse)).bypassing_queues();
    for statement in session.parse_as_named(&text)? {
        tokio::select! {
            done = session.execute(&statement) => drop(done?),
            disturbed = warehouse.activity().more_than(1) => {
                disturbed?;
                return Err(Error::new(ErrorKind::Cancelled, "a statement has begun"));
            }
        }
    }
    tracing::info!(table = seen.table.name, "analyzed a table in the background");
    Ok(())
}

/// What is to be done with a table, if anything.
fn aim(seen: &Look, config: &MaintenanceConfig, slices: usize) -> Option<Aim> {
    let aim = |mode| Aim::of_statement(mode, None, slices);
    let full = aim(VacuumMode::Full);
    let sorted = sorted_percent(&seen.pieces, sort_form(&seen.table)).unwrap_or(100.0);
    let unsorted = sorted < 100.0 && 100.0 - sorted >= f64::from(config.unsorted_percent);
    let sum = |of: fn(&Piece) -> u64| seen.pieces.iter().map(of).sum::<u64>();
    let (rows, deleted) = (sum(|piece| piece.rows), sum(Piece::deleted));
    let is_file = |piece: &&Piece| piece.file.is_some();
    let small = seen.pieces.iter().filter(is_file).filter(|piece| piece.bytes < full.small_bytes).count();
    let inlined: u64 = seen.pieces.iter().filter(|piece| piece.file.is_none()).map(|piece| piece.live).sum();
    if unsorted && !only_inlined(seen) {
        return Some(full);
    }
    let many_deleted =
        deleted > 0 && u128::from(deleted) * 100 >= u128::from(rows) * u128::from(config.deleted_percent);
    let needed = many_deleted || small >= config.small_files.max(2) || (inlined > 0 && inlined >= config.inlined_rows);
    needed.then(|| aim(VacuumMode::DeleteOnly))
}

/// Whether nothing but the catalog's rows is out of order: a few of those are no reason for a file.
fn only_inlined(seen: &Look) -> bool {
    seen.pieces.iter().all(|piece| piece.file.is_none())
}

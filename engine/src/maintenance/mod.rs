//! What a warehouse does by itself while nothing else runs: rows of the catalog go into files, small files are merged,
//! deleted rows are left out, what is out of order is sorted; keys that are left to the warehouse are chosen by use;
//! tables that have changed much are analyzed; old snapshots expire, and the files that only they had go. Materialized
//! views that say so are refreshed also while something runs (`refresh`).
//!
//! Only a process that stays open does it ([`start`]); of several on one warehouse only one at a time, by a lease in
//! the catalog. It begins when no statement has run for a while, stops between batches while one runs, and ends when
//! the warehouse is closed. What it changes conflicts with nobody: a statement that changes the same files wins.

mod refresh;

use self::refresh::Refresher;
use crate::background::Activity;
pub use crate::background::MaintenanceConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::maintenance::{Aim, Look, Rewriter, choose_keys, look};
use crate::session::Session;
use crate::sql::VacuumMode;
use crate::tables::condition::{Piece, sort_form, sorted_percent};
use crate::warehouse::Warehouse;
use std::collections::BTreeSet;
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
        let keeper = Keeper { owner, config, seen: None, used: BTreeSet::new(), expired: None };
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
    /// When old snapshots were last let go.
    expired: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, warehouse: Weak<Warehouse>, activity: Arc<Activity>) {
        while activity.sleep(self.config.interval).await.is_ok() && activity.quiet(self.config.quiet).await.is_ok() {
            let Some(warehouse) = warehouse.upgrade() else { return };
            match self.round(&warehouse).await {
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
        if (self.seen == Some(version) && self.used.is_empty() && !due)
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
        let touched = match self.seen {
            Some(seen) if seen <= version => warehouse.catalog().touched_tables(seen, version).await?,
            _ => None,
        };
        let rewriter = Rewriter::in_background(warehouse);
        for table in snapshot.all_managed_tables() {
            // How a table is used may make other keys right for it.
            let used = self.config.enabled && self.used.contains(&table.id);
            if !used && touched.as_ref().is_some_and(|touched| !touched.contains(&table.id)) {
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

    async fn keep(&self, warehouse: &Arc<Warehouse>, rewriter: &Rewriter, table: i64) -> Result<()> {
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
        // Both may take long: the lease begins anew with each table.
        let idle = aim.is_none() && !analyze;
        if idle || !warehouse.catalog().take_lease(LEASE, &self.owner, LEASE_TIME_MS).await? {
            return Ok(());
        }
        if let Some(aim) = aim
            && let Some(report) = rewriter.vacuum(table, &aim, None).await?
        {
            tracing::info!(?report, "vacuumed a table in the background");
            warehouse.journal().record(&report.record("", 0));
        }
        if analyze { analyze_table(warehouse, &seen).await } else { Ok(()) }
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

/// Analyzes the columns that queries use, as a session would.
///
/// # Errors
/// `Cancelled` when a statement begins meanwhile: it is done anew when nothing runs.
async fn analyze_table(warehouse: &Arc<Warehouse>, seen: &Look) -> Result<()> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!("ANALYZE {}.{} PREDICATE COLUMNS", quoted(&seen.table.schema), quoted(&seen.table.name));
    let mut session = Session::new(Arc::clone(warehouse)).bypassing_queues();
    for statement in session.parse(&text)? {
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

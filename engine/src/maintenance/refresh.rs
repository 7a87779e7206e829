//! Materialized views that are refreshed by themselves, also while statements run: what came to their streams is in them
//! within seconds, what changed in their tables soon after.
//!
//! Each view is refreshed by itself, a few at the same time and over as many looks as it takes: one with much to read
//! keeps no other waiting. Of several processes on one warehouse one refreshes a view, by a lease of that view, which is
//! renewed while the refresh runs and kept as long as the process goes on looking after the view. A stream to which nothing
//! came is asked less and less often, up to [`MOST_PAUSE`]; a view that cannot be refreshed less often still. A view of
//! tables is refreshed when a commit touched one of them, and rests [`REST`] times as long as its refresh took.

use crate::background::Activity;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::sql::{MaterializedViewStatement, Statement};
use crate::warehouse::Warehouse;
use millrace_catalog::model::ManagedTable;
use millrace_catalog::{Catalog, Snapshot};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

/// How long a lease lasts when it is not renewed.
const LEASE_TIME_MS: i64 = 20 * 1000;

/// How often the leases of refreshes that run are renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// Views that are refreshed at the same time.
const AT_ONCE: usize = 4;

/// The longest pause between two refreshes of a view whose stream gets nothing.
const MOST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause between two refreshes of a view that cannot be refreshed.
const MOST_PAUSE_AFTER_FAILURES: Duration = Duration::from_mins(5);

/// How many times as long as a refresh of a view of tables took it is left alone.
const REST: u32 = 3;

/// Refreshes views.
pub(super) struct Refresher {
    /// The leases' owner.
    owner: String,
    /// How often views are looked at.
    interval: Duration,
    /// The views that it looks after, by number.
    views: HashMap<i64, Watched>,
    running: JoinSet<Result<bool>>,
}

/// A view that is looked after.
#[derive(Debug)]
struct Watched {
    name: String,
    of_stream: bool,
    /// When it may be refreshed again, and the pause that led there.
    due: Instant,
    pause: Duration,
    /// The versions of the catalog and of the manifest whose tables are in it.
    seen: Option<Versions>,
    /// Whether this process has its lease.
    leased: bool,
    run: Option<Run>,
}

/// A refresh that runs.
#[derive(Debug)]
struct Run {
    task: AbortHandle,
    began: Instant,
    of: Versions,
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The view has other rows.
    Changed,
    /// There was nothing to do.
    Idle,
    /// It could not be refreshed.
    Failed,
}

/// The version of the catalog and that of the manifest.
type Versions = (i64, i64);

impl Refresher {
    pub(super) fn new(interval: Duration) -> Self {
        let owner = uuid::Uuid::new_v4().to_string();
        Self { owner, interval, views: HashMap::new(), running: JoinSet::new() }
    }

    pub(super) async fn run(mut self, warehouse: Weak<Warehouse>, activity: Arc<Activity>) {
        let mut look = Instant::now() + self.interval;
        let mut renewal = Instant::now() + RENEWAL;
        loop {
            let next = look.min(renewal).saturating_duration_since(Instant::now());
            tokio::select! {
                slept = activity.sleep(next) => if slept.is_err() {
                    return self.close(&warehouse).await;
                },
                Some(ended) = self.running.join_next_with_id() => self.note(ended),
            }
            let Some(warehouse) = warehouse.upgrade() else { return };
            let now = Instant::now();
            if now >= renewal {
                renewal = now + RENEWAL;
                self.renew(warehouse.catalog()).await;
            }
            if now >= look {
                look = now + self.interval;
            }
            // Also when one has ended: another may have waited for its place.
            if let Err(error) = self.begin(&warehouse).await {
                tracing::warn!(%error, "could not look after materialized views");
            }
        }
    }

    /// Begins to refresh the views that are due and that nobody else refreshes, those first that have waited longest.
    async fn begin(&mut self, warehouse: &Arc<Warehouse>) -> Result<()> {
        let catalog = warehouse.catalog();
        let snapshot = catalog.snapshot().await?;
        self.forget(catalog, &snapshot).await;
        let now = Instant::now();
        let automatic = snapshot.all_managed_tables().filter(|table| is_automatic(table));
        let mut due: Vec<(Instant, &Arc<ManagedTable>)> = Vec::new();
        for view in automatic {
            let watched = self.views.entry(view.id).or_insert_with(|| Watched::new(view, now));
            if watched.run.is_none() && watched.due <= now {
                due.push((watched.due, view));
            }
        }
        due.sort_by_key(|(due, view)| (*due, view.id));
        let versions = (snapshot.version(), snapshot.manifest_version());
        for (_, view) in due {
            if self.running.len() >= AT_ONCE {
                break;
            }
            let Some(watched) = self.views.get_mut(&view.id) else { continue };
            if !watched.may_be_stale(catalog, view, versions).await? {
                continue;
            }
            watched.leased = catalog.take_lease(&lease(view.id), &self.owner, LEASE_TIME_MS).await?;
            if !watched.leased {
                watched.due = now + self.interval;
                continue;
            }
            let (warehouse, view) = (Arc::clone(warehouse), Arc::clone(view));
            let task = self.running.spawn(async move { refresh(&warehouse, &view).await });
            watched.run = Some(Run { task, began: Instant::now(), of: versions });
        }
        Ok(())
    }

    /// Lets go of views that are gone, or are not refreshed by themselves any more.
    async fn forget(&mut self, catalog: &Catalog, snapshot: &Snapshot) {
        let is_kept = |id: &i64| snapshot.managed_table_by_id(*id).is_some_and(|table| is_automatic(table));
        let gone = self.views.extract_if(|id, watched| watched.run.is_none() && !is_kept(id));
        for (id, watched) in gone.collect::<Vec<_>>() {
            self.give_back(catalog, id, &watched).await;
        }
    }

    async fn give_back(&self, catalog: &Catalog, id: i64, watched: &Watched) {
        if watched.leased
            && let Err(error) = catalog.end_lease(&lease(id), &self.owner).await
        {
            tracing::warn!(%error, view = watched.name, "could not give back the lease of a materialized view");
        }
    }

    /// Keeps the leases of the refreshes that run; one that another process has taken over is given up.
    async fn renew(&mut self, catalog: &Catalog) {
        for (id, watched) in &mut self.views {
            let Some(run) = &watched.run else { continue };
            match catalog.take_lease(&lease(*id), &self.owner, LEASE_TIME_MS).await {
                Ok(true) => {}
                Ok(false) => {
                    watched.leased = false;
                    run.task.abort();
                }
                Err(error) => {
                    tracing::warn!(%error, view = watched.name, "could not renew the lease of a materialized view");
                }
            }
        }
    }

    /// Notes how a refresh ended, and when the view is refreshed again.
    fn note(&mut self, ended: std::result::Result<(Id, Result<bool>), JoinError>) {
        let (id, done) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(Error::internal(format!("a refresh ended abnormally: {error}")))),
        };
        let is_its = |watched: &&mut Watched| watched.run.as_ref().is_some_and(|run| run.task.id() == id);
        let Some(watched) = self.views.values_mut().find(is_its) else { return };
        let Some(run) = watched.run.take() else { return };
        let ended = match &done {
            Ok(changed) => {
                watched.seen = Some(run.of);
                if *changed { Ended::Changed } else { Ended::Idle }
            }
            Err(error) => {
                tracing::warn!(%error, view = watched.name, "could not refresh a materialized view");
                Ended::Failed
            }
        };
        let wait = watched.wait(ended, run.began.elapsed(), self.interval);
        watched.due = Instant::now() + wait;
    }

    /// Ends what runs, which is not committed and is done again, and lets other processes go on.
    async fn close(mut self, warehouse: &Weak<Warehouse>) {
        self.running.shutdown().await;
        let Some(warehouse) = warehouse.upgrade() else { return };
        for (id, watched) in &self.views {
            self.give_back(warehouse.catalog(), *id, watched).await;
        }
    }
}

impl Watched {
    fn new(view: &ManagedTable, now: Instant) -> Self {
        let of_stream = view.attributes.materialized.as_ref().is_some_and(|view| view.stream.is_some());
        let name = view.name.clone();
        Self { name, of_stream, due: now, pause: Duration::ZERO, seen: None, leased: false, run: None }
    }

    /// How long a view is left alone after a refresh that took so long.
    fn wait(&mut self, ended: Ended, took: Duration, interval: Duration) -> Duration {
        let most = match ended {
            Ended::Failed => MOST_PAUSE_AFTER_FAILURES,
            Ended::Idle if self.of_stream => MOST_PAUSE,
            Ended::Idle | Ended::Changed => Duration::ZERO,
        };
        self.pause = (self.pause * 2).max(interval).min(most);
        let rest = if self.of_stream { Duration::ZERO } else { (took * REST).min(MOST_PAUSE_AFTER_FAILURES) };
        self.pause.max(interval).max(rest)
    }

    /// Whether a refresh may find something to do: nobody knows of a stream, and of tables it is known which ones
    /// commits touched.
    async fn may_be_stale(&mut self, catalog: &Catalog, view: &ManagedTable, now: Versions) -> Result<bool> {
        let Some((_, manifest)) = self.seen.filter(|seen| !self.of_stream && seen.0 == now.0) else { return Ok(true) };
        let tables = view.attributes.materialized.as_ref().and_then(|view| view.seen.as_ref());
        let Some(tables) = tables else { return Ok(true) };
        let is_untouched = manifest == now.1 || {
            let touched = catalog.touched_tables(manifest, now.1).await?;
            touched.is_some_and(|touched| !tables.keys().any(|table| touched.contains(table)))
        };
        if is_untouched {
            self.seen = Some(now);
        }
        Ok(!is_untouched)
    }
}

/// The name of the lease of a view.
fn lease(view: i64) -> String {
    format!("refresh of {view}")
}

fn is_automatic(table: &ManagedTable) -> bool {
    table.attributes.materialized.as_ref().is_some_and(|view| view.auto_refresh)
}

/// Refreshes a view; whether anything came.
async fn refresh(warehouse: &Arc<Warehouse>, view: &ManagedTable) -> Result<bool> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!("REFRESH MATERIALIZED VIEW {}.{}", quoted(&view.schema), quoted(&view.name));
    let mut session = Session::new(Arc::clone(warehouse)).bypassing_queues();
    for mut parsed in session.parse_as_named(&text)? {
        if let Statement::MaterializedView(MaterializedViewStatement::Refresh { automatic, .. }) = &mut parsed.statement
        {
            *automatic = true;
        }
        session.execute(&parsed).await?;
    }
    let snapshot = warehouse.catalog().snapshot().await?;
    let now =
        snapshot.managed_table_by_id(view.id).ok_or_else(|| Error::internal("a view that was refreshed is gone"))?;
    Ok(now.attributes.materialized != view.attributes.materialized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_left_alone_the_longer_the_less_comes() {
        let took = Duration::from_secs(10);
        for (of_stream, ended, waits) in [
            (true, Ended::Changed, [2, 2, 2, 2, 2]),
            (true, Ended::Idle, [2, 4, 8, 8, 8]),
            (true, Ended::Failed, [2, 4, 8, 16, 32]),
            // Three times as long as it took.
            (false, Ended::Changed, [30, 30, 30, 30, 30]),
            (false, Ended::Idle, [30, 30, 30, 30, 30]),
            (false, Ended::Failed, [30, 30, 30, 30, 32]),
        ] {
            let mut view = Watched::new(&ManagedTable::default(), Instant::now());
            view.of_stream = of_stream;
            let found = waits.map(|_| view.wait(ended, took, Duration::from_secs(2)).as_secs());
            assert_eq!(found, waits, "{ended:?} of_stream: {of_stream}");
        }
        let mut view = Watched::new(&ManagedTable::default(), Instant::now());
        for _ in 0..20 {
            view.wait(Ended::Failed, took, Duration::from_secs(2));
        }
        assert_eq!(view.wait(Ended::Failed, took * 1000, Duration::from_secs(2)), MOST_PAUSE_AFTER_FAILURES);
        // It is there again.
        assert_eq!(view.wait(Ended::Changed, Duration::ZERO, Duration::from_secs(2)), Duration::from_secs(2));
    }
}

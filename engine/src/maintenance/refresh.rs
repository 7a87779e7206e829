//! Materialized views of streams that are refreshed by themselves, also while statements run: what came to their streams
//! is in them within seconds.
//!
//! Of several processes on one warehouse only one does it, by a lease. A stream to which nothing came is asked less and
//! less often, up to [`MOST_PAUSE`]; one that cannot be read less often still.

use crate::background::Activity;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::sql::{MaterializedViewStatement, Statement};
use crate::warehouse::Warehouse;
use futures::{StreamExt, stream};
use millrace_catalog::model::ManagedTable;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The name of the lease.
const LEASE: &str = "refresh of streams";

/// How long a lease lasts when it is not renewed.
const LEASE_TIME_MS: i64 = 20 * 1000;

/// Views that are refreshed at the same time.
const AT_ONCE: usize = 4;

/// The longest pause between two refreshes of a view whose stream gets nothing.
const MOST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause between two refreshes of a view that cannot be refreshed.
const MOST_PAUSE_AFTER_FAILURES: Duration = Duration::from_mins(5);

/// Longer than any process lives.
const UNTIL_CLOSED: Duration = Duration::from_hours(24 * 365);

/// Refreshes views.
pub(super) struct Refresher {
    /// The lease's owner.
    owner: String,
    /// How often views are refreshed.
    interval: Duration,
    /// When a view is refreshed again, and the pause that led there.
    pauses: HashMap<i64, (Instant, Duration)>,
}

impl Refresher {
    pub(super) fn new(interval: Duration) -> Self {
        Self { owner: uuid::Uuid::new_v4().to_string(), interval, pauses: HashMap::new() }
    }

    pub(super) async fn run(mut self, warehouse: Weak<Warehouse>, activity: Arc<Activity>) {
        while activity.sleep(self.interval).await.is_ok() {
            let Some(warehouse) = warehouse.upgrade() else { return };
            let done = tokio::select! {
                done = self.round(&warehouse) => done,
                // What a refresh read is not committed, and is read again.
                _ = activity.sleep(UNTIL_CLOSED) => warehouse.catalog().end_lease(LEASE, &self.owner).await.map_err(Error::from),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "could not look after materialized views");
            }
        }
    }

    /// Refreshes the views that are due, if nobody else does.
    async fn round(&mut self, warehouse: &Arc<Warehouse>) -> Result<()> {
        let catalog = warehouse.catalog();
        let snapshot = catalog.snapshot().await?;
        let now = Instant::now();
        let is_due = |table: &&Arc<ManagedTable>| {
            let paused = self.pauses.get(&table.id).is_some_and(|(until, _)| *until > now);
            is_automatic(table) && !paused
        };
        let due: Vec<Arc<ManagedTable>> = snapshot.all_managed_tables().filter(is_due).cloned().collect();
        self.pauses.retain(|id, _| snapshot.managed_table_by_id(*id).is_some());
        if due.is_empty() || !catalog.take_lease(LEASE, &self.owner, LEASE_TIME_MS).await? {
            return Ok(());
        }
        let refreshed = stream::iter(due).map(|view| async move { (refresh(warehouse, &view).await, view) });
        let mut refreshed = pin!(refreshed.buffer_unordered(AT_ONCE));
        while let Some((done, view)) = refreshed.next().await {
            // The lease begins anew with each view.
            let leased = catalog.take_lease(LEASE, &self.owner, LEASE_TIME_MS).await?;
            let (pause, most) = match done {
                Ok(true) => (Duration::ZERO, Duration::ZERO),
                Ok(false) => (self.interval, MOST_PAUSE),
                Err(error) => {
                    tracing::warn!(%error, view = view.name, "could not refresh a materialized view");
                    (self.interval, MOST_PAUSE_AFTER_FAILURES)
                }
            };
            let before = self.pauses.get(&view.id).map_or(Duration::ZERO, |(_, pause)| *pause);
            let pause = (before * 2).max(pause).min(most);
            self.pauses.insert(view.id, (Instant::now() + pause, pause));
            if !leased {
                return Ok(());
            }
        }
        catalog.end_lease(LEASE, &self.owner).await?;
        Ok(())
    }
}

fn is_automatic(table: &ManagedTable) -> bool {
    let view = table.attributes.materialized.as_ref();
    view.and_then(|view| view.stream.as_ref()).is_some_and(|stream| stream.auto_refresh)
}

/// Refreshes a view; whether anything came.
async fn refresh(warehouse: &Arc<Warehouse>, view: &ManagedTable) -> Result<bool> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!("REFRESH MATERIALIZED VIEW {}.{}", quoted(&view.schema), quoted(&view.name));
    let mut session = Session::new(Arc::clone(warehouse)).bypassing_queues();
    for mut parsed in session.parse(&text)? {
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

//! Tables as this process's commits left them: the next commit to one need not read again what nobody has changed since.

use super::follow::OwnCommits;
use super::state::TableState;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use std::collections::HashMap;
use std::sync::Arc;

/// Tables that are kept: those that were committed to last.
const MOST_TABLES: u64 = 1_000;

/// Tables by their numbers, each with the snapshot that left it so.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    tables: Cache<i64, (i64, Arc<TableState>)>,
    own_commits: Arc<OwnCommits>,
}

impl Settled {
    /// None yet, and whom to ask what was committed since.
    pub(crate) fn new(own_commits: Arc<OwnCommits>) -> Self {
        let tables = Cache::builder().max_capacity(MOST_TABLES).eviction_policy(EvictionPolicy::lru()).build();
        Self { tables, own_commits }
    }

    /// The table as it is at the manifest's newest snapshot, if that is known.
    pub(super) async fn table(&self, table: i64, newest: i64) -> Option<TableState> {
        let (snapshot, state) = self.tables.get(&table).await?;
        let holds = snapshot == newest || self.own_commits.passed_over(table, snapshot, newest);
        holds.then(|| state.as_ref().clone())
    }

    /// Keeps a table as a commit that was made left it.
    pub(super) async fn put(&self, table: i64, snapshot: i64, state: TableState) {
        match state.settled() {
            Some(state) => self.tables.insert(table, (snapshot, Arc::new(state))).await,
            None => self.tables.invalidate(&table).await,
        }
    }
}

/// Tables as the next commit finds them: those that commits before it in the same transaction of the database have
/// changed, and the settled ones.
#[derive(Debug, Clone)]
pub(super) struct KnownTables {
    settled: Settled,
    /// The newest snapshot that is committed.
    newest: i64,
    /// By number, as commits of the same transaction left them; `None` for one that is gone.
    changed: Arc<HashMap<i64, Option<TableState>>>,
}

impl KnownTables {
    /// Those of a transaction that has made no snapshot yet.
    pub(super) fn new(settled: &Settled, newest: i64) -> Self {
        Self { settled: settled.clone(), newest, changed: Arc::default() }
    }

    /// The table as it is now, if that is known.
    pub(super) async fn table(&self, table: i64) -> Option<TableState> {
        match self.changed.get(&table) {
            Some(state) => state.clone(),
            None => self.settled.table(table, self.newest).await,
        }
    }

    /// Notes the tables that a commit of the same transaction has changed.
    pub(super) fn change(&mut self, tables: &HashMap<i64, TableState>) {
        let changed = Arc::make_mut(&mut self.changed);
        changed.extend(tables.iter().map(|(id, state)| (*id, state.clone().settled())));
    }
}

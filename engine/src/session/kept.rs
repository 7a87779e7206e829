//! Results that are given again: which queries ask for one, whether it is still good, and how one is kept.
//!
//! A session with temporary tables and a transaction that has changed anything see what nobody else sees: they neither
//! take results nor keep any. In a transaction block a result is good for the block's own snapshot, and the block has
//! read its tables.

use super::{Session, Work};
use crate::error::Result;
use crate::result::{CommandTag, StatementResult};
use crate::result_cache::{Kept, Key, ReadOf, named};
use crate::sql::{ParsedStatement, Statement};
use crate::warehouse::Warehouse;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use millrace_catalog::Snapshot;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The setting that turns it off for a session.
pub(super) const SETTING: &str = "enable_result_cache_for_session";

/// Commits after which nobody looks whether a result is still good.
const MOST_COMMITS: i64 = 1000;

/// A result that is collected as it is read.
pub(super) struct Keeping {
    key: Key,
    schema: SchemaRef,
    rows_schema: SchemaRef,
    batches: Vec<RecordBatch>,
    bytes: usize,
    most_bytes: usize,
}

impl Keeping {
    /// Collects what a query gives; nothing of one whose messages would be lost.
    pub(super) fn begin(warehouse: &Warehouse, key: Option<Key>, result: &StatementResult) -> Option<Self> {
        let rows_schema = result.rows.as_ref()?.schema();
        let key = key.filter(|_| result.notices.is_empty())?;
        let most_bytes = warehouse.results().most_bytes_of_one();
        let schema = Arc::clone(&result.schema);
        Some(Self { key, schema, rows_schema, batches: Vec::new(), bytes: 0, most_bytes })
    }

    /// Adds rows; `None` once there are too many.
    pub(super) fn add(mut self, batch: &RecordBatch) -> Option<Self> {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch.clone());
        (self.bytes <= self.most_bytes).then_some(self)
    }

    /// Keeps the result of a query that has ended, if it may be given again.
    pub(super) fn finish(self, warehouse: &Warehouse, work: &Work) {
        let Some(read_of) = work.take_read_of() else { return };
        let Self { key, schema, rows_schema, batches, bytes, .. } = self;
        let kept = Kept { schema, rows_schema, batches, source_query: work.query() };
        warehouse.results().keep(key, read_of, kept, bytes);
    }
}

impl Session {
    /// What a query's result is found by; `None` where none may be given again.
    pub(super) fn result_key(&mut self, parsed: &ParsedStatement) -> Option<Key> {
        let Statement::Query(query) = &parsed.statement else { return None };
        let on = self.warehouse.results().is_on() && self.settings.client.get(SETTING) == Some("on");
        if !on || self.temporary.tables().next().is_some() {
            return None;
        }
        let mut settings = DefaultHasher::new();
        (parsed.dialect, self.settings_fingerprint()).hash(&mut settings);
        Some(Key { query: query.as_ref().clone(), user: self.who.user.clone(), settings: settings.finish() })
    }

    /// The settings that results depend on, as a number.
    fn settings_fingerprint(&mut self) -> u64 {
        if let Some((version, fingerprint)) = self.fingerprint
            && version == self.settings.version
        {
            return fingerprint;
        }
        let mut hasher = DefaultHasher::new();
        (self.settings.path.to_string(), &self.settings.timezone, &self.who.session_user).hash(&mut hasher);
        for entry in self.state.config().options().entries() {
            (entry.key, entry.value).hash(&mut hasher);
        }
        let fingerprint = hasher.finish();
        self.fingerprint = Some((self.settings.version, fingerprint));
        fingerprint
    }

    /// The kept result of a query, if there is one that is still good.
    pub(super) async fn kept_result(&mut self, key: &Key) -> Result<Option<StatementResult>> {
        let warehouse = Arc::clone(&self.warehouse);
        let Some((kept, read_of)) = warehouse.results().find(key) else { return Ok(None) };
        let mut transaction = match &self.block {
            Some(block) => Some(block.transaction.lock().await),
            None => None,
        };
        let snapshot = match &mut transaction {
            Some(transaction) if transaction.has_changed() => return Ok(None),
            Some(transaction) => transaction.snapshot(&warehouse).await?,
            None => warehouse.catalog().snapshot().await?,
        };
        if !is_good(&warehouse, key, &read_of, &snapshot).await? {
            return Ok(None);
        }
        if let Some(transaction) = &mut transaction {
            transaction.note_reads(&read_of.tables);
        }
        self.place.source_query = Some(kept.source_query);
        let rows = stream::iter(kept.batches.clone().into_iter().map(Ok));
        Ok(Some(StatementResult {
            schema: Arc::clone(&kept.schema),
            rows: Some(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&kept.rows_schema), rows))),
            tag: CommandTag::Select,
            notices: Vec::new(),
            progress: None,
        }))
    }
}

/// Whether a result is what the query would give of a snapshot.
async fn is_good(warehouse: &Warehouse, key: &Key, read_of: &ReadOf, snapshot: &Snapshot) -> Result<bool> {
    let (results, now) = (warehouse.results(), snapshot.manifest_version());
    if now < read_of.manifest || snapshot.version() < read_of.catalog {
        // A block that began before: others still want it.
        return Ok(false);
    }
    if snapshot.version() == read_of.catalog && now == read_of.manifest {
        return Ok(true);
    }
    let touched = if snapshot.version() == read_of.catalog && now - read_of.manifest <= MOST_COMMITS {
        warehouse.catalog().touched_tables(read_of.manifest, now).await?
    } else {
        None
    };
    let good = touched.is_some_and(|touched| touched.is_disjoint(&read_of.tables))
        && named(snapshot, &read_of.names) == read_of.named;
    if good {
        results.confirm(key, now);
    } else {
        results.forget(key);
    }
    Ok(good)
}

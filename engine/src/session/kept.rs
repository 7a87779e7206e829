//! Results that are given again: which queries ask for one, whether it is still good, and how one is kept; the same of
//! plans and of rows of queries that read nothing.
//!
//! A session with temporary tables and a transaction that has changed anything see what nobody else sees: they neither
//! take results or plans nor keep any. In a transaction block a result is good for the block's own snapshot, and the block has
//! read its tables.

use super::client_settings::CASE_OF_NAMES;
use super::{Session, Work};
use crate::error::Result;
use crate::kept_plans::{Kept as KeptOfPlan, KeptRow, PlanKey};
use crate::optimize::CostBased;
use crate::plan;
use crate::result::{CommandTag, StatementResult};
use crate::result_cache::{Kept, Key, ReadOf, named};
use crate::sql::key_query::{self, KeyQuery};
use crate::sql::{Bound, ParsedStatement, Statement};
use crate::warehouse::Warehouse;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use millrace_catalog::Snapshot;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The client's settings that say what a query means.
const MEANINGS: [&str; 4] = [
    CASE_OF_NAMES,
    "enable_case_sensitive_super_attribute",
    "json_parse_dedup_attributes",
    "json_parse_truncate_strings",
];

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
        (parsed.dialect, parsed.names, self.settings_fingerprint()).hash(&mut settings);
        Some(Key { query: query.as_ref().clone(), user: self.who.user.clone(), settings: settings.finish() })
    }

    /// A query for rows of a foreign table by their keys with these beside it, as a prepared statement has its values: it is
    /// found by what it has in common with those that came before. `None` for all other statements.
    pub(super) fn with_parameters(&self, parsed: &ParsedStatement) -> Option<ParsedStatement> {
        let Statement::Query(query) = &parsed.statement else { return None };
        if parsed.bound.is_some() || !self.warehouse.sources().has_read(&key_query::schema(query)?.to_lowercase()) {
            return None;
        }
        plan::with_room(|| {
            let KeyQuery { query, types, values } = key_query::with_parameters(query)?;
            let statement = self.warehouse.texts().with_parameters(parsed, query);
            let number = statement.number;
            let bound = Some(Arc::new(Bound { statement, types, values }));
            Some(ParsedStatement { number, bound, ..parsed.clone() })
        })
    }

    /// What a statement's plan is found by; `None` where none may be kept.
    pub(super) fn plan_key(&mut self, parsed: &ParsedStatement) -> Option<PlanKey> {
        let is_query = matches!(parsed.statement, Statement::Query(_));
        if parsed.number == 0 || !is_query || self.temporary.tables().next().is_some() {
            return None;
        }
        let parameters = parsed.bound.as_ref().map(|bound| bound.types.clone()).unwrap_or_default();
        let (user, settings) = (self.who.user.clone(), self.settings_fingerprint());
        Some(PlanKey { statement: parsed.number, parameters, user, settings })
    }

    /// The row of a query that reads nothing, if it was asked before.
    pub(super) fn kept_row(&self, key: &PlanKey) -> Option<StatementResult> {
        let Some(KeptOfPlan::Row(row)) = self.warehouse.plans().find(key) else { return None };
        let KeptRow { schema, rows_schema, batches } = row.as_ref();
        Some(rows(schema, rows_schema, batches.clone()))
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
        let meanings = MEANINGS.map(|name| self.settings.client.get(name));
        (meanings, CostBased::is_on(self.state.config())).hash(&mut hasher);
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
            transaction.reads().extend(&read_of.tables);
        }
        self.place.source_query = Some(kept.source_query);
        Ok(Some(rows(&kept.schema, &kept.rows_schema, kept.batches.clone())))
    }
}

/// A result of rows that are there.
fn rows(schema: &SchemaRef, rows_schema: &SchemaRef, batches: Vec<RecordBatch>) -> StatementResult {
    let rows = stream::iter(batches.into_iter().map(Ok));
    StatementResult {
        schema: Arc::clone(schema),
        rows: Some(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(rows_schema), rows))),
        tag: CommandTag::Select,
        notices: Vec::new(),
        progress: None,
    }
}

/// Whether what was read of one snapshot of the catalog would be read of another too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the same snapshot.
    Same,
    /// There are later commits, which touched nothing of it.
    Untouched,
    /// Something of it was touched, or nobody knows.
    Touched,
    /// The other snapshot is an earlier one: that of a block that began before.
    Earlier,
}

impl Standing {
    /// How what was read stands to a snapshot.
    ///
    /// `manifest` is the manifest's snapshot up to which it is known to stand.
    pub(crate) async fn of(
        warehouse: &Warehouse,
        read_of: &ReadOf,
        manifest: i64,
        snapshot: &Snapshot,
    ) -> Result<Self> {
        let now = snapshot.manifest_version();
        if now < manifest || snapshot.version() < read_of.catalog {
            return Ok(Self::Earlier);
        }
        if snapshot.version() != read_of.catalog {
            return Ok(Self::Touched);
        }
        if now == manifest {
            return Ok(Self::Same);
        }
        if now - manifest > MOST_COMMITS {
            return Ok(Self::Touched);
        }
        let touched = warehouse.catalog().touched_tables(manifest, now).await?;
        let untouched = touched.is_some_and(|touched| touched.is_disjoint(&read_of.tables))
            && named(snapshot, &read_of.names) == read_of.named;
        Ok(if untouched { Self::Untouched } else { Self::Touched })
    }
}

/// Whether a result is what the query would give of a snapshot.
async fn is_good(warehouse: &Warehouse, key: &Key, read_of: &ReadOf, snapshot: &Snapshot) -> Result<bool> {
    let results = warehouse.results();
    match Standing::of(warehouse, read_of, read_of.manifest, snapshot).await? {
        Standing::Same => return Ok(true),
        // Others still want it.
        Standing::Earlier => return Ok(false),
        Standing::Untouched => results.confirm(key, snapshot.manifest_version()),
        Standing::Touched => {
            results.forget(key);
            return Ok(false);
        }
    }
    Ok(true)
}

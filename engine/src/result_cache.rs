//! The results of queries that may be given again: Redshift's result cache.
//!
//! A result is found by the query itself, as its syntax tree (so that spaces, comments and the case of words do not
//! count, constants and parameters' values do), with whoever asks and the settings that results depend on. It is good as
//! long as the catalog is as it was — definitions, views, users and rights — and no commit touched a table that it was
//! read of. What reads anything but managed tables, or calls what is not always the same, is never kept.
//!
//! Results are kept in memory, whole, in the order of their last use, below a limit of bytes.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast;
use millrace_catalog::Snapshot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The part of all results' bytes that one may have.
const SHARE_OF_ONE: usize = 16;

/// What a result is found by.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The query, with parameters' values in their places.
    pub(crate) query: ast::Query,
    /// Whose rights count.
    pub(crate) user: String,
    /// The settings that results depend on.
    pub(crate) settings: u64,
}

/// The state of the catalog that a result was read of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadOf {
    /// The version of definitions, views, users and rights.
    pub(crate) catalog: i64,
    /// The manifest's snapshot up to which it is known to be good.
    pub(crate) manifest: i64,
    /// The managed tables that it was read of.
    pub(crate) tables: BTreeSet<i64>,
    /// The names by which relations were looked for.
    pub(crate) names: BTreeSet<String>,
    /// The managed tables of such a name in any schema: another one may be meant from now on.
    pub(crate) named: BTreeSet<i64>,
}

/// The managed tables that have one of these names.
pub(crate) fn named(snapshot: &Snapshot, names: &BTreeSet<String>) -> BTreeSet<i64> {
    let of_schema = |schema: &str| {
        let tables = names.iter().filter_map(|name| snapshot.managed_table(schema, name));
        tables.map(|table| table.id).collect::<Vec<_>>()
    };
    snapshot.databases().flat_map(|database| of_schema(&database.name)).collect()
}

/// A result.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The columns as they are shown.
    pub(crate) schema: SchemaRef,
    /// The columns of the rows.
    pub(crate) rows_schema: SchemaRef,
    /// The rows.
    pub(crate) batches: Vec<RecordBatch>,
    /// The query that computed it.
    pub(crate) source_query: i64,
}

/// A result, how far it is known to be good, and its place in the order of use.
struct Entry {
    kept: Arc<Kept>,
    read_of: ReadOf,
    bytes: usize,
    used: u64,
}

/// The results of a warehouse.
pub(crate) struct ResultCache {
    most_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Arc<Key>, Entry>,
    by_use: BTreeMap<u64, Arc<Key>>,
    bytes: usize,
    uses: u64,
}

impl std::fmt::Debug for ResultCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResultCache").field("most_bytes", &self.most_bytes).finish_non_exhaustive()
    }
}

impl ResultCache {
    /// An empty cache of so many bytes; of none it keeps nothing.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it keeps anything.
    pub(crate) fn is_on(&self) -> bool {
        self.most_bytes > 0
    }

    /// The most bytes of one result.
    pub(crate) fn most_bytes_of_one(&self) -> usize {
        self.most_bytes / SHARE_OF_ONE
    }

    /// How many results it has, their bytes, and the most that they may have.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        let inner = self.lock();
        (inner.entries.len(), inner.bytes, self.most_bytes)
    }

    /// The result of a query and what it was read of; whoever asks decides whether it is still good.
    pub(crate) fn find(&self, key: &Key) -> Option<(Arc<Kept>, ReadOf)> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let entry = inner.entries.get_mut(key)?;
        if let Some(own) = inner.by_use.remove(&entry.used) {
            inner.uses += 1;
            entry.used = inner.uses;
            inner.by_use.insert(entry.used, own);
        }
        Some((Arc::clone(&entry.kept), entry.read_of.clone()))
    }

    /// A result is known to be good up to this snapshot of the manifest.
    pub(crate) fn confirm(&self, key: &Key, manifest: i64) {
        if let Some(entry) = self.lock().entries.get_mut(key) {
            entry.read_of.manifest = manifest.max(entry.read_of.manifest);
        }
    }

    /// A result is no longer good.
    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Keeps a result that has so many bytes.
    pub(crate) fn keep(&self, key: Key, read_of: ReadOf, kept: Kept, bytes: usize) {
        if bytes > self.most_bytes_of_one() {
            return;
        }
        let mut inner = self.lock();
        inner.remove(&key);
        while inner.bytes + bytes > self.most_bytes {
            let Some((_, oldest)) = inner.by_use.pop_first() else { break };
            inner.remove(&oldest);
        }
        inner.uses += 1;
        inner.bytes += bytes;
        let (used, key) = (inner.uses, Arc::new(key));
        inner.by_use.insert(used, Arc::clone(&key));
        inner.entries.insert(key, Entry { kept: Arc::new(kept), read_of, bytes, used });
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::arrow::datatypes::Schema;
    use datafusion::sql::sqlparser::dialect::RedshiftSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn key(text: &str) -> Key {
        let query = Parser::new(&RedshiftSqlDialect {}).try_with_sql(text).unwrap().parse_query().unwrap();
        Key { query: *query, user: "admin".to_owned(), settings: 0 }
    }

    fn keep(cache: &ResultCache, text: &str, bytes: usize) {
        let schema: SchemaRef = Arc::new(Schema::empty());
        let (tables, names, named) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let read_of = ReadOf { catalog: 1, manifest: 1, tables, names, named };
        let kept = Kept { schema: Arc::clone(&schema), rows_schema: schema, batches: Vec::new(), source_query: 7 };
        cache.keep(key(text), read_of, kept, bytes);
    }

    #[test]
    fn spaces_and_comments_do_not_count_and_constants_do() {
        let cache = ResultCache::new(1600);
        keep(&cache, "SELECT a FROM t WHERE b = 1", 10);
        assert!(cache.find(&key("select  a from t -- what\n where b = 1")).is_some());
        assert!(cache.find(&key("SELECT a FROM t WHERE b = 2")).is_none());
        assert!(cache.find(&key("SELECT a FROM t WHERE b = '1'")).is_none());
    }

    #[test]
    fn what_was_used_last_stays_within_the_limit() {
        let cache = ResultCache::new(1600);
        keep(&cache, "SELECT 0", 101);
        assert!(cache.find(&key("SELECT 0")).is_none(), "more than one may have");
        for at in 0..16 {
            keep(&cache, &format!("SELECT {at}"), 100);
        }
        assert!(cache.find(&key("SELECT 0")).is_some());
        keep(&cache, "SELECT 16", 100);
        assert!(cache.find(&key("SELECT 0")).is_some());
        assert!(cache.find(&key("SELECT 1")).is_none());
        keep(&cache, "SELECT 0", 50);
        assert_eq!(cache.lock().bytes, 1550);
        cache.forget(&key("SELECT 0"));
        assert_eq!(cache.lock().bytes, 1500);
        let inner = cache.lock();
        assert_eq!(inner.by_use.len(), inner.entries.len());
    }
}

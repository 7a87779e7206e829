//! The foreign systems that a warehouse's schemas are over, and what they told of their tables.
//!
//! A connector is made when its schema is first used, and again when the schema was made anew. What it tells (names,
//! columns, counts) is believed for a moment. Nothing is held while a system is waited for.

use super::declared::{Declared, Place};
use super::definition::Definition;
use super::table::ForeignTable;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::datatypes::SchemaRef;
use futures::{StreamExt, stream};
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Database, Parameters, Table};
use millrace_connectors::{Connector, ConnectorError, OptionSpec, Options, Registry};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what a system told of its tables is believed, where nothing is said.
pub(crate) const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(5);

/// How long a listing of everything waits for a system.
const LISTING_PATIENCE: Duration = Duration::from_secs(5);

/// How many tables of a schema are described at the same time.
const CONCURRENCY: usize = 8;

/// How many tables are remembered of a schema.
const MOST_TABLES: usize = 1_000;

/// The kinds of systems, and those that are open.
pub(crate) struct Sources {
    registry: Registry,
    time_to_live: Duration,
    open: Mutex<HashMap<String, Arc<Source>>>,
    /// Tables of the catalog, by number.
    declared: Mutex<HashMap<i64, Arc<DeclaredSource>>>,
    /// The schemas whose tables were read.
    schemas: Mutex<HashSet<String>>,
}

/// A connector of one table of the catalog.
struct DeclaredSource {
    table: Arc<Table>,
    declared: Declared,
    connector: Arc<dyn Connector>,
    kept: Mutex<Option<(Instant, Arc<ForeignTable>)>>,
}

/// A schema's connector and what it told.
struct Source {
    parameters: Parameters,
    kind: String,
    connector: Arc<dyn Connector>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    names: Option<(Instant, Arc<Vec<String>>)>,
    /// When the system last did not tell its tables.
    failed: Option<Instant>,
    tables: HashMap<String, (Instant, Arc<ForeignTable>)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.registry.kinds().collect();
        f.debug_struct("Sources").field("kinds", &kinds).finish_non_exhaustive()
    }
}

impl Sources {
    /// Those of a warehouse, none of them open.
    pub(crate) fn new(registry: Registry, time_to_live: Duration) -> Self {
        let (open, declared, schemas) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { registry, time_to_live, open, declared, schemas }
    }

    /// Whether a table of a schema was read that is one of a foreign system.
    pub(crate) fn has_read(&self, schema: &str) -> bool {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).contains(schema)
    }

    fn note_read(&self, schema: &str) {
        if !self.has_read(schema) {
            self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(schema.to_owned());
        }
    }

    /// The options that a kind takes.
    ///
    /// # Errors
    /// `Unsupported` for a kind that this program was built without.
    pub(crate) fn options(&self, kind: &str) -> Result<&'static [OptionSpec]> {
        self.registry.options(kind).ok_or_else(|| {
            Error::unsupported(format!("CREATE EXTERNAL SCHEMA … FROM {}", kind.to_uppercase()))
                .with_hint("this program was built without the connector")
        })
    }

    /// A connector that no schema keeps. No request is made yet.
    ///
    /// # Errors
    /// `InvalidParameter` for options that the kind does not take or that are missing.
    pub(crate) fn connect(&self, kind: &str, options: &Options) -> Result<Arc<dyn Connector>> {
        self.options(kind)?;
        Ok(self.registry.connect(kind, options)?)
    }

    /// Whether a table of the catalog can be read as it is declared. No request is made.
    ///
    /// # Errors
    /// `InvalidParameter` for properties that make no sense, `Unsupported` for types that no column of its kind has.
    pub(crate) fn check(&self, table: &Table, place: Place<'_>, snapshot: &Snapshot) -> Result<()> {
        let declared = Declared::of(table, place, snapshot, self.options(place.kind)?)?;
        self.registry.declare(&declared.kind, &declared.options, &declared.declaration)?;
        Ok(())
    }

    /// A table of the catalog over a foreign system.
    ///
    /// # Errors
    /// What the system says, and why the table cannot be read as it is declared.
    pub(crate) async fn declared(
        &self,
        table: &Arc<Table>,
        place: Place<'_>,
        snapshot: &Snapshot,
    ) -> Result<Arc<ForeignTable>> {
        let source = self.declared_source(table, place, snapshot)?;
        self.note_read(&table.database);
        let kept = || source.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, found)) = kept().as_ref()
            && seen.elapsed() < self.time_to_live
        {
            return Ok(Arc::clone(found));
        }
        let (Declared { kind, source: name, .. }, connector) = (&source.declared, &source.connector);
        let (columns, rows) = columns_and_rows(connector.as_ref(), name).await?;
        let found = Arc::new(ForeignTable::declared(table, name, kind, Arc::clone(connector), &columns, rows));
        *kept() = Some((Instant::now(), Arc::clone(&found)));
        Ok(found)
    }

    /// The open connector of a table of the catalog, made anew when the table or its connection is another.
    fn declared_source(
        &self,
        table: &Arc<Table>,
        place: Place<'_>,
        snapshot: &Snapshot,
    ) -> Result<Arc<DeclaredSource>> {
        let declared = Declared::of(table, place, snapshot, self.options(place.kind)?)?;
        let open = || self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |source: &&Arc<DeclaredSource>| source.declared == declared && source.table == *table;
        if let Some(source) = open().get(&table.id).filter(same) {
            return Ok(Arc::clone(source));
        }
        let connector = self.registry.declare(&declared.kind, &declared.options, &declared.declaration)?;
        let source = Arc::new(DeclaredSource { table: Arc::clone(table), declared, connector, kept: Mutex::default() });
        let mut open = open();
        if open.len() >= MOST_TABLES {
            open.clear();
        }
        open.insert(table.id, Arc::clone(&source));
        Ok(source)
    }

    /// Closes the connector of a table of the catalog that is gone.
    pub(crate) fn forget_table(&self, id: i64) {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The names of a schema's tables, as its system has them.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn names(&self, database: &Database) -> Result<Arc<Vec<String>>> {
        self.names_of(self.source(database)?.as_ref()).await
    }

    async fn names_of(&self, source: &Source) -> Result<Arc<Vec<String>>> {
        if let Some((seen, names)) = &source.kept().names
            && seen.elapsed() < self.time_to_live
        {
            return Ok(Arc::clone(names));
        }
        let mut names = source.connector.tables().await?;
        names.sort_unstable();
        let names = Arc::new(names);
        let mut kept = source.kept();
        kept.names = Some((Instant::now(), Arc::clone(&names)));
        kept.failed = None;
        Ok(names)
    }

    /// A schema's table of this name, or of the one name that differs in upper and lower case only.
    ///
    /// # Errors
    /// What the system says, but for a table that does not exist.
    pub(crate) async fn table(&self, database: &Database, name: &str) -> Result<Option<Arc<ForeignTable>>> {
        let source = self.source(database)?;
        self.note_read(&database.name);
        self.table_of(&source, &database.name, name).await
    }

    async fn table_of(&self, source: &Source, schema: &str, name: &str) -> Result<Option<Arc<ForeignTable>>> {
        if let Some((seen, table)) = source.kept().tables.get(name)
            && seen.elapsed() < self.time_to_live
        {
            return Ok(Some(Arc::clone(table)));
        }
        let table = match describe(source, schema, name).await {
            Ok(table) => table,
            // A system that refuses a name cannot have a table of it.
            Err(ConnectorError::NotFound { .. } | ConnectorError::InvalidArgument(_)) => {
                let names = self.names_of(source).await?;
                let mut same =
                    names.iter().filter(|known| *known != name && known.to_lowercase() == name.to_lowercase());
                let Some(found) = same.next() else { return Ok(None) };
                if let Some(other) = same.next() {
                    let message = format!("the name \"{name}\" stands for \"{found}\" and \"{other}\"");
                    return Err(Error::new(ErrorKind::UndefinedTable, message));
                }
                match describe(source, schema, found).await {
                    Ok(table) => table,
                    Err(ConnectorError::NotFound { .. }) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        let table = Arc::new(table);
        source.keep(name, &table, self.time_to_live);
        Ok(Some(table))
    }

    /// The names of a schema's tables for a listing of everything: none, and a warning, where the system does not tell
    /// them soon.
    pub(crate) async fn listed(&self, database: &Database) -> Arc<Vec<String>> {
        let source = match self.source(database) {
            Ok(source) => source,
            Err(error) => {
                tracing::warn!(schema = %database.name, %error, "the tables of a foreign system are not listed");
                return Arc::default();
            }
        };
        if source.kept().failed.is_some_and(|failed| failed.elapsed() < self.time_to_live) {
            return Arc::default();
        }
        let error = match tokio::time::timeout(LISTING_PATIENCE, self.names_of(&source)).await {
            Ok(Ok(names)) => return names,
            Ok(Err(error)) => error.message,
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(schema = %database.name, %error, "the tables of a foreign system are not listed");
        source.kept().failed = Some(Instant::now());
        Arc::default()
    }

    /// The tables of a schema for a listing of everything: those that the system describes soon.
    pub(crate) async fn described(&self, database: &Database) -> Vec<Arc<ForeignTable>> {
        let names = self.listed(database).await;
        let Ok(source) = self.source(database) else { return Vec::new() };
        let one = |name: String| {
            let source = Arc::clone(&source);
            async move {
                match tokio::time::timeout(LISTING_PATIENCE, self.table_of(&source, &database.name, &name)).await {
                    Ok(Ok(table)) => table,
                    Ok(Err(error)) => {
                        tracing::warn!(table = %name, %error, "a foreign table is not described");
                        None
                    }
                    Err(_) => None,
                }
            }
        };
        let tables = stream::iter(names.iter().cloned().map(one)).buffered(CONCURRENCY);
        tables.filter_map(std::future::ready).collect().await
    }

    /// The open connector of a schema.
    fn source(&self, database: &Database) -> Result<Arc<Source>> {
        let open = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = open().get(&database.name).filter(|source| source.parameters == database.parameters) {
            return Ok(Arc::clone(source));
        }
        let Some(Definition { kind, options }) = Definition::of(database) else {
            return Err(Error::internal("a schema without a connector was asked for one"));
        };
        let connector = self.connect(&kind, &options)?;
        let parameters = database.parameters.clone();
        let source = Arc::new(Source { parameters, kind, connector, kept: Mutex::default() });
        open().insert(database.name.clone(), Arc::clone(&source));
        Ok(source)
    }

    /// Closes the connector of a schema that is gone.
    pub(crate) fn forget(&self, schema: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(schema);
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).remove(schema);
    }
}

impl Source {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, name: &str, table: &Arc<ForeignTable>, time_to_live: Duration) {
        if time_to_live.is_zero() {
            return;
        }
        let mut kept = self.kept();
        if kept.tables.len() >= MOST_TABLES {
            kept.tables.retain(|_, (seen, _)| seen.elapsed() < time_to_live);
            if kept.tables.len() >= MOST_TABLES {
                kept.tables.clear();
            }
        }
        kept.tables.insert(name.to_owned(), (Instant::now(), Arc::clone(table)));
    }
}

/// A table as its system tells of it now.
async fn describe(source: &Source, schema: &str, name: &str) -> millrace_connectors::Result<ForeignTable> {
    let connector = &source.connector;
    let (columns, rows) = columns_and_rows(connector.as_ref(), name).await?;
    Ok(ForeignTable::new(schema, name, &source.kind, Arc::clone(connector), &columns, rows))
}

/// A table's columns, and about how many rows it has where its system tells.
async fn columns_and_rows(
    connector: &dyn Connector,
    name: &str,
) -> millrace_connectors::Result<(SchemaRef, Option<u64>)> {
    let (columns, rows) = futures::join!(connector.schema(name), connector.row_count(name));
    let columns = columns?;
    let rows = rows.unwrap_or_else(|error| {
        tracing::debug!(table = %name, %error, "a foreign table does not tell its rows");
        None
    });
    Ok((columns, rows))
}

//! The immutable view of the catalog that a statement is planned with.

use crate::manifest::ManagedTables;
use crate::model::{Database, ExternalSchema, ManagedTable, Principals, Table, TableStatistics};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What existed at one commit: databases, external schemas, tables and views with their definitions and what is known
/// of their rows. Partitions are not in it, they are looked up ([`Catalog::partitions`](crate::Catalog::partitions)).
#[derive(Debug, Clone)]
pub struct Snapshot {
    version: i64,
    /// The databases that are stored; those that only managed tables of another program name come besides.
    stored: Arc<BTreeMap<String, Arc<Database>>>,
    databases: Arc<BTreeMap<String, Arc<Database>>>,
    external_schemas: Arc<BTreeMap<String, Arc<ExternalSchema>>>,
    tables: Arc<BTreeMap<String, BTreeMap<String, Arc<Table>>>>,
    by_id: Arc<HashMap<i64, Entry>>,
    managed: ManagedTables,
    principals: Arc<Principals>,
}

/// A table as a loader read it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) table: Arc<Table>,
    pub(crate) partitions_version: i64,
    pub(crate) statistics_version: i64,
    pub(crate) statistics: Option<Arc<TableStatistics>>,
}

impl Snapshot {
    /// A snapshot of what a loader read.
    pub(crate) fn new(
        version: i64,
        databases: Vec<Database>,
        external_schemas: Vec<ExternalSchema>,
        tables: Vec<Entry>,
    ) -> Self {
        let mut by_database: BTreeMap<String, BTreeMap<String, Arc<Table>>> = BTreeMap::new();
        let mut by_id = HashMap::with_capacity(tables.len());
        for entry in tables {
            let table = &entry.table;
            by_database.entry(table.database.clone()).or_default().insert(table.name.clone(), Arc::clone(table));
            by_id.insert(table.id, entry);
        }
        let databases = databases.into_iter().map(|d| (d.name.clone(), Arc::new(d))).collect();
        let stored: Arc<BTreeMap<_, _>> = Arc::new(databases);
        Self {
            version,
            databases: Arc::clone(&stored),
            stored,
            external_schemas: Arc::new(external_schemas.into_iter().map(|s| (s.name.clone(), Arc::new(s))).collect()),
            tables: Arc::new(by_database),
            by_id: Arc::new(by_id),
            managed: ManagedTables::default(),
            principals: Arc::default(),
        }
    }

    /// The same with these managed tables.
    pub(crate) fn with_managed(self, managed: ManagedTables) -> Self {
        let mut databases = Arc::clone(&self.stored);
        for schema in managed.by_name.keys().filter(|schema| !self.stored.contains_key(*schema)) {
            Arc::make_mut(&mut databases).insert(schema.clone(), Arc::new(Database::new(schema)));
        }
        Self { databases, managed, ..self }
    }

    /// The same at a later snapshot of the manifest that has the same managed tables.
    pub(crate) fn at_manifest_version(&self, version: i64) -> Self {
        let mut later = self.clone();
        later.managed.version = version;
        later
    }

    /// The same with these users and rights.
    #[must_use]
    pub fn with_principals(self, principals: Principals) -> Self {
        Self { principals: Arc::new(principals), ..self }
    }

    /// The same with this table or view in the place of whatever has its name.
    #[must_use]
    pub fn with_table(&self, table: Arc<Table>) -> Self {
        let mut changed = self.without_table(&table.database, &table.name);
        let entry = Entry { table: Arc::clone(&table), partitions_version: 0, statistics_version: 0, statistics: None };
        Arc::make_mut(&mut changed.by_id).insert(table.id, entry);
        let tables = Arc::make_mut(&mut changed.tables);
        tables.entry(table.database.clone()).or_default().insert(table.name.clone(), table);
        changed
    }

    /// The same without the table or view of this name.
    #[must_use]
    pub fn without_table(&self, database: &str, name: &str) -> Self {
        let mut changed = self.clone();
        if changed.table(database, name).is_some()
            && let Some(gone) = Arc::make_mut(&mut changed.tables).get_mut(database).and_then(|of| of.remove(name))
        {
            Arc::make_mut(&mut changed.by_id).remove(&gone.id);
        }
        changed
    }

    /// The same with this database.
    #[must_use]
    pub fn with_database(&self, database: Database) -> Self {
        let mut changed = self.clone();
        Arc::make_mut(&mut changed.databases).insert(database.name.clone(), Arc::new(database));
        changed
    }

    /// The same without this database.
    #[must_use]
    pub fn without_database(&self, name: &str) -> Self {
        let mut changed = self.clone();
        Arc::make_mut(&mut changed.databases).remove(name);
        changed
    }

    /// Users, groups, roles and what they may do.
    pub fn principals(&self) -> &Arc<Principals> {
        &self.principals
    }

    pub(crate) fn managed(&self) -> &ManagedTables {
        &self.managed
    }

    /// Counts the commits of everything but managed tables: equal for equal snapshots of one catalog, larger for later
    /// ones.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The snapshot of the manifest: the one whose managed tables and files a statement reads.
    pub fn manifest_version(&self) -> i64 {
        self.managed.version
    }

    /// The managed table `name` of `database`.
    pub fn managed_table(&self, database: &str, name: &str) -> Option<&Arc<ManagedTable>> {
        self.managed.by_name.get(database)?.get(name)
    }

    /// The managed tables of a database, by name.
    pub fn managed_tables(&self, database: &str) -> impl Iterator<Item = &Arc<ManagedTable>> {
        self.managed.by_name.get(database).into_iter().flat_map(BTreeMap::values)
    }

    /// All managed tables, by database and name.
    pub fn all_managed_tables(&self) -> impl Iterator<Item = &Arc<ManagedTable>> {
        self.managed.by_name.values().flat_map(BTreeMap::values)
    }

    /// The managed table of this number.
    pub fn managed_table_by_id(&self, id: i64) -> Option<&Arc<ManagedTable>> {
        self.managed.by_id.get(&id)
    }

    /// The database of this name.
    pub fn database(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.get(name)
    }

    /// All databases, by name.
    pub fn databases(&self) -> impl Iterator<Item = &Arc<Database>> {
        self.databases.values()
    }

    /// The external schema of this name.
    pub fn external_schema(&self, name: &str) -> Option<&Arc<ExternalSchema>> {
        self.external_schemas.get(name)
    }

    /// All external schemas, by name.
    pub fn external_schemas(&self) -> impl Iterator<Item = &Arc<ExternalSchema>> {
        self.external_schemas.values()
    }

    /// The database that a schema name stands for: a database itself, or the one that an external schema shows.
    pub fn resolve_schema(&self, name: &str) -> Option<&Arc<Database>> {
        let shown = self.external_schemas.get(name).map_or(name, |schema| schema.database.as_str());
        self.databases.get(shown)
    }

    /// The table or view `name` of `database` (a database's name, not an external schema's).
    pub fn table(&self, database: &str, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(database)?.get(name)
    }

    /// The tables and views of a database, by name.
    pub fn tables(&self, database: &str) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.get(database).into_iter().flat_map(BTreeMap::values)
    }

    /// All tables and views, by database and name.
    pub fn all_tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values().flat_map(BTreeMap::values)
    }

    /// The table of this number.
    pub fn table_by_id(&self, id: i64) -> Option<&Arc<Table>> {
        self.by_id.get(&id).map(|entry| &entry.table)
    }

    /// Counts the changes of a table's partitions: what was listed under one number stays true while it is the same.
    /// 0 for an unknown table.
    pub fn partitions_version(&self, table_id: i64) -> i64 {
        self.by_id.get(&table_id).map_or(0, |entry| entry.partitions_version)
    }

    /// What is known of a whole table's rows, without sketches ([`Catalog::statistics`](crate::Catalog::statistics)
    /// has those). It was true when it was looked at, not of this snapshot's files: for estimates, never for answers.
    pub fn statistics(&self, table_id: i64) -> Option<&Arc<TableStatistics>> {
        self.by_id.get(&table_id)?.statistics.as_ref()
    }

    /// Counts the changes of what is known of a table's and its partitions' rows: what was read of
    /// [`Catalog::partition_statistics`](crate::Catalog::partition_statistics) stays true while this and
    /// [`Snapshot::partitions_version`] are the same. 0 while nothing is known, and for an unknown table.
    pub fn statistics_version(&self, table_id: i64) -> i64 {
        self.by_id.get(&table_id).map_or(0, |entry| entry.statistics_version)
    }

    /// The entry of this number.
    pub(crate) fn entry(&self, table_id: i64) -> Option<&Entry> {
        self.by_id.get(&table_id)
    }
}

//! A transaction over managed tables: what it began with, what it has changed, and its one commit.
//!
//! Every statement runs in one; without BEGIN it has the statement's own length. It reads the snapshot that it began
//! with and its own changes, and no one sees these before the commit. What it wrote goes when it is rolled back.

use super::after_commit::AfterCommit;
use super::draft::{self, Draft};
use super::leases::Lease;
use super::objects::{Objects, RightsChange};
use super::reads::Reads;
use super::refused::Refused;
use super::temporary::{self, Temporaries, is_temporary};
use super::turns::Flushing;
use super::written::Written;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{CommitRecord, ConflictRecord, Record, now_us};
use crate::system;
use crate::tables::NewFiles;
use crate::warehouse::Warehouse;
use millrace_catalog::manifest::{CommitNote, InlinedRows, ManifestChange};
use millrace_catalog::model::{DataFile, Database, DeleteFile, Identity, ManagedColumn, ManagedTable, Table};
use millrace_catalog::{Catalog, CatalogError, FunctionChange, Snapshot};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The changes of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    read_only: bool,
    /// Whether it is a block's, and views and databases wait for its commit.
    block: bool,
    objects: Objects,
    base: Option<Arc<Snapshot>>,
    /// Tables that it changed or made, by schema and name as it sees them.
    drafts: BTreeMap<(String, String), Draft>,
    /// Tables of the snapshot that it dropped.
    dropped: Vec<Arc<ManagedTable>>,
    /// Tables of the snapshot that it read.
    reads: Reads,
    /// Of these, those that LOCK named.
    locked: BTreeSet<i64>,
    /// Files that it wrote, removed unless it commits.
    written: Vec<Written>,
    /// The next value of IDENTITY columns, by the negative numbers of tables and columns that it made.
    identities: HashMap<(i64, i64), i64>,
    /// The session's temporary tables as it has changed them; they give the numbers of what is in no catalog yet.
    temporary: Temporaries,
    /// The snapshots of the manifest that it reads: none of them expires.
    leases: Vec<Arc<Lease>>,
    /// Tables, by schema and name, whose statistics are gathered once it has committed.
    analyze: BTreeSet<(String, String)>,
    /// What is told to the journal once it has committed.
    records: AfterCommit,
    /// Held while it moves tables' rows out of the catalog.
    flushing: Vec<Flushing>,
}

/// What a transaction holds of a table: nobody waits for it, but of several that hold it not all may commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It has read it.
    Read,
    /// LOCK named it.
    Locked,
    /// It has changed or dropped it.
    Written,
}

/// What a scan of a table reads.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// Its files.
    pub(crate) files: Arc<Vec<DataFile>>,
    /// Its rows in the catalog.
    pub(crate) inlined: Vec<InlinedRows>,
}

impl Transaction {
    /// A transaction that has done nothing.
    pub(crate) fn new(read_only: bool, temporary: Temporaries) -> Self {
        Self { read_only, temporary, ..Self::default() }
    }

    /// The same for a block of statements, which are done together or not at all.
    pub(super) fn of_block(read_only: bool, temporary: Temporaries) -> Self {
        Self { block: true, ..Self::new(read_only, temporary) }
    }

    /// Whether changes of databases and views wait for the commit.
    pub(crate) fn is_block(&self) -> bool {
        self.block
    }

    /// Changes rights at the commit.
    pub(crate) async fn change_rights(&mut self, warehouse: &Warehouse, change: RightsChange) -> Result<()> {
        let seen = self.snapshot(warehouse).await?;
        self.objects.change_rights(&seen, change);
        Ok(())
    }

    /// Makes a database at the commit.
    pub(crate) async fn create_database(&mut self, warehouse: &Warehouse, database: Database) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        self.objects.create_database(&seen, database);
        Ok(())
    }

    /// Drops a database at the commit; its tables have been dropped.
    pub(crate) async fn drop_database(&mut self, warehouse: &Warehouse, name: &str) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        self.objects.drop_database(&seen, name);
        Ok(())
    }

    /// Makes a view at the commit, or gives the one of its name another definition.
    pub(crate) async fn put_view(&mut self, warehouse: &Warehouse, view: Table) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        let number = self.temporary_id();
        self.objects.put(&seen, view, number)
    }

    /// Gives a view another name at the commit.
    pub(crate) async fn rename_view(
        &mut self,
        warehouse: &Warehouse,
        view: &Arc<Table>,
        (database, name): (String, String),
    ) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        self.objects.change(&seen, view, Table { database, name, ..view.as_ref().clone() })
    }

    /// Makes, replaces or drops a function at the commit.
    pub(crate) async fn change_function(&mut self, warehouse: &Warehouse, change: FunctionChange) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        self.objects.change_function(&seen, change)
    }

    /// Drops a view at the commit.
    pub(crate) async fn drop_view(&mut self, warehouse: &Warehouse, view: &Arc<Table>) -> Result<()> {
        self.check_writable(warehouse)?;
        let seen = self.snapshot(warehouse).await?;
        self.objects.drop_view(&seen, view);
        Ok(())
    }

    /// The session's temporary tables as it sees them.
    pub(crate) fn temporary(&self) -> &Temporaries {
        &self.temporary
    }

    /// What its readers need as long as they read: its snapshots, its temporary tables.
    pub(super) fn held(&self) -> impl Send + Sync + use<> {
        (self.leases.clone(), self.temporary.clone())
    }

    /// Keeps a snapshot of the manifest from expiring until the transaction and its readers have ended.
    pub(crate) fn lease(&mut self, warehouse: &Warehouse, snapshot_id: i64) {
        self.leases.push(warehouse.leases().take(snapshot_id));
    }

    /// What existed when the transaction first looked, with what it has done to databases and views.
    pub(crate) async fn snapshot(&mut self, warehouse: &Warehouse) -> Result<Arc<Snapshot>> {
        if let Some(shown) = self.objects.shown() {
            return Ok(Arc::clone(shown));
        }
        if let Some(base) = &self.base {
            return Ok(Arc::clone(base));
        }
        let begun = warehouse.leases().begin();
        let base = warehouse.catalog().snapshot().await?;
        self.leases.push(begun.hold(base.manifest_version()));
        self.base = Some(Arc::clone(&base));
        Ok(base)
    }

    /// A managed table as the transaction sees it.
    pub(crate) async fn table(
        &mut self,
        warehouse: &Warehouse,
        schema: &str,
        name: &str,
    ) -> Result<Option<Arc<ManagedTable>>> {
        if schema == self.temporary.schema() {
            return Ok(self.temporary.get(name).map(|draft| Arc::clone(&draft.table)));
        }
        if let Some(draft) = self.drafts.get(&(schema.to_owned(), name.to_owned())) {
            return Ok(Some(Arc::clone(&draft.table)));
        }
        let snapshot = self.snapshot(warehouse).await?;
        let found = snapshot.managed_table(schema, name).filter(|table| !self.is_gone(table));
        Ok(found.cloned())
    }

    /// The managed table of this number as the transaction sees it; `None` for one that is gone.
    pub(crate) async fn table_by_id(&mut self, warehouse: &Warehouse, id: i64) -> Result<Option<Arc<ManagedTable>>> {
        if let Some(draft) = self.drafts.values().find(|draft| draft.table.id == id) {
            return Ok(Some(Arc::clone(&draft.table)));
        }
        let snapshot = self.snapshot(warehouse).await?;
        Ok(snapshot.managed_table_by_id(id).filter(|table| !self.is_gone(table)).cloned())
    }

    /// The managed tables of a schema as the transaction sees them, by name.
    pub(crate) async fn tables(&mut self, warehouse: &Warehouse, schema: &str) -> Result<Vec<Arc<ManagedTable>>> {
        let snapshot = self.snapshot(warehouse).await?;
        let kept = snapshot.managed_tables(schema).filter(|table| !self.is_gone(table) && !self.has_draft(table));
        let drafts = self.drafts.iter().filter(|((of, _), _)| of == schema).map(|(_, draft)| &draft.table);
        let mut tables: Vec<_> = kept.chain(drafts).cloned().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    fn is_gone(&self, table: &ManagedTable) -> bool {
        self.dropped.iter().any(|dropped| dropped.id == table.id)
            || self.drafts.iter().any(|((schema, name), draft)| {
                draft.table.id == table.id && (*schema != table.schema || *name != table.name)
            })
    }

    fn has_draft(&self, table: &ManagedTable) -> bool {
        self.drafts.values().any(|draft| draft.table.id == table.id)
    }

    /// The materialized views as the transaction sees them, by schema and name.
    pub(crate) async fn materialized_views(&mut self, warehouse: &Warehouse) -> Result<Vec<Arc<ManagedTable>>> {
        let snapshot = self.snapshot(warehouse).await?;
        let mut found = Vec::new();
        for database in snapshot.databases() {
            found.extend(self.tables(warehouse, &database.name).await?);
        }
        found.retain(|table| table.attributes.materialized.is_some());
        Ok(found)
    }

    /// What a table holds as the transaction sees it; it has read the table from now on.
    pub(crate) async fn contents(&mut self, warehouse: &Warehouse, table: &ManagedTable) -> Result<Contents> {
        // A table that it made or that is the session's alone has no number that others could change.
        if table.id > 0 {
            self.reads.note(table.id);
        }
        self.peek(warehouse, table).await
    }

    /// The same for what is only told of the table: it may be changed by others all the same.
    pub(crate) async fn peek(&mut self, warehouse: &Warehouse, table: &ManagedTable) -> Result<Contents> {
        if is_temporary(table) {
            let draft = self.temporary.draft(&table.name)?;
            return Ok(Contents { files: Arc::clone(&draft.files), inlined: draft.inlined() });
        }
        if let Some(draft) = self.drafts.get(&(table.schema.clone(), table.name.clone())) {
            return Ok(Contents { files: Arc::clone(&draft.files), inlined: draft.inlined() });
        }
        let version = self.snapshot(warehouse).await?.manifest_version();
        let files = warehouse.catalog().data_files(table.id, version).await?;
        let inlined = warehouse.catalog().inlined_rows(table.id, version).await?;
        Ok(Contents { files, inlined: inlined.as_ref().clone() })
    }

    /// The manifest's snapshot that has what the transaction reads of a table; `None` where that is a draft's.
    pub(crate) async fn settled(&mut self, warehouse: &Warehouse, table: &ManagedTable) -> Result<Option<i64>> {
        if is_temporary(table) || self.drafts.contains_key(&(table.schema.clone(), table.name.clone())) {
            return Ok(None);
        }
        self.reads.note(table.id);
        Ok(Some(self.snapshot(warehouse).await?.manifest_version()))
    }

    /// Makes the commit fail when another transaction changes the table first.
    pub(crate) fn lock(&mut self, table: &ManagedTable) {
        if table.id > 0 {
            self.reads.note(table.id);
            self.locked.insert(table.id);
        }
    }

    /// What it holds of the tables of its snapshot, by their numbers.
    pub(crate) fn holds(&self) -> BTreeMap<i64, Hold> {
        let read = self.reads.all().iter().map(|table| (*table, Hold::Read));
        let locked = self.locked.iter().map(|table| (*table, Hold::Locked));
        read.chain(locked).chain(self.changed().into_iter().map(|table| (table, Hold::Written))).collect()
    }

    /// The table to change.
    ///
    /// # Errors
    /// `ReadOnly` in a transaction that reads only.
    pub(crate) async fn draft(&mut self, warehouse: &Warehouse, table: &Arc<ManagedTable>) -> Result<&mut Draft> {
        if is_temporary(table) {
            return self.temporary.draft(&table.name);
        }
        self.check_writable(warehouse)?;
        let key = (table.schema.clone(), table.name.clone());
        if !self.drafts.contains_key(&key) {
            let version = self.snapshot(warehouse).await?.manifest_version();
            let files = warehouse.catalog().data_files(table.id, version).await?;
            let inlined = warehouse.catalog().inlined_rows(table.id, version).await?;
            self.drafts.insert(key.clone(), Draft::of(table, files, inlined));
        }
        self.drafts.get_mut(&key).ok_or_else(|| Error::internal("a draft was lost"))
    }

    /// Makes a table.
    pub(crate) fn create(&mut self, warehouse: &Warehouse, mut table: ManagedTable) -> Result<Arc<ManagedTable>> {
        table.id = self.temporary_id();
        let table = Arc::new(table);
        if is_temporary(&table) {
            self.temporary.create(&table);
            return Ok(table);
        }
        self.check_writable(warehouse)?;
        self.drafts.insert((table.schema.clone(), table.name.clone()), Draft::new(&table));
        Ok(table)
    }

    /// Drops a table.
    pub(crate) fn drop_table(&mut self, warehouse: &Warehouse, table: &Arc<ManagedTable>) -> Result<()> {
        if is_temporary(table) {
            self.temporary.drop_table(&table.name);
            return Ok(());
        }
        self.check_writable(warehouse)?;
        let draft = self.drafts.remove(&(table.schema.clone(), table.name.clone()));
        match draft {
            Some(draft) => self.dropped.extend(draft.into_base()),
            None => self.dropped.push(Arc::clone(table)),
        }
        Ok(())
    }

    /// Gives a table another definition.
    pub(crate) async fn alter(
        &mut self,
        warehouse: &Warehouse,
        table: &Arc<ManagedTable>,
        changed: ManagedTable,
    ) -> Result<()> {
        if is_temporary(table) {
            return self.temporary.alter(&table.name, changed);
        }
        self.draft(warehouse, table).await?;
        let draft = self.drafts.remove(&(table.schema.clone(), table.name.clone()));
        let mut draft = draft.ok_or_else(|| Error::internal("a draft was lost"))?;
        let key = (changed.schema.clone(), changed.name.clone());
        draft.table = Arc::new(changed);
        self.drafts.insert(key, draft);
        Ok(())
    }

    /// Has a table's statistics gathered when the transaction has committed; a temporary table has none to keep.
    pub(crate) fn analyze_after(&mut self, table: &ManagedTable) {
        if !is_temporary(table) {
            self.analyze.insert((table.schema.clone(), table.name.clone()));
        }
    }

    /// The tables of [`Transaction::analyze_after`].
    pub(super) fn to_analyze(&self) -> BTreeSet<(String, String)> {
        self.analyze.clone()
    }

    /// Tells the journal something once the transaction has committed, and nothing when it is rolled back.
    pub(crate) fn record(&mut self, record: impl Record + Sync + 'static) {
        self.records.add(record);
    }

    /// The same with another record for a commit that fails.
    pub(crate) fn record_or<R: Record + Sync + 'static>(
        &mut self,
        record: R,
        failed: impl FnOnce(&Error) -> R + Send + Sync + 'static,
    ) {
        self.records.add_or(record, failed);
    }

    /// Whether it is to move what a table has in the catalog into a file, which nobody else does until it has ended.
    pub(crate) async fn begin_flush(&mut self, warehouse: &Warehouse, table: &ManagedTable) -> Result<bool> {
        let version = self.snapshot(warehouse).await?.manifest_version();
        let begun = warehouse.turns().flush(table.id, version);
        let is_ours = begun.is_some();
        self.flushing.extend(begun);
        Ok(is_ours)
    }

    /// A number for a table, column or file that is not in the catalog yet.
    pub(crate) fn temporary_id(&mut self) -> i64 {
        self.temporary.next_id()
    }

    /// Adds files with new rows to a table.
    pub(crate) async fn add_files(
        &mut self,
        warehouse: &Warehouse,
        table: &Arc<ManagedTable>,
        files: NewFiles<Vec<DataFile>>,
    ) -> Result<()> {
        let mut added = files.described().clone();
        for file in &mut added {
            file.id = self.temporary_id();
        }
        if is_temporary(table) {
            let draft = self.temporary.draft(&table.name)?;
            draft.add_files(added);
            draft.hold(Written::Data(files));
            return Ok(());
        }
        self.written.push(Written::Data(files));
        self.draft(warehouse, table).await?.add_files(added);
        Ok(())
    }

    /// Keeps a delete file of a table for the commit.
    pub(crate) fn add_deletes(&mut self, table: &ManagedTable, deletes: NewFiles<Option<DeleteFile>>) -> Result<()> {
        if is_temporary(table) {
            self.temporary.draft(&table.name)?.hold(Written::Deletes(deletes));
        } else {
            self.written.push(Written::Deletes(deletes));
        }
        Ok(())
    }

    /// The first of `count` values of an IDENTITY column that no other row has or will have.
    pub(crate) async fn next_identity(
        &mut self,
        warehouse: &Warehouse,
        (table, column): (&ManagedTable, &ManagedColumn),
        identity: Identity,
        count: usize,
    ) -> Result<i64> {
        if table.id > 0 {
            return Ok(warehouse.catalog().next_identity(table.id, column, count as u64).await?);
        }
        if is_temporary(table) {
            return self.temporary.next_identity((table, column), identity, count);
        }
        temporary::next_identity(&mut self.identities, (table.id, column.id), identity, count)
    }

    /// The temporary tables that the session has once the transaction has committed.
    pub(super) fn settled_temporary(&self) -> Temporaries {
        let mut temporary = self.temporary.clone();
        temporary.settle();
        temporary
    }

    fn check_writable(&self, warehouse: &Warehouse) -> Result<()> {
        if warehouse.catalog().is_read_only() {
            return Err(Error::new(ErrorKind::ReadOnly, "the warehouse is read-only"));
        }
        if self.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "transaction is read-only"));
        }
        Ok(())
    }

    /// The tables of the snapshot that it read or changed.
    pub(crate) fn table_ids(&self) -> BTreeSet<i64> {
        self.reads.all().union(&self.changed()).copied().collect()
    }

    /// Whether it sees anything that others do not.
    pub(crate) fn has_changed(&self) -> bool {
        let objects = !self.objects.changes().is_empty() || self.objects.shown().is_some();
        objects || !self.drafts.is_empty() || !self.dropped.is_empty() || self.temporary.tables().next().is_some()
    }

    /// The tables of its snapshot that it has read.
    pub(crate) fn reads(&mut self) -> &mut Reads {
        &mut self.reads
    }

    fn changed(&self) -> BTreeSet<i64> {
        let drafts = self.drafts.values().map(|draft| draft.table.id).filter(|id| *id > 0);
        drafts.chain(self.dropped.iter().map(|table| table.id)).collect()
    }

    /// [`Transaction::commit`] when nobody has the turn at the changed tables.
    pub(crate) async fn commit_in_turn(self, warehouse: &Arc<Warehouse>, xid: i64, repeats: bool) -> Result<()> {
        let queue_us = now_us();
        let _turn = warehouse.turns().wait_for_commit(self.changed()).await;
        self.commit(warehouse, (xid, queue_us), repeats).await
    }

    /// Makes all changes at once; what was written is removed when that fails. A commit that was begun goes to its end
    /// even if nobody waits for it any more. One that comes too late is no failure where the statement `repeats`.
    ///
    /// # Errors
    /// `Serialization` when another transaction has changed what this one read or changed.
    pub(crate) async fn commit(
        mut self,
        warehouse: &Arc<Warehouse>,
        (xid, queue_us): (i64, i64),
        repeats: bool,
    ) -> Result<()> {
        let (changes, mut records) = (self.changes(), std::mem::take(&mut self.records));
        if changes.is_empty() && self.objects.changes().is_empty() {
            records.tell(warehouse.journal());
            return Ok(());
        }
        let (catalog, start_us) = (Arc::clone(warehouse.catalog()), now_us());
        let dropped: Vec<i64> = self.dropped.iter().map(|table| table.id).collect();
        let inner = Arc::clone(warehouse);
        let commit = warehouse.cleanup().spawn(async move {
            let committed = self.commit_changes(&catalog, changes).await;
            if let Err(Refused { conflict: Some(table_id), .. }) = &committed {
                let table = system::managed_oid(*table_id);
                inner.journal().record(&ConflictRecord { xid, table, at_us: now_us() });
            }
            let committed = committed.map_err(|refused| refused.error);
            if let Err(error) = &committed
                && !(repeats && error.kind == ErrorKind::Serialization)
            {
                records.tell_failed(inner.journal(), error);
            }
            if committed.is_ok() {
                inner.journal().record(&CommitRecord { xid, queue_us, start_us, end_us: now_us() });
                records.tell(inner.journal());
                for table in dropped {
                    inner.inlined().forget(table).await;
                }
            }
            committed
        });
        commit.await.unwrap_or_else(|e| Err(Error::internal(format!("a commit ended abnormally: {e}"))))
    }

    async fn commit_changes(
        mut self,
        catalog: &Catalog,
        changes: Vec<ManifestChange>,
    ) -> std::result::Result<(), Refused> {
        let Some(base) = &self.base else {
            return Err(Error::internal("a transaction changed what it never saw").into());
        };
        let reads: Vec<i64> = self.reads.all().iter().copied().collect();
        // From here on the catalog may come to name the files, whatever becomes of this task.
        self.written.iter_mut().for_each(|written| written.protect(true));
        let (version, note) = (base.manifest_version(), CommitNote::default());
        let committed = catalog.commit_with_objects(version, &reads, changes, self.objects.changes(), &note).await;
        let kept: BTreeSet<&str> = self.drafts.values().flat_map(Draft::paths).collect();
        for written in &mut self.written {
            let needed = match &committed {
                Ok(_) => written.paths().any(|path| kept.contains(path)),
                // The database does not tell whether it committed.
                Err(CatalogError::Unavailable { .. } | CatalogError::UnknownOutcome { .. }) => true,
                Err(_) => false,
            };
            written.protect(needed);
        }
        let committed = committed.map_err(Refused::of)?;
        for flushing in &self.flushing {
            flushing.committed(committed.snapshot_id);
        }
        let rights = self.objects.take_rights();
        if rights.is_empty() {
            return Ok(());
        }
        let changed = catalog.change_principals(|principals| {
            for change in &rights {
                change.make(principals);
            }
            Ok::<(), Error>(())
        });
        changed.await.map_err(Error::from)??;
        Ok(())
    }

    fn changes(&self) -> Vec<ManifestChange> {
        let dropped = self.dropped.iter().map(|table| ManifestChange::DropTable { table: table.id });
        let mut changes: Vec<_> = dropped.collect();
        draft::add_changes(self.drafts.values().collect(), &mut changes);
        let identities = self.identities.iter();
        changes.extend(identities.map(|(&(table, column), &next)| ManifestChange::AdvanceIdentity {
            table,
            column,
            next,
        }));
        changes
    }
}

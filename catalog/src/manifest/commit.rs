//! One commit: the changes of a transaction become one snapshot of the manifest, in one transaction of the database.
//!
//! 1. Take the write lock, read the newest snapshot, and describe what another program committed meanwhile.
//! 2. Apply the changes in order; whatever they touch must still be as the transaction saw it.
//! 3. Compare what was done with what others did since the transaction began (`conflict`).
//! 4. Write statistics, the snapshot's row and its list of changes; commit, where several are ready all of them (`group`).

use super::change::{CommitNote, Committed, ManifestChange};
use super::conflict::{Footprint, find_conflict};
use super::follow::{ChangedRows, Done};
use super::group::Request;
use super::head::{Head, Past};
use super::log::{Effect, format_effects};
use super::settled::KnownTables;
use super::state::TableState;
use super::time::now_us;
use crate::error::{CatalogError, Result};
use crate::store::{Catalog, ObjectChanges, Place, Time, Tries, Write, sql};
use std::collections::{BTreeMap, HashMap};

impl Catalog {
    /// Commits a transaction that began at the snapshot `base` and read the tables `reads`: all its changes, or none.
    ///
    /// [`CatalogError::Serialization`] with the table's id when another transaction committed since `base` what cannot
    /// be in one serial history with this one; [`CatalogError::AlreadyExists`] when a new table's name is taken;
    /// [`CatalogError::NotFound`] for a table that does not exist; [`CatalogError::Conflict`] when `base` has expired.
    /// Without changes nothing is written and nothing conflicts.
    ///
    /// A future that is dropped before the commit began changes nothing; one that is dropped later may still be
    /// committed.
    pub async fn commit_manifest(
        &self,
        base: i64,
        reads: &[i64],
        changes: &[ManifestChange],
        note: &CommitNote,
    ) -> Result<Committed> {
        self.commit_with_objects(base, reads, changes.to_vec(), &ObjectChanges::default(), note).await
    }

    /// [`Catalog::commit_manifest`] together with changes of databases and views, all of it or nothing.
    /// [`CatalogError::Conflict`] when another session has changed one of these views meanwhile.
    pub async fn commit_with_objects(
        &self,
        base: i64,
        reads: &[i64],
        changes: Vec<ManifestChange>,
        objects: &ObjectChanges,
        note: &CommitNote,
    ) -> Result<Committed> {
        if changes.is_empty() && objects.is_empty() {
            return Ok(Committed { snapshot_id: base, tables: BTreeMap::new() });
        }
        let request = Request { base, reads: reads.iter().copied().collect(), changes, note: note.clone() };
        if objects.is_empty() {
            return self.commit_in_group(request).await;
        }
        self.commit_alone(&request, objects).await
    }

    /// Makes a commit in a transaction of its own.
    pub(super) async fn commit_alone(&self, request: &Request, objects: &ObjectChanges) -> Result<Committed> {
        let mut tries = Tries::default();
        let done = loop {
            let done = Box::pin(self.try_commit(request, objects)).await;
            if !tries.again(&done) {
                break done?;
            }
        };
        Ok(self.follow(done).await)
    }

    async fn try_commit(&self, request: &Request, objects: &ObjectChanges) -> Result<Done> {
        let mut write = self.write().await?;
        match self.make_changes(&mut write, request, objects).await {
            Ok(done) if objects.is_empty() => write.commit_uncounted().await.map(|()| done),
            Ok(done) => write.commit().await.map(|()| done),
            Err(error) if write.has_failed() => Err(error),
            Err(error) => {
                // The connection is as good as before, or else it is closed.
                let _ = write.abandon().await;
                Err(error)
            }
        }
    }

    async fn make_changes(&self, write: &mut Write<'_>, request: &Request, objects: &ObjectChanges) -> Result<Done> {
        let waiting = objects.give_up_names(write).await?;
        let mut commit = Commit::begin(write, Some(request.base)).await?;
        commit.known = Some(KnownTables::new(self.settled(), commit.snapshot - 1));
        let done = commit.make(write, request).await?;
        if !done.effects.is_empty() {
            describe(write, done.snapshot).await?;
        }
        objects.take_names(write, waiting).await?;
        Ok(done)
    }
}

/// A commit under way.
pub(super) struct Commit {
    /// The snapshot that the transaction began at.
    pub(super) base: i64,
    /// The snapshot that is being made.
    pub(super) snapshot: i64,
    pub(super) footprint: Footprint,
    /// The tables touched, by id.
    pub(super) tables: HashMap<i64, TableState>,
    /// Tables that need not be read.
    pub(super) known: Option<KnownTables>,
    /// Rows in the catalog that ended and began, by table.
    pub(super) rows: BTreeMap<i64, ChangedRows>,
    /// The newest snapshot with the numbers that are left, and from the first write on the one that is being made.
    head: Head,
    schema_changed: bool,
    others: Vec<Effect>,
    made: BTreeMap<i64, i64>,
    /// Whether the snapshot's row is there already.
    number_taken: bool,
}

impl Commit {
    /// Begins the snapshot after the newest, for a transaction that began at `base` (at the newest when `None`).
    pub(super) async fn begin(write: &mut Write<'_>, base: Option<i64>) -> Result<Self> {
        let head = Head::read(write).await?;
        let base = base.unwrap_or(head.snapshot);
        let others = Past::read(write, base, head.snapshot).await?.since(base, head.snapshot)?;
        Self::after(write, head, base, others).await
    }

    /// Begins the snapshot after a newest one that is known, with what others did since the transaction began.
    ///
    /// In a server it takes the snapshot's number before any other row of DuckLake's is changed, as DuckDB does: of two
    /// programs that commit at once one waits here for the other, and neither holds rows that the other wants. A file has
    /// one writer.
    pub(super) async fn after(write: &mut Write<'_>, head: Head, base: i64, others: Vec<Effect>) -> Result<Self> {
        let mut commit = Self {
            base,
            snapshot: head.snapshot + 1,
            footprint: Footprint::default(),
            tables: HashMap::new(),
            known: None,
            rows: BTreeMap::new(),
            head,
            schema_changed: false,
            others,
            made: BTreeMap::new(),
            number_taken: false,
        };
        if let Place::Postgres(_) = write.place() {
            commit.write_snapshot(write).await?;
            commit.number_taken = true;
        }
        Ok(commit)
    }

    /// Brings the documents up to date with what another program did.
    pub(super) async fn describe_others(write: &mut Write<'_>) -> Result<()> {
        Head::read(write).await.map(drop)
    }

    /// Writes the snapshot's row.
    async fn write_snapshot(&mut self, write: &mut Write<'_>) -> Result<()> {
        let query = if self.number_taken {
            "UPDATE ducklake_snapshot SET snapshot_time = $2, schema_version = $3, next_catalog_id = $4, \
             next_file_id = $5 WHERE snapshot_id = $1"
        } else {
            "INSERT INTO ducklake_snapshot VALUES ($1, $2, $3, $4, $5)"
        };
        // A clock that goes back does not turn the order of snapshots around.
        let time_us = now_us().max(self.head.time_us + 1);
        self.head = Head { snapshot: self.snapshot, time_us, ..self.head };
        let query = sql(query).bind(self.snapshot).bind(Time(time_us)).bind(self.head.schema_version);
        write.execute_later(query.bind(self.head.next_catalog_id).bind(self.head.next_file_id)).await
    }

    /// Notes what was done.
    pub(super) fn effect(&mut self, effect: Effect) {
        self.footprint.effects.insert(effect);
    }

    /// The next number for a schema or table.
    pub(super) fn next_catalog_id(&mut self) -> i64 {
        self.head.next_catalog_id += 1;
        self.head.next_catalog_id - 1
    }

    /// The next number for a data file or delete file.
    pub(super) fn next_file_id(&mut self) -> i64 {
        self.head.next_file_id += 1;
        self.head.next_file_id - 1
    }

    /// The number of the schema that this commit makes of the earlier one.
    pub(super) fn change_schema(&mut self) -> i64 {
        if !self.schema_changed {
            self.schema_changed = true;
            self.head.schema_version += 1;
        }
        self.head.schema_version
    }

    /// Notes the number that a table of this transaction got.
    pub(super) fn made(&mut self, provisional: i64, table: i64) {
        self.made.insert(provisional, table);
    }

    /// The stored number of a table.
    pub(super) fn resolve(&self, table: i64) -> Result<i64> {
        if table >= 0 {
            return Ok(table);
        }
        let unknown =
            || CatalogError::InvalidArgument(format!("managed table {table} was not made in this transaction"));
        self.made.get(&table).copied().ok_or_else(unknown)
    }

    /// The error for something of a table that is not as the transaction saw it.
    pub(super) fn conflict(table_id: i64) -> CatalogError {
        CatalogError::Serialization { table_id }
    }

    async fn apply(&mut self, write: &mut Write<'_>, change: &ManifestChange) -> Result<()> {
        match change {
            ManifestChange::CreateTable(table) => self.create_table(write, table).await,
            ManifestChange::DropTable { table } => self.drop_table(write, *table).await,
            ManifestChange::AlterTable(table) => self.alter_table(write, table).await,
            ManifestChange::AddFiles { table, files } => self.add_files(write, *table, files).await,
            ManifestChange::AddDeletes { table, deletes } => self.add_deletes(write, *table, deletes).await,
            ManifestChange::RemoveFiles { table, files } => self.remove_files(write, *table, files).await,
            ManifestChange::ReplaceFiles { table, old, new } => self.replace_files(write, *table, old, new).await,
            ManifestChange::InlineRows { table, rows } => self.inline_rows(write, *table, rows).await,
            ManifestChange::DeleteInlined { table, row_ids } => self.delete_inlined(write, *table, row_ids).await,
            ManifestChange::FlushInlined { table, row_ids, files } => {
                self.flush_inlined(write, *table, row_ids, files).await
            }
            ManifestChange::Truncate { table } => self.truncate(write, *table).await,
            ManifestChange::AdvanceIdentity { table, column, next } => {
                self.advance_identity(write, *table, *column, *next).await
            }
        }
    }

    /// Makes the changes of a transaction; the caller says up to where there are documents, and commits.
    pub(super) async fn make(mut self, write: &mut Write<'_>, request: &Request) -> Result<Done> {
        self.footprint.reads.clone_from(&request.reads);
        for change in &request.changes {
            self.apply(write, change).await?;
        }
        self.complete(write, &request.note).await
    }

    /// Writes what the changes leave to the end; the caller commits.
    pub(super) async fn finish(self, write: &mut Write<'_>, note: &CommitNote) -> Result<Done> {
        let done = self.complete(write, note).await?;
        if !done.effects.is_empty() {
            describe(write, done.snapshot).await?;
        }
        Ok(done)
    }

    async fn complete(mut self, write: &mut Write<'_>, note: &CommitNote) -> Result<Done> {
        if let Some(table_id) = find_conflict(&self.footprint, &self.others) {
            return Err(Self::conflict(table_id));
        }
        if self.footprint.effects.is_empty() {
            if self.number_taken {
                write.execute(sql("DELETE FROM ducklake_snapshot WHERE snapshot_id = $1").bind(self.snapshot)).await?;
            }
            let before = self.snapshot - 1;
            return Ok(self.done(before));
        }
        for state in self.tables.values_mut() {
            state.store(write, self.snapshot).await?;
        }
        self.write_snapshot(write).await?;
        let query = sql("INSERT INTO ducklake_snapshot_changes VALUES ($1, $2, $3, $4, NULL)");
        let query = query.bind(self.snapshot).bind(format_effects(&self.footprint.effects));
        write.execute_later(query.bind(note.author.clone()).bind(note.message.clone())).await?;
        let made = self.snapshot;
        Ok(self.done(made))
    }

    fn done(self, snapshot: i64) -> Done {
        let (head, effects) = (Head { snapshot, ..self.head }, self.footprint.effects);
        Done { snapshot, head, made: self.made, tables: self.tables, effects, rows: self.rows }
    }
}

/// Says that documents tell the truth up to a snapshot of our own.
pub(super) async fn describe(write: &mut Write<'_>, snapshot: i64) -> Result<()> {
    write.execute_later(sql("UPDATE millrace_manifest SET documented = $1").bind(snapshot)).await
}

//! One commit: the changes of a transaction become one snapshot of the manifest, in one transaction of the database.
//!
//! 1. Take the write lock, read the newest snapshot, and describe what another program committed meanwhile.
//! 2. Apply the changes in order; whatever they touch must still be as the transaction saw it.
//! 3. Compare what was done with what others did since the transaction began (`conflict`).
//! 4. Write statistics, the snapshot's row and its list of changes; commit.

use super::change::{CommitNote, Committed, ManifestChange};
use super::conflict::{Footprint, find_conflict};
use super::follow::{ChangedRows, Done};
use super::load::document;
use super::log::{Effect, format_effects, parse_effects};
use super::settled::Settled;
use super::state::TableState;
use super::time::{now_us, parse_time};
use crate::error::{CatalogError, Result};
use crate::store::{Catalog, ObjectChanges, Place, Time, Tries, Write, sql};
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Catalog {
    /// Commits a transaction that began at the snapshot `base` and read the tables `reads`: all its changes, or none.
    ///
    /// [`CatalogError::Serialization`] with the table's id when another transaction committed since `base` what cannot
    /// be in one serial history with this one; [`CatalogError::AlreadyExists`] when a new table's name is taken;
    /// [`CatalogError::NotFound`] for a table that does not exist; [`CatalogError::Conflict`] when `base` has expired.
    /// Without changes nothing is written and nothing conflicts.
    pub async fn commit_manifest(
        &self,
        base: i64,
        reads: &[i64],
        changes: &[ManifestChange],
        note: &CommitNote,
    ) -> Result<Committed> {
        self.commit_with_objects(base, reads, changes, &ObjectChanges::default(), note).await
    }

    /// [`Catalog::commit_manifest`] together with changes of databases and views, all of it or nothing.
    /// [`CatalogError::Conflict`] when another session has changed one of these views meanwhile.
    pub async fn commit_with_objects(
        &self,
        base: i64,
        reads: &[i64],
        changes: &[ManifestChange],
        objects: &ObjectChanges,
        note: &CommitNote,
    ) -> Result<Committed> {
        if changes.is_empty() && objects.is_empty() {
            return Ok(Committed { snapshot_id: base, tables: BTreeMap::new() });
        }
        let mut tries = Tries::default();
        let done = loop {
            let done = self.try_commit(base, reads, changes, objects, note).await;
            if !tries.again(&done) {
                break done?;
            }
        };
        let committed = Committed { snapshot_id: done.snapshot, tables: done.made.clone() };
        self.follow(done).await;
        Ok(committed)
    }

    async fn try_commit(
        &self,
        base: i64,
        reads: &[i64],
        changes: &[ManifestChange],
        objects: &ObjectChanges,
        note: &CommitNote,
    ) -> Result<Done> {
        let mut write = self.write().await?;
        let waiting = objects.give_up_names(&mut write).await?;
        let mut commit = Commit::begin(&mut write, Some(base)).await?;
        commit.settled = Some(self.settled().clone());
        commit.footprint.reads = reads.iter().copied().collect();
        for change in changes {
            commit.apply(&mut write, change).await?;
        }
        let done = commit.finish(&mut write, note).await?;
        objects.take_names(&mut write, waiting).await?;
        if objects.is_empty() {
            write.commit_uncounted().await?;
        } else {
            write.commit().await?;
        }
        Ok(done)
    }
}

/// `snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id` of the newest snapshot, and the one up
/// to which documents are right.
type NewestRow = (i64, String, i64, i64, i64, i64);

const SELECT_NEWEST: &str = "SELECT snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id, \
     (SELECT documented FROM millrace_manifest) FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1";

/// A commit under way.
pub(super) struct Commit {
    /// The snapshot that the transaction began at.
    pub(super) base: i64,
    /// The snapshot that is being made.
    pub(super) snapshot: i64,
    pub(super) footprint: Footprint,
    /// The tables touched, by id.
    pub(super) tables: HashMap<i64, TableState>,
    /// Where tables may be known without being read.
    pub(super) settled: Option<Settled>,
    /// Rows in the catalog that ended and began, by table.
    pub(super) rows: BTreeMap<i64, ChangedRows>,
    last_time_us: i64,
    schema_version: i64,
    schema_changed: bool,
    next_catalog_id: i64,
    next_file_id: i64,
    others: Vec<Effect>,
    made: BTreeMap<i64, i64>,
    /// Whether the snapshot's row is there already.
    number_taken: bool,
}

impl Commit {
    /// Begins the snapshot after the newest, for a transaction that began at `base` (at the newest when `None`).
    ///
    /// In a server it takes the snapshot's number before any other row of DuckLake's is changed, as DuckDB does: of two
    /// programs that commit at once one waits here for the other, and neither holds rows that the other wants. A file has
    /// one writer.
    pub(super) async fn begin(write: &mut Write<'_>, base: Option<i64>) -> Result<Self> {
        let mut commit = Self::after_newest(write, base).await?;
        if let Place::Postgres(_) = write.place() {
            commit.write_snapshot(write).await?;
            commit.number_taken = true;
        }
        Ok(commit)
    }

    /// Brings the documents up to date with what another program did.
    pub(super) async fn describe_others(write: &mut Write<'_>) -> Result<()> {
        Self::after_newest(write, None).await.map(drop)
    }

    async fn after_newest(write: &mut Write<'_>, base: Option<i64>) -> Result<Self> {
        let row: Option<NewestRow> = write.first(sql(SELECT_NEWEST)).await?;
        let Some((last, time, schema_version, next_catalog_id, next_file_id, documented)) = row else {
            let place = write.place();
            return Err(CatalogError::Damaged(format!("the manifest in the catalog {place} has no snapshot")));
        };
        let base = base.unwrap_or(last);
        document(write, documented, last).await?;
        Ok(Self {
            base,
            snapshot: last + 1,
            footprint: Footprint::default(),
            tables: HashMap::new(),
            settled: None,
            rows: BTreeMap::new(),
            last_time_us: parse_time(&time).unwrap_or(0),
            schema_version,
            schema_changed: false,
            next_catalog_id,
            next_file_id,
            others: effects_between(write, base, last).await?,
            made: BTreeMap::new(),
            number_taken: false,
        })
    }

    /// Writes the snapshot's row.
    async fn write_snapshot(&self, write: &mut Write<'_>) -> Result<()> {
        let query = if self.number_taken {
            "UPDATE ducklake_snapshot SET snapshot_time = $2, schema_version = $3, next_catalog_id = $4, \
             next_file_id = $5 WHERE snapshot_id = $1"
        } else {
            "INSERT INTO ducklake_snapshot VALUES ($1, $2, $3, $4, $5)"
        };
        // A clock that goes back does not turn the order of snapshots around.
        let time = Time(now_us().max(self.last_time_us + 1));
        let query = sql(query).bind(self.snapshot).bind(time).bind(self.schema_version);
        write.execute(query.bind(self.next_catalog_id).bind(self.next_file_id)).await.map(drop)
    }

    /// Notes what was done.
    pub(super) fn effect(&mut self, effect: Effect) {
        self.footprint.effects.insert(effect);
    }

    /// The next number for a schema or table.
    pub(super) fn next_catalog_id(&mut self) -> i64 {
        self.next_catalog_id += 1;
        self.next_catalog_id - 1
    }

    /// The next number for a data file or delete file.
    pub(super) fn next_file_id(&mut self) -> i64 {
        self.next_file_id += 1;
        self.next_file_id - 1
    }

    /// The number of the schema that this commit makes of the earlier one.
    pub(super) fn change_schema(&mut self) -> i64 {
        if !self.schema_changed {
            self.schema_changed = true;
            self.schema_version += 1;
        }
        self.schema_version
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

    /// Writes what the changes leave to the end; the caller commits.
    pub(super) async fn finish(mut self, write: &mut Write<'_>, note: &CommitNote) -> Result<Done> {
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
        write.execute(query.bind(note.author.clone()).bind(note.message.clone())).await?;
        write.execute(sql("UPDATE millrace_manifest SET documented = $1").bind(self.snapshot)).await?;
        let made = self.snapshot;
        Ok(self.done(made))
    }

    fn done(self, snapshot: i64) -> Done {
        Done { snapshot, made: self.made, tables: self.tables, effects: self.footprint.effects, rows: self.rows }
    }
}

/// What the snapshots after `base` up to `last` did; a conflict where one of them has expired, since nobody knows.
async fn effects_between(write: &mut Write<'_>, base: i64, last: i64) -> Result<Vec<Effect>> {
    if base == last {
        return Ok(Vec::new());
    }
    let query = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id > $1 AND snapshot_id <= $2";
    let rows: Vec<(Option<String>,)> = write.all(sql(query).bind(base).bind(last)).await?;
    if rows.len() as i64 != last - base {
        return Err(CatalogError::Conflict(format!("snapshot {base}, at which the transaction began, has expired")));
    }
    let effects: BTreeSet<Effect> = rows.iter().filter_map(|(text,)| text.as_deref()).flat_map(parse_effects).collect();
    Ok(effects.into_iter().collect())
}

//! A table as a transaction has changed it, and the changes of the manifest that make it so.

use super::written::Written;
use millrace_catalog::manifest::{InlinedRow, InlinedRows, InlinedValue, ManifestChange};
use millrace_catalog::model::{DataFile, ManagedTable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A table as a transaction has changed it.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The definition now; its number is negative when the transaction made it.
    pub(crate) table: Arc<ManagedTable>,
    /// The files now; those that the transaction wrote have negative numbers.
    pub(crate) files: Arc<Vec<DataFile>>,
    /// The definition that the transaction began with.
    base: Option<Arc<ManagedTable>>,
    base_files: Arc<Vec<DataFile>>,
    base_inlined: Arc<Vec<InlinedRows>>,
    deleted_inlined: BTreeSet<i64>,
    /// Rows of the snapshot that are in new files now.
    moved_inlined: BTreeSet<i64>,
    /// Rows for the catalog, by negative numbers, each with the columns that its table had then.
    new_inlined: BTreeMap<i64, Vec<(i64, InlinedValue)>>,
    /// A temporary table's own files, which go with its last draft.
    held: Vec<Arc<Written>>,
}

impl Draft {
    /// A table of the snapshot.
    pub(super) fn of(table: &Arc<ManagedTable>, files: Arc<Vec<DataFile>>, inlined: Arc<Vec<InlinedRows>>) -> Self {
        Self {
            table: Arc::clone(table),
            files: Arc::clone(&files),
            base: Some(Arc::clone(table)),
            base_files: files,
            base_inlined: inlined,
            deleted_inlined: BTreeSet::new(),
            moved_inlined: BTreeSet::new(),
            new_inlined: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    /// A table that the transaction makes.
    pub(super) fn new(table: &Arc<ManagedTable>) -> Self {
        Self { base: None, ..Self::of(table, Arc::default(), Arc::default()) }
    }

    /// The table of the snapshot.
    pub(super) fn into_base(self) -> Option<Arc<ManagedTable>> {
        self.base
    }

    /// The rows in the catalog now.
    pub(crate) fn inlined(&self) -> Vec<InlinedRows> {
        let mut all = self.base_inlined.as_ref().clone();
        for rows in &mut all {
            rows.rows.retain(|row| self.has_inlined(row.row_id));
        }
        all.extend(self.added_inlined());
        all.retain(|rows| !rows.rows.is_empty());
        all
    }

    /// The rows that the transaction has added there, those of the same columns together.
    fn added_inlined(&self) -> Vec<InlinedRows> {
        let mut added: Vec<InlinedRows> = Vec::new();
        for (number, values) in &self.new_inlined {
            let (columns, values): (Vec<i64>, Vec<InlinedValue>) = values.iter().cloned().unzip();
            let row = Arc::new(InlinedRow { row_id: *number, begin_snapshot: 0, values });
            match added.last_mut() {
                Some(rows) if rows.columns == columns => rows.rows.push(row),
                _ => added.push(InlinedRows { columns, rows: vec![row] }),
            }
        }
        added
    }

    /// How many rows are in the catalog now.
    pub(crate) fn inlined_count(&self) -> usize {
        let base = self.base_inlined.iter().map(|rows| rows.rows.len()).sum::<usize>();
        base - self.deleted_inlined.len() - self.moved_inlined.len() + self.new_inlined.len()
    }

    /// Whether a row of the snapshot's is still in the catalog.
    fn has_inlined(&self, number: i64) -> bool {
        !self.deleted_inlined.contains(&number) && !self.moved_inlined.contains(&number)
    }

    /// Deletes all rows that are in the catalog.
    fn clear_inlined(&mut self) {
        self.new_inlined.clear();
        self.moved_inlined.clear();
        self.deleted_inlined.extend(self.base_inlined.iter().flat_map(|rows| &rows.rows).map(|row| row.row_id));
    }

    /// Takes all rows out of the catalog into new files, of which nothing is deleted any more in this transaction: what
    /// others add meanwhile stays.
    pub(crate) fn move_inlined(&mut self) -> Vec<InlinedRows> {
        let rows = self.inlined();
        self.new_inlined.clear();
        let numbers = self.base_inlined.iter().flat_map(|rows| &rows.rows).map(|row| row.row_id);
        let kept: Vec<i64> = numbers.filter(|number| self.has_inlined(*number)).collect();
        self.moved_inlined.extend(kept);
        rows
    }

    /// Takes the rows that the transaction has added there out again, if they are more than so many.
    pub(crate) fn take_added_inlined(&mut self, most: usize) -> Option<Vec<InlinedRows>> {
        if self.new_inlined.len() <= most {
            return None;
        }
        let rows = self.added_inlined();
        self.new_inlined.clear();
        Some(rows)
    }

    /// Adds files.
    pub(super) fn add_files(&mut self, files: Vec<DataFile>) {
        Arc::make_mut(&mut self.files).extend(files);
    }

    /// Adds a row to those in the catalog, a value for each column of the table.
    pub(crate) fn inline(&mut self, number: i64, values: Vec<InlinedValue>) {
        let ids = self.table.columns.iter().map(|column| column.id);
        self.new_inlined.insert(number, ids.zip(values).collect());
    }

    /// Deletes a row of those in the catalog.
    pub(crate) fn delete_inlined(&mut self, number: i64) {
        if self.new_inlined.remove(&number).is_none() {
            self.deleted_inlined.insert(number);
        }
    }

    /// Deletes all rows.
    pub(crate) fn clear(&mut self) {
        self.files = Arc::default();
        self.clear_inlined();
    }

    /// The paths of the files that the transaction wrote and still needs, relative to the table's.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().flat_map(|file| {
            let deletes = file.deletes.iter().map(|deletes| deletes.path.as_str());
            std::iter::once(file.path.as_str()).chain(deletes)
        })
    }

    /// Keeps files that this table alone needs.
    pub(super) fn hold(&mut self, written: Written) {
        self.held.push(Arc::new(written));
    }

    /// Whether it keeps files that it no longer needs.
    pub(super) fn has_spare_files(&self) -> bool {
        let needed: BTreeSet<&str> = self.paths().collect();
        self.held.iter().any(|written| !written.paths().any(|path| needed.contains(path)))
    }

    /// Lets go of the files that it no longer needs.
    pub(super) fn drop_spare_files(&mut self) {
        let needed: BTreeSet<String> = self.paths().map(str::to_owned).collect();
        self.held.retain(|written| written.paths().any(|path| needed.contains(path)));
    }

    /// Whether the transaction gives a name up that the table had before.
    fn gives_up(&self, schema: &str, name: &str) -> bool {
        self.base.as_ref().is_some_and(|base| {
            (base.schema.as_str(), base.name.as_str()) == (schema, name)
                && (&base.schema, &base.name) != (&self.table.schema, &self.table.name)
        })
    }

    /// Gives the table a name that nobody has, until it gets its own.
    fn make_way(&self, changes: &mut Vec<ManifestChange>) {
        if let Some(base) = &self.base {
            let aside = ManagedTable { name: format!("millrace moves {}", base.id), ..base.as_ref().clone() };
            changes.push(ManifestChange::AlterTable(aside));
        }
    }

    /// Adds what makes the manifest's table this one.
    fn changes(&self, changes: &mut Vec<ManifestChange>) {
        let table = self.table.id;
        match &self.base {
            None => changes.push(ManifestChange::CreateTable(self.table.as_ref().clone())),
            Some(base) if *base != self.table => {
                changes.push(ManifestChange::AlterTable(self.table.as_ref().clone()));
            }
            Some(_) => {}
        }
        if !Arc::ptr_eq(&self.files, &self.base_files) {
            self.file_changes(changes);
        }
        if !self.deleted_inlined.is_empty() {
            let row_ids = self.deleted_inlined.iter().copied().collect();
            changes.push(ManifestChange::DeleteInlined { table, row_ids });
        }
        if !self.moved_inlined.is_empty() {
            let row_ids = self.moved_inlined.iter().copied().collect();
            changes.push(ManifestChange::FlushInlined { table, row_ids, files: Vec::new() });
        }
        let files: Vec<DataFile> = self.files.iter().filter(|file| file.id < 0).cloned().collect();
        if !files.is_empty() {
            changes.push(ManifestChange::AddFiles { table, files });
        }
        if !self.new_inlined.is_empty() {
            let rows = self.new_inlined.values().map(|values| self.in_order(values)).collect();
            changes.push(ManifestChange::InlineRows { table, rows });
        }
    }

    /// Adds what becomes of the snapshot's files.
    fn file_changes(&self, changes: &mut Vec<ManifestChange>) {
        let table = self.table.id;
        let kept: BTreeMap<i64, &DataFile> = self.files.iter().map(|file| (file.id, file)).collect();
        let gone = self.base_files.iter().map(|file| file.id).filter(|id| !kept.contains_key(id));
        let gone: Vec<i64> = gone.collect();
        if !gone.is_empty() {
            changes.push(ManifestChange::RemoveFiles { table, files: gone });
        }
        let deletes = self.base_files.iter().filter_map(|before| {
            let after = kept.get(&before.id)?.deletes.as_ref()?;
            (before.deletes.as_ref() != Some(after)).then(|| (before.id, after.clone()))
        });
        let deletes: Vec<_> = deletes.collect();
        if !deletes.is_empty() {
            changes.push(ManifestChange::AddDeletes { table, deletes });
        }
    }

    /// A row's values for the columns that the table has now.
    fn in_order(&self, values: &[(i64, InlinedValue)]) -> Vec<InlinedValue> {
        let columns = self.table.columns.iter().map(|column| {
            let value = values.iter().find(|(id, _)| *id == column.id).map(|(_, value)| value.clone());
            let initial = || column.initial.clone().map_or(InlinedValue::Null, InlinedValue::Text);
            value.unwrap_or_else(initial)
        });
        columns.collect()
    }
}

/// Adds what makes the manifest's tables these ones: a name is given up before another table takes it.
pub(super) fn add_changes(mut waiting: Vec<&Draft>, changes: &mut Vec<ManifestChange>) {
    while !waiting.is_empty() {
        let holds = |draft: &Draft, wanted: &Draft| {
            draft.table.id != wanted.table.id && draft.gives_up(&wanted.table.schema, &wanted.table.name)
        };
        let free = waiting.iter().position(|draft| !waiting.iter().any(|other| holds(other, draft)));
        match free {
            Some(at) => waiting.remove(at).changes(changes),
            // Tables that change names with each other: the first makes way for the second.
            None => {
                let first = waiting.remove(0);
                first.make_way(changes);
                let next = waiting.iter().position(|draft| holds(first, draft)).unwrap_or(0);
                let next = waiting.remove(next);
                next.changes(changes);
                waiting.push(first);
            }
        }
    }
}

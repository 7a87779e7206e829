//! The manifest's behaviour, through [`Catalog`] alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod conflicts;
mod crashes;
mod definitions;
mod estimates;
mod files;
mod groups;
mod identities;
mod inlined;
mod loading;
mod retention;
mod round_trips;
mod speed;

use super::{CommitNote, Committed, InlinedRows, InlinedValue, ManifestChange};
use crate::error::{CatalogError, Result};
use crate::model::{DataFile, DeleteFile, FileColumnStatistics, ManagedColumn, ManagedTable};
use crate::store::tests::place_in;
use crate::store::{Catalog, Place as CatalogPlace};
use tempfile::TempDir;

/// A catalog in a folder that goes away with it.
struct Place {
    catalog: Catalog,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let catalog = Catalog::open_at(&place_in(folder.path())).await.unwrap();
        Self { catalog, folder }
    }

    async fn another(&self) -> Catalog {
        Catalog::open_at(self.catalog.place()).await.unwrap()
    }

    /// Commits at the newest snapshot, having read nothing.
    async fn commit(&self, changes: &[ManifestChange]) -> Committed {
        commit(&self.catalog, changes).await
    }

    /// Makes a table of an `integer` column `a` and a text `b`; its id.
    async fn table(&self, name: &str) -> i64 {
        self.commit(&[ManifestChange::CreateTable(table(name))]).await.tables[&-1]
    }

    async fn newest(&self) -> i64 {
        newest(&self.catalog).await
    }

    async fn definition(&self, name: &str) -> ManagedTable {
        let snapshot = self.catalog.snapshot().await.unwrap();
        ManagedTable::clone(snapshot.managed_table("default", name).unwrap())
    }

    async fn inlined(&self, table: i64) -> Vec<InlinedRows> {
        self.catalog.inlined_rows(table, self.newest().await).await.unwrap().as_ref().clone()
    }

    /// The paths of a table's files at a snapshot.
    async fn paths(&self, table: i64, snapshot: i64) -> Vec<String> {
        let files = self.catalog.data_files(table, snapshot).await.unwrap();
        files.iter().map(|file| file.path.clone()).collect()
    }
}

async fn newest(catalog: &Catalog) -> i64 {
    catalog.snapshot().await.unwrap().manifest_version()
}

async fn commit(catalog: &Catalog, changes: &[ManifestChange]) -> Committed {
    try_commit(catalog, newest(catalog).await, &[], changes).await.unwrap()
}

async fn try_commit(catalog: &Catalog, base: i64, reads: &[i64], changes: &[ManifestChange]) -> Result<Committed> {
    catalog.commit_manifest(base, reads, changes, &CommitNote::default()).await
}

fn column(name: &str, data_type: &str) -> ManagedColumn {
    ManagedColumn { name: name.to_owned(), data_type: data_type.to_owned(), nullable: true, ..ManagedColumn::default() }
}

/// A new table with the number -1.
fn table(name: &str) -> ManagedTable {
    ManagedTable {
        id: -1,
        schema: "default".to_owned(),
        name: name.to_owned(),
        columns: vec![column("a", "integer"), column("b", "character varying(256)")],
        ..ManagedTable::default()
    }
}

fn row(a: i64, b: &str) -> Vec<InlinedValue> {
    vec![InlinedValue::Integer(a), InlinedValue::Text(b.to_owned())]
}

fn inline(table: i64, rows: &[(i64, &str)]) -> ManifestChange {
    ManifestChange::InlineRows { table, rows: rows.iter().map(|(a, b)| row(*a, b)).collect() }
}

/// A file of so many rows whose `a` (column 1) lies between 0 and their number.
fn file(path: &str, rows: u64) -> DataFile {
    let statistics = FileColumnStatistics {
        size_bytes: 4 * rows,
        value_count: rows,
        null_count: 0,
        minimum: Some("0".to_owned()),
        maximum: Some(rows.to_string()),
        contains_nan: None,
        blank_ended: Some(true),
        distinct: None,
    };
    DataFile {
        path: path.to_owned(),
        record_count: rows,
        size_bytes: 100 + rows,
        footer_size: 50,
        row_id_start: -1,
        columns: [(1, statistics)].into(),
        ..DataFile::default()
    }
}

fn add(table: i64, path: &str, rows: u64) -> ManifestChange {
    ManifestChange::AddFiles { table, files: vec![file(path, rows)] }
}

fn deletes(path: &str, count: u64) -> DeleteFile {
    DeleteFile { path: path.to_owned(), delete_count: count, size_bytes: 9, footer_size: 5, ..DeleteFile::default() }
}

/// The rows' ids and first values, over all groups.
fn numbers(groups: &[InlinedRows]) -> Vec<(i64, InlinedValue)> {
    groups.iter().flat_map(|group| &group.rows).map(|row| (row.row_id, row.values[0].clone())).collect()
}

fn ids(groups: &[InlinedRows]) -> Vec<i64> {
    numbers(groups).into_iter().map(|(id, _)| id).collect()
}

/// The table that a commit collided on.
fn collision(result: Result<Committed>) -> i64 {
    match result {
        Err(CatalogError::Serialization { table_id }) => table_id,
        other => panic!("no serialization failure: {other:?}"),
    }
}

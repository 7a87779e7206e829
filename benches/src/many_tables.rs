//! A warehouse of many tables and files: opening it, and how long the first plan takes and the later ones.
//!
//! The files are in the manifest only: planning opens none.

use crate::report::{self, median_ms};
use crate::{cache, side};
use anyhow::{Result, ensure};
use millrace_catalog::Catalog;
use millrace_catalog::manifest::{CommitNote, ManifestChange};
use millrace_catalog::model::{DataFile, FileColumnStatistics, ManagedColumn, ManagedTable};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Tables of the warehouse
    #[arg(long, default_value_t = 10_000)]
    tables: u32,
    /// Files of each table
    #[arg(long, default_value_t = 100)]
    files: u32,
    /// Queries that are planned, on the first table and on others
    #[arg(long, default_value_t = 21)]
    queries: u32,
    /// How often the warehouse is opened
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Rows of a file.
const ROWS: u64 = 1_000_000;

/// Tables that are made by one commit.
const TABLES_OF_COMMIT: u32 = 100;

/// Runs it.
pub async fn run(options: &Options, cache: &Path) -> Result<()> {
    let (tables, files) = (options.tables, options.files);
    ensure!(tables > options.queries && files > 0 && options.runs > 0, "there have to be more tables than queries");
    let folder = folder(tables, files, cache).await?;
    let mut times = Times::default();
    for _ in 0..options.runs {
        let start = Instant::now();
        let mut ours = side::Ours::open(&folder, side::cores()).await?;
        times.opened.push(start.elapsed());
        times.first.push(ours.time(&query(0, 1)).await?);
        for n in 1..=options.queries {
            times.again.push(ours.time(&query(0, u64::from(n * 31 % files))).await?);
            times.others.push(ours.time(&query(tables / (options.queries + 1) * n, 1)).await?);
        }
    }
    report::print(&format!(
        "{tables} tables of {files} files, medians\n\
         open                     {:>10.1} ms\n\
         first plan               {:>10.1} ms\n\
         plan, the same table     {:>10.2} ms\n\
         plan, another table      {:>10.2} ms",
        median_ms(&times.opened),
        median_ms(&times.first),
        median_ms(&times.again),
        median_ms(&times.others),
    ));
    Ok(())
}

/// A warehouse of so many tables of so many files each, in the cache.
pub async fn folder(tables: u32, files: u32, cache: &Path) -> Result<PathBuf> {
    let name = format!("tables-{tables}-{files}");
    cache::folder(cache, name, |folder| async move { make(&folder, tables, files).await }).await
}

#[derive(Default)]
struct Times {
    opened: Vec<Duration>,
    first: Vec<Duration>,
    again: Vec<Duration>,
    others: Vec<Duration>,
}

/// A query of one row, which is in one file.
fn query(table: u32, file: u64) -> String {
    format!("EXPLAIN (FORMAT DATAFUSION) SELECT sum(v) FROM t{table} WHERE id = {}", file * ROWS + 7)
}

/// Makes the warehouse.
async fn make(folder: &Path, tables: u32, files: u32) -> Result<()> {
    let catalog = Catalog::open(&folder.join("catalog.db")).await?;
    for first in (0..tables).step_by(TABLES_OF_COMMIT as usize) {
        let mut changes = Vec::new();
        for number in first..tables.min(first + TABLES_OF_COMMIT) {
            let id = -1 - i64::from(number - first);
            changes.push(ManifestChange::CreateTable(table(id, number)));
            changes.push(ManifestChange::AddFiles { table: id, files: (0..files).map(file).collect() });
        }
        let base = catalog.snapshot().await?.manifest_version();
        catalog.commit_manifest(base, &[], &changes, &CommitNote::default()).await?;
    }
    Ok(())
}

fn table(id: i64, number: u32) -> ManagedTable {
    let column = |name: &str, data_type: &str| ManagedColumn {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    };
    ManagedTable {
        id,
        schema: "default".to_owned(),
        name: format!("t{number}"),
        columns: vec![column("id", "bigint"), column("v", "integer")],
        ..ManagedTable::default()
    }
}

fn file(number: u32) -> DataFile {
    let statistics = |low: u64, high: u64| FileColumnStatistics {
        size_bytes: 8 * ROWS,
        value_count: ROWS,
        minimum: Some(low.to_string()),
        maximum: Some(high.to_string()),
        ..FileColumnStatistics::default()
    };
    let first = u64::from(number) * ROWS;
    DataFile {
        path: format!("file-{number}.vortex"),
        record_count: ROWS,
        size_bytes: 16 * ROWS,
        row_id_start: -1,
        columns: BTreeMap::from([(1, statistics(first, first + ROWS - 1)), (2, statistics(0, 1000))]),
        ..DataFile::default()
    }
}

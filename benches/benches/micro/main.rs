//! Micro benchmarks of what every statement pays: parsing, planning, the catalog's snapshot, a scan of one column; and of
//! the kernels of functions and operators ([`kernels`]).
//!
//! `cargo bench --workspace --bench micro` runs all, with a name behind `--` those of that name. The texts and tables of
//! TPC-DS come from DuckDB's extension: `MILLRACE_BENCH_PYTHON` names a Python that has it, `python3` otherwise.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails by panicking")]

mod kernels;

use divan::Bencher;
use divan::counter::ItemsCount;
use millrace_benches::side::{Ours, cores};
use millrace_benches::suite::Table;
use millrace_benches::target::Kind;
use millrace_benches::{cache, many_tables, report, tpcds, tpch};
use millrace_catalog::Catalog;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// On a thread like those of the program, on which no statement takes a larger stack before it is planned.
fn main() {
    let thread = std::thread::Builder::new().stack_size(millrace_engine::STACK_BYTES).spawn(divan::main).unwrap();
    thread.join().unwrap();
}

/// Statements need deep stacks, as in the program itself.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(millrace_engine::STACK_BYTES).build().unwrap()
});

/// A warehouse with a suite's tables, and the suite's queries.
struct Loaded {
    ours: Mutex<Ours>,
    queries: Vec<String>,
    _folder: TempDir,
}

impl Loaded {
    fn new(tables: &[Table], data: &Path, queries: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ours = RUNTIME.block_on(async {
            let mut ours = Ours::open(folder.path(), cores()).await.unwrap();
            ours.load(Kind::Managed, tables, data).await.unwrap();
            ours
        });
        Self { ours: Mutex::new(ours), queries, _folder: folder }
    }

    fn run(&self, text: &str) {
        RUNTIME.block_on(async { self.ours.lock().await.run(text).await.map(drop).unwrap() });
    }

    fn plan(&self, number: usize) {
        self.run(&format!("EXPLAIN (FORMAT DATAFUSION) {}", self.queries[number - 1]));
    }

    fn parse(&self) -> usize {
        let ours = self.ours.blocking_lock();
        self.queries.iter().map(|text| ours.parse(text).unwrap()).sum()
    }
}

fn loaded_tpch(scale: f64) -> Loaded {
    let queries = (1..=22).map(|number| tpch::text(number).unwrap().to_owned()).collect();
    let data = RUNTIME.block_on(tpch::folder(scale, &cache::default_directory())).unwrap();
    Loaded::new(&tpch::tables(), &data, queries)
}

static TPCH: LazyLock<Loaded> = LazyLock::new(|| loaded_tpch(0.01));
static TPCH_LARGER: LazyLock<Loaded> = LazyLock::new(|| loaded_tpch(0.1));

/// Nothing where DuckDB's extension is not installed.
static TPCDS: LazyLock<Option<Loaded>> = LazyLock::new(|| {
    let python = std::env::var_os("MILLRACE_BENCH_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    match RUNTIME.block_on(tpcds::suite(0.01, &python, &cache::default_directory())) {
        Ok(suite) => {
            let queries = suite.queries.iter().map(|query| query.timed.standard.clone()).collect();
            Some(Loaded::new(&suite.tables, &suite.data, queries))
        }
        Err(error) => {
            report::print(&format!("SKIPPED: {error:#}"));
            None
        }
    }
});

#[divan::bench]
fn parse_all_of_tpch(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(22_usize)).bench(|| TPCH.parse());
}

#[divan::bench]
fn parse_all_of_tpcds(bencher: Bencher<'_, '_>) {
    if let Some(loaded) = &*TPCDS {
        bencher.counter(ItemsCount::new(loaded.queries.len())).bench(|| loaded.parse());
    }
}

#[divan::bench(args = 1..=22)]
fn plan_tpch(bencher: Bencher<'_, '_>, query: usize) {
    bencher.bench(|| TPCH.plan(query));
}

#[divan::bench(args = 1..=99)]
fn plan_tpcds(bencher: Bencher<'_, '_>, query: usize) {
    if let Some(loaded) = &*TPCDS {
        bencher.bench(|| loaded.plan(query));
    }
}

/// A warehouse with the table of the wire's point queries, as `wire` makes it.
static POINTS: LazyLock<(Mutex<Ours>, TempDir)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let ours = RUNTIME.block_on(async {
        let mut ours = Ours::open(folder.path(), cores()).await.unwrap();
        ours.run("CREATE TABLE points (a int, b varchar(20), c decimal(12,2), d timestamp)").await.unwrap();
        ours.run("INSERT INTO points VALUES (0, 'row', 1.25, timestamp '2024-01-01 00:00:00')").await.unwrap();
        for power in 0..14 {
            let count = 1 << power;
            ours.run(&format!("INSERT INTO points SELECT a + {count}, b, c, d FROM points")).await.unwrap();
        }
        ours
    });
    (Mutex::new(ours), folder)
});

/// What the engine takes of `SELECT 1` that comes again: without its plan, with the statement's record.
#[divan::bench]
fn select_1_again(bencher: Bencher<'_, '_>) {
    let (points, _) = &*POINTS;
    bencher.bench(|| RUNTIME.block_on(async { points.lock().await.run_again("SELECT 1").await.unwrap() }));
}

/// The same planned each time.
#[divan::bench]
fn select_1_anew(bencher: Bencher<'_, '_>) {
    let (points, _) = &*POINTS;
    bencher.bench(|| RUNTIME.block_on(async { points.lock().await.run("SELECT 1").await.unwrap().len() }));
}

/// A prepared query of one row of 16,384.
#[divan::bench]
fn point_query_again(bencher: Bencher<'_, '_>) {
    let (points, _) = &*POINTS;
    let prepared =
        RUNTIME.block_on(async { points.lock().await.prepare("SELECT b, c FROM points WHERE a = $1").await.unwrap() });
    let mut key = 0;
    bencher.bench_local(|| {
        key = (key + 7_919) % 16_384;
        RUNTIME.block_on(async { points.lock().await.run_prepared(&prepared, key).await.unwrap() })
    });
}

/// The same with the value in its text, planned each time.
#[divan::bench]
fn point_query_anew(bencher: Bencher<'_, '_>) {
    let (points, _) = &*POINTS;
    let mut key = 0;
    bencher.bench_local(|| {
        key = (key + 7_919) % 16_384;
        let text = format!("SELECT b, c FROM points WHERE a = {key}");
        RUNTIME.block_on(async { points.lock().await.run(&text).await.unwrap().len() })
    });
}

/// A process that starts on a warehouse of 10,000 managed tables.
#[divan::bench]
fn snapshot_of_10000_tables(bencher: Bencher<'_, '_>) {
    let folder = RUNTIME.block_on(many_tables::folder(10_000, 1, &cache::default_directory())).unwrap();
    let file = folder.join("catalog.db");
    bencher.bench(|| {
        RUNTIME.block_on(async { Catalog::open(&file).await.unwrap().snapshot().await.unwrap().manifest_version() })
    });
}

/// 600,000 values; the files are in the system's cache.
#[divan::bench(args = ["sum(l_quantity)", "max(l_shipdate)", "sum(l_orderkey)", "max(l_comment)", "count(DISTINCT l_shipmode)"])]
fn scan_one_column(bencher: Bencher<'_, '_>, aggregate: &str) {
    let text = format!("SELECT {aggregate} FROM lineitem");
    bencher.counter(ItemsCount::new(600_572_usize)).bench(|| TPCH_LARGER.run(&text));
}

/// 600,000 rows into four groups; beside the scan, what sums of decimals cost.
#[divan::bench(args = [
    "count(*)",
    "sum(l_quantity), avg(l_quantity)",
    "sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax))",
    "sum(l_linenumber), avg(l_extendedprice) FILTER (WHERE l_discount > 0.05)",
])]
fn sums_of_few_groups(bencher: Bencher<'_, '_>, aggregates: &str) {
    let text = format!("SELECT {aggregates} FROM lineitem GROUP BY l_returnflag, l_linestatus");
    bencher.counter(ItemsCount::new(600_572_usize)).bench(|| TPCH_LARGER.run(&text));
}

//! `millrace-bench`: the benchmarks' command line.

use anyhow::Result;
use clap::{Parser, Subcommand};
use millrace_benches::target::{SideOptions, serve};
use millrace_benches::{
    cache, clickbench, concurrency, connectors, crawl, csv, journal, kernels, lake, layout, load, managed, many_tables,
    partitions, queues, start, tpcds, tpch, wire,
};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures millrace, against plain DataFusion where it does the same work.
#[derive(Debug, Parser)]
#[command(name = "millrace-bench", version)]
struct Arguments {
    /// Directory of generated data
    #[arg(long, value_name = "DIR", default_value_os_t = cache::default_directory(), global = true)]
    cache: PathBuf,

    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// TPC-H: 22 queries on managed or external tables, against peers; also `millrace bench tpch`
    Tpch(Box<tpch::TpchOptions>),
    /// TPC-DS: 99 queries, data and texts by DuckDB's extension; also `millrace bench tpcds`
    Tpcds(Box<tpcds::TpcdsOptions>),
    /// Like ClickBench: 43 queries over one wide table; also `millrace bench clickbench`
    Clickbench(Box<clickbench::ClickbenchOptions>),
    /// External tables: small files, partitions, CSV, JSON, ORC; also `millrace bench lake`
    Lake(Box<lake::LakeOptions>),
    /// Clients at once through the wire; also `millrace bench concurrency`
    Concurrency(Box<concurrency::ConcurrencyOptions>),
    /// What is measured: runs the statements of standard input
    #[command(hide = true)]
    Side(SideOptions),
    /// A table of many Hive partitions: first repair, and planning a query of one
    Partitions(partitions::Options),
    /// Scans of CSV and of gzipped JSON lines
    Csv(csv::Options),
    /// Managed tables: inserts, an update, scans; beside DuckDB
    Managed(managed::Options),
    /// The layout of lineitem: points and ranges of the sort key, CTAS, readers beside VACUUM, a memory limit, planning
    Layout(Box<layout::Options>),
    /// A warehouse of many tables and files: opening it, the first plan and later ones
    Tables(many_tables::Options),
    /// COPY, UNLOAD, INSERT, UPDATE, MERGE, DELETE, VACUUM of lineitem; also `millrace bench load`
    Load(load::Options),
    /// Foreign systems: scans, look-ups, a stream into a table, beside bare loops over their servers
    Connectors(connectors::Options),
    /// A crawl of many small objects on an S3 server: time, requests, memory
    Crawl(crawl::Options),
    /// Starting the program: time and memory of `select 1`; also `millrace bench start`
    Start(start::Options),
    /// 200 clients over three queues, with and without short query acceleration and WLM
    Queues(queues::Options),
    /// Functions and operators over one column each, on one thread; beside DuckDB
    Kernels(Box<kernels::KernelOptions>),
    /// What the journal costs a short query
    Journal(journal::Options),
    /// The wire: latencies and a large fetch of running servers, beside PostgreSQL
    Wire(wire::Options),
}

fn main() -> ExitCode {
    // In one line and without a backtrace, which would hide it where only the end of what was said is kept.
    match on_server_thread() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no one left to tell when standard error fails.
            drop(writeln!(io::stderr(), "millrace-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs it on a thread like those of the server, on which no statement takes a larger stack before it is planned.
fn on_server_thread() -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().thread_stack_size(millrace_engine::STACK_BYTES).build()?;
    let thread = std::thread::Builder::new().stack_size(millrace_engine::STACK_BYTES);
    match thread.spawn(move || runtime.block_on(run()))?.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

async fn run() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.benchmark {
        Benchmark::Tpch(options) => tpch::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Tpcds(options) => tpcds::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Clickbench(options) => clickbench::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Lake(options) => lake::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Concurrency(options) => concurrency::run(&options, &arguments.cache).await,
        Benchmark::Side(options) => serve(&options).await,
        Benchmark::Partitions(options) => partitions::run(&options, &arguments.cache).await,
        Benchmark::Csv(options) => csv::run(&options, &arguments.cache).await,
        Benchmark::Managed(options) => managed::run(&options).await,
        Benchmark::Layout(options) => layout::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Tables(options) => many_tables::run(&options, &arguments.cache).await,
        Benchmark::Load(options) => load::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Connectors(options) => connectors::run(&options).await,
        Benchmark::Crawl(options) => crawl::run(&options).await,
        Benchmark::Start(options) => start::run(&options),
        Benchmark::Queues(options) => queues::run(&options).await,
        Benchmark::Kernels(options) => kernels::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Journal(options) => journal::run(&options).await,
        Benchmark::Wire(options) => wire::run(&options).await,
    }
}

//! `millrace-bench`: the benchmarks' command line.

use anyhow::Result;
use clap::{Parser, Subcommand};
use millrace_benches::target::{SideOptions, serve};
use millrace_benches::{cache, crawl, csv, journal, load, managed, many_tables, partitions, queues, start, tpch, wire};
use std::path::PathBuf;

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
    /// What is measured: runs the statements of standard input
    #[command(hide = true)]
    Side(SideOptions),
    /// A table of many Hive partitions: first repair, and planning a query of one
    Partitions(partitions::Options),
    /// Scans of CSV and of gzipped JSON lines
    Csv(csv::Options),
    /// Managed tables: inserts, an update, scans; beside DuckDB
    Managed(managed::Options),
    /// A warehouse of many tables and files: opening it, the first plan and later ones
    Tables(many_tables::Options),
    /// COPY and UNLOAD of lineitem in each format; beside DuckDB
    Load(load::Options),
    /// A crawl of many small objects on an S3 server: time, requests, memory
    Crawl(crawl::Options),
    /// Starting the program: time and memory of `select 1`
    Start(start::Options),
    /// 200 clients over three queues, with and without short query acceleration and WLM
    Queues(queues::Options),
    /// What the journal costs a short query
    Journal(journal::Options),
    /// The wire: latencies and a large fetch of running servers, beside PostgreSQL
    Wire(wire::Options),
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.benchmark {
        Benchmark::Tpch(options) => tpch::run(&options, &arguments.cache, &["side"]).await,
        Benchmark::Side(options) => serve(&options).await,
        Benchmark::Partitions(options) => partitions::run(&options, &arguments.cache).await,
        Benchmark::Csv(options) => csv::run(&options, &arguments.cache).await,
        Benchmark::Managed(options) => managed::run(&options).await,
        Benchmark::Tables(options) => many_tables::run(&options, &arguments.cache).await,
        Benchmark::Load(options) => load::run(&options, &arguments.cache).await,
        Benchmark::Crawl(options) => crawl::run(&options).await,
        Benchmark::Start(options) => start::run(&options),
        Benchmark::Queues(options) => queues::run(&options).await,
        Benchmark::Journal(options) => journal::run(&options).await,
        Benchmark::Wire(options) => wire::run(&options).await,
    }
}

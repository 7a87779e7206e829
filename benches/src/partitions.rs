//! Many Hive partitions: how long the first repair takes, and planning a query of one of them.

use crate::report::{self, median_ms};
use crate::{cache, parquet_file, side};
use anyhow::{Result, ensure};
use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Partitions of the table
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// Queries that are planned, each of another partition
    #[arg(long, default_value_t = 21)]
    queries: usize,
}

/// Files that one hard-linked file stands for: file systems bound the links of a file.
const LINKS: usize = 10_000;

/// Runs it.
pub async fn run(options: &Options, cache: &Path) -> Result<()> {
    let count = options.count;
    ensure!(count > 0 && options.queries > 0, "there have to be partitions and queries");
    let name = format!("partitions-{count}");
    let folder = cache::folder(cache, name, |folder| async move { generate(count, &folder) }).await?;
    let mut ours = side::Ours::new(side::cores()).await?;
    let ddl = format!(
        "CREATE EXTERNAL TABLE t (v bigint) PARTITIONED BY (p int) STORED AS PARQUET LOCATION {}",
        side::literal(&folder)
    );
    ours.run(&ddl).await?;
    let repair = ours.time("MSCK REPAIR TABLE t").await?;
    let again = ours.time("MSCK REPAIR TABLE t").await?;
    let mut plans = Vec::new();
    let mut queries = Vec::new();
    for n in 0..options.queries {
        let partition = n * 7919 % count;
        plans
            .push(ours.time(&format!("EXPLAIN (FORMAT DATAFUSION) SELECT sum(v) FROM t WHERE p = {partition}")).await?);
        let partition = (n * 7919 + 1) % count;
        queries.push(ours.time(&format!("SELECT sum(v) FROM t WHERE p = {partition}")).await?);
    }
    let first = |times: &[Duration]| median_ms(&times[..1]);
    report::print(&format!(
        "{count} partitions\n\
         first repair       {:>10.0} ms\n\
         repair, no change  {:>10.0} ms\n\
         first plan         {:>10.1} ms\n\
         plan, median       {:>10.1} ms\n\
         query, median      {:>10.1} ms",
        median_ms(&[repair]),
        median_ms(&[again]),
        first(&plans),
        median_ms(&plans[1.min(plans.len() - 1)..]),
        median_ms(&queries),
    ));
    Ok(())
}

/// A row a partition, by links to few files.
fn generate(count: usize, folder: &Path) -> Result<()> {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("v", values)])?;
    let mut source = folder.to_owned();
    for partition in 0..count {
        let place = folder.join(format!("p={partition}"));
        std::fs::create_dir(&place)?;
        let file = place.join("part-0.parquet");
        if partition % LINKS == 0 {
            parquet_file::write(&file, batch.schema(), [Ok(batch.clone())])?;
            source = file;
        } else {
            std::fs::hard_link(&source, &file)?;
        }
    }
    Ok(())
}

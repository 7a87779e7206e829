//! TPC-H: the standard's queries with its validation parameters, answers compared before a time counts.

mod data;

use crate::report::{self, Line};
use crate::{cache, compare, side};
use anyhow::{Context, Result, ensure};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use std::path::{Path, PathBuf};

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Scale factor; answers are published for 1
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Runs of each query on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these queries, e.g. 1,6,18
    #[arg(long, value_delimiter = ',')]
    queries: Vec<usize>,
    /// Partitions of a plan; the cores by default
    #[arg(long)]
    partitions: Option<usize>,
    /// Also write the medians here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs it.
pub async fn run(options: &Options, cache: &Path) -> Result<()> {
    let scale = options.scale;
    ensure!(scale > 0.0 && scale <= 1000.0, "the scale factor is from 0 to 1000");
    let folder = cache::folder(cache, format!("tpch-{scale}"), |folder| async move { data::generate(scale, &folder) });
    let folder = folder.await?;
    let partitions = options.partitions.unwrap_or_else(side::cores);
    let mut ours = side::Ours::new(partitions).await?;
    let plain = side::plain(partitions);
    for (table, columns) in data::TABLES {
        let place = folder.join(table);
        let ddl =
            format!("CREATE EXTERNAL TABLE {table} ({columns}) STORED AS PARQUET LOCATION {}", side::literal(&place));
        ours.run(&ddl).await?;
        plain.register_parquet(table, place.display().to_string(), ParquetReadOptions::default()).await?;
    }
    let mut lines = Vec::new();
    for number in 1..=22 {
        if options.queries.is_empty() || options.queries.contains(&number) {
            let line = measure(number, options, &mut ours, &plain).await.with_context(|| format!("query {number}"))?;
            lines.push(line);
        }
    }
    let title = format!("TPC-H, scale {scale}, {partitions} partitions, median of {} runs", options.runs);
    report::print(&report::table(&title, &lines));
    options.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &lines))
}

async fn measure(number: usize, options: &Options, ours: &mut side::Ours, plain: &SessionContext) -> Result<Line> {
    let query = read(&format!("queries/tpch/q{number}.sql"))?;
    let answer = compare::rows(&ours.run(&query).await?)?;
    let plain_answer = compare::rows(&side::run_plain(plain, &query).await?)?;
    compare::same(&answer, &plain_answer, "against DataFusion")?;
    if (options.scale - 1.0).abs() < f64::EPSILON {
        let published = compare::parse_answer(&read(&format!("answers/tpch/q{number}.csv"))?);
        compare::same(&answer, &published, "against the published answer")?;
    }
    let mut line = Line { name: format!("Q{number}"), ours: Vec::new(), plain: Vec::new() };
    for _ in 0..options.runs {
        line.ours.push(ours.time(&query).await?);
        line.plain.push(side::time_plain(plain, &query).await?);
    }
    Ok(line)
}

fn read(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

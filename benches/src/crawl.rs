//! Crawling many small objects on an S3 server: time, requests and memory of a first crawl, a second, and of new folders.
//!
//! The server is in this process and the crawl in a `millrace` of its own, so that the memory is the crawl's alone. What
//! was listed and opened is what the server saw, not what the crawl says.

use crate::{proc, report, server};
use anyhow::{Context, Result, ensure};
use millrace_tests::faults::Operation;
use millrace_tests::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The program; by default the `millrace` beside this one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Folders, each a partition
    #[arg(long, default_value_t = 1_000)]
    partitions: usize,
    /// Objects of each folder
    #[arg(long, default_value_t = 100)]
    objects: usize,
    /// Folders that are added before the last crawl
    #[arg(long, default_value_t = 10)]
    added: usize,
}

/// What one crawl took.
struct Measured {
    time: Duration,
    peak_memory_bytes: u64,
    lists: usize,
    prefixes: usize,
    opened: usize,
    gets: usize,
    bytes: u64,
    summary: String,
}

/// Runs it.
pub async fn run(options: &Options) -> Result<()> {
    ensure!(options.partitions > 0 && options.objects > 0, "there have to be folders and objects");
    let binary = server::program(options.binary.as_deref())?;
    let server = S3Server::start().await?;
    let bucket = server.create_bucket()?;
    let table = server.root().join(&bucket).join("t");
    generate(&table, 0..options.partitions, options.objects)?;
    let warehouse = tempfile::tempdir()?;
    let target = format!("s3://{bucket}/t");
    let first = crawl(&binary, &server, warehouse.path(), &target, &[]).await?;
    let again = crawl(&binary, &server, warehouse.path(), &target, &[]).await?;
    generate(&table, options.partitions..options.partitions + options.added, options.objects)?;
    let new = crawl(&binary, &server, warehouse.path(), &target, &["--new-folders-only"]).await?;
    let mut text = format!(
        "{} objects in {} folders, {} folders added\n{:<16} {:>10} {:>10} {:>8} {:>10} {:>8} {:>8} {:>12}",
        options.partitions * options.objects,
        options.partitions,
        options.added,
        "",
        "ms",
        "memory MB",
        "lists",
        "prefixes",
        "opened",
        "gets",
        "bytes read"
    );
    for (name, crawl) in [("first", &first), ("again", &again), ("new folders", &new)] {
        write!(
            text,
            "\n{name:<16} {:>10.0} {:>10.1} {:>8} {:>10} {:>8} {:>8} {:>12}  {}",
            report::median_ms(&[crawl.time]),
            crawl.peak_memory_bytes as f64 / f64::from(1 << 20),
            crawl.lists,
            crawl.prefixes,
            crawl.opened,
            crawl.gets,
            crawl.bytes,
            crawl.summary
        )?;
    }
    report::print(&text);
    Ok(())
}

/// Folders of small CSV files.
fn generate(table: &Path, partitions: std::ops::Range<usize>, objects: usize) -> Result<()> {
    for partition in partitions {
        let folder = table.join(format!("p={partition}"));
        std::fs::create_dir_all(&folder)?;
        for object in 0..objects {
            std::fs::write(folder.join(format!("{object}.csv")), format!("id,name\n{object},a\n{partition},b\n"))?;
        }
    }
    Ok(())
}

/// One crawl by the program; the requests are those that came meanwhile.
async fn crawl(binary: &Path, server: &S3Server, warehouse: &Path, target: &str, more: &[&str]) -> Result<Measured> {
    server.faults().clear();
    let mut command = Command::new(binary);
    command.args(["crawl", target, "--database", "bench"]).args(more).arg("--warehouse").arg(warehouse);
    command.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    command.env_remove("AWS_SESSION_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let begin = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
    let process = child.id().unwrap_or_default();
    let output = child.wait_with_output();
    tokio::pin!(output);
    let mut peak_memory_bytes = 0;
    let output = loop {
        tokio::select! {
            output = &mut output => break output?,
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                peak_memory_bytes = peak_memory_bytes.max(proc::peak_bytes(process));
            }
        }
    };
    let time = begin.elapsed();
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {told}", binary.display());
    let requests = server.faults().requests();
    let keys = |wanted| requests.iter().filter(move |(operation, _)| *operation == wanted).map(|(_, key)| key.as_str());
    Ok(Measured {
        time,
        peak_memory_bytes,
        lists: keys(Operation::List).count(),
        prefixes: keys(Operation::List).collect::<HashSet<_>>().len(),
        opened: keys(Operation::Get).collect::<HashSet<_>>().len(),
        gets: keys(Operation::Get).count(),
        bytes: server.faults().bytes_sent(),
        summary: String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned(),
    })
}

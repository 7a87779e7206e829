//! Starting the program on an existing warehouse: time until `select 1` is answered, and the most memory held.

use crate::report::{self, median_ms};
use crate::{proc, server};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The program; by default the `millrace` beside this one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// How often it is started
    #[arg(long, default_value_t = 20)]
    runs: usize,
}

/// Runs it.
pub fn run(options: &Options) -> Result<()> {
    let binary = server::program(options.binary.as_deref())?;
    let warehouse = tempfile::tempdir()?;
    start(&binary, warehouse.path())?;
    let runs = (0..options.runs).map(|_| start(&binary, warehouse.path())).collect::<Result<Vec<_>>>()?;
    let times = runs.iter().map(|(time, _)| *time).collect::<Vec<_>>();
    let worst = times.iter().max().copied().unwrap_or_default();
    let memory = runs.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default();
    report::print(&format!(
        "millrace -c 'select 1', {} runs\nmedian   {:>8.1} ms\nslowest  {:>8.1} ms\nmemory   {:>8.1} MB",
        options.runs,
        median_ms(&times),
        median_ms(&[worst]),
        memory as f64 / f64::from(1 << 20)
    ));
    Ok(())
}

/// One start: its time, and the largest resident size that was seen, in bytes (0 where there is no /proc).
fn start(binary: &Path, warehouse: &Path) -> Result<(Duration, u64)> {
    let mut command = Command::new(binary);
    command.arg("--warehouse").arg(warehouse).args(["-c", "select 1"]).stdout(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
    let mut peak = 0;
    let result = loop {
        if let Some(result) = child.try_wait()? {
            break result;
        }
        peak = peak.max(proc::peak_bytes(child.id()));
        std::thread::sleep(Duration::from_micros(200));
    };
    let time = begin.elapsed();
    ensure!(result.success(), "{} failed: {result}", binary.display());
    Ok((time, peak))
}

//! Starting the program on an existing warehouse: time until `select 1` is answered, and the most memory held.

use crate::report::{Line, Report, Side};
use crate::run::OutputOptions;
use crate::{proc, server};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq, Eq)]
pub struct Options {
    /// The program; by default the `millrace` beside this one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// How often it is started
    #[arg(long, default_value_t = 20)]
    runs: usize,
    #[command(flatten)]
    output: OutputOptions,
}

/// Runs it.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "there has to be a run");
    let before = options.output.before()?;
    let binary = server::program(options.binary.as_deref())?;
    let warehouse = tempfile::tempdir()?;
    start(&binary, warehouse.path())?;
    let (mut line, mut peak) = (Line::new("select 1", 1), 0);
    for _ in 0..options.runs {
        let (time, bytes) = start(&binary, warehouse.path())?;
        line.push(0, time);
        peak = peak.max(bytes);
    }
    line.measures[0].max_ms = line.times_ms[0].iter().copied().reduce(f64::max);
    let side = Side {
        version: concat!("millrace ", env!("CARGO_PKG_VERSION")).to_owned(),
        peak_memory_bytes: Some(peak).filter(|bytes| *bytes > 0),
        ..Side::named("millrace")
    };
    let title = format!("millrace -c 'select 1' on an existing warehouse, median of {} runs", options.runs);
    options.output.write(&Report { title, sides: vec![side], lines: vec![line] }, before.as_ref())
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

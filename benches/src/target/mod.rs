//! What is measured: ourselves and peers, each a process of its own, so that memory and CPU are its own.
//!
//! All speak one protocol over their standard input and output, a JSON object a line: the request [`Request`] names a
//! statement, the reply [`Reply`] says how long it took and what the process has used so far. Ours and plain
//! DataFusion are this program again ([`serve`]), the others are small scripts in this folder.

mod kind;
mod process;
mod serve;

pub use kind::Kind;
pub use process::{Programs, Target};
pub use serve::{SideOptions, serve};

use crate::compare::Row;
use serde::{Deserialize, Serialize};

/// A statement to run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The statement's text, in words that the target takes.
    pub sql: String,
    /// Whether the rows are wanted; they are computed in any case.
    pub rows: bool,
}

/// What became of a statement.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// How long it took, to its last row.
    #[serde(default)]
    pub seconds: f64,
    /// The rows, where they were wanted.
    #[serde(default)]
    pub rows: Option<Vec<Row>>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// The process's resources.
    #[serde(flatten)]
    pub used: Used,
}

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// The most memory that it had in RAM.
    #[serde(default)]
    pub peak_memory_bytes: u64,
    /// CPU time of all its threads, in seconds.
    #[serde(default)]
    pub cpu_seconds: f64,
}

impl Used {
    /// This process's, as Linux tells it; zeros elsewhere.
    pub fn of_this_process() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name in parentheses may hold anything; the 12th and 13th fields after it are the times in ticks.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2));
        let ticks: u64 = fields.into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
        Self { peak_memory_bytes: kilobytes.unwrap_or(0) * 1024, cpu_seconds: ticks as f64 / TICKS_PER_SECOND }
    }
}

/// Linux's `USER_HZ`, the same on every machine that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

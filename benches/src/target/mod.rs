//! What is measured: ourselves and peers, each a process of its own, so that memory and CPU are its own.
//!
//! All speak one protocol over their standard input and output, a JSON object a line: the request [`Request`] names a
//! statement, the reply [`Reply`] says how long it took and what the process has used so far. Ours and plain
//! DataFusion are this program again ([`serve`]), the others are small scripts in this folder.

mod kind;
mod process;
mod serve;
mod wire;

pub use kind::{Kind, Script};
pub(crate) use kind::{duckdb_columns, hive_columns};
pub use process::{Outcome, Programs, Target};
pub use serve::{SideOptions, serve};
pub(crate) use wire::Wire;

use crate::compare::Row;
use crate::proc;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A statement to run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The statement's text, in words that the target takes.
    pub sql: String,
    /// Whether the rows are wanted; they are computed in any case.
    pub rows: bool,
    /// Parquet files in a folder that a target reads itself, where its statements cannot.
    #[serde(default)]
    pub files: Option<PathBuf>,
    /// A digest is wanted instead of the rows, none of which is kept: [`Digest::row`](crate::digest::Digest::row), in which
    /// the order of these columns' values counts. Only Millrace makes one.
    #[serde(default)]
    pub digest: Option<Vec<usize>>,
}

impl Request {
    /// A statement whose rows are not wanted.
    pub fn new(sql: String) -> Self {
        Self { sql, rows: false, files: None, digest: None }
    }

    /// A statement whose rows are wanted.
    pub fn asking(sql: String) -> Self {
        Self { rows: true, ..Self::new(sql) }
    }

    /// A query whose rows are too many to be kept.
    pub fn digesting(sql: String, ordered: &[usize]) -> Self {
        Self { digest: Some(ordered.to_vec()), ..Self::asking(sql) }
    }
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
    /// Rows that its scans gave, where the target tells.
    #[serde(default)]
    pub rows_read: Option<u64>,
    /// Bytes of files that they read or found in a cache.
    #[serde(default)]
    pub bytes_read: Option<u64>,
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
        Self::of_folder(Path::new("/proc/self"), 2)
    }

    /// A server's, with its processes that are there and those that were. What several share in memory cannot be told from
    /// what each has: then no peak is told.
    pub fn of_server(process: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let of_ended = || fields(&folder).skip(13).take(2).sum::<u64>();
        let mut used = Self::default();
        for _ in 0..MOST_LOOKS {
            let ended = of_ended();
            used = Self::of_folder(&folder, 4);
            let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
            let children = entries.map(|entry| entry.path());
            for child in children.filter(|child| fields(child).nth(1) == Some(u64::from(process))) {
                used.peak_memory_bytes = 0;
                used.cpu_seconds += Self::of_folder(&child, 2).cpu_seconds;
            }
            // One that ended meanwhile is perhaps in neither.
            if of_ended() == ended {
                break;
            }
        }
        used
    }

    /// Of a process's folder: its own two times, or with those of its children that have ended, four.
    fn of_folder(folder: &Path, times: usize) -> Self {
        let ticks: u64 = fields(folder).skip(11).take(times).sum();
        let peak_memory_bytes = proc::bytes(folder.join("status"), "VmHWM");
        Self { peak_memory_bytes, cpu_seconds: ticks as f64 / TICKS_PER_SECOND }
    }
}

/// CPU seconds of those of this process's threads that have a name and have not ended.
pub fn cpu_of_threads(name: &str) -> f64 {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let threads = entries.map(|entry| entry.path());
    let named =
        threads.filter(|thread| std::fs::read_to_string(thread.join("comm")).is_ok_and(|own| own.trim_end() == name));
    let ticks: u64 = named.map(|thread| fields(&thread).skip(11).take(2).sum::<u64>()).sum();
    ticks as f64 / TICKS_PER_SECOND
}

/// The fields of a process's `stat` after its name, which is in parentheses and may hold anything: the second is the
/// parent, the 12th and 13th are times in ticks, the next two those of children that have ended. What is no number is 0.
fn fields(folder: &Path) -> impl Iterator<Item = u64> + use<> {
    let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect::<Vec<u64>>().into_iter()
}

/// How often a server's processes are looked at while some of them end.
const MOST_LOOKS: usize = 100;

/// Linux's `USER_HZ`, the same on every machine that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_what_it_has_used() {
        let used = Used::of_this_process();
        assert!(used.peak_memory_bytes > 1 << 20, "{used:?}");
        let process = std::process::id();
        let mut fields = fields(Path::new(&format!("/proc/{process}")));
        assert_eq!(fields.nth(1), Some(u64::from(std::os::unix::process::parent_id())));
    }

    #[test]
    fn threads_of_a_name_tell_their_time() -> std::io::Result<()> {
        let busy = std::thread::Builder::new().name("busy".to_owned()).spawn(|| {
            let (mut count, before) = (0_u64, cpu_of_threads("busy"));
            while cpu_of_threads("busy") < before + 0.05 {
                count += 1;
            }
            count
        })?;
        assert!(busy.join().is_ok_and(|count| count > 0));
        assert!(cpu_of_threads("no such thread").abs() < f64::EPSILON);
        Ok(())
    }
}

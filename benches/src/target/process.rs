//! A target's process: started, asked, ended.

use super::{Kind, Reply, Request, Used};
use crate::compare::Row;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What targets are run by.
#[derive(Debug, Clone)]
pub struct Programs {
    /// A Python with the peers' packages.
    pub python: PathBuf,
    /// The arguments by which this program becomes a target ([`super::serve`]), before the target's own.
    pub side: Vec<String>,
}

/// A running target.
#[derive(Debug)]
pub struct Target {
    /// What it is.
    pub kind: Kind,
    /// The program's own words for its version.
    pub version: String,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    used: Used,
}

impl Target {
    /// Starts a target whose own files are in `home`, on so many threads.
    ///
    /// # Errors
    /// When its program is not there, with what would install it.
    pub fn start(kind: Kind, programs: &Programs, home: &Path, threads: usize) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let mut command = if let Some(script) = kind.script() {
            let path = home.join("side.py");
            std::fs::write(&path, script)?;
            let mut command = Command::new(&programs.python);
            command.arg(path);
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(&programs.side).arg(kind.name());
            command
        };
        command.arg(home).arg(threads.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("could not start {command:?}"))?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the process of {} has no pipes", kind.name());
        };
        let mut replies = BufReader::new(replies);
        let mut version = String::new();
        replies.read_line(&mut version)?;
        let version = version.trim().to_owned();
        if version.is_empty() {
            let hint = if kind.script().is_some() {
                ": install the Python package duckdb, or name a Python that has it with --python"
            } else {
                ""
            };
            bail!("{} could not be started{hint}", kind.name());
        }
        Ok(Self { kind, version, child, requests, replies, used: Used::default() })
    }

    /// Runs a statement.
    pub fn run(&mut self, sql: &str, rows: bool) -> Result<(Duration, Vec<Row>)> {
        let request = serde_json::to_string(&Request { sql: sql.to_owned(), rows })?;
        writeln!(self.requests, "{request}").and_then(|()| self.requests.flush()).context(self.kind.name())?;
        let mut line = String::new();
        self.replies.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the process of {} ended during: {sql}", self.kind.name());
        let reply: Reply = serde_json::from_str(&line).with_context(|| line.clone())?;
        self.used = reply.used;
        if let Some(error) = reply.error {
            bail!("{}: {error}, in: {sql}", self.kind.name());
        }
        Ok((Duration::from_secs_f64(reply.seconds), reply.rows.unwrap_or_default()))
    }

    /// What the process has used up to its last statement.
    pub fn used(&self) -> Used {
        self.used
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It ends by itself at the end of its input; one that computes on is not waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

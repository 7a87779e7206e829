//! A target's process: started, asked, ended.

use super::{Kind, Reply, Request, Used};
use crate::compare::Row;
use crate::report::Side;
use crate::server::Server;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// What targets are run by.
#[derive(Debug, Clone)]
pub struct Programs {
    /// A Python with the peers' packages.
    pub python: PathBuf,
    /// The arguments by which this program becomes a target ([`super::serve`]), before the target's own.
    side: Vec<String>,
}

impl Programs {
    /// A Python, and the arguments that make this program a target.
    pub fn new(python: &Path, side: &[&str]) -> Self {
        Self { python: python.to_owned(), side: side.iter().map(|text| (*text).to_owned()).collect() }
    }

    /// Whether the Python has packages, which are named as an import names them.
    pub fn can_import(&self, packages: &str) -> bool {
        let mut command = Command::new(&self.python);
        command.args(["-c", &format!("import {packages}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// What a statement gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How long it took, to its last row.
    pub time: Duration,
    /// The rows, where they were wanted.
    pub rows: Vec<Row>,
    /// Rows that its scans gave.
    pub rows_read: Option<u64>,
    /// Bytes that its scans read.
    pub bytes_read: Option<u64>,
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
    /// Its lines; closed when it ends.
    replies: Receiver<String>,
    used: Used,
    has_ended: bool,
}

impl Target {
    /// Starts a target whose own files are in `home`, on so many threads; one that asks a server is told which.
    ///
    /// # Errors
    /// When its program is not there, with what would install it.
    pub fn start(
        kind: Kind,
        programs: &Programs,
        home: &Path,
        threads: usize,
        server: Option<&Server>,
    ) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let mut command = if let Some(script) = kind.script() {
            let path = home.join("side.py");
            std::fs::write(&path, script.text)?;
            std::fs::write(home.join("peer.py"), include_str!("peer.py"))?;
            let mut command = Command::new(&programs.python);
            command.arg(path);
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(&programs.side).arg(kind.name());
            command
        };
        command.arg(home).arg(threads.to_string());
        if let Some(server) = server {
            command.args(["--connection", &server.connection, "--server", &server.process().to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("could not start {command:?}"))?;
        let (Some(requests), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the process of {} has no pipes", kind.name());
        };
        let (sender, replies) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let Ok(version) = replies.recv() else {
            drop(child.wait());
            let hint = kind.script().map_or_else(String::new, |script| {
                format!(
                    ": install the Python packages {}, or name a Python that has them with --python",
                    script.packages
                )
            });
            bail!("{} could not be started{hint}", kind.name());
        };
        Ok(Self { kind, version, child, requests, replies, used: Used::default(), has_ended: false })
    }

    /// Runs a statement; where it takes longer than `limit`, the process is ended.
    pub fn run(&mut self, request: &Request, limit: Option<Duration>) -> Result<Outcome> {
        let request = serde_json::to_string(request)?;
        if writeln!(self.requests, "{request}").and_then(|()| self.requests.flush()).is_err() {
            self.end();
            bail!("the process of {} has ended", self.kind.name());
        }
        let line = match limit {
            Some(limit) => self.replies.recv_timeout(limit),
            None => self.replies.recv().map_err(RecvTimeoutError::from),
        };
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                self.end();
                match (error, limit) {
                    (RecvTimeoutError::Timeout, Some(limit)) => bail!("given up after {} s", limit.as_secs()),
                    _ => bail!("the process of {} ended", self.kind.name()),
                }
            }
        };
        let reply: Reply = serde_json::from_str(&line).with_context(|| line.clone())?;
        self.used = reply.used;
        if let Some(error) = reply.error {
            // In one line, as reports have it.
            bail!("{}", error.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        Ok(Outcome {
            time: Duration::from_secs_f64(reply.seconds),
            rows: reply.rows.unwrap_or_default(),
            rows_read: reply.rows_read,
            bytes_read: reply.bytes_read,
        })
    }

    /// What the process has used up to its last statement.
    pub fn used(&self) -> Used {
        self.used
    }

    /// It as a side of a report, with what it has used.
    pub fn describe(&self) -> Side {
        Side {
            name: self.kind.name().to_owned(),
            version: self.version.clone(),
            peak_memory_bytes: Some(self.used.peak_memory_bytes),
            cpu_seconds: Some(self.used.cpu_seconds),
            ..Side::default()
        }
    }

    /// Whether the process is gone.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Ends the process, whatever it does.
    pub fn end(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It ends by itself at the end of its input; one that computes on is not waited for.
        self.end();
    }
}

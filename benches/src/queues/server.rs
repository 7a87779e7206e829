//! A server of our own: `millrace serve` on a fresh warehouse and a free port, which ends with the value.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Server {
    /// Starts a program with so much memory for statements, in megabytes, and connections for so many clients.
    pub(super) fn start(program: &Path, memory_mb: u64, clients: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.arg("--warehouse").arg(directory.path());
        for setting in [&format!("memory_limit_mb={memory_mb}"), "result_cache_mb=0"] {
            command.args(["--set", setting]);
        }
        // A few beside the clients: whoever looks at them.
        let connections = (clients + 16).to_string();
        command.args(["serve", "--trust", "--listen", "127.0.0.1:0", "--max-connections", &connections]);
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}; name it with --binary", program.display()))?;
        let Some(out) = process.stdout.take() else { bail!("the server has no output") };
        let mut lines = BufReader::new(out).lines();
        let port = loop {
            let Some(line) = lines.next() else { bail!("the server ended before it listened") };
            if let Some(address) = line?.strip_prefix("millrace listens on ") {
                let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
                break port.with_context(|| format!("no port in {address}"))?;
            }
        };
        // What it says later has a reader, too.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, port, _directory: directory })
    }

    /// A new connection.
    pub(super) async fn client(&self) -> Result<Client> {
        let place = format!("host=127.0.0.1 port={} user=admin dbname=dev", self.port);
        let (client, connection) = tokio_postgres::connect(&place, NoTls).await?;
        // It ends with its client.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }

    /// The file that tells its memory.
    pub(super) fn status(&self) -> String {
        format!("/proc/{}/status", self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// What a process has in memory of its own now, not of files, in bytes; 0 where there is no /proc.
pub(super) fn memory_bytes(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

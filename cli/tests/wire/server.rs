//! A server in a process of its own, on a fresh warehouse and a free port; it ends with the value.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) port: u16,
    /// Its directory, which goes with the last that holds it.
    pub(crate) directory: Arc<TempDir>,
    /// What it said before it listened.
    pub(crate) said: Vec<String>,
}

impl Server {
    /// Starts one that trusts local users.
    pub(crate) fn start() -> Self {
        Self::with(&["--trust"], &[])
    }

    /// Starts one with these options and variables.
    pub(crate) fn with(options: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap()), options, variables)
    }

    /// Starts one on the warehouse of another that has ended.
    pub(crate) fn over(directory: Arc<TempDir>, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .arg("--warehouse")
            .arg(directory.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let port = loop {
            let line = lines.next().expect("the server ended").unwrap();
            if let Some(address) = line.strip_prefix("millrace listens on ") {
                break address.rsplit_once(':').unwrap().1.parse().unwrap();
            }
            said.push(line);
        };
        // What it says later has a reader, too.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port, directory, said }
    }

    /// A client, with the task that speaks for it.
    pub(crate) async fn client(&self) -> Client {
        self.client_with("user=admin dbname=dev").await.unwrap().0
    }

    /// A client with parameters of its own.
    pub(crate) async fn client_with(
        &self,
        parameters: &str,
    ) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let text = format!("host=127.0.0.1 port={} {parameters}", self.port);
        let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }
}

impl Server {
    /// Asks it to stop, in order.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// How much memory it has had at most, in kilobytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn most_memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Whether it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The one value of a text's rows.
pub(crate) async fn one(client: &Client, text: &str) -> String {
    let messages = client.simple_query(text).await.unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.unwrap()
}

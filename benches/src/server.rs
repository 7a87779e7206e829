//! A server of Millrace or of PostgreSQL that is started for a benchmark and ends with it.

use crate::proc;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long a server may take to start.
const START: Duration = Duration::from_mins(1);

/// Connections beside those of the clients: whoever loads and looks.
pub const SPARE_CONNECTIONS: usize = 16;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// How clients connect.
    pub connection: String,
    /// A folder that goes with it.
    _folder: Option<TempDir>,
}

impl Server {
    /// `millrace serve` on the warehouse in a folder, with settings (`name=value`) and more arguments of `serve`; whoever
    /// connects from this machine is let in. It keeps no results, as what is measured is computed.
    pub fn millrace(program: &Path, warehouse: &Path, settings: &[String], serve_arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("--warehouse").arg(warehouse).args(["--set", "result_cache_mb=0"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.args(["serve", "--trust", "--listen", "127.0.0.1:0"]).args(serve_arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        // From here on it ends with the value.
        let mut server = Self { child, connection: String::new(), _folder: None };
        let output = server.child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.by_ref().map_while(std::io::Result::ok).find_map(|line| {
            let (_, address) = line.split_once(" listens on ")?;
            address.trim().rsplit_once(':').map(|(_, port)| port.to_owned())
        });
        let port = port.with_context(|| format!("{} did not serve", program.display()))?;
        // What it says later is not waited for by the server.
        std::thread::spawn(move || lines.for_each(drop));
        server.connection = format!("host=127.0.0.1 port={port} user=admin dbname=dev");
        Ok(server)
    }

    /// A new PostgreSQL of so many threads for so many clients, on a socket in a folder of its own.
    pub fn postgres(threads: usize, clients: usize) -> Result<Self> {
        let bin = postgres_programs().context("PostgreSQL is not installed: there is no initdb")?;
        // Another user need not get into the caller's folders.
        let folder = tempfile::Builder::new().prefix("millrace-postgres-").tempdir()?;
        let user = other_user(folder.path())?;
        let data = folder.path().join("data");
        let as_user = |command: &mut Command| {
            use std::os::unix::process::CommandExt;
            command.current_dir(folder.path());
            if let Some((user, group)) = user {
                command.gid(group).uid(user);
            }
        };
        let mut initdb = Command::new(bin.join("initdb"));
        as_user(initdb.arg("-D").arg(&data).args([
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        let made = initdb.output().context("initdb")?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let socket = folder.path().display().to_string();
        let settings = [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={socket}"),
            // A leader and its workers; all queries together have as many workers as there are threads. One process more
            // launches replication.
            format!("max_parallel_workers_per_gather={}", threads.saturating_sub(1)),
            format!("max_parallel_workers={threads}"),
            format!("max_worker_processes={}", threads + 1),
            format!("max_connections={}", clients + SPARE_CONNECTIONS),
            format!("shared_buffers={}MB", (proc::bytes("/proc/meminfo", "MemTotal") >> 20).max(512) / 4),
            "work_mem=256MB".to_owned(),
            "max_wal_size=8GB".to_owned(),
            // A query whose client was ended ends, too.
            "client_connection_check_interval=1s".to_owned(),
        ];
        let mut postgres = Command::new(bin.join("postgres"));
        postgres.arg("-D").arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
        for setting in &settings {
            postgres.args(["-c", setting]);
        }
        as_user(&mut postgres);
        let child = postgres.spawn().context("cannot start postgres")?;
        let connection = format!("host={socket} user=bench dbname=postgres");
        let mut server = Self { child, connection, _folder: Some(folder) };
        let begin = Instant::now();
        // It notes there that it lets clients in.
        let status = data.join("postmaster.pid");
        while !std::fs::read_to_string(&status).is_ok_and(|text| text.lines().any(|line| line.trim() == "ready")) {
            ensure!(server.child.try_wait()?.is_none() && begin.elapsed() < START, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The folder of PostgreSQL's programs.
pub fn postgres_programs() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    told.into_iter().chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists())
}

/// PostgreSQL refuses to run as root: the user and group that it runs as instead, who gets the folder.
fn other_user(folder: &Path) -> Result<Option<(u32, u32)>> {
    use std::os::unix::fs::{MetadataExt, chown};
    if std::fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let number = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let (user, group) = number("postgres").or_else(|| number("nobody")).context("there is no user but root")?;
    chown(folder, Some(user), Some(group))?;
    Ok(Some((user, group)))
}

/// The program that is named, or the `millrace` beside this one.
pub fn program(named: Option<&Path>) -> Result<PathBuf> {
    named.map_or_else(|| Ok(std::env::current_exe()?.with_file_name("millrace")), |named| Ok(named.to_owned()))
}

/// A connection to a server.
pub async fn connect(connection: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(connection, NoTls).await?;
    // It ends with its client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// A server's error in its own words.
pub(crate) fn told(error: &tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(error) => anyhow::anyhow!("{}: {}", error.code().code(), error.message()),
        None => anyhow::anyhow!("{error}"),
    }
}

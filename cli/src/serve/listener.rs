//! The server: takes connections within a limit, and stops in order.
//!
//! A signal stops it: no new connections, idle ones are told and closed, running statements have a while to end, and
//! what runs then is dropped, which cancels it. A second signal ends the wait.

use super::auth::Gate;
use super::failure::error_response;
use super::options::ServeArgs;
use super::registry::Registry;
use super::startup;
use super::tls::Tls;
use super::wire::Wire;
use anyhow::{Context, Result, bail};
use millrace_engine::{Error, ErrorKind, Warehouse, WarehouseConfig, maintenance};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the end waits for what cancelled writes left to be removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long accepting pauses after it failed, e.g. for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Logins that may go on at a time beyond the connections that are open, as a flood of half-open ones would.
const MOST_LOGINS: usize = 100;

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// What all connections share.
pub(super) struct Server {
    pub(super) warehouse: Arc<Warehouse>,
    pub(super) registry: Arc<Registry>,
    pub(super) gate: Gate,
    pub(super) tls: Option<Tls>,
    pub(super) settings: Vec<(String, String)>,
    /// Places for clients that are logged in.
    pub(super) places: Arc<Semaphore>,
    logins: Arc<Semaphore>,
    login_timeout: Duration,
    /// Cancelled when the server stops.
    pub(super) stopping: CancellationToken,
}

/// Serves a warehouse until a signal stops it.
pub(crate) async fn run(directory: &Path, settings: &[(String, String)], arguments: &ServeArgs) -> Result<()> {
    check(arguments)?;
    let mut config = WarehouseConfig::new(directory);
    for (name, value) in settings.iter().filter(|(name, _)| WarehouseConfig::has_setting(name)) {
        config = config.with_setting(name, value)?;
    }
    let tls = Tls::open(arguments)?;
    let warehouse = Warehouse::open(config)
        .await
        .with_context(|| format!("could not open the warehouse {}", directory.display()))?;
    warehouse.serve_many().await?;
    let gate = Gate::open(directory, arguments)?;
    maintenance::start(&warehouse);
    let server = Arc::new(Server {
        warehouse: Arc::clone(&warehouse),
        registry: Arc::default(),
        gate,
        tls,
        settings: settings.iter().filter(|(name, _)| !WarehouseConfig::has_setting(name)).cloned().collect(),
        places: Arc::new(Semaphore::new(arguments.max_connections)),
        logins: Arc::new(Semaphore::new(MOST_LOGINS)),
        login_timeout: Duration::from_secs(arguments.login_timeout),
        stopping: CancellationToken::new(),
    });
    let mut listeners = Vec::with_capacity(arguments.listen.len());
    for address in &arguments.listen {
        let listener = listen(*address).with_context(|| format!("could not listen on {address}"))?;
        writeln!(std::io::stdout(), "millrace listens on {}", listener.local_addr()?)?;
        listeners.push(listener);
    }
    if arguments.trust {
        writeln!(std::io::stdout(), "millrace lets local users in without a password (--trust)")?;
    }
    std::io::stdout().flush()?;
    serve(&server, listeners, Duration::from_secs(arguments.drain_timeout)).await?;
    warehouse.close(PATIENCE).await;
    Ok(())
}

/// A socket that listens. Its connections inherit keepalive, so that a client whose machine vanished is noticed, when
/// the system's time for that is over.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn check(arguments: &ServeArgs) -> Result<()> {
    if arguments.trust
        && let Some(open) = arguments.listen.iter().find(|address| !address.ip().is_loopback())
    {
        bail!("--trust is for loopback addresses only, and {open} is none");
    }
    Ok(())
}

/// Takes connections until a signal, then waits for those that are open.
async fn serve(server: &Arc<Server>, listeners: Vec<TcpListener>, drain: Duration) -> Result<()> {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(Arc::clone(server), listener));
    }
    signal().await?;
    server.stopping.cancel();
    let drained = async { while accepting.join_next().await.is_some() {} };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(drain) => tracing::warn!("statements still run; they are cancelled"),
        signalled = signal() => signalled?,
    }
    // Dropping a listener's task drops its connections.
    accepting.shutdown().await;
    Ok(())
}

/// Takes a listener's connections; ends when the server stops and all of them have ended.
async fn accept(server: Arc<Server>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = server.stopping.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => take(&server, &mut connections, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => note_end(ended),
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        note_end(ended);
    }
}

fn note_end(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended abnormally");
    }
}

fn take(server: &Arc<Server>, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
    let Ok(login) = Arc::clone(&server.logins).try_acquire_owned() else {
        tracing::warn!(%peer, "too many logins at a time");
        return;
    };
    // Answers are short and should not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let server = Arc::clone(server);
    connections.spawn(async move {
        let begun = tokio::time::timeout(server.login_timeout, startup::begin(&server, stream, peer)).await;
        drop(login);
        match begun {
            Ok(Some((connection, _place))) => Box::pin(connection.run(server.stopping.clone())).await,
            Ok(None) => {}
            Err(_) => tracing::info!(%peer, "a client took too long to log in"),
        }
    });
}

/// Waits for the signal to stop.
async fn signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Tells a client that it cannot stay.
pub(super) async fn refuse(wire: &mut Wire, error: &Error) {
    if wire.push(&error_response("FATAL", error)).is_ok() {
        wire.close().await;
    }
}

/// The error of a client for whom there is no room.
pub(super) fn too_many() -> Error {
    Error::new(ErrorKind::TooManyConnections, "sorry, too many clients already")
}

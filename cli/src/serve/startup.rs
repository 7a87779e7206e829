//! The start of a connection: TLS, parameters, login, and a session.

use super::connection::Connection;
use super::failure::Failure;
use super::listener::{Server, refuse, too_many};
use super::message::{decode_parameters, violation};
use super::report::Told;
use super::visit::Visit;
use super::wire::Wire;
use bytes::{Buf, Bytes};
use millrace_engine::{Error, ErrorKind, Login, Session};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
const VERSION_3: u32 = 3 << 16;

/// The SHOW statements that Redshift's drivers may use instead of queries of the catalog: those of this version.
const SHOW_DISCOVERY: &str = "4";

/// How often a client may ask for encryption before it says who it is.
const MOST_REQUESTS: usize = 4;

/// Parameters of startup messages that say who the client is, or are Redshift's drivers' own: none is a setting.
const NO_SETTINGS: [&str; 13] = [
    "user",
    "database",
    "options",
    "replication",
    "client_protocol_version",
    "driver_version",
    "os_version",
    "driver_discovery_version",
    "plugin_name",
    "idp_type",
    "provider_name",
    "token_type",
    "_pq_.command_tag",
];

/// Who a client says it is.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) user: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Client {
    /// Whether one of Redshift's own drivers speaks: they know Redshift's way of asking for a password, and not all of
    /// them know SCRAM.
    pub(super) fn is_redshift_driver(&self) -> bool {
        self.parameters.iter().any(|(name, _)| name == "client_protocol_version" || name == "driver_version")
    }

    /// Whether it wants to know which SHOW statements there are to find tables and columns with.
    fn asks_discovery(&self) -> bool {
        self.parameters.iter().any(|(name, _)| name == "driver_discovery_version")
    }
}

/// Makes a client known and gives it a session, with the place that it takes. `None` when it left, only wanted to
/// cancel, or was refused.
pub(super) async fn begin(
    server: &Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(Connection, OwnedSemaphorePermit)> {
    let mut wire = Some(Wire::new(Box::new(stream)));
    let failure = match try_begin(server, &mut wire, peer).await {
        Ok(begun) => return begun,
        Err(failure) => failure,
    };
    match (failure, &mut wire) {
        (Failure::Statement(error) | Failure::Fatal(error), Some(wire)) => refuse(wire, &error).await,
        (failure, _) => tracing::debug!(?failure, %peer, "a client left while it logged in"),
    }
    None
}

async fn try_begin(
    server: &Arc<Server>,
    slot: &mut Option<Wire>,
    peer: SocketAddr,
) -> Result<Option<(Connection, OwnedSemaphorePermit)>, Failure> {
    let Some((client, encrypted)) = introduce(server, slot, peer).await? else { return Ok(None) };
    let Some(wire) = slot else { return Ok(None) };
    let mut visit = Visit::new(&server.warehouse, &client, peer, encrypted);
    let login = server.warehouse.login(&client.user).await.map_err(Failure::Fatal)?;
    let method = server.gate.method(peer.ip());
    if let Err(failure) = server.gate.check(wire, &client, login.as_ref(), peer.ip()).await {
        if matches!(failure, Failure::Fatal(_)) {
            visit.refused(method);
        }
        return Err(failure);
    }
    let Ok(place) = Arc::clone(&server.places).try_acquire_owned() else { return Err(Failure::Fatal(too_many())) };
    check_limit(server, login.as_ref())?;
    let session = Box::pin(session(server, &client, login.as_ref())).await?;
    let (host, application) = visit.client();
    session.note_client(host, application);
    let seat = server.registry.enter(session.pid());
    session.on_signal(seat.signals());
    visit.begins(&session, method).map_err(Failure::Fatal)?;
    wire.push(&Authentication::Ok)?;
    if client.asks_discovery() {
        wire.push(&ParameterStatus::new("show_discovery".to_owned(), SHOW_DISCOVERY.to_owned()))?;
    }
    let told = welcome(wire, &session, seat.pid, seat.secret())?;
    wire.trust_sizes();
    let knows_redshift = client.is_redshift_driver();
    Ok(slot.take().map(|wire| (Connection::new(wire, session, (seat, visit), told, knows_redshift), place)))
}

/// Turns a user away who has as many sessions as its `CONNECTION LIMIT` allows.
fn check_limit(server: &Server, login: Option<&Login>) -> Result<(), Failure> {
    let Some((login, limit)) = login.and_then(|login| Some((login, login.user.connection_limit?))) else {
        return Ok(());
    };
    let open = server.warehouse.sessions().list().iter().filter(|session| session.user == login.name).count();
    if login.user.superuser || open < limit as usize {
        return Ok(());
    }
    let message = format!("too many connections for user \"{}\"", login.name);
    Err(Failure::Fatal(Error::new(ErrorKind::TooManyConnections, message)))
}

/// Answers requests until the client says who it is, and whether it is encrypted. The wire is taken and put back when TLS goes around it.
async fn introduce(
    server: &Server,
    slot: &mut Option<Wire>,
    peer: SocketAddr,
) -> Result<Option<(Client, bool)>, Failure> {
    let mut encrypted = false;
    for _ in 0..MOST_REQUESTS {
        let Some(wire) = slot else { return Ok(None) };
        let Some((code, body)) = wire.startup().await? else { return Ok(None) };
        match (code, &server.tls) {
            (SSL_REQUEST, Some(tls)) if !encrypted => {
                wire.output().extend_from_slice(b"S");
                wire.flush().await?;
                if let Some(plain) = slot.take() {
                    *slot = Some(tls.accept(plain.into_stream()?).await?);
                }
                encrypted = true;
            }
            (SSL_REQUEST | GSS_REQUEST, _) => {
                wire.output().extend_from_slice(b"N");
                wire.flush().await?;
            }
            (CANCEL_REQUEST, _) => {
                cancel(server, body);
                return Ok(None);
            }
            (version, tls) if version >> 16 == VERSION_3 >> 16 => {
                if !encrypted && tls.as_ref().is_some_and(|tls| tls.required) {
                    let message = format!("connections from {} must use TLS", peer.ip());
                    let error = Error::new(ErrorKind::InvalidAuthorization, message);
                    return Err(Failure::Fatal(error.with_hint("connect with sslmode=require or better")));
                }
                return client(wire, version, body).map(|client| Some((client, encrypted)));
            }
            (version, _) => {
                let (major, minor) = (version >> 16, version & 0xFFFF);
                let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0");
                return Err(Failure::Fatal(Error::new(ErrorKind::Unsupported, message)));
            }
        }
    }
    Err(Failure::Fatal(violation("too many requests before the startup message")))
}

fn cancel(server: &Server, mut body: Bytes) {
    if body.len() == 8 {
        server.registry.cancel(body.get_i32(), body.get_i32());
    }
}

fn client(wire: &mut Wire, version: u32, body: Bytes) -> Result<Client, Failure> {
    let parameters = decode_parameters(body).map_err(Failure::Fatal)?;
    let options = parameters.iter().map(|(name, _)| name).filter(|name| name.starts_with("_pq_."));
    let options: Vec<String> = options.cloned().collect();
    if version != VERSION_3 || !options.is_empty() {
        wire.push(&NegotiateProtocolVersion::new(0, options))?;
    }
    let user = parameters.iter().find(|(name, _)| name == "user").map(|(_, user)| user.clone());
    let Some(user) = user.filter(|user| !user.is_empty()) else {
        let message = "no PostgreSQL user name specified in startup packet";
        return Err(Failure::Fatal(Error::new(ErrorKind::InvalidAuthorization, message)));
    };
    if parameters.iter().any(|(name, value)| name == "replication" && !matches!(value.as_str(), "false" | "off" | "0"))
    {
        return Err(Failure::Fatal(Error::unsupported("replication")));
    }
    Ok(Client { user, parameters })
}

/// The client's session in its database, with the settings of the server and of its startup message.
async fn session(server: &Server, client: &Client, login: Option<&Login>) -> Result<Session, Failure> {
    let warehouse = Arc::clone(&server.warehouse);
    let mut session = match login {
        Some(login) => Session::login(warehouse, login),
        // Trusted, and unknown: a user without rights.
        None => Session::for_user(warehouse, &client.user),
    };
    for (name, value) in &server.settings {
        session.set(name, value).map_err(Failure::Fatal)?;
    }
    let database = client.parameters.iter().find(|(name, value)| name == "database" && !value.is_empty());
    if let Some((_, database)) = database {
        session.choose_database(database).await.map_err(Failure::Fatal)?;
    }
    for (name, value) in &client.parameters {
        let name = name.to_lowercase();
        if !NO_SETTINGS.contains(&name.as_str()) && !name.starts_with("_pq_.") {
            match session.set(&name, value) {
                // Drivers send what only their own server knows.
                Err(error) if error.kind == ErrorKind::UndefinedObject => tracing::debug!(name, "an unknown setting"),
                other => other.map_err(Failure::Fatal)?,
            }
        } else if name == "options" {
            for (name, value) in command_line(value) {
                session.set(&name, &value).map_err(Failure::Fatal)?;
            }
        }
    }
    Ok(session)
}

/// The settings in `-c name=value --name=value`; a backslash stands before a blank that does not end one.
fn command_line(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, words.last_mut()) {
            ('\\', Some(word)) => word.extend(chars.next()),
            (c, _) if c.is_whitespace() => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            _ => {}
        }
    }
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let mut settings = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(setting) => Some(setting),
            None if word == "-c" => words.next(),
            None => word.strip_prefix("-c"),
        };
        if let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) {
            settings.push((name.replace('-', "_").to_lowercase(), value.to_owned()));
        }
    }
    settings
}

/// Tells the client what it needs to know of the server, and how to cancel.
fn welcome(wire: &mut Wire, session: &Session, pid: i32, secret: i32) -> Result<Told, Failure> {
    let mut told = Told::default();
    told.update(wire, session)?;
    wire.push(&BackendKeyData::new(pid, SecretKey::I32(secret)))?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_in_options() {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("-c search_path=a", &[("search_path", "a")]),
            ("-csearch_path=a --statement-timeout=5", &[("search_path", "a"), ("statement_timeout", "5")]),
            ("-c search_path=a\\ b\\\\c", &[("search_path", "a b\\c")]),
            ("-d 3  -c", &[]),
        ];
        for (text, expected) in cases {
            let found = command_line(text);
            let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

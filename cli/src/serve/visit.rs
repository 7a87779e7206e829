//! What the journal is told of a connection: that it came in or was turned away, what it calls itself, and that it went.

use super::failure::Failure;
use super::startup::Client;
use millrace_engine::journal::{ConnectionEvent, now_us};
use millrace_engine::{Error, ErrorKind, Session, Warehouse};
use std::net::SocketAddr;
use std::sync::Arc;

/// The event of a connection that has a name, or another one.
const NAMED: &str = "set application_name";

/// A connection from its login to its end, which dropping it tells of.
pub(super) struct Visit {
    warehouse: Arc<Warehouse>,
    event: ConnectionEvent,
    /// When its session began; `None` before.
    begun_us: Option<i64>,
}

impl Visit {
    /// A client that has said who it is.
    pub(super) fn new(warehouse: &Arc<Warehouse>, client: &Client, peer: SocketAddr, encrypted: bool) -> Self {
        let given = |name: &str| {
            let found = client.parameters.iter().find(|(known, _)| known == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let event = ConnectionEvent {
            remote_host: peer.ip().to_string(),
            remote_port: peer.port().to_string(),
            database: given("database"),
            user: client.user.clone(),
            ssl_version: if encrypted { "TLS".to_owned() } else { String::new() },
            application_name: given("application_name"),
            ..ConnectionEvent::default()
        };
        Self { warehouse: Arc::clone(warehouse), event, begun_us: None }
    }

    /// The client's address and the name that it gives itself.
    pub(super) fn client(&self) -> (&str, &str) {
        (&self.event.remote_host, &self.event.application_name)
    }

    /// It could not prove who it is.
    pub(super) fn refused(&mut self, method: &str) {
        method.clone_into(&mut self.event.auth_method);
        // Whoever is refused is not kept waiting for what could not be written.
        drop(self.tell("authentication failure", 0));
    }

    /// It is let in as this session, if that can be written down where it must be.
    pub(super) fn begins(&mut self, session: &Session, method: &str) -> Result<(), Error> {
        self.event.pid = session.pid();
        self.event.timeout_sec = Some(self.warehouse.sessions().timeout_sec(session.pid()));
        method.clone_into(&mut self.event.auth_method);
        self.tell("authenticated", 0)?;
        self.tell("initiating session", 0)?;
        if !self.event.application_name.is_empty() {
            self.tell(NAMED, 0)?;
        }
        self.begun_us = Some(now_us());
        Ok(())
    }

    /// Settings have changed, and with them perhaps what the client calls itself.
    pub(super) fn settings_changed(&mut self, session: &Session) -> Result<(), Error> {
        let name = session.setting("application_name")?;
        if name == self.event.application_name {
            return Ok(());
        }
        self.event.application_name = name;
        session.note_client(&self.event.remote_host, &self.event.application_name);
        self.tell(NAMED, 0)
    }

    /// Its conversation has ended so.
    pub(super) fn ended(&mut self, outcome: &Result<(), Failure>) {
        self.event.ended = Some(match outcome {
            Ok(()) | Err(Failure::Gone(_)) => 2,
            Err(Failure::Fatal(error) | Failure::Statement(error)) => {
                i32::from(matches!(error.kind, ErrorKind::IdleTimeout | ErrorKind::IdleTransaction))
            }
        });
    }

    fn tell(&self, what: &str, duration_us: i64) -> Result<(), Error> {
        let event = ConnectionEvent { event: what.to_owned(), at_us: now_us(), duration_us, ..self.event.clone() };
        self.warehouse.note_connection(&event)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(begun_us) = self.begun_us {
            // It has gone, whatever becomes of the line.
            drop(self.tell("disconnecting session", now_us() - begun_us));
        }
    }
}

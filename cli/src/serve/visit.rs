//! What the journal is told of a connection: that it came in or was turned away, and that it went.

use super::startup::Client;
use millrace_engine::journal::{ConnectionEvent, now_us};
use millrace_engine::{Error, Warehouse};
use std::net::SocketAddr;
use std::sync::Arc;

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

    /// It is let in, under this session's number, if that can be written down where it must be.
    pub(super) fn begins(&mut self, pid: i32, method: &str) -> Result<(), Error> {
        self.event.pid = pid;
        method.clone_into(&mut self.event.auth_method);
        self.tell("authenticated", 0)?;
        self.tell("initiating session", 0)?;
        self.begun_us = Some(now_us());
        Ok(())
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

//! One client's conversation: message after message until it ends.
//!
//! The connection owns its session, its portals and its place in the registry. After an error in a message of the
//! extended protocol everything is skipped until Sync; an error never ends the connection unless the protocol itself
//! is broken.

use super::extended::{Portal, Statement};
use super::failure::{Failure, error_response, notice_response};
use super::message::{self, Message};
use super::registry::{Cancel, Seat};
use super::report::{Told, wants};
use super::value::for_redshift;
use super::visit::Visit;
use super::wire::Wire;
use arrow::datatypes::SchemaRef;
use millrace_engine::{Error, ErrorKind, Notice, Session, TransactionStatus};
use pgwire::messages::response::{ReadyForQuery, TransactionStatus as Status};
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

/// A client that is logged in.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) session: Session,
    pub(super) portals: HashMap<String, Portal>,
    /// Statements that the client prepared under a name; the session keeps them under the same.
    pub(super) named: HashMap<String, Statement>,
    /// The one without.
    pub(super) unnamed: Option<Statement>,
    seat: Seat,
    /// Tells of the connection's end when it is dropped.
    visit: Visit,
    told: Told,
    /// Whether the client knows Redshift's own types.
    knows_redshift: bool,
    /// After an error in an extended message: until Sync.
    skipping: bool,
}

impl Connection {
    /// A connection whose session begins.
    pub(super) fn new(
        wire: Wire,
        session: Session,
        (seat, visit): (Seat, Visit),
        told: Told,
        knows_redshift: bool,
    ) -> Self {
        Self {
            wire,
            session,
            portals: HashMap::new(),
            named: HashMap::new(),
            unnamed: None,
            seat,
            visit,
            told,
            knows_redshift,
            skipping: false,
        }
    }

    /// Converses until the client leaves, or the server stops and no statement runs.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let outcome = self.converse(&stopping).await;
        self.visit.ended(&outcome);
        match outcome {
            Ok(()) => {}
            Err(Failure::Gone(error)) => tracing::debug!(%error, "a client left"),
            Err(Failure::Fatal(error) | Failure::Statement(error)) => {
                if self.wire.push(&error_response("FATAL", &error)).is_err() {
                    tracing::warn!("an error could not be sent");
                }
            }
        }
        // Portals go before the session whose rows they read, and both before a goodbye that nobody may hear.
        let Self { mut wire, portals, session, .. } = self;
        drop(portals);
        drop(session);
        wire.close().await;
    }

    async fn converse(&mut self, stopping: &CancellationToken) -> Result<(), Failure> {
        self.ready()?;
        let ended = self.seat.ended();
        loop {
            // The wire sends what has gathered before it waits.
            let idle = idle_too_long(&self.session);
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => return Err(terminated()),
                () = ended.cancelled() => return Err(terminated()),
                next = self.wire.next() => next?,
                error = idle => return Err(Failure::Fatal(error)),
            };
            let Some((kind, message)) = next else { return Ok(()) };
            if matches!(message, Ok(Message::Terminate)) {
                return Ok(());
            }
            if kind == b'S' {
                self.skipping = false;
            } else if self.skipping {
                continue;
            }
            let handled = match message {
                // Nothing runs meanwhile that could be cancelled.
                Ok(Message::Flush) => tokio::select! {
                    biased;
                    () = stopping.cancelled() => return Err(terminated()),
                    () = ended.cancelled() => return Err(terminated()),
                    flushed = self.wire.flush() => flushed,
                },
                Ok(message) => self.handle(message).await,
                // Whatever they say.
                Err(_) if matches!(kind, b'd' | b'c' | b'f') => Ok(()),
                Err(error) => Err(Failure::Statement(error)),
            };
            self.seat.end();
            match handled {
                Ok(()) => {}
                Err(Failure::Statement(error)) => self.fail(kind, &error).await?,
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Query(text) => {
                Box::pin(self.simple_query(&text)).await?;
                // What a group of messages began before ends with the text.
                self.session.end_implicit().await?;
                self.ready()
            }
            Message::Parse { name, text, types } => self.parse(name, &text, &types).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(target) => self.describe(&target).await,
            Message::Execute { portal, most } => Box::pin(self.execute(&portal, most)).await,
            Message::Close(target) => self.close(&target),
            Message::Sync => self.sync().await,
            // Late data of a COPY that has failed; PostgreSQL passes over it too. The others were seen to before.
            Message::Flush | Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) | Message::Terminate => {
                Ok(())
            }
            Message::Password(_) => Err(Failure::Fatal(message::violation("a password was not asked for"))),
        }
    }

    /// A result's columns as the client knows their types.
    pub(super) fn as_known(&self, schema: &SchemaRef) -> SchemaRef {
        if self.knows_redshift { for_redshift(schema) } else { SchemaRef::clone(schema) }
    }

    /// Something runs from now on that a cancel request may end.
    pub(super) fn cancellable(&self) -> Cancel {
        self.seat.begin()
    }

    /// Tells of an error, and of where the conversation goes on.
    async fn fail(&mut self, kind: u8, error: &Error) -> Result<(), Failure> {
        if error.kind == ErrorKind::Internal {
            tracing::error!(message = error.message, detail = error.detail, "a defect");
        }
        self.session.fail_transaction();
        // Only its undoing is left to do, which takes nothing from anybody.
        if let Err(error) = self.session.end_implicit().await {
            tracing::warn!(%error, "a transaction did not end in order");
        }
        self.forget_portals();
        self.wire.push(&error_response("ERROR", error))?;
        if message::is_extended(kind) {
            self.skipping = true;
            return Ok(());
        }
        self.ready()
    }

    /// Ends a group of messages, and with it the transaction that its statements were done in.
    pub(super) async fn sync(&mut self) -> Result<(), Failure> {
        if let Err(error) = self.session.end_implicit().await {
            self.wire.push(&error_response("ERROR", &error))?;
        }
        self.forget_portals();
        self.ready()
    }

    /// Portals live as long as the transaction that they were made in.
    pub(super) fn forget_portals(&mut self) {
        if self.session.transaction_status() != TransactionStatus::Active {
            self.portals.clear();
        }
    }

    fn ready(&mut self) -> Result<(), Failure> {
        if self.told.update(&mut self.wire, &self.session)? {
            self.visit.settings_changed(&self.session).map_err(Failure::Fatal)?;
        }
        let status = match self.session.transaction_status() {
            TransactionStatus::Idle => Status::Idle,
            TransactionStatus::Active => Status::Transaction,
            TransactionStatus::Failed => Status::Error,
        };
        self.wire.push(&ReadyForQuery::new(status))
    }

    /// Sends messages beside a result.
    pub(super) fn notify(&mut self, notices: &[Notice]) -> Result<(), Failure> {
        for notice in notices.iter().filter(|notice| wants(&self.session, notice.severity)) {
            self.wire.push(&notice_response(notice))?;
        }
        Ok(())
    }
}

fn terminated() -> Failure {
    Failure::Fatal(Error::new(ErrorKind::Shutdown, "terminating connection due to administrator command"))
}

/// Ends with an error when a session has been idle for as long as it may be.
fn idle_too_long(session: &Session) -> impl Future<Output = Error> + use<> {
    let limit = session.idle_limit();
    async move {
        match limit {
            Some((limit, error)) => {
                tokio::time::sleep(limit).await;
                error
            }
            None => std::future::pending().await,
        }
    }
}

/// Waits for a session's work while the client may cancel it or vanish, either of which drops the work.
pub(super) async fn watched<T>(
    work: impl Future<Output = millrace_engine::Result<T>>,
    wire: &mut Wire,
    cancel: &Cancel,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        error = cancel.cancelled() => Err(error.into()),
        failure = wire.gone() => Err(failure),
        done = work => Ok(done?),
    }
}

//! The extended protocol: prepared statements and portals.
//!
//! A portal is a statement bound to values. It runs when it is described, if it gives rows, or else when it is
//! executed; its rows are computed as Execute asks for them. Errors are told at once and skip to Sync.

use super::connection::{Connection, watched};
use super::failure::Failure;
use super::message::{Bind, Target};
use super::rows::{Progress, Sending, deadline, row_description};
use super::simple::check_size;
use super::value::{Format, data_type_of, oid_of, parameter_text};
use arrow::datatypes::{DataType, Schema};
use millrace_engine::sql::ParsedStatement;
use millrace_engine::{Error, ErrorKind, Prepared, TransactionStatus};
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use std::sync::Arc;

/// How many portals may be open.
const MOST_PORTALS: usize = 1_000;

/// The type of a parameter whose type the client leaves open.
const UNSPECIFIED: [u32; 2] = [0, 705];

/// A prepared statement, as the client made it.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    prepared: Arc<Prepared>,
    /// The numbers of the parameters' types that the client gave.
    oids: Vec<u32>,
}

/// A statement bound to values.
pub(super) struct Portal {
    statement: Statement,
    formats: Vec<i16>,
    state: State,
}

/// How far a portal is.
enum State {
    /// Nothing ran; `None` is an empty text.
    Bound(Option<Box<ParsedStatement>>),
    /// It runs and gives rows.
    Open(Box<Sending>),
    /// It was run and gave no rows.
    Finished,
}

impl Connection {
    /// Parse.
    pub(super) async fn parse(&mut self, name: String, text: &str, types: &[u32]) -> Result<(), Failure> {
        check_size(text)?;
        let given = types.iter().map(|oid| {
            if UNSPECIFIED.contains(oid) {
                return Ok(None);
            }
            let unknown = || Error::unsupported(format!("a parameter of the type with number {oid}"));
            data_type_of(*oid).map(Some).ok_or_else(unknown)
        });
        let given = given.collect::<Result<Vec<_>, _>>()?;
        let prepared = Arc::new(self.session.prepare(text, &given)?);
        if prepared.parameter_count() < types.len() {
            return Err(Error::internal("parameters were lost").into());
        }
        let statement = Statement { prepared: Arc::clone(&prepared), oids: types.to_vec() };
        if name.is_empty() {
            self.unnamed = Some(statement);
        } else {
            // What has a name is used again: what is wrong with it is told now, and the name stays free.
            let cancel = self.cancellable();
            let analyzed = Box::pin(self.session.analyze(&prepared));
            watched(analyzed, &mut self.wire, &cancel).await?;
            self.session.keep_prepared(&name, prepared)?;
            self.named.insert(name, statement);
        }
        self.wire.push(&ParseComplete::new())
    }

    /// The statement of a name, whichever way it was prepared.
    fn statement(&self, name: &str) -> Result<Statement, Error> {
        if name.is_empty() {
            let missing = || Error::new(ErrorKind::UndefinedPrepared, "unnamed prepared statement does not exist");
            return self.unnamed.clone().ok_or_else(missing);
        }
        let prepared = self.session.prepared(name)?;
        // DEALLOCATE and PREPARE may have put another in its place.
        let known = self.named.get(name).filter(|known| Arc::ptr_eq(&known.prepared, &prepared));
        Ok(known.cloned().unwrap_or(Statement { prepared, oids: Vec::new() }))
    }

    /// Bind.
    pub(super) async fn bind(&mut self, bind: Bind) -> Result<(), Failure> {
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            let message = format!("cursor \"{}\" already exists", bind.portal);
            return Err(Error::new(ErrorKind::DuplicateCursor, message).into());
        }
        if self.portals.len() >= MOST_PORTALS {
            let message = format!("a connection may have {MOST_PORTALS} portals");
            return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint("close some").into());
        }
        let statement = self.statement(&bind.statement)?;
        let cancel = self.cancellable();
        let types = Box::pin(self.session.parameter_types(&statement.prepared));
        let types = watched(types, &mut self.wire, &cancel).await?;
        let formats = Format::spread(&bind.formats, bind.values.len(), "parameter")?;
        let values = bind.values.iter().zip(&formats).enumerate().map(|(at, (value, format))| {
            let Some(bytes) = value else { return Ok(None) };
            let oid = statement.oid(at, types);
            parameter_text(oid, *format, bytes).map(Some)
        });
        let values = values.collect::<Result<Vec<_>, Error>>()?;
        let bound = self.session.bind(&statement.prepared, types, values)?;
        let state = State::Bound(bound.map(Box::new));
        self.portals.insert(bind.portal, Portal { statement, formats: bind.result_formats, state });
        self.wire.push(&BindComplete::new())
    }

    /// Describe.
    pub(super) async fn describe(&mut self, target: &Target) -> Result<(), Failure> {
        match target {
            Target::Statement(name) => self.describe_statement(name).await,
            Target::Portal(name) => Box::pin(self.describe_portal(name)).await,
        }
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), Failure> {
        let statement = self.statement(name)?;
        let cancel = self.cancellable();
        let types = self.session.parameter_types(&statement.prepared);
        let types = watched(types, &mut self.wire, &cancel).await?;
        let oids = (0..types.len()).map(|at| statement.oid(at, types)).collect();
        let schema = Box::pin(self.session.prepared_schema(&statement.prepared));
        let schema = watched(schema, &mut self.wire, &cancel).await?;
        self.wire.push(&ParameterDescription::new(oids))?;
        match schema {
            // Before Bind nobody knows the formats: they are told as text.
            Some(schema) => {
                let schema = self.as_known(&schema);
                self.wire.push(&row_description(&schema, &vec![Format::Text; schema.fields().len()]))
            }
            None => self.wire.push(&NoData::new()),
        }
    }

    async fn describe_portal(&mut self, name: &str) -> Result<(), Failure> {
        // A cursor that DECLARE made is a portal too.
        if !self.portals.contains_key(name)
            && let Some(schema) = self.session.cursor_columns(name)
        {
            let schema = self.as_known(&schema);
            return self.wire.push(&row_description(&schema, &vec![Format::Text; schema.fields().len()]));
        }
        let gives_rows = self.portal(name)?.statement.prepared.gives_rows();
        if !gives_rows {
            return self.wire.push(&NoData::new());
        }
        self.open(name).await?;
        match &self.portal(name)?.state {
            State::Open(sending) => {
                let description = row_description(sending.schema(), sending.formats());
                self.wire.push(&description)
            }
            State::Bound(_) | State::Finished => self.wire.push(&NoData::new()),
        }
    }

    fn portal(&mut self, name: &str) -> Result<&mut Portal, Error> {
        let missing = || Error::new(ErrorKind::UndefinedCursor, format!("portal \"{name}\" does not exist"));
        self.portals.get_mut(name).ok_or_else(missing)
    }

    /// Runs a portal's statement, unless it runs already; gives the tag of one that gives no rows.
    async fn open(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let portal = self.portal(name)?;
        let State::Bound(bound) = &mut portal.state else { return Ok(None) };
        let Some(statement) = bound.take() else { return Ok(None) };
        portal.state = State::Finished;
        let formats = portal.formats.clone();
        let described = portal.statement.prepared.clone();
        if let Some(tag) = self.copy(&statement).await? {
            return Ok(Some(tag));
        }
        let cancel = self.cancellable();
        // A group's statements are done together or not at all; one by itself needs no transaction around it.
        if self.session.transaction_status() == TransactionStatus::Active || !self.wire.ends_group()? {
            self.session.begin_implicit(&statement).await?;
        }
        let deadline = deadline(&self.session);
        let result = watched(self.session.execute(&statement), &mut self.wire, &cancel).await;
        let mut result = result.map_err(|failure| failure.of(&statement))?;
        self.notify(&std::mem::take(&mut result.notices))?;
        result.schema = self.as_known(&result.schema);
        let tag = result.tag.text(0);
        let formats = Format::spread(&formats, result.schema.fields().len(), "result")?;
        if let Some(known) = described.known_schema()
            && !same_shape(&known, &result.schema)
        {
            let message = "cached plan must not change result type";
            return Err(Error::new(ErrorKind::Unsupported, message).into());
        }
        // The statement may have ended the transaction, and with it the portals.
        let Some(sending) = Sending::of(result, formats, &self.session, deadline) else { return Ok(Some(tag)) };
        self.portal(name)?.state = State::Open(Box::new(sending));
        Ok(None)
    }

    /// Execute.
    pub(super) async fn execute(&mut self, name: &str, most: usize) -> Result<(), Failure> {
        if matches!(self.portal(name)?.state, State::Bound(None)) {
            return self.wire.push(&EmptyQueryResponse::new());
        }
        if let Some(tag) = self.open(name).await? {
            return self.wire.push(&CommandComplete::new(tag));
        }
        let cancel = self.cancellable();
        let missing = || Error::new(ErrorKind::UndefinedCursor, format!("portal \"{name}\" does not exist"));
        let portal = self.portals.get_mut(name).ok_or_else(missing)?;
        let State::Open(sending) = &mut portal.state else {
            let message = format!("portal \"{name}\" cannot be run anymore");
            return Err(Error::new(ErrorKind::ObjectState, message).into());
        };
        match sending.send(&mut self.wire, most, &cancel).await? {
            Progress::Suspended => self.wire.push(&PortalSuspended::new()),
            Progress::Done => {
                let tag = sending.tag();
                self.wire.push(&CommandComplete::new(tag))
            }
        }
    }

    /// Close; what does not exist is closed already.
    pub(super) fn close(&mut self, target: &Target) -> Result<(), Failure> {
        match target {
            Target::Statement(name) if name.is_empty() => self.unnamed = None,
            Target::Statement(name) => {
                self.session.forget_prepared(name);
                self.named.remove(name);
            }
            Target::Portal(name) => {
                self.portals.remove(name);
            }
        }
        self.wire.push(&CloseComplete::new())
    }
}

impl Statement {
    /// The number of a parameter's type: the client's own, or the one that stands for what was found.
    fn oid(&self, at: usize, types: &[DataType]) -> u32 {
        let given = self.oids.get(at).copied().filter(|oid| !UNSPECIFIED.contains(oid));
        given.unwrap_or_else(|| types.get(at).map_or(0, oid_of))
    }
}

fn same_shape(told: &Schema, given: &Schema) -> bool {
    let oids = |schema: &Schema| schema.fields().iter().map(|field| oid_of(field.data_type())).collect::<Vec<_>>();
    oids(told) == oids(given)
}

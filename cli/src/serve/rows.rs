//! Sending the rows of a result: as many as are asked for, as fast as the client reads them.

use super::failure::Failure;
use super::registry::Cancel;
use super::value::{Format, PgType, RowWriter};
use super::wire::{FULL, Wire};
use crate::zone::shown_zone;
use arrow::datatypes::{Schema, SchemaRef};
use chrono_tz::Tz;
use futures::StreamExt;
use futures::stream::BoxStream;
use millrace_engine::{CommandTag, Error, ErrorKind, Session, StatementResult};
use pgwire::messages::data::{FieldDescription, RowDescription};
use std::time::Duration;
use tokio::time::Instant;

/// A result that is being sent.
pub(super) struct Sending {
    schema: SchemaRef,
    batches: BoxStream<'static, millrace_engine::Result<arrow::record_batch::RecordBatch>>,
    formats: Vec<Format>,
    zone: Tz,
    writer: Option<RowWriter>,
    deadline: Option<Instant>,
    tag: CommandTag,
    sent: u64,
}

/// How far sending has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All rows are sent.
    Done,
    /// As many rows as were asked for; there may be more.
    Suspended,
}

impl Sending {
    /// The rows of a result, to be sent in these formats until its deadline; `None` when it gives none.
    pub(super) fn of(
        result: StatementResult,
        formats: Vec<Format>,
        session: &Session,
        deadline: Option<Instant>,
    ) -> Option<Self> {
        let rows = result.rows?;
        let batches = rows.map(|batch| batch.map_err(Error::from)).boxed();
        Some(Self {
            schema: result.schema,
            batches,
            formats,
            zone: shown_zone(session),
            writer: None,
            deadline,
            tag: result.tag,
            sent: 0,
        })
    }

    /// The command tag for what was sent last: a portal that is executed bit by bit tells of each bit.
    pub(super) fn tag(&self) -> String {
        self.tag.text(self.sent)
    }

    /// The columns.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Their formats.
    pub(super) fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// Sends at most so many rows more; 0 is all.
    pub(super) async fn send(&mut self, wire: &mut Wire, most: usize, cancel: &Cancel) -> Result<Progress, Failure> {
        let mut left = if most == 0 { usize::MAX } else { most };
        self.sent = 0;
        loop {
            if left == 0 {
                return Ok(Progress::Suspended);
            }
            if let Some(writer) = &mut self.writer {
                let sent = writer.write(left, FULL, wire.output());
                self.sent += sent as u64;
                left -= sent;
                if writer.is_done() {
                    self.writer = None;
                }
                if wire.is_full() {
                    flush(wire, cancel, self.deadline).await?;
                }
                continue;
            }
            let batch = tokio::select! {
                biased;
                error = cancel.cancelled() => return Err(error.into()),
                failure = wire.gone() => return Err(failure),
                batch = self.batches.next() => batch,
            };
            let Some(batch) = batch else { return Ok(Progress::Done) };
            let writer = RowWriter::new(&batch?, &self.schema, &self.formats, self.zone);
            self.writer = Some(writer.map_err(Error::from)?);
        }
    }
}

/// Sends what has gathered, until the statement is cancelled or its time is over: a client that does not read holds
/// nothing longer than that. What is not sent then, half a message perhaps, stays in the wire before the error.
pub(super) async fn flush(wire: &mut Wire, cancel: &Cancel, deadline: Option<Instant>) -> Result<(), Failure> {
    let over = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        error = cancel.cancelled() => return Err(error.into()),
        flushed = wire.flush() => flushed?,
        () = over => return Err(timed_out().into()),
    }
    // Even a result that is computed at once lets other connections have their turn.
    tokio::task::consume_budget().await;
    Ok(())
}

fn timed_out() -> Error {
    Error::new(ErrorKind::Cancelled, "canceling statement due to statement timeout")
}

/// When the time of a statement that begins now is over.
pub(super) fn deadline(session: &Session) -> Option<Instant> {
    let limit_ms = session.setting("statement_timeout").ok().and_then(|limit| limit.parse::<u64>().ok());
    limit_ms.filter(|limit| *limit > 0).map(|limit| Instant::now() + Duration::from_millis(limit))
}

/// The columns of a result.
pub(super) fn row_description(schema: &Schema, formats: &[Format]) -> RowDescription {
    let described = schema.fields().iter().zip(formats).map(|(field, format)| {
        let PgType { oid, size, modifier } = PgType::of(field);
        let format = i16::from(*format == Format::Binary);
        FieldDescription::new(field.name().clone(), 0, 0, oid, size, modifier, format)
    });
    RowDescription::new(described.collect())
}

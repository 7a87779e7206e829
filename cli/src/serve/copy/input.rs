//! COPY FROM STDIN: the client's messages become the statement's input while it runs.
//!
//! After an error the rest of the client's data is passed over by the connection's loop, as PostgreSQL does.

use super::binary::BinaryRows;
use crate::serve::connection::{Connection, watched};
use crate::serve::failure::Failure;
use crate::serve::message::{Message, violation};
use bytes::Bytes;
use millrace_engine::sql::{ParsedStatement, StreamFormat, StreamLayout};
use millrace_engine::{CopyFeed, Error, ErrorKind, copy_channel};
use pgwire::messages::copy::CopyInResponse;
use std::io;

/// What a client says while it copies.
enum Said {
    Data(Bytes),
    Done,
    GaveUp(String),
}

impl Connection {
    pub(super) async fn copy_in(&mut self, parsed: &ParsedStatement, layout: &StreamLayout) -> Result<String, Failure> {
        let cancel = self.cancellable();
        // The statement lends the session until it has ended.
        let result = {
            let (mut feed, input) = copy_channel();
            let Self { session, wire, .. } = self;
            let running = session.execute_reading(parsed, input);
            tokio::pin!(running);
            let columns = tokio::select! {
                biased;
                error = cancel.cancelled() => return Err(error.into()),
                failure = wire.gone() => return Err(failure),
                ended = &mut running => return Err(Failure::Statement(ended.err().unwrap_or_else(unread))),
                columns = feed.columns() => columns,
            };
            let count = columns.fields().len();
            let binary = layout.format == StreamFormat::Binary;
            let format = i16::from(binary);
            wire.push(&CopyInResponse::new(format as i8, count as i16, vec![format; count]))?;
            wire.flush().await?;
            let mut rows = binary.then(|| BinaryRows::new(&columns));
            loop {
                // What has arrived is read first: the Sync that a client sends with its Execute belongs to the copy, and
                // must not be taken for the one that comes after a failure.
                let said = tokio::select! {
                    biased;
                    next = wire.next() => said(next?)?,
                    error = cancel.cancelled() => return Err(error.into()),
                    ended = &mut running => return Err(Failure::Statement(ended.err().unwrap_or_else(unread))),
                };
                let done = matches!(said, Some(Said::Done | Said::GaveUp(_)));
                let Some(said) = said else { continue };
                tokio::select! {
                    biased;
                    error = cancel.cancelled() => return Err(error.into()),
                    ended = &mut running => return Err(Failure::Statement(ended.err().unwrap_or_else(unread))),
                    given = give(&feed, said, rows.as_mut()) => given?,
                }
                if done {
                    break;
                }
            }
            watched(running, wire, &cancel).await?
        };
        self.notify(&result.notices)?;
        Ok(result.tag.text(0))
    }
}

/// A message as COPY understands it; `None` for those that PostgreSQL passes over meanwhile.
fn said(next: Option<(u8, millrace_engine::Result<Message>)>) -> Result<Option<Said>, Failure> {
    let Some((kind, message)) = next else { return Err(Failure::Gone(io::ErrorKind::UnexpectedEof.into())) };
    match message? {
        Message::CopyData(data) => Ok(Some(Said::Data(data))),
        Message::CopyDone => Ok(Some(Said::Done)),
        Message::CopyFail(why) => Ok(Some(Said::GaveUp(why))),
        Message::Flush | Message::Sync => Ok(None),
        Message::Terminate => Err(Failure::Gone(io::ErrorKind::UnexpectedEof.into())),
        _ => {
            let message = format!("unexpected message type 0x{kind:02X} during COPY from stdin");
            Err(Failure::Statement(violation(message)))
        }
    }
}

/// Gives the statement what the client said.
async fn give(feed: &CopyFeed, said: Said, rows: Option<&mut BinaryRows>) -> Result<(), Error> {
    match (said, rows) {
        (Said::Data(data), None) => feed.send(data).await,
        (Said::Data(data), Some(rows)) => {
            let lines = rows.lines(&data)?;
            if !lines.is_empty() {
                feed.send(lines).await;
            }
        }
        (Said::Done, rows) => {
            if let Some(rows) = rows {
                rows.finish()?;
            }
            feed.finish().await;
        }
        (Said::GaveUp(why), _) => {
            let message = format!("COPY from stdin failed: {why}");
            feed.fail(Error::new(ErrorKind::Cancelled, message)).await;
        }
    }
    Ok(())
}

/// A statement that ends well before its input does has not read it.
fn unread() -> Error {
    Error::internal("COPY FROM STDIN has ended before its rows")
}

//! COPY TO STDOUT: a query's rows, as fast as the client reads them.

use crate::serve::connection::{Connection, watched};
use crate::serve::failure::Failure;
use crate::serve::rows::{deadline, flush};
use crate::serve::value::{CopiedRows, CopyLayout};
use crate::serve::wire::FULL;
use crate::zone::shown_zone;
use futures::StreamExt;
use millrace_engine::Error;
use millrace_engine::sql::{ParsedStatement, StreamHeader, StreamLayout};
use pgwire::messages::copy::{CopyDone, CopyOutResponse};

impl Connection {
    pub(super) async fn copy_out(
        &mut self,
        parsed: &ParsedStatement,
        layout: &StreamLayout,
    ) -> Result<String, Failure> {
        let (cancel, deadline) = (self.cancellable(), deadline(&self.session));
        let mut result = watched(self.session.execute(parsed), &mut self.wire, &cancel).await?;
        self.notify(&std::mem::take(&mut result.notices))?;
        let tag = result.tag.clone();
        let Some(mut batches) = result.rows else { return Ok(tag.text(0)) };
        let schema = result.schema;
        let copied = CopyLayout::new(layout, &schema, shown_zone(&self.session));
        let columns = schema.fields().len();
        let format = i16::from(copied.is_binary());
        let wire = &mut self.wire;
        wire.push(&CopyOutResponse::new(format as i8, columns as i16, vec![format; columns]))?;
        if layout.header != StreamHeader::Absent {
            copied.put_names(&schema, wire.output());
        }
        let (mut sent, mut header) = (0, copied.is_binary());
        loop {
            let batch = tokio::select! {
                biased;
                error = cancel.cancelled() => return Err(error.into()),
                failure = wire.gone() => return Err(failure),
                batch = batches.next() => batch,
            };
            let Some(batch) = batch else { break };
            let batch = batch.map_err(Error::from)?;
            let mut rows = CopiedRows::new(&batch, &schema, copied.clone()).map_err(Error::from)?;
            while !rows.is_done() {
                sent += rows.write(&mut header, FULL, wire.output()) as u64;
                if wire.is_full() {
                    flush(wire, &cancel, deadline).await?;
                }
            }
        }
        if copied.is_binary() {
            copied.put_trailer(header, wire.output());
        }
        wire.push(&CopyDone::new())?;
        Ok(tag.text(sent))
    }
}

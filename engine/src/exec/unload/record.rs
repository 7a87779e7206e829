//! What the journal keeps of an UNLOAD, however it ends.

use super::Unloaded;
use crate::error::Result;
use crate::exec::copy::origin;
use crate::journal::{FileRecord, UnloadRecord, now_us};
use crate::session::Context;
use crate::sql::{Unload, UnloadFormat};

/// An UNLOAD that runs, as others see it. Dropped before its end it was cancelled, and says so.
pub(super) struct Recording<'a> {
    context: &'a Context,
    unload: &'a Unload,
    start_us: i64,
    ended: bool,
}

impl<'a> Recording<'a> {
    pub(super) fn begin(context: &'a Context, unload: &'a Unload) -> Self {
        context.who().loads.note_unload(context.who().query, 0);
        let recording = Self { context, unload, start_us: now_us(), ended: false };
        context.warehouse().sessions().transfers().note_unload(recording.record(Vec::new(), None));
        recording
    }

    /// It has ended.
    pub(super) fn end(&mut self, result: &Result<Unloaded>) {
        self.ended = true;
        match result {
            Ok(unloaded) => {
                self.context.who().loads.note_unload(self.context.who().query, unloaded.rows);
                let file = |(url, bytes, rows): &(String, u64, u64)| FileRecord {
                    url: url.clone(),
                    bytes: *bytes,
                    rows: Some(*rows),
                };
                self.keep(unloaded.files.iter().map(file).collect(), None);
            }
            Err(error) => self.keep(Vec::new(), Some(error.message.clone())),
        }
    }

    fn record(&self, files: Vec<FileRecord>, error: Option<String>) -> UnloadRecord {
        UnloadRecord {
            origin: origin(self.context, self.start_us),
            target: self.unload.target.clone(),
            error,
            compression: self.unload.compression.to_lowercase(),
            format: format_name(&self.unload.format).to_owned(),
            files,
        }
    }

    fn keep(&self, files: Vec<FileRecord>, error: Option<String>) {
        let (warehouse, record) = (self.context.warehouse(), self.record(files, error));
        // It is found at any time: as one that runs, as one that has ended, for a moment as both.
        warehouse.journal().record(&record);
        warehouse.sessions().transfers().forget_unload(&record.origin);
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.keep(Vec::new(), Some("canceled; the files that it had written are removed".to_owned()));
        }
    }
}

/// A format as `stl_unload_log` has it.
fn format_name(format: &UnloadFormat) -> &'static str {
    match format {
        UnloadFormat::Delimited { .. } | UnloadFormat::FixedWidth { .. } => "text",
        UnloadFormat::Csv { .. } => "csv",
        UnloadFormat::Json => "json",
        UnloadFormat::Parquet => "parquet",
    }
}

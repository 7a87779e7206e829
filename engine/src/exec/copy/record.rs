//! What the journal keeps of a load: the load, its bad lines, also when there were too many, and replaced characters.

use super::items::Items;
use super::progress::LoadProgress;
use super::{Load, files};
use crate::error::Result;
use crate::journal::{
    BadField, BadLine, FileRecord, LoadCommitRecord, LoadErrorRecord, Origin, ReplacedText, ReplacementRecord, now_us,
};
use crate::load::{FieldOfError, LoadError, Replacement};
use crate::resolve::Relation;
use crate::result::Progress;
use crate::session::Context;
use crate::sql::CopyFormat;
use crate::system::{self, DATABASE};
use std::sync::Arc;

/// Bad lines of one record.
const LINES: usize = 100;

/// The statement as its records name it; it ends now.
pub(in crate::exec) fn origin(context: &Context, start_us: i64) -> Origin {
    let who = context.who();
    Origin {
        query: who.query,
        xid: who.xid,
        pid: who.pid,
        user: who.user.clone(),
        database: DATABASE.to_owned(),
        start_us,
        end_us: now_us(),
    }
}

/// A load that runs, as others see it. Dropped before its end it was canceled, and is recorded as such.
pub(super) struct Recording<'a> {
    load: Load<'a>,
    table: String,
    table_id: i64,
    start_us: i64,
    ended: bool,
}

impl<'a> Recording<'a> {
    /// It begins.
    pub(super) fn begin(load: Load<'a>, relation: &Relation) -> Self {
        let (table, table_id) = match relation {
            Relation::Managed(table) => (table.name.clone(), system::managed_oid(table.id)),
            Relation::Catalog(table) => (table.name.clone(), system::cataloged_oid(table.id)),
            Relation::Foreign(table) => (table.name.clone(), 0),
        };
        let recording = Self { load, table, table_id, start_us: now_us(), ended: false };
        recording.show();
        recording
    }

    /// The load.
    pub(super) fn load(&self) -> &Load<'a> {
        &self.load
    }

    /// Finds what is to be loaded.
    ///
    /// # Errors
    /// `UndefinedFile` when there is nothing.
    pub(super) async fn find(&mut self) -> Result<()> {
        let load = &mut self.load;
        load.items = Items::of(load.context, load.copy)?;
        if load.items.is_none() {
            load.files = files::find(&load.stores, load.copy).await?;
            load.progress = Arc::new(LoadProgress::of(&load.files));
        }
        let who = load.context.who();
        who.loads.note_copy(who.query, 0);
        self.show();
        Ok(())
    }

    /// Lets others see how far it is.
    fn show(&self) {
        let context = self.load.context;
        let watched: Arc<dyn Progress> = Arc::clone(&self.load.progress) as _;
        context.progress().set(&watched);
        context.warehouse().sessions().transfers().note_load(self.record(0), &watched, &self.load.errors);
    }

    /// It has ended.
    pub(super) fn end(&mut self, result: &Result<u64>) {
        self.ended = true;
        let (who, no_load) = (self.load.context.who(), self.load.copy.no_load);
        let added = if no_load { 0 } else { result.as_ref().map_or(0, |rows| *rows) };
        if result.is_ok() {
            who.loads.note_copy(who.query, added);
        }
        self.keep(&LoadCommitRecord { failed: result.is_err(), ..self.record(added) });
    }

    /// What is known of the load, which added so many rows.
    fn record(&self, added: u64) -> LoadCommitRecord {
        let load = &self.load;
        let bad = load.errors.recorded();
        // Lines are known when each bad one is.
        let all = bad.len() as u64 == load.errors.count();
        let file = |url: String, bytes: u64| {
            let bad = bad.iter().filter(|error| error.file == url).count() as u64;
            let rows = load.progress.rows_of(&url).filter(|_| all).map(|rows| rows + bad);
            FileRecord { url, bytes, rows }
        };
        let files = match &load.items {
            Some(items) => vec![file(load.copy.source.clone(), items.bytes())],
            None => load.files.iter().map(|each| file(each.url(), each.meta.size)).collect(),
        };
        LoadCommitRecord {
            origin: origin(load.context, self.start_us),
            table: self.table.clone(),
            source: load.copy.source.clone(),
            format: format(&load.copy.format).to_owned(),
            files,
            rows: added,
            errors: load.errors.count(),
            only_checked: load.copy.no_load,
            failed: false,
        }
    }

    /// Writes down the load and its bad lines. Lines of a canceled load whose numbers are not known are left out.
    fn keep(&self, record: &LoadCommitRecord) {
        let (context, errors) = (self.load.context, &self.load.errors);
        let journal = context.warehouse().journal();
        let (origin, table_id) = (&record.origin, self.table_id);
        let mut bad = errors.recorded();
        bad.retain(|error| error.after == 0);
        for lines in bad.chunks(LINES) {
            let lines = lines.iter().map(bad_line).collect();
            journal.record(&LoadErrorRecord { origin: origin.clone(), table_id, lines });
        }
        let mut replaced = errors.replacements();
        replaced.retain(|replacement| replacement.after == 0);
        for texts in replaced.chunks(LINES) {
            let texts = texts.iter().map(replaced_text).collect();
            journal.record(&ReplacementRecord { origin: origin.clone(), table_id, texts });
        }
        journal.record(record);
        // It is found at any time: as one that runs, as one that has ended, for a moment as both.
        context.warehouse().sessions().transfers().forget_load(origin);
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.keep(&LoadCommitRecord { failed: true, ..self.record(0) });
        }
    }
}

fn bad_line(error: &LoadError) -> BadLine {
    BadLine {
        file: error.file.clone(),
        line: error.line,
        column: error.column.clone(),
        data_type: error.data_type.clone(),
        length: error.length,
        position: error.position as u64,
        raw_line: error.raw_line.clone(),
        raw_value: error.raw_value.clone(),
        code: error.code,
        reason: error.reason.clone(),
        fields: error.fields.iter().map(bad_field).collect(),
    }
}

fn replaced_text(replacement: &Replacement) -> ReplacedText {
    ReplacedText {
        file: replacement.file.clone(),
        line: replacement.line,
        column: replacement.column.clone(),
        raw_line: replacement.raw_line.clone(),
    }
}

fn bad_field(field: &FieldOfError) -> BadField {
    BadField {
        column: field.column.clone(),
        data_type: field.data_type.clone(),
        length: field.length,
        value: field.value.clone(),
    }
}

fn format(format: &CopyFormat) -> &'static str {
    match format {
        CopyFormat::Csv { .. } => "csv",
        CopyFormat::Delimited | CopyFormat::FixedWidth(_) => "txt",
        CopyFormat::Json(_) => "json",
        CopyFormat::Avro(_) => "avro",
        CopyFormat::Orc => "orc",
        CopyFormat::Parquet => "parquet",
        CopyFormat::DynamoDb { .. } => "dynamodb",
    }
}

//! What the journal keeps of a load: the load, its bad lines, also when there were too many, and replaced characters.

use super::Load;
use crate::error::Result;
use crate::journal::{
    BadField, BadLine, FileRecord, LoadCommitRecord, LoadErrorRecord, Origin, ReplacedText, ReplacementRecord, now_us,
};
use crate::load::{FieldOfError, LoadError, Replacement};
use crate::resolve::Relation;
use crate::session::Context;
use crate::sql::CopyFormat;
use crate::system::{self, DATABASE};

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

/// Records a load that has ended.
pub(super) fn record(load: &Load<'_>, relation: &Relation, start_us: i64, result: &Result<u64>) {
    let journal = load.context.warehouse().journal();
    let origin = origin(load.context, start_us);
    let (table, table_id) = match relation {
        Relation::Managed(table) => (table.name.clone(), system::managed_oid(table.id)),
        Relation::Catalog(table) => (table.name.clone(), system::cataloged_oid(table.id)),
        Relation::Foreign(table) => (table.name.clone(), 0),
    };
    for lines in load.errors.recorded().chunks(LINES) {
        let lines = lines.iter().map(bad_line).collect();
        journal.record(&LoadErrorRecord { origin: origin.clone(), table_id, lines });
    }
    for texts in load.errors.replacements().chunks(LINES) {
        let texts = texts.iter().map(replaced_text).collect();
        journal.record(&ReplacementRecord { origin: origin.clone(), table_id, texts });
    }
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
    let added = if load.copy.no_load { 0 } else { result.as_ref().map_or(0, |rows| *rows) };
    journal.record(&LoadCommitRecord {
        origin,
        table,
        source: load.copy.source.clone(),
        format: format(&load.copy.format).to_owned(),
        files,
        rows: added,
        errors: load.errors.count(),
        only_checked: load.copy.no_load,
        failed: result.is_err(),
    });
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

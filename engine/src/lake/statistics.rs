//! What is known of files before they are read: rows, bytes, bounds; kept by file as long as it does not change.

use super::format::{Format, Misfits, TableColumns};
use crate::error::Result;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// How many files' statistics are kept.
const MOST_FILES: usize = 20_000;

/// A scan of more files than this reads no footers ahead.
pub(crate) const MOST_FOOTERS: usize = 4_096;

/// How much larger rows usually are than their compressed text or JSON.
const USUAL_COMPRESSION: usize = 4;

/// Statistics by file.
#[derive(Debug, Default)]
pub struct FileStatistics {
    kept: Mutex<HashMap<(String, u64), Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    size: u64,
    modified: i64,
    e_tag: Option<String>,
    known: Known,
}

/// What is known of a file.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Rows and columns, for the planner.
    pub(crate) statistics: Arc<Statistics>,
    /// The table's columns that the file cannot give.
    pub(crate) misfits: Arc<Misfits>,
}

impl FileStatistics {
    /// What a file's footer tells of these columns, or an estimate from its size where the format has no footer.
    pub(crate) async fn of_file(
        &self,
        format: &Format,
        store: &Arc<dyn ObjectStore>,
        url: String,
        object: &ObjectMeta,
        columns: &TableColumns,
        session: &dyn Session,
    ) -> Result<Known> {
        let mut hasher = DefaultHasher::new();
        (columns.schema.fields(), columns.by_position).hash(&mut hasher);
        let key = (url, hasher.finish());
        let modified = object.last_modified.timestamp_micros();
        if let Some(known) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && known.size == object.size
            && known.modified == modified
            && known.e_tag == object.e_tag
        {
            return Ok(known.known.clone());
        }
        let (statistics, misfits) = match format.statistics(store, (&key.0, object), columns, session).await? {
            Some(found) => found,
            None => (estimate(object, &columns.schema), Misfits::new()),
        };
        let found = Known { statistics: Arc::new(statistics), misfits: Arc::new(misfits) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_FILES {
            kept.clear();
        }
        let entry = Kept { size: object.size, modified, e_tag: object.e_tag.clone(), known: found.clone() };
        kept.insert(key, entry);
        Ok(found)
    }
}

/// An estimate of a file's rows from its size, so that join order and build sides are not blind.
pub(crate) fn estimate(object: &ObjectMeta, schema: &SchemaRef) -> Statistics {
    let width: usize = schema.fields().iter().map(|field| usual_width(field.data_type())).sum();
    let name = object.location.as_ref();
    let compressed = [".gz", ".bz2", ".zst", ".snappy", ".orc", ".parquet", ".avro"].iter().any(|e| name.ends_with(e));
    let bytes = object.size as usize * if compressed { USUAL_COMPRESSION } else { 1 };
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Inexact(bytes / width.max(1) + 1);
    statistics.total_byte_size = Precision::Inexact(bytes);
    statistics
}

/// Bytes that a value of this type usually takes in text.
pub(crate) fn usual_width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Boolean => 5,
        data_type if data_type.is_numeric() => 7,
        DataType::Date32 => 11,
        DataType::Timestamp(..) => 20,
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => 60,
        _ => 12,
    }
}

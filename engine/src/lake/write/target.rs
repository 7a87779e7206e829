//! What is to be written and where.

use super::compress::Compression;
use super::format::WriteFormat;
use arrow::datatypes::SchemaRef;
use datafusion::execution::object_store::ObjectStoreUrl;
use millrace_catalog::model::Column;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// The default of [`WriteTarget::max_file_size_bytes`]: large enough that readers are not slowed by many files, small
/// enough that a few of them keep all cores busy.
pub const DEFAULT_MAX_FILE_SIZE_BYTES: u64 = 512 * 1024 * 1024;

/// The description of a write to an external table.
pub struct WriteTarget {
    /// The store of the table's location.
    pub store: Arc<dyn ObjectStore>,
    /// The store's URL; `file:///` means that paths are those of the local disk.
    pub url: ObjectStoreUrl,
    /// The table's folder in the store (made with `Path::parse`: `Path::from` would escape `%` once more).
    pub prefix: Path,
    /// In which format.
    pub format: WriteFormat,
    /// With which codec.
    pub compression: Compression,
    /// The columns of the files; the streams' first columns have exactly these types.
    pub data_schema: SchemaRef,
    /// The partition keys; the streams' last columns are their values.
    pub partition_columns: Vec<Column>,
    /// Folders of partitions that exist already and may lie elsewhere in the store than at `key=value`.
    pub partition_folders: HashMap<Vec<Option<String>>, Path>,
    /// For a bucketed table: each file belongs to one bucket and its name says which.
    pub bucketing: Option<Bucketing>,
    /// A file that has grown to this size is followed by another; sizes are checked after each batch, so that files
    /// may be somewhat larger.
    pub max_file_size_bytes: u64,
    /// What every file's name begins with (after the bucket); unique to this write, e.g. a time and a UUID.
    pub file_name_prefix: String,
    /// Names as UNLOAD gives them, instead.
    pub slices: Option<SliceNames>,
    /// The most bytes of a Parquet row group, where the default is not wanted.
    pub row_group_bytes: Option<usize>,
    /// Objects that are there already and may be written over: a write that fails removes none of them that it did not
    /// replace.
    pub existing: Vec<Path>,
    /// Owns the requests that clean up behind a write that failed or was dropped. A process that ends waits for it
    /// (close it, then wait with a deadline).
    pub cleanup: TaskTracker,
}

/// How rows are spread over buckets, by Hive's hash of version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucketing {
    /// Positions of `CLUSTERED BY` columns in the data schema.
    pub columns: Vec<usize>,
    /// How many buckets, at least 1.
    pub count: u32,
}

/// Names of files by their slice: `prefix0000_part_00.parquet`; without `sliced`, `prefix000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceNames {
    /// What they begin with.
    pub prefix: String,
    /// Whether several slices write.
    pub sliced: bool,
    /// What they end in, with its point.
    pub extension: String,
}

impl SliceNames {
    /// The name of a slice's part, each counted from 0.
    #[must_use]
    pub fn name(&self, slice: usize, part: usize) -> String {
        let (prefix, extension) = (&self.prefix, &self.extension);
        if self.sliced {
            format!("{prefix}{slice:04}_part_{part:02}{extension}")
        } else {
            format!("{prefix}{part:03}{extension}")
        }
    }
}

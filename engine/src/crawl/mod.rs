//! Crawling: from a place to the tables that are in it.
//!
//! Data flows one way: [`tree`] lists a target's folders and picks a sample of each, [`classify`] says what a sampled
//! file is and which columns it has, [`schema`] joins the columns of several files, [`group`] makes tables and
//! partitions of folders; [`system`] has the tables of a foreign system from its connector; [`compare`] says what that changes in the catalog under the crawler's policies, [`run`] does
//! all of it and keeps the run's record. Nothing but `run` writes, and it writes once, at the end.
//!
//! It is here and not in the catalog, because what is inferred must be what the lake's readers will read: both use the
//! same readers of footers, records and values.

pub(crate) mod classify;
pub(crate) mod compare;
pub(crate) mod group;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod system;
pub(crate) mod tree;

use crate::lake::location::Location;
use millrace_catalog::model::{Column, Parameters, Partition, SerDe, StorageDescriptor, TableStatistics};
use object_store::ObjectMeta;

/// What a file is, found by looking at its name, its first bytes or its footer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recognized {
    /// How it is read.
    pub(crate) layout: Layout,
    /// How sure the classifier is, 0 to 1; 1 ends the search.
    pub(crate) certainty: f64,
    /// The columns found, names made legal and different.
    pub(crate) columns: Vec<Column>,
    /// Columns and fields without a value in what was looked at, as paths; their types say nothing.
    pub(crate) unknown: schema::Unknown,
    /// Rows: all of them where a footer tells, else those of the sample.
    pub(crate) rows: u64,
    /// Whether `rows` counts the whole file.
    pub(crate) rows_exact: bool,
    /// Bytes (uncompressed) that those rows take, for the mean size of a record.
    pub(crate) row_bytes: u64,
    /// Statistics of the footer, for formats that have one.
    pub(crate) statistics: Option<TableStatistics>,
    /// What was made legal, widened or could not be told, in words for the user.
    pub(crate) notes: Vec<String>,
}

/// How files are read: files of one table or partition have equal layouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The name of the classifier that recognised it: `parquet`, `orc`, `avro`, `json`, `csv`, `apache`, or a
    /// custom one's.
    pub(crate) classifier: String,
    /// The table's `classification` parameter: as `classifier`, or what a custom one calls its files.
    pub(crate) classification: String,
    /// How rows are decoded.
    pub(crate) serde: SerDe,
    /// Hive's input format class.
    pub(crate) input_format: String,
    /// Hive's output format class.
    pub(crate) output_format: String,
    /// Parameters of a table of such files (`skip.header.line.count`, `delimiter`, `areColumnsQuoted`, …).
    pub(crate) parameters: Parameters,
    /// The compression's name as Glue's `compressionType` has it: `none`, `gzip`, `bzip2`, `zstd`, `snappy`, `zip`.
    /// The lake's readers see it by a file's name, so files of one table may differ in it.
    pub(crate) compression: String,
}

/// The beginning of a file as a text classifier sees it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The file's name without its folder and without a compression's extension.
    pub(crate) name: String,
    /// Up to one megabyte from the start, decompressed, without a byte order mark.
    pub(crate) bytes: bytes::Bytes,
    /// Whether the file goes on after `bytes`: then the last record may be cut.
    pub(crate) truncated: bool,
    /// As in [`Layout::compression`].
    pub(crate) compression: &'static str,
}

/// A file that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Its URL, or a folder's.
    pub(crate) url: String,
    /// Why, in words for the user.
    pub(crate) reason: String,
}

/// A folder of a target with what is in it. Memory is bounded: objects beyond the sample are counted only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Folder {
    /// The name of the folder; empty for the target's own.
    pub(crate) name: String,
    /// Data files in the folder itself: not hidden, not empty, not excluded.
    pub(crate) file_count: u64,
    /// Their bytes.
    pub(crate) size_bytes: u64,
    /// The newest of them, milliseconds since the epoch.
    pub(crate) modified_ms: i64,
    /// The files to open, at most the target's sample, spread over the folder by name.
    pub(crate) sample: Vec<ObjectMeta>,
    /// The folders in it, by name.
    pub(crate) folders: Vec<Folder>,
}

/// A target's folders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    /// The target's place. Where it is one file, the root holds that file.
    pub(crate) location: Location,
    /// The target's own folder.
    pub(crate) root: Folder,
    /// What was left out: unreadable folders, links that lead in a circle.
    pub(crate) skipped: Vec<Skipped>,
    /// Places whose files are not known, so that nothing at or below them counts as vanished.
    pub(crate) unreadable: Vec<String>,
}

/// A table that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundTable {
    /// Its name with the crawler's prefix, legal, different from the other tables' of the crawl.
    pub(crate) name: String,
    /// Columns, location and format.
    pub(crate) storage: StorageDescriptor,
    /// The partition keys: Hive's names or `partition_0` …
    pub(crate) partition_keys: Vec<Column>,
    /// Its partitions, by folder.
    pub(crate) partitions: Vec<FoundPartition>,
    /// Glue's parameters: `classification`, `recordCount`, `averageRecordSize`, `objectCount`, `sizeKey`, ….
    pub(crate) parameters: Parameters,
    /// Rows, bytes and columns of an unpartitioned table's files.
    pub(crate) statistics: Option<TableStatistics>,
    /// Why the folder is a table, for EXPLAIN CRAWLER: classifier, certainty, which schemas matched and how much.
    pub(crate) reasons: Vec<String>,
    /// Conflicts and what was made legal, for the run's record.
    pub(crate) notes: Vec<String>,
}

/// A partition that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundPartition {
    /// Values, location, and its own storage where its columns or layout differ from the table's.
    pub(crate) partition: Partition,
    /// Rows, bytes and columns of its files.
    pub(crate) statistics: Option<TableStatistics>,
}

/// What a target holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    /// The tables, by location.
    pub(crate) tables: Vec<FoundTable>,
    /// What was left out: files that no classifier knows, damaged ones, folders of mixed depth or format.
    pub(crate) skipped: Vec<Skipped>,
    /// Files that were opened.
    pub(crate) files_read: u64,
}

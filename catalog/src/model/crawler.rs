//! Crawlers and classifiers, under the names of AWS Glue's API (`CreateCrawler`, `GetCrawler`, `ListCrawls`,
//! `CreateClassifier`).

use serde::{Deserialize, Serialize};
use std::fmt;

/// What looks at places and makes tables of what it finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crawler {
    /// Lower-case name, unique in the catalog.
    #[serde(skip)]
    pub name: String,
    /// Counts the crawler's definitions from 1. A writer gives the version it read.
    #[serde(skip)]
    pub version: i64,
    /// The database that gets the tables.
    pub database: String,
    /// Where it looks, at least one.
    pub targets: Vec<CrawlerTarget>,
    /// Names of custom classifiers, asked in this order before the built-in ones.
    #[serde(default)]
    pub classifiers: Vec<String>,
    /// Stands before every table's name.
    #[serde(default)]
    pub table_prefix: String,
    /// At which level of folders the tables are: 1 is the bucket, as in Glue's `TableLevelConfiguration`, and of a
    /// local target its own folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_level: Option<u32>,
    /// Which folders become one table.
    #[serde(default)]
    pub grouping: TableGrouping,
    /// What to do with a table whose files have changed.
    #[serde(default)]
    pub update_behavior: UpdateBehavior,
    /// What to do with a table or partition whose files are gone.
    #[serde(default)]
    pub delete_behavior: DeleteBehavior,
    /// What to look at again.
    #[serde(default)]
    pub recrawl_behavior: RecrawlBehavior,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub update_time_ms: i64,
}

/// One place that a crawler looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrawlerTarget {
    /// A URL (`s3://bucket/prefix`, `file:///path`), or a system's table (`dynamodb://orders`; `dynamodb://` for all).
    pub path: String,
    /// Glob patterns, relative to the place, of what is left out.
    #[serde(default)]
    pub exclusions: Vec<String>,
    /// How many files of each leaf folder are opened; all up to the crawler's own limit when `None`. Glue's
    /// `SampleSize`, 1 to 249.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_size: Option<u32>,
    /// The schema whose system is looked at; of a target in a foreign system. Glue's `ConnectionName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Whether all items of a key-value table are looked at; `true` when `None`. Glue's `scanAll`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_all: Option<bool>,
    /// Percent of a key-value table's read capacity that is used per second, 10 to 150; no limit when `None`. Glue's
    /// `scanRate`, which is 0.1 to 1.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_rate_percent: Option<u32>,
}

/// Glue's `TableGroupingPolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TableGrouping {
    /// Folders of one schema at one depth are one table: their schemas must be alike and their names partition it.
    #[default]
    SimilarSchemas,
    /// `CombineCompatibleSchemas`: schemas that can be read as one are merged, however much they differ.
    CombineCompatibleSchemas,
}

/// Glue's `UpdateBehavior`, and the console's "add new columns only" (`MergeNewColumns`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateBehavior {
    /// The table gets the columns that were found.
    #[default]
    UpdateInDatabase,
    /// The change is told only.
    Log,
    /// Columns that are new are added; nothing else changes.
    AddNewColumnsOnly,
}

/// Glue's `DeleteBehavior`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeleteBehavior {
    /// The table stays, with the parameter `DEPRECATED_BY_CRAWLER`.
    #[default]
    DeprecateInDatabase,
    /// The table or partition goes.
    DeleteFromDatabase,
    /// The change is told only.
    Log,
}

/// Glue's `RecrawlBehavior`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecrawlBehavior {
    /// Everything again.
    #[default]
    CrawlEverything,
    /// Only folders that were not there at the last crawl; nothing that is known changes.
    CrawlNewFoldersOnly,
}

/// Glue's `CrawlerState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrawlerState {
    /// No crawl is running.
    Ready,
    /// A crawl is running.
    Running,
    /// A crawl was asked to stop and has not yet.
    Stopping,
}

/// How a crawl ended, or that it has not: Glue's `LastCrawlStatus`, with `RUNNING` as in `ListCrawls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CrawlStatus {
    /// Not ended yet.
    Running,
    /// The catalog has what was found.
    Succeeded,
    /// The catalog is as it was.
    Failed,
    /// Stopped by its user, or its process ended; the catalog is as it was.
    Cancelled,
}

/// One run of a crawler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crawl {
    /// The catalog's own number of the run, larger for later ones.
    #[serde(skip)]
    pub id: i64,
    /// The crawler's name.
    #[serde(skip)]
    pub crawler: String,
    /// How it ended.
    pub status: CrawlStatus,
    /// Milliseconds since the epoch, UTC.
    pub start_time_ms: i64,
    /// Milliseconds since the epoch, UTC; `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time_ms: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What it did.
    #[serde(default)]
    pub metrics: CrawlMetrics,
    /// What it told, in order: what was skipped and why, what changed and what was left alone.
    #[serde(default)]
    pub messages: Vec<CrawlMessage>,
}

/// Counts of a run (Glue's `CrawlerMetrics` counts the tables).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrawlMetrics {
    /// Tables made.
    pub tables_created: u64,
    /// Tables given another definition.
    pub tables_updated: u64,
    /// Tables dropped or marked as deprecated.
    pub tables_deleted: u64,
    /// Partitions added.
    pub partitions_created: u64,
    /// Partitions given another definition.
    pub partitions_updated: u64,
    /// Partitions dropped.
    pub partitions_deleted: u64,
    /// Objects listed.
    pub files_listed: u64,
    /// Objects opened.
    pub files_read: u64,
    /// Objects and folders left out for a reason that `messages` gives.
    pub files_skipped: u64,
    /// Bytes of the objects listed.
    pub bytes_listed: u64,
}

/// Something that a run told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrawlMessage {
    /// `true` for what needs a look: a file skipped, a conflict, a table left alone.
    pub warning: bool,
    /// The text, with the place it is about.
    pub text: String,
}

/// A user's own classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classifier {
    /// Lower-case name, unique in the catalog.
    #[serde(skip)]
    pub name: String,
    /// What it recognises.
    pub kind: ClassifierKind,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
}

/// The kinds of custom classifiers that Glue has, but for XML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClassifierKind {
    /// Lines that match a grok pattern.
    Grok {
        /// What the files are called, the table's `classification`.
        classification: String,
        /// The pattern of one line.
        pattern: String,
        /// Further named patterns, one a line: `NAME regular-expression`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        custom_patterns: Option<String>,
    },
    /// Delimited text.
    Csv {
        /// Between fields; found by looking when `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delimiter: Option<char>,
        /// Around fields; found by looking when `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<char>,
        /// Whether the first line names the columns.
        #[serde(default)]
        header: CsvHeader,
        /// The columns' names, instead of a header's.
        #[serde(default)]
        columns: Vec<String>,
        /// Types for those columns, as Hive's text; inferred when empty.
        #[serde(default)]
        types: Vec<String>,
        /// Keep blanks around values (Glue's `DisableValueTrimming`).
        #[serde(default)]
        keep_blanks: bool,
        /// A file with one column is delimited text too.
        #[serde(default)]
        allow_single_column: bool,
    },
    /// JSON whose records stand at a path: `$`, `$[*]`, `$.records[*]`.
    Json {
        /// Glue's `JsonPath`.
        path: String,
    },
}

/// Glue's `ContainsHeader`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CsvHeader {
    /// Found by looking.
    #[default]
    Unknown,
    /// The first line is one.
    Present,
    /// There is none.
    Absent,
}

impl CrawlerState {
    /// Glue's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
        }
    }
}

impl CrawlStatus {
    /// Glue's name of the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for CrawlerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for CrawlStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

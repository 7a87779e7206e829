//! COPY and UNLOAD as parsed: every option typed.

use crate::sql::ObjectName;
use sqlparser::ast;
use std::fmt;

/// Redshift's `COPY t [(columns)] FROM 'place' …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The table.
    pub table: ObjectName,
    /// The columns that the fields fill, in order; empty for all.
    pub columns: Vec<String>,
    /// The place, or the manifest's.
    pub source: String,
    /// The source is a manifest (`MANIFEST`).
    pub manifest: bool,
    /// How the files are laid out.
    pub format: CopyFormat,
    /// How they are compressed, where said; else their names tell.
    pub compression: Option<CopyCompression>,
    /// How fields become values.
    pub options: CopyOptions,
    /// `MAXERROR n`: so many bad lines fail the load; 0 and 1 are the same.
    pub max_errors: u64,
    /// `IGNOREALLERRORS`
    pub ignore_all_errors: bool,
    /// `NOLOAD`: the files are checked only.
    pub no_load: bool,
    /// `EXPLICIT_IDS`: the files give values for IDENTITY columns.
    pub explicit_ids: bool,
    /// With whose rights the files are read.
    pub access: Access,
    /// `COMPUPDATE`; `None` when not said.
    pub compression_update: Option<CompressionUpdate>,
    /// `COMPROWS`: rows of the sample that encodings are chosen from.
    pub compression_rows: Option<u64>,
    /// `STATUPDATE`; `None` when not said.
    pub statistics_update: Option<bool>,
}

/// `COMPUPDATE`: what happens to the encodings of a table that is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionUpdate {
    /// `ON`: they are chosen from a sample of the rows.
    On,
    /// `PRESET`: they are chosen by the columns' types.
    Preset,
    /// `OFF`: they stay.
    Off,
}

/// With whose rights, and from which region, a statement reads or writes files of object stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Keys for this statement; those of the configuration without.
    pub keys: Option<AccessKeys>,
    /// `REGION`; that of the configuration without.
    pub region: Option<String>,
}

/// Keys that a statement brings. They are shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// `ACCESS_KEY_ID`
    pub key_id: String,
    /// `SECRET_ACCESS_KEY`
    pub secret: String,
    /// `SESSION_TOKEN`
    pub token: Option<String>,
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKeys(***)")
    }
}

/// The layout of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFormat {
    /// Fields parted by a delimiter; the default.
    Delimited,
    /// `CSV [QUOTE 'c']`
    Csv {
        /// What stands around fields.
        quote: u8,
    },
    /// `FIXEDWIDTH 'a:3,b:10'`: a width in characters for each column.
    FixedWidth(Vec<(String, usize)>),
    /// `JSON …`
    Json(JsonMapping),
    /// `AVRO …`: `auto ignorecase` when true.
    Avro(JsonMapping),
    /// `PARQUET`
    Parquet,
    /// `ORC`
    Orc,
    /// No files: the items of a table of DynamoDB, `dynamodb://table`.
    DynamoDb {
        /// `READRATIO n`: percent of the table's read capacity that may be used.
        read_ratio: u32,
        /// `ENDPOINT`; the service's own without.
        endpoint: Option<String>,
    },
}

/// Which member of a record fills a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonMapping {
    /// `'auto'`: the member of the column's name.
    Auto {
        /// `'auto ignorecase'`
        ignore_case: bool,
    },
    /// `'noshred'`: the whole record fills the one column.
    NoShred,
    /// The place of a file of JSON paths, one for each column.
    Paths(String),
}

/// A compression that COPY names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyCompression {
    /// `GZIP`
    Gzip,
    /// `BZIP2`
    Bzip2,
    /// `ZSTD`
    Zstd,
    /// `SNAPPY`
    Snappy,
}

/// How fields become values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "COPY's options are independent switches")]
pub struct CopyOptions {
    /// `DELIMITER`; `|`, or `,` with CSV, when not said.
    pub delimiter: Vec<u8>,
    /// `ESCAPE`
    pub escape: bool,
    /// `REMOVEQUOTES`
    pub remove_quotes: bool,
    /// `NULL AS`
    pub null_as: Vec<u8>,
    /// `NULL AS` was said: then it is what stands for NULL in texts of JSON too.
    pub null_said: bool,
    /// `EMPTYASNULL`
    pub empty_as_null: bool,
    /// `BLANKSASNULL`
    pub blanks_as_null: bool,
    /// `TRIMBLANKS`
    pub trim_blanks: bool,
    /// `TRUNCATECOLUMNS`
    pub truncate_columns: bool,
    /// `FILLRECORD`
    pub fill_record: bool,
    /// `IGNOREBLANKLINES`
    pub ignore_blank_lines: bool,
    /// `IGNOREHEADER n`
    pub ignore_header: u64,
    /// `ACCEPTANYDATE`
    pub accept_any_date: bool,
    /// `ACCEPTINVCHARS [AS 'c']`
    pub accept_invalid_chars: Option<u8>,
    /// `ENCODING`
    pub encoding: TextEncoding,
    /// `DATEFORMAT`; `None` is the default, `YYYY-MM-DD`.
    pub date_format: Option<String>,
    /// `TIMEFORMAT`; `None` is the default, `YYYY-MM-DD HH:MI:SS`.
    pub time_format: Option<String>,
    /// `ROUNDEC`: digits behind a DECIMAL's scale are rounded instead of cut.
    pub round_decimals: bool,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            delimiter: vec![b'|'],
            escape: false,
            remove_quotes: false,
            null_as: b"\\N".to_vec(),
            null_said: false,
            empty_as_null: false,
            blanks_as_null: false,
            trim_blanks: false,
            truncate_columns: false,
            fill_record: false,
            ignore_blank_lines: false,
            ignore_header: 0,
            accept_any_date: false,
            accept_invalid_chars: None,
            encoding: TextEncoding::Utf8,
            date_format: None,
            time_format: None,
            round_decimals: false,
        }
    }
}

/// The encoding of text files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// `UTF8`
    Utf8,
    /// `UTF16`: a byte order mark tells which.
    Utf16,
    /// `UTF16LE`
    Utf16Le,
    /// `UTF16BE`
    Utf16Be,
    /// `ISO88591`
    Iso88591,
}

/// PostgreSQL's `COPY t [(columns)] FROM STDIN`: rows come from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyIn {
    /// The table.
    pub table: ObjectName,
    /// The columns that the fields fill, in order; empty for all.
    pub columns: Vec<String>,
    /// How rows are written.
    pub layout: StreamLayout,
}

/// PostgreSQL's `COPY t [(columns)] TO STDOUT` and `COPY (query) TO STDOUT`: rows go to the client.
#[derive(Debug, Clone)]
pub struct CopyOut {
    /// The rows; of a table, a query over it.
    pub query: Box<ast::Query>,
    /// How rows are written.
    pub layout: StreamLayout,
}

/// How rows are written between server and client (PostgreSQL: "COPY", "File Formats").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLayout {
    /// `FORMAT`
    pub format: StreamFormat,
    /// `DELIMITER`: a tab, or a comma with CSV.
    pub delimiter: u8,
    /// `NULL`: `\N`, or nothing with CSV.
    pub null: String,
    /// `HEADER`
    pub header: StreamHeader,
    /// `QUOTE`, of CSV.
    pub quote: u8,
    /// `ESCAPE`, of CSV; the quote when not said.
    pub escape: u8,
    /// `FORCE_QUOTE`, of CSV TO STDOUT: columns whose values always stand between quotes.
    pub force_quote: StreamColumns,
    /// `FORCE_NOT_NULL`, of CSV FROM STDIN: columns whose fields are never NULL.
    pub force_not_null: StreamColumns,
    /// `FORCE_NULL`, of CSV FROM STDIN: columns in which the text of NULL means it between quotes too.
    pub force_null: StreamColumns,
}

/// The formats of PostgreSQL's COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFormat {
    /// Lines of escaped fields.
    Text,
    /// Comma-separated values.
    Csv,
    /// Values as the protocol has them.
    Binary,
}

/// The line of names before the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamHeader {
    /// There is none.
    Absent,
    /// There is one; what it says does not matter.
    Present,
    /// There is one and it names the columns in their order.
    Match,
}

/// Columns that an option is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StreamColumns {
    /// None.
    #[default]
    None,
    /// `*`
    All,
    /// These.
    Named(Vec<String>),
}

impl StreamColumns {
    /// Whether a column is one of them.
    #[must_use]
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == column),
        }
    }

    /// The first that is no column of these.
    pub fn unknown<'a>(&'a self, columns: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
        let Self::Named(names) = self else { return None };
        names.iter().map(String::as_str).find(|name| !columns.clone().any(|column| column == *name))
    }
}

/// `UNLOAD`, in Redshift's form or Athena's.
#[derive(Debug, Clone)]
pub struct Unload {
    /// The rows.
    pub query: Box<ast::Query>,
    /// The place, to its last character: what stands after the last `/` begins the files' names.
    pub target: String,
    /// In which format.
    pub format: UnloadFormat,
    /// With which compression, by its name in [`crate::lake::write::Compression::parse`].
    pub compression: &'static str,
    /// zstd's level, in Athena's form.
    pub compression_level: Option<i32>,
    /// `PARTITION BY`, `partitioned_by`
    pub partition_by: Vec<String>,
    /// `INCLUDE`: the partition columns stand in the files too.
    pub include: bool,
    /// `PARALLEL OFF` is false.
    pub parallel: bool,
    /// `MANIFEST`; `Some(true)` is `MANIFEST VERBOSE`.
    pub manifest: Option<bool>,
    /// `MAXFILESIZE` in bytes.
    pub max_file_size_bytes: Option<u64>,
    /// `ROWGROUPSIZE` in bytes.
    pub row_group_bytes: Option<usize>,
    /// `ALLOWOVERWRITE`
    pub allow_overwrite: bool,
    /// `CLEANPATH`
    pub clean_path: bool,
    /// `EXTENSION`, without the first point.
    pub extension: Option<String>,
    /// Athena's form: the target is an empty folder, files have unique names.
    pub athena: bool,
    /// With whose rights the files are written.
    pub access: Access,
}

/// The format of UNLOAD's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnloadFormat {
    /// Delimited text.
    Delimited {
        /// Between fields.
        delimiter: u8,
        /// `ADDQUOTES`
        add_quotes: bool,
        /// `ESCAPE`
        escape: bool,
        /// `NULL AS`
        null_as: String,
        /// `HEADER`
        header: bool,
    },
    /// `CSV`
    Csv {
        /// Between fields.
        delimiter: u8,
        /// `NULL AS`
        null_as: String,
        /// `HEADER`
        header: bool,
    },
    /// `FIXEDWIDTH '0:3,1:10'`
    FixedWidth {
        /// For each column its width in bytes.
        widths: Vec<usize>,
        /// `NULL AS`
        null_as: String,
    },
    /// `JSON`
    Json,
    /// `PARQUET`
    Parquet,
}

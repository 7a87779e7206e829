//! In which format a table's files are written.

use super::json::JsonFormat;
use super::open_csv::OpenCsvFormat;
use super::text::{TextFormat, header_of};
use super::unload::UnloadText;
use crate::error::{Error, Result};
use crate::lake::hive_classes::{
    AVRO_SERDE, CONTRIB_REGEX_SERDE, GROK_SERDE, HCATALOG_JSON_SERDE, HIVE_JSON_SERDE, LAZY_SIMPLE_SERDE,
    OPEN_CSV_SERDE, OPENX_JSON_SERDE, ORC_SERDE, PARQUET_SERDE, REGEX_SERDE,
};
use crate::lake::json::JsonOptions;
use millrace_catalog::model::Table;

/// A format that files can be written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteFormat {
    /// Apache Parquet.
    Parquet,
    /// Delimited text (LazySimpleSerDe).
    Text(TextFormat),
    /// Quoted CSV (OpenCSVSerde).
    OpenCsv(OpenCsvFormat),
    /// JSON lines.
    Json(JsonFormat),
    /// A text format of UNLOAD.
    Unload(UnloadText),
}

impl WriteFormat {
    /// The format of a table's files, by its SerDe; formats that cannot be written are errors (0A000).
    pub fn of_table(table: &Table) -> Result<Self> {
        let serde = &table.storage.serde;
        let header = || header_of(&table.parameters);
        match serde.library.as_str() {
            PARQUET_SERDE => Ok(Self::Parquet),
            LAZY_SIMPLE_SERDE => Ok(Self::Text(TextFormat { header: header()?, ..TextFormat::from_serde(serde)? })),
            OPEN_CSV_SERDE => {
                Ok(Self::OpenCsv(OpenCsvFormat { header: header()?, ..OpenCsvFormat::from_serde(serde)? }))
            }
            HCATALOG_JSON_SERDE | HIVE_JSON_SERDE | OPENX_JSON_SERDE
                if !JsonOptions::from_serde(&table.storage, &table.parameters)?.reads_lines() =>
            {
                Err(Error::unsupported("writing to a JSON table with a \"jsonPath\" other than \"$\""))
            }
            HCATALOG_JSON_SERDE | HIVE_JSON_SERDE => Ok(Self::Json(JsonFormat::default())),
            OPENX_JSON_SERDE => Ok(Self::Json(JsonFormat { base64: true, ..JsonFormat::default() })),
            ORC_SERDE => Err(Error::unsupported("writing ORC").with_hint("Use FORMAT PARQUET.")),
            AVRO_SERDE => Err(Error::unsupported("writing Avro").with_hint("Use FORMAT PARQUET.")),
            REGEX_SERDE | CONTRIB_REGEX_SERDE => Err(Error::unsupported("writing to a table of the RegexSerDe")),
            GROK_SERDE => Err(Error::unsupported("writing to a table of the GrokSerDe")),
            other => Err(Error::unsupported(format_args!("writing with the SerDe \"{other}\""))),
        }
    }

    /// What files of the format end in, before the codec's own ending.
    pub(super) fn extension(&self) -> &'static str {
        match self {
            Self::Parquet => ".parquet",
            Self::Text(_) | Self::Unload(_) => ".txt",
            Self::OpenCsv(_) => ".csv",
            Self::Json(_) => ".json",
        }
    }
}

//! The Java classes by which Hive, Glue and Athena name a table's format.
//!
//! Nothing here loads a class: the names are how formats are written down in the catalog, and other programs that
//! read the catalog's DDL expect exactly these.

/// Hive's default for `TEXTFILE`: one row a line, delimiters, no quotes.
pub const LAZY_SIMPLE_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
/// Quoted CSV.
pub const OPEN_CSV_SERDE: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
/// JSON lines as Athena and Trino write them.
pub const HCATALOG_JSON_SERDE: &str = "org.apache.hive.hcatalog.data.JsonSerDe";
/// JSON lines as Hive 3 and later name the same SerDe.
pub const HIVE_JSON_SERDE: &str = "org.apache.hadoop.hive.serde2.JsonSerDe";
/// JSON lines, the SerDe of the OpenX project that Athena also has.
pub const OPENX_JSON_SERDE: &str = "org.openx.data.jsonserde.JsonSerDe";
/// Parquet.
pub const PARQUET_SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
/// ORC.
pub const ORC_SERDE: &str = "org.apache.hadoop.hive.ql.io.orc.OrcSerde";
/// Avro.
pub const AVRO_SERDE: &str = "org.apache.hadoop.hive.serde2.avro.AvroSerDe";
/// Rows taken apart by a regular expression; read-only.
pub const REGEX_SERDE: &str = "org.apache.hadoop.hive.serde2.RegexSerDe";
/// The same under the name that it had before Hive took it in.
pub const CONTRIB_REGEX_SERDE: &str = "org.apache.hadoop.hive.contrib.serde2.RegexSerDe";
/// Rows taken apart by a grok pattern, as Glue's crawlers name it; read-only.
pub const GROK_SERDE: &str = "com.amazonaws.glue.serde.GrokSerDe";

/// Input format of all text formats.
pub const TEXT_INPUT_FORMAT: &str = "org.apache.hadoop.mapred.TextInputFormat";
/// Output format of all text formats.
pub const TEXT_OUTPUT_FORMAT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

/// SerDe, input format and output format of a format's name in `STORED AS` (or in CTAS's `format`).
///
/// Names are compared without regard to case. `None` for names that are no format here, `SEQUENCEFILE` and `RCFILE`
/// among them.
pub fn storage_classes(format: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match format.to_ascii_uppercase().as_str() {
        "TEXTFILE" => (LAZY_SIMPLE_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT),
        "CSV" => (OPEN_CSV_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT),
        "JSONFILE" | "JSON" => (HCATALOG_JSON_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT),
        "PARQUET" => (
            PARQUET_SERDE,
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        ),
        "ORC" => (
            ORC_SERDE,
            "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
            "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        ),
        "AVRO" => (
            AVRO_SERDE,
            "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
            "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        ),
        _ => return None,
    })
}

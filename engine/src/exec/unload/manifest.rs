//! The manifest of an UNLOAD, which COPY … MANIFEST reads.

use super::place::Place;
use crate::lake::write::Written;
use crate::tables::SqlType;
use datafusion::arrow::datatypes::{DataType, Schema};
use serde_json::{Map, Value, json};

/// What MANIFEST VERBOSE adds.
pub(super) struct Verbose<'a> {
    /// The columns of the files.
    pub(super) schema: &'a Schema,
    /// What its columns were declared as, where they are a table's.
    pub(super) declared: &'a [Option<SqlType>],
    /// Each file begins with a line of names, which counts as a row (Redshift: "the row count includes the header line").
    pub(super) header: bool,
}

/// The manifest's text.
pub(super) fn text(place: &Place, written: &Written, verbose: Option<&Verbose<'_>>) -> String {
    let headers = u64::from(verbose.is_some_and(|verbose| verbose.header));
    let entries = written.files.iter().map(|file| {
        let mut meta = Map::new();
        meta.insert("content_length".to_owned(), json!(file.size_bytes));
        if verbose.is_some() {
            meta.insert("record_count".to_owned(), json!(file.rows + headers));
        }
        json!({ "url": place.url(&file.path), "meta": meta })
    });
    let mut manifest = Map::new();
    manifest.insert("entries".to_owned(), Value::Array(entries.collect()));
    if let Some(verbose) = verbose {
        let elements = verbose.schema.fields().iter().zip(verbose.declared);
        let elements: Vec<Value> = elements
            .map(|(field, declared)| json!({ "name": field.name(), "type": of_type(field.data_type(), *declared) }))
            .collect();
        let length: u64 = written.files.iter().map(|file| file.size_bytes).sum();
        let rows = written.rows + headers * written.files.len() as u64;
        manifest.insert("schema".to_owned(), json!({ "elements": elements }));
        manifest.insert("meta".to_owned(), json!({ "content_length": length, "record_count": rows }));
        manifest.insert("author".to_owned(), json!({ "name": "Millrace", "version": env!("CARGO_PKG_VERSION") }));
    }
    format!("{:#}\n", Value::Object(manifest))
}

/// A type with its length, or precision and scale. Texts that are computed have the largest length.
fn of_type(data_type: &DataType, declared: Option<SqlType>) -> Value {
    match declared.or_else(|| SqlType::of_arrow(data_type)) {
        Some(SqlType::Numeric(precision, scale)) => {
            json!({ "base": "numeric", "precision": precision, "scale": scale })
        }
        Some(SqlType::Char(length)) => json!({ "base": "character", "max_length": length }),
        Some(SqlType::Varchar(length)) => json!({ "base": "character varying", "max_length": length }),
        Some(SqlType::VarByte(length)) => json!({ "base": "binary varying", "max_length": length }),
        Some(data_type) => json!({ "base": data_type.to_string() }),
        None => json!({ "base": data_type.to_string() }),
    }
}

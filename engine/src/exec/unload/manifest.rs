//! The manifest of an UNLOAD, which COPY … MANIFEST reads.

use super::place::Place;
use crate::lake::write::Written;
use crate::tables::SqlType;
use datafusion::arrow::datatypes::Schema;
use serde_json::{Map, Value, json};

/// The manifest's text; with a schema, what MANIFEST VERBOSE adds.
pub(super) fn text(place: &Place, written: &Written, verbose: Option<&Schema>) -> String {
    let entries = written.files.iter().map(|file| {
        let mut meta = Map::new();
        meta.insert("content_length".to_owned(), json!(file.size_bytes));
        if verbose.is_some() {
            meta.insert("record_count".to_owned(), json!(file.rows));
        }
        json!({ "url": place.url(&file.path), "meta": meta })
    });
    let mut manifest = Map::new();
    manifest.insert("entries".to_owned(), Value::Array(entries.collect()));
    if let Some(schema) = verbose {
        let elements = schema.fields().iter().map(|field| {
            let data_type = SqlType::of_arrow(field.data_type());
            let base = data_type.map_or_else(|| field.data_type().to_string(), |data_type| data_type.to_string());
            json!({ "name": field.name(), "type": { "base": base } })
        });
        let length: u64 = written.files.iter().map(|file| file.size_bytes).sum();
        manifest.insert("schema".to_owned(), json!({ "elements": elements.collect::<Vec<_>>() }));
        manifest.insert("meta".to_owned(), json!({ "content_length": length, "record_count": written.rows }));
        manifest.insert("author".to_owned(), json!({ "name": "Millrace", "version": env!("CARGO_PKG_VERSION") }));
    }
    format!("{:#}\n", Value::Object(manifest))
}

//! JSON: lines, arrays, pretty-printed.

use super::super::schema::{is_at, legal_names};
use super::super::{Layout, Recognized, Sample};
use crate::lake::hive_classes::{OPENX_JSON_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT};
use crate::lake::json::{Inference, JsonLayout, JsonPath, infer_records};
use millrace_catalog::model::{Column, Parameters, SerDe};

/// The columns of JSON records; `None` for what is not JSON. `path` is a custom classifier's name with its JSON path.
///
/// The certainty is 1, or less where some of the lines are no records. Glue's `paths` is not among the SerDe's
/// parameters: it lists the columns, and a table's are only known when its files are.
pub(crate) fn recognize(sample: &Sample, path: Option<(&str, &str)>) -> Option<Recognized> {
    let records = match path {
        Some((_, path)) => Some(JsonPath::parse(path).ok()?),
        None => None,
    };
    let inference = infer_records(&sample.bytes, sample.truncated, records.as_ref())?;
    let Inference { layout, columns, unknown, records, record_bytes, share, mut notes } = inference;
    let keys: Vec<String> = columns.iter().map(|(key, _)| key.to_lowercase()).collect();
    let (names, renamed) = legal_names(&keys);
    notes.extend(renamed);
    // By the columns' names, where a key is no legal one.
    let place = |path: String| {
        let owner = names.iter().zip(&keys).filter(|(_, key)| is_at(&path, key)).max_by_key(|(_, key)| key.len());
        owner.map_or_else(|| path.clone(), |(name, key)| format!("{name}{}", &path[key.len()..]))
    };
    let unknown = unknown.into_iter().map(place).collect();
    let mut parameters = Parameters::new();
    for ((name, key), (written, _)) in names.iter().zip(&keys).zip(&columns) {
        // The SerDe finds a key that is no name of a column by this.
        if name != key {
            parameters.insert(format!("mapping.{name}"), written.clone());
        }
    }
    if let JsonLayout::Documents(path) = layout {
        parameters.insert("jsonPath".to_owned(), path.to_string());
    }
    let columns = names.into_iter().zip(columns).map(|(name, (_, data_type))| Column::new(name, data_type)).collect();
    Some(Recognized {
        layout: Layout {
            classifier: path.map_or("json", |(name, _)| name).to_owned(),
            classification: "json".to_owned(),
            serde: SerDe { library: OPENX_JSON_SERDE.to_owned(), parameters },
            input_format: TEXT_INPUT_FORMAT.to_owned(),
            output_format: TEXT_OUTPUT_FORMAT.to_owned(),
            parameters: Parameters::from([("typeOfData".to_owned(), "file".to_owned())]),
            compression: sample.compression.to_owned(),
        },
        certainty: share,
        columns,
        unknown,
        rows: records,
        rows_exact: !sample.truncated,
        row_bytes: record_bytes,
        statistics: None,
        notes,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(text: &str, truncated: bool) -> Sample {
        Sample { name: "a.json".to_owned(), bytes: text.to_owned().into(), truncated, compression: "none" }
    }

    fn described(found: &Recognized) -> String {
        let columns: Vec<_> = found.columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect();
        let path = found.layout.serde.parameters.get("jsonPath").map_or("lines", String::as_str);
        format!("{path}: {} ({} rows)", columns.join(", "), found.rows)
    }

    /// The pretty-printed text is what `json.dumps(…, indent=2)` of Python writes.
    #[test]
    fn layouts() {
        for (text, truncated, expected) in [
            ("{\"id\":1,\"at\":\"2024-01-01\"}\n{\"id\":2.5}\n{\"id\":", true, "lines: id double, at date (2 rows)"),
            ("[\n  {\n    \"id\": 1\n  },\n  {\n    \"id\": null\n  }\n]", false, "$[*]: id bigint (2 rows)"),
            (
                "{\n  \"id\": {\n    \"x\": [\n      true\n    ]\n  }\n}\n",
                false,
                "$: id struct<x:array<boolean>> (1 rows)",
            ),
        ] {
            let found = recognize(&sample(text, truncated), None).unwrap();
            assert_eq!(described(&found), expected);
            assert_eq!((found.certainty, found.rows_exact), (1.0, !truncated));
            assert_eq!(found.layout.classifier, "json");
        }
        for text in ["", "a,b\n1,2\n", "[1,2]\n", "\"x\"\n", "{not json}\n"] {
            assert_eq!(recognize(&sample(text, false), None), None, "{text}");
        }
        let damaged = recognize(&sample("{\"a\":1}\n{\"a\":2}\n{\"a\n{\"a\":4}\n", false), None).unwrap();
        assert_eq!((damaged.certainty, damaged.rows, damaged.notes.len()), (0.75, 3, 1));
    }

    #[test]
    fn custom_paths() {
        let text = "{\"count\":2,\"records\":[{\"a\":1},{\"a\":2}]}";
        let found = recognize(&sample(text, false), Some(("mine", "$.records[*]"))).unwrap();
        assert_eq!(described(&found), "$.records[*]: a bigint (2 rows)");
        assert_eq!((found.layout.classifier.as_str(), found.layout.classification.as_str()), ("mine", "json"));
        assert_eq!(recognize(&sample(text, false), Some(("mine", "$.other[*]"))), None);
    }
}

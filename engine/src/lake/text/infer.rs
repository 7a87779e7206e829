//! The schema of a CSV or TSV file that is queried directly, from its first megabyte.
//!
//! Types are those of `evidence`, the header is found as `sample` says. A first record that has another number of
//! fields than the records have at most is no header.

use super::evidence::Evidence;
use super::options::TextOptions;
use super::sample::{Records, is_header};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::head;
use crate::lake::types::to_arrow;
use arrow::datatypes::{Field, Schema, SchemaRef};
use millrace_catalog::model::HiveType;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// How many records are looked at.
const MAX_RECORDS: usize = 20_000;

/// The most columns that a file may have.
const MAX_COLUMNS: usize = 10_000;

/// The schema of a file, and `options` completed by what the file shows: the delimiter by the file's name (a comma,
/// a tab for `.tsv` and `.tab`; for `.txt` whichever the first line has), and whether there is a header. An empty
/// file is an error of kind `BadFile`.
pub async fn infer_schema(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    mut options: TextOptions,
) -> Result<(SchemaRef, TextOptions)> {
    let sample = head(store, object, options.clone()).await?;
    let bytes = sample.map(|block| block.bytes).unwrap_or_default();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    options.delimiter = delimiter_of(&object.location, line).unwrap_or(options.delimiter);
    let records = records(&options, &bytes);
    let width = records.iter().map(Vec::len).max().unwrap_or(0);
    let Some((first, rest)) = records.split_first().filter(|_| width <= MAX_COLUMNS) else {
        let why = if width > MAX_COLUMNS { "it has too many columns" } else { "it has no lines" };
        return Err(Error::new(
            ErrorKind::BadFile,
            format!("no columns can be told from file \"{}\": {why}", object.location),
        ));
    };
    let below = evidence(rest, width);
    let repeats = |(column, name): (usize, &Cow<'_, str>)| {
        rest.iter().any(|record| record.get(column).is_some_and(|value| value.trim() == name.trim()))
    };
    let header = first.len() == width && is_header(first, &below, first.iter().enumerate().any(repeats));
    let types = if header { below } else { evidence(&records, width) };
    if header {
        options.skip_header_lines = 1;
    }
    let names = names(if header { first } else { &[] }, width);
    let fields: Vec<Field> =
        names.into_iter().zip(types).map(|(name, seen)| Field::new(name, to_arrow(&type_of(&seen)), true)).collect();
    Ok((Arc::new(Schema::new(fields)), options))
}

/// The delimiter that a file's name stands for, whatever compression its name ends with.
fn delimiter_of(location: &Path, line: &[u8]) -> Option<u8> {
    let name = location.filename().unwrap_or_default().to_ascii_lowercase();
    match name.split('.').rev().find(|part| matches!(*part, "csv" | "tsv" | "tab" | "txt"))? {
        "csv" => Some(b','),
        "txt" => b"\t|;,".iter().copied().max_by_key(|delimiter| memchr::memchr_iter(*delimiter, line).count()),
        _ => Some(b'\t'),
    }
}

/// The sample's records as texts; blank lines are none.
fn records<'a>(options: &TextOptions, bytes: &'a [u8]) -> Vec<Vec<Cow<'a, str>>> {
    let records = Records::new(bytes, options.delimiter, options.quote, options.escape);
    records.filter(|record| !record.is_blank()).take(MAX_RECORDS).map(|record| record.fields()).collect()
}

fn evidence(records: &[Vec<Cow<'_, str>>], width: usize) -> Vec<Evidence> {
    let mut columns = vec![Evidence::default(); width];
    for record in records {
        columns.iter_mut().zip(record).for_each(|(column, value)| column.see(value));
    }
    columns
}

fn type_of(evidence: &Evidence) -> HiveType {
    evidence.hive_type().unwrap_or(HiveType::String)
}

/// Lower-case names, `col0` … without a header; a name that repeats gets a number.
fn names(header: &[Cow<'_, str>], width: usize) -> Vec<String> {
    let mut taken = HashSet::new();
    (0..width)
        .map(|column| {
            let name = header.get(column).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| format!("col{column}"));
            let free = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}_{n}")));
            free.into_iter().find(|name| taken.insert(name.clone())).unwrap_or(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    async fn schema(name: &str, text: &str) -> (String, usize) {
        let store = InMemory::new();
        let path = Path::from(name);
        store.put(&path, text.to_owned().into()).await.unwrap();
        let object = store.head(&path).await.unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let csv = TextOptions { escape: None, ignore_blank_lines: true, ..TextOptions::open_csv() };
        let (schema, options) = infer_schema(&store, &object, csv).await.unwrap();
        let columns: Vec<_> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
        (columns.join(", "), options.skip_header_lines)
    }

    #[tokio::test]
    async fn types_names_and_header() {
        for (name, text, expected, header) in [
            ("a.csv", "Id,Name,Price\n1,x,1.5\n2,\"y,\nz\",2\n", "id Int64, name Utf8View, price Float64", 1),
            ("a.csv", "1,x\n2,y\n", "col0 Int64, col1 Utf8View", 0),
            (
                "a.tsv",
                "day\tat\tok\n2024-01-02\t2024-01-02 10:00:00\ttrue\n",
                "day Date32, at Timestamp(µs), ok Boolean",
                1,
            ),
            ("a.csv", "zip,n\n01234,12345678901234567890\n", "zip Utf8View, n Decimal128(38, 0)", 1),
            ("a.csv", "city,country\nRome,Italy\n", "city Utf8View, country Utf8View", 1),
            ("a.csv", "Rome,Italy\nParis,France\nMilan,Italy\n", "col0 Utf8View, col1 Utf8View", 0),
            ("a.csv", ",x\n0,1.5\n1,2.5\n", "col0 Int64, x Float64", 1),
            ("a.csv", "\"it's, well\",b\nc,d\n", "col0 Utf8View, col1 Utf8View", 0),
            ("a.csv", "a,a,b\n1,2,\n", "a Int64, a_2 Int64, b Utf8View", 1),
            ("a.txt", "x|y\n1|2\n", "x Int64, y Int64", 1),
        ] {
            assert_eq!(schema(name, text).await, (expected.to_owned(), header), "{text}");
        }
    }
}

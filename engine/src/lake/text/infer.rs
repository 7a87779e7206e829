//! The schema of a CSV or TSV file that is queried directly, from its first megabyte.
//!
//! A column's type is the narrowest that all its non-empty values have: boolean, bigint, double, date, timestamp,
//! else string. A number with leading zeros or a plus sign is a string: it is a code or a telephone number. The
//! first line is a header when all its fields are non-empty texts and some column below it is of another type; where
//! all columns are strings, when its fields are different names.

use super::options::TextOptions;
use super::quoted::{Field as FieldPlace, Quoting, RecordEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{head, parse_date, parse_timestamp};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
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
    let below = types(rest, width);
    let header = is_header(first, &below, rest.is_empty());
    let types = if header { below } else { types(&records, width) };
    if header {
        options.skip_header_lines = 1;
    }
    let names = names(if header { first } else { &[] }, width);
    let fields: Vec<Field> =
        names.into_iter().zip(types).map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect();
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
fn records(options: &TextOptions, bytes: &[u8]) -> Vec<Vec<String>> {
    let plain = Quoting { delimiter: options.delimiter, quote: None, escape: None };
    let quoting = options.quoting().unwrap_or(plain);
    let (mut records, mut start) = (Vec::new(), 0);
    while start < bytes.len() && records.len() < MAX_RECORDS {
        let (end, next) = match quoting.record_end(bytes, start) {
            RecordEnd::LineFeed(at) => (at, at + 1),
            RecordEnd::Bytes | RecordEnd::Quotation => (bytes.len(), bytes.len()),
        };
        let record = &bytes[start..end];
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if !record.is_empty() {
            records.push(fields(quoting, record));
        }
        start = next;
    }
    records
}

fn fields(quoting: Quoting, record: &[u8]) -> Vec<String> {
    let (mut fields, mut arena, mut from) = (Vec::new(), Vec::new(), Some(0));
    while let Some(at) = from {
        let (place, next) = quoting.field(record, at, &mut arena);
        let value = match place {
            FieldPlace::Record(start, end) => &record[start..end],
            FieldPlace::Arena(start, end) => &arena[start..end],
        };
        fields.push(String::from_utf8_lossy(value).into_owned());
        from = next;
    }
    fields
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No value seen.
    Unknown,
    Boolean,
    Bigint,
    Double,
    Date,
    Timestamp,
    String,
}

impl Kind {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            Self::Unknown
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            Self::Boolean
        } else if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
            Self::of_digits(text)
        } else {
            Self::String
        }
    }

    fn of_digits(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        if text.parse::<i64>().is_ok() && !padded {
            Self::Bigint
        } else if parse_date(text).is_some() && text.len() == 10 {
            Self::Date
        } else if parse_timestamp(text).is_some() && text.len() > 10 {
            Self::Timestamp
        } else if is_double(digits) && !padded {
            Self::Double
        } else {
            Self::String
        }
    }

    /// The narrowest kind that holds both.
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (a, b) if a == b => a,
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Self::Double,
            (Self::Date, Self::Timestamp) | (Self::Timestamp, Self::Date) => Self::Timestamp,
            _ => Self::String,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Bigint => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Unknown | Self::String => DataType::Utf8View,
        }
    }
}

/// A number with a point or an exponent. A whole number too long for a bigint is none: digits would be lost.
fn is_double(digits: &str) -> bool {
    digits.contains(['.', 'e', 'E'])
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.parse::<f64>().is_ok_and(f64::is_finite)
}

fn types(records: &[Vec<String>], width: usize) -> Vec<Kind> {
    let mut kinds = vec![Kind::Unknown; width];
    for record in records {
        for (kind, value) in kinds.iter_mut().zip(record) {
            *kind = kind.merge(Kind::of(value));
        }
    }
    kinds
}

/// See the module; `only` when no record follows.
fn is_header(first: &[String], below: &[Kind], only: bool) -> bool {
    let all_texts = first.len() == below.len() && first.iter().all(|text| Kind::of(text.trim()) == Kind::String);
    if !all_texts {
        return false;
    }
    let typed = below.iter().any(|kind| !matches!(kind, Kind::String | Kind::Unknown));
    let distinct = first.iter().map(|text| text.trim().to_lowercase()).collect::<HashSet<_>>().len() == first.len();
    (typed && !only) || (distinct && first.iter().all(|text| is_name(text.trim())))
}

/// Whether a text looks like a column's name.
fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && text.chars().count() <= 64
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.' | '/' | '(' | ')' | '#'))
}

/// Lower-case names, `col0` … without a header; a name that repeats gets a number.
fn names(header: &[String], width: usize) -> Vec<String> {
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
            ("a.csv", "zip,n\n01234,12345678901234567890\n", "zip Utf8View, n Utf8View", 1),
            ("a.csv", "city,country\nRome,Italy\n", "city Utf8View, country Utf8View", 1),
            ("a.csv", "\"it's, well\",b\nc,d\n", "col0 Utf8View, col1 Utf8View", 0),
            ("a.csv", "a,a,b\n1,2,\n", "a Int64, a_2 Int64, b Utf8View", 1),
            ("a.txt", "x|y\n1|2\n", "x Int64, y Int64", 1),
        ] {
            assert_eq!(schema(name, text).await, (expected.to_owned(), header), "{text}");
        }
    }
}

//! The head of an Avro file: its schema, its compression, the marker between its blocks.

use std::io::{BufReader, Cursor, Read};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_avro::compression::CompressionCodec;
use arrow_avro::reader::{Reader, ReaderBuilder, read_header_info};
use bytes::Bytes;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Count;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::lake::damage::{damaged, guard, into_error, not_of_format, unsupported};
use crate::lake::evolve::table_schema;

const MAGIC: &[u8] = b"Obj\x01";
/// How much of the start of a file is fetched at first; a header seldom has more than a schema of a few kB.
const FIRST_FETCH: u64 = 32 * 1024;
/// The longest header believed.
const MAX_HEADER: u64 = 16 * 1024 * 1024;
/// Bytes of the marker between blocks.
pub(super) const SYNC_LENGTH: u64 = 16;

/// The columns of a file, as a table over it would declare them.
pub async fn infer_schema(store: &dyn ObjectStore, object: &ObjectMeta) -> crate::Result<SchemaRef> {
    let file = object.location.to_string();
    let header = Header::read(store, object, &file, &Count::new()).await.map_err(|error| into_error(&file, error))?;
    Ok(table_schema(&header.schema))
}

/// The head of a file.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// What arrow-avro is shown as the header of the file.
    bytes: Bytes,
    /// Where the first block starts.
    pub length: u64,
    /// The marker after each block.
    pub sync: [u8; 16],
    /// How blocks are compressed.
    pub codec: Option<CompressionCodec>,
    /// The file's columns as arrow-avro delivers them.
    pub schema: SchemaRef,
    /// All columns are decoded whatever is asked for.
    is_whole: bool,
}

impl Header {
    /// Fetches and reads the header, in one request unless it is very long.
    pub(super) async fn read(
        store: &dyn ObjectStore,
        object: &ObjectMeta,
        file: &str,
        scanned: &Count,
    ) -> Result<Self> {
        let mut fetched = FIRST_FETCH;
        loop {
            let end = fetched.min(object.size);
            let bytes = store.get_range(&object.location, 0..end).await?;
            scanned.add(bytes.len());
            if !bytes.starts_with(MAGIC) {
                return Err(not_of_format(file, "an Avro file"));
            }
            match guard(|| read_header_info(bytes.as_ref())) {
                Ok(Ok(info)) => return Self::new(&info, file),
                // A header that is cut off may go on; read again what is longer.
                _ if end < object.size && fetched < MAX_HEADER => fetched *= 8,
                Ok(Err(error)) => return Err(damaged(file, error)),
                Err(panic) => return Err(damaged(file, panic)),
            }
        }
    }

    fn new(info: &arrow_avro::reader::HeaderInfo, file: &str) -> Result<Self> {
        let codec = info.compression().map_err(|error| unsupported(file, error))?;
        let declared = info.writer_schema().map_err(|error| damaged(file, error))?.json_string;
        let mut declared: Value = serde_json::from_str(&declared).map_err(|error| damaged(file, error))?;
        strip_logical_types(&mut declared);
        if declared.get("type").and_then(Value::as_str) != Some("record") {
            return Err(unsupported(file, "its schema is not a record"));
        }
        let bytes = encode(&declared.to_string(), codec, info.sync());
        let reader = guard(|| builder(0).build(Cursor::new(bytes.clone())))
            .map_err(|panic| unsupported(file, panic))?
            .map_err(|error| unsupported(file, error))?;
        let (schema, is_whole) = (reader.schema(), has_names_in_unions(&declared));
        Ok(Self { bytes, length: info.header_len(), sync: info.sync(), codec, schema, is_whole })
    }

    /// The columns at these positions of what a reader of them delivers.
    pub(super) fn project(&self, batch: RecordBatch, columns: &[usize]) -> Result<RecordBatch> {
        Ok(if self.is_whole { batch.project(columns)? } else { batch })
    }

    /// A reader of some whole blocks that delivers the columns at these positions, or all: see [`Header::project`].
    pub(super) fn reader(
        &self,
        blocks: Bytes,
        columns: &[usize],
        batch_size: usize,
    ) -> Result<BlockReader, arrow::error::ArrowError> {
        let input = BufReader::new(Cursor::new(self.bytes.clone()).chain(Cursor::new(blocks)));
        let every = self.is_whole || columns.len() == self.schema.fields().len();
        let builder = builder(batch_size);
        // Without a projection arrow-avro has no schema to resolve against and decodes faster.
        if every { builder.build(input) } else { builder.with_projection(columns.to_vec()).build(input) }
    }
}

/// A decoder of some blocks.
pub(super) type BlockReader = Reader<BufReader<std::io::Chain<Cursor<Bytes>, Cursor<Bytes>>>>;

fn builder(batch_size: usize) -> ReaderBuilder {
    // Texts not as views: those of arrow-avro 59 lose their NULLs.
    ReaderBuilder::new().with_batch_size(batch_size)
}

/// Whether a union of more than a type and NULL names a type that is defined elsewhere: arrow-avro 59 takes such a type for
/// any other when it is to leave columns out.
fn has_names_in_unions(schema: &Value) -> bool {
    const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
    match schema {
        Value::Array(parts) => {
            let is_nullable = parts.len() == 2 && parts.iter().any(|part| part == "null");
            let is_name = |part: &Value| part.as_str().is_some_and(|name| !PRIMITIVES.contains(&name));
            (!is_nullable && parts.iter().any(is_name)) || parts.iter().any(has_names_in_unions)
        }
        Value::Object(parts) => {
            ["type", "fields", "items", "values"].iter().filter_map(|key| parts.get(*key)).any(has_names_in_unions)
        }
        _ => false,
    }
}

/// Removes the logical types that Hive does not know: it reads what stands under them, a UUID as its text, a duration
/// as its bytes.
fn strip_logical_types(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(strip_logical_types),
        Value::Object(parts) => {
            if matches!(parts.get("logicalType").and_then(Value::as_str), Some("uuid" | "duration")) {
                parts.remove("logicalType");
            }
            for (key, part) in parts {
                if matches!(key.as_str(), "type" | "fields" | "items" | "values") {
                    strip_logical_types(part);
                }
            }
        }
        _ => {}
    }
}

/// The header of a file: magic, a map of two entries, the marker.
fn encode(schema: &str, codec: Option<CompressionCodec>, sync: [u8; 16]) -> Bytes {
    let codec = match codec {
        None => "null",
        Some(CompressionCodec::Deflate) => "deflate",
        Some(CompressionCodec::Snappy) => "snappy",
        Some(CompressionCodec::ZStandard) => "zstandard",
        Some(CompressionCodec::Bzip2) => "bzip2",
        Some(CompressionCodec::Xz) => "xz",
    };
    let mut header = MAGIC.to_vec();
    put_long(&mut header, 2);
    for text in ["avro.schema", schema, "avro.codec", codec] {
        put_long(&mut header, text.len() as u64);
        header.extend(text.as_bytes());
    }
    put_long(&mut header, 0);
    header.extend(sync);
    header.into()
}

/// A number that is not negative, in Avro's zig-zag encoding.
fn put_long(bytes: &mut Vec<u8>, number: u64) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

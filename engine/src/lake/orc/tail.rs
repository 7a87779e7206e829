//! The tail of an ORC file: its columns, its stripes, their statistics. Read once per scan, checked before it is used.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Count;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use orc_rust::compression::{Compression, Decompressor};
use orc_rust::error::OrcError;
use orc_rust::reader::metadata::{FileMetadata, read_metadata};
use tokio::sync::OnceCell;

use super::chunks::Chunks;
use super::types::{file_schema, has_valid_decimals};
use super::wire::{FooterFacts, Malformed, Postscript, has_whole_chunks};
use crate::lake::damage::{damaged, guard, not_of_format, unsupported};

/// How much of the end of a file is fetched at first: enough for the tail of most files in one request.
const TAIL_HINT: u64 = 64 * 1024;
/// The largest decompressed chunk believed; writers use 64 kB to 1 MB.
const MAX_BLOCK_SIZE: u64 = 128 * 1024 * 1024;
/// The deepest nesting of types believed.
const MAX_DEPTH: usize = 64;
/// How many tails a scan keeps at a time.
const CACHED_TAILS: usize = 64;
const MAGIC: &[u8] = b"ORC";
const STRUCT: u64 = 12;
const JAVA: u64 = 0;
const CPP: u64 = 1;
const TRINO: u64 = 4;

/// What the end of a file says.
#[derive(Debug)]
pub(super) struct Tail {
    /// Stripes, types, statistics.
    pub metadata: FileMetadata,
    /// The file's columns as a scan delivers them.
    pub schema: SchemaRef,
    /// The number of ORC columns, nested ones and the root included.
    pub columns: usize,
    /// Which numbers of it the writer got right.
    pub trust: Trust,
}

/// Who wrote the file, and so which of its numbers may be believed (ORC specification, `writerVersion`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Trust {
    /// The program: 0 Java, 1 C++, 4 Trino.
    pub writer: u64,
    /// Its version, counted by known defects.
    pub version: u64,
}

impl Trust {
    /// Before HIVE-8732 the smallest and greatest string were compared wrongly.
    pub(super) fn in_strings(self) -> bool {
        self.version >= 1
    }

    /// Before ORC-517 the smallest and greatest decimal of Java's writer could be wrong.
    pub(super) fn in_decimals(self) -> bool {
        self.writer != JAVA || self.version >= 7
    }

    /// Trino leaves statistics out where there is a NaN; others show it only by their sum, if they write one.
    pub(super) fn in_doubles_without_sum(self) -> bool {
        self.writer == TRINO
    }

    /// The C++ writer accepts a negative fraction of a second (pyarrow gives it those before 1970), which is decoded
    /// wrongly: such timestamps then lie outside of the statistics.
    pub(super) fn may_have_negative_fractions(self) -> bool {
        self.writer == CPP
    }
}

impl Tail {
    /// Fetches and checks the tail; at most two requests.
    pub(super) async fn read(
        store: &dyn ObjectStore,
        object: &ObjectMeta,
        file: &str,
        scanned: &Count,
    ) -> Result<Self> {
        let size = object.size;
        if size <= MAGIC.len() as u64 + 1 {
            return Err(not_of_format(file, "an ORC file"));
        }
        let mut start = size.saturating_sub(TAIL_HINT);
        let mut bytes = store.get_range(&object.location, start..size).await?;
        scanned.add(bytes.len());
        let Some(postscript) = read_postscript(&bytes) else {
            return Err(no_postscript(store, object, file).await?);
        };
        if postscript.length > size {
            return Err(damaged(file, "its footer is longer than the file"));
        }
        if postscript.length > size - start {
            start = size - postscript.length;
            bytes = store.get_range(&object.location, start..size).await?;
            scanned.add(bytes.len());
        }
        // The rest is computation on bytes that may mean anything.
        guard(|| parse(&bytes, start, size, &postscript, file)).map_err(|panic| damaged(file, panic))?
    }
}

/// The postscript and the bytes from the start of the metadata to the end of the file.
struct Measured {
    postscript: Postscript,
    length: u64,
}

fn read_postscript(tail: &[u8]) -> Option<Measured> {
    let (&length, rest) = tail.split_last()?;
    let (_, bytes) = rest.split_at_checked(rest.len().checked_sub(usize::from(length))?)?;
    let postscript = Postscript::parse(bytes).ok()?;
    // Files of Hive 0.11 have no magic here, but a postscript that makes sense.
    let sensible = (bytes.ends_with(MAGIC) || postscript.footer_length > 0) && postscript.compression <= 5;
    let length =
        postscript.footer_length.checked_add(postscript.metadata_length)?.checked_add(u64::from(length) + 1)?;
    (sensible && postscript.block_size <= MAX_BLOCK_SIZE).then_some(Measured { postscript, length })
}

/// Without a postscript a file that starts as ORC files do has lost its end; another one never was an ORC file.
async fn no_postscript(
    store: &dyn ObjectStore,
    object: &ObjectMeta,
    file: &str,
) -> Result<datafusion::common::DataFusionError> {
    let head = store.get_range(&object.location, 0..MAGIC.len() as u64).await?;
    Ok(if head == MAGIC { damaged(file, "its end is missing") } else { not_of_format(file, "an ORC file") })
}

fn parse(bytes: &Bytes, start: u64, size: u64, measured: &Measured, file: &str) -> Result<Tail> {
    let postscript = &measured.postscript;
    let mut chunks = Chunks::new(size);
    chunks.insert(start, bytes.clone());
    let metadata_start = size - measured.length;
    let footer_start = metadata_start + postscript.metadata_length;
    let footer_end = footer_start + postscript.footer_length;
    for range in [metadata_start..footer_start, footer_start..footer_end] {
        let section = chunks.get(&range).unwrap_or_default();
        if postscript.compression != 0 && !has_whole_chunks(&section) {
            return Err(damaged(file, "its footer is cut off"));
        }
    }
    let footer = chunks.get(&(footer_start..footer_end)).unwrap_or_default();
    let facts = footer_facts(footer, postscript).map_err(|reason| damaged(file, reason))?;
    if facts.encrypted {
        return Err(unsupported(file, "encrypted columns"));
    }
    check_types(&facts).map_err(|reason| damaged(file, reason))?;
    let metadata = read_metadata(&mut chunks).map_err(|error| damaged(file, error))?;
    check_stripes(&metadata, size, file)?;
    if !metadata.root_data_type().children().iter().all(|column| has_valid_decimals(column.data_type())) {
        return Err(unsupported(file, "a decimal without precision"));
    }
    Ok(Tail {
        schema: file_schema(metadata.root_data_type()),
        columns: facts.types.len(),
        trust: Trust { writer: facts.writer, version: postscript.writer_version },
        metadata,
    })
}

fn footer_facts(footer: Bytes, postscript: &Postscript) -> Result<FooterFacts, &'static str> {
    const MALFORMED: &str = "its footer is malformed";
    let compression = compression_of(postscript).map_err(|_| MALFORMED)?;
    let mut decompressed = Vec::new();
    Decompressor::new(footer, compression, Vec::new()).read_to_end(&mut decompressed).map_err(|_| MALFORMED)?;
    FooterFacts::parse(&decompressed).map_err(|Malformed| MALFORMED)
}

/// orc-rust's description of a compression, which it only gives for a file: so it is shown the smallest file that is
/// compressed so, a footer of one empty struct in a chunk marked as stored.
fn compression_of(postscript: &Postscript) -> Result<Option<Compression>, OrcError> {
    const TYPES: [u8; 4] = [0x22, 0x02, 0x08, STRUCT as u8];
    let mut file = Vec::new();
    if postscript.compression != 0 {
        file.extend([(TYPES.len() as u8) << 1 | 1, 0, 0]);
    }
    file.extend(TYPES);
    let footer_length = file.len() as u8;
    file.extend([0x08, footer_length, 0x10, postscript.compression as u8, 0x28, 0, 0x18]);
    let mut size = postscript.block_size;
    while size >= 0x80 {
        file.push(size as u8 | 0x80);
        size >>= 7;
    }
    file.push(size as u8);
    file.push(file.len() as u8 - footer_length);
    Ok(read_metadata(&mut Bytes::from(file))?.compression())
}

/// Types form a tree written root first: each contains only later ones. orc-rust would follow a loop without end.
fn check_types(facts: &FooterFacts) -> Result<(), &'static str> {
    let mut depths = vec![1; facts.types.len()];
    let mut owned = vec![false; facts.types.len()];
    if !matches!(facts.types.first(), Some((STRUCT, _))) {
        return Err("it is not a table: its root is no struct");
    }
    for (index, (_, subtypes)) in facts.types.iter().enumerate() {
        for &subtype in subtypes {
            let child = usize::try_from(subtype).ok().filter(|&child| child > index && child < depths.len());
            let child = child.ok_or("its types do not form a tree")?;
            if std::mem::replace(&mut owned[child], true) {
                return Err("its types do not form a tree");
            }
            depths[child] = depths[index] + 1;
            if depths[child] > MAX_DEPTH {
                return Err("its types are nested too deeply");
            }
        }
    }
    Ok(())
}

/// Stripes lie inside the file and have as many rows as the file says.
fn check_stripes(metadata: &FileMetadata, size: u64, file: &str) -> Result<()> {
    let mut rows = Some(0_u64);
    for stripe in metadata.stripe_metadatas() {
        let length = stripe
            .index_length()
            .checked_add(stripe.data_length())
            .and_then(|length| length.checked_add(stripe.footer_length()));
        let end = length.and_then(|length| length.checked_add(stripe.offset()));
        if end.is_none_or(|end| end > size) {
            return Err(damaged(file, "a stripe reaches past the end of the file"));
        }
        rows = rows.and_then(|rows| rows.checked_add(stripe.number_of_rows()));
    }
    if rows != Some(metadata.number_of_rows()) {
        return Err(damaged(file, "its stripes have another number of rows than its footer says"));
    }
    Ok(())
}

/// Tails by file, so that the splits of one file read its tail once. The oldest goes when there are too many.
#[derive(Debug, Default)]
pub(super) struct TailCache {
    tails: Mutex<CachedTails>,
}

#[derive(Debug, Default)]
struct CachedTails {
    by_file: HashMap<FileVersion, Arc<OnceCell<Arc<Tail>>>>,
    oldest_first: VecDeque<FileVersion>,
}

/// A file overwritten in the meantime is another file.
type FileVersion = (String, u64, i64, Option<String>);

impl TailCache {
    /// The tail, fetched by whoever asks first while the others wait.
    pub(super) async fn get(
        &self,
        store: &dyn ObjectStore,
        object: &ObjectMeta,
        file: &str,
        scanned: &Count,
    ) -> Result<Arc<Tail>> {
        let cell = self.cell(object);
        let tail = cell.get_or_try_init(|| async { Tail::read(store, object, file, scanned).await.map(Arc::new) });
        Ok(Arc::clone(tail.await?))
    }

    fn cell(&self, object: &ObjectMeta) -> Arc<OnceCell<Arc<Tail>>> {
        let key =
            (object.location.to_string(), object.size, object.last_modified.timestamp_micros(), object.e_tag.clone());
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = tails.by_file.get(&key) {
            return Arc::clone(cell);
        }
        if tails.oldest_first.len() >= CACHED_TAILS
            && let Some(oldest) = tails.oldest_first.pop_front()
        {
            tails.by_file.remove(&oldest);
        }
        let cell = Arc::new(OnceCell::new());
        tails.by_file.insert(key.clone(), Arc::clone(&cell));
        tails.oldest_first.push_back(key);
        cell
    }
}

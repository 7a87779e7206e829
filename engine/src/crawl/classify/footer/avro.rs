//! How many rows an Avro file has, from the counts in front of its blocks (Avro specification 1.11, "Object Container
//! Files").

use crate::error::Result;
use arrow_avro::compression::CompressionCodec;
use arrow_avro::reader::read_header_info;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// How much of a file's start is looked through.
const LOOKED_AT: u64 = 1024 * 1024;
/// Bytes of the marker behind each block.
const SYNC_LENGTH: u64 = 16;

/// The compression's name, and rows, whether they are all, and their bytes.
///
/// Rows are those of the blocks that begin in the first megabyte; none when the header alone is longer.
pub(super) async fn rows(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
) -> Result<(&'static str, (u64, bool, u64))> {
    let end = LOOKED_AT.min(object.size);
    let bytes = store.get_range(&object.location, 0..end).await?;
    // The schema was read from this header before: what fails now is its length.
    let Ok(header) = read_header_info(bytes.as_ref()) else { return Ok(("none", (0, false, 0))) };
    let compression = match header.compression().ok().flatten() {
        None => "none",
        Some(CompressionCodec::Deflate) => "deflate",
        Some(CompressionCodec::Snappy) => "snappy",
        Some(CompressionCodec::ZStandard) => "zstd",
        Some(CompressionCodec::Bzip2) => "bzip2",
        Some(CompressionCodec::Xz) => "xz",
    };
    let start = header.header_len();
    let (mut at, mut rows) = (start, 0_u64);
    while at < end {
        let mut rest = &bytes[at as usize..];
        let before = rest.len();
        let (Some(count), Some(length)) = (long(&mut rest), long(&mut rest)) else { break };
        rows = rows.saturating_add(count);
        at = at.saturating_add((before - rest.len()) as u64).saturating_add(length).saturating_add(SYNC_LENGTH);
    }
    Ok((compression, (rows, at == object.size, at.min(object.size) - start)))
}

/// A number in Avro's zig-zag encoding; `None` where it is cut off, too long or negative.
fn long(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return (number & 1 == 0).then_some(number >> 1);
        }
    }
    None
}

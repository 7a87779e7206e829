//! The beginning of a file as text: read within bounds, decompressed, checked.
//!
//! The codec is told by the file's name, since that is how the lake's readers tell it: a file whose bytes are
//! compressed and whose name does not say so is refused, as they would read its bytes as text.

use super::reason_of;
use crate::crawl::Sample;
use crate::error::Error;
use crate::lake::decompress::{ByteStream, Codec, decompress};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// How much of a file is looked at, in bytes: so much is read, and so much of it when it is decompressed.
const SAMPLE_SIZE: usize = 1024 * 1024;

/// Why an object without bytes is left out.
pub(super) const EMPTY: &str = "it is empty";

/// What compressed files begin with, and the extension that readers tell them by.
const MAGIC: [(&[u8], &str, &str); 6] = [
    (b"\x1f\x8b\x08", "gzip", ".gz"),
    (b"BZh", "bzip2", ".bz2"),
    (b"\x28\xb5\x2f\xfd", "zstd", ".zst"),
    (b"\xfd7zXZ\0", "xz", ".xz"),
    (b"PK\x03\x04", "zip", ".zip"),
    (b"\xff\x06\0\0sNaPpY", "snappy", ".sz"),
];

/// The first megabyte of a file, or why it is no text to look at.
pub(super) async fn take(store: &Arc<dyn ObjectStore>, url: &str, object: &ObjectMeta) -> Result<Sample, String> {
    let codec = Codec::of(&object.location).map_err(|error| reason_of(&error))?;
    let stored_end = object.size.min(SAMPLE_SIZE as u64);
    let stored = store.get_range(&object.location, 0..stored_end).await;
    let stored = stored.map_err(|error| reason_of(&Error::from(error)))?;
    let cut = stored_end < object.size;
    let (bytes, truncated) = if codec.is_compressed() {
        plain_head(stored, cut, codec, url).await?
    } else if let Some((_, name, extension)) = MAGIC.iter().find(|(magic, ..)| stored.starts_with(magic)) {
        return Err(format!("it is compressed ({name}), and its name does not end in \"{extension}\""));
    } else {
        (stored, cut)
    };
    let bytes = text(bytes, truncated)?;
    let name = object.location.filename().unwrap_or_default();
    let bare = if codec.is_compressed() { name.rsplit_once('.').map_or(name, |(bare, _)| bare) } else { name };
    Ok(Sample { name: bare.to_owned(), bytes, truncated, compression: codec.name() })
}

/// What the beginning of a compressed file holds, and whether the file goes on. `cut` tells that `stored` is not all.
async fn plain_head(stored: Bytes, cut: bool, codec: Codec, url: &str) -> Result<(Bytes, bool), String> {
    let input: ByteStream = futures::stream::once(async { Ok(stored) }).boxed();
    let mut output = decompress(input, codec, &url.into());
    let mut plain = BytesMut::new();
    while plain.len() <= SAMPLE_SIZE {
        match output.try_next().await {
            Ok(Some(piece)) => plain.extend_from_slice(&piece),
            Ok(None) => return Ok((plain.freeze(), cut)),
            // Where the sample ends the codec finds the file damaged.
            Err(_) if cut && !plain.is_empty() => return Ok((plain.freeze(), true)),
            Err(_) if cut => return Err(format!("its first megabyte does not decompress ({})", codec.name())),
            Err(error) => return Err(reason_of(&Error::from(error))),
        }
    }
    plain.truncate(SAMPLE_SIZE);
    Ok((plain.freeze(), true))
}

/// The bytes as UTF-8 without a byte order mark, or why they are not.
fn text(mut bytes: Bytes, truncated: bool) -> Result<Bytes, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is in UTF-16; text files are read as UTF-8".to_owned());
    }
    if memchr::memchr(0, &bytes).is_some() {
        return Err("it is binary, in no format that a classifier knows".to_owned());
    }
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if let Err(error) = std::str::from_utf8(&bytes) {
        // The sample may end within a character.
        if error.error_len().is_some() || !truncated {
            return Err(format!("it is no text in UTF-8: invalid at byte {}", error.valid_up_to()));
        }
        bytes.truncate(error.valid_up_to());
    }
    let bytes = bytes.slice(mark..);
    if bytes.trim_ascii().is_empty() {
        return Err(if bytes.is_empty() { EMPTY.to_owned() } else { "it has nothing but blanks".to_owned() });
    }
    Ok(bytes)
}

//! The blocks of an Avro file, fetched a window at a time.
//!
//! A block is a count of records, a length, that many bytes, and the file's marker. A split of a file owns the blocks
//! whose preceding marker starts inside it, as in Avro's own readers (`DataFileReader.sync`, `pastSync`), so that each
//! block is read by exactly one split.

use std::ops::Range;
use std::sync::Arc;

use arrow_avro::compression::CompressionCodec;
use bytes::{Bytes, BytesMut};
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Count;
use memchr::memmem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::header::{Header, SYNC_LENGTH};
use crate::lake::damage::damaged;

/// How much is fetched at a time.
const WINDOW: u64 = 4 * 1024 * 1024;

/// Some whole blocks.
pub(super) struct Window {
    /// The blocks one after the other.
    pub blocks: Bytes,
    /// How many records they have.
    pub rows: u64,
}

/// The blocks of one split, in order.
pub(super) struct Blocks {
    store: Arc<dyn ObjectStore>,
    location: Path,
    /// The file's name in messages.
    url: String,
    size: u64,
    header: Header,
    scanned: Count,
    /// A block belongs to the split if its preceding marker starts before this.
    end: u64,
    /// Where the next block starts; nothing until the first marker of the split has been found.
    next: Option<u64>,
    /// Bytes fetched and not used yet, and where they stand.
    buffer: BytesMut,
    buffered_from: u64,
}

impl Blocks {
    /// The blocks of a split; of the whole file without a range.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        location: Path,
        url: String,
        size: u64,
        header: Header,
        range: Option<Range<u64>>,
        scanned: Count,
    ) -> Self {
        let range = range.unwrap_or(0..size);
        let first_marker = header.length.saturating_sub(SYNC_LENGTH);
        let (from, next) =
            if range.start <= first_marker { (header.length, Some(header.length)) } else { (range.start, None) };
        Self {
            store,
            location,
            url,
            size,
            header,
            scanned,
            end: range.end,
            next,
            buffer: BytesMut::new(),
            buffered_from: from,
        }
    }

    /// The next whole blocks, about a window's worth; nothing after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Window>> {
        if self.next.is_none() && !self.find_marker().await? {
            return Ok(None);
        }
        let mut rows = 0_u64;
        let mut taken = 0;
        while let Some(start) = self.next
            && start.saturating_sub(SYNC_LENGTH) < self.end
            && start < self.size
        {
            let block = match self.block(&self.buffer[taken..])? {
                Some(block) if self.buffer.len() - taken >= block.length => block,
                // What is whole goes first; then the rest is fetched.
                _ if taken > 0 => break,
                Some(block) => {
                    self.fetch(block.length as u64).await?;
                    continue;
                }
                None => {
                    self.fetch(self.buffer.len() as u64 + 1).await?;
                    continue;
                }
            };
            let marker = &self.buffer[taken + block.length - SYNC_LENGTH as usize..taken + block.length];
            if marker != self.header.sync {
                return Err(damaged(&self.url, "a block does not end with the file's marker"));
            }
            taken += block.length;
            rows = rows.checked_add(block.rows).ok_or_else(|| damaged(&self.url, "a block has too many records"))?;
            self.next = Some(start + block.length as u64);
        }
        if taken == 0 {
            return Ok(None);
        }
        let blocks = self.buffer.split_to(taken).freeze();
        self.buffered_from += taken as u64;
        Ok(Some(Window { blocks, rows }))
    }

    /// Goes to the first marker that starts inside the split; whether there is one.
    async fn find_marker(&mut self) -> Result<bool> {
        loop {
            if let Some(found) = memmem::find(&self.buffer, &self.header.sync) {
                let marker = self.buffered_from + found as u64;
                let _ = self.buffer.split_to(found + SYNC_LENGTH as usize);
                self.buffered_from = marker + SYNC_LENGTH;
                self.next = Some(self.buffered_from);
                return Ok(marker < self.end);
            }
            // A marker may lie across the end of what has been fetched.
            let searched = self.buffer.len().saturating_sub(SYNC_LENGTH as usize - 1);
            let _ = self.buffer.split_to(searched);
            self.buffered_from += searched as u64;
            let fetched_to = self.buffered_from + self.buffer.len() as u64;
            if self.buffered_from >= self.end || fetched_to >= self.size {
                return Ok(false);
            }
            self.fetch(self.buffer.len() as u64 + 1).await?;
        }
    }

    /// Fetches until the buffer has at least this many bytes, and a window's worth where the split is that long.
    async fn fetch(&mut self, needed: u64) -> Result<()> {
        let from = self.buffered_from + self.buffer.len() as u64;
        let needed_to = self.buffered_from.saturating_add(needed);
        if needed_to > self.size {
            return Err(damaged(&self.url, "its last block is cut off"));
        }
        // Past the split's end only what its last block needs, and a little in the hope that it is enough.
        let window_to = (from + WINDOW).min(self.end.saturating_add(WINDOW / 64));
        let to = needed_to.max(window_to).min(self.size);
        let bytes = self.store.get_range(&self.location, from..to).await?;
        self.scanned.add(bytes.len());
        if bytes.is_empty() {
            return Err(damaged(&self.url, "its last block is cut off"));
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    /// The block that starts with these bytes; nothing if its counts are not all there.
    fn block(&self, bytes: &[u8]) -> Result<Option<Block>> {
        let Some((rows, count_length)) = self.long(bytes)? else { return Ok(None) };
        let Some((length, length_length)) = self.long(&bytes[count_length..])? else { return Ok(None) };
        let before = (count_length + length_length) as u64;
        let whole = length.checked_add(before + SYNC_LENGTH).filter(|whole| *whole <= self.size);
        let length_of_block = whole.and_then(|whole| usize::try_from(whole).ok());
        // Snappy's blocks end with a checksum, which arrow-avro takes for granted.
        let too_short = self.header.codec == Some(CompressionCodec::Snappy) && length < 4;
        match length_of_block {
            Some(length) if !too_short => Ok(Some(Block { rows, length })),
            _ => Err(damaged(&self.url, "a block has an impossible length")),
        }
    }

    /// A number that may not be negative, and the bytes it takes.
    fn long(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>> {
        let mut value = 0_u64;
        for (index, byte) in bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let negative = value & 1 == 1;
                return if negative {
                    Err(damaged(&self.url, "a block has a negative count"))
                } else {
                    Ok(Some((value >> 1, index + 1)))
                };
            }
        }
        if bytes.len() >= 10 { Err(damaged(&self.url, "a block has an impossible count")) } else { Ok(None) }
    }
}

/// The head of a block.
struct Block {
    rows: u64,
    /// From its first byte to the end of its marker.
    length: usize,
}

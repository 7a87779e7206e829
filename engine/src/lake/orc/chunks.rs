//! The bytes of a file that have been fetched, given to orc-rust as if they were the file.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Count;
use object_store::ObjectStore;
use object_store::path::Path;
use orc_rust::reader::ChunkReader;

/// Pieces of a file. Asked for bytes it does not hold it gives none: index streams are left out on purpose when only
/// values are read, and the other way round.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    file_size: u64,
    pieces: Vec<(u64, Bytes)>,
}

impl Chunks {
    pub(super) fn new(file_size: u64) -> Self {
        Self { file_size, pieces: Vec::new() }
    }

    /// Adds bytes that stand at an offset of the file.
    pub(super) fn insert(&mut self, offset: u64, bytes: Bytes) {
        self.pieces.push((offset, bytes));
    }

    /// The bytes of a range, if one piece holds all of them.
    pub(super) fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        self.pieces.iter().find_map(|(offset, bytes)| {
            let start = usize::try_from(range.start.checked_sub(*offset)?).ok()?;
            let end = usize::try_from(range.end.checked_sub(*offset)?).ok()?;
            (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
        })
    }

    /// Fetches the ranges not held yet. The store joins those that lie close together into one request.
    pub(super) async fn fetch(
        &mut self,
        store: &dyn ObjectStore,
        location: &Path,
        ranges: impl IntoIterator<Item = Range<u64>>,
        scanned: &Count,
    ) -> Result<()> {
        let missing: Vec<_> =
            ranges.into_iter().filter(|range| !range.is_empty() && self.get(range).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let pieces = store.get_ranges(location, &missing).await?;
        for (range, bytes) in missing.into_iter().zip(pieces) {
            scanned.add(bytes.len());
            self.insert(range.start, bytes);
        }
        Ok(())
    }
}

impl ChunkReader for Chunks {
    type T = io::Cursor<Bytes>;

    fn len(&self) -> u64 {
        self.file_size
    }

    fn get_read(&self, offset_from_start: u64) -> io::Result<Self::T> {
        let piece = self.pieces.iter().find_map(|(offset, bytes)| {
            let start = usize::try_from(offset_from_start.checked_sub(*offset)?).ok()?;
            (start <= bytes.len()).then(|| bytes.slice(start..))
        });
        piece.map(io::Cursor::new).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn get_bytes(&self, offset_from_start: u64, length: u64) -> io::Result<Bytes> {
        let end = offset_from_start.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.get(&(offset_from_start..end)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_inserted() {
        let mut chunks = Chunks::new(100);
        chunks.insert(10, Bytes::from_static(b"abcdef"));
        let cases: [(Range<u64>, Option<&[u8]>); 5] =
            [(10..16, Some(b"abcdef")), (12..14, Some(b"cd")), (16..16, Some(b"")), (9..11, None), (14..17, None)];
        for (range, bytes) in cases {
            assert_eq!(chunks.get(&range).as_deref(), bytes, "{range:?}");
        }
    }
}

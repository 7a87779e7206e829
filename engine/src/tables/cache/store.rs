//! The object store of managed tables' files with the blocks that are kept of it.

use super::blocks::{BLOCK, Blocks};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A store whose files below a path are read through [`Blocks`].
#[derive(Debug)]
pub(crate) struct CachedStore {
    inner: Arc<dyn ObjectStore>,
    /// Where the files are that never change.
    root: Path,
    blocks: Arc<Blocks>,
}

impl fmt::Display for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CachedStore({})", self.inner)
    }
}

impl CachedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, root: Path, blocks: Arc<Blocks>) -> Self {
        Self { inner, root, blocks }
    }

    /// The range of a request for a part of a file, where nothing more is asked than its bytes.
    fn cached_range(&self, location: &Path, options: &GetOptions) -> Option<Range<u64>> {
        let Some(GetRange::Bounded(range)) = &options.range else { return None };
        let plain = options.if_match.is_none()
            && options.if_none_match.is_none()
            && options.if_modified_since.is_none()
            && options.if_unmodified_since.is_none()
            && options.version.is_none()
            && !options.head;
        let is_file = matches!(location.extension(), Some("vortex" | "parquet"));
        (plain && is_file && range.start < range.end && location.prefix_matches(&self.root)).then(|| range.clone())
    }

    /// A range of a file, cut at the file's end, and the file's size.
    async fn read(&self, location: &Path, range: Range<u64>) -> Result<(Bytes, u64)> {
        let numbers = range.start / BLOCK..(range.end - 1) / BLOCK + 1;
        let mut parts = self.kept(location, numbers.clone(), &range).await;
        let mut size = parts.iter().flatten().map(|(_, size)| *size).next();
        let mut at = 0;
        while at < parts.len() {
            let first = numbers.start + at as u64;
            let begins_behind = size.is_some_and(|size| first * BLOCK >= size);
            if parts[at].is_some() || begins_behind {
                at += 1;
                continue;
            }
            // Neighbours that are missing are asked for together.
            let missing = parts[at..].iter().take_while(|part| part.is_none()).count();
            let (fetched, whole) = self.fetch(location, first, missing as u64).await?;
            size = Some(whole);
            for (number, block) in fetched {
                let wanted = within(number, &range);
                let end = usize::try_from(wanted.end).unwrap_or(usize::MAX).min(block.len());
                let start = usize::try_from(wanted.start).unwrap_or(usize::MAX).min(end);
                let place = usize::try_from(number - numbers.start).unwrap_or(usize::MAX);
                if let Some(part) = parts.get_mut(place) {
                    *part = Some((block.slice(start..end), whole));
                }
            }
            at += missing;
        }
        let parts: Vec<Bytes> = parts.into_iter().flatten().map(|(bytes, _)| bytes).collect();
        let bytes = match parts.as_slice() {
            // Most ranges lie within a block.
            [only] => only.clone(),
            several => several.concat().into(),
        };
        Ok((bytes, size.unwrap_or_default()))
    }

    /// The parts of a range that are kept, one for each block.
    async fn kept(&self, location: &Path, numbers: Range<u64>, range: &Range<u64>) -> Vec<Option<(Bytes, u64)>> {
        let (blocks, location, range) = (Arc::clone(&self.blocks), location.clone(), range.clone());
        let count = usize::try_from(numbers.end - numbers.start).unwrap_or_default();
        let read = tokio::task::spawn_blocking(move || {
            numbers.map(|number| blocks.read(&location, number, within(number, &range))).collect()
        });
        read.await.unwrap_or_else(|_| vec![None; count])
    }

    /// Reads blocks from the store and keeps them; with their numbers, and the file's size.
    async fn fetch(&self, location: &Path, first: u64, count: u64) -> Result<(Vec<(u64, Bytes)>, u64)> {
        let range = GetRange::Bounded(first * BLOCK..(first + count) * BLOCK);
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let found = self.inner.get_opts(location, options).await?;
        let size = found.meta.size;
        let mut rest = found.bytes().await?;
        let mut fetched = Vec::new();
        let mut number = first;
        while !rest.is_empty() {
            let block = rest.split_to(rest.len().min(BLOCK as usize));
            fetched.push((number, block));
            number += 1;
        }
        let (blocks, location, kept) = (Arc::clone(&self.blocks), location.clone(), fetched.clone());
        // Kept before the answer is given: a writer that is always behind would need a bound of its own.
        let written = tokio::task::spawn_blocking(move || {
            kept.iter().try_for_each(|(number, block)| blocks.keep(&location, *number, block, size))
        });
        if let Ok(Err(error)) = written.await {
            tracing::debug!(%error, "could not keep what was read from the object store");
        }
        Ok((fetched, size))
    }
}

/// The part of a block that a range wants, in bytes from the block's beginning.
fn within(number: u64, range: &Range<u64>) -> Range<u64> {
    let begin = number * BLOCK;
    range.start.saturating_sub(begin)..range.end.saturating_sub(begin).min(BLOCK)
}

#[async_trait]
impl ObjectStore for CachedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(range) = self.cached_range(location, &options) else {
            return self.inner.get_opts(location, options).await;
        };
        let (bytes, size) = self.read(location, range.clone()).await?;
        if bytes.is_empty() {
            // The store's own error for a range behind the end.
            return self.inner.get_opts(location, options).await;
        }
        let end = range.start + bytes.len() as u64;
        // A file never changes, so that nobody asks for its time.
        let last_modified = chrono::DateTime::UNIX_EPOCH;
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed()),
            meta: ObjectMeta { location: location.clone(), last_modified, size, e_tag: None, version: None },
            range: range.start..end,
            attributes: Attributes::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let options =
            |range: &Range<u64>| GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        if ranges.iter().any(|range| self.cached_range(location, &options(range)).is_none()) {
            return self.inner.get_ranges(location, ranges).await;
        }
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            found.push(self.get_opts(location, options(range)).await?.bytes().await?);
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

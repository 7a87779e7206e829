//! Pieces of Vortex files that stay in memory once they were read, least useful ones go first.
//!
//! Files never change under a name, so a piece is known by its file and place. On a local disk each piece that a scan
//! asks for is read by itself: reads are cheap there, and what lies between pieces is not wanted. From object storage
//! near pieces come in one request.

use super::blocks::NotedReads;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::metrics::Count;
use futures::FutureExt;
use futures::future::BoxFuture;
use moka::future::Cache;
use object_store::ObjectStore;
use object_store::path::Path;
use std::fmt;
use std::sync::Arc;
use vortex::array::buffer::BufferHandle;
use vortex::array::memory::MemorySessionExt;
use vortex::buffer::Alignment;
use vortex::error::VortexResult;
use vortex::io::object_store::ObjectStoreReadAt;
use vortex::io::session::RuntimeSessionExt;
use vortex::io::{CoalesceConfig, VortexReadAt};
use vortex::session::VortexSession;
use vortex_datafusion::reader::VortexReaderFactory;

/// A file, an offset in it and a length.
type Place = (Arc<str>, u64, usize);

/// Pieces of files by their places. Cloning it shares them.
#[derive(Clone)]
pub(super) struct SegmentCache {
    pieces: Cache<Place, BufferHandle>,
    /// Whether what is read is kept.
    keeps: bool,
}

impl SegmentCache {
    /// A cache of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |_: &Place, piece: &BufferHandle| u32::try_from(piece.len()).unwrap_or(u32::MAX);
        Self { pieces: Cache::builder().max_capacity(bytes).weigher(weigh).build(), keeps: true }
    }

    /// The same for reads after which a piece is not wanted again.
    pub(super) fn keeping_no_more(&self) -> Self {
        Self { keeps: false, ..self.clone() }
    }
}

impl fmt::Debug for SegmentCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentCache").field("bytes", &self.pieces.weighted_size()).finish_non_exhaustive()
    }
}

/// Makes readers of one partition of a scan.
#[derive(Debug)]
pub(super) struct CachedReaders {
    store: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    segments: SegmentCache,
    bytes: Count,
    reads: Arc<NotedReads>,
}

impl CachedReaders {
    /// Readers of a store at a URL; they count the bytes that they are asked for, and note where they are.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        url: ObjectStoreUrl,
        segments: SegmentCache,
        bytes: Count,
        reads: Arc<NotedReads>,
    ) -> Self {
        Self { store, url, segments, bytes, reads }
    }
}

impl VortexReaderFactory for CachedReaders {
    fn create_reader(&self, file: &PartitionedFile, session: &VortexSession) -> Result<Arc<dyn VortexReadAt>> {
        let (path, handle) = (file.object_meta.location.clone(), session.handle());
        let name = format!("{}{path}", self.url.as_str()).into();
        let (store, allocator) = (Arc::clone(&self.store), session.allocator());
        let inner = ObjectStoreReadAt::new_with_allocator(store, path.clone(), handle, allocator);
        let is_local = self.url.as_str().starts_with("file:");
        let (segments, bytes, reads) = (self.segments.clone(), self.bytes.clone(), Arc::clone(&self.reads));
        Ok(Arc::new(CachedReader { inner: Arc::new(inner), path, name, is_local, segments, bytes, reads }))
    }
}

/// Reads one file.
struct CachedReader {
    inner: Arc<ObjectStoreReadAt>,
    path: Path,
    name: Arc<str>,
    is_local: bool,
    segments: SegmentCache,
    bytes: Count,
    reads: Arc<NotedReads>,
}

impl VortexReadAt for CachedReader {
    fn uri(&self) -> Option<&Arc<str>> {
        self.inner.uri()
    }

    fn coalesce_config(&self) -> Option<CoalesceConfig> {
        if self.is_local { None } else { self.inner.coalesce_config() }
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    fn size(&self) -> BoxFuture<'static, VortexResult<u64>> {
        self.inner.size()
    }

    fn read_at(
        &self,
        offset: u64,
        length: usize,
        alignment: Alignment,
    ) -> BoxFuture<'static, VortexResult<BufferHandle>> {
        self.bytes.add(length);
        self.reads.note(&self.path, offset, length);
        let place = (Arc::clone(&self.name), offset, length);
        let (inner, segments) = (Arc::clone(&self.inner), self.segments.clone());
        async move {
            if let Some(piece) = segments.pieces.get(&place).await {
                return piece.ensure_aligned(alignment);
            }
            let piece = inner.read_at(offset, length, alignment).await?;
            if segments.keeps {
                segments.pieces.insert(place, piece.clone()).await;
            }
            Ok(piece)
        }
        .boxed()
    }
}

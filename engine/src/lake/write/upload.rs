//! The bytes of one file on their way, out of sight until published.
//!
//! On the local disk a file is staged under a name that no listing shows ([`LocalFile`]). On an object store parts of
//! a multipart upload go out as they fill, and the object appears when the upload is completed; a small file is held
//! and put at once, as long as the write holds no more than [`MAX_HELD_BYTES`] so.

use super::error::{io_error, store_error};
use super::local::{LocalFile, MadeFolders};
use crate::error::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// Bytes of a part. S3 takes at most 10,000 parts of at least 5 MiB, so a file may have 80 GiB; some stores want all
/// parts but the last of one size.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that are gathered before they are written to the local disk.
const LOCAL_CHUNK_BYTES: usize = 1024 * 1024;

/// Parts of one file that are under way at a time.
const PARTS_IN_FLIGHT: usize = 4;

/// Bytes of small files that one write holds in memory until it is committed.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// Where a write's files go; shared by its tasks.
pub(crate) struct Destination {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The folders made on the local disk, for a store that is the local disk.
    local: Option<Arc<MadeFolders>>,
    held_bytes: AtomicUsize,
    /// Objects that are there already.
    pub(super) existing: HashSet<Path>,
    /// Files on the local disk are synced before they get their names.
    pub(super) durable: bool,
    /// Owns the requests that clean up after a write that was dropped.
    pub(super) cleanup: TaskTracker,
    pub(super) runtime: Handle,
}

impl Destination {
    /// Must be called within a runtime.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, is_local: bool, cleanup: TaskTracker) -> Self {
        Self {
            store,
            local: is_local.then(Arc::default),
            held_bytes: AtomicUsize::new(0),
            existing: HashSet::new(),
            durable: false,
            cleanup,
            runtime: Handle::current(),
        }
    }

    /// The same where these objects are there already.
    pub(super) fn over(mut self, existing: &[Path]) -> Self {
        self.existing = existing.iter().cloned().collect();
        self
    }

    /// The same with files that outlive a power failure once they are published.
    pub(crate) fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Holds `bytes` more in memory if the limit allows.
    fn try_hold(&self, bytes: usize) -> bool {
        let grown = |held: usize| Some(held + bytes).filter(|sum| *sum <= MAX_HELD_BYTES);
        self.held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
    }
}

/// A file being written.
pub(crate) struct Upload {
    destination: Arc<Destination>,
    path: Path,
    buffer: Vec<u8>,
    size_bytes: u64,
    body: Body,
}

/// Where a file's bytes are.
pub(crate) enum Body {
    /// In memory, all of them.
    Held(Vec<u8>),
    /// On the local disk.
    Local(LocalFile),
    /// In parts of an object store's upload.
    Remote(RemoteUpload),
}

impl Upload {
    pub(crate) fn new(destination: Arc<Destination>, path: Path) -> Self {
        Self { destination, path, buffer: Vec::new(), size_bytes: 0, body: Body::Held(Vec::new()) }
    }

    /// Bytes taken in so far.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Bytes in memory that have not gone out.
    pub(super) fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Appends bytes; waits while too many parts are under way.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.size_bytes += bytes.len() as u64;
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
        if self.destination.local.is_some() {
            return if self.buffer.len() >= LOCAL_CHUNK_BYTES { self.send_chunk(false).await } else { Ok(()) };
        }
        while self.buffer.len() >= PART_BYTES {
            let rest = self.buffer.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.buffer, rest);
            self.send_part(part).await?;
        }
        Ok(())
    }

    /// Sends the rest and waits until all is out; the file still has no name.
    pub(crate) async fn close(mut self) -> Result<(Path, u64, Body)> {
        if self.destination.local.is_some() {
            self.send_chunk(true).await?;
        } else if matches!(self.body, Body::Held(_)) && self.destination.try_hold(self.buffer.len()) {
            self.body = Body::Held(std::mem::take(&mut self.buffer));
        } else {
            let rest = std::mem::take(&mut self.buffer);
            if !rest.is_empty() {
                self.send_part(rest).await?;
            }
            if let Body::Remote(upload) = &mut self.body {
                upload.wait_for_fewer_than(1).await?;
            }
        }
        Ok((self.path, self.size_bytes, self.body))
    }

    /// Writes the buffer to the local disk. The file travels into the blocking task and back, so that it is removed
    /// there if nobody waits for it any more.
    async fn send_chunk(&mut self, last: bool) -> Result<()> {
        let Some(folders) = &self.destination.local else {
            return Err(Error::internal("not a local file"));
        };
        let chunk = std::mem::take(&mut self.buffer);
        let (body, folders) = (std::mem::replace(&mut self.body, Body::Held(Vec::new())), Arc::clone(folders));
        let path = PathBuf::from("/").join(self.path.as_ref());
        let sync = last && self.destination.durable;
        // Held as long as the file is: when the write is dropped meanwhile, the file goes in this task.
        let token = self.destination.cleanup.token();
        let append = move || {
            let mut file = match body {
                Body::Local(file) => file,
                _ => LocalFile::create(path, folders)?,
            };
            file.append(&chunk)?;
            if sync {
                file.sync()?;
            }
            if last {
                file.close();
            }
            Ok::<_, std::io::Error>((file, token))
        };
        let appended = tokio::task::spawn_blocking(append).await;
        let file = appended.map_err(|e| Error::internal(format!("a writing task ended abnormally: {e}")))?;
        self.body = Body::Local(file.map_err(|e| io_error(&e, &self.path))?.0);
        Ok(())
    }

    async fn send_part(&mut self, part: Vec<u8>) -> Result<()> {
        if !matches!(self.body, Body::Remote(_)) {
            let upload = self.destination.store.put_multipart(&self.path).await;
            let upload = upload.map_err(|e| store_error(&e, &self.path))?;
            self.body = Body::Remote(RemoteUpload {
                path: self.path.clone(),
                upload: Some(upload),
                parts: JoinSet::new(),
                destination: Arc::clone(&self.destination),
            });
        }
        match &mut self.body {
            Body::Remote(upload) => upload.put_part(part).await,
            _ => Err(Error::internal("not an upload")),
        }
    }
}

/// A multipart upload. Dropping it before it is complete aborts it in the background.
pub(crate) struct RemoteUpload {
    path: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<object_store::Result<()>>,
    destination: Arc<Destination>,
}

impl RemoteUpload {
    async fn put_part(&mut self, part: Vec<u8>) -> Result<()> {
        self.wait_for_fewer_than(PARTS_IN_FLIGHT).await?;
        if let Some(upload) = &mut self.upload {
            self.parts.spawn(upload.put_part(PutPayload::from(part)));
        }
        Ok(())
    }

    async fn wait_for_fewer_than(&mut self, parts: usize) -> Result<()> {
        while self.parts.len() >= parts {
            match self.parts.join_next().await {
                None => break,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return Err(store_error(&error, &self.path)),
                Some(Err(error)) => return Err(Error::internal(format!("an upload ended abnormally: {error}"))),
            }
        }
        Ok(())
    }

    /// Makes the object appear.
    pub(super) async fn complete(mut self) -> Result<()> {
        self.wait_for_fewer_than(1).await?;
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(|e| store_error(&e, &self.path))?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for RemoteUpload {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let mut parts = std::mem::take(&mut self.parts);
        let path = self.path.clone();
        let abort = async move {
            parts.shutdown().await;
            if let Err(error) = upload.abort().await {
                tracing::warn!(%path, %error, "could not abort an upload; its parts stay until the bucket's lifecycle rule");
            }
        };
        self.destination.cleanup.spawn_on(abort, &self.destination.runtime);
    }
}

/// Checks a limit on file sizes against what multipart uploads can hold.
pub(crate) fn check_max_file_size(bytes: u64) -> Result<u64> {
    let most = 9_000 * PART_BYTES as u64;
    if (1..=most).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("maximum file size {bytes} is out of range: 1 to {most} bytes"),
        ))
    }
}

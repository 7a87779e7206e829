//! Making the files of a write visible, all or none.

use super::error::{io_error, store_error};
use super::local::LocalFile;
use super::upload::{Body, Destination};
use crate::error::Result;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Files that are being published at a time.
const PUBLISHED_AT_ONCE: usize = 16;

/// A file that is all written but not visible.
pub(crate) struct StagedFile {
    pub(crate) path: Path,
    pub(crate) size_bytes: u64,
    pub(crate) rows: u64,
    /// The partition's values and folder, for a partitioned table.
    pub(crate) partition: Option<Arc<(Vec<Option<String>>, Path)>>,
    pub(crate) body: Body,
}

/// The files of a write, all uploaded and none visible. Dropping it removes them.
#[must_use = "the files are removed unless they are committed"]
pub struct WrittenFiles {
    pub(crate) destination: Arc<Destination>,
    pub(crate) files: Vec<StagedFile>,
}

/// What a committed write left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows in all files.
    pub rows: u64,
    /// The files, ordered by path.
    pub files: Vec<WrittenFile>,
    /// The partitions that got rows, each with its values in the order of the keys and its folder.
    pub partitions: Vec<(Vec<Option<String>>, Path)>,
}

/// One file of a committed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Where it is in the store.
    pub path: Path,
    /// Its size.
    pub size_bytes: u64,
    /// How many rows it holds.
    pub rows: u64,
}

impl WrittenFiles {
    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Makes all files visible. If one cannot be, those that already are get removed again and the error is returned;
    /// the same happens if the future is dropped.
    pub async fn commit(self) -> Result<Written> {
        let written = describe(&self.files);
        let published = Published { destination: Arc::clone(&self.destination), files: Mutex::default() };
        let publishing = futures::stream::iter(self.files)
            .map(|file| publish(&published, file))
            .buffer_unordered(PUBLISHED_AT_ONCE)
            .try_collect::<()>();
        if let Err(error) = publishing.await {
            published.remove().await;
            return Err(error);
        }
        published.keep();
        Ok(written)
    }

    /// Removes all files; the same as dropping it.
    pub fn abort(self) {}
}

impl Written {
    /// Removes the files again, for a statement that fails after its files were committed. Errors are logged: they
    /// would hide the statement's own.
    pub async fn remove(self, store: &dyn ObjectStore) {
        remove(store, self.files.into_iter().map(|file| file.path).collect()).await;
    }
}

fn describe(staged: &[StagedFile]) -> Written {
    let mut files: Vec<_> = staged
        .iter()
        .map(|file| WrittenFile { path: file.path.clone(), size_bytes: file.size_bytes, rows: file.rows })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let partitions: BTreeMap<_, _> =
        staged.iter().filter_map(|file| file.partition.as_deref()).map(|(values, path)| (values, path)).collect();
    Written {
        rows: files.iter().map(|file| file.rows).sum(),
        files,
        partitions: partitions.into_iter().map(|(values, path)| (values.clone(), path.clone())).collect(),
    }
}

/// The files of a commit that are visible, or may be. Dropping it removes them.
struct Published {
    destination: Arc<Destination>,
    files: Mutex<(Vec<Path>, Vec<LocalFile>)>,
}

impl Published {
    fn take(&self) -> (Vec<Path>, Vec<LocalFile>) {
        std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes an object before it is made: whether a failed request made it cannot be known.
    fn note_remote(&self, path: &Path) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).0.push(path.clone());
    }

    fn note_local(&self, file: LocalFile) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).1.push(file);
    }

    fn keep(&self) {
        let (_, local) = self.take();
        local.into_iter().for_each(LocalFile::keep);
    }

    async fn remove(&self) {
        let (remote, local) = self.take();
        drop(local);
        remove(self.destination.store.as_ref(), remote).await;
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let (remote, local) = self.take();
        drop(local);
        if !remote.is_empty() {
            let store = Arc::clone(&self.destination.store);
            let cleanup = async move { remove(store.as_ref(), remote).await };
            self.destination.cleanup.spawn_on(cleanup, &self.destination.runtime);
        }
    }
}

async fn publish(published: &Published, file: StagedFile) -> Result<()> {
    // What a failed request would have replaced is still there, and not ours to remove.
    let is_new = !published.destination.existing.contains(&file.path);
    let replaced = |done: Result<()>| {
        if done.is_ok() && !is_new {
            published.note_remote(&file.path);
        }
        done
    };
    match file.body {
        Body::Held(bytes) => {
            if is_new {
                published.note_remote(&file.path);
            }
            let put = published.destination.store.put(&file.path, PutPayload::from(bytes)).await;
            replaced(put.map(|_| ()).map_err(|e| store_error(&e, &file.path)))
        }
        // A rename within a folder is quick enough to be done here, and so cannot outlive a dropped commit.
        Body::Local(mut local) => {
            let durable = published.destination.durable;
            let renamed = local.publish().and_then(|()| if durable { local.sync_folders() } else { Ok(()) });
            published.note_local(local);
            renamed.map_err(|e| io_error(&e, &file.path))
        }
        Body::Remote(upload) => {
            if is_new {
                published.note_remote(&file.path);
            }
            replaced(upload.complete().await)
        }
    }
}

async fn remove(store: &dyn ObjectStore, paths: Vec<Path>) {
    let deletions = paths.into_iter().map(|path| async move {
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(%path, %error, "could not remove a file of a write that was rolled back"),
        }
    });
    futures::stream::iter(deletions).buffer_unordered(PUBLISHED_AT_ONCE).collect::<()>().await;
}

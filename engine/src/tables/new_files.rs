//! Files that are written and that no manifest names yet.

use super::storage::TableStorage;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::path::PathBuf;
use tokio::runtime::Handle;

/// Files that a statement wrote: `T` is a list of data files or a delete file. Dropping it removes the files, unless
/// [`NewFiles::keep`] was called, which is to be done when the manifest's commit has returned.
#[must_use = "the files are removed unless they are kept"]
#[derive(Debug)]
pub struct NewFiles<T> {
    described: T,
    paths: Vec<Path>,
    protected: bool,
    storage: TableStorage,
    runtime: Handle,
}

impl<T> NewFiles<T> {
    /// Must be called within a runtime.
    pub(super) fn new(described: T, paths: Vec<Path>, storage: TableStorage) -> Self {
        Self { described, paths, protected: false, storage, runtime: Handle::current() }
    }

    /// What the manifest is to be told of the files.
    pub fn described(&self) -> &T {
        &self.described
    }

    /// Where the files are in the store.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Lets the files stay when this is dropped, or not: while a commit is under way that may name them.
    pub fn protect(&mut self, protected: bool) {
        self.protected = protected;
    }

    /// Lets the files stay.
    pub fn keep(mut self) -> T
    where
        T: Default,
    {
        self.paths.clear();
        std::mem::take(&mut self.described)
    }
}

impl<T> Drop for NewFiles<T> {
    fn drop(&mut self) {
        if self.protected {
            return;
        }
        let paths = std::mem::take(&mut self.paths);
        if self.storage.is_local() {
            for path in paths {
                let file = PathBuf::from("/").join(path.as_ref());
                if let Err(error) = std::fs::remove_file(&file) {
                    tracing::warn!(%path, %error, "could not remove a file of a write that was rolled back");
                }
            }
        } else if !paths.is_empty() {
            let store = self.storage.store.clone();
            let remove = async move {
                for path in paths {
                    if let Err(error) = store.delete(&path).await {
                        tracing::warn!(%path, %error, "could not remove a file of a write that was rolled back");
                    }
                }
            };
            self.storage.cleanup.spawn_on(remove, &self.runtime);
        }
    }
}

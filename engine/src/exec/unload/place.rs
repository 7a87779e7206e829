//! Where UNLOAD writes: a folder and what the files' names begin with.

use crate::error::{Error, Result};
use crate::lake::location::Location;
use crate::sql::Unload;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

/// Requests under way at a time.
const CONCURRENCY: usize = 16;

/// The target of an UNLOAD.
pub(super) struct Place {
    /// The target as it was written.
    pub(super) location: Location,
    /// Where the files go.
    pub(super) folder: Path,
    /// What their names begin with.
    pub(super) name: String,
}

impl Place {
    /// Everything behind the last `/` begins the files' names. With partitions, and in Athena, the target is a folder.
    pub(super) fn of(unload: &Unload) -> Result<Self> {
        let location = Location::literal(&unload.target)?;
        let whole = location.path().clone();
        if unload.target.ends_with('/') || !unload.partition_by.is_empty() || unload.athena || whole.is_root() {
            return Ok(Self { location, folder: whole, name: String::new() });
        }
        let parts: Vec<_> = whole.parts().collect();
        let name = parts.last().map(|part| part.as_ref().to_owned()).unwrap_or_default();
        let folder = parts[..parts.len() - 1].iter().cloned().collect();
        Ok(Self { location, folder, name })
    }

    /// The objects that the target's name begins.
    pub(super) async fn existing(&self, store: &dyn ObjectStore) -> Result<Vec<Path>> {
        let mut begins = self.folder.as_ref().to_owned();
        if !begins.is_empty() {
            begins.push('/');
        }
        begins.push_str(&self.name);
        let objects = store.list(Some(&self.folder)).map_err(Error::from).map_ok(|object| object.location);
        let wanted = objects.try_filter(|path| futures::future::ready(path.as_ref().starts_with(&begins)));
        wanted.try_collect().await
    }

    /// The URL of a file.
    pub(super) fn url(&self, path: &Path) -> String {
        self.location.url_of(path)
    }

    /// Writes the manifest beside the files.
    pub(super) async fn put_manifest(&self, store: &dyn ObjectStore, text: String) -> Result<()> {
        store.put(&self.manifest(), PutPayload::from(text)).await?;
        Ok(())
    }

    /// Where the manifest is.
    pub(super) fn manifest(&self) -> Path {
        self.folder.clone().join(format!("{}manifest", self.name))
    }
}

/// Removes objects.
pub(super) async fn remove(store: &dyn ObjectStore, paths: Vec<Path>) -> Result<()> {
    let deletions = paths.into_iter().map(|path| async move {
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::from(error)),
        }
    });
    stream::iter(deletions).buffer_unordered(CONCURRENCY).try_collect().await
}

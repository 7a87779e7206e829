//! Which files a load reads: those whose keys begin with the prefix, or those that a manifest names.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::location::Location;
use crate::lake::own_stores::OwnStores;
use crate::sql::Copy;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use std::sync::Arc;

/// Requests under way at a time.
const CONCURRENCY: usize = 16;

/// The largest manifest, in bytes.
const MOST_MANIFEST: u64 = 64 << 20;

/// A file to load.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: Location,
    pub(super) meta: ObjectMeta,
}

impl File {
    /// What messages call it.
    pub(super) fn url(&self) -> String {
        self.location.url_of(&self.meta.location)
    }
}

/// The files of a load, in the order of their paths, or the manifest's.
pub(super) type Files = Vec<File>;

#[derive(Deserialize)]
struct Manifest {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    url: String,
    #[serde(default)]
    mandatory: bool,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    content_length: Option<u64>,
}

/// Finds the files of a load.
///
/// # Errors
/// `UndefinedFile` when there are none, or a manifest's mandatory file is missing.
pub(super) async fn find(stores: &OwnStores, copy: &Copy) -> Result<Files> {
    let files = if copy.manifest { listed(stores, &copy.source).await? } else { below(stores, &copy.source).await? };
    if files.is_empty() {
        let message = format!("the specified S3 prefix or path \"{}\" does not exist", copy.source);
        return Err(Error::new(ErrorKind::UndefinedFile, message));
    }
    Ok(files)
}

/// The objects whose keys begin with a prefix: `s3://b/p/venue` takes `venue.txt`, `venue_1.txt` and `venue/x`.
async fn below(stores: &OwnStores, source: &str) -> Result<Files> {
    let location = Location::literal(source)?;
    let store = stores.open(&location).await?;
    let wrapped = |error: object_store::Error| Error::from(error);
    let whole = location.path();
    let folder = source.ends_with('/') || whole.is_root();
    let parent = if folder { whole.clone() } else { parent(whole) };
    let mut found: Vec<ObjectMeta> = Vec::new();
    // A file of just this name is what most loads name; a folder of many others beside it is not listed for it.
    if !folder
        && location.is_local()
        && let Ok(meta) = store.head(whole).await
    {
        found.push(meta);
    } else {
        let mut objects = store.list(Some(&parent));
        while let Some(object) = objects.try_next().await.map_err(wrapped)? {
            let path = object.location.as_ref();
            let below = path.strip_prefix(whole.as_ref()).unwrap_or_default();
            let wanted = path.starts_with(whole.as_ref()) && (!folder || whole.is_root() || below.starts_with('/'));
            let name = path.rsplit('/').next().unwrap_or_default();
            if wanted && object.size > 0 && !name.starts_with(['_', '.']) {
                found.push(object);
            }
        }
    }
    found.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(found.into_iter().map(|meta| File { store: Arc::clone(&store), location: location.clone(), meta }).collect())
}

fn parent(path: &Path) -> Path {
    let parts: Vec<_> = path.parts().collect();
    parts[..parts.len().saturating_sub(1)].iter().cloned().collect()
}

/// The files that a manifest names.
async fn listed(stores: &OwnStores, source: &str) -> Result<Files> {
    let bytes = read_small(stores, source, "manifest").await?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| {
        Error::new(ErrorKind::InvalidParameter, format!("manifest file \"{source}\" is not in correct json format"))
            .with_detail(e.to_string())
    })?;
    let files = stream::iter(manifest.entries).map(|entry| entry.file(stores, source)).buffered(CONCURRENCY);
    files.try_filter_map(|file| futures::future::ready(Ok(file))).try_collect().await
}

impl Entry {
    /// The file of an entry; `None` where it is missing and may be.
    async fn file(self, stores: &OwnStores, manifest: &str) -> Result<Option<File>> {
        let location = Location::literal(&self.url)?;
        let store = stores.open(&location).await?;
        match store.head(location.path()).await {
            Ok(meta) => {
                let length = self.meta.and_then(|meta| meta.content_length);
                if let Some(length) = length.filter(|length| *length != meta.size) {
                    let message = format!("file \"{}\" has {} bytes, its manifest says {length}", self.url, meta.size);
                    return Err(Error::new(ErrorKind::BadFile, message));
                }
                Ok(Some(File { store, location, meta }))
            }
            Err(object_store::Error::NotFound { .. }) if self.mandatory => {
                let message = format!("mandatory file \"{}\" of manifest \"{manifest}\" does not exist", self.url);
                Err(Error::new(ErrorKind::UndefinedFile, message))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A small file as a whole.
pub(super) async fn read_small(stores: &OwnStores, source: &str, what: &str) -> Result<Vec<u8>> {
    let location = Location::literal(source)?;
    let store = stores.open(&location).await?;
    let found = store.get(location.path()).await.map_err(|error| match error {
        object_store::Error::NotFound { .. } => {
            Error::new(ErrorKind::UndefinedFile, format!("{what} file \"{source}\" does not exist"))
        }
        error => error.into(),
    })?;
    if found.meta.size > MOST_MANIFEST {
        let message = format!("{what} file \"{source}\" is larger than {MOST_MANIFEST} bytes");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    Ok(found.bytes().await?.to_vec())
}

/// Refuses a load whose files changed while it read them. Text from an object store is one version of a file: its readers
/// ask for the one that was listed, so that only local files and those without a tag are looked at (`unguarded_only`).
///
/// # Errors
/// `Serialization`.
pub(super) async fn check_unchanged(files: &[File], unguarded_only: bool) -> Result<()> {
    let wanted: Vec<File> = files.iter().filter(|file| !unguarded_only || is_unguarded(file)).cloned().collect();
    let checks = wanted.into_iter().map(|file| async move {
        let now = file.store.head(&file.meta.location).await;
        // Some stores' listings tell no tags.
        let listed = &file.meta;
        let same = |now: ObjectMeta| now.size == listed.size && (listed.e_tag.is_none() || now.e_tag == listed.e_tag);
        if now.is_ok_and(same) {
            return Ok(());
        }
        let message = format!("file \"{}\" changed while it was loaded", file.url());
        Err(Error::new(ErrorKind::Serialization, message).with_hint("run the statement again"))
    });
    stream::iter(checks).buffer_unordered(CONCURRENCY).try_collect().await
}

/// Whether no tag makes each request for the file ask for what was listed.
fn is_unguarded(file: &File) -> bool {
    file.location.is_local() || file.meta.e_tag.is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lake::records::open_listed;
    use object_store::local::LocalFileSystem;

    #[tokio::test]
    async fn a_file_that_changed_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "1\n").unwrap();
        let location = Location::literal(path.to_str().unwrap()).unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        let meta = store.head(location.path()).await.unwrap();
        let files = [File { store, location, meta }];
        assert!(open_listed(&files[0].store, &files[0].meta, None).await.is_ok());
        assert_eq!(check_unchanged(&files, true).await, Ok(()));
        std::fs::write(&path, "1\n2\n").unwrap();
        let error = open_listed(&files[0].store, &files[0].meta, None).await.err().map(Error::from).unwrap();
        assert_eq!(error.sqlstate(), "40001", "{error}");
        let error = check_unchanged(&files, true).await.unwrap_err();
        assert!(error.message.ends_with("a.txt\" changed while it was loaded"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(check_unchanged(&files, true).await.is_err());
    }
}

//! Files that no manifest names: a killed process wrote them and never committed.
//!
//! Another process may be writing such files now, so only those go that are older than any transaction, and only those
//! that bear a name of ours: what users put beside them stays.

use super::storage::TableStorage;
use crate::error::Result;
use futures::TryStreamExt;
use millrace_catalog::Catalog;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Removes the orphans that are older than `age`; what prevents it is told to whoever reads the log.
pub(crate) async fn remove_orphans(storage: TableStorage, catalog: Arc<Catalog>, age: Duration) {
    match remove(&storage, &catalog, age).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed files that no manifest names"),
        Err(error) => tracing::warn!(%error, "could not look for files that no manifest names"),
    }
}

async fn remove(storage: &TableStorage, catalog: &Catalog, age: Duration) -> Result<usize> {
    // Listed before the manifest is read: a file that is committed meanwhile is known by then.
    let found = if storage.is_local() { local_files(storage, age).await? } else { remote_files(storage, age).await? };
    if found.is_empty() {
        return Ok(0);
    }
    let orphans = catalog.unknown_files(&found).await?;
    for path in &orphans {
        let place = format!("{}/{path}", storage.root);
        let removed = if storage.is_local() {
            tokio::fs::remove_file(PathBuf::from("/").join(&place)).await.map_err(|e| e.to_string())
        } else {
            storage.store.delete(&Path::from(place)).await.map_err(|e| e.to_string())
        };
        if let Err(error) = removed {
            tracing::warn!(path, error, "could not remove a file that no manifest names");
        }
    }
    Ok(orphans.len())
}

/// The old files of ours below the data path, relative to it; staged ones too, which the store does not list.
async fn local_files(storage: &TableStorage, age: Duration) -> Result<Vec<String>> {
    let root = PathBuf::from("/").join(storage.root.as_ref());
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        // A folder may go while we look.
        let Ok(mut entries) = tokio::fs::read_dir(&folder).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            if is_ours(&name.to_string_lossy()) {
                let modified = entry.metadata().await.and_then(|metadata| metadata.modified());
                let path = entry.path();
                let relative = path.strip_prefix(&root).ok().and_then(|path| path.to_str());
                if let (Ok(modified), Some(relative)) = (modified, relative)
                    && is_old(modified, age)
                {
                    found.push(relative.to_owned());
                }
            } else if entry.file_type().await.is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    Ok(found)
}

async fn remote_files(storage: &TableStorage, age: Duration) -> Result<Vec<String>> {
    let mut objects = storage.store.list(Some(&storage.root));
    let mut found = Vec::new();
    while let Some(object) = objects.try_next().await? {
        let ours = object.location.filename().is_some_and(is_ours) && is_old(object.last_modified.into(), age);
        let relative = object.location.as_ref().strip_prefix(storage.root.as_ref());
        found.extend(relative.filter(|_| ours).map(|path| path.trim_start_matches('/').to_owned()));
    }
    Ok(found)
}

/// A time in the future is not old: some clock is wrong.
fn is_old(modified: SystemTime, age: Duration) -> bool {
    SystemTime::now().duration_since(modified).is_ok_and(|passed| passed >= age)
}

/// `millrace-<UUID of version 7>.<extension>`, staged with `#` and digits behind it.
fn is_ours(name: &str) -> bool {
    let Some((uuid, extension)) = name.strip_prefix("millrace-").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let (extension, staged) = extension.split_once('#').unwrap_or((extension, "1"));
    uuid::Uuid::parse_str(uuid).is_ok_and(|uuid| uuid.get_version_num() == 7)
        && matches!(extension, "vortex" | "parquet" | "delete.parquet")
        && staged.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_ours_are_known_by_their_names() {
        // The example of version 7 in RFC 9562, A.6; the other is its example of version 4, A.3.
        let (ours, other) = ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "919108f7-52d1-4320-9bac-f847db4148a8");
        let cases = [
            (format!("millrace-{ours}.vortex"), true),
            (format!("millrace-{ours}.parquet#1"), true),
            (format!("millrace-{ours}.delete.parquet"), true),
            (format!("millrace-{other}.vortex"), false),
            (format!("ducklake-{ours}.parquet"), false),
            (format!("millrace-{ours}.csv"), false),
            (format!("millrace-{ours}.vortex#x"), false),
            (format!("millrace-{ours}"), false),
            ("millrace-.vortex".to_owned(), false),
            ("notes.txt".to_owned(), false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_ours(&name), expected, "{name}");
        }
    }
}

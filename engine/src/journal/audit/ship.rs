//! Files of audit logs on their way to a bucket.
//!
//! Lines go to files of the local disk first, for an object cannot be appended to; whatever is compressed there is put
//! into the bucket and then removed here. What a process that was killed left is taken up by the next that is opened.
//! A bucket that does not take a file is asked again, and until it does the failure stands ([`Shipper::failure`]).

use super::files::{self, compress};
use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A place in an object store.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// The store.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// What all keys begin with.
    pub(crate) prefix: Key,
}

/// What puts the files of a folder into a bucket.
#[derive(Debug)]
pub(super) struct Shipper {
    bucket: Bucket,
    folder: PathBuf,
    failure: Mutex<Option<String>>,
    waiting: AtomicU64,
}

impl Shipper {
    pub(super) fn new(bucket: Bucket, folder: PathBuf) -> Self {
        Self { bucket, folder, failure: Mutex::default(), waiting: AtomicU64::new(0) }
    }

    /// Why the last file could not be put, if none was since.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Files that were there and not put when it last looked.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Puts a small object, as Redshift does when a bucket is chosen: whether it takes any.
    pub(super) async fn check(&self, name: &str) {
        let key = self.bucket.prefix.clone().join(name);
        let put = self.bucket.store.put(&key, Bytes::from_static(b"Millrace writes audit logs here.\n").into()).await;
        self.note(put.map(drop).map_err(|error| error.to_string()));
    }

    /// Compresses what processes left that are gone.
    pub(super) fn take_up(&self) {
        for path in files::all(&self.folder) {
            let plain = path.extension().is_none_or(|end| end != "gz" && end != "partial");
            if plain
                && is_left(&path)
                && let Err(error) = compress(&path)
            {
                tracing::warn!(%error, path = %path.display(), "could not compress an audit log");
            }
        }
    }

    /// Puts all files that are compressed; the first that fails ends it.
    pub(super) async fn ship(&self) {
        let found = files::all(&self.folder);
        let mut left: Vec<PathBuf> =
            found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
        left.reverse();
        while let Some(path) = left.last() {
            self.waiting.store(left.len() as u64, Ordering::Relaxed);
            let put = self.put(path).await;
            let failed = put.is_err();
            self.note(put);
            if failed {
                return;
            }
            left.pop();
        }
        self.waiting.store(0, Ordering::Relaxed);
    }

    async fn put(&self, path: &Path) -> Result<(), String> {
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            // Another process put it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let relative = path.strip_prefix(&self.folder).unwrap_or(path);
        let parts = relative.iter().map(|part| part.to_string_lossy().into_owned());
        let key = parts.fold(self.bucket.prefix.clone(), Key::join);
        self.bucket.store.put(&key, bytes.into()).await.map_err(|error| error.to_string())?;
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn note(&self, outcome: Result<(), String>) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => *failure = None,
            Err(error) => {
                if failure.is_none() {
                    tracing::warn!(%error, "could not put an audit log into its bucket");
                }
                *failure = Some(error);
            }
        }
    }
}

/// Whether the process that wrote a file is gone; `false` where the system does not tell.
fn is_left(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // `account_redshift_region_cluster-PID_log_time`
    let process = name.rsplit('_').nth(2).and_then(|cluster| cluster.rsplit('-').next()).map(str::to_owned);
    let process = process.filter(|process| process.parse::<u32>().is_ok());
    let processes = Path::new("/proc");
    processes.join("self").exists() && process.is_some_and(|process| !processes.join(process).exists())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn what_is_compressed_goes_to_the_bucket_and_what_was_left_too() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let bucket = Bucket { store: Arc::clone(&store), prefix: Key::from("logs") };
        let shipper = Shipper::new(bucket, folder.path().to_owned());
        let day = folder.path().join("AWSLogs/2026");
        std::fs::create_dir_all(&day).unwrap();
        // A number that no process has; this process's own.
        let left = "000000000000_redshift_local_w-4294967295_userlog_2026-11-29T10:00";
        let open = format!("000000000000_redshift_local_w-{}_userlog_2026-11-29T10:00", std::process::id());
        for name in ["done.gz", "begun.gz.partial", left, &open] {
            std::fs::write(day.join(name), name).unwrap();
        }
        shipper.take_up();
        shipper.ship().await;
        assert_eq!((shipper.failure(), shipper.waiting()), (None, 0));
        let mut stay: Vec<String> = files::all(folder.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        stay.sort();
        assert_eq!(stay, [open.as_str(), "begun.gz.partial"]);
        let done = store.get(&Key::from("logs/AWSLogs/2026/done.gz")).await.unwrap().bytes().await.unwrap();
        assert_eq!(done, "done.gz");
        assert!(store.head(&Key::from(format!("logs/AWSLogs/2026/{left}.gz"))).await.is_ok());
    }
}

//! Whether anybody has committed to the catalog's file since it was asked last, without asking the database.
//!
//! Where the file has a write-ahead log, every commit of every process changes the header of the log's index, which
//! SQLite keeps in shared memory: the file beside the catalog's whose name ends in `-shm`
//! (<https://www.sqlite.org/walformat.html>, "The WAL-Index Header"). A header that is the same as before says that
//! nothing was committed; one that is not, or that is being written, says that the database must be asked.
//!
//! POSIX drops all locks that a process has on a file when it closes any descriptor of it, SQLite's locks too. So the file,
//! once opened, is never closed, and only a process that stays with one warehouse opens it.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of the header, which stands there twice.
const HEADER: usize = 48;
/// Where in it stands how many transactions have changed the database since the index was made: each adds one.
const CHANGES: usize = 8;
/// Where in it stands whether it holds anything.
const IS_INITIALIZED: usize = 12;

/// The header at some time, with the number of the index that it is of: while nobody has committed to a new log, its header
/// is as that of every other new one.
pub(super) type Mark = (u64, [u8; HEADER]);

/// Whether between two times one transaction was committed, and no other one.
pub(super) fn is_next(before: &Mark, after: &Mark) -> bool {
    let changes = |(_, header): &Mark| header[CHANGES..].first_chunk().map(|count| u32::from_ne_bytes(*count));
    let (Some(first), Some(second)) = (changes(before), changes(after)) else { return false };
    before.0 == after.0 && first.wrapping_add(1) == second
}

/// The index of a catalog's log.
pub(super) struct Commits {
    path: PathBuf,
    index: Mutex<Index>,
}

/// The file that is the index now, and how many there have been.
#[derive(Default)]
struct Index {
    file: Option<ManuallyDrop<File>>,
    number: u64,
}

impl Commits {
    /// Those of the catalog in a file.
    pub(super) fn of(catalog: &Path) -> Self {
        // It is beside the file itself, not beside a link to it.
        let mut path = catalog.canonicalize().unwrap_or_else(|_| catalog.to_owned()).into_os_string();
        path.push("-shm");
        Self { path: path.into(), index: Mutex::default() }
    }

    /// What stands for the commits up to now; `None` where only the database knows.
    pub(super) fn mark(&self) -> Option<Mark> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closes the database last removes the file.
        let is_there = |file: &ManuallyDrop<File>| file.metadata().is_ok_and(|found| found.nlink() > 0);
        if !index.file.as_ref().is_some_and(is_there) {
            index.file = Some(ManuallyDrop::new(File::open(&self.path).ok()?));
            index.number += 1;
        }
        let mut both = [0; 2 * HEADER];
        index.file.as_ref()?.read_exact_at(&mut both, 0).ok()?;
        let (first, second) = both.split_first_chunk::<HEADER>()?;
        (first == second && first[IS_INITIALIZED] != 0).then_some((index.number, *first))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::{Commits, is_next};
    use crate::model::Database;
    use crate::store::Catalog;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_commit_of_anybody_is_seen_and_none_costs_no_query() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let (one, other) = (Catalog::open(&path).await.unwrap(), Catalog::open(&path).await.unwrap());
        one.watch_commits().await.unwrap();
        for (at, committing) in [&one, &other, &one, &other].into_iter().enumerate() {
            let name = format!("d{at}");
            committing.create_database(&Database::new(&name), false).await.unwrap();
            let seen = one.snapshot().await.unwrap();
            assert!(seen.database(&name).is_some(), "{name}");
            assert!(Arc::ptr_eq(&seen, &one.snapshot().await.unwrap()));
            assert!(Arc::ptr_eq(&seen, &one.unchanged().unwrap()));
        }
    }

    /// One commit is told from two, whoever made them.
    #[tokio::test]
    async fn commits_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let (one, other) = (Catalog::open(&path).await.unwrap(), Catalog::open(&path).await.unwrap());
        one.create_database(&Database::new("first"), false).await.unwrap();
        let commits = Commits::of(&path);
        let mut marks = vec![commits.mark().unwrap()];
        for (at, committing) in [&one, &other, &other, &one].into_iter().enumerate() {
            committing.create_database(&Database::new(format!("d{at}")), false).await.unwrap();
            // Who only looks, or takes back what it began, changes nothing.
            other.snapshot().await.unwrap();
            assert!(one.create_database(&Database::new("first"), false).await.is_err());
            marks.push(commits.mark().unwrap());
        }
        for (before, first) in marks.iter().enumerate() {
            for (after, second) in marks.iter().enumerate() {
                assert_eq!(is_next(first, second), after == before + 1, "from {before} to {after}");
            }
        }
        let of_a_new_index = (marks[1].0 + 1, marks[1].1);
        assert!(!is_next(&marks[0], &of_a_new_index));
    }

    /// Where all have closed the database, its log begins anew.
    #[tokio::test]
    async fn a_new_log_is_told_from_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        Catalog::open(&path).await.unwrap().close().await;
        let commits = Commits::of(&path);
        let reader = Catalog::open(&path).await.unwrap();
        let before = commits.mark().unwrap();
        reader.close().await;
        let writer = Catalog::open(&path).await.unwrap();
        writer.create_database(&Database::new("d"), false).await.unwrap();
        writer.close().await;
        let reader = Catalog::open(&path).await.unwrap();
        assert_ne!(commits.mark().unwrap(), before);
        reader.close().await;
    }
}

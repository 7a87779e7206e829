//! Blocks of objects as files of a folder: found by object and number, the least recently used ones go first.
//!
//! A block's file has the block and, behind it, the size of the whole object: a file of another length was cut short and
//! counts as none. Two processes may use one folder: each bounds what it knows of, and a file that the other removed is a
//! miss.

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes of a block.
pub(super) const BLOCK: u64 = 1 << 20;

/// Bytes of the object's size behind a block.
const TRAILER: u64 = 8;

/// What a read makes of the length that is left when blocks have to go, so that they do not go one by one.
const KEPT_PERCENT: u64 = 90;

/// The blocks of a folder.
#[derive(Debug)]
pub(crate) struct Blocks {
    folder: PathBuf,
    limit_bytes: u64,
    index: Mutex<Index>,
    clock: AtomicU64,
}

#[derive(Debug, Default)]
struct Index {
    blocks: HashMap<PathBuf, Known>,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    bytes: u64,
    used: u64,
}

impl Blocks {
    /// The blocks that are in a folder, which is made when the first is kept. Reads the folder.
    pub(crate) fn open(folder: PathBuf, limit_bytes: u64) -> Self {
        let mut found = Vec::new();
        collect(&folder, &mut found);
        found.sort_by_key(|(_, _, modified)| *modified);
        let mut index = Index::default();
        for (used, (path, bytes, _)) in (0..).zip(found) {
            index.bytes += bytes;
            index.blocks.insert(path, Known { bytes, used });
        }
        let clock = AtomicU64::new(index.blocks.len() as u64);
        let blocks = Self { folder, limit_bytes, index: Mutex::new(index), clock };
        blocks.bound();
        blocks
    }

    /// A part of a block, in bytes from its beginning, and the object's size; `None` when the block is not there. A part
    /// that reaches over the object's end is cut.
    pub(super) fn read(&self, object: &ObjectPath, block: u64, part: Range<u64>) -> Option<(Bytes, u64)> {
        let path = self.path(object, block);
        let found = read(&path, block, part).ok()?;
        let mut index = self.lock();
        let Some((bytes, size)) = found else {
            forget(&mut index, &path);
            return None;
        };
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let stored = TRAILER + BLOCK.min(size - block * BLOCK);
        let known = index.blocks.entry(path).or_insert(Known { bytes: 0, used });
        known.used = used;
        let before = std::mem::replace(&mut known.bytes, stored);
        index.bytes += stored - before.min(stored);
        Some((bytes, size))
    }

    /// Keeps a block of an object of a size.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn keep(&self, object: &ObjectPath, block: u64, bytes: &[u8], size: u64) -> io::Result<()> {
        let path = self.path(object, block);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // Under another name first, so that nobody sees a part of it.
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let staged = path.with_extension(format!("{}-{used}.new", std::process::id()));
        let written = File::create(&staged).and_then(|mut file| {
            file.write_all(bytes)?;
            file.write_all(&size.to_le_bytes())?;
            fs::rename(&staged, &path)
        });
        if let Err(error) = written {
            // It may not have been made.
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        let stored = bytes.len() as u64 + TRAILER;
        let mut index = self.lock();
        index.bytes += stored;
        if let Some(before) = index.blocks.insert(path, Known { bytes: stored, used }) {
            index.bytes -= before.bytes;
        }
        drop(index);
        self.bound();
        Ok(())
    }

    /// How many bytes are kept.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Removes the blocks that were used least recently while there are too many.
    fn bound(&self) {
        let mut gone = Vec::new();
        {
            let mut index = self.lock();
            if index.bytes <= self.limit_bytes {
                return;
            }
            let mut by_use: Vec<(u64, PathBuf)> =
                index.blocks.iter().map(|(path, known)| (known.used, path.clone())).collect();
            by_use.sort_unstable();
            let kept = self.limit_bytes / 100 * KEPT_PERCENT;
            for (_, path) in by_use {
                if index.bytes <= kept {
                    break;
                }
                forget(&mut index, &path);
                gone.push(path);
            }
        }
        for path in gone {
            // Another process may have removed it; a folder goes with its last block.
            let _ = fs::remove_file(&path);
            let _ = path.parent().map(fs::remove_dir);
        }
    }

    fn path(&self, object: &ObjectPath, block: u64) -> PathBuf {
        let mut path = self.folder.clone();
        // Parts of an object's path are neither empty nor `..`.
        path.extend(object.parts().map(|part| part.as_ref().to_owned()));
        path.push(block.to_string());
        path
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(index: &mut Index, path: &Path) {
    if let Some(known) = index.blocks.remove(path) {
        index.bytes -= known.bytes;
    }
}

/// A part of a block's file and the object's size; `None` for a file that is none.
fn read(path: &Path, block: u64, part: Range<u64>) -> io::Result<Option<(Bytes, u64)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length <= TRAILER {
        return Ok(None);
    }
    let mut size = [0; 8];
    file.seek(SeekFrom::Start(length - TRAILER))?;
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    let begin = block.saturating_mul(BLOCK);
    if size <= begin || length - TRAILER != BLOCK.min(size - begin) {
        return Ok(None);
    }
    let end = part.end.min(length - TRAILER);
    let start = part.start.min(end);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or_default()];
    file.read_exact(&mut bytes)?;
    Ok(Some((bytes.into(), size)))
}

/// The blocks' files below a folder, with bytes and time.
fn collect(folder: &Path, found: &mut Vec<(PathBuf, u64, std::time::SystemTime)>) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // No folder, no blocks.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(path);
            } else if path.extension().is_some() {
                // What a process was writing when it ended.
                let _ = fs::remove_file(&path);
            } else {
                let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
                found.push((path, metadata.len(), modified));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_kept_until_others_need_the_room() {
        let folder = tempfile::tempdir().unwrap();
        let blocks = Blocks::open(folder.path().join("cache"), 3 * (BLOCK + TRAILER));
        let object = ObjectPath::from("tables/t/a.vortex");
        let size = 4 * BLOCK + 100;
        let full = vec![7; BLOCK as usize];
        assert_eq!(blocks.read(&object, 0, 0..10), None);
        for number in 0..3 {
            blocks.keep(&object, number, &full, size).unwrap();
        }
        assert_eq!(blocks.read(&object, 1, 5..8), Some((vec![7; 3].into(), size)));
        assert_eq!(blocks.read(&object, 0, BLOCK - 1..BLOCK + 9).unwrap().0.len(), 1);
        // The third was used least recently.
        blocks.keep(&object, 4, &[1; 100], size).unwrap();
        assert_eq!(blocks.read(&object, 2, 0..1), None);
        assert_eq!(blocks.read(&object, 4, 90..200), Some((vec![1; 10].into(), size)));
        assert!(blocks.bytes() <= 3 * (BLOCK + TRAILER));
        // They outlive the process; one that was cut short counts as none.
        let path = blocks.path(&object, 4);
        fs::write(&path, [1; 50]).unwrap();
        let again = Blocks::open(folder.path().join("cache"), 3 * (BLOCK + TRAILER));
        assert_eq!(again.read(&object, 4, 0..1), None);
        assert_eq!(again.read(&object, 1, 0..1), Some((vec![7].into(), size)));
        // With a smaller bound some go at once.
        assert!(Blocks::open(folder.path().join("cache"), BLOCK).bytes() <= BLOCK);
    }
}

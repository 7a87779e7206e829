//! The files of a log: the one that is written, and those before it, compressed.
//!
//! `AWSLogs/000000000000/redshift/local/2022/11/21/000000000000_redshift_local_warehouse-7_userlog_2022-11-21T20:07.gz`:
//! Redshift's names, with an account of zeros, the region `local`, and the warehouse's name and the process's number for
//! the cluster's, so that processes do not share a file.

use chrono::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The account that no account is.
const ACCOUNT: &str = "000000000000";
/// The region of a warehouse that is in none.
const REGION: &str = "local";

/// The file of a log that is written.
#[derive(Debug)]
pub(super) struct LogFile {
    directory: PathBuf,
    cluster: String,
    log: &'static str,
    rotate_after: Duration,
    rotate_bytes: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    since: Instant,
    bytes: u64,
}

impl LogFile {
    pub(super) fn new(
        directory: PathBuf,
        cluster: &str,
        log: &'static str,
        (rotate_after, rotate_bytes): (Duration, u64),
    ) -> Self {
        // A name has no characters that a path or a bucket's key would take for others.
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '-' };
        let cluster = format!("{}-{}", cluster.chars().map(plain).collect::<String>(), std::process::id());
        Self { directory, cluster, log, rotate_after, rotate_bytes, open: None }
    }

    /// Appends a line, to a new file where the one before is full or old; of an empty one only a file is made.
    ///
    /// # Errors
    /// What the file system says; the next line tries anew.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        let ended = |open: &Open| open.bytes >= self.rotate_bytes || open.since.elapsed() >= self.rotate_after;
        if self.open.as_ref().is_some_and(ended)
            && let Some(open) = self.open.take()
        {
            compress_later(open);
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        if !line.is_empty() {
            // In one write, so that a line is whole or not there.
            let line = format!("{line}\n");
            open.file.write_all(line.as_bytes())?;
            open.bytes += line.len() as u64;
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends the file, and compresses it here and now.
    pub(super) fn end(&mut self) {
        if let Some(Open { file, path, bytes, .. }) = self.open.take() {
            drop(file);
            finish(&path, bytes);
        }
    }

    /// Ends a file with lines that is old, although nothing comes after them.
    pub(super) fn end_if_old(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.bytes > 0 && open.since.elapsed() >= self.rotate_after)
            && let Some(open) = self.open.take()
        {
            compress_later(open);
        }
    }

    fn begin(&self) -> io::Result<Open> {
        let now = Utc::now();
        let folder = self.directory.join("AWSLogs").join(ACCOUNT).join("redshift").join(REGION);
        let folder = folder.join(now.format("%Y/%m/%d").to_string());
        fs::create_dir_all(&folder)?;
        let name =
            format!("{ACCOUNT}_redshift_{REGION}_{}_{}_{}", self.cluster, self.log, now.format("%Y-%m-%dT%H:%M"));
        // Several files of one minute are told apart by a number.
        for number in 0_u32.. {
            let number = if number == 0 { String::new() } else { format!("-{number}") };
            let path = folder.join(format!("{name}{number}"));
            if folder.join(format!("{name}{number}.gz")).exists() {
                continue;
            }
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Open { file, path, since: Instant::now(), bytes: 0 }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no name is left for a log"))
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.end();
    }
}

/// Compresses a file that is no longer written, on a thread of its own.
fn compress_later(Open { file, path, bytes, .. }: Open) {
    drop(file);
    let name = "audit log".to_owned();
    let here = path.clone();
    if std::thread::Builder::new().name(name).spawn(move || finish(&path, bytes)).is_err() {
        finish(&here, bytes);
    }
}

/// Compresses a file, or removes one that has nothing; one that cannot be compressed stays as it is.
fn finish(path: &Path, bytes: u64) {
    let done = if bytes == 0 { fs::remove_file(path) } else { compress(path) };
    if let Err(error) = done {
        tracing::warn!(%error, path = %path.display(), "could not compress an audit log");
    }
}

pub(super) fn compress(path: &Path) -> io::Result<()> {
    let mut target = path.as_os_str().to_owned();
    target.push(".gz");
    let mut partial = target.clone();
    partial.push(".partial");
    let mut encoder = GzEncoder::new(File::create(&partial)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&partial, &target)?;
    fs::remove_file(path)
}

/// All files below a folder, in the order of their names.
pub(super) fn all(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.flat_map(|path| if path.is_dir() { all(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn full_files_are_compressed_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let limits = (Duration::from_hours(1), 10);
        let mut log = LogFile::new(folder.path().to_owned(), "my/ware house", "userlog", limits);
        for line in ["first line", "second line", "third line"] {
            log.append(line).unwrap();
        }
        drop(log);
        let compressed = |path: &PathBuf| path.extension().is_some_and(|end| end == "gz");
        let mut files = all(folder.path());
        for _ in 0..500 {
            if files.len() == 3 && files.iter().all(compressed) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            files = all(folder.path());
        }
        let mut text = String::new();
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("000000000000_redshift_local_my-ware-house-"), "{name}");
            GzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
        }
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["first line", "second line", "third line"]);
    }
}

//! A target's folders, listed once: what is in each, and which of its files to open.
//!
//! Folders are listed one by one, many at a time: a store gives the pages of one folder in order only, but different
//! folders' at once. Of a folder's files only counts and the sample are kept. What is no data is left out as in
//! [`crate::lake::listing`]: hidden names, empty objects, the markers of Hadoop's file systems. A folder that cannot be
//! read is told and left out, and the rest goes on; any other failure of a store ends the crawl, since what was not
//! listed must not look as if it were gone.

mod exclude;
mod local;
mod sample;

#[cfg(test)]
mod tests;

use self::exclude::Exclusions;
use super::{Folder, Skipped, Tree};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::listing::{Listings, relative};
use crate::lake::location::Location;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use millrace_catalog::model::CrawlerTarget;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many folders are listed at the same time.
const CONCURRENT_LISTINGS: usize = 16;
/// How deep folders may lie below the target.
const MOST_DEPTH: usize = 64;
/// How many folders a target may have.
const MOST_FOLDERS: usize = 1_000_000;
/// How many of the things left out are told one by one.
const MOST_SKIPPED: usize = 1_000;

/// Counts what is listed while it is, for progress.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Checks an exclusion before any target is listed with it.
///
/// # Errors
/// `InvalidParameter` for a pattern that is none.
pub(crate) fn check_exclusion(glob: &str) -> Result<()> {
    Exclusions::new(&[glob.to_owned()]).map(drop)
}

/// Whether a target's patterns leave a name out.
///
/// # Errors
/// `InvalidParameter` for a pattern that is none.
pub(crate) fn exclusions(globs: &[String]) -> Result<impl Fn(&str) -> bool + use<>> {
    let exclusions = Exclusions::new(globs)?;
    Ok(move |name: &str| exclusions.exclude(name))
}

/// Lists a target, its folders in parallel, each object once.
///
/// The target is a folder or one file; `*`, `?`, `[` and `{` in it stand for themselves. A prefix of a bucket that
/// holds nothing is an empty tree that says so, a local folder that is not there an error: what it held may be on a
/// disk that is not mounted.
///
/// # Errors
/// When the target's own place cannot be listed, or a store fails otherwise than by denying a folder.
pub(crate) async fn list(listings: &Listings, target: &CrawlerTarget, listed: &Listed) -> Result<Tree> {
    let location = Location::literal(&target.path)?;
    let exclusions = Exclusions::new(&target.exclusions)?;
    let store = listings.stores().open(&location).await?;
    let mut walk = Walk {
        location: &location,
        exclusions,
        target,
        listed,
        nodes: Vec::new(),
        skipped: Vec::new(),
        unreadable: Vec::new(),
        more: 0,
    };
    if let Some(file) = single_file(store.as_ref(), &location).await? {
        let mut found = Found::default();
        found.files.push(file);
        let root = walk.folder(String::new(), found, location.path());
        let (skipped, unreadable) = walk.told();
        return Ok(Tree { location, root, skipped, unreadable });
    }
    let root = walk.run(&store).await?;
    if root.file_count == 0 && root.folders.is_empty() {
        walk.tell(location.url(), "nothing but empty, hidden or excluded files is there".to_owned());
    }
    let (skipped, unreadable) = walk.told();
    Ok(Tree { location, root, skipped, unreadable })
}

/// The target where it is one object.
async fn single_file(store: &dyn ObjectStore, location: &Location) -> Result<Option<ObjectMeta>> {
    if location.path().is_root() || (location.is_local() && local::is_folder(location.path())) {
        return Ok(None);
    }
    match store.head(location.path()).await {
        Ok(object) if object.size > 0 => Ok(Some(object)),
        // An object that marks the prefix as a folder.
        Ok(_) => Ok(None),
        Err(object_store::Error::NotFound { .. }) if !location.is_local() => Ok(None),
        // Who may list a prefix need not be allowed to look at an object of its name.
        Err(error) => match Error::from(error) {
            error if error.kind == ErrorKind::InsufficientPrivilege && !location.is_local() => Ok(None),
            error => Err(error),
        },
    }
}

/// What is directly in a folder.
#[derive(Debug, Default)]
struct Found {
    files: Vec<ObjectMeta>,
    folders: Vec<Below>,
    skipped: Vec<Skipped>,
}

/// A folder to list.
#[derive(Debug)]
struct Below {
    path: Path,
    /// The real places that led to it, where it is on the local file system.
    trail: local::Trail,
}

/// A folder that is being listed or has been.
struct Node {
    parent: Option<usize>,
    depth: usize,
    folder: Folder,
}

struct Walk<'a> {
    location: &'a Location,
    exclusions: Exclusions,
    target: &'a CrawlerTarget,
    listed: &'a Listed,
    nodes: Vec<Node>,
    skipped: Vec<Skipped>,
    /// What of it may hold data.
    unreadable: Vec<String>,
    /// How many more were skipped than `skipped` holds.
    more: usize,
}

impl Walk<'_> {
    async fn run(&mut self, store: &Arc<dyn ObjectStore>) -> Result<Folder> {
        let is_local = self.location.is_local();
        let root = self.location.path().clone();
        let trail = if is_local { local::Trail::new(&root)? } else { local::Trail::default() };
        let mut waiting = VecDeque::from([(0, Below { path: root, trail })]);
        self.nodes.push(Node { parent: None, depth: 0, folder: Folder::default() });
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CONCURRENT_LISTINGS
                && let Some((at, below)) = waiting.pop_front()
            {
                let store = Arc::clone(store);
                let base = self.location.clone();
                running.push(async move {
                    let path = below.path.clone();
                    (at, path, list_folder(store.as_ref(), &base, below).await)
                });
            }
            let Some((at, path, found)) = running.next().await else { break };
            match found {
                Ok(found) => self.enter(at, &path, found, &mut waiting),
                Err(error) if at > 0 && error.kind == ErrorKind::InsufficientPrivilege => {
                    self.skip(self.location.url_of(&path), format!("the folder cannot be listed: {}", told(&error)));
                }
                // Removed since its parent was listed.
                Err(error) if at > 0 && error.kind == ErrorKind::UndefinedFile => {}
                Err(error) => {
                    let detail = format!(
                        "listing {}: {}",
                        self.location.url_of(&path),
                        error.detail.clone().unwrap_or_default()
                    );
                    return Err(error.with_detail(detail));
                }
            }
        }
        Ok(self.assemble())
    }

    /// Takes in what a folder holds and puts the folders in it on the list.
    fn enter(&mut self, at: usize, path: &Path, mut found: Found, waiting: &mut VecDeque<(usize, Below)>) {
        for Skipped { url, reason } in std::mem::take(&mut found.skipped) {
            self.skip(url, reason);
        }
        let depth = self.nodes[at].depth + 1;
        for below in std::mem::take(&mut found.folders) {
            let name = below.path.filename().unwrap_or_default().to_owned();
            let inner = relative(&below.path, self.location.path()).unwrap_or_default();
            if name.is_empty() || name.starts_with(['_', '.']) || self.exclusions.exclude_folder(&inner) {
                continue;
            }
            if depth > MOST_DEPTH || self.nodes.len() >= MOST_FOLDERS {
                let limit = if depth > MOST_DEPTH { MOST_DEPTH } else { MOST_FOLDERS };
                let what = if depth > MOST_DEPTH { "levels of folders" } else { "folders" };
                self.skip(self.location.url_of(&below.path), format!("the target has more than {limit} {what}"));
                continue;
            }
            let folder = Folder { name, ..Folder::default() };
            self.nodes.push(Node { parent: Some(at), depth, folder });
            waiting.push_back((self.nodes.len() - 1, below));
        }
        let name = std::mem::take(&mut self.nodes[at].folder.name);
        self.nodes[at].folder = self.folder(name, found, path);
    }

    /// Counts and sample of a folder's own files.
    fn folder(&mut self, name: String, found: Found, path: &Path) -> Folder {
        let base = self.location.path().clone();
        let mut empty = 0_u64;
        let mut files = found.files;
        files.retain(|file| {
            let name = file.location.filename().unwrap_or_default();
            // The target itself has no path below the target; its own name can be excluded.
            let inner = relative(&file.location, &base).unwrap_or_else(|| name.to_owned());
            if name.starts_with(['_', '.']) || name.ends_with("$folder$") || self.exclusions.exclude(&inner) {
                return false;
            }
            empty += u64::from(file.size == 0);
            file.size > 0
        });
        let size_bytes = files.iter().map(|file| file.size).sum();
        self.listed.files.fetch_add(files.len() as u64, Ordering::Relaxed);
        self.listed.bytes.fetch_add(size_bytes, Ordering::Relaxed);
        if empty > 0 {
            let files = if empty == 1 { "1 empty file was".to_owned() } else { format!("{empty} empty files were") };
            self.tell(self.location.url_of(path), format!("{files} left out"));
        }
        Folder {
            name,
            file_count: files.len() as u64,
            size_bytes,
            modified_ms: files.iter().map(|file| file.last_modified.timestamp_millis()).max().unwrap_or_default(),
            sample: sample::choose(files, self.target.sample_size),
            folders: Vec::new(),
        }
    }

    /// The folders in one another, those without anything left out.
    fn assemble(&mut self) -> Folder {
        let mut nodes = std::mem::take(&mut self.nodes);
        while nodes.len() > 1 {
            let Some(Node { parent, mut folder, .. }) = nodes.pop() else { break };
            folder.folders.sort_by(|a, b| a.name.cmp(&b.name));
            // A folder stands behind the one it is in.
            if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent))
                && (folder.file_count > 0 || !folder.folders.is_empty())
            {
                parent.folder.folders.push(folder);
            }
        }
        let mut root = nodes.pop().map(|node| node.folder).unwrap_or_default();
        root.folders.sort_by(|a, b| a.name.cmp(&b.name));
        root
    }

    /// Leaves out what may hold data.
    fn skip(&mut self, url: String, reason: String) {
        if self.unreadable.len() < MOST_SKIPPED {
            self.unreadable.push(url.clone());
        } else {
            // Too many to tell apart: the target as a whole stands for them.
            self.unreadable = vec![self.location.url()];
        }
        self.tell(url, reason);
    }

    fn tell(&mut self, url: String, reason: String) {
        if self.skipped.len() < MOST_SKIPPED {
            self.skipped.push(Skipped { url, reason });
        } else {
            self.more += 1;
        }
    }

    /// What was skipped, ordered, with the count of what is not told one by one, and where data may be.
    fn told(&mut self) -> (Vec<Skipped>, Vec<String>) {
        let mut skipped = std::mem::take(&mut self.skipped);
        skipped.sort_by(|a, b| (&a.url, &a.reason).cmp(&(&b.url, &b.reason)));
        if self.more > 0 {
            let reason = format!("{} more folders or links were left out for reasons like these", self.more);
            skipped.push(Skipped { url: self.location.url(), reason });
        }
        (skipped, std::mem::take(&mut self.unreadable))
    }
}

async fn list_folder(store: &dyn ObjectStore, base: &Location, below: Below) -> Result<Found> {
    if base.is_local() {
        let base = base.clone();
        return tokio::task::spawn_blocking(move || local::list(&base, &below))
            .await
            .map_err(|e| Error::internal(format!("listing a folder failed: {e}")))?;
    }
    let listed = store.list_with_delimiter(Some(&below.path)).await?;
    let folders = listed.common_prefixes.into_iter().map(|path| Below { path, trail: local::Trail::default() });
    Ok(Found { files: listed.objects, folders: folders.collect(), skipped: Vec::new() })
}

/// An error in one line.
pub(super) fn told(error: &Error) -> String {
    match &error.detail {
        Some(detail) => format!("{}: {detail}", error.message),
        None => error.message.clone(),
    }
}

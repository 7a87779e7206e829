//! What files are at a place: listings, hidden names left out, kept for a moment within a limit.
//!
//! Follows Hive: names that begin with `_` or `.`, at any depth below the place, and empty objects are not data.
//! A listing is kept no longer than the time to live that the warehouse was opened with (`listing_ttl_ms`), by default
//! not at all, so that another program's file is seen at once; our own writes forget the places they touch. What is
//! read of a file is kept by its size, time and entity tag (`statistics`, DataFusion's cache of footers).

use super::location::Location;
use super::stores::Stores;
use crate::error::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many objects all kept listings may hold together.
const MOST_OBJECTS: usize = 1_000_000;

/// How long a listing is believed: not at all unless told otherwise, since stores do not tell of other programs' files.
pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::ZERO;

/// Lists places and remembers what it saw.
#[derive(Debug)]
pub struct Listings {
    stores: Arc<Stores>,
    time_to_live: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    objects: usize,
    by_url: HashMap<String, (Instant, Arc<Vec<ObjectMeta>>)>,
}

impl Listings {
    /// Listings of these stores; a time to live of zero keeps none.
    pub fn new(stores: Arc<Stores>, time_to_live: Duration) -> Self {
        Self { stores, time_to_live, kept: Mutex::default() }
    }

    /// The stores that are listed.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The data files at a folder, an object or a glob, ordered by path. Nothing there is an empty list, as in Athena.
    pub async fn files(&self, location: &Location) -> Result<Arc<Vec<ObjectMeta>>> {
        let url = location.to_string();
        if let Some(known) = self.known(&url) {
            return Ok(known);
        }
        let store = self.stores.open(location).await?;
        let mut files = match location.glob() {
            Some(glob) => list_glob(store.as_ref(), location, glob).await?,
            None => list_folder(store.as_ref(), location).await?,
        };
        files.sort_by(|a, b| a.location.cmp(&b.location));
        let files = Arc::new(files);
        self.keep(url, &files);
        Ok(files)
    }

    /// The folders below a place that hold data files, as paths relative to it (`year=2013/month=01`), each once.
    pub async fn folders(&self, location: &Location) -> Result<std::collections::BTreeSet<String>> {
        let store = self.stores.open(location).await?;
        let mut objects = store.list(Some(location.path()));
        let mut folders = std::collections::BTreeSet::new();
        let mut last = String::new();
        while let Some(object) = objects.try_next().await.map_err(|e| failed(location, e))? {
            let Some(relative) = relative(&object.location, location.path()) else { continue };
            let folder = relative.rsplit_once('/').map_or("", |(folder, _)| folder);
            if folder != last && !is_hidden(&relative) {
                folder.clone_into(&mut last);
                folders.insert(last.clone());
            }
        }
        Ok(folders)
    }

    /// Forgets what was seen at places that begin with this URL.
    pub fn forget(&self, url: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_url.retain(|known, _| !known.starts_with(url) && !url.starts_with(known.as_str()));
        kept.objects = kept.by_url.values().map(|(_, files)| files.len()).sum();
    }

    fn known(&self, url: &str) -> Option<Arc<Vec<ObjectMeta>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_url.get(url).filter(|(seen, _)| seen.elapsed() < self.time_to_live).map(|(_, files)| Arc::clone(files))
    }

    fn keep(&self, url: String, files: &Arc<Vec<ObjectMeta>>) {
        if self.time_to_live.is_zero() || files.len() > MOST_OBJECTS {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.objects + files.len() > MOST_OBJECTS || kept.by_url.len() > MOST_OBJECTS / 10 {
            let time_to_live = self.time_to_live;
            kept.by_url.retain(|_, (seen, _)| seen.elapsed() < time_to_live);
            kept.objects = kept.by_url.values().map(|(_, files)| files.len()).sum();
            if kept.objects + files.len() > MOST_OBJECTS {
                *kept = Kept::default();
            }
        }
        if let Some((_, old)) = kept.by_url.insert(url, (Instant::now(), Arc::clone(files))) {
            kept.objects -= old.len();
        }
        kept.objects += files.len();
    }
}

async fn list_folder(store: &dyn ObjectStore, location: &Location) -> Result<Vec<ObjectMeta>> {
    let files: Vec<ObjectMeta> = store
        .list(Some(location.path()))
        .try_filter(|object| {
            let data = object.size > 0
                && relative(&object.location, location.path()).is_some_and(|relative| !is_hidden(&relative));
            futures::future::ready(data)
        })
        .try_collect()
        .await
        .map_err(|e| failed(location, e))?;
    if !files.is_empty() || location.path().is_root() {
        return Ok(files);
    }
    match store.head(location.path()).await {
        Ok(object) if object.size > 0 => Ok(vec![object]),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(files),
        Err(_) if location.is_local() => Ok(files),
        Err(error) => Err(failed(location, error)),
    }
}

async fn list_glob(store: &dyn ObjectStore, location: &Location, glob: &str) -> Result<Vec<ObjectMeta>> {
    let pattern = glob::Pattern::new(glob)
        .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("pattern \"{location}\" is invalid: {e}")))?;
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let below = format!("{glob}/**");
    let folders = glob::Pattern::new(&below).ok();
    store
        .list(Some(location.path()))
        .map_err(|e| failed(location, e))
        .try_filter(|object| {
            let path = object.location.as_ref();
            let matched = pattern.matches_with(path, options)
                || folders.as_ref().is_some_and(|folders| folders.matches_with(path, options));
            let hidden = relative(&object.location, location.path()).is_none_or(|relative| is_hidden(&relative));
            futures::future::ready(matched && !hidden && object.size > 0)
        })
        .try_collect()
        .await
}

/// An object's path below a folder; `None` for one that is not below it.
pub(crate) fn relative(object: &Path, folder: &Path) -> Option<String> {
    let mut rest = object.prefix_match(folder)?.peekable();
    rest.peek()?;
    Some(rest.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
}

fn is_hidden(relative: &str) -> bool {
    relative.split('/').any(|name| name.starts_with(['_', '.']))
}

fn failed(location: &Location, error: object_store::Error) -> Error {
    let error = Error::from(error);
    let place = format!("listing {location}");
    match error.detail.clone() {
        Some(detail) => error.with_detail(format!("{place}: {detail}")),
        None => error.with_detail(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_at_any_depth_below_the_place() {
        assert!(is_hidden("_temporary/x.parquet") && is_hidden("a/.x") && is_hidden("_SUCCESS"));
        assert!(!is_hidden("a_b/c.d/x.parquet"));
    }

    #[test]
    fn relative_paths() {
        let folder = Path::from("lake/t");
        assert_eq!(relative(&Path::from("lake/t/a/x"), &folder).as_deref(), Some("a/x"));
        assert_eq!(relative(&Path::from("lake/t2/x"), &folder), None);
        assert_eq!(relative(&folder, &folder), None);
    }
}

//! One folder of the local file system.
//!
//! object_store's own listing follows links without an end and fails as a whole where a link leads in a circle; here
//! such a link is told and left out. A link to a folder is followed unless it leads to a folder that it is in itself.

use super::{Below, Found};
use crate::crawl::Skipped;
use crate::error::{Error, Result};
use crate::lake::location::Location;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The real places from the target to a folder: its own last, before it each one from which a link was followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Arc<Vec<PathBuf>>);

impl Trail {
    /// Where a target really is.
    pub(super) fn new(target: &Path) -> Result<Self> {
        Ok(Self(Arc::new(vec![std::fs::canonicalize(on_disk(target))?])))
    }

    fn folder(&self, name: &std::ffi::OsStr) -> Self {
        let mut places = self.0.as_ref().clone();
        if let Some(last) = places.last_mut() {
            last.push(name);
        }
        Self(Arc::new(places))
    }

    /// The trail through a link; `None` when it leads back to a folder that it is in.
    fn link(&self, real: PathBuf) -> Option<Self> {
        if self.0.iter().any(|place| place.starts_with(&real)) {
            return None;
        }
        let mut places = self.0.as_ref().clone();
        places.push(real);
        Some(Self(Arc::new(places)))
    }
}

/// Whether a folder stands there.
pub(super) fn is_folder(path: &Path) -> bool {
    on_disk(path).is_dir()
}

fn on_disk(path: &Path) -> PathBuf {
    PathBuf::from(format!("/{path}"))
}

/// What is directly in a folder. A link that leads nowhere is told.
pub(super) fn list(base: &Location, below: &Below) -> Result<Found> {
    let mut found = Found::default();
    let url = base.url_of(&below.path);
    for entry in std::fs::read_dir(on_disk(&below.path))? {
        let entry = entry?;
        let name = entry.file_name();
        let mut skip = |reason: String| {
            found.skipped.push(Skipped { url: format!("{url}/{}", name.to_string_lossy()), reason });
        };
        let text = name.to_str();
        if text.is_some_and(|text| text.starts_with(['_', '.'])) {
            continue;
        }
        let path = text.and_then(|text| Path::parse(format!("{}/{text}", below.path)).ok());
        let Some(path) = path else {
            skip("its name is not UTF-8 or has control characters".to_owned());
            continue;
        };
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let metadata = match std::fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            Err(error) => {
                let what = if is_link { "the link leads nowhere" } else { "the file cannot be looked at" };
                skip(format!("{what}: {}", super::told(&Error::from(error))));
                continue;
            }
        };
        if metadata.is_dir() {
            let trail = if is_link {
                let real = std::fs::canonicalize(entry.path())?;
                below.trail.link(real)
            } else {
                Some(below.trail.folder(&name))
            };
            match trail {
                Some(trail) => found.folders.push(Below { path, trail }),
                None => skip("the link leads in a circle, to a folder that it is in".to_owned()),
            }
        } else if metadata.is_file() {
            let last_modified = metadata.modified().map(Into::into).unwrap_or_default();
            found.files.push(ObjectMeta {
                location: path,
                last_modified,
                size: metadata.len(),
                e_tag: None,
                version: None,
            });
        } else {
            skip("it is neither a file nor a folder".to_owned());
        }
    }
    Ok(found)
}

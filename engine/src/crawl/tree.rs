//! A target's folders, listed once: what is in each, and which of its files to open.

use super::Tree;
use crate::error::Result;
use crate::lake::listing::Listings;
use millrace_catalog::model::CrawlerTarget;
use std::sync::atomic::AtomicU64;

/// Counts what is listed while it is, for progress.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Lists a target, its pages in parallel, each object once.
///
/// # Errors
/// When the target's own place cannot be listed; what fails below it is in the tree's `skipped`.
pub(crate) async fn list(_listings: &Listings, target: &CrawlerTarget, _listed: &Listed) -> Result<Tree> {
    Err(crate::error::Error::unsupported(&target.path))
}

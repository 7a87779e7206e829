//! How far a crawl is, for whoever watches it.

use crate::crawl::tree::Listed;
use crate::result::{Progress, ProgressState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a crawl that runs.
#[derive(Debug, Default)]
pub(crate) struct CrawlProgress {
    /// Counted by the listing.
    pub(super) listed: Listed,
    /// Files to be opened; 0 while listing.
    pub(super) sampled: AtomicU64,
    /// Files that were opened.
    pub(super) opened: AtomicU64,
}

impl Progress for CrawlProgress {
    fn now(&self) -> ProgressState {
        ProgressState {
            files_listed: self.listed.files.load(Ordering::Relaxed),
            files_done: self.opened.load(Ordering::Relaxed),
            files_total: self.sampled.load(Ordering::Relaxed),
            ..ProgressState::default()
        }
    }
}

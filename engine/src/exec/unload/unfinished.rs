//! Files that are visible while their UNLOAD may still fail: dropping them removes them.

use crate::lake::write::Written;
use object_store::ObjectStore;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// The files of an UNLOAD that has not ended.
pub(super) struct Unfinished {
    store: Arc<dyn ObjectStore>,
    written: Written,
    cleanup: TaskTracker,
}

impl Unfinished {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, written: Written, cleanup: &TaskTracker) -> Self {
        Self { store: Arc::clone(store), written, cleanup: cleanup.clone() }
    }

    /// The files.
    pub(super) fn written(&self) -> &Written {
        &self.written
    }

    /// They stay.
    pub(super) fn keep(&mut self) -> Written {
        std::mem::take(&mut self.written)
    }

    /// They go now.
    pub(super) async fn remove(mut self) {
        let written = std::mem::take(&mut self.written);
        written.remove(self.store.as_ref()).await;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let written = std::mem::take(&mut self.written);
        if !written.files.is_empty() {
            let store = Arc::clone(&self.store);
            self.cleanup.spawn(async move { written.remove(store.as_ref()).await });
        }
    }
}

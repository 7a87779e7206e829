//! Streams that are read further each time: from the checkpoints of the last run to those of this one.

use super::splits::Group;
use crate::error::{Error, Result};
use millrace_connectors::{Checkpoint, Connector, ScanRequest, Split, SplitReport};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a stream is read from, and what was read of it.
#[derive(Debug)]
pub(crate) struct Resumption {
    connector: Arc<dyn Connector>,
    /// Where each split goes on; none to begin at the beginning.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// What scans asked for.
    scans: Mutex<Vec<(ScanRequest, Vec<Split>)>>,
}

/// How far a split was read.
#[derive(Debug)]
pub(crate) struct Reached {
    /// Where it goes on.
    pub(crate) checkpoint: Checkpoint,
    /// What was seen.
    pub(crate) report: SplitReport,
}

impl Resumption {
    /// A run that goes on from checkpoints.
    pub(super) fn new(connector: Arc<dyn Connector>, checkpoints: Vec<Checkpoint>) -> Self {
        Self { connector, checkpoints, scans: Mutex::default() }
    }

    /// Notes what a scan reads.
    pub(super) fn note(&self, request: &ScanRequest, groups: &[Group]) {
        let splits = groups.iter().flat_map(|group| group.splits.iter().cloned()).collect();
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).push((request.clone(), splits));
    }

    /// How far each split was read, once all rows were taken.
    ///
    /// # Errors
    /// What the system says; `Internal` when the stream was not read once.
    pub(crate) async fn reached(&self) -> Result<Vec<Reached>> {
        let scans = std::mem::take(&mut *self.scans.lock().unwrap_or_else(PoisonError::into_inner));
        let [(request, splits)] = scans.as_slice() else {
            return Err(Error::internal(format!("a stream was read {} times instead of once", scans.len())));
        };
        let mut reached = Vec::with_capacity(splits.len());
        for split in splits {
            let checkpoint = self.connector.checkpoint(request, split).await?;
            let checkpoint = checkpoint.ok_or_else(|| Error::internal("a stream without checkpoints was resumed"))?;
            let report = self.connector.report(split).unwrap_or_default();
            reached.push(Reached { checkpoint, report });
        }
        Ok(reached)
    }
}

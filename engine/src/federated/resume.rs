//! Streams that are read further each time: from the checkpoints of the last run to those of this one.

use super::splits::Group;
use crate::error::{Error, Result};
use millrace_connectors::{Checkpoint, Connector, Measures, ScanRequest, Split, SplitReport};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a stream is read from, and what was read of it.
#[derive(Debug)]
pub(crate) struct Resumption {
    connector: Arc<dyn Connector>,
    /// Where each split goes on; none to begin at the beginning.
    pub(super) checkpoints: Vec<Checkpoint>,
    scans: Mutex<Vec<Scanned>>,
}

/// What a scan asked for.
#[derive(Debug)]
struct Scanned {
    request: ScanRequest,
    splits: Vec<Split>,
    measures: Arc<Measures>,
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
    pub(super) fn note(&self, request: &ScanRequest, groups: &[Group], measures: &Arc<Measures>) {
        let splits = groups.iter().flat_map(|group| group.splits.iter().cloned()).collect();
        let scanned = Scanned { request: request.clone(), splits, measures: Arc::clone(measures) };
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).push(scanned);
    }

    /// How far each split was read, once all rows were taken; `None` where nothing had to be read to know that no row
    /// is wanted.
    ///
    /// # Errors
    /// What the system says; `Internal` when the stream was read more than once.
    pub(crate) async fn reached(&self) -> Result<Option<Vec<Reached>>> {
        let scans = std::mem::take(&mut *self.scans.lock().unwrap_or_else(PoisonError::into_inner));
        let Scanned { request, splits, measures } = match scans.as_slice() {
            [] => return Ok(None),
            [scanned] => scanned,
            _ => return Err(Error::internal(format!("a stream was read {} times instead of once", scans.len()))),
        };
        let mut reached = Vec::with_capacity(splits.len());
        for split in splits {
            let checkpoint = self.connector.checkpoint(request, split).await?;
            let checkpoint = checkpoint.ok_or_else(|| Error::internal("a stream without checkpoints was resumed"))?;
            reached.push(Reached { checkpoint, report: measures.report(&split.id) });
        }
        Ok(Some(reached))
    }
}

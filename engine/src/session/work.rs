//! What a running statement shows of itself to whoever watches it: its plans, and how it is begun again.
//!
//! A context has it weakly: the plans go with the statement, and a way to begin again does not keep itself alive.

use crate::error::Result;
use crate::result::StatementResult;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Begins a query again.
pub(crate) type Again = Box<dyn Fn() -> BoxFuture<'static, Result<StatementResult>> + Send + Sync>;

/// The work of a statement.
#[derive(Default)]
pub(crate) struct Work {
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    again: Mutex<Option<Again>>,
    returned_rows: AtomicU64,
}

impl Work {
    /// A plan runs.
    pub(crate) fn note_plan(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(plan));
    }

    /// The plans that run or have run.
    pub(crate) fn plans(&self) -> Vec<Arc<dyn ExecutionPlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The statement is a query that begins again so.
    pub(crate) fn note_again(&self, again: Again) {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
    }

    /// How it begins again, for whoever asks first.
    pub(super) fn take_again(&self) -> Option<Again> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Rows go to the client.
    pub(super) fn note_returned(&self, rows: usize) {
        self.returned_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// How many have.
    pub(crate) fn returned_rows(&self) -> u64 {
        self.returned_rows.load(Ordering::Relaxed)
    }

    /// Forgets what has ended.
    pub(super) fn clear(&self) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.take_again();
    }
}

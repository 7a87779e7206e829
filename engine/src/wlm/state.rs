//! What is told of the queues, and who wants to run in them.

use super::config::QueueSettings;
use super::predict::Features;
use super::priority::Priority;
use std::sync::Arc;

/// Who wants to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Applicant {
    pub(crate) query: i64,
    pub(crate) xid: i64,
    pub(crate) pid: i32,
    pub(crate) user: String,
    /// Slots that it wants.
    pub(crate) slots: usize,
    /// What is known of one that may be accelerated.
    pub(crate) features: Option<Features>,
}

/// A queue, as `stv_wlm_service_class_state` and its kin tell it.
#[derive(Debug, Clone)]
pub(crate) struct QueueState {
    pub(crate) settings: Arc<QueueSettings>,
    pub(crate) slot_bytes: Option<usize>,
    pub(crate) queued: usize,
    pub(crate) executing: usize,
    pub(crate) serviced: u64,
    pub(crate) executed: u64,
    pub(crate) evicted: u64,
}

/// A statement in a queue, as `stv_wlm_query_state` tells it.
#[derive(Debug, Clone)]
pub(crate) struct TaskState {
    pub(crate) task: i64,
    pub(crate) applicant: Applicant,
    pub(crate) class: i32,
    pub(crate) start_us: i64,
    pub(crate) queue_us: i64,
    pub(crate) exec_us: Option<i64>,
    pub(crate) returning: bool,
    /// `None` in a queue of manual WLM.
    pub(crate) priority: Option<Priority>,
    /// Its place among those that wait, from 0.
    pub(crate) position: Option<usize>,
}

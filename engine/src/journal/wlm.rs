//! What WLM did with a statement: part of the statement's own record.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A statement's stay in a queue, as a row of `stl_wlm_query`. Times are in microseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stay {
    pub(crate) task: i64,
    pub(crate) class: i32,
    pub(crate) class_name: String,
    pub(crate) slots: usize,
    /// `None` in a queue of manual WLM.
    pub(crate) priority: Option<String>,
    pub(crate) queue_start_us: i64,
    /// `None` for one that never ran there.
    pub(crate) exec_start_us: Option<i64>,
    /// `None` while it stays.
    pub(crate) end_us: Option<i64>,
    /// It went to another queue.
    pub(crate) evicted: bool,
}

/// What a query monitoring rule did, as a row of `stl_wlm_rule_action`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RuleAction {
    pub(crate) class: i32,
    pub(crate) class_name: String,
    pub(crate) rule: String,
    /// `log`, `change_query_priority`, `hop(reassign)`, `hop(restart)`, `abort`; `none` where another rule's action was more severe.
    pub(crate) action: String,
    /// The priority that it changes to; empty with other actions.
    pub(crate) value: String,
    pub(crate) at_us: i64,
}

/// What is written of a statement while it is in WLM's hands.
#[derive(Debug, Default)]
pub(crate) struct WlmTrace(Mutex<(Vec<Stay>, Vec<RuleAction>)>);

impl WlmTrace {
    fn lock(&self) -> MutexGuard<'_, (Vec<Stay>, Vec<RuleAction>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stay begins.
    pub(crate) fn enter(&self, stay: Stay) {
        self.lock().0.push(stay);
    }

    /// The statement has its slots since a moment.
    pub(crate) fn start(&self, exec_us: i64) {
        if let Some(stay) = self.lock().0.last_mut() {
            stay.exec_start_us = Some(exec_us);
        }
    }

    /// The stay ended at a moment.
    pub(crate) fn leave(&self, left_us: i64, evicted: bool) {
        if let Some(stay) = self.lock().0.last_mut().filter(|stay| stay.end_us.is_none()) {
            stay.end_us = Some(left_us);
            stay.evicted = evicted;
        }
    }

    /// The statement has another priority where it is.
    pub(crate) fn set_priority(&self, name: &str) {
        if let Some(stay) = self.lock().0.last_mut() {
            stay.priority = Some(name.to_owned());
        }
    }

    /// A rule acts.
    pub(crate) fn act(&self, action: RuleAction) {
        self.lock().1.push(action);
    }

    /// All of it; a stay that has not ended ends with the statement.
    pub(crate) fn take(&self, end_us: i64) -> (Vec<Stay>, Vec<RuleAction>) {
        let (mut stays, actions) = std::mem::take(&mut *self.lock());
        for stay in &mut stays {
            stay.end_us.get_or_insert(end_us);
        }
        (stays, actions)
    }
}

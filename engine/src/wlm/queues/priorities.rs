//! Who is next among the statements of automatic WLM, and the priorities that statements, sessions and users were given.
//!
//! A critical statement is next whoever waits, but only one runs at a time, as Redshift documents it. The others begin by
//! their priorities' shares.

use super::{Inner, Task, Wlm};
use crate::error::{Error, ErrorKind, Result};
use crate::wlm::priority::Priority;
use crate::wlm::state::Applicant;

impl Wlm {
    /// Gives a statement another priority.
    pub(in crate::wlm) fn set_priority(&self, task: i64, priority: Priority) {
        if let Some(state) = self.lock().tasks.get_mut(&task) {
            state.priority = Some(priority);
        }
    }

    /// The priority that a statement has instead of its queue's: its own, its session's or its user's.
    pub(in crate::wlm) fn priority(&self, task: i64) -> Option<Priority> {
        let inner = self.lock();
        inner.tasks.get(&task).and_then(|state| inner.given(state))
    }

    /// Gives the statement of a number another priority; the one that it had.
    ///
    /// # Errors
    /// `UndefinedObject` where it is in no queue; `ObjectState` in a queue of manual WLM.
    pub(crate) fn change_query_priority(&self, query: i64, priority: Priority) -> Result<Priority> {
        let mut inner = self.lock();
        let found = inner.tasks.iter().find(|(_, state)| state.applicant.query == query && state.queue.is_some());
        let Some((task, state)) = found else {
            let message = format!("query {query} neither runs in a queue of WLM nor waits in one");
            return Err(Error::new(ErrorKind::UndefinedObject, message));
        };
        let queue = inner.queues.iter().find(|queue| Some(queue.id) == state.queue);
        let Some(own) = queue.and_then(|queue| queue.settings.priority) else {
            let message = format!("query {query} is in a queue of manual WLM, which knows no priorities");
            return Err(Error::new(ErrorKind::ObjectState, message));
        };
        let (task, before) = (*task, inner.given(state).unwrap_or(own));
        if priority == Priority::Critical && state.held > 0 && before != priority && inner.runs_critical() {
            let message = "a critical query runs already, and only one does at a time";
            return Err(Error::new(ErrorKind::ObjectState, message));
        }
        if let Some(state) = inner.tasks.get_mut(&task) {
            state.priority = Some(priority);
        }
        inner.grant_automatic();
        Ok(before)
    }

    /// Gives the statements of a session a priority, those that run too; `None` takes it away.
    pub(crate) fn change_session_priority(&self, pid: i32, priority: Option<Priority>) {
        let mut inner = self.lock();
        if let Some(priority) = priority {
            inner.sessions.insert(pid, priority);
        } else if inner.sessions.remove(&pid).is_none() {
            return;
        }
        inner.grant_automatic();
    }

    /// The same for all statements of a user, until this process ends.
    pub(crate) fn change_user_priority(&self, user: &str, priority: Option<Priority>) {
        let mut inner = self.lock();
        if let Some(priority) = priority {
            inner.users.insert(user.to_owned(), priority);
        } else {
            inner.users.remove(user);
        }
        inner.grant_automatic();
    }
}

impl Inner {
    /// What a statement has instead of its queue's priority.
    pub(super) fn given(&self, state: &Task) -> Option<Priority> {
        let Applicant { pid, user, .. } = &state.applicant;
        state.priority.or_else(|| self.sessions.get(pid).copied()).or_else(|| self.users.get(user).copied())
    }

    /// Whether a critical statement runs.
    fn runs_critical(&self) -> bool {
        self.tasks.values().any(|state| state.held > 0 && self.given(state) == Some(Priority::Critical))
    }

    /// Whether a statement that comes to a queue waits there although there may be room.
    pub(super) fn is_held_back(&self, at: usize, state: &Task) -> bool {
        let automatic = self.queues.get(at).is_some_and(super::Queue::is_automatic);
        automatic && self.given(state) == Some(Priority::Critical) && self.runs_critical()
    }

    /// Lets statements of automatic WLM begin while there is room, a critical one first, else
    /// the oldest of the priority whose turn it is.
    pub(super) fn grant_automatic(&mut self) {
        while self.has_room() {
            let critical = self.runs_critical();
            let mut urgent: Option<(i64, usize)> = None;
            let mut oldest: [Option<(i64, usize)>; Priority::ALL.len()] = [None; Priority::ALL.len()];
            for (at, queue) in self.queues.iter().enumerate() {
                let Some(own) = queue.settings.priority else { continue };
                for task in &queue.waiting {
                    let priority = self.tasks.get(task).and_then(|state| self.given(state)).unwrap_or(own);
                    let oldest = match oldest.get_mut(priority as usize) {
                        Some(oldest) => oldest,
                        None if critical => continue,
                        None => &mut urgent,
                    };
                    if oldest.is_none_or(|(found, _)| *task < found) {
                        *oldest = Some((*task, at));
                    }
                }
            }
            let next = match urgent {
                Some(urgent) => Some(urgent),
                None => {
                    let chosen = self.automatic.choose(oldest.map(|oldest| oldest.is_some()));
                    chosen.and_then(|priority| *oldest.get(priority as usize)?)
                }
            };
            let Some((task, at)) = next else { return };
            let queue = &mut self.queues[at];
            queue.waiting.retain(|waiting| *waiting != task);
            let Some(state) = self.tasks.get_mut(&task) else { continue };
            let exec_us = queue.take(state, 1);
            if let Some(grant) = state.grant.take() {
                // Whoever does not listen any more is about to leave.
                let _ = grant.send(exec_us);
            }
        }
    }
}

//! The connections that are open, so that one can cancel another's statement by its number and secret.

use millrace_engine::session::Signal;
use millrace_engine::{Error, ErrorKind};
use rand::Rng;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

/// All open connections.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    slots: HashMap<i32, Arc<Slot>>,
}

/// What others may know of a connection.
#[derive(Debug)]
struct Slot {
    secret: i32,
    /// Cancels the statement that runs now.
    running: Mutex<Option<Cancel>>,
    /// Ends the connection.
    ended: CancellationToken,
}

/// Whether a statement that runs is to be canceled, and what its user is told. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancel {
    token: CancellationToken,
    said: Arc<OnceLock<String>>,
}

impl Cancel {
    fn cancel(&self, message: Option<&str>) {
        if let Some(message) = message {
            self.said.get_or_init(|| message.to_owned());
        }
        self.token.cancel();
    }

    /// Waits until the statement is canceled; the error that ends it.
    pub(super) async fn cancelled(&self) -> Error {
        self.token.cancelled().await;
        let message = self.said.get().map_or("canceling statement due to user request", String::as_str);
        Error::new(ErrorKind::Cancelled, message)
    }
}

/// A connection's place in the registry; dropping it leaves.
#[derive(Debug)]
pub(super) struct Seat {
    registry: Arc<Registry>,
    slot: Arc<Slot>,
    /// The number that the client knows the connection by.
    pub(super) pid: i32,
}

impl Registry {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for the session of this number, with a secret.
    pub(super) fn enter(self: &Arc<Self>, pid: i32) -> Seat {
        let secret = rand::rng().random();
        let slot = Arc::new(Slot { secret, running: Mutex::default(), ended: CancellationToken::new() });
        self.open().slots.insert(pid, Arc::clone(&slot));
        Seat { registry: Arc::clone(self), slot, pid }
    }

    /// Cancels what a connection runs, when the secret is right. Nobody is told whether it was.
    pub(super) fn cancel(&self, pid: i32, secret: i32) {
        let Some(slot) = self.open().slots.get(&pid).cloned() else { return };
        if !bool::from(slot.secret.to_be_bytes().ct_eq(&secret.to_be_bytes())) {
            return;
        }
        slot.cancel(None);
    }
}

impl Slot {
    fn cancel(&self, message: Option<&str>) {
        if let Some(running) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            running.cancel(message);
        }
    }
}

impl Seat {
    /// What the client must know to cancel.
    pub(super) fn secret(&self) -> i32 {
        self.slot.secret
    }

    /// What other sessions may do to this one: cancel what it runs, or end it.
    pub(super) fn signals(&self) -> impl Fn(&Signal) + Send + Sync + 'static {
        let slot = Arc::clone(&self.slot);
        move |signal| match signal {
            Signal::Cancel(message) => slot.cancel(message.as_deref()),
            Signal::Terminate => {
                slot.ended.cancel();
                slot.cancel(None);
            }
        }
    }

    /// Cancelled when another session ends this one.
    pub(super) fn ended(&self) -> CancellationToken {
        self.slot.ended.clone()
    }

    /// Something runs from now on; a cancel before this did not mean it.
    pub(super) fn begin(&self) -> Cancel {
        let cancel = Cancel::default();
        *self.slot.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancel.clone());
        cancel
    }

    /// Nothing runs any more.
    pub(super) fn end(&self) {
        *self.slot.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.open().slots.remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_cancels_and_only_what_runs() {
        let registry = Arc::new(Registry::default());
        let (seat, other) = (registry.enter(1), registry.enter(2));
        registry.cancel(seat.pid, seat.secret());
        let running = seat.begin();
        assert!(!running.token.is_cancelled());
        registry.cancel(seat.pid, seat.secret().wrapping_add(1));
        registry.cancel(other.pid, other.secret());
        assert!(!running.token.is_cancelled());
        registry.cancel(seat.pid, seat.secret());
        assert!(running.token.is_cancelled());
        seat.end();
        assert!(!seat.ended().is_cancelled());
        seat.signals()(&Signal::Terminate);
        assert!(seat.ended().is_cancelled());
        let pid = seat.pid;
        drop(seat);
        assert!(!registry.open().slots.contains_key(&pid));
    }
}

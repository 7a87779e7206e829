//! Ctrl-C: one place that hears it, and the statement that it cancels.
//!
//! While a statement runs, the first signal cancels it and further ones do nothing, so that the work of cancelling is
//! not itself killed. While none runs, a script ends at once; the line editor reads Ctrl-C as a key instead.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The exit code of a program ended by SIGINT, by the shells' convention.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// Tells running statements of Ctrl-C.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    raised: Notify,
    running: AtomicBool,
}

impl Interrupt {
    /// Begins to hear the process's signals. `idle_exits`: a signal while nothing runs ends the process.
    pub(crate) fn hear_signals(&self, runtime: &Handle, idle_exits: bool) -> Hearing {
        let interrupt = self.clone();
        Hearing(runtime.spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if idle_exits && !interrupt.state.running.load(Ordering::SeqCst) {
                    process::exit(i32::from(EXIT_INTERRUPTED));
                }
                interrupt.raise();
            }
        }))
    }

    /// Cancels what runs; nothing when nothing runs.
    pub(crate) fn raise(&self) {
        self.state.raised.notify_waiters();
    }

    /// Runs a future to its end, or gives `None` when a signal comes first; the future is dropped then.
    pub(crate) async fn unless_raised<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let raised = self.state.raised.notified();
        self.state.running.store(true, Ordering::SeqCst);
        let ended = tokio::select! {
            biased;
            () = raised => None,
            value = work => Some(value),
        };
        self.state.running.store(false, Ordering::SeqCst);
        ended
    }
}

/// Hears signals until it is dropped.
#[derive(Debug)]
pub(crate) struct Hearing(JoinHandle<()>);

impl Drop for Hearing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

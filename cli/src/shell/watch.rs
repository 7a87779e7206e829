//! What must work while queries keep every thread of the runtime busy: Ctrl-C, time limits, the progress line.
//!
//! DataFusion's operators may compute for seconds without a pause, on all threads at once; then the runtime hears no
//! signal and no timer. So these have a thread and a small runtime of their own.
//!
//! While a statement runs, the first signal cancels it and further ones do nothing, so that the work of cancelling is
//! not itself killed. While none runs, a script ends at once; the line editor reads Ctrl-C as a key instead.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// The exit code of a program ended by SIGINT, by the shells' convention.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// What a signal does while no statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// It ends the process.
    Exits,
    /// Nothing.
    Waits,
}

/// The watching thread, which ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    state: Arc<State>,
    runtime: Handle,
    /// Dropping the sender ends the thread.
    _alive: Arc<oneshot::Sender<()>>,
}

#[derive(Debug, Default)]
struct State {
    raised: Notify,
    running: AtomicBool,
}

impl Watch {
    /// Begins to hear the process's signals.
    pub(crate) fn start(idle: Idle) -> io::Result<Self> {
        Self::start_with(|state| hear_signals(state, idle))
    }

    /// A watch that hears no signals.
    #[cfg(test)]
    pub(crate) fn deaf() -> io::Result<Self> {
        Self::start_with(|_| std::future::pending::<()>())
    }

    fn start_with<F>(hear: impl FnOnce(Arc<State>) -> F) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let state = Arc::new(State::default());
        let (alive, ended) = oneshot::channel::<()>();
        let hearing = hear(Arc::clone(&state));
        thread::Builder::new().name("watch".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = hearing => {}
                }
            });
        })?;
        Ok(Self { state, runtime: handle, _alive: Arc::new(alive) })
    }

    /// Cancels what runs; nothing when nothing runs.
    #[cfg(test)]
    pub(crate) fn raise(&self) {
        self.state.raised.notify_waiters();
    }

    /// Marks that something runs, until the guard is dropped: signals do not end the process meanwhile.
    pub(crate) fn busy(&self) -> Busy {
        self.state.running.store(true, Ordering::SeqCst);
        Busy(Arc::clone(&self.state))
    }

    /// Runs a future to its end, or gives `None` when a signal comes first; the future is dropped then.
    pub(crate) async fn unless_raised<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.state.raised.notified() => None,
            value = work => Some(value),
        }
    }

    /// Runs a future to its end, or gives `None` when it takes longer than this; the future is dropped then.
    pub(crate) async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let timer = {
            let _timers = self.runtime.enter();
            tokio::time::sleep(limit)
        };
        tokio::select! {
            biased;
            value = work => Some(value),
            () = timer => None,
        }
    }

    /// Runs something short now and then, beside the queries. The caller aborts it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(task)
    }
}

async fn hear_signals(state: Arc<State>, idle: Idle) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if idle == Idle::Exits && !state.running.load(Ordering::SeqCst) {
            process::exit(i32::from(EXIT_INTERRUPTED));
        }
        state.raised.notify_waiters();
    }
    // Without signals the timers are still needed.
    std::future::pending::<()>().await;
}

/// Something runs, or is being cleaned up.
#[derive(Debug)]
pub(crate) struct Busy(Arc<State>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::SeqCst);
    }
}

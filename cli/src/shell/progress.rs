//! The progress line on standard error, for statements that take longer than half a second.
//!
//! The watching thread draws it, so that it moves whatever the engine does, and it is gone from the terminal before
//! anything else is written.

use super::watch::Watch;
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use millrace_engine::{Progress, ProgressState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const DELAY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// A progress line; gone when dropped.
pub(super) struct ProgressLine {
    shared: Arc<Mutex<Shared>>,
    task: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    source: Option<Arc<dyn Progress>>,
    bar: Option<ProgressBar>,
    done: bool,
}

impl ProgressLine {
    /// A line that appears after [`DELAY`]; none at all unless `live`.
    pub(super) fn start(live: bool, watch: &Watch) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let task = live.then(|| watch.spawn(draw(Arc::clone(&shared), Instant::now())));
        Self { shared, task }
    }

    /// Shows these numbers from now on.
    pub(super) fn watch(&self, source: Option<Arc<dyn Progress>>) {
        lock(&self.shared).source = source;
    }

    /// Takes the line from the terminal; it does not come back.
    pub(super) fn clear(&mut self) {
        let Some(task) = self.task.take() else { return };
        task.abort();
        let mut shared = lock(&self.shared);
        shared.done = true;
        if let Some(bar) = shared.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

async fn draw(shared: Arc<Mutex<Shared>>, started: Instant) {
    tokio::time::sleep(DELAY).await;
    loop {
        lock(&shared).tick(started.elapsed());
        tokio::time::sleep(TICK).await;
    }
}

/// The numbers stay usable after a panic of the drawing task: they are only shown.
fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn tick(&mut self, elapsed: Duration) {
        // Drawing under the lock: a line drawn after `clear` would stay on the terminal.
        if self.done {
            return;
        }
        let state = self.source.as_ref().map(|source| source.now()).unwrap_or_default();
        let bar = self.bar.get_or_insert_with(new_bar);
        if state.bytes_total > 0 {
            bar.set_length(state.bytes_total);
            bar.set_position(state.bytes_scanned.min(state.bytes_total));
        }
        bar.set_message(message(&state, elapsed));
        bar.tick();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{spinner} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What the line says, e.g. `3.2s  12,345,678 rows  1.20 GiB of 5.00 GiB (24%)  3 of 12 files`.
fn message(state: &ProgressState, elapsed: Duration) -> String {
    let mut parts = vec![format!("{:.1}s", elapsed.as_secs_f64())];
    if state.rows_scanned > 0 {
        parts.push(format!("{} rows", HumanCount(state.rows_scanned)));
    }
    if state.bytes_total > 0 {
        let scanned = state.bytes_scanned.min(state.bytes_total);
        let percent = u128::from(scanned) * 100 / u128::from(state.bytes_total);
        parts.push(format!("{} of {} ({percent}%)", BinaryBytes(scanned), BinaryBytes(state.bytes_total)));
    } else if state.bytes_scanned > 0 {
        parts.push(BinaryBytes(state.bytes_scanned).to_string());
    }
    if state.files_listed > 0 {
        parts.push(format!("{} files listed", HumanCount(state.files_listed)));
    }
    if state.files_total > 1 {
        parts.push(format!("{} of {} files", HumanCount(state.files_done), HumanCount(state.files_total)));
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_known() {
        let elapsed = Duration::from_millis(3_210);
        assert_eq!(message(&ProgressState::default(), elapsed), "3.2s");
        let state = ProgressState {
            rows_scanned: 12_345_678,
            bytes_scanned: 1 << 30,
            bytes_total: 4 << 30,
            files_done: 3,
            files_total: 12,
            ..ProgressState::default()
        };
        assert_eq!(message(&state, elapsed), "3.2s  12,345,678 rows  1.00 GiB of 4.00 GiB (25%)  3 of 12 files");
        let unknown = ProgressState { bytes_scanned: 2_048, ..ProgressState::default() };
        assert_eq!(message(&unknown, elapsed), "3.2s  2.00 KiB");
        let crawl = ProgressState { files_listed: 12_000, files_done: 3, files_total: 400, ..ProgressState::default() };
        assert_eq!(message(&crawl, elapsed), "3.2s  12,000 files listed  3 of 400 files");
    }
}

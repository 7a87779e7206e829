//! How far a benchmark is, on the terminal's standard error; nothing where that is no terminal.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Characters of a bar.
const WIDTH: usize = 24;
/// Characters of the name of what is done now.
const NAME: usize = 40;

/// A bar in one line that is overwritten, and cleared at the end.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: usize,
    done: AtomicUsize,
    is_shown: bool,
}

impl Progress {
    /// Nothing of `total` is done.
    pub fn new(what: &str, total: usize) -> Self {
        Self { what: what.to_owned(), total, done: AtomicUsize::new(0), is_shown: std::io::stderr().is_terminal() }
    }

    /// The next one begins, on any thread.
    pub fn step(&self, name: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed);
        if self.is_shown {
            let line = bar(&self.what, done, self.total, name);
            // A terminal that is gone is no reason to stop.
            drop(write!(std::io::stderr(), "\r\x1b[2K{line}").and_then(|()| std::io::stderr().flush()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            drop(write!(std::io::stderr(), "\r\x1b[2K"));
        }
    }
}

fn bar(what: &str, done: usize, total: usize, name: &str) -> String {
    let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME).collect();
    format!("{what} [{}{}] {done}/{total} {name}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        assert_eq!(bar("queries", 11, 22, "Q12"), "queries [############............] 11/22 Q12");
        assert_eq!(bar("queries", 3, 0, ""), "queries [########################] 3/0 ");
        assert!(bar("load", 0, 2, &"CREATE TABLE t (a int)\n".repeat(9)).len() < 90);
    }
}

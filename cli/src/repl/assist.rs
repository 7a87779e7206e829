//! What the line editor asks while the user types: colours and completions.

use super::complete::{self, Completion};
use super::highlight::highlight;
use crate::engine::Names;
use crate::shell::Watch;
use futures::future::BoxFuture;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a completion may wait for the catalog.
const PATIENCE: Duration = Duration::from_secs(2);

/// The line editor's assistant.
pub(super) struct Assist {
    runtime: Handle,
    watch: Watch,
    files: FilenameCompleter,
    pending: String,
    names: RefCell<Lazy>,
}

/// Names are read from the catalog when the user first asks for a completion, and again after the next statement.
enum Lazy {
    Ready(Names),
    Waiting(BoxFuture<'static, Names>),
}

impl Assist {
    /// An assistant that reads names on a runtime, as long as the watch allows.
    pub(super) fn new(runtime: Handle, watch: Watch) -> Self {
        let names = RefCell::new(Lazy::Ready(Names::default()));
        Self { runtime, watch, files: FilenameCompleter::new(), pending: String::new(), names }
    }

    /// Before each line: what was typed before it, and where names come from.
    pub(super) fn prepare(&mut self, pending: &str, names: BoxFuture<'static, Names>) {
        pending.clone_into(&mut self.pending);
        *self.names.get_mut() = Lazy::Waiting(names);
    }

    fn with_names<T>(&self, use_names: impl FnOnce(&Names) -> T) -> T {
        let mut lazy = self.names.borrow_mut();
        if let Lazy::Waiting(future) = &mut *lazy {
            let names = self.runtime.block_on(self.watch.within(PATIENCE, future));
            *lazy = Lazy::Ready(names.unwrap_or_default());
        }
        match &*lazy {
            Lazy::Ready(names) => use_names(names),
            Lazy::Waiting(_) => use_names(&Names::default()),
        }
    }
}

impl Helper for Assist {}

impl Hinter for Assist {
    type Hint = String;
}

impl Validator for Assist {}

impl Highlighter for Assist {
    fn highlight<'l>(&self, line: &'l str, _cursor: usize) -> Cow<'l, str> {
        Cow::Owned(highlight(&self.pending, line))
    }

    /// Any key may begin or end a word or a quote, moving the cursor does not.
    fn highlight_char(&self, _line: &str, _cursor: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Completer for Assist {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, _context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        if complete::wants_file(line, cursor) {
            return self.files.complete_path(line, cursor);
        }
        let Completion { start, candidates } =
            self.with_names(|names| complete::complete(&self.pending, line, cursor, names));
        let pair = |text: String| Pair { display: text.clone(), replacement: text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

//! The interactive shell: reads lines at a terminal, hands what is complete to [`Shell`].
//!
//! The line editor blocks, so it runs outside of the runtime; statements are run on it, one after the other.

mod assist;
mod complete;
mod edit;
mod highlight;
mod history;

use crate::shell::{Command, Input, Item, Outcome, Place, Shell};
use crate::syntax::Open;
use anyhow::Context;
use assist::Assist;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// The shell at a terminal.
pub(crate) struct Repl<'a> {
    shell: &'a mut Shell,
    runtime: Handle,
    editor: Editor<Assist, FileHistory>,
    history: Option<PathBuf>,
    input: Input,
    /// The last statement that was run, for `\e`.
    last: String,
}

impl<'a> Repl<'a> {
    /// A line editor over a shell; the history is kept in `directory` where the user has no place for such files.
    pub(crate) fn new(shell: &'a mut Shell, runtime: Handle, directory: &Path) -> anyhow::Result<Self> {
        let config = Config::builder()
            .max_history_size(history::MAX_ENTRIES)
            .and_then(|builder| builder.history_ignore_dups(true))
            .context("could not set up the line editor")?
            .completion_type(CompletionType::List)
            .tab_stop(4)
            .build();
        let mut editor: Editor<Assist, FileHistory> =
            Editor::with_config(config).context("could not open the terminal")?;
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            editor.set_color_mode(ColorMode::Disabled);
        }
        editor.set_helper(Some(Assist::new(runtime.clone(), shell.watch().clone())));
        let history = history::file(directory);
        if let Some(history) = &history {
            // No history is a fine history.
            drop(editor.load_history(history));
        }
        Ok(Self { shell, runtime, editor, history, input: Input::default(), last: String::new() })
    }

    /// Reads and runs until the user has enough.
    pub(crate) fn run(&mut self) -> anyhow::Result<()> {
        loop {
            let prompt = prompt(self.input.open(self.shell.engine().dialect()));
            if let Some(assist) = self.editor.helper_mut() {
                assist.prepare(self.input.pending(), self.shell.engine().names());
            }
            let outcome = match self.editor.readline(prompt) {
                Ok(text) => self.accept(&text),
                Err(ReadlineError::Interrupted) => {
                    self.input.clear();
                    Outcome::Done
                }
                Err(ReadlineError::Signal(_)) => Outcome::Done,
                Err(ReadlineError::Eof) => Outcome::Quit,
                Err(error) => return Err(error).context("could not read from the terminal"),
            };
            if outcome == Outcome::Quit {
                return Ok(());
            }
        }
    }

    /// Takes what was typed, which after a paste or a recall is several lines.
    fn accept(&mut self, text: &str) -> Outcome {
        let before = self.input.pending().to_owned();
        for line in text.split_inclusive('\n') {
            let items = match self.input.push(line, self.shell.engine().dialect()) {
                Ok(items) => items,
                Err(message) => return self.shell.complain(&message, Place::Typed),
            };
            // Recorded before it runs, so that a statement that ends the program is not lost.
            if !items.is_empty() {
                self.remember(&before, text);
            }
            for item in items {
                if self.run_item(item) == Outcome::Quit {
                    return Outcome::Quit;
                }
            }
        }
        Outcome::Done
    }

    fn run_item(&mut self, item: Item) -> Outcome {
        match item {
            Item::Statement { text, .. } => {
                let outcome = self.runtime.block_on(self.shell.run_statement(&text, Place::Typed));
                self.last = text + ";\n";
                outcome
            }
            Item::Command { text, .. } => match Command::parse(&text) {
                Ok(Command::Edit(file)) => self.edit(file.as_deref()),
                Ok(command) => self.runtime.block_on(self.shell.run_command(command, Place::Typed, false)),
                Err(message) => self.shell.complain(&message, Place::Typed),
            },
        }
    }

    /// `\e`: the editor on a file, the pending lines, or else the last statement.
    fn edit(&mut self, file: Option<&Path>) -> Outcome {
        let pending = self.input.pending();
        let text = if pending.trim().is_empty() { &self.last } else { pending };
        match edit::edit(text, file) {
            Ok(edited) => {
                self.input.clear();
                self.accept(&edited)
            }
            Err(error) => self.shell.complain(&format!("{error:#}"), Place::Typed),
        }
    }

    /// Puts a whole statement, whose first lines may have been typed before, into the history.
    fn remember(&mut self, before: &str, text: &str) {
        let entry = format!("{before}{text}");
        if !self.editor.add_history_entry(entry.trim()).unwrap_or(false) {
            return;
        }
        if let Some(history) = &self.history {
            // Losing the history is no reason to stop working.
            if let Err(error) = self.editor.append_history(history) {
                tracing::debug!(%error, "could not write the history");
            }
        }
    }
}

/// The prompt, which shows what the pending lines wait for.
fn prompt(open: Open) -> &'static str {
    match open {
        Open::Nothing => "millrace=> ",
        Open::Statement => "millrace-> ",
        Open::Parenthesis => "millrace(> ",
        Open::Quote('"') => "millrace\"> ",
        Open::Quote('$') => "millrace$> ",
        Open::Quote(_) => "millrace'> ",
        Open::Comment => "millrace*> ",
    }
}

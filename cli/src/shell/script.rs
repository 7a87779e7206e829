//! Scripts: files, standard input and the texts of `-c`, run statement by statement as they are read.

use super::input::{Input, Item};
use super::run::{Outcome, Place, Shell};
use crate::args::Source;
use crate::print::quote_excerpt;
use futures::future::LocalBoxFuture;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Scripts may include scripts to this depth; deeper is a script that includes itself.
const MAX_DEPTH: usize = 16;

impl Shell {
    /// Runs sources in order. With `keep_going` a failure is only remembered; the outcome is the worst one.
    pub(crate) async fn run_sources(&mut self, sources: &[Source], keep_going: bool) -> Outcome {
        let mut worst = Outcome::Done;
        for source in sources {
            let outcome = match source {
                Source::Command(text) => self.run_script(None, text.as_bytes(), keep_going).await,
                Source::File(path) => self.run_file(path, keep_going).await,
                Source::Stdin => self.run_script(Some("<stdin>"), io::stdin().lock(), keep_going).await,
            };
            match outcome {
                Outcome::Done => {}
                Outcome::Failed if keep_going => worst = Outcome::Failed,
                // A failure before the end is still a failure of the whole.
                Outcome::Quit if worst == Outcome::Failed => return worst,
                outcome => return outcome,
            }
        }
        worst
    }

    /// Runs a file.
    pub(crate) fn run_file<'a>(&'a mut self, path: &'a Path, keep_going: bool) -> LocalBoxFuture<'a, Outcome> {
        Box::pin(async move {
            if self.script_depth >= MAX_DEPTH {
                return self.complain(&format!("{}: scripts are nested too deeply", path.display()), Place::Typed);
            }
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) => return self.complain(&format!("{}: {error}", path.display()), Place::Typed),
            };
            self.script_depth += 1;
            let name = path.display().to_string();
            let outcome = self.run_script(Some(&name), BufReader::new(file), keep_going).await;
            self.script_depth -= 1;
            outcome
        })
    }

    /// Runs lines; `name` is told in error messages.
    pub(super) async fn run_script(&mut self, name: Option<&str>, lines: impl BufRead, keep_going: bool) -> Outcome {
        let mut input = Input::default();
        let mut worst = Outcome::Done;
        let mut lines = lines;
        let mut line = String::new();
        let mut number = 0;
        loop {
            line.clear();
            number += 1;
            let place = name.map_or(Place::Typed, |name| Place::Script { name, line: number });
            let (items, ended) = match lines.read_line(&mut line) {
                Ok(0) => (Ok(input.finish(self.engine.dialect()).into_iter().collect()), true),
                Ok(_) => {
                    // A byte order mark before the first line is none of its text.
                    let text = if number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
                    (input.push(text, self.engine.dialect()), false)
                }
                Err(error) => (Err(format!("could not read the script: {error}")), true),
            };
            let outcome = match items {
                Ok(items) => self.run_items(items, name, keep_going).await,
                Err(message) => self.complain(&message, place),
            };
            match outcome {
                Outcome::Done => {}
                Outcome::Failed if keep_going => worst = Outcome::Failed,
                Outcome::Quit if worst == Outcome::Failed => return worst,
                outcome => return outcome,
            }
            if ended {
                return worst;
            }
        }
    }

    /// Runs statements and commands; stops at the first that does not end well, or goes on after failures.
    async fn run_items(&mut self, items: Vec<Item>, name: Option<&str>, keep_going: bool) -> Outcome {
        let mut worst = Outcome::Done;
        for item in items {
            let outcome = self.run_item(&item, name, keep_going).await;
            match outcome {
                Outcome::Done => {}
                Outcome::Failed if keep_going => worst = Outcome::Failed,
                outcome => return outcome,
            }
        }
        worst
    }

    async fn run_item(&mut self, item: &Item, name: Option<&str>, keep_going: bool) -> Outcome {
        let at = |line: usize| name.map_or(Place::Typed, |name| Place::Script { name, line });
        match item {
            Item::Statement { text, line } => {
                tracing::debug!(statement = %quote_excerpt(text), "running");
                self.run_statement(text, at(*line)).await
            }
            Item::Command { text, line } => self.run_command_line(text, at(*line), keep_going).await,
        }
    }
}

//! Running statements and commands: what the interactive shell and scripts have in common.
//!
//! Text comes in as lines ([`input`]), becomes statements and backslash commands ([`command`]), statements go to the
//! engine, their rows to a printer, everything else to the [`console`]. The terminal's line editor is elsewhere.

mod command;
mod console;
mod input;
mod meta;
mod progress;
mod report;
mod rows;
mod run;
mod script;
mod settings;
mod watch;
mod work;

pub(crate) use command::{COMMANDS, Command};
pub(crate) use console::Console;
#[cfg(test)]
pub(crate) use console::Screen;
pub(crate) use input::{Input, Item};
pub(crate) use meta::quote_name;
pub(crate) use run::{Outcome, Place, Shell};
pub(crate) use settings::Settings;
pub(crate) use watch::{EXIT_INTERRUPTED, Idle, Watch};

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

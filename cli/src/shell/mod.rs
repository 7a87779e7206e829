//! Running statements and commands: what the interactive shell and scripts have in common.
//!
//! Text comes in as lines ([`input`]), becomes statements and backslash commands ([`command`]), statements go to the
//! engine, their rows to a printer, everything else to the [`console`]. The terminal's line editor is elsewhere.

mod command;
mod console;
mod input;
mod interrupt;
mod meta;
mod progress;
mod report;
mod rows;
mod run;
mod script;
mod settings;

pub(crate) use command::{COMMANDS, Command};
pub(crate) use console::Console;
#[cfg(test)]
pub(crate) use console::Screen;
pub(crate) use input::{Input, Item};
pub(crate) use interrupt::{EXIT_INTERRUPTED, Interrupt};
pub(crate) use meta::quote_name;
pub(crate) use run::{Outcome, Place, Shell};
pub(crate) use settings::Settings;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

//! Doing what backslash commands say. Those of the `\d` family are statements for the engine, so they show what SQL
//! shows.

use super::command::{COMMANDS, Command};
use super::run::{Outcome, Place, Shell};
use crate::syntax::is_keyword;
use std::fmt::Write;
use std::io;
use std::path::Path;

impl Shell {
    /// Parses and does a command line.
    pub(crate) async fn run_command_line(&mut self, line: &str, place: Place<'_>, keep_going: bool) -> Outcome {
        match Command::parse(line) {
            Ok(command) => self.run_command(command, place, keep_going).await,
            Err(message) => self.complain(&message, place),
        }
    }

    /// Does a command.
    pub(crate) async fn run_command(&mut self, command: Command, place: Place<'_>, keep_going: bool) -> Outcome {
        let said = match command {
            Command::Describe(name) => return self.run_statement(&format!("DESCRIBE {name}"), place).await,
            Command::Tables(pattern) => return self.show("TABLES", pattern.as_deref(), place).await,
            Command::Views(pattern) => return self.show("VIEWS", pattern.as_deref(), place).await,
            Command::Functions(pattern) => return self.show("FUNCTIONS", pattern.as_deref(), place).await,
            Command::Schemas => return self.run_statement("SHOW SCHEMAS", place).await,
            Command::Databases => return self.run_statement("SHOW DATABASES", place).await,
            Command::Connect(name) => return self.run_statement(&format!("USE {}", quote_name(&name)), place).await,
            Command::Include(path) => return self.run_file(&path, keep_going).await,
            Command::Edit(_) => return self.complain("\\e works in the interactive shell only", place),
            Command::Quit => return Outcome::Quit,
            Command::LastError => {
                self.repeat_error();
                return Outcome::Done;
            }
            Command::Output(path) => match self.redirect(path.as_deref()) {
                Ok(()) => return Outcome::Done,
                Err(message) => Err(message),
            },
            Command::Help => Ok(help()),
            Command::ConnectionInfo => Ok(self.connection()),
            Command::Dialect(None) => Ok(format!("Dialect is {}.", self.engine.dialect())),
            Command::Dialect(Some(dialect)) => match self.engine.set("dialect", dialect.name()) {
                Ok(()) => Ok(format!("Dialect is {dialect}.")),
                Err(error) => Err(format!("ERROR:  {error}")),
            },
            Command::Expanded(on) => {
                self.settings.expanded = on.unwrap_or(!self.settings.expanded);
                Ok(format!("Expanded display is {}.", on_off(self.settings.expanded)))
            }
            Command::Timing(on) => {
                self.settings.timing = on.unwrap_or(!self.settings.timing);
                Ok(format!("Timing is {}.", on_off(self.settings.timing)))
            }
            Command::Pset(Some((name, value))) => self.settings.assign(&name, value.as_deref()),
            Command::Pset(None) => Ok(self.all_settings()),
        };
        match said {
            Ok(text) => self.say(&text, place),
            Err(message) => self.complain(&message, place),
        }
    }

    fn say(&mut self, text: &str, place: Place<'_>) -> Outcome {
        match self.console.say(text).and_then(|()| self.console.flush()) {
            Ok(()) => Outcome::Done,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Quit,
            Err(error) => self.complain(&error.to_string(), place),
        }
    }

    /// `SHOW kind [IN schema] [LIKE 'pattern']`
    async fn show(&mut self, kind: &str, pattern: Option<&str>, place: Place<'_>) -> Outcome {
        self.run_statement(&show_statement(kind, pattern), place).await
    }

    fn redirect(&mut self, path: Option<&Path>) -> Result<(), String> {
        let named = || path.map_or_else(|| "\\o".to_owned(), |path| path.display().to_string());
        self.console.redirect(path).map_err(|error| format!("{}: {error}", named()))
    }

    fn connection(&self) -> String {
        format!("You are using database \"{}\" in the {} dialect.", self.engine.database(), self.engine.dialect())
    }

    fn all_settings(&mut self) -> String {
        let settings = self.settings.list();
        let lines: Vec<String> = settings.iter().map(|(name, text)| format!("{name:<10} {text}")).collect();
        lines.join("\n")
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn help() -> String {
    let usage = |name: &str, arguments: &str| format!("\\{name} {arguments}");
    let width = COMMANDS.iter().map(|spec| usage(spec.name, spec.arguments).len()).max().unwrap_or(0);
    let mut text = "Statements end with a semicolon. Commands:\n".to_owned();
    for spec in COMMANDS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<width$}  {}", usage(spec.name, spec.arguments), spec.help);
    }
    text + "Ctrl-C cancels the running statement, or clears the line."
}

/// A pattern may begin with a schema: `spectrum.t*`.
fn show_statement(kind: &str, pattern: Option<&str>) -> String {
    let Some(pattern) = pattern else { return format!("SHOW {kind}") };
    let literal = |pattern: &str| format!("'{}'", pattern.replace('\'', "''"));
    match pattern.split_once('.') {
        Some((schema, "" | "*")) => format!("SHOW {kind} IN {}", quote_name(schema)),
        Some((schema, pattern)) => format!("SHOW {kind} IN {} LIKE {}", quote_name(schema), literal(pattern)),
        None => format!("SHOW {kind} LIKE {}", literal(pattern)),
    }
}

/// A name as SQL takes it: quoted unless it is a plain word.
pub(crate) fn quote_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_keyword(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_statements() {
        let cases = [
            (None, "SHOW TABLES"),
            (Some("t*"), "SHOW TABLES LIKE 't*'"),
            (Some("s.t*"), "SHOW TABLES IN s LIKE 't*'"),
            (Some("S."), "SHOW TABLES IN \"S\""),
            (Some("o'x"), "SHOW TABLES LIKE 'o''x'"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(show_statement("TABLES", pattern), expected);
        }
    }

    #[test]
    fn names_are_quoted_where_sql_needs_it() {
        for (name, expected) in
            [("a_1", "a_1"), ("A", "\"A\""), ("1a", "\"1a\""), ("a\"b", "\"a\"\"b\""), ("order", "\"order\"")]
        {
            assert_eq!(quote_name(name), expected);
        }
    }
}

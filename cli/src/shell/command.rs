//! Backslash commands: their table, and parsing a line into one.

use millrace_engine::sql::Dialect;
use std::path::PathBuf;

/// A command as users see it: for `\?`, for completion and for the list of near ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandSpec {
    /// Its name without the backslash.
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) arguments: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

const fn spec(name: &'static str, arguments: &'static str, help: &'static str) -> CommandSpec {
    CommandSpec { name, arguments, help }
}

/// All commands, in the order of the help.
pub(crate) const COMMANDS: &[CommandSpec] = &[
    spec("?", "", "this list"),
    spec("q", "", "quit (also Ctrl-D)"),
    spec("d", "[name]", "columns of a table or view; without a name, all tables"),
    spec("dt", "[pattern]", "tables"),
    spec("dv", "[pattern]", "views"),
    spec("dn", "", "schemas"),
    spec("df", "[pattern]", "functions"),
    spec("l", "", "databases"),
    spec("c", "database", "use another database"),
    spec("conninfo", "", "where this session is"),
    spec("dialect", "[redshift|athena]", "show or change the dialect of SQL"),
    spec("e", "[file]", "edit the current or last statement, or a file, then run it"),
    spec("i", "file", "run a file"),
    spec("o", "[file]", "write rows to a file, or to the screen again"),
    spec("x", "[on|off]", "a block for each row"),
    spec("pset", "[name [value]]", "format, null, rows, verbosity"),
    spec("timing", "[on|off]", "print how long statements take"),
    spec("errverbose", "", "the last error, with its SQLSTATE"),
];

/// A parsed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// `\?`
    Help,
    /// `\q`
    Quit,
    /// `\d name`
    Describe(String),
    /// `\d`, `\dt`
    Tables(Option<String>),
    /// `\dv`
    Views(Option<String>),
    /// `\dn`
    Schemas,
    /// `\df`
    Functions(Option<String>),
    /// `\l`
    Databases,
    /// `\c`
    Connect(String),
    /// `\conninfo`
    ConnectionInfo,
    /// `\dialect`
    Dialect(Option<Dialect>),
    /// `\e`
    Edit(Option<PathBuf>),
    /// `\i`
    Include(PathBuf),
    /// `\o`
    Output(Option<PathBuf>),
    /// `\x`; `None` turns it over.
    Expanded(Option<bool>),
    /// `\pset`
    Pset(Option<(String, Option<String>)>),
    /// `\timing`; `None` turns it over.
    Timing(Option<bool>),
    /// `\errverbose`
    LastError,
}

impl Command {
    /// Parses a line that begins with a backslash. The error is for the user.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let words = words(line.trim().trim_start_matches('\\'))?;
        let mut words = words.into_iter();
        let name = words.next().unwrap_or_default();
        let mut arguments = Arguments { name: &name, words };
        let command = match name.as_str() {
            "?" | "h" | "help" => Self::Help,
            "q" | "quit" | "exit" => Self::Quit,
            "d" => arguments.optional().map_or(Self::Tables(None), Self::Describe),
            "dt" => Self::Tables(arguments.optional()),
            "dv" => Self::Views(arguments.optional()),
            "dn" => Self::Schemas,
            "df" => Self::Functions(arguments.optional()),
            "l" => Self::Databases,
            "c" | "connect" => Self::Connect(arguments.required("a database")?),
            "conninfo" => Self::ConnectionInfo,
            "dialect" => Self::Dialect(arguments.optional().map(|name| name.parse()).transpose()?),
            "e" => Self::Edit(arguments.optional().map(PathBuf::from)),
            "i" => Self::Include(arguments.required("a file")?.into()),
            "o" => Self::Output(arguments.optional().map(PathBuf::from)),
            "x" => Self::Expanded(arguments.switch()?),
            "pset" => Self::Pset(arguments.optional().map(|name| (name, arguments.optional()))),
            "timing" => Self::Timing(arguments.switch()?),
            "errverbose" => Self::LastError,
            _ => return Err(unknown(&name)),
        };
        arguments.end()?;
        Ok(command)
    }
}

/// The arguments that are not read yet.
struct Arguments<'a> {
    name: &'a str,
    words: std::vec::IntoIter<String>,
}

impl Arguments<'_> {
    fn optional(&mut self) -> Option<String> {
        self.words.next()
    }

    fn required(&mut self, what: &str) -> Result<String, String> {
        self.optional().ok_or_else(|| format!("\\{}: give {what}", self.name))
    }

    fn switch(&mut self) -> Result<Option<bool>, String> {
        match self.optional().as_deref() {
            None => Ok(None),
            Some("on" | "true" | "1") => Ok(Some(true)),
            Some("off" | "false" | "0") => Ok(Some(false)),
            Some(other) => Err(format!("\\{}: \"{other}\" is neither on nor off", self.name)),
        }
    }

    fn end(mut self) -> Result<(), String> {
        match self.optional() {
            None => Ok(()),
            Some(extra) => Err(format!("\\{}: extra argument \"{extra}\"", self.name)),
        }
    }
}

/// Words between blanks; quotes hold blanks together, doubled quotes stand for themselves. A semicolon at the end is
/// habit, not argument.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = line.trim_end_matches(|c: char| c == ';' || c.is_whitespace()).chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            if !matches!(c, '\'' | '"') {
                word.push(c);
                continue;
            }
            loop {
                match chars.next() {
                    Some(inner) if inner != c => word.push(inner),
                    Some(_) if chars.next_if_eq(&c).is_some() => word.push(c),
                    Some(_) => break,
                    None => return Err(format!("unterminated quoted string: {c}{word}")),
                }
            }
        }
        words.push(word);
    }
}

fn unknown(name: &str) -> String {
    let near = near(name);
    let hint = match near.as_slice() {
        [] => "\\? lists all".to_owned(),
        near => format!("did you mean {}? \\? lists all", near.join(", ")),
    };
    format!("invalid command \\{name}: {hint}")
}

/// Commands with the same beginning, those that share most of it first; at most four.
fn near(name: &str) -> Vec<String> {
    let shared = |other: &str| name.chars().zip(other.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let mut near: Vec<(usize, &str)> =
        COMMANDS.iter().map(|spec| (shared(spec.name), spec.name)).filter(|(shared, _)| *shared > 0).collect();
    near.sort_by_key(|(shared, other)| (usize::MAX - shared, other.len()));
    near.into_iter().take(4).map(|(_, name)| format!("\\{name}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_listed_command_is_known() {
        for spec in COMMANDS {
            let line = format!("\\{}", spec.name);
            let parsed = Command::parse(&line).or_else(|_| Command::parse(&format!("{line} x")));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn lines_become_commands() {
        let cases = [
            ("\\d", Command::Tables(None)),
            ("\\d spectrum.trips;", Command::Describe("spectrum.trips".into())),
            ("  \\dt  t* ", Command::Tables(Some("t*".into()))),
            ("\\i 'my file.sql'", Command::Include("my file.sql".into())),
            ("\\o", Command::Output(None)),
            ("\\x", Command::Expanded(None)),
            ("\\x off", Command::Expanded(Some(false))),
            ("\\timing on", Command::Timing(Some(true))),
            ("\\pset null '(null)'", Command::Pset(Some(("null".into(), Some("(null)".into()))))),
            ("\\pset null ''", Command::Pset(Some(("null".into(), Some(String::new()))))),
            ("\\pset", Command::Pset(None)),
            ("\\dialect Athena", Command::Dialect(Some(Dialect::Athena))),
            ("\\c \"My \"\"db\"", Command::Connect("My \"db".into())),
            ("\\q", Command::Quit),
            ("\\?", Command::Help),
        ];
        for (line, expected) in cases {
            assert_eq!(Command::parse(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_a_command_is_told_why() {
        let cases = [
            ("\\dtt", "invalid command \\dtt: did you mean \\dt, \\d, \\dv, \\dn? \\? lists all"),
            ("\\zap", "invalid command \\zap: \\? lists all"),
            ("\\x maybe", "\\x: \"maybe\" is neither on nor off"),
            ("\\i", "\\i: give a file"),
            ("\\q now", "\\q: extra argument \"now\""),
            ("\\i 'a", "unterminated quoted string: 'a"),
            ("\\dialect mysql", "dialect \"mysql\" is not known: redshift and athena are"),
        ];
        for (line, expected) in cases {
            assert_eq!(Command::parse(line).unwrap_err(), expected);
        }
    }
}

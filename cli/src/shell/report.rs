//! Errors as the user sees them, in psql's form: message, the line with a caret, detail, hint, and SQLSTATE if wanted.

use millrace_engine::Error;
use std::fmt::{self, Write};
use std::str::FromStr;
use unicode_width::UnicodeWidthChar;

/// How much an error tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// The message, where, detail and hint.
    Default,
    /// Also the SQLSTATE.
    Verbose,
}

impl fmt::Display for Verbosity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Verbose => "verbose",
        })
    }
}

impl FromStr for Verbosity {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "default" => Ok(Self::Default),
            "verbose" => Ok(Self::Verbose),
            _ => Err(format!("unknown verbosity \"{name}\": default and verbose are known")),
        }
    }
}

/// Columns of the excerpt where the terminal does not tell.
const WIDTH: usize = 100;
/// Narrower excerpts tell nothing.
const NARROWEST: usize = 20;

/// An error's text, ending with a line end. `statement` is the text that the error's position counts in.
pub(super) fn report(error: &Error, statement: &str, verbosity: Verbosity, width: Option<usize>) -> String {
    let mut text = match verbosity {
        Verbosity::Default => format!("ERROR:  {}\n", error.message),
        Verbosity::Verbose => format!("ERROR:  {}: {}\n", error.sqlstate(), error.message),
    };
    if let Some(excerpt) = error.position.and_then(|position| excerpt(statement, position, width.unwrap_or(WIDTH))) {
        text.push_str(&excerpt);
    }
    for (label, part) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
        if let Some(part) = part {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{label}:  {part}");
        }
    }
    text
}

/// The line number, from 1, that a position lies in; the last line for positions past the end.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    1 + text.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count()
}

/// `LINE n: text` and the caret below the position; `None` when the position is not in the text.
fn excerpt(text: &str, position: usize, width: usize) -> Option<String> {
    let before = position.checked_sub(1)?;
    // One past the end is where an unfinished statement is wrong.
    if text.is_empty() || before > text.chars().count() {
        return None;
    }
    let number = line_of(text, position);
    let line_start =
        text.chars().take(before).collect::<Vec<_>>().iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1);
    let line: Vec<char> = text.chars().skip(line_start).take_while(|c| *c != '\n').map(printable).collect();
    let caret = before - line_start;

    let label = format!("LINE {number}: ");
    let room = width.saturating_sub(label.len()).max(NARROWEST);
    let (start, end) = window(&line, caret, room);
    let mut shown = String::new();
    let mut indent = label.len();
    if start > 0 {
        shown.push('…');
        indent += 1;
    }
    shown.extend(&line[start..end]);
    if end < line.len() {
        shown.push('…');
    }
    indent += line[start..caret.min(end)].iter().map(|c| columns(*c)).sum::<usize>();
    Some(format!("{label}{}\n{:indent$}^\n", shown.trim_end(), ""))
}

/// Tabs and other controls take one column, so that the caret stands where it should on every terminal.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The part of a line around the caret that fits into `room` columns, two of them kept for the dots.
fn window(line: &[char], caret: usize, room: usize) -> (usize, usize) {
    if line.iter().map(|c| columns(*c)).sum::<usize>() <= room {
        return (0, line.len());
    }
    let room = room - 2;
    let (mut start, mut used) = (caret.min(line.len()), 0);
    while start > 0 && used + columns(line[start - 1]) <= room / 2 {
        start -= 1;
        used += columns(line[start]);
    }
    let mut end = caret.min(line.len());
    while end < line.len() && used + columns(line[end]) <= room {
        used += columns(line[end]);
        end += 1;
    }
    while start > 0 && used + columns(line[start - 1]) <= room {
        start -= 1;
        used += columns(line[start]);
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_engine::ErrorKind;

    fn shown(statement: &str, position: usize, width: usize) -> String {
        let error = Error::new(ErrorKind::UndefinedColumn, "column \"x\" does not exist").with_position(position);
        report(&error, statement, Verbosity::Default, Some(width))
    }

    #[test]
    fn the_caret_stands_under_the_position() {
        insta::assert_snapshot!(shown("select x from t", 8, 80), @r#"
        ERROR:  column "x" does not exist
        LINE 1: select x from t
                       ^
        "#);
        insta::assert_snapshot!(shown("select a,\n\t  x\nfrom t", 14, 80), @r#"
        ERROR:  column "x" does not exist
        LINE 2:    x
                   ^
        "#);
        insta::assert_snapshot!(shown("select '日本語', é, x from t", 18, 80), @r#"
        ERROR:  column "x" does not exist
        LINE 1: select '日本語', é, x from t
                                    ^
        "#);
        insta::assert_snapshot!(shown("select", 7, 80), @r#"
        ERROR:  column "x" does not exist
        LINE 1: select
                      ^
        "#);
    }

    #[test]
    fn long_lines_are_cut_around_the_position() {
        let statement = format!("select {} x, {} from t", "aaaa, ".repeat(20), "bbbb, ".repeat(20));
        insta::assert_snapshot!(shown(&statement, 129, 60), @r#"
        ERROR:  column "x" does not exist
        LINE 1: …aaaa, aaaa, aaaa, aaaa,  x, bbbb, bbbb, bbbb, bbbb…
                                          ^
        "#);
        insta::assert_snapshot!(shown(&statement, 1, 60), @r#"
        ERROR:  column "x" does not exist
        LINE 1: select aaaa, aaaa, aaaa, aaaa, aaaa, aaaa, aaaa, a…
                ^
        "#);
    }

    #[test]
    fn a_position_outside_the_text_shows_no_line() {
        for position in [0, 9] {
            assert_eq!(shown("select", position, 80), "ERROR:  column \"x\" does not exist\n");
        }
    }

    #[test]
    fn detail_hint_and_state_follow() {
        let error = Error::new(ErrorKind::BadFile, "could not read").with_detail("the file a").with_hint("look");
        insta::assert_snapshot!(report(&error, "", Verbosity::Verbose, None), @r"
        ERROR:  58030: could not read
        DETAIL:  the file a
        HINT:  look
        ");
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!([1, 2, 3, 4, 9].map(|position| line_of("a\nb\nc", position)), [1, 1, 2, 2, 3]);
    }
}

//! What may stand at the cursor: pure functions of the text and the names that exist.

use crate::engine::{Names, TableNames};
use crate::print::Format;
use crate::shell::{COMMANDS, quote_name};
use crate::syntax::{KEYWORDS, Kind, Token, is_keyword, tokens};
use clap::ValueEnum;

/// More candidates than this help no one.
const MAX_CANDIDATES: usize = 200;

/// Candidates for the text from `start` to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Completion {
    /// First byte of the line that a candidate replaces.
    pub(super) start: usize,
    /// Replacements, best first.
    pub(super) candidates: Vec<String>,
}

/// Whether the cursor stands on the argument of a command that takes a file.
pub(super) fn wants_file(line: &str, cursor: usize) -> bool {
    let before = line[..cursor].trim_start();
    ["\\i ", "\\o ", "\\e "].iter().any(|command| before.starts_with(command))
}

/// Completes the word before the cursor. `pending` is what was typed in the lines before.
pub(super) fn complete(pending: &str, line: &str, cursor: usize, names: &Names) -> Completion {
    let before = &line[..cursor];
    if before.trim_start().starts_with('\\') {
        return complete_command(before, names);
    }
    let text = format!("{pending}{line}");
    let at = pending.len() + cursor;
    if is_quoted_at(&text[..at]) {
        return Completion { start: cursor, candidates: Vec::new() };
    }
    let word = word_start(&text[..at]);
    let context = Context::read(&text, at, word, names);
    // The word may not reach into the lines before: they cannot be changed any more.
    let Some(start) = word.checked_sub(pending.len()) else {
        return Completion { start: cursor, candidates: Vec::new() };
    };
    Completion { start, candidates: matching(&text[word..at], context.candidates(names)) }
}

/// Keeps the candidates that begin with a prefix, whatever its case, each once, in order.
fn matching(prefix: &str, candidates: impl IntoIterator<Item = String>) -> Vec<String> {
    let prefix = prefix.to_lowercase();
    let mut kept: Vec<String> = Vec::new();
    for candidate in candidates {
        let name = candidate.trim_start_matches('"').to_lowercase();
        if name.starts_with(&prefix) && !kept.contains(&candidate) {
            kept.push(candidate);
            if kept.len() == MAX_CANDIDATES {
                break;
            }
        }
    }
    kept
}

fn complete_command(before: &str, names: &Names) -> Completion {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = &before[start..];
    let mut words = before[..start].split_whitespace();
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let candidates: Vec<String> = match (words.next(), words.next()) {
        (None, _) => COMMANDS.iter().map(|spec| format!("\\{}", spec.name)).collect(),
        (Some("\\d" | "\\dt" | "\\dv"), None) => match word.split_once('.') {
            Some((schema, _)) => tables_of(schema, names).map(|t| format!("{schema}.{}", t.name)).collect(),
            None => names.tables.iter().map(|table| table.name.clone()).chain(names.schemas.iter().cloned()).collect(),
        },
        (Some("\\c"), None) => names.schemas.clone(),
        (Some("\\df"), None) => names.functions.clone(),
        (Some("\\x" | "\\timing"), None) => strings(&["on", "off"]),
        (Some("\\dialect"), None) => strings(&["redshift", "athena"]),
        (Some("\\pset"), None) => strings(&["format", "null", "rows", "verbosity"]),
        (Some("\\pset"), Some("format")) => Format::value_variants().iter().map(|format| format.name()).collect(),
        (Some("\\pset"), Some("verbosity")) => strings(&["default", "verbose"]),
        _ => Vec::new(),
    };
    Completion { start, candidates: matching(word, candidates) }
}

/// Whether a text ends inside of a quote or comment, where nothing is completed.
fn is_quoted_at(text: &str) -> bool {
    tokens(text)
        .last()
        .is_some_and(|token| token.open || (token.kind == Kind::Comment && text[token.start..].starts_with("--")))
}

/// Where the bare word that a text ends with begins.
fn word_start(text: &str) -> usize {
    match tokens(text).last() {
        Some(token) if token.kind == Kind::Word => token.start,
        _ => text.len(),
    }
}

/// What surrounds the word at the cursor.
struct Context<'a> {
    /// The name before a dot before the word.
    qualifier: Option<String>,
    /// The keyword or symbol before the word, in upper case.
    previous: String,
    /// The word as typed so far.
    word: &'a str,
    /// The tables that the statement names, with the names that it gives them.
    named: Vec<(String, &'a TableNames)>,
}

impl<'a> Context<'a> {
    fn read(text: &'a str, at: usize, word: usize, names: &'a Names) -> Self {
        let statement = statement_around(text, at);
        let significant = |token: &Token| !matches!(token.kind, Kind::Space | Kind::Comment);
        let before: Vec<&str> = tokens(&text[statement.0..word])
            .filter(significant)
            .map(|t| &text[statement.0 + t.start..statement.0 + t.end])
            .collect();
        let qualifier = match before.as_slice() {
            [.., name, "."] => Some(unquote(name)),
            _ => None,
        };
        Self {
            qualifier,
            previous: before.last().map(|piece| piece.to_uppercase()).unwrap_or_default(),
            word: &text[word..at],
            named: named_tables(&text[statement.0..statement.1], names),
        }
    }

    fn candidates(&self, names: &Names) -> Vec<String> {
        let quoted = |name: &String| quote_name(name);
        if let Some(qualifier) = &self.qualifier {
            let columns = self.named.iter().filter(|(alias, _)| alias.eq_ignore_ascii_case(qualifier));
            let columns = columns.flat_map(|(_, table)| &table.columns).map(quoted);
            return columns.chain(tables_of(qualifier, names).map(|table| quote_name(&table.name))).collect();
        }
        let tables = names.tables.iter().map(|table| quote_name(&table.name));
        let schemas = names.schemas.iter().map(quoted);
        if self.wants_table() {
            return tables.chain(schemas).collect();
        }
        let columns = self.named.iter().flat_map(|(_, table)| &table.columns).map(quoted);
        let aliases = self.named.iter().map(|(alias, _)| quote_name(alias));
        let functions = names.functions.iter().map(|name| format!("{name}("));
        let keywords = KEYWORDS.iter().map(|keyword| self.in_typed_case(keyword));
        // A bare Tab after a blank would list hundreds of functions and keywords.
        if self.word.is_empty() {
            return columns.chain(aliases).collect();
        }
        columns.chain(aliases).chain(keywords).chain(functions).chain(tables).chain(schemas).collect()
    }

    fn wants_table(&self) -> bool {
        let places = ["FROM", "JOIN", "INTO", "TABLE", "DESCRIBE", "VIEW", "REPAIR", "USE", "PARTITIONS"];
        places.contains(&self.previous.as_str())
    }

    /// Keywords follow the case of what is typed.
    fn in_typed_case(&self, keyword: &str) -> String {
        if self.word.chars().any(char::is_lowercase) { keyword.to_lowercase() } else { keyword.to_owned() }
    }
}

/// The bytes of the statement that the cursor is in.
fn statement_around(text: &str, at: usize) -> (usize, usize) {
    let mut around = (0, text.len());
    for token in tokens(text).filter(|token| token.kind == Kind::Symbol && &text[token.start..token.end] == ";") {
        if token.end > at {
            around.1 = token.start;
            break;
        }
        around.0 = token.end;
    }
    around
}

/// The tables named in a statement, under their own name and their alias.
fn named_tables<'a>(statement: &str, names: &'a Names) -> Vec<(String, &'a TableNames)> {
    let pieces: Vec<(Kind, &str)> = tokens(statement)
        .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
        .map(|token| (token.kind, &statement[token.start..token.end]))
        .collect();
    let name_at = |at: usize| match pieces.get(at) {
        Some((Kind::QuotedName, piece)) => Some(unquote(piece)),
        Some((Kind::Word, piece)) if !is_keyword(piece) => Some((*piece).to_owned()),
        _ => None,
    };
    let mut found = Vec::new();
    for at in 0..pieces.len() {
        let Some(name) = name_at(at) else { continue };
        let schema = at.checked_sub(2).filter(|_| pieces[at - 1].1 == ".").and_then(name_at);
        let fits = |table: &&TableNames| {
            table.name.eq_ignore_ascii_case(&name)
                && schema.as_ref().is_none_or(|schema| table.schema.eq_ignore_ascii_case(schema))
        };
        for table in names.tables.iter().filter(fits) {
            let alias_at =
                if pieces.get(at + 1).is_some_and(|(_, piece)| piece.eq_ignore_ascii_case("as")) { 2 } else { 1 };
            found.push((name_at(at + alias_at).unwrap_or_else(|| name.clone()), table));
        }
    }
    found
}

fn tables_of<'a>(schema: &'a str, names: &'a Names) -> impl Iterator<Item = &'a TableNames> {
    names.tables.iter().filter(move |table| table.schema.eq_ignore_ascii_case(schema))
}

fn unquote(name: &str) -> String {
    match name.chars().next() {
        Some(quote @ ('"' | '`')) => {
            let inner = name.strip_prefix(quote).unwrap_or(name);
            inner.strip_suffix(quote).unwrap_or(inner).replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let table = |schema: &str, name: &str, columns: &[&str]| TableNames {
            schema: schema.to_owned(),
            name: name.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        Names {
            schemas: vec!["spectrum".into(), "sales".into()],
            tables: vec![
                table("spectrum", "trips", &["vendor", "fare", "Tip Amount"]),
                table("sales", "orders", &["order_id", "total"]),
            ],
            functions: vec!["sum".into(), "substring".into()],
        }
    }

    /// The bar is the cursor.
    fn at_bar(pending: &str, line: &str) -> (usize, Vec<String>) {
        let cursor = line.find('|').unwrap_or(line.len());
        let completion = complete(pending, &line.replacen('|', "", 1), cursor, &names());
        (completion.start, completion.candidates)
    }

    #[test]
    fn sql_is_completed_from_what_surrounds_it() {
        let cases: &[(&str, &str, usize, &[&str])] = &[
            ("", "sel|", 0, &["select"]),
            ("", "SEL|", 0, &["SELECT"]),
            ("", "select * from tr|", 14, &["trips"]),
            ("", "select * from |", 14, &["trips", "orders", "spectrum", "sales"]),
            ("", "select * from spectrum.|", 23, &["trips"]),
            ("", "select fa| from trips", 7, &["fare", "false"]),
            ("", "select t.| from spectrum.trips as t", 9, &["vendor", "fare", "\"Tip Amount\""]),
            ("", "select o.t| from trips t join orders o on true", 9, &["total"]),
            ("", "select tip| from trips", 7, &["\"Tip Amount\""]),
            ("", "select su|", 7, &["sum(", "substring("]),
            ("", "select | from orders x", 7, &["order_id", "total", "x"]),
            ("", "select * from trips; select ven|", 28, &[]),
            ("", "select 'sel|", 11, &[]),
            ("", "select 1 -- sel|", 15, &[]),
            ("select *\nfrom trips\n", "where fare > 1 and vend|", 19, &["vendor"]),
            ("select '\n", "sel|", 3, &[]),
        ];
        for (pending, line, start, expected) in cases {
            let (found_start, found) = at_bar(pending, line);
            assert_eq!(
                (found_start, found.iter().map(String::as_str).collect::<Vec<_>>()),
                (*start, expected.to_vec()),
                "{line}"
            );
        }
    }

    #[test]
    fn commands_and_their_arguments_are_completed() {
        let cases: &[(&str, usize, &[&str])] = &[
            ("\\ti|", 0, &["\\timing"]),
            ("\\d tr|", 3, &["trips"]),
            ("\\d sales.|", 3, &["sales.orders"]),
            ("\\c s|", 3, &["spectrum", "sales"]),
            ("\\x o|", 3, &["on", "off"]),
            ("\\pset format j|", 13, &["json", "jsonl"]),
            ("\\dialect a|", 9, &["athena"]),
        ];
        for (line, start, expected) in cases {
            let (found_start, found) = at_bar("", line);
            assert_eq!(
                (found_start, found.iter().map(String::as_str).collect::<Vec<_>>()),
                (*start, expected.to_vec()),
                "{line}"
            );
        }
        assert!(wants_file("\\i scr", 6));
        assert!(!wants_file("\\d scr", 6));
    }
}

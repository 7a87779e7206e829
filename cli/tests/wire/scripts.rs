//! The scripts of `tests/sql` over the wire: what they expect in the process must come out of the socket too.
//!
//! Simple queries, so values are texts as the protocol writes them: `t` where a script says `true`, `{a}` where it says
//! `[a]`, `\xab` where it says `ab`, numbers, times and offsets without needless zeros. Every script has a server of its own.

use crate::server::Server;
use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Normalizer, Runner};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, SimpleQueryMessage};

/// The folders whose scripts are run.
const FOLDERS: [&str; 11] = [
    "copy",
    "dialects",
    "errors",
    "external",
    "functions",
    "managed",
    "security",
    "select",
    "session",
    "system",
    "views",
];

/// Scripts that run at a time.
const AT_A_TIME: usize = 4;

/// Scripts that show what the wire does not carry: how Arrow prints nested values, and moments by the clocks of their own zone,
/// which drivers expect by the session's; and one that has a COPY FROM STDIN refused, which here begins.
const LEFT_OUT: [&str; 6] = [
    "managed/types",
    "functions/trino",
    "functions/trino_row_casts",
    "functions/trino_zones",
    "functions/trino_zones_compared",
    "copy/updates",
];

struct Wire {
    client: Client,
    places: Arc<[(&'static str, String)]>,
}

#[derive(Debug)]
struct WireError(String, String);

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0, self.1)
    }
}

impl std::error::Error for WireError {}

impl Wire {
    fn hide(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (name, place)| text.replace(place, name))
    }

    fn error(&self, error: &tokio_postgres::Error) -> WireError {
        let Some(error) = error.as_db_error() else { return WireError("the wire".to_owned(), error.to_string()) };
        WireError(error.code().code().to_owned(), self.hide(&told(error)).replace('\n', " "))
    }
}

/// An error with all that it tells.
fn told(error: &DbError) -> String {
    let mut text = error.message().to_owned();
    for (word, more) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(more) = more {
            write!(text, " {word}: {more}").unwrap();
        }
    }
    text
}

#[async_trait]
impl AsyncDB for Wire {
    type Error = WireError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, WireError> {
        let text = self.places.iter().fold(sql.to_owned(), |text, (name, place)| text.replace(name, place));
        let messages = self.client.simple_query(&text).await.map_err(|error| self.error(&error))?;
        let mut columns = None;
        let mut rows = Vec::new();
        let mut count = 0;
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(described) => {
                    columns = Some(described.len());
                    rows.clear();
                }
                SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|at| self.value(row.get(at))).collect()),
                SimpleQueryMessage::CommandComplete(changed) => count = changed,
                _ => {}
            }
        }
        Ok(match columns {
            Some(columns) => DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows },
            None => DBOutput::StatementComplete(count),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "millrace"
    }

    async fn sleep(time: std::time::Duration) {
        tokio::time::sleep(time).await;
    }

    fn error_sql_state(error: &WireError) -> Option<String> {
        Some(error.0.clone())
    }
}

impl Wire {
    fn value(&self, value: Option<&str>) -> String {
        match value {
            None => "NULL".to_owned(),
            Some("") => "(empty)".to_owned(),
            Some(text) => self.hide(text).replace('\r', "\\r").replace('\n', "\\n"),
        }
    }
}

/// A value in the one form that both ways of writing it have.
fn plain(value: &str) -> String {
    let words: Vec<String> = value.split_whitespace().map(plain_word).collect();
    words.join(" ")
}

fn plain_word(word: &str) -> String {
    match word {
        "true" => return "t".to_owned(),
        "false" => return "f".to_owned(),
        "Infinity" => return "inf".to_owned(),
        "-Infinity" => return "-inf".to_owned(),
        _ => {}
    }
    let word = word.strip_prefix("\\x").unwrap_or(word);
    if let Some(number) = plain_number(word) {
        return number;
    }
    let time = word.contains(':') && word.contains('.');
    let word = if time { word.trim_end_matches('0').trim_end_matches('.') } else { word };
    // The minutes of an offset from UTC.
    let hours =
        word.strip_suffix(":00").filter(|hours| hours.rsplit_once(['+', '-']).is_some_and(|(_, h)| h.len() == 2));
    let word = hours.unwrap_or(word);
    word.replace(['{', '[', ' '], "[").replace(['}', ']'], "]").replace('"', "")
}

/// A number's digits without needless zeros. Decimals have all of theirs; what has an exponent is a float.
fn plain_number(word: &str) -> Option<String> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.contains(['.', 'e', 'E']) {
        return None;
    }
    if digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.matches('.').count() == 1 {
        return Some(word.trim_end_matches('0').trim_end_matches('.').to_owned());
    }
    let number: f64 = word.parse().ok()?;
    // As the others are written: without an exponent.
    Some(format!("{number}"))
}

#[allow(clippy::ptr_arg, reason = "sqllogictest's signature")]
fn same(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let written = |row: &str| {
        let text = plain(row).replace(", ", ",");
        // A document or a map; elsewhere a text may have a colon and a space.
        if row.starts_with('{') || row.contains(" {") { text.replace(": ", ":") } else { text }
    };
    actual.len() == expected.len()
        && actual
            .iter()
            .zip(expected)
            .all(|(actual, expected)| matches(&written(&actual.join(" ")), &written(expected)))
}

/// Whether a row is what a script expects, where `<slt:ignore>` stands for any text.
fn matches(actual: &str, expected: &str) -> bool {
    let mut pieces = expected.split("<slt:ignore>");
    let Some(mut rest) = pieces.next().and_then(|first| actual.strip_prefix(first)) else { return false };
    let mut open = false;
    for piece in pieces {
        open = true;
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
        if !piece.is_empty() {
            open = false;
        }
    }
    open || rest.is_empty()
}

#[allow(clippy::ptr_arg, reason = "sqllogictest's signature")]
fn as_many(actual: &Vec<DefaultColumnType>, expected: &Vec<DefaultColumnType>) -> bool {
    actual.len() == expected.len()
}

async fn run(path: PathBuf, name: String) -> Result<(), String> {
    let server = Server::start();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tmp = server.directory.path().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let places: Arc<[(&str, String)]> = Arc::new([
        ("${lake}", repository.join("examples/lake").display().to_string()),
        ("${data}", repository.join("tests/data").display().to_string()),
        ("${tmp}", tmp.display().to_string()),
    ]);
    let mut runner = Runner::new(|| async { Ok(Wire { client: server.client().await, places: Arc::clone(&places) }) });
    runner.with_column_validator(as_many);
    runner.with_validator(same);
    let mut failures = Vec::new();
    for record in sqllogictest::parse_file::<DefaultColumnType>(&path).map_err(|error| error.to_string())? {
        if let Err(error) = runner.run_async(record).await {
            failures.push(format!("{name}: {error}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_say_the_same_over_the_wire() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/sql");
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_stem().unwrap().display());
            let text = std::fs::read_to_string(&path).unwrap();
            if path.extension().is_none_or(|extension| extension != "slt")
                || text.contains("${s3}")
                || LEFT_OUT.contains(&name.as_str())
            {
                continue;
            }
            let places = Arc::clone(&places);
            running.push(tokio::spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                run(path, name).await
            }));
        }
    }
    assert!(running.len() > 20, "scripts are missing");
    let mut failures = Vec::new();
    for one in running {
        failures.extend(one.await.unwrap().err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

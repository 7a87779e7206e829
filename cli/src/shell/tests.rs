//! The shell over a fake engine: what is run, what is printed where, and how it ends.
#![allow(clippy::unwrap_used)]

use super::fake::{Fake, Sink};
use super::{Console, Outcome, Place, Screen, Settings, Shell, Watch};
use crate::args::Source;
use crate::print::Format;
use std::sync::atomic::Ordering;
use std::time::Duration;

struct Bench {
    shell: Shell,
    engine: Fake,
    out: Sink,
    err: Sink,
    watch: Watch,
}

fn bench(settings: Settings, screen: Screen, capacity: Option<usize>) -> Bench {
    let (engine, watch) = (Fake::default(), Watch::deaf().unwrap());
    let (out, err) = (Sink::with_capacity(capacity), Sink::default());
    let console = Console::new(Box::new(out.clone()), Box::new(err.clone()), screen);
    let shell = Shell::new(Box::new(engine.clone()), console, settings, watch.clone());
    Bench { shell, engine, out, err, watch }
}

fn batch() -> Bench {
    bench(Settings::batch(None), Screen::None, None)
}

fn interactive() -> Bench {
    let settings = Settings { timing: false, ..Settings::interactive(None) };
    bench(settings, Screen::Fixed(80), None)
}

impl Bench {
    async fn script(&mut self, text: &str, keep_going: bool) -> Outcome {
        self.shell.run_script(Some("s.sql"), text.as_bytes(), keep_going).await
    }

    async fn commands(&mut self, texts: &[&str], keep_going: bool) -> Outcome {
        let sources: Vec<Source> = texts.iter().map(|text| Source::Command((*text).to_owned())).collect();
        self.shell.run_sources(&sources, keep_going).await
    }

    fn seen(&self) -> Vec<String> {
        self.engine.seen.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_script_runs_statement_by_statement() {
    let mut bench = batch();
    assert_eq!(bench.script("numbers 2;\ncreate; numbers\n 0", false).await, Outcome::Done);
    assert_eq!(bench.seen(), ["numbers 2", "create", "numbers\n 0"]);
    insta::assert_snapshot!(bench.out.text(), @r"
     n | name
    ---+-------
     0 | row 0
     1 |
    (2 rows)
    CREATE TABLE
     n | name
    ---+------
    (0 rows)
    ");
    assert_eq!(bench.err.text(), "NOTICE:  it exists\n");
}

#[tokio::test]
async fn a_failure_stops_a_script_and_names_its_place() {
    let mut bench = batch();
    assert_eq!(bench.script("create;\n\nthis is\nbad;\ncreate;", false).await, Outcome::Failed);
    assert_eq!(bench.seen(), ["create", "this is\nbad"]);
    insta::assert_snapshot!(bench.err.text(), @r"
    NOTICE:  it exists
    s.sql:4: ERROR:  syntax error
    LINE 2: bad
            ^
    HINT:  try harder
    ");
}

#[tokio::test]
async fn with_keep_going_the_rest_runs_and_the_failure_is_remembered() {
    let mut bench = batch();
    assert_eq!(bench.commands(&["bad; create", "\\nonsense", "numbers 1"], true).await, Outcome::Failed);
    assert_eq!(bench.seen(), ["bad", "create", "numbers 1"]);
    assert!(bench.err.text().contains("invalid command \\nonsense"));
    let mut bench = batch();
    assert_eq!(bench.commands(&["bad; create", "numbers 1"], false).await, Outcome::Failed);
    assert_eq!(bench.seen(), ["bad"]);
}

#[tokio::test]
async fn an_error_after_rows_is_an_error() {
    let mut bench = bench(Settings::batch(Some(Format::Csv)), Screen::None, None);
    assert_eq!(bench.commands(&["broken 1"], false).await, Outcome::Failed);
    assert_eq!(bench.out.text(), "n,name\n0,row 0\n");
    assert_eq!(bench.err.text(), "ERROR:  the file is damaged\n");
    assert_eq!(bench.shell.run_statement("\\", Place::Typed).await, Outcome::Failed);
}

#[tokio::test]
async fn machine_formats_hold_rows_only() {
    let mut bench = bench(Settings::batch(Some(Format::Jsonl)), Screen::None, None);
    assert_eq!(bench.commands(&["create; numbers 1"], false).await, Outcome::Done);
    assert_eq!(bench.out.text(), "{\"n\":0,\"name\":\"row 0\"}\n");
}

#[tokio::test]
async fn a_broken_pipe_ends_quietly() {
    let mut bench = bench(Settings::batch(Some(Format::Csv)), Screen::None, Some(100));
    assert_eq!(bench.commands(&["numbers 5000", "create"], true).await, Outcome::Quit);
    assert_eq!((bench.seen().len(), bench.err.text().as_str()), (1, ""));
}

#[tokio::test]
async fn interactive_results_are_cut_and_the_count_is_told() {
    let mut bench = interactive();
    assert_eq!(bench.commands(&["\\pset rows 2", "numbers 700", "numbers 2"], false).await, Outcome::Done);
    insta::assert_snapshot!(bench.out.text(), @r"
    Rows shown: 2.
     n | name
    ---+-------
     0 | row 0
     1 |
    (2 of 700 rows; \pset rows 0 shows all)
     n | name
    ---+-------
     0 | row 0
     1 |
    (2 rows)
    ");
}

#[tokio::test]
async fn a_limit_at_the_end_of_a_batch_still_counts_the_rest() {
    let mut bench = interactive();
    bench.commands(&["\\pset rows 300", "numbers 301"], false).await;
    assert!(bench.out.text().contains("(300 of 301 rows;"), "{}", bench.out.text());
}

#[tokio::test]
async fn programs_get_all_rows_even_interactively() {
    let mut bench = interactive();
    bench.commands(&["\\pset format csv", "\\pset rows 2", "numbers 700"], false).await;
    assert_eq!(bench.out.text().lines().count(), 2 + 1 + 700);
}

#[tokio::test]
async fn an_interrupt_cancels_what_runs_and_drops_it() {
    for statement in ["hang", "hang rows"] {
        let mut bench = batch();
        let watch = bench.watch.clone();
        let raise = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            watch.raise();
            watch.raise();
        };
        let sources = [Source::Command(format!("{statement}; create"))];
        let (outcome, ()) = tokio::join!(bench.shell.run_sources(&sources, true), raise);
        assert_eq!(outcome, Outcome::Cancelled, "{statement}");
        assert_eq!(bench.err.text(), "ERROR:  canceling statement due to user request\n");
        assert!(bench.engine.dropped.load(Ordering::SeqCst), "{statement}");
        assert_eq!(bench.seen(), [statement]);
    }
}

#[tokio::test]
async fn an_interrupt_while_nothing_runs_is_forgotten() {
    let mut bench = batch();
    bench.watch.raise();
    assert_eq!(bench.commands(&["create"], false).await, Outcome::Done);
}

#[tokio::test]
async fn describing_commands_are_statements() {
    let mut bench = batch();
    bench.script("\\d t\n\\dt s.t*\n\\dn\n\\df sum\n\\dv\n\\l\n\\c Sales\n\\q\n\\d", true).await;
    let expected = [
        "DESCRIBE t",
        "SHOW TABLES IN s LIKE 't*'",
        "SHOW SCHEMAS",
        "SHOW FUNCTIONS LIKE 'sum'",
        "SHOW VIEWS",
        "SHOW DATABASES",
        "USE \"Sales\"",
    ];
    assert_eq!(bench.seen(), expected);
}

#[tokio::test]
async fn commands_change_how_rows_are_shown() {
    let mut bench = interactive();
    let commands =
        ["\\x", "\\pset null '(none)'", "\\dialect athena", "\\dialect", "\\conninfo", "numbers 2", "\\pset"];
    assert_eq!(bench.commands(&commands, false).await, Outcome::Done);
    insta::assert_snapshot!(bench.out.text(), @r#"
    Expanded display is on.
    Null display is "(none)".
    Dialect is athena.
    Dialect is athena.
    You are using database "default" in the athena dialect.
    -[ RECORD 1 ]
    n    | 0
    name | row 0
    -[ RECORD 2 ]
    n    | 1
    name | (none)
    format     Output format is table.
    null       Null display is "(none)".
    rows       Rows shown: 1000.
    verbosity  Verbosity of errors is default.
    "#);
}

#[tokio::test]
async fn rows_go_to_a_file_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows 1.txt");
    let mut bench = interactive();
    let output = format!("\\o '{}'", path.display());
    assert_eq!(bench.commands(&[&output, "numbers 1500", "\\o", "numbers 1"], false).await, Outcome::Done);
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("(1500 rows)\n"));
    assert!(bench.out.text().ends_with("(1 row)\n"));
}

#[tokio::test]
async fn scripts_include_scripts_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sql");
    std::fs::write(&path, format!("create;\n\\i '{}'\n", path.display())).unwrap();
    let mut bench = batch();
    assert_eq!(bench.shell.run_file(&path, false).await, Outcome::Failed);
    assert_eq!(bench.seen().len(), 16);
    assert!(bench.err.text().contains("nested too deeply"));
    assert_eq!(bench.shell.run_file(&folder.path().join("none"), false).await, Outcome::Failed);
}

#[tokio::test]
async fn the_last_error_can_be_seen_in_full() {
    let mut bench = interactive();
    bench.commands(&["\\errverbose", "bad", "\\errverbose"], true).await;
    insta::assert_snapshot!(bench.err.text(), @r"
    There is no previous error.
    ERROR:  syntax error
    LINE 1: bad
            ^
    HINT:  try harder
    ERROR:  42601: syntax error
    LINE 1: bad
            ^
    HINT:  try harder
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_interrupt_is_heard_while_every_thread_is_busy() {
    let mut bench = batch();
    let watch = bench.watch.clone();
    let raise = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        watch.raise();
    });
    let started = std::time::Instant::now();
    assert_eq!(bench.commands(&["spin 1000"], false).await, Outcome::Cancelled);
    assert!(started.elapsed() >= Duration::from_secs(1), "the statement is waited for when it ends within the limit");
    raise.join().unwrap();
}

#[tokio::test]
async fn a_panic_is_an_error_of_the_statement() {
    let mut bench = batch();
    assert_eq!(bench.commands(&["panic", "create"], true).await, Outcome::Failed);
    assert!(bench.err.text().contains("ERROR:  the statement ended unexpectedly"), "{}", bench.err.text());
    assert!(bench.out.text().contains("CREATE TABLE"));
}

//! `millrace demo`: the example lake beside a new warehouse, a crawler for its tables, and a tour of questions.
//!
//! The lake is inside the program, so that the demo needs nothing but the program. Files that are there already are
//! left as they are.

use crate::open;
use crate::shell::{Console, EXIT_INTERRUPTED, Idle, Outcome, Place, Settings, Shell, Watch};
use anyhow::Context;
use include_dir::{Dir, include_dir};
use millrace_engine::sql;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

static LAKE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../examples/lake");
const CRAWL: &str = include_str!("../../examples/crawl.sql");
const TOUR: &str = include_str!("../../examples/tour.sql");

/// Where `crawl.sql` says that the lake is.
const LAKE_IN_SCRIPTS: &str = "examples/lake";

/// The directory that the demo makes unless told otherwise.
const DIRECTORY: &str = "millrace-demo";

/// Lays the lake, crawls it and runs the tour.
pub(crate) async fn run(warehouse: Option<&Path>, directory: Option<&Path>) -> anyhow::Result<ExitCode> {
    let directory = std::path::absolute(directory.unwrap_or(Path::new(DIRECTORY)))?;
    let lake = directory.join("lake");
    lay(&LAKE, &lake).with_context(|| format!("could not lay the example lake in {}", lake.display()))?;
    let warehouse: PathBuf = warehouse.map_or_else(|| directory.join("warehouse"), Path::to_owned);
    let watch = Watch::start(Idle::Exits)?;
    let engine = open::open(&warehouse, &[], false)
        .await
        .with_context(|| format!("could not open the warehouse {}", warehouse.display()))?;
    let settings = Settings { timing: true, ..Settings::batch(None) };
    let mut shell = Shell::new(engine, Console::standard(), settings, watch);
    shell.announce(&format!(
        "The example lake is in {}, the warehouse in {}.\n",
        lake.display(),
        warehouse.display()
    ))?;
    let crawl = CRAWL.replace(LAKE_IN_SCRIPTS, &lake.display().to_string());
    for script in [crawl.as_str(), TOUR] {
        match run_script(&mut shell, script).await? {
            Outcome::Done => {}
            Outcome::Cancelled => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
            Outcome::Failed | Outcome::Quit => return Ok(ExitCode::FAILURE),
        }
    }
    let shown = std::env::current_dir().ok();
    let shown = shown.as_deref().and_then(|here| warehouse.strip_prefix(here).ok()).unwrap_or(&warehouse);
    let program = std::env::args().next().unwrap_or_else(|| "millrace".to_owned());
    shell.announce(&format!("Ask your own questions: {program} --warehouse {}", shown.display()))?;
    shell.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Shows each statement, runs it and shows what it gave.
async fn run_script(shell: &mut Shell, script: &str) -> anyhow::Result<Outcome> {
    for statement in sql::split(script, sql::Dialect::default()).statements {
        let text = &script[statement];
        shell.announce(text)?;
        let outcome = shell.run_statement(text, Place::Typed).await;
        if outcome != Outcome::Done {
            return Ok(outcome);
        }
        shell.announce("")?;
    }
    Ok(Outcome::Done)
}

/// Writes the files of a directory that are not there yet.
fn lay(from: &Dir<'_>, to: &Path) -> std::io::Result<()> {
    for file in from.files() {
        let path = to.join(file.path());
        if !path.exists() {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, file.contents())?;
        }
    }
    from.dirs().try_for_each(|directory| lay(directory, to))
}

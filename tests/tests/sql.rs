//! Runs every script under `tests/sql`, each in its own warehouse, several at a time.
//!
//! `cargo test --test sql -- write` or `MILLRACE_SLT=write` runs the scripts whose path contains `write`;
//! `MILLRACE_SLT_COMPLETE=1` rewrites the expected results, to be read before they are committed.

use millrace_tests::script;
use sqllogictest::harness::{Arguments, Failed, Trial, run};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    let mut arguments = Arguments::from_args();
    if let Ok(pattern) = std::env::var("MILLRACE_SLT") {
        arguments.filter.get_or_insert(pattern);
    }
    let complete = std::env::var("MILLRACE_SLT_COMPLETE").is_ok_and(|value| value == "1");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    // Threads like the server's.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(millrace_engine::STACK_BYTES).build() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            run(&arguments, vec![Trial::test("runtime", move || Err(error.into()))]).exit();
        }
    };
    let trials = scripts(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(&path).with_extension("").display().to_string();
            let runtime = Arc::clone(&runtime);
            Trial::test(name, move || {
                // On a worker of the runtime, as a statement runs in the program.
                let task = runtime.spawn(async move { script::run(&path, complete).await });
                runtime.block_on(task)?.map_err(|error| Failed::from(format!("{error:#}")))
            })
        })
        .collect::<Vec<_>>();
    assert!(!trials.is_empty(), "there are no scripts under {}", root.display());
    run(&arguments, trials).exit();
}

/// Every script under a folder, in order of their paths.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

//! The `millrace` command: arguments, the terminal, and the one place that assembles a warehouse.
//!
//! [`args`] says what to do; then a runtime is built, a session opened, and either [`shell`] runs what was given or
//! [`repl`] asks for it line by line. Nothing is set up before it is needed, so that a one-line query starts at once.

mod args;
mod bench;
mod crawl;
mod demo;
mod engine;
mod open;
mod place;
mod print;
mod repl;
mod serve;
mod shell;
mod syntax;
mod zone;

use anyhow::Context;
use args::{Action, Invocation};
use shell::{Console, EXIT_INTERRUPTED, Idle, Outcome, Settings, Shell, Watch};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The variable that says what is logged.
const LOG_VARIABLE: &str = "MILLRACE_LOG";

fn main() -> ExitCode {
    let invocation = match args::parse(std::env::args_os(), io::stdin().is_terminal()) {
        Ok(invocation) => invocation,
        // Also help and version, which end well.
        Err(error) => error.exit(),
    };
    start_log();
    match place::locate(invocation).and_then(on_large_stack) {
        Ok(code) => code,
        Err(error) => {
            // There is no one left to tell when standard error fails.
            drop(writeln!(io::stderr(), "millrace: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error what the variable asks for; nothing without it.
fn start_log() {
    if let Ok(filter) = EnvFilter::try_from_env(LOG_VARIABLE) {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    }
}

/// Runs it on a thread like those of the runtime, on which no statement takes a larger stack for each step of its planning.
fn on_large_stack(invocation: Invocation) -> anyhow::Result<ExitCode> {
    let thread = std::thread::Builder::new().name("main".to_owned()).stack_size(millrace_engine::STACK_BYTES);
    let thread = thread.spawn(move || run(&invocation)).context("could not start a thread")?;
    match thread.join() {
        Ok(code) => code,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run(invocation: &Invocation) -> anyhow::Result<ExitCode> {
    // One worker more than the cores: operators that compute for long must not keep time limits from being heard.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(cores + 1)
        .thread_stack_size(millrace_engine::STACK_BYTES)
        .build()
        .context("could not start the runtime")?;
    let code = match &invocation.action {
        Action::Demo { dir } => runtime.block_on(demo::run(invocation.warehouse.as_deref(), dir.as_deref()))?,
        Action::Crawl(arguments) => {
            let crawl = crawl::run(invocation.directory(), &invocation.settings, invocation.format, arguments);
            exit_code(runtime.block_on(crawl)?)
        }
        Action::Bench { cache, suite } => {
            runtime.block_on(bench::run(cache, suite))?;
            ExitCode::SUCCESS
        }
        Action::Serve(arguments) => {
            runtime.block_on(serve::run(invocation.directory(), &invocation.settings, arguments))?;
            ExitCode::SUCCESS
        }
        Action::Shell => run_shell(&runtime, invocation)?,
        Action::Batch { sources, keep_going } => {
            let watch = Watch::start(Idle::Exits)?;
            let mut shell = open_shell(&runtime, invocation, Settings::batch(invocation.format), watch, false)?;
            let outcome = runtime.block_on(shell.run_sources(sources, *keep_going));
            runtime.block_on(shell.close());
            exit_code(outcome)
        }
    };
    // Results are written and commits are made; what a cancelled query left running is not waited for. Its threads end with the
    // process: glibc may touch the stack of a thread that ends while it is detached, and large ones are gone then.
    std::mem::forget(runtime);
    Ok(code)
}

fn run_shell(runtime: &Runtime, invocation: &Invocation) -> anyhow::Result<ExitCode> {
    let watch = Watch::start(Idle::Waits)?;
    let mut shell = open_shell(runtime, invocation, Settings::interactive(invocation.format), watch, true)?;
    let greeting = concat!("millrace ", env!("CARGO_PKG_VERSION"), "; \\? for help");
    writeln!(io::stdout(), "{greeting}")?;
    repl::Repl::new(&mut shell, runtime.handle().clone(), invocation.directory())?.run()?;
    runtime.block_on(shell.close());
    Ok(ExitCode::SUCCESS)
}

fn open_shell(
    runtime: &Runtime,
    invocation: &Invocation,
    settings: Settings,
    watch: Watch,
    stays: bool,
) -> anyhow::Result<Shell> {
    let engine = runtime
        .block_on(open::open(invocation.directory(), &invocation.settings, stays))
        .with_context(|| format!("could not open the warehouse {}", invocation.directory().display()))?;
    Ok(Shell::new(engine, Console::standard(), settings, watch))
}

/// The exit code of a batch.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Done | Outcome::Quit => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::FAILURE,
        Outcome::Cancelled => ExitCode::from(EXIT_INTERRUPTED),
    }
}

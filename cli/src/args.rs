//! The command line: first as it was typed ([`LowArgs`], clap's part), then as what to do ([`Invocation`]).
//!
//! Nothing here touches a file or a terminal: the same arguments give the same invocation, except for `stdin`, which
//! is told from outside.

use crate::crawl::CrawlArgs;
use crate::print::Format;
use crate::serve::ServeArgs;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use millrace_benches::cache;
use millrace_benches::clickbench::ClickbenchOptions;
use millrace_benches::concurrency::ConcurrencyOptions;
use millrace_benches::lake::LakeOptions;
use millrace_benches::target::SideOptions;
use millrace_benches::tpcds::TpcdsOptions;
use millrace_benches::tpch::TpchOptions;
use millrace_benches::{load, start};
use millrace_engine::sql::Dialect;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The arguments as typed.
#[derive(Debug, Parser)]
#[command(
    name = "millrace",
    version,
    about = "Athena, Redshift Spectrum and Redshift on your own machine.",
    after_help = "Without -c and -f an interactive shell opens; a script may also come on standard input.\n\
                  MILLRACE_LOG sets what is logged to standard error, e.g. MILLRACE_LOG=debug.",
    args_conflicts_with_subcommands = false
)]
struct LowArgs {
    /// Directory of the warehouse, .millrace by default; made when it does not exist. With s3://bucket/path the tables'
    /// files are there, and the catalog in the user's data directory
    #[arg(short, long, value_name = "DIR", env = "MILLRACE_WAREHOUSE", global = true)]
    warehouse: Option<PathBuf>,

    /// Where the catalog is, if not in a file of the warehouse's directory: postgres://user@host/database?schema=name.
    /// The password comes from PGPASSWORD or ~/.pgpass, if not from the URL
    #[arg(long, value_name = "URL", env = "MILLRACE_CATALOG", hide_env_values = true, global = true)]
    catalog: Option<String>,

    /// Run these statements and exit; may be given several times, and mixed with -f
    #[arg(short, long, value_name = "SQL", allow_hyphen_values = true)]
    command: Vec<String>,

    /// Run the statements of a file and exit; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,

    /// How to print rows
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Go on after a statement that failed; the exit code is 1 all the same
    #[arg(long)]
    keep_going: bool,

    /// The dialect of SQL: redshift or athena
    #[arg(long, value_name = "DIALECT", value_parser = clap::value_parser!(Dialect))]
    dialect: Option<Dialect>,

    /// Change a setting of the session before anything runs
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,

    #[command(subcommand)]
    subcommand: Option<LowSubcommand>,
}

#[derive(Debug, Subcommand)]
enum LowSubcommand {
    /// Lay an example lake, crawl it and run a tour of questions
    Demo {
        /// Directory of the lake and the warehouse, millrace-demo by default
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Look at a place, make tables of what is there, and keep them up to date
    Crawl(Box<CrawlArgs>),
    /// Serve the warehouse to drivers of PostgreSQL and Redshift
    Serve(ServeArgs),
    /// Measure this machine and this program, beside others that are installed
    Bench {
        /// Directory of generated data
        #[arg(long, value_name = "DIR", default_value_os_t = cache::default_directory(), global = true)]
        cache: PathBuf,
        #[command(subcommand)]
        suite: Suite,
    },
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Suite {
    /// TPC-H: 22 queries on managed or external tables
    Tpch(Box<TpchOptions>),
    /// TPC-DS: 99 queries; its data and texts are made by DuckDB's tpcds extension for Python
    Tpcds(Box<TpcdsOptions>),
    /// Like ClickBench: 43 queries over one wide table of page views
    Clickbench(Box<ClickbenchOptions>),
    /// External tables of lineitem: one large, many small files, partitions, CSV, JSON, ORC
    Lake(Box<LakeOptions>),
    /// COPY, UNLOAD, INSERT, UPDATE, MERGE, DELETE and VACUUM of lineitem, beside DuckDB
    Load(Box<load::Options>),
    /// Clients at once through the wire: look-ups, short questions, reports, inserts
    Concurrency(Box<ConcurrencyOptions>),
    /// Starting the program: time and memory of `select 1`
    Start(Box<start::Options>),
    /// What is measured: runs the statements of standard input
    #[command(hide = true)]
    Side(SideOptions),
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// The warehouse's directory, where one is named.
    pub(crate) warehouse: Option<PathBuf>,
    /// Settings to make first, in order.
    pub(crate) settings: Vec<(String, String)>,
    /// How rows are printed; `None` leaves it to the shell.
    pub(crate) format: Option<Format>,
    /// The work.
    pub(crate) action: Action,
}

impl Invocation {
    /// The warehouse's directory.
    pub(crate) fn directory(&self) -> &Path {
        self.warehouse.as_deref().unwrap_or(Path::new(".millrace"))
    }
}

/// The work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open the interactive shell.
    Shell,
    /// Run sources in order.
    Batch {
        /// The sources, at least one.
        sources: Vec<Source>,
        /// Go on after a failure.
        keep_going: bool,
    },
    /// Run a crawler.
    Crawl(Box<CrawlArgs>),
    /// Run a benchmark.
    Bench {
        /// Directory of generated data.
        cache: PathBuf,
        /// Which one.
        suite: Suite,
    },
    /// Serve the warehouse on the wire.
    Serve(ServeArgs),
    /// Run the demo.
    Demo {
        /// Directory of the lake and the warehouse.
        dir: Option<PathBuf>,
    },
}

/// Where statements come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The text itself.
    Command(String),
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Parses arguments, the program's name first. The error also carries the help and version texts.
pub(crate) fn parse<I, T>(arguments: I, stdin_is_terminal: bool) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = LowArgs::command().try_get_matches_from(arguments)?;
    let low = LowArgs::from_arg_matches(&matches)?;
    let sources = ordered_sources(&matches, &low);
    let action = match low.subcommand {
        Some(LowSubcommand::Demo { dir }) => Action::Demo { dir },
        Some(LowSubcommand::Crawl(arguments)) => Action::Crawl(arguments),
        Some(LowSubcommand::Bench { cache, suite }) => Action::Bench { cache, suite },
        Some(LowSubcommand::Serve(arguments)) => Action::Serve(arguments),
        None if !sources.is_empty() => Action::Batch { sources, keep_going: low.keep_going },
        None if stdin_is_terminal => Action::Shell,
        None => Action::Batch { sources: vec![Source::Stdin], keep_going: low.keep_going },
    };
    let dialect = low.dialect.map(|dialect| ("dialect".to_owned(), dialect.name().to_owned()));
    let catalog = low.catalog.map(|url| ("catalog".to_owned(), url));
    let settings = dialect.into_iter().chain(catalog).chain(low.set).collect();
    Ok(Invocation { warehouse: low.warehouse, settings, format: low.format, action })
}

/// Puts `-c` and `-f` back into the order of the command line, which clap keeps only as indices.
fn ordered_sources(matches: &ArgMatches, low: &LowArgs) -> Vec<Source> {
    let commands = low.command.iter().cloned().map(Source::Command);
    let files =
        low.file.iter().cloned().map(|path| if path.as_os_str() == "-" { Source::Stdin } else { Source::File(path) });
    let mut sources: Vec<(usize, Source)> = matches.indices_of("command").into_iter().flatten().zip(commands).collect();
    sources.extend(matches.indices_of("file").into_iter().flatten().zip(files));
    sources.sort_by_key(|(index, _)| *index);
    sources.into_iter().map(|(_, source)| source).collect()
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("give it as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(arguments: &[&str], terminal: bool) -> Invocation {
        parse(["millrace"].iter().chain(arguments).copied(), terminal).unwrap()
    }

    fn sources(arguments: &[&str], terminal: bool) -> Vec<Source> {
        match parsed(arguments, terminal).action {
            Action::Batch { sources, .. } => sources,
            _ => Vec::new(),
        }
    }

    #[test]
    fn suites_and_their_options() {
        for arguments in [
            &[
                "bench",
                "tpch",
                "--scale",
                "10",
                "--target",
                "external",
                "--against",
                "duckdb-parquet,polars,datafusion",
            ][..],
            &["bench", "tpcds", "--scale", "0.1", "--against", "duckdb", "--queries", "3,7", "--limit", "60", "--keep"],
            &["bench", "clickbench", "--data", "hits.parquet", "--compare", "old.json", "--html", "new.html"],
            &["bench", "--cache", "here", "lake", "--files", "100", "--json", "new.json"],
            &["bench", "load", "--inserts", "10", "--alone"],
            &["bench", "start", "--runs", "3", "--json", "new.json"],
            &["bench", "concurrency", "--clients", "1,8", "--against", "postgres", "--seconds", "5"],
        ] {
            assert!(matches!(parsed(arguments, true).action, Action::Bench { .. }), "{arguments:?}");
        }
        for arguments in [
            &["millrace", "bench", "tpch", "--against", "nothing"][..],
            &["millrace", "bench", "clickbench", "--rows", "5", "--data", "hits.parquet"],
        ] {
            assert!(parse(arguments.iter().copied(), true).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        LowArgs::command().debug_assert();
    }

    #[test]
    fn commands_and_files_run_in_the_order_given() {
        let command = |text: &str| Source::Command(text.to_owned());
        let file = |path: &str| Source::File(path.into());
        assert_eq!(
            sources(&["-c", "a", "-f", "b", "--command=c", "-f", "-", "--file", "d", "-c", "--e"], true),
            [command("a"), file("b"), command("c"), Source::Stdin, file("d"), command("--e")]
        );
        assert_eq!(sources(&["-f", "a", "-c", "b"], false), [file("a"), command("b")]);
    }

    #[test]
    fn without_sources_it_depends_on_standard_input() {
        assert_eq!(parsed(&[], true).action, Action::Shell);
        assert_eq!(sources(&[], false), [Source::Stdin]);
    }

    #[test]
    fn dialect_and_settings_come_in_order() {
        let invocation = parsed(&["--set", "a = 1", "--dialect", "athena", "--set=b=x=y"], true);
        let expected = [("dialect", "athena"), ("a", "1"), ("b", "x=y")];
        assert_eq!(invocation.settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn demo_takes_its_directory_and_the_warehouse() {
        let invocation = parsed(&["demo", "--dir", "/tmp/x", "--warehouse", "/tmp/w"], false);
        assert_eq!(invocation.action, Action::Demo { dir: Some("/tmp/x".into()) });
        assert_eq!(invocation.directory(), Path::new("/tmp/w"));
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [&["--format", "xml"][..], &["--dialect", "mysql"], &["--set", "a"], &["-c"], &["what"]] {
            assert!(parse(["millrace"].iter().chain(arguments).copied(), true).is_err(), "{arguments:?}");
        }
    }
}

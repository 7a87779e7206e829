//! `millrace crawl`: a crawler made of the arguments, run, and its tables shown. It is a short way to write
//! `CREATE OR REPLACE CRAWLER …; START CRAWLER …`: the crawler stays, and `START CRAWLER` runs it again.

use crate::open;
use crate::print::Format;
use crate::shell::{Console, Idle, Outcome, Place, Settings, Shell, Watch, quote_name};
use anyhow::Context;
use arrow::array::{Array, AsArray};
use arrow::record_batch::RecordBatch;
use clap::ValueEnum;
use std::path::Path;

/// The arguments of `millrace crawl`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct CrawlArgs {
    /// Where to look: folders, files, s3:// URLs, or tables of other systems: dynamodb://orders, opensearch://logs-*
    #[arg(required = true, value_name = "PLACE")]
    places: Vec<String>,

    /// The database that gets the tables; made when it does not exist
    #[arg(short, long, value_name = "DATABASE")]
    database: String,

    /// The crawler's name, by default crawl_ and the database's; one that exists gets this definition
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Stands before every table's name
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// Leave out what matches, relative to each place; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// Open at most so many files of each folder, 1 to 249
    #[arg(long, value_name = "N")]
    sample: Option<u32>,

    /// The schema whose endpoint and credentials reach the places that are tables of another system
    #[arg(long, value_name = "SCHEMA")]
    connection: Option<String>,

    /// Look at a sample of a key-value table's items instead of all
    #[arg(long)]
    scan_sample: bool,

    /// Use at most this part of a key-value table's read capacity, 0.1 to 1.5
    #[arg(long, value_name = "RATE")]
    scan_rate: Option<String>,

    /// The level of folders that are tables; 1 is the bucket
    #[arg(long, value_name = "N")]
    table_level: Option<u32>,

    /// Make one table of all schemas that can be read as one
    #[arg(long)]
    combine: bool,

    /// What to do with a table whose files have changed
    #[arg(long, value_enum, value_name = "POLICY", default_value = "update")]
    update: UpdatePolicy,

    /// What to do with a table or partition whose files are gone
    #[arg(long, value_enum, value_name = "POLICY", default_value = "deprecate")]
    delete: DeletePolicy,

    /// Open only folders that are not in the catalog yet
    #[arg(long)]
    new_folders_only: bool,

    /// Show what a crawl would do and why; changes no table
    #[arg(long)]
    explain: bool,

    /// How to print rows
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

/// What to do with a table whose files have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UpdatePolicy {
    /// It gets what was found
    Update,
    /// Tell it only
    Log,
    /// New columns are added, nothing else changes
    AddColumns,
}

/// What to do with a table whose files are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeletePolicy {
    /// It stays and is marked
    Deprecate,
    /// It goes
    Delete,
    /// Tell it only
    Log,
}

/// Makes the crawler, runs or explains it and prints what it did.
pub(crate) async fn run(
    warehouse: &Path,
    settings: &[(String, String)],
    format: Option<Format>,
    arguments: &CrawlArgs,
) -> anyhow::Result<Outcome> {
    let watch = Watch::start(Idle::Exits)?;
    // The statements below are written in this dialect.
    let dialect = [("dialect".to_owned(), "redshift".to_owned())];
    let settings: Vec<_> = settings.iter().cloned().chain(dialect).collect();
    let engine = open::open(warehouse, &settings, false)
        .await
        .with_context(|| format!("could not open the warehouse {}", warehouse.display()))?;
    let format = arguments.format.or(format);
    let mut shell = Shell::new(engine, Console::standard(), Settings::batch(format), watch);
    let outcome = crawl(&mut shell, format.unwrap_or_default(), arguments).await?;
    shell.close().await;
    Ok(outcome)
}

async fn crawl(shell: &mut Shell, format: Format, arguments: &CrawlArgs) -> anyhow::Result<Outcome> {
    if let Err(error) = shell.ask(&arguments.create()).await {
        return Ok(shell.complain(&format!("ERROR:  {error}"), Place::Typed));
    }
    let verb = if arguments.explain { "EXPLAIN" } else { "START" };
    let name = quote_name(&arguments.name());
    let outcome = shell.run_statement(&format!("{verb} CRAWLER {name}"), Place::Typed).await;
    if outcome != Outcome::Done || arguments.explain || !format.is_for_people() {
        return Ok(outcome);
    }
    let runs = shell.ask(&format!("SHOW CRAWLER RUNS {name} LIMIT 1")).await;
    if let Some(line) = runs.ok().and_then(|runs| summary(&runs)) {
        shell.announce(&line)?;
    }
    Ok(outcome)
}

/// `5 tables created, 0 updated, 0 deleted; 29 files listed, 17 opened, 0 skipped`.
fn summary(runs: &[RecordBatch]) -> Option<String> {
    let run = runs.first()?;
    let count = |name: &str| {
        let column = run.column_by_name(name)?.as_string_opt::<i32>()?;
        (!column.is_empty() && column.is_valid(0)).then(|| column.value(0).to_owned())
    };
    let [created, updated, deleted] = ["tables_created", "tables_updated", "tables_deleted"].map(count);
    let [listed, read, skipped] = ["files_listed", "files_read", "files_skipped"].map(count);
    let skipped = skipped?;
    let why = if skipped == "0" { "" } else { " (why: SHOW CRAWLER RUNS)" };
    Some(format!(
        "{} tables created, {} updated, {} deleted; {} files listed, {} opened, {skipped} skipped{why}",
        created?, updated?, deleted?, listed?, read?
    ))
}

impl CrawlArgs {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("crawl_{}", self.database)).to_lowercase()
    }

    /// The statement that makes the crawler.
    fn create(&self) -> String {
        let mut options = String::new();
        if !self.exclude.is_empty() {
            let globs: Vec<String> = self.exclude.iter().map(|glob| quote_text(glob)).collect();
            options.extend([" EXCLUDE (", &globs.join(", "), ")"]);
        }
        options.extend(self.sample.map(|files| format!(" SAMPLE {files}")));
        options.extend(self.connection.as_ref().map(|schema| format!(" CONNECTION {}", quote_name(schema))));
        options.extend(self.scan_sample.then_some(" SCAN ALL FALSE"));
        options.extend(self.scan_rate.as_ref().map(|rate| format!(" SCAN RATE {rate}")));
        let targets: Vec<String> = self.places.iter().map(|place| format!("{}{options}", quote_text(place))).collect();
        let mut words = vec![
            format!("CREATE OR REPLACE CRAWLER {}", quote_name(&self.name())),
            format!("DATABASE {}", quote_name(&self.database.to_lowercase())),
            format!("TARGETS ({})", targets.join(", ")),
        ];
        words.extend(self.prefix.as_ref().map(|prefix| format!("TABLE PREFIX {}", quote_text(prefix))));
        words.extend(self.table_level.map(|level| format!("TABLE LEVEL {level}")));
        words.extend(self.combine.then(|| "GROUPING COMBINE COMPATIBLE SCHEMAS".to_owned()));
        let update = match self.update {
            UpdatePolicy::Update => "UPDATE IN DATABASE",
            UpdatePolicy::Log => "LOG",
            UpdatePolicy::AddColumns => "ADD NEW COLUMNS ONLY",
        };
        let delete = match self.delete {
            DeletePolicy::Deprecate => "DEPRECATE",
            DeletePolicy::Delete => "DELETE",
            DeletePolicy::Log => "LOG",
        };
        words.push(format!("ON UPDATE {update} ON DELETE {delete}"));
        words.extend(self.new_folders_only.then(|| "RECRAWL NEW FOLDERS ONLY".to_owned()));
        words.join(" ")
    }
}

/// A string literal of Redshift's, where a backslash escapes.
fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        crawl: CrawlArgs,
    }

    fn statement(arguments: &[&str]) -> String {
        Line::try_parse_from(["crawl"].iter().chain(arguments)).unwrap().crawl.create()
    }

    #[test]
    fn arguments_become_a_statement() {
        assert_eq!(
            statement(&["lake", "--database", "Nyc"]),
            "CREATE OR REPLACE CRAWLER crawl_nyc DATABASE nyc TARGETS ('lake') \
             ON UPDATE UPDATE IN DATABASE ON DELETE DEPRECATE"
        );
        let arguments = "s3://b/x it's --database d --name n --prefix p_ --exclude **.tmp --exclude a\\b --sample 3 \
                         --table-level 2 --combine --update add-columns --delete log --new-folders-only";
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        assert_eq!(
            statement(&arguments),
            "CREATE OR REPLACE CRAWLER n DATABASE d \
             TARGETS ('s3://b/x' EXCLUDE ('**.tmp', 'a\\\\b') SAMPLE 3, 'it''s' EXCLUDE ('**.tmp', 'a\\\\b') SAMPLE 3) \
             TABLE PREFIX 'p_' TABLE LEVEL 2 GROUPING COMBINE COMPATIBLE SCHEMAS \
             ON UPDATE ADD NEW COLUMNS ONLY ON DELETE LOG RECRAWL NEW FOLDERS ONLY"
        );
    }

    #[test]
    fn tables_of_other_systems_are_places() {
        let arguments =
            ["dynamodb://orders", "--database", "d", "--connection", "shop", "--scan-sample", "--scan-rate", "0.5"];
        assert_eq!(
            statement(&arguments),
            "CREATE OR REPLACE CRAWLER crawl_d DATABASE d \
             TARGETS ('dynamodb://orders' CONNECTION shop SCAN ALL FALSE SCAN RATE 0.5) \
             ON UPDATE UPDATE IN DATABASE ON DELETE DEPRECATE"
        );
    }

    #[test]
    fn a_place_and_a_database_are_needed() {
        for arguments in [&["--database", "d"][..], &["x"], &["x", "--database", "d", "--update", "delete"]] {
            assert!(Line::try_parse_from(["crawl"].iter().chain(arguments)).is_err(), "{arguments:?}");
        }
    }
}

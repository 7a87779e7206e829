//! TPC-DS: 99 queries. DuckDB's tpcds extension makes the data and has the texts; each answer is compared before its times
//! are taken.

use crate::cache;
use crate::compare::Digits;
use crate::estimates::{self, JoinRows};
use crate::run::{self, RunOptions};
use crate::side::Ours;
use crate::suite::{Query, Suite, Table, Words};
use crate::target::Kind;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// What generating takes: the rows, then a file for each of the tables.
const STEPS: usize = 1 + 24;

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct TpcdsOptions {
    /// Scale factor: gigabytes of text
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[command(flatten)]
    run: RunOptions,
}

impl Eq for TpcdsOptions {}

/// What the script says of the suite.
#[derive(Debug, Deserialize)]
struct Description {
    tables: Vec<DescribedTable>,
    queries: Vec<DescribedQuery>,
    /// What DuckDB's sessions are told, so that it divides and sorts as Redshift's dialect does.
    settings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct DescribedTable {
    name: String,
    /// Names with TPC-DS's types.
    columns: Vec<(String, String)>,
    /// Distribution and sort key.
    attributes: String,
}

#[derive(Debug, Deserialize)]
struct DescribedQuery {
    number: usize,
    text: String,
    /// By peer, what it is asked where Redshift's dialect defines something otherwise.
    peers: BTreeMap<String, String>,
    /// How many columns it gives.
    columns: usize,
}

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &TpcdsOptions, cache: &Path, side: &[&str]) -> Result<()> {
    let suite = suite(options.scale, &options.run.python, cache).await?;
    run::run(&suite, &options.run, Kind::Managed, cache, side)
}

/// The suite at a scale, by a Python that has DuckDB's extension.
pub async fn suite(scale: f64, python: &Path, cache: &Path) -> Result<Suite> {
    ensure!(scale > 0.0 && scale <= 1000.0, "the scale factor is from 0 to 1000");
    let mut told = String::new();
    script(python, &["describe"], |line| told.push_str(line))?;
    let description: Description = serde_json::from_str(&told).context("the description of TPC-DS")?;
    let folder = format!("tpcds-{scale}");
    let data = cache::folder(cache, folder.clone(), |made| async move {
        let progress = crate::progress::Progress::new("TPC-DS", STEPS);
        script(python, &["generate", &made.display().to_string(), &scale.to_string()], |step| progress.step(step))
    });
    Ok(Suite {
        title: format!("TPC-DS, scale {scale}"),
        folder,
        data: data.await?,
        tables: description.tables.iter().map(table).collect(),
        queries: description.queries.iter().map(query).collect::<Result<_>>()?,
        duckdb_settings: description.settings,
    })
}

/// Loads a suite's managed tables into a warehouse in a folder, and gives what is estimated of every query's joins beside what
/// they give.
///
/// # Errors
/// What loading or a query fails with.
pub async fn join_rows(suite: &Suite, folder: &Path) -> Result<Vec<JoinRows>> {
    let mut ours = Ours::open(folder, 2).await?;
    ours.load(Kind::Managed, &suite.tables, &suite.data).await?;
    let queries: Vec<_> = suite.queries.iter().map(|query| (query.number, query.timed.of(Kind::Managed))).collect();
    estimates::join_rows(&mut ours, &queries).await
}

/// Runs the script; gives what it prints.
/// Each line is told as it comes.
fn script(python: &Path, arguments: &[&str], mut told: impl FnMut(&str)) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tpcds_suite.py");
    std::fs::write(&path, include_str!("tpcds_suite.py"))?;
    let mut command = Command::new(python);
    command.arg(&path).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("could not start {}", python.display()))?;
    let output = child.stdout.take().context("the script has no output")?;
    for line in BufReader::new(output).lines() {
        told(&line?);
    }
    let ended = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&ended.stderr);
    let last = errors.lines().last().unwrap_or_default();
    ensure!(
        ended.status.success(),
        "TPC-DS needs the Python packages duckdb and duckdb-extension-tpcds (--python names a Python that has them): {last}"
    );
    Ok(())
}

fn table(described: &DescribedTable) -> Table {
    let columns = described.columns.iter().map(|(name, data_type)| match data_type.as_str() {
        // Hive's name for it, which all take.
        "INTEGER" => format!("{name} int"),
        data_type => format!("{name} {}", data_type.to_lowercase()),
    });
    Table {
        name: described.name.clone(),
        columns: columns.collect::<Vec<_>>().join(", "),
        attributes: described.attributes.clone(),
        is_copied: true,
        ..Table::default()
    }
}

fn query(described: &DescribedQuery) -> Result<Query> {
    let timed = Words::of_all(&described.text);
    let mut checked = Words::of_all(&described.text);
    for kind in Kind::peers() {
        let name = if kind.is_duckdb() { Kind::DuckDb.name() } else { kind.name() };
        let text = described.peers.get(name).with_context(|| format!("TPC-DS has no words for {name}"))?;
        checked = checked.and([kind], text);
    }
    Ok(Query { digits: Digits::Last, ..Query::with_ties(described.number, timed, &checked, described.columns) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_redshifts_types() -> Result<()> {
        let described = r#"{"name": "reason", "columns": [["r_reason_sk", "INTEGER"], ["r_reason_desc", "CHAR(100)"],
            ["r_price", "DECIMAL(7,2)"], ["r_note", "VARCHAR(9)"]], "attributes": "DISTSTYLE ALL"}"#;
        let table = table(&serde_json::from_str(described)?);
        assert_eq!(table.columns, "r_reason_sk int, r_reason_desc char(100), r_price decimal(7,2), r_note varchar(9)");
        Ok(())
    }

    #[test]
    fn peers_are_asked_for_what_redshift_defines_and_timed_on_their_own_texts() -> Result<()> {
        let described = r#"{"number": 7, "text": "SELECT avg(a) FROM t ORDER BY 1 LIMIT 100;\n", "columns": 1,
            "peers": {"duckdb": "SELECT avg(a) // 1 FROM t ORDER BY 1 LIMIT 100;\n", "polars": "", "datafusion": "",
            "chdb": "", "postgres": "SELECT trunc(avg(a)) FROM t ORDER BY 1 LIMIT 100;\n"}}"#;
        let mut described: DescribedQuery = serde_json::from_str(described)?;
        let query = query(&described)?;
        assert_eq!(query.checked.of(Kind::Managed), "SELECT avg(a) FROM t ORDER BY 1, 1 LIMIT 100");
        assert_eq!(query.checked.of(Kind::External), query.checked.of(Kind::Managed));
        assert_eq!(query.checked.of(Kind::DuckDbParquet), "SELECT avg(a) // 1 FROM t ORDER BY 1, 1 LIMIT 100");
        assert_eq!(query.checked.of(Kind::Postgres), "SELECT trunc(avg(a)) FROM t ORDER BY 1, 1 LIMIT 100");
        assert_eq!(query.timed.of(Kind::DuckDb), "SELECT avg(a) FROM t ORDER BY 1 LIMIT 100;\n");
        described.peers.remove("chdb");
        assert!(super::query(&described).is_err());
        Ok(())
    }
}

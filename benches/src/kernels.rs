//! Functions and operators over columns of a table, each as a query of one row, on one thread; DuckDB computes the same in
//! its own table. What a column costs without them is measured too, to be taken away.

use crate::run::{self, RunOptions};
use crate::suite::{Query, Suite, Table, Words};
use crate::target::Kind;
use crate::{cache, side};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq, Eq)]
pub struct KernelOptions {
    /// Rows of the table of short values; there are a tenth as many documents
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    #[command(flatten)]
    run: RunOptions,
}

/// Short values, as plain DataFusion makes them of the numbers from 1. No moment ends with a zero, so that all targets write
/// it with six digits after the point.
const CELLS: &str = "SELECT concat('name ', lpad(CAST(value % 100000 AS varchar), 5, '0')) AS word,
    concat('A note of some length about row ', value) AS line,
    arrow_cast(CAST(8000 + value * 7 % 9000 AS int), 'Date32') AS d,
    arrow_cast(700000000000017 + value * 97003000, 'Timestamp(Microsecond, None)') AS s,
    arrow_cast(703456000000017 + value * 98003000, 'Timestamp(Microsecond, None)') AS later,
    CAST(value * 7919 % 1000000 / 100.0 AS decimal(12,2)) AS p,
    CAST((1 + value * 104729 % 1000000) / 100.0 AS decimal(12,2)) AS q
    FROM generate_series(1, {}) AS numbers(value)";

/// Documents of about 300 bytes, what is looked for in their middle, and short arrays.
const DOCUMENTS: &str = r#"SELECT concat('{"id":', 1000000 + value, ',"name":"customer ', 1000000 + value, '","email":"c',
    1000000 + value, '@example.com","phone":"+49 30 ', 1000000 + value, '","address":{"street":"Long street ',
    100 + value % 900, '","city":"Town ', 10 + value % 90, '","zip":"', 10000 + value % 90000, '"},"status":"',
    CASE value % 3 WHEN 0 THEN 'active' WHEN 1 THEN 'closed' ELSE 'paused' END, '","balance":', 1000 + value % 9000,
    '.75,"tags":["a","b","c"],"verified":true,"parent":null,"note":"a note that fills this document up"}') AS document,
    concat('[', value, ', "text ', value, '", 7.25, {"a": [1, 2]}, "last", true, null]') AS list
    FROM generate_series(1, {}) AS numbers(value)"#;

/// What is computed of short values: its name, our words, DuckDB's where they are others.
const OF_CELLS: [(&str, &str, Option<&str>); 20] = [
    ("texts alone", "sum(length(word))", None),
    ("substring", "sum(length(substring(word, 3, 4)))", None),
    ("long substring", "sum(length(substring(line, 9)))", None),
    ("||", "sum(length(word || '-'))", None),
    ("|| twice", "sum(length(word || '-' || line))", None),
    ("upper", "max(upper(word))", None),
    ("LIKE", "sum(CASE WHEN word LIKE 'name 1%' THEN 1 ELSE 0 END)", None),
    // Not max(s), which statistics answer.
    ("moments alone", "sum(CASE WHEN s > timestamp '2000-01-01 00:00:00' THEN 1 ELSE 0 END)", None),
    ("date_trunc day", "max(date_trunc('day', s))", Some("max(CAST(date_trunc('day', s) AS timestamp))")),
    ("date_trunc month", "max(date_trunc('month', s))", Some("max(CAST(date_trunc('month', s) AS timestamp))")),
    ("dateadd day", "max(dateadd(day, 30, s))", Some("max(s + INTERVAL 30 DAY)")),
    ("dateadd month", "max(dateadd(month, 18, s))", Some("max(s + INTERVAL 18 MONTH)")),
    ("datediff day", "sum(datediff(day, s, later))", Some("sum(date_diff('day', s, later))")),
    ("datediff month", "sum(datediff(month, s, later))", Some("sum(date_diff('month', s, later))")),
    ("extract year", "sum(extract(year FROM s))", None),
    ("extract month", "sum(extract(month FROM d))", None),
    ("decimals alone", "sum(p)", None),
    ("decimal +", "sum(p + q)", None),
    ("decimal *", "sum(p * q)", None),
    ("decimal /", "sum(p / q)", None),
];

/// The same of documents.
const OF_DOCUMENTS: [(&str, &str, Option<&str>); 5] = [
    ("documents alone", "sum(length(document))", None),
    (
        "JSON path",
        "sum(length(json_extract_path_text(document, 'status')))",
        Some("sum(length(json_extract_string(document, '$.status')))"),
    ),
    (
        "longer JSON path",
        "sum(length(json_extract_path_text(document, 'address', 'city')))",
        Some("sum(length(json_extract_string(document, '$.address.city')))"),
    ),
    ("arrays alone", "sum(length(list))", None),
    (
        "JSON element",
        "sum(length(json_extract_array_element_text(list, 1)))",
        Some("sum(length(json_extract_string(list, '$[1]')))"),
    ),
];

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &KernelOptions, cache: &Path, side: &[&str]) -> Result<()> {
    let rows = options.rows;
    ensure!(rows >= 10, "there are 10 rows or more");
    let suite = Suite {
        title: format!("Kernels, {rows} rows, {} documents", rows / 10),
        folder: format!("kernels-{rows}"),
        data: folder(rows, cache).await?,
        tables: tables(),
        queries: queries(),
        duckdb_settings: Vec::new(),
    };
    run::run(&suite, &options.run.on_one_thread(), Kind::Managed, cache, side)
}

/// The tables as Parquet, a folder each.
async fn folder(rows: u64, cache: &Path) -> Result<PathBuf> {
    cache::folder(cache, format!("kernels-{rows}"), |folder| async move {
        let context = side::plain(side::cores());
        for (name, select, rows) in [("cells", CELLS, rows), ("documents", DOCUMENTS, rows / 10)] {
            let folder = folder.join(name);
            std::fs::create_dir_all(&folder)?;
            let (file, select) = (folder.join("part-0.parquet"), select.replace("{}", &rows.to_string()));
            side::run_plain(&context, &format!("COPY ({select}) TO '{}' STORED AS PARQUET", file.display())).await?;
        }
        Ok(())
    })
    .await
}

fn tables() -> Vec<Table> {
    let table =
        |name: &str, columns: &str| Table { name: name.to_owned(), columns: columns.to_owned(), ..Table::default() };
    let cells = "word varchar(20), line varchar(60), d date, s timestamp, later timestamp, p decimal(12,2), \
                 q decimal(12,2)";
    vec![table("cells", cells), table("documents", "document varchar(400), list varchar(100)")]
}

fn queries() -> Vec<Query> {
    let cells = OF_CELLS.iter().map(|kernel| ("cells", kernel));
    let all = cells.chain(OF_DOCUMENTS.iter().map(|kernel| ("documents", kernel)));
    let queries = all.enumerate().map(|(at, (table, (name, ours, theirs)))| {
        let select = |computed: &str| format!("SELECT {computed} FROM {table}");
        let words = Words::of_all(&select(ours));
        let words = theirs.map_or(words.clone(), |theirs| words.and(Kind::DUCKDB, &select(theirs)));
        Query { name: (*name).to_owned(), timed: words.clone(), checked: words, ..Query::plain(at + 1, ours) }
    });
    queries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::side::Ours;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_kernel_computes_something() -> Result<()> {
        let place = tempfile::tempdir()?;
        let data = folder(1_000, place.path()).await?;
        let mut ours = Ours::open(&place.path().join("warehouse"), 1).await?;
        ours.load(Kind::Managed, &tables(), &data).await?;
        for query in queries() {
            let rows = compare::rows(&ours.run(query.timed.of(Kind::Managed)).await?)?;
            let [row] = rows.as_slice() else { anyhow::bail!("{}: {rows:?}", query.name) };
            assert!(!row.contains(&"NULL".to_owned()), "{}", query.name);
        }
        let rows = compare::rows(&ours.run("SELECT count(*), min(p) >= 0, min(q) > 0 FROM cells").await?)?;
        assert_eq!(rows, [["1000", "true", "true"]]);
        let lengths = "SELECT count(*), min(length(document)) > 290, max(length(document)) < 310 FROM documents";
        assert_eq!(compare::rows(&ours.run(lengths).await?)?, [["100", "true", "true"]]);
        Ok(())
    }
}

//! A suite like ClickBench: its 43 questions about one wide table of page views, over generated rows of the same columns
//! and a similar skew, or over the public file.
//!
//! The public table has 100 million rows. Where fewer are generated, the two queries that keep groups of more than 100,000
//! rows keep groups of a thousandth of all rows, and those that pass over the first rows of their answers pass over no more
//! than a hundred-thousandth of all rows: all have an answer from 50,000 rows on.

mod data;
mod files;
mod schema;
mod text;

use crate::cache;
use crate::run::{self, RunOptions};
use crate::suite::{self, Query, Suite, Table, Words};
use crate::target::Kind;
use anyhow::{Context, Result, ensure};
use schema::{COLUMNS, Type};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The suite's name, of its folders too.
const SUITE: &str = "clickbench";
/// How many columns each query gives.
const WIDTHS: [usize; 43] = [
    1, 1, 3, 1, 1, 1, 2, 2, 2, 5, 2, 3, 2, 2, 3, 2, 3, 3, 4, 1, 1, 3, 5, 105, 1, 1, 1, 3, 4, 90, 5, 5, 5, 2, 3, 5, 2,
    2, 2, 6, 3, 3, 2,
];
/// Rows of the public table, about.
const PUBLIC_ROWS: u64 = 100_000_000;
/// Groups of more of them are kept by two queries.
const MANY: u64 = 100_000;
/// Queries over fewer rows pass over no more of their answers' first rows than this in proportion.
const PASSED: u64 = 1_000;

/// Peers with words of their own: who, the folder of the queries that they say otherwise, and how they say an average of
/// whole numbers as Redshift has it, which is whole and cut. Sums of keys are larger than 64 bits.
const WORDS: [(&[Kind], &str, &str); 5] = [
    (&Kind::DUCKDB, "duckdb", "CAST(sum({}) // count({}) AS bigint)"),
    (&[Kind::DataFusion], "datafusion", "CAST(sum(CAST({} AS decimal(38,0))) / count({}) AS bigint)"),
    (&[Kind::Postgres], "postgres", "CAST(div(sum(CAST({} AS numeric)), count({})) AS bigint)"),
    (&[Kind::Polars], "postgres", "CAST(sum(CAST({} AS hugeint)) // count({}) AS bigint)"),
    (&[Kind::ChDb], "chdb", "CAST(intDiv(sum(CAST({} AS Int128)), count({})) AS Int64)"),
];

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq, Eq)]
pub struct ClickbenchOptions {
    /// Rows that are generated
    #[arg(long, default_value_t = 10_000_000, conflicts_with = "data")]
    rows: u64,
    /// The public file hits.parquet, instead of generated rows
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
}

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &ClickbenchOptions, cache: &Path, side: &[&str]) -> Result<()> {
    ensure!(options.rows > 0, "there has to be a row");
    let rows = options.rows;
    let (title, folder, generated) = if let Some(file) = &options.data {
        let length = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
        ("ClickBench's file".to_owned(), format!("{SUITE}-file-{length}"), None)
    } else {
        (format!("like ClickBench, {rows} rows"), format!("{SUITE}-{rows}"), Some(rows))
    };
    let data = cache::folder(cache, folder.clone(), |made| async move {
        let made = made.join("hits");
        std::fs::create_dir_all(&made)?;
        match &options.data {
            Some(file) => files::convert(file, &made).await,
            None => files::generate(rows, &made),
        }
    });
    let suite = Suite {
        title,
        folder,
        data: data.await?,
        tables: vec![table()],
        queries: (1..=WIDTHS.len()).map(|number| query(number, generated)).collect::<Result<_>>()?,
        duckdb_settings: Vec::new(),
    };
    run::run(&suite, &options.run, Kind::Managed, cache, side)
}

fn table() -> Table {
    let columns = COLUMNS.iter().map(|column| {
        let (name, data_type) = (column.name.to_lowercase(), sql_type(column.data_type));
        format!("{name} {data_type} NOT NULL")
    });
    Table {
        name: "hits".to_owned(),
        columns: columns.collect::<Vec<_>>().join(", "),
        attributes: "SORTKEY (counterid, eventdate)".to_owned(),
        is_copied: true,
        ..Table::default()
    }
}

fn sql_type(data_type: Type) -> &'static str {
    match data_type {
        Type::Small => "smallint",
        Type::Int => "int",
        Type::Big => "bigint",
        Type::Text => "varchar(65535)",
        Type::Char => "char(1)",
        Type::Date => "date",
        Type::Timestamp => "timestamp",
    }
}

/// A query over so many generated rows, or over the public file.
fn query(number: usize, generated: Option<u64>) -> Result<Query> {
    let fitted = |text: &str| generated.map_or_else(|| text.to_owned(), |rows| fitted(text, rows));
    let ours = suite::query(SUITE, number)?;
    let (mut timed, mut checked) = (Words::of_all(&fitted(ours)), Words::of_all(&fitted(ours)));
    for (kinds, folder, average) in WORDS {
        let text = fitted(suite::query(&format!("{SUITE}/{folder}"), number).unwrap_or(ours));
        timed = timed.and(kinds.iter().copied(), &text);
        checked = checked.and(kinds.iter().copied(), &whole_averages(&text, average));
    }
    Ok(Query::with_ties(number, timed, &checked, WIDTHS[number - 1]))
}

/// A query's text with what it keeps and passes over in proportion to so many rows.
fn fitted(text: &str, rows: u64) -> String {
    let of_rows = |public: u64| (u128::from(public) * u128::from(rows) / u128::from(PUBLIC_ROWS)) as u64;
    let text = text.replace(&MANY.to_string(), &of_rows(MANY).to_string());
    let Some((before, passed)) = text.rsplit_once("OFFSET ") else { return text };
    match passed.trim().parse::<u64>() {
        Ok(passed) => format!("{before}OFFSET {}\n", passed.min(of_rows(PASSED))),
        Err(_) => text,
    }
}

/// The query with its averages as Redshift has those of whole numbers, which are whole and cut. Each is an item of its list
/// and has a name, without which DataFusion does not order by its number.
fn whole_averages(text: &str, average: &str) -> String {
    let (mut whole, mut rest, mut named) = (String::new(), text, 0);
    while let Some((before, after)) = rest.split_once("avg(") {
        let mut open = 1;
        let end = after.find(|c| {
            open += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            open == 0
        });
        let (argument, after) = after.split_at(end.unwrap_or(after.len()));
        whole += before;
        whole += &average.replace("{}", argument);
        rest = after.strip_prefix(')').unwrap_or(after);
        if !rest.starts_with(" AS ") {
            named += 1;
            let _ = write!(whole, " AS average_{named}");
        }
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::record_batch::RecordBatch;
    use arrow::util::display::array_value_to_string;
    use std::collections::HashMap;

    fn values(batches: &[RecordBatch], name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for batch in batches {
            let column = batch.column_by_name(name).context(name.to_owned())?;
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(column, row)?);
            }
        }
        Ok(values)
    }

    #[test]
    fn rows_are_the_same_on_every_machine() -> Result<()> {
        let batches = files::batches(0, 200).collect::<Result<Vec<_>>>()?;
        assert_eq!(batches.len(), 1);
        let again = files::batches(0, 200).collect::<Result<Vec<_>>>()?;
        assert_eq!(batches, again);
        Ok(())
    }

    #[test]
    fn columns_are_those_of_the_public_table() {
        let table = table();
        assert_eq!(table.columns.split(", ").count(), 105);
        let columns = &table.columns;
        assert!(columns.starts_with("watchid bigint NOT NULL, javaenable smallint NOT NULL, title varchar(65535) "));
        assert!(columns.contains(", hitcolor char(1) NOT NULL, localeventtime timestamp NOT NULL, "), "{columns}");
        assert!(columns.ends_with("refererhash bigint NOT NULL, urlhash bigint NOT NULL, clid int NOT NULL"));
    }

    /// What the public table is known for: a site with about 0.7 % of all rows, 13 % of rows with a phrase, 0.6 % with an
    /// advertisement, 18 % as many users as rows, pages that come again (few do in so few rows).
    #[test]
    fn rows_are_skewed_as_the_public_ones() -> Result<()> {
        let rows = 40_000;
        let batches = files::batches(0, rows).collect::<Result<Vec<_>>>()?;
        let part = |name: &str, wanted: fn(&str) -> bool| -> Result<f64> {
            Ok(values(&batches, name)?.iter().filter(|value| wanted(value)).count() as f64 / rows as f64)
        };
        let distinct = |name: &str| -> Result<f64> {
            let mut counts: HashMap<String, usize> = HashMap::new();
            values(&batches, name)?.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
            Ok(counts.len() as f64 / rows as f64)
        };
        let checks = [
            ("site 62", part("counterid", |value| value == "62")?, 0.005..0.011),
            ("phrases", part("searchphrase", |value| !value.is_empty())?, 0.12..0.145),
            ("advertisements", part("advengineid", |value| value != "0")?, 0.004..0.009),
            ("mobiles", part("mobilephonemodel", |value| !value.is_empty())?, 0.03..0.09),
            ("users", distinct("userid")?, 0.12..0.25),
            ("pages", distinct("url")?, 0.1..0.55),
            ("the known user", part("userid", |value| value == "435090932899640449")?, 1e-5..0.01),
            ("a known page", part("urlhash", |value| value == "2868770270353813622")?, 1e-5..0.01),
        ];
        for (name, found, expected) in checks {
            assert!(expected.contains(&found), "{name}: {found} is not in {expected:?}");
        }
        let days = values(&batches, "eventdate")?;
        assert_eq!(days.iter().min().map(String::as_str), Some("2013-07-02"));
        assert_eq!(days.iter().max().map(String::as_str), Some("2013-07-31"));
        let times = values(&batches, "eventtime")?;
        assert!(days.iter().zip(&times).all(|(day, time)| time.starts_with(day.as_str())));
        let sites = values(&batches, "counterid")?;
        assert!(sites.iter().map(|site| site.parse::<i64>().unwrap_or_default()).is_sorted());
        Ok(())
    }

    #[tokio::test]
    async fn the_public_file_gets_our_types() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let batch = files::batches(0, 50).collect::<Result<Vec<_>>>()?.remove(0);
        let context = crate::side::plain(1);
        context.register_batch("typed", batch.clone())?;
        // As the public file has them: days and seconds as numbers, names with capitals.
        let columns = COLUMNS.iter().map(|column| {
            let (name, lower) = (column.name, column.name.to_lowercase());
            match column.data_type {
                Type::Date => format!("arrow_cast(arrow_cast({lower}, 'Int32'), 'UInt16') AS \"{name}\""),
                Type::Timestamp => format!("CAST(to_unixtime({lower}) AS bigint) AS \"{name}\""),
                _ => format!("{lower} AS \"{name}\""),
            }
        });
        let file = folder.path().join("hits.parquet");
        let columns = columns.collect::<Vec<_>>().join(", ");
        crate::side::run_plain(&context, &format!("COPY (SELECT {columns} FROM typed) TO '{}'", file.display()))
            .await?;
        let made = folder.path().join("made");
        std::fs::create_dir(&made)?;
        files::convert(&file, &made).await?;
        let read = datafusion::prelude::ParquetReadOptions::default();
        let read = context.read_parquet(made.display().to_string(), read).await?.collect().await?;
        for column in &COLUMNS {
            let name = column.name.to_lowercase();
            assert_eq!(values(&read, &name)?, values(std::slice::from_ref(&batch), &name)?, "{name}");
        }
        Ok(())
    }

    #[test]
    fn averages_of_whole_numbers_are_whole() -> Result<()> {
        let text = whole_averages("SELECT avg(a), avg(strlen(b)) AS l FROM t", "CAST(trunc(avg({})) AS bigint)");
        let expected =
            "SELECT CAST(trunc(avg(a)) AS bigint) AS average_1, CAST(trunc(avg(strlen(b))) AS bigint) AS l FROM t";
        assert_eq!(text, expected);
        let query = query(28, Some(1_000_000))?;
        assert!(query.timed.of(Kind::Managed).contains("HAVING count(*) > 1000\n"), "{query:?}");
        assert!(query.timed.of(Kind::Managed).contains("avg(octet_length(url))"), "{query:?}");
        assert!(query.timed.of(Kind::DuckDb).contains("avg(strlen(url))"), "{query:?}");
        assert!(query.checked.of(Kind::DuckDb).contains("sum(strlen(url)) // count(strlen(url))"), "{query:?}");
        assert!(
            query.checked.of(Kind::Postgres).contains("div(sum(CAST(octet_length(url) AS numeric)), "),
            "{query:?}"
        );
        for kind in Kind::peers() {
            assert!(!query.checked.of(kind).contains("SELECT counterid, avg("), "{kind:?}");
        }
        Ok(())
    }

    #[test]
    fn fewer_rows_are_passed_over_where_there_are_fewer() -> Result<()> {
        for (number, rows, end) in [
            (39, Some(50_000), "LIMIT 10 OFFSET 0\n"),
            (42, Some(10_000_000), "LIMIT 10 OFFSET 100\n"),
            (41, Some(PUBLIC_ROWS), "LIMIT 10 OFFSET 100\n"),
            (42, None, "LIMIT 10 OFFSET 10000\n"),
            (28, None, "LIMIT 25\n"),
        ] {
            let query = query(number, rows)?;
            assert!(query.timed.of(Kind::DuckDb).ends_with(end), "{number}: {}", query.timed.of(Kind::DuckDb));
        }
        Ok(())
    }

    /// The averages of keys, whose sum has more than 64 bits and whose doubles have too few, as PostgreSQL's `div` has them.
    #[tokio::test]
    async fn averages_of_keys_are_exact_in_datafusion() -> Result<()> {
        let text = "SELECT avg(k), avg(n) FROM (VALUES (4611686018427387904, 7), (4611686018427387904, -8), \
                    (4611686018427387906, -7), (1, 1)) AS t (k, n)";
        let (_, _, average) = WORDS[1];
        let found = crate::side::run_plain(&crate::side::plain(1), &whole_averages(text, average)).await?;
        assert_eq!(crate::compare::rows(&found)?, [["3458764513820540928", "-1"]]);
        Ok(())
    }
}

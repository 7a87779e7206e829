//! Scans of text: CSV in one file, JSON lines in gzipped files, every column parsed.

use crate::compare::Digits;
use crate::report::{self, Line, Report, Side};
use crate::{cache, compare, side};
use anyhow::Result;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::prelude::{CsvReadOptions, JsonReadOptions};
use std::path::Path;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rows of the CSV file; the JSON files have a tenth
    #[arg(long, default_value_t = 10_000_000)]
    rows: usize,
    /// Runs of each query on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

const COLUMNS: &str =
    "id bigint, quantity int, price double, discount double, flag string, day date, name string, note string";

/// Rows numbered from 1, alike on every machine.
const ROWS: &str = "SELECT value AS id, CAST(value % 97 AS int) AS quantity, value % 100003 / 7.0 AS price,
    value % 11 / 100.0 AS discount, CASE WHEN value % 3 = 0 THEN 'R' ELSE 'N' END AS flag,
    arrow_cast(CAST(8000 + value % 4000 AS int), 'Date32') AS day, concat('name ', value % 5000) AS name,
    concat('a note of some length about row ', value) AS note FROM generate_series(1, ";

const QUERIES: [(&str, &str); 3] = [
    ("count", "SELECT count(*) FROM t"),
    ("one column", "SELECT sum(quantity) FROM t"),
    (
        "all columns",
        "SELECT max(id), sum(quantity), max(price), max(discount), count(DISTINCT flag), max(day), max(name), \
         max(note) FROM t",
    ),
];

/// Runs it.
pub async fn run(options: &Options, cache: &Path) -> Result<()> {
    let rows = options.rows;
    let csv = cache::folder(cache, format!("csv-{rows}"), |folder| {
        generate(rows, folder.join("part-0.csv").display().to_string(), "CSV OPTIONS ('format.has_header' 'false')")
    });
    let csv = csv.await?;
    let json = cache::folder(cache, format!("json-{}", rows / 10), |folder| {
        generate(rows / 10, format!("{}/", folder.display()), "JSON OPTIONS ('format.compression' 'gzip')")
    });
    let json = json.await?;

    let plain = side::plain(side::cores());
    let schema = schema();
    let read = CsvReadOptions::new().has_header(false).schema(&schema);
    plain.register_csv("t", csv.display().to_string(), read).await?;
    let ddl = format!(
        "CREATE EXTERNAL TABLE t ({COLUMNS}) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION {}",
        side::literal(&csv)
    );
    compare_scans(&format!("CSV, {rows} rows"), &ddl, &plain, options.runs).await?;

    let plain = side::plain(side::cores());
    let read = JsonReadOptions::default().file_extension("json.gz").schema(&schema);
    let read = read.file_compression_type(FileCompressionType::GZIP);
    plain.register_json("t", json.display().to_string(), read).await?;
    let ddl = format!("CREATE EXTERNAL TABLE t ({COLUMNS}) STORED AS JSONFILE LOCATION {}", side::literal(&json));
    compare_scans(&format!("JSON lines, gzip, {} rows", rows / 10), &ddl, &plain, options.runs).await
}

async fn compare_scans(title: &str, ddl: &str, plain: &datafusion::prelude::SessionContext, runs: usize) -> Result<()> {
    let mut ours = side::Ours::new(side::cores()).await?;
    ours.run(ddl).await?;
    let mut lines = Vec::new();
    for (name, query) in QUERIES {
        let answer = compare::rows(&ours.run(query).await?)?;
        compare::same(&answer, &compare::rows(&side::run_plain(plain, query).await?)?, Digits::Same, name)?;
        let mut line = Line::new(name, 2);
        for _ in 0..runs {
            line.push(0, ours.time(query).await?);
            line.push(1, side::time_plain(plain, query).await?);
        }
        lines.push(line);
    }
    let sides = vec![Side::named("millrace"), Side::named("plain")];
    report::print(&Report { title: format!("{title}, median of {runs} runs"), sides, lines }.table());
    Ok(())
}

async fn generate(rows: usize, place: String, format: &str) -> Result<()> {
    let context = side::plain(side::cores());
    side::run_plain(&context, &format!("COPY ({ROWS}{rows})) TO '{place}' STORED AS {format}")).await?;
    Ok(())
}

fn schema() -> Schema {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Schema::new(vec![
        field("id", DataType::Int64),
        field("quantity", DataType::Int32),
        field("price", DataType::Float64),
        field("discount", DataType::Float64),
        field("flag", DataType::Utf8View),
        field("day", DataType::Date32),
        field("name", DataType::Utf8View),
        field("note", DataType::Utf8View),
    ])
}

//! External tables of each kind: one large Parquet table, many small files, partitions, CSV, gzipped JSON lines, ORC; all with
//! the rows of TPC-H's lineitem, so that what differs is what the kind costs.

use crate::run::{self, RunOptions};
use crate::suite::{Format, Query, Suite, Table};
use crate::target::Kind;
use crate::{cache, parquet_file, report, side, tpch};
use anyhow::{Context, Result, ensure};
use datafusion::prelude::ParquetReadOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct LakeOptions {
    /// Scale factor of TPC-H; the texts have a tenth of the rows
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How many small files there are
    #[arg(long, default_value_t = 1_000)]
    files: usize,
    #[command(flatten)]
    run: RunOptions,
}

impl Eq for LakeOptions {}

/// The partitions: 84 months.
const KEYS: &str = "ship_year int, ship_month int";

/// Asked of every table.
const QUESTIONS: [(&str, &str); 4] = [
    ("count", "SELECT count(*) FROM {}"),
    ("one column", "SELECT sum(l_quantity), max(l_extendedprice) FROM {}"),
    (
        "filter",
        "SELECT sum(l_extendedprice * l_discount) FROM {} WHERE l_shipdate >= CAST('1994-01-01' AS date) \
         AND l_shipdate < CAST('1995-01-01' AS date) AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    ),
    (
        "groups",
        "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice * (1 - l_discount)), \
         count(DISTINCT l_shipmode), max(l_comment), count(*) FROM {} GROUP BY l_returnflag, l_linestatus \
         ORDER BY l_returnflag, l_linestatus",
    ),
];

/// Asked of partitions.
const PARTITION_QUESTIONS: [(&str, &str); 2] = [
    ("one month", "SELECT count(*), sum(l_quantity) FROM {} WHERE ship_year = 1995 AND ship_month = 7"),
    (
        "by year",
        "SELECT ship_year, count(*), min(l_shipdate) FROM {} WHERE ship_month <= 2 GROUP BY ship_year ORDER BY ship_year",
    ),
];

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &LakeOptions, cache: &Path, side: &[&str]) -> Result<()> {
    ensure!(options.files > 0, "there has to be a file");
    ensure!(options.scale > 0.0 && options.scale <= 100.0, "the scale factor is from 0 to 100");
    ensure!(
        options.run.kinds(Kind::External).all(|kind| !kind.loads()),
        "lake tables are external: external, datafusion, duckdb-parquet, polars and chdb can be measured"
    );
    let (scale, files) = (options.scale, options.files);
    let rows = tpch::folder(scale, cache).await?.join("lineitem");
    let mut folder = format!("lake-{scale}-{files}");
    let made = cache::folder(cache, folder.clone(), |folder| async move { generate(&rows, files, &folder).await });
    let data = made.await?;
    let mut formats = vec![Format::Parquet, Format::Csv, Format::JsonGzip];
    let orc = cache::folder(cache, format!("lake-orc-{scale}"), |folder| {
        let made = write_orc(&options.run.python, &data.join("lineitem_few"), &folder.join("lineitem_orc"));
        async move { made }
    });
    match orc.await {
        Ok(orc) => {
            link(&orc.join("lineitem_orc"), &data.join("lineitem_orc"))?;
            formats.push(Format::Orc);
            // Kept tables of a run without it lack its table.
            folder.push_str("-orc");
        }
        Err(error) => report::print(&format!("SKIPPED: ORC: {error:#}")),
    }
    let tables = tables(&formats);
    let suite = Suite {
        title: format!("lake, lineitem at scale {scale}, {files} small files, texts of a tenth"),
        folder,
        data,
        queries: queries(&tables),
        tables,
        duckdb_settings: Vec::new(),
    };
    run::run(&suite, &options.run, Kind::External, cache, side)
}

/// The large table, the small files and the partitions are Parquet.
fn tables(formats: &[Format]) -> Vec<Table> {
    let table = |name: &str, format: Format| Table { name: format!("lineitem_{name}"), format, ..tpch::lineitem() };
    let mut tables = Vec::new();
    for format in formats {
        tables.extend(match format {
            Format::Parquet => vec![
                table("large", *format),
                table("small", *format),
                Table { keys: KEYS.to_owned(), ..table("months", *format) },
            ],
            Format::Csv => vec![table("csv", *format)],
            Format::JsonGzip => vec![table("json", *format)],
            Format::Orc => vec![table("orc", *format)],
        });
    }
    tables
}

fn queries(tables: &[Table]) -> Vec<Query> {
    let mut queries: Vec<Query> = Vec::new();
    for table in tables {
        let more: &[_] = if table.keys.is_empty() { &[] } else { &PARTITION_QUESTIONS };
        for (name, question) in QUESTIONS.iter().chain(more) {
            let short = table.name.trim_start_matches("lineitem_");
            let query = Query::plain(queries.len() + 1, &question.replace("{}", &table.name));
            queries.push(Query { name: format!("{short}, {name}"), ..query });
        }
    }
    queries
}

/// Writes all but ORC out of lineitem's Parquet files.
async fn generate(rows: &Path, files: usize, folder: &Path) -> Result<()> {
    link(rows, &folder.join("lineitem_large"))?;
    let small = folder.join("lineitem_small");
    std::fs::create_dir_all(&small)?;
    write_small(rows, files, &small)?;
    let context = side::plain(side::cores());
    let read = ParquetReadOptions::default();
    context.register_parquet("lineitem", rows.display().to_string(), read).await?;
    let months = "SELECT *, CAST(date_part('year', l_shipdate) AS int) AS ship_year, \
         CAST(date_part('month', l_shipdate) AS int) AS ship_month FROM lineitem";
    let few = "SELECT * FROM lineitem WHERE l_orderkey % 10 = 1";
    let copies = [
        (months, "months/", "PARQUET PARTITIONED BY (ship_year, ship_month)"),
        (few, "few/", "PARQUET"),
        (few, "csv/", "CSV OPTIONS ('format.has_header' 'false', 'format.delimiter' '|')"),
        (few, "json/", "JSON OPTIONS ('format.compression' 'gzip')"),
    ];
    for (rows, name, format) in copies {
        let place = folder.join(format!("lineitem_{name}")).display().to_string().replace('\'', "''");
        side::run_plain(&context, &format!("COPY ({rows}) TO '{place}/' STORED AS {format}")).await?;
    }
    Ok(())
}

/// The same rows in so many files.
fn write_small(rows: &Path, files: usize, folder: &Path) -> Result<()> {
    let mut sources = std::fs::read_dir(rows)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    sources.sort();
    let opened = sources.iter().map(|path| Ok(ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?));
    let opened = opened.collect::<Result<Vec<_>>>()?;
    let total: i64 = opened.iter().map(|file| file.metadata().file_metadata().num_rows()).sum();
    let each = usize::try_from(total)?.div_ceil(files).max(1);
    let mut number = 0;
    for source in opened {
        for batch in source.with_batch_size(each).build()? {
            let batch = batch?;
            let file = folder.join(format!("part-{number:05}.parquet"));
            parquet_file::write(&file, batch.schema(), [Ok(batch)])?;
            number += 1;
        }
    }
    Ok(())
}

/// ORC is only read here: pyarrow writes it.
fn write_orc(python: &Path, rows: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let program = "import sys, pyarrow.dataset, pyarrow.orc\n\
         with pyarrow.orc.ORCWriter(sys.argv[2] + '/part-00000.orc', compression='zstd') as writer:\n\
         \x20   for batch in pyarrow.dataset.dataset(sys.argv[1], format='parquet').to_batches():\n\
         \x20       columns = [c.cast('string') if str(c.type) == 'string_view' else c for c in batch.columns]\n\
         \x20       writer.write(pyarrow.table(columns, names=batch.schema.names))\n";
    let output = Command::new(python).args(["-c", program]).arg(rows).arg(folder).output();
    let output = output.with_context(|| format!("could not start {}", python.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pyarrow did not write it: {}", told.lines().last().unwrap_or_default());
    Ok(())
}

/// The files of one folder in another, by links.
fn link(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if !place.exists() {
            std::fs::hard_link(entry.path(), place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_asked_more() {
        let tables = tables(&[Format::Parquet, Format::Csv]);
        let names = queries(&tables).into_iter().map(|query| query.name).collect::<Vec<_>>();
        assert_eq!(names.len(), 4 + 4 + 6 + 4);
        assert_eq!(names[..2], ["large, count", "large, one column"]);
        assert_eq!(names[12..15], ["months, one month", "months, by year", "csv, count"]);
    }

    #[tokio::test]
    async fn every_kind_has_the_rows() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let rows = tpch::folder(0.001, folder.path()).await?.join("lineitem");
        let made = folder.path().join("made");
        generate(&rows, 7, &made).await?;
        let mut ours = side::Ours::open(&folder.path().join("warehouse"), 2).await?;
        let tables = tables(&[Format::Parquet, Format::Csv, Format::JsonGzip]);
        ours.load(Kind::External, &tables, &made).await?;
        let mut counts = Vec::new();
        for table in &tables {
            let answer = ours.run(&format!("SELECT count(*), min(l_orderkey) FROM {}", table.name)).await?;
            counts.push(crate::compare::rows(&answer)?.concat());
        }
        assert_eq!(std::fs::read_dir(made.join("lineitem_small"))?.count(), 7);
        assert!(counts[0] == counts[1] && counts[0] == counts[2], "{counts:?}");
        assert!(counts[3] == counts[4] && counts[3] != counts[0], "{counts:?}");
        Ok(())
    }
}

//! TPC-H: the standard's queries with its validation parameters, answers compared before a time counts.

mod data;

use crate::cache;
use crate::compare::Digits;
use crate::estimates::{self, JoinRows};
use crate::run::{self, RunOptions};
use crate::side::Ours;
use crate::suite::{self, Query, Suite, Table};
use crate::target::Kind;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// The suite's name, of its folders too.
const SUITE: &str = "tpch";

/// Columns of answers that are quotients and averages of decimals: query, column and digits. Redshift's have so many digits
/// after the point and cut the rest (averages keep the scale; quotients of DECIMAL(38,4) have 4); published answers and
/// peers' are doubles. Every other value is compared as it is.
const CUT: [(usize, &[(usize, usize)]); 3] = [(1, &[(6, 2), (7, 2), (8, 2)]), (8, &[(1, 4)]), (14, &[(0, 4)])];

/// Options of the benchmark.
#[derive(Debug, clap::Args, Clone, PartialEq)]
pub struct TpchOptions {
    /// Scale factor; answers are published for 1
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Sort lineitem and orders by their dates instead of the order key
    #[arg(long)]
    by_date: bool,
    #[command(flatten)]
    run: RunOptions,
}

impl Eq for TpchOptions {}

/// Runs it; `side` are the arguments that make this program a target.
pub async fn run(options: &TpchOptions, cache: &Path, side: &[&str]) -> Result<()> {
    let scale = options.scale;
    ensure!(scale > 0.0 && scale <= 1000.0, "the scale factor is from 0 to 1000");
    let words = if options.by_date { ", lineitem and orders by date" } else { "" };
    let suite = Suite {
        title: format!("TPC-H, scale {scale}{words}"),
        folder: kept_name(scale, options.by_date),
        data: folder(scale, cache).await?,
        tables: tables_by(options.by_date),
        queries: (1..=22).map(|number| query(number, scale)).collect::<Result<_>>()?,
        duckdb_settings: Vec::new(),
    };
    run::run(&suite, &options.run, Kind::Managed, cache, side)
}

/// The tables as Parquet, a folder each.
pub async fn folder(scale: f64, cache: &Path) -> Result<PathBuf> {
    cache::folder(cache, format!("{SUITE}-{scale}"), |folder| async move { data::generate(scale, &folder) }).await
}

/// Loads managed tables of a scale into a warehouse in a folder, and gives what is estimated of every query's joins beside what
/// they give.
///
/// # Errors
/// What generating, loading or a query fails with.
pub async fn join_rows(scale: f64, folder: &Path) -> Result<Vec<JoinRows>> {
    let files = folder.join("files");
    data::generate(scale, &files)?;
    let mut ours = Ours::open(&folder.join("warehouse"), 2).await?;
    ours.load(Kind::Managed, &tables(), &files).await?;
    let queries = (1..=22).map(|number| Ok((number, suite::query(SUITE, number)?))).collect::<Result<Vec<_>>>()?;
    estimates::join_rows(&mut ours, &queries).await
}

/// How the names begin of folders in which targets' own tables are kept.
pub(crate) fn kept_name(scale: f64, by_date: bool) -> String {
    format!("{SUITE}-{scale}{}", if by_date { "-by-date" } else { "" })
}

/// The tables as they are measured.
pub fn tables() -> Vec<Table> {
    tables_by(false)
}

/// The tables, lineitem and orders sorted by their dates or by the order key.
pub(crate) fn tables_by(by_date: bool) -> Vec<Table> {
    data::tables(by_date)
}

/// The table lineitem.
pub(crate) fn lineitem() -> Table {
    tables().into_iter().find(|table| table.name == "lineitem").unwrap_or_default()
}

/// A query's text.
pub fn text(number: usize) -> Result<&'static str> {
    suite::query(SUITE, number)
}

fn query(number: usize, scale: f64) -> Result<Query> {
    let is_published = (scale - 1.0).abs() < f64::EPSILON;
    Ok(Query {
        digits: CUT.iter().find(|(of, _)| *of == number).map_or(Digits::Same, |(_, columns)| Digits::Cut(columns)),
        published: if is_published { suite::answer(SUITE, number) } else { None },
        ..Query::plain(number, text(number)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_published_for_scale_1() -> Result<()> {
        for number in 1..=22 {
            assert!(query(number, 1.0)?.published.is_some_and(|rows| !rows.is_empty()), "{number}");
            assert!(query(number, 10.0)?.published.is_none(), "{number}");
        }
        Ok(())
    }
}

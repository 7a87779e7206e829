//! Point and range queries on the sort key: how long they take in a process that has asked for no such place before, and
//! again; and how many blocks they read, as `EXPLAIN ANALYZE` counts them. Some answers are compared with plain DataFusion's
//! over the Parquet files.

use super::{Bar, Found, Part, Place};
use crate::compare::{self, Digits};
use crate::numbers::hashed;
use crate::progress::Progress;
use crate::report::{Line, Report, median, percentile};
use crate::side;
use crate::target::{Kind, Request, Target};
use anyhow::{Context, Result, ensure};
use arrow::temporal_conversions::date32_to_datetime;
use datafusion::prelude::ParquetReadOptions;
use serde_json::Value;
use std::ops::RangeInclusive;
use tpchgen::generators::OrderGenerator;

/// Orders of a unit of scale.
const ORDERS: f64 = 1_500_000.0;
/// Orders of a range.
const ORDERS_OF_RANGE: u64 = 1_000;
/// The days of which lineitem may have rows, 1992-01-02 to 1998-12-01, since 1970.
const DAYS: RangeInclusive<u64> = 8_036..=10_561;
/// How many queries are explained and compared.
const LOOKED_AT: usize = 20;

/// The most milliseconds.
const MOST_MS: f64 = 10.0;
/// The most blocks of a column: a block of ours is a piece of one column, a row group of others is a piece of all.
const MOST_BLOCKS: f64 = 2.0;

/// A kind of query.
struct Question {
    name: &'static str,
    /// How many columns it reads.
    columns: u64,
    /// Its text; `{}` is the first place of the key, `{last}` the last.
    text: &'static str,
}

const BY_KEY: [Question; 2] = [
    Question {
        name: "point",
        columns: 5,
        text: "SELECT l_orderkey, l_partkey, l_quantity, l_extendedprice, l_shipdate FROM lineitem WHERE l_orderkey = {}",
    },
    Question {
        name: "range",
        columns: 3,
        text: "SELECT count(*), sum(l_quantity), sum(l_extendedprice) FROM lineitem WHERE l_orderkey BETWEEN {} AND {last}",
    },
];

const BY_DATE: [Question; 2] = [
    Question {
        name: "point",
        columns: 3,
        text: "SELECT count(*), sum(l_quantity), sum(l_extendedprice) FROM lineitem WHERE l_shipdate = {}",
    },
    Question {
        name: "range",
        columns: 3,
        text: "SELECT count(*), sum(l_quantity), sum(l_extendedprice) FROM lineitem WHERE l_shipdate BETWEEN {} AND {last}",
    },
];

/// Measures them.
pub(super) async fn measure(place: &Place<'_>) -> Result<Found> {
    let by_date = place.options.by_date;
    let orders = orders(place.options.scale);
    let home = place.tables()?;
    let mut target = Target::start(Kind::Managed, &place.programs(), &home, place.threads, None)?;
    let plain = side::plain(place.threads);
    let files = place.data.join("lineitem").display().to_string();
    plain.register_parquet("lineitem", files, ParquetReadOptions::default()).await?;
    let (mut lines, mut bars, mut notes, mut wrong) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut worst_median, mut worst_late) = (0.0_f64, 0.0_f64);
    let questions = if by_date { &BY_DATE } else { &BY_KEY };
    for (purpose, question) in questions.iter().enumerate() {
        let numbers = 0..place.options.queries as u64;
        let texts = numbers.map(|number| {
            let hash = hashed(number, purpose as u64);
            let places = if by_date { days(hash) } else { Ok(keys(hash, orders)) };
            places.map(|(first, last)| question.text.replace("{}", &first).replace("{last}", &last))
        });
        let texts: Vec<String> = texts.collect::<Result<_>>()?;
        let progress = Progress::new(question.name, 2 * texts.len());
        for again in ["", " again"] {
            let mut line = Line::new(format!("{}{again}", question.name), 1);
            for text in &texts {
                progress.step(text);
                line.push(0, target.run(&Request::new(text.clone()), None).with_context(|| text.clone())?.time);
            }
            let times = &line.times_ms[0];
            let late = percentile(times, 99);
            worst_median = worst_median.max(median(times));
            worst_late = worst_late.max(late);
            line.measures[0].p99_ms = Some(late);
            line.measures[0].max_ms = Some(times.iter().copied().fold(0.0, f64::max));
            lines.push(line);
        }
        drop(progress);
        let step = texts.len().div_ceil(LOOKED_AT);
        let (mut most, mut skipped) = (0, 0);
        for text in texts.iter().step_by(step) {
            let json = target.run(&Request::asking(explained(text)), None)?.rows.concat().concat();
            let blocks = blocks(&serde_json::from_str(&json).with_context(|| json.clone())?);
            let (read, not_read) = blocks.with_context(|| format!("no blocks are told of {text}"))?;
            (most, skipped) = (most.max(read), skipped.max(not_read));
            let mut ours = target.run(&Request::asking(text.clone()), None)?.rows;
            let mut theirs = compare::rows(&side::run_plain(&plain, text).await?)?;
            ours.sort();
            theirs.sort();
            ensure!(!theirs.is_empty(), "there is nothing to be found by {text}");
            wrong.extend(compare::same(&ours, &theirs, Digits::Same, text).err().map(|error| error.to_string()));
        }
        for line in lines.iter_mut().rev().take(2) {
            line.measures[0].blocks_read = Some(most);
        }
        let of_column = most as f64 / question.columns as f64;
        bars.push(Bar::at_most(format!("{}: blocks of a column", question.name), of_column, MOST_BLOCKS));
        notes.push(format!(
            "{}: at most {most} blocks of {} columns read, {skipped} not, of the files that bounds left",
            question.name, question.columns
        ));
    }
    bars.insert(0, Bar::at_most("the worst median, ms", worst_median, MOST_MS));
    bars.insert(1, Bar::at_most("the worst 99th percentile, ms", worst_late, MOST_MS));
    let title = format!(
        "points and ranges, {} of each, lineitem at scale {} sorted by {}, {} threads",
        place.options.queries,
        place.options.scale,
        place.key(),
        place.threads
    );
    let report = Report { title, sides: vec![target.describe()], lines };
    Ok(Found { part: Part::Points, report, bars, notes, wrong })
}

/// How many orders there are.
pub(super) fn orders(scale: f64) -> u64 {
    ((ORDERS * scale) as u64).max(1)
}

/// The key of an order, counted from 1: TPC-H uses eight of 32.
pub(super) fn key(order: u64) -> i64 {
    OrderGenerator::make_order_key(order as i64)
}

/// The first and the last key of some orders in a row.
fn keys(hash: u64, orders: u64) -> (String, String) {
    let first = 1 + hash % orders.saturating_sub(ORDERS_OF_RANGE).max(1);
    (key(first).to_string(), key((first + ORDERS_OF_RANGE - 1).min(orders)).to_string())
}

/// Two days, one after the other, as literals.
fn days(hash: u64) -> Result<(String, String)> {
    let literal = |day: u64| {
        let day = date32_to_datetime(day as i32).context("a day of TPC-H's years")?;
        Ok::<_, anyhow::Error>(format!("date '{}'", day.date()))
    };
    let first = DAYS.start() + hash % (DAYS.end() - DAYS.start());
    Ok((literal(first)?, literal(first + 1)?))
}

/// The statement whose one row tells what a query did, as JSON.
fn explained(query: &str) -> String {
    format!("EXPLAIN ANALYZE (FORMAT JSON, COSTS OFF) {query}")
}

/// How many blocks the scans of an explained plan read, and how many they did not; none where no scan tells.
fn blocks(plan: &Value) -> Option<(u64, u64)> {
    let below = match plan {
        Value::Array(values) => values.iter().filter_map(blocks).collect::<Vec<_>>(),
        Value::Object(fields) => fields.values().filter_map(blocks).collect(),
        _ => Vec::new(),
    };
    let number = |key: &str| plan.get(key).and_then(Value::as_u64);
    let own = number("Blocks Read").map(|read| (read, number("Blocks Skipped").unwrap_or(0)));
    own.into_iter().chain(below).reduce(|one, other| (one.0 + other.0, one.1 + other.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Ours;
    use crate::tpch;
    use serde_json::json;

    #[test]
    fn places_are_where_rows_are() -> Result<()> {
        let scale = 0.001;
        let generated: Vec<i64> = OrderGenerator::new(scale, 1, 1).iter().map(|order| order.o_orderkey).collect();
        assert_eq!((1..=orders(scale)).map(key).collect::<Vec<_>>(), generated);
        for hash in [0, 499, 500, u64::MAX] {
            let (first, last) = keys(hash, orders(scale));
            let at = |text: &str| generated.iter().position(|key| key.to_string() == text);
            assert_eq!(at(&first).map(|at| at + 999), at(&last), "{hash}");
        }
        assert_eq!(days(0)?, ("date '1992-01-02'".to_owned(), "date '1992-01-03'".to_owned()));
        let (_, last) = days(DAYS.end() - DAYS.start() - 1)?;
        assert_eq!(last, "date '1998-12-01'");
        Ok(())
    }

    #[test]
    fn blocks_of_all_scans_are_summed_up() {
        let scan = |read: u64| json!({"Node Type": "XN Seq Scan", "Blocks Read": read, "Blocks Skipped": 3});
        let plan = json!([{"Plan": {"Node Type": "XN Hash Join", "Plans": [scan(2), {"Plans": [scan(5)]}]}}]);
        assert_eq!(blocks(&plan), Some((7, 6)));
        assert_eq!(blocks(&json!([{"Plan": {"Node Type": "XN Aggregate"}}])), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn explained_queries_tell_their_blocks() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let data = tpch::folder(0.002, folder.path()).await?;
        let mut ours = Ours::open(&folder.path().join("warehouse"), 2).await?;
        ours.load(Kind::Managed, &[tpch::lineitem()], &data).await?;
        let (by_key, by_date) = (keys(1_000, orders(0.002)), days(1_000)?);
        let places = BY_KEY.iter().map(|question| (question, &by_key));
        for (question, (first, last)) in places.chain(BY_DATE.iter().map(|question| (question, &by_date))) {
            let text = question.text.replace("{}", first).replace("{last}", last);
            let plan = compare::rows(&ours.run(&explained(&text)).await?)?.concat().concat();
            let read = blocks(&serde_json::from_str(&plan)?).map(|(read, _)| read);
            assert!(read.is_some_and(|read| read > 0), "{plan}");
        }
        Ok(())
    }
}

//! What EXPLAIN ANALYZE gives, for a terminal: the tree of steps with a bar for the time of each, so that what takes long
//! is seen at a glance.
//!
//! It reads the lines that everybody gets. Rows without such figures are an ordinary table.

use super::cell::escape_controls;
use super::table::Table;
use super::{End, Layout, PrintError, Printer};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use std::io::Write;

/// The column of a plan's lines.
const COLUMN: &str = "QUERY PLAN";
/// The lines that are kept to be drawn; of a longer plan nothing is drawn.
const MOST_LINES: usize = 10_000;
/// The characters of a bar of the whole time.
const BAR: usize = 12;
/// A bar's last character, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A plan's printer.
pub(super) struct Plan {
    table: Table,
    /// Lines that are still to be printed, with the batches that they came in.
    kept: Option<(Vec<String>, Vec<RecordBatch>)>,
}

impl Plan {
    /// Whether rows are a plan that is shown on a terminal.
    pub(super) fn is_one(schema: &SchemaRef, layout: &Layout) -> bool {
        let field = schema.fields().first().filter(|_| schema.fields().len() == 1);
        layout.width.is_some()
            && field.is_some_and(|field| field.name() == COLUMN && *field.data_type() == DataType::Utf8)
    }

    pub(super) fn new(schema: SchemaRef, layout: Layout) -> Self {
        Self { table: Table::new(schema, layout), kept: Some((Vec::new(), Vec::new())) }
    }

    /// Goes on as a table, with what was kept.
    fn give_up(&mut self, out: &mut dyn Write) -> Result<(), PrintError> {
        if let Some((_, batches)) = self.kept.take() {
            for batch in &batches {
                self.table.batch(batch, out)?;
            }
        }
        Ok(())
    }
}

impl Printer for Plan {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        let Some((lines, batches)) = &mut self.kept else { return self.table.batch(batch, out) };
        let texts = batch.column(0).as_string_opt::<i32>();
        if let Some(texts) = texts.filter(|texts| lines.len() + texts.len() <= MOST_LINES) {
            lines.extend(texts.iter().map(|text| text.unwrap_or_default().to_owned()));
            batches.push(batch.clone());
            return Ok(());
        }
        self.give_up(out)?;
        self.table.batch(batch, out)
    }

    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        match self.kept.as_ref().and_then(|(lines, _)| draw(lines)) {
            Some(drawn) => {
                self.kept = None;
                Ok(out.write_all(drawn.as_bytes())?)
            }
            None => {
                self.give_up(out)?;
                self.table.finish(end, out)
            }
        }
    }
}

/// A line of a plan.
struct Line<'a> {
    /// Its text, with what it is indented by, without figures.
    text: &'a str,
    /// The milliseconds that the step computed, and its rows.
    actual: Option<(f64, &'a str)>,
}

/// `->  XN Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=1.204 ms rows=8798)`
fn parse(line: &str) -> Line<'_> {
    let figures = line.split_once("(actual time=").and_then(|(before, after)| {
        let (time, rest) = after.split_once(" ms rows=")?;
        let (rows, _) = rest.split_once(')')?;
        Some((before, time.parse().ok()?, rows))
    });
    match figures {
        Some((before, time, rows)) => {
            let text = before.split_once("(cost=").map_or(before, |(text, _)| text);
            Line { text: text.trim_end(), actual: Some((time, rows)) }
        }
        None => Line { text: line, actual: None },
    }
}

/// The tree with its bars; `None` for lines without figures.
fn draw(lines: &[String]) -> Option<String> {
    let lines: Vec<Line<'_>> = lines.iter().map(|line| parse(line)).collect();
    let total: f64 = lines.iter().filter_map(|line| line.actual).map(|(time, _)| time).sum();
    let rows = lines.iter().filter_map(|line| line.actual).map(|(_, rows)| rows.len()).max()?.max("rows".len());
    let mut drawn = vec![format!("{:>11}  {:<BAR$} {:>4}  {:>rows$}  step", "time", "share", "", "rows")];
    for Line { text, actual } in &lines {
        let text = escape_controls(text);
        drawn.push(match actual {
            Some((time, count)) => {
                let share = if total > 0. { time / total } else { 0. };
                let (time, bar) = (format!("{time:.3} ms"), bar(share));
                format!("{time:>11}  {bar:<BAR$} {:>3.0}%  {count:>rows$}  {text}", share * 100.)
            }
            // What belongs to the whole stands at the left.
            None if !text.starts_with(' ') => text.into_owned(),
            None => format!("{:>11}  {:<BAR$} {:>4}  {:>rows$}  {text}", "", "", "", ""),
        });
    }
    Some(drawn.join("\n") + "\n")
}

/// A bar of a share of the time.
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0., 1.) * (BAR * 8) as f64).round() as usize;
    let last = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{last}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_bars_of_their_times() {
        let lines = [
            "XN Hash Join DS_DIST_NONE  (cost=1.00..9.00 rows=5 width=4) (actual time=1.500 ms rows=4)",
            "  Hash Cond: (\"outer\".a = \"inner\".a)",
            "  ->  XN Seq Scan on t  (cost=0.00..2.00 rows=5 width=4) (actual time=0.375 ms rows=12000)",
            "  ->  XN Hash  (actual time=1.125 ms rows=4)",
            "Planning time: 0.100 ms",
        ];
        let lines = lines.map(str::to_owned);
        insta::assert_snapshot!(draw(&lines).unwrap_or_default(), @r#"
               time  share               rows  step
           1.500 ms  ██████        50%      4  XN Hash Join DS_DIST_NONE
                                                 Hash Cond: ("outer".a = "inner".a)
           0.375 ms  █▌            12%  12000    ->  XN Seq Scan on t
           1.125 ms  ████▌         38%      4    ->  XN Hash
        Planning time: 0.100 ms
        "#);
    }

    #[test]
    fn plans_that_did_not_run_have_none() {
        assert!(draw(&["XN Seq Scan on t  (cost=0.00..2.00 rows=5 width=4)".to_owned()]).is_none());
        assert_eq!(bar(1.), "████████████");
        assert_eq!(bar(0.), "");
    }
}

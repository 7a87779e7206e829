//! Answers: rows as texts, equal when texts are and numbers nearly are.

use anyhow::{Result, ensure};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// One row, a text a value.
pub type Row = Vec<String>;

/// Stands in an answer for a text that generators of TPC-H's data make differently: addresses and comments.
const ANY: &str = "*";

/// Rows as texts.
pub fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()));
    }
    Ok(rows)
}

/// A published answer: a header, then values between bars; `*` is any value.
pub fn parse_answer(text: &str) -> Vec<Row> {
    text.lines().skip(1).map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Fails at the first value that differs. Numbers may differ by a millionth: averages have other scales elsewhere.
pub fn same(actual: &[Row], expected: &[Row], what: &str) -> Result<()> {
    ensure!(actual.len() == expected.len(), "{what}: {} rows instead of {}", actual.len(), expected.len());
    for (number, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let equal = actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| same_value(a, e));
        ensure!(equal, "{what}: row {} is {actual:?} instead of {expected:?}", number + 1);
    }
    Ok(())
}

fn same_value(actual: &str, expected: &str) -> bool {
    if expected == ANY || actual.trim_end() == expected.trim_end() {
        return true;
    }
    match (actual.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(a), Ok(e)) => (a - e).abs() <= 1e-6 * e.abs().max(1.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_differ_a_little_and_texts_not_at_all() {
        for (a, b, equal) in [
            ("25.522006", "25.522005853257337", true),
            ("37734107.00", "37734107", true),
            ("1.01", "1.02", false),
            ("a ", "a", true),
            ("a", "b", false),
            ("NULL", "0", false),
            ("whatever", "*", true),
        ] {
            assert_eq!(same_value(a, b), equal, "{a} {b}");
        }
    }
}

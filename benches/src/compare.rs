//! Answers: rows as texts, equal when texts are and numbers nearly are.

use anyhow::{Result, ensure};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// One row, a text a value.
pub type Row = Vec<String>;

/// How near numbers have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// Whole numbers are equal, others to a millionth.
    Same,
    /// Ours have so many digits after the point in these columns (column, digits) and cut the rest, which the others have.
    Cut(&'static [(usize, usize)]),
    /// A decimal of ours may be one unit of its last digit beside a number with more digits: Redshift cuts quotients and
    /// averages, others compute them as doubles.
    Last,
}

/// Stands in an answer for a text that generators of TPC-H's data make differently: addresses and comments.
const ANY: &str = "*";

/// Rows as texts.
pub fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let options = FormatOptions::new().with_null("NULL").with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
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

/// The digits within a text, as a number: the key in a name that was made of it.
pub fn number_in(text: &str) -> u64 {
    text.bytes().filter(u8::is_ascii_digit).fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Fails at the first value of ours that differs. Numbers may differ by a millionth, as averages have other scales
/// elsewhere, or as `digits` says.
pub fn same(ours: &[Row], theirs: &[Row], digits: Digits, what: &str) -> Result<()> {
    ensure!(ours.len() == theirs.len(), "{what}: {} rows instead of {}", ours.len(), theirs.len());
    for (number, (row, expected)) in ours.iter().zip(theirs).enumerate() {
        let mut values = row.iter().zip(expected).enumerate();
        let equal = row.len() == expected.len() && values.all(|(column, (a, e))| same_value(a, e, digits, column));
        ensure!(equal, "{what}: row {} is {row:?} instead of {expected:?}", number + 1);
    }
    Ok(())
}

fn same_value(ours: &str, theirs: &str, digits: Digits, column: usize) -> bool {
    let theirs = match digits {
        Digits::Cut(columns) => {
            columns.iter().find(|(of, _)| *of == column).map_or(theirs, |(_, kept)| cut(theirs, *kept))
        }
        Digits::Same | Digits::Last => theirs,
    };
    if theirs == ANY || ours.trim_end() == theirs.trim_end() {
        return true;
    }
    let (Ok(a), Ok(e)) = (ours.parse::<f64>(), theirs.parse::<f64>()) else { return false };
    let apart = (a - e).abs();
    let (ours, theirs) = (fraction(ours), fraction(theirs));
    if ours == Some(0) && theirs == Some(0) {
        // Whole numbers are equal or not; a key may have more digits than a double.
        return false;
    }
    // A number with an exponent has as many digits as there may be.
    let has_fewer = ours.is_some_and(|ours| ours > 0 && theirs.is_none_or(|theirs| theirs > ours));
    let unit = ours.filter(|_| digits == Digits::Last && has_fewer).map_or(0.0, |digits| 0.1_f64.powi(digits as i32));
    apart <= 1e-6 * e.abs().max(1.0) || apart <= unit * 1.000_001
}

/// A number with at most so many digits after its point.
fn cut(value: &str, digits: usize) -> &str {
    match value.split_once('.') {
        Some((whole, fraction)) if fraction.len() > digits => &value[..whole.len() + 1 + digits],
        _ => value,
    }
}

/// How many digits stand after the point; none for a number with an exponent.
fn fraction(value: &str) -> Option<usize> {
    if value.contains(['e', 'E']) {
        return None;
    }
    Some(value.split_once('.').map_or(0, |(_, fraction)| fraction.len()))
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
            ("435090932899640449", "435090932899640448", false),
            ("whatever", "*", true),
        ] {
            assert_eq!(same_value(a, b, Digits::Same, 0), equal, "{a} {b}");
        }
    }

    #[test]
    fn a_last_digit_may_be_cut_or_rounded() {
        for (ours, theirs, equal) in [
            ("2.33", "2.3333333333333335", true),
            ("2.66", "2.6666666666666665", true),
            ("2.67", "2.6666666666666665", true),
            ("2.65", "2.6666666666666665", false),
            ("0.00", "1e-05", true),
            ("2.66", "2.67", false),
            ("5", "5.5", false),
            ("2.6666666666666665", "2.66", false),
        ] {
            assert_eq!(same_value(ours, theirs, Digits::Last, 0), equal, "{ours} {theirs}");
        }
        let digits = Digits::Cut(&[(1, 2)]);
        assert!(same_value("2.66", "2.6666666666666665", digits, 1));
        assert!(!same_value("2.67", "2.6666666666666665", digits, 1));
        assert!(!same_value("2.66", "2.6666666666666665", digits, 0));
    }
}

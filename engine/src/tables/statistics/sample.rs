//! From a sample of a column's values to its frequent values and its histogram.

use crate::error::Result;
use crate::tables::value_text;
use arrow::array::{Array, ArrayRef};
use arrow::compute::{SortOptions, concat, partition, sort};
use datafusion::common::ScalarValue;

/// How many parts a histogram has.
const BUCKETS: usize = 64;
/// The most frequent values that are kept.
const MOST_COMMON: usize = 32;
/// How much more frequent than the average a value must be to be kept, as in PostgreSQL.
const MORE_THAN_AVERAGE: f64 = 1.25;
/// The most bytes of a text that is kept.
const MOST_TEXT_BYTES: usize = 64;

/// Frequent values with the part of all rows that each has, and the bounds of a histogram.
type CommonAndHistogram = (Vec<(String, f64)>, Vec<String>);

/// The arrays as one; `None` for no rows.
pub(super) fn joined(arrays: &[ArrayRef]) -> Result<Option<ArrayRef>> {
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    Ok(if arrays.is_empty() { None } else { Some(concat(&arrays)?) })
}

/// A column's frequent values with the part of all rows that each has, and the bounds of its histogram, of a sample of
/// its rows. `distinct` is how many values it has, `share` the part of rows that are not NULL.
pub(super) fn common_and_histogram(sample: &ArrayRef, distinct: u64, share: f64) -> Result<CommonAndHistogram> {
    let options = SortOptions { descending: false, nulls_first: false };
    let sorted = sort(sample, Some(options))?;
    let sorted = sorted.slice(0, sorted.len() - sorted.null_count());
    let count = sorted.len();
    if count == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let text = |at: usize| Ok::<_, crate::error::Error>(value_text(&ScalarValue::try_from_array(&sorted, at)?));
    let mut runs = partition(std::slice::from_ref(&sorted))?.ranges();
    let all_kept = distinct <= MOST_COMMON as u64 && runs.len() as u64 >= distinct;
    let average = count as f64 / (distinct.max(1) as f64);
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    let mut common = Vec::new();
    for run in runs.into_iter().take(MOST_COMMON) {
        // A value that is in a sample once says nothing of how often it is in the rows.
        let frequent = run.len() >= 2 && run.len() as f64 >= MORE_THAN_AVERAGE * average;
        if !all_kept && !frequent {
            break;
        }
        if let Some(text) = text(run.start)?.filter(|text| text.len() <= MOST_TEXT_BYTES) {
            common.push((text, share * run.len() as f64 / count as f64));
        }
    }
    let mut bounds = Vec::with_capacity(BUCKETS + 1);
    for bucket in 0..=BUCKETS {
        // The bound of a part is a value that is there, so that the first and the last are the sample's.
        let Some(mut bound) = text((bucket * (count - 1)) / BUCKETS)? else { return Ok((common, Vec::new())) };
        bound.truncate(bound.floor_char_boundary(MOST_TEXT_BYTES));
        bounds.push(bound);
    }
    Ok((common, bounds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Date32Array, Float64Array, Int32Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn few_values_are_all_kept() {
        let sample: ArrayRef = Arc::new(StringViewArray::from(vec![Some("b"), Some("a"), None, Some("b"), Some("b")]));
        let (common, histogram) = common_and_histogram(&sample, 2, 0.8).unwrap();
        assert_eq!(common, [("b".to_owned(), 0.8 * 0.75), ("a".to_owned(), 0.8 * 0.25)]);
        assert_eq!((histogram.len(), histogram[0].as_str(), histogram[64].as_str()), (65, "a", "b"));
    }

    #[test]
    fn a_histogram_has_equal_parts_and_common_values_stand_out() {
        // One value in half of the rows, the others once each.
        let values = (0..6_400).map(|n| if n % 2 == 0 { 7 } else { n });
        let sample: ArrayRef = Arc::new(Int32Array::from_iter_values(values));
        let (common, histogram) = common_and_histogram(&sample, 3_201, 1.).unwrap();
        assert_eq!(common.len(), 1);
        assert_eq!(common[0].0, "7");
        assert!((common[0].1 - 0.5).abs() < 0.001);
        let bounds: Vec<i32> = histogram.iter().map(|bound| bound.parse().unwrap()).collect();
        assert!(bounds.is_sorted());
        assert_eq!((bounds[0], bounds[20], bounds[64]), (1, 7, 6_399));
        assert!((bounds[48] - 3_200).abs() < 120, "{bounds:?}");
    }

    #[test]
    fn nulls_dates_and_long_texts() {
        let none: ArrayRef = Arc::new(Float64Array::from(vec![None::<f64>, None]));
        assert_eq!(common_and_histogram(&none, 0, 0.).unwrap(), (vec![], vec![]));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![0, 1]));
        assert_eq!(common_and_histogram(&dates, 2, 1.).unwrap().1[64], "1970-01-02");
        let long: ArrayRef = Arc::new(StringViewArray::from(vec!["ü".repeat(100)]));
        let (common, histogram) = common_and_histogram(&long, 1, 1.).unwrap();
        assert_eq!((common.len(), histogram[0].len()), (0, 64));
    }
}

//! Collecting what `ANALYZE` keeps: [`Collector`] reads rows, [`Merged`] joins the statistics of partitions.
//!
//! Memory is bounded by the number of columns: a sketch and two bounds each. Columns of nested types have no
//! statistics. A bound's text is short: a long smallest text is cut, which leaves a bound below it, a long largest one
//! is left out.

use super::prune::value_text;
use super::sketch::{Sketch, accumulator};
use super::types::{self, parse_partition_value};
use crate::error::Result;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::Accumulator;
use millrace_catalog::model::{Column, ColumnStatistics, HiveType, TableStatistics};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The most characters that are kept of a bound.
const MOST_CHARACTERS: usize = 128;

/// About how many bytes a column's collector takes.
pub(crate) const COLLECTOR_BYTES: usize = 20 << 10;

/// Whether a column's values are counted and compared at all.
pub(crate) fn has_statistics(data_type: &HiveType) -> bool {
    !matches!(data_type, HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) | HiveType::Super)
}

/// Rows as they are read.
pub(crate) struct Collector {
    rows: u64,
    columns: Vec<ColumnCollector>,
}

struct ColumnCollector {
    name: String,
    nulls: u64,
    /// Bytes of the values, for texts and binaries.
    bytes: Option<u64>,
    bounds: Option<[Box<dyn Accumulator>; 2]>,
    sketch: Sketch,
}

impl Collector {
    /// Of these columns, which the batches must have in this order.
    pub(crate) fn new(columns: &[Column]) -> Result<Self> {
        let collector = |column: &Column| {
            let data_type = types::to_arrow(&column.data_type);
            let bounds = match data_type {
                DataType::BinaryView => None,
                _ => Some([accumulator(min_udaf(), &data_type)?, accumulator(max_udaf(), &data_type)?]),
            };
            let bytes = matches!(data_type, DataType::Utf8View | DataType::BinaryView).then_some(0);
            Ok(ColumnCollector { name: column.name.clone(), nulls: 0, bytes, bounds, sketch: Sketch::new()? })
        };
        Ok(Self { rows: 0, columns: columns.iter().map(collector).collect::<Result<_>>()? })
    }

    /// Reads a batch.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        for (column, values) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(values)?;
        }
        Ok(())
    }

    /// Adds what another has read.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        self.rows += other.rows;
        for (column, other) in self.columns.iter_mut().zip(other.columns) {
            column.merge(other)?;
        }
        Ok(())
    }

    /// How many rows there were, and what they told of each column.
    pub(crate) fn finish(self) -> Result<(u64, BTreeMap<String, ColumnStatistics>)> {
        let columns = self.columns.into_iter().map(|column| column.finish(self.rows)).collect::<Result<_>>()?;
        Ok((self.rows, columns))
    }
}

impl ColumnCollector {
    fn update(&mut self, values: &ArrayRef) -> Result<()> {
        self.nulls += values.null_count() as u64;
        if let Some(bytes) = &mut self.bytes {
            *bytes += match values.data_type() {
                DataType::Utf8View => total_bytes(values.as_string_view().iter().flatten().map(str::len)),
                _ => total_bytes(values.as_binary_view().iter().flatten().map(<[u8]>::len)),
            };
        }
        for bound in self.bounds.iter_mut().flatten() {
            bound.update_batch(std::slice::from_ref(values))?;
        }
        self.sketch.update(values)
    }

    fn merge(&mut self, mut other: Self) -> Result<()> {
        self.nulls += other.nulls;
        self.bytes = self.bytes.zip(other.bytes).map(|(a, b)| a + b);
        if let (Some(bounds), Some(others)) = (&mut self.bounds, &mut other.bounds) {
            for (bound, other) in bounds.iter_mut().zip(others) {
                bound.update_batch(&[other.evaluate()?.to_array()?])?;
            }
        }
        self.sketch.merge(&mut other.sketch)
    }

    fn finish(mut self, rows: u64) -> Result<(String, ColumnStatistics)> {
        let [minimum, maximum] = match &mut self.bounds {
            Some([min, max]) => [lower_text(&min.evaluate()?), upper_text(&max.evaluate()?)],
            None => [None, None],
        };
        let values = rows - self.nulls;
        let statistics = ColumnStatistics {
            minimum,
            maximum,
            null_count: Some(self.nulls),
            distinct_count: Some(self.sketch.count()?.min(values)),
            average_length: self.bytes.filter(|_| values > 0).map(|bytes| bytes as f64 / values as f64),
            sketch: Some(self.sketch.encode()?),
        };
        Ok((self.name, statistics))
    }
}

fn total_bytes(lengths: impl Iterator<Item = usize>) -> u64 {
    lengths.map(|length| length as u64).sum()
}

/// A smallest value as text, or a bound below it.
pub(crate) fn lower_text(value: &ScalarValue) -> Option<String> {
    let text = ordered(value).and_then(value_text)?;
    Some(text.chars().take(MOST_CHARACTERS).collect())
}

/// A largest value as text.
pub(crate) fn upper_text(value: &ScalarValue) -> Option<String> {
    ordered(value).and_then(value_text).filter(|text| text.chars().nth(MOST_CHARACTERS).is_none())
}

/// A value that its type orders and its text gives back.
fn ordered(value: &ScalarValue) -> Option<&ScalarValue> {
    let strange = match value {
        ScalarValue::Float32(Some(value)) => value.is_nan(),
        ScalarValue::Float64(Some(value)) => value.is_nan(),
        ScalarValue::BinaryView(_) => true,
        _ => false,
    };
    (!strange).then_some(value)
}

/// What the footers of a folder's files say together, as far as it counts rows.
pub(crate) fn of_footers(
    footers: &Statistics,
    columns: &[Column],
) -> Option<(u64, BTreeMap<String, ColumnStatistics>)> {
    let Precision::Exact(rows) = footers.num_rows else { return None };
    let known = columns.iter().zip(&footers.column_statistics).filter(|(column, _)| has_statistics(&column.data_type));
    let columns = known.filter_map(|(column, found)| {
        let null_count = match found.null_count {
            Precision::Exact(count) => Some(count as u64),
            _ => None,
        };
        let statistics = ColumnStatistics {
            minimum: found.min_value.get_value().and_then(lower_text),
            maximum: found.max_value.get_value().and_then(upper_text),
            null_count,
            ..ColumnStatistics::default()
        };
        (statistics != ColumnStatistics::default()).then(|| (column.name.clone(), statistics))
    });
    Some((rows as u64, columns.collect()))
}

/// The statistics of several partitions, joined.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    parts: u64,
    /// How many of them have rows or say something of columns.
    telling: u64,
    total: TableStatistics,
    columns: BTreeMap<String, MergedColumn>,
}

#[derive(Debug, Default)]
struct MergedColumn {
    /// How many partitions told of the column.
    parts: u64,
    bounds: [Option<ScalarValue>; 2],
    /// Whether a partition with values has no bound.
    unbounded: [bool; 2],
    nulls: Option<u64>,
    /// The sum of the distinct counts, at least as many as there are in all.
    distinct: Option<u64>,
    bytes: Option<f64>,
    values: u64,
    sketch: Option<Sketch>,
}

impl Merged {
    /// Adds a partition of a table of these columns.
    pub(crate) fn add(&mut self, part: &TableStatistics, columns: &[Column]) -> Result<()> {
        let total = &mut self.total;
        total.exact = part.exact && (self.parts == 0 || total.exact);
        total.analyzed_time_ms =
            if self.parts == 0 { part.analyzed_time_ms } else { total.analyzed_time_ms.min(part.analyzed_time_ms) };
        total.row_count = total.row_count.saturating_add(part.row_count);
        total.size_bytes = total.size_bytes.saturating_add(part.size_bytes);
        total.file_count = total.file_count.saturating_add(part.file_count);
        self.parts += 1;
        self.telling += u64::from(part.row_count > 0 || !part.columns.is_empty());
        for column in columns {
            if let Some(found) = part.columns.get(&column.name) {
                let merged = self.columns.entry(column.name.clone()).or_default();
                merged.add(found, part.row_count, &column.data_type)?;
            }
        }
        Ok(())
    }

    /// All of them together. Columns that a partition did not tell of are left out.
    pub(crate) fn finish(self) -> Result<TableStatistics> {
        let mut total = self.total;
        for (name, column) in self.columns {
            if column.parts == self.telling {
                total.columns.insert(name, column.finish()?);
            }
        }
        Ok(total)
    }
}

impl MergedColumn {
    fn add(&mut self, part: &ColumnStatistics, rows: u64, data_type: &HiveType) -> Result<()> {
        let first = self.parts == 0;
        self.parts += 1;
        let all_null = part.null_count == Some(rows);
        for (at, (text, keep)) in
            [(&part.minimum, Ordering::Less), (&part.maximum, Ordering::Greater)].into_iter().enumerate()
        {
            let value = text.as_deref().and_then(|text| parse_partition_value(Some(text), data_type).ok());
            self.unbounded[at] |= value.is_none() && !all_null;
            if let Some(value) = value
                && self.bounds[at].as_ref().is_none_or(|known| value.partial_cmp(known) == Some(keep))
            {
                self.bounds[at] = Some(value);
            }
        }
        let sum = |known: Option<u64>, more: Option<u64>| {
            if first { more } else { known.zip(more).map(|(a, b)| a.saturating_add(b)) }
        };
        self.nulls = sum(self.nulls, part.null_count);
        self.distinct = sum(self.distinct, part.distinct_count);
        let values = rows.saturating_sub(part.null_count.unwrap_or(0));
        let bytes = if values == 0 { Some(0.) } else { part.average_length.map(|length| length * values as f64) };
        self.bytes = if first { bytes } else { self.bytes.zip(bytes).map(|(a, b)| a + b) };
        self.values += values;
        let sketch = if first { Some(Sketch::new()?) } else { self.sketch.take() };
        if let (Some(mut sketch), Some(text)) = (sketch, &part.sketch)
            && sketch.merge_encoded(text)?
        {
            self.sketch = Some(sketch);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ColumnStatistics> {
        let [minimum, maximum] = self.bounds;
        let distinct_count = match &mut self.sketch {
            Some(sketch) => Some(sketch.count()?.min(self.values)),
            None => self.distinct.map(|sum| sum.min(self.values)),
        };
        Ok(ColumnStatistics {
            minimum: minimum.filter(|_| !self.unbounded[0]).as_ref().and_then(lower_text),
            maximum: maximum.filter(|_| !self.unbounded[1]).as_ref().and_then(upper_text),
            null_count: self.nulls,
            distinct_count,
            average_length: self.bytes.filter(|_| self.values > 0).map(|bytes| bytes / self.values as f64),
            sketch: self.sketch.map(|mut sketch| sketch.encode()).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{Int32Array, StringViewArray};
    use std::sync::Arc;

    fn columns() -> Vec<Column> {
        vec![Column::new("n", HiveType::Int), Column::new("t", HiveType::String)]
    }

    fn part(numbers: Vec<Option<i32>>, texts: Vec<Option<&str>>) -> TableStatistics {
        let arrays: [(&str, ArrayRef); 2] =
            [("n", Arc::new(Int32Array::from(numbers))), ("t", Arc::new(StringViewArray::from(texts)))];
        let mut collector = Collector::new(&columns()).unwrap();
        collector
            .update(&RecordBatch::try_from_iter_with_nullable(arrays.map(|(n, a)| (n, a, true))).unwrap())
            .unwrap();
        let (row_count, columns) = collector.finish().unwrap();
        TableStatistics { row_count, exact: true, size_bytes: 10, file_count: 1, columns, ..TableStatistics::default() }
    }

    #[test]
    fn a_column_is_counted_bounded_and_measured() {
        let found = part(vec![Some(-9), None, Some(10)], vec![Some("ü"), Some("abcd"), Some("abcd")]);
        let (number, text) = (&found.columns["n"], &found.columns["t"]);
        assert_eq!((number.minimum.as_deref(), number.maximum.as_deref()), (Some("-9"), Some("10")));
        assert_eq!((number.null_count, number.distinct_count, number.average_length), (Some(1), Some(2), None));
        assert_eq!((text.minimum.as_deref(), text.maximum.as_deref()), (Some("abcd"), Some("ü")));
        assert_eq!((text.null_count, text.distinct_count), (Some(0), Some(2)));
        // "ü" has two bytes.
        assert_eq!(text.average_length, Some(10. / 3.));
    }

    #[test]
    fn parts_joined_are_the_whole() {
        let whole = part(vec![Some(9), Some(10), None, Some(9)], vec![Some("b"), None, Some("a"), Some("b")]);
        let parts = [
            part(vec![Some(9), Some(10)], vec![Some("b"), None]),
            part(vec![], vec![]),
            part(vec![None], vec![Some("a")]),
            part(vec![Some(9)], vec![Some("b")]),
        ];
        let mut merged = Merged::default();
        for part in &parts {
            merged.add(part, &columns()).unwrap();
        }
        let merged = merged.finish().unwrap();
        assert_eq!((merged.row_count, merged.size_bytes, merged.file_count, merged.exact), (4, 40, 4, true));
        assert_eq!(merged.columns, whole.columns);
    }

    #[test]
    fn without_sketches_the_sum_and_without_a_bound_none() {
        let mut parts = [part(vec![Some(1), Some(2)], vec![None; 2]), part(vec![Some(2)], vec![Some("x")])];
        for part in &mut parts {
            part.columns.get_mut("n").unwrap().sketch = None;
        }
        parts[1].columns.get_mut("n").unwrap().maximum = None;
        parts[0].columns.remove("t");
        let mut merged = Merged::default();
        for part in &parts {
            merged.add(part, &columns()).unwrap();
        }
        let merged = merged.finish().unwrap();
        let number = &merged.columns["n"];
        assert_eq!((number.distinct_count, &number.minimum, &number.maximum), (Some(3), &Some("1".to_owned()), &None));
        assert!(!merged.columns.contains_key("t"));
    }

    #[test]
    fn long_texts_are_cut_below_and_left_out_above() {
        let long = "x".repeat(MOST_CHARACTERS + 1);
        let found = part(vec![Some(1)], vec![Some(&long)]);
        let text = &found.columns["t"];
        assert_eq!(text.minimum.as_deref().map(str::len), Some(MOST_CHARACTERS));
        assert_eq!(text.maximum, None);
    }
}

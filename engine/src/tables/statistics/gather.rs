//! What `ANALYZE` gathers of one column as it reads it.

use super::sample::{common_and_histogram, joined};
use super::sketch;
use crate::error::Result;
use crate::tables::SqlType;
use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use millrace_catalog::model::{ColumnAnalysis, DistinctSketch};

/// Counts, a sketch and a sample of a column's rows.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    rows: u64,
    nulls: u64,
    bytes: u64,
    distinct: DistinctSketch,
    sample: Vec<ArrayRef>,
}

impl Gathered {
    /// Whether columns of a type are analyzed.
    pub(crate) fn is_kept(data_type: SqlType) -> bool {
        sketch::is_kept(data_type)
    }

    /// Rows seen.
    pub(crate) fn row_count(&self) -> u64 {
        self.rows
    }

    /// Takes in rows, of which those at `picked` go into the sample; how many bytes that holds more.
    pub(crate) fn update(&mut self, values: &ArrayRef, picked: &[usize]) -> Result<usize> {
        self.rows += values.len() as u64;
        self.nulls += values.null_count() as u64;
        self.bytes += bytes_of(values);
        sketch::add(&mut self.distinct, values)?;
        if picked.is_empty() {
            return Ok(0);
        }
        let picked: UInt64Array = picked.iter().map(|at| *at as u64).collect();
        let mut sample = take(values, &picked, None)?;
        // A view would keep the whole buffer that it points into.
        if let Some(texts) = sample.as_string_view_opt() {
            sample = std::sync::Arc::new(texts.gc());
        }
        let held = sample.get_array_memory_size();
        self.sample.push(sample);
        Ok(held)
    }

    /// Adds what another has seen.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.bytes += other.bytes;
        self.distinct.merge(&other.distinct);
        self.sample.extend(other.sample);
    }

    /// The sketch, and what else is kept of the column.
    pub(crate) fn finish(self, rows: u64, time_ms: i64) -> Result<(DistinctSketch, ColumnAnalysis)> {
        let values = self.rows - self.nulls;
        let fraction = |part: u64, whole: u64| if whole == 0 { 0. } else { part as f64 / whole as f64 };
        let null_fraction = fraction(self.nulls, rows);
        let distinct = self.distinct.count().min(values);
        let (common, histogram) = match joined(&self.sample)? {
            Some(sample) => common_and_histogram(&sample, distinct, 1. - null_fraction)?,
            None => (Vec::new(), Vec::new()),
        };
        let analysis =
            ColumnAnalysis { time_ms, null_fraction, average_width: fraction(self.bytes, values), common, histogram };
        Ok((self.distinct, analysis))
    }
}

/// Bytes of the values that are not NULL.
fn bytes_of(values: &ArrayRef) -> u64 {
    match values.data_type() {
        DataType::Utf8View => values.as_string_view().iter().flatten().map(|text| text.len() as u64).sum(),
        DataType::Boolean => (values.len() - values.null_count()) as u64,
        other => {
            let width = other.primitive_width().unwrap_or_default();
            ((values.len() - values.null_count()) * width) as u64
        }
    }
}

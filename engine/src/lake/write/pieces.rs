//! How many rows of a batch still go into a file of limited size.

use arrow::array::{Array, AsArray, GenericByteViewArray, RecordBatch};
use arrow::datatypes::{ByteViewType, DataType};

/// What a number, a moment or a truth takes as text, with what parts it from the next; decimals of many digits take more.
const SCALAR_BYTES: u64 = 24;

/// What the rows of a batch take, about as much as they do in a text without escapes.
pub(super) struct RowBytes {
    /// For each row the bytes of all rows up to it.
    ends: Vec<u64>,
}

impl RowBytes {
    pub(super) fn of(batch: &RecordBatch) -> Self {
        let mut ends = vec![0_u64; batch.num_rows()];
        for column in batch.columns() {
            match column.data_type() {
                DataType::Utf8View => add_texts(column.as_string_view(), &mut ends),
                DataType::BinaryView => add_texts(column.as_binary_view(), &mut ends),
                data_type if data_type.is_nested() => {
                    let each = (column.get_array_memory_size() / column.len().max(1)) as u64;
                    for bytes in &mut ends {
                        *bytes += each;
                    }
                }
                _ => {
                    for bytes in &mut ends {
                        *bytes += SCALAR_BYTES;
                    }
                }
            }
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        Self { ends }
    }

    /// How many rows from this one on take no more than so many bytes together.
    pub(super) fn rows_within(&self, from: usize, bytes: u64) -> usize {
        let begin = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.ends[from..].partition_point(|end| end - begin <= bytes)
    }
}

fn add_texts<T: ByteViewType>(values: &GenericByteViewArray<T>, bytes: &mut [u64]) {
    for (bytes, length) in bytes.iter_mut().zip(values.lengths()) {
        *bytes += u64::from(length) + 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{ArrayRef, Int32Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn rows_of_different_lengths() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None, Some(&"y".repeat(75)), Some("")]));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap();
        let sizes = RowBytes::of(&batch);
        assert_eq!(sizes.ends, [26, 51, 151, 176]);
        for (from, bytes, rows) in
            [(0, 25, 0), (0, 26, 1), (0, 150, 2), (0, 1000, 4), (1, 25, 1), (1, 125, 2), (2, 99, 0), (4, 9, 0)]
        {
            assert_eq!(sizes.rows_within(from, bytes), rows, "{from} {bytes}");
        }
    }
}

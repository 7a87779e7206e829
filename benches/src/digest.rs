//! Rows that are too many to be kept, as a few numbers.

use crate::compare::Row;
use crate::numbers::mixed;
use anyhow::Result;
use arrow::record_batch::RecordBatch;
use datafusion::common::hash_utils::{RandomState, create_hashes};

/// The same in every process.
const HASH: RandomState = RandomState::with_seed(0);

/// Equal for the same rows in whatever order, but for columns whose order counts: there values have to come alike, so that
/// rows which a query does not put in order may come in any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    rows: u64,
    sum: u64,
    order: u64,
}

impl Digest {
    /// More rows; of these columns the order counts.
    pub fn add(&mut self, batch: &RecordBatch, ordered: &[usize]) -> Result<()> {
        let mut hashes = vec![0; batch.num_rows()];
        create_hashes(batch.columns(), &HASH, &mut hashes)?;
        self.rows += batch.num_rows() as u64;
        self.sum = hashes.iter().fold(self.sum, |sum, hash| sum.wrapping_add(*hash));
        if !ordered.is_empty() {
            hashes.fill(0);
            create_hashes(ordered.iter().map(|column| batch.column(*column)), &HASH, &mut hashes)?;
            self.order = hashes.iter().fold(self.order, |order, hash| mixed(order ^ hash));
        }
        Ok(())
    }

    /// As a row: how many rows there were, then hashes of all of them and of their order.
    pub fn row(self) -> Row {
        [self.rows, self.sum, self.order].iter().map(u64::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int32Array, StringArray};
    use std::sync::Arc;

    fn digest(rows: &[(i32, Option<&str>)], size: usize, ordered: &[usize]) -> Result<Digest> {
        let mut digest = Digest::default();
        for rows in rows.chunks(size) {
            let numbers: Int32Array = rows.iter().map(|(number, _)| Some(*number)).collect();
            let texts: StringArray = rows.iter().map(|(_, text)| *text).collect();
            let columns: [(&str, ArrayRef); 2] = [("n", Arc::new(numbers)), ("t", Arc::new(texts))];
            digest.add(&RecordBatch::try_from_iter(columns)?, ordered)?;
        }
        Ok(digest)
    }

    #[test]
    fn rows_count_and_their_order_where_it_is_asked_for() -> Result<()> {
        let rows = [(1, Some("a")), (2, Some("b")), (2, None), (3, Some("c"))];
        // Two rows of one key, which come in any order.
        let ties = [(1, Some("a")), (2, None), (2, Some("b")), (3, Some("c"))];
        let turned = [(3, Some("c")), (2, Some("b")), (2, None), (1, Some("a"))];
        let others = [(1, Some("a")), (2, Some("b")), (2, Some("b")), (3, Some("c"))];
        for ordered in [&[][..], &[0]] {
            let expected = digest(&rows, 4, ordered)?;
            assert_eq!(digest(&rows, 1, ordered)?, expected);
            assert_eq!(digest(&ties, 3, ordered)?, expected);
            assert_eq!(digest(&turned, 2, ordered)? == expected, ordered.is_empty());
            assert_ne!(digest(&others, 4, ordered)?, expected);
            assert_ne!(digest(&rows[1..], 4, ordered)?, expected);
        }
        assert_eq!(digest(&rows, 4, &[])?.row()[0], "4");
        Ok(())
    }
}

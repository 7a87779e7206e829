//! The sizes that operators work in where there is little memory.
//!
//! A merge of what was spilled reads a batch of each of at least two runs, a join or an exchange one of each part, in each
//! slice: with the usual batches, or the usual reserve for merges, nothing would be left of some megabytes.

use datafusion::execution::config::SessionConfig;

/// Bytes of a row for which a slice has room for [`BATCHES`] batches.
const ROW_BYTES: usize = 1 << 10;

/// Batches of wide rows that a slice holds at once.
const BATCHES: usize = 16;

/// The fewest rows of a batch.
const LEAST_ROWS: usize = 128;

/// Sorts in a slice, each of which reserves memory for its merge.
const SORTS: usize = 8;

/// Makes batches and reserves small enough for so many bytes, in which all slices work.
pub(crate) fn fit_to_memory(mut config: SessionConfig, bytes: usize) -> SessionConfig {
    let slice = bytes / config.target_partitions().max(1);
    let rows = 1 << (slice / BATCHES / ROW_BYTES).max(LEAST_ROWS).ilog2();
    if rows < config.batch_size() {
        config = config.with_batch_size(rows);
    }
    let merge = &mut config.options_mut().execution.sort_spill_reservation_bytes;
    *merge = (*merge).min(slice / SORTS);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_with_the_memory() {
        let usual = || SessionConfig::new().with_target_partitions(2).with_batch_size(16_384);
        for (megabytes, rows, merge_bytes) in [(4_096, 16_384, 10 << 20), (56, 1_024, 3_670_016), (1, 128, 65_536)] {
            let config = fit_to_memory(usual(), megabytes << 20);
            let merge = config.options().execution.sort_spill_reservation_bytes;
            assert_eq!((config.batch_size(), merge), (rows, merge_bytes), "{megabytes} MB");
        }
    }
}

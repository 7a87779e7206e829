//! What each slice read of lakes: `svl_s3query`, of which `svl_s3query_summary` is the sum.
//!
//! What is known of all slices together is dealt to them as their rows are.

use super::external_queries::scans;
use super::steps::{Part, letter, records};
use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::{PG_CATALOG, Rows, SystemTable, row};
use crate::error::Result;
use crate::session::Context;

async fn slices(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let (records, none) = (records(context).await?, None::<i64>);
    let mut rows = Rows::new();
    for (record, step, scan) in scans(&records) {
        let user = snapshot.principals().user_id(&record.user);
        let (start, end) = (step.start_us, step.end_us);
        for slice in 0..step.slices.len() {
            let part = Part { user, record, step, slice: Some(slice), segment_us: (start, end) };
            rows.push(row![
                user,
                record.query,
                step.segment,
                step.step,
                0,
                slice,
                start,
                end,
                end - start,
                &step.table,
                letter(scan.partitions.is_some()),
                letter(scan.filtered && scan.blocks.is_some_and(|(_, skipped)| skipped > 0)),
                part.share(scan.rows_read),
                part.share(scan.read_bytes),
                part.rows(),
                part.share(step.bytes),
                part.share(scan.files),
                part.share(scan.splits.0),
                part.share(scan.file_bytes),
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                &scan.format,
                letter(scan.nested)
            ]);
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "svl_s3query",
    columns: &[
        ("userid", Int4),
        ("query", Int4),
        ("segment", Int4),
        ("step", Int4),
        ("node", Int4),
        ("slice", Int4),
        ("starttime", Time),
        ("endtime", Time),
        ("elapsed", Int8),
        ("external_table_name", Text),
        ("is_partitioned", Text),
        ("is_rrscan", Text),
        ("s3_scanned_rows", Int8),
        ("s3_scanned_bytes", Int8),
        ("s3query_returned_rows", Int8),
        ("s3query_returned_bytes", Int8),
        ("files", Int4),
        ("splits", Int4),
        ("total_split_size", Int8),
        ("max_split_size", Int8),
        ("total_retries", Int4),
        ("max_retries", Int4),
        ("max_request_duration", Int4),
        ("avg_request_duration", Double),
        ("max_request_parallelism", Int4),
        ("avg_request_parallelism", Double),
        ("file_format", Text),
        ("is_nested", Text),
    ],
    rows: |context| Box::pin(slices(context)),
}];

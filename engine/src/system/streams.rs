//! What refreshes read of streams: `sys_stream_scan_states`, `sys_stream_scan_errors`.

use super::loads::may_see;
use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{PG_CATALOG, Rows, SystemTable, row};
use crate::error::Result;
use crate::journal::StreamScanRecord;
use crate::session::Context;

/// The code of a record that is not what was declared.
const MALFORMED: i64 = 1216;

/// The code of records that the stream dropped before they were read.
const LOST: i64 = 1217;

/// Characters of a reason that are shown, as in Redshift.
const REASON: usize = 128;

/// What the user may see, oldest first: one record a view, of which a statement may have refreshed several. Tries that were
/// not committed are not among them.
async fn records(context: &Context) -> Result<Vec<StreamScanRecord>> {
    let sees = may_see(context).await?;
    let mut records: Vec<StreamScanRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| sees(record));
    Ok(records)
}

async fn states(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    let records = records(context).await?;
    for record in &records {
        for part in &record.parts {
            rows.push(row![
                &record.schema,
                &record.stream,
                &record.view,
                record.origin.xid,
                record.origin.query,
                record.origin.end_us,
                &part.part,
                &part.position,
                part.rows,
                part.skipped,
                part.bytes,
                part.first_us,
                part.last_us
            ]);
        }
    }
    Ok(rows)
}

async fn errors(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    let records = records(context).await?;
    for record in &records {
        if let Some(lost) = &record.lost {
            let (schema, stream, view) = (&record.schema, &record.stream, &record.view);
            let (xid, query, at) = (record.origin.xid, record.origin.query, record.origin.end_us);
            rows.push(row![schema, stream, view, xid, query, NULL, NULL, at, NULL, NULL, LOST, lost]);
        }
        for part in &record.parts {
            for bad in &part.bad {
                let reason: String = bad.reason.chars().take(REASON).collect();
                rows.push(row![
                    &record.schema,
                    &record.stream,
                    &record.view,
                    record.origin.xid,
                    record.origin.query,
                    // The time when the service took it.
                    "C",
                    bad.at_us,
                    record.origin.end_us,
                    &part.part,
                    &bad.position,
                    MALFORMED,
                    reason
                ]);
            }
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_stream_scan_states",
        columns: &[
            ("external_schema_name", Text),
            ("stream_name", Text),
            ("mv_name", Text),
            ("transaction_id", Int8),
            ("query_id", Int8),
            ("record_time", Time),
            ("partition_id", Text),
            ("latest_position", Text),
            ("scanned_rows", Int8),
            ("skipped_rows", Int8),
            ("scanned_bytes", Int8),
            ("stream_record_time_min", Time),
            ("stream_record_time_max", Time),
        ],
        rows: |context| Box::pin(states(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_stream_scan_errors",
        columns: &[
            ("external_schema_name", Text),
            ("stream_name", Text),
            ("mv_name", Text),
            ("transaction_id", Int8),
            ("query_id", Int8),
            ("stream_timestamp_type", Text),
            ("stream_timestamp", Time),
            ("record_time", Time),
            ("partition_id", Text),
            ("position", Text),
            ("error_code", Int4),
            ("error_reason", Text),
        ],
        rows: |context| Box::pin(errors(context)),
    },
];

//! What was read of lakes and of foreign systems: `svl_s3query_summary`, `svl_s3partition_summary`, `svl_s3list`,
//! `sys_external_query_detail`, `svl_federated_query`, and `millrace_foreign_scan`, which is ours.
//!
//! The columns of Redshift Spectrum's requests to its own layer do not apply: scans read the objects themselves.

use super::steps::{records, running, statements};
use super::table::Kind::{Bool, Double, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{PG_CATALOG, Rows, SystemTable, row};
use crate::error::Result;
use crate::journal::{ForeignRecord, QueryRecord, ScanRecord, StepRecord, StepsRecord};
use crate::session::Context;
use std::collections::HashMap;

/// The scans of external tables in some records, each with its statement.
pub(super) fn scans(records: &[StepsRecord]) -> impl Iterator<Item = (&StepsRecord, &StepRecord, &ScanRecord)> {
    records.iter().flat_map(|record| {
        let scans = record.steps.iter().filter_map(|step| Some((step, step.scan.as_ref()?)));
        scans.filter(|(_, scan)| scan.external).map(move |(step, scan)| (record, step, scan))
    })
}

/// The same of tables of foreign systems.
fn foreign_scans(
    records: &[StepsRecord],
) -> impl Iterator<Item = (&StepsRecord, &StepRecord, &ScanRecord, &ForeignRecord)> {
    records.iter().flat_map(|record| {
        let scans = record.steps.iter().filter_map(|step| Some((step, step.scan.as_ref()?)));
        scans.filter_map(move |(step, scan)| Some((record, step, scan, scan.foreign.as_ref()?)))
    })
}

/// Whether a statement neither finished nor failed by itself.
fn aborted(queries: &HashMap<i64, QueryRecord>, record: &StepsRecord) -> bool {
    queries.get(&record.query).is_some_and(|query| query.aborted)
}

fn letter(yes: bool) -> &'static str {
    if yes { "t" } else { "f" }
}

async fn summary(context: &Context) -> Result<Rows> {
    let (snapshot, queries) = (context.snapshot().await?, statements(context).await?);
    let (records, none) = (records(context).await?, None::<i64>);
    let rows = scans(&records).map(|(record, step, scan)| {
        let slices = step.slices.len().max(1) as u64;
        let (splits, largest) = scan.splits;
        row![
            snapshot.principals().user_id(&record.user),
            record.query,
            record.xid,
            record.pid,
            step.segment,
            step.step,
            step.start_us,
            step.end_us,
            step.end_us - step.start_us,
            i64::from(aborted(&queries, record)),
            &step.table,
            &scan.format,
            letter(scan.partitions.is_some()),
            letter(scan.filtered && scan.blocks.is_some_and(|(_, skipped)| skipped > 0)),
            letter(scan.nested),
            scan.rows_read,
            scan.read_bytes,
            step.rows,
            step.bytes,
            scan.files,
            none,
            scan.files / slices,
            splits,
            none,
            splits / slices,
            scan.file_bytes,
            largest,
            scan.file_bytes.checked_div(splits),
            none,
            none,
            none,
            none,
            slices,
            none,
            none,
            none
        ]
    });
    Ok(rows.collect())
}

async fn detail(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let records = records(context).await?;
    let rows = scans(&records).map(|(record, step, scan)| {
        row![
            snapshot.principals().user_id(&record.user),
            record.query,
            record.xid,
            1,
            step.segment,
            "S3",
            step.start_us,
            step.end_us,
            step.end_us - step.start_us,
            NULL,
            scan.partitions,
            scan.files,
            step.rows,
            step.bytes,
            &scan.format,
            &scan.location,
            NULL,
            NULL,
            &step.table,
            "f",
            letter(scan.nested),
            NULL,
            NULL,
            NULL
        ]
    });
    let mut rows: Rows = rows.collect();
    // Of these there are no files; what the system was asked is the query's text.
    rows.extend(foreign_scans(&records).map(|(record, step, scan, foreign)| {
        row![
            snapshot.principals().user_id(&record.user),
            record.query,
            record.xid,
            1,
            step.segment,
            foreign.source.to_uppercase(),
            step.start_us,
            step.end_us,
            step.end_us - step.start_us,
            NULL,
            NULL,
            NULL,
            step.rows,
            step.bytes,
            NULL,
            NULL,
            &foreign.remote,
            NULL,
            &step.table,
            "f",
            letter(scan.nested),
            NULL,
            NULL,
            NULL
        ]
    }));
    Ok(rows)
}

async fn federated(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let records = records(context).await?;
    let rows = foreign_scans(&records).map(|(record, step, scan, foreign)| {
        row![
            snapshot.principals().user_id(&record.user),
            record.xid,
            record.pid,
            record.query,
            foreign.source.to_uppercase(),
            step.start_us,
            &foreign.remote,
            step.rows,
            scan.read_bytes,
            step.end_us - step.start_us
        ]
    });
    Ok(rows.collect())
}

/// Scans of foreign tables, those that run too, with all that was asked of their systems.
async fn foreign(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for (records, is_active) in [(records(context).await?, false), (running(context).await?, true)] {
        rows.extend(foreign_scans(&records).map(|(record, step, scan, foreign)| {
            row![
                snapshot.principals().user_id(&record.user),
                record.query,
                step.segment,
                step.step,
                &foreign.source,
                &step.table,
                &foreign.remote,
                is_active,
                foreign.splits_ended,
                scan.splits.0,
                foreign.requests,
                foreign.retries,
                foreign.rows_examined,
                step.rows,
                scan.read_bytes,
                foreign.capacity_milliunits as f64 / 1e3
            ]
        }));
    }
    Ok(rows)
}

async fn partitions(context: &Context) -> Result<Rows> {
    let (records, none) = (records(context).await?, None::<i64>);
    let rows = scans(&records).filter_map(|(record, step, scan)| {
        let selected = scan.partitions?;
        let segment = step.segment;
        Some(row![record.query, segment, NULL, none, none, none, none, none, none, none, selected, selected, selected])
    });
    Ok(rows.collect())
}

/// What buckets were asked for scans of external tables.
async fn listed(context: &Context) -> Result<Rows> {
    let (records, none) = (records(context).await?, None::<i64>);
    let rows = scans(&records).filter_map(|(record, step, scan)| {
        let (bucket, prefix) = scan.location.strip_prefix("s3://")?.split_once('/')?;
        let average = |parts: u64| (parts > 0).then(|| scan.file_bytes as f64 / parts as f64);
        let splits = scan.splits.0;
        Some(row![
            record.query,
            step.segment,
            0,
            none,
            step.start_us,
            bucket,
            prefix,
            "f",
            scan.files,
            none,
            average(scan.files),
            splits,
            average(splits),
            none
        ])
    });
    Ok(rows.collect())
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_s3list",
        columns: &[
            ("query", Int4),
            ("segment", Int4),
            ("node", Int4),
            ("slice", Int4),
            ("eventtime", Time),
            ("bucket", Text),
            ("prefix", Text),
            ("recursive", Text),
            ("retrieved_files", Int4),
            ("max_file_size", Int8),
            ("avg_file_size", Double),
            ("generated_splits", Int4),
            ("avg_split_length", Double),
            ("duration", Int8),
        ],
        rows: |context| Box::pin(listed(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_federated_query",
        columns: &[
            ("userid", Int4),
            ("xid", Int8),
            ("pid", Int4),
            ("query", Int4),
            ("sourcetype", Text),
            ("recordtime", Time),
            ("querytext", Text),
            ("num_rows", Int8),
            ("num_bytes", Int8),
            ("duration", Int8),
        ],
        rows: |context| Box::pin(federated(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "millrace_foreign_scan",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("segment", Int4),
            ("step", Int4),
            ("source", Text),
            ("table_name", Text),
            ("asked", Text),
            ("is_active", Bool),
            ("splits_done", Int8),
            ("splits", Int8),
            ("requests", Int8),
            ("retries", Int8),
            ("rows_examined", Int8),
            ("rows", Int8),
            ("bytes", Int8),
            ("capacity", Double),
        ],
        rows: |context| Box::pin(foreign(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_s3query_summary",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("xid", Int8),
            ("pid", Int4),
            ("segment", Int4),
            ("step", Int4),
            ("starttime", Time),
            ("endtime", Time),
            ("elapsed", Int8),
            ("aborted", Int4),
            ("external_table_name", Text),
            ("file_format", Text),
            ("is_partitioned", Text),
            ("is_rrscan", Text),
            ("is_nested", Text),
            ("s3_scanned_rows", Int8),
            ("s3_scanned_bytes", Int8),
            ("s3query_returned_rows", Int8),
            ("s3query_returned_bytes", Int8),
            ("files", Int4),
            ("files_max", Int4),
            ("files_avg", Int4),
            ("splits", Int4),
            ("splits_max", Int4),
            ("splits_avg", Int4),
            ("total_split_size", Int8),
            ("max_split_size", Int8),
            ("avg_split_size", Int8),
            ("total_retries", Int4),
            ("max_retries", Int4),
            ("max_request_duration", Int4),
            ("avg_request_duration", Double),
            ("max_request_parallelism", Int4),
            ("avg_request_parallelism", Double),
            ("total_slowdown_count", Int8),
            ("max_slowdown_count", Int4),
        ],
        rows: |context| Box::pin(summary(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_s3partition_summary",
        columns: &[
            ("query", Int4),
            ("segment", Int4),
            ("assignment", Text),
            ("min_starttime", Time),
            ("max_endtime", Time),
            ("min_duration", Int8),
            ("max_duration", Int8),
            ("avg_duration", Int8),
            ("total_partitions", Int4),
            ("qualified_partitions", Int4),
            ("min_assigned_partitions", Int4),
            ("max_assigned_partitions", Int4),
            ("avg_assigned_partitions", Int8),
        ],
        rows: |context| Box::pin(partitions(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_external_query_detail",
        columns: &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("transaction_id", Int8),
            ("child_query_sequence", Int4),
            ("segment_id", Int4),
            ("source_type", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("duration", Int8),
            ("total_partitions", Int4),
            ("qualified_partitions", Int4),
            ("scanned_files", Int8),
            ("returned_rows", Int8),
            ("returned_bytes", Int8),
            ("file_format", Text),
            ("file_location", Text),
            ("external_query_text", Text),
            ("warning_message", Text),
            ("table_name", Text),
            ("is_recursive", Text),
            ("is_nested", Text),
            ("s3list_time", Int8),
            ("get_partition_time", Int8),
            ("query_uuid", Text),
        ],
        rows: |context| Box::pin(detail(context)),
    },
];

//! The files that COPY read, one by one: `stl_file_scan`, `sys_load_detail`.
//!
//! Files are read beside each other, so the times are those of the statement.

use super::loads::{declare, failed, seen};
use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{Rows, SystemTable, row};
use crate::error::Result;
use crate::journal::LoadCommitRecord;
use crate::session::Context;

/// The loads that read all of their files, those that only checked them too, oldest first.
async fn loads(context: &Context) -> Result<Vec<LoadCommitRecord>> {
    let mut records: Vec<LoadCommitRecord> = seen(context).await?;
    let failed = failed(context).await?;
    records.retain(|record| !record.failed && !failed.contains(&record.origin.query));
    Ok(records)
}

async fn file_scans(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in loads(context).await? {
        let user = snapshot.principals().user_id(&record.origin.user);
        let origin = &record.origin;
        rows.extend(
            record.files.iter().map(|file| {
                row![user, origin.query, NULL, &file.url, file.rows, file.bytes, NULL, origin.end_us, 0, 0]
            }),
        );
    }
    Ok(rows)
}

async fn load_detail(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in loads(context).await? {
        let user = snapshot.principals().user_id(&record.origin.user);
        let origin = &record.origin;
        rows.extend(record.files.iter().map(|file| {
            row![
                user,
                origin.query,
                &file.url,
                file.bytes,
                file.rows,
                origin.end_us,
                NULL,
                origin.start_us,
                origin.end_us,
                NULL,
                NULL
            ]
        }));
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stl_file_scan",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("name", Text),
            ("lines", Int8),
            ("bytes", Int8),
            ("loadtime", Int8),
            ("curtime", Time),
            ("is_partial", Int4),
            ("start_offset", Int8),
        ],
        |context| Box::pin(file_scans(context)),
    ),
    declare(
        "sys_load_detail",
        &[
            ("user_id", Int4),
            ("query_id", Int4),
            ("file_name", Text),
            ("bytes_scanned", Int4),
            ("lines_scanned", Int4),
            ("record_time", Time),
            ("splits_scanned", Int4),
            ("start_time", Time),
            ("end_time", Time),
            ("file_etag", Text),
            ("file_last_modified", Time),
        ],
        |context| Box::pin(load_detail(context)),
    ),
];

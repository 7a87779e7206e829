//! What UNLOAD does and did: files written, and statements that run, failed or were cancelled.

use super::loads::{declare, may_see, seen, settle};
use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{Rows, SystemTable, row};
use crate::error::Result;
use crate::journal::{UnloadRecord, now_us};
use crate::session::Context;

async fn stl_unload_log(context: &Context) -> Result<Rows> {
    let records: Vec<UnloadRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for file in &record.files {
            rows.push(row![
                user,
                record.origin.query,
                NULL,
                record.origin.pid,
                &file.url,
                record.origin.start_us,
                record.origin.end_us,
                file.rows,
                file.bytes,
                &record.format
            ]);
        }
    }
    Ok(rows)
}

async fn sys_unload_detail(context: &Context) -> Result<Rows> {
    let records: Vec<UnloadRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for file in &record.files {
            rows.push(row![
                user,
                record.origin.query,
                record.origin.pid,
                record.origin.xid,
                &file.url,
                record.origin.start_us,
                record.origin.end_us,
                file.rows,
                file.bytes,
                &record.format
            ]);
        }
    }
    Ok(rows)
}

async fn sys_unload_history(context: &Context) -> Result<Rows> {
    let sees = may_see(context).await?;
    let mut running = context.warehouse().sessions().transfers().unloads();
    running.retain(|record| sees(record));
    let mut ended: Vec<UnloadRecord> = seen(context).await?;
    settle(&mut ended, &mut running, |record| &record.origin);
    let snapshot = context.snapshot().await?;
    let row = |record: &UnloadRecord, is_running: bool| {
        let status = match &record.error {
            _ if is_running => "running",
            Some(_) => "aborted",
            None => "completed",
        };
        let end_us = if is_running { now_us() } else { record.origin.end_us };
        row![
            snapshot.principals().user_id(&record.origin.user),
            record.origin.query,
            record.origin.xid,
            record.origin.pid,
            &record.origin.database,
            status,
            record.origin.start_us,
            (!is_running).then_some(end_us),
            end_us - record.origin.start_us,
            &record.format,
            &record.compression,
            &record.target,
            record.files.iter().filter_map(|file| file.rows).sum::<u64>(),
            record.files.len(),
            record.files.iter().map(|file| file.bytes).sum::<u64>(),
            record.error.as_ref()
        ]
    };
    Ok(ended.iter().map(|record| row(record, false)).chain(running.iter().map(|record| row(record, true))).collect())
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stl_unload_log",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("pid", Int4),
            ("path", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("line_count", Int8),
            ("transfer_size", Int8),
            ("file_format", Text),
        ],
        |context| Box::pin(stl_unload_log(context)),
    ),
    declare(
        "sys_unload_detail",
        &[
            ("user_id", Int4),
            ("query_id", Int4),
            ("session_id", Int4),
            ("transaction_id", Int8),
            ("file_name", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("line_count", Int8),
            ("transfer_size", Int8),
            ("file_format", Text),
        ],
        |context| Box::pin(sys_unload_detail(context)),
    ),
    declare(
        "sys_unload_history",
        &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("transaction_id", Int8),
            ("session_id", Int4),
            ("database_name", Text),
            ("status", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("duration", Int8),
            ("file_format", Text),
            ("compression_type", Text),
            ("unloaded_location", Text),
            ("unloaded_rows", Int8),
            ("unloaded_files_count", Int8),
            ("unloaded_files_size", Int8),
            ("error_message", Text),
        ],
        |context| Box::pin(sys_unload_history(context)),
    ),
];

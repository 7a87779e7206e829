//! What statements did step by step: `stl_scan` and its kin, `svl_query_report`, `svl_query_summary`, `svv_query_state`,
//! and the steps of `sys_query_detail`.
//!
//! The tables differ in their columns only: [`value`] gives each by its name. What is known of all slices together
//! (bytes, memory, rows before filters) is dealt to them as their rows are.

use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::{DATABASE, Kind, PG_CATALOG, Rows, SystemTable, Value, sees_all};
use crate::error::Result;
use crate::journal::{NodeRecord, QueryRecord, ScanRecord, StepRecord, StepsRecord, skewness};
use crate::session::Context;
use std::collections::HashMap;

/// The columns of a table.
pub(super) type Columns = &'static [(&'static str, Kind)];

/// The statements with steps that the user may see, oldest first.
pub(super) async fn records(context: &Context) -> Result<Vec<StepsRecord>> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records: Vec<StepsRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| everything || record.user == *user);
    Ok(records)
}

/// The same of those that run now.
pub(super) async fn running(context: &Context) -> Result<Vec<StepsRecord>> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records = context.warehouse().sessions().steps();
    records.retain(|record| everything || record.user == *user);
    records.sort_by_key(|record| record.query);
    Ok(records)
}

/// The records of the statements that have ended, by their numbers.
pub(super) async fn statements(context: &Context) -> Result<HashMap<i64, QueryRecord>> {
    let records: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    Ok(records.into_iter().map(|record| (record.query, record)).collect())
}

/// A step, or what one slice did of it.
pub(super) struct Part<'a> {
    pub(super) user: i32,
    pub(super) record: &'a StepsRecord,
    pub(super) step: &'a StepRecord,
    pub(super) slice: Option<usize>,
    /// When its segment ran.
    pub(super) segment_us: (i64, i64),
}

impl Part<'_> {
    /// Rows that it gave.
    pub(super) fn rows(&self) -> u64 {
        let of_slice = self.slice.and_then(|slice| self.step.slices.get(slice));
        of_slice.map_or(self.step.rows, |(rows, _)| *rows)
    }

    /// The slice's part of what is known of all together.
    pub(super) fn share(&self, total: u64) -> u64 {
        let Some(slice) = self.slice else { return total };
        let slices = &self.step.slices;
        let rows: u64 = slices.iter().map(|(rows, _)| rows).sum();
        // Even where no slice gave a row.
        let part = |upto: usize| match rows {
            0 => (u128::from(total) * upto as u128 / slices.len().max(1) as u128) as u64,
            _ => {
                let before: u64 = slices.iter().take(upto).map(|(rows, _)| rows).sum();
                (u128::from(total) * u128::from(before) / u128::from(rows)) as u64
            }
        };
        part(slice + 1) - part(slice)
    }

    /// Its node of the plan.
    fn node(&self) -> Option<&NodeRecord> {
        node_of(self.record, self.step)
    }

    /// The step that fills the hash table that a join looks in.
    fn hash_step(&self) -> Option<&StepRecord> {
        let is_own = |step: &&StepRecord| {
            step.name == "hash" && node_of(self.record, step).is_some_and(|node| node.parent == self.step.node)
        };
        self.record.steps.iter().find(is_own).filter(|_| self.step.name == "hjoin")
    }

    /// Rows that a scan read.
    fn rows_read(&self) -> u64 {
        self.share(self.step.scan.as_ref().map_or(self.step.rows, |scan| scan.rows_read.max(self.step.rows)))
    }

    /// Whether bounds left something out of what a scan reads.
    fn is_restricted(&self) -> bool {
        self.step.scan.as_ref().is_some_and(|scan| {
            scan.filtered && (scan.files_skipped > 0 || scan.blocks.is_some_and(|(_, skipped)| skipped > 0))
        })
    }
}

/// The node of the plan that a step is of.
fn node_of<'a>(record: &'a StepsRecord, step: &StepRecord) -> Option<&'a NodeRecord> {
    record.nodes.get((step.node as usize).checked_sub(1)?)
}

/// Redshift's number of the kind of a hash join, by its node's text; NULL for one that it does not tell.
fn join_type(text: &str) -> Option<i64> {
    let kinds =
        [("Hash Join", 0), ("Hash Left Join", 1), ("Hash Full Join", 2), ("Hash Right Join", 3), ("Hash IN Join", 5)];
    kinds.into_iter().find(|(name, _)| text.contains(&format!("XN {name}"))).map(|(_, number)| number)
}

/// The word of a step in `sys_query_detail`, which spells them out.
fn spelled(name: &str) -> &str {
    match name {
        "aggr" => "aggregate",
        "bcast" => "broadcast",
        "dist" => "distribute",
        "hjoin" => "hashjoin",
        "mjoin" => "mergejoin",
        "nloop" => "nestloop",
        other => other,
    }
}

/// `t` or `f`
pub(super) fn letter(yes: bool) -> Value {
    Value::from(if yes { "t" } else { "f" })
}

fn per_second(amount: u64, time_us: u64) -> Value {
    if time_us == 0 { Value::Null } else { Value::Double(amount as f64 * 1e6 / time_us as f64) }
}

/// Redshift's number of the kind of a scan; NULL for a system that it does not read.
fn scan_type(step: &StepRecord) -> Option<i64> {
    match &step.scan {
        _ if step.from_network => Some(1),
        Some(ScanRecord { foreign: Some(foreign), .. }) => match foreign.source.as_str() {
            "DynamoDB" => Some(22),
            "Kinesis" => Some(37),
            _ => None,
        },
        Some(scan) if scan.external => Some(29),
        Some(_) => Some(2),
        None => Some(3),
    }
}

/// Where a scan's rows come from.
fn source(scan: &ScanRecord) -> &str {
    match &scan.foreign {
        Some(foreign) => &foreign.source,
        None if scan.external => "S3",
        None => "local",
    }
}

/// A column's value; NULL for what does not apply here.
pub(super) fn value(column: &str, part: &Part<'_>) -> Value {
    let Part { record, step, .. } = part;
    let (most_us, average_us) = step.times_us();
    let scan = step.scan.as_ref();
    let own_us = part.slice.and_then(|slice| step.slices.get(slice)).map_or(most_us, |(_, time)| *time);
    match column {
        "userid" | "user_id" => part.user.into(),
        "query" | "query_id" => record.query.into(),
        "child_query_sequence" => Value::Int(1),
        "slice" => part.slice.unwrap_or(0).into(),
        "stm" | "stream_id" => step.stream.into(),
        "segment" | "seg" | "segment_id" => step.segment.into(),
        "step" | "step_id" => step.step.into(),
        "starttime" => step.start_us.into(),
        "endtime" => step.end_us.into(),
        "start_time" => part.segment_us.0.into(),
        "end_time" => part.segment_us.1.into(),
        "elapsed_time" | "duration" => (part.segment_us.1 - part.segment_us.0).into(),
        "maxtime" => most_us.into(),
        "avgtime" => average_us.into(),
        "cpu" => own_us.into(),
        "rows" | "output_rows" => part.rows().into(),
        "bytes" | "output_bytes" => part.share(step.bytes).into(),
        "rate_row" => per_second(part.rows(), most_us),
        "rate_byte" => per_second(step.bytes, most_us),
        "label" => step.label().into(),
        "step_name" => spelled(&step.name).into(),
        "tbl" | "table_id" => step.table_id.into(),
        "table_name" => (!step.table.is_empty()).then(|| format!("{DATABASE}.{}", step.table)).into(),
        "perm_table_name" => match step.table.rsplit('.').next() {
            Some(name) if !name.is_empty() => name.into(),
            _ => "Internal Worktable".into(),
        },
        "type" if step.name == "scan" => scan_type(step).into(),
        "is_rrscan" => letter(part.is_restricted()),
        "is_delayed_scan" => letter(false),
        "is_diskbased" => letter(step.spilled_bytes > 0),
        "workmem" | "memory" => part.share(step.memory_bytes).into(),
        "rows_pre_filter" | "input_rows" => part.rows_read().into(),
        "rows_pre_user_filter" => {
            let deleted = scan.map_or(0, |scan| scan.rows_deleted);
            part.rows_read().saturating_sub(part.share(deleted)).into()
        }
        "input_bytes" => scan.map(|scan| part.share(scan.read_bytes)).into(),
        "blocks" => scan.and_then(|scan| scan.blocks?.0).map(|blocks| part.share(blocks)).into(),
        "blocks_skipped" => scan.and_then(|scan| Some(part.share(scan.blocks?.1))).into(),
        "blocks_read" => scan.map(|scan| scan.read_bytes.div_ceil(1 << 20)).into(),
        "spilled_block_local_disk" => step.spilled_bytes.div_ceil(1 << 20).into(),
        "source" => scan.map(source).into(),
        "alert" => {
            let own = record.alerts.iter().filter(|alert| alert.segment == step.segment && alert.step == step.step);
            let events: Vec<&str> = own.map(|alert| alert.event.as_str()).collect();
            (!events.is_empty()).then(|| events.join("; ")).into()
        }
        "data_skewness" => skewness(step.slices.iter().map(|(rows, _)| *rows)).into(),
        "time_skewness" => skewness(step.slices.iter().map(|(_, time)| *time)).into(),
        "is_active" => letter(false),
        "distribution" => step.distribution.as_ref().into(),
        "join_type" => part.node().and_then(|node| join_type(&node.text)).into(),
        "hash_segment" => part.hash_step().map(|hash| hash.segment).into(),
        "hash_step" => part.hash_step().map(|hash| hash.step).into(),
        "est_rows" => part.node().map(|node| node.rows).into(),
        "metrics_level" => "step".into(),
        "plan_parent_id" => part.node().map(|node| node.parent).into(),
        "plan_node_id" => step.node.into(),
        _ => Value::Null,
    }
}

/// Rows for the steps of some statements that are wanted: one, or one of each slice.
async fn rows_of(
    context: &Context,
    records: &[StepsRecord],
    columns: Columns,
    (wanted, by_slice): (&[&str], bool),
) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records {
        let user = snapshot.principals().user_id(&record.user);
        let times = record.segment_times();
        let steps = record.steps.iter().filter(|step| wanted.is_empty() || wanted.contains(&step.name.as_str()));
        for step in steps {
            let slices = if by_slice { (0..step.slices.len()).map(Some).collect() } else { vec![None] };
            for slice in slices {
                let segment_us = times.get(&step.segment).copied().unwrap_or((step.start_us, step.end_us));
                let part = Part { user, record, step, slice, segment_us };
                rows.push(columns.iter().map(|(column, _)| value(column, &part)).collect());
            }
        }
    }
    Ok(rows)
}

async fn by_slice(context: &Context, columns: Columns, wanted: &[&str]) -> Result<Rows> {
    rows_of(context, &records(context).await?, columns, (wanted, true)).await
}

async fn summary(context: &Context) -> Result<Rows> {
    rows_of(context, &records(context).await?, SUMMARY, (&[], false)).await
}

async fn state(context: &Context) -> Result<Rows> {
    rows_of(context, &running(context).await?, STATE, (&[], false)).await
}

const SCAN: Columns = &[
    ("userid", Int4),
    ("query", Int4),
    ("slice", Int4),
    ("segment", Int4),
    ("step", Int4),
    ("starttime", Time),
    ("endtime", Time),
    ("tasknum", Int4),
    ("rows", Int8),
    ("bytes", Int8),
    ("fetches", Int8),
    ("type", Int4),
    ("tbl", Int4),
    ("is_rrscan", Text),
    ("is_delayed_scan", Text),
    ("rows_pre_filter", Int8),
    ("rows_pre_user_filter", Int8),
    ("perm_table_name", Text),
    ("is_rlf_scan", Text),
    ("is_rlf_scan_reason", Int4),
    ("num_em_blocks", Int4),
    ("checksum", Int8),
    ("runtime_filtering", Text),
    ("scan_region", Int4),
    ("num_sortkey_as_predicate", Int4),
    ("row_fetcher_state", Int4),
    ("consumed_scan_ranges", Int8),
    ("work_stealing_reason", Int8),
    ("is_vectorized_scan", Text),
    ("is_vectorized_scan_reason", Int4),
    ("row_fetcher_reason", Int8),
    ("topology_signature", Int8),
    ("use_tpm_partition", Text),
    ("is_rrscan_expr", Text),
    ("scanned_mega_value", Text),
];

/// What the tables of single steps begin with.
macro_rules! step_columns {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("segment", Int4),
            ("step", Int4),
            ("starttime", Time),
            ("endtime", Time),
            ("tasknum", Int4),
            ("rows", Int8),
            $(($name, $kind)),*
        ]
    };
}

const AGGREGATE: Columns = step_columns!(
    "bytes": Int8, "slots": Int4, "occupied": Int4, "maxlength": Int4, "tbl": Int4, "is_diskbased": Text,
    "workmem": Int8, "type": Text, "resizes": Int4, "flushable": Int4, "used_unique_prefetching": Text,
);
const HASH: Columns = step_columns!(
    "bytes": Int8, "slots": Int4, "occupied": Int4, "maxlength": Int4, "tbl": Int4, "is_diskbased": Text,
    "workmem": Int8, "num_parts": Int4, "est_rows": Int8, "num_blocks_permitted": Int4, "resizes": Int4,
    "checksum": Int8, "runtime_filter_size": Int4, "max_runtime_filter_size": Int4,
);
const HASH_JOIN: Columns = step_columns!(
    "tbl": Int4, "num_parts": Int4, "join_type": Int4, "hash_looped": Text, "switched_parts": Text,
    "used_prefetching": Text, "hash_segment": Int4, "hash_step": Int4, "checksum": Int8, "distribution": Text,
);
const SORT: Columns =
    step_columns!("bytes": Int8, "tbl": Int4, "is_diskbased": Text, "workmem": Int8, "checksum": Int8);
const MOVED: Columns = step_columns!("bytes": Int8, "packets": Int4, "checksum": Int8);
const CHANGED: Columns = step_columns!("tbl": Int4);
const LOOPED: Columns = step_columns!("tbl": Int4, "checksum": Int8);
const KEPT: Columns = step_columns!("bytes": Int8, "tbl": Int4, "is_diskbased": Text, "workmem": Int8);
const PLAIN: Columns = step_columns!("checksum": Int8);
const WINDOW: Columns = step_columns!("is_diskbased": Text, "workmem": Int8);
const UNIQUE: Columns =
    step_columns!("is_diskbased": Text, "slots": Int4, "workmem": Int8, "max_buffers_used": Int8, "type": Text);

const REPORT: Columns = &[
    ("userid", Int4),
    ("query", Int4),
    ("slice", Int4),
    ("segment", Int4),
    ("step", Int4),
    ("start_time", Time),
    ("end_time", Time),
    ("elapsed_time", Int8),
    ("rows", Int8),
    ("bytes", Int8),
    ("label", Text),
    ("is_diskbased", Text),
    ("workmem", Int8),
    ("is_rrscan", Text),
    ("is_delayed_scan", Text),
    ("rows_pre_filter", Int8),
    ("blocks", Int8),
    ("blocks_skipped", Int8),
];

const SUMMARY: Columns = &[
    ("userid", Int4),
    ("query", Int4),
    ("stm", Int4),
    ("seg", Int4),
    ("step", Int4),
    ("maxtime", Int8),
    ("avgtime", Int8),
    ("rows", Int8),
    ("bytes", Int8),
    ("rate_row", Double),
    ("rate_byte", Double),
    ("label", Text),
    ("is_diskbased", Text),
    ("workmem", Int8),
    ("is_rrscan", Text),
    ("is_delayed_scan", Text),
    ("rows_pre_filter", Int8),
    ("blocks", Int8),
    ("blocks_skipped", Int8),
];

const STATE: Columns = &[
    ("userid", Int4),
    ("query", Int4),
    ("seg", Int4),
    ("step", Int4),
    ("maxtime", Int8),
    ("avgtime", Int8),
    ("rows", Int8),
    ("bytes", Int8),
    ("cpu", Int8),
    ("memory", Int8),
    ("rate_row", Double),
    ("rate_byte", Double),
    ("label", Text),
    ("is_diskbased", Text),
    ("workmem", Int8),
    ("num_parts", Int4),
    ("is_rrscan", Text),
    ("is_delayed_scan", Text),
];

/// A table of what each slice did of some steps.
macro_rules! of_steps {
    ($name:literal, $columns:ident, $($step:literal),*) => {
        SystemTable {
            schema: PG_CATALOG,
            name: $name,
            columns: $columns,
            rows: |context| Box::pin(by_slice(context, $columns, &[$($step),*])),
        }
    };
}

pub(super) const TABLES: &[SystemTable] = &[
    of_steps!("stl_scan", SCAN, "scan"),
    of_steps!("stl_aggr", AGGREGATE, "aggr"),
    of_steps!("stl_bcast", MOVED, "bcast"),
    of_steps!("stl_delete", CHANGED, "delete"),
    of_steps!("stl_dist", MOVED, "dist"),
    of_steps!("stl_hash", HASH, "hash"),
    of_steps!("stl_hashjoin", HASH_JOIN, "hjoin"),
    of_steps!("stl_insert", CHANGED, "insert"),
    of_steps!("stl_limit", PLAIN, "limit"),
    of_steps!("stl_merge", PLAIN, "merge"),
    of_steps!("stl_mergejoin", LOOPED, "mjoin"),
    of_steps!("stl_nestloop", LOOPED, "nloop"),
    of_steps!("stl_project", PLAIN, "project"),
    of_steps!("stl_return", MOVED, "return"),
    of_steps!("stl_save", KEPT, "save"),
    of_steps!("stl_sort", SORT, "sort"),
    of_steps!("stl_unique", UNIQUE, "unique"),
    of_steps!("stl_window", WINDOW, "window"),
    of_steps!("svl_query_report", REPORT,),
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_query_summary",
        columns: SUMMARY,
        rows: |context| Box::pin(summary(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_query_state",
        columns: STATE,
        rows: |context| Box::pin(state(context)),
    },
];

//! The metrics of query monitoring rules, of statements that have ended and of those that run: `svl_query_metrics`,
//! `svl_query_metrics_summary`, `stl_query_metrics`, `stv_query_metrics`.

use super::steps::{records, running, statements};
use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::{Kind, PG_CATALOG, Rows, SystemTable, Value, row};
use crate::error::Result;
use crate::journal::{QueryRecord, StepRecord, StepsRecord};
use crate::session::Context;

/// Redshift's service class of statements without WLM's configuration.
const SERVICE_CLASS: i64 = 100;

/// The queue that a statement ran in last: class, name, priority.
fn queue(record: Option<&QueryRecord>) -> (i64, String, Option<String>) {
    match record.and_then(|record| record.stays.last()) {
        Some(stay) => (stay.class.into(), stay.class_name.clone(), stay.priority.clone()),
        None => (SERVICE_CLASS, String::new(), None),
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn seconds(us: i64) -> i64 {
    us / 1_000_000
}

/// Redshift's number of a step; NULL for one of ours.
fn step_type(name: &str) -> Option<i64> {
    Some(match name {
        "scan" => 1,
        "insert" => 2,
        "aggr" => 3,
        "sort" => 6,
        "merge" => 7,
        "dist" => 8,
        "bcast" => 9,
        "hjoin" => 10,
        "mjoin" => 11,
        "save" => 12,
        "hash" => 14,
        "nloop" => 15,
        "project" => 16,
        "limit" => 17,
        "unique" => 18,
        "delete" => 20,
        "window" => 29,
        "return" => 38,
        _ => return None,
    })
}

/// The numbers of `svl_query_metrics` from `query_cpu_time` on; `of` is a step, or a segment by its slowest step.
struct Figures {
    dimension: &'static str,
    segment: Option<u32>,
    step: Option<(u32, String)>,
}

fn metrics_row(user: i32, record: &StepsRecord, query: Option<&QueryRecord>, of: &Figures) -> Vec<Value> {
    let totals = &record.totals;
    let (class, class_name, _) = queue(query);
    let whole = of.segment.is_none();
    let elapsed_us = record.end_us - record.start_us;
    let steps = record.steps.iter().filter(|step| of.segment.is_none_or(|segment| segment == step.segment));
    let steps: Vec<&StepRecord> =
        steps.filter(|step| of.step.as_ref().is_none_or(|(number, _)| *number == step.step)).collect();
    let named = |names: &[&str]| {
        let found = steps.iter().filter(|step| names.contains(&step.name.as_str())).map(|step| step.rows);
        found.max().filter(|_| !whole)
    };
    let segment = of.segment.filter(|_| of.step.is_none());
    let segment_seconds = segment
        .and_then(|segment| record.segment_times().get(&segment).copied())
        .map(|(began, ended)| seconds(ended - began));
    let external = steps.iter().filter_map(|step| step.scan.as_ref()).filter(|scan| scan.external);
    let (external_rows, external_bytes) =
        external.fold((0, 0), |(rows, bytes), scan| (rows + scan.rows_read, bytes + scan.read_bytes));
    let only = |value: Value| if whole { value } else { Value::Null };
    row![
        user,
        record.query,
        class,
        of.dimension,
        of.segment,
        of.step.as_ref().map(|(number, _)| *number),
        of.step.as_ref().map(|(_, label)| label.clone()),
        only(seconds(i64::try_from(totals.cpu_us).unwrap_or(i64::MAX)).into()),
        only(megabytes(totals.read_bytes).into()),
        only(seconds(elapsed_us).into()),
        only(percent(totals.cpu_us, elapsed_us).into()),
        only(megabytes(totals.spilled_bytes).into()),
        segment_seconds,
        only(totals.cpu_skew.into()),
        only(totals.io_skew.into()),
        if whole { Value::from(totals.scan_rows) } else { named(&["scan"]).into() },
        if whole { Value::from(totals.join_rows) } else { named(&["hjoin", "mjoin", "nloop"]).into() },
        if whole { Value::from(totals.nested_loop_rows) } else { named(&["nloop"]).into() },
        if whole { Value::from(totals.returned_rows) } else { named(&["return"]).into() },
        external_rows,
        megabytes(external_bytes),
        only(query.map(|query| seconds(query.queue_us())).into()),
        class_name
    ]
}

/// What of the time the statement computed, on all cores together.
fn percent(cpu_us: u64, elapsed_us: i64) -> f64 {
    if elapsed_us > 0 { 100. * cpu_us as f64 / elapsed_us as f64 } else { 0. }
}

async fn metrics(context: &Context) -> Result<Rows> {
    let (snapshot, queries) = (context.snapshot().await?, statements(context).await?);
    let mut rows = Rows::new();
    for record in records(context).await? {
        let (user, query) = (snapshot.principals().user_id(&record.user), queries.get(&record.query));
        let mut add = |figures: Figures| rows.push(metrics_row(user, &record, query, &figures));
        add(Figures { dimension: "query", segment: None, step: None });
        let mut last = None;
        for step in &record.steps {
            if last != Some(step.segment) {
                last = Some(step.segment);
                add(Figures { dimension: "segment", segment: last, step: None });
            }
            add(Figures { dimension: "step", segment: last, step: Some((step.step, step.label())) });
        }
    }
    Ok(rows)
}

async fn metrics_summary(context: &Context) -> Result<Rows> {
    let (snapshot, queries) = (context.snapshot().await?, statements(context).await?);
    let mut rows = Rows::new();
    for record in records(context).await? {
        let (user, query) = (snapshot.principals().user_id(&record.user), queries.get(&record.query));
        let whole = Figures { dimension: "query", segment: None, step: None };
        let mut row = metrics_row(user, &record, query, &whole);
        // Without the dimension, the segment, the step and its label.
        row.drain(3..7);
        if let Some(value) = row.get_mut(8) {
            *value = seconds(record.longest_segment_us()).into();
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Rows of `stl_query_metrics`: one of the whole, with segment -1, one of each segment, with step -1, one of each step.
fn raw(user: i32, record: &StepsRecord, query: Option<&QueryRecord>) -> Rows {
    let (class, class_name, priority) = queue(query);
    let queue_us = query.map(QueryRecord::queue_us);
    let row_of = |segment: i64, step: i64, steps: &[&StepRecord]| {
        let whole = segment < 0;
        let kind = steps.first().filter(|_| step >= 0).map_or(Some(-1), |step| step_type(&step.name));
        let slices = steps.iter().map(|step| step.slices.len()).max().unwrap_or(0);
        let last = steps.last().filter(|_| !whole);
        let rows = last.map_or(record.totals.returned_rows, |step| step.rows);
        let most_rows = last.and_then(|step| step.slices.iter().map(|(rows, _)| *rows).max());
        let cpu: u64 = steps.iter().flat_map(|step| &step.slices).map(|(_, time)| time).sum();
        let most_cpu = (0..slices)
            .map(|slice| steps.iter().filter_map(|step| step.slices.get(slice)).map(|(_, time)| time).sum::<u64>())
            .max();
        let read: u64 = steps.iter().filter_map(|step| step.scan.as_ref()).map(|scan| scan.read_bytes).sum();
        let spilled: u64 = steps.iter().map(|step| step.spilled_bytes).sum();
        let start = if whole { Some(record.start_us) } else { steps.iter().map(|step| step.start_us).min() };
        let end = if whole { Some(record.end_us) } else { steps.iter().map(|step| step.end_us).max() };
        let run_us = start.zip(end).map(|(start, end)| end - start);
        row![
            user,
            class,
            record.query,
            segment,
            kind,
            start,
            slices,
            most_rows.unwrap_or(rows),
            rows,
            most_cpu,
            cpu,
            Value::Null,
            megabytes(read),
            run_us,
            run_us,
            Value::Null,
            megabytes(spilled),
            step,
            Value::Null,
            megabytes(read),
            priority.as_deref().unwrap_or("n/a"),
            queue_us,
            &class_name
        ]
    };
    let all: Vec<&StepRecord> = record.steps.iter().collect();
    let mut rows = vec![row_of(-1, -1, &all)];
    for steps in all.chunk_by(|one, other| one.segment == other.segment) {
        let Some(segment) = steps.first().map(|step| i64::from(step.segment)) else { continue };
        rows.push(row_of(segment, -1, steps));
        rows.extend(steps.iter().map(|step| row_of(segment, step.step.into(), &[*step])));
    }
    rows
}

async fn raw_of(context: &Context, records: Vec<StepsRecord>) -> Result<Rows> {
    let (snapshot, queries) = (context.snapshot().await?, statements(context).await?);
    let rows = records
        .iter()
        .flat_map(|record| raw(snapshot.principals().user_id(&record.user), record, queries.get(&record.query)));
    Ok(rows.collect())
}

async fn ended(context: &Context) -> Result<Rows> {
    raw_of(context, records(context).await?).await
}

async fn current(context: &Context) -> Result<Rows> {
    raw_of(context, running(context).await?).await
}

const RAW: &[(&str, Kind)] = &[
    ("userid", Int4),
    ("service_class", Int4),
    ("query", Int4),
    ("segment", Int4),
    ("step_type", Int4),
    ("starttime", Time),
    ("slices", Int4),
    ("max_rows", Int8),
    ("rows", Int8),
    ("max_cpu_time", Int8),
    ("cpu_time", Int8),
    ("max_blocks_read", Int8),
    ("blocks_read", Int8),
    ("max_run_time", Int8),
    ("run_time", Int8),
    ("max_blocks_to_disk", Int8),
    ("blocks_to_disk", Int8),
    ("step", Int4),
    ("max_query_scan_size", Int8),
    ("query_scan_size", Int8),
    ("query_priority", Text),
    ("query_queue_time", Int8),
    ("service_class_name", Text),
];

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_query_metrics",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("service_class", Int4),
            ("dimension", Text),
            ("segment", Int4),
            ("step", Int4),
            ("step_label", Text),
            ("query_cpu_time", Int8),
            ("query_blocks_read", Int8),
            ("query_execution_time", Int8),
            ("query_cpu_usage_percent", Double),
            ("query_temp_blocks_to_disk", Int8),
            ("segment_execution_time", Int8),
            ("cpu_skew", Double),
            ("io_skew", Double),
            ("scan_row_count", Int8),
            ("join_row_count", Int8),
            ("nested_loop_join_row_count", Int8),
            ("return_row_count", Int8),
            ("spectrum_scan_row_count", Int8),
            ("spectrum_scan_size_mb", Int8),
            ("query_queue_time", Int8),
            ("service_class_name", Text),
        ],
        rows: |context| Box::pin(metrics(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_query_metrics_summary",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("service_class", Int4),
            ("query_cpu_time", Int8),
            ("query_blocks_read", Int8),
            ("query_execution_time", Int8),
            ("query_cpu_usage_percent", Double),
            ("query_temp_blocks_to_disk", Int8),
            ("segment_execution_time", Int8),
            ("cpu_skew", Double),
            ("io_skew", Double),
            ("scan_row_count", Int8),
            ("join_row_count", Int8),
            ("nested_loop_join_row_count", Int8),
            ("return_row_count", Int8),
            ("spectrum_scan_row_count", Int8),
            ("spectrum_scan_size_mb", Int8),
            ("query_queue_time", Int8),
            ("service_class_name", Text),
        ],
        rows: |context| Box::pin(metrics_summary(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_query_metrics",
        columns: RAW,
        rows: |context| Box::pin(ended(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_query_metrics",
        columns: RAW,
        rows: |context| Box::pin(current(context)),
    },
];

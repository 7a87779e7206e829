//! What statements did at every level: `sys_query_detail` has a row of the query, of each of its streams, of each segment
//! and of each step.
//!
//! A row of a level above steps has -1 in place of the numbers that it has not, as Redshift documents it; rows are told of
//! steps only.

use super::steps::{Columns, Part, letter, records, running, value};
use super::table::Kind::{Int4, Int8, Text, Time};
use super::{PG_CATALOG, Rows, SystemTable, Value};
use crate::error::Result;
use crate::journal::{StepRecord, StepsRecord, skewness};
use crate::session::Context;
use std::collections::BTreeMap;

/// A level of a statement above its steps.
struct Level<'a> {
    /// `child query`, `stream`, `segment`
    name: &'static str,
    stream: i64,
    segment: i64,
    steps: Vec<&'a StepRecord>,
    times_us: (i64, i64),
}

/// The levels of a statement above its steps, each before those that it is made of.
fn levels(record: &StepsRecord) -> Vec<Level<'_>> {
    let times = record.segment_times();
    let mut streams: BTreeMap<u32, BTreeMap<u32, Vec<&StepRecord>>> = BTreeMap::new();
    for step in &record.steps {
        streams.entry(step.stream).or_default().entry(step.segment).or_default().push(step);
    }
    let whole = (record.start_us, record.end_us);
    let level = |name, stream, segment, steps, times_us| Level { name, stream, segment, steps, times_us };
    let mut levels = vec![level("child query", -1, -1, record.steps.iter().collect(), whole)];
    for (stream, segments) in streams {
        let begin = segments.keys().filter_map(|segment| times.get(segment)).map(|(begin, _)| *begin).min();
        let end = segments.keys().filter_map(|segment| times.get(segment)).map(|(_, end)| *end).max();
        let all = segments.values().flatten().copied().collect();
        levels.push(level("stream", stream.into(), -1, all, begin.zip(end).unwrap_or(whole)));
        for (segment, steps) in segments {
            let own = times.get(&segment).copied().unwrap_or(whole);
            levels.push(level("segment", stream.into(), segment.into(), steps, own));
        }
    }
    levels
}

impl Level<'_> {
    /// A column's value.
    fn value(&self, column: &str, user: i32, record: &StepsRecord) -> Value {
        let scans = || self.steps.iter().filter_map(|step| step.scan.as_ref());
        let (begin, end) = self.times_us;
        match column {
            "user_id" => user.into(),
            "query_id" => record.query.into(),
            "child_query_sequence" => Value::Int(1),
            "stream_id" => self.stream.into(),
            "segment_id" => self.segment.into(),
            "step_id" => Value::Int(-1),
            "start_time" => begin.into(),
            "end_time" => end.into(),
            "duration" => (end - begin).into(),
            "input_bytes" => scans().map(|scan| scan.read_bytes).sum::<u64>().into(),
            "input_rows" | "output_bytes" | "output_rows" => Value::Int(0),
            "blocks_read" => scans().map(|scan| scan.read_bytes.div_ceil(1 << 20)).sum::<u64>().into(),
            "time_skewness" => skewness(self.slices().into_iter()).into(),
            "spilled_block_local_disk" => {
                self.steps.iter().map(|step| step.spilled_bytes.div_ceil(1 << 20)).sum::<u64>().into()
            }
            "metrics_level" => self.name.into(),
            _ => Value::Null,
        }
    }

    /// What each slice computed in all of its steps.
    fn slices(&self) -> Vec<u64> {
        let count = self.steps.iter().map(|step| step.slices.len()).max().unwrap_or(0);
        let mut slices = vec![0; count];
        for step in &self.steps {
            slices.iter_mut().zip(&step.slices).for_each(|(sum, (_, time))| *sum += time);
        }
        slices
    }
}

async fn detail(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for (records, is_active) in [(records(context).await?, false), (running(context).await?, true)] {
        for record in &records {
            let user = snapshot.principals().user_id(&record.user);
            let times = record.segment_times();
            let mut add = |of: &dyn Fn(&str) -> Value| {
                let active = |column: &str| if column == "is_active" { letter(is_active) } else { of(column) };
                rows.push(COLUMNS.iter().map(|(column, _)| active(column)).collect());
            };
            for level in levels(record) {
                add(&|column| level.value(column, user, record));
            }
            for step in &record.steps {
                let segment_us = times.get(&step.segment).copied().unwrap_or((step.start_us, step.end_us));
                let part = Part { user, record, step, slice: None, segment_us };
                add(&|column| value(column, &part));
            }
        }
    }
    Ok(rows)
}

const COLUMNS: Columns = &[
    ("user_id", Int4),
    ("query_id", Int8),
    ("child_query_sequence", Int4),
    ("stream_id", Int4),
    ("segment_id", Int4),
    ("step_id", Int4),
    ("step_name", Text),
    ("table_id", Int4),
    ("table_name", Text),
    ("is_rrscan", Text),
    ("start_time", Time),
    ("end_time", Time),
    ("duration", Int8),
    ("alert", Text),
    ("input_bytes", Int8),
    ("input_rows", Int8),
    ("output_bytes", Int8),
    ("output_rows", Int8),
    ("blocks_read", Int8),
    ("blocks_write", Int8),
    ("local_read_io", Int8),
    ("remote_read_io", Int8),
    ("source", Text),
    ("data_skewness", Int4),
    ("time_skewness", Int4),
    ("is_active", Text),
    ("spilled_block_local_disk", Int8),
    ("spilled_block_remote_disk", Int8),
    ("step_attribute", Text),
    ("metrics_level", Text),
    ("plan_parent_id", Int4),
    ("plan_node_id", Int4),
];

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "sys_query_detail",
    columns: COLUMNS,
    rows: |context| Box::pin(detail(context)),
}];

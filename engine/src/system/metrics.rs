//! The metrics of query monitoring rules, of statements that have ended and of those that run: `svl_query_metrics`,
//! `svl_query_metrics_summary`, `stl_query_metrics`, `stv_query_metrics`.

use super::steps::{records, running, statements};
use super::table::Kind::{Int4, Int8, Numeric, Text, Time};
use super::{Kind, PG_CATALOG, Rows, SystemTable, Value, row};
use crate::error::Result;
use crate::journal::{QueryRecord, StepRecord, StepsRecord, now_us};
use crate::session::Context;
use crate::wlm::Priority;

/// Redshift's service class of statements without WLM's configuration.
const SERVICE_CLASS: i64 = 100;

/// A queue that a statement is in: class, name, priority.
type Stayed = (i64, String, Option<String>);

/// The queue that a statement ran in last.
fn queue(record: Option<&QueryRecord>) -> Stayed {
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

/// The place of `svl_query_metrics.query_cpu_usage_percent`.
const PERCENT: usize = 10;

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
        let found = steps.iter().filter(|step| names.contains(&step.name.as_str()));
        found.map(|step| rows_of(step)).max().filter(|_| !whole)
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
        if whole { Value::from(totals.cpu_skew) } else { segment.map(|_| cpu_skew(&steps)).into() },
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

/// Rows of a step: of a scan those before its filters, deleted ones too.
fn rows_of(step: &StepRecord) -> u64 {
    step.scan.as_ref().map_or(step.rows, |scan| scan.rows_read.max(step.rows))
}

/// What the busiest slice computed of some steps beside the average.
fn cpu_skew(steps: &[&StepRecord]) -> f64 {
    let slices = steps.iter().map(|step| step.slices.len()).max().unwrap_or(0);
    let of = |slice: usize| steps.iter().filter_map(|step| step.slices.get(slice)).map(|(_, time)| time).sum::<u64>();
    let (sum, most) = ((0..slices).map(of).sum::<u64>(), (0..slices).map(of).max().unwrap_or(0));
    if sum == 0 { 0. } else { most as f64 * slices as f64 / sum as f64 }
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
        let mut add = |figures: Figures| {
            let mut row = metrics_row(user, &record, query, &figures);
            // A whole number here, as Redshift documents it, and a decimal of the summary.
            if let Some(value) = row.get_mut(PERCENT)
                && let Value::Double(percent) = *value
            {
                *value = Value::Int(percent.round() as i64);
            }
            rows.push(row);
        };
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

/// Megabytes that a step read and wrote to disk, all slices together, and those of the slice with most; they are dealt to
/// slices as the rows are.
#[derive(Clone, Copy, Default)]
struct Moved {
    read: u64,
    most_read: u64,
    spilled: u64,
    most_spilled: u64,
}

impl Moved {
    fn of(step: &StepRecord) -> Self {
        let rows = step.slices.iter().map(|(rows, _)| *rows);
        let (sum, most) = (rows.clone().sum::<u64>(), rows.max().unwrap_or(0));
        let dealt = |bytes: u64| match sum {
            0 => bytes.div_ceil(step.slices.len().max(1) as u64),
            _ => (u128::from(bytes) * u128::from(most)).div_ceil(u128::from(sum)) as u64,
        };
        let read = step.scan.as_ref().map_or(0, |scan| scan.read_bytes);
        Self {
            read: megabytes(read),
            most_read: megabytes(dealt(read)),
            spilled: megabytes(step.spilled_bytes),
            most_spilled: megabytes(dealt(step.spilled_bytes)),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            most_read: self.most_read + other.most_read,
            spilled: self.spilled + other.spilled,
            most_spilled: self.most_spilled + other.most_spilled,
        }
    }
}

/// What a level of `stl_query_metrics` tells: the whole, a segment, or a step.
struct Measured {
    segment: i64,
    step: i64,
    kind: Option<i64>,
    start_us: i64,
    slices: usize,
    rows: (u64, u64),
    cpu_us: (u64, u64),
    run_us: (i64, i64),
    moved: Moved,
}

/// The levels of a statement: first the whole, then each segment before its steps. Of two numbers the first is the
/// greatest: of a slice, and of the whole that of a segment.
fn measured(record: &StepsRecord) -> Vec<Measured> {
    let times = record.segment_times();
    let mut levels = Vec::new();
    let mut whole = Measured {
        segment: -1,
        step: -1,
        kind: Some(-1),
        start_us: record.start_us,
        slices: 0,
        rows: (record.totals.returned_rows, record.totals.returned_rows),
        cpu_us: (0, 0),
        run_us: (0, 0),
        moved: Moved::default(),
    };
    for steps in record.steps.chunk_by(|one, other| one.segment == other.segment) {
        let Some((first, last)) = steps.first().zip(steps.last()) else { continue };
        let (begin, end) = times.get(&first.segment).copied().unwrap_or((first.start_us, first.end_us));
        let level = |step: i64, steps: &[StepRecord]| {
            let slices = steps.iter().map(|step| step.slices.len()).max().unwrap_or(0);
            let cpu = |slice: usize| {
                steps.iter().filter_map(|step| step.slices.get(slice)).map(|(_, time)| *time).sum::<u64>()
            };
            let gives = steps.last().unwrap_or(last);
            let most_rows = gives.slices.iter().map(|(rows, _)| *rows).max().unwrap_or(gives.rows);
            Measured {
                segment: first.segment.into(),
                step,
                kind: if step < 0 { Some(-1) } else { step_type(&gives.name) },
                start_us: begin,
                slices,
                rows: (most_rows, gives.rows),
                cpu_us: ((0..slices).map(cpu).max().unwrap_or(0), (0..slices).map(cpu).sum()),
                run_us: (end - begin, (end - begin) * slices as i64),
                moved: steps.iter().map(Moved::of).fold(Moved::default(), Moved::and),
            }
        };
        let segment = level(-1, steps);
        whole.slices = whole.slices.max(segment.slices);
        whole.cpu_us = (whole.cpu_us.0.max(segment.cpu_us.1), whole.cpu_us.1 + segment.cpu_us.1);
        whole.run_us = (whole.run_us.0.max(segment.run_us.0), whole.run_us.1 + segment.run_us.1);
        whole.moved = Moved {
            read: whole.moved.read + segment.moved.read,
            most_read: whole.moved.most_read.max(segment.moved.read),
            spilled: whole.moved.spilled + segment.moved.spilled,
            most_spilled: whole.moved.most_spilled.max(segment.moved.spilled),
        };
        levels.push(segment);
        levels.extend(steps.iter().map(|step| level(step.step.into(), std::slice::from_ref(step))));
    }
    levels.insert(0, whole);
    levels
}

/// Rows of `stl_query_metrics`: one of the whole, with segment -1, one of each segment, with step -1, one of each step.
fn raw(user: i32, record: &StepsRecord, (class, class_name, priority): Stayed, queue_us: Option<i64>) -> Rows {
    let priority = priority.as_deref().and_then(Priority::given).map_or(-1, |priority| priority.number().into());
    let rows = measured(record).into_iter().map(|level| {
        row![
            user,
            class,
            record.query,
            level.segment,
            level.kind,
            level.start_us,
            level.slices,
            level.rows.0,
            level.rows.1,
            level.cpu_us.0,
            level.cpu_us.1,
            level.moved.most_read,
            level.moved.read,
            level.run_us.0,
            level.run_us.1,
            level.moved.most_spilled,
            level.moved.spilled,
            level.step,
            level.moved.most_read,
            level.moved.read,
            Value::Int(priority),
            queue_us,
            &class_name
        ]
    });
    rows.collect()
}

async fn ended(context: &Context) -> Result<Rows> {
    let (snapshot, queries) = (context.snapshot().await?, statements(context).await?);
    let mut rows = Rows::new();
    for record in records(context).await? {
        let (user, query) = (snapshot.principals().user_id(&record.user), queries.get(&record.query));
        rows.extend(raw(user, &record, queue(query), query.map(QueryRecord::queue_us)));
    }
    Ok(rows)
}

/// The same numbers of statements that run, in the order that Redshift has them in there.
async fn current(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let (tasks, queues) = (context.warehouse().wlm().tasks(), context.warehouse().wlm().queues());
    let place = |name: &str| RAW.iter().position(|(of, _)| *of == name);
    let places: Vec<usize> = CURRENT.iter().filter_map(|(name, _)| place(name)).collect();
    let mut rows = Rows::new();
    for record in running(context).await? {
        let task = tasks.iter().find(|task| task.applicant.query == record.query);
        let stayed = task.map(|task| {
            let own = queues.iter().find(|queue| queue.settings.class == task.class);
            let name = own.map(|queue| queue.settings.name.clone()).unwrap_or_default();
            (task.class.into(), name, task.priority.map(|priority| priority.name().to_owned()))
        });
        let waited_us = task.map(|task| task.exec_us.unwrap_or_else(now_us) - task.queue_us);
        let user = snapshot.principals().user_id(&record.user);
        for row in raw(user, &record, stayed.unwrap_or_else(|| queue(None)), waited_us) {
            rows.push(places.iter().filter_map(|place| row.get(*place).cloned()).collect());
        }
    }
    Ok(rows)
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
    ("max_blocks_read", Int4),
    ("blocks_read", Int8),
    ("max_run_time", Int8),
    ("run_time", Int8),
    ("max_blocks_to_disk", Int8),
    ("blocks_to_disk", Int8),
    ("step", Int4),
    ("max_query_scan_size", Int8),
    ("query_scan_size", Int8),
    ("query_priority", Int4),
    ("query_queue_time", Int8),
    ("service_class_name", Text),
];

const CURRENT: &[(&str, Kind)] = &[
    ("userid", Int4),
    ("service_class", Int4),
    ("query", Int4),
    ("starttime", Time),
    ("slices", Int4),
    ("segment", Int4),
    ("step_type", Int4),
    ("rows", Int8),
    ("max_rows", Int8),
    ("cpu_time", Int8),
    ("max_cpu_time", Int8),
    ("blocks_read", Int8),
    ("max_blocks_read", Int8),
    ("run_time", Int8),
    ("max_run_time", Int8),
    ("max_blocks_to_disk", Int8),
    ("blocks_to_disk", Int8),
    ("step", Int4),
    ("max_query_scan_size", Int8),
    ("query_scan_size", Int8),
    ("query_priority", Int4),
    ("query_queue_time", Int8),
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
            ("query_cpu_usage_percent", Int8),
            ("query_temp_blocks_to_disk", Int8),
            ("segment_execution_time", Int8),
            ("cpu_skew", Numeric(38, 2)),
            ("io_skew", Numeric(38, 2)),
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
            ("query_cpu_usage_percent", Numeric(38, 2)),
            ("query_temp_blocks_to_disk", Int8),
            ("segment_execution_time", Int8),
            ("cpu_skew", Numeric(38, 2)),
            ("io_skew", Numeric(38, 2)),
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
        columns: CURRENT,
        rows: |context| Box::pin(current(context)),
    },
];

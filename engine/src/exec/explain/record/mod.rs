//! What a statement's plans did, as the journal keeps it: nodes as EXPLAIN shows them, steps in segments and streams as
//! Redshift counts them, alerts. Made of the plans that have run, off the statement's path.

mod alerts;
mod segments;

use super::redshift::{self, Counters};
use super::scans_of;
use super::step::Step;
use crate::exec::measure::measure_plans;
use crate::exec::progress;
use crate::journal::{AlertRecord, MOST_STEPS, NodeRecord, StepRecord, StepsRecord, TotalsRecord};
use crate::sql::Statement;
use crate::tables;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use segments::Segments;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most bytes of a node's text, and of what stands below it, as in `stl_explain`.
const TEXT_BYTES: usize = 400;

/// What becomes of a plan's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// They go to the client.
    #[default]
    Return,
    /// They are new rows of a table.
    Insert,
    /// They say which rows of a table go.
    Delete,
    /// They are a table's changed rows.
    Update,
    /// They are written to files.
    Unload,
}

impl Ending {
    /// What becomes of the rows of a statement's plans.
    pub(crate) fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Insert(_)
            | Statement::Copy(_)
            | Statement::CopyIn(_)
            | Statement::CreateTableAs(_)
            | Statement::CreateTable(_) => Self::Insert,
            Statement::Explain(explain) if explain.analyze => Self::of(&explain.statement),
            Statement::Delete(_) => Self::Delete,
            Statement::Update(_) | Statement::Merge(_) => Self::Update,
            Statement::Unload(_) => Self::Unload,
            _ => Self::Return,
        }
    }

    /// Redshift's words for it.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Return => &["return"],
            Self::Insert => &["insert"],
            Self::Delete => &["delete"],
            Self::Update => &["delete", "insert"],
            Self::Unload => &["unload"],
        }
    }
}

/// Plans that have run.
pub(crate) struct Ran {
    /// In the order that they were begun in.
    pub(crate) plans: Vec<Arc<dyn ExecutionPlan>>,
    /// How many slices plans run in.
    pub(crate) slices: usize,
    /// What became of their rows.
    pub(crate) ending: Ending,
    /// The table that was changed: its name with its schema, and its number in `pg_class`.
    pub(crate) target: Option<(String, i64)>,
    /// Rows that went to the client.
    pub(crate) returned_rows: u64,
    /// Between these times, in microseconds since the epoch.
    pub(crate) times_us: (i64, i64),
}

/// Has a plan that is about to run note what [`record_all`] wants to know.
pub(crate) fn watch(plan: &Arc<dyn ExecutionPlan>) {
    let mut scans = Vec::new();
    scans_of(plan, &mut scans);
    scans.iter().filter_map(|scan| progress::file_scan(scan)).for_each(tables::note_reads);
}

/// What plans did, with the blocks of managed tables that they read. Who ran them is left to the caller.
pub(crate) async fn record_all(ran: &Ran, runtime: &RuntimeEnv) -> StepsRecord {
    let mut scans = Vec::new();
    ran.plans.iter().for_each(|plan| scans_of(plan, &mut scans));
    let mut counters = Counters::detailed();
    for scan in &scans {
        let Some(config) = progress::file_scan(scan) else { continue };
        let Ok(store) = runtime.object_store(&config.object_store_url) else { continue };
        // A file that is gone by now leaves its blocks uncounted.
        if let Ok(Some(blocks)) = tables::read_blocks(config, store).await {
            counters.note(scan, blocks);
        }
    }
    made(ran, &counters)
}

/// The same of plans that run, without blocks.
pub(crate) fn record(ran: &Ran) -> StepsRecord {
    made(ran, &Counters::detailed())
}

fn made(ran: &Ran, counters: &Counters) -> StepsRecord {
    let mut nodes = Vec::new();
    let mut segments = Segments::new(ran.times_us);
    let last = ran.plans.len().saturating_sub(1);
    for (at, plan) in ran.plans.iter().enumerate() {
        let root = redshift::done(plan, ran.slices, counters);
        let first = nodes.len() as u32;
        note_nodes(&root, 0, &mut nodes);
        let words = if at == last || ran.ending == Ending::Update { ran.ending.words() } else { &["save"] };
        segments.plan(&root, first, words, ran.target.as_ref());
    }
    let (steps, alerts) = segments.finish();
    nodes.truncate(MOST_STEPS);
    nodes.extend(remarks(&steps, &alerts));
    let measures = measure_plans(&ran.plans, ran.returned_rows);
    let totals = TotalsRecord {
        cpu_us: (measures.cpu_seconds * 1e6) as u64,
        cpu_skew: measures.cpu_skew,
        io_skew: measures.io_skew,
        read_bytes: measures.read_bytes,
        spilled_bytes: measures.spilled_bytes,
        scan_rows: measures.scan_rows,
        join_rows: measures.join_rows,
        nested_loop_rows: measures.nested_loop_rows,
        returned_rows: measures.returned_rows,
        external_rows: measures.external_rows,
        external_bytes: measures.external_bytes,
    };
    let (start_us, end_us) = ran.times_us;
    StepsRecord { start_us, end_us, nodes, steps, alerts, totals, ..StepsRecord::default() }
}

/// What EXPLAIN says below a plan whose tables have no statistics, which Redshift keeps with the plan's nodes.
fn remarks(steps: &[StepRecord], noted: &[AlertRecord]) -> Vec<NodeRecord> {
    let missing = noted.iter().filter(|alert| alert.event == alerts::MISSING_STATISTICS);
    let tables: BTreeSet<&str> = missing
        .filter_map(|alert| steps.iter().find(|step| (step.segment, step.step) == (alert.segment, alert.step)))
        .filter_map(|step| step.table.rsplit('.').next())
        .collect();
    if tables.is_empty() {
        return Vec::new();
    }
    let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
    let lines = [
        format!("----- Tables missing statistics: {tables} -----"),
        "----- Update statistics by running the ANALYZE command on these tables -----".to_owned(),
    ];
    lines.into_iter().map(|line| NodeRecord { parent: 1, text: cut(line), ..NodeRecord::default() }).collect()
}

/// Notes a step and those below it, in the order of EXPLAIN's lines.
fn note_nodes(step: &Step, parent: u32, nodes: &mut Vec<NodeRecord>) {
    let arrow = if parent == 0 { "" } else { "->  " };
    let relation = step.relation.map(|relation| format!("{relation} ")).unwrap_or_default();
    let details = step.details.iter();
    let details = details.map(|(key, value)| if key.is_empty() { value.clone() } else { format!("{key}: {value}") });
    nodes.push(NodeRecord {
        parent,
        text: cut(format!("{relation}{arrow}{}  {}", step.title(), step.costs())),
        info: cut(details.collect::<Vec<_>>().join("; ")),
        cost: (step.startup, step.total),
        rows: step.rows.ceil() as u64,
        bytes: step.bytes().ceil() as u64,
    });
    let own = nodes.len() as u32;
    for child in &step.children {
        note_nodes(child, own, nodes);
    }
}

/// A text of at most so many bytes, without the mark of names of our own.
fn cut(text: String) -> String {
    let mut text = if text.contains('\u{1}') { text.replace('\u{1}', " ") } else { text };
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

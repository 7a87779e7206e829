//! Query monitoring rules: predicates over what a statement has done so far, and what happens when all hold.
//!
//! All metrics of Redshift's are measured here.

use super::json::{Object, invalid};
use super::priority::Priority;
use crate::error::Result;
use serde_json::Value;

/// How many rules all queues have together.
const MOST_RULES: usize = 25;
/// How many predicates a rule has.
const MOST_PREDICATES: usize = 3;
/// How long a rule's name is.
const NAME_LENGTH: usize = 32;
/// What is said of a priority's name that there is not.
const PRIORITIES: &str = "takes highest, high, normal, low or lowest";

/// A metric that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    CpuTime,
    BlocksRead,
    ScanRows,
    ExecutionTime,
    QueueTime,
    SegmentTime,
    CpuPercent,
    SpilledBlocks,
    CpuSkew,
    IoSkew,
    JoinRows,
    NestedLoopRows,
    ReturnedRows,
    ExternalRows,
    ExternalMegabytes,
    Priority,
}

/// The most rows that a threshold has.
const MOST_ROWS: u64 = 999_999_999_999_999;

/// All of them, by name, with their greatest thresholds.
const METRICS: [(&str, Metric, u64); 16] = [
    ("query_cpu_time", Metric::CpuTime, 999_999),
    ("query_blocks_read", Metric::BlocksRead, 1_048_575),
    ("scan_row_count", Metric::ScanRows, MOST_ROWS),
    ("query_execution_time", Metric::ExecutionTime, 86_399),
    ("query_queue_time", Metric::QueueTime, 86_399),
    ("segment_execution_time", Metric::SegmentTime, 86_388),
    ("query_cpu_usage_percent", Metric::CpuPercent, 6_399),
    ("query_temp_blocks_to_disk", Metric::SpilledBlocks, 319_815_679),
    ("cpu_skew", Metric::CpuSkew, 99),
    ("io_skew", Metric::IoSkew, 99),
    ("join_row_count", Metric::JoinRows, MOST_ROWS),
    ("nested_loop_join_row_count", Metric::NestedLoopRows, MOST_ROWS),
    ("return_row_count", Metric::ReturnedRows, MOST_ROWS),
    ("spectrum_scan_row_count", Metric::ExternalRows, MOST_ROWS),
    ("spectrum_scan_size_mb", Metric::ExternalMegabytes, MOST_ROWS),
    // Of priorities the number; they are told by name.
    ("query_priority", Metric::Priority, 4),
];

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Notes it.
    Log,
    /// Gives the statement another priority.
    ChangePriority(Priority),
    /// Sends the statement to its next queue.
    Hop,
    /// Cancels the statement.
    Abort,
}

impl Action {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::ChangePriority(_) => "change_query_priority",
            Self::Hop => "hop",
            Self::Abort => "abort",
        }
    }

    /// What it changes to, where it changes something.
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::ChangePriority(priority) => priority.name(),
            Self::Log | Self::Hop | Self::Abort => "",
        }
    }

    /// Of several, the most severe acts.
    pub(super) fn severity(self) -> u8 {
        match self {
            Self::Log => 0,
            Self::ChangePriority(_) => 1,
            Self::Hop => 2,
            Self::Abort => 3,
        }
    }
}

/// A comparison of a metric with a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Predicate {
    pub(crate) metric: Metric,
    /// `>`, `=` or `<`.
    pub(crate) operator: char,
    pub(crate) value: u64,
}

impl Predicate {
    /// The metric's name.
    pub(crate) fn metric_name(&self) -> &'static str {
        METRICS.iter().find(|(_, metric, _)| *metric == self.metric).map_or("", |(name, ..)| name)
    }

    fn holds(&self, measures: &Measures) -> bool {
        let value = measures.get(self.metric);
        match self.operator {
            '>' => value > self.value as f64,
            '<' => value < self.value as f64,
            // Times are compared in whole seconds.
            _ => value as u64 == self.value,
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) action: Action,
}

impl Rule {
    /// Whether every predicate holds.
    pub(crate) fn holds(&self, measures: &Measures) -> bool {
        self.predicates.iter().all(|predicate| predicate.holds(measures))
    }

    /// Whether it asks for the time of segments.
    pub(super) fn is_of_segments(&self) -> bool {
        self.predicates.iter().any(|predicate| predicate.metric == Metric::SegmentTime)
    }

    /// Whether it tells of waiting alone, whatever the priority, so that it can be decided while a statement waits.
    pub(crate) fn is_of_waiting(&self) -> bool {
        let metrics = || self.predicates.iter().map(|predicate| predicate.metric);
        metrics().any(|metric| metric == Metric::QueueTime)
            && metrics().all(|metric| matches!(metric, Metric::QueueTime | Metric::Priority))
    }
}

/// What a statement has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Measures {
    pub(crate) execution_seconds: f64,
    pub(crate) queue_seconds: f64,
    /// The longest of a segment; 0 where no rule asks for it.
    pub(crate) segment_seconds: f64,
    /// What its operators have computed, on all cores.
    pub(crate) cpu_seconds: f64,
    /// The busiest slice's part of it beside the average of all that work.
    pub(crate) cpu_skew: f64,
    /// Bytes of files that were read.
    pub(crate) read_bytes: u64,
    /// The same of them as `cpu_skew`.
    pub(crate) io_skew: f64,
    /// The most rows of one scan of a table.
    pub(crate) scan_rows: u64,
    pub(crate) returned_rows: u64,
    pub(crate) spilled_bytes: u64,
    /// Rows and bytes of all scans of external tables.
    pub(crate) external_rows: u64,
    pub(crate) external_bytes: u64,
    /// The most rows of one nested loop.
    pub(crate) nested_loop_rows: u64,
    /// The most rows of one join.
    pub(crate) join_rows: u64,
    /// Its priority in a queue of automatic WLM.
    pub(crate) priority: Option<Priority>,
}

impl Measures {
    fn get(&self, metric: Metric) -> f64 {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match metric {
            Metric::CpuTime => self.cpu_seconds,
            Metric::BlocksRead => megabytes(self.read_bytes),
            Metric::ScanRows => self.scan_rows as f64,
            Metric::ExecutionTime => self.execution_seconds,
            Metric::QueueTime => self.queue_seconds,
            Metric::SegmentTime => self.segment_seconds,
            Metric::CpuPercent if self.execution_seconds > 0. => self.cpu_seconds / self.execution_seconds * 100.,
            Metric::CpuPercent => 0.,
            Metric::SpilledBlocks => megabytes(self.spilled_bytes),
            Metric::CpuSkew => self.cpu_skew,
            Metric::IoSkew => self.io_skew,
            Metric::JoinRows => self.join_rows as f64,
            Metric::NestedLoopRows => self.nested_loop_rows as f64,
            Metric::ReturnedRows => self.returned_rows as f64,
            Metric::ExternalRows => self.external_rows as f64,
            Metric::ExternalMegabytes => megabytes(self.external_bytes),
            Metric::Priority => self.priority.map_or(-1., |priority| f64::from(priority.number())),
        }
    }
}

/// The rules of a queue.
///
/// # Errors
/// `InvalidParameter` that says where and what; `Unsupported` for what Redshift has and this version does not.
pub(super) fn parse(queue: &Object<'_>, value: &Value, automatic: bool) -> Result<Vec<Rule>> {
    let Some(items) = value.as_array() else {
        return Err(queue.invalid("rules", "takes a list of rules"));
    };
    let place = |at: usize| format!("{}, rule {}", queue.place, at + 1);
    items.iter().enumerate().map(|(at, item)| rule(place(at), item, automatic)).collect()
}

/// Checks the rules of all queues together.
///
/// # Errors
/// `InvalidParameter`.
pub(super) fn check_all<'a>(rules: impl Iterator<Item = &'a Rule> + Clone) -> Result<()> {
    let count = rules.clone().count();
    if count > MOST_RULES {
        return Err(invalid("", format!("{count} rules, and all queues may have {MOST_RULES} together")));
    }
    let mut names = std::collections::BTreeSet::new();
    for rule in rules {
        if !names.insert(rule.name.to_lowercase()) {
            return Err(invalid("", format!("there are two rules of the name \"{}\"", rule.name)));
        }
    }
    Ok(())
}

fn rule(place: String, value: &Value, automatic: bool) -> Result<Rule> {
    let object = Object::of(place, value, &["rule_name", "predicate", "action", "value"])?;
    let name = object.text("rule_name")?.unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.len() > NAME_LENGTH || !name.chars().all(plain) {
        let what = format!("takes a name of 1 to {NAME_LENGTH} letters, digits and underscores");
        return Err(object.invalid("rule_name", what));
    }
    let value = object.text("value")?.filter(|value| !value.is_empty());
    let action = match object.text("action")?.as_deref() {
        Some("log") => Action::Log,
        Some("hop") if automatic => return Err(object.invalid("action", "hop is for manual WLM, and auto_wlm is on")),
        Some("hop") => Action::Hop,
        Some("abort") => Action::Abort,
        Some("change_query_priority") if !automatic => {
            return Err(object.invalid("action", "change_query_priority is for automatic WLM, and auto_wlm is off"));
        }
        Some("change_query_priority") => match value.as_deref().and_then(Priority::named) {
            Some(priority) => Action::ChangePriority(priority),
            None => return Err(object.invalid("value", PRIORITIES)),
        },
        _ => return Err(object.invalid("action", "takes log, hop, abort or change_query_priority")),
    };
    if value.is_some() && action.value().is_empty() {
        return Err(object.invalid("value", format!("has no meaning with the action {}", action.name())));
    }
    let predicates = object.values.get("predicate").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if predicates.is_empty() || predicates.len() > MOST_PREDICATES {
        return Err(object.invalid("predicate", format!("takes a list of 1 to {MOST_PREDICATES} predicates")));
    }
    let predicates = predicates.iter().enumerate();
    let place = |at: usize| format!("{}, predicate {}", object.place, at + 1);
    let predicates = predicates.map(|(at, value)| predicate(place(at), value, automatic));
    let predicates: Vec<Predicate> = predicates.collect::<Result<_>>()?;
    if action == Action::Hop && predicates.iter().any(|predicate| predicate.metric == Metric::QueueTime) {
        return Err(object.invalid("action", "hop does not go with query_queue_time, of which Redshift ignores it"));
    }
    Ok(Rule { name, predicates, action })
}

fn predicate(place: String, value: &Value, automatic: bool) -> Result<Predicate> {
    let object = Object::of(place, value, &["metric_name", "operator", "value"])?;
    let name = object.text("metric_name")?.unwrap_or_default();
    let Some((_, metric, most)) = METRICS.iter().find(|(known, ..)| *known == name) else {
        let error = object.invalid("metric_name", format!("there is no metric \"{name}\""));
        return Err(match crate::error::nearest(&name, METRICS.iter().map(|(known, ..)| *known)) {
            Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
            None => error,
        });
    };
    let operator = match object.text("operator")?.as_deref() {
        Some(">") => '>',
        Some("<") => '<',
        Some("=") => '=',
        _ => return Err(object.invalid("operator", "takes >, < or =")),
    };
    let value = if *metric == Metric::Priority {
        if !automatic {
            return Err(object.invalid("metric_name", "query_priority is for automatic WLM, and auto_wlm is off"));
        }
        let named = object.text("value")?.as_deref().and_then(Priority::named);
        named.map(|priority| u64::from(priority.number())).ok_or_else(|| object.invalid("value", PRIORITIES))?
    } else {
        object.number("value", 0, *most)?.ok_or_else(|| object.invalid("value", "is missing"))?
    };
    Ok(Predicate { metric: *metric, operator, value })
}

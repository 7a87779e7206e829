//! Query monitoring rules: predicates over what a statement has done so far, and what happens when all hold.
//!
//! Only metrics that are truly measured here are taken; Redshift's others are refused by name.

use super::json::{Object, invalid};
use crate::error::{Error, Result};
use serde_json::Value;

/// How many rules all queues have together.
const MOST_RULES: usize = 25;
/// How many predicates a rule has.
const MOST_PREDICATES: usize = 3;
/// How long a rule's name is.
const NAME_LENGTH: usize = 32;
/// The greatest threshold.
const MOST_VALUE: u64 = 999_999_999_999_999;

/// A metric that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    ExecutionTime,
    QueueTime,
    ScanRows,
    ReturnedRows,
    SpilledBlocks,
    ExternalRows,
    ExternalMegabytes,
    NestedLoopRows,
    JoinRows,
}

/// All of them, by name.
const METRICS: [(&str, Metric); 9] = [
    ("query_execution_time", Metric::ExecutionTime),
    ("query_queue_time", Metric::QueueTime),
    ("scan_row_count", Metric::ScanRows),
    ("return_row_count", Metric::ReturnedRows),
    ("query_temp_blocks_to_disk", Metric::SpilledBlocks),
    ("spectrum_scan_row_count", Metric::ExternalRows),
    ("spectrum_scan_size_mb", Metric::ExternalMegabytes),
    ("nested_loop_join_row_count", Metric::NestedLoopRows),
    ("join_row_count", Metric::JoinRows),
];

/// Redshift's metrics that nothing measures here.
const UNMEASURED: [&str; 8] = [
    "query_cpu_time",
    "query_blocks_read",
    "query_cpu_usage_percent",
    "cpu_skew",
    "io_skew",
    "max_io_skew",
    "max_cpu_skew",
    "segment_execution_time",
];

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// Notes it.
    Log,
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
            Self::Hop => "hop",
            Self::Abort => "abort",
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
        METRICS.iter().find(|(_, metric)| *metric == self.metric).map_or("", |(name, _)| name)
    }

    fn holds(&self, measures: &Measures) -> bool {
        let value = measures.get(self.metric);
        match self.operator {
            '>' => value > self.value as f64,
            '<' => value < self.value as f64,
            // Times are compared in whole seconds.
            _ => value.floor() as u64 == self.value,
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

    /// Whether it tells of waiting alone, so that it can be decided while a statement waits.
    pub(crate) fn is_of_waiting(&self) -> bool {
        self.predicates.iter().all(|predicate| predicate.metric == Metric::QueueTime)
    }
}

/// What a statement has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Measures {
    pub(crate) execution_seconds: f64,
    pub(crate) queue_seconds: f64,
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
}

impl Measures {
    fn get(&self, metric: Metric) -> f64 {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match metric {
            Metric::ExecutionTime => self.execution_seconds,
            Metric::QueueTime => self.queue_seconds,
            Metric::ScanRows => self.scan_rows as f64,
            Metric::ReturnedRows => self.returned_rows as f64,
            Metric::SpilledBlocks => megabytes(self.spilled_bytes),
            Metric::ExternalRows => self.external_rows as f64,
            Metric::ExternalMegabytes => megabytes(self.external_bytes),
            Metric::NestedLoopRows => self.nested_loop_rows as f64,
            Metric::JoinRows => self.join_rows as f64,
        }
    }
}

/// The rules of a queue.
///
/// # Errors
/// `InvalidParameter` that says where and what; `Unsupported` for what Redshift has and this version does not.
pub(super) fn parse(queue: &Object<'_>, value: &Value) -> Result<Vec<Rule>> {
    let Some(items) = value.as_array() else {
        return Err(queue.invalid("rules", "takes a list of rules"));
    };
    let rules = items.iter().enumerate().map(|(at, item)| rule(format!("{}, rule {}", queue.place, at + 1), item));
    rules.collect()
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

fn rule(place: String, value: &Value) -> Result<Rule> {
    let object = Object::of(place, value, &["rule_name", "predicate", "action", "value"])?;
    let name = object.text("rule_name")?.unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.len() > NAME_LENGTH || !name.chars().all(plain) {
        let what = format!("takes a name of 1 to {NAME_LENGTH} letters, digits and underscores");
        return Err(object.invalid("rule_name", what));
    }
    let action = match object.text("action")?.as_deref() {
        Some("log") => Action::Log,
        Some("hop") => Action::Hop,
        Some("abort") => Action::Abort,
        Some("change_query_priority") => {
            return Err(Error::unsupported("the action change_query_priority of a query monitoring rule")
                .with_detail(object.place));
        }
        _ => return Err(object.invalid("action", "takes log, hop or abort")),
    };
    if object.values.get("value").is_some_and(|value| !value.is_null() && value.as_str() != Some("")) {
        return Err(object.invalid("value", format!("has no meaning with the action {}", action.name())));
    }
    let predicates = object.values.get("predicate").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if predicates.is_empty() || predicates.len() > MOST_PREDICATES {
        return Err(object.invalid("predicate", format!("takes a list of 1 to {MOST_PREDICATES} predicates")));
    }
    let predicates = predicates.iter().enumerate();
    let predicates = predicates.map(|(at, value)| predicate(format!("{}, predicate {}", object.place, at + 1), value));
    Ok(Rule { name, predicates: predicates.collect::<Result<_>>()?, action })
}

fn predicate(place: String, value: &Value) -> Result<Predicate> {
    let object = Object::of(place, value, &["metric_name", "operator", "value"])?;
    let name = object.text("metric_name")?.unwrap_or_default();
    let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) else {
        if UNMEASURED.contains(&name.as_str()) {
            return Err(
                Error::unsupported(format!("the metric {name} of a query monitoring rule")).with_detail(object.place)
            );
        }
        let error = object.invalid("metric_name", format!("there is no metric \"{name}\""));
        return Err(match crate::error::nearest(&name, METRICS.iter().map(|(known, _)| *known)) {
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
    let Some(value) = object.number("value", 0, MOST_VALUE)? else {
        return Err(object.invalid("value", "is missing"));
    };
    Ok(Predicate { metric: *metric, operator, value })
}

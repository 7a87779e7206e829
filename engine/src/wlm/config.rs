//! The queues: Redshift's `wlm_json_configuration`, read and checked.
//!
//! Without one there is a single queue without limits beside the superusers', so that nothing changes for people who
//! configure nothing. What would promise more than is done (automatic WLM, priorities, short query acceleration,
//! concurrency scaling) is refused.

use super::assign::Matches;
use super::json::{self, Object, invalid};
use super::rules::{self, Rule};
use crate::error::{Error, Result};
use serde_json::Value;
use std::time::Duration;

/// The superusers' service class.
pub(crate) const SUPERUSER_CLASS: i32 = 5;
/// The first of the queues that a configuration makes.
const FIRST_CLASS: i32 = 6;
/// The one queue of a warehouse that nobody has configured: Redshift's first without manual WLM.
pub(crate) const UNCONFIGURED_CLASS: i32 = 100;

/// How many queues a configuration has, the default one included.
const MOST_QUEUES: usize = 8;
/// How many slots all of them have together.
const MOST_SLOTS: usize = 50;
/// Slots of a queue that does not say.
const DEFAULT_SLOTS: usize = 5;
/// The longest time limit, in milliseconds.
const MOST_MILLISECONDS: u64 = 2_147_483_647;

/// What an object of the configuration may have.
const KEYS: [&str; 18] = [
    "auto_wlm",
    "concurrency_scaling",
    "max_concurrency_scaling_clusters",
    "max_execution_time",
    "max_short_query_time",
    "memory_percent_to_use",
    "name",
    "priority",
    "query_concurrency",
    "query_group",
    "query_group_wild_card",
    "queue_type",
    "rules",
    "short_query_queue",
    "user_group",
    "user_group_wild_card",
    "user_role",
    "user_role_wild_card",
];

/// The keys of objects that are no queue.
const GLOBAL_KEYS: [&str; 3] = ["auto_wlm", "max_short_query_time", "short_query_queue"];

/// A configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configuration {
    /// The superusers' first, the default one last.
    pub(crate) queues: Vec<QueueSettings>,
    /// What it was read from; empty when nobody has configured anything.
    pub(crate) text: String,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueueSettings {
    /// Its service class.
    pub(crate) class: i32,
    pub(crate) name: String,
    /// Whose statements it takes.
    pub(crate) matches: Matches,
    /// How many slots it has; `None` is as many as there are statements.
    pub(crate) slots: Option<usize>,
    /// The percentage of the memory that its slots share; `None` is all of it for everyone.
    pub(crate) memory_percent: Option<f64>,
    /// How long a statement runs in it.
    pub(crate) time_limit: Option<Duration>,
    pub(crate) rules: Vec<Rule>,
}

impl Default for Configuration {
    fn default() -> Self {
        let queues = vec![superusers(), QueueSettings { slots: None, ..queue(UNCONFIGURED_CLASS, "Default queue") }];
        Self { queues, text: String::new() }
    }
}

fn queue(class: i32, name: &str) -> QueueSettings {
    QueueSettings {
        class,
        name: name.to_owned(),
        matches: Matches::default(),
        slots: Some(DEFAULT_SLOTS),
        memory_percent: None,
        time_limit: None,
        rules: Vec::new(),
    }
}

fn superusers() -> QueueSettings {
    QueueSettings { slots: Some(1), ..queue(SUPERUSER_CLASS, "Service class for super user") }
}

impl Configuration {
    /// Reads a configuration; an empty text is none.
    ///
    /// # Errors
    /// `InvalidParameter` that says where and what; `Unsupported` for what Redshift has and this version does not.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| invalid("", error))?;
        let Some(items) = value.as_array() else {
            return Err(invalid("", format!("a list of queues is needed, not {}", json::kind(&value))));
        };
        let mut queues = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let object = Object::of(format!("queue {}", at + 1), item, &KEYS)?;
            refuse(&object)?;
            let global = !object.values.is_empty() && object.values.keys().all(|key| GLOBAL_KEYS.contains(&&**key));
            if !global {
                let class = FIRST_CLASS + i32::try_from(queues.len()).unwrap_or(i32::MAX - FIRST_CLASS);
                queues.push((object.place.clone(), read(&object, class)?));
            }
        }
        check(&queues)?;
        let mut queues: Vec<QueueSettings> = queues.into_iter().map(|(_, queue)| queue).collect();
        share_memory(&mut queues)?;
        if let Some(last) = queues.last_mut()
            && last.name.is_empty()
        {
            "Default queue".clone_into(&mut last.name);
        }
        for queue in &mut queues {
            if queue.name.is_empty() {
                queue.name = format!("Queue {}", queue.class - FIRST_CLASS + 1);
            }
        }
        queues.insert(0, superusers());
        Ok(Self { queues, text: text.to_owned() })
    }

    /// Whether somebody has configured it.
    pub(crate) fn is_configured(&self) -> bool {
        !self.text.is_empty()
    }
}

/// Refuses what is Redshift's and not done here.
fn refuse(object: &Object<'_>) -> Result<()> {
    let unsupported = |what: &str| Err(Error::unsupported(what).with_detail(object.place.clone()));
    if object.switch("auto_wlm")? {
        return unsupported("auto_wlm in wlm_json_configuration");
    }
    if object.switch("short_query_queue")? {
        return unsupported("short_query_queue in wlm_json_configuration");
    }
    if object.text("concurrency_scaling")?.is_some_and(|scaling| scaling != "off") {
        return unsupported("concurrency_scaling in wlm_json_configuration");
    }
    if object.text("queue_type")?.is_some_and(|kind| kind != "manual") {
        return unsupported("a queue_type but manual in wlm_json_configuration");
    }
    if object.text("priority")?.is_some_and(|priority| !priority.eq_ignore_ascii_case("normal")) {
        return unsupported("a priority but normal in wlm_json_configuration");
    }
    for key in ["max_short_query_time", "max_concurrency_scaling_clusters"] {
        if object.number(key, 0, u64::MAX)?.is_some_and(|number| number > 0) {
            return unsupported(&format!("{key} in wlm_json_configuration"));
        }
    }
    Ok(())
}

fn read(object: &Object<'_>, class: i32) -> Result<QueueSettings> {
    let slots = object.number("query_concurrency", 1, MOST_SLOTS as u64)?;
    let percent = object.number("memory_percent_to_use", 0, 100)?.filter(|percent| *percent > 0);
    let limit_ms = object.number("max_execution_time", 0, MOST_MILLISECONDS)?.filter(|limit| *limit > 0);
    let rules = match object.values.get("rules") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => rules::parse(object, value)?,
    };
    Ok(QueueSettings {
        matches: Matches {
            user_groups: object.texts("user_group")?,
            user_group_wild_card: object.switch("user_group_wild_card")?,
            query_groups: object.texts("query_group")?,
            query_group_wild_card: object.switch("query_group_wild_card")?,
            user_roles: object.texts("user_role")?,
            user_role_wild_card: object.switch("user_role_wild_card")?,
        },
        slots: Some(slots.and_then(|slots| usize::try_from(slots).ok()).unwrap_or(DEFAULT_SLOTS)),
        memory_percent: percent.map(|percent| percent as f64),
        time_limit: limit_ms.map(Duration::from_millis),
        rules,
        ..queue(class, &object.text("name")?.unwrap_or_default())
    })
}

/// Checks the queues together.
fn check(queues: &[(String, QueueSettings)]) -> Result<()> {
    let Some(((place, last), others)) = queues.split_last() else {
        return Err(invalid("", "there is no queue"));
    };
    if queues.len() > MOST_QUEUES {
        return Err(invalid("", format!("{} queues, and there may be {MOST_QUEUES}", queues.len())));
    }
    if !last.matches.is_empty() {
        let what = "the last queue is the default one and takes no user_group, query_group or user_role";
        return Err(invalid(place, what));
    }
    if let Some((place, _)) = others.iter().find(|(_, queue)| queue.matches.is_empty()) {
        let what = "nobody matches it: it needs a user_group, query_group or user_role, or must be the last";
        return Err(invalid(place, what));
    }
    let slots: usize = queues.iter().filter_map(|(_, queue)| queue.slots).sum();
    if slots > MOST_SLOTS {
        return Err(invalid(
            "",
            format!("query_concurrency is {slots} in all queues together, and may be {MOST_SLOTS}"),
        ));
    }
    let percent: f64 = queues.iter().filter_map(|(_, queue)| queue.memory_percent).sum();
    if percent > 100. {
        return Err(invalid("", format!("memory_percent_to_use is {percent} in all queues together, and may be 100")));
    }
    rules::check_all(queues.iter().flat_map(|(_, queue)| &queue.rules))
}

/// Gives what is left of the memory in equal parts to the queues that do not say how much they have.
fn share_memory(queues: &mut [QueueSettings]) -> Result<()> {
    let left: f64 = 100. - queues.iter().filter_map(|queue| queue.memory_percent).sum::<f64>();
    let silent = queues.iter().filter(|queue| queue.memory_percent.is_none()).count();
    if silent > 0 && left < 1. {
        let what = "memory_percent_to_use is 100 in all queues together, and leaves nothing to those without";
        return Err(invalid("", what));
    }
    for queue in queues {
        queue.memory_percent.get_or_insert(left / silent as f64);
    }
    Ok(())
}

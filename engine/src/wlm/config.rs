//! The queues: Redshift's `wlm_json_configuration`, read and checked.
//!
//! Without one there is a single queue without limits beside the superusers', so that nothing changes for people who
//! configure nothing. Concurrency scaling is refused, and so is what the kind of WLM, manual or automatic, does not have.

use super::assign::Matches;
use super::json::{self, Object, invalid};
use super::priority::Priority;
use super::rules::{self, Rule};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The superusers' service class.
pub(crate) const SUPERUSER_CLASS: i32 = 5;
/// The first of the queues of manual WLM.
const FIRST_CLASS: i32 = 6;
/// The service class of short query acceleration.
pub(crate) const SHORT_CLASS: i32 = 14;
/// The first of the queues of automatic WLM, and the one queue of a warehouse that nobody has configured.
pub(crate) const FIRST_AUTOMATIC_CLASS: i32 = 100;

/// How many queues a configuration has, the default one included.
const MOST_QUEUES: usize = 8;
/// How many slots all of them have together.
const MOST_SLOTS: usize = 50;
/// Slots of a queue that does not say.
const DEFAULT_SLOTS: usize = 5;
/// Slots of short query acceleration, and its part of the memory while others have the rest.
const SHORT_SLOTS: usize = 4;
const SHORT_PERCENT: f64 = 8.;
/// The longest time limit, in milliseconds.
const MOST_MILLISECONDS: u64 = 2_147_483_647;
/// The longest configuration, in characters.
const MOST_CHARACTERS: usize = 8_000;
/// The longest name of a queue.
const NAME_LENGTH: usize = 64;

/// What an object of the configuration may have.
const KEYS: [&str; 16] = [
    "auto_wlm",
    "concurrency_scaling",
    "max_execution_time",
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

/// A configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configuration {
    /// The superusers' first, the default one last.
    pub(crate) queues: Vec<QueueSettings>,
    /// The space of short queries, where there is one. Without a time limit of its own it goes by what has run.
    pub(crate) short: Option<QueueSettings>,
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
    /// How many slots it has; `None` is as many as there are statements, or as automatic WLM finds.
    pub(crate) slots: Option<usize>,
    /// The percentage of the memory that its slots share; `None` is all of it for everyone.
    pub(crate) memory_percent: Option<f64>,
    /// How long a statement runs in it.
    pub(crate) time_limit: Option<Duration>,
    pub(crate) rules: Vec<Rule>,
    /// The priority of its statements: it is a queue of automatic WLM.
    pub(crate) priority: Option<Priority>,
}

impl Default for Configuration {
    fn default() -> Self {
        let queues = vec![superusers(), QueueSettings { slots: None, ..queue(FIRST_AUTOMATIC_CLASS, "Default queue") }];
        Self { queues, short: None, text: String::new() }
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
        priority: None,
    }
}

fn superusers() -> QueueSettings {
    QueueSettings { slots: Some(1), ..queue(SUPERUSER_CLASS, "Service class for super user") }
}

/// What counts for all queues.
#[derive(Debug, Default)]
struct Overall {
    automatic: bool,
    short: bool,
    /// The longest time of a short query.
    short_limit: Option<Duration>,
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
        let characters = text.chars().count();
        if characters > MOST_CHARACTERS {
            return Err(invalid("", format!("it has {characters} characters, and may have {MOST_CHARACTERS}")));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| invalid("", error))?;
        let items = match &value {
            Value::Array(items) => items.as_slice(),
            Value::Object(_) => std::slice::from_ref(&value),
            other => return Err(invalid("", format!("a list of queues is needed, not {}", json::kind(other)))),
        };
        let objects = items.iter().enumerate().map(|(at, item)| Object::of(format!("queue {}", at + 1), item, &KEYS));
        let objects: Vec<Object<'_>> = objects.collect::<Result<_>>()?;
        let overall = overall(&objects)?;
        let mut queues = Vec::new();
        for object in objects.iter().filter(|object| !is_global(object)) {
            queues.push((object.place.clone(), read(object, &overall, queues.len())?));
        }
        if overall.automatic && queues.last().is_none_or(|(_, last)| !last.matches.is_empty()) {
            let settings = automatic(queues.len(), Priority::Normal);
            queues.push(("the default queue".to_owned(), settings));
        }
        check(&queues)?;
        let mut queues: Vec<QueueSettings> = queues.into_iter().map(|(_, queue)| queue).collect();
        share_memory(&mut queues, &overall);
        let last = queues.len() - 1;
        for (at, queue) in queues.iter_mut().enumerate().filter(|(_, queue)| queue.name.is_empty()) {
            queue.name = if at == last { "Default queue".to_owned() } else { format!("Queue {}", at + 1) };
        }
        check_names(&queues)?;
        queues.insert(0, superusers());
        let short = overall.short.then(|| QueueSettings {
            slots: Some(SHORT_SLOTS),
            memory_percent: Some(SHORT_PERCENT),
            time_limit: overall.short_limit,
            ..queue(SHORT_CLASS, "Short query queue")
        });
        Ok(Self { queues, short, text: text.to_owned() })
    }

    /// Whether somebody has configured it.
    pub(crate) fn is_configured(&self) -> bool {
        !self.text.is_empty()
    }
}

/// Whether an object is about all queues, and none itself.
fn is_global(object: &Object<'_>) -> bool {
    let has = |key: &str| object.values.contains_key(key);
    let known = |key: &String| matches!(key.as_str(), "auto_wlm" | "short_query_queue" | "max_execution_time");
    (has("auto_wlm") || has("short_query_queue")) && object.values.keys().all(known)
}

/// Reads what counts for all queues out of all objects.
fn overall(objects: &[Object<'_>]) -> Result<Overall> {
    let mut overall = Overall::default();
    for object in objects {
        overall.automatic |= object.switch("auto_wlm")? || kind(object)? == Some(true);
        overall.short |= object.switch("short_query_queue")?;
        if is_global(object) && object.values.contains_key("max_execution_time") {
            let limit = object.number("max_execution_time", 0, 20_000)?.filter(|limit| *limit > 0);
            if limit.is_some_and(|limit| limit < 1_000) || !object.switch("short_query_queue")? {
                let what = "takes 1000 to 20000 beside \"short_query_queue\", or 0 for a time that WLM finds";
                return Err(object.invalid("max_execution_time", what));
            }
            overall.short_limit = limit.map(Duration::from_millis);
        }
    }
    Ok(overall)
}

/// Whether a queue says that it is automatic or manual.
fn kind(object: &Object<'_>) -> Result<Option<bool>> {
    match object.text("queue_type")?.as_deref() {
        None => Ok(None),
        Some("auto") => Ok(Some(true)),
        Some("manual") => Ok(Some(false)),
        Some(_) => Err(object.invalid("queue_type", "takes auto or manual")),
    }
}

fn automatic(at: usize, priority: Priority) -> QueueSettings {
    let class = FIRST_AUTOMATIC_CLASS + i32::try_from(at).unwrap_or(i32::MAX - FIRST_AUTOMATIC_CLASS);
    QueueSettings { slots: None, priority: Some(priority), ..queue(class, "") }
}

fn read(object: &Object<'_>, overall: &Overall, at: usize) -> Result<QueueSettings> {
    if object.text("concurrency_scaling")?.is_some_and(|scaling| scaling != "off") {
        let error = Error::unsupported("concurrency_scaling in wlm_json_configuration");
        return Err(error.with_detail(object.place.clone()));
    }
    let is_manual = kind(object)? == Some(false) || (object.has("auto_wlm") && !object.switch("auto_wlm")?);
    if overall.automatic && is_manual {
        return Err(invalid(&object.place, "it is manual, and others are automatic: all are one or the other"));
    }
    let slots = object.number("query_concurrency", 1, MOST_SLOTS as u64)?;
    let percent = object.number("memory_percent_to_use", 0, 100)?.filter(|percent| *percent > 0);
    let limit_ms = object.number("max_execution_time", 0, MOST_MILLISECONDS)?.filter(|limit| *limit > 0);
    let priority = match object.text("priority")? {
        None => None,
        Some(name) => Some(
            Priority::named(&name)
                .ok_or_else(|| object.invalid("priority", "takes highest, high, normal, low or lowest"))?,
        ),
    };
    let mut settings = if overall.automatic {
        for (key, has) in [
            ("query_concurrency", slots.is_some()),
            ("memory_percent_to_use", percent.is_some()),
            ("max_execution_time", limit_ms.is_some()),
        ] {
            if has {
                return Err(object.invalid(key, "is for manual WLM, and auto_wlm is on"));
            }
        }
        automatic(at, priority.unwrap_or_default())
    } else {
        if priority.is_some_and(|priority| priority != Priority::Normal) {
            return Err(object.invalid("priority", "is for automatic WLM, and auto_wlm is off"));
        }
        let class = FIRST_CLASS + i32::try_from(at).unwrap_or(i32::MAX - FIRST_CLASS);
        QueueSettings {
            slots: Some(slots.and_then(|slots| usize::try_from(slots).ok()).unwrap_or(DEFAULT_SLOTS)),
            memory_percent: percent.map(|percent| percent as f64),
            time_limit: limit_ms.map(Duration::from_millis),
            ..queue(class, "")
        }
    };
    settings.rules = match object.values.get("rules") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => rules::parse(object, value, overall.automatic)?,
    };
    settings.matches = Matches {
        user_groups: object.texts("user_group")?,
        user_group_wild_card: object.switch("user_group_wild_card")?,
        query_groups: object.texts("query_group")?,
        query_group_wild_card: object.switch("query_group_wild_card")?,
        user_roles: object.texts("user_role")?,
        user_role_wild_card: object.switch("user_role_wild_card")?,
    };
    settings.name = object.text("name")?.unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == ' ';
    if settings.name.chars().count() > NAME_LENGTH || !settings.name.chars().all(plain) {
        let what = format!("takes up to {NAME_LENGTH} letters, digits, underscores and spaces");
        return Err(object.invalid("name", what));
    }
    Ok(settings)
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
    if percent > 0.
        && let Some((place, _)) = queues.iter().find(|(_, queue)| queue.memory_percent.is_none())
    {
        return Err(invalid(place, "\"memory_percent_to_use\" is missing, and other queues have it"));
    }
    rules::check_all(queues.iter().flat_map(|(_, queue)| &queue.rules))
}

fn check_names(queues: &[QueueSettings]) -> Result<()> {
    let mut names = BTreeSet::new();
    match queues.iter().find(|queue| !names.insert(queue.name.to_lowercase())) {
        Some(queue) => Err(invalid("", format!("there are two queues of the name \"{}\"", queue.name))),
        None => Ok(()),
    }
}

/// Divides the memory among the queues of manual WLM: in equal parts where none says how much it has, and so that short
/// queries have their part.
fn share_memory(queues: &mut [QueueSettings], overall: &Overall) {
    if overall.automatic {
        return;
    }
    let (count, left) = (queues.len() as f64, if overall.short { 100. - SHORT_PERCENT } else { 100. });
    for queue in queues {
        let percent = queue.memory_percent.unwrap_or(100. / count);
        queue.memory_percent = Some(percent * left / 100.);
    }
}

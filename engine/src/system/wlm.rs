//! What WLM does and has done: `stv_wlm_…`, `stl_wlm_query`, `stl_wlm_rule_action`.
//!
//! The queues and who is in them are told by WLM itself, what has ended by the journal's records of statements.

use super::table::Kind::{Bool, Double, Int4, Int8, Text, Time};
use super::{PG_CATALOG, Rows, SystemTable, row, sees_all, table::Value};
use crate::error::Result;
use crate::journal::{QueryRecord, now_us};
use crate::session::Context;
use crate::wlm::{QueueState, TaskState};

/// The memory that a statement may need is not estimated.
const NO_ESTIMATE: Option<i64> = None;

/// Priorities belong to automatic WLM.
const NO_PRIORITY: &str = "n/a";

/// The length of `svl_query_queue_info.querytxt`.
const QUERY_TEXT: usize = 100;

/// Whether the user is a superuser, who alone sees the queues.
async fn is_superuser(context: &Context) -> Result<bool> {
    Ok(context.snapshot().await?.principals().is_superuser(&context.who().user))
}

async fn service_class_config(context: &Context) -> Result<Rows> {
    if !is_superuser(context).await? {
        return Ok(Rows::new());
    }
    let queues = context.warehouse().wlm().queues().into_iter();
    Ok(queues.map(config_row).collect())
}

fn config_row(queue: QueueState) -> Vec<Value> {
    let settings = queue.settings;
    let tasks = settings.slots.map_or(-1, |slots| i64::try_from(slots).unwrap_or(i64::MAX));
    let bytes = queue.slot_bytes.filter(|_| settings.priority.is_none());
    let megabytes = bytes.map_or(-1, |bytes| i64::try_from(bytes >> 20).unwrap_or(i64::MAX));
    row![
        settings.class,
        if settings.priority.is_some() { "Query priority" } else { "Fixed FIFO query_only" },
        tasks,
        tasks,
        if settings.time_limit.is_some() { "true" } else { "false" },
        0,
        megabytes,
        megabytes,
        0,
        &settings.name,
        settings.time_limit.map_or(0, |limit| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX)),
        settings.matches.user_group_wild_card,
        settings.matches.query_group_wild_card,
        "off",
        settings.priority.map_or(NO_PRIORITY, |priority| priority.name()),
        settings.matches.user_role_wild_card
    ]
}

async fn service_class_state(context: &Context) -> Result<Rows> {
    if !is_superuser(context).await? {
        return Ok(Rows::new());
    }
    let queues = context.warehouse().wlm().queues().into_iter();
    let rows = queues.map(|queue| {
        row![queue.settings.class, queue.queued, queue.executing, queue.serviced, queue.executed, queue.evicted, 0]
    });
    Ok(rows.collect())
}

async fn classification_config(context: &Context) -> Result<Rows> {
    if !is_superuser(context).await? {
        return Ok(Rows::new());
    }
    let configuration = context.warehouse().wlm().configuration();
    let mut rules = Vec::new();
    let last = configuration.queues.len().saturating_sub(1);
    for (at, queue) in configuration.queues.iter().enumerate() {
        let matches = &queue.matches;
        let named = [
            ("user role", &matches.user_roles),
            ("user group", &matches.user_groups),
            ("query group", &matches.query_groups),
        ];
        if at == 0 {
            rules.push(("(super user) and (query group: superuser)".to_owned(), queue.class));
        }
        for (what, names) in named {
            rules.extend(names.iter().map(|name| (format!("({what}: {name})"), queue.class)));
        }
        if at == last {
            rules.push(("(querytype: any)".to_owned(), queue.class));
        }
    }
    let rows = rules.into_iter().zip(1..);
    Ok(rows.map(|((condition, class), id)| row![id, condition, 0, "assign", class]).collect())
}

async fn qmr_config(context: &Context) -> Result<Rows> {
    if !is_superuser(context).await? {
        return Ok(Rows::new());
    }
    let configuration = context.warehouse().wlm().configuration();
    let mut rows = Rows::new();
    for queue in &configuration.queues {
        for rule in &queue.rules {
            for predicate in &rule.predicates {
                rows.push(row![
                    queue.class,
                    &rule.name,
                    rule.action.name(),
                    predicate.metric_name(),
                    predicate.operator,
                    predicate.value as f64,
                    rule.action.value()
                ]);
            }
        }
    }
    Ok(rows)
}

/// The statements in the queues that the user may see.
async fn tasks(context: &Context) -> Result<Vec<TaskState>> {
    let everything = sees_all(context).await?;
    let mut tasks = context.warehouse().wlm().tasks();
    tasks.retain(|task| everything || task.applicant.user == context.who().user);
    Ok(tasks)
}

async fn query_state(context: &Context) -> Result<Rows> {
    let now = now_us();
    let rows = tasks(context).await?.into_iter().map(|task| {
        let state = match (task.exec_us, task.returning) {
            (None, _) => "QueuedWaiting",
            (Some(_), false) => "Running",
            (Some(_), true) => "Returning",
        };
        row![
            task.applicant.xid,
            task.task,
            task.applicant.query,
            task.class,
            task.applicant.slots,
            task.start_us,
            state,
            task.exec_us.unwrap_or(now) - task.queue_us,
            task.exec_us.map_or(0, |since| now - since),
            task.priority.map_or(NO_PRIORITY, |priority| priority.name())
        ]
    });
    Ok(rows.collect())
}

async fn query_queue_state(context: &Context) -> Result<Rows> {
    let now = now_us();
    let rows = tasks(context).await?.into_iter().filter_map(|task| {
        Some(row![
            task.class,
            task.position?,
            task.task,
            task.applicant.query,
            task.applicant.slots,
            task.queue_us,
            now - task.queue_us
        ])
    });
    Ok(rows.collect())
}

/// The statements that WLM had and that the user may see, oldest first.
async fn records(context: &Context) -> Result<Vec<QueryRecord>> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| !record.stays.is_empty() && (everything || record.user == *user));
    Ok(records)
}

async fn stl_wlm_query(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        for stay in &record.stays {
            let end = stay.end_us.unwrap_or(record.end_us);
            let queue_end = stay.exec_start_us.unwrap_or(end);
            rows.push(row![
                snapshot.principals().user_id(&record.user),
                record.xid,
                stay.task,
                record.query,
                stay.class,
                stay.slots,
                stay.queue_start_us,
                stay.queue_start_us,
                queue_end,
                queue_end - stay.queue_start_us,
                stay.exec_start_us,
                stay.exec_start_us.map(|_| end),
                stay.exec_start_us.map_or(0, |start| end - start),
                end,
                if stay.evicted { "Evicted" } else { "Completed" },
                NO_ESTIMATE,
                stay.priority.as_deref().unwrap_or(NO_PRIORITY),
                &stay.class_name
            ]);
        }
    }
    Ok(rows)
}

async fn stl_wlm_rule_action(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        for action in &record.rule_actions {
            rows.push(row![
                snapshot.principals().user_id(&record.user),
                record.query,
                action.class,
                &action.rule,
                &action.action,
                action.at_us,
                &action.value,
                &action.class_name
            ]);
        }
    }
    Ok(rows)
}

/// Statements that WLM refused or ended.
async fn stl_wlm_error(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let (Some(code), Some(error)) = (&record.sqlstate, &record.error) else { continue };
        let ended = code == "57014" && ["WLM queue", "query monitoring rule"].iter().any(|words| error.contains(words));
        if code == "53400" || ended {
            rows.push(row![snapshot.principals().user_id(&record.user), record.end_us, record.pid, error]);
        }
    }
    Ok(rows)
}

async fn query_task_state(context: &Context) -> Result<Rows> {
    let now = now_us();
    let rows = tasks(context).await?.into_iter().filter_map(|task| {
        let exec_us = task.exec_us?;
        Some(row![task.class, task.task, task.applicant.query, task.applicant.slots, exec_us, now - exec_us])
    });
    Ok(rows.collect())
}

async fn svl_query_queue_info(context: &Context) -> Result<Rows> {
    if !is_superuser(context).await? {
        return Ok(Rows::new());
    }
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        for stay in &record.stays {
            let end = stay.end_us.unwrap_or(record.end_us);
            let queued = (stay.exec_start_us.unwrap_or(end) - stay.queue_start_us) / 1_000_000;
            let ran = stay.exec_start_us.map_or(0, |start| end - start) / 1_000_000;
            rows.push(row![
                &record.database,
                record.query,
                record.xid,
                snapshot.principals().user_id(&record.user),
                record.text.chars().take(QUERY_TEXT).collect::<String>(),
                stay.queue_start_us,
                stay.exec_start_us,
                stay.class,
                stay.slots,
                queued,
                ran,
                queued + ran,
                0,
                0,
                &stay.class_name
            ]);
        }
    }
    Ok(rows)
}

const fn declare(
    name: &'static str,
    columns: &'static [(&'static str, super::Kind)],
    rows: super::table::Read,
) -> SystemTable {
    SystemTable { schema: PG_CATALOG, name, columns, rows }
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stv_wlm_service_class_config",
        &[
            ("service_class", Int4),
            ("queueing_strategy", Text),
            ("num_query_tasks", Int4),
            ("target_num_query_tasks", Int4),
            ("evictable", Text),
            ("eviction_threshold", Int8),
            ("query_working_mem", Int4),
            ("target_query_working_mem", Int4),
            ("min_step_mem", Int4),
            ("name", Text),
            ("max_execution_time", Int8),
            ("user_group_wild_card", Bool),
            ("query_group_wild_card", Bool),
            ("concurrency_scaling", Text),
            ("query_priority", Text),
            ("user_role_wild_card", Bool),
        ],
        |context| Box::pin(service_class_config(context)),
    ),
    declare(
        "stv_wlm_service_class_state",
        &[
            ("service_class", Int4),
            ("num_queued_queries", Int4),
            ("num_executing_queries", Int4),
            ("num_serviced_queries", Int4),
            ("num_executed_queries", Int4),
            ("num_evicted_queries", Int4),
            ("num_concurrency_scaling_queries", Int4),
        ],
        |context| Box::pin(service_class_state(context)),
    ),
    declare(
        "stv_wlm_classification_config",
        &[("id", Int4), ("condition", Text), ("action_seq", Int4), ("action", Text), ("action_service_class", Int4)],
        |context| Box::pin(classification_config(context)),
    ),
    declare(
        "stv_wlm_qmr_config",
        &[
            ("service_class", Int4),
            ("rule_name", Text),
            ("action", Text),
            ("metric_name", Text),
            ("metric_operator", Text),
            ("metric_value", Double),
            ("action_value", Text),
        ],
        |context| Box::pin(qmr_config(context)),
    ),
    declare(
        "stv_wlm_query_state",
        &[
            ("xid", Int4),
            ("task", Int4),
            ("query", Int4),
            ("service_class", Int4),
            ("slot_count", Int4),
            ("wlm_start_time", Time),
            ("state", Text),
            ("queue_time", Int8),
            ("exec_time", Int8),
            ("query_priority", Text),
        ],
        |context| Box::pin(query_state(context)),
    ),
    declare(
        "stv_wlm_query_queue_state",
        &[
            ("service_class", Int4),
            ("position", Int4),
            ("task", Int4),
            ("query", Int4),
            ("slot_count", Int4),
            ("start_time", Time),
            ("queue_time", Int8),
        ],
        |context| Box::pin(query_queue_state(context)),
    ),
    declare(
        "stv_wlm_query_task_state",
        &[
            ("service_class", Int4),
            ("task", Int4),
            ("query", Int4),
            ("slot_count", Int4),
            ("start_time", Time),
            ("exec_time", Int8),
        ],
        |context| Box::pin(query_task_state(context)),
    ),
    declare(
        "svl_query_queue_info",
        &[
            ("database", Text),
            ("query", Int4),
            ("xid", Int8),
            ("userid", Int4),
            ("querytxt", Text),
            ("queue_start_time", Time),
            ("exec_start_time", Time),
            ("service_class", Int4),
            ("slots", Int4),
            ("queue_elapsed", Int8),
            ("exec_elapsed", Int8),
            ("wlm_total_elapsed", Int8),
            ("commit_queue_elapsed", Int8),
            ("commit_exec_time", Int8),
            ("service_class_name", Text),
        ],
        |context| Box::pin(svl_query_queue_info(context)),
    ),
    declare(
        "stl_wlm_query",
        &[
            ("userid", Int4),
            ("xid", Int4),
            ("task", Int4),
            ("query", Int4),
            ("service_class", Int4),
            ("slot_count", Int4),
            ("service_class_start_time", Time),
            ("queue_start_time", Time),
            ("queue_end_time", Time),
            ("total_queue_time", Int8),
            ("exec_start_time", Time),
            ("exec_end_time", Time),
            ("total_exec_time", Int8),
            ("service_class_end_time", Time),
            ("final_state", Text),
            ("est_peak_mem", Int8),
            ("query_priority", Text),
            ("service_class_name", Text),
        ],
        |context| Box::pin(stl_wlm_query(context)),
    ),
    declare(
        "stl_wlm_rule_action",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("service_class", Int4),
            ("rule", Text),
            ("action", Text),
            ("recordtime", Time),
            ("action_value", Text),
            ("service_class_name", Text),
        ],
        |context| Box::pin(stl_wlm_rule_action(context)),
    ),
    declare(
        "stl_wlm_error",
        &[("userid", Int4), ("recordtime", Time), ("pid", Int4), ("error_string", Text)],
        |context| Box::pin(stl_wlm_error(context)),
    ),
];

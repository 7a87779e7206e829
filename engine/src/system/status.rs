//! How the process is that has the warehouse open: `millrace_status`, a number a row.
//!
//! For those who see what belongs to others. NULL is what is not limited.

use super::activity::declare;
use super::table::Kind::{Int8, Text};
use super::{Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::session::Context;
use datafusion::execution::memory_pool::MemoryLimit;

async fn status(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let warehouse = context.warehouse();
    let runtime = warehouse.base_state().runtime_env();
    let sessions = warehouse.sessions().list();
    let running = sessions.iter().filter(|session| session.running.is_some()).count();
    let (tasks, queues) = (warehouse.wlm().tasks(), warehouse.wlm().queues());
    let queued = tasks.iter().filter(|task| task.exec_us.is_none()).count();
    let memory_limit = match runtime.memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => Some(bytes as u64),
        _ => None,
    };
    let (results, result_bytes, most_result_bytes) = warehouse.results().size();
    let (unshipped, _) = warehouse.audit().unshipped();
    let numbers = [
        ("sessions", Some(sessions.len() as u64)),
        ("statements_running", Some(running as u64)),
        ("statements_queued", Some(queued as u64)),
        ("statements_in_slots", Some((tasks.len() - queued) as u64)),
        ("statements_executed", Some(queues.iter().map(|queue| queue.executed).sum())),
        ("statements_evicted", Some(queues.iter().map(|queue| queue.evicted).sum())),
        ("transactions", Some(warehouse.sessions().transactions().await.len() as u64)),
        ("memory_used_bytes", Some(runtime.memory_pool.reserved() as u64)),
        ("memory_limit_bytes", memory_limit),
        ("temporary_space_used_bytes", Some(runtime.disk_manager.used_disk_space())),
        ("temporary_space_limit_bytes", Some(runtime.disk_manager.max_temp_directory_size())),
        ("results_kept", Some(results as u64)),
        ("results_kept_bytes", Some(result_bytes as u64)),
        ("results_kept_limit_bytes", Some(most_result_bytes as u64)),
        ("plans_kept", Some(warehouse.plans().count())),
        ("journal_lost_records", Some(warehouse.journal().lost())),
        ("audit_lost_lines", Some(warehouse.audit().lost())),
        ("audit_files_waiting", Some(unshipped)),
    ];
    Ok(numbers.into_iter().map(|(name, value)| row![name, value]).collect())
}

pub(super) const TABLES: &[SystemTable] =
    &[declare("millrace_status", &[("name", Text), ("value", Int8)], |context| Box::pin(status(context)))];

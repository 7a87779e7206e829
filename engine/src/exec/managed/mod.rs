//! Statements over managed tables: their definitions, their rows, and the transactions they happen in.
//!
//! A change of rows is planned as a query that finds them (file and position) and computes their new values; then the
//! old positions are deleted and the new rows written as files of their own. Nothing is visible before the commit.

mod alter;
mod assign;
mod change;
mod checks;
mod constraints;
mod create;
mod drop_column;
mod few;
mod insert;
mod load;
mod merge;
mod numbers;
mod positions;
mod show;
mod snapshot;

pub(crate) use alter::alter_table;
pub(crate) use change::{append_rows, delete, plan_delete, plan_update, replace_rows, rows_for, truncate, update};
pub(crate) use create::{create_materialized, create_table};
pub(crate) use few::MOST_ROWS_OF_TABLE;
pub(crate) use insert::{insert, plan_insert};
pub(crate) use load::load;
pub(crate) use merge::{merge, plan_merge};
pub(crate) use show::show_table;
pub(crate) use snapshot::{create_snapshot, drop_snapshot, restore_table, show_snapshots};

use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Relation};
use crate::session::Context;
use crate::sql::ObjectName;
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// The managed table that a statement changes.
///
/// # Errors
/// `UndefinedTable`; `WrongObjectType` for external tables and views, materialized ones too.
async fn target(context: &Context, name: &ObjectName, verb: &str) -> Result<Arc<ManagedTable>> {
    match resolve::find_relation(context, name).await? {
        Relation::Managed(table) => {
            check_changeable(&table)?;
            note_target(context, &table);
            Ok(table)
        }
        Relation::Foreign(table) => Err(table.unchangeable()),
        Relation::Catalog(table) => {
            let message = format!("cannot {verb} \"{}\": it is not a managed table", table.name);
            Err(Error::new(ErrorKind::WrongObjectType, message))
        }
    }
}

/// Refuses to change a materialized view otherwise than by its query.
///
/// # Errors
/// `WrongObjectType`.
pub(super) fn check_changeable(table: &ManagedTable) -> Result<()> {
    if table.attributes.materialized.is_none() {
        return Ok(());
    }
    let message = format!("cannot change materialized view \"{}\"", table.name);
    Err(Error::new(ErrorKind::WrongObjectType, message).with_hint("use REFRESH MATERIALIZED VIEW"))
}

/// Tells whoever watches the statement that it changes a table.
fn note_target(context: &Context, table: &ManagedTable) {
    if let Some(work) = context.work() {
        work.note_target(table);
    }
}

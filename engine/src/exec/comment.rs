//! `COMMENT ON` and `LOCK`: what is said about a table, and the wish to be alone with it.

use super::ddl::now_ms;
use super::done;
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Comment, ObjectName};
use millrace_catalog::model::{ManagedTable, Table, TableKind};

/// `COMMENT ON TABLE|VIEW|COLUMN … IS …`.
pub(crate) async fn comment(context: &Context, comment: &Comment) -> Result<StatementResult> {
    let wrong =
        |name: &str, kind: &str| Err(Error::new(ErrorKind::WrongObjectType, format!("\"{name}\" is not a {kind}")));
    let missing = |table: &str, column: &str| {
        let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
        Error::new(ErrorKind::UndefinedColumn, message)
    };
    match resolve::find_relation(context, &comment.name).await? {
        Relation::Managed(table) => {
            if comment.view == Some(true) {
                return wrong(&table.name, "view");
            }
            let mut changed = ManagedTable::clone(&table);
            match &comment.column {
                None => changed.comment.clone_from(&comment.text),
                Some(name) => {
                    let column = changed.columns.iter_mut().find(|column| column.name == *name);
                    column.ok_or_else(|| missing(&table.name, name))?.comment.clone_from(&comment.text);
                }
            }
            context.transaction().lock().await.alter(context.warehouse(), &table, changed).await?;
        }
        Relation::Foreign(table) => return Err(table.unchangeable()),
        Relation::Catalog(table) => {
            context.check_no_block("COMMENT ON an external table or a view")?;
            let is_view = table.kind != TableKind::ExternalTable;
            if comment.view.is_some_and(|view| view != is_view) {
                return wrong(&table.name, if is_view { "table" } else { "view" });
            }
            let mut changed = Table { update_time_ms: now_ms(), ..Table::clone(&table) };
            match &comment.column {
                None => changed.description.clone_from(&comment.text),
                Some(name) => {
                    let mut columns = changed.storage.columns.iter_mut().chain(&mut changed.partition_keys);
                    let column = columns.find(|column| column.name == *name);
                    column.ok_or_else(|| missing(&table.name, name))?.comment.clone_from(&comment.text);
                }
            }
            context.catalog().update_table(&changed).await?;
        }
    }
    Ok(done(CommandTag::Verb("COMMENT"), vec![]))
}

/// `LOCK [TABLE] t, …`. Nobody waits: the tables count as read, so that the transaction fails at its commit (ERROR
/// 1023) when another has changed one of them since it began, and whoever has read them fails when it is first.
pub(crate) async fn lock(context: &Context, names: &[ObjectName]) -> Result<StatementResult> {
    context.check_block("LOCK TABLE")?;
    for name in names {
        match resolve::find_relation(context, name).await? {
            Relation::Managed(table) => context.transaction().lock().await.lock(&table),
            Relation::Foreign(table) => return Err(table.unchangeable()),
            Relation::Catalog(table) => {
                let message = format!("cannot lock \"{}\": it is not a managed table", table.name);
                return Err(Error::new(ErrorKind::WrongObjectType, message));
            }
        }
    }
    Ok(done(CommandTag::Verb("LOCK TABLE"), vec![]))
}

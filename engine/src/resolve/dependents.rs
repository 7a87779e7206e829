//! What reads what: the relations that views and materialized views name.

use super::{locate, path_of};
use crate::error::{Error, Result};
use crate::sql::{self, Dialect, ObjectName, Statement};
use datafusion::sql::sqlparser::ast;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{ManagedTable, MaterializedView, Table, TableKind};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The relations that a view's query names, by database and name; none for a query that cannot be read.
pub(crate) fn names_in_view(snapshot: &Snapshot, view: &Table) -> Vec<(String, String)> {
    let TableKind::VirtualView { text, dialect, search_database } = &view.kind else { return Vec::new() };
    match dialect.parse::<Dialect>() {
        Ok(dialect) => names_in(snapshot, text, dialect, search_database),
        Err(_) => Vec::new(),
    }
}

/// The relations that a materialized view's query names, by database and name.
pub(crate) fn names_in_materialized(snapshot: &Snapshot, view: &MaterializedView) -> Vec<(String, String)> {
    names_in(snapshot, &view.text, Dialect::Redshift, &view.search_path)
}

fn names_in(snapshot: &Snapshot, text: &str, dialect: Dialect, path: &str) -> Vec<(String, String)> {
    let Ok(mut parsed) = sql::parse(text, dialect) else { return Vec::new() };
    let Some(Statement::Query(query)) = parsed.pop().map(|parsed| parsed.statement) else { return Vec::new() };
    let (mut found, path) = (Vec::new(), path_of(path));
    let _: ControlFlow<()> = ast::visit_relations(&*query, |name| {
        let parts = name.0.iter().filter_map(|part| part.as_ident());
        let name = ObjectName { parts: parts.map(|ident| ident.value.to_lowercase()).collect(), position: 0 };
        found.extend(locate(snapshot, &name, &path).ok());
        ControlFlow::Continue(())
    });
    found
}

/// Whether a query reads a table or view, itself or through views.
pub(crate) fn reads(snapshot: &Snapshot, query: &ast::Query, path: &[String], target: (&str, &str)) -> Result<bool> {
    let mut names: Vec<Vec<String>> = Vec::new();
    let _: ControlFlow<()> = ast::visit_relations(query, |name| {
        let parts = name.0.iter().filter_map(|part| part.as_ident());
        let mut parts: Vec<String> = parts.map(|ident| ident.value.to_lowercase()).collect();
        if let Some(last) = parts.last_mut()
            && let Some((name, _)) = sql::moment_of(last)
        {
            *last = name.to_owned();
        }
        names.push(parts);
        ControlFlow::Continue(())
    });
    for parts in names {
        let name = ObjectName { parts, position: 0 };
        let Ok((database, table)) = locate(snapshot, &name, path) else { continue };
        if (database.as_str(), table.as_str()) == target {
            return Ok(true);
        }
        let Some(view) = snapshot.table(&database, &table) else { continue };
        if let TableKind::VirtualView { text, dialect, search_database } = &view.kind {
            let dialect: Dialect = dialect.parse().map_err(Error::internal)?;
            let parsed = sql::parse(text, dialect)?.pop().map(|parsed| parsed.statement);
            if let Some(Statement::Query(query)) = parsed
                && reads(snapshot, &query, &path_of(search_database), target)?
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The views that read a table or view, themselves or through others. Late-binding ones do not count.
pub(crate) fn dependents(snapshot: &Snapshot, target: (&str, &str)) -> Result<Vec<Arc<Table>>> {
    let mut found = Vec::new();
    for view in snapshot.all_tables() {
        let TableKind::VirtualView { text, dialect, search_database } = &view.kind else { continue };
        if view.storage.columns.is_empty() || dialect != Dialect::Redshift.name() {
            continue;
        }
        // What does not name it may still read it through another view; a table is named by some view's text.
        let parsed = sql::parse(text, Dialect::Redshift)?.pop().map(|parsed| parsed.statement);
        if let Some(Statement::Query(query)) = parsed
            && reads(snapshot, &query, &path_of(search_database), target)?
        {
            found.push(Arc::clone(view));
        }
    }
    Ok(found)
}

/// The materialized views among managed tables that read a table or view, themselves or through views.
pub(crate) fn materialized_dependents<'t>(
    snapshot: &Snapshot,
    tables: impl Iterator<Item = &'t Arc<ManagedTable>>,
    target: (&str, &str),
) -> Result<Vec<Arc<ManagedTable>>> {
    let mut found = Vec::new();
    for table in tables {
        let Some(view) = &table.attributes.materialized else { continue };
        let parsed = sql::parse(&view.text, Dialect::Redshift)?.pop().map(|parsed| parsed.statement);
        if let Some(Statement::Query(query)) = parsed
            && reads(snapshot, &query, &path_of(&view.search_path), target)?
        {
            found.push(Arc::clone(table));
        }
    }
    Ok(found)
}

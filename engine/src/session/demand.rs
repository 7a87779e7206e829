//! What a statement is to the queues of WLM: whether it needs slots, and what is known of it before it runs.

use crate::error::Result;
use crate::sql::{Explain, MaterializedViewStatement, ParsedStatement, Statement};
use crate::system;
use crate::wlm::{self, Features, Kind};
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor};
use millrace_catalog::{Catalog, Snapshot};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What a statement is to the queues; `None` when it passes them by.
pub(super) fn demand(statement: &Statement) -> Option<Kind> {
    match statement {
        Statement::Query(query) => reads_tables(query).then_some(Kind::Query),
        Statement::Explain(Explain { analyze: true, statement, .. }) => demand(statement).map(|_| Kind::Change),
        Statement::CreateTableAs(_) => Some(Kind::CreateTableAs),
        Statement::CreateTable(create) => create.query.is_some().then_some(Kind::CreateTableAs),
        Statement::MaterializedView(view) => {
            let is_of_rows =
                matches!(view, MaterializedViewStatement::Create { .. } | MaterializedViewStatement::Refresh { .. });
            is_of_rows.then_some(Kind::Change)
        }
        Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_)
        | Statement::Unload(_)
        | Statement::CopyOut(_) => Some(Kind::Change),
        Statement::Copy(_)
        | Statement::CopyIn(_)
        | Statement::Analyze(_)
        | Statement::Vacuum(_)
        | Statement::AnalyzeCompression(_) => Some(Kind::Continues),
        _ => None,
    }
}

/// What a query reads.
#[derive(Default)]
struct Relations {
    /// The names of WITH.
    named: BTreeSet<String>,
    read: Vec<ast::ObjectName>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let Some(with) = &query.with else { return ControlFlow::Continue(()) };
        if with.recursive {
            return ControlFlow::Break(());
        }
        self.named.extend(with.cte_tables.iter().map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> ControlFlow<()> {
        self.read.push(relation.clone());
        ControlFlow::Continue(())
    }
}

/// Whether a query reads more than system tables, or computes for itself without end.
fn reads_tables(query: &ast::Query) -> bool {
    let mut relations = Relations::default();
    if query.visit(&mut relations).is_break() {
        return true;
    }
    relations.read.iter().any(|name| {
        let parts: Option<Vec<&str>> =
            name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
        match parts.as_deref() {
            Some([name]) => !relations.named.contains(*name) && system::find(None, name).is_none(),
            Some([schema, name] | [_, schema, name]) => system::find(Some(schema), name).is_none(),
            _ => true,
        }
    })
}

/// The query of a statement that does nothing else, or keeps its rows.
fn query_of(statement: &Statement) -> Option<&ast::Query> {
    match statement {
        Statement::Query(query) => Some(query),
        Statement::CreateTableAs(create) => Some(&create.query),
        Statement::CreateTable(create) => create.query.as_deref(),
        _ => None,
    }
}

/// What is known of a query before it runs.
pub(super) async fn features(
    catalog: &Catalog,
    snapshot: &Snapshot,
    parsed: &ParsedStatement,
    database: &str,
) -> Result<Option<Features>> {
    let Some(query) = query_of(&parsed.statement) else { return Ok(None) };
    let mut features = Features { shape: wlm::shape(&parsed.text), tables: 0, rows: Some(0) };
    let mut relations = Relations::default();
    if query.visit(&mut relations).is_break() {
        features.rows = None;
        return Ok(Some(features));
    }
    for name in &relations.read {
        let parts: Vec<&str> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect();
        let (schema, table) = match parts.as_slice() {
            [table] if relations.named.contains(*table) => continue,
            [table] => (database, *table),
            [schema, table] | [_, schema, table] => (*schema, *table),
            _ => continue,
        };
        features.tables += 1;
        let rows = rows_of(catalog, snapshot, schema, table).await?;
        features.rows = features.rows.zip(rows).map(|(sum, rows)| sum + rows);
    }
    Ok(Some(features))
}

/// The rows that a table was found to have.
async fn rows_of(catalog: &Catalog, snapshot: &Snapshot, schema: &str, table: &str) -> Result<Option<u64>> {
    let Some(database) = snapshot.resolve_schema(schema) else { return Ok(None) };
    if let Some(managed) = snapshot.managed_table(&database.name, table) {
        return Ok(catalog.estimates(managed.id).await?.analysis.as_ref().map(|analysis| analysis.row_count));
    }
    let external = snapshot.table(&database.name, table).and_then(|table| snapshot.statistics(table.id));
    Ok(external.map(|statistics| statistics.row_count))
}

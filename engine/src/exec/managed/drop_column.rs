//! `ALTER TABLE … DROP COLUMN`: what depends on the column keeps it there, or with CASCADE goes with it.
//!
//! As Redshift's documentation has it, these are views (plain and materialized ones) that read the column, foreign keys
//! that reference it, and keys of several columns that it is one of; a key of its own goes with it. A view reads a column
//! when its query, planned without that column, is another one or none. Late-binding views depend on nothing.

use super::{assign, constraints};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::done;
use crate::resolve::{self, Dependent, Ground, RelationName};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, RightsChange, is_temporary};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{OptimizerContext, OptimizerRule};
use millrace_catalog::model::{DistributionStyle, ManagedTable, Securable, SortKey};
use std::sync::Arc;

/// `ALTER TABLE t DROP [COLUMN] c [CASCADE|RESTRICT]`
pub(super) async fn execute(
    context: &Context,
    table: &Arc<ManagedTable>,
    name: &str,
    cascade: bool,
) -> Result<StatementResult> {
    let mut changed = ManagedTable::clone(table);
    let mut dependents = drop_keys(&mut changed, name)?;
    let (of_others, others) =
        if is_temporary(table) { (Vec::new(), Vec::new()) } else { referrers(context, table, name).await? };
    dependents.extend(of_others);
    drop_column(&mut changed, name)?;
    changed.attributes.constraints.retain(|text| !constraints::references(text, &table.schema, table, name));
    refuse(table, name, &dependents, cascade)?;
    let before = plans(context, table).await?;
    let warehouse = context.warehouse();
    context.transaction().lock().await.alter(warehouse, table, changed).await?;
    let views = readers(context, before).await?;
    let dependents: Vec<String> = views.iter().map(|view| format!("{} {}", view.kind(), view.name().1)).collect();
    refuse(table, name, &dependents, cascade)?;
    let mut transaction = context.transaction().lock().await;
    for (other, changed) in others {
        transaction.alter(warehouse, &other, changed).await?;
    }
    for view in views {
        match &view {
            Dependent::View(view) => transaction.drop_view(warehouse, view).await?,
            Dependent::Materialized(view) => transaction.drop_table(warehouse, view)?,
        }
        let (schema, name) = view.name();
        let gone = Securable::Table(schema, name);
        transaction.change_rights(warehouse, RightsChange::new(move |principals| principals.forget(&gone))).await?;
    }
    Ok(done(CommandTag::Verb("ALTER TABLE"), vec![]))
}

/// Refuses to drop a column that something depends on.
fn refuse(table: &ManagedTable, column: &str, dependents: &[String], cascade: bool) -> Result<()> {
    if cascade || dependents.is_empty() {
        return Ok(());
    }
    let message = format!("cannot drop column {column} of table {} because other objects depend on it", table.name);
    let detail = dependents.iter().map(|object| format!("{object} depends on column {column} of table {}", table.name));
    Err(Error::new(ErrorKind::DependentObjects, message)
        .with_detail(detail.collect::<Vec<_>>().join("\n"))
        .with_hint("use DROP ... CASCADE to drop the dependent objects too"))
}

/// Takes away the table's own constraints that name the column; those that depend on it.
fn drop_keys(table: &mut ManagedTable, column: &str) -> Result<Vec<String>> {
    assign::column(table, column)?;
    let (gone, kept): (Vec<String>, Vec<String>) = std::mem::take(&mut table.attributes.constraints)
        .into_iter()
        .partition(|text| constraints::columns(text).any(|known| known == column));
    table.attributes.constraints = kept;
    let multipart = gone.iter().filter(|text| constraints::columns(text).count() > 1);
    Ok(multipart.map(|text| format!("constraint {}", constraints::name(table, text))).collect())
}

/// The foreign keys that reference the column, and the other tables without them.
async fn referrers(
    context: &Context,
    table: &Arc<ManagedTable>,
    column: &str,
) -> Result<(Vec<String>, Vec<(Arc<ManagedTable>, ManagedTable)>)> {
    let snapshot = context.snapshot().await?;
    let mut transaction = context.transaction().lock().await;
    let (mut names, mut others) = (Vec::new(), Vec::new());
    for database in snapshot.databases() {
        for other in transaction.tables(context.warehouse(), &database.name).await? {
            let references = |text: &String| constraints::references(text, &other.schema, table, column);
            let mut changed = ManagedTable::clone(&other);
            changed.attributes.constraints.retain(|text| !references(text));
            let keys = other.attributes.constraints.iter().filter(|text| references(text));
            names.extend(keys.map(|text| format!("constraint {}", constraints::name(&other, text))));
            if changed != *other && other.id != table.id {
                others.push((other, changed));
            }
        }
    }
    Ok((names, others))
}

fn drop_column(table: &mut ManagedTable, name: &str) -> Result<()> {
    let at = assign::column(table, name)?;
    let id = table.columns[at].id;
    let keyed = match &table.attributes.distribution {
        DistributionStyle::Key { column } => *column == id,
        _ => false,
    };
    let sorted = match &table.attributes.sort_key {
        SortKey::Compound { columns } | SortKey::Interleaved { columns } => columns.contains(&id),
        _ => false,
    };
    if keyed || sorted {
        let key = if keyed { "distribution" } else { "sort" };
        let message = format!("cannot drop the {key} key column \"{name}\"");
        return Err(Error::new(ErrorKind::DependentObjects, message));
    }
    if table.columns.len() == 1 {
        let message = format!("cannot drop the only column of relation \"{}\"", table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    table.columns.remove(at);
    let chosen = &mut table.attributes.chosen;
    chosen.sort.retain(|column| *column != id);
    chosen.distribution = chosen.distribution.filter(|column| *column != id);
    Ok(())
}

/// The views that read a table, with the plans of their queries; one that cannot be read any more depends on nothing.
async fn plans(context: &Context, table: &ManagedTable) -> Result<Vec<(Dependent, String)>> {
    if is_temporary(table) || !context.dialect().rules().keeps_dependents {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let name: RelationName = (table.schema.clone(), table.name.clone());
    for view in resolve::dependents(context, Ground::Relation(&name)).await? {
        if let Ok(plan) = view.plan(context).await {
            found.push((view, shown(plan)));
        }
    }
    Ok(found)
}

/// A plan as text, without the columns that a join takes along and nobody reads.
fn shown(plan: LogicalPlan) -> String {
    let read = OptimizeProjections::new().rewrite(plan.clone(), &OptimizerContext::new());
    read.map_or(plan, |read| read.data).display_indent().to_string()
}

/// Those of the views whose queries have become others, and those that read these.
async fn readers(context: &Context, before: Vec<(Dependent, String)>) -> Result<Vec<Dependent>> {
    let mut found: Vec<Dependent> = Vec::new();
    for (view, plan) in before {
        let same = match view.plan(context).await {
            Ok(now) => shown(now) == plan,
            Err(_) => false,
        };
        if same {
            continue;
        }
        let above = resolve::dependents(context, Ground::Relation(&view.name())).await?;
        for view in [view].into_iter().chain(above) {
            if found.iter().all(|known| known.name() != view.name()) {
                found.push(view);
            }
        }
    }
    Ok(found)
}

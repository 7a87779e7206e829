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
use millrace_catalog::model::{Constraint, DistributionStyle, ManagedTable, Securable, SortKey};
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
    dependents.extend(drop_references(&mut changed, table, name));
    let mut others = Vec::new();
    for other in constraints::referrers(context, table).await? {
        let mut without = ManagedTable::clone(&other);
        dependents.extend(drop_references(&mut without, table, name));
        if without != *other {
            others.push((other, without));
        }
    }
    drop_column(&mut changed, name)?;
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
    let gone = take(table, |constraint| constraint.columns.iter().any(|name| name == column));
    let multipart = gone.iter().filter(|(_, constraint)| constraint.columns.len() > 1);
    Ok(multipart.map(|(name, _)| format!("constraint {name}")).collect())
}

/// Takes away a table's foreign keys that reference the column of another one, or of the table itself, and tells them.
fn drop_references(from: &mut ManagedTable, table: &ManagedTable, column: &str) -> Vec<String> {
    let schema = from.schema.clone();
    let gone = take(from, |constraint| constraints::references(constraint, &schema, table, column));
    gone.iter().map(|(name, _)| format!("constraint {name}")).collect()
}

/// Takes constraints out of a table, with their names.
fn take(table: &mut ManagedTable, wanted: impl Fn(&Constraint) -> bool) -> Vec<(String, Constraint)> {
    let names = table.constraint_names();
    let all = names.into_iter().zip(std::mem::take(&mut table.attributes.constraints));
    let (gone, kept): (Vec<_>, Vec<_>) = all.partition(|(_, constraint)| wanted(constraint));
    table.attributes.constraints = kept.into_iter().map(|(_, constraint)| constraint).collect();
    gone
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

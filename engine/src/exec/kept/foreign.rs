//! Queries for rows of a foreign table by their keys, as applications ask them again and again with other keys: they are run
//! without the planner, which may take longer than the system that is asked.
//!
//! What is asked of the system is made of a statement's values alone. That it is what the planner would ask is seen once, of
//! the values that the query came with first; whether the system decides all of it is asked each time.

use super::{Planned, is_settled, standing, values};
use crate::error::Result;
use crate::exec::repeatable;
use crate::federated::{ForeignTable, Place};
use crate::kept_plans::{ForeignLookup, Kept, KeysAsked, PlanKey};
use crate::session::Context;
use crate::sql::{Bound, Statement, key_query};
use crate::tables::SqlType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, TableScan};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::sql::sqlparser::ast;
use millrace_catalog::Snapshot;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// Keeps how a query looks up rows of a foreign table, if it does that and nothing else; `plan` is its own, optimized.
pub(super) async fn keep(
    context: &Context,
    key: &PlanKey,
    bound: &Bound,
    (query, plan, declared): (&ast::Query, &LogicalPlan, &[Option<SqlType>]),
) -> Result<()> {
    let Some(asked) = asked(plan, bound) else { return Ok(()) };
    let Some(read_of) = repeatable::planned_of(context, query).await? else { return Ok(()) };
    if is_settled(context, &read_of) {
        let (confirmed, declared) = (AtomicI64::new(read_of.manifest), declared.to_vec());
        let lookup = ForeignLookup { asked, declared, read_of, confirmed };
        context.warehouse().plans().keep(key, Kept::Foreign(Arc::new(lookup)));
    }
    Ok(())
}

/// What a query asks of a foreign table, if its plan is to ask for exactly the rows whose columns equal its parameters.
fn asked(plan: &LogicalPlan, bound: &Bound) -> Option<KeysAsked> {
    let Given { chosen, names, scan } = given(plan)?;
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<ForeignTable>()?;
    if scan.fetch.is_some() || table.is_stream() {
        return None;
    }
    let Statement::Query(query) = &bound.statement.statement else { return None };
    let columns = table.columns();
    // As it is written, or as names without quotes are folded.
    let place_of = |name: &str| columns.index_of(name).or_else(|_| columns.index_of(&name.to_lowercase())).ok();
    let keys = key_query::keys(query)?.into_iter().map(|(name, place)| Some((place_of(name)?, place)));
    let keys: Vec<(usize, usize)> = keys.collect::<Option<_>>()?;
    // Each parameter is the value of one column.
    if keys.len() != bound.values.len() || (0..keys.len()).any(|place| !keys.iter().any(|(_, found)| *found == place)) {
        return None;
    }
    let asked = KeysAsked {
        schema: table.schema.clone(),
        table: scan.table_name.table().to_owned(),
        columns: Arc::clone(columns),
        chosen,
        names,
        keys,
    };
    let own = table.key_predicates(&values_of(&asked, bound)?)?;
    let planned = table.exact_predicates(&scan.filters)?;
    let is_same = own.len() == planned.len() && own.iter().all(|predicate| planned.contains(predicate));
    is_same.then_some(asked)
}

/// Columns of a table as a plan gives them.
struct Given<'a> {
    /// Their places in the table.
    chosen: Vec<usize>,
    names: Vec<String>,
    scan: &'a TableScan,
}

/// What a plan gives, if that is columns of one table as they are, each once.
fn given(plan: &LogicalPlan) -> Option<Given<'_>> {
    let given = match plan {
        LogicalPlan::SubqueryAlias(alias) => given(&alias.input)?,
        LogicalPlan::Projection(projection) => {
            let below = given(&projection.input)?;
            let columns = projection.input.schema();
            let place = |expr: &Expr| {
                let column = match expr {
                    Expr::Alias(alias) if alias.metadata.is_none() => alias.expr.as_ref(),
                    expr => expr,
                };
                let Expr::Column(column) = column else { return None };
                below.chosen.get(columns.maybe_index_of_column(column)?).copied()
            };
            let chosen = projection.expr.iter().map(place).collect::<Option<_>>()?;
            let names = projection.schema.fields().iter().map(|field| field.name().clone()).collect();
            Given { chosen, names, scan: below.scan }
        }
        LogicalPlan::TableScan(scan) => {
            let all = || (0..scan.source.schema().fields().len()).collect();
            let names = scan.projected_schema.fields().iter().map(|field| field.name().clone()).collect();
            Given { chosen: scan.projection.clone().unwrap_or_else(all), names, scan }
        }
        _ => return None,
    };
    let mut seen = HashSet::new();
    given.chosen.iter().all(|column| seen.insert(*column)).then_some(given)
}

/// A plan whose columns have other names, where they are others.
fn named(plan: Arc<dyn ExecutionPlan>, names: &[String]) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if schema.fields().iter().map(|field| field.name()).eq(names) {
        return Ok(plan);
    }
    let renamed = schema.fields().iter().zip(names).enumerate().map(|(at, (field, name))| ProjectionExpr {
        expr: Arc::new(Column::new(field.name(), at)),
        alias: name.clone(),
    });
    Ok(Arc::new(ProjectionExec::try_new(renamed, plan)?))
}

/// The columns that are equal to something, and to what; `None` where a value is not surely one of its column's type.
fn values_of(asked: &KeysAsked, bound: &Bound) -> Option<Vec<(usize, ScalarValue)>> {
    let value = |(column, place): &(usize, usize)| {
        let data_type = asked.columns.field(*column).data_type();
        let is_compared = values::compares(bound.types.get(*place)?, data_type);
        let value = values::value(bound.values.get(*place)?.as_deref(), data_type).filter(|_| is_compared)?;
        Some((*column, value))
    };
    asked.keys.iter().map(value).collect()
}

/// A query by what is kept of it, if that is still good and the statement's values fit.
pub(super) async fn find(context: &Context, key: &PlanKey, kept: &ForeignLookup) -> Result<Option<Planned>> {
    let Some(bound) = context.bound() else { return Ok(None) };
    let Some(snapshot) = standing(context, key, &kept.read_of, &kept.confirmed).await? else { return Ok(None) };
    // What is wrong with the table, or with a value, is the planner's to tell.
    let asked = &kept.asked;
    let Some(table) = table_now(context, &snapshot, asked).await else { return Ok(None) };
    if *table.columns() != asked.columns {
        context.warehouse().plans().keep(key, Kept::Seen);
        return Ok(None);
    }
    let predicates = values_of(asked, bound).and_then(|values| table.key_predicates(&values));
    let Some(predicates) = predicates else { return Ok(None) };
    let Some(physical) = table.look_up(predicates, &asked.chosen, context.state().config()).await? else {
        return Ok(None);
    };
    let physical = named(physical, &asked.names)?;
    let none = EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) };
    Ok(Some(Planned {
        plan: LogicalPlan::EmptyRelation(none),
        arranged: None,
        physical: Some(physical),
        due: None,
        declared: kept.declared.clone(),
        read_of: None,
        is_lookup: false,
        is_row: false,
    }))
}

/// The table as its system tells of it now, or told a moment ago.
async fn table_now(context: &Context, snapshot: &Snapshot, asked: &KeysAsked) -> Option<Arc<ForeignTable>> {
    let KeysAsked { schema, table, .. } = asked;
    let sources = context.sources();
    if let Some(declared) = snapshot.table(schema, table) {
        return sources.declared(declared, Place::of_table(declared)?, snapshot).await.ok();
    }
    sources.table(snapshot.database(schema)?, table).await.ok().flatten()
}

//! `EXPLAIN`: the plan that would run, in the form that is asked for.
//!
//! Redshift's dialect has Redshift's steps (`XN Hash Join DS_DIST_NONE …`), made of the physical plan ([`redshift`]) and
//! written by [`render`]; Athena's has the operators themselves ([`datafusion`]), which every dialect gives as
//! `FORMAT DATAFUSION` and for `ANALYZE`.

mod datafusion;
mod redshift;
mod render;
mod step;

use super::{managed, query, rows, write};
use crate::error::{Error, Result};
use crate::optimize::JoinEstimates;
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::session::Context;
use crate::sql::{Dialect, Explain, ExplainFormat, Statement};
use ::datafusion::logical_expr::LogicalPlan;
use ::datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;
use std::time::Instant;

/// One of a statement's plans.
struct Planned {
    /// What it is for, where there are several.
    part: Option<&'static str>,
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    /// What is estimated of its joins.
    joins: JoinEstimates,
}

/// Explains a statement.
pub(crate) async fn execute(context: &Context, explain: &Explain) -> Result<StatementResult> {
    let started = Instant::now();
    let mut plans = Vec::new();
    for (part, logical) in logical_plans(context, explain).await? {
        let (physical, joins) = query::estimated_plan(context, &logical).await?;
        plans.push(Planned { part, logical, physical, joins });
    }
    let planned = started.elapsed();
    let lines = match explain.format {
        Some(ExplainFormat::Json) => vec![render::json(&parts(context, explain, &plans).await?)],
        Some(ExplainFormat::Graphviz) => vec![render::graphviz(&parts(context, explain, &plans).await?)],
        None | Some(ExplainFormat::Text) if context.dialect() == Dialect::Redshift && !explain.analyze => {
            render::text(&parts(context, explain, &plans).await?)
        }
        _ => datafusion::lines(context, explain, &plans, planned).await?,
    };
    // Names of our own have a mark that is no character to print.
    rows::text("EXPLAIN", &["QUERY PLAN"], lines.into_iter().map(|line| [line.replace('\u{1}', " ")]))
}

async fn parts(context: &Context, explain: &Explain, plans: &[Planned]) -> Result<Vec<step::Part>> {
    let mut parts = Vec::with_capacity(plans.len());
    for Planned { part, logical, physical, joins } in plans {
        parts.push(redshift::part(context, *part, (logical, physical, joins), explain.verbose).await?);
    }
    Ok(parts)
}

/// The plans of a statement that reads or writes rows, before optimisation.
pub(crate) async fn plans_of(context: &Context, statement: &Statement) -> Result<Vec<LogicalPlan>> {
    let statement = Box::new(statement.clone());
    let explain = Explain { analyze: false, verbose: false, format: None, statement };
    Ok(logical_plans(context, &explain).await?.into_iter().map(|(_, plan)| plan).collect())
}

/// The plans of a statement; where there are several, each with what it is for.
async fn logical_plans(context: &Context, explain: &Explain) -> Result<Vec<(Option<&'static str>, LogicalPlan)>> {
    let plan = match explain.statement.as_ref() {
        Statement::Query(query) => query::logical_plan(context, query).await?,
        _ if explain.analyze => return Err(Error::unsupported("EXPLAIN ANALYZE of a statement that writes")),
        Statement::Insert(insert) => match (resolve::find_relation(context, &insert.table).await?, &insert.query) {
            (Relation::Managed(table), _) => managed::plan_insert(context, &table, insert).await?,
            (Relation::Catalog(_), Some(query)) => query::logical_plan(context, query).await?,
            (Relation::Catalog(_), None) => return Err(Error::unsupported(write::DEFAULT_VALUES)),
        },
        Statement::CreateTableAs(create) => query::logical_plan(context, &create.query).await?,
        Statement::Update(update) => managed::plan_update(context, update).await?.1,
        Statement::Delete(delete) => managed::plan_delete(context, delete).await?.1,
        Statement::Merge(merge) => {
            let plans = managed::plan_merge(context, merge).await?.1;
            let matched = plans.matched.map(|plan| (Some("When matched"), plan));
            let inserted = plans.inserted.map(|plan| (Some("Insert"), plan));
            return Ok(matched.into_iter().chain(inserted).collect());
        }
        Statement::CreateTable(create) => match &create.query {
            Some(query) => query::logical_plan(context, query).await?,
            None => return Err(Error::unsupported("EXPLAIN of a CREATE TABLE without a query")),
        },
        _ => return Err(Error::unsupported("EXPLAIN of a statement that is no query")),
    };
    Ok(vec![(None, plan)])
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024. && unit + 1 < UNITS.len() {
        value /= 1024.;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_for_people() {
        assert_eq!((size(0), size(1023), size(1536)), ("0 B".to_owned(), "1023 B".to_owned(), "1.5 KiB".to_owned()));
    }
}

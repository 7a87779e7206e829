//! `EXPLAIN`: the plan that would run, in the form that is asked for.
//!
//! Redshift's dialect has Redshift's steps (`XN Hash Join DS_DIST_NONE …`), made of the physical plan ([`redshift`]) and
//! written by [`render`]; Athena's has the operators themselves ([`datafusion`]), which every dialect gives as
//! `FORMAT DATAFUSION`. JSON and graphs have Redshift's steps in both. `ANALYZE` runs the statement: of a query the plan
//! that is shown, of what changes rows all of it, and then shows the plans that it had.

mod datafusion;
mod io;
pub(crate) mod record;
mod redshift;
mod render;
mod step;

use super::{managed, progress, query, rows, write};
use crate::error::{Error, Result};
use crate::optimize::JoinEstimates;
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Dialect, Explain, ExplainFormat, ExplainType, Statement};
use crate::tables;
use ::datafusion::logical_expr::LogicalPlan;
use ::datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    if explain.analyze && !matches!(*explain.statement, Statement::Query(_)) {
        return changed(context, explain).await;
    }
    let started = Instant::now();
    let mut plans = Vec::new();
    for (part, logical) in logical_plans(context, explain).await? {
        let (physical, joins) = query::estimated_plan(context, &logical).await?;
        plans.push(Planned { part, logical, physical, joins });
    }
    let planned = started.elapsed();
    let shows_steps = context.dialect().rules().explains_steps;
    let lines = match explain.format {
        _ if explain.shows == ExplainType::Validate => return rows::boolean("EXPLAIN", VALID, true),
        _ if explain.shows == ExplainType::Io => {
            let (steps, target) = (steps(context, explain, &plans).await?, write::target_name(&explain.statement));
            vec![io::text(context, &plans, &steps, target)?]
        }
        _ if explain.shows == ExplainType::Logical => datafusion::logical_lines(context, &plans).await?,
        Some(ExplainFormat::Json) => vec![render::json(&steps(context, explain, &plans).await?.parts)],
        Some(ExplainFormat::Graphviz) => vec![render::graphviz(&steps(context, explain, &plans).await?.parts)],
        None | Some(ExplainFormat::Text) if shows_steps => {
            let Steps { parts, ran } = steps(context, explain, &plans).await?;
            let mut lines = render::text(&parts);
            lines.extend(ran.iter().flat_map(|ran| times(planned, Some(ran))));
            lines
        }
        _ => datafusion::lines(context, explain, &plans, planned).await?,
    };
    shown(context, lines)
}

/// The lines of an EXPLAIN as its result.
fn shown(context: &Context, lines: Vec<String>) -> Result<StatementResult> {
    // Names of our own have a mark that is no character to print.
    rows::text("EXPLAIN", &[column(context.dialect())], lines.into_iter().map(|line| [line.replace('\u{1}', " ")]))
}

/// Runs a statement that changes rows, and shows the plans that did it.
async fn changed(context: &Context, explain: &Explain) -> Result<StatementResult> {
    // A statement within an open query runs in that one's work.
    let before = context.work().map_or(0, |work| work.plans().len());
    let started = Instant::now();
    let result = Box::pin(super::execute(context, &explain.statement)).await?;
    let elapsed = started.elapsed();
    let plans = context.work().map(|work| work.plans().split_off(before)).unwrap_or_default();
    let rows = match result.tag {
        CommandTag::Insert(rows) | CommandTag::Count(_, rows) => rows,
        _ => 0,
    };
    let ended = execution_time(elapsed, rows);
    let shows_steps = context.dialect().rules().explains_steps;
    let lines = match explain.format {
        Some(ExplainFormat::Json) => vec![render::json(&ran_steps(context, explain, &plans).await?)],
        Some(ExplainFormat::Graphviz) => vec![render::graphviz(&ran_steps(context, explain, &plans).await?)],
        None | Some(ExplainFormat::Text) if shows_steps => {
            let mut lines = render::text(&ran_steps(context, explain, &plans).await?);
            lines.push(ended);
            lines
        }
        _ => {
            let mut lines = datafusion::ran_lines(context, explain, &plans).await?;
            lines.push(ended);
            lines
        }
    };
    Ok(StatementResult { notices: result.notices, ..shown(context, lines)? })
}

/// Plans that a statement has run to change rows, as steps.
async fn ran_steps(context: &Context, explain: &Explain, plans: &[Arc<dyn ExecutionPlan>]) -> Result<Vec<step::Part>> {
    let mut scans = Vec::new();
    for plan in plans {
        scans_of(plan, &mut scans);
    }
    let counters = counted(context, &scans).await?;
    let wanted = redshift::Shown { costs: explain.costs, verbose: explain.verbose, counters: Some(&counters) };
    let slices = context.state().config().target_partitions();
    Ok(plans.iter().map(|plan| redshift::ran(plan, slices, wanted)).collect())
}

/// The columns of what an EXPLAIN gives, and no rows.
pub(crate) fn described(dialect: Dialect, explain: &Explain) -> Result<StatementResult> {
    match explain.shows {
        ExplainType::Validate => rows::boolean("EXPLAIN", VALID, true),
        _ => rows::text("EXPLAIN", &[column(dialect)], []),
    }
}

/// What Trino calls the column of `TYPE VALIDATE`.
const VALID: &str = "Valid";

/// What each calls the column of its plans.
fn column(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Redshift => "QUERY PLAN",
        Dialect::Athena => "Query Plan",
    }
}

/// The plans as steps.
struct Steps {
    parts: Vec<step::Part>,
    ran: Option<Ran>,
}

async fn steps(context: &Context, explain: &Explain, plans: &[Planned]) -> Result<Steps> {
    let ran = if explain.analyze { Some(run(context, plans).await?) } else { None };
    let counters = ran.as_ref().map(|ran| &ran.counters);
    let shown = redshift::Shown { costs: explain.costs, verbose: explain.verbose, counters };
    let mut parts = Vec::with_capacity(plans.len());
    for Planned { part, logical, physical, joins } in plans {
        parts.push(redshift::part(context, *part, (logical, physical, joins), shown).await?);
    }
    Ok(Steps { parts, ran })
}

/// What became of plans that were run.
struct Ran {
    rows: usize,
    elapsed: Duration,
    counters: redshift::Counters,
}

/// Runs plans for what their operators count.
async fn run(context: &Context, plans: &[Planned]) -> Result<Ran> {
    let mut scans = Vec::new();
    for planned in plans {
        scans_of(&planned.physical, &mut scans);
    }
    scans.iter().filter_map(|scan| progress::file_scan(scan)).for_each(tables::note_reads);
    let started = Instant::now();
    let mut rows = 0;
    for planned in plans {
        if let Some(work) = context.work() {
            work.note_plan(&planned.physical);
        }
        let stream = execute_stream(Arc::clone(&planned.physical), context.state().task_ctx())?;
        rows += stream.try_fold(0, |count, batch| async move { Ok(count + batch.num_rows()) }).await?;
    }
    let elapsed = started.elapsed();
    Ok(Ran { rows, elapsed, counters: counted(context, &scans).await? })
}

/// What scans that have run read, besides what their operators count.
async fn counted(context: &Context, scans: &[Arc<dyn ExecutionPlan>]) -> Result<redshift::Counters> {
    let mut counters = redshift::Counters::default();
    for scan in scans {
        let Some(config) = progress::file_scan(scan) else { continue };
        let store = context.state().runtime_env().object_store(&config.object_store_url)?;
        if let Some(blocks) = tables::read_blocks(config, store).await? {
            counters.note(scan, blocks);
        }
    }
    Ok(counters)
}

fn scans_of(plan: &Arc<dyn ExecutionPlan>, scans: &mut Vec<Arc<dyn ExecutionPlan>>) {
    if progress::file_scan(plan).is_some() {
        scans.push(Arc::clone(plan));
    }
    for child in plan.children() {
        scans_of(child, scans);
    }
}

/// How long planning took, and running.
fn times(planned: Duration, ran: Option<&Ran>) -> Vec<String> {
    let mut lines = vec![format!("Planning time: {:.3} ms", planned.as_secs_f64() * 1e3)];
    lines.extend(ran.map(|ran| execution_time(ran.elapsed, ran.rows as u64)));
    lines
}

fn execution_time(elapsed: Duration, rows: u64) -> String {
    format!("Execution time: {:.3} ms, {rows} rows", elapsed.as_secs_f64() * 1e3)
}

/// The plans of a statement that reads or writes rows, before optimisation.
pub(crate) async fn plans_of(context: &Context, statement: &Statement) -> Result<Vec<LogicalPlan>> {
    let statement = Box::new(statement.clone());
    let explain = Explain {
        analyze: false,
        verbose: false,
        costs: true,
        format: None,
        shows: ExplainType::Distributed,
        statement,
    };
    Ok(logical_plans(context, &explain).await?.into_iter().map(|(_, plan)| plan).collect())
}

/// The plans of a statement; where there are several, each with what it is for.
async fn logical_plans(context: &Context, explain: &Explain) -> Result<Vec<(Option<&'static str>, LogicalPlan)>> {
    let plan = match explain.statement.as_ref() {
        Statement::Query(query) => query::logical_plan(context, query).await?,
        Statement::Insert(insert) => match (resolve::find_relation(context, &insert.table).await?, &insert.query) {
            (Relation::Managed(table), _) => managed::plan_insert(context, &table, insert).await?,
            (Relation::Foreign(table), _) => return Err(table.unchangeable()),
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

//! Joins that make columns of both sides one: JOIN … USING as `using` has spelled it, and NATURAL.
//!
//! Such a join gives its merged columns first, then the left side's others, then the right side's (PostgreSQL's and
//! Trino's order). A merged column of USING is of a table of its own; those that it is made of are there by their tables'
//! names, and `*` leaves them out. What `*` leaves out DataFusion reads off the joins with USING in a plan, those of queries
//! within it too: one that is never run, in a condition that is taken away when the plan is made, tells it of one column.
//! It leaves a column out only where its merged one is shown, which no other join of a statement has by that name, and so
//! means nothing to the queries around. Of NATURAL's columns only the merged one is left.

use crate::error::Error;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, JoinConstraint, JoinType, NullEquality, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::utils::expand_wildcard;
use datafusion::logical_expr::{EmptyRelation, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, exists, when};
use datafusion::sql::sqlparser::ast::{self, JoinOperator, ObjectNamePart, TableFactor, TableWithJoins};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the names of the tables of merged columns begin with. It comes before what tables are called (`#t` too): of the
/// columns that a join has of one name, DataFusion's `*` shows the first.
pub(super) const MERGED: &str = "!using";

/// A column of both sides.
struct Common {
    left: Column,
    right: Column,
    merged: Column,
}

/// Whether a join merges columns, and is planned here.
pub(super) fn is_merging(join: &ast::Join) -> bool {
    if is_lateral(&join.relation) {
        return false;
    }
    match kind_of(&join.join_operator) {
        Some((_, ast::JoinConstraint::Using(names))) => names.iter().all(is_named),
        Some((_, constraint)) => *constraint == ast::JoinConstraint::Natural,
        None => false,
    }
}

/// Whether a column of USING has been given the table that it is of when it is merged.
fn is_named(name: &ast::ObjectName) -> bool {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(table), _] => table.value.starts_with(MERGED),
        _ => false,
    }
}

/// Such relations are planned beside what stands before them, by DataFusion.
pub(super) fn is_lateral(factor: &TableFactor) -> bool {
    matches!(
        factor,
        TableFactor::Derived { lateral: true, .. }
            | TableFactor::Function { lateral: true, .. }
            | TableFactor::UNNEST { .. }
    )
}

/// The kind of a join of two sides' rows, and what it is by.
pub(super) fn kind_of(operator: &JoinOperator) -> Option<(JoinType, &ast::JoinConstraint)> {
    match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => Some((JoinType::Inner, constraint)),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => Some((JoinType::Left, constraint)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => Some((JoinType::Right, constraint)),
        JoinOperator::FullOuter(constraint) => Some((JoinType::Full, constraint)),
        _ => None,
    }
}

/// Plans joins of which the last merges columns; those of a relation with a name of its own have no others. `number` is
/// of this one among the joins of a statement.
///
/// # Errors
/// What the planner says of its sides; a merged column that a side does not have, or has several of.
pub(super) fn plan(
    mut joins: TableWithJoins,
    has_name: bool,
    number: usize,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let Some(last) = joins.joins.pop() else { return context.plan(joins.relation) };
    let Some((kind, constraint)) = kind_of(&last.join_operator) else {
        return Err(Error::internal("a join that merges columns is of another kind").into());
    };
    let left = if joins.joins.is_empty() {
        context.plan(joins.relation)?
    } else {
        context.plan(TableFactor::NestedJoin { table_with_joins: Box::new(joins), alias: None })?
    };
    let right = context.plan(last.relation)?;
    let names = match constraint {
        ast::JoinConstraint::Using(names) => {
            let named = names.iter().filter_map(|name| match name.0.as_slice() {
                [ObjectNamePart::Identifier(table), ObjectNamePart::Identifier(column)] => {
                    let table = TableReference::bare(table.value.clone());
                    Some(Column::new(Some(table), context.normalize_ident(column.clone())))
                }
                _ => None,
            });
            Some(named.collect::<Vec<_>>())
        }
        _ => None,
    };
    let hides = names.is_some();
    let common = match names {
        Some(names) => {
            let common = names.into_iter().map(|merged| {
                let (left, right) = (find(left.schema(), &merged.name)?, find(right.schema(), &merged.name)?);
                Ok(Common { left, right, merged })
            });
            common.collect::<Result<Vec<_>>>()?
        }
        None => natural(&left, &right, kind, number)?,
    };
    let plan = merge(left, right, kind, &common, hides)?;
    if !has_name {
        return Ok(plan);
    }
    let shown = expand_wildcard(plan.schema(), &plan, None)?;
    LogicalPlanBuilder::from(plan).project(shown)?.build()
}

fn is_merged(column: &Column) -> bool {
    column.relation.as_ref().is_some_and(|table| table.table().starts_with(MERGED))
}

/// The column of a name: the merged one, or the only one.
fn find(schema: &DFSchema, name: &str) -> Result<Column> {
    let named = schema.qualified_fields_with_unqualified_name(name).into_iter().map(Column::from);
    let mut merged = named.filter(is_merged);
    match (merged.next(), merged.next()) {
        (Some(only), None) => Ok(only),
        _ => schema.qualified_field_with_unqualified_name(name).map(Column::from),
    }
}

/// The columns of one name that both sides show.
fn natural(left: &LogicalPlan, right: &LogicalPlan, kind: JoinType, number: usize) -> Result<Vec<Common>> {
    let names = |plan: &LogicalPlan| {
        let shown = expand_wildcard(plan.schema(), plan, None)?;
        let names = shown.into_iter().filter_map(|expr| match expr {
            Expr::Column(column) => Some(column.name),
            _ => None,
        });
        Ok::<_, datafusion::error::DataFusionError>(names.collect::<Vec<_>>())
    };
    let of_right: HashSet<String> = names(right)?.into_iter().collect();
    let common = names(left)?.into_iter().filter(|name| of_right.contains(name)).map(|name| {
        let (left, right) = (find(left.schema(), &name)?, find(right.schema(), &name)?);
        let table = match kind {
            _ if is_merged(&left) => left.relation.clone(),
            _ if is_merged(&right) => right.relation.clone(),
            JoinType::Right => right.relation.clone(),
            JoinType::Full => Some(TableReference::bare(format!("{MERGED}_natural{number}"))),
            _ => left.relation.clone(),
        };
        Ok(Common { left, right, merged: Column::new(table, name) })
    });
    common.collect()
}

/// The join, with its merged columns first; `hides` says whether those that they are made of stay, though not in `*`.
fn merge(left: LogicalPlan, right: LogicalPlan, kind: JoinType, common: &[Common], hides: bool) -> Result<LogicalPlan> {
    if common.is_empty() {
        let join = LogicalPlanBuilder::from(left);
        let join = if kind == JoinType::Inner { join.cross_join(right)? } else { join.join_on(right, kind, [])? };
        return join.build();
    }
    let keys = (
        common.iter().map(|column| column.left.clone()).collect::<Vec<_>>(),
        common.iter().map(|column| column.right.clone()).collect::<Vec<_>>(),
    );
    let told: Vec<HashSet<Column>> = left.using_columns()?.into_iter().chain(right.using_columns()?).collect();
    let join = LogicalPlanBuilder::from(left).join(right, kind, keys, None)?.build()?;
    let mut items = Vec::with_capacity(join.schema().fields().len());
    for Common { left, right, merged } in common {
        let (of_left, of_right) = (Expr::Column(left.clone()), Expr::Column(right.clone()));
        let value = match kind {
            JoinType::Right => of_right,
            JoinType::Full => when(of_left.clone().is_not_null(), of_left).otherwise(of_right)?,
            _ => of_left,
        };
        items.push(match value {
            Expr::Column(column) if column == *merged => Expr::Column(column),
            value => value.alias_qualified(merged.relation.clone(), merged.name.clone()),
        });
    }
    let sides = || common.iter().flat_map(|column| [(&column.left, column), (&column.right, column)]);
    let stays = |column: &Column| hides && !is_merged(column);
    let gone: HashSet<&Column> = sides().map(|(column, _)| column).filter(|column| !stays(column)).collect();
    let rest = join.schema().columns().into_iter().filter(|column| !gone.contains(column));
    items.extend(rest.map(Expr::Column));
    let mut plan = LogicalPlanBuilder::from(join).project(items)?.build()?;
    for (column, Common { merged, .. }) in sides() {
        if stays(column) {
            plan = hide(plan, merged, column)?;
        } else if is_merged(column) && is_merged(merged) {
            // What a merged column of a side left out is left out by the one that it becomes.
            for left_out in told.iter().filter(|columns| columns.contains(column)).flatten() {
                if !is_merged(left_out) && plan.schema().has_column(left_out) {
                    plan = hide(plan, merged, left_out)?;
                }
            }
        }
    }
    Ok(plan)
}

/// Tells `*` a column that it leaves out, beside the one that it shows.
fn hide(plan: LogicalPlan, merged: &Column, hidden: &Column) -> Result<LogicalPlan> {
    let relation = |column: &Column| {
        let (table, field) = plan.schema().qualified_field_from_column(column)?;
        let schema = DFSchema::new_with_metadata(vec![(table.cloned(), Arc::clone(field))], HashMap::new())?;
        let empty = EmptyRelation { produce_one_row: false, schema: Arc::new(schema) };
        Ok::<_, datafusion::error::DataFusionError>(Arc::new(LogicalPlan::EmptyRelation(empty)))
    };
    let (shown, left_out) = (relation(merged)?, relation(hidden)?);
    let pair = vec![(Expr::Column(merged.clone()), Expr::Column(hidden.clone()))];
    let (constraint, nulls) = (JoinConstraint::Using, NullEquality::NullEqualsNothing);
    let join = Join::try_new(shown, left_out, pair, None, JoinType::Inner, constraint, nulls, false)?;
    let told = exists(Arc::new(LogicalPlan::Join(join)));
    Ok(LogicalPlan::Filter(Filter::try_new(told, Arc::new(plan))?))
}

/// Takes what `*` was told out of a finished plan.
pub(in crate::plan) fn without_marks(plan: LogicalPlan) -> Result<LogicalPlan> {
    // Upwards, since one mark may stand on another.
    plan.transform_up_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::Filter(filter) if is_mark(&filter.predicate) => {
                Transformed::yes(Arc::unwrap_or_clone(filter.input))
            }
            node => Transformed::no(node),
        })
    })
    .data()
}

fn is_mark(predicate: &Expr) -> bool {
    let Expr::Exists(exists) = predicate else { return false };
    let LogicalPlan::Join(join) = exists.subquery.subquery.as_ref() else { return false };
    matches!(join.left.as_ref(), LogicalPlan::EmptyRelation(shown) if shown.schema.columns().iter().all(is_merged))
}

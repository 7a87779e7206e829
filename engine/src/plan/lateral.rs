//! Relations beside others that compute from their columns and read nothing themselves: `CROSS JOIN UNNEST(t.items)`,
//! `LATERAL (SELECT t.a + 1 AS b)`.
//!
//! What such a relation computes is put on top of the relation to its left, whose columns pass through. DataFusion makes
//! joins of the other lateral relations, or refuses them.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, NullHandling, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, Unnest,
};
use std::sync::Arc;

/// What the left relation's columns are called meanwhile.
const NAME: &str = "\u{1}lateral";

/// Rewrites a plan and the queries in its expressions.
pub(super) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(rewrite_node).map(|rewritten| rewritten.data)
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
    let Some((subquery, alias)) = lateral(&join.right) else { return Ok(Transformed::no(plan)) };
    if !join.on.is_empty() || !computes(&subquery.subquery) {
        return Ok(Transformed::no(plan));
    }
    let keeps = match (join.join_type, &join.filter) {
        (JoinType::Inner, _) => false,
        (JoinType::Left, None) => true,
        (JoinType::Left, Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _))) => true,
        _ => return Ok(Transformed::no(plan)),
    };
    inlined(join, subquery, alias, keeps).map(Transformed::yes)
}

fn lateral(plan: &LogicalPlan) -> Option<(&Subquery, Option<&TableReference>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((subquery, None)),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((subquery, Some(alias))),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a plan makes its rows of one row without columns.
fn computes(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        LogicalPlan::Projection(Projection { input, .. })
        | LogicalPlan::Filter(Filter { input, .. })
        | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. })
        | LogicalPlan::Unnest(Unnest { input, .. }) => computes(input),
        _ => false,
    }
}

fn inlined(join: &Join, subquery: &Subquery, alias: Option<&TableReference>, keeps: bool) -> Result<LogicalPlan> {
    let schema = join.left.schema();
    let left = Left { schema, keeps };
    let renamed = schema.columns().into_iter().enumerate().map(|(at, column)| Expr::Column(column).alias(name(at)));
    let base = LogicalPlanBuilder::from(join.left.as_ref().clone()).project(renamed.collect::<Vec<_>>())?;
    let made = left.put(&subquery.subquery, base.build()?)?;
    let count = schema.fields().len();
    let mut all = Vec::new();
    for (at, (qualifier, field)) in schema.iter().enumerate() {
        let column = Expr::Column(Column::from_name(name(at)));
        all.push(column.alias_qualified(qualifier.cloned(), field.name()));
    }
    for column in made.schema().columns().into_iter().skip(count) {
        let qualifier = alias.cloned().or_else(|| column.relation.clone());
        let name = column.name.clone();
        all.push(Expr::Column(column).alias_qualified(qualifier, name));
    }
    let whole = LogicalPlanBuilder::from(made).project(all)?;
    match (&join.filter, keeps) {
        (Some(filter), false) => whole.filter(filter.clone())?.build(),
        _ => whole.build(),
    }
}

fn name(at: usize) -> String {
    format!("{NAME}{at}")
}

/// The relation that others are put on.
struct Left<'a> {
    schema: &'a DFSchema,
    /// Whether each of its rows stays, without a counterpart too.
    keeps: bool,
}

impl Left<'_> {
    fn columns(&self) -> Vec<Expr> {
        (0..self.schema.fields().len()).map(|at| Expr::Column(Column::from_name(name(at)))).collect()
    }

    /// An expression over the renamed columns; what an outer query has stays its.
    fn inner(&self, expr: &Expr) -> Result<Expr> {
        let inner = expr.clone().transform_up(|part| {
            if let Expr::OuterReferenceColumn(_, column) = &part
                && let Some(at) = self.schema.maybe_index_of_column(column)
            {
                return Ok(Transformed::yes(Expr::Column(Column::from_name(name(at)))));
            }
            Ok(Transformed::no(part))
        })?;
        Ok(inner.data)
    }

    /// A plan without its first row, on top of another that has the renamed columns.
    fn put(&self, plan: &LogicalPlan, base: LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Projection(Projection { expr, input, schema, .. }) => {
                let base = self.put(input, base)?;
                let mut all = self.columns();
                for (expr, (qualifier, field)) in expr.iter().zip(schema.iter()) {
                    let expr = self.inner(expr)?.unalias();
                    all.push(expr.alias_qualified(qualifier.cloned(), field.name()));
                }
                LogicalPlanBuilder::from(base).project(all)?.build()
            }
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let base = self.put(input, base)?;
                LogicalPlanBuilder::from(base).filter(self.inner(predicate)?)?.build()
            }
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => {
                let base = self.put(input, base)?;
                let mut all = self.columns();
                for column in base.schema().columns().into_iter().skip(all.len()) {
                    let name = column.name.clone();
                    all.push(Expr::Column(column).alias_qualified(Some(alias.clone()), name));
                }
                LogicalPlanBuilder::from(base).project(all)?.build()
            }
            LogicalPlan::Unnest(unnest) => {
                let base = self.put(&unnest.input, base)?;
                let empty = if self.keeps { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
                let options = unnest.options.clone().with_null_handling(empty);
                Unnest::try_new(Arc::new(base), unnest.exec_columns.clone(), options).map(LogicalPlan::Unnest)
            }
            _ => Ok(base),
        }
    }
}

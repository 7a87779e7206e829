//! Relations beside others that compute from their columns and read nothing themselves: `CROSS JOIN UNNEST(t.items)`,
//! `LATERAL (SELECT t.a + 1 AS b)`.
//!
//! What such a relation computes is put on top of the relation to its left, whose columns pass through. DataFusion makes
//! joins of the other lateral relations, or refuses them.
//!
//! LEFT JOIN keeps each row to the left. Where that is not so by itself, a column says meanwhile whether a row is one of the
//! relation: a condition changes it and leaves no row out, and values are computed where it is true only.

use crate::error::Error;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, NullHandling, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::functions_nested::expr_fn::array_empty;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, Unnest, lit,
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

/// Whether rows are made of arrays.
fn unnests(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Unnest(_) => true,
        LogicalPlan::Projection(Projection { input, .. })
        | LogicalPlan::Filter(Filter { input, .. })
        | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => unnests(input),
        _ => false,
    }
}

/// Whether there may be no row, and NULL is not what would be computed of nothing.
fn may_lack(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(_) => true,
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            (unnests(input) && !expr.iter().all(is_of_elements)) || may_lack(input)
        }
        // What stands beside elements is there without elements, too.
        LogicalPlan::Unnest(Unnest { input, exec_columns, .. }) => {
            input.schema().fields().len() > exec_columns.len() || may_lack(input)
        }
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => may_lack(input),
        _ => false,
    }
}

/// Whether an expression is NULL where an array's element is none.
fn is_of_elements(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_of_elements(&alias.expr),
        Expr::Cast(cast) => is_of_elements(&cast.expr),
        Expr::TryCast(cast) => is_of_elements(&cast.expr),
        Expr::ScalarFunction(function) => {
            matches!(function.name(), "array_element" | "get_field" | "$super_element")
                && function.args.first().is_some_and(is_of_elements)
        }
        _ => false,
    }
}

fn inlined(join: &Join, subquery: &Subquery, alias: Option<&TableReference>, keeps: bool) -> Result<LogicalPlan> {
    let schema = join.left.schema();
    let left = Left { schema, keeps, marks: keeps && may_lack(&subquery.subquery) };
    let renamed = schema.columns().into_iter().enumerate().map(|(at, column)| Expr::Column(column).alias(name(at)));
    let mark = left.marks.then(|| lit(true).alias(left.mark()));
    let base = LogicalPlanBuilder::from(join.left.as_ref().clone()).project(renamed.chain(mark).collect::<Vec<_>>())?;
    let made = left.put(&subquery.subquery, base.build()?)?;
    let mut all = Vec::new();
    for (at, (qualifier, field)) in schema.iter().enumerate() {
        let column = Expr::Column(Column::from_name(name(at)));
        all.push(column.alias_qualified(qualifier.cloned(), field.name()));
    }
    for column in made.schema().columns().into_iter().skip(left.width()) {
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
    /// Whether a column behind its own says which rows have a counterpart.
    marks: bool,
}

impl Left<'_> {
    /// How many columns stand before those of the others.
    fn width(&self) -> usize {
        self.schema.fields().len() + usize::from(self.marks)
    }

    fn columns(&self) -> Vec<Expr> {
        (0..self.width()).map(|at| Expr::Column(Column::from_name(name(at)))).collect()
    }

    /// The name of the column that says which rows have a counterpart.
    fn mark(&self) -> String {
        name(self.schema.fields().len())
    }

    /// A value of the rows that have a counterpart.
    fn value(&self, expr: Expr) -> Expr {
        if !self.marks {
            return expr;
        }
        let mark = Expr::Column(Column::from_name(self.mark()));
        Expr::Case(Case::new(None, vec![(Box::new(mark), Box::new(expr))], None))
    }

    /// Leaves a counterpart to the rows only that something is true of, too.
    fn marked(&self, base: LogicalPlan, condition: &Expr) -> Result<LogicalPlan> {
        let mark = self.mark();
        let all = base.schema().columns().into_iter().map(|column| {
            if column.relation.is_none() && column.name == mark {
                return Expr::Column(column).and(condition.clone()).alias(&mark);
            }
            Expr::Column(column)
        });
        let all = all.collect::<Vec<_>>();
        LogicalPlanBuilder::from(base).project(all)?.build()
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
                    let expr = self.value(self.inner(expr)?.unalias());
                    let metadata = self.marks.then(|| FieldMetadata::from(field.as_ref()));
                    all.push(expr.alias_qualified_with_metadata(qualifier.cloned(), field.name(), metadata));
                }
                LogicalPlanBuilder::from(base).project(all)?.build()
            }
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let base = self.put(input, base)?;
                let predicate = self.inner(predicate)?;
                if !self.marks {
                    return LogicalPlanBuilder::from(base).filter(predicate)?.build();
                }
                if unnests(input) {
                    return Err(Error::unsupported("LEFT JOIN of an array's elements with WHERE").into());
                }
                self.marked(base, &predicate.is_true())
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
                let mut base = self.put(&unnest.input, base)?;
                let is_deep = unnests(&unnest.input) || unnest.list_type_columns.iter().any(|(_, list)| list.depth > 1);
                if self.keeps && is_deep {
                    return Err(Error::unsupported("LEFT JOIN of the elements of an array's elements").into());
                }
                if self.marks {
                    let columns = unnest.input.schema().columns();
                    let has_some = |(at, _): &(usize, _)| array_empty(Expr::Column(columns[*at].clone())).is_false();
                    if let Some(condition) = unnest.list_type_columns.iter().map(has_some).reduce(Expr::or) {
                        base = self.marked(base, &condition)?;
                    }
                }
                let empty = if self.keeps { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
                let options = unnest.options.clone().with_null_handling(empty);
                Unnest::try_new(Arc::new(base), unnest.exec_columns.clone(), options).map(LogicalPlan::Unnest)
            }
            _ => Ok(base),
        }
    }
}

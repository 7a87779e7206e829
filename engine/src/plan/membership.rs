//! `x IN (query)` and `EXISTS (query)` with three truth values, wherever they stand.
//!
//! DataFusion turns such a predicate into a join: a semi or anti join where it is a condition of a filter by itself,
//! else a *mark join*, whose mark says false where SQL says NULL (`x` is NULL, or the query gives a NULL and no equal
//! value). Where the difference shows, the predicate is put here as an expression that tells all three apart. Outside of
//! filters, where no join is made at all, it becomes a comparison of counts, since scalar subqueries run there.
//!
//! A condition that a join decides rightly stays as it is: the joins are faster.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Case, Exists, InSubquery};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Projection,
    Subquery, cast, exists, lit, not, scalar_subquery, when,
};
use std::sync::Arc;

/// The name of a query's values where they are compared, and of predicates that are computed before they are used.
const NAME: &str = "\u{1}member";

/// Rewrites a plan and the queries in its expressions.
pub(super) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(rewrite_node).map(|rewritten| rewritten.data)
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !matches!(
        plan,
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)
    ) {
        return Ok(Transformed::no(plan));
    }
    let mut found = false;
    plan.apply_expressions(|expr| {
        found = has_predicate(expr);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !found {
        return Ok(Transformed::no(plan));
    }
    let rewritten = match plan {
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            let schema = Arc::clone(input.schema());
            LogicalPlan::Filter(Filter::try_new(condition(predicate, &schema, Place::Conjunct)?, input)?)
        }
        LogicalPlan::Join(mut join) => {
            let both = join.left.schema().join(join.right.schema())?;
            join.filter = join.filter.map(|filter| condition(filter, &both, Place::Conjunct)).transpose()?;
            LogicalPlan::Join(join)
        }
        LogicalPlan::Projection(Projection { expr, input, schema, .. }) => {
            let values = expr.into_iter().map(|expr| counted(expr, input.schema())).collect::<Result<Vec<_>>>()?;
            renamed(LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(values)?, &schema)?
        }
        LogicalPlan::Aggregate(aggregate) => rewrite_aggregate(aggregate)?,
        other => other,
    };
    Ok(Transformed::yes(rewritten))
}

fn is_predicate(expr: &Expr) -> bool {
    matches!(expr, Expr::InSubquery(_) | Expr::Exists(_))
}

fn has_predicate(expr: &Expr) -> bool {
    expr.exists(|part| Ok(is_predicate(part))).unwrap_or(false)
}

/// Where a part of a filter's condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A condition of its own: a semi or anti join decides it.
    Conjunct,
    /// Below AND and OR only: a mark decides it, and NULL is as good as false.
    Branch,
    /// Anywhere else: NULL matters.
    Value,
}

/// A filter's condition in which DataFusion's joins give what SQL says.
fn condition(expr: Expr, schema: &DFSchema, place: Place) -> Result<Expr> {
    if place != Place::Value
        && let Some((when, then)) = only_branch(&expr)
    {
        return if then { condition(when.clone(), schema, place) } else { Ok(lit(false)) };
    }
    match expr {
        // What is never true adds nothing: so ends a row's IN.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right })
            if place != Place::Value && matches!(only_branch(&right), Some((_, false))) =>
        {
            condition(*left, schema, place)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) if place != Place::Value => {
            Ok(condition(*left, schema, place)?.and(condition(*right, schema, place)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) if place != Place::Value => {
            let right = condition(*right, schema, Place::Branch)?;
            Ok(condition(*left, schema, Place::Branch)?.or(right))
        }
        Expr::Not(inner) if matches!(*inner, Expr::InSubquery(_)) => match *inner {
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                condition(Expr::InSubquery(InSubquery { expr, subquery, negated: !negated }), schema, place)
            }
            other => Ok(not(other)),
        },
        Expr::InSubquery(member) => {
            let joined = match place {
                // An anti join that knows of NULLs has one key only.
                Place::Conjunct => {
                    !member.negated || (member.subquery.outer_ref_columns.is_empty() && member.expr.any_column_refs())
                }
                Place::Branch => !member.negated,
                Place::Value => false,
            };
            if joined { Ok(Expr::InSubquery(named(member, schema)?)) } else { marked(named(member, schema)?, schema) }
        }
        Expr::Exists(Exists { subquery, negated }) => {
            let correlated = !subquery.outer_ref_columns.is_empty();
            let query = one_is_enough(Arc::clone(&subquery.subquery), correlated)?;
            Ok(Expr::Exists(Exists { subquery: subquery.with_plan(Arc::new(query)), negated }))
        }
        other => other.map_children(|part| condition(part, schema, Place::Value).map(Transformed::yes)).map(|e| e.data),
    }
}

/// The condition and the truth value of a CASE that is NULL where its only condition is not true.
fn only_branch(expr: &Expr) -> Option<(&Expr, bool)> {
    let Expr::Case(Case { expr: None, when_then_expr, else_expr: None }) = expr else { return None };
    let [(when, then)] = when_then_expr.as_slice() else { return None };
    match then.as_ref() {
        Expr::Literal(ScalarValue::Boolean(Some(value)), _) => Some((when, *value)),
        _ => None,
    }
}

/// A query whose column DataFusion does not find (VALUES) gives it a name of its own. So does one that looks at outer rows
/// and whose value will be cast: DataFusion keeps the name of what it casts, which may be one that the join's condition
/// needs too.
fn named(member: InSubquery, schema: &DFSchema) -> Result<InSubquery> {
    let is_found = member.subquery.subquery.head_output_expr()?.is_some();
    if is_found && member.subquery.outer_ref_columns.is_empty() {
        return Ok(member);
    }
    let (value, value_type) = first_column(&member.subquery.subquery)?;
    if is_found && member.expr.get_type(schema)? == value_type {
        return Ok(member);
    }
    let query = LogicalPlanBuilder::from(Arc::clone(&member.subquery.subquery));
    let query = query.project([Expr::Column(value).alias(NAME)])?.build()?;
    Ok(InSubquery { subquery: member.subquery.with_plan(Arc::new(query)), ..member })
}

/// `x [NOT] IN (query)` as marks that together tell true, false and NULL apart.
fn marked(member: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = member;
    let unknown = unknown(&expr, &subquery, schema, |query| Ok(exists(query)))?;
    let found = Expr::InSubquery(InSubquery { expr, subquery, negated: false });
    three_valued(found, unknown, negated)
}

/// Predicates of an expression as comparisons of counts.
fn counted(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let counted = expr.transform_down(|part| match part {
        Expr::Exists(Exists { subquery, negated }) => {
            let correlated = !subquery.outer_ref_columns.is_empty();
            let found = any(Arc::new(one_is_enough(subquery.subquery, correlated)?))?;
            Ok(Transformed::new(if negated { not(found) } else { found }, true, TreeNodeRecursion::Jump))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            // A predicate may stand in what is looked for.
            let expr = Box::new(counted(*expr, schema)?);
            let unknown = unknown(&expr, &subquery, schema, any)?;
            let found = any(Arc::new(equal_values(&expr, &subquery, schema)?))?;
            Ok(Transformed::new(three_valued(found, unknown, negated)?, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    });
    counted.map(|counted| counted.data)
}

/// Whether a query gives any row, as a scalar subquery.
fn any(query: Arc<LogicalPlan>) -> Result<Expr> {
    let nothing: [Expr; 0] = [];
    let rows = LogicalPlanBuilder::from(query).aggregate(nothing, [count(lit(1_i64))])?.build()?;
    Ok(scalar_subquery(Arc::new(rows)).gt(lit(0_i64)))
}

/// The rows of a query that are equal to what is looked for in it.
fn equal_values(wanted: &Expr, subquery: &Subquery, schema: &DFSchema) -> Result<LogicalPlan> {
    let (value, value_type) = first_column(&subquery.subquery)?;
    let wanted_type = wanted.get_type(schema)?;
    let common = comparison_coercion(&wanted_type, &value_type).ok_or_else(|| {
        DataFusionError::Plan(format!("operator does not exist: {wanted_type} = {value_type} (in a subquery's IN)"))
    })?;
    let wanted = wanted.clone().transform(|part| match part {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?;
            Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    let values = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery))
        .project([cast(Expr::Column(value), common.clone()).alias(NAME)])?
        .filter(Expr::Column(Column::from_name(NAME)).eq(cast(wanted.data, common)))?;
    values.build()
}

fn first_column(query: &LogicalPlan) -> Result<(Column, datafusion::arrow::datatypes::DataType)> {
    let (column, field) = query
        .schema()
        .columns()
        .into_iter()
        .zip(query.schema().fields())
        .next()
        .ok_or_else(|| DataFusionError::Plan("the subquery has no column".to_owned()))?;
    Ok((column, field.data_type().clone()))
}

/// The condition under which a value that was not found might still be among the query's, if it can be at all.
fn unknown(
    wanted: &Expr,
    subquery: &Subquery,
    schema: &DFSchema,
    any: impl Fn(Arc<LogicalPlan>) -> Result<Expr>,
) -> Result<Option<Expr>> {
    let query = &subquery.subquery;
    let correlated = !subquery.outer_ref_columns.is_empty();
    let mut unknown = None;
    if query.schema().fields().first().is_some_and(|field| field.is_nullable()) {
        let (value, _) = first_column(query)?;
        let nulls = LogicalPlanBuilder::from(Arc::clone(query)).filter(Expr::Column(value).is_null())?.build()?;
        unknown = Some(any(Arc::new(one_is_enough(Arc::new(nulls), correlated)?))?);
    }
    if wanted.nullable(schema)? {
        let rows = any(Arc::new(one_is_enough(Arc::clone(query), correlated)?))?;
        let nothing_to_find = wanted.clone().is_null().and(rows);
        unknown = Some(match unknown {
            Some(unknown) => unknown.or(nothing_to_find),
            None => nothing_to_find,
        });
    }
    Ok(unknown)
}

/// A query of which only matters whether it has rows. One that looks at outer rows has some for each of those.
fn one_is_enough(query: Arc<LogicalPlan>, correlated: bool) -> Result<LogicalPlan> {
    if correlated {
        return Ok(Arc::unwrap_or_clone(query));
    }
    LogicalPlanBuilder::from(query).limit(0, Some(1))?.build()
}

fn three_valued(found: Expr, unknown: Option<Expr>, negated: bool) -> Result<Expr> {
    let value = match unknown {
        None => found,
        Some(unknown) => when(found, lit(true)).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lit(false))?,
    };
    Ok(if negated { not(value) } else { value })
}

/// Computes the predicates in a grouping's expressions before the grouping.
fn rewrite_aggregate(aggregate: Aggregate) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let mut predicates: Vec<Expr> = Vec::new();
    let mut hoist = |expr: Expr| {
        let hoisted = expr.transform_down(|part| {
            if !is_predicate(&part) {
                return Ok(Transformed::no(part));
            }
            let at = predicates.iter().position(|known| *known == part).unwrap_or_else(|| {
                predicates.push(part);
                predicates.len() - 1
            });
            let name = Expr::Column(Column::from_name(format!("{NAME}{at}")));
            Ok(Transformed::new(name, true, TreeNodeRecursion::Jump))
        });
        hoisted.map(|hoisted: Transformed<Expr>| hoisted.data)
    };
    let groups = group_expr.into_iter().map(&mut hoist).collect::<Result<Vec<_>>>()?;
    let aggregates = aggr_expr.into_iter().map(&mut hoist).collect::<Result<Vec<_>>>()?;
    let mut computed: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    for (at, predicate) in predicates.into_iter().enumerate() {
        computed.push(counted(predicate, input.schema())?.alias(format!("{NAME}{at}")));
    }
    let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(computed)?;
    renamed(input.aggregate(groups, aggregates)?, &schema)
}

/// A plan under the names that it had before its expressions were rewritten.
fn renamed(plan: LogicalPlanBuilder, before: &DFSchemaRef) -> Result<LogicalPlan> {
    let plan = plan.build()?;
    let now = plan.schema().columns();
    if now == before.columns() {
        return Ok(plan);
    }
    let columns = now.into_iter().zip(before.iter()).map(|(column, (qualifier, field))| {
        let same = column.relation.as_ref() == qualifier && column.name == *field.name();
        let column = Expr::Column(column);
        if same { column } else { column.alias_qualified(qualifier.cloned(), field.name()) }
    });
    LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()
}

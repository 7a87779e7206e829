//! Scalar subqueries over the system's own tables that name columns of the query around them, a row at a time; EXISTS over the
//! elements of an outer query's SUPER value, or over conditions on an outer row alone. What EXISTS reads a derived table of is
//! lifted out of it first ([`super::derived`]).
//!
//! Tools ask the catalog in ways that no join answers: `(SELECT … WHERE c.oid = a.attcollation AND a.x <> t.y)`,
//! `ARRAY(SELECT … FROM unnest(c.options))`. Where DataFusion makes no join of such a subquery, it becomes a function of
//! the outer columns that runs the subquery for each row, once for equal values. Only subqueries whose rows are in
//! memory already are taken, so running one waits for nothing; all others are left to DataFusion.

use super::derived;
use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::datasource::{DefaultTableSource, MemTable};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Distinct, Expr, LogicalPlan, LogicalPlanBuilder, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Subquery, TypeSignature, Volatility, col, lit,
};
use datafusion::physical_plan::collect;
use futures::FutureExt;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How often what should be done at once is asked whether it is.
const MOST_POLLS: usize = 10_000;

/// Rewrites a plan and the queries in its expressions.
pub(super) fn rewrite(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        if !has_subquery(&node)? {
            return Ok(Transformed::no(node));
        }
        let names = NamePreserver::new(&node);
        let columns = merge_schema(&node.inputs());
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|part| match part {
                Expr::ScalarSubquery(query) if is_for_rows(&query)? => Ok(Transformed::yes(call(query, state)?)),
                Expr::Exists(exists) => any(exists, &columns, state),
                Expr::InSubquery(member) if is_computed(&member.subquery)? => {
                    let error = Error::unsupported("IN over what a query computes of the query around it");
                    Err(error.with_hint("write EXISTS (SELECT 1 FROM t.items AS i WHERE i = …)").into())
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })
    });
    rewritten.map(|rewritten| rewritten.data)
}

fn has_subquery(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        let is_one = |part: &Expr| matches!(part, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_));
        found = expr.exists(|part| Ok(is_one(part)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether a function is a subquery that is run for each row.
pub(super) fn is_row_query(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<RowQuery>().is_some()
}

/// Whether a subquery is to be run for each row: it names outer columns, reads nothing but memory, and is no aggregate
/// whose outer columns are all equal to inner ones, which a join answers.
fn is_for_rows(query: &Subquery) -> Result<bool> {
    if query.outer_ref_columns.is_empty() {
        return Ok(false);
    }
    let mut in_memory = true;
    let mut joins = is_one_row(&query.subquery);
    query.subquery.apply_with_subqueries(|node| {
        in_memory &= reads_memory(node);
        node.apply_expressions(|expr| {
            joins &= match node {
                LogicalPlan::Filter(_) => {
                    split_conjunction(expr).into_iter().all(|part| !is_outer(part) || is_key(part))
                }
                _ => !is_outer(expr),
            };
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(in_memory && !joins)
}

/// Whether a subquery's rows are computed of outer columns and of what is in memory: no join answers that.
fn is_computed(query: &Subquery) -> Result<bool> {
    if query.outer_ref_columns.is_empty() {
        return Ok(false);
    }
    let (mut in_memory, mut computes) = (true, false);
    query.subquery.apply_with_subqueries(|node| {
        in_memory &= reads_memory(node);
        node.apply_expressions(|expr| {
            computes |= !matches!(node, LogicalPlan::Filter(_)) && is_outer(expr);
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(in_memory && computes)
}

/// EXISTS that no join answers: the condition that it is, or a function that is called for each row.
fn any(exists: Exists, columns: &DFSchema, state: &SessionState) -> Result<Transformed<Expr>> {
    // What is called for each row stays as it is, but for what is a condition.
    let is_called = is_computed(&exists.subquery)? && !derived::reads_nothing(&exists.subquery.subquery);
    let lifted = if is_called { None } else { derived::lifted(&exists.subquery)? };
    let is_lifted = lifted.is_some();
    let exists = match lifted {
        Some(plan) => Exists { subquery: exists.subquery.with_plan(Arc::new(plan)), negated: exists.negated },
        None => exists,
    };
    let correlated = !exists.subquery.outer_ref_columns.is_empty();
    // What looks at no outer row is asked once, whatever its conditions are.
    let is_right = |condition: &Expr| correlated || matches!(condition, Expr::Literal(..));
    let any = match condition_of(&exists.subquery.subquery, columns)?.filter(is_right) {
        Some(condition) => condition,
        None if is_computed(&exists.subquery)? => call(any_row(exists.subquery)?, state)?,
        None => return Ok(Transformed::new(Expr::Exists(exists), is_lifted, TreeNodeRecursion::Continue)),
    };
    Ok(Transformed::yes(if exists.negated { Expr::Not(Box::new(any)) } else { any }))
}

/// When a query that reads nothing has a row, by the outer row's columns: `SELECT 1 WHERE a UNION ALL SELECT 1 WHERE b`. An
/// aggregate of all rows has one whatever they are, which a join would not find where there are none.
fn condition_of(plan: &LogicalPlan, columns: &DFSchema) -> Result<Option<Expr>> {
    match plan {
        LogicalPlan::EmptyRelation(empty) => Ok(Some(lit(empty.produce_one_row))),
        LogicalPlan::Projection(projection) => condition_of(&projection.input, columns),
        LogicalPlan::SubqueryAlias(alias) => condition_of(&alias.input, columns),
        LogicalPlan::Distinct(Distinct::All(input)) => condition_of(input, columns),
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => Ok(Some(lit(true))),
        LogicalPlan::Filter(filter) => {
            let Some(below) = condition_of(&filter.input, columns)? else { return Ok(None) };
            let mut known = true;
            let own = filter.predicate.clone().transform_up(|part| match part {
                Expr::OuterReferenceColumn(_, column) => {
                    known &= columns.has_column(&column);
                    Ok(Transformed::yes(Expr::Column(column)))
                }
                // What it shows is no column of the outer row.
                Expr::Column(_) => {
                    known = false;
                    Ok(Transformed::no(part))
                }
                part => Ok(Transformed::no(part)),
            })?;
            Ok(known.then(|| below.and(own.data.is_true())))
        }
        LogicalPlan::Union(union) => {
            let mut any = lit(false);
            for input in &union.inputs {
                let Some(one) = condition_of(input, columns)? else { return Ok(None) };
                any = any.or(one);
            }
            Ok(Some(any))
        }
        _ => Ok(None),
    }
}

/// Whether a subquery has a row, as a scalar subquery.
fn any_row(query: Subquery) -> Result<Subquery> {
    let rows = LogicalPlanBuilder::from(query.subquery.as_ref().clone());
    let counted = rows.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias("n")])?;
    let any = counted.project(vec![col("n").gt(lit(0_i64)).alias("any")])?.build()?;
    Ok(Subquery { subquery: Arc::new(any), ..query })
}

/// Whether a node reads nothing but memory.
fn reads_memory(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else { return true };
    let source = scan.source.downcast_ref::<DefaultTableSource>();
    source.is_some_and(|source| source.table_provider.downcast_ref::<MemTable>().is_some())
}

/// Whether a plan is an aggregate of all its rows.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

fn is_outer(expr: &Expr) -> bool {
    expr.exists(|part| Ok(matches!(part, Expr::OuterReferenceColumn(..)))).unwrap_or(true)
}

/// Whether a condition is `inner column = outer column`.
fn is_key(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    matches!(
        (left.as_ref(), right.as_ref()),
        (Expr::OuterReferenceColumn(..), Expr::Column(_)) | (Expr::Column(_), Expr::OuterReferenceColumn(..))
    )
}

/// The subquery as a function of its outer columns.
fn call(query: Subquery, state: &SessionState) -> Result<Expr> {
    let mut columns: Vec<Column> = Vec::new();
    for expr in &query.outer_ref_columns {
        if let Expr::OuterReferenceColumn(_, column) = expr
            && !columns.contains(column)
        {
            columns.push(column.clone());
        }
    }
    let mut state = state.clone();
    // Nothing of it runs beside the query: what would is not waited for.
    state.config_mut().options_mut().execution.target_partitions = 1;
    let gives = Arc::clone(&query.subquery.schema().fields()[0]);
    let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable);
    let args = columns.iter().cloned().map(Expr::Column).collect();
    let function = RowQuery(Arc::new(Query { plan: query.subquery, columns, state, gives, signature }));
    Ok(ScalarUDF::new_from_impl(function).call(args))
}

/// A subquery that is run for each row.
#[derive(Debug)]
struct RowQuery(Arc<Query>);

struct Query {
    plan: Arc<LogicalPlan>,
    /// The outer columns, in the order of the arguments.
    columns: Vec<Column>,
    state: SessionState,
    /// What it gives: SUPER for example.
    gives: FieldRef,
    signature: Signature,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.plan)
    }
}

impl PartialEq for RowQuery {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RowQuery {}

impl Hash for RowQuery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.plan.hash(state);
    }
}

impl ScalarUDFImpl for RowQuery {
    fn name(&self) -> &'static str {
        "subquery"
    }

    fn signature(&self) -> &Signature {
        &self.0.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.0.gives.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.0.gives.as_ref().clone().with_name(self.name()).with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns: Vec<_> = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<_>>()?;
        let mut known: HashMap<Vec<ScalarValue>, ScalarValue> = HashMap::new();
        let mut results = Vec::with_capacity(rows);
        for at in 0..rows {
            let values = columns.iter().map(|column| ScalarValue::try_from_array(column, at));
            let values = values.collect::<Result<Vec<_>>>()?;
            let result = match known.get(&values) {
                Some(result) => result.clone(),
                None => {
                    let result = self.0.run(&values)?;
                    known.insert(values, result.clone());
                    result
                }
            };
            results.push(result);
        }
        if results.is_empty() {
            return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(self.0.gives.data_type())));
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(results)?))
    }
}

impl Query {
    /// What the subquery gives for these values of the outer columns.
    fn run(&self, values: &[ScalarValue]) -> Result<ScalarValue> {
        let bound = self.plan.as_ref().clone().transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| {
                expr.transform_up(|part| {
                    let Expr::OuterReferenceColumn(field, column) = &part else { return Ok(Transformed::no(part)) };
                    let at = self.columns.iter().position(|known| known == column);
                    let metadata = FieldMetadata::from(field.as_ref());
                    let metadata = (!metadata.is_empty()).then_some(metadata);
                    match at.and_then(|at| values.get(at)) {
                        Some(value) => Ok(Transformed::yes(Expr::Literal(value.clone(), metadata))),
                        None => Ok(Transformed::no(part)),
                    }
                })
            })
        })?;
        // A relation that named outer columns names none now.
        let plain = bound.data.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Subquery(relation) => Ok(Transformed::yes(Arc::unwrap_or_clone(relation.subquery))),
            other => Ok(Transformed::no(other)),
        })?;
        let bound = plain.data.recompute_schema()?;
        let batches = at_once(async {
            let plan = self.state.create_physical_plan(&bound).await?;
            collect(plan, self.state.task_ctx()).await
        })?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        match batches.iter().find(|batch| batch.num_rows() > 0) {
            None => ScalarValue::try_from(self.gives.data_type()),
            Some(batch) if rows == 1 => {
                ScalarValue::try_from_array(batch.column(0), 0)?.cast_to(self.gives.data_type())
            }
            Some(_) => {
                let message = "more than one row returned by a subquery used as an expression";
                Err(Error::new(ErrorKind::CardinalityViolation, message).into())
            }
        }
    }
}

/// The result of work that waits for nothing.
fn at_once<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = Box::pin(tokio::task::unconstrained(work));
    for _ in 0..MOST_POLLS {
        if let Some(done) = work.as_mut().now_or_never() {
            return done;
        }
        std::thread::yield_now();
    }
    Err(Error::internal("a subquery over memory did not end").into())
}

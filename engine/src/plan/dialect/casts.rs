//! Casts of a finished plan, where the types are known: those that Arrow does otherwise become functions of ours.

use crate::functions;
use crate::sql::Dialect;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};

/// A value as the type of the column that it goes into, as Redshift assigns it.
pub(crate) fn assigned(value: Expr, from: &DataType, to: &DataType) -> Expr {
    if !functions::cast_differs(from, to) {
        return cast(value, to.clone());
    }
    let function = functions::cast_function(to.clone(), false, Dialect::Redshift);
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
}

/// Rewrites the casts of a plan and of the queries in it; names and types stay.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| rewrite_node(node, dialect)).map(|rewritten| rewritten.data)
}

fn rewrite_node(plan: LogicalPlan, dialect: Dialect) -> Result<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|part| Ok(matches!(part, Expr::Cast(_) | Expr::TryCast(_))))?;
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    if !found {
        return Ok(Transformed::no(plan));
    }
    let schema: DFSchema = match &plan {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), scan.source.schema().as_ref())?
        }
        plan => merge_schema(&plan.inputs()),
    };
    let schema = DFSchemaRef::from(schema);
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|part| Ok(rewrite_cast(part, &schema, dialect)))?;
        Ok(if rewritten.transformed { Transformed::yes(name.restore(rewritten.data)) } else { rewritten })
    })
}

fn rewrite_cast(expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let (inner, to, safe) = match &expr {
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type(), false),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type(), true),
        _ => return Transformed::no(expr),
    };
    match inner.get_type(schema) {
        Ok(from) if functions::cast_differs(&from, to) => {
            let function = functions::cast_function(to.clone(), safe, dialect);
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![inner.as_ref().clone()])))
        }
        // The types of an outer query's columns are not known here.
        _ => Transformed::no(expr),
    }
}

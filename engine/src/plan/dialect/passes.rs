//! What the passes over a finished plan have in common: whether there is something for one to do, the expressions of a
//! node, unions whose inputs differ in what a column is.

use datafusion::arrow::datatypes::Field;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Union};
use std::sync::Arc;

/// Whether a plan or a query in it has such a column or such an expression.
pub(super) fn mentions(plan: &LogicalPlan, is_it: fn(&Field) -> bool, begins: fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.schema().fields().iter().any(|field| is_it(field));
        if !found {
            node.apply_expressions(|expr| {
                found |= expr.exists(|part| Ok(begins(part)))?;
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// The columns that a node's expressions may name.
pub(super) fn columns_of(plan: &LogicalPlan) -> Result<DFSchema> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), scan.source.schema().as_ref())
        }
        plan => Ok(merge_schema(&plan.inputs())),
    }
}

/// Rewrites the parts of a node's expressions, inner ones first; names stay.
pub(super) fn rewrite_expressions(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(&mut rewrite)?;
        Ok(if rewritten.transformed { Transformed::yes(name.restore(rewritten.data)) } else { rewritten })
    })
}

/// Whether some fields are of a kind and others are not.
pub(super) fn differ(fields: &[&Field], is_it: fn(&Field) -> bool) -> bool {
    let count = fields.iter().filter(|field| is_it(field)).count();
    count > 0 && count < fields.len()
}

/// A union in which columns that are `mixed`, by their fields in all inputs, are what `convert` makes of them; `None`
/// where none is. Names stay.
pub(super) fn unified(
    union: &Union,
    mixed: impl Fn(&[&Field]) -> bool,
    convert: impl Fn(&Field, Expr) -> Result<Transformed<Expr>>,
) -> Result<Option<LogicalPlan>> {
    let is_mixed = |at: usize| {
        let inputs = union.inputs.iter();
        let fields: Vec<&Field> =
            inputs.filter_map(|input| input.schema().fields().get(at)).map(AsRef::as_ref).collect();
        mixed(&fields)
    };
    let are_mixed: Vec<bool> = (0..union.schema.fields().len()).map(is_mixed).collect();
    if !are_mixed.contains(&true) {
        return Ok(None);
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in &union.inputs {
        let mut items = Vec::with_capacity(are_mixed.len());
        for (at, column) in input.schema().columns().into_iter().enumerate() {
            if !are_mixed[at] {
                items.push(Expr::Column(column));
                continue;
            }
            let (relation, name) = (column.relation.clone(), column.name.clone());
            let value = convert(input.schema().field(at), Expr::Column(column))?;
            items.push(if value.transformed { value.data.alias_qualified(relation, name) } else { value.data });
        }
        inputs.push(Arc::new(LogicalPlanBuilder::from(Arc::clone(input)).project(items)?.build()?));
    }
    Union::try_new_with_loose_types(inputs).map(|union| Some(LogicalPlan::Union(union)))
}

/// Whether an operator compares.
pub(in crate::plan) fn compares(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

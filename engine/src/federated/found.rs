//! What a join finds out of the rows that it wants while the query runs, as conditions for the system: a few keys are
//! looked up instead of a whole table being read.
//!
//! Nothing waits for it: what is known when the first row is asked for is used, which is all of it where the join has
//! its other side in memory. The join decides again, so a weaker condition is right and an unknown one is left out.

use super::table::ForeignTable;
use super::value::{is_lossless, of_scalar};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use millrace_connectors::{Comparison, Predicate, SUPER_METADATA};
use std::sync::Arc;

/// The conditions that filters are at this moment, over columns of `schema`.
pub(super) fn predicates(
    filters: &[Arc<dyn PhysicalExpr>],
    schema: &Schema,
    table: &ForeignTable,
) -> Result<Vec<Predicate>> {
    let mut found = Vec::new();
    for filter in filters {
        let now = snapshot_physical_expr(Arc::clone(filter))?;
        found.extend(split_conjunction(&now).into_iter().filter_map(|part| predicate(part, schema, table)));
    }
    Ok(found)
}

fn predicate(filter: &Arc<dyn PhysicalExpr>, schema: &Schema, table: &ForeignTable) -> Option<Predicate> {
    if let Some(list) = filter.downcast_ref::<InListExpr>() {
        let column = column(list.expr(), schema, table).filter(|_| !list.negated())?;
        // A NULL is equal to nothing.
        let known = list.list().iter().map(literal).collect::<Option<Vec<_>>>()?;
        let known = known.into_iter().filter(|value| !value.is_null());
        let values = known.map(|value| constant(value, &column)).collect::<Option<Vec<_>>>()?;
        return (!values.is_empty()).then_some(Predicate::In { column: column.name, values });
    }
    let binary = filter.downcast_ref::<BinaryExpr>()?;
    let comparison = match binary.op() {
        Operator::Eq => Comparison::Eq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        _ => return None,
    };
    let column = column(binary.left(), schema, table)?;
    let value = constant(literal(binary.right())?, &column)?;
    Some(Predicate::Compare { column: column.name, comparison, value })
}

struct Named<'a> {
    /// As its system calls it.
    name: String,
    field: &'a datafusion::arrow::datatypes::FieldRef,
}

fn column<'a>(expr: &Arc<dyn PhysicalExpr>, schema: &Schema, table: &'a ForeignTable) -> Option<Named<'a>> {
    let column = expr.downcast_ref::<Column>()?;
    let seen = schema.fields().get(column.index()).filter(|field| field.name() == column.name())?;
    let (name, field) = table.column(seen.name())?;
    (!field.metadata().contains_key(SUPER_METADATA)).then(|| Named { name: name.to_owned(), field })
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

fn constant(value: &ScalarValue, column: &Named<'_>) -> Option<millrace_connectors::Value> {
    is_lossless(column.field.data_type(), &value.data_type()).then(|| of_scalar(value)).flatten()
}

//! Files that a filter on the distribution key leaves: those of the values' buckets.

use super::buckets::bucket_numbers;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The values that some filter of a conjunction allows for a column: `k = 1`, `k IN (1, 2)`. `None` when none does.
pub(in crate::tables) fn key_values(filters: &[Expr], column: &str, data_type: &DataType) -> Option<ArrayRef> {
    let is_key = |expr: &Expr| matches!(expr, Expr::Column(found) if found.name == column);
    let value = |expr: &Expr| match expr {
        Expr::Literal(value, _) if value.data_type() == *data_type => Some(value.clone()),
        _ => None,
    };
    let values = filters.iter().find_map(|filter| match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_key(left) => Some(vec![value(right)?]),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_key(right) => Some(vec![value(left)?]),
        Expr::InList(list) if !list.negated && is_key(&list.expr) => list.list.iter().map(value).collect(),
        _ => None,
    })?;
    ScalarValue::iter_to_array(values).ok()
}

/// Whether a bucket of `of` may have rows with one of the values.
pub(in crate::tables) fn has_values((bucket, of): (u32, u32), values: &ArrayRef) -> Result<bool> {
    Ok(bucket_numbers(values, of)?.contains(&bucket))
}

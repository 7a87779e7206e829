//! The arithmetic as an expression of a plan.

use super::kernel;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr_common::datum::apply;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// `left + right`, `left - right` or `left * right` of decimals.
#[derive(Debug, Eq)]
pub(super) struct DecimalArithmetic {
    left: Arc<dyn PhysicalExpr>,
    op: Operator,
    right: Arc<dyn PhysicalExpr>,
}

impl PartialEq for DecimalArithmetic {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.left.eq(&other.left) && self.right.eq(&other.right)
    }
}

impl Hash for DecimalArithmetic {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.left.hash(state);
        self.op.hash(state);
        self.right.hash(state);
    }
}

impl DecimalArithmetic {
    /// An expression in the place of DataFusion's, if it is such arithmetic over these columns.
    pub(super) fn of(binary: &BinaryExpr, schema: &Schema) -> Result<Option<Self>> {
        let (left, right) = (binary.left(), binary.right());
        let is_ours = matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply);
        let types = (left.data_type(schema)?, right.data_type(schema)?);
        if !is_ours || !matches!(types, (DataType::Decimal128(..), DataType::Decimal128(..))) {
            return Ok(None);
        }
        Ok(Some(Self { left: Arc::clone(left), op: *binary.op(), right: Arc::clone(right) }))
    }

    /// DataFusion's, which knows the types.
    pub(super) fn plain(&self) -> BinaryExpr {
        BinaryExpr::new(Arc::clone(&self.left), self.op, Arc::clone(&self.right))
    }
}

impl fmt::Display for DecimalArithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

impl PhysicalExpr for DecimalArithmetic {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.plain().data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.plain().nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let (left, right) = (self.left.evaluate(batch)?, self.right.evaluate(batch)?);
        match kernel::arithmetic(self.op, &left, &right, batch.num_rows())? {
            Some(array) => Ok(ColumnarValue::Array(array)),
            None => apply(&left, &right, |left, right| kernel::checked(self.op, left, right)),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([left, right]) = <[_; 2]>::try_from(children) else { return internal_err!("arithmetic has two sides") };
        Ok(Arc::new(Self { left, op: self.op, right }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt_sql(f)
    }
}

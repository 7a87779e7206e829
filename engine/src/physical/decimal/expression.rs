//! The arithmetic as an expression of a plan.

use super::kernel;
use super::tree::Tree;
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

    /// What it is made of.
    pub(super) fn parts(&self) -> (&Arc<dyn PhysicalExpr>, Operator, &Arc<dyn PhysicalExpr>) {
        (&self.left, self.op, &self.right)
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
        let mut tree = Tree::default();
        let (left, right) = (tree.add(&self.left), tree.add(&self.right));
        let operands = tree.bind(batch)?;
        if tree.has_steps()
            && let Some(array) = operands.last_step(self.op, left, right)?
        {
            return Ok(ColumnarValue::Array(array));
        }
        step(self.op, &operands.whole(left)?, &operands.whole(right)?, batch.num_rows())
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

/// One step over so many rows.
pub(super) fn step(op: Operator, left: &ColumnarValue, right: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    match kernel::arithmetic(op, left, right, rows)? {
        Some(array) => Ok(ColumnarValue::Array(array)),
        None => apply(left, right, |left, right| kernel::checked(op, left, right)),
    }
}

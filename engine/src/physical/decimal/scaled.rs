//! Decimals that come as whole numbers.

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{internal_datafusion_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A decimal by its number without the point, as a scan may give it ([`crate::tables::Unscaled`]). What sums it reads the
/// number itself; for all others it is made a decimal of 128 bits.
#[derive(Debug, Eq)]
pub(in crate::physical) struct Scaled {
    number: Arc<dyn PhysicalExpr>,
    precision: u8,
    scale: i8,
}

impl PartialEq for Scaled {
    fn eq(&self, other: &Self) -> bool {
        (self.precision, self.scale) == (other.precision, other.scale) && self.number.eq(&other.number)
    }
}

impl Hash for Scaled {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
        (self.precision, self.scale).hash(state);
    }
}

impl Scaled {
    /// The decimal of a 64-bit whole number.
    pub(in crate::physical) fn new(number: Arc<dyn PhysicalExpr>, precision: u8, scale: i8) -> Self {
        Self { number, precision, scale }
    }

    /// The number.
    pub(super) fn number(&self) -> &Arc<dyn PhysicalExpr> {
        &self.number
    }

    /// Precision and scale.
    pub(super) fn form(&self) -> (u8, i8) {
        (self.precision, self.scale)
    }

    /// The decimals of numbers.
    pub(super) fn of(&self, numbers: &ArrayRef) -> Result<ArrayRef> {
        let numbers = numbers
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| internal_datafusion_err!("a decimal came as {}", numbers.data_type()))?;
        let values = numbers.values().iter().map(|number| i128::from(*number)).collect();
        let decimals = Decimal128Array::new(values, numbers.nulls().cloned());
        Ok(Arc::new(decimals.with_precision_and_scale(self.precision, self.scale)?))
    }
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl PhysicalExpr for Scaled {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(DataType::Decimal128(self.precision, self.scale))
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.number.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let numbers = self.number.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(self.of(&numbers)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.number]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([number]) = <[_; 1]>::try_from(children) else { return internal_err!("a decimal has one number") };
        Ok(Arc::new(Self { number, ..*self }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt_sql(f)
    }
}

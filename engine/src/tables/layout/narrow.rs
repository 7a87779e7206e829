//! Decimals as the 64-bit numbers that they are, as long as rows are held to be sorted: half of the memory, and of what is
//! spilled. Those of more digits than 64 bits hold stay as they are.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, Schema, SchemaRef};
use datafusion::error::Result;
use std::sync::Arc;

/// The most digits of a decimal that 64 bits hold.
pub(super) const MOST_DIGITS: u8 = 18;

/// A schema, and the same with numbers for decimals.
#[derive(Debug, Clone)]
pub(super) struct Narrow {
    wide: SchemaRef,
    narrow: SchemaRef,
}

impl Narrow {
    /// Of rows with a schema. NOT NULL is enforced elsewhere.
    pub(super) fn of(rows: &SchemaRef) -> Self {
        let wide = rows.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
        let narrow = wide.iter().map(|field| {
            let held = if is_narrow(field.data_type()) { DataType::Int64 } else { field.data_type().clone() };
            field.clone().with_data_type(held)
        });
        let narrow = Arc::new(Schema::new(narrow.collect::<Vec<_>>()));
        Self { wide: Arc::new(Schema::new(wide)), narrow }
    }

    /// The schema of rows that are not held.
    pub(super) fn wide(&self) -> &SchemaRef {
        &self.wide
    }

    /// The schema of rows that are held.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.narrow
    }

    /// Rows as they are held.
    pub(super) fn narrow(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.wide.fields().iter().zip(rows.columns()).map(|(field, column)| -> ArrayRef {
            if is_narrow(field.data_type()) {
                // What stands for NULL may be anything.
                Arc::new(column.as_primitive::<Decimal128Type>().unary::<_, Int64Type>(|value| value as i64))
            } else {
                Arc::clone(column)
            }
        });
        Ok(RecordBatch::try_new(Arc::clone(&self.narrow), columns.collect())?)
    }

    /// Rows as they were.
    pub(super) fn widen(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.wide.fields().iter().zip(rows.columns()).map(|(field, column)| -> ArrayRef {
            if is_narrow(field.data_type()) {
                let values = column.as_primitive::<Int64Type>().unary::<_, Decimal128Type>(i128::from);
                Arc::new(values.with_data_type(field.data_type().clone()))
            } else {
                Arc::clone(column)
            }
        });
        Ok(RecordBatch::try_new(Arc::clone(&self.wide), columns.collect())?)
    }
}

fn is_narrow(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(digits, _) if *digits <= MOST_DIGITS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, Decimal128Array, Int32Array};

    #[test]
    fn decimals_come_back_as_they_were() {
        let decimals = |digits, scale, values: Vec<Option<i128>>| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(digits, scale).unwrap())
        };
        let most = 999_999_999_999_999_999;
        let rows = RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef, true),
            ("d", decimals(18, 2, vec![Some(most), None, Some(-most)]), true),
            ("w", decimals(19, 0, vec![Some(most * 10), Some(-1), None]), true),
        ])
        .unwrap();
        let narrow = Narrow::of(&rows.schema());
        let held = narrow.narrow(&rows).unwrap();
        let types = held.columns().iter().map(|column| column.data_type().clone()).collect::<Vec<_>>();
        assert_eq!(types, [DataType::Int32, DataType::Int64, DataType::Decimal128(19, 0)]);
        assert_eq!(held.schema(), *narrow.schema());
        assert_eq!(narrow.widen(&held).unwrap(), rows);
    }
}

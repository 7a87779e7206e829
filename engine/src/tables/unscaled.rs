//! Decimals read as whole numbers, without their point.
//!
//! Arrow has decimals of 15 digits in 128 bits, while a file has them in 64 or 32: a reader writes four times the bytes
//! that it reads. Who wants to compute with the numbers asks for [`Unscaled`], which Vortex gives as the file has them.

use arrow::array::{Array, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Field, Int64Type, Schema};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use vortex::array::arrays::DecimalArray;
use vortex::array::{ArrayRef, ExecutionCtx, IntoArray};
use vortex::arrow::ArrowSessionExt;
use vortex::dtype::{DType, DecimalType, PType};
use vortex::error::{VortexResult, vortex_bail, vortex_err};
use vortex::expr::{Expression, get_item, root};
use vortex::scalar_fn::{Arity, ChildName, EmptyOptions, ExecutionArgs, ScalarFnId, ScalarFnVTable, ScalarFnVTableExt};
use vortex::session::registry::CachedId;

/// The most digits of a decimal whose number has 64 bits.
const MOST_DIGITS: u8 = 18;

/// The number that a decimal is without its point: 12.50 is 1250.
#[derive(Debug, Eq)]
pub(crate) struct Unscaled {
    decimal: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Unscaled {
    fn eq(&self, other: &Self) -> bool {
        self.decimal.eq(&other.decimal)
    }
}

impl Hash for Unscaled {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.decimal.hash(state);
    }
}

impl Unscaled {
    /// For decimals that [`Unscaled::is_for`].
    pub(crate) fn new(decimal: Arc<dyn PhysicalExpr>) -> Self {
        Self { decimal }
    }

    /// Precision and scale of decimals whose numbers have 64 bits; `None` for other types.
    pub(crate) fn is_for(data_type: &DataType) -> Option<(u8, i8)> {
        match data_type {
            DataType::Decimal128(precision, scale) if *precision <= MOST_DIGITS => Some((*precision, *scale)),
            _ => None,
        }
    }

    /// The decimal.
    pub(crate) fn decimal(&self) -> &Arc<dyn PhysicalExpr> {
        &self.decimal
    }

    /// The column that it is of, if it is of one.
    pub(super) fn column(&self) -> Option<&Column> {
        self.decimal.downcast_ref()
    }
}

impl fmt::Display for Unscaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal.fmt(f)
    }
}

impl PhysicalExpr for Unscaled {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.decimal.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let decimals = self.decimal.evaluate(batch)?.into_array(batch.num_rows())?;
        let decimals = decimals.as_primitive_opt::<Decimal128Type>();
        let decimals = decimals.ok_or_else(|| internal_datafusion_err!("numbers are of decimals"))?;
        match numbers(decimals) {
            Some(numbers) => Ok(ColumnarValue::Array(Arc::new(numbers))),
            None => internal_err!("a decimal has more digits than its type"),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.decimal]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([decimal]) = <[_; 1]>::try_from(children) else { return internal_err!("a number is of one decimal") };
        Ok(Arc::new(Self { decimal }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal.fmt_sql(f)
    }
}

/// The numbers of decimals; `None` if one has more than 64 bits. What stands below NULLs may be anything.
fn numbers(decimals: &PrimitiveArray<Decimal128Type>) -> Option<Int64Array> {
    let is_wide = |value: &i128| i64::try_from(*value).is_err();
    if decimals.values().iter().any(is_wide) && decimals.iter().flatten().any(|value| is_wide(&value)) {
        return None;
    }
    let values = decimals.values().iter().map(|value| *value as i64).collect();
    Some(Int64Array::new(values, decimals.nulls().cloned()))
}

/// The numbers of a file's column.
pub(super) fn expression(column: &str) -> Expression {
    Numbers.new_expr(EmptyOptions, [get_item(column, root())])
}

/// Vortex's function: the number of a decimal.
#[derive(Clone)]
struct Numbers;

impl ScalarFnVTable for Numbers {
    type Options = EmptyOptions;

    fn id(&self) -> ScalarFnId {
        static ID: CachedId = CachedId::new("millrace.unscaled");
        *ID
    }

    fn arity(&self, _: &EmptyOptions) -> Arity {
        Arity::Exact(1)
    }

    fn child_name(&self, _: &EmptyOptions, _: usize) -> ChildName {
        ChildName::from("decimal")
    }

    fn return_dtype(&self, _: &EmptyOptions, args: &[DType]) -> VortexResult<DType> {
        match args {
            [DType::Decimal(_, nullability)] => Ok(DType::Primitive(PType::I64, *nullability)),
            _ => vortex_bail!("numbers are of decimals"),
        }
    }

    fn execute(&self, _: &EmptyOptions, args: &dyn ExecutionArgs, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
        let decimals = args.get(0)?.execute::<DecimalArray>(ctx)?;
        let nullable = decimals.as_ref().dtype().is_nullable();
        let (precision, scale) = (decimals.decimal_dtype().precision(), decimals.decimal_dtype().scale());
        let session = ctx.session().clone();
        let is_narrow =
            matches!(decimals.values_type(), DecimalType::I8 | DecimalType::I16 | DecimalType::I32 | DecimalType::I64);
        let data_type =
            if is_narrow { DataType::Decimal64(precision, scale) } else { DataType::Decimal128(precision, scale) };
        let field = Field::new("", data_type, nullable);
        let decimals = session.arrow().execute_arrow(decimals.into_array(), Some(&field), ctx)?;
        let numbers = if is_narrow {
            decimals.as_primitive_opt::<Decimal64Type>().map(PrimitiveArray::reinterpret_cast::<Int64Type>)
        } else {
            decimals.as_primitive_opt::<Decimal128Type>().and_then(numbers)
        };
        let numbers = numbers.ok_or_else(|| vortex_err!("a decimal has more digits than its type"))?;
        session.arrow().from_arrow_array(Arc::new(numbers), &Field::new("", DataType::Int64, nullable))
    }

    fn is_strict(&self, _: &EmptyOptions) -> bool {
        true
    }

    /// Values of a dictionary that no row has are decimals of the type too.
    fn is_infallible(&self, _: &EmptyOptions) -> bool {
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::vortex::SESSION;
    use super::*;
    use arrow::array::Decimal128Array;
    use datafusion::physical_expr::expressions::col;
    use vortex::array::VortexSessionExecute;

    #[test]
    fn numbers_are_the_same_in_a_file_and_above_it() {
        let values =
            [Some(1250), None, Some(-1), Some(0), Some(999_999_999_999_999_999), Some(-999_999_999_999_999_999)];
        for values in [&values[..4], &values[..], &[], &[None, None]] {
            let decimals = Decimal128Array::from(values.to_vec()).with_precision_and_scale(18, 2).unwrap();
            let expected: Int64Array = values.iter().map(|value| value.map(|value| value as i64)).collect();
            let batch = RecordBatch::try_from_iter_with_nullable([(
                "price",
                Arc::new(decimals) as arrow::array::ArrayRef,
                true,
            )]);
            let batch = batch.unwrap();
            let above = Unscaled::new(col("price", &batch.schema()).unwrap()).evaluate(&batch).unwrap();
            assert_eq!(above.into_array(values.len()).unwrap().as_primitive::<Int64Type>(), &expected);

            let schema = batch.schema();
            let stored = SESSION.arrow().from_arrow_record_batch(batch, &schema).unwrap();
            let asked = stored.apply(&expression("price")).unwrap();
            let mut ctx = SESSION.create_execution_ctx();
            let field = Field::new("", DataType::Int64, true);
            let found = SESSION.arrow().execute_arrow(asked, Some(&field), &mut ctx).unwrap();
            assert_eq!(found.as_primitive::<Int64Type>(), &expected);
        }
    }

    #[test]
    fn what_stands_below_null_may_be_anything() {
        let nulls = Some(vec![true, false].into());
        let decimals = Decimal128Array::new(vec![7, 1 << 100].into(), nulls);
        assert_eq!(numbers(&decimals).unwrap().iter().collect::<Vec<_>>(), [Some(7), None]);
        assert!(numbers(&Decimal128Array::from(vec![7, 1 << 100])).is_none());
    }

    #[test]
    fn they_are_of_decimals_that_64_bits_have_room_for() {
        assert_eq!(Unscaled::is_for(&DataType::Decimal128(18, 2)), Some((18, 2)));
        assert_eq!(Unscaled::is_for(&DataType::Decimal128(19, 2)), None);
        assert_eq!(Unscaled::is_for(&DataType::Int64), None);
    }
}

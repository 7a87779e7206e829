//! Trino's `reduce(array, initial, (state, element) -> state, state -> result)`: a position of all arrays at a time.

use super::arrays::type_name;
use super::is_text;
use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use datafusion::arrow::compute::{cast, interleave, nullif, take, take_arrays};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::sync::{Arc, LazyLock};

static REDUCE: LazyLock<Arc<HigherOrderUDF>> = LazyLock::new(|| Arc::new(HigherOrderUDF::new_from_impl(Reduce::new())));

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Arc<HigherOrderUDF>> {
    (name == REDUCE.name()).then(|| Arc::clone(&REDUCE))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Reduce {
    signature: HigherOrderSignature,
}

impl Reduce {
    fn new() -> Self {
        let arguments = vec![
            ValueOrLambda::Value(()),
            ValueOrLambda::Value(()),
            ValueOrLambda::Lambda(()),
            ValueOrLambda::Lambda(()),
        ];
        Self { signature: HigherOrderSignature::exact(arguments, Volatility::Immutable) }
    }
}

fn wrong_arguments() -> Error {
    Error::new(ErrorKind::UndefinedFunction, "function reduce() takes an array, a value and two lambdas")
}

fn other_state(state: &DataType, made: &DataType) -> Error {
    let (state, made) = (type_name(state), type_name(made));
    let message = format!("function reduce() has a state of type {state}, of which its first lambda makes {made}");
    Error::new(ErrorKind::UndefinedFunction, message).with_hint("cast the first value or what the lambda makes")
}

/// Whether a state is of one type still.
fn stays(state: &DataType, made: &DataType) -> bool {
    state == made || made.is_null() || (is_text(state) && is_text(made))
}

/// Whether values of a type are values of another one, too (Trino: "Implicit coercions").
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Null, Timestamp};
    match (from, to) {
        (Null, _) | (Date32, Timestamp(..)) => true,
        (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64) => true,
        (Timestamp(_, None), Timestamp(_, Some(_))) => true,
        (whole, Decimal128(..) | Float32 | Float64) if whole.is_integer() => true,
        (Decimal128(precision, scale), Decimal128(wider, finer)) => {
            finer >= scale && i16::from(*wider) - i16::from(*finer) >= i16::from(*precision) - i16::from(*scale)
        }
        (Decimal128(..), Float32 | Float64) | (Float32, Float64) => true,
        _ => false,
    }
}

impl HigherOrderUDFImpl for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [array, initial] = types else { return Err(wrong_arguments().into()) };
        let list = match array {
            DataType::List(_) => array.clone(),
            DataType::LargeList(field) | DataType::FixedSizeList(field, _) => DataType::List(Arc::clone(field)),
            _ => return Err(wrong_arguments().into()),
        };
        Ok(vec![list, initial.clone()])
    }

    /// The state is of the first value's type, or of the wider one that the first lambda makes of it.
    fn lambda_parameters(
        &self,
        step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let [ValueOrLambda::Value(list), ValueOrLambda::Value(initial), ValueOrLambda::Lambda(made), _] = fields else {
            return Err(wrong_arguments().into());
        };
        let DataType::List(element) = list.data_type() else { return Err(wrong_arguments().into()) };
        let parameters = |state: &DataType| {
            let state = Arc::new(Field::new("state", state.clone(), true));
            (vec![Arc::clone(&state), Arc::clone(element)], vec![state])
        };
        let complete = |state: &DataType| {
            let (merged, finished) = parameters(state);
            LambdaParametersProgress::Complete(vec![merged, finished])
        };
        let initial = initial.data_type();
        Ok(match made.as_ref().map(|made| made.data_type()) {
            None => LambdaParametersProgress::Partial(vec![Some(parameters(initial).0), None]),
            Some(made) if stays(initial, made) => complete(initial),
            Some(made) if !widens(initial, made) => return Err(other_state(initial, made).into()),
            // It may be another one of a wider state.
            Some(made) if step == 1 => LambdaParametersProgress::Partial(vec![Some(parameters(made).0), None]),
            Some(made) => complete(made),
        })
    }

    fn coerce_values_for_lambdas(&self, fields: &[ValueOrLambda<DataType, DataType>]) -> Result<Option<Vec<DataType>>> {
        Ok(match fields {
            [ValueOrLambda::Value(list), ValueOrLambda::Value(initial), ValueOrLambda::Lambda(made), _]
                if !stays(initial, made) =>
            {
                Some(vec![list.clone(), made.clone()])
            }
            _ => None,
        })
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [.., ValueOrLambda::Lambda(result)] => Ok(Arc::new(Field::new("", result.data_type().clone(), true))),
            _ => Err(wrong_arguments().into()),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [
            ValueOrLambda::Value(array),
            ValueOrLambda::Value(initial),
            ValueOrLambda::Lambda(step),
            ValueOrLambda::Lambda(finish),
        ] = args.args.as_slice()
        else {
            return Err(wrong_arguments().into());
        };
        let array = array.to_array(rows)?;
        let lists = array.as_list::<i32>();
        let mut state = initial.to_array(rows)?;
        let longest =
            (0..rows).filter(|row| lists.is_valid(*row)).map(|row| lists.value_length(row)).max().unwrap_or(0);
        for at in 0..longest {
            let here = |row: &usize| lists.is_valid(*row) && lists.value_length(*row) > at;
            let chosen: Vec<usize> = (0..rows).filter(here).collect();
            let places: UInt64Array = chosen.iter().map(|row| Some(*row as u64)).collect();
            let elements: UInt64Array =
                chosen.iter().map(|row| Some((lists.value_offsets()[*row] + at) as u64)).collect();
            let (states, elements) = (take(&state, &places, None)?, take(lists.values(), &elements, None)?);
            let merged = step.evaluate(&[&|| Ok(Arc::clone(&states)), &|| Ok(Arc::clone(&elements))], |captured| {
                Ok(take_arrays(captured, &places, None)?)
            })?;
            let merged = merged.into_array(chosen.len())?;
            if !stays(state.data_type(), merged.data_type()) {
                return Err(other_state(state.data_type(), merged.data_type()).into());
            }
            let merged = cast(&merged, state.data_type())?;
            let mut picks: Vec<(usize, usize)> = (0..rows).map(|row| (0, row)).collect();
            chosen.iter().enumerate().for_each(|(place, row)| picks[*row] = (1, place));
            state = interleave(&[state.as_ref(), merged.as_ref()], &picks)?;
        }
        let finished = finish.evaluate(&[&|| Ok(Arc::clone(&state))], |captured| Ok(captured.to_vec()))?;
        let finished: ArrayRef = finished.into_array(rows)?;
        let missing: BooleanArray = (0..rows).map(|row| Some(lists.is_null(row))).collect();
        Ok(ColumnarValue::Array(nullif(&finished, &missing)?))
    }
}

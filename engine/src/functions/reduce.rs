//! Trino's `reduce(array, initial, (state, element) -> state, state -> result)`: a position of all arrays at a time.

use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use datafusion::arrow::compute::{CastOptions, cast_with_options, interleave, nullif, take, take_arrays};
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

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let [ValueOrLambda::Value(list), ValueOrLambda::Value(initial), ..] = fields else {
            return Err(wrong_arguments().into());
        };
        let DataType::List(element) = list.data_type() else { return Err(wrong_arguments().into()) };
        let state = Arc::new(Field::new("state", initial.data_type().clone(), true));
        Ok(LambdaParametersProgress::Complete(vec![vec![Arc::clone(&state), Arc::clone(element)], vec![state]]))
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
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let merged = cast_with_options(&merged.into_array(chosen.len())?, state.data_type(), &options)?;
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

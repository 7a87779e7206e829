//! Trino's `array_sort(array, (a, b) -> …)`: an order that a lambda decides.
//!
//! The arrays of a batch are sorted together, by merging: the lambda is called for one pair of each merge at a time, so for
//! many pairs at once, and about twice as often as the longest array is long.

use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take, take_arrays};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

static SORT: LazyLock<Arc<HigherOrderUDF>> = LazyLock::new(|| {
    let arguments = vec![ValueOrLambda::Value(()), ValueOrLambda::Lambda(())];
    let signature = HigherOrderSignature::exact(arguments, Volatility::Immutable);
    Arc::new(HigherOrderUDF::new_from_impl(Sort { signature }))
});

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Arc<HigherOrderUDF>> {
    (name == SORT.name()).then(|| Arc::clone(&SORT))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sort {
    signature: HigherOrderSignature,
}

fn wrong_arguments() -> Error {
    Error::new(ErrorKind::UndefinedFunction, "function array_sort() takes an array and a lambda of two parameters")
}

impl HigherOrderUDFImpl for Sort {
    fn name(&self) -> &'static str {
        "$array_sort"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _)] => {
                Ok(vec![DataType::List(Arc::clone(element))])
            }
            _ => Err(wrong_arguments().into()),
        }
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let [ValueOrLambda::Value(list), _] = fields else { return Err(wrong_arguments().into()) };
        let DataType::List(element) = list.data_type() else { return Err(wrong_arguments().into()) };
        Ok(LambdaParametersProgress::Complete(vec![vec![Arc::clone(element), Arc::clone(element)]]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [ValueOrLambda::Value(list), _] => Ok(Arc::clone(list)),
            _ => Err(wrong_arguments().into()),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let [ValueOrLambda::Value(array), ValueOrLambda::Lambda(lambda)] = args.args.as_slice() else {
            return Err(wrong_arguments().into());
        };
        let array = array.to_array(args.number_rows)?;
        let lists = array.as_list::<i32>();
        let DataType::List(element) = lists.data_type() else { return Err(wrong_arguments().into()) };
        let order = order_of(lists, |left, right, rows| compared(lists.values(), lambda, left, right, rows))?;
        let lengths = order.iter().map(Vec::len);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let places: UInt64Array = order.concat().into();
        let values = take(lists.values(), &places, None)?;
        let sorted = ListArray::try_new(Arc::clone(element), offsets, values, lists.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(sorted)))
    }
}

/// For each pair of elements whether the right one comes before the left one.
fn compared(
    values: &ArrayRef,
    lambda: &LambdaArgument,
    left: Vec<u64>,
    right: Vec<u64>,
    rows: Vec<u64>,
) -> Result<Vec<bool>> {
    let count = rows.len();
    let (left, right, rows) = (UInt64Array::from(left), UInt64Array::from(right), UInt64Array::from(rows));
    let (left, right) = (take(values, &left, None)?, take(values, &right, None)?);
    let made = lambda.evaluate(&[&|| Ok(Arc::clone(&left)), &|| Ok(Arc::clone(&right))], |captured| {
        Ok(take_arrays(captured, &rows, None)?)
    })?;
    let made = cast(&made.into_array(count)?, &DataType::Int64)?;
    let made = made.as_primitive::<Int64Type>().iter().map(|order| match order {
        Some(-1 | 0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(Error::new(ErrorKind::InvalidParameter, "Lambda comparator must return either -1, 0, or 1").into()),
    });
    made.collect()
}

/// Sorted elements of a row.
struct Run {
    row: usize,
    places: Vec<u64>,
}

/// Two neighbouring runs that become one.
struct Merge {
    row: usize,
    left: VecDeque<u64>,
    right: VecDeque<u64>,
    merged: Vec<u64>,
}

impl Merge {
    fn finish(mut self) -> Run {
        self.merged.extend(self.left);
        self.merged.extend(self.right);
        Run { row: self.row, places: self.merged }
    }
}

/// The places of each list's elements in order; equal ones stay as they were. `is_after` tells of many pairs, left and
/// right, of which rows, whether the left element comes after the right one.
fn order_of(
    lists: &ListArray,
    mut is_after: impl FnMut(Vec<u64>, Vec<u64>, Vec<u64>) -> Result<Vec<bool>>,
) -> Result<Vec<Vec<u64>>> {
    let mut runs: Vec<Run> = Vec::with_capacity(lists.values().len());
    for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
        let places = lists.value_offsets()[row]..lists.value_offsets()[row + 1];
        runs.extend(places.map(|place| Run { row, places: vec![u64::from(place.unsigned_abs())] }));
    }
    loop {
        let (mut merges, mut alone): (Vec<Merge>, Vec<(usize, Run)>) = (Vec::new(), Vec::new());
        let mut rest = runs.into_iter().peekable();
        while let Some(left) = rest.next() {
            match rest.next_if(|right| right.row == left.row) {
                Some(right) => merges.push(Merge {
                    row: left.row,
                    left: left.places.into(),
                    right: right.places.into(),
                    merged: Vec::new(),
                }),
                None => alone.push((merges.len(), left)),
            }
        }
        if merges.is_empty() {
            runs = alone.into_iter().map(|(_, run)| run).collect();
            break;
        }
        loop {
            let mut open: Vec<&mut Merge> =
                merges.iter_mut().filter(|merge| !merge.left.is_empty() && !merge.right.is_empty()).collect();
            if open.is_empty() {
                break;
            }
            let first = |side: fn(&Merge) -> &VecDeque<u64>| -> Vec<u64> {
                open.iter().filter_map(|merge| side(merge).front().copied()).collect()
            };
            let rows = open.iter().map(|merge| merge.row as u64).collect();
            let after = is_after(first(|merge| &merge.left), first(|merge| &merge.right), rows)?;
            for (merge, after) in open.iter_mut().zip(after) {
                let next = if after { merge.right.pop_front() } else { merge.left.pop_front() };
                merge.merged.extend(next);
            }
        }
        // Each run that was alone in its place again.
        runs = Vec::with_capacity(merges.len() + alone.len());
        let mut alone = alone.into_iter().peekable();
        for (at, merge) in merges.into_iter().enumerate() {
            while let Some((_, run)) = alone.next_if(|(place, _)| *place == at) {
                runs.push(run);
            }
            runs.push(merge.finish());
        }
        runs.extend(alone.map(|(_, run)| run));
    }
    let mut order = vec![Vec::new(); lists.len()];
    for run in runs {
        order[run.row] = run.places;
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::PrimitiveArray;

    #[test]
    fn lists_are_sorted_together_and_equal_elements_stay() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some((0..50).map(|n| Some(n * 7 % 50)).collect::<Vec<_>>()),
            None,
            Some(vec![]),
            Some(vec![Some(12), Some(3), Some(11), Some(1), Some(10)]),
            Some(vec![Some(5)]),
        ]);
        let values: PrimitiveArray<Int64Type> = lists.values().as_primitive::<Int64Type>().clone();
        let mut calls = 0;
        // By tens.
        let order = order_of(&lists, |left, right, _| {
            calls += 1;
            let tens = |place: &u64| values.value(usize::try_from(*place).unwrap()) / 10;
            Ok(left.iter().zip(&right).map(|(left, right)| tens(left) > tens(right)).collect())
        })
        .unwrap();
        let found: Vec<Vec<i64>> = order
            .iter()
            .map(|places| places.iter().map(|place| values.value(usize::try_from(*place).unwrap())).collect())
            .collect();
        let mut expected: Vec<i64> = (0..50).map(|n| n * 7 % 50).collect();
        expected.sort_by_key(|n| n / 10);
        assert_eq!(found, [expected, vec![], vec![], vec![3, 1, 12, 11, 10], vec![5]]);
        assert!(calls <= 2 * 64, "the lambda was called {calls} times");
    }
}

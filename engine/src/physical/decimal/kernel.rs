//! Sums, differences and products of decimals whose values have 64 bits.

use arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion::logical_expr::{ColumnarValue, Operator};
use std::sync::Arc;

/// Powers of ten up to this exponent have 63 bits.
const MOST_SCALE_DIFFERENCE: i8 = 18;

/// `left op right`, or `None` where the values, types or operator are not those that this kernel is for; an array of
/// so many rows.
pub(super) fn arithmetic(
    op: Operator,
    left: &ColumnarValue,
    right: &ColumnarValue,
    rows: usize,
) -> Result<Option<ArrayRef>, ArrowError> {
    let (left, right) = (Side::of(left), Side::of(right));
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let types = ((left.precision, left.scale), (right.precision, right.scale));
    let Some((precision, scale)) = result_type(op, types.0, types.1) else { return Ok(None) };
    if left.is_null() || right.is_null() {
        let nulls = PrimitiveArray::<Decimal128Type>::new_null(rows).with_precision_and_scale(precision, scale)?;
        return Ok(Some(Arc::new(nulls)));
    }
    if !left.is_narrow() || !right.is_narrow() {
        return Ok(None);
    }
    let result = match op {
        Operator::Multiply => combine(&left, &right, rows, |a, b| i128::from(a) * i128::from(b)),
        Operator::Plus | Operator::Minus => {
            let (left_factor, right_factor) = (factor(scale - left.scale), factor(scale - right.scale));
            let (Some(f), Some(g)) = (left_factor, right_factor) else { return Ok(None) };
            match (op, f == 1 && g == 1) {
                (Operator::Plus, true) => combine(&left, &right, rows, |a, b| i128::from(a) + i128::from(b)),
                (Operator::Plus, false) => {
                    combine(&left, &right, rows, |a, b| i128::from(a) * i128::from(f) + i128::from(b) * i128::from(g))
                }
                (_, true) => combine(&left, &right, rows, |a, b| i128::from(a) - i128::from(b)),
                (_, false) => {
                    combine(&left, &right, rows, |a, b| i128::from(a) * i128::from(f) - i128::from(b) * i128::from(g))
                }
            }
        }
        _ => return Ok(None),
    };
    Ok(result
        .map(|array| array.with_precision_and_scale(precision, scale))
        .transpose()?
        .map(|array| Arc::new(array) as _))
}

/// One operand: a column or one value.
struct Side<'a> {
    values: Values<'a>,
    precision: u8,
    scale: i8,
}

enum Values<'a> {
    Column(&'a PrimitiveArray<Decimal128Type>),
    One(Option<i128>),
}

impl<'a> Side<'a> {
    fn of(value: &'a ColumnarValue) -> Option<Self> {
        let DataType::Decimal128(precision, scale) = value.data_type() else { return None };
        let values = match value {
            ColumnarValue::Array(array) => Values::Column(array.as_primitive_opt()?),
            ColumnarValue::Scalar(datafusion::common::ScalarValue::Decimal128(value, ..)) => Values::One(*value),
            ColumnarValue::Scalar(_) => return None,
        };
        Some(Self { values, precision, scale })
    }

    fn is_null(&self) -> bool {
        matches!(self.values, Values::One(None))
    }

    /// Whether all values have 64 bits, what stands below NULLs included. No branch, so that it runs on vectors.
    fn is_narrow(&self) -> bool {
        match self.values {
            Values::One(value) => value.is_none_or(|value| i64::try_from(value).is_ok()),
            Values::Column(array) => {
                let excess = array
                    .values()
                    .iter()
                    .fold(0_i64, |bits, value| bits | ((value >> 64) as i64 ^ (*value as i64 >> 63)));
                excess == 0
            }
        }
    }
}

/// Precision and scale as Arrow's kernels have them; `None` for other operators and scales that Arrow refuses.
pub(super) fn result_type(op: Operator, left: (u8, i8), right: (u8, i8)) -> Option<(u8, i8)> {
    let ((left_precision, left_scale), (right_precision, right_scale)) = (left, right);
    match op {
        Operator::Plus | Operator::Minus => {
            let scale = left_scale.max(right_scale);
            let whole = (left_precision as i8 - left_scale).max(right_precision as i8 - right_scale);
            let precision = (scale.saturating_add(whole) as u8).saturating_add(1);
            Some((precision.min(DECIMAL128_MAX_PRECISION), scale))
        }
        Operator::Multiply => {
            let scale = left_scale.saturating_add(right_scale);
            let precision = left_precision.saturating_add(right_precision + 1).min(DECIMAL128_MAX_PRECISION);
            (scale <= arrow::datatypes::DECIMAL128_MAX_SCALE).then_some((precision, scale))
        }
        _ => None,
    }
}

/// Ten to the power, if it has 63 bits.
pub(super) fn factor(power: i8) -> Option<i64> {
    (0..=MOST_SCALE_DIFFERENCE).contains(&power).then(|| 10_i64.pow(u32::from(power as u8)))
}

/// `None` for two single values, which are no work worth having.
fn combine(
    left: &Side<'_>,
    right: &Side<'_>,
    rows: usize,
    op: impl Fn(i64, i64) -> i128,
) -> Option<PrimitiveArray<Decimal128Type>> {
    // Both sides were found narrow, so nothing is cut off.
    match (&left.values, &right.values) {
        (Values::Column(a), Values::Column(b)) if a.len() == rows && b.len() == rows => {
            let nulls = arrow::buffer::NullBuffer::union(a.nulls(), b.nulls());
            let values = a.values().iter().zip(b.values()).map(|(a, b)| op(*a as i64, *b as i64));
            Some(PrimitiveArray::new(values.collect(), nulls))
        }
        (Values::Column(a), Values::One(Some(b))) => Some(a.unary(|a| op(a as i64, *b as i64))),
        (Values::One(Some(a)), Values::Column(b)) => Some(b.unary(|b| op(*a as i64, b as i64))),
        _ => None,
    }
}

/// Arrow's kernel, for all that [`arithmetic`] leaves.
pub(super) fn checked(op: Operator, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    use arrow::compute::kernels::numeric::{add, mul, sub};
    match op {
        Operator::Plus => add(left, right),
        Operator::Minus => sub(left, right),
        _ => mul(left, right),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::Decimal128Array;
    use datafusion::common::ScalarValue;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn column(values: &[Option<i128>], precision: u8, scale: i8) -> ColumnarValue {
        let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap();
        ColumnarValue::Array(Arc::new(array))
    }

    #[test]
    fn results_and_types_are_those_of_arrow() {
        let mut random = StdRng::seed_from_u64(7);
        let edges = [i128::from(i64::MAX), i128::from(i64::MIN), 0, 1, -1, i128::from(i64::MAX) + 1];
        for case in 0..2_000_i32 {
            let (p1, s1) = (15 + (case % 8) as u8, (case % 5) as i8);
            let (p2, s2) = (19 - (case % 3) as u8, (case % 7) as i8);
            let value = |random: &mut StdRng| match random.random_range(0..20) {
                0 => None,
                1 => Some(edges[random.random_range(0..edges.len())]),
                _ => Some(random.random_range(-1_000_000_000_000_000_i128..1_000_000_000_000_000)),
            };
            let mut values = || (0..9).map(|_| value(&mut random)).collect::<Vec<_>>();
            let (a, b) = (values(), values());
            let one = ColumnarValue::Scalar(ScalarValue::Decimal128(b[0], p2, s2));
            let (left, right) = (column(&a, p1, s1), column(&b, p2, s2));
            for op in [Operator::Plus, Operator::Minus, Operator::Multiply] {
                for (left, right) in [(&left, &right), (&left, &one), (&one, &left)] {
                    let rows = 9;
                    let expected = checked(op, &left.to_array(rows).unwrap(), &right.to_array(rows).unwrap());
                    if let Some(found) = arithmetic(op, left, right, rows).unwrap() {
                        assert_eq!(&found, &expected.unwrap(), "{left:?} {op} {right:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn wide_values_and_other_operators_are_left() {
        let narrow = column(&[Some(1), None], 15, 2);
        for (op, other, taken) in [
            (Operator::Multiply, column(&[Some(2), Some(3)], 15, 2), true),
            (Operator::Multiply, column(&[Some(1 << 63), Some(3)], 38, 2), false),
            (Operator::Multiply, column(&[Some(-(1 << 63)), Some(3)], 38, 2), true),
            (Operator::Plus, column(&[Some(2), Some(3)], 38, 20), true),
            (Operator::Plus, column(&[Some(2), Some(3)], 38, 21), false),
            (Operator::Divide, column(&[Some(2), Some(3)], 15, 2), false),
        ] {
            assert_eq!(arithmetic(op, &narrow, &other, 2).unwrap().is_some(), taken, "{op} {other:?}");
        }
    }
}

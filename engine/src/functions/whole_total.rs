//! A sum or an average of 64-bit whole numbers without groups, added with 128 bits.
//!
//! DataFusion's accumulators would be given a decimal of 128 bits for each number. The state is theirs: the sum, before it
//! the count for averages. Fewer than 2⁶³ numbers do not fill 128 bits.

use super::decimal_totals::Total;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::{ScalarValue, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;

/// What is summed or averaged so far.
#[derive(Debug)]
pub(super) struct WholeTotal {
    total: Total,
    sum: i128,
    /// How many numbers; of merged sums, how many of these.
    count: u64,
}

impl WholeTotal {
    /// `None` for arguments of another type.
    pub(super) fn of(total: Total, argument: &DataType) -> Option<Self> {
        (*argument == DataType::Int64).then_some(Self { total, sum: 0, count: 0 })
    }

    fn sum(&self) -> ScalarValue {
        ScalarValue::Decimal128((self.count > 0).then_some(self.sum), 38, 0)
    }
}

impl Accumulator for WholeTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let numbers = values.first().and_then(|values| values.as_primitive_opt::<Int64Type>());
        let numbers = numbers.ok_or_else(|| internal_datafusion_err!("a sum of other numbers than 64-bit ones"))?;
        self.sum += match numbers.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => numbers.values().iter().map(|number| i128::from(*number)).sum::<i128>(),
            Some(_) => numbers.iter().flatten().map(i128::from).sum(),
        };
        self.count += (numbers.len() - numbers.null_count()) as u64;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.total == Total::Average && self.count > 0 {
            return Ok(ScalarValue::Decimal128(Some(self.sum / i128::from(self.count)), 38, 0));
        }
        Ok(self.sum())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(match self.total {
            Total::Sum => vec![self.sum()],
            Total::Average => vec![ScalarValue::UInt64(Some(self.count)), self.sum()],
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let wrong = || internal_datafusion_err!("the state of a sum or average has another form");
        let (counts, sums) = match (self.total, states) {
            (Total::Sum, [sums]) => (None, sums),
            (Total::Average, [counts, sums]) => (Some(counts), sums),
            _ => return Err(wrong()),
        };
        let sums = sums.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?;
        self.sum += sums.iter().flatten().sum::<i128>();
        self.count += match counts {
            Some(counts) => counts.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?.iter().flatten().sum::<u64>(),
            None => (sums.len() - sums.null_count()) as u64,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::Int64Array;
    use std::sync::Arc;

    #[test]
    fn totals_are_those_of_the_numbers() {
        type Case<'a> = (&'a [Option<i64>], Option<i128>, Option<i128>);
        let (least, most) = (i64::MIN, i64::MAX);
        let cases: [Case<'_>; 6] = [
            (&[], None, None),
            (&[None, None], None, None),
            (&[Some(7), None, Some(8)], Some(15), Some(7)),
            // Averages are cut (Redshift: "AVG function").
            (&[Some(-7), Some(-8)], Some(-15), Some(-7)),
            (&[Some(most), Some(most), Some(most)], Some(27_670_116_110_564_327_421), Some(most.into())),
            (&[Some(least), Some(least), Some(0)], Some(-18_446_744_073_709_551_616), Some(-6_148_914_691_236_517_205)),
        ];
        for (numbers, sum, average) in cases {
            for (total, expected) in [(Total::Sum, sum), (Total::Average, average)] {
                let expected = ScalarValue::Decimal128(expected, 38, 0);
                let make = || WholeTotal::of(total, &DataType::Int64).unwrap();
                let (mut whole, mut merged) = (make(), make());
                // All at once, and what each number's own accumulator has.
                whole.update_batch(&[Arc::new(Int64Array::from(numbers.to_vec()))]).unwrap();
                for number in numbers {
                    let mut part = make();
                    part.update_batch(&[Arc::new(Int64Array::from(vec![*number]))]).unwrap();
                    let states = part.state().unwrap();
                    let states: Vec<ArrayRef> = states.iter().map(|state| state.to_array().unwrap()).collect();
                    merged.merge_batch(&states).unwrap();
                }
                assert_eq!(whole.evaluate().unwrap(), expected, "{total:?} of {numbers:?}");
                assert_eq!(merged.evaluate().unwrap(), expected, "{total:?} of {numbers:?} in parts");
            }
        }
        assert!(WholeTotal::of(Total::Sum, &DataType::Int32).is_none());
    }
}

//! Sums and averages of decimals and whole numbers by group, with 128 bits.
//!
//! DataFusion's accumulators for decimals keep a bitmap of the groups seen and add row by row to one sum a group. With
//! few groups, consecutive rows often have the same one, and each addition waits for the one before. Here a batch of few
//! groups is added in lanes of its own, which a batch's end puts together. A sum that leaves 128 bits, or the 38 digits
//! of a NUMERIC, is an error instead of another number.

use super::arithmetic::out_of_range;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, UInt64Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

/// Most groups of a batch that is added in lanes.
const LANE_GROUPS: usize = 32;
/// Lanes: consecutive rows go to different ones.
const LANES: usize = 4;
/// A NUMERIC has 38 digits.
const PAST_LARGEST: u128 = 10_u128.pow(38);

/// What is made of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    Sum,
    /// Divided by the count; digits that the result has no room for are cut off.
    Average,
}

/// Sums by group, with counts. The state is that of DataFusion's functions: the sum, before it the count for averages.
#[derive(Debug)]
pub(super) struct DecimalTotals {
    total: Total,
    /// Of the sum.
    scale: i8,
    /// Of the result.
    output: (u8, i8),
    sums: Vec<i128>,
    /// By group, how many values; where only whether there is one matters (sums), 1 stands for any.
    counts: Vec<u64>,
    /// Whether a group may be without a value so far.
    may_lack: bool,
    /// Whether a sum left 128 bits.
    overflowed: bool,
}

impl DecimalTotals {
    /// For arguments of 64-bit whole numbers or decimals whose sums 128 bits have room for; `None` for others.
    pub(super) fn of(total: Total, argument: &DataType, result: &DataType) -> Option<Self> {
        let DataType::Decimal128(precision, result_scale) = *result else { return None };
        let scale = match (total, argument) {
            (_, DataType::Int64) => 0,
            // DataFusion's state of an average of more digits is a sum of 256 bits.
            (Total::Average, DataType::Decimal128(digits, _)) if *digits > 18 => return None,
            (_, DataType::Decimal128(_, scale)) => *scale,
            _ => return None,
        };
        Some(Self {
            total,
            scale,
            output: (precision, result_scale),
            sums: Vec::new(),
            counts: Vec::new(),
            may_lack: false,
            overflowed: false,
        })
    }

    /// Adds `value(row)` for each row, or for those that are `valid`.
    fn add(&mut self, groups: &[usize], valid: Option<&NullBuffer>, groups_now: usize, value: impl Fn(usize) -> i128) {
        self.sums.resize(groups_now, 0);
        let mut overflowed = false;
        let mut add = |sums: &mut [i128], group: usize, value: i128| {
            let (sum, over) = sums[group].overflowing_add(value);
            sums[group] = sum;
            overflowed |= over;
        };
        match valid {
            None if in_lanes(groups, groups_now) => {
                let mut lanes = [[0_i128; LANE_GROUPS]; LANES];
                for (chunk, groups) in groups.chunks(LANES).enumerate() {
                    for (lane, (sums, group)) in lanes.iter_mut().zip(groups).enumerate() {
                        // The remainder of a power of two costs less than a check of bounds.
                        add(sums, *group % LANE_GROUPS, value(chunk * LANES + lane));
                    }
                }
                for lane in lanes {
                    (0..groups_now).for_each(|group| add(&mut self.sums, group, lane[group]));
                }
            }
            None => groups.iter().enumerate().for_each(|(row, group)| add(&mut self.sums, *group, value(row))),
            Some(valid) => valid.valid_indices().for_each(|row| add(&mut self.sums, groups[row], value(row))),
        }
        self.overflowed |= overflowed;
    }

    /// Counts the rows, or those that are `valid`.
    fn count(&mut self, groups: &[usize], valid: Option<&NullBuffer>, groups_now: usize) {
        self.may_lack |= valid.is_some();
        if self.total == Total::Sum && !self.may_lack {
            // A group is new because a row of it is here.
            self.counts.resize(groups_now, 1);
            return;
        }
        self.counts.resize(groups_now, 0);
        match valid {
            None if in_lanes(groups, groups_now) => {
                let mut lanes = [[0_u64; LANE_GROUPS]; LANES];
                for groups in groups.chunks(LANES) {
                    lanes.iter_mut().zip(groups).for_each(|(lane, group)| lane[*group % LANE_GROUPS] += 1);
                }
                for lane in lanes {
                    self.counts.iter_mut().zip(lane).for_each(|(count, part)| *count += part);
                }
            }
            None => groups.iter().for_each(|group| self.counts[*group] += 1),
            Some(valid) => valid.valid_indices().for_each(|row| self.counts[groups[row]] += 1),
        }
    }

    fn add_values(
        &mut self,
        values: &ArrayRef,
        groups: &[usize],
        valid: Option<&NullBuffer>,
        groups_now: usize,
    ) -> Result<()> {
        if let Some(values) = values.as_primitive_opt::<Decimal128Type>() {
            let values = &values.values()[..groups.len()];
            self.add(groups, valid, groups_now, |row| values[row]);
        } else if let Some(values) = values.as_primitive_opt::<Int64Type>() {
            let values = &values.values()[..groups.len()];
            self.add(groups, valid, groups_now, |row| i128::from(values[row]));
        } else {
            return Err(internal_datafusion_err!("a sum over {}", values.data_type()));
        }
        Ok(())
    }

    fn take(&mut self, emit_to: EmitTo) -> Result<(Vec<i128>, Vec<u64>)> {
        let (sums, counts) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.counts));
        if self.overflowed || sums.iter().any(|sum| sum.unsigned_abs() >= PAST_LARGEST) {
            return Err(out_of_range(&DataType::Decimal128(38, self.scale)).into());
        }
        Ok((sums, counts))
    }

    fn sums_of(&self, sums: Vec<i128>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let sums = PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls);
        Ok(std::sync::Arc::new(sums.with_precision_and_scale(38, self.scale)?))
    }
}

/// Whether a batch's rows are added in lanes.
fn in_lanes(groups: &[usize], groups_now: usize) -> bool {
    groups_now <= LANE_GROUPS && groups.len() >= LANES * groups_now
}

/// Whether a value has more digits than a NUMERIC may.
pub(super) fn is_past_38_digits(values: &PrimitiveArray<Decimal128Type>) -> bool {
    values.iter().flatten().any(|value| value.unsigned_abs() >= PAST_LARGEST)
}

/// Which rows have a value that counts; `None` for all.
fn valid_rows(values: &ArrayRef, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let chosen = filter.map(|filter| {
        let chosen = filter.values().clone();
        NullBuffer::new(filter.nulls().map_or_else(|| chosen.clone(), |nulls| &chosen & nulls.inner()))
    });
    let values = values.nulls().filter(|nulls| nulls.null_count() > 0);
    NullBuffer::union(values, chosen.as_ref())
}

fn seen(counts: &[u64]) -> Option<NullBuffer> {
    counts.contains(&0).then(|| counts.iter().map(|count| *count > 0).collect())
}

impl GroupsAccumulator for DecimalTotals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_now: usize,
    ) -> Result<()> {
        let [values] = values else { return Err(internal_datafusion_err!("a sum has one argument")) };
        let valid = valid_rows(values, filter);
        self.add_values(values, groups, valid.as_ref(), groups_now)?;
        self.count(groups, valid.as_ref(), groups_now);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (precision, scale) = self.output;
        let (mut sums, counts) = self.take(emit_to)?;
        if self.total == Total::Average {
            let factor = 10_i128.pow(u32::from((scale - self.scale).max(0).unsigned_abs()));
            for (sum, count) in sums.iter_mut().zip(&counts) {
                let count = i128::from((*count).max(1));
                // The whole part first, so that the digits behind it need no more room than the result has.
                let (whole, rest) = (*sum / count, *sum % count);
                let wide = whole.checked_mul(factor).and_then(|whole| whole.checked_add(rest * factor / count));
                *sum = wide.ok_or_else(|| out_of_range(&DataType::Decimal128(precision, scale)))?;
            }
        }
        let values = PrimitiveArray::<Decimal128Type>::new(sums.into(), seen(&counts));
        Ok(std::sync::Arc::new(values.with_precision_and_scale(precision, scale)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts) = self.take(emit_to)?;
        let sums = self.sums_of(sums, seen(&counts))?;
        Ok(match self.total {
            Total::Sum => vec![sums],
            Total::Average => vec![std::sync::Arc::new(UInt64Array::from(counts)), sums],
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_now: usize) -> Result<()> {
        match (self.total, states) {
            (Total::Sum, [_]) => self.update_batch(states, groups, None, groups_now),
            (Total::Average, [counts, sums]) => {
                self.add_values(sums, groups, valid_rows(sums, None).as_ref(), groups_now)?;
                self.counts.resize(groups_now, 0);
                for (group, count) in groups.iter().zip(counts.as_primitive::<UInt64Type>()) {
                    self.counts[*group] += count.unwrap_or_default();
                }
                Ok(())
            }
            _ => Err(internal_datafusion_err!("the state of a sum or average has another form")),
        }
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let [values] = values else { return Err(internal_datafusion_err!("a sum has one argument")) };
        let valid = valid_rows(values, filter);
        let sums = match values.as_primitive_opt::<Decimal128Type>() {
            Some(values) => values.values().to_vec(),
            None => values.as_primitive::<Int64Type>().values().iter().map(|value| i128::from(*value)).collect(),
        };
        let sums = self.sums_of(sums, valid.clone())?;
        Ok(match self.total {
            Total::Sum => vec![sums],
            Total::Average => {
                let counts = UInt64Array::new(vec![1; values.len()].into(), valid);
                vec![std::sync::Arc::new(counts), sums]
            }
        })
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{Decimal128Array, Int64Array};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::sync::Arc;

    /// One of Rust's own sums and counts by group.
    fn expected(rows: &[(usize, Option<i128>)], groups: usize) -> Vec<(i128, u64)> {
        let mut totals = vec![(0, 0); groups];
        for (group, value) in rows.iter().filter_map(|(group, value)| Some((*group, (*value)?))) {
            totals[group].0 += value;
            totals[group].1 += 1;
        }
        totals
    }

    #[test]
    fn sums_and_averages_are_those_of_the_rows() {
        let mut random = StdRng::seed_from_u64(3);
        for round in 0..60 {
            let groups = [1, 3, 32, 33, 500][round % 5];
            let with_nulls = round % 3 == 0;
            let decimal = DataType::Decimal128(15, 2);
            let mut sum = DecimalTotals::of(Total::Sum, &decimal, &DataType::Decimal128(38, 2)).unwrap();
            let mut average = DecimalTotals::of(Total::Average, &decimal, &DataType::Decimal128(38, 3)).unwrap();
            let mut merged = [
                DecimalTotals::of(Total::Sum, &decimal, &DataType::Decimal128(38, 2)).unwrap(),
                DecimalTotals::of(Total::Average, &decimal, &DataType::Decimal128(38, 3)).unwrap(),
            ];
            let mut all: Vec<(usize, Option<i128>)> = Vec::new();
            for batch in 0..3 {
                // Each batch has all groups, so that none is new without a row.
                let of: Vec<usize> = (0..groups).chain((0..1_000).map(|_| random.random_range(0..groups))).collect();
                let values: Vec<Option<i128>> = (0..of.len())
                    .map(|_| (!with_nulls || random.random_bool(0.3)).then(|| random.random_range(-99_999..99_999)))
                    .collect();
                let chosen: Vec<bool> = (0..of.len()).map(|_| batch != 1 || random.random_bool(0.5)).collect();
                let filter = (batch == 1).then(|| BooleanArray::from(chosen.clone()));
                let array = Decimal128Array::from(values.clone()).with_precision_and_scale(15, 2).unwrap();
                let array: ArrayRef = Arc::new(array);
                for (totals, merged) in [&mut sum, &mut average].into_iter().zip(&mut merged) {
                    let arrays = [Arc::clone(&array)];
                    totals.update_batch(&arrays, &of, filter.as_ref(), groups).unwrap();
                    let states = totals.convert_to_state(&arrays, filter.as_ref()).unwrap();
                    merged.merge_batch(&states, &of, groups).unwrap();
                }
                all.extend(of.into_iter().zip(values).zip(chosen).map(|((g, v), c)| (g, v.filter(|_| c))));
            }
            let expected = expected(&all, groups);
            let sums: Vec<_> = expected.iter().map(|(sum, count)| (*count > 0).then_some(*sum)).collect();
            let averages: Vec<_> =
                expected.iter().map(|(sum, n)| (*n > 0).then(|| sum * 10 / i128::from(*n))).collect();
            let [merged_sum, merged_average] = &mut merged;
            for (totals, expected) in
                [(&mut sum, &sums), (merged_sum, &sums), (&mut average, &averages), (merged_average, &averages)]
            {
                let found = totals.evaluate(EmitTo::All).unwrap();
                let found: Vec<_> = found.as_primitive::<Decimal128Type>().iter().collect();
                assert_eq!(&found, expected, "round {round}, {:?}", totals.total);
            }
        }
    }

    #[test]
    fn nothing_wraps() {
        let wide = DataType::Decimal128(38, 0);
        let largest = i128::try_from(PAST_LARGEST - 1).unwrap();
        for (values, fits) in [
            (vec![largest], true),
            (vec![largest, 1], false),
            (vec![largest, 1, -1], true),
            (vec![largest; 2], false),
            (vec![-largest; 9], false),
        ] {
            let mut sum = DecimalTotals::of(Total::Sum, &wide, &wide).unwrap();
            let array = Decimal128Array::from(values.clone()).with_precision_and_scale(38, 0).unwrap();
            sum.update_batch(&[Arc::new(array)], &vec![0; values.len()], None, 1).unwrap();
            assert_eq!(sum.evaluate(EmitTo::All).is_ok(), fits, "{values:?}");
        }
        let mut average = DecimalTotals::of(Total::Average, &DataType::Int64, &wide).unwrap();
        let values = Int64Array::from(vec![i64::MAX, i64::MAX, -7, -8]);
        average.update_batch(&[Arc::new(values)], &[0, 0, 1, 1], None, 2).unwrap();
        let found = average.evaluate(EmitTo::All).unwrap();
        assert_eq!(found.as_primitive::<Decimal128Type>().values().to_vec(), [i128::from(i64::MAX), -7]);
        let mut sum = DecimalTotals::of(Total::Sum, &DataType::Int64, &wide).unwrap();
        sum.update_batch(&[Arc::new(Int64Array::from(vec![i64::MAX; 3]))], &[0; 3], None, 1).unwrap();
        let found = sum.evaluate(EmitTo::All).unwrap();
        assert_eq!(found.as_primitive::<Decimal128Type>().value(0), 3 * i128::from(i64::MAX));
    }
}

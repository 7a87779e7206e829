//! Sums by group: 64 bits as long as they have room, 128 then.

use super::table::MOST_GROUPS;

/// Fewer groups than this are added in lanes.
const FEW: usize = 64;

/// Lanes: consecutive rows go to different ones, so that an addition does not wait for the one before.
const LANES: usize = 4;

/// Which group stands for rows that count for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nobody(u16);

impl Nobody {
    /// Beside so many groups.
    pub(super) fn beside(groups: usize) -> Self {
        Self(if groups < FEW { FEW as u16 - 1 } else { MOST_GROUPS as u16 })
    }

    /// Its number.
    pub(super) fn group(self) -> u16 {
        self.0
    }

    fn is_few(self) -> bool {
        usize::from(self.0) < FEW
    }
}

/// A sum for each group.
#[derive(Debug)]
pub(super) struct Sums {
    few: Box<[[i64; FEW]; LANES]>,
    many: Vec<i64>,
    /// The largest magnitude that any of these can have.
    most: u64,
    totals: Vec<i128>,
}

impl Sums {
    /// No sum so far.
    pub(super) fn new() -> Self {
        Self { few: Box::new([[0; FEW]; LANES]), many: Vec::new(), most: 0, totals: Vec::new() }
    }

    /// Adds each row's value, none of which surpasses `most`, to its group.
    pub(super) fn add(&mut self, groups: &[u16], values: &[i64], most: u64, nobody: Nobody) {
        let added = most.saturating_mul(groups.len() as u64);
        if added > i64::MAX as u64 {
            return self.add_wide(groups, values, nobody);
        }
        if self.most + added > i64::MAX as u64 {
            self.gather();
        }
        self.most += added;
        if nobody.is_few() {
            add_in_lanes(&mut self.few, groups, values);
        } else {
            self.many.resize(MOST_GROUPS + 1, 0);
            groups.iter().zip(values).for_each(|(group, value)| self.many[usize::from(*group)] += value);
        }
    }

    fn add_wide(&mut self, groups: &[u16], values: &[i64], nobody: Nobody) {
        self.totals.resize(MOST_GROUPS + 1, 0);
        let nobody = usize::from(nobody.group());
        // It may be somebody's number later.
        let kept = self.totals[nobody];
        for (group, value) in groups.iter().zip(values) {
            let total = &mut self.totals[usize::from(*group)];
            *total = total.wrapping_add(i128::from(*value));
        }
        self.totals[nobody] = kept;
    }

    /// Puts together what is in parts.
    fn gather(&mut self) {
        self.totals.resize(MOST_GROUPS + 1, 0);
        let lanes = self.few.iter_mut().map(|lane| {
            lane[FEW - 1] = 0;
            lane.as_mut_slice()
        });
        for part in lanes.chain([self.many.as_mut_slice()]) {
            for (total, sum) in self.totals.iter_mut().zip(part) {
                *total = total.wrapping_add(i128::from(std::mem::take(sum)));
            }
        }
        self.most = 0;
    }

    /// The sums of the first groups so far; more than 128 bits wrap around.
    pub(super) fn totals(&mut self, groups: usize) -> &[i128] {
        self.gather();
        &self.totals[..groups.min(MOST_GROUPS)]
    }

    /// Begins again with other sums.
    pub(super) fn begin(&mut self, sums: &[i128]) {
        self.gather();
        self.totals.fill(0);
        self.totals.iter_mut().zip(sums).for_each(|(total, sum)| *total = *sum);
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        size_of_val(self.few.as_ref())
            + self.many.capacity() * size_of::<i64>()
            + self.totals.capacity() * size_of::<i128>()
    }
}

fn add_in_lanes(few: &mut [[i64; FEW]; LANES], groups: &[u16], values: &[i64]) {
    let (groups, groups_left) = groups.as_chunks::<LANES>();
    let (values, values_left) = values.as_chunks::<LANES>();
    // The remainder of a power of two costs less than a check of bounds.
    for (groups, values) in groups.iter().zip(values) {
        for lane in 0..LANES {
            few[lane][usize::from(groups[lane]) % FEW] += values[lane];
        }
    }
    for (group, value) in groups_left.iter().zip(values_left) {
        few[0][usize::from(*group) % FEW] += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn sums_are_those_of_the_rows() {
        let mut random = StdRng::seed_from_u64(9);
        for round in 0..40 {
            let mut sums = Sums::new();
            let mut expected = vec![0_i128; MOST_GROUPS + 1];
            let mut groups = 1 + round % 5;
            for _ in 0..200 {
                // Groups become more, few and many in turn; values become wider and narrower.
                groups = (groups + random.random_range(0..if round % 2 == 0 { 2 } else { 20 })).min(MOST_GROUPS);
                let nobody = Nobody::beside(groups);
                let most = [9, 1 << 40, 1 << 58, 1 << 63][random.random_range(0..4)];
                let value = |random: &mut StdRng| match most {
                    0x8000_0000_0000_0000 => random.random_range(i64::MIN..=i64::MAX),
                    most => random.random_range(-(most as i64)..=most as i64),
                };
                let rows = random.random_range(0..70);
                let values: Vec<i64> = (0..rows).map(|_| value(&mut random)).collect();
                let of: Vec<u16> = (0..rows)
                    .map(|_| match random.random_range(0..5) {
                        0 => nobody.group(),
                        _ => random.random_range(0..groups) as u16,
                    })
                    .collect();
                sums.add(&of, &values, most, nobody);
                for (group, value) in of.iter().zip(&values).filter(|(group, _)| **group != nobody.group()) {
                    expected[usize::from(*group)] += i128::from(*value);
                }
            }
            assert_eq!(sums.totals(groups), &expected[..groups], "round {round}");
            sums.begin(&expected[..1]);
            assert_eq!(sums.totals(groups)[0], expected[0]);
            assert!(sums.totals(groups)[1..].iter().all(|sum| *sum == 0));
        }
    }
}

//! About how many different values a column has: HyperLogLog (Flajolet and others, 2007) with Ertl's estimator
//! ("New cardinality estimation algorithms for HyperLogLog sketches", 2017).
//!
//! 2^11 registers: the standard error is 2.3 %, and a sketch is stored in at most 1.5 KB, so that every column of every
//! data file can have one. Sketches of two sets of rows are joined by taking the larger of each register, which gives
//! the sketch of all rows. The sketch takes hashes and knows no values: who hashes must do it in the same way for ever.

use std::fmt;

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 11;
/// How many registers there are.
const REGISTERS: usize = 1 << INDEX_BITS;
/// The largest register: all other bits of the hash are zero.
const LARGEST: u8 = (64 - INDEX_BITS + 1) as u8;
/// The first byte of a stored sketch with all registers, six bits each.
const DENSE: u8 = 1;
/// The first byte of one with the registers that are set, three bytes each.
const SPARSE: u8 = 2;
/// Bytes of all registers.
const DENSE_BYTES: usize = REGISTERS * 6 / 8;

/// A sketch of a set of values.
#[derive(Clone, PartialEq, Eq)]
pub struct DistinctSketch(Box<[u8; REGISTERS]>);

impl Default for DistinctSketch {
    fn default() -> Self {
        Self(Box::new([0; REGISTERS]))
    }
}

impl fmt::Debug for DistinctSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinctSketch(about {})", self.count())
    }
}

impl DistinctSketch {
    /// Adds a value by its hash, of which all 64 bits must look random.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        let index = (hash >> (64 - INDEX_BITS)) as usize;
        // The added bit ends the count of zeros where the hash has no one.
        let rank = ((hash << INDEX_BITS | 1 << (INDEX_BITS - 1)).leading_zeros() + 1) as u8;
        let register = &mut self.0[index];
        // Seldom true after some thousands of values: a branch that is foreseen costs less than a store.
        if rank > *register {
            *register = rank;
        }
    }

    /// Adds what another saw.
    pub fn merge(&mut self, other: &Self) {
        for (register, other) in self.0.iter_mut().zip(other.0.iter()) {
            *register = (*other).max(*register);
        }
    }

    /// The number of different values, about.
    pub fn count(&self) -> u64 {
        let mut counts = [0_u64; LARGEST as usize + 1];
        for register in self.0.iter() {
            counts[usize::from(*register)] += 1;
        }
        estimate_distinct(&counts)
    }

    /// The sketch in at most 1.5 KB; of few values, in three bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        let set = self.0.iter().enumerate().filter(|(_, register)| **register > 0);
        if set.clone().count() * 3 < DENSE_BYTES {
            let entries = set.flat_map(|(index, register)| [(index >> 8) as u8, (index & 0xff) as u8, *register]);
            return std::iter::once(SPARSE).chain(entries).collect();
        }
        let mut bytes = Vec::with_capacity(DENSE_BYTES + 1);
        bytes.push(DENSE);
        for [a, b, c, d] in self.0.as_chunks::<4>().0 {
            let packed = u32::from(*a) << 18 | u32::from(*b) << 12 | u32::from(*c) << 6 | u32::from(*d);
            bytes.extend_from_slice(&packed.to_be_bytes()[1..]);
        }
        bytes
    }

    /// The sketch that [`DistinctSketch::to_bytes`] gave; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self::default();
        let (kind, rest) = bytes.split_first()?;
        let (triples, rest) = rest.as_chunks::<3>();
        match *kind {
            DENSE if triples.len() * 3 == DENSE_BYTES => {
                for ([a, b, c], registers) in triples.iter().zip(sketch.0.as_chunks_mut::<4>().0) {
                    let packed = u32::from_be_bytes([0, *a, *b, *c]);
                    *registers = [18, 12, 6, 0].map(|shift| (packed >> shift & 63) as u8);
                }
            }
            SPARSE => {
                for [high, low, register] in triples {
                    *sketch.0.get_mut(usize::from(*high) << 8 | usize::from(*low))? = *register;
                }
            }
            _ => return None,
        }
        (rest.is_empty() && sketch.0.iter().all(|register| *register <= LARGEST)).then_some(sketch)
    }
}

/// The number of different values, about, that registers saw: `counts[r]` of them are `r`, and the last of `counts` is of
/// the largest that a register can be.
pub fn estimate_distinct(counts: &[u64]) -> u64 {
    let [zeros, middle @ .., full] = counts else { return 0 };
    let all = counts.iter().sum::<u64>() as f64;
    let mut sum = all * tau(1. - *full as f64 / all);
    for count in middle.iter().rev() {
        sum = 0.5 * (sum + *count as f64);
    }
    sum += all * sigma(*zeros as f64 / all);
    (all * all / (2. * std::f64::consts::LN_2 * sum)).round() as u64
}

/// Ertl's σ: the part of registers that are zero.
fn sigma(mut x: f64) -> f64 {
    if x >= 1. {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1., x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// Ertl's τ: the part of registers that are full.
fn tau(mut x: f64) -> f64 {
    if x <= 0. || x >= 1. {
        return 0.;
    }
    let (mut y, mut z) = (1., 1. - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1. - x).powi(2) * y;
        if z >= before {
            return z / 3.;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SplitMix64 (Steele and others, 2014).
    fn hash(value: u64) -> u64 {
        let mut z = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn of(values: impl Iterator<Item = u64>) -> DistinctSketch {
        let mut sketch = DistinctSketch::default();
        values.for_each(|value| sketch.add(hash(value)));
        sketch
    }

    #[test]
    fn counts_are_within_four_standard_errors() {
        assert_eq!(DistinctSketch::default().count(), 0);
        for many in [1, 2, 10, 100, 1_000, 5_000, 20_000, 1_000_000] {
            let count = of((0..many).chain(0..many)).count();
            let error = (count as f64 - many as f64).abs() / many as f64;
            assert!(error < 0.1, "{many}: {count}");
            assert!(many > 10 || count == many, "{many}: {count}");
        }
    }

    #[test]
    fn parts_joined_are_the_whole_and_bytes_keep_all() {
        for many in [0, 1, 100, 511, 600, 100_000] {
            let whole = of(0..many);
            let stored = |sketch: &DistinctSketch| DistinctSketch::from_bytes(&sketch.to_bytes()).unwrap();
            let mut joined = stored(&of(0..many / 2));
            joined.merge(&stored(&of(many / 3..many)));
            assert_eq!(joined, whole, "{many}");
            assert!(whole.to_bytes().len() <= DENSE_BYTES + 1);
        }
    }

    #[test]
    fn what_is_no_sketch_is_not_read() {
        for bytes in [&[][..], &[0], &[1], &[1, 2, 3, 4], &[2, 0, 1], &[2, 9, 0, 1], &[2, 0, 0, 60], &[3, 0, 0, 1]] {
            assert_eq!(DistinctSketch::from_bytes(bytes), None, "{bytes:?}");
        }
        assert_eq!(DistinctSketch::from_bytes(&[2]), Some(DistinctSketch::default()));
    }

    #[test]
    fn the_extreme_hashes_have_registers() {
        let mut sketch = DistinctSketch::default();
        sketch.add(0);
        sketch.add(u64::MAX);
        assert_eq!((sketch.0[0], sketch.0[REGISTERS - 1]), (LARGEST, 1));
    }
}

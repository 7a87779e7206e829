//! HLLSKETCH: HyperLogLog sketches of 2^15 registers, in Redshift's forms ("HLLSKETCH type").
//!
//! A sketch begins sparse: of few values it keeps 26 bits of each hash as an index and how many zeros follow (HyperLogLog++,
//! Heule and others, 2013), which counts some thousands of values nearly exactly, and is JSON as text. Of many values it keeps
//! all registers, six bits each, which are Base64 as text. Hashes are ours, as are the bytes of the dense form: sketches that
//! another system made can be counted and combined among themselves where they are sparse.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millrace_catalog::model::estimate_distinct;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The precision: bits of a hash that choose a register.
const LOG_REGISTERS: u32 = 15;
const REGISTERS: usize = 1 << LOG_REGISTERS;
/// Bits of a hash that are an index of the sparse form.
const SPARSE_BITS: u32 = 26;
/// The largest register of each form: all other bits of a hash are zero.
const LARGEST: u8 = (64 - LOG_REGISTERS + 1) as u8;
const LARGEST_SPARSE: u8 = (64 - SPARSE_BITS + 1) as u8;
/// The most entries of the sparse form, of eight bytes each in memory: more take as much as the dense one.
const MOST_SPARSE: usize = DENSE_BYTES / 8;
/// Bytes of all registers.
const DENSE_BYTES: usize = REGISTERS * 6 / 8;
/// What stands before them; 24,580 bytes are "the maximum size of a HLLSKETCH object".
const DENSE_HEAD: [u8; 4] = [VERSION, LOG_REGISTERS as u8, 0, 0];
/// The version of both forms.
const VERSION: u8 = 1;

/// A sketch of a set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HllSketch {
    /// Indices of the sparse form with their registers.
    Sparse(BTreeMap<u32, u8>),
    /// All registers.
    Dense(Box<[u8; REGISTERS]>),
}

impl Default for HllSketch {
    fn default() -> Self {
        Self::Sparse(BTreeMap::new())
    }
}

/// The zeros of a hash before its first one, behind so many bits, and the one.
fn rank(hash: u64, behind: u32) -> u8 {
    // The added bit ends the count of zeros where there is no one.
    ((hash << behind | 1 << (behind - 1)).leading_zeros() + 1) as u8
}

/// Registers that have seen nothing.
#[allow(clippy::large_stack_arrays, reason = "32 kB on their way into a box")]
fn registers() -> Box<[u8; REGISTERS]> {
    Box::new([0; REGISTERS])
}

impl HllSketch {
    /// Adds a value by its hash, of which all 64 bits must look random.
    pub(crate) fn add(&mut self, hash: u64) {
        match self {
            Self::Sparse(_) => self.add_sparse((hash >> (64 - SPARSE_BITS)) as u32, rank(hash, SPARSE_BITS)),
            Self::Dense(registers) => {
                let register = &mut registers[(hash >> (64 - LOG_REGISTERS)) as usize];
                *register = rank(hash, LOG_REGISTERS).max(*register);
            }
        }
    }

    /// Adds an entry of the sparse form.
    fn add_sparse(&mut self, index: u32, value: u8) {
        match self {
            Self::Sparse(entries) => {
                let known = entries.entry(index).or_default();
                *known = value.max(*known);
                if entries.len() > MOST_SPARSE {
                    self.become_dense();
                }
            }
            Self::Dense(registers) => {
                const BEHIND: u32 = SPARSE_BITS - LOG_REGISTERS;
                let behind = index & ((1 << BEHIND) - 1);
                let rank = if behind == 0 {
                    value + BEHIND as u8
                } else {
                    ((behind << (32 - BEHIND)).leading_zeros() + 1) as u8
                };
                let register = &mut registers[(index >> BEHIND) as usize];
                *register = rank.max(*register);
            }
        }
    }

    fn become_dense(&mut self) {
        if let Self::Sparse(entries) = self {
            let entries = std::mem::take(entries);
            *self = Self::Dense(registers());
            for (index, value) in entries {
                self.add_sparse(index, value);
            }
        }
    }

    /// Adds what another saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Sparse(entries) => entries.iter().for_each(|(index, value)| self.add_sparse(*index, *value)),
            Self::Dense(others) => {
                self.become_dense();
                if let Self::Dense(registers) = self {
                    for (register, other) in registers.iter_mut().zip(others.iter()) {
                        *register = (*other).max(*register);
                    }
                }
            }
        }
    }

    /// The number of different values, about.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Sparse(entries) => {
                let mut counts = [0; LARGEST_SPARSE as usize + 1];
                counts[0] = (1 << SPARSE_BITS) - entries.len() as u64;
                for value in entries.values() {
                    counts[usize::from(*value)] += 1;
                }
                estimate_distinct(&counts)
            }
            Self::Dense(registers) => {
                let mut counts = [0; LARGEST as usize + 1];
                for register in registers.iter() {
                    counts[usize::from(*register)] += 1;
                }
                estimate_distinct(&counts)
            }
        }
    }

    /// Whether it is in the form that is JSON as text.
    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self, Self::Sparse(_))
    }

    /// How many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Sparse(entries) => size_of::<Self>() + entries.len() * 2 * size_of::<(u32, u8)>(),
            Self::Dense(_) => size_of::<Self>() + REGISTERS,
        }
    }

    /// Reads a text: JSON, or Base64 with quotes or without.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
            return written.sketch();
        }
        let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let bytes = STANDARD.decode(digits).map_err(|error| format!("neither JSON nor Base64: {error}"))?;
        let packed = bytes.strip_prefix(&DENSE_HEAD).filter(|packed| packed.len() == DENSE_BYTES);
        let packed = packed.ok_or_else(|| format!("no sketch with logm {LOG_REGISTERS}"))?;
        let mut registers = registers();
        for ([a, b, c], to) in packed.as_chunks::<3>().0.iter().zip(registers.as_chunks_mut::<4>().0) {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            *to = [18, 12, 6, 0].map(|shift| (bits >> shift & 63) as u8);
        }
        if registers.iter().any(|register| *register > LARGEST) {
            return Err("a register is too large".to_owned());
        }
        Ok(Self::Dense(registers))
    }
}

/// The form that is JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: Option<u8>,
    logm: u32,
    sparse: Entries,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    indices: Vec<u32>,
    values: Vec<u8>,
}

impl Written {
    fn sketch(self) -> Result<HllSketch, String> {
        let Entries { indices, values } = self.sparse;
        if self.version.is_some_and(|version| version != VERSION) {
            return Err(format!("the version of a sketch is {VERSION}"));
        }
        if self.logm != LOG_REGISTERS {
            return Err(format!("logm of a sketch is {LOG_REGISTERS}"));
        }
        if indices.len() != values.len() {
            return Err("a sketch has as many indices as values".to_owned());
        }
        if indices.iter().any(|index| *index >> SPARSE_BITS > 0) {
            return Err(format!("an index has more than {SPARSE_BITS} bits"));
        }
        if values.iter().any(|value| !(1..=LARGEST_SPARSE).contains(value)) {
            return Err(format!("a value is not from 1 to {LARGEST_SPARSE}"));
        }
        let mut sketch = HllSketch::default();
        indices.into_iter().zip(values).for_each(|(index, value)| sketch.add_sparse(index, value));
        Ok(sketch)
    }
}

impl fmt::Display for HllSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sparse(entries) => {
                write!(f, r#"{{"version":{VERSION},"logm":{LOG_REGISTERS},"sparse":{{"indices":["#)?;
                for (at, index) in entries.keys().enumerate() {
                    write!(f, "{}{index}", if at > 0 { "," } else { "" })?;
                }
                f.write_str(r#"],"values":["#)?;
                for (at, value) in entries.values().enumerate() {
                    write!(f, "{}{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]}}")
            }
            Self::Dense(registers) => {
                let mut bytes = Vec::with_capacity(DENSE_HEAD.len() + DENSE_BYTES);
                bytes.extend_from_slice(&DENSE_HEAD);
                for [a, b, c, d] in registers.as_chunks::<4>().0 {
                    let bits = u32::from(*a) << 18 | u32::from(*b) << 12 | u32::from(*c) << 6 | u32::from(*d);
                    bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
                }
                f.write_str(&STANDARD.encode(bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SplitMix64 (Steele and others, 2014).
    fn hash(value: u64) -> u64 {
        let mut z = value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn of(values: impl Iterator<Item = u64>) -> HllSketch {
        let mut sketch = HllSketch::default();
        values.for_each(|value| sketch.add(hash(value)));
        sketch
    }

    // Redshift: "the average relative error ranges between 0.01-0.6%".
    #[test]
    fn counts_are_near() {
        for many in [0, 1, 2, 10, 100, 1_000] {
            assert_eq!(of((0..many).chain(0..many)).count(), many);
        }
        for many in [3_000, 4_000, 50_000, 300_000, 2_000_000] {
            let count = of(0..many).count();
            let error = (count as f64 - many as f64).abs() / many as f64;
            assert!(error < 4. * 0.006, "{many}: {count}");
        }
    }

    #[test]
    fn parts_joined_are_the_whole_and_texts_keep_all() {
        let kept = |sketch: &HllSketch| HllSketch::parse(&sketch.to_string()).unwrap();
        for many in [0, 1, 100, 3_072, 4_000, 6_000, 200_000] {
            let whole = of(0..many);
            assert_eq!(kept(&whole), whole, "{many}");
            let mut joined = kept(&of(0..many / 2));
            joined.merge(&kept(&of(many / 3..many)));
            assert_eq!(joined, whole, "{many}");
            let mut other = of(many / 3..many);
            other.merge(&of(0..many / 2));
            assert_eq!(other, whole, "{many}");
        }
        assert!(of(0..1_000).is_sparse() && !of(0..100_000).is_sparse());
        assert_eq!(of(0..100_000).to_string().len(), 24_580_usize.div_ceil(3) * 4);
    }

    // The texts of Redshift's documentation: "HLLSKETCH type", "HLL_CREATE_SKETCH function", "HLL_COMBINE function".
    #[test]
    fn documented_texts_are_read() {
        let empty = r#"{"version":1,"logm":15,"sparse":{"indices":[],"values":[]}}"#;
        assert_eq!(HllSketch::default().to_string(), empty);
        assert_eq!(HllSketch::parse(empty), Ok(HllSketch::default()));
        let four =
            r#"{"version":1,"logm":15,"sparse":{"indices":[20812342,20850007,22362299,47158030],"values":[1,2,1,1]}}"#;
        let six = r#"{"version":1,"logm":15,"sparse":{"indices":[20812342,20850007,22362299,40314817,42650774,47158030],"values":[1,2,1,3,2,1]}}"#;
        let three = r#"{"logm":15,"sparse":{"indices":[4878,9559,14523],"values":[1,2,1]}}"#;
        for (text, count) in [(four, 4), (six, 6), (three, 3)] {
            assert_eq!(HllSketch::parse(text).unwrap().count(), count, "{text}");
        }
        assert_eq!(HllSketch::parse(six).unwrap().to_string(), six);
        let mut joined = HllSketch::parse(four).unwrap();
        joined.merge(&HllSketch::parse(six).unwrap());
        assert_eq!(joined.to_string(), six);
    }

    #[test]
    fn what_is_no_sketch_is_not_read() {
        for text in [
            "",
            "null",
            "{}",
            "AAAA",
            "\"ABAABA...\"",
            r#"{"logm":14,"sparse":{"indices":[],"values":[]}}"#,
            r#"{"version":2,"logm":15,"sparse":{"indices":[],"values":[]}}"#,
            r#"{"logm":15,"sparse":{"indices":[1],"values":[]}}"#,
            r#"{"logm":15,"sparse":{"indices":[67108864],"values":[1]}}"#,
            r#"{"logm":15,"sparse":{"indices":[1],"values":[0]}}"#,
            r#"{"logm":15,"sparse":{"indices":[1],"values":[40]}}"#,
            r#"{"logm":15,"sparse":{"indices":[-1],"values":[1]}}"#,
        ] {
            assert!(HllSketch::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_extreme_hashes_have_registers() {
        let mut sparse = HllSketch::default();
        sparse.add(0);
        sparse.add(u64::MAX);
        let mut dense = sparse.clone();
        dense.become_dense();
        let mut added = HllSketch::Dense(registers());
        added.add(0);
        added.add(u64::MAX);
        assert_eq!(dense, added);
        assert_eq!((sparse.count(), HllSketch::parse(&sparse.to_string()).unwrap()), (2, sparse));
        assert_eq!(HllSketch::parse(&dense.to_string()), Ok(dense));
    }
}

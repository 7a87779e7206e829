//! Sketches of distinct values: the HyperLogLog of DataFusion's `approx_distinct`, in a form that can be kept.
//!
//! 2^14 registers, so the standard error is 0.8 %. Registers of two sketches are joined by taking the larger of each,
//! which gives the sketch of both inputs together. DataFusion hashes with a fixed seed; its hash may change with a
//! version of DataFusion all the same, so a kept sketch names the version of the hash, and one of another version is
//! not read.

use crate::error::{Error, Result};
use datafusion::arrow::array::{ArrayRef, BinaryArray, new_empty_array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::approx_distinct::approx_distinct_udaf;
use datafusion::logical_expr::{Accumulator, AggregateUDF};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::col;
use std::sync::Arc;

/// How many registers a sketch has.
const REGISTERS: usize = 1 << 14;

/// The largest register: where all of the hash's other 50 bits are zero.
const LARGEST: u8 = 51;

/// The version of the hash, which `golden` in the tests holds still.
const DENSE: &str = "1d";
/// The same for a list of the registers that are set.
const SPARSE: &str = "1s";

/// Base64's digits: one holds a register.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// About how many different values were seen.
#[derive(Debug)]
pub(crate) struct Sketch {
    registers: Box<dyn Accumulator>,
}

impl Sketch {
    /// Of nothing.
    pub(crate) fn new() -> Result<Self> {
        // For texts DataFusion's accumulator hashes whatever array it is given; its others know one type each and
        // cannot be joined.
        Ok(Self { registers: accumulator(approx_distinct_udaf(), &DataType::Utf8View)? })
    }

    /// Adds the values that are not NULL.
    pub(crate) fn update(&mut self, values: &ArrayRef) -> Result<()> {
        Ok(self.registers.update_batch(std::slice::from_ref(values))?)
    }

    /// Adds what another saw.
    pub(crate) fn merge(&mut self, other: &mut Self) -> Result<()> {
        let registers = other.registers()?;
        self.merge_registers(&registers)
    }

    fn merge_registers(&mut self, registers: &[u8]) -> Result<()> {
        Ok(self.registers.merge_batch(&[Arc::new(BinaryArray::from_vec(vec![registers]))])?)
    }

    /// The number of different values, about.
    pub(crate) fn count(&mut self) -> Result<u64> {
        match self.registers.evaluate()? {
            ScalarValue::UInt64(Some(count)) => Ok(count),
            other => Err(Error::internal(format!("approx_distinct gave {other}"))),
        }
    }

    fn registers(&mut self) -> Result<Vec<u8>> {
        match self.registers.state()?.pop() {
            Some(ScalarValue::Binary(Some(registers))) if registers.len() == REGISTERS => Ok(registers),
            _ => Err(Error::internal("the state of approx_distinct is not as it was")),
        }
    }

    /// As text: a digit for each register, or four for each that is set where those are fewer.
    pub(crate) fn encode(&mut self) -> Result<String> {
        let registers = self.registers()?;
        let set = registers.iter().filter(|register| **register > 0).count();
        let digit = |value: usize| char::from(DIGITS[value & 63]);
        if set * 4 >= REGISTERS {
            return Ok(DENSE.chars().chain(registers.iter().map(|register| digit(usize::from(*register)))).collect());
        }
        let mut text = String::with_capacity(SPARSE.len() + set * 4);
        text.push_str(SPARSE);
        for (index, register) in registers.iter().enumerate().filter(|(_, register)| **register > 0) {
            text.extend([digit(index >> 12), digit(index >> 6), digit(index), digit(usize::from(*register))]);
        }
        Ok(text)
    }

    /// Adds what a kept sketch saw; false, and nothing added, where it cannot be read.
    pub(crate) fn merge_encoded(&mut self, text: &str) -> Result<bool> {
        let Some(registers) = decode(text) else { return Ok(false) };
        self.merge_registers(&registers)?;
        Ok(true)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| DIGITS.iter().position(|known| known == digit);
    let register = |digit: &u8| value(digit)?.try_into().ok().filter(|register| *register <= LARGEST);
    if let Some(digits) = text.strip_prefix(DENSE) {
        let registers = digits.as_bytes().iter().map(register).collect::<Option<Vec<u8>>>();
        return registers.filter(|registers| registers.len() == REGISTERS);
    }
    let mut registers = vec![0; REGISTERS];
    let (entries, rest) = text.strip_prefix(SPARSE)?.as_bytes().as_chunks::<4>();
    for [a, b, c, last] in entries {
        let index = value(a)? << 12 | value(b)? << 6 | value(c)?;
        *registers.get_mut(index)? = register(last)?;
    }
    rest.is_empty().then_some(registers)
}

/// An aggregate over one column of this type.
pub(crate) fn accumulator(aggregate: Arc<AggregateUDF>, data_type: &DataType) -> Result<Box<dyn Accumulator>> {
    let schema = Arc::new(Schema::new(vec![Field::new("c", data_type.clone(), true)]));
    let column = col("c", &schema)?;
    let built = AggregateExprBuilder::new(aggregate, vec![column]).schema(schema).alias("c").build()?;
    let mut accumulator = built.create_accumulator()?;
    accumulator.update_batch(&[new_empty_array(data_type)])?;
    Ok(accumulator)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use super::*;
    use datafusion::arrow::array::{BooleanArray, Float64Array, Int64Array, StringViewArray};

    fn of(values: ArrayRef) -> Sketch {
        let mut sketch = Sketch::new().unwrap();
        sketch.update(&values).unwrap();
        sketch
    }

    #[test]
    fn a_million_values_within_two_percent() {
        let mut sketch = Sketch::new().unwrap();
        for from in (0..1_000_000).step_by(10_000) {
            sketch.update(&(Arc::new(Int64Array::from_iter_values(from..from + 10_000)) as ArrayRef)).unwrap();
        }
        let count = sketch.count().unwrap();
        assert!((980_000..=1_020_000).contains(&count), "{count}");
    }

    #[test]
    fn few_values_are_counted_and_null_is_none() {
        assert_eq!(
            of(Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b"), Some("a")]))).count().unwrap(),
            2
        );
        assert_eq!(of(Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))).count().unwrap(), 2);
        assert_eq!(of(Arc::new(Float64Array::from(vec![Some(1.5), Some(1.5), None]))).count().unwrap(), 1);
        assert_eq!(Sketch::new().unwrap().count().unwrap(), 0);
    }

    #[test]
    fn parts_joined_are_the_whole_and_text_keeps_all() {
        for many in [0, 100, 2_000, 60_000_i64] {
            let values = |range: std::ops::Range<i64>| -> ArrayRef { Arc::new(Int64Array::from_iter_values(range)) };
            let mut whole = of(values(0..many));
            let (mut left, mut right) = (of(values(0..many / 2)), of(values(many / 3..many)));
            let mut joined = Sketch::new().unwrap();
            assert!(joined.merge_encoded(&left.encode().unwrap()).unwrap());
            assert!(joined.merge_encoded(&right.encode().unwrap()).unwrap());
            assert_eq!(joined.encode().unwrap(), whole.encode().unwrap(), "{many}");
            left.merge(&mut right).unwrap();
            assert_eq!(left.count().unwrap(), whole.count().unwrap(), "{many}");
        }
        assert!(of(Arc::new(Int64Array::from(vec![1, 2, 3]))).encode().unwrap().len() <= 2 + 3 * 4);
    }

    #[test]
    fn what_is_no_sketch_is_not_read() {
        let mut sketch = Sketch::new().unwrap();
        for text in ["", "1d", "1dAAAA", "1sAAA", "1s....", "1s////", "1sAAB/", "2sAABC", "ü"] {
            assert!(!sketch.merge_encoded(text).unwrap(), "{text}");
        }
        assert!(sketch.merge_encoded("1s").unwrap());
    }

    // Kept sketches can be joined only while the hash is the same. Where this fails after an upgrade of DataFusion, the
    // version in `DENSE` and `SPARSE` must go up.
    #[test]
    fn golden() {
        let texts = of(Arc::new(StringViewArray::from(vec!["a", "a longer text than a view holds inline"])));
        let numbers = of(Arc::new(Int64Array::from(vec![1, 2])));
        for (mut sketch, expected) in [(texts, GOLDEN_TEXTS), (numbers, GOLDEN_NUMBERS)] {
            assert_eq!(sketch.encode().unwrap(), expected);
        }
    }
    const GOLDEN_TEXTS: &str = "1sBZ6FDI3C";
    const GOLDEN_NUMBERS: &str = "1sAZaBCggD";
}

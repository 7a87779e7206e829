//! RANDOM of a session that has a seed (Redshift: "RANDOM function", "SET"): when it is set again, the same numbers come again.
//! They are drawn a batch of rows at a time, so that a query that runs in several parts has them in no certain order.

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// The function that draws a seed's numbers.
pub(crate) const RANDOM: &str = "random";

/// A session's seed, and where its numbers have come to.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    value: f64,
    numbers: Arc<Mutex<StdRng>>,
}

impl Seed {
    /// A seed from 0 to 1; `None` for another number.
    pub(crate) fn new(value: f64) -> Option<Self> {
        // There are as many different ones as Redshift has.
        let numbers = |value: f64| StdRng::seed_from_u64((value * f64::from(i32::MAX)) as u64);
        let is_seed = (0.0..=1.0).contains(&value);
        is_seed.then(|| Self { value, numbers: Arc::new(Mutex::new(numbers(value))) })
    }

    /// The number that it was made of.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    /// RANDOM with its next numbers.
    pub(crate) fn function(&self) -> Arc<ScalarUDF> {
        let signature = Signature::nullary(Volatility::Volatile);
        Arc::new(ScalarUDF::new_from_impl(Random { numbers: Arc::clone(&self.numbers), signature }))
    }
}

#[derive(Debug)]
struct Random {
    numbers: Arc<Mutex<StdRng>>,
    signature: Signature,
}

impl PartialEq for Random {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.numbers, &other.numbers)
    }
}

impl Eq for Random {}

impl Hash for Random {
    fn hash<H: Hasher>(&self, state: &mut H) {
        RANDOM.hash(state);
    }
}

impl ScalarUDFImpl for Random {
    fn name(&self) -> &'static str {
        RANDOM
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut values = vec![0.0_f64; args.number_rows];
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut values[..]);
        Ok(ColumnarValue::Array(Arc::new(Float64Array::from(values))))
    }
}

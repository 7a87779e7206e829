//! The slice of a distribution key's value, which `SLICE_NUM()` becomes where its table has one.

use super::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::error::{Error, Result};
use crate::tables;
use datafusion::arrow::array::{ArrayRef, Int32Array};
use std::sync::Arc;

/// The function: a key's value, in the type that it is stored in, and how many slices there are.
pub(crate) const SLICE: &str = "$slice";

pub(super) const FUNCTIONS: &[Scalar] =
    &[scalar(SLICE, REDSHIFT, &[Kind::Any, Kind::Int], Gives::Int4, slice).with_nulls()];

/// NULL is in a slice too.
fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let slices = call.int(1).values().first().map_or(Ok(1), |slices| u32::try_from(*slices));
    let slices = slices.map_err(|_| Error::internal("there are too many slices"))?;
    let numbers = tables::bucket_numbers(&call.args[0], slices)?;
    Ok(Arc::new(numbers.into_iter().map(|slice| Some(slice as i32)).collect::<Int32Array>()))
}

//! Aggregates that make and merge [`super::digests`]: `tdigest_agg`, `qdigest_agg`, and what `merge` does with digests.

use super::digests::{entries, numbers, orders, read, written};
use super::kernel::shown_type;
use super::lists::map_of;
use crate::error::{Error, ErrorKind};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, MapArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature, Volatility};
use datafusion_functions_aggregate_common::tdigest::{Centroid, TDigest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A dialect's aggregates to digests.
pub(super) fn aggregates(dialect: Dialect) -> Vec<AggregateUDF> {
    let make = |kind| {
        let signature = Signature::user_defined(Volatility::Immutable);
        AggregateUDF::new_from_impl(Digest { kind, signature })
    };
    match dialect {
        Dialect::Redshift => Vec::new(),
        Dialect::Athena => vec![make(Kind::Centroids), make(Kind::Weights)],
    }
}

/// What merges digests of a type.
pub(super) fn merging(digests: &DataType) -> Box<dyn Accumulator> {
    match digests {
        DataType::Map(..) => Box::new(Weights { gives: digests.clone(), merges: true, of_numbers: BTreeMap::new() }),
        _ => Box::new(Centroids { merges: true, digest: TDigest::default() }),
    }
}

/// Which digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// A T-digest.
    Centroids,
    /// A quantile digest.
    Weights,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Digest {
    kind: Kind,
    signature: Signature,
}

impl Digest {
    /// The type that an argument is cast to; `None` where it is none.
    fn coerced(&self, at: usize, found: &DataType) -> Option<DataType> {
        if !found.is_numeric() && !found.is_null() {
            return None;
        }
        match (self.kind, at) {
            (Kind::Centroids, 0 | 1) | (Kind::Weights, 1 | 2) => Some(DataType::Float64),
            (Kind::Weights, 0) => Some(match found {
                DataType::Float32 => DataType::Float32,
                _ if found.is_integer() || found.is_null() => DataType::Int64,
                _ => DataType::Float64,
            }),
            _ => None,
        }
    }
}

impl AggregateUDFImpl for Digest {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Centroids => "tdigest_agg",
            Kind::Weights => "qdigest_agg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let coerced = args.iter().enumerate().map(|(at, found)| self.coerced(at, found)).collect::<Option<Vec<_>>>();
        coerced.filter(|coerced| !coerced.is_empty()).ok_or_else(|| {
            let types: Vec<String> = args.iter().map(shown_type).collect();
            let message = format!("function {}({}) does not exist", self.name(), types.join(", "));
            Error::new(ErrorKind::UndefinedFunction, message).into()
        })
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(match (self.kind, args.first()) {
            (Kind::Weights, Some(number)) => map_of(number.clone(), DataType::Float64),
            _ => DataType::BinaryView,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(Error::unsupported(format!("{}(DISTINCT …)", self.name())).into());
        }
        Ok(match self.kind {
            Kind::Centroids => Box::new(Centroids { merges: false, digest: TDigest::default() }),
            Kind::Weights => {
                Box::new(Weights { gives: args.return_type().clone(), merges: false, of_numbers: BTreeMap::new() })
            }
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "digest"), args.return_type().clone(), true))])
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

/// Makes or merges T-digests.
#[derive(Debug)]
struct Centroids {
    merges: bool,
    digest: TDigest,
}

impl Centroids {
    /// Adds numbers of any weights.
    fn add_weighed(&mut self, numbers: &Float64Array, weights: &Float64Array) -> Result<()> {
        let mut centroids = Vec::with_capacity(numbers.len());
        for (number, weight) in numbers.iter().zip(weights).filter_map(|(number, weight)| number.zip(weight)) {
            check_finite(number)?;
            if !(weight.is_finite() && weight >= 1.0) {
                return Err(invalid(format!("weight must be >= 1, was {weight}")).into());
            }
            centroids.push(Centroid::new(number, weight));
        }
        centroids.sort_by(Centroid::cmp_mean);
        let (Some(min), Some(max)) = (centroids.first().map(Centroid::mean), centroids.last().map(Centroid::mean))
        else {
            return Ok(());
        };
        let count = centroids.iter().map(Centroid::weight).sum();
        let sum = centroids.iter().map(|centroid| centroid.mean() * centroid.weight()).sum();
        let added = TDigest::try_from_parts(self.digest.max_size(), sum, count, max, min, centroids)?;
        self.digest = TDigest::merge_digests([&self.digest, &added]);
        Ok(())
    }
}

fn check_finite(number: f64) -> Result<()> {
    if number.is_finite() { Ok(()) } else { Err(invalid(format!("value must be finite; was {number}")).into()) }
}

impl Accumulator for Centroids {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.merges {
            return self.merge_batch(values);
        }
        let numbers = values[0].as_primitive::<Float64Type>();
        if let Some(weights) = values.get(1) {
            return self.add_weighed(numbers, weights.as_primitive::<Float64Type>());
        }
        let numbers: Vec<f64> = numbers.iter().flatten().collect();
        numbers.iter().try_for_each(|number| check_finite(*number))?;
        self.digest = self.digest.merge_unsorted_f64(numbers);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::BinaryView((self.digest.count() > 0.0).then(|| written(&self.digest))))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.digest.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let mut digests = vec![self.digest.clone()];
        for bytes in states[0].as_binary_view().iter().flatten() {
            digests.push(read(bytes)?);
        }
        if digests.len() > 1 {
            self.digest = TDigest::merge_digests(&digests);
        }
        Ok(())
    }
}

/// Makes or merges quantile digests.
#[derive(Debug)]
struct Weights {
    gives: DataType,
    merges: bool,
    /// By the order of their numbers.
    of_numbers: BTreeMap<i64, f64>,
}

impl Weights {
    fn map(&self) -> Result<MapArray> {
        let lost = || Error::internal("a map is lost");
        let DataType::Map(entries, _) = &self.gives else { return Err(lost().into()) };
        let DataType::Struct(fields) = entries.data_type() else { return Err(lost().into()) };
        let keys = numbers(Int64Array::from_iter_values(self.of_numbers.keys().copied()), fields[0].data_type())?;
        let weights = Float64Array::from_iter_values(self.of_numbers.values().copied());
        let made = StructArray::try_new(fields.clone(), vec![keys, Arc::new(weights)], None)?;
        let offsets = OffsetBuffer::from_lengths([self.of_numbers.len()]);
        Ok(MapArray::try_new(Arc::clone(entries), offsets, made, None, false)?)
    }
}

impl Accumulator for Weights {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.merges {
            return self.merge_batch(values);
        }
        let numbers = orders(&values[0])?;
        let weights = values.get(1).map(AsArray::as_primitive::<Float64Type>);
        if let Some(accuracies) = values.get(2) {
            for accuracy in accuracies.as_primitive::<Float64Type>().iter().flatten() {
                if !(accuracy > 0.0 && accuracy < 1.0) {
                    let message = format!("accuracy must be exclusively between 0 and 1, was {accuracy}");
                    return Err(invalid(message).into());
                }
            }
        }
        for row in (0..numbers.len()).filter(|row| numbers.is_valid(*row)) {
            let weight = match weights {
                None => 1.0,
                Some(weights) if weights.is_null(row) => continue,
                Some(weights) => weights.value(row),
            };
            if !(weight.is_finite() && weight > 0.0) {
                return Err(invalid(format!("weight must be > 0, was {weight}")).into());
            }
            *self.of_numbers.entry(numbers.value(row)).or_default() += weight;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.of_numbers.is_empty() {
            return ScalarValue::try_new_null(&self.gives);
        }
        Ok(ScalarValue::Map(Arc::new(self.map()?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.of_numbers.len() * 2 * size_of::<(i64, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let maps = states[0].as_map();
        let (numbers, weights) = (orders(maps.keys())?, maps.values().as_primitive::<Float64Type>());
        for row in (0..maps.len()).filter(|row| maps.is_valid(*row)) {
            for at in entries(maps, row) {
                *self.of_numbers.entry(numbers.value(at)).or_default() += weights.value(at);
            }
        }
        Ok(())
    }
}

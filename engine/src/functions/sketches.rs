//! HyperLogLog sketches: Redshift's HLLSKETCH ("HyperLogLog functions") and Trino's HyperLogLog type.
//!
//! A sketch is the text that shows it, marked as SUPER values are; what takes a sketch gets one, since the planner has looked
//! (`plan::dialect`).

use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar, shown_type};
use super::{digest_aggregates, digests};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use crate::tables::{self, HllSketch};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature, Volatility};
use std::sync::Arc;

/// How many different values a sketch saw.
pub(crate) const CARDINALITY: &str = "hll_cardinality";
/// Two sketches as one.
pub(crate) const COMBINE_SKETCHES: &str = "hll_combine_sketches";
/// A text as a sketch; the other gives NULL where it is none.
pub(crate) const READ_SKETCH: &str = "$hll_read";
pub(crate) const TRY_SKETCH: &str = "$hll_try";
/// A sketch that lost its mark, with it.
pub(crate) const MARK_SKETCH: &str = "$hll_mark";
/// A sketch as the text that shows it.
pub(crate) const SHOW_SKETCH: &str = "$hll_text";
/// A sketch as a SUPER value: an object, or Base64.
pub(crate) const SUPER_SKETCH: &str = "$hll_super";
/// Trino's aggregate of sketches, and of digests of numbers.
pub(crate) const MERGE: &str = "merge";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar(CARDINALITY, REDSHIFT, &[Kind::Text], Gives::Int8, cardinality).doc(
        "hll_cardinality(hllsketch)",
        "About how many different values a sketch saw.",
        &[(
            "hll_cardinality('{\"logm\":15,\"sparse\":{\"indices\":[4878,9559,14523],\"values\":[1,2,1]}}'::hllsketch)",
            "3",
        )],
    ),
    scalar(CARDINALITY, ATHENA, &[Kind::Text], Gives::Int8, cardinality),
    scalar(COMBINE_SKETCHES, REDSHIFT, &[Kind::Text, Kind::Text], Gives::Sketch, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.texts(|row| {
            let mut sketch = read(left.value(row))?;
            sketch.merge(&read(right.value(row))?);
            Ok(Some(sketch.to_string()))
        })
    })
    .doc(
        "hll_combine_sketches(hllsketch, hllsketch)",
        "Two sketches as one that saw what both saw.",
        &[(
            "hll_cardinality(hll_combine_sketches(\
             '{\"logm\":15,\"sparse\":{\"indices\":[4878,9559],\"values\":[1,2]}}'::hllsketch, \
             '{\"logm\":15,\"sparse\":{\"indices\":[9559,14523],\"values\":[2,1]}}'::hllsketch))",
            "3",
        )],
    ),
    scalar("empty_approx_set", ATHENA, &[], Gives::Sketch, |call| {
        let empty = HllSketch::default().to_string();
        call.texts(|_| Ok(Some(&empty)))
    })
    .doc("empty_approx_set()", "A sketch that saw nothing.", &[("cardinality(empty_approx_set())", "0")]),
    scalar(READ_SKETCH, BOTH, &[Kind::Text], Gives::Sketch, |call| {
        let texts = call.text(0);
        call.texts(|row| read(texts.value(row)).map(|sketch| Some(sketch.to_string())))
    }),
    scalar(TRY_SKETCH, BOTH, &[Kind::Text], Gives::Sketch, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(HllSketch::parse(texts.value(row)).ok().map(|sketch| sketch.to_string())))
    }),
    scalar(MARK_SKETCH, BOTH, &[Kind::Text], Gives::Sketch, |call| Ok(Arc::clone(&call.args[0]))),
    scalar(SHOW_SKETCH, BOTH, &[Kind::Text], Gives::Text, |call| Ok(Arc::clone(&call.args[0]))),
    scalar(SUPER_SKETCH, REDSHIFT, &[Kind::Text], Gives::Super, |call| {
        let sketches = call.text(0);
        call.texts(|row| {
            let text = sketches.value(row);
            Ok(Some(if read(text)?.is_sparse() { text.to_owned() } else { crate::lake::json::quoted(text) }))
        })
    }),
];

/// A text as a sketch.
///
/// # Errors
/// `InvalidText`
fn read(text: &str) -> Result<HllSketch> {
    HllSketch::parse(text).map_err(|reason| {
        Error::new(ErrorKind::InvalidText, "invalid input syntax for type hllsketch").with_detail(reason)
    })
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let sketches = call.text(0);
    call.ints(|row| Ok(i64::try_from(read(sketches.value(row))?.count()).ok()))
}

/// What an aggregate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    /// Counts values.
    Count,
    /// Makes a sketch of values.
    Create,
    /// Makes one sketch of many.
    Combine,
}

/// A dialect's aggregates over and to sketches.
pub(super) fn aggregates(dialect: Dialect) -> Vec<AggregateUDF> {
    let make = |name, what, of_nothing| {
        let signature = Signature::user_defined(Volatility::Immutable);
        AggregateUDF::new_from_impl(Sketching { name, what, of_nothing, signature })
    };
    match dialect {
        // "When there are no rows in a table or all rows are NULL, the resulting sketch has no index-value pairs".
        Dialect::Redshift => vec![
            make("hll", What::Count, true),
            make("hll_create_sketch", What::Create, true),
            make("hll_combine", What::Combine, false),
        ],
        Dialect::Athena => vec![make("approx_set", What::Create, false), make(MERGE, What::Combine, false)],
    }
}

/// What an aggregate is to sketches; `None` for one that is none of these.
pub(crate) fn sketch_aggregate(function: &AggregateUDF) -> Option<SketchAggregate> {
    let sketching = function.inner().downcast_ref::<Sketching>()?;
    Some(if sketching.what == What::Combine { SketchAggregate::OfSketches } else { SketchAggregate::OfValues })
}

/// What an aggregate is to sketches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SketchAggregate {
    /// It takes values that are no sketches.
    OfValues,
    /// It takes sketches.
    OfSketches,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sketching {
    name: &'static str,
    what: What,
    /// Whether it has a value where there are none to see.
    of_nothing: bool,
    signature: Signature,
}

impl Sketching {
    /// The type of an argument that is a digest of numbers, where these are merged too.
    fn digest(&self, argument: &DataType) -> Option<DataType> {
        if self.name == MERGE { digests::merged_as(argument) } else { None }
    }
}

/// The type as which values are hashed; `None` for one that is not.
fn hashed_as(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, values) => return hashed_as(values),
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::BinaryView,
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        DataType::Boolean
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Interval(IntervalUnit::YearMonth) => data_type.clone(),
        _ => return None,
    })
}

impl AggregateUDFImpl for Sketching {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        let found = match args {
            [argument] if self.what == What::Combine => {
                self.digest(argument).or_else(|| hashed_as(argument).filter(|as_text| *as_text == DataType::Utf8View))
            }
            [argument] => hashed_as(argument),
            _ => None,
        };
        found.map(|found| vec![found]).ok_or_else(|| {
            let types: Vec<String> = args.iter().map(shown_type).collect();
            let message = format!("function {}({}) does not exist", self.name, types.join(", "));
            Error::new(ErrorKind::UndefinedFunction, message).into()
        })
    }

    fn return_type(&self, args: &[DataType]) -> DataFusionResult<DataType> {
        let digest = args.first().and_then(|argument| self.digest(argument));
        Ok(digest.unwrap_or(if self.what == What::Count { DataType::Int64 } else { DataType::Utf8View }))
    }

    fn return_field(&self, args: &[FieldRef]) -> DataFusionResult<FieldRef> {
        let types: Vec<DataType> = args.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name, self.return_type(&types)?, true);
        let is_sketch = *field.data_type() == DataType::Utf8View;
        Ok(Arc::new(if is_sketch { tables::sketch_field(field) } else { field }))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DataFusionResult<Box<dyn Accumulator>> {
        if let Some(digest) = args.expr_fields.first().and_then(|field| self.digest(field.data_type())) {
            return Ok(digest_aggregates::merging(&digest));
        }
        Ok(Box::new(Sketcher { what: self.what, sketch: self.of_nothing.then(HllSketch::default) }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DataFusionResult<Vec<FieldRef>> {
        let digest = args.input_fields.first().and_then(|field| self.digest(field.data_type()));
        let state = digest.unwrap_or(DataType::Utf8View);
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sketch"), state, true))])
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct Sketcher {
    what: What,
    /// `None` where nothing was seen and there is no value of nothing.
    sketch: Option<HllSketch>,
}

impl Sketcher {
    fn text(&self) -> ScalarValue {
        ScalarValue::Utf8View(self.sketch.as_ref().map(ToString::to_string))
    }
}

impl Accumulator for Sketcher {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if self.what == What::Combine {
            return self.merge_batch(values);
        }
        let values = &values[0];
        if values.null_count() < values.len() {
            let sketch = self.sketch.get_or_insert_default();
            tables::hash_values(values, |hash| sketch.add(hash))?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(match self.what {
            What::Count => {
                ScalarValue::Int64(self.sketch.as_ref().and_then(|sketch| i64::try_from(sketch.count()).ok()))
            }
            What::Create | What::Combine => self.text(),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sketch.as_ref().map_or(0, HllSketch::size)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![self.text()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for text in states[0].as_string_view().iter().flatten() {
            self.sketch.get_or_insert_default().merge(&read(text)?);
        }
        Ok(())
    }
}

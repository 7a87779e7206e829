//! Trino's functions that apply a lambda to two arrays, to a map or to two maps: all elements of a batch at a time.

use super::lists::map_of;
use super::pairs::Pairs;
use crate::error::{Error, ErrorKind};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt64Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast, take, take_arrays};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

static ALL: LazyLock<Vec<Arc<HigherOrderUDF>>> = LazyLock::new(|| {
    let kinds = [Kind::ZipWith, Kind::MapZipWith, Kind::MapFilter, Kind::TransformKeys, Kind::TransformValues];
    kinds.into_iter().map(|kind| Arc::new(HigherOrderUDF::new_from_impl(Applied::new(kind)))).collect()
});

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Arc<HigherOrderUDF>> {
    ALL.iter().find(|function| function.name() == name).cloned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    ZipWith,
    MapZipWith,
    MapFilter,
    TransformKeys,
    TransformValues,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Applied {
    kind: Kind,
    signature: HigherOrderSignature,
}

impl Applied {
    fn new(kind: Kind) -> Self {
        let arguments = match kind {
            Kind::ZipWith | Kind::MapZipWith => {
                vec![ValueOrLambda::Value(()), ValueOrLambda::Value(()), ValueOrLambda::Lambda(())]
            }
            _ => vec![ValueOrLambda::Value(()), ValueOrLambda::Lambda(())],
        };
        Self { kind, signature: HigherOrderSignature::exact(arguments, Volatility::Immutable) }
    }

    fn wrong_arguments(&self) -> Error {
        let takes = match self.kind {
            Kind::ZipWith => "two arrays and a lambda of two parameters",
            Kind::MapZipWith => "two maps and a lambda of three parameters",
            _ => "a map and a lambda of two parameters",
        };
        Error::new(ErrorKind::UndefinedFunction, format!("function {}() takes {takes}", self.name()))
    }

    /// What the lambda's parameters are.
    fn parameters(&self, types: &[&DataType]) -> Result<Vec<FieldRef>> {
        let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
        match (self.kind, types) {
            (Kind::ZipWith, [DataType::List(first), DataType::List(second)]) => {
                Ok(vec![nullable(first), nullable(second)])
            }
            (Kind::MapZipWith, [first, second]) => {
                let (first, second) = (entries_of(first), entries_of(second));
                let (Some(first), Some(second)) = (first, second) else { return Err(self.wrong_arguments().into()) };
                Ok(vec![Arc::clone(&first[0]), nullable(&first[1]), nullable(&second[1])])
            }
            (Kind::MapFilter | Kind::TransformKeys | Kind::TransformValues, [map]) => {
                Ok(entries_of(map).ok_or_else(|| self.wrong_arguments())?.iter().cloned().collect())
            }
            _ => Err(self.wrong_arguments().into()),
        }
    }
}

/// The fields of a map's keys and values.
fn entries_of(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

impl HigherOrderUDFImpl for Applied {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::ZipWith => "zip_with",
            Kind::MapZipWith => "map_zip_with",
            Kind::MapFilter => "map_filter",
            Kind::TransformKeys => "transform_keys",
            Kind::TransformValues => "transform_values",
        }
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let lists = |found: &DataType| match (self.kind, found) {
            (Kind::ZipWith, DataType::LargeList(field) | DataType::FixedSizeList(field, _)) => {
                DataType::List(Arc::clone(field))
            }
            _ => found.clone(),
        };
        let mut types: Vec<DataType> = types.iter().map(lists).collect();
        if let (Kind::MapZipWith, [first, second]) = (self.kind, types.as_mut_slice())
            && let (Some(ours), Some(theirs)) = (entries_of(first), entries_of(second))
            && ours[0].data_type() != theirs[0].data_type()
        {
            *second = map_of(ours[0].data_type().clone(), theirs[1].data_type().clone());
        }
        self.parameters(&types.iter().collect::<Vec<_>>())?;
        Ok(types)
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let values = fields.iter().filter_map(|field| match field {
            ValueOrLambda::Value(field) => Some(field.data_type()),
            ValueOrLambda::Lambda(_) => None,
        });
        Ok(LambdaParametersProgress::Complete(vec![self.parameters(&values.collect::<Vec<_>>())?]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let (ValueOrLambda::Value(first), ValueOrLambda::Lambda(result)) =
            (&args.arg_fields[0], &args.arg_fields[args.arg_fields.len() - 1])
        else {
            return Err(self.wrong_arguments().into());
        };
        let result = result.data_type().clone();
        let entries = || entries_of(first.data_type()).ok_or_else(|| self.wrong_arguments());
        let gives = match self.kind {
            Kind::ZipWith => DataType::List(Arc::new(Field::new_list_field(result, true))),
            Kind::MapFilter => first.data_type().clone(),
            Kind::TransformKeys => map_of(result, entries()?[1].data_type().clone()),
            Kind::MapZipWith | Kind::TransformValues => map_of(entries()?[0].data_type().clone(), result),
        };
        Ok(Arc::new(Field::new("", gives, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let gives = args.return_field.data_type().clone();
        let made = match args.args.as_slice() {
            [ValueOrLambda::Value(first), ValueOrLambda::Value(second), ValueOrLambda::Lambda(lambda)] => {
                let (first, second) = (first.to_array(rows)?, second.to_array(rows)?);
                if self.kind == Kind::MapZipWith {
                    merged(first.as_map(), second.as_map(), lambda, &gives)?
                } else {
                    zipped(first.as_list(), second.as_list(), lambda, &gives)?
                }
            }
            [ValueOrLambda::Value(map), ValueOrLambda::Lambda(lambda)] => {
                let map = map.to_array(rows)?;
                let entries = Entries::of(map.as_map())?;
                let computed = if entries.rows.is_empty() {
                    None
                } else {
                    let (keys, values) = (Arc::clone(&entries.keys), Arc::clone(&entries.values));
                    let computed = lambda
                        .evaluate(&[&|| Ok(Arc::clone(&keys)), &|| Ok(Arc::clone(&values))], |captured| {
                            Ok(take_arrays(captured, &entries.rows, None)?)
                        })?;
                    Some(computed.into_array(entries.rows.len())?)
                };
                match self.kind {
                    Kind::MapFilter => entries.filtered(computed.as_ref(), &gives)?,
                    Kind::TransformKeys => entries.with_keys(computed, &gives)?,
                    _ => entries.with_values(computed, &gives)?,
                }
            }
            _ => return Err(self.wrong_arguments().into()),
        };
        Ok(ColumnarValue::Array(made))
    }
}

/// What a lambda makes of the elements of two arrays.
fn zipped(first: &ListArray, second: &ListArray, lambda: &LambdaArgument, gives: &DataType) -> Result<ArrayRef> {
    let DataType::List(field) = gives else { return Err(Error::internal("a list is lost").into()) };
    let pairs = Pairs::of_lists(first, second);
    let values = if pairs.rows.is_empty() {
        new_null_array(field.data_type(), 0)
    } else {
        let left = take(first.values(), &pairs.first, None)?;
        let right = take(second.values(), &pairs.second, None)?;
        let computed = lambda.evaluate(&[&|| Ok(Arc::clone(&left)), &|| Ok(Arc::clone(&right))], |captured| {
            Ok(take_arrays(captured, &pairs.rows, None)?)
        })?;
        cast(&computed.into_array(pairs.rows.len())?, field.data_type())?
    };
    let offsets = OffsetBuffer::from_lengths(pairs.lengths.iter().copied());
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, pairs.nulls)?))
}

/// What a lambda makes of the entries of two maps that have one key.
fn merged(first: &MapArray, second: &MapArray, lambda: &LambdaArgument, gives: &DataType) -> Result<ArrayRef> {
    let (pairs, keys) = Pairs::of_maps(first, second)?;
    let values = if pairs.rows.is_empty() {
        new_null_array(&DataType::Null, 0)
    } else {
        let left = take(first.values(), &pairs.first, None)?;
        let right = take(second.values(), &pairs.second, None)?;
        let parameters: [&dyn Fn() -> Result<ArrayRef>; 3] =
            [&|| Ok(Arc::clone(&keys)), &|| Ok(Arc::clone(&left)), &|| Ok(Arc::clone(&right))];
        let computed = lambda.evaluate(&parameters, |captured| Ok(take_arrays(captured, &pairs.rows, None)?))?;
        computed.into_array(pairs.rows.len())?
    };
    Entries::build(&keys, &values, pairs.lengths, pairs.nulls, gives)
}

/// The entries of maps, one after the other.
struct Entries {
    keys: ArrayRef,
    values: ArrayRef,
    /// The row of each.
    rows: UInt64Array,
    lengths: Vec<usize>,
    nulls: Option<NullBuffer>,
}

impl Entries {
    fn of(map: &MapArray) -> Result<Self> {
        let (mut places, mut rows, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..map.len() {
            let length = if map.is_null(row) { 0 } else { map.value_length(row) };
            let from = map.value_offsets()[row];
            places.extend((from..from + length).map(|place| u64::from(place.unsigned_abs())));
            rows.extend(std::iter::repeat_n(row as u64, length.unsigned_abs() as usize));
            lengths.push(length.unsigned_abs() as usize);
        }
        let places = UInt64Array::from(places);
        let (keys, values) = (take(map.keys(), &places, None)?, take(map.values(), &places, None)?);
        Ok(Self { keys, values, rows: rows.into(), lengths, nulls: map.nulls().cloned() })
    }

    fn build(
        keys: &ArrayRef,
        values: &ArrayRef,
        lengths: Vec<usize>,
        nulls: Option<NullBuffer>,
        gives: &DataType,
    ) -> Result<ArrayRef> {
        let (DataType::Map(entries, sorted), Some(fields)) = (gives, entries_of(gives)) else {
            return Err(Error::internal("a map is lost").into());
        };
        let columns = vec![cast(keys, fields[0].data_type())?, cast(values, fields[1].data_type())?];
        let all = StructArray::try_new(fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, all, nulls, *sorted)?))
    }

    fn filtered(self, keeps: Option<&ArrayRef>, gives: &DataType) -> Result<ArrayRef> {
        let mut lengths = vec![0; self.lengths.len()];
        let mut places = Vec::new();
        if let Some(keeps) = keeps {
            let keeps = keeps.as_boolean();
            for (place, row) in self.rows.values().iter().enumerate() {
                if keeps.is_valid(place) && keeps.value(place) {
                    places.push(place as u64);
                    lengths[usize::try_from(*row).unwrap_or_default()] += 1;
                }
            }
        }
        let places = UInt64Array::from(places);
        let (keys, values) = (take(&self.keys, &places, None)?, take(&self.values, &places, None)?);
        Self::build(&keys, &values, lengths, self.nulls, gives)
    }

    fn with_values(self, values: Option<ArrayRef>, gives: &DataType) -> Result<ArrayRef> {
        let values = values.unwrap_or_else(|| new_null_array(&DataType::Null, 0));
        Self::build(&self.keys, &values, self.lengths, self.nulls, gives)
    }

    /// Keys are not NULL and each is there once.
    fn with_keys(self, keys: Option<ArrayRef>, gives: &DataType) -> Result<ArrayRef> {
        let keys = keys.unwrap_or_else(|| new_null_array(&DataType::Null, 0));
        if keys.logical_null_count() > 0 {
            return Err(Error::new(ErrorKind::InvalidParameter, "map key cannot be null").into());
        }
        let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
        let comparable = converter.convert_columns(&[Arc::clone(&keys)])?;
        let mut seen = HashSet::with_capacity(keys.len());
        for (place, (row, key)) in self.rows.values().iter().zip(comparable.iter()).enumerate() {
            if !seen.insert((*row, key)) {
                let shown = array_value_to_string(&keys, place)?;
                let message = format!("Duplicate map keys ({shown}) are not allowed");
                return Err(Error::new(ErrorKind::InvalidParameter, message).into());
            }
        }
        Self::build(&keys, &self.values, self.lengths, self.nulls, gives)
    }
}

//! ORC's types as Arrow's: what orc-rust is asked to decode, and what a scan makes of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use orc_rust::schema::{DataType as OrcType, RootDataType};

const NANOS_PER_MICRO: i64 = 1_000;

/// The columns of a file as a scan delivers them: texts and byte strings as views, timestamps in microseconds. A
/// `timestamp with local time zone` is an instant and keeps UTC as its zone.
pub(super) fn file_schema(root: &RootDataType) -> SchemaRef {
    let fields = root.children().iter().map(|column| Field::new(column.name(), scan_type(column.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn scan_type(orc: &OrcType) -> DataType {
    map_type(orc, &|orc| match orc {
        OrcType::String { .. } | OrcType::Varchar { .. } | OrcType::Char { .. } => DataType::Utf8View,
        OrcType::Binary { .. } => DataType::BinaryView,
        OrcType::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
        OrcType::TimestampWithLocalTimezone { .. } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        other => other.to_arrow_data_type(),
    })
}

/// The type orc-rust is asked for. Timestamps come as nanoseconds in a decimal: asked for microseconds it fails on
/// finer values, and asked for nanoseconds on years after 2262.
pub(super) fn decoded_type(orc: &OrcType) -> DataType {
    map_type(orc, &|orc| match orc {
        OrcType::Timestamp { .. } | OrcType::TimestampWithLocalTimezone { .. } => DataType::Decimal128(38, 9),
        other => other.to_arrow_data_type(),
    })
}

fn map_type(orc: &OrcType, scalar: &dyn Fn(&OrcType) -> DataType) -> DataType {
    match orc {
        OrcType::Struct { children, .. } => DataType::Struct(
            children.iter().map(|child| Field::new(child.name(), map_type(child.data_type(), scalar), true)).collect(),
        ),
        OrcType::List { child, .. } => DataType::new_list(map_type(child, scalar), true),
        OrcType::Map { key, value, .. } => {
            // The names orc-rust gives to the parts of a map's entries; a decoder of maps insists on them.
            let key = Field::new("keys", map_type(key, scalar), false);
            let value = Field::new("values", map_type(value, scalar), true);
            DataType::Map(Arc::new(Field::new_struct("entries", vec![key, value], false)), false)
        }
        other => scalar(other),
    }
}

/// Whether all decimals inside have a precision and scale that a decimal can have.
pub(super) fn has_valid_decimals(orc: &OrcType) -> bool {
    match orc {
        OrcType::Decimal { precision, scale, .. } => (1..=38).contains(precision) && scale <= precision,
        OrcType::Struct { children, .. } => children.iter().all(|child| has_valid_decimals(child.data_type())),
        OrcType::List { child, .. } => has_valid_decimals(child),
        OrcType::Map { key, value, .. } => has_valid_decimals(key) && has_valid_decimals(value),
        OrcType::Union { variants, .. } => variants.iter().all(has_valid_decimals),
        _ => true,
    }
}

/// A decoded array as the scan delivers it.
pub(super) fn finish(orc: &OrcType, array: ArrayRef) -> Result<ArrayRef, ArrowError> {
    match orc {
        OrcType::Timestamp { .. } => micros(&array, None),
        OrcType::TimestampWithLocalTimezone { .. } => micros(&array, Some("UTC")),
        OrcType::String { .. } | OrcType::Varchar { .. } | OrcType::Char { .. } => cast(&array, &DataType::Utf8View),
        OrcType::Binary { .. } => cast(&array, &DataType::BinaryView),
        OrcType::Struct { children, .. } => {
            let DataType::Struct(fields) = scan_type(orc) else { return Ok(array) };
            let array = array.as_struct();
            let columns = children
                .iter()
                .zip(array.columns())
                .map(|(child, column)| finish(child.data_type(), Arc::clone(column)))
                .collect::<Result<Vec<_>, _>>()?;
            let array = StructArray::try_new_with_length(fields, columns, array.nulls().cloned(), array.len())?;
            Ok(Arc::new(array))
        }
        OrcType::List { child, .. } => {
            let DataType::List(item) = scan_type(orc) else { return Ok(array) };
            let array = array.as_list::<i32>();
            let values = finish(child, Arc::clone(array.values()))?;
            Ok(Arc::new(ListArray::try_new(item, array.offsets().clone(), values, array.nulls().cloned())?))
        }
        OrcType::Map { key, value, .. } => {
            let DataType::Map(entries, sorted) = scan_type(orc) else { return Ok(array) };
            let DataType::Struct(fields) = entries.data_type().clone() else { return Ok(array) };
            finish_map(array.as_map(), [key, value], fields, entries, sorted)
        }
        _ => Ok(array),
    }
}

fn finish_map(
    array: &MapArray,
    [key, value]: [&OrcType; 2],
    fields: Fields,
    entries: Arc<Field>,
    sorted: bool,
) -> Result<ArrayRef, ArrowError> {
    let columns = vec![finish(key, Arc::clone(array.keys()))?, finish(value, Arc::clone(array.values()))?];
    let rows = StructArray::try_new(fields, columns, None)?;
    Ok(Arc::new(MapArray::try_new(entries, array.offsets().clone(), rows, array.nulls().cloned(), sorted)?))
}

/// Nanoseconds in a decimal as microseconds, rounded down.
fn micros(array: &ArrayRef, zone: Option<&str>) -> Result<ArrayRef, ArrowError> {
    let nanos = array.as_primitive::<Decimal128Type>();
    let micros: TimestampMicrosecondArray = nanos.try_unary(|nanos| match i64::try_from(nanos) {
        // Nearly every timestamp; a division of 128-bit numbers costs many times more.
        Ok(nanos) => Ok(nanos.div_euclid(NANOS_PER_MICRO)),
        Err(_) => i64::try_from(nanos.div_euclid(i128::from(NANOS_PER_MICRO)))
            .map_err(|_| ArrowError::ComputeError("timestamp out of range".into())),
    })?;
    Ok(Arc::new(micros.with_timezone_opt(zone)))
}

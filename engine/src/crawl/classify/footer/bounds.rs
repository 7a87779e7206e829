//! Bounds of columns as texts, written as a partition value of the type is.

use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;

/// The longest text kept: a longer one cannot be cut without becoming a wrong bound.
const LONGEST_TEXT: usize = 256;

/// A bound of a column of this type as text; `None` when there is none that can be written so.
pub(super) fn text(bound: &Precision<ScalarValue>, data_type: &DataType) -> Option<String> {
    let value = bound.get_value().filter(|value| !value.is_null())?;
    if matches!(value.data_type(), DataType::Binary | DataType::BinaryView | DataType::LargeBinary)
        || data_type.is_nested()
        || value.data_type() != *data_type
    {
        return None;
    }
    match value {
        ScalarValue::Float32(Some(value)) if value.is_nan() => return None,
        ScalarValue::Float64(Some(value)) if value.is_nan() => return None,
        _ => {}
    }
    let array = value.to_array().ok()?;
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let text = ArrayFormatter::try_new(array.as_ref(), &options).ok()?.value(0).try_to_string().ok()?;
    (text.len() <= LONGEST_TEXT).then_some(text)
}

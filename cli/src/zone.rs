//! The zone whose clocks moments are shown by: the session's, which Athena's dialect does not know; there it is their own.

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono_tz::Tz;
use millrace_engine::Session;
use std::sync::Arc;

/// The zone that a session's results are shown in; UTC where they are shown as they are.
pub(crate) fn shown_zone(session: &Session) -> Tz {
    let name = session.dialect().zone_is_set().then(|| session.setting("timezone").ok()).flatten();
    name.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

/// Rows whose moments with a zone are shown in another one; they stay the same moments.
///
/// # Errors
/// None is known: a zone is only a name beside the values.
pub(crate) fn shown_in(batch: RecordBatch, zone: Tz) -> Result<RecordBatch, ArrowError> {
    let is_zoned = |column: &ArrayRef| matches!(column.data_type(), DataType::Timestamp(_, Some(_)));
    if zone == Tz::UTC || !batch.columns().iter().any(is_zoned) {
        return Ok(batch);
    }
    let schema = batch.schema();
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let column = match column.data_type() {
            DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, Some(zone.name().into())))?,
            _ => ArrayRef::clone(column),
        };
        fields.push(field.as_ref().clone().with_data_type(column.data_type().clone()));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())), columns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{AsArray, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::TimestampMicrosecondType;

    #[test]
    fn moments_stay_and_their_zone_changes() {
        let moments = TimestampMicrosecondArray::from(vec![Some(1_577_836_800_000_000), None]).with_timezone("UTC");
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("t", Arc::new(moments) as ArrayRef), ("n", numbers)]).unwrap();
        let shown = shown_in(batch.clone(), Tz::America__New_York).unwrap();
        let column = shown.column(0).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(column.timezone(), Some("America/New_York"));
        assert_eq!((column.value(0), column.is_null(1)), (1_577_836_800_000_000, true));
        assert_eq!(shown.column(1), batch.column(1));
        assert_eq!(shown_in(batch.clone(), Tz::UTC).unwrap(), batch);
    }
}

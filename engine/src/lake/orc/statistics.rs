//! What the footer of a file says of it: its columns, and statistics for the planner.

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::physical_plan::metrics::Count;
use object_store::{ObjectMeta, ObjectStore};

use super::bounds::Bounds;
use super::tail::Tail;
use crate::Result;
use crate::lake::damage::into_error;
use crate::lake::evolve::{fits, pair_columns, table_schema};

/// The columns of a file, as a table over it would declare them.
pub async fn infer_schema(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<SchemaRef> {
    Ok(table_schema(&read(store, object).await?.schema))
}

/// Row count, NULL counts and bounds of a file for the columns of a table (without partition columns), from the footer
/// alone. `by_index` pairs columns by position.
pub async fn statistics(
    store: &dyn ObjectStore,
    object: &ObjectMeta,
    table: &Schema,
    by_index: bool,
) -> Result<Statistics> {
    if object.size == 0 {
        return Ok(Statistics { num_rows: Precision::Exact(0), ..Statistics::new_unknown(table) });
    }
    let tail = read(store, object).await?;
    let rows = tail.metadata.number_of_rows();
    let pairs = pair_columns(table, &tail.schema, by_index);
    let columns = table.fields().iter().zip(pairs).map(|(field, position)| match position {
        Some(position) => column(&tail, position, rows, field.data_type()),
        // The file lacks the column: all NULL.
        None => ColumnStatistics {
            null_count: usize::try_from(rows).map_or(Precision::Absent, Precision::Exact),
            ..ColumnStatistics::new_unknown()
        },
    });
    Ok(Statistics {
        num_rows: usize::try_from(rows).map_or(Precision::Absent, Precision::Exact),
        total_byte_size: usize::try_from(object.size).map_or(Precision::Absent, Precision::Inexact),
        column_statistics: columns.collect(),
    })
}

async fn read(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<Tail> {
    let file = object.location.to_string();
    Tail::read(store, object, &file, &Count::new()).await.map_err(|error| into_error(&file, error))
}

fn column(tail: &Tail, position: usize, rows: u64, table: &arrow::datatypes::DataType) -> ColumnStatistics {
    let mut statistics = ColumnStatistics::new_unknown();
    let Some(column) = tail.metadata.root_data_type().children().get(position) else { return statistics };
    let orc = column.data_type();
    let Some(read) = tail.metadata.column_file_statistics().get(orc.column_index()) else { return statistics };
    let bounds = Bounds::read(orc, read, rows, tail.trust);
    if let Some(nulls) = bounds.nulls.and_then(|nulls| usize::try_from(nulls).ok()) {
        statistics.null_count = Precision::Exact(nulls);
    }
    // A type that does not fit is an error once the column is read; until then nothing is known of it.
    let limit = |value: Option<ScalarValue>| match value
        .and_then(|value| fits(&value.data_type(), table).then(|| value.cast_to(table).ok()).flatten())
    {
        Some(value) if bounds.exact => Precision::Exact(value),
        Some(value) => Precision::Inexact(value),
        None => Precision::Absent,
    };
    statistics.min_value = limit(bounds.min);
    statistics.max_value = limit(bounds.max);
    statistics
}

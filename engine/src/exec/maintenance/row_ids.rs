//! Rows of open tables keep their ids when they are rewritten.
//!
//! DuckDB shows them as `rowid`, and tells by them which rows a change updated. A file whose rows' ids are not one after
//! the other has them in a column, which DuckLake 1.0 calls `_ducklake_internal_row_id`. To our readers and writers it
//! is a column of the table with a number that no column of a table ever has.

use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayRef, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_int64_array;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use millrace_catalog::model::{DataFile, FileFormat, ManagedColumn, ManagedTable};
use std::collections::HashMap;
use std::sync::Arc;

/// The field id that DuckDB reserves for the column, as Iceberg does for its `_row_id`.
pub(super) const ROW_ID_COLUMN: i64 = 2_147_483_540;

/// The column's name.
pub(super) const ROW_ID_NAME: &str = "_ducklake_internal_row_id";

/// An open table with one column more, the rows' ids; `None` for a table whose rows' ids nobody sees.
pub(super) fn with_row_ids(table: &ManagedTable) -> Option<ManagedTable> {
    if table.attributes.format != FileFormat::Parquet || table.column(ROW_ID_NAME).is_some() {
        return None;
    }
    let mut wide = table.clone();
    wide.columns.push(ManagedColumn {
        id: ROW_ID_COLUMN,
        name: ROW_ID_NAME.to_owned(),
        data_type: "bigint".to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    });
    Some(wide)
}

/// The function `row_id(id in the file, file, position)` over the rows of some files. A row of the catalog has no file,
/// and its id for a position.
pub(super) fn row_id_function(files: &[DataFile]) -> ScalarUDF {
    let starts: HashMap<i64, i64> = files.iter().map(|file| (file.id, file.row_id_start)).collect();
    let compute = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [own, file, position] = arrays.as_slice() else {
            return Err(DataFusionError::from(Error::internal("row ids are computed of three columns")));
        };
        row_ids(&starts, own, file, position).map(ColumnarValue::Array)
    };
    create_udf("row_id", vec![DataType::Int64; 3], DataType::Int64, Volatility::Volatile, Arc::new(compute))
}

fn row_ids(
    starts: &HashMap<i64, i64>,
    own: &ArrayRef,
    file: &ArrayRef,
    position: &ArrayRef,
) -> DataFusionResult<ArrayRef> {
    let (own, file, position) = (as_int64_array(own)?, as_int64_array(file)?, as_int64_array(position)?);
    let id = |row: usize| -> Result<i64> {
        if own.is_valid(row) {
            return Ok(own.value(row));
        }
        if file.is_null(row) {
            return Ok(position.value(row));
        }
        match starts.get(&file.value(row)) {
            Some(start) if *start >= 0 => Ok(start + position.value(row)),
            _ => Err(Error::internal(format!("a row of file {} has no id", file.value(row)))),
        }
    };
    Ok(Arc::new((0..own.len()).map(id).collect::<Result<Int64Array>>()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_the_file_the_position_or_the_catalog() {
        let array = |values: &[Option<i64>]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let starts = HashMap::from([(7, 100), (8, -1)]);
        let own = array(&[None, Some(5), None]);
        let file = array(&[Some(7), Some(8), None]);
        let position = array(&[Some(3), Some(0), Some(42)]);
        let found = row_ids(&starts, &own, &file, &position).unwrap();
        assert_eq!(&found, &array(&[Some(103), Some(5), Some(42)]));
        let lost = row_ids(&starts, &array(&[None]), &array(&[Some(8)]), &array(&[Some(0)]));
        assert!(lost.unwrap_err().to_string().contains("has no id"));
    }
}

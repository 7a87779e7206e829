//! Tables that the next statement sees as the last one did.

use super::fixture;
use crate::tables::{InlinedRows, ManagedTableProvider, SeenTables, arrow_schema};
use arrow::array::{Int64Array, RecordBatch};
use millrace_catalog::model::{DataFile, FileFormat, ManagedTable, TableEstimates};
use std::sync::Arc;

#[tokio::test]
async fn a_table_is_the_same_until_something_of_it_is_another() {
    let fixture = fixture(FileFormat::Vortex, &[(1, "k", "bigint")]);
    let table = Arc::new(fixture.table.clone());
    let files = Arc::new(vec![DataFile::default()]);
    let estimates = Arc::<TableEstimates>::default();
    let of = |table: &Arc<ManagedTable>,
              files: &Arc<Vec<DataFile>>,
              estimates: &Arc<TableEstimates>,
              inlined: Vec<InlinedRows>| {
        let (storage, table, files) = (fixture.storage.clone(), Arc::clone(table), Arc::clone(files));
        ManagedTableProvider::new(storage, table, files, inlined).unwrap().with_estimates(Arc::clone(estimates))
    };
    let seen = SeenTables::default();
    let now = || seen.same_or(of(&table, &files, &estimates, Vec::new()));
    assert!(Arc::ptr_eq(&now(), &now()));
    let rows = RecordBatch::new_empty(arrow_schema(&table.columns).unwrap());
    let inlined = InlinedRows { rows, row_ids: Int64Array::from(Vec::<i64>::new()) };
    // Equal ones are others, too: what they tell need not be compared.
    let others = [
        of(&Arc::new(fixture.table.clone()), &files, &estimates, Vec::new()),
        of(&table, &Arc::new(vec![DataFile::default()]), &estimates, Vec::new()),
        of(&table, &files, &Arc::default(), Vec::new()),
        of(&table, &files, &estimates, vec![inlined]),
    ];
    for other in others {
        let before = now();
        let other = seen.same_or(other);
        assert!(!Arc::ptr_eq(&before, &other) && !Arc::ptr_eq(&other, &now()));
    }
}

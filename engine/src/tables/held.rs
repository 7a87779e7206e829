//! What a table holds, as a short text: the same while it holds the same.

use millrace_catalog::manifest::InlinedRows;
use millrace_catalog::model::{DataFile, ManagedTable};
use sha2::{Digest, Sha256};

/// What a table holds: the version of a materialized view, a digest of another table. `None` when that cannot be told yet.
pub fn held(table: &ManagedTable, files: &[DataFile], inlined: &[InlinedRows]) -> Option<String> {
    match &table.attributes.materialized {
        Some(view) => (table.id > 0).then(|| view.version.clone()),
        None => digest(table, files, inlined),
    }
}

/// A digest of a table's columns, files, deletions and rows in the catalog. `None` when some of it is not committed: it
/// has no numbers of its own yet.
pub fn digest(table: &ManagedTable, files: &[DataFile], inlined: &[InlinedRows]) -> Option<String> {
    let deletes = |file: &DataFile| file.deletes.as_ref().map_or(0, |deletes| deletes.id);
    let mut files: Vec<(i64, i64, usize)> =
        files.iter().map(|file| (file.id, deletes(file), file.inlined_deletes.len())).collect();
    files.sort_unstable();
    let mut rows: Vec<(i64, i64)> =
        inlined.iter().flat_map(|rows| rows.rows.iter().map(|row| (row.row_id, row.begin_snapshot))).collect();
    rows.sort_unstable();
    let uncommitted = table.id < 0
        || files.iter().any(|(id, deletes, _)| *id < 0 || *deletes < 0)
        || rows.iter().any(|(id, snapshot)| *id < 0 || *snapshot <= 0);
    if uncommitted {
        return None;
    }
    let columns: Vec<(i64, &str)> = table.columns.iter().map(|column| (column.id, column.data_type.as_str())).collect();
    Some(hex::encode(Sha256::digest(format!("{columns:?}{files:?}{rows:?}").as_bytes())))
}

//! Rows of the catalog that were decoded before: most statements read tables that nobody changed meanwhile, or that only
//! got rows behind those that they had.

use super::inlined::decode_inlined;
use super::scan::InlinedRows;
use crate::error::{Error, Result};
use arrow::compute::{concat, concat_batches};
use datafusion::common::cast::as_int64_array;
use millrace_catalog::model::ManagedTable;
use millrace_catalog::{Catalog, manifest};
use moka::future::Cache;
use std::fmt;
use std::sync::{Arc, Weak};

/// How many bytes of rows are kept.
const KEPT_BYTES: u64 = 64 << 20;

/// What a table counts beside its rows.
const TABLE_BYTES: usize = 512;

/// The tables' rows in the catalog, by the tables' numbers.
pub(crate) struct InlinedCache(Cache<i64, Arc<Known>>);

/// A table's rows.
struct Known {
    table: Arc<ManagedTable>,
    /// As the catalog gave them, which alone keeps them, as long as it wants to.
    from: Weak<Vec<manifest::InlinedRows>>,
    groups: Vec<Group>,
}

/// Rows with the same columns.
#[derive(Clone)]
struct Group {
    columns: Vec<i64>,
    /// The snapshot that added each row: with its id it tells the row from all others.
    begins: Vec<i64>,
    decoded: InlinedRows,
}

impl Default for InlinedCache {
    fn default() -> Self {
        let weigh = |_: &i64, known: &Arc<Known>| {
            let group = |group: &Group| group.decoded.rows.get_array_memory_size() + 16 * group.begins.len();
            let bytes = known.groups.iter().map(group).sum::<usize>();
            u32::try_from(bytes + TABLE_BYTES).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).build())
    }
}

impl fmt::Debug for InlinedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlinedCache").field("tables", &self.0.entry_count()).finish_non_exhaustive()
    }
}

impl InlinedCache {
    /// The rows that the catalog holds of a table at one of the manifest's snapshots, in the table's columns.
    ///
    /// # Errors
    /// What the catalog's database says; `DataCorrupted` for a value that is not of its column's type.
    pub(crate) async fn rows(
        &self,
        catalog: &Catalog,
        table: &Arc<ManagedTable>,
        snapshot_id: i64,
    ) -> Result<Vec<InlinedRows>> {
        let from = catalog.inlined_rows(table.id, snapshot_id).await?;
        if from.is_empty() {
            self.forget(table.id).await;
            return Ok(Vec::new());
        }
        let known = self.0.get(&table.id).await.filter(|known| known.table.columns == table.columns);
        let of = Arc::downgrade(&from);
        if let Some(known) = known.as_deref().filter(|known| Weak::ptr_eq(&known.from, &of)) {
            return Ok(known.rows());
        }
        let decode = |rows| Group::decode(table, rows, known.as_deref().and_then(|known| known.group(rows)));
        let groups = from.iter().map(decode).collect::<Result<Vec<_>>>()?;
        let known = Arc::new(Known { table: Arc::clone(table), from: of, groups });
        self.0.insert(table.id, Arc::clone(&known)).await;
        Ok(known.rows())
    }

    /// Forgets a table that has no rows there any more, or is gone.
    pub(crate) async fn forget(&self, table: i64) {
        self.0.invalidate(&table).await;
    }
}

impl Known {
    fn rows(&self) -> Vec<InlinedRows> {
        self.groups.iter().map(|group| group.decoded.clone()).collect()
    }

    /// The group that all these rows begin with.
    fn group(&self, rows: &manifest::InlinedRows) -> Option<&Group> {
        let begins = |group: &&Group| {
            let ids = group.decoded.row_ids.values().iter().zip(&group.begins);
            group.columns == rows.columns
                && group.begins.len() <= rows.rows.len()
                && ids.zip(&rows.rows).all(|((id, begin), row)| (*id, *begin) == (row.row_id, row.begin_snapshot))
        };
        self.groups.iter().find(begins)
    }
}

impl Group {
    /// Decodes rows behind those that are known.
    fn decode(table: &ManagedTable, rows: &manifest::InlinedRows, known: Option<&Self>) -> Result<Self> {
        let (columns, known_count) = (rows.columns.clone(), known.map_or(0, |known| known.begins.len()));
        let begins = rows.rows.iter().map(|row| row.begin_snapshot).collect();
        let decoded = match known {
            None => decode_inlined(table, rows)?,
            Some(known) if known_count == rows.rows.len() => known.decoded.clone(),
            Some(known) => {
                let tail = manifest::InlinedRows { columns: columns.clone(), rows: rows.rows[known_count..].to_vec() };
                known.decoded.followed_by(&decode_inlined(table, &tail)?)?
            }
        };
        Ok(Self { columns, begins, decoded })
    }
}

impl InlinedRows {
    fn followed_by(&self, other: &Self) -> Result<Self> {
        let failed = |error: arrow::error::ArrowError| Error::internal(format!("rows of the catalog: {error}"));
        let rows = concat_batches(self.rows.schema_ref(), [&self.rows, &other.rows]).map_err(failed)?;
        let row_ids = concat(&[&self.row_ids, &other.row_ids]).map_err(failed)?;
        Ok(Self { rows, row_ids: as_int64_array(&row_ids)?.clone() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use millrace_catalog::manifest::{CommitNote, InlinedRow, InlinedValue, ManifestChange};
    use millrace_catalog::model::ManagedColumn;

    fn table() -> ManagedTable {
        let column = |name: &str, data_type: &str| ManagedColumn {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            nullable: true,
            ..ManagedColumn::default()
        };
        let columns = vec![column("a", "integer"), column("b", "character varying(9)")];
        ManagedTable { id: -1, schema: "default".to_owned(), name: "t".to_owned(), columns, ..ManagedTable::default() }
    }

    fn values(a: i64) -> Vec<InlinedValue> {
        vec![InlinedValue::Integer(a), InlinedValue::Text(format!("row {a}"))]
    }

    async fn commit(catalog: &Catalog, change: ManifestChange) -> i64 {
        let base = catalog.snapshot().await.unwrap().manifest_version();
        catalog.commit_manifest(base, &[], &[change], &CommitNote::default()).await.unwrap().snapshot_id
    }

    #[tokio::test]
    async fn rows_behind_known_ones_are_added_and_the_rest_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
        commit(&catalog, ManifestChange::CreateTable(table())).await;
        let table = Arc::clone(catalog.snapshot().await.unwrap().managed_table("default", "t").unwrap());
        let cache = InlinedCache::default();
        let insert = |rows: std::ops::Range<i64>| ManifestChange::InlineRows {
            table: table.id,
            rows: rows.map(values).collect(),
        };
        for (change, expected) in [
            (insert(0..3), &[0, 1, 2][..]),
            (insert(3..5), &[0, 1, 2, 3, 4]),
            (ManifestChange::DeleteInlined { table: table.id, row_ids: vec![1] }, &[0, 2, 3, 4]),
            (insert(5..6), &[0, 2, 3, 4, 5]),
        ] {
            let snapshot = commit(&catalog, change).await;
            let rows = cache.rows(&catalog, &table, snapshot).await.unwrap();
            let stored = catalog.inlined_rows(table.id, snapshot).await.unwrap();
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].rows, decode_inlined(&table, &stored[0]).unwrap().rows);
            assert_eq!(rows[0].row_ids.values(), expected);
            assert_eq!(Arc::strong_count(&stored), 2, "the catalog's and this test's");
        }
        let last = commit(&catalog, ManifestChange::DropTable { table: table.id }).await;
        assert!(cache.rows(&catalog, &table, last).await.unwrap().is_empty());
        cache.0.run_pending_tasks().await;
        assert_eq!(cache.0.entry_count(), 0);
    }

    #[test]
    fn what_is_known_of_other_rows_is_no_beginning() {
        let table = ManagedTable {
            columns: table().columns.into_iter().zip(1..).map(|(column, id)| ManagedColumn { id, ..column }).collect(),
            ..table()
        };
        let row = |row_id, begin_snapshot| Arc::new(InlinedRow { row_id, begin_snapshot, values: values(row_id) });
        let group = |rows| manifest::InlinedRows { columns: vec![1, 2], rows };
        let first = Group::decode(&table, &group(vec![row(0, 1), row(1, 1)]), None).unwrap();
        let known = Known { table: Arc::new(table), from: Weak::new(), groups: vec![first] };
        for (rows, expected) in [
            (vec![row(0, 1), row(1, 1), row(2, 3)], true),
            (vec![row(0, 1)], false),
            (vec![row(1, 1), row(2, 3)], false),
            // Another program changed it, which keeps its id.
            (vec![row(0, 1), row(1, 2)], false),
        ] {
            assert_eq!(known.group(&group(rows.clone())).is_some(), expected, "{rows:?}");
        }
        let other = manifest::InlinedRows { columns: vec![1], rows: vec![row(0, 1), row(1, 1)] };
        assert!(known.group(&other).is_none());
    }
}

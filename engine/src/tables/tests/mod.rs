//! Managed tables on a folder of the local disk, queried through DataFusion as the engine does.

#![allow(clippy::unwrap_used)]

mod deletes;
mod encodings;
mod evolve;
mod faults;
mod lookup;
mod round_trip;
mod scan;
mod seen;
mod skipping;
mod types;

use super::{InlinedRows, ManagedTableProvider, TableStorage, WriteOptions, arrow_schema, write_files};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use millrace_catalog::model::{DataFile, FileFormat, ManagedColumn, ManagedTable, TableAttributes};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use std::sync::Arc;

pub(super) const FORMATS: [FileFormat; 2] = [FileFormat::Vortex, FileFormat::Parquet];

/// A table in a folder that goes away with it.
pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    pub(super) storage: TableStorage,
    pub(super) table: ManagedTable,
}

/// Columns `(id, name, type)`.
pub(super) fn fixture(format: FileFormat, columns: &[(i64, &str, &str)]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::from_absolute_path(folder.path()).unwrap();
    let url = ObjectStoreUrl::local_filesystem();
    let storage = TableStorage::new(Arc::new(LocalFileSystem::new()), url, root, tokio_util::task::TaskTracker::new());
    let table = ManagedTable {
        id: 1,
        uuid: String::new(),
        schema: "public".to_owned(),
        name: "t".to_owned(),
        columns: columns.iter().map(|(id, name, data_type)| column(*id, name, data_type)).collect(),
        next_column_id: 100,
        path: "public/t/".to_owned(),
        attributes: TableAttributes { format, ..TableAttributes::default() },
        comment: None,
    };
    Fixture { folder, storage, table }
}

pub(super) fn column(id: i64, name: &str, data_type: &str) -> ManagedColumn {
    ManagedColumn {
        id,
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    }
}

impl Fixture {
    /// Rows of a query of DataFusion's own, cast to the table's types.
    pub(super) async fn rows_of(&self, sql: &str) -> Vec<RecordBatch> {
        let rows = SessionContext::new().sql(sql).await.unwrap().collect().await.unwrap();
        let schema = arrow_schema(&self.table.columns).unwrap();
        let cast = |batch: RecordBatch| {
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns.map(|(column, field)| arrow::compute::cast(column, field.data_type()).unwrap());
            RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
        };
        rows.into_iter().map(cast).collect()
    }

    pub(super) fn stream(&self, batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
        let schema = arrow_schema(&self.table.columns).unwrap();
        Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches.into_iter().map(Ok))))
    }

    /// Writes batches and gives the files ids from `first_id`.
    pub(super) async fn write(
        &self,
        batches: Vec<RecordBatch>,
        options: &WriteOptions,
        first_id: i64,
    ) -> Vec<DataFile> {
        let streams = vec![self.stream(batches)];
        let mut files = write_files(&self.storage, &self.table, streams, options).await.unwrap().keep();
        for (file, id) in files.iter_mut().zip(first_id..) {
            file.id = id;
        }
        files
    }

    pub(super) fn provider(&self, files: &[DataFile], inlined: Vec<InlinedRows>) -> ManagedTableProvider {
        let table = Arc::new(self.table.clone());
        ManagedTableProvider::new(self.storage.clone(), table, files.to_vec(), inlined).unwrap()
    }

    pub(super) async fn query(&self, files: &[DataFile], sql: &str) -> Vec<String> {
        run(self.provider(files, Vec::new()), sql, 2).await.unwrap().0
    }

    /// With `_file` and `_position`.
    pub(super) async fn query_hidden(&self, files: &[DataFile], sql: &str) -> Vec<String> {
        run(self.provider(files, Vec::new()).with_hidden_columns(), sql, 2).await.unwrap().0
    }

    /// Files of the table's folder, whatever they are.
    pub(super) fn files_on_disk(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("public/t")).map_or(0, Iterator::count)
    }
}

/// The rows of a query over `t`, values joined by `|`, and the plan after it ran.
pub(super) async fn run(
    provider: ManagedTableProvider,
    sql: &str,
    partitions: usize,
) -> datafusion::error::Result<(Vec<String>, Arc<dyn ExecutionPlan>)> {
    let config = SessionConfig::new().with_target_partitions(partitions).with_repartition_file_min_size(1);
    let context = SessionContext::new_with_config(config);
    context.register_table("t", Arc::new(provider))?;
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await?;
    Ok((shown(&batches), plan))
}

/// Rows with values joined by `|`.
pub(super) fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns.map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        let row = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows
}

/// The only value of a query.
pub(super) fn only(rows: Vec<String>) -> String {
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

//! What `ANALYZE` asks of a table: its folders one by one, their files, footers and rows.

use super::{CONCURRENCY, DataFile, Files, LakeTable, ScanSummary, Selected};
use crate::error::{Error, Result};
use crate::lake::format::Format;
use crate::lake::location::Location;
use crate::lake::statistics::MOST_FOOTERS;
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::stats::{NdvFallback, Precision};
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::model::Partition;
use std::sync::Arc;

/// The files of a partition, or of a table without partition keys.
pub(crate) struct Folder {
    files: Vec<DataFile>,
}

impl Folder {
    /// Bytes of the files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.size).sum()
    }

    /// How many files there are.
    pub(crate) fn file_count(&self) -> u64 {
        self.files.len() as u64
    }
}

impl LakeTable {
    /// Lists the folder of a partition; `None` is that of a table without partition keys.
    pub(crate) async fn folder(&self, partition: Option<&Partition>, session: &dyn Session) -> Result<Folder> {
        let selected = match (partition, &self.files) {
            (Some(partition), Files::Catalog { table, .. }) => {
                let format = partition.storage.as_ref().map(|own| Format::of_storage(own, &table.parameters));
                let values = self.values_of(table, partition)?;
                vec![Selected {
                    location: Location::literal(&partition.location)?,
                    values,
                    format: format.transpose()?,
                }]
            }
            _ => self.select(&[], &[], session).await?,
        };
        Ok(Folder { files: self.data_files(selected, &[], session).await? })
    }

    /// What the footers of a folder's files tell of the data columns, or an estimate from the files' sizes where they
    /// have none or there are too many.
    pub(crate) async fn footers(&self, folder: &Folder, session: &dyn Session) -> Result<Statistics> {
        let schema = &self.columns.schema;
        if folder.files.is_empty() {
            return Ok(Statistics { num_rows: Precision::Exact(0), ..Statistics::new_unknown(schema) });
        }
        let ahead = folder.files.len() <= MOST_FOOTERS;
        // By number: the compiler cannot tell that a stream of borrowed files may move between threads.
        let found = stream::iter(0..folder.files.len()).map(|number| async move {
            let file = &folder.files[number];
            if !ahead {
                return Ok(Arc::new(super::estimate(&file.object, schema)));
            }
            let store = self.lake.listings.stores().open(&file.location).await?;
            let url = file.location.url_of(&file.object.location);
            let format = file.format.as_ref().unwrap_or(&self.format);
            let known = &self.lake.statistics;
            let known = known.of_file(format, &store, url, &file.object, &self.columns, session).await?;
            Ok::<_, Error>(known.statistics)
        });
        let found: Vec<Arc<Statistics>> = found.buffered(CONCURRENCY).try_collect().await?;
        let found = found.iter().map(Arc::as_ref);
        Ok(Statistics::try_merge_iter_with_ndv_fallback(found, schema, NdvFallback::Max)?)
    }

    /// A scan of some data columns of a folder.
    pub(crate) async fn scan_folder(
        &self,
        folder: Folder,
        columns: &[usize],
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let summary = ScanSummary {
            table: self.name.clone(),
            table_id: None,
            location: self.location(),
            partitioned: None,
            partitions: None,
            files: folder.files.len(),
            bytes: folder.size_bytes(),
        };
        self.scan_files(session, folder.files, &summary, None, Some(&columns.to_vec()), None).await
    }
}

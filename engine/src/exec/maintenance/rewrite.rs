//! One rewrite: some files and rows of a table become new files with the same rows.

use super::look::{Look, look};
use super::plan::{BYTES_OF_FILE, Job};
use super::row_ids::{ROW_ID_COLUMN, ROW_ID_NAME, row_id_function, with_row_ids};
use crate::background::Activity;
use crate::error::{Error, Result};
use crate::session::Turn;
use crate::tables::{
    self, Arranged, FILE_COLUMN, ManagedTableProvider, NewFiles, POSITION_COLUMN, WriteOptions, arrange,
    decode_inlined, read_deletes, write_arranged,
};
use crate::warehouse::Warehouse;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;
use millrace_catalog::CatalogError;
use millrace_catalog::manifest::{CommitNote, InlinedRows, ManifestChange, NEW_ROW_IDS};
use millrace_catalog::model::{DataFile, ManagedTable};
use std::sync::Arc;
use std::time::Duration;

/// How often the same files are done again when others change them meanwhile.
const MOST_TRIES: u32 = 4;

/// What rewrites files of a warehouse's tables.
#[derive(Clone)]
pub(crate) struct Rewriter {
    warehouse: Arc<Warehouse>,
    /// What it lets go first, where it works in the background.
    behind: Option<Arc<Activity>>,
    /// Whether it computes on threads that let others go before. It asks the catalog and commits on those of everybody: the
    /// connections that it opens are for others too, whose commits wait for its.
    is_patient: bool,
}

/// What became of a [`Job`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// Files that were replaced.
    pub(super) files: u64,
    /// Rows of them that were deleted.
    pub(super) removed_rows: u64,
    /// Rows of the catalog.
    pub(super) flushed_rows: u64,
    /// Files, and the catalog's rows as one, that others kept changing.
    pub(super) conflicts: u64,
}

impl Rewriter {
    /// One that works for a statement.
    pub(crate) fn new(warehouse: &Arc<Warehouse>) -> Self {
        Self { warehouse: Arc::clone(warehouse), behind: None, is_patient: false }
    }

    /// One that works for a statement and lets others have the processor.
    pub(super) fn patient(warehouse: &Arc<Warehouse>) -> Self {
        Self { is_patient: true, ..Self::new(warehouse) }
    }

    /// One that works in the background: it stops between batches while statements run.
    pub(crate) fn in_background(warehouse: &Arc<Warehouse>) -> Self {
        Self { behind: Some(Arc::clone(warehouse.activity())), ..Self::new(warehouse) }
    }

    /// The warehouse.
    pub(super) fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// Whether it works in the background.
    pub(super) fn is_in_background(&self) -> bool {
        self.behind.is_some()
    }

    /// Rewrites files of a table, again when others change them meanwhile. With the table's turn nobody of this process
    /// does.
    pub(super) async fn run(&self, table_id: i64, job: &Job, turn: Option<&Turn>) -> Result<Rewritten> {
        for tries in 1..=MOST_TRIES {
            if let Some(behind) = &self.behind {
                behind.pause().await?;
            }
            let Some(seen) = look(&self.warehouse, table_id).await? else { return Ok(Rewritten::default()) };
            let seen = Arc::new(seen);
            let files: Vec<DataFile> = seen.files.iter().filter(|file| job.files.contains(&file.id)).cloned().collect();
            let inlined = if job.inlined { Arc::clone(&seen.inlined) } else { Arc::default() };
            let flushed: u64 = inlined.iter().map(|rows| rows.rows.len() as u64).sum();
            if files.is_empty() && flushed == 0 {
                return Ok(Rewritten::default());
            }
            let (stored, live) = self.count(&seen.table, &files).await?;
            let write = Box::pin(self.clone().write(Arc::clone(&seen), files.clone(), Arc::clone(&inlined)));
            let written = if self.is_patient {
                // Who closes the warehouse waits until what was given up has gone.
                let write = self.warehouse.cleanup().track_future(write);
                self.warehouse.patient_threads().run(write).await?
            } else {
                write.await?
            };
            let found: u64 = written.described().iter().map(|file| file.record_count).sum();
            if found != live + flushed {
                let expected = live + flushed;
                let message = format!("a rewrite of \"{}\" has {found} rows instead of {expected}", seen.table.name);
                return Err(Error::internal(message));
            }
            let count = files.len() as u64;
            if self.commit(&seen, &files, &inlined, written, turn).await? {
                return Ok(Rewritten {
                    files: count,
                    removed_rows: stored - live,
                    flushed_rows: flushed,
                    conflicts: 0,
                });
            }
            tokio::time::sleep(Duration::from_millis(u64::from(tries) * 20)).await;
        }
        let conflicts = job.files.len() as u64 + u64::from(job.inlined);
        Ok(Rewritten { conflicts, ..Rewritten::default() })
    }

    /// Rows that files have, and those that are not deleted.
    async fn count(&self, table: &ManagedTable, files: &[DataFile]) -> Result<(u64, u64)> {
        let (mut stored, mut live) = (0, 0);
        for file in files {
            let deleted = read_deletes(self.warehouse.data(), table, file).await?.len() as u64;
            stored += file.record_count;
            live += file.record_count.saturating_sub(deleted);
        }
        Ok((stored, live))
    }

    /// Writes the live rows into new files, which nobody sees.
    async fn write(
        self,
        seen: Arc<Look>,
        files: Vec<DataFile>,
        inlined: Arc<Vec<InlinedRows>>,
    ) -> Result<NewFiles<Vec<DataFile>>> {
        let table = &seen.table;
        let with_ids = with_row_ids(table);
        let shape = Arc::new(with_ids.clone().unwrap_or_else(|| ManagedTable::clone(table)));
        // The old files go: pieces of them would only push out what queries read.
        let data = self.warehouse.data().keeping_no_more();
        let decoded = inlined.iter().map(|rows| decode_inlined(&shape, rows)).collect::<Result<_>>()?;
        let mut provider = ManagedTableProvider::new(data, Arc::clone(&shape), files.clone(), decoded)?;
        if with_ids.is_some() {
            provider = provider.with_hidden_columns();
        }
        let mut columns: Vec<Expr> = table.columns.iter().map(|column| ident(&column.name)).collect();
        if with_ids.is_some() {
            let place = [ROW_ID_NAME, FILE_COLUMN, POSITION_COLUMN].map(ident).to_vec();
            columns.push(row_id_function(&files).call(place).alias(ROW_ID_NAME));
        }
        let scan = LogicalPlanBuilder::scan(&table.name, provider_as_source(Arc::new(provider)), None)?;
        let plan = scan.project(columns)?.build()?;
        let state = self.warehouse.base_state().clone();
        let mut physical = state.create_physical_plan(&plan).await?;
        let bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
        if bytes <= BYTES_OF_FILE && !seen.has_keys() {
            physical = Arc::new(CoalescePartitionsExec::new(physical));
        }
        let context = state.task_ctx();
        let streams = execute_stream_partitioned(physical, Arc::clone(&context))?;
        let schema = tables::arrow_schema(&shape.columns)?;
        let streams = streams.into_iter().map(|rows| {
            let behind = self.behind.clone();
            let rows = rows.then(move |batch| {
                let behind = behind.clone();
                async move {
                    if let Some(behind) = behind {
                        behind.pause().await?;
                    }
                    batch
                }
            });
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows)) as SendableRecordBatchStream
        });
        let streams: Vec<SendableRecordBatchStream> = streams.collect();
        let arranged = if seen.has_keys() {
            arrange(&shape, &seen.style, streams, &context).await?
        } else {
            streams.into_iter().map(Arranged::as_given).collect()
        };
        write_arranged(self.warehouse.data(), &shape, arranged, &WriteOptions::default()).await
    }

    /// Puts the new files in the place of the old ones; false when others have changed what they replace. A commit that
    /// was begun goes to its end even if nobody waits for it any more.
    async fn commit(
        &self,
        seen: &Look,
        old: &[DataFile],
        inlined: &[InlinedRows],
        mut written: NewFiles<Vec<DataFile>>,
        turn: Option<&Turn>,
    ) -> Result<bool> {
        let table = seen.table.id;
        let has_ids = with_row_ids(&seen.table).is_some();
        let mut new = written.described().clone();
        for file in &mut new {
            file.columns.remove(&ROW_ID_COLUMN);
            file.row_id_start = if has_ids { -1 } else { NEW_ROW_IDS };
        }
        let old = old.iter().map(|file| file.id).collect();
        let mut changes = vec![ManifestChange::ReplaceFiles { table, old, new }];
        if !inlined.is_empty() {
            let row_ids = inlined.iter().flat_map(|rows| &rows.rows).map(|row| row.row_id).collect();
            changes.push(ManifestChange::FlushInlined { table, row_ids, files: Vec::new() });
        }
        let own_turn = match turn {
            Some(_) => None,
            None => Some(self.warehouse.turns().wait_for_commit([table].into()).await),
        };
        let (catalog, base) = (Arc::clone(self.warehouse.catalog()), seen.version);
        let commit = self.warehouse.cleanup().spawn(async move {
            let _turn = own_turn;
            let note = CommitNote { message: Some("vacuum".to_owned()), ..CommitNote::default() };
            // From here on the catalog may come to name the files, whatever becomes of this task.
            written.protect(true);
            match catalog.commit_manifest(base, &[], &changes, &note).await {
                Ok(_) => {
                    written.keep();
                    Ok(true)
                }
                Err(CatalogError::Serialization { .. } | CatalogError::Conflict(_) | CatalogError::NotFound { .. }) => {
                    written.protect(false);
                    Ok(false)
                }
                Err(error) => {
                    // The database does not tell whether it committed.
                    let unknown =
                        matches!(error, CatalogError::Unavailable { .. } | CatalogError::UnknownOutcome { .. });
                    written.protect(unknown);
                    Err(Error::from(error))
                }
            }
        });
        commit.await.unwrap_or_else(|e| Err(Error::internal(format!("a commit ended abnormally: {e}"))))
    }
}

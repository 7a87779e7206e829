//! `ANALYZE` of external tables: reads a table partition by partition and keeps what it finds for the optimizer and for people.
//!
//! Partitions are read a few at a time and stored in batches, so that memory is bounded by the columns and not by the
//! partitions; the table's own statistics are the partitions' joined, stored last. What a statement does not look at
//! stays as it was known, while a partition's files have the same number and size.

use crate::error::{Error, ErrorKind, Result};
use crate::exec::ddl::now_ms;
use crate::lake::collect::{COLLECTOR_BYTES, Collector, Merged, has_statistics, of_footers};
use crate::lake::projection::PartitionProjection;
use crate::lake::table::{Folder, LakeTable};
use crate::lake::types::parse_partition_value;
use crate::result::{Notice, Severity};
use crate::session::Context;
use crate::sql::{Analyze, AnalyzeScope};
use datafusion::common::runtime::JoinSet;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::model::{Column, Partition, PartitionCondition, PartitionFilter, Table, TableStatistics};
use std::sync::Arc;

/// How many partitions' statistics are stored in one transaction.
const BATCH: usize = 256;

/// What is computed of each partition.
#[derive(Debug, Clone)]
struct Scope {
    /// Sizes only.
    files_only: bool,
    /// The data columns whose values are read, by position.
    columns: Vec<usize>,
}

/// One table's analysis.
struct Analysis<'a> {
    context: &'a Context,
    table: Arc<Table>,
    lake: LakeTable,
    scope: Scope,
    /// Whether the catalog keeps the partitions: it does not where they are projected.
    registered: bool,
}

/// Analyzes an external table.
pub(super) async fn analyze(
    context: &Context,
    table: Arc<Table>,
    analyze: &Analyze,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let name = format!("{}.{}", table.database, table.name);
    if analyze.scope == AnalyzeScope::PredicateColumns {
        let message = format!("which columns of \"{name}\" filters use is not recorded, all columns are analyzed");
        notices.push(Notice { severity: Severity::Notice, message });
    }
    let (found, partitions) = analyze_table(context, table, analyze).await?;
    if analyze.verbose {
        let TableStatistics { row_count, file_count, size_bytes, .. } = found;
        let about = if found.exact { "" } else { "about " };
        let folders = partitions.map_or_else(String::new, |count| format!(", {count} partitions"));
        let message = format!("\"{name}\": {about}{row_count} rows, {file_count} files, {size_bytes} bytes{folders}");
        notices.push(Notice { severity: Severity::Info, message });
    }
    Ok(())
}

/// What was found of a table or of the partitions asked for, and how many those were.
async fn analyze_table(
    context: &Context,
    table: Arc<Table>,
    analyze: &Analyze,
) -> Result<(TableStatistics, Option<usize>)> {
    let scope = scope_of(&table, &analyze.scope)?;
    let filters = filters_of(&table, analyze)?;
    let location = table.storage.location.as_deref().unwrap_or_default();
    let projection = PartitionProjection::from_table(&table.parameters, &table.partition_keys, location)?;
    let lake = LakeTable::of_catalog(
        Arc::clone(context.lake()),
        Arc::clone(context.catalog()),
        Arc::clone(&table),
        Vec::new(),
    )?;
    let registered = projection.is_none();
    let analysis = Analysis { context, table: Arc::clone(&table), lake, scope, registered };
    if table.partition_keys.is_empty() {
        let found = analysis.whole_table().await?;
        return Ok((found, None));
    }
    let partitions = match projection {
        Some(projection) => projection.partitions(&filters, chrono::Utc::now())?,
        None => context.catalog().partitions(&table, &filters).await?,
    };
    if partitions.is_empty() && !filters.is_empty() {
        let message = format!("no partition of \"{}\" has these values", table.name);
        return Err(Error::new(ErrorKind::UndefinedObject, message));
    }
    let found = analysis.partitions(&partitions, filters.is_empty()).await?;
    Ok((found, Some(partitions.len())))
}

impl Analysis<'_> {
    async fn whole_table(&self) -> Result<TableStatistics> {
        let catalog = self.context.catalog();
        let before = if self.reads_all() { None } else { catalog.statistics(&self.table).await? };
        let found = self.folder(None, before, self.context.state()).await?;
        catalog.put_statistics(&self.table, &[(None, found.clone())]).await?;
        Ok(found)
    }

    async fn partitions(&self, partitions: &[Partition], all: bool) -> Result<TableStatistics> {
        let catalog = self.context.catalog();
        let cores = self.context.state().config().target_partitions();
        // Many partitions are read side by side, each by one task; few are each read by all.
        let mut state = self.context.state().clone();
        if partitions.len() >= cores {
            state.config_mut().options_mut().execution.target_partitions = 1;
        }
        let state = &state;
        // By number: the compiler cannot tell that a stream of borrowed partitions may move between threads.
        let found = stream::iter(0..partitions.len()).map(|number| async move {
            let partition = &partitions[number];
            let before = if self.reads_all() { None } else { self.known(partition).await? };
            let found = self.folder(Some(partition), before, state).await?;
            Ok::<_, Error>((partition, found))
        });
        let side_by_side = if partitions.len() >= cores { cores } else { 1 };
        let mut found = found.buffered(side_by_side);
        let mut merged = Merged::default();
        let mut batch = Vec::new();
        while let Some((partition, part)) = found.try_next().await? {
            merged.add(&part, &self.table.storage.columns)?;
            if self.registered {
                batch.push((Some(partition.values.clone()), part));
            }
            if batch.len() >= BATCH {
                catalog.put_statistics(&self.table, &batch).await?;
                batch.clear();
            }
        }
        let merged = merged.finish()?;
        // Some partitions stand for all while nothing better is known: planning goes by rows per byte.
        if all || catalog.statistics(&self.table).await?.is_none_or(|known| !known.exact) {
            batch.push((None, TableStatistics { exact: all && merged.exact, ..merged.clone() }));
        }
        catalog.put_statistics(&self.table, &batch).await?;
        Ok(merged)
    }

    /// Whether nothing is left of what was known before.
    fn reads_all(&self) -> bool {
        let columns = self.table.storage.columns.iter().filter(|column| has_statistics(&column.data_type));
        !self.scope.files_only && self.scope.columns.len() == columns.count()
    }

    /// What is known of a partition.
    async fn known(&self, partition: &Partition) -> Result<Option<TableStatistics>> {
        if !self.registered {
            return Ok(None);
        }
        let filters = partition.values.iter().enumerate().map(|(key, value)| PartitionFilter {
            key,
            condition: value.clone().map_or(PartitionCondition::IsNull, |value| PartitionCondition::In(vec![value])),
        });
        let found = self.context.catalog().partition_statistics(&self.table, &filters.collect::<Vec<_>>()).await?;
        Ok(found.into_iter().map(|(_, statistics)| statistics).next())
    }

    /// Looks at one folder.
    async fn folder(
        &self,
        partition: Option<&Partition>,
        before: Option<TableStatistics>,
        state: &SessionState,
    ) -> Result<TableStatistics> {
        let analyzed_time_ms = now_ms();
        let folder = self.lake.folder(partition, state).await?;
        let mut found = TableStatistics {
            size_bytes: folder.size_bytes(),
            file_count: folder.file_count(),
            exact: true,
            analyzed_time_ms,
            ..TableStatistics::default()
        };
        let before = before.filter(|old| (old.size_bytes, old.file_count) == (found.size_bytes, found.file_count));
        if self.scope.files_only {
            return match before {
                Some(before) => Ok(before),
                None => self.estimated(&folder, found, state).await,
            };
        }
        let columns = &self.table.storage.columns;
        let footers = if self.scope.columns.is_empty() {
            of_footers(&self.lake.footers(&folder, state).await?, columns)
        } else {
            None
        };
        (found.row_count, found.columns) = match footers {
            Some(found) => found,
            None => self.read(folder, state).await?,
        };
        if let Some(before) = before.filter(|old| old.exact && old.row_count == found.row_count) {
            for (name, old) in before.columns {
                let column = found.columns.entry(name).or_default();
                column.minimum = column.minimum.take().or(old.minimum);
                column.maximum = column.maximum.take().or(old.maximum);
                column.null_count = column.null_count.or(old.null_count);
                column.average_length = column.average_length.or(old.average_length);
                // A count without its sketch could not be joined.
                if column.sketch.is_none() {
                    (column.sketch, column.distinct_count) = (old.sketch, old.distinct_count);
                }
            }
        }
        Ok(found)
    }

    /// Rows by the size of the files, as the planner guesses them without statistics.
    async fn estimated(
        &self,
        folder: &Folder,
        found: TableStatistics,
        state: &SessionState,
    ) -> Result<TableStatistics> {
        let guess = self.lake.footers(folder, state).await?;
        let exact = guess.num_rows.is_exact().unwrap_or(false);
        let row_count = guess.num_rows.get_value().map_or(0, |rows| *rows as u64);
        Ok(TableStatistics { row_count, exact, ..found })
    }

    /// Reads the rows of a folder.
    async fn read(
        &self,
        folder: Folder,
        state: &SessionState,
    ) -> Result<(u64, std::collections::BTreeMap<String, millrace_catalog::model::ColumnStatistics>)> {
        let columns: Arc<[Column]> =
            self.scope.columns.iter().map(|at| self.table.storage.columns[*at].clone()).collect();
        let mut all = Collector::new(&columns)?;
        if folder.file_count() == 0 {
            return all.finish();
        }
        let plan = self.lake.scan_folder(folder, &self.scope.columns, state).await?;
        let split = plan.repartitioned(state.config().target_partitions(), state.config_options())?;
        let plan = split.unwrap_or(plan);
        let partitions = plan.output_partitioning().partition_count();
        let reservation = MemoryConsumer::new("ANALYZE").register(&state.runtime_env().memory_pool);
        reservation.try_grow((partitions + 1) * columns.len() * COLLECTOR_BYTES)?;
        // Dropped with the statement, it ends the tasks.
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            tasks.spawn(collect(Arc::clone(&plan), partition, Arc::clone(&columns), state.task_ctx()));
        }
        while let Some(found) = tasks.join_next().await {
            let found = found.map_err(|error| Error::internal(format!("a scan stopped: {error}")))?;
            all.merge(found?)?;
        }
        all.finish()
    }
}

/// Reads one partition of a scan.
async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    partition: usize,
    columns: Arc<[Column]>,
    tasks: Arc<datafusion::execution::TaskContext>,
) -> Result<Collector> {
    let mut collector = Collector::new(&columns)?;
    let mut batches = plan.execute(partition, tasks)?;
    while let Some(batch) = batches.try_next().await? {
        collector.update(&batch)?;
    }
    Ok(collector)
}

fn scope_of(table: &Table, scope: &AnalyzeScope) -> Result<Scope> {
    let columns = &table.storage.columns;
    let positions = match scope {
        AnalyzeScope::Files | AnalyzeScope::Rows => Vec::new(),
        AnalyzeScope::AllColumns | AnalyzeScope::PredicateColumns => {
            let simple = columns.iter().enumerate().filter(|(_, column)| has_statistics(&column.data_type));
            simple.map(|(at, _)| at).collect()
        }
        AnalyzeScope::Columns(names) => {
            let mut positions = names.iter().map(|name| position_of(table, name)).collect::<Result<Vec<_>>>()?;
            positions.sort_unstable();
            positions.dedup();
            positions
        }
    };
    Ok(Scope { files_only: *scope == AnalyzeScope::Files, columns: positions })
}

fn position_of(table: &Table, name: &str) -> Result<usize> {
    let columns = &table.storage.columns;
    let Some(at) = columns.iter().position(|column| column.name == name) else {
        if table.partition_keys.iter().any(|key| key.name == name) {
            let error = Error::unsupported(format!("ANALYZE of partition key \"{name}\""));
            return Err(error.with_hint("The values of partition keys are known from the partitions."));
        }
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    };
    let data_type = &columns[at].data_type;
    if has_statistics(data_type) {
        Ok(at)
    } else {
        Err(Error::unsupported(format!("ANALYZE of column \"{name}\" of type {data_type}")))
    }
}

fn filters_of(table: &Table, analyze: &Analyze) -> Result<Vec<PartitionFilter>> {
    let position = |name: &String| {
        table.partition_keys.iter().position(|key| key.name == *name).ok_or_else(|| {
            let message = format!("\"{name}\" is not a partition key of \"{}\"", table.name);
            Error::new(ErrorKind::UndefinedColumn, message)
        })
    };
    for name in &analyze.any_value {
        position(name)?;
    }
    let filter = |(name, value): &(String, Option<String>)| {
        let key = position(name)?;
        parse_partition_value(value.as_deref(), &table.partition_keys[key].data_type)?;
        let condition = value.clone().map_or(PartitionCondition::IsNull, |value| PartitionCondition::In(vec![value]));
        Ok(PartitionFilter { key, condition })
    };
    analyze.partition.iter().map(filter).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::exec::query::{logical_plan, physical_plan};
    use crate::session::Session;
    use crate::sql::Statement;
    use crate::warehouse::{Warehouse, WarehouseConfig};
    use datafusion::common::stats::Precision;
    use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
    use std::fmt::Write;
    use std::sync::Arc;

    async fn run(session: &mut Session, text: &str) {
        for statement in session.parse(text).unwrap() {
            session.execute(&statement).await.unwrap();
        }
    }

    /// How many rows the plan of a query expects.
    async fn expected_rows(session: &Session, text: &str) -> Precision<usize> {
        let parsed = session.parse(text).unwrap().remove(0);
        let context = session.context(&parsed, (Arc::default(), false)).await.unwrap();
        let Statement::Query(query) = &parsed.statement else { unreachable!() };
        let logical = logical_plan(&context, query).await.unwrap();
        let plan = physical_plan(&context, &logical).await.unwrap();
        StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).unwrap().num_rows
    }

    #[tokio::test]
    async fn distinct_counts_reach_the_size_of_a_join() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = Session::new(Warehouse::open(WarehouseConfig::new(folder.path())).await.unwrap());
        // 1,000 and 100 rows with ten keys each: each key meets 100 times 10 rows.
        for (name, rows) in [("a", 1_000), ("b", 100)] {
            let mut text = String::new();
            for row in 0..rows {
                writeln!(text, "{},{row}", row % 10).unwrap();
            }
            let place = folder.path().join(name);
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("rows.csv"), text).unwrap();
            let ddl = format!(
                "CREATE EXTERNAL TABLE {name} (k int, v int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{}'",
                place.display()
            );
            run(&mut session, &ddl).await;
        }
        let join = "SELECT a.v, b.v FROM a JOIN b ON a.k = b.k";
        assert_ne!(expected_rows(&session, join).await, Precision::Inexact(10_000));
        run(&mut session, "ANALYZE").await;
        assert_eq!(expected_rows(&session, "SELECT v FROM a").await, Precision::Inexact(1_000));
        assert_eq!(expected_rows(&session, join).await, Precision::Inexact(10_000));
    }
}

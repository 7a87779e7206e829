//! The rows of a small table that stay in memory for a query that comes again and again: of the columns that it reads, as
//! one snapshot has them, deleted rows left out. Each time the query is a scan of these rows as of one more of the table's
//! files ([`super::memory`]), and reads none.
//!
//! Whoever keeps them knows how long they are right.

use super::format;
use super::memory::{alone, memory_file};
use super::scan::{ManagedTableProvider, TableScanSummary};
use super::source::ManagedSource;
use super::storage::TableStorage;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::{DFSchemaRef, Statistics};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableProvider, source_as_provider};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_expr::{create_physical_expr, split_conjunction};
use datafusion::physical_plan::filter_pushdown::PushedDown;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use std::fmt;
use std::sync::Arc;

/// The most bytes of rows that are kept for a query.
const MOST_BYTES: usize = 8 << 20;

/// A query for rows of a small table: the rows that it looks among, and what it gives of those that it finds.
pub(crate) struct Lookup {
    storage: TableStorage,
    /// The source of the table's files, which says what the rows are of.
    source: ManagedSource,
    /// The columns that are read.
    schema: TableSchema,
    /// The same as the condition names them.
    columns: DFSchemaRef,
    rows: RecordBatch,
    summary: TableScanSummary,
    statistics: Arc<Statistics>,
    /// What the query wants of a row: as a statement has it, with placeholders.
    condition: Expr,
    /// What it gives of a row.
    projection: ProjectionExprs,
    limit: Option<usize>,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lookup");
        shown.field("table", &self.summary.table).field("rows", &self.rows.num_rows()).finish_non_exhaustive()
    }
}

impl Lookup {
    /// Reads the rows among which an optimized plan looks, of which the scan `planned` was made. `None` where the plan does
    /// anything else than to scan a managed table with a condition, and where the rows are too many bytes.
    ///
    /// # Errors
    /// What reading says.
    pub(crate) async fn read(
        plan: &LogicalPlan,
        planned: &FileScanConfig,
        state: &SessionState,
    ) -> Result<Option<Self>> {
        let Some((scan, condition)) = conditional_scan(plan) else { return Ok(None) };
        let provider = source_as_provider(&scan.source)?;
        let Some(table) = provider.downcast_ref::<ManagedTableProvider>() else { return Ok(None) };
        let Some(source) = planned.file_source().downcast_ref::<ManagedSource>() else { return Ok(None) };
        let Some(projection) = source.projection().cloned() else { return Ok(None) };
        if scan.fetch.is_some() || !planned.output_ordering.is_empty() {
            return Ok(None);
        }
        let all = table.scan(state, scan.projection.as_ref(), &[], None).await?;
        let statistics = StatisticsContext::new().compute(all.as_ref(), &StatisticsArgs::new())?;
        let schema = all.schema();
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut read = execute_stream(all, state.task_ctx())?;
        while let Some(batch) = read.try_next().await? {
            bytes += batch.get_array_memory_size();
            if bytes > MOST_BYTES {
                return Ok(None);
            }
            batches.push(batch);
        }
        let rows = concat_batches(&schema, &batches).map_err(|e| Error::internal(e.to_string()))?;
        let rows = alone(&rows)?;
        let projection = projection.try_map_exprs(|expr| reassign_expr_columns(expr, &schema))?;
        let schema = TableSchema::builder(schema).build();
        let reader = format::file_source(source.format(), schema.clone(), table.storage(), state);
        Ok(Some(Self {
            storage: table.storage().clone(),
            source: source.of_rows(reader),
            schema,
            columns: Arc::clone(&scan.projected_schema),
            summary: table.summary(source.format(), &[], rows.num_rows() as u64),
            rows,
            statistics,
            condition: condition.clone(),
            projection,
            limit: planned.limit,
        }))
    }

    /// What the query wants of a row, with placeholders where it has parameters.
    pub(crate) fn condition(&self) -> &Expr {
        &self.condition
    }

    /// About the bytes that it keeps.
    pub(crate) fn size_bytes(&self) -> usize {
        self.rows.get_array_memory_size()
    }

    /// The query with values in its condition; `None` where a scan does not decide all of that.
    ///
    /// # Errors
    /// What is wrong with the values.
    pub(crate) fn scan(&self, condition: Expr, state: &SessionState) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let options = state.config().options();
        let simplify = SimplifyContext::builder()
            .with_schema(Arc::clone(&self.columns))
            .with_config_options(Arc::clone(options))
            .build();
        let condition = ExprSimplifier::new(simplify).simplify(condition)?;
        let planning = PhysicalPlanningContext::default();
        let condition = create_physical_expr(&condition, &self.columns, state.execution_props(), &planning)?;
        // A reader of its own, as it counts what this statement does.
        let reader = format::file_source(self.source.format(), self.schema.clone(), &self.storage, state);
        let source = self.source.of_rows(reader).try_pushdown_projection(&self.projection)?;
        let Some(source) = source else { return Ok(None) };
        let pushed = source.try_pushdown_filters(vec![condition], options)?;
        let decides = pushed.filters.iter().all(|answer| matches!(answer, PushedDown::Yes));
        let Some(source) = pushed.updated_node.filter(|_| decides) else { return Ok(None) };
        let rows = memory_file(self.rows.clone()).with_extension(self.summary.clone());
        let config = FileScanConfigBuilder::new(self.storage.url.clone(), source)
            .with_file(rows)
            .with_statistics(self.statistics.as_ref().clone())
            .with_limit(self.limit)
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    /// Whether a scan of the rows wants the same of them as a scan of the table's files does.
    pub(crate) fn wants_the_same(&self, scan: &FileScanConfig, of_files: &FileScanConfig) -> Result<bool> {
        let (own, other) = (scan.file_source().filter(), of_files.file_source().filter());
        let Some((own, other)) = own.zip(other) else { return Ok(false) };
        let other = reassign_expr_columns(other, self.schema.table_schema())?;
        Ok(split_conjunction(&own) == split_conjunction(&other))
    }
}

/// The scan of a plan that does nothing else, and what it wants of a row.
fn conditional_scan(plan: &LogicalPlan) -> Option<(&TableScan, &Expr)> {
    match plan {
        LogicalPlan::Projection(projection) => conditional_scan(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => conditional_scan(&alias.input),
        LogicalPlan::Limit(limit) => conditional_scan(&limit.input),
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::TableScan(scan) => Some((scan, &filter.predicate)),
            _ => None,
        },
        _ => None,
    }
}

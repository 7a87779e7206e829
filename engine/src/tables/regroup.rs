//! What the physical optimizer asks of a managed table's scan: its files grouped as a plan can use them.

use super::layout::{by_hash, by_order};
use super::source::ManagedSource;
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::ExecutionPlan;
use millrace_catalog::model::FileFormat;
use std::sync::Arc;

/// The scan of a managed table that a node is.
pub(crate) struct ManagedScan<'a> {
    config: &'a FileScanConfig,
    source: &'a ManagedSource,
}

/// An input that computes nothing, and what is computed above it.
pub(crate) struct Uncomputed {
    pub(crate) input: Arc<dyn ExecutionPlan>,
    /// What another input gives, in terms of what this one does.
    pub(crate) given: Vec<Arc<dyn PhysicalExpr>>,
}

impl<'a> ManagedScan<'a> {
    /// `None` for any other node.
    pub(crate) fn of(plan: &'a dyn ExecutionPlan) -> Option<Self> {
        let config = plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
        let source = config.file_source().downcast_ref::<ManagedSource>()?;
        Some(Self { config, source })
    }

    /// Whether each node has a copy of the table (DISTSTYLE ALL).
    pub(crate) fn is_copied(&self) -> bool {
        self.source.keys().copied
    }

    /// The same scan in `partitions` slices by the hash of the distribution key. `None` when the table has none, when
    /// it is so already, or when too many of its files were not arranged by it.
    pub(crate) fn by_distribution_key(&self, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
        if self.config.output_partitioning.is_some() || self.config.limit.is_some() {
            return None;
        }
        by_hash(self.config, self.source.keys(), partitions).map(|scan| DataSourceExec::from_data_source(scan) as _)
    }

    /// The same scan with each partition in the order of the sort key. `None` when it is so already, or when the
    /// files do not allow it.
    pub(crate) fn in_key_order(&self, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
        if !self.config.output_ordering.is_empty() {
            return None;
        }
        by_order(self.config, self.source.keys(), partitions).map(|scan| DataSourceExec::from_data_source(scan) as _)
    }

    /// What it gives, in terms of the table's columns.
    pub(crate) fn given(&self) -> &[ProjectionExpr] {
        match FileSource::projection(self.source) {
            Some(given) => given.as_ref(),
            None => &[],
        }
    }

    /// The same scan, which computes nothing: it gives the columns that what it gives is made of.
    pub(crate) fn computing_nothing(&self) -> Result<Option<Uncomputed>> {
        let Some(given) = FileSource::projection(self.source) else { return Ok(None) };
        let table = self.source.table_schema().table_schema();
        let columns = ProjectionExprs::from_indices(&given.column_indices(), table);
        let Some(source) = self.source.giving(&columns)? else { return Ok(None) };
        let scan = FileScanConfigBuilder::from(self.config.clone()).with_source(source).build();
        let now_given = columns.project_schema(table)?;
        let given = given.expr_iter().map(|given| reassign_expr_columns(given, &now_given)).collect::<Result<_>>()?;
        Ok(Some(Uncomputed { input: DataSourceExec::from_data_source(scan), given }))
    }

    /// Whether a column of what it gives may as well come as a number, [`super::Unscaled`]: one of the files' in a format
    /// that has it so, which no slice and no order goes by, and nothing else is computed of.
    pub(crate) fn may_be_unscaled(&self, column: usize) -> bool {
        let keys = self.source.keys();
        let given = self.given();
        let mut others = given.iter().enumerate().filter(|(at, _)| *at != column);
        let of = given.get(column).and_then(|given| given.expr.downcast_ref::<Column>());
        self.source.format() == FileFormat::Vortex
            && of.is_some_and(|of| {
                keys.distribution != Some(of.index())
                    && !keys.sort.contains(&of.index())
                    && !others.any(|(_, other)| collect_columns(&other.expr).contains(of))
            })
    }
}

//! Columnar files whose scan counts for the progress of their load.

use super::progress::LoadProgress;
use crate::lake::table::LakeTable;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The files as a table: the plan that reads them is shown to the load's progress.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) files: LakeTable,
    pub(super) progress: Arc<LoadProgress>,
}

#[async_trait]
impl TableProvider for Watched {
    fn schema(&self) -> SchemaRef {
        self.files.schema()
    }

    fn table_type(&self) -> TableType {
        self.files.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.files.scan(state, projection, filters, limit).await?;
        self.progress.watch(&plan);
        Ok(plan)
    }
}

//! A view in a query: a table until the comparisons of the query around it are rewritten, then its own query.
//!
//! The view's query was planned in the dialect that the view was made in, and is rewritten once, in that dialect. What the
//! rewriting of the query around it needs to know of the view's texts goes with it.

use super::Planned;
use super::blanks::Texts;
use crate::error::Result;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{TableProvider, TableType, ViewTable, source_as_provider};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use millrace_catalog::model::Column;
use std::sync::Arc;

/// A view with its planned query.
#[derive(Debug)]
pub(crate) struct View {
    table: ViewTable,
    texts: Vec<Texts>,
}

impl View {
    /// A view with the names that its definition has, of which there may be none, and its query's text.
    ///
    /// # Errors
    /// `InvalidTableDefinition` when the query no longer has as many columns.
    pub(crate) fn new(planned: Planned, columns: &[Column], text: &str) -> Result<Self> {
        let plan = super::rename_columns(planned.plan, columns)?;
        Ok(Self { table: ViewTable::new(plan, Some(text.to_owned())), texts: planned.texts })
    }

    /// Its query.
    pub(super) fn plan(&self) -> &LogicalPlan {
        self.table.logical_plan()
    }

    /// What is known of a column's texts.
    pub(super) fn texts(&self, at: usize) -> Option<Texts> {
        self.texts.get(at).copied()
    }
}

#[async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.table.get_table_definition()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.table.scan(state, projection, filters, limit).await
    }
}

/// Puts the queries of views in their places. A view of which only some columns may be read stays a table.
pub(super) fn inline(plan: LogicalPlan) -> DataFusionResult<LogicalPlan> {
    let inlined = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Ok(provider) = source_as_provider(&scan.source) else { return Ok(Transformed::no(node)) };
        let Some(view) = provider.downcast_ref::<View>() else { return Ok(Transformed::no(node)) };
        let query = LogicalPlanBuilder::from(view.plan().clone()).alias(scan.table_name.clone())?;
        Ok(Transformed::yes(query.build()?))
    });
    inlined.map(|inlined| inlined.data)
}

//! A table or view of which a user may read some columns only.

use super::rights;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is behind it refuses to be asked for another column than those granted. Filters stay above it, so that every
/// column that a query uses is asked for.
#[derive(Debug)]
pub(super) struct GrantedColumns {
    inner: Arc<dyn TableProvider>,
    name: String,
    granted: BTreeSet<String>,
}

impl GrantedColumns {
    /// The columns of these names of a table.
    pub(super) fn of(inner: Arc<dyn TableProvider>, name: &str, granted: BTreeSet<String>) -> Self {
        Self { inner, name: name.to_owned(), granted }
    }
}

/// The table itself behind what guards its columns.
pub(crate) fn behind_grants(provider: &Arc<dyn TableProvider>) -> &Arc<dyn TableProvider> {
    provider.downcast_ref::<GrantedColumns>().map_or(provider, |granted| &granted.inner)
}

#[async_trait]
impl TableProvider for GrantedColumns {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        self.inner.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let asked: Vec<usize> = projection.map_or_else(|| (0..schema.fields().len()).collect(), Clone::clone);
        if asked.iter().any(|at| !self.granted.contains(schema.field(*at).name())) {
            return Err(rights::denied("relation", &self.name).into());
        }
        self.inner.scan(state, projection, filters, limit).await
    }
}

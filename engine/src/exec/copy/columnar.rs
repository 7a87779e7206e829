//! Parquet and ORC: read by the lake's readers, columns taken by position.

use super::Load;
use super::watched::Watched;
use crate::error::{Error, ErrorKind, Result};
use crate::functions;
use crate::resolve::files_as_table;
use crate::sql::{CopyFormat, Dialect};
use crate::tables::SqlType;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use std::sync::Arc;

/// The rows of the files, a column for each target.
pub(super) async fn plan(load: &Load<'_>) -> Result<LogicalPlan> {
    let extension = if load.copy.format == CopyFormat::Orc { "orc" } else { "parquet" };
    // A manifest may name files of several buckets.
    let mut places: Vec<(&super::files::File, Vec<object_store::ObjectMeta>)> = Vec::new();
    for file in &load.files {
        match places.iter_mut().find(|(first, _)| first.location.store() == file.location.store()) {
            Some((_, files)) => files.push(file.meta.clone()),
            None => places.push((file, vec![file.meta.clone()])),
        }
    }
    let mut whole: Option<LogicalPlanBuilder> = None;
    for (first, files) in places {
        let place = load.stores.place(&first.location).await?;
        let files = files_as_table(load.context, &place, files, extension).await?;
        let table = Watched { files, progress: Arc::clone(&load.progress) };
        let scan = LogicalPlanBuilder::scan("copy", provider_as_source(Arc::new(table)), None)?;
        let values = by_position(load, scan.schema())?;
        let part = scan.project(values)?;
        whole = Some(match whole {
            None => part,
            Some(before) => before.union(part.build()?)?,
        });
    }
    Ok(whole.ok_or_else(|| Error::internal("a load without files"))?.build()?)
}

/// Redshift: "the number of columns in the target table and the number of columns in the data file must match"; with
/// FILLRECORD the file may lack the last ones, which are empty texts or NULL.
fn by_position(load: &Load<'_>, file: &DFSchema) -> Result<Vec<Expr>> {
    let found = file.columns();
    let filled = load.copy.options.fill_record && found.len() < load.targets.len();
    if found.len() != load.targets.len() && !filled {
        let message = format!(
            "unmatched number of columns between table and file: table columns: {}, data columns: {}",
            load.targets.len(),
            found.len()
        );
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    }
    let is_moment = |at: usize| matches!(file.field(at).data_type(), DataType::Timestamp(_, None));
    let columns = load.targets.iter().enumerate().map(|(at, target)| -> Result<Expr> {
        let value = match (found.get(at), target.data_type) {
            // What is a moment in a file is one of UTC.
            (Some(column), SqlType::TimestampTz) if is_moment(at) && !load.zone().is_utc() => {
                functions::call(Dialect::Redshift, "timezone", vec![lit("UTC"), Expr::Column(column.clone())])?
            }
            (Some(column), _) => Expr::Column(column.clone()),
            (None, SqlType::Varchar(_)) => lit(""),
            (None, _) => lit(ScalarValue::Null),
        };
        Ok(value.alias(&target.name))
    });
    columns.collect()
}

//! Parquet, ORC and Avro: read by the lake's readers, columns taken by position (Parquet, ORC), or by name or
//! path (Avro).

use super::watched::Watched;
use super::{Load, source};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{JsonPath, Step};
use crate::resolve::files_as_table;
use crate::sql::{CopyFormat, JsonMapping};
use crate::tables::SqlType;
use datafusion::common::Column;
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use std::sync::Arc;

/// The rows of the files, a column for each target.
pub(super) async fn plan(load: &Load<'_>) -> Result<LogicalPlan> {
    let (extension, ignore_case) = match &load.copy.format {
        CopyFormat::Avro(JsonMapping::Auto { ignore_case }) => ("avro", Some(*ignore_case)),
        CopyFormat::Avro(JsonMapping::Paths(_)) => ("avro", None),
        CopyFormat::Avro(_) => return Err(Error::unsupported("COPY … AVRO 'noshred'")),
        CopyFormat::Orc => ("orc", None),
        _ => ("parquet", None),
    };
    let paths = match &load.copy.format {
        CopyFormat::Avro(JsonMapping::Paths(place)) => Some(source::json_paths(load, place).await?),
        _ => None,
    };
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
        let found: Vec<Column> = scan.schema().columns();
        let columns = match (&paths, ignore_case) {
            (Some(paths), _) => by_path(load, &found, paths)?,
            (None, Some(ignore_case)) => by_name(load, &found, ignore_case),
            (None, None) => by_position(load, &found)?,
        };
        let part = scan.project(columns)?;
        whole = Some(match whole {
            None => part,
            Some(before) => before.union(part.build()?)?,
        });
    }
    Ok(whole.ok_or_else(|| Error::internal("a load without files"))?.build()?)
}

/// Redshift: "the number of columns in the target table and the number of columns in the data file must match"; with
/// FILLRECORD the file may lack the last ones, which are empty texts or NULL.
fn by_position(load: &Load<'_>, found: &[Column]) -> Result<Vec<Expr>> {
    let filled = load.copy.options.fill_record && found.len() < load.targets.len();
    if found.len() != load.targets.len() && !filled {
        let message = format!(
            "unmatched number of columns between table and file: table columns: {}, data columns: {}",
            load.targets.len(),
            found.len()
        );
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    }
    let columns = load.targets.iter().enumerate().map(|(at, target)| {
        let value = match (found.get(at), target.data_type) {
            (Some(column), _) => Expr::Column(column.clone()),
            (None, SqlType::Varchar(_)) => lit(""),
            (None, _) => lit(ScalarValue::Null),
        };
        value.alias(&target.name)
    });
    Ok(columns.collect())
}

/// A member of a record; NULL where there is no record, whatever stands in its place.
fn member(record: Expr, name: &str) -> Result<Expr> {
    Ok(when(record.clone().is_not_null(), get_field(record, name)).end()?)
}

/// The fields at paths, or NULL.
fn by_path(load: &Load<'_>, found: &[Column], paths: &[JsonPath]) -> Result<Vec<Expr>> {
    let columns = load.targets.iter().zip(paths).map(|(target, path)| {
        let mut steps = path.steps.iter().map(|step| match step {
            Step::Member(name) => Ok(name.as_str()),
            Step::Item(_) | Step::All => Err(Error::unsupported("items of arrays in a JSONPath of COPY … AVRO")),
        });
        let Some(first) = steps.next().transpose()? else {
            return Err(Error::unsupported("the JSONPath \"$\" in COPY … AVRO"));
        };
        // The names of columns are folded, those within them are not.
        let Some(column) = found.iter().find(|column| column.name == first.to_lowercase()) else {
            return Ok(lit(ScalarValue::Null).alias(&target.name));
        };
        let value = steps.try_fold(Expr::Column(column.clone()), |value, name| member(value, name?))?;
        Ok(value.alias(&target.name))
    });
    columns.collect()
}

/// The field of a column's name, or NULL.
fn by_name(load: &Load<'_>, found: &[Column], ignore_case: bool) -> Vec<Expr> {
    let columns = load.targets.iter().map(|target| {
        let same = |column: &&Column| {
            column.name == target.name || (ignore_case && column.name.eq_ignore_ascii_case(&target.name))
        };
        let value =
            found.iter().find(same).map_or_else(|| lit(ScalarValue::Null), |column| Expr::Column(column.clone()));
        value.alias(&target.name)
    });
    columns.collect()
}

//! Direct queries: `SELECT * FROM 's3://b/p/*.parquet'`, a place instead of a table, its schema read from its files.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::format::Format;
use crate::lake::listing::relative;
use crate::lake::location::Location;
use crate::lake::table::{LakeTable, PseudoColumn};
use crate::lake::{evolve, types, write};
use crate::session::Context;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::model::{Column, HIVE_DEFAULT_PARTITION, HiveType};
use object_store::{ObjectMeta, ObjectStore};
use std::sync::Arc;

/// How many files' schemas are read and merged.
const MOST_SCHEMAS: usize = 64;

/// Whether a name in FROM is a place: what no table name of ours looks like.
pub(super) fn is_place(name: &str) -> bool {
    name.contains('/') || name.contains('*') || name.contains("://") || Format::of_file_name(name).is_some()
}

/// The files of a place as a table.
///
/// # Errors
/// `UndefinedFile` when there are none, `BadFile` for a file that is not of its format, `InvalidParameter` when the
/// format cannot be told.
pub(super) async fn table(context: &Context, place: &str, pseudo: &[PseudoColumn]) -> Result<LakeTable> {
    let location = Location::parse(place)?;
    let listings = &context.lake().listings;
    let files = listings.files(&location).await?;
    let Some(first) = files.first() else {
        return Err(Error::new(ErrorKind::UndefinedFile, format!("no files at \"{place}\"")));
    };
    let extension = Format::of_file_name(first.location.as_ref()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("the format of \"{}\" cannot be told", first.location))
            .with_hint("files are told by their extension: .parquet, .orc, .avro, .csv, .tsv, .txt, .json, .jsonl")
    })?;
    let wanted: Vec<ObjectMeta> =
        files.iter().filter(|file| Format::of_file_name(file.location.as_ref()) == Some(extension)).cloned().collect();
    let store = listings.stores().open(&location).await?;
    let (schema, format) = infer(context, extension, &store, &location, &wanted).await?;
    let (keys, values) = partition_keys(&location, &wanted, &schema);
    let files = wanted.into_iter().zip(values).collect();
    Ok(LakeTable::of_files(Arc::clone(context.lake()), location, files, format, schema, keys, pseudo.to_vec()))
}

/// Files of one store and one format as a table, whatever their names say.
///
/// # Errors
/// `BadFile` for a file that is not of the format.
pub(crate) async fn files_as_table(
    context: &Context,
    location: &Location,
    files: Vec<ObjectMeta>,
    extension: &str,
) -> Result<LakeTable> {
    let store = context.lake().listings.stores().open(location).await?;
    let (schema, format) = infer(context, extension, &store, location, &files).await?;
    let files = files.into_iter().map(|file| (file, Vec::new())).collect();
    Ok(LakeTable::of_files(Arc::clone(context.lake()), location.clone(), files, format, schema, Vec::new(), Vec::new()))
}

/// The columns of all files together: names folded, each with the type of the first file that has it.
async fn infer(
    context: &Context,
    extension: &str,
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    files: &[ObjectMeta],
) -> Result<(SchemaRef, Format)> {
    let sampled = if matches!(extension, "csv" | "tsv" | "txt") { 1 } else { MOST_SCHEMAS };
    let state = context.state();
    let sample: Vec<ObjectMeta> = files.iter().take(sampled).cloned().collect();
    let schemas = stream::iter(sample)
        .map(|file| async move {
            let url = location.url_of(&file.location);
            Format::infer(extension, store, (&url, &file), state).await
        })
        .buffered(8)
        .try_collect::<Vec<_>>()
        .await?;
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut format = None;
    for (schema, found) in schemas {
        for field in schema.fields() {
            let name = field.name().to_lowercase();
            if !fields.iter().any(|known| *known.name() == name) {
                let data_type = evolve::table_type(field.data_type());
                fields.push(Arc::new(Field::new(name, data_type, true)));
            }
        }
        format.get_or_insert(found);
    }
    let format = format.ok_or_else(|| Error::internal("no file was sampled"))?;
    Ok((Arc::new(Schema::new(fields)), format))
}

/// A value of a Hive folder's name; `None` is NULL.
fn partition_value(text: &str) -> Option<String> {
    (text != HIVE_DEFAULT_PARTITION).then(|| write::unescape_partition_value(text))
}

/// Hive folders (`year=2013/`) below the place, as columns: whole numbers, dates or text.
fn partition_keys(
    location: &Location,
    files: &[ObjectMeta],
    schema: &Schema,
) -> (Vec<FieldRef>, Vec<Vec<ScalarValue>>) {
    let base = location.path();
    let folders = |file: &ObjectMeta| {
        let inner = relative(&file.location, base).unwrap_or_default();
        let folder = inner.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let parts = folder.split('/').filter_map(|part| part.split_once('='));
        parts.map(|(key, value)| (key.to_lowercase(), partition_value(value))).collect::<Vec<_>>()
    };
    let found: Vec<Vec<(String, Option<String>)>> = files.iter().map(folders).collect();
    let Some(first) = found.first() else { return (Vec::new(), Vec::new()) };
    let names: Vec<String> = first.iter().map(|(name, _)| name.clone()).collect();
    let same = found.iter().all(|keys| keys.iter().map(|(name, _)| name).eq(names.iter()));
    let clash = names.iter().any(|name| schema.column_with_name(name).is_some());
    if names.is_empty() || !same || clash {
        return (Vec::new(), vec![Vec::new(); files.len()]);
    }
    let columns: Vec<Column> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let fits = |kind: &HiveType| {
                found.iter().all(|keys| {
                    let value = keys[at].1.as_deref();
                    let zero = value.is_some_and(|v| v.len() > 1 && v.starts_with('0'));
                    !(zero && *kind == HiveType::BigInt) && types::parse_partition_value(value, kind).is_ok()
                })
            };
            let kind = [HiveType::BigInt, HiveType::Date].into_iter().find(fits).unwrap_or(HiveType::String);
            Column::new(name.clone(), kind)
        })
        .collect();
    let values = found.iter().map(|keys| {
        let typed = keys.iter().zip(&columns);
        typed
            .map(|((_, value), column)| {
                types::parse_partition_value(value.as_deref(), &column.data_type).unwrap_or(ScalarValue::Null)
            })
            .collect()
    });
    let values = values.collect();
    (columns.iter().map(|column| Arc::new(types::to_field(column))).collect(), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::DataType;
    use object_store::path::Path;

    fn file(path: &str) -> ObjectMeta {
        let last_modified = chrono::DateTime::UNIX_EPOCH;
        ObjectMeta { location: Path::from(path), last_modified, size: 1, e_tag: None, version: None }
    }

    #[test]
    fn hive_folders_become_columns() -> Result<()> {
        let location = Location::parse("s3://b/t/*/*/x.parquet")?;
        let files = [file("t/year=2013/month=01/x.parquet"), file("t/year=2014/month=12/x.parquet")];
        let (keys, values) = partition_keys(&location, &files, &Schema::empty());
        assert_eq!(
            keys.iter().map(|k| k.data_type().clone()).collect::<Vec<_>>(),
            [DataType::Int64, DataType::Utf8View]
        );
        assert_eq!(values[1], [ScalarValue::Int64(Some(2014)), ScalarValue::Utf8View(Some("12".into()))]);
        Ok(())
    }

    #[test]
    fn places_and_names() {
        assert!(is_place("s3://b/x") && is_place("a/b") && is_place("x.parquet") && is_place("x.csv.gz"));
        assert!(!is_place("flights") && !is_place("a.b"));
    }
}

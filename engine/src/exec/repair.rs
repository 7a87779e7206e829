//! `MSCK REPAIR TABLE`: Hive folders below a table's location become its partitions, vanished ones are forgotten.
//!
//! The place is listed once, flat; each folder that holds files is looked at once.

use super::ddl::now_ms;
use super::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::location::Location;
use crate::lake::{types, write};
use crate::resolve;
use crate::result::{Notice, Severity, StatementResult};
use crate::session::Context;
use crate::sql::RepairTable;
use millrace_catalog::model::{Parameters, Partition, Table, TableKind};
use object_store::path::Path;
use std::collections::{BTreeMap, HashSet};

/// How many folders that are no partitions are named in notices.
const MOST_NOTICES: usize = 10;

/// Executes `MSCK REPAIR TABLE`; the rows say what was done, as Hive does.
pub(crate) async fn execute(context: &Context, repair: &RepairTable) -> Result<StatementResult> {
    let table = resolve::find_table(context, &repair.table).await?;
    if table.kind != TableKind::ExternalTable {
        return Err(Error::new(ErrorKind::WrongObjectType, format!("\"{}\" is not a table", table.name)));
    }
    if table.partition_keys.is_empty() {
        let message = format!("table \"{}\" is not partitioned", table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let location = Location::literal(table.storage.location.as_deref().unwrap_or_default())?;
    let folders = context.lake().listings.folders(&location).await?;
    let mut found: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    let mut strange = Vec::new();
    for folder in folders {
        match partition_of(&table, &folder) {
            Some((path, values)) => {
                found.entry(path).or_insert(values);
            }
            None => strange.push(folder),
        }
    }
    let mut lines = Vec::new();
    if repair.add {
        lines.extend(add(context, &table, &location, &found).await?);
    }
    if repair.drop {
        lines.extend(forget(context, &table, &location, &found).await?);
    }
    let mut result = rows::text("MSCK REPAIR TABLE", &["result"], lines.into_iter().map(|line| [line]))?;
    let shown = strange.iter().filter(|folder| !folder.is_empty()).take(MOST_NOTICES);
    result.notices.extend(shown.map(|folder| Notice {
        severity: Severity::Warning,
        message: format!("folder \"{folder}\" is not a partition of \"{}\"", table.name),
    }));
    Ok(result)
}

async fn add(
    context: &Context,
    table: &Table,
    location: &Location,
    found: &BTreeMap<String, Vec<Option<String>>>,
) -> Result<Vec<String>> {
    let known = context.catalog().partitions(table, &[]).await?;
    let known: HashSet<Vec<String>> = known.iter().map(|partition| canonical(table, &partition.values)).collect();
    let mut added = Vec::new();
    let mut lines = Vec::new();
    for (path, values) in found {
        if known.contains(&canonical(table, values)) {
            continue;
        }
        lines.push(format!("Repair: Added partition to metastore {}.{}:{path}", table.database, table.name));
        added.push(Partition {
            values: values.clone(),
            location: folder_url(location, path)?,
            storage: None,
            parameters: Parameters::new(),
            create_time_ms: now_ms(),
        });
    }
    context.catalog().add_partitions(table, &added, true).await?;
    Ok(lines)
}

async fn forget(
    context: &Context,
    table: &Table,
    location: &Location,
    found: &BTreeMap<String, Vec<Option<String>>>,
) -> Result<Vec<String>> {
    let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let urls = found.keys().map(|path| folder_url(location, path)).collect::<Result<HashSet<_>>>()?;
    let below = format!("{}/", location.url());
    let mut gone = Vec::new();
    let mut lines = Vec::new();
    for partition in context.catalog().partitions(table, &[]).await? {
        if partition.location.starts_with(&below) && !urls.contains(partition.location.trim_end_matches('/')) {
            let path = write::partition_path(&keys, &partition.values);
            lines.push(format!("Repair: Dropped partition from metastore {}.{}:{path}", table.database, table.name));
            gone.push(partition.values);
        }
    }
    context.catalog().drop_partitions(table, &gone).await?;
    Ok(lines)
}

fn folder_url(location: &Location, path: &str) -> Result<String> {
    let folder = Path::parse(format!("{}/{path}", location.path()))
        .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("folder \"{path}\" has an invalid name: {e}")))?;
    Ok(location.url_of(&folder))
}

/// The partition that a folder belongs to: its path down to the last key, and the values.
fn partition_of(table: &Table, folder: &str) -> Option<(String, Vec<Option<String>>)> {
    let depth = table.partition_keys.len();
    let segments: Vec<&str> = folder.split('/').collect();
    let path = segments.get(..depth)?.join("/");
    let parsed = write::parse_partition_path(&path)?;
    let mut values = Vec::with_capacity(depth);
    for (key, (name, value)) in table.partition_keys.iter().zip(parsed) {
        let fits = types::parse_partition_value(value.as_deref(), &key.data_type).is_ok();
        if !name.eq_ignore_ascii_case(&key.name) || !fits {
            return None;
        }
        values.push(value);
    }
    (values.len() == depth).then_some((path, values))
}

/// Values as their types compare, so that `01` and `1` are one partition of an `int` key.
fn canonical(table: &Table, values: &[Option<String>]) -> Vec<String> {
    let typed = table.partition_keys.iter().zip(values);
    typed
        .map(|(key, value)| {
            types::parse_partition_value(value.as_deref(), &key.data_type)
                .map_or_else(|_| format!("{value:?}"), |value| format!("{value:?}"))
        })
        .collect()
}

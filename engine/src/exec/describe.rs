//! `DESCRIBE [FORMATTED] t`, in Hive's layout.

use super::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::federated::{ForeignTable, type_name};
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::session::Context;
use crate::sql::Describe;
use crate::tables;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use millrace_catalog::model::{
    Column, ManagedColumn, ManagedTable, Parameters, PartitionCondition, PartitionFilter, Table, TableKind,
    TableStatistics,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most files that are looked into.
const MOST_FILES: usize = 8;

type Row = [Option<String>; 3];

/// Executes `DESCRIBE`.
pub(crate) async fn execute(context: &Context, describe: &Describe) -> Result<StatementResult> {
    let table = match resolve::find_relation(context, &describe.table).await? {
        Relation::Managed(table) => return managed(context, describe, &table).await,
        Relation::Foreign(table) => return foreign(describe, &table),
        Relation::Catalog(table) => table,
    };
    let columns = table.storage.columns.iter().chain(&table.partition_keys);
    let mut lines: Vec<Row> = match &describe.column {
        None => table.storage.columns.iter().map(row).collect(),
        Some(name) => {
            let found: Vec<Row> = columns.filter(|column| column.name == *name).map(row).collect();
            if found.is_empty() {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
                return Err(Error::new(ErrorKind::UndefinedColumn, message));
            }
            found
        }
    };
    if describe.column.is_none() {
        lines.extend(table.partition_keys.iter().map(row));
        if !table.partition_keys.is_empty() {
            lines.extend([blank(), title("# Partition Information"), heading()]);
            lines.extend(table.partition_keys.iter().map(row));
        }
    }
    if let Some(spec) = &describe.partition {
        let values = super::alter::spec_values(&table, spec)?;
        let filters: Vec<PartitionFilter> = values
            .iter()
            .enumerate()
            .map(|(key, value)| PartitionFilter {
                key,
                condition: value.clone().map_or(PartitionCondition::IsNull, |v| PartitionCondition::In(vec![v])),
            })
            .collect();
        let found = context.catalog().partitions(&table, &filters).await?;
        let Some(partition) = found.first() else {
            return Err(Error::new(
                ErrorKind::UndefinedObject,
                format!("partition of \"{}\" does not exist", table.name),
            ));
        };
        let storage = partition.storage.as_deref().unwrap_or(&table.storage);
        lines.extend([blank(), title("# Detailed Partition Information")]);
        lines.push(pair("Location:", &partition.location));
        let known = context.catalog().partition_statistics_without_sketches(&table, &filters).await?;
        parameters("Partition Parameters:", &partition.parameters, known.first().map(|(_, found)| found), &mut lines);
        lines.push(pair("SerDe Library:", &storage.serde.library));
    } else if describe.formatted {
        let snapshot = context.snapshot().await?;
        let statistics = snapshot.statistics(table.id).map(Arc::as_ref);
        match &describe.column {
            None => details(&table, statistics, &mut lines),
            Some(name) => lines = column_details(&table, name, statistics),
        }
    }
    rows::optional("DESCRIBE", &["col_name", "data_type", "comment"], lines)
}

/// The columns of a managed table, or one of them.
async fn managed(context: &Context, describe: &Describe, table: &Arc<ManagedTable>) -> Result<StatementResult> {
    if let (true, None) | (_, Some(_)) = (describe.formatted && describe.column.is_none(), &describe.partition) {
        return Err(Error::unsupported("DESCRIBE FORMATTED of a managed table")
            .with_hint("use SHOW TABLE, or DESCRIBE FORMATTED with a column"));
    }
    let wanted = |column: &&ManagedColumn| describe.column.as_ref().is_none_or(|name| column.name == *name);
    let found: Vec<&ManagedColumn> = table.columns.iter().filter(wanted).collect();
    if let (true, Some(name)) = (found.is_empty(), &describe.column) {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    }
    let lines: Vec<Row> = match found.as_slice() {
        [column] if describe.formatted => managed_column(context, table, column).await?,
        found => found.iter().map(|c| [Some(c.name.clone()), Some(c.data_type.clone()), c.comment.clone()]).collect(),
    };
    rows::optional("DESCRIBE", &["col_name", "data_type", "comment"], lines)
}

/// The columns of a foreign system's table.
fn foreign(describe: &Describe, table: &ForeignTable) -> Result<StatementResult> {
    if describe.formatted || describe.partition.is_some() {
        return Err(Error::unsupported("DESCRIBE FORMATTED of a foreign system's table"));
    }
    let wanted = |name: &str| describe.column.as_ref().is_none_or(|column| column == name);
    let fields = table.columns().fields().iter().filter(|field| wanted(field.name()));
    let lines: Vec<Row> = fields.map(|field| [Some(field.name().clone()), Some(type_name(field)), None]).collect();
    if let (true, Some(name)) = (lines.is_empty(), &describe.column) {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    }
    rows::optional("DESCRIBE", &["col_name", "data_type", "comment"], lines)
}

/// A managed column as [`column_details`] has an external one's, with its encoding and how its blocks are encoded in
/// the table's newest files.
async fn managed_column(context: &Context, table: &Arc<ManagedTable>, column: &ManagedColumn) -> Result<Vec<Row>> {
    let provider = context.scan_managed(table).await?;
    let at = table.columns.iter().position(|known| known.id == column.id).unwrap_or_default();
    let known = provider.statistics().and_then(|known| known.column_statistics.into_iter().nth(at)).unwrap_or_default();
    let estimates = context.catalog().estimates(table.id).await?;
    let analysis = estimates.columns.get(&column.id).and_then(|found| found.analysis.as_ref());
    let bound = |value: &Precision<ScalarValue>| value.get_value().and_then(tables::value_text);
    let count = |count: &Precision<usize>| count.get_value().map(ToString::to_string);
    let lines = [
        ("col_name", Some(column.name.clone())),
        ("data_type", Some(column.data_type.clone())),
        ("encoding", Some(column.encoding.clone().unwrap_or_else(|| "auto".to_owned()))),
        ("min", bound(&known.min_value)),
        ("max", bound(&known.max_value)),
        ("num_nulls", count(&known.null_count)),
        ("distinct_count", count(&known.distinct_count)),
        ("avg_col_len", analysis.map(|found| found.average_width.to_string())),
        ("comment", column.comment.clone()),
    ];
    let mut lines: Vec<Row> = lines.into_iter().map(|(key, value)| [Some(key.to_owned()), value, None]).collect();
    let files = context.transaction().lock().await.contents(context.warehouse(), table).await?.files;
    let mut blocks: BTreeMap<String, usize> = BTreeMap::new();
    let storage = context.warehouse().storage_of(table).await?;
    for file in files.iter().rev().take(MOST_FILES) {
        let found = tables::encoding::describe(&storage, table, file).await?;
        for (encoding, count) in found.into_iter().filter(|found| found.column == column.id).flat_map(|f| f.encodings) {
            *blocks.entry(encoding).or_default() += count;
        }
    }
    let of = |count: usize| if count == 1 { "1 block".to_owned() } else { format!("{count} blocks") };
    lines.extend(
        blocks.into_iter().map(|(encoding, count)| [Some("stored_as".to_owned()), Some(encoding), Some(of(count))]),
    );
    Ok(lines)
}

fn details(table: &Table, statistics: Option<&TableStatistics>, lines: &mut Vec<Row>) {
    lines.extend([blank(), title("# Detailed Table Information")]);
    lines.push(pair("Database:", &table.database));
    lines.push(pair("CreateTime:", &time(table.create_time_ms)));
    lines.push(pair("Version:", &table.version.to_string()));
    match &table.kind {
        TableKind::VirtualView { text, dialect, .. } => {
            lines.push(pair("Table Type:", "VIRTUAL_VIEW"));
            lines.extend([blank(), title("# View Information")]);
            lines.push(pair("View Original Text:", text));
            lines.push(pair("View Dialect:", dialect));
        }
        TableKind::ExternalTable => {
            let storage = &table.storage;
            lines.push(pair("Location:", storage.location.as_deref().unwrap_or_default()));
            lines.push(pair("Table Type:", "EXTERNAL_TABLE"));
            parameters("Table Parameters:", &table.parameters, statistics, lines);
            lines.extend([blank(), title("# Storage Information")]);
            lines.push(pair("SerDe Library:", &storage.serde.library));
            lines.push(pair("InputFormat:", &storage.input_format));
            lines.push(pair("OutputFormat:", &storage.output_format));
            lines.push(pair("Num Buckets:", &storage.bucket_count.to_string()));
            lines.push(pair("Bucket Columns:", &format!("[{}]", storage.bucket_columns.join(", "))));
            if !storage.serde.parameters.is_empty() {
                lines.push(title("Storage Desc Params:"));
                let parameters = storage.serde.parameters.iter();
                lines.extend(
                    parameters.map(|(key, value)| [None, Some(key.clone()), Some(value.escape_default().to_string())]),
                );
            }
        }
    }
    if let Some(description) = &table.description {
        lines.push(pair("Comment:", description));
    }
}

/// Free parameters, and what is known of the rows under Hive's names, which Hive keeps among them.
fn parameters(heading: &str, own: &Parameters, statistics: Option<&TableStatistics>, lines: &mut Vec<Row>) {
    let mut shown = own.clone();
    if let Some(found) = statistics {
        let counts = [("numFiles", found.file_count), ("numRows", found.row_count), ("totalSize", found.size_bytes)];
        shown.extend(counts.map(|(key, count)| (key.to_owned(), count.to_string())));
    }
    if !shown.is_empty() {
        lines.push(title(heading));
        lines.extend(shown.into_iter().map(|(key, value)| [None, Some(key), Some(value)]));
    }
}

/// A column as Hive's `DESCRIBE FORMATTED t column` has it: a line for each thing known.
fn column_details(table: &Table, name: &str, statistics: Option<&TableStatistics>) -> Vec<Row> {
    let columns = table.storage.columns.iter().chain(&table.partition_keys);
    let Some(column) = columns.into_iter().find(|column| column.name == name) else { return Vec::new() };
    let found = statistics.and_then(|found| found.columns.get(name)).cloned().unwrap_or_default();
    let lines = [
        ("col_name", Some(column.name.clone())),
        ("data_type", Some(column.data_type.to_string())),
        ("min", found.minimum),
        ("max", found.maximum),
        ("num_nulls", found.null_count.map(|count| count.to_string())),
        ("distinct_count", found.distinct_count.map(|count| count.to_string())),
        ("avg_col_len", found.average_length.map(|length| length.to_string())),
        ("comment", column.comment.clone()),
    ];
    lines.into_iter().map(|(key, value)| [Some(key.to_owned()), value, None]).collect()
}

fn row(column: &Column) -> Row {
    [Some(column.name.clone()), Some(column.data_type.to_string()), column.comment.clone()]
}

fn blank() -> Row {
    [None, None, None]
}

fn title(text: &str) -> Row {
    [Some(text.to_owned()), None, None]
}

fn heading() -> Row {
    [Some("# col_name".to_owned()), Some("data_type".to_owned()), Some("comment".to_owned())]
}

fn pair(name: &str, value: &str) -> Row {
    [Some(name.to_owned()), Some(value.to_owned()), None]
}

fn time(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis).map_or_else(String::new, |t| t.to_rfc3339())
}

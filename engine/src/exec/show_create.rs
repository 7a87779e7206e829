//! The DDL by which a table or view can be made again, as `SHOW CREATE TABLE` and `SHOW CREATE VIEW` give it.
//!
//! Tables are written in Athena's form of Hive DDL, classes instead of format names, so that no setting of a table is
//! lost; names are always in backticks, so that no name is taken for a keyword.

use crate::sql::Dialect;
use millrace_catalog::model::{Column, Parameters, SerDe, SortColumn, StorageDescriptor, Table, TableKind};
use std::fmt::Write;

/// The property of a view whose columns' names its statement gave.
pub(crate) const NAMED_COLUMNS: &str = "millrace.named_columns";

/// `CREATE EXTERNAL TABLE` for a table; for a view the same as [`show_create_view`].
pub(crate) fn show_create_table(table: &Table) -> String {
    if matches!(table.kind, TableKind::VirtualView { .. }) {
        return show_create_view(table);
    }
    let storage = &table.storage;
    let mut clauses = vec![format!("CREATE EXTERNAL TABLE {}(\n{})", qualified_name(table), columns(&storage.columns))];
    if let Some(comment) = &table.description {
        clauses.push(format!("COMMENT {}", string(comment)));
    }
    if !table.partition_keys.is_empty() {
        clauses.push(format!("PARTITIONED BY (\n{})", columns(&table.partition_keys)));
    }
    push_clustering(storage, &mut clauses);
    push_row_format(&storage.serde, &mut clauses);
    if !storage.input_format.is_empty() && !storage.output_format.is_empty() {
        let (input, output) = (string(&storage.input_format), string(&storage.output_format));
        clauses.push(format!("STORED AS INPUTFORMAT\n  {input}\nOUTPUTFORMAT\n  {output}"));
    }
    if let Some(location) = &storage.location {
        clauses.push(format!("LOCATION\n  {}", string(location)));
    }
    if !table.parameters.is_empty() {
        clauses.push(format!("TBLPROPERTIES (\n{})", properties(&table.parameters)));
    }
    clauses.join("\n")
}

/// `CREATE VIEW` for a view, in the quotes of the dialect it was written in; empty for a table.
pub(crate) fn show_create_view(view: &Table) -> String {
    let TableKind::VirtualView { text, dialect, .. } = &view.kind else { return String::new() };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let name = if view.database.is_empty() {
        quoted(&view.name)
    } else {
        format!("{}.{}", quoted(&view.database), quoted(&view.name))
    };
    let columns = if view.parameters.contains_key(NAMED_COLUMNS) {
        let names = view.storage.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>();
        format!(" ({})", names.join(", "))
    } else {
        String::new()
    };
    // Only a late-binding view has no columns of its own.
    let late = view.storage.columns.is_empty() && dialect == Dialect::Redshift.name();
    let binding = if late { "\nWITH NO SCHEMA BINDING" } else { "" };
    format!("CREATE VIEW {name}{columns} AS\n{}{binding}", text.trim().trim_end_matches(';').trim_end())
}

fn qualified_name(table: &Table) -> String {
    if table.database.is_empty() {
        identifier(&table.name)
    } else {
        format!("{}.{}", identifier(&table.database), identifier(&table.name))
    }
}

fn columns(columns: &[Column]) -> String {
    let lines = columns.iter().map(|column| {
        let comment = column.comment.as_ref().map_or_else(String::new, |text| format!(" COMMENT {}", string(text)));
        format!("  {} {}{comment}", identifier(&column.name), column.data_type)
    });
    lines.collect::<Vec<_>>().join(",\n")
}

fn push_clustering(storage: &StorageDescriptor, clauses: &mut Vec<String>) {
    if storage.bucket_count == 0 || storage.bucket_columns.is_empty() {
        return;
    }
    let by: Vec<_> = storage.bucket_columns.iter().map(|name| format!("  {}", identifier(name))).collect();
    clauses.push(format!("CLUSTERED BY (\n{})", by.join(",\n")));
    if !storage.sort_columns.is_empty() {
        let sorted = |column: &SortColumn| {
            format!("  {} {}", identifier(&column.column), if column.ascending { "ASC" } else { "DESC" })
        };
        let by: Vec<_> = storage.sort_columns.iter().map(sorted).collect();
        clauses.push(format!("SORTED BY (\n{})", by.join(",\n")));
    }
    clauses.push(format!("INTO {} BUCKETS", storage.bucket_count));
}

fn push_row_format(serde: &SerDe, clauses: &mut Vec<String>) {
    if serde.library.is_empty() {
        return;
    }
    clauses.push(format!("ROW FORMAT SERDE\n  {}", string(&serde.library)));
    if !serde.parameters.is_empty() {
        clauses.push(format!("WITH SERDEPROPERTIES (\n{})", properties(&serde.parameters)));
    }
}

/// Sorted by key, as the map is.
fn properties(properties: &Parameters) -> String {
    let lines = properties.iter().map(|(key, value)| format!("  {}={}", string(key), string(value)));
    lines.collect::<Vec<_>>().join(",\n")
}

/// A name in backticks, backticks in it doubled.
fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as Hive's DDL writes it: in single quotes, special characters with a backslash, as Hive's
/// `SHOW CREATE TABLE` does; other control characters as `\u` and four hexadecimal digits.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::lake::hive_classes::storage_classes;

    fn table(kind: TableKind) -> Table {
        let (serde, input_format, output_format) = storage_classes("textfile").unwrap();
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut note = Column::new("note", "struct<a:int,b:array<string>>".parse().unwrap());
        note.comment = Some("it's\na \\ note".to_owned());
        Table {
            id: 7,
            database: "sales".to_owned(),
            name: "odd`name".to_owned(),
            version: 1,
            kind,
            description: Some("all orders".to_owned()),
            owner: None,
            storage: StorageDescriptor {
                columns: vec![Column::new("id", "bigint".parse().unwrap()), note],
                location: Some("s3://bucket/orders".to_owned()),
                input_format: input_format.to_owned(),
                output_format: output_format.to_owned(),
                serde: SerDe {
                    library: serde.to_owned(),
                    parameters: pairs(&[("field.delim", "\u{1}"), ("escape.delim", "\\")]),
                },
                bucket_count: 4,
                bucket_columns: vec!["id".to_owned()],
                sort_columns: vec![SortColumn { column: "id".to_owned(), ascending: false }],
                parameters: Parameters::new(),
            },
            partition_keys: vec![Column::new("day", "date".parse().unwrap())],
            parameters: pairs(&[("skip.header.line.count", "1"), ("classification", "csv")]),
            create_time_ms: 0,
            update_time_ms: 0,
        }
    }

    /// The clauses in the order of Hive's grammar for CREATE TABLE.
    #[test]
    fn a_table_keeps_every_clause() {
        let expected = "\
CREATE EXTERNAL TABLE `sales`.`odd``name`(
  `id` bigint,
  `note` struct<a:int,b:array<string>> COMMENT 'it\\'s\\na \\\\ note')
COMMENT 'all orders'
PARTITIONED BY (
  `day` date)
CLUSTERED BY (
  `id`)
SORTED BY (
  `id` DESC)
INTO 4 BUCKETS
ROW FORMAT SERDE
  'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
WITH SERDEPROPERTIES (
  'escape.delim'='\\\\',
  'field.delim'='\\u0001')
STORED AS INPUTFORMAT
  'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT
  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION
  's3://bucket/orders'
TBLPROPERTIES (
  'classification'='csv',
  'skip.header.line.count'='1')";
        assert_eq!(show_create_table(&table(TableKind::ExternalTable)), expected);
    }

    #[test]
    fn a_view_keeps_its_text() {
        let kind = TableKind::VirtualView {
            text: "SELECT 'a;' FROM t ;\n".to_owned(),
            dialect: "redshift".to_owned(),
            search_database: "sales".to_owned(),
        };
        let view = table(kind);
        assert_eq!(show_create_table(&view), "CREATE VIEW \"sales\".\"odd`name\" AS\nSELECT 'a;' FROM t");
        assert_eq!(show_create_view(&table(TableKind::ExternalTable)), "");
    }
}

//! A table of the catalog beside what was found at its place.

use crate::crawl::FoundTable;
use crate::federated::declared::{self, MAPPING as COLUMN_MAPPING, Place};
use crate::lake::types;
use millrace_catalog::model::{Column, Parameters, Partition, StorageDescriptor, Table};
use std::collections::{HashMap, HashSet};

/// Which crawler wrote the table last, as Glue writes it.
pub(super) const UPDATED_BY: &str = "UPDATED_BY_CRAWLER";

/// When the table's files were found gone: milliseconds since the epoch.
pub(super) const DEPRECATED_BY: &str = "DEPRECATED_BY_CRAWLER";

/// What Glue's crawlers write beside it.
pub(super) const VERSIONS: [&str; 2] = ["CrawlerSchemaSerializerVersion", "CrawlerSchemaDeserializerVersion"];

/// The JSON SerDe's property for a column that stands for a key of another name.
const MAPPING: &str = "mapping.";

/// Where Glue's crawlers list a JSON table's columns.
const PATHS: &str = "paths";

/// Parameters that say how rows are read: they go when the files become others.
const OF_LAYOUT: &[&str] = &[
    "areColumnsQuoted",
    "columnsOrdered",
    "commentCharacter",
    "compressionType",
    "delimiter",
    "escapeCharacter",
    "grokPattern",
    "quoteCharacter",
    "skip.header.line.count",
    "skip.footer.line.count",
    "typeOfData",
];

/// What differs, in words for the user where it is about the schema.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Columns that are new, with their places among the found ones.
    pub(super) new_columns: Vec<Column>,
    /// `added "x" int`, `changed "y" from int to bigint`, `removed "z"`, `reordered the columns`, another format or
    /// place.
    pub(super) schema: Vec<String>,
    /// How many of `schema` are new columns.
    pub(super) additions: usize,
    /// Other partition keys.
    pub(super) keys: Option<String>,
    /// Other counts and sizes.
    pub(super) counts: bool,
    /// It was marked as deprecated, and here are its files.
    pub(super) revived: bool,
}

impl Difference {
    /// What differs between a table and what was found.
    pub(super) fn between(table: &Table, found: &FoundTable) -> Self {
        let mut difference = Self { revived: table.parameters.contains_key(DEPRECATED_BY), ..Self::default() };
        difference.columns(&table.storage.columns, &found.storage.columns);
        difference.sources(table, found);
        if !same_format(&table.storage, &found.storage) {
            let name = |parameters: &Parameters| parameters.get("classification").cloned().unwrap_or_default();
            let (old, new) = (name(&table.parameters), name(&found.parameters));
            difference.schema.push(if old == new {
                "changed how rows are decoded".to_owned()
            } else {
                format!("changed the format from {old} to {new}")
            });
        }
        if places(table) != places_of(&found.storage) {
            difference.schema.push(format!("moved to {}", places_of(&found.storage)));
        }
        if !same_columns(&table.partition_keys, &found.partition_keys) {
            let shown = |keys: &[Column]| {
                keys.iter().map(|key| format!("{} {}", key.name, key.data_type)).collect::<Vec<_>>().join(", ")
            };
            let (old, new) = (shown(&table.partition_keys), shown(&found.partition_keys));
            difference.keys = Some(format!("changed the partition keys from ({old}) to ({new})"));
        }
        let mut counts = found.parameters.iter().filter(|(key, _)| *key != COLUMN_MAPPING);
        difference.counts = counts.any(|(key, value)| table.parameters.get(key) != Some(value));
        difference
    }

    fn columns(&mut self, old: &[Column], new: &[Column]) {
        let known: HashMap<&str, &Column> = old.iter().map(|column| (column.name.as_str(), column)).collect();
        let found: HashSet<&str> = new.iter().map(|column| column.name.as_str()).collect();
        for column in new {
            match known.get(column.name.as_str()) {
                None => {
                    self.schema.push(format!("added \"{}\" {}", column.name, column.data_type));
                    self.new_columns.push(column.clone());
                    self.additions += 1;
                }
                Some(known) if known.data_type != column.data_type => {
                    let text = format!("changed \"{}\" from {} to {}", column.name, known.data_type, column.data_type);
                    self.schema.push(text);
                }
                Some(_) => {}
            }
        }
        for column in old.iter().filter(|column| !found.contains(column.name.as_str())) {
            self.schema.push(format!("removed \"{}\"", column.name));
        }
        let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if self.schema.is_empty() && names(old) != names(new) {
            self.schema.push("reordered the columns".to_owned());
        }
    }

    /// Known columns of a foreign system's table that stand for something else now.
    fn sources(&mut self, table: &Table, found: &FoundTable) {
        if Place::of_table(table).is_none() {
            return;
        }
        for Column { name, .. } in &table.storage.columns {
            if found.storage.columns.iter().any(|column| column.name == *name) {
                let (old, new) = (declared::source(&table.parameters, name), declared::source(&found.parameters, name));
                if old.to_lowercase() != new.to_lowercase() {
                    self.schema.push(format!("changed the source of \"{name}\" from {old} to {new}"));
                }
            }
        }
    }

    /// Whether all that differs in the schema is new columns.
    pub(super) fn only_additions(&self) -> bool {
        self.keys.is_none() && self.additions == self.schema.len()
    }
}

/// The table as it is to be: found columns and format, with comments, description and properties of its users kept.
pub(super) fn replaced(table: &Table, found: &FoundTable) -> Table {
    let mut changed = table.clone();
    if !same_format(&table.storage, &found.storage) {
        changed.parameters.retain(|key, _| !OF_LAYOUT.contains(&key.as_str()));
    }
    if Place::of(places_of(&found.storage)).is_some() {
        // Its sources are those of the columns that are found.
        changed.parameters.retain(|name, _| !name.eq_ignore_ascii_case(COLUMN_MAPPING));
    }
    changed.storage = StorageDescriptor {
        columns: commented(&found.storage.columns, &table.storage.columns),
        bucket_count: table.storage.bucket_count,
        bucket_columns: table.storage.bucket_columns.clone(),
        sort_columns: table.storage.sort_columns.clone(),
        ..found.storage.clone()
    };
    changed.partition_keys = commented(&found.partition_keys, &table.partition_keys);
    counted(changed, found)
}

/// The table with the found counts and sizes, and without the mark of one whose files are gone.
pub(super) fn counted(mut table: Table, found: &FoundTable) -> Table {
    if Place::of_table(&table).is_some() {
        // Its properties are known in any case.
        let is_new = |name: &String| found.parameters.keys().any(|new| new != name && new.eq_ignore_ascii_case(name));
        table.parameters.retain(|name, _| !is_new(name));
    }
    table.parameters.extend(found.parameters.clone());
    table.parameters.remove(DEPRECATED_BY);
    table
}

/// Writes into a table's parameters that a crawler made or changed it.
pub(super) fn sign(parameters: &mut Parameters, crawler: &str) {
    parameters.insert(UPDATED_BY.to_owned(), crawler.to_owned());
    for version in VERSIONS {
        parameters.insert(version.to_owned(), "1.0".to_owned());
    }
}

/// New columns with the comments that known ones of these names have.
fn commented(new: &[Column], old: &[Column]) -> Vec<Column> {
    let comment = |name: &str| old.iter().find(|column| column.name == name).and_then(|column| column.comment.clone());
    let with = |column: &Column| Column { comment: comment(&column.name), ..column.clone() };
    new.iter().map(with).collect()
}

/// Whether names and types are the same in the same order.
fn same_columns(old: &[Column], new: &[Column]) -> bool {
    let plain = |column: &Column| (column.name.clone(), column.data_type.clone());
    old.len() == new.len() && old.iter().map(plain).eq(new.iter().map(plain))
}

/// Whether files are read in the same way. Of a JSON SerDe's properties `paths` only lists the columns, and
/// `mapping.<name>` is about a column: it counts where both have that one.
pub(crate) fn same_format(old: &StorageDescriptor, new: &StorageDescriptor) -> bool {
    let names =
        |storage: &StorageDescriptor| storage.columns.iter().map(|column| column.name.clone()).collect::<HashSet<_>>();
    let common: HashSet<String> = names(old).intersection(&names(new)).cloned().collect();
    let counts = |(key, _): &(&String, &String)| {
        *key != PATHS && key.strip_prefix(MAPPING).is_none_or(|name| common.contains(name))
    };
    (&old.serde.library, &old.input_format, &old.output_format)
        == (&new.serde.library, &new.input_format, &new.output_format)
        && old.serde.parameters.iter().filter(counts).eq(new.serde.parameters.iter().filter(counts))
}

/// Adds new columns to a table, with what its SerDe says of them.
pub(super) fn extended(mut table: Table, found: &FoundTable, columns: &[Column]) -> Table {
    table.storage.columns.extend(columns.iter().cloned());
    if Place::of_table(&table).is_some() {
        declared::merge_mapping(&mut table, &found.parameters, columns);
    }
    let properties = &found.storage.serde.parameters;
    let serde = &mut table.storage.serde;
    if serde.library == found.storage.serde.library {
        for key in columns.iter().map(|column| format!("{MAPPING}{}", column.name)) {
            serde.parameters.extend(properties.get(&key).map(|value| (key, value.clone())));
        }
        if serde.parameters.contains_key(PATHS) {
            let names: Vec<&str> = table.storage.columns.iter().map(|column| column.name.as_str()).collect();
            serde.parameters.insert(PATHS.to_owned(), names.join(","));
        }
    }
    table
}

fn places(table: &Table) -> &str {
    places_of(&table.storage)
}

fn places_of(storage: &StorageDescriptor) -> &str {
    super::plain(storage.location.as_deref().unwrap_or_default())
}

/// Whether a partition is described alike: place, and its own columns and format where it has some.
pub(super) fn same_partition(old: &Partition, new: &Partition) -> bool {
    let storage = match (&old.storage, &new.storage) {
        (None, None) => true,
        (Some(old), Some(new)) => same_columns(&old.columns, &new.columns) && same_format(old, new),
        _ => false,
    };
    let counts = new.parameters.iter().all(|(key, value)| old.parameters.get(key) == Some(value));
    storage
        && counts
        && super::plain(&old.location) == super::plain(&new.location)
        && !old.parameters.contains_key(DEPRECATED_BY)
}

/// Values as their types compare, so that `01` and `1` are one partition of an `int` key.
pub(super) fn canonical(keys: &[Column], values: &[Option<String>]) -> Vec<String> {
    let typed = keys.iter().zip(values).map(|(key, value)| {
        types::parse_partition_value(value.as_deref(), &key.data_type)
            .map_or_else(|_| format!("{value:?}"), |value| format!("{value:?}"))
    });
    typed.collect()
}

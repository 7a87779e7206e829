//! A crawl of new folders only: what the catalog knows is taken out of the tree before anything is opened, new folders
//! where a known table's partitions are become partitions of it.

use super::discover::Files;
use crate::crawl::compare::{Known, is_within, plain, same_format};
use crate::crawl::group::{Grouping, HEADER_LINES, complete, group};
use crate::crawl::{Folder, FoundPartition, Skipped, Tree};
use crate::lake::{types, write};
use millrace_catalog::model::Table;
use object_store::path::Path;
use std::collections::HashSet;

/// A folder that is to be a partition of a known table.
#[derive(Debug)]
pub(super) struct Added {
    /// The table's number among the known ones.
    pub(super) known: usize,
    pub(super) folder: Folder,
    /// The folders from the table's place to this one.
    segments: Vec<String>,
}

/// Takes known tables out of a tree; what is left is new. The new folders at the depth of known tables' partitions.
pub(super) fn split(tree: &mut Tree, known: &[Known]) -> Vec<Added> {
    let root = tree.location.url();
    let mut added = Vec::new();
    let mut folder = std::mem::take(&mut tree.root);
    take_known(&mut folder, plain(&root), &root_of(tree), known, &mut added);
    tree.root = folder;
    added
}

fn root_of(tree: &Tree) -> String {
    tree.location.store().as_str().to_owned()
}

fn place(known: &Known) -> &str {
    plain(known.table.storage.location.as_deref().unwrap_or_default())
}

fn take_known(folder: &mut Folder, url: &str, store: &str, known: &[Known], added: &mut Vec<Added>) {
    if let Some(index) = known.iter().position(|known| place(known) == url) {
        let partitions: HashSet<&str> = known[index].partitions.iter().map(|part| plain(&part.location)).collect();
        let depth = known[index].table.partition_keys.len();
        if depth > 0 {
            let taken = std::mem::take(&mut folder.folders);
            new_partitions(taken, url, &mut Vec::new(), depth, &partitions, &mut |folder, segments| {
                added.push(Added { known: index, folder, segments });
            });
        }
        *folder = Folder { name: std::mem::take(&mut folder.name), ..Folder::default() };
        return;
    }
    let before = folder.sample.len();
    folder.sample.retain(|object| {
        let file = format!("{store}{}", object.location);
        !known.iter().any(|known| place(known) == file)
    });
    folder.file_count -= (before - folder.sample.len()) as u64;
    for below in &mut folder.folders {
        let url = format!("{url}/{}", below.name);
        take_known(below, &url, store, known, added);
    }
    folder.folders.retain(|below| below.file_count > 0 || !below.folders.is_empty());
}

/// Finds folders of this depth with data that are not known partitions.
fn new_partitions(
    folders: Vec<Folder>,
    url: &str,
    segments: &mut Vec<String>,
    depth: usize,
    known: &HashSet<&str>,
    found: &mut dyn FnMut(Folder, Vec<String>),
) {
    for mut folder in folders {
        let url = format!("{url}/{}", folder.name);
        segments.push(folder.name.clone());
        if segments.len() < depth {
            new_partitions(std::mem::take(&mut folder.folders), &url, segments, depth, known, found);
        } else if folder.file_count > 0 && !known.iter().any(|known| is_within(known, &url)) {
            found(folder, segments.clone());
        }
        segments.pop();
    }
}

impl Added {
    /// The partition that the folder is, or why it is none.
    pub(super) fn partition(self, tree: &Tree, files: &Files, known: &Known) -> Result<FoundPartition, Vec<Skipped>> {
        let table = &known.table;
        let url = format!("{}/{}", place(known), self.segments.join("/"));
        let skipped = |reason: String| vec![Skipped { url: url.clone(), reason }];
        let values = values(table, &self.segments).ok_or_else(|| {
            skipped(format!("the folder's name is no value of the partition keys of table \"{}\"", table.name))
        })?;
        let path = url.strip_prefix(tree.location.store().as_str()).unwrap_or_default();
        let path = Path::parse(path).map_err(|error| skipped(error.to_string()))?;
        // The folder alone is grouped as if it were a table: that gives its columns, format and statistics.
        let alone =
            Tree { location: tree.location.at(path), root: self.folder, skipped: Vec::new(), unreadable: Vec::new() };
        let found = group(&alone, files, &Grouping::default());
        let (Some(mut alone), skipped) = (found.tables.into_iter().next(), found.skipped) else {
            return Err(found_nothing(&url));
        };
        if !skipped.is_empty() && alone.storage.columns.is_empty() {
            return Err(skipped);
        }
        alone.storage.location = None;
        let same = alone.storage.columns.iter().map(|column| (&column.name, &column.data_type)).eq(table
            .storage
            .columns
            .iter()
            .map(|column| (&column.name, &column.data_type)))
            && same_format(&alone.storage, &table.storage)
            && alone.storage.parameters.get(HEADER_LINES) == table.parameters.get(HEADER_LINES);
        complete(&mut alone.storage.parameters, &table.parameters);
        alone.storage.location = Some(url.clone());
        let partition = millrace_catalog::model::Partition {
            values,
            location: url,
            storage: (!same).then(|| Box::new(alone.storage)),
            parameters: alone.parameters,
            create_time_ms: 0,
        };
        Ok(FoundPartition { partition, statistics: alone.statistics })
    }
}

fn found_nothing(url: &str) -> Vec<Skipped> {
    vec![Skipped { url: url.to_owned(), reason: "no classifier knows its files".to_owned() }]
}

/// The values of folders' names: `year=2013` where the names say the key, else the names themselves.
fn values(table: &Table, segments: &[String]) -> Option<Vec<Option<String>>> {
    let named = write::parse_partition_path(&segments.join("/")).filter(|parsed| {
        let keys = table.partition_keys.iter();
        parsed.len() == segments.len()
            && parsed.iter().zip(keys).all(|((name, _), key)| name.eq_ignore_ascii_case(&key.name))
    });
    let values: Vec<Option<String>> = match named {
        Some(parsed) => parsed.into_iter().map(|(_, value)| value).collect(),
        None => segments.iter().cloned().map(Some).collect(),
    };
    let fits = table
        .partition_keys
        .iter()
        .zip(&values)
        .all(|(key, value)| types::parse_partition_value(value.as_deref(), &key.data_type).is_ok());
    fits.then_some(values)
}

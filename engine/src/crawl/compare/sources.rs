//! A table of a foreign system that was found again: its columns are known by their sources, under the names that the
//! table's users gave them.
//!
//! A column of the table that stands for a source which was found keeps its name. One that a user mapped to something
//! else, such as a path into a document, is not taken for the source that happens to have its name: it stays as it is,
//! and that source becomes a column of another name.

use crate::crawl::FoundTable;
use crate::federated::declared::{self, MAPPING, Place};
use millrace_catalog::model::{Column, Table};
use millrace_connectors::named;
use std::collections::HashSet;

/// What was found, as the table calls it. Nothing changes for tables of files.
pub(super) fn under_known_names(table: &Table, mut found: FoundTable) -> FoundTable {
    if Place::of_table(table).is_none() {
        return found;
    }
    let columns = std::mem::take(&mut found.storage.columns);
    let sources: Vec<String> =
        columns.iter().map(|column| declared::source(&found.parameters, &column.name).to_owned()).collect();
    let mut names: Vec<Option<&str>> = vec![None; columns.len()];
    let mut kept: Vec<(usize, &Column)> = Vec::new();
    for (place, known) in table.storage.columns.iter().enumerate() {
        let source = declared::source(&table.parameters, &known.name);
        let at = named(source, sources.iter().map(String::as_str))
            .and_then(|named| sources.iter().position(|source| source == named));
        match at {
            Some(at) => {
                names[at].get_or_insert(&known.name);
            }
            None if source != known.name && columns.iter().any(|column| column.name == known.name) => {
                kept.push((place, known));
            }
            None => {}
        }
    }
    let mut taken: HashSet<String> = names
        .iter()
        .flatten()
        .copied()
        .chain(kept.iter().map(|(_, column)| column.name.as_str()))
        .map(str::to_owned)
        .collect();
    let wanted: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut mapping = Vec::with_capacity(columns.len() + kept.len());
    for ((mut column, source), name) in columns.into_iter().zip(sources).zip(names) {
        if let Some(name) = name {
            name.clone_into(&mut column.name);
        } else if !taken.insert(column.name.clone()) {
            column.name = free(&column.name, |name| taken.contains(name) || wanted.contains(name));
            taken.insert(column.name.clone());
        }
        mapping.push((column.name.clone(), source));
        found.storage.columns.push(column);
    }
    for (place, column) in kept {
        let place = place.min(found.storage.columns.len());
        mapping.insert(place, (column.name.clone(), declared::source(&table.parameters, &column.name).to_owned()));
        found.storage.columns.insert(place, Column { comment: None, ..column.clone() });
    }
    found.parameters.remove(MAPPING);
    found.parameters.extend(declared::mapped(&mapping));
    found
}

/// A name that is not taken.
fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut number = 2;
    loop {
        let other = format!("{name}_{number}");
        if !is_taken(&other) {
            return other;
        }
        number += 1;
    }
}

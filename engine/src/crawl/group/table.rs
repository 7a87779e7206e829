//! Tables as the catalog has them, out of what was planned: names, storage, parameters, reasons.

use super::family::{LEAST_SIMILARITY, same_layout};
use super::folder::{Data, File};
use super::keys;
use super::shape::{Leaf, Plan};
use super::statistics;
use super::{Grouping, counted};
use crate::crawl::schema::{self, Unknown, legal_table_name};
use crate::crawl::{FoundPartition, FoundTable, Layout, Skipped, Tree};
use crate::lake::hive_classes::OPENX_JSON_SERDE;
use crate::lake::location::Location;
use millrace_catalog::model::{Column, Parameters, Partition, StorageDescriptor, TableGrouping};
use object_store::path::Path;
use std::collections::{BTreeMap, HashSet};

/// Extensions of compressions, which are no part of a table's name.
const COMPRESSIONS: [&str; 9] = ["gz", "gzip", "bz2", "zst", "zstd", "snappy", "sz", "zip", "deflate"];

/// How many lines at a file's start are no records.
pub(crate) const HEADER_LINES: &str = "skip.header.line.count";

/// The tables of a target. Names are given in the order of places, so that the same target gives the same names.
pub(super) fn tables(
    mut plans: Vec<Plan<'_>>,
    tree: &Tree,
    grouping: &Grouping,
    skipped: &mut Vec<Skipped>,
) -> Vec<FoundTable> {
    plans.sort_by(|a, b| a.path.cmp(&b.path));
    let mut names = HashSet::new();
    let mut tables = Vec::with_capacity(plans.len());
    for plan in plans {
        let url = tree.location.url_of(&plan.path);
        match table(plan, &url, tree, grouping, &mut names, skipped) {
            Ok(table) => tables.push(table),
            Err(reason) => skipped.push(Skipped { url, reason }),
        }
    }
    tables
}

fn table(
    plan: Plan<'_>,
    url: &str,
    tree: &Tree,
    grouping: &Grouping,
    names: &mut HashSet<String>,
    skipped: &mut Vec<Skipped>,
) -> Result<FoundTable, String> {
    let Plan { path, is_file, candidate } = plan;
    let mut notes = candidate.notes;
    notes.extend(candidate.family.conflicts.iter().cloned());
    let mut leaves = candidate.leaves;
    leaves.sort_by(|a, b| a.path.cmp(&b.path));
    for note in leaves.iter().flat_map(|leaf| &leaf.data.files).flat_map(|file| &file.recognized.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    let values: Vec<Vec<Option<String>>> =
        leaves.iter().map(|leaf| leaf.names.iter().rev().map(|name| keys::value(name)).collect()).collect();
    let (partition_keys, renamed) = keys::columns(&candidate.kinds, &values);
    notes.extend(renamed);
    let hidden = |column: &&Column| !partition_keys.iter().any(|key| key.name == column.name);
    let visible = |columns: &[Column]| columns.iter().filter(hidden).cloned().collect::<Vec<_>>();
    let columns = visible(&candidate.family.columns);
    if columns.is_empty() {
        return Err("its files have no columns but those that the folders' names give".to_owned());
    }
    for column in candidate.family.columns.iter().filter(|column| !hidden(column)) {
        let name = &column.name;
        notes.push(format!(
            "column \"{name}\" of the files is left out: the folders' names give partition key \"{name}\""
        ));
    }
    let layout = &candidate.family.layout;
    let all_files: Vec<File<'_>> = leaves.iter().flat_map(|leaf| leaf.data.files.iter().copied()).collect();
    let known: Vec<_> = leaves.iter().map(|leaf| statistics::of(&leaf.data, &columns)).collect();
    let sums = known.iter().fold((0, 0, 0), |(rows, files, bytes), known| {
        (rows + known.row_count, files + known.file_count, bytes + known.size_bytes)
    });
    let parameters = parameters(layout, &all_files, sums);
    let reasons = reasons(&candidate.family, &all_files, &leaves, &partition_keys, &candidate.kinds, grouping);
    let (partitions, statistics) = if partition_keys.is_empty() {
        (Vec::new(), known.into_iter().next())
    } else {
        let mut seen = HashSet::new();
        let mut partitions = Vec::with_capacity(leaves.len());
        for ((leaf, values), known) in leaves.iter().zip(values).zip(known) {
            let location = tree.location.url_of(&leaf.path);
            if !seen.insert(values.clone()) {
                let reason = "another folder of the table has the same partition values".to_owned();
                skipped.push(Skipped { url: location, reason });
                continue;
            }
            let of_leaf = typed_as(visible(&leaf.data.family.columns), &leaf.data.family.unknown, &columns);
            let own = of_leaf != columns || !same_layout(&leaf.data.family.layout, layout);
            let storage = own.then(|| {
                let mut storage = storage(&leaf.data.family.layout, of_leaf, &location);
                complete(&mut storage.parameters, &layout.parameters);
                Box::new(storage)
            });
            let partition = Partition { values, location, storage, parameters: Parameters::new(), create_time_ms: 0 };
            partitions.push(FoundPartition { partition, statistics: Some(known) });
        }
        (partitions, None)
    };
    let name = name(&path, is_file, &tree.location, &grouping.prefix, names, &mut notes);
    let storage = storage(layout, columns, url);
    Ok(FoundTable { name, storage, partition_keys, partitions, parameters, statistics, reasons, notes })
}

/// A partition's columns; those of which nothing is known there are of the table's types.
fn typed_as(mut columns: Vec<Column>, unknown: &Unknown, table: &[Column]) -> Vec<Column> {
    for column in &mut columns {
        if unknown.iter().any(|path| schema::is_at(path, &column.name.to_lowercase()))
            && let Some(known) = table.iter().find(|known| known.name == column.name)
        {
            column.data_type = known.data_type.clone();
        }
    }
    columns
}

/// Completes a partition's parameters so that they can go before the table's.
pub(crate) fn complete(partition: &mut Parameters, table: &Parameters) {
    if table.contains_key(HEADER_LINES) {
        partition.entry(HEADER_LINES.to_owned()).or_insert_with(|| "0".to_owned());
    }
}

fn storage(layout: &Layout, columns: Vec<Column>, url: &str) -> StorageDescriptor {
    let mut serde = layout.serde.clone();
    if serde.library == OPENX_JSON_SERDE {
        let paths: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        serde.parameters.insert("paths".to_owned(), paths.join(","));
    }
    StorageDescriptor {
        columns,
        location: Some(url.to_owned()),
        input_format: layout.input_format.clone(),
        output_format: layout.output_format.clone(),
        serde,
        parameters: layout.parameters.clone(),
        ..StorageDescriptor::default()
    }
}

/// The parameters that Glue's crawlers give a table.
fn parameters(layout: &Layout, files: &[File<'_>], (rows, objects, bytes): (u64, u64, u64)) -> Parameters {
    let mut parameters = layout.parameters.clone();
    let mut add = |name: &str, value: String| parameters.insert(name.to_owned(), value);
    add("classification", layout.classification.clone());
    add("compressionType", usual_compression(files).to_owned());
    add("typeOfData", "file".to_owned());
    add("recordCount", rows.to_string());
    add("averageRecordSize", statistics::mean_row_bytes(files.iter()).to_string());
    add("objectCount", objects.to_string());
    add("sizeKey", bytes.to_string());
    parameters
}

/// The compression that most of the files have.
fn usual_compression<'a>(files: &[File<'a>]) -> &'a str {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        *counts.entry(&file.recognized.layout.compression).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("none", |(name, _)| name)
}

/// The table's name: of its folder, its file without extensions, or its bucket. One that is taken gets the name of the
/// folder above too, then a number.
fn name(
    path: &Path,
    is_file: bool,
    location: &Location,
    prefix: &str,
    names: &mut HashSet<String>,
    notes: &mut Vec<String>,
) -> String {
    let bucket = location.store().as_str().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let part = |at: usize| path.parts().rev().nth(at).map(|part| part.as_ref().to_owned());
    let own = part(0).unwrap_or_else(|| bucket.to_owned());
    let own = if is_file { without_extensions(&own) } else { &own };
    let wanted = legal_table_name(&format!("{prefix}{own}"));
    if names.insert(wanted.clone()) {
        return wanted;
    }
    let above = part(1).unwrap_or_else(|| bucket.to_owned());
    let base = legal_table_name(&format!("{prefix}{own}_{above}"));
    let numbered = std::iter::once(base.clone()).chain((2..).map(|number: u64| format!("{base}_{number}")));
    let mut free = numbered.skip_while(|name| names.contains(name));
    let name = free.next().unwrap_or(base);
    names.insert(name.clone());
    notes.push(format!("the table is named \"{name}\", since \"{wanted}\" is another table of the crawl"));
    name
}

fn without_extensions(name: &str) -> &str {
    let stem = |name: &str| name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(stem, _)| stem.len());
    let compressed =
        name.rsplit_once('.').is_some_and(|(_, end)| COMPRESSIONS.contains(&end.to_ascii_lowercase().as_str()));
    let bare = if compressed { &name[..stem(name).unwrap_or(name.len())] } else { name };
    &bare[..stem(bare).unwrap_or(bare.len())]
}

fn reasons(
    family: &super::family::Family,
    files: &[File<'_>],
    leaves: &[Leaf<'_>],
    partition_keys: &[Column],
    kinds: &[Option<String>],
    grouping: &Grouping,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let file_count: u64 = leaves.iter().map(|Leaf { data: Data { file_count, .. }, .. }| file_count).sum();
    let mut by_classifier: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for file in files {
        let (count, certainty) = by_classifier.entry(&file.recognized.layout.classifier).or_insert((0, 1.0));
        *count += 1;
        *certainty = certainty.min(file.recognized.certainty);
    }
    for (classifier, (count, certainty)) in by_classifier {
        reasons.push(format!(
            "classifier {classifier} recognised {count} of {} looked at, of {file_count} in all, with certainty {certainty}",
            counted(files.len(), "file")
        ));
    }
    let percent = (family.similarity * 100.0).floor();
    let needed = LEAST_SIMILARITY * 100.0;
    let enough = match grouping.policy {
        TableGrouping::SimilarSchemas => format!("{needed} % is enough"),
        TableGrouping::CombineCompatibleSchemas => "schemas are combined however alike they are".to_owned(),
    };
    if files.len() > 1 {
        reasons.push(format!("their schemas are alike by at least {percent} % ({enough})"));
    }
    if !partition_keys.is_empty() {
        reasons.push(format!(
            "{} with data at the same depth, {} below the table's folder, {} its partitions",
            counted(leaves.len(), "folder"),
            counted(partition_keys.len(), "level"),
            if leaves.len() == 1 { "is one of" } else { "are" }
        ));
    }
    for (at, (key, kind)) in partition_keys.iter().zip(kinds).enumerate() {
        let why = match kind {
            Some(name) => format!("its folders are named {name}=…"),
            None => "its folders' names are values without a key".to_owned(),
        };
        reasons.push(format!("level {} is partition key \"{}\" of type {}: {why}", at + 1, key.name, key.data_type));
    }
    if let Some(level) = grouping.table_level {
        reasons.push(format!("table level {level} was asked for"));
    }
    reasons
}

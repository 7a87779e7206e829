//! The files of a scan, grouped as a plan can use them: by the hash of the distribution key, or in the order of the
//! sort key.
//!
//! Neither is declared unless a plan asks for it, since a declaration keeps a scan from sharing its files out among
//! partitions as they come. What is declared rests on what the files themselves note, never on the table's definition:
//! files that were arranged by another key, or not at all, are read by every partition, which keeps its own rows of
//! them; if that is too much work nothing is declared.

use super::keys::ordering;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::Partitioning;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes that may be read several times whatever the size of the table is, by all partitions together.
const MOST_EXTRA_BYTES: u64 = 16 << 20;

/// The part of a table's bytes that may be read several times.
const MOST_EXTRA_PART: u64 = 4;

/// Groups of files that are merged in order, for each partition of a plan.
const MOST_RUNS_OF_PARTITION: usize = 8;

/// The keys of a scanned table, by place among its columns.
#[derive(Debug, Clone, Default)]
pub(in crate::tables) struct ScanKeys {
    /// The distribution key.
    pub(in crate::tables) distribution: Option<usize>,
    /// The columns of a compound sort key.
    pub(in crate::tables) sort: Vec<usize>,
    /// Each node has a copy of the table.
    pub(in crate::tables) copied: bool,
}

/// Where the rows of a file stand, as far as the keys of its scan go; an extension of each file.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::tables) struct FilePlace {
    /// The bucket of all rows and how many there are.
    pub(in crate::tables) bucket: Option<(u32, u32)>,
    /// Whether the rows are in the order of the sort key.
    pub(in crate::tables) sorted: bool,
}

/// The part of a file's rows that a partition keeps: those whose bucket of `of` is `number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tables) struct Slice {
    pub(in crate::tables) number: u32,
    pub(in crate::tables) of: u32,
}

/// The scan with one partition for each slice of the distribution key's hash.
pub(in crate::tables) fn by_hash(scan: &FileScanConfig, keys: &ScanKeys, partitions: usize) -> Option<FileScanConfig> {
    let column = keys.distribution?;
    let slices = u32::try_from(partitions).ok().filter(|slices| *slices > 1)?;
    let mut groups: Vec<Vec<PartitionedFile>> = vec![Vec::new(); partitions];
    let (mut bytes, mut extra) = (0, 0);
    for file in files(scan) {
        if file.range.is_some() {
            return None;
        }
        bytes += file.object_meta.size;
        let bucket = file.extension::<FilePlace>().and_then(|place| place.bucket);
        let readers: Vec<u32> = match bucket {
            Some((bucket, of)) if of.is_multiple_of(slices) => {
                groups[(bucket % slices) as usize].push(file.clone());
                continue;
            }
            Some((bucket, of)) if slices.is_multiple_of(of) => (bucket..slices).step_by(of as usize).collect(),
            _ => (0..slices).collect(),
        };
        extra += file.object_meta.size * (readers.len() as u64 - 1);
        for number in readers {
            groups[number as usize].push(file.clone().with_extension(Slice { number, of: slices }));
        }
    }
    if extra > MOST_EXTRA_BYTES.max(bytes / MOST_EXTRA_PART) {
        return None;
    }
    let schema = scan.file_source().table_schema().table_schema();
    let key = Arc::new(Column::new(schema.field(column).name(), column));
    let mut orders = Vec::new();
    if !scan.output_ordering.is_empty() {
        groups.iter_mut().for_each(|group| sort_files(group, &keys.sort));
        orders = valid_orders(&groups, scan, &keys.sort);
    }
    let groups = groups.into_iter().map(FileGroup::new).collect();
    let built = FileScanConfigBuilder::from(scan.clone()).with_file_groups(groups).with_output_ordering(orders);
    Some(built.with_output_partitioning(Some(Partitioning::Hash(vec![key], partitions))).build())
}

/// The scan with each partition in the order of the sort key, as far as the files allow.
pub(in crate::tables) fn by_order(scan: &FileScanConfig, keys: &ScanKeys, partitions: usize) -> Option<FileScanConfig> {
    if keys.sort.is_empty() || files(scan).any(|file| file.extension::<FilePlace>().is_none_or(|place| !place.sorted)) {
        return None;
    }
    let groups = if scan.output_partitioning.is_some() {
        let mut groups: Vec<Vec<PartitionedFile>> =
            scan.file_groups.iter().map(|group| group.iter().cloned().collect()).collect();
        groups.iter_mut().for_each(|group| sort_files(group, &keys.sort));
        groups
    } else {
        runs(files(scan).cloned().collect(), keys, partitions)?
    };
    let orders = valid_orders(&groups, scan, &keys.sort);
    if orders.is_empty() {
        return None;
    }
    let groups = groups.into_iter().map(FileGroup::new).collect();
    Some(FileScanConfigBuilder::from(scan.clone()).with_file_groups(groups).with_output_ordering(orders).build())
}

fn files(scan: &FileScanConfig) -> impl Iterator<Item = &PartitionedFile> {
    scan.file_groups.iter().flat_map(FileGroup::iter)
}

/// Files in sequences that do not overlap, as many as there are partitions if that can be.
fn runs(mut files: Vec<PartitionedFile>, keys: &ScanKeys, partitions: usize) -> Option<Vec<Vec<PartitionedFile>>> {
    if files.iter().any(|file| file.range.is_some()) {
        return None;
    }
    let first = &keys.sort[..1];
    sort_files(&mut files, &keys.sort);
    let mut runs: Vec<Vec<PartitionedFile>> = Vec::new();
    for file in files {
        let fits = |run: &Vec<PartitionedFile>| run.last().is_none_or(|last| follows(last, &file, first));
        match runs.iter().position(fits) {
            Some(run) => runs[run].push(file),
            None if runs.len() >= partitions * MOST_RUNS_OF_PARTITION => return None,
            None => runs.push(vec![file]),
        }
    }
    // A run in parts is read by several partitions.
    while runs.len() < partitions {
        let size = |run: &Vec<PartitionedFile>| run.iter().map(|file| file.object_meta.size).sum::<u64>();
        let longest = runs.iter_mut().filter(|run| run.len() > 1).max_by_key(|run| size(run));
        let Some(run) = longest else { break };
        let half = size(run) / 2;
        let mut before = 0;
        let cut = run.iter().position(|file| {
            before += file.object_meta.size;
            before >= half
        });
        let cut = cut.map_or(1, |at| at + 1).clamp(1, run.len() - 1);
        let rest = run.split_off(cut);
        runs.push(rest);
    }
    Some(runs)
}

/// By what the files begin with, then by what they end with.
fn sort_files(files: &mut [PartitionedFile], columns: &[usize]) {
    let compare = |a: &PartitionedFile, b: &PartitionedFile| {
        let by = |bound: fn(&PartitionedFile, usize) -> Option<&ScalarValue>| {
            let each = columns.iter().map(|at| match (bound(a, *at), bound(b, *at)) {
                (Some(a), Some(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
                // Without a bound there are only NULLs, which stand last.
                (a, b) => a.is_none().cmp(&b.is_none()),
            });
            each.fold(Ordering::Equal, Ordering::then)
        };
        by(minimum).then_with(|| by(maximum))
    };
    files.sort_by(compare);
}

/// The orders, the longest first, in which every group is.
fn valid_orders(groups: &[Vec<PartitionedFile>], scan: &FileScanConfig, columns: &[usize]) -> Vec<LexOrdering> {
    let sorted = |file: &PartitionedFile| file.extension::<FilePlace>().is_some_and(|place| place.sorted);
    if !groups.iter().flatten().all(sorted) {
        return Vec::new();
    }
    let schema = scan.file_source().table_schema().table_schema();
    let valid =
        |columns: &[usize]| groups.iter().all(|run| run.windows(2).all(|two| follows(&two[0], &two[1], columns)));
    let prefixes = (1..=columns.len()).rev().map(|length| &columns[..length]).filter(|prefix| valid(prefix));
    prefixes.filter_map(|prefix| ordering(prefix.iter().map(|at| (*at, schema.field(*at).name().as_str())))).collect()
}

/// Whether all rows of a file may stand before those of another, by their bounds. NULLs stand last and bounds do not
/// know of them, so that the first file may have none.
fn follows(before: &PartitionedFile, after: &PartitionedFile, columns: &[usize]) -> bool {
    for at in columns {
        let no_null = statistics(before).is_some_and(|known| {
            known.column_statistics.get(*at).is_some_and(|column| column.null_count == Precision::Exact(0))
        });
        let (Some(last), Some(first)) = (maximum(before, *at), minimum(after, *at)) else { return false };
        match last.partial_cmp(first) {
            Some(Ordering::Less) => return no_null,
            Some(Ordering::Equal) if no_null => {}
            _ => return false,
        }
    }
    true
}

fn statistics(file: &PartitionedFile) -> Option<&Statistics> {
    file.statistics.as_deref()
}

fn minimum(file: &PartitionedFile, column: usize) -> Option<&ScalarValue> {
    statistics(file)?.column_statistics.get(column)?.min_value.get_value()
}

fn maximum(file: &PartitionedFile, column: usize) -> Option<&ScalarValue> {
    statistics(file)?.column_statistics.get(column)?.max_value.get_value()
}

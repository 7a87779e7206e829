//! Dividing the files of a scan among partitions: by byte ranges where a file can be split, whole where it cannot.

use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner};

/// The files in up to `partitions` groups of about equal size; `None` when the groups are best left as they are.
/// Where the order of rows counts, only scans whose every file can be split are divided.
pub(super) fn split_files(
    groups: &[FileGroup],
    partitions: usize,
    min_size: u64,
    keep_order: bool,
    can_split: impl Fn(&PartitionedFile) -> bool,
) -> Option<Vec<FileGroup>> {
    let files: Vec<&PartitionedFile> = groups.iter().flat_map(FileGroup::iter).collect();
    if files.iter().all(|file| can_split(file)) {
        return FileGroupPartitioner::new()
            .with_target_partitions(partitions)
            .with_repartition_file_min_size(min_size as usize)
            .with_preserve_order_within_groups(keep_order)
            .repartition_file_groups(groups);
    }
    let total: u64 = files.iter().map(|file| file.effective_size()).sum();
    if keep_order || total < min_size || total == 0 || !files.iter().any(|file| can_split(file)) {
        return None;
    }
    let share = total.div_ceil(partitions.max(1) as u64).max(1);
    let mut pieces = Vec::new();
    for file in files {
        if can_split(file) { pieces.extend(ranges(file, share)) } else { pieces.push(file.clone()) }
    }
    Some(distribute(pieces, partitions.max(1)))
}

/// Pieces of a file of at most `share` bytes.
fn ranges(file: &PartitionedFile, share: u64) -> impl Iterator<Item = PartitionedFile> {
    let (start, end) = file.range();
    (start..end).step_by(usize::try_from(share).unwrap_or(usize::MAX)).map(move |from| {
        let to = from.saturating_add(share).min(end);
        let mut piece = file.clone();
        piece.range = Some(FileRange { start: from as i64, end: to as i64 });
        piece
    })
}

/// The largest pieces first, each to the group that has the least.
fn distribute(mut pieces: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.effective_size()));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); partitions];
    for piece in pieces {
        if let Some((size, group)) = groups.iter_mut().min_by_key(|(size, _)| *size) {
            *size += piece.effective_size();
            group.push(piece);
        }
    }
    groups.into_iter().filter(|(_, group)| !group.is_empty()).map(|(_, group)| FileGroup::new(group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(groups: &[FileGroup]) -> Vec<Vec<(String, u64, u64)>> {
        groups.iter().map(|g| g.iter().map(|f| (f.path().to_string(), f.range().0, f.range().1)).collect()).collect()
    }

    #[test]
    fn compressed_files_stay_whole() {
        let files = vec![PartitionedFile::new("a.csv", 100), PartitionedFile::new("b.csv.gz", 50)];
        let plain = |file: &PartitionedFile| file.path().as_ref().ends_with("csv");
        let groups = split_files(&[FileGroup::new(files)], 2, 10, false, plain).unwrap_or_default();
        let mut pieces = layout(&groups).concat();
        pieces.sort();
        assert_eq!(pieces, [("a.csv".into(), 0, 75), ("a.csv".into(), 75, 100), ("b.csv.gz".into(), 0, 50)]);
        assert_eq!(groups.len(), 2);
        let only = vec![FileGroup::new(vec![PartitionedFile::new("b.csv.gz", 50)])];
        assert!(split_files(&only, 2, 10, false, plain).is_none());
    }
}

//! Which files are rewritten together. Pure: it looks at a table's pieces and reads nothing.
//!
//! The phases are Redshift's. *Delete*: the files with the most deleted rows, until few enough of all are left. *Sort*:
//! the files that overlap each other or are out of order, unless enough rows are in order already. Ours: files that
//! were written under another definition, and small files, which are merged; rows in the catalog go into files.

use crate::sql::VacuumMode;
use crate::tables::condition::{Piece, SortForm, clusters, sort_form, sorted_percent, sorted_region};
use millrace_catalog::model::ManagedTable;

/// What a vacuum is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The phases.
    pub(crate) mode: VacuumMode,
    /// The percentage of sorted rows at which nothing is sorted, and of the rows that stay which are not deleted.
    pub(crate) threshold: u8,
    /// A file of fewer bytes is small.
    pub(crate) small_bytes: u64,
    /// The fewest small files that are worth merging.
    pub(crate) fewest_small: usize,
    /// The most bytes that are rewritten at a time where nothing must be sorted.
    pub(crate) most_bytes: u64,
    /// Into how many files rows are written at a time.
    pub(crate) slices: usize,
    /// Whether rows are arranged by a sort or distribution key.
    pub(crate) has_keys: bool,
}

impl Aim {
    /// What the statement aims at by default, on so many slices.
    pub(crate) fn of_statement(mode: VacuumMode, threshold: Option<u8>, slices: usize) -> Self {
        Self {
            mode,
            threshold: threshold.unwrap_or(95),
            small_bytes: 16 << 20,
            fewest_small: 2,
            most_bytes: (128 << 20) * slices.max(1) as u64,
            slices: slices.max(1),
            has_keys: true,
        }
    }

    fn sorts(&self) -> bool {
        self.mode != VacuumMode::DeleteOnly
    }

    fn reclaims(&self) -> bool {
        matches!(self.mode, VacuumMode::Full | VacuumMode::DeleteOnly | VacuumMode::Reindex)
    }

    /// Whether files of an earlier definition are rewritten.
    fn reshapes(&self) -> bool {
        matches!(self.mode, VacuumMode::Full | VacuumMode::Reindex | VacuumMode::Recluster)
    }
}

/// What is rewritten at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Job {
    /// The files' ids.
    pub(crate) files: Vec<i64>,
    /// Whether the rows in the catalog are part of it.
    pub(crate) inlined: bool,
}

/// All that a vacuum does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Worklist {
    pub(crate) jobs: Vec<Job>,
    /// There is a sort key, and enough rows are in order.
    pub(crate) sort_skipped: bool,
}

/// Rows from which on a writer makes a file for each slice of a table that has keys.
const ROWS_OF_FILE: u64 = 16 * 1024;

/// Bytes from which on it does so for one that has none.
pub(super) const BYTES_OF_FILE: u64 = 128 << 20;

/// Plans a vacuum of a table.
pub(crate) fn plan_vacuum(table: &ManagedTable, pieces: &[Piece], aim: &Aim) -> Worklist {
    let (mut groups, sort_skipped) = sort_groups(table, pieces, aim);
    let mut grouped = vec![false; pieces.len()];
    groups.iter().flatten().for_each(|at| grouped[*at] = true);
    let mut needed = if aim.reclaims() { reclaimed(pieces, aim.threshold) } else { vec![false; pieces.len()] };
    if aim.reshapes() {
        pieces.iter().zip(&mut needed).for_each(|(piece, needed)| *needed |= !piece.current);
    }
    let is_small = |piece: &Piece| aim.reclaims() && piece.bytes < aim.small_bytes;
    let mut rest: Vec<usize> =
        (0..pieces.len()).filter(|at| !grouped[*at] && (needed[*at] || is_small(&pieces[*at]))).collect();
    // Neighbours in the order of the key, bucket by bucket, so that what comes out overlaps little.
    rest.sort_by(|a, b| {
        let (a, b) = (&pieces[*a], &pieces[*b]);
        a.bucket.cmp(&b.bucket).then_with(|| a.range.compare_lows(&b.range)).then_with(|| a.file.cmp(&b.file))
    });
    let mut chunk: Vec<usize> = Vec::new();
    for at in rest {
        let first = chunk.first().map(|first| pieces[*first].bucket);
        let full = chunk.iter().map(|at| live_bytes(&pieces[*at])).sum::<u64>() >= aim.most_bytes;
        if full || first.is_some_and(|bucket| bucket != pieces[at].bucket) {
            groups.push(std::mem::take(&mut chunk));
        }
        chunk.push(at);
    }
    groups.push(chunk);
    let worth = |group: &Vec<usize>| {
        group.iter().any(|at| grouped[*at] || needed[*at] || pieces[*at].file.is_none()) || merges(pieces, group, aim)
    };
    let jobs = groups.into_iter().filter(|group| !group.is_empty()).filter(worth).map(|group| Job {
        files: group.iter().filter_map(|at| pieces[*at].file).collect(),
        inlined: group.iter().any(|at| pieces[*at].file.is_none()),
    });
    Worklist { jobs: jobs.collect(), sort_skipped }
}

/// The pieces that are sorted together, and whether sorting is left out.
fn sort_groups(table: &ManagedTable, pieces: &[Piece], aim: &Aim) -> (Vec<Vec<usize>>, bool) {
    let Some(form) = sort_form(table).filter(|_| aim.sorts()) else { return (Vec::new(), false) };
    let interleaved = form == SortForm::Interleaved;
    if interleaved && aim.mode == VacuumMode::Reindex {
        return (vec![(0..pieces.len()).collect()], false);
    }
    if sorted_percent(pieces, Some(form)).is_none_or(|sorted| sorted >= f64::from(aim.threshold)) {
        return (Vec::new(), true);
    }
    if interleaved || aim.mode == VacuumMode::Recluster {
        let inside = sorted_region(pieces, form);
        return (vec![(0..pieces.len()).filter(|at| !inside[*at]).collect()], false);
    }
    let out_of_order = |group: &Vec<usize>| group.len() > 1 || group.iter().any(|at| !pieces[*at].sorted);
    (few_together(clusters(pieces).into_iter().filter(out_of_order).collect(), pieces), false)
}

/// Groups of buckets, those of few rows as one: so few become a file without a bucket, and several such files would overlap.
fn few_together(groups: Vec<Vec<usize>>, pieces: &[Piece]) -> Vec<Vec<usize>> {
    let are_few = |group: &Vec<usize>| {
        let rows: u64 = group.iter().map(|at| pieces[*at].live).sum();
        rows <= ROWS_OF_FILE && group.iter().all(|at| pieces[*at].bucket.is_some())
    };
    let (few, mut groups): (Vec<_>, Vec<_>) = groups.into_iter().partition(are_few);
    if !few.is_empty() {
        groups.push(few.concat());
    }
    groups
}

/// The files that are rewritten so that at least `threshold` percent of the rows that are stored are not deleted: those
/// with the largest share of deleted rows.
fn reclaimed(pieces: &[Piece], threshold: u8) -> Vec<bool> {
    let mut taken = vec![false; pieces.len()];
    if threshold == 0 {
        return taken;
    }
    let mut stored: u128 = pieces.iter().map(|piece| u128::from(piece.rows)).sum();
    let mut deleted: u128 = pieces.iter().map(|piece| u128::from(piece.deleted())).sum();
    let mut worst: Vec<usize> = (0..pieces.len()).filter(|at| pieces[*at].deleted() > 0).collect();
    let share = |at: &usize| u128::from(pieces[*at].deleted()) * 1_000_000 / u128::from(pieces[*at].rows.max(1));
    worst.sort_by_key(|at| std::cmp::Reverse(share(at)));
    for at in worst {
        // A file without any row left goes in any case: nothing has to be written for it.
        if deleted * 100 <= stored * u128::from(100 - threshold) && pieces[at].live > 0 {
            break;
        }
        taken[at] = true;
        stored -= u128::from(pieces[at].deleted());
        deleted -= u128::from(pieces[at].deleted());
    }
    taken
}

/// Whether fewer files come out than go in.
fn merges(pieces: &[Piece], group: &[usize], aim: &Aim) -> bool {
    let rows: u64 = group.iter().map(|at| pieces[*at].live).sum();
    let bytes: u64 = group.iter().map(|at| live_bytes(&pieces[*at])).sum();
    let in_one_bucket = group.iter().any(|at| pieces[*at].bucket.is_some());
    let one = in_one_bucket || if aim.has_keys { rows <= ROWS_OF_FILE } else { bytes <= BYTES_OF_FILE };
    group.len() >= aim.fewest_small && group.len() > if one { 1 } else { aim.slices }
}

fn live_bytes(piece: &Piece) -> u64 {
    let bytes = u128::from(piece.bytes) * u128::from(piece.live) / u128::from(piece.rows.max(1));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

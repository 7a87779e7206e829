//! What a vacuum chooses to rewrite.

#![allow(clippy::unwrap_used)]

use super::plan::{Aim, Job, plan_vacuum};
use crate::sql::VacuumMode::{self, DeleteOnly, Full, Recluster, Reindex, SortOnly};
use crate::tables::condition::{Piece, Range};
use datafusion::common::ScalarValue;
use millrace_catalog::model::{ManagedTable, SortKey, TableAttributes};

const MIB: u64 = 1 << 20;

fn piece(file: i64, rows: u64, deleted: u64, mib: u64) -> Piece {
    Piece {
        file: (file > 0).then_some(file),
        rows,
        live: rows - deleted,
        bytes: mib * MIB,
        bucket: None,
        sorted: false,
        current: true,
        range: Range::ANY,
    }
}

fn sorted(low: i32, high: i32, piece: Piece) -> Piece {
    Piece { sorted: true, ..between(low, high, piece) }
}

fn between(low: i32, high: i32, piece: Piece) -> Piece {
    let value = |number: i32| Some(ScalarValue::Int32(Some(number)));
    Piece { range: Range::new(value(low), value(high), false), ..piece }
}

fn table(sort_key: SortKey) -> ManagedTable {
    let attributes = TableAttributes { sort_key, ..TableAttributes::default() };
    ManagedTable { attributes, ..ManagedTable::default() }
}

fn jobs(sort_key: &SortKey, pieces: &[Piece], mode: VacuumMode, threshold: Option<u8>) -> (Vec<Job>, bool) {
    let aim = Aim::of_statement(mode, threshold, 2);
    let has_keys = *sort_key != SortKey::None;
    let worklist = plan_vacuum(&table(sort_key.clone()), pieces, &Aim { has_keys, ..aim });
    (worklist.jobs, worklist.sort_skipped)
}

fn files(files: &[i64]) -> Job {
    Job { files: files.to_vec(), inlined: false }
}

fn compound() -> SortKey {
    SortKey::Compound { columns: vec![1] }
}

#[test]
fn the_delete_phase_takes_the_worst_files_first() {
    let pieces = [piece(1, 1000, 100, 100), piece(2, 1000, 900, 100), piece(3, 1000, 20, 100), piece(4, 1000, 0, 100)];
    let cases: &[(Option<u8>, &[i64])] = &[
        // Without the second, 120 of 3,100 rows are deleted: fewer than five in a hundred.
        (None, &[2]),
        (Some(100), &[1, 2, 3]),
        (Some(97), &[1, 2]),
        (Some(50), &[]),
        (Some(0), &[]),
    ];
    for (threshold, expected) in cases {
        let (found, _) = jobs(&SortKey::None, &pieces, DeleteOnly, *threshold);
        let mut found: Vec<i64> = found.into_iter().flat_map(|job| job.files).collect();
        found.sort_unstable();
        assert_eq!(found, *expected, "{threshold:?}");
    }
    for mode in [SortOnly, Recluster] {
        assert_eq!(jobs(&SortKey::None, &pieces, mode, None), (Vec::new(), false), "{mode:?}");
    }
    let dead = [piece(1, 10, 10, 100), piece(2, 10_000, 0, 100)];
    assert_eq!(jobs(&SortKey::None, &dead, Full, Some(50)).0, [files(&[1])]);
}

#[test]
fn small_files_are_merged_where_fewer_come_out() {
    let cases: &[(&[Piece], &[Job])] = &[
        (&[], &[]),
        (&[piece(1, 10, 0, 1)], &[]),
        (&[piece(1, 10, 0, 1), piece(2, 10, 0, 200)], &[]),
        (&[piece(1, 10, 0, 1), piece(2, 10, 0, 200), piece(3, 10, 0, 1)], &[files(&[1, 3])]),
        // A row in the catalog goes into a file in any case.
        (&[piece(0, 1, 0, 0)], &[Job { files: vec![], inlined: true }]),
        (&[piece(1, 10, 0, 200), piece(0, 1, 0, 0)], &[Job { files: vec![], inlined: true }]),
        (&[piece(1, 10, 0, 1), piece(0, 1, 0, 0)], &[Job { files: vec![1], inlined: true }]),
        // Not those of different buckets.
        (&[Piece { bucket: Some(0), ..piece(1, 10, 0, 1) }, Piece { bucket: Some(1), ..piece(2, 10, 0, 1) }], &[]),
    ];
    for (pieces, expected) in cases {
        for mode in [Full, DeleteOnly] {
            assert_eq!(jobs(&SortKey::None, pieces, mode, None).0, *expected, "{mode:?} {pieces:?}");
        }
    }
    // Two slices write two files of rows in the order of a key.
    let in_order = |rows| [sorted(1, 2, piece(1, rows, 0, 1)), sorted(2, 3, piece(2, rows, 0, 1))];
    assert_eq!(jobs(&compound(), &in_order(100_000), Full, None), (vec![], true));
    assert_eq!(jobs(&compound(), &in_order(100), Full, None), (vec![files(&[1, 2])], true));
    let many: Vec<Piece> = (1..=40).map(|file| piece(file, 10, 0, 15)).collect();
    let (found, _) = jobs(&SortKey::None, &many, Full, None);
    assert_eq!(found.iter().map(|job| job.files.len()).collect::<Vec<_>>(), [18, 18, 4]);
}

#[test]
fn the_sort_phase_takes_what_overlaps() {
    let pieces = [
        sorted(0, 10, piece(1, 100, 0, 100)),
        sorted(10, 20, piece(2, 100, 0, 100)),
        between(12, 15, piece(3, 50, 0, 100)),
        sorted(30, 40, piece(4, 100, 0, 100)),
    ];
    let cases: &[(VacuumMode, Option<u8>, &[Job], bool)] = &[
        (Full, None, &[files(&[2, 3])], false),
        (SortOnly, None, &[files(&[2, 3])], false),
        (Recluster, None, &[files(&[3])], false),
        (DeleteOnly, None, &[], false),
        // 300 of 350 rows are in order: 85.71 percent.
        (Full, Some(85), &[], true),
        (Full, Some(86), &[files(&[2, 3])], false),
        (Full, Some(0), &[], true),
    ];
    for (mode, threshold, expected, skipped) in cases {
        let found = jobs(&compound(), &pieces, *mode, *threshold);
        assert_eq!(found, (expected.to_vec(), *skipped), "{mode:?} {threshold:?}");
    }
    let interleaved = || SortKey::Interleaved { columns: vec![1, 2] };
    assert_eq!(jobs(&interleaved(), &pieces, Full, None).0, [files(&[3])]);
    assert_eq!(jobs(&interleaved(), &pieces, Reindex, None).0, [files(&[1, 2, 3, 4])]);
    // All is in order.
    assert_eq!(jobs(&compound(), &pieces[..2], Full, Some(100)), (vec![], true));
}

#[test]
fn few_rows_of_several_buckets_are_sorted_together() {
    let pair = |bucket, first, rows| {
        let of = |piece| Piece { bucket: Some(bucket), ..piece };
        [of(sorted(0, 10, piece(first, rows, 0, 100))), of(sorted(5, 15, piece(first + 1, rows, 0, 100)))]
    };
    let pieces = [pair(0, 1, 100), pair(1, 3, 100), pair(2, 5, 20_000)].concat();
    for mode in [Full, SortOnly] {
        let expected = vec![files(&[5, 6]), files(&[1, 2, 3, 4])];
        assert_eq!(jobs(&compound(), &pieces, mode, Some(100)), (expected, false), "{mode:?}");
    }
}

#[test]
fn files_of_another_definition_are_written_anew() {
    let pieces = [piece(1, 10, 0, 100), Piece { current: false, ..piece(2, 10, 0, 100) }];
    for (mode, expected) in [(Full, true), (Recluster, true), (Reindex, true), (DeleteOnly, false), (SortOnly, false)] {
        let found = jobs(&SortKey::None, &pieces, mode, None).0;
        assert_eq!(found, if expected { vec![files(&[2])] } else { vec![] }, "{mode:?}");
    }
}

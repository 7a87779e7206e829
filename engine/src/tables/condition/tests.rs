//! Files as lists of numbers: their order and their figures.

#![allow(clippy::unwrap_used)]

use super::order::Range;
use super::*;
use crate::tables::InlinedRows;
use datafusion::common::ScalarValue;
use millrace_catalog::manifest::PastDefinition;
use millrace_catalog::model::{
    DataFile, DeleteFile, DistributionStyle, FileColumnStatistics, FileLayout, ManagedColumn, ManagedTable, SortKey,
    TableAttributes,
};

/// `(low, high, live rows, sorted, bucket)`.
type Case = (i32, i32, u64, bool, Option<u32>);

fn piece((low, high, live, sorted, bucket): Case) -> Piece {
    let value = |number: i32| Some(ScalarValue::Int32(Some(number)));
    let range = Range::new(value(low), value(high), false);
    Piece { file: Some(1), rows: live, live, bytes: live, bucket, sorted, current: true, range }
}

#[test]
fn the_sorted_region_is_the_largest_without_overlaps() {
    let cases: &[(&[Case], &[bool])] = &[
        (&[], &[]),
        (&[(1, 5, 10, false, None)], &[false]),
        (&[(1, 5, 10, true, None), (5, 9, 10, true, None)], &[true, true]),
        (&[(1, 5, 10, true, None), (4, 9, 11, true, None)], &[false, true]),
        // One that spans all weighs less than those below it together.
        (
            &[(1, 3, 10, true, None), (4, 6, 10, true, None), (7, 9, 10, true, None), (1, 9, 25, true, None)],
            &[true, true, true, false],
        ),
        (&[(1, 3, 10, true, None), (4, 6, 10, true, None), (1, 9, 25, true, None)], &[false, false, true]),
        // Values that are all alike touch only.
        (&[(5, 5, 1, true, None), (5, 5, 1, true, None), (5, 9, 1, true, None)], &[true, true, true]),
        // Buckets do not meet.
        (&[(1, 9, 10, true, Some(0)), (1, 9, 10, true, Some(1)), (2, 3, 5, true, Some(1))], &[true, true, false]),
    ];
    for (cases, expected) in cases {
        let pieces: Vec<Piece> = cases.iter().copied().map(piece).collect();
        assert_eq!(sorted_region(&pieces, SortForm::Compound), *expected, "{cases:?}");
    }
    let overlapping = [(1, 5, 10, true, None), (4, 9, 11, true, None), (1, 2, 1, false, None)].map(piece);
    assert_eq!(sorted_region(&overlapping, SortForm::Interleaved), [true, true, false]);
}

#[test]
fn pieces_that_overlap_are_clusters() {
    let cases: &[(&[Case], &[&[usize]])] = &[
        (&[(1, 5, 1, true, None), (5, 9, 1, true, None)], &[&[0], &[1]]),
        (&[(1, 5, 1, true, None), (10, 12, 1, true, None), (4, 9, 1, true, None)], &[&[0, 2], &[1]]),
        (&[(1, 4, 1, true, None), (8, 12, 1, true, None), (3, 9, 1, false, None)], &[&[0, 1, 2]]),
        (&[(1, 9, 1, true, Some(0)), (2, 3, 1, true, Some(1))], &[&[0], &[1]]),
        // Rows of unknown buckets meet both.
        (&[(1, 9, 1, true, Some(0)), (2, 5, 1, true, Some(1)), (4, 6, 1, false, None)], &[&[0, 1, 2]]),
        (&[(5, 5, 1, true, None), (5, 5, 1, false, None), (1, 9, 1, true, None)], &[&[0, 1, 2]]),
    ];
    for (cases, expected) in cases {
        let pieces: Vec<Piece> = cases.iter().copied().map(piece).collect();
        assert_eq!(clusters(&pieces), *expected, "{cases:?}");
    }
    let unknown = [Piece { range: Range::ANY, ..piece((1, 1, 1, true, None)) }, piece((7, 8, 1, true, None))];
    assert_eq!(clusters(&unknown), [[0, 1]]);
    let nulls = [Piece { range: Range::NULLS, ..piece((1, 1, 1, true, None)) }, piece((7, 8, 1, true, None))];
    assert_eq!(clusters(&nulls).len(), 2);
}

fn table(encoding: Option<&str>) -> ManagedTable {
    let column = ManagedColumn {
        id: 1,
        name: "a".to_owned(),
        data_type: "integer".to_owned(),
        encoding: encoding.map(str::to_owned),
        ..ManagedColumn::default()
    };
    let attributes = TableAttributes { sort_key: SortKey::Compound { columns: vec![1] }, ..TableAttributes::default() };
    ManagedTable { id: 1, columns: vec![column], attributes, ..ManagedTable::default() }
}

fn file(id: i64, rows: u64, low: i32, high: i32, sorted: bool) -> DataFile {
    let known = FileColumnStatistics {
        value_count: rows,
        minimum: Some(low.to_string()),
        maximum: Some(high.to_string()),
        ..FileColumnStatistics::default()
    };
    DataFile {
        id,
        begin_snapshot: id,
        record_count: rows,
        size_bytes: rows * 1000,
        sorted,
        layout: FileLayout { sort_key: SortKey::Compound { columns: vec![1] }, ..FileLayout::default() },
        columns: [(1, known)].into(),
        ..DataFile::default()
    }
}

#[test]
fn figures_are_those_of_the_files() {
    let deletes = DeleteFile { delete_count: 100, ..DeleteFile::default() };
    let files = [
        DataFile { deletes: Some(deletes), ..file(1, 1000, 0, 10, true) },
        file(2, 500, 10, 20, true),
        file(3, 100, 0, 20, false),
    ];
    let none: &[InlinedRows] = &[];
    let info = table_info(&table(None), &files, none, Some(2000)).unwrap();
    assert_eq!((info.rows, info.visible_rows, info.bytes), (1600, 1500, 1_600_000));
    // A hundred of 1,500 rows are out of order.
    assert_eq!(info.unsorted, Some(6.67));
    assert!((info.stats_off - 25.0).abs() < f64::EPSILON);
    // At 0, twice, the first and the third are read; at 10 the second, which the first only touches, and the third.
    let (read, needed) = (1000.0 + 600.0 + 1000.0, 900.0 + 500.0 + 900.0);
    assert_eq!(info.vacuum_sort_benefit, Some(((read - needed) / read * 10_000.0_f64).round() / 100.0));
    let without = ManagedTable { attributes: TableAttributes::default(), ..table(None) };
    let info = table_info(&without, &files, none, None).unwrap();
    assert_eq!((info.unsorted, info.vacuum_sort_benefit), (None, None));
    assert!((info.stats_off - 100.0).abs() < f64::EPSILON);
    let empty = table_info(&table(None), &[], none, None).unwrap();
    assert_eq!((empty.rows, empty.unsorted, empty.vacuum_sort_benefit), (0, Some(0.0), Some(0.0)));
}

/// Files of different buckets are read beside each other however they are sorted; one without a bucket has rows of all.
#[test]
fn buckets_gain_nothing_from_each_other() {
    let by = |column| SortKey::Compound { columns: vec![column] };
    let distribution = DistributionStyle::Key { column: 1 };
    let attributes = TableAttributes { distribution, sort_key: by(1), ..TableAttributes::default() };
    let table = ManagedTable { attributes, ..table(None) };
    let bucket = |id, bucket| DataFile {
        bucket: Some(bucket),
        layout: FileLayout { distribution_column: Some(1), buckets: 2, hash_version: 1, sort_key: by(1) },
        ..file(id, 1000, 0, 10, true)
    };
    let none: &[InlinedRows] = &[];
    let info = table_info(&table, &[bucket(1, 0), bucket(2, 1)], none, None).unwrap();
    assert_eq!((info.unsorted, info.vacuum_sort_benefit), (Some(0.0), Some(0.0)));
    // At 0, by either bucket: a bucket and the small file; by the small file: all three.
    let info = table_info(&table, &[bucket(1, 0), bucket(2, 1), file(3, 500, 0, 10, false)], none, None).unwrap();
    assert_eq!((info.unsorted, info.vacuum_sort_benefit), (Some(20.0), Some(27.27)));
}

#[test]
fn files_of_an_earlier_definition_are_known() {
    let past = |begin_snapshot, encoding| PastDefinition { begin_snapshot, table: table(encoding) };
    let all = [past(1, None), past(5, Some("zstd")), past(7, Some("raw"))];
    let now = table(Some("raw"));
    for (begin, expected) in [(1, false), (4, false), (5, false), (6, false), (7, true), (9, true)] {
        let found = pieces(&now, &all, &[file(begin, 1, 0, 1, true)], &[], 1).unwrap();
        assert_eq!(found[0].current, expected, "{begin}");
    }
    // Nobody knows any more how these were written.
    assert!(!pieces(&now, &all[1..], &[file(4, 1, 0, 1, true)], &[], 1).unwrap()[0].current);
    assert!(pieces(&table(None), &[], &[file(4, 1, 0, 1, true)], &[], 1).unwrap()[0].current);
}

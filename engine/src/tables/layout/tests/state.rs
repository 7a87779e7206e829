//! Styles, keys and skew as they are shown.

use super::super::{bucket_now, effective_style, is_sorted, shown_sort_key, skew};
use millrace_catalog::model::{
    AutoKeys, DataFile, DeleteFile, DistributionStyle, FileLayout, ManagedColumn, ManagedTable, SortKey,
    TableAttributes,
};

fn table(distribution: DistributionStyle, sort_key: SortKey, constraints: &[&str]) -> ManagedTable {
    let column = |id, name: &str| ManagedColumn { id, name: name.to_owned(), ..ManagedColumn::default() };
    ManagedTable {
        columns: vec![column(1, "a"), column(2, "b")],
        attributes: TableAttributes {
            distribution,
            sort_key,
            constraints: constraints.iter().map(|text| text.parse().unwrap()).collect(),
            buckets: 64,
            ..TableAttributes::default()
        },
        ..ManagedTable::default()
    }
}

#[test]
fn styles_in_effect() {
    use DistributionStyle::{All, Auto, Even, Key};
    let (small, large) = (1 << 20, 1 << 30);
    let cases: &[(DistributionStyle, &[&str], u64, &str)] = &[
        (Auto, &[], 0, "AUTO(ALL)"),
        (Auto, &["PRIMARY KEY (b)"], small, "AUTO(ALL)"),
        (Auto, &["PRIMARY KEY (b)"], large, "AUTO(KEY(b))"),
        (Auto, &["UNIQUE (a)", "PRIMARY KEY (a, b)"], large, "AUTO(EVEN)"),
        (Auto, &["CONSTRAINT k primary key (\"a\")"], large, "AUTO(KEY(a))"),
        (Auto, &[], large, "AUTO(EVEN)"),
        (Even, &[], small, "EVEN"),
        (All, &[], large, "ALL"),
        (Key { column: 2 }, &[], small, "KEY(b)"),
    ];
    for (style, constraints, size, wanted) in cases {
        let table = table(style.clone(), SortKey::None, constraints);
        assert_eq!(effective_style(&table, *size).to_string(), *wanted);
    }
}

#[test]
fn chosen_keys_stand_for_auto() {
    let mut chosen = table(DistributionStyle::Auto, SortKey::Auto, &["PRIMARY KEY (b)"]);
    assert_eq!(shown_sort_key(&chosen).as_deref(), Some("AUTO(SORTKEY)"));
    chosen.attributes.chosen = AutoKeys { sort: vec![2], distribution: Some(1) };
    assert_eq!(effective_style(&chosen, 1 << 20).to_string(), "AUTO(ALL)");
    assert_eq!(effective_style(&chosen, 1 << 30).to_string(), "AUTO(KEY(a))");
    assert_eq!(shown_sort_key(&chosen).as_deref(), Some("AUTO(SORTKEY(b))"));
    // Files that were arranged by what was chosen before are by another key.
    let by = |column| SortKey::Compound { columns: vec![column] };
    let arranged = file(10, 0, Some((1, 4)), by(2));
    assert!(is_sorted(&chosen, &arranged) && bucket_now(&chosen, &arranged) == Some((1, 4)));
    chosen.attributes.chosen = AutoKeys { sort: vec![1], distribution: Some(2) };
    assert!(!is_sorted(&chosen, &arranged) && bucket_now(&chosen, &arranged).is_none());
    // A declared key goes before what was chosen.
    chosen.attributes.sort_key = by(2);
    assert_eq!(shown_sort_key(&chosen).as_deref(), Some("b"));
    assert!(is_sorted(&chosen, &arranged));
    assert_eq!(shown_sort_key(&table(DistributionStyle::Even, SortKey::None, &[])), None);
}

fn file(rows: u64, deleted: u64, bucket: Option<(u32, u32)>, sort_key: SortKey) -> DataFile {
    DataFile {
        record_count: rows,
        bucket: bucket.map(|(bucket, _)| bucket),
        sorted: sort_key != SortKey::None,
        layout: FileLayout {
            distribution_column: bucket.map(|_| 1),
            buckets: bucket.map_or(0, |(_, of)| of),
            hash_version: u32::from(bucket.is_some()),
            sort_key,
        },
        deletes: (deleted > 0).then(|| DeleteFile { delete_count: deleted, ..DeleteFile::default() }),
        ..DataFile::default()
    }
}

#[test]
fn skews() {
    let key = table(DistributionStyle::Key { column: 1 }, SortKey::None, &[]);
    let bucket = |rows, bucket, of| file(rows, 0, Some((bucket, of)), SortKey::None);
    let two = [file(40, 10, Some((0, 2)), SortKey::None), bucket(10, 1, 2)];
    assert_eq!(skew(&key, &two, 2), Some(3.));
    assert_eq!(skew(&key, &two, 4), Some(3.));
    assert_eq!(skew(&key, &[bucket(1, 0, 4), bucket(2, 1, 4), bucket(3, 2, 4), bucket(4, 3, 4)], 2), Some(1.5));
    assert_eq!(skew(&key, &[bucket(5, 0, 2)], 2), None);
    assert_eq!(skew(&key, &[], 2), None);
    let even = table(DistributionStyle::Even, SortKey::None, &[]);
    assert_eq!(skew(&even, &two, 2), Some(1.));
}

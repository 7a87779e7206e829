//! What is known of rows: stored, found by planning, gone with what it is about.

use super::*;
use crate::model::{ColumnStatistics, Database, TableStatistics};
use std::sync::Arc;

fn known(row_count: u64) -> TableStatistics {
    let column = ColumnStatistics {
        minimum: Some("-1".to_owned()),
        maximum: Some("9'\u{e9}".to_owned()),
        null_count: Some(3),
        distinct_count: Some(4),
        average_length: Some(1.5),
        sketch: Some("AAEC".to_owned()),
    };
    TableStatistics {
        row_count,
        size_bytes: u64::try_from(i64::MAX).unwrap(),
        file_count: 2,
        exact: true,
        analyzed_time_ms: 5,
        columns: [("a".to_owned(), column), ("b".to_owned(), ColumnStatistics::default())].into(),
    }
}

fn without_sketches(mut statistics: TableStatistics) -> TableStatistics {
    statistics.columns.values_mut().for_each(|column| column.sketch = None);
    statistics
}

async fn filled() -> (Place, Table) {
    let place = Place::new().await;
    let partitions = ["1", "2", "10"].map(|x| partition(&[x, "k"]));
    let t = table("t", &[("x", "int"), ("y", "string")]);
    let t = place.catalog.create_table_with_partitions(&t, &partitions, false).await.unwrap().unwrap();
    (place, t)
}

fn of(x: &str) -> Vec<Option<String>> {
    values(&[x, "k"])
}

async fn counts(catalog: &Catalog, t: &Table) -> Vec<u64> {
    catalog.partition_statistics(t, &[]).await.unwrap().into_iter().map(|(_, found)| found.row_count).collect()
}

#[tokio::test]
async fn statistics_come_back_as_they_were_stored() {
    let (place, t) = filled().await;
    let (catalog, other) = (&place.catalog, place.another().await);
    assert_eq!(other.statistics(&t).await.unwrap(), None);
    assert_eq!(other.partition_statistics(&t, &[]).await.unwrap(), []);
    let before = other.snapshot().await.unwrap();
    assert_eq!((before.statistics(t.id), before.statistics_version(t.id)), (None, 0));

    let entries = [(None, known(13)), (Some(of("10")), known(10)), (Some(of("01")), known(1))];
    catalog.put_statistics(&t, &entries).await.unwrap();
    assert_eq!(other.statistics(&t).await.unwrap(), Some(known(13)));
    let found = other.partition_statistics(&t, &[]).await.unwrap();
    assert_eq!(found, [(values(&["1", "k"]), known(1)), (values(&["10", "k"]), known(10))]);
    let large = PartitionFilter { key: 0, condition: PartitionCondition::In(vec!["2".to_owned(), "10".to_owned()]) };
    let found = other.partition_statistics_without_sketches(&t, std::slice::from_ref(&large)).await.unwrap();
    assert_eq!(found, [(values(&["10", "k"]), without_sketches(known(10)))]);
    let none = PartitionFilter { key: 0, condition: PartitionCondition::In(vec![]) };
    assert_eq!(other.partition_statistics(&t, &[large, none]).await.unwrap(), []);

    let after = other.snapshot().await.unwrap();
    assert_eq!(**after.statistics(t.id).unwrap(), without_sketches(known(13)));
    assert!(after.statistics_version(t.id) > 0);
    assert_eq!(after.partitions_version(t.id), before.partitions_version(t.id));
    assert!(Arc::ptr_eq(after.table_by_id(t.id).unwrap(), before.table_by_id(t.id).unwrap()), "no new definition");

    catalog.put_statistics(&t, &[(Some(of("1")), known(7))]).await.unwrap();
    assert_eq!(counts(&other, &t).await, [7, 10], "others stay");
    assert_eq!(other.statistics(&t).await.unwrap(), Some(known(13)));
    assert!(other.snapshot().await.unwrap().statistics_version(t.id) > after.statistics_version(t.id));
    let bare = without_sketches(known(2));
    catalog
        .put_statistics(&t, &[(None, bare.clone()), (Some(of("1")), known(8)), (Some(of("+1")), bare.clone())])
        .await
        .unwrap();
    assert_eq!(other.statistics(&t).await.unwrap(), Some(bare.clone()), "an earlier sketch does not stay");
    assert_eq!(other.partition_statistics(&t, &[]).await.unwrap()[0].1, bare);

    let missing = [(None, known(99)), (Some(of("3")), known(3))];
    assert_eq!(message(catalog.put_statistics(&t, &missing).await), "partition \"x=3/y=k\" does not exist");
    assert_eq!(other.statistics(&t).await.unwrap(), Some(bare), "all or nothing");
    let gone = Table { id: 99, ..t };
    assert_eq!(message(catalog.put_statistics(&gone, &missing).await), "relation \"default.t\" does not exist");
}

#[tokio::test]
async fn a_snapshot_reads_only_statistics_that_changed() {
    let (place, t) = filled().await;
    let (catalog, other) = (&place.catalog, place.another().await);
    let u = catalog.create_table(&table("u", &[]), false).await.unwrap().unwrap();
    catalog.put_statistics(&t, &[(None, known(1))]).await.unwrap();
    catalog.put_statistics(&u, &[(None, known(2))]).await.unwrap();
    let first = other.snapshot().await.unwrap();
    catalog.put_statistics(&u, &[(None, known(3))]).await.unwrap();
    let second = other.snapshot().await.unwrap();
    assert!(Arc::ptr_eq(first.statistics(t.id).unwrap(), second.statistics(t.id).unwrap()));
    assert_eq!((first.statistics(u.id).unwrap().row_count, second.statistics(u.id).unwrap().row_count), (2, 3));
    assert!(Arc::ptr_eq(first.table_by_id(u.id).unwrap(), second.table_by_id(u.id).unwrap()));
}

#[tokio::test]
async fn statistics_go_with_what_they_are_about() {
    let (place, t) = filled().await;
    let catalog = &place.catalog;
    let all = [(None, known(6)), (Some(of("1")), known(1)), (Some(of("2")), known(2)), (Some(of("10")), known(3))];
    catalog.put_statistics(&t, &all).await.unwrap();
    catalog.drop_partitions(&t, &[values(&["2", "k"])]).await.unwrap();
    catalog.add_partitions(&t, &[partition(&["2", "k"])], false).await.unwrap();
    assert_eq!(counts(catalog, &t).await, [1, 3]);

    let mut renamed = partition(&["1", "k"]);
    renamed.values = values(&["5", "k"]);
    catalog.replace_partition(&t, &values(&["1", "k"]), &renamed).await.unwrap();
    assert_eq!(counts(catalog, &t).await, [1, 3], "the same files have the same rows");
    renamed.location = "file:///elsewhere/".to_owned();
    catalog.replace_partition(&t, &values(&["5", "k"]), &renamed).await.unwrap();
    assert_eq!(counts(catalog, &t).await, [3]);

    catalog.create_database(&Database::new("d"), false).await.unwrap();
    let mut t = catalog.rename_table(&t, "d", "u").await.unwrap();
    assert_eq!(catalog.statistics(&t).await.unwrap(), Some(known(6)));
    assert_eq!(catalog.snapshot().await.unwrap().statistics(t.id).unwrap().row_count, 6);
    assert_eq!(counts(catalog, &t).await, [3]);
    t.parameters.insert("k".to_owned(), "v".to_owned());
    let mut t = catalog.update_table(&t).await.unwrap();
    assert!(catalog.statistics(&t).await.unwrap().is_some());
    t.storage.location = Some("file:///elsewhere/".to_owned());
    let t = catalog.update_table(&t).await.unwrap();
    assert_eq!(catalog.statistics(&t).await.unwrap(), None, "other files have other rows");
    assert_eq!(catalog.snapshot().await.unwrap().statistics(t.id), None);

    catalog.put_statistics(&t, &all[..1]).await.unwrap();
    catalog.drop_table("d", "u").await.unwrap();
    let again = Table { database: "d".to_owned(), ..table("u", &[("x", "int"), ("y", "string")]) };
    let again = catalog.create_table_with_partitions(&again, &[partition(&["10", "k"])], false).await.unwrap().unwrap();
    catalog.put_statistics(&again, &[(None, known(1)), (Some(of("10")), known(1))]).await.unwrap();
    catalog.drop_database("d", true).await.unwrap();
    let mut lease = catalog.read().await.unwrap();
    for left in ["SELECT COUNT(*) FROM millrace_table_statistics", "SELECT COUNT(*) FROM millrace_partition_statistics"]
    {
        assert_eq!(lease.number(sql(left)).await.unwrap(), 0, "{left}");
    }
    lease.release();
}

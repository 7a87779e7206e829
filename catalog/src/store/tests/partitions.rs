//! Partitions: adding, changing, and finding by their keys.

use super::*;
use std::ops::Bound;

fn within(key: usize, values: &[&str]) -> PartitionFilter {
    PartitionFilter { key, condition: PartitionCondition::In(values.iter().map(|v| (*v).to_owned()).collect()) }
}

fn range(key: usize, low: Bound<&str>, high: Bound<&str>) -> PartitionFilter {
    PartitionFilter { key, condition: PartitionCondition::Range(low.map(str::to_owned), high.map(str::to_owned)) }
}

async fn filled(keys: &[(&str, &str)], rows: &[&[&str]]) -> (Place, Table) {
    let place = Place::new().await;
    let partitions: Vec<_> = rows.iter().map(|row| partition(row)).collect();
    let made = place.catalog.create_table_with_partitions(&table("t", keys), &partitions, false).await.unwrap();
    (place, made.unwrap())
}

async fn found(place: &Place, t: &Table, filters: &[PartitionFilter]) -> Vec<String> {
    place.catalog.partition_names(t, filters, None).await.unwrap()
}

#[tokio::test]
async fn partitions_come_back_as_they_were_stored() {
    let (place, t) = filled(&[("x", "int"), ("y", "string")], &[]).await;
    let mut one = partition(&["01", "a/b"]);
    one.storage = Some(Box::new(t.storage.clone()));
    assert_eq!(place.catalog.add_partitions(&t, std::slice::from_ref(&one), false).await.unwrap(), 1);
    assert_eq!(place.catalog.partitions(&t, &[]).await.unwrap(), [one]);
    assert_eq!(found(&place, &t, &[]).await, ["x=01/y=a%2Fb"]);
}

#[tokio::test]
async fn equal_values_are_one_partition() {
    let (place, t) = filled(&[("year", "int"), ("month", "int")], &[&["2013", "1"]]).await;
    let add = |rows: &[&[&str]], if_not_exists| {
        let partitions: Vec<_> = rows.iter().map(|row| partition(row)).collect();
        let (catalog, t) = (&place.catalog, &t);
        async move { catalog.add_partitions(t, &partitions, if_not_exists).await }
    };
    assert_eq!(message(add(&[&["2013", "1"]], false).await), "partition \"year=2013/month=1\" already exists");
    assert_eq!(message(add(&[&["2013", "01"]], false).await), "partition \"year=2013/month=01\" already exists");
    assert!(message(add(&[&["7", "1"], &["7", "+1"]], false).await).contains("already exists"));
    assert_eq!(add(&[&["2013", "01"], &["2013", "2"], &["2013", "02"]], true).await.unwrap(), 1);
    assert_eq!(found(&place, &t, &[]).await, ["year=2013/month=1", "year=2013/month=2"]);
    assert_eq!(
        message(add(&[&["2014", "1"], &["abc", "1"]], false).await),
        "invalid value \"abc\" for partition key \"year\" of type int"
    );
    assert!(message(add(&[&["2014"]], false).await).contains("1 values for 2 partition keys"));
    assert_eq!(place.catalog.partition_count(&t).await.unwrap(), 2);
    let plain = place.catalog.create_table(&table("plain", &[]), false).await.unwrap().unwrap();
    assert!(
        message(place.catalog.add_partitions(&plain, &[partition(&["1"])], false).await).contains("not partitioned")
    );
}

#[tokio::test]
async fn a_table_and_its_partitions_are_made_together_or_not_at_all() {
    let place = Place::new().await;
    let t = table("t", &[("x", "int")]);
    let twice = [partition(&["1"]), partition(&["1"])];
    assert!(place.catalog.create_table_with_partitions(&t, &twice, false).await.is_err());
    assert!(place.catalog.snapshot().await.unwrap().table("default", "t").is_none());
}

#[tokio::test]
async fn partitions_are_listed_in_the_order_of_their_keys() {
    let rows: [&[&str]; 7] =
        [&["10", "b"], &["NULL", "a"], &["9", "a"], &["-1", "a"], &["-10", "z"], &["10", "NULL"], &["10", "a"]];
    let (place, t) = filled(&[("n", "int"), ("s", "string")], &rows).await;
    let all = found(&place, &t, &[]).await;
    let default = "__HIVE_DEFAULT_PARTITION__";
    let wanted = [
        "n=-10/s=z",
        "n=-1/s=a",
        "n=9/s=a",
        "n=10/s=a",
        "n=10/s=b",
        &format!("n=10/s={default}"),
        &format!("n={default}/s=a"),
    ];
    assert_eq!(all, wanted);
    assert_eq!(place.catalog.partition_names(&t, &[], Some(2)).await.unwrap(), wanted[..2]);
    let limited = place.catalog.partition_names(&t, &[within(1, &["a"])], Some(2)).await.unwrap();
    assert_eq!(limited, ["n=-1/s=a", "n=9/s=a"]);
}

#[tokio::test]
async fn filters_compare_as_the_keys_types_do() {
    let rows: [&[&str]; 5] = [
        &["2013", "2013-01-31", "a"],
        &["2013", "2013-02-01", "B"],
        &["2014", "2014-12-31", "é"],
        &["9", "NULL", "a"],
        &["NULL", "2014-01-01", "NULL"],
    ];
    let (place, t) = filled(&[("y", "int"), ("d", "date"), ("s", "string")], &rows).await;
    let none = PartitionCondition::IsNull;
    let some = PartitionCondition::IsNotNull;
    let condition = |key, condition: &PartitionCondition| PartitionFilter { key, condition: condition.clone() };
    for (filters, rows_found) in [
        (vec![within(0, &["02013"])], &[0, 1][..]),
        (vec![within(0, &["2013", "9", "9999999999"])], &[3, 0, 1]),
        (vec![range(0, Bound::Excluded("9"), Bound::Unbounded)], &[0, 1, 2]),
        (vec![range(0, Bound::Unbounded, Bound::Included("2013"))], &[3, 0, 1]),
        (vec![range(0, Bound::Included("100"), Bound::Excluded("2014"))], &[0, 1]),
        (vec![range(0, Bound::Included("2014"), Bound::Excluded("2013"))], &[]),
        (vec![within(1, &["2013-2-1"])], &[1]),
        (vec![range(1, Bound::Included("2013-02-01"), Bound::Unbounded)], &[1, 2, 4]),
        (vec![range(1, Bound::Unbounded, Bound::Excluded("2013-02-01"))], &[0]),
        (vec![within(2, &["a"])], &[3, 0]),
        (vec![within(2, &["A"])], &[]),
        (vec![within(2, &[])], &[]),
        (vec![condition(0, &none)], &[4]),
        (vec![condition(1, &none)], &[3]),
        (vec![condition(1, &some), condition(2, &some)], &[0, 1, 2]),
        (vec![within(0, &["2013"]), within(2, &["B", "é"])], &[1]),
        (vec![within(0, &["2013"]), within(1, &["2013-01-31"]), within(2, &["a"])], &[0]),
        (
            vec![
                range(0, Bound::Included("1"), Bound::Unbounded),
                range(1, Bound::Included("2013-01-01"), Bound::Unbounded),
            ],
            &[0, 1, 2],
        ),
    ] {
        let got: Vec<_> = place.catalog.partitions(&t, &filters).await.unwrap().into_iter().map(|p| p.values).collect();
        let wanted: Vec<_> = rows_found.iter().map(|row: &usize| values(rows[*row])).collect();
        assert_eq!(got, wanted, "{filters:?}");
    }
    assert!(message(place.catalog.partitions(&t, &[within(0, &["x"])]).await).contains("partition key \"y\""));
    assert!(place.catalog.partitions(&t, &[within(3, &["x"])]).await.is_err());
}

#[tokio::test]
async fn partitions_are_dropped_and_replaced() {
    let (place, t) = filled(&[("x", "int"), ("y", "int")], &[&["1", "1"], &["1", "2"], &["NULL", "3"]]).await;
    let catalog = &place.catalog;
    let moved = Partition { location: "s3://elsewhere/".to_owned(), ..partition(&["1", "2"]) };
    catalog.replace_partition(&t, &values(&["01", "2"]), &moved).await.unwrap();
    assert_eq!(catalog.partitions(&t, &[within(1, &["2"])]).await.unwrap(), [moved]);
    let renamed = partition(&["5", "7"]);
    catalog.replace_partition(&t, &values(&["1", "2"]), &renamed).await.unwrap();
    assert_eq!(catalog.partitions(&t, &[within(1, &["7"])]).await.unwrap(), [renamed]);
    assert!(catalog.partitions(&t, &[within(1, &["2"])]).await.unwrap().is_empty());
    assert_eq!(
        message(catalog.replace_partition(&t, &values(&["1", "2"]), &partition(&["1", "2"])).await),
        "partition \"x=1/y=2\" does not exist"
    );
    assert_eq!(
        message(catalog.replace_partition(&t, &values(&["1", "1"]), &partition(&["5", "7"])).await),
        "partition \"x=5/y=7\" already exists"
    );
    let dropped =
        catalog.drop_partitions(&t, &[values(&["1", "1"]), values(&["NULL", "03"]), values(&["8", "8"])]).await;
    assert_eq!(dropped.unwrap(), 2);
    assert_eq!(found(&place, &t, &[]).await, ["x=5/y=7"]);
    assert!(catalog.partitions(&t, &[within(1, &["1", "3"])]).await.unwrap().is_empty());
    catalog.drop_table("default", "t").await.unwrap();
    assert!(matches!(
        catalog.add_partitions(&t, &[partition(&["1", "1"])], true).await,
        Err(CatalogError::NotFound { kind: "relation", .. })
    ));
}

#[tokio::test]
async fn many_partitions_are_found_by_long_lists() {
    let (place, t) = filled(&[("x", "int"), ("y", "bigint")], &[]).await;
    let many: Vec<_> = (0..12_000).map(|n| partition(&[&(n % 40).to_string(), &n.to_string()])).collect();
    assert_eq!(place.catalog.add_partitions(&t, &many, false).await.unwrap(), 12_000);
    assert_eq!(place.catalog.add_partitions(&t, &many, true).await.unwrap(), 0);
    let list: Vec<String> = (0..3000).map(|n| (n * 7).to_string()).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let hits = 12_000_usize.div_ceil(7);
    assert_eq!(found(&place, &t, &[within(1, &list)]).await.len(), hits);
    assert_eq!(
        found(&place, &t, &[within(0, &list), within(1, &list)]).await.len(),
        (0..12_000).filter(|n| n % 7 == 0 && n % 40 % 7 == 0).count()
    );
    assert_eq!(
        found(&place, &t, &[within(0, &["3"]), range(1, Bound::Included("11000"), Bound::Unbounded)]).await.len(),
        25
    );
    assert_eq!(found(&place, &t, &[]).await.len(), 12_000);
    assert_eq!(place.catalog.partition_names(&t, &[], Some(3)).await.unwrap(), ["x=0/y=0", "x=0/y=40", "x=0/y=80"]);
}

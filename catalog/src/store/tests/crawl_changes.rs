//! What a run changes: all at once, or nothing.

use super::*;
use crate::model::{CrawledPartition, Database, TableStatistics};

/// What [`before`] left: tables `t` (keys x, y; partitions 1/1 to 1/3) and `u`, a run, and the catalog.
struct Before {
    place: Place,
    run: Crawl,
    t: Table,
    u: Table,
}

async fn before() -> Before {
    let place = Place::new().await;
    let catalog = &place.catalog;
    catalog.create_crawler(&crawler("c"), false).await.unwrap();
    let partitions = ["1", "2", "3"].map(|y| partition(&["1", y]));
    let t = table("t", &[("x", "int"), ("y", "string")]);
    let t = catalog.create_table_with_partitions(&t, &partitions, false).await.unwrap().unwrap();
    let u = catalog.create_table(&table("u", &[]), false).await.unwrap().unwrap();
    let run = catalog.start_crawl("c").await.unwrap();
    Before { place, run, t, u }
}

impl Before {
    async fn finish(&self, changes: &[TableChange]) -> Result<Vec<Table>, CatalogError> {
        self.place.catalog.finish_crawl(&ended(&self.run, CrawlStatus::Succeeded), changes).await
    }

    async fn names(&self, t: &Table) -> Vec<String> {
        self.place.catalog.partition_names(t, &[], None).await.unwrap()
    }

    async fn rows(&self, t: &Table) -> Vec<(String, u64)> {
        let found = self.place.catalog.partition_statistics(t, &[]).await.unwrap();
        let shown = |values: Vec<Option<String>>| values.into_iter().map(Option::unwrap).collect::<Vec<_>>().join("/");
        found.into_iter().map(|(values, statistics)| (shown(values), statistics.row_count)).collect()
    }
}

fn rows(row_count: u64) -> TableStatistics {
    TableStatistics { row_count, ..TableStatistics::default() }
}

fn crawled(of: &[&str], row_count: Option<u64>) -> CrawledPartition {
    CrawledPartition { partition: partition(of), statistics: row_count.map(rows) }
}

fn moved(of: &[&str], row_count: Option<u64>) -> CrawledPartition {
    let mut moved = crawled(of, row_count);
    moved.partition.location = format!("file:///moved/{}/", of.join("/"));
    moved
}

#[tokio::test]
async fn all_changes_are_made_at_once() {
    let before = before().await;
    let catalog = &before.place.catalog;
    let (t, u) = (before.t.clone(), before.u.clone());
    let version = catalog.snapshot().await.unwrap().version();
    let mut described = t.clone();
    described.parameters.insert("recordCount".to_owned(), "6".to_owned());
    let new = Table { database: "d".to_owned(), ..table("n", &[("k", "date")]) };
    let changes = [
        TableChange::CreateDatabase(Database::new("d")),
        TableChange::Create {
            table: new,
            partitions: vec![crawled(&["2024-02-01"], Some(2)), crawled(&["2024-01-01"], None)],
            statistics: Some(rows(2)),
        },
        TableChange::Update { table: described, statistics: Some(rows(6)) },
        TableChange::AddPartitions {
            table: t.clone(),
            partitions: vec![crawled(&["2", "1"], Some(4)), crawled(&["10", "1"], None)],
        },
        TableChange::ReplacePartitions { table: t.clone(), partitions: vec![moved(&["01", "2"], Some(5))] },
        TableChange::DropPartitions { table: t.clone(), values: vec![values(&["1", "3"]), values(&["7", "7"])] },
        TableChange::Drop { table: u.clone() },
        TableChange::Statistics { table: t.clone(), entries: vec![(Some(values(&["1", "1"])), rows(1))] },
    ];
    let stored = before.finish(&changes).await.unwrap();

    let snapshot = before.place.another().await.snapshot().await.unwrap();
    assert_eq!(snapshot.version(), version + 1);
    assert_eq!(stored.len(), 2);
    let made = snapshot.table("d", "n").unwrap();
    assert_eq!((**made).clone(), stored[0]);
    assert_eq!((made.version, before.names(made).await), (1, vec!["k=2024-01-01".into(), "k=2024-02-01".into()]));
    assert_eq!(before.rows(made).await, [("2024-02-01".to_owned(), 2)]);
    assert_eq!(snapshot.statistics(made.id).unwrap().row_count, 2);
    let updated = snapshot.table("default", "t").unwrap();
    assert_eq!((**updated).clone(), stored[1]);
    assert_eq!((updated.id, updated.version, updated.parameters["recordCount"].as_str()), (t.id, 2, "6"));
    assert_eq!(catalog.table_versions(t.id).await.unwrap()[0].table, t);
    assert_eq!(before.names(&t).await, ["x=1/y=1", "x=01/y=2", "x=2/y=1", "x=10/y=1"]);
    let found = catalog.partitions(&t, &[]).await.unwrap();
    assert_eq!((&found[1], &found[0]), (&moved(&["01", "2"], None).partition, &partition(&["1", "1"])));
    assert_eq!(before.rows(&t).await, [("1/1".to_owned(), 1), ("01/2".to_owned(), 5), ("2/1".to_owned(), 4)]);
    assert_eq!(snapshot.table("default", "u"), None);
    assert_eq!(catalog.last_crawl("c").await.unwrap().unwrap().status, CrawlStatus::Succeeded);
    // The index of values follows.
    let by_y = [PartitionFilter { key: 1, condition: PartitionCondition::In(vec!["3".to_owned(), "1".to_owned()]) }];
    assert_eq!(catalog.partition_names(&t, &by_y, None).await.unwrap(), ["x=1/y=1", "x=2/y=1", "x=10/y=1"]);
}

#[tokio::test]
async fn a_replaced_table_may_have_other_keys() {
    let before = before().await;
    let catalog = &before.place.catalog;
    let mut wanted = before.t.clone();
    wanted.partition_keys = table("t", &[("y", "string"), ("z", "date")]).partition_keys;
    let update = TableChange::Update { table: wanted.clone(), statistics: None };
    assert!(message(before.finish(&[update]).await).contains("cannot change while it has partitions"));
    let partitions = vec![crawled(&["b", "2024-01-01"], Some(1)), crawled(&["a", "2024-01-01"], Some(2))];
    let replace = TableChange::Replace { table: wanted.clone(), partitions, statistics: Some(rows(3)) };
    // A later change of the same run sees the new keys.
    let add = TableChange::AddPartitions { table: wanted, partitions: vec![crawled(&["c", "2024-01-01"], None)] };
    let partitions_version = catalog.snapshot().await.unwrap().partitions_version(before.t.id);
    let stored = before.finish(&[replace.clone(), add]).await.unwrap();
    assert_eq!((stored.len(), stored[0].id, stored[0].version), (1, before.t.id, 2));
    assert_eq!(before.names(&stored[0]).await, ["y=a/z=2024-01-01", "y=b/z=2024-01-01", "y=c/z=2024-01-01"]);
    assert_eq!(before.rows(&stored[0]).await, [("a/2024-01-01".to_owned(), 2), ("b/2024-01-01".to_owned(), 1)]);
    assert_eq!(catalog.table_versions(before.t.id).await.unwrap()[0].table, before.t);
    assert!(catalog.snapshot().await.unwrap().partitions_version(before.t.id) > partitions_version);
    let run = catalog.start_crawl("c").await.unwrap();
    let stale = catalog.finish_crawl(&ended(&run, CrawlStatus::Succeeded), &[replace]).await;
    assert!(matches!(stale, Err(CatalogError::Conflict(_))), "{stale:?}");
}

#[tokio::test]
async fn a_change_that_fails_undoes_all() {
    let before = before().await;
    let catalog = &before.place.catalog;
    let (t, u) = (before.t.clone(), before.u.clone());
    let first = [
        TableChange::CreateDatabase(Database::new("d")),
        TableChange::Create { table: table("n", &[]), partitions: vec![], statistics: Some(rows(1)) },
        TableChange::Update { table: t.clone(), statistics: Some(rows(1)) },
        TableChange::DropPartitions { table: t.clone(), values: vec![values(&["1", "1"])] },
        TableChange::AddPartitions { table: t.clone(), partitions: vec![crawled(&["9", "9"], Some(1))] },
    ];
    let key = |name: &str| table(name, &[("x", "int")]);
    let stale = Table { version: 7, ..u.clone() };
    let gone = Table { id: 999, ..u.clone() };
    let snapshot = catalog.snapshot().await.unwrap();
    for (last, error) in [
        (
            TableChange::Create { table: table("u", &[]), partitions: vec![], statistics: None },
            "relation \"default.u\" already exists",
        ),
        (
            TableChange::Create {
                table: Table { database: "x".to_owned(), ..key("v") },
                partitions: vec![],
                statistics: None,
            },
            "database \"x\" does not exist",
        ),
        (
            TableChange::Create { table: key("v"), partitions: vec![crawled(&["a"], None)], statistics: None },
            "invalid value \"a\" for partition key \"x\" of type int",
        ),
        (
            TableChange::Create { table: table("", &[]), partitions: vec![], statistics: None },
            "the name of a relation must not be empty",
        ),
        (TableChange::Update { table: stale.clone(), statistics: None }, "relation \"default.u\" was changed by"),
        (TableChange::Drop { table: stale }, "relation \"default.u\" was changed by another session"),
        (TableChange::Drop { table: gone }, "relation \"default.u\" does not exist"),
        (
            TableChange::AddPartitions { table: t.clone(), partitions: vec![crawled(&["1", "2"], None)] },
            "partition \"x=1/y=2\" already exists",
        ),
        (
            TableChange::ReplacePartitions { table: t.clone(), partitions: vec![crawled(&["1", "7"], None)] },
            "partition \"x=1/y=7\" does not exist",
        ),
        (
            TableChange::Statistics { table: t.clone(), entries: vec![(Some(values(&["7", "7"])), rows(1))] },
            "partition \"x=7/y=7\" does not exist",
        ),
    ] {
        let changes: Vec<_> = first.iter().cloned().chain([last]).collect();
        let failure = message(before.finish(&changes).await);
        assert!(failure.starts_with(error), "{failure}");
        assert!(std::sync::Arc::ptr_eq(&snapshot, &catalog.snapshot().await.unwrap()), "{error}");
        assert_eq!(before.names(&t).await, ["x=1/y=1", "x=1/y=2", "x=1/y=3"], "{error}");
        assert_eq!(catalog.statistics(&t).await.unwrap(), None, "{error}");
        assert!(catalog.table_versions(t.id).await.unwrap().is_empty(), "{error}");
        assert_eq!(catalog.crawler_state("c").await.unwrap(), CrawlerState::Running, "the run goes on: {error}");
    }
    let failed = ended(&before.run, CrawlStatus::Failed);
    assert!(message(catalog.finish_crawl(&failed, &first).await).contains("did not succeed and cannot change tables"));
    catalog.finish_crawl(&failed, &[]).await.unwrap();
    assert_eq!(catalog.last_crawl("c").await.unwrap().unwrap().status, CrawlStatus::Failed);
}

#[tokio::test]
async fn a_run_dropped_while_it_finishes_changes_nothing() {
    let before = before().await;
    let catalog = &before.place.catalog;
    let partitions = (2..20_000).map(|x| crawled(&[&x.to_string(), "1"], Some(1))).collect();
    let changes = [
        TableChange::Drop { table: before.u.clone() },
        TableChange::AddPartitions { table: before.t.clone(), partitions },
    ];
    let cancelled = tokio::time::timeout(std::time::Duration::from_millis(10), before.finish(&changes)).await;
    assert!(cancelled.is_err(), "too quick to be cancelled");
    assert_eq!(catalog.partition_count(&before.t).await.unwrap(), 3);
    assert_eq!(catalog.get("default", "u").await.unwrap(), Some(before.u.clone()));
    assert_eq!(catalog.crawls(None, 9).await.unwrap(), std::slice::from_ref(&before.run));
    before.finish(&changes).await.unwrap();
    assert_eq!(catalog.partition_count(&before.t).await.unwrap(), 20_001);
}

#[tokio::test]
async fn many_partitions_are_changed_in_bulk() {
    let before = before().await;
    let catalog = &before.place.catalog;
    let many = |range: std::ops::Range<u64>, make: fn(&[&str], Option<u64>) -> CrawledPartition| {
        range.map(|n| make(&[&n.to_string(), &(n % 7).to_string()], (n % 2 == 0).then_some(n))).collect::<Vec<_>>()
    };
    let dropped = (10..2010_u64).map(|n| values(&[&n.to_string(), &(n % 7).to_string()])).collect();
    let t = before.t.clone();
    let changes = [
        TableChange::AddPartitions { table: t.clone(), partitions: many(10..4010, crawled) },
        // Odd ones lose what was known of them, which is nothing.
        TableChange::ReplacePartitions { table: t.clone(), partitions: many(1010..3010, moved) },
        TableChange::DropPartitions { table: t.clone(), values: dropped },
    ];
    before.finish(&changes).await.unwrap();
    let found = catalog.partitions(&t, &[]).await.unwrap();
    assert_eq!(found.len(), 3 + 2000);
    let is_moved = |partition: &&Partition| partition.location.starts_with("file:///moved/");
    assert_eq!(found.iter().filter(is_moved).count(), 1000);
    let rows = before.rows(&t).await;
    assert_eq!(rows.len(), 1000);
    assert!(rows.iter().all(|(name, rows)| name.starts_with(&format!("{rows}/"))), "{rows:?}");
    // 2010 to 4009 hold 286 numbers that leave 1 when divided by 7: 2010 itself, and every seventh after it.
    let by_y = [PartitionFilter { key: 1, condition: PartitionCondition::In(vec!["1".to_owned()]) }];
    assert_eq!(2010 % 7, 1);
    assert_eq!(catalog.partitions(&t, &by_y).await.unwrap().len(), 1 + 286);
}

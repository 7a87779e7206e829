//! Files of earlier formats.

use super::*;
use crate::model::TableStatistics;
use crate::store::database::Options;
use crate::store::migrate::{FORMAT, migrate_to};
use crate::store::sqlite::{Access, options};

/// A file of the first format, with a table and two partitions, as its program left it.
async fn first_format(path: &Path) {
    let mut connection = Options::sqlite(options(path, Access::Write)).connect().await.unwrap();
    migrate_to(&mut connection, 1).await.unwrap();
    for statement in [
        "INSERT INTO millrace_table (id, database_name, name, version, partitions_version, document) VALUES \
         (1, 'default', 't', 3, 2, '{\"kind\":\"EXTERNAL_TABLE\",\"storage\":{\"columns\":[{\"name\":\"a\",\
         \"type\":\"int\"}],\"location\":\"s3://b/t/\"},\"partition_keys\":[{\"name\":\"x\",\"type\":\"int\"}]}')",
        "INSERT INTO millrace_partition (id, table_id, name, document) VALUES \
         (2, 1, 'v6512', '{\"values\":[\"2\"],\"location\":\"s3://b/t/x=2/\"}'), \
         (3, 1, 'v6513', '{\"values\":[\"3\"],\"location\":\"s3://b/t/x=3/\"}')",
        "UPDATE millrace_meta SET next_id = 4",
    ] {
        connection.execute(sql(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_format_gets_what_is_new() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    first_format(&path).await;
    let catalog = Catalog::open(&path).await.unwrap();
    let mut lease = catalog.read().await.unwrap();
    let format = lease.number(sql("SELECT format FROM millrace_meta")).await.unwrap();
    lease.release();
    assert_eq!(format, FORMAT);

    let snapshot = catalog.snapshot().await.unwrap();
    let t = snapshot.table("default", "t").unwrap();
    assert_eq!((t.id, t.version, snapshot.partitions_version(1)), (1, 3, 2));
    assert_eq!((snapshot.statistics(1), snapshot.statistics_version(1)), (None, 0));
    let three = PartitionFilter { key: 0, condition: PartitionCondition::In(vec!["3".to_owned()]) };
    assert_eq!(catalog.partition_names(t, &[three], None).await.unwrap(), ["x=3"]);
    assert_eq!(catalog.crawlers().await.unwrap(), []);

    let rows = TableStatistics { row_count: 5, ..TableStatistics::default() };
    catalog.put_statistics(t, &[(Some(values(&["2"])), rows.clone())]).await.unwrap();
    assert_eq!(catalog.partition_statistics(t, &[]).await.unwrap(), [(values(&["2"]), rows)]);
    catalog.create_crawler(&crawler("c"), false).await.unwrap();
    let run = catalog.start_crawl("c").await.unwrap();
    let drop = TableChange::Drop { table: (**t).clone() };
    catalog.finish_crawl(&ended(&run, CrawlStatus::Succeeded), &[drop]).await.unwrap();
    assert_eq!(catalog.snapshot().await.unwrap().all_tables().count(), 0);
}

#[tokio::test]
async fn a_file_of_the_second_format_gets_the_manifest() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let mut connection = Options::sqlite(options(&path, Access::Write)).connect().await.unwrap();
    migrate_to(&mut connection, 2).await.unwrap();
    connection.close().await.unwrap();
    let catalog = Catalog::open(&path).await.unwrap();
    let snapshots = catalog.snapshots().await.unwrap();
    assert_eq!((snapshots.len(), snapshots[0].id), (1, 0));
    assert!((crate::store::now_ms() - snapshots[0].time_ms).abs() < 600_000);
    assert_eq!(catalog.snapshot().await.unwrap().all_managed_tables().count(), 0);
    assert_eq!(catalog.crawlers().await.unwrap(), []);
}

#[tokio::test]
async fn several_that_open_an_earlier_format_upgrade_it_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    first_format(&path).await;
    let opened = futures::future::join_all((0..6).map(|_| Catalog::open(&path))).await;
    for catalog in opened {
        assert_eq!(catalog.unwrap().snapshot().await.unwrap().all_tables().count(), 1);
    }
}

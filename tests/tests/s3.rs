//! S3 from the inside: which requests are made, and what becomes of a statement when one goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use futures::TryStreamExt;
use millrace_engine::{ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use millrace_tests::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use millrace_tests::script::World;
use millrace_tests::{Effect, Fault, Faults, Operation, s3_settings};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::HashSet;
use std::io::Read;
use std::time::{Duration, Instant};

fn client(server: &S3Server, bucket: &str, secret: &str) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(bucket)
        .with_access_key_id(ACCESS_KEY_ID)
        .with_secret_access_key(secret)
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_server_checks_secrets_and_keeps_objects() {
    let server = S3Server::start().await.unwrap();
    let bucket = server.create_bucket().unwrap();
    let key = Key::from("a/b.txt");
    let good = client(&server, &bucket, SECRET_ACCESS_KEY);
    good.put(&key, "hello".into()).await.unwrap();
    assert_eq!(good.get(&key).await.unwrap().bytes().await.unwrap(), "hello");
    assert_eq!(good.get_range(&key, 1..3).await.unwrap(), "el");
    assert_eq!(server.faults().bytes_sent(), 7);
    assert!(client(&server, &bucket, "wrong").get(&key).await.is_err());
    server.faults().inject(Fault::always(Operation::Get, Effect::Denied));
    assert!(good.get(&key).await.is_err());
    assert_eq!(good.list_with_delimiter(None).await.unwrap().common_prefixes, [Key::from("a")]);
}

/// A world whose bucket holds the lake, with its flights as a table, all partitions known, and an empty log.
async fn world() -> (World, Session) {
    let world = World::new(true).await.unwrap();
    let mut session = world.session();
    let bucket = world.bucket_url();
    let ddl = format!(
        "CREATE EXTERNAL TABLE flights (day int, carrier string, dep_delay int, dest string)
         PARTITIONED BY (year int, month int) STORED AS PARQUET LOCATION '{bucket}/lake/flights/';
         MSCK REPAIR TABLE flights"
    );
    rows(&mut session, &ddl).await.unwrap();
    faults(&world).clear();
    (world, session)
}

fn faults(world: &World) -> &Faults {
    world.s3.as_ref().unwrap().0.faults()
}

/// A session of another warehouse over the same server, with nothing cached.
async fn fresh_session(world: &World, settings: &[(&str, &str)]) -> Session {
    let mut config = WarehouseConfig::new(world.folder.path().join("fresh"));
    for (name, value) in s3_settings(&world.s3.as_ref().unwrap().0) {
        config = config.with_setting(&name, &value).unwrap();
    }
    for (name, value) in settings {
        config = config.with_setting(name, value).unwrap();
    }
    Session::new(Warehouse::open(config).await.unwrap())
}

/// The bytes of the bucket's files below a prefix.
fn size(world: &World, prefix: &str) -> u64 {
    let (server, bucket) = world.s3.as_ref().unwrap();
    let files = std::fs::read_dir(server.root().join(bucket).join(prefix)).unwrap();
    files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn wrong_credentials_are_told() {
    let (world, _) = world().await;
    for (name, value) in [("s3.secret_access_key", "wrong"), ("s3.access_key_id", "NOBODY")] {
        let query = format!("SELECT count(*) FROM '{}/lake/airlines/'", world.bucket_url());
        let error = rows(&mut fresh_session(&world, &[(name, value)]).await, &query).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{name}: {error}");
    }
}

#[tokio::test]
async fn a_repair_lists_no_folder_twice() {
    let (world, mut session) = world().await;
    rows(&mut session, "MSCK REPAIR TABLE flights").await.unwrap();
    let requests = faults(&world).requests();
    let lists = requests.iter().filter(|(operation, _)| *operation == Operation::List).map(|(_, prefix)| prefix);
    let distinct = lists.clone().collect::<HashSet<_>>();
    assert_eq!(lists.count(), distinct.len(), "{requests:?}");
    assert!(requests.iter().all(|(operation, _)| *operation == Operation::List), "{requests:?}");
}

#[tokio::test]
async fn only_the_partitions_asked_for_are_listed_and_read() {
    let (world, mut session) = world().await;
    let query = "SELECT count(*), sum(dep_delay) FROM flights WHERE year = 2013 AND month = 4";
    assert_eq!(rows(&mut session, query).await.unwrap(), [["28330", "385554"]]);
    let requests = faults(&world).requests();
    assert!(!requests.is_empty());
    for (operation, key) in requests {
        assert!(key.starts_with("lake/flights/year=2013/month=04"), "{operation:?} {key}");
    }
}

#[tokio::test]
async fn counting_reads_footers_only() {
    let (world, mut session) = world().await;
    // Larger files than the lake's, whose footers come with half of their data in one speculative read.
    let place = format!("{}/large/", world.bucket_url());
    let ctas = format!(
        "CREATE TABLE large WITH (external_location = '{place}')
         AS SELECT *, dep_delay * n AS x FROM flights, (VALUES (1), (2), (3), (4)) t (n)"
    );
    rows(&mut session, &ctas).await.unwrap();
    let large = size(&world, "large");
    drop(session);
    let mut session = fresh_session(&world, &[]).await;
    faults(&world).clear();
    assert_eq!(rows(&mut session, &format!("SELECT count(*) FROM '{place}'")).await.unwrap(), [["1347104"]]);
    let read = faults(&world).bytes_sent();
    assert!(read > 0 && read < large / 2, "{read} of {large} bytes were read to count rows");
}

#[tokio::test]
async fn footers_and_listings_are_asked_for_once() {
    let (world, mut session) = world().await;
    let query = "SELECT max(dep_delay) FROM flights WHERE month = 7 AND carrier = 'HA'";
    let first = rows(&mut session, query).await.unwrap();
    let (gets, lists) = (faults(&world).count(Operation::Get), faults(&world).count(Operation::List));
    faults(&world).clear();
    assert_eq!(rows(&mut session, query).await.unwrap(), first);
    assert!(faults(&world).count(Operation::Get) < gets, "the footer was read again");
    assert!(faults(&world).count(Operation::List) <= lists);
}

#[tokio::test]
async fn a_listing_that_fails_midway_is_an_error() {
    let (world, mut session) = world().await;
    faults(&world).set_page_size(5);
    faults(&world).inject(Fault {
        operation: Operation::List,
        prefix: "lake/flights".to_owned(),
        after: 2,
        times: usize::MAX,
        effect: Effect::Denied,
    });
    let query = format!("SELECT count(*) FROM '{}/lake/flights/**/*.parquet'", world.bucket_url());
    let error = rows(&mut session, &query).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    let before = rows(&mut session, "SHOW PARTITIONS flights").await.unwrap();
    assert_eq!(before.len(), 12);
    assert!(rows(&mut session, "MSCK REPAIR TABLE flights SYNC PARTITIONS").await.is_err());
    assert_eq!(rows(&mut session, "SHOW PARTITIONS flights").await.unwrap(), before);
}

#[tokio::test]
async fn pages_of_a_listing_are_followed() {
    let (world, mut session) = world().await;
    faults(&world).set_page_size(2);
    let query = format!("SELECT count(*) FROM '{}/lake/flights/'", world.bucket_url());
    assert_eq!(rows(&mut session, &query).await.unwrap(), [["336776"]]);
}

#[tokio::test]
async fn a_slow_down_is_waited_for() {
    let (world, mut session) = world().await;
    for operation in [Operation::List, Operation::Get] {
        faults(&world).inject(Fault { times: 2, ..Fault::always(operation, Effect::SlowDown) });
    }
    let result = rows(&mut session, "SELECT count(*), min(carrier) FROM flights WHERE month = 9").await.unwrap();
    assert_eq!(result, [["27574", "9E"]]);
}

#[tokio::test]
async fn a_refused_object_is_named() {
    let (world, mut session) = world().await;
    faults(&world).inject(Fault {
        prefix: "lake/flights/year=2013/month=03".to_owned(),
        ..Fault::always(Operation::Get, Effect::Denied)
    });
    let error = rows(&mut session, "SELECT sum(dep_delay) FROM flights").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    assert!(error.to_string().contains("month=03/part-0.parquet"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_never_gives_wrong_rows() {
    let (world, mut session) = world().await;
    let planes = format!(
        "CREATE EXTERNAL TABLE planes (tailnum string, seats int) STORED AS JSONFILE LOCATION '{}/lake/planes/'",
        world.bucket_url()
    );
    rows(&mut session, &planes).await.unwrap();
    faults(&world).inject(Fault { times: 3, ..Fault::always(Operation::Get, Effect::Truncate(2_000)) });
    let queries = [
        ("SELECT count(*), sum(seats) FROM planes", ["3322", "512639"]),
        ("SELECT count(*), sum(dep_delay) FROM flights", ["336776", "4152200"]),
    ];
    for (query, expected) in queries {
        match rows(&mut session, query).await {
            Ok(result) => assert_eq!(result, [expected]),
            Err(error) => assert!([ErrorKind::Connection, ErrorKind::BadFile].contains(&error.kind), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_can_be_dropped() {
    let (world, mut session) = world().await;
    faults(&world).inject(Fault::always(Operation::Get, Effect::Delay(Duration::from_mins(1))));
    let start = Instant::now();
    let query = rows(&mut session, "SELECT sum(dep_delay) FROM flights");
    assert!(tokio::time::timeout(Duration::from_millis(300), query).await.is_err());
    faults(&world).clear();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM flights WHERE month = 1").await.unwrap(), [["27004"]]);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_to_see() {
    let (world, mut session) = world().await;
    faults(&world).inject(Fault {
        operation: Operation::Put,
        prefix: "out".to_owned(),
        after: 2,
        times: usize::MAX,
        effect: Effect::Denied,
    });
    let place = format!("{}/out/parted/", world.bucket_url());
    let ctas = format!(
        "CREATE TABLE parted WITH (external_location = '{place}', partitioned_by = ARRAY['month'])
         AS SELECT day, carrier, month FROM flights"
    );
    let error = rows(&mut session, &ctas).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    faults(&world).clear();
    let error = rows(&mut session, "SELECT * FROM parted").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UndefinedTable, "{error}");
    // The place can be used again: nothing visible lies in it.
    rows(&mut session, &ctas).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM parted").await.unwrap(), [["336776"]]);
}

#[tokio::test]
async fn a_changed_object_is_read_anew() {
    let (world, mut session) = world().await;
    let (server, bucket) = world.s3.as_ref().unwrap();
    let query = format!("SELECT count(*), max(day) FROM '{}/new/part.parquet'", world.bucket_url());
    for (month, expected) in [("01", ["27004", "31"]), ("02", ["24951", "28"])] {
        let file = millrace_tests::script::lake().join(format!("flights/year=2013/month={month}/part-0.parquet"));
        let _ = std::fs::remove_file(server.root().join(bucket).join("new/part.parquet"));
        server.upload(bucket, "new/part.parquet", &file).unwrap();
        assert_eq!(rows(&mut session, &query).await.unwrap(), [expected]);
    }
}

/// The text of all compressed objects below a prefix.
async fn logs(store: &AmazonS3, prefix: &str) -> String {
    let mut text = String::new();
    let found: Vec<_> = store.list(Some(&Key::from(prefix))).try_collect().await.unwrap();
    for object in found.iter().filter(|object| object.location.extension() == Some("gz")) {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).unwrap();
    }
    text
}

#[tokio::test]
async fn audit_logs_go_to_a_bucket_and_stop_what_must_be_audited_when_it_fails() {
    let server = S3Server::start().await.unwrap();
    let bucket = server.create_bucket().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        let mut config = WarehouseConfig::new(folder.path().join("warehouse"));
        config.settings = s3_settings(&server).into_iter().collect();
        config = config.with_setting("audit_directory", &format!("s3://{bucket}/audit/here")).unwrap();
        config.with_setting("audit_required", "on").unwrap()
    };
    let warehouse = Warehouse::open(config()).await.unwrap();
    let mut session = Session::new(warehouse.clone());
    rows(&mut session, "CREATE USER ann PASSWORD 'Secret123'").await.unwrap();
    rows(&mut session, "SELECT 'seen by auditors'").await.unwrap();
    let state = "SELECT lost_audit_lines, audit_files_waiting, audit_error FROM millrace_journal";
    assert_eq!(rows(&mut session, state).await.unwrap(), [["0", "0", "NULL"]]);
    drop(session);
    warehouse.close(Duration::from_secs(5)).await;
    let store = client(&server, &bucket, SECRET_ACCESS_KEY);
    let text = logs(&store, "audit/here/AWSLogs/000000000000/redshift/local").await;
    assert!(text.contains("LOG: SELECT 'seen by auditors'"), "{text}");
    assert!(text.contains("|ann|") && !text.contains("Secret123"), "{text}");
    // Nothing of it is left here.
    drop(warehouse);
    let left = walk(&folder.path().join("warehouse/audit"));
    assert!(left.is_empty(), "{left:?}");
    // A bucket that takes nothing: nothing runs where it is required.
    server.faults().inject(Fault::always(Operation::Put, Effect::Denied));
    let error = Warehouse::open(config()).await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (ErrorKind::BadFile, "58030"), "{error}");
    let lenient = Warehouse::open(config().with_setting("audit_required", "off").unwrap()).await.unwrap();
    let mut session = Session::new(lenient.clone());
    let failing = rows(&mut session, "SELECT audit_error IS NOT NULL FROM millrace_journal").await.unwrap();
    assert_eq!(failing, [["true"]]);
    drop(session);
    lenient.close(Duration::from_secs(5)).await;
    drop(lenient);
    assert!(!walk(&folder.path().join("warehouse/audit")).is_empty());
    // What was kept meanwhile comes later.
    server.faults().clear();
    let warehouse = Warehouse::open(config()).await.unwrap();
    warehouse.close(Duration::from_secs(5)).await;
    let text = logs(&store, "audit/here/AWSLogs/000000000000/redshift/local").await;
    assert!(text.contains("LOG: SELECT audit_error IS NOT NULL"), "{text}");
}

/// The files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let paths = entries.into_iter().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

//! Crawls of a store that denies, delays and breaks off; several targets.

use crate::{lines, put, start, told};
use millrace_engine::{ErrorKind, Session};
use millrace_tests::database::rows;
use millrace_tests::script::World;
use millrace_tests::{Effect, Fault, Faults, Operation};

fn faults(world: &World) -> &Faults {
    world.s3.as_ref().unwrap().0.faults()
}

async fn world() -> (World, Session) {
    let world = World::new(true).await.unwrap();
    let mut session = world.session();
    let create = format!("CREATE CRAWLER c DATABASE d TARGETS ('{}/lake') ON DELETE DELETE", world.bucket_url());
    rows(&mut session, &create).await.unwrap();
    (world, session)
}

fn at(prefix: &str, operation: Operation, effect: Effect) -> Fault {
    Fault { prefix: prefix.to_owned(), ..Fault::always(operation, effect) }
}

#[tokio::test]
async fn a_denied_prefix_is_told_and_its_table_stays() {
    let (world, mut session) = world().await;
    faults(&world).inject(at("lake/weather", Operation::List, Effect::Denied));
    faults(&world).inject(at("lake/planes", Operation::Get, Effect::Denied));
    assert_eq!(start(&mut session, "c").await, ["CREATED airlines 0", "CREATED airports 0", "CREATED flights 12"]);
    let text = told(&mut session, "c").await;
    assert!(text.contains("/lake/weather: the folder cannot be listed"), "{text}");
    assert!(text.contains("/lake/planes/planes.json.gz: "), "{text}");
    faults(&world).clear();
    let all = start(&mut session, "c").await;
    assert_eq!(all[3..], ["CREATED planes 0", "CREATED weather 12"], "{all:?}");

    // Denied again, and one of its partitions really gone: only what could be looked at goes.
    faults(&world).inject(at("lake/weather", Operation::List, Effect::Denied));
    faults(&world).inject(at("lake/flights/year=2013/month=02", Operation::List, Effect::Denied));
    let (server, bucket) = world.s3.as_ref().unwrap();
    std::fs::remove_dir_all(server.root().join(bucket).join("lake/flights/year=2013/month=01")).unwrap();
    let again = start(&mut session, "c").await;
    assert!(again.iter().any(|line| line.starts_with("UPDATED flights 0 1 partition deleted")), "{again:?}");
    assert!(again.iter().any(|line| line.starts_with("LOGGED weather")), "{again:?}");
    faults(&world).clear();
    assert_eq!(lines(&mut session, "SELECT count(*) FROM d.weather").await, ["26115"]);
    // 336,776 flights without January's 27,004; those of the denied February are there.
    assert_eq!(lines(&mut session, "SELECT count(*) FROM d.flights").await, ["309772"]);
}

#[tokio::test]
async fn a_store_that_is_busy_is_asked_again() {
    let (world, mut session) = world().await;
    for operation in [Operation::List, Operation::Get] {
        faults(&world).inject(Fault { times: 2, after: 1, ..Fault::always(operation, Effect::SlowDown) });
    }
    assert_eq!(start(&mut session, "c").await.len(), 5);
    assert_eq!(told(&mut session, "c").await, "database \"d\" did not exist and was made");
}

#[tokio::test]
async fn a_body_that_breaks_off_costs_its_file_only() {
    let (world, mut session) = world().await;
    faults(&world).inject(at("lake/airports", Operation::Get, Effect::Truncate(10)));
    let tables = start(&mut session, "c").await;
    assert_eq!(tables, ["CREATED airlines 0", "CREATED flights 12", "CREATED planes 0", "CREATED weather 12"]);
    let text = told(&mut session, "c").await;
    assert!(text.contains("/lake/airports/airports.csv: "), "{text}");
}

#[tokio::test]
async fn a_crawl_of_nothing_but_denied_targets_fails() {
    let (world, mut session) = world().await;
    faults(&world).inject(at("lake", Operation::List, Effect::Denied));
    let error = rows(&mut session, "START CRAWLER c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    assert_eq!(crate::run(&mut session, "c").await[2], "FAILED");
    // Beside one that can be listed it is told.
    let bucket = world.bucket_url();
    put(&world.tmp(), "t/a.csv", "id,name\n1,x\n2,y\n");
    let alter = format!("ALTER CRAWLER c TARGETS ('{bucket}/lake', '{}')", world.tmp().join("t").display());
    rows(&mut session, &alter).await.unwrap();
    assert_eq!(start(&mut session, "c").await, ["CREATED t 0"]);
    assert!(told(&mut session, "c").await.contains(&format!("{bucket}/lake")));
}

#[tokio::test]
async fn several_targets_may_overlap_and_hold_tables_of_one_name() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    for (place, value) in [("a", 1), ("b", 2)] {
        put(&world.tmp(), &format!("{place}/t/rows.csv"), format!("id,name\n{value},x\n{value},y\n"));
        put(&world.tmp(), &format!("{place}/only_{place}/rows.json"), "{\"k\": true}\n");
    }
    let place = |name: &str| world.tmp().join(name).display().to_string();
    let create =
        format!("CREATE CRAWLER c DATABASE d TARGETS ('{}', '{}', '{}')", place("a"), place("b"), place("a/t"));
    rows(&mut session, &create).await.unwrap();
    let tables = start(&mut session, "c").await;
    assert_eq!(
        tables,
        ["CREATED only_a 0", "CREATED only_b 0", "CREATED t 0", "CREATED t_2 0 the name \"t\" is taken"]
    );
    assert_eq!(lines(&mut session, "SELECT sum(id) FROM d.t").await, ["2"]);
    assert_eq!(lines(&mut session, "SELECT sum(id) FROM d.t_2").await, ["4"]);
    let again = start(&mut session, "c").await;
    assert_eq!(again, ["UNCHANGED only_a 0", "UNCHANGED only_b 0", "UNCHANGED t 0", "UNCHANGED t_2 0"]);
}

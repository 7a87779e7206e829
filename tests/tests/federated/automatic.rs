//! Materialized views that are refreshed by themselves: beside each other, each by one process, those of streams and those
//! of tables.

use crate::World;
use millrace_engine::maintenance;
use std::time::Duration;

/// Waits until a query gives a line.
async fn wait_for(world: &mut World, text: &str, line: &str) {
    let mut left = 500;
    while world.line(text).await != line {
        left -= 1;
        assert!(left > 0, "{text} does not give {line}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A world whose views are looked at often.
async fn refreshing() -> World {
    let mut world = World::with(|mut config| {
        config.maintenance.refresh_interval = Duration::from_millis(20);
        config
    })
    .await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world
}

#[tokio::test]
async fn a_view_may_refresh_itself() {
    let mut world = refreshing().await;
    world.line("CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT id, text FROM ks.events").await;
    maintenance::start(world.session.warehouse());
    for id in 1..=3 {
        world.memory.stream.put(&[(id, Some("x"))]);
        wait_for(&mut world, "SELECT count(*) FROM v", &id.to_string()).await;
    }
    let text = "SELECT DISTINCT refresh_type FROM sys_mv_refresh_history";
    assert_eq!(world.line(text).await, "Auto");
    assert_eq!(world.line("SELECT autorefresh FROM stv_mv_info").await, "t");
}

#[tokio::test]
async fn a_view_with_much_to_read_keeps_no_other_waiting() {
    let mut world = refreshing().await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    world.line("CREATE MATERIALIZED VIEW much AUTO REFRESH YES AS SELECT id FROM ks.events").await;
    let go_on = world.memory.stream.hold();
    maintenance::start(world.session.warehouse());
    while !world.memory.stream.is_held() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.line("CREATE MATERIALIZED VIEW little AUTO REFRESH YES AS SELECT id FROM ks.events").await;
    wait_for(&mut world, "SELECT id FROM little ORDER BY id", "1 2").await;
    // Not once only.
    world.memory.stream.put(&[(3, Some("c"))]);
    wait_for(&mut world, "SELECT id FROM little ORDER BY id", "1 2 3").await;
    assert_eq!(world.line("SELECT count(*) FROM much").await, "0");
    go_on.send(true).unwrap();
    wait_for(&mut world, "SELECT id FROM much ORDER BY id", "1 2 3").await;
}

#[tokio::test]
async fn a_view_that_another_process_refreshes_is_left_to_it() {
    let mut world = refreshing().await;
    let catalog = std::sync::Arc::clone(world.session.warehouse().catalog());
    let mut leases = Vec::new();
    for name in ["hers", "ours"] {
        let create = format!("CREATE MATERIALIZED VIEW {name} AUTO REFRESH YES AS SELECT id FROM ks.events");
        world.line(&create).await;
        let snapshot = catalog.snapshot().await.unwrap();
        leases.push(format!("refresh of {}", snapshot.managed_table("default", name).unwrap().id));
    }
    assert!(catalog.take_lease(&leases[0], "another", 20_000).await.unwrap());
    world.memory.stream.put(&[(1, Some("a"))]);
    maintenance::start(world.session.warehouse());
    wait_for(&mut world, "SELECT id FROM ours", "1").await;
    assert_eq!(world.line("SELECT count(*) FROM hers").await, "0");
    assert!(!catalog.take_lease(&leases[1], "another", 20_000).await.unwrap());
    catalog.end_lease(&leases[0], "another").await.unwrap();
    wait_for(&mut world, "SELECT id FROM hers", "1").await;
}

#[tokio::test]
async fn a_view_of_tables_may_refresh_itself() {
    let mut world = refreshing().await;
    world.line("CREATE TABLE sales (seller int, price int)").await;
    world.line("CREATE TABLE other (a int)").await;
    let create = "CREATE MATERIALIZED VIEW totals AUTO REFRESH YES AS
                  SELECT seller, sum(price) AS total FROM sales GROUP BY seller";
    world.line(create).await;
    world.line("CREATE MATERIALIZED VIEW top AS SELECT max(total) AS most FROM totals").await;
    maintenance::start(world.session.warehouse());
    world.line("INSERT INTO sales VALUES (1, 10), (2, 20)").await;
    let fresh = "SELECT seller, total FROM totals ORDER BY seller";
    wait_for(&mut world, fresh, "1,10 2,20").await;
    world.line("DELETE FROM sales WHERE seller = 2").await;
    wait_for(&mut world, fresh, "1,10").await;
    let told = "SELECT DISTINCT refresh_type, status FROM svl_mv_refresh_status ORDER BY 2";
    let (anew, added) =
        ("Refresh successfully recomputed MV from scratch", "Refresh successfully updated MV incrementally");
    // It is told a moment after its rows are seen.
    wait_for(&mut world, told, &format!("Auto,{anew} Auto,{added}")).await;
    // What it does not read changes nothing of it, and nobody is told of a refresh that found nothing to do.
    let count = "SELECT count(*) FROM svl_mv_refresh_status";
    let before = world.line(count).await;
    world.line("INSERT INTO other VALUES (1)").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.line(count).await, before);
    let infos = "SELECT name, is_stale, autorefresh FROM svv_mv_info ORDER BY name";
    assert_eq!(world.line(infos).await, "top,t,f totals,f,t");
    world.line("ALTER MATERIALIZED VIEW top AUTO REFRESH YES").await;
    wait_for(&mut world, "SELECT most FROM top", "10").await;
    world.line("ALTER MATERIALIZED VIEW totals AUTO REFRESH NO").await;
    assert_eq!(world.line(infos).await, "top,f,t totals,f,f");
    // Those that may have begun before.
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.line("INSERT INTO sales VALUES (3, 30)").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.line(fresh).await, "1,10");
}

#[tokio::test]
async fn a_refresh_by_itself_that_fails_is_told_and_keeps_no_other_from_it() {
    let mut world = refreshing().await;
    world.line("CREATE TABLE numbers (a int)").await;
    world.line("CREATE MATERIALIZED VIEW bad AUTO REFRESH YES AS SELECT 10 / a AS b FROM numbers").await;
    world.line("CREATE MATERIALIZED VIEW good AUTO REFRESH YES AS SELECT a FROM numbers").await;
    maintenance::start(world.session.warehouse());
    world.line("INSERT INTO numbers VALUES (0)").await;
    wait_for(&mut world, "SELECT a FROM good", "0").await;
    let failed = "SELECT DISTINCT mv_name, refresh_type, left(status, 15) FROM svl_mv_refresh_status \
                  WHERE status LIKE 'Refresh failed%'";
    wait_for(&mut world, failed, "bad,Auto,Refresh failed.").await;
    world.line("DELETE FROM numbers").await;
    wait_for(&mut world, "SELECT is_stale FROM svv_mv_info WHERE name = 'bad'", "f").await;
}

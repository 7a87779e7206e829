//! Materialized views of streams: what came since the last refresh is added, once.

use crate::World;
use millrace_engine::{Session, maintenance};
use millrace_tests::database::rows;
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn world(view: &str) -> World {
    let mut world = World::new().await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world.line(view).await;
    world
}

const VIEW: &str = "CREATE MATERIALIZED VIEW v AS SELECT id, upper(text) AS text FROM ks.events WHERE id <> 4";

#[tokio::test]
async fn a_refresh_adds_what_came() {
    let mut world = world(VIEW).await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b")), (4, Some("x"))]);
    // It is empty until it is refreshed, as in Redshift.
    assert_eq!(world.line("SELECT count(*) FROM v").await, "0");
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT id, text FROM v ORDER BY id").await, "1,A 2,B");
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT count(*) FROM v").await, "2");
    world.memory.stream.put(&[(3, Some("c")), (6, None), (8, Some("d"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT id, text FROM v ORDER BY id").await, "1,A 2,B 3,C 8,D");
    let text = "SELECT external_schema_name, stream_name, mv_name, partition_id, latest_position, scanned_rows, \
                skipped_rows, scanned_bytes, stream_record_time_max FROM sys_stream_scan_states \
                ORDER BY record_time, partition_id";
    let came = "1970-01-01 00:00:01";
    let states = [
        format!("ks,events,v,even,2,2,0,20,{came}"),
        format!("ks,events,v,odd,1,1,0,10,{came}"),
        format!("ks,events,v,even,4,2,1,20,{came}"),
        format!("ks,events,v,odd,2,1,0,10,{came}"),
    ];
    assert_eq!(world.line(text).await, states.join(" "));
    let text = "SELECT mv_name, stream_timestamp, partition_id, position, error_code, error_reason \
                FROM sys_stream_scan_errors";
    assert_eq!(world.line(text).await, format!("v,{came},even,6,1216,it is no JSON"));
    let text = "SELECT status FROM svl_mv_refresh_status ORDER BY starttime";
    let (added, none) = ("Refresh successfully updated MV incrementally", "MV was already updated");
    assert_eq!(world.line(text).await, format!("{added} {none} {added}"));
}

#[tokio::test]
async fn what_is_not_committed_is_read_again() {
    let mut world = world(VIEW).await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    world.line("BEGIN").await;
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT count(*) FROM v").await, "2");
    world.line("ROLLBACK").await;
    assert_eq!(world.line("SELECT count(*) FROM v").await, "0");
    world.memory.stream.breaks.store(true, Ordering::Relaxed);
    assert_eq!(world.error("REFRESH MATERIALIZED VIEW v").await.sqlstate(), "08006");
    assert_eq!(world.line("SELECT count(*) FROM v").await, "0");
    world.memory.stream.breaks.store(false, Ordering::Relaxed);
    world.memory.stream.put(&[(3, Some("c"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 2 3");
}

#[tokio::test]
async fn refreshes_at_the_same_time_add_each_record_once() {
    let mut world = world(VIEW).await;
    let warehouse = std::sync::Arc::clone(world.session.warehouse());
    let refreshers = (0..4).map(|_| {
        let warehouse = std::sync::Arc::clone(&warehouse);
        tokio::spawn(async move {
            let mut session = Session::new(warehouse);
            for _ in 0..10 {
                // One that came too late may say so.
                match rows(&mut session, "REFRESH MATERIALIZED VIEW v").await {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.sqlstate(), "40001", "{error}"),
                }
            }
        })
    });
    let refreshers: Vec<_> = refreshers.collect();
    for id in 100..200 {
        world.memory.stream.put(&[(id, Some("x"))]);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for refresher in refreshers {
        refresher.await.unwrap();
    }
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT count(*), count(DISTINCT id), sum(id) FROM v").await, "100,100,14950");
}

#[tokio::test]
async fn a_view_may_refresh_itself() {
    let mut world = World::with(|mut config| {
        config.maintenance.refresh_interval = Duration::from_millis(20);
        config
    })
    .await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world.line("CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS SELECT id, text FROM ks.events").await;
    maintenance::start(world.session.warehouse());
    for id in 1..=3 {
        world.memory.stream.put(&[(id, Some("x"))]);
        let mut left = 500;
        while world.line("SELECT count(*) FROM v").await != id.to_string() {
            left -= 1;
            assert!(left > 0, "it is not refreshed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let text = "SELECT DISTINCT refresh_type FROM sys_mv_refresh_history";
    assert_eq!(world.line(text).await, "Auto");
    assert_eq!(world.line("SELECT autorefresh FROM stv_mv_info").await, "t");
}

#[tokio::test]
async fn what_is_no_stream_row_by_row_is_computed_anew() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM ks.events").await;
    assert_eq!(world.line("SELECT n FROM v").await, "0");
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT n FROM v").await, "2");
    for text in [
        "CREATE MATERIALIZED VIEW w AUTO REFRESH YES AS SELECT count(*) AS n FROM ks.events",
        "CREATE MATERIALIZED VIEW w AUTO REFRESH YES AS SELECT id FROM mem.orders",
    ] {
        assert_eq!(world.error(text).await.sqlstate(), "0A000", "{text}");
    }
}

//! Materialized views of streams: what came since the last refresh is added, once.

use crate::World;
use millrace_engine::{Session, Severity};
use millrace_tests::database::rows;
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
        format!("ks,events,v,shard-0,3,2,0,20,{came}"),
        format!("ks,events,v,shard-1,1,1,0,10,{came}"),
        format!("ks,events,v,shard-0,6,2,1,20,{came}"),
        format!("ks,events,v,shard-1,4,1,0,10,{came}"),
    ];
    assert_eq!(world.line(text).await, states.join(" "));
    let text = "SELECT mv_name, stream_timestamp, partition_id, position, error_code, error_reason \
                FROM sys_stream_scan_errors";
    assert_eq!(world.line(text).await, format!("v,{came},shard-0,5,1216,it is no JSON"));
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
    // Nothing of it is told, for nothing of it was done.
    for told in ["sys_stream_scan_states", "svl_mv_refresh_status"] {
        assert_eq!(world.line(&format!("SELECT count(*) FROM {told}")).await, "0", "{told}");
    }
    world.memory.stream.fail_after(1);
    assert_eq!(world.error("REFRESH MATERIALIZED VIEW v").await.sqlstate(), "08006");
    assert_eq!(world.line("SELECT count(*) FROM v").await, "0");
    assert_eq!(world.line("SELECT status FROM svl_mv_refresh_status").await, "Refresh failed. the stream went away");
    world.memory.stream.put(&[(3, Some("c"))]);
    world.line("BEGIN").await;
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.memory.stream.put(&[(5, Some("e"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.line("COMMIT").await;
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 2 3 5");
    assert_eq!(world.line("SELECT sum(scanned_rows) FROM sys_stream_scan_states").await, "4");
}

#[tokio::test]
async fn shards_are_followed_over_splits_and_merges() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    let put = |world: &World, ids: std::ops::Range<i64>| {
        world.memory.stream.put(&ids.map(|id| (id, Some("x"))).collect::<Vec<_>>());
    };
    let sum = "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM v";
    put(&world, 0..10);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    put(&world, 10..20);
    world.memory.stream.reshard(1, 2);
    put(&world, 20..30);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line(sum).await, "30,30,0,29");
    // Closed, and closed again, with nothing in between.
    world.memory.stream.reshard(3, 1);
    world.memory.stream.reshard(1, 4);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    put(&world, 30..50);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line(sum).await, "50,50,0,49");
}

#[tokio::test]
async fn another_stream_of_the_name_is_not_taken_for_the_one_that_was() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.memory.stream.create();
    world.memory.stream.put(&[(3, Some("c"))]);
    let error = world.error("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(error.to_string(), "the checkpoint is of another stream");
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 2");
    // Where it was goes with the view.
    world.line("DROP MATERIALIZED VIEW v").await;
    world.line("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    world.line("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(world.line("SELECT id FROM v").await, "3");
}

#[tokio::test]
async fn what_the_stream_dropped_unread_is_told() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    world.memory.stream.put(&[(1, Some("a"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.memory.stream.put(&[(2, Some("b"))]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.memory.stream.retain(Duration::from_millis(10));
    world.memory.stream.put(&[(3, Some("c"))]);
    let refresh = &world.session.parse("REFRESH MATERIALIZED VIEW v").unwrap()[0];
    let notices = world.session.execute(refresh).await.unwrap().notices;
    let [lost, done] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(lost.severity, Severity::Warning);
    let (before, after) = ("records of stream \"events\" that came between ", " may be lost: it dropped them");
    assert!(lost.message.starts_with(before) && lost.message.ends_with(after), "{lost:?}");
    assert_eq!(done.message, "Materialized view v was incrementally updated successfully.");
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 3");
    let text =
        "SELECT stream_name, mv_name, partition_id, error_code, left(error_reason, 26) FROM sys_stream_scan_errors";
    assert_eq!(world.line(text).await, "events,v,NULL,1217,records of stream \"events\"");
}

#[tokio::test]
async fn of_two_blocks_that_refresh_one_commits() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    let mut other = Session::new(std::sync::Arc::clone(world.session.warehouse()));
    for text in ["BEGIN", "REFRESH MATERIALIZED VIEW v"] {
        world.line(text).await;
        rows(&mut other, text).await.unwrap();
    }
    world.line("COMMIT").await;
    assert_eq!(rows(&mut other, "COMMIT").await.unwrap_err().sqlstate(), "40001");
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 2");
    // Redshift's documentation of SVL_MV_REFRESH_STATUS: the status of a refresh that could not be committed.
    let statuses = world.line("SELECT status FROM svl_mv_refresh_status ORDER BY endtime").await;
    let (added, late) =
        ("Refresh successfully updated MV incrementally", "Refresh failed. Serializable isolation violation");
    assert_eq!(statuses, format!("{added} {late}"));
    assert_eq!(world.line("SELECT count(DISTINCT query_id) FROM sys_stream_scan_states").await, "1");
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
                // One that came too late begins again.
                rows(&mut session, "REFRESH MATERIALIZED VIEW v").await.unwrap();
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
async fn a_refresh_of_several_views_tells_of_each() {
    let mut world = world("CREATE MATERIALIZED VIEW first AS SELECT id FROM ks.events").await;
    world.line("CREATE MATERIALIZED VIEW second AS SELECT id, 10 / id AS part FROM first").await;
    world.line("CREATE MATERIALIZED VIEW more AS SELECT id, text FROM ks.events").await;
    world.line("CREATE MATERIALIZED VIEW third AS SELECT max(m.text) AS most FROM first f, second s, more m").await;
    world.memory.stream.put(&[(1, Some("a")), (2, Some("b"))]);
    let refresh = &world.session.parse("REFRESH MATERIALIZED VIEW third CASCADE").unwrap()[0];
    let notices = world.session.execute(refresh).await.unwrap().notices;
    let told: Vec<&str> = notices.iter().map(|notice| notice.message.as_str()).collect();
    // One that two read is refreshed once.
    let expected = [
        "Materialized view first was incrementally updated successfully.",
        "Materialized view second was incrementally updated successfully.",
        "Materialized view more was incrementally updated successfully.",
        "Materialized view third was recomputed successfully.",
    ];
    assert_eq!(told, expected);
    let statuses = "SELECT mv_name, status FROM svl_mv_refresh_status ORDER BY mv_name";
    let (anew, added) =
        ("Refresh successfully recomputed MV from scratch", "Refresh successfully updated MV incrementally");
    assert_eq!(world.line(statuses).await, format!("first,{added} more,{added} second,{added} third,{anew}"));
    let scanned = "SELECT mv_name, sum(scanned_rows) FROM sys_stream_scan_states GROUP BY 1 ORDER BY 1";
    assert_eq!(world.line(scanned).await, "first,2 more,2");
    // Redshift's documentation of SVL_MV_REFRESH_STATUS: what became of those that a failure kept as they were.
    world.memory.stream.put(&[(0, Some("z"))]);
    assert_eq!(world.error("REFRESH MATERIALIZED VIEW third CASCADE").await.sqlstate(), "22012");
    assert_eq!(world.line("SELECT count(*) FROM first").await, "2");
    let kept = "Cascade refresh failed because materialized view default.second was not refreshed.";
    let told = "SELECT mv_name, status FROM svl_mv_refresh_status WHERE status LIKE '% failed%' ORDER BY mv_name";
    let told = world.line(told).await;
    let expected = format!("first,{kept} second,Refresh failed. ");
    assert!(told.starts_with(&expected) && told.ends_with(&format!("third,{kept}")), "{told}");
}

#[tokio::test]
async fn schemas_of_streams_have_no_views_in_them_and_views_keep_them() {
    let mut world = world("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    let error = world.error("CREATE MATERIALIZED VIEW ks.w AS SELECT id FROM ks.events").await;
    let refused = "a materialized view in \"ks\", a schema of Kinesis, is not supported";
    assert_eq!((error.sqlstate(), error.message.as_str()), ("0A000", refused));
    world.memory.stream.put(&[(1, Some("a")), (3, None)]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.line("CREATE VIEW late AS SELECT id FROM ks.events WITH NO SCHEMA BINDING").await;
    let error = world.error("DROP SCHEMA ks").await;
    assert_eq!(
        (error.sqlstate(), error.message.as_str()),
        ("2BP01", "cannot drop schema ks because other objects depend on it")
    );
    assert_eq!(world.line("SELECT id FROM v").await, "1");
    world.line("DROP SCHEMA ks CASCADE").await;
    assert_eq!(world.error("SELECT 1 FROM v").await.sqlstate(), "42P01");
    assert_eq!(world.error("SELECT 1 FROM late").await.sqlstate(), "3F000");
    assert_eq!(world.line("SELECT count(*) FROM pg_views WHERE viewname = 'late'").await, "1");
    assert_eq!(world.line("SELECT count(*) FROM stv_mv_info").await, "0");
    // What was read stays told of, as what was refreshed.
    assert_eq!(world.line("SELECT sum(scanned_rows) FROM sys_stream_scan_states WHERE mv_name = 'v'").await, "2");
    assert_eq!(world.line("SELECT count(*) FROM sys_stream_scan_errors WHERE mv_name = 'v'").await, "1");
    assert_eq!(world.line("SELECT count(*) FROM svl_mv_refresh_status WHERE mv_name = 'v'").await, "1");
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
        // What such a condition refuses now it would have to be asked again.
        "CREATE MATERIALIZED VIEW w AUTO REFRESH YES AS SELECT id FROM ks.events WHERE getdate() > '2030-01-01'",
    ] {
        assert_eq!(world.error(text).await.sqlstate(), "0A000", "{text}");
    }
}

#[tokio::test]
async fn views_and_functions_between_are_those_of_each_refresh() {
    let mut world = world("CREATE VIEW good AS SELECT id, text FROM ks.events WHERE id < 10").await;
    world.line("CREATE MATERIALIZED VIEW v AS SELECT id FROM good").await;
    world.memory.stream.put(&[(1, Some("a")), (12, Some("b"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    world.line("CREATE OR REPLACE VIEW good AS SELECT id, text FROM ks.events WHERE id < 20").await;
    world.memory.stream.put(&[(2, Some("a")), (13, Some("b"))]);
    world.line("REFRESH MATERIALIZED VIEW v").await;
    // Records that were taken before are not looked at again.
    assert_eq!(world.line("SELECT id FROM v ORDER BY id").await, "1 2 13");
    world.line("CREATE OR REPLACE VIEW good AS SELECT id, \"Name\" AS text FROM mem.orders").await;
    let error = world.error("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(error.message, "materialized view \"v\" no longer reads the stream ks.events");
    // Nothing can satisfy this condition, and nothing is read.
    world.line("CREATE MATERIALIZED VIEW none AS SELECT id FROM ks.events WHERE 1 = 2").await;
    world.line("REFRESH MATERIALIZED VIEW none").await;
    assert_eq!(world.line("SELECT count(*) FROM none").await, "0");
}

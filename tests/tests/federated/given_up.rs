//! Statements that end before their time, because the system fails after some rows or because nobody waits for it any more:
//! nothing of them stays in the warehouse, and nothing that they opened stays open.

use crate::World;
use std::time::Duration;

/// How long a system is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Statements that write what they read of a table.
fn writing(table: &str) -> [String; 4] {
    [
        format!("INSERT INTO kept SELECT id FROM mem.{table}"),
        format!("CREATE TABLE made AS SELECT id FROM mem.{table}"),
        format!("UPDATE kept SET id = d.id FROM mem.{table} d WHERE kept.id < d.id"),
        format!("DELETE FROM kept USING mem.{table} d WHERE kept.id < d.id"),
    ]
}

async fn world() -> World {
    let mut world = World::new().await;
    world.line("CREATE TABLE kept (id bigint)").await;
    world.line("INSERT INTO kept VALUES (0)").await;
    world
}

/// The warehouse is as it was.
async fn nothing_is_written(world: &mut World, after: &str) {
    assert_eq!(world.line("SELECT count(*), sum(id) FROM kept").await, "1,0", "{after}");
    assert_eq!(world.error("SELECT 1 FROM made").await.sqlstate(), "42P01", "{after}");
}

/// Waits until as many splits were closed as begun, which are some.
async fn all_is_closed(world: &World, after: &str) {
    let (mut begun, mut closed) = (0, 0);
    for _ in 0..3_000 {
        let events = world.memory.take_events();
        begun += events.iter().filter(|event| event.starts_with("begin")).count();
        closed += events.iter().filter(|event| event.starts_with("close")).count();
        if begun > 0 && begun == closed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{after}: {begun} splits were begun, {closed} closed");
}

#[tokio::test]
async fn what_fails_after_some_rows_leaves_nothing() {
    let mut world = world().await;
    for text in writing("dies") {
        assert_eq!(world.error(&text).await.sqlstate(), "22000", "{text}");
        nothing_is_written(&mut world, &text).await;
    }
    // A block that wrote before is undone as a whole.
    world.line("BEGIN").await;
    world.line("INSERT INTO kept VALUES (5)").await;
    assert_eq!(world.error("INSERT INTO kept SELECT id FROM mem.dies").await.sqlstate(), "22000");
    assert_eq!(world.error("SELECT 1").await.sqlstate(), "25P02");
    world.line("ROLLBACK").await;
    nothing_is_written(&mut world, "ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_canceled_closes_what_it_opened() {
    let mut world = world().await;
    let reading = ["SELECT id FROM mem.waits", "SELECT name, count(*) FROM mem.waits GROUP BY name"].map(str::to_owned);
    for text in reading.into_iter().chain(writing("waits")) {
        world.line(&format!("SET statement_timeout TO {}", PATIENCE.as_millis())).await;
        assert_eq!(world.error(&text).await.sqlstate(), "57014", "{text}");
        world.line("SET statement_timeout TO 0").await;
        all_is_closed(&world, &text).await;
        // A client that cancels, or leaves, drops the statement.
        let dropped = tokio::time::timeout(PATIENCE, world.rows(&text)).await;
        assert!(dropped.is_err(), "{text}: {dropped:?}");
        all_is_closed(&world, &text).await;
        nothing_is_written(&mut world, &text).await;
    }
}

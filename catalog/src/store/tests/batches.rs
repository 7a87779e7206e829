//! Statements that wait for the next one: they are run in order, all of them or none.

use super::*;

const INSERT: &str = "INSERT INTO notes VALUES ($1, $2)";

/// A catalog with a table of notes that has one of the number 1.
async fn place_with_notes() -> Place {
    let place = Place::new().await;
    let mut write = place.catalog.write().await.unwrap();
    write.execute_later(sql("CREATE TABLE notes (id BIGINT PRIMARY KEY, note VARCHAR)")).await.unwrap();
    write.execute_later(sql(INSERT).bind(1_i64).bind("first")).await.unwrap();
    write.commit_uncounted().await.unwrap();
    place
}

async fn notes(catalog: &Catalog) -> Vec<(i64, String)> {
    let mut lease = catalog.read().await.unwrap();
    let notes = lease.all(sql("SELECT id, note FROM notes ORDER BY id")).await.unwrap();
    lease.release();
    notes
}

#[tokio::test]
async fn what_waits_is_done_before_what_is_waited_for() {
    let place = place_with_notes().await;
    let mut write = place.catalog.write().await.unwrap();
    // More than are sent at once.
    for id in 2..60_i64 {
        write.execute_later(sql(INSERT).bind(id).bind(format!("note {id}"))).await.unwrap();
    }
    write.execute_later(sql("UPDATE notes SET note = $1 WHERE id > $2").bind("late").bind(50_i64)).await.unwrap();
    let delete = sql("DELETE FROM notes WHERE note = $1 OR id = $2").bind("late").bind(7_i64);
    assert_eq!(write.execute(delete).await.unwrap(), 10, "rows of the last statement alone");
    write.execute_later(sql("DELETE FROM notes WHERE id BETWEEN $1 AND $2").bind(3_i64).bind(48_i64)).await.unwrap();
    let found: Vec<(i64,)> =
        write.all(sql("SELECT id FROM notes WHERE id > $1 ORDER BY id").bind(1_i64)).await.unwrap();
    assert_eq!(found, [(2,), (49,), (50,)]);
    write.execute_later(sql("DELETE FROM notes WHERE id >= $1").bind(49_i64)).await.unwrap();
    let found: Option<(String,)> = write.first(sql("SELECT note FROM notes ORDER BY id DESC")).await.unwrap();
    assert_eq!(found, Some(("note 2".to_owned(),)));
    write.execute_later(sql(INSERT).bind(3_i64).bind("last")).await.unwrap();
    write.commit_uncounted().await.unwrap();
    let expected = [(1, "first"), (2, "note 2"), (3, "last")].map(|(id, note)| (id, note.to_owned()));
    assert_eq!(notes(&place.another().await).await, expected);
}

#[tokio::test]
async fn a_commit_fails_with_what_waited_for_it() {
    let place = place_with_notes().await;
    let mut write = place.catalog.write().await.unwrap();
    write.execute_later(sql(INSERT).bind(2_i64).bind("second")).await.unwrap();
    // A server says at once that the number is taken.
    let ended = match write.execute_later(sql(INSERT).bind(1_i64).bind("again")).await {
        Ok(()) => write.commit_uncounted().await,
        Err(error) => {
            drop(write);
            Err(error)
        }
    };
    assert!(ended.is_err());
    assert_eq!(notes(&place.catalog).await, [(1, "first".to_owned())]);

    let mut write = place.catalog.write().await.unwrap();
    write.execute_later(sql(INSERT).bind(2_i64).bind("second")).await.unwrap();
    write.abandon().await.unwrap();
    assert_eq!(notes(&place.catalog).await, [(1, "first".to_owned())]);
}

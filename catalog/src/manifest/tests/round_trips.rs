//! How often a commit of a few rows has the database wait for it. In a file that is what it costs: the connection's thread
//! is woken and wakes us. A server is sent each statement by itself.

use super::*;
use crate::model::Database;
use crate::store::Database as Kind;

/// A catalog in a file with a table whose first rows are there, so that its last commit is known; `None` for a server.
async fn place_with_rows() -> Option<(Place, i64)> {
    let place = Place::new().await;
    if place.catalog.place().database() != Kind::Sqlite {
        return None;
    }
    let t = place.table("t").await;
    for value in 0..2 {
        place.commit(&[inline(t, &[(value, "x")])]).await;
    }
    Some((place, t))
}

#[tokio::test]
async fn a_row_costs_two() {
    let Some((place, t)) = place_with_rows().await else { return };
    let before = place.catalog.round_trips();
    let base = place.newest().await;
    assert_eq!(place.catalog.round_trips() - before, 1, "whether others have committed");
    for value in 2..6 {
        let before = place.catalog.round_trips();
        // It is the greatest yet of both columns.
        let text = "y".repeat(value as usize);
        let changes = [inline(t, &[(value, text.as_str())])];
        let made = try_commit(&place.catalog, base + value - 2, &[], &changes).await.unwrap();
        assert_eq!(made.snapshot_id, base + value - 1);
        assert_eq!(
            place.catalog.round_trips() - before,
            2,
            "to begin with the newest snapshot, and to commit the rest"
        );
    }
    let another = place.another().await;
    let expected: Vec<_> = (0..6).map(|value| (value, InlinedValue::Integer(value))).collect();
    assert_eq!(numbers(&another.inlined_rows(t, base + 4).await.unwrap()), expected);
    assert_eq!(newest(&another).await, base + 4);
    let known = another.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.next_row_id), (6, 6));
    let bounds = [&known.columns[&1], &known.columns[&2]].map(|known| known.maximum.as_deref());
    assert_eq!(bounds, [Some("5"), Some("yyyyy")]);
}

#[tokio::test]
async fn one_that_is_refused_costs_no_more() {
    let Some((place, t)) = place_with_rows().await else { return };
    let base = place.newest().await;
    place.commit(&[inline(t, &[(2, "x")])]).await;
    let before = place.catalog.round_trips();
    let refused = try_commit(&place.catalog, base, &[t], &[inline(t, &[(3, "x")])]).await;
    assert_eq!(collision(refused), t);
    assert_eq!(place.catalog.round_trips() - before, 3, "to begin, to ask what others did, to take it back");
    assert_eq!(ids(&place.inlined(t).await), [0, 1, 2]);
}

#[tokio::test]
async fn each_of_a_group_costs_one() {
    let Some((place, t)) = place_with_rows().await else { return };
    let base = place.newest().await;
    let before = place.catalog.round_trips();
    let write = place.catalog.write().await.unwrap();
    let changes: Vec<_> = (2..7).map(|value| [inline(t, &[(value, "z")])]).collect();
    let commits = changes.iter().map(|changes| try_commit(&place.catalog, base, &[], changes));
    let let_go = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        write.abandon().await.unwrap();
    };
    let (made, ()) = tokio::join!(futures::future::join_all(commits), let_go);
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    assert_eq!(place.catalog.round_trips() - before, 2 + 1 + 5 + 1, "the first writer, the lock, each, the commit");
    assert_eq!(ids(&place.another().await.inlined_rows(t, base + 5).await.unwrap()), [0, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn after_a_commit_of_its_own_a_process_need_not_ask() {
    let Some((place, t)) = place_with_rows().await else { return };
    place.catalog.watch_commits().await.unwrap();
    place.newest().await;
    for value in 2..5 {
        let base = place.newest().await;
        let before = place.catalog.round_trips();
        place.commit(&[inline(t, &[(value, "x")])]).await;
        assert_eq!(place.newest().await, base + 1);
        assert_eq!(place.catalog.round_trips() - before, 2, "those of the commit");
    }
    let known = place.catalog.unchanged().unwrap();
    assert_eq!(newest(&place.another().await).await, known.manifest_version());
}

/// Whatever others commit, before or after a commit of ours, is seen.
#[tokio::test]
async fn what_others_commit_beside_it_is_seen() {
    let Some((place, t)) = place_with_rows().await else { return };
    let another = place.another().await;
    place.catalog.watch_commits().await.unwrap();
    place.newest().await;
    commit(&another, &[inline(t, &[(2, "other")])]).await;
    assert!(place.catalog.unchanged().is_none());
    let base = place.newest().await;

    // One that we have not looked at when we commit.
    another.create_database(&Database::new("d"), false).await.unwrap();
    try_commit(&place.catalog, base, &[], &[inline(t, &[(3, "ours")])]).await.unwrap();
    assert!(place.catalog.unchanged().is_none());
    assert!(place.catalog.snapshot().await.unwrap().database("d").is_some());
    assert_eq!(place.newest().await, base + 1);

    let base = place.newest().await;
    commit(&another, &[inline(t, &[(4, "other")])]).await;
    try_commit(&place.catalog, base, &[], &[inline(t, &[(5, "ours")])]).await.unwrap();
    assert!(place.catalog.unchanged().is_none());
    assert_eq!(place.newest().await, base + 2);
    assert_eq!(ids(&place.inlined(t).await), [0, 1, 2, 3, 4, 5]);

    // Files bring estimates with them, which are asked for.
    place.commit(&[add(t, "file", 5)]).await;
    assert!(place.catalog.unchanged().is_none());
    place.commit(&[inline(t, &[(6, "ours")])]).await;
    commit(&another, &[ManifestChange::DropTable { table: t }]).await;
    assert!(place.catalog.unchanged().is_none());
    assert!(place.catalog.snapshot().await.unwrap().managed_table("default", "t").is_none());
}

//! Commits of several tasks of one process that are ready at the same time: they wait behind a writer, which then goes.

use super::*;
use crate::store::{Database, Write, sql_text};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

/// Lets go of the lock that everybody waits for, once everybody waits.
async fn let_go(write: Write<'_>) {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    write.abandon().await.unwrap();
}

#[tokio::test]
async fn each_has_a_snapshot_of_its_own_and_all_are_seen_at_once() {
    let place = Place::new().await;
    let another = place.another().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let commits = (0..20).map(|at| {
        let change = match at % 4 {
            0 => add(t, &format!("f{at}"), 10),
            1 => inline(u, &[(at, "u")]),
            _ => inline(t, &[(at, "x"), (at, "y")]),
        };
        let catalog = &place.catalog;
        async move { try_commit(catalog, base, &[], &[change]).await.unwrap().snapshot_id }
    });
    let watch = async {
        let mut seen = BTreeSet::new();
        while seen.last() != Some(&(base + 20)) {
            seen.insert(newest(&another).await);
        }
        seen
    };
    let (snapshots, (), seen) = tokio::join!(join_all(commits), let_go(write), watch);
    assert_eq!(snapshots, (base + 1..=base + 20).collect::<Vec<_>>(), "in the order in which they came");
    assert!(seen.is_subset(&[base, base + 20].into()), "others saw {seen:?}");
    for catalog in [&place.catalog, &another] {
        // Each snapshot shows the commits before it and none behind it.
        for at in 0..=20 {
            let shown = catalog.inlined_rows(t, base + at).await.unwrap();
            let expected = (0..at).filter(|at| at % 4 > 1).count() * 2;
            assert_eq!(ids(&shown).len(), expected, "at {at}");
            assert_eq!(catalog.data_files(t, base + at).await.unwrap().len() as i64, (at + 3) / 4, "at {at}");
        }
        let newest = base + 20;
        let files = catalog.data_files(t, newest).await.unwrap();
        let mut row_ids = ids(&catalog.inlined_rows(t, newest).await.unwrap());
        row_ids.extend(files.iter().flat_map(|file| file.row_id_start..file.row_id_start + 10));
        row_ids.sort_unstable();
        assert_eq!(row_ids, (0..70).collect::<Vec<_>>(), "no row id twice");
        let file_ids: BTreeSet<i64> = files.iter().map(|file| file.id).collect();
        assert_eq!(file_ids.len(), 5);
        assert_eq!(ids(&catalog.inlined_rows(u, newest).await.unwrap()), [0, 1, 2, 3, 4]);
        let known = catalog.table_statistics(t).await.unwrap();
        assert_eq!((known.record_count, known.next_row_id), (70, 70));
        assert_eq!(known.columns[&2].minimum, None, "the files tell nothing of b");
        let known = catalog.table_statistics(u).await.unwrap();
        let bounds = &known.columns[&1];
        assert_eq!((bounds.minimum.as_deref(), bounds.maximum.as_deref()), (Some("1"), Some("17")));
    }
    let times: Vec<i64> = place.catalog.snapshots().await.unwrap().iter().map(|snapshot| snapshot.time_ms).collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn one_that_is_refused_is_refused_alone() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    place.commit(&[inline(t, &[(1, "first")])]).await;
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let wrong = ManifestChange::InlineRows { table: u, rows: vec![row(1, "x"), Vec::new()] };
    let missing = ManifestChange::DeleteInlined { table: u, row_ids: vec![999] };
    // What each read, and what it does.
    let commits: [(Vec<i64>, Vec<ManifestChange>); 9] = [
        (vec![], vec![inline(t, &[(2, "second")])]),
        // It read what the one before it has changed, and has written a table before that is found out.
        (vec![t], vec![inline(u, &[(1, "skewed")]), add(u, "skewed", 1)]),
        (vec![], vec![inline(u, &[(3, "third")]), wrong]),
        (vec![], vec![ManifestChange::CreateTable(table("v")), inline(-1, &[(4, "fourth")])]),
        (vec![], vec![ManifestChange::CreateTable(table("v"))]),
        (vec![], vec![add(t, "file", 5), inline(u, &[(5, "fifth")]), missing]),
        (vec![u], vec![inline(t, &[(6, "sixth")])]),
        (vec![], vec![ManifestChange::DropTable { table: u }]),
        (vec![], vec![inline(u, &[(7, "too late")])]),
    ];
    let commits = commits.iter().map(|(reads, changes)| try_commit(&place.catalog, base, reads, changes));
    let (results, ()) = tokio::join!(join_all(commits), let_go(write));
    let made: Vec<Option<i64>> =
        results.iter().map(|result| result.as_ref().ok().map(|made| made.snapshot_id - base)).collect();
    let expected = [Some(1), None, None, Some(2), None, None, Some(3), Some(4), None];
    assert_eq!(made, expected, "{results:?}");
    let v = results[3].as_ref().unwrap().tables[&-1];
    let refused: Vec<CatalogError> = results.into_iter().filter_map(Result::err).collect();
    assert!(matches!(refused[0], CatalogError::Serialization { table_id } if table_id == t), "{refused:?}");
    assert!(matches!(refused[1], CatalogError::InvalidArgument(_)), "{refused:?}");
    assert!(matches!(refused[2], CatalogError::AlreadyExists { .. }), "{refused:?}");
    assert!(matches!(refused[3], CatalogError::Serialization { table_id } if table_id == u), "{refused:?}");
    assert!(matches!(refused[4], CatalogError::Serialization { table_id } if table_id == u), "{refused:?}");
    for catalog in [&place.catalog, &place.another().await] {
        let found = catalog.inlined_rows(t, base + 4).await.unwrap();
        let texts: Vec<_> = found[0].rows.iter().map(|row| row.values[1].clone()).collect();
        assert_eq!(texts, ["first", "second", "sixth"].map(|text| InlinedValue::Text(text.to_owned())));
        assert_eq!(ids(&found), [0, 1, 2]);
        assert!(catalog.data_files(t, base + 4).await.unwrap().is_empty());
        assert_eq!(numbers(&catalog.inlined_rows(v, base + 4).await.unwrap()), [(0, InlinedValue::Integer(4))]);
        assert!(catalog.inlined_rows(u, base + 3).await.unwrap().is_empty());
        let snapshot = catalog.snapshot().await.unwrap();
        assert!(snapshot.managed_table("default", "u").is_none());
        let known = catalog.table_statistics(t).await.unwrap();
        assert_eq!((known.record_count, known.next_row_id), (3, 3));
    }
    // The numbers go on without those of who was refused.
    assert_eq!(place.commit(&[inline(t, &[(8, "next")])]).await.snapshot_id, base + 5);
}

#[tokio::test]
async fn who_goes_away_before_leaves_the_others() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let rows: Vec<_> = (0..6).map(|at| [inline(t, &[(at, "x")])]).collect();
    let mut commits: Vec<_> =
        rows.iter().map(|changes| Some(Box::pin(try_commit(&place.catalog, base, &[], changes)))).collect();
    for commit in commits.iter_mut().flatten() {
        assert!(futures::poll!(commit.as_mut()).is_pending());
    }
    // The first began the task that makes the group.
    for gone in [0, 3] {
        commits[gone] = None;
    }
    let (made, ()) = tokio::join!(join_all(commits.into_iter().flatten()), let_go(write));
    let snapshots: Vec<i64> = made.into_iter().map(|made| made.unwrap().snapshot_id).collect();
    assert_eq!(snapshots, (base + 1..=base + 4).collect::<Vec<_>>());
    let kept: Vec<i64> = [1, 2, 4, 5].to_vec();
    let expected: Vec<_> = (0..).zip(kept.into_iter().map(InlinedValue::Integer)).collect();
    assert_eq!(numbers(&place.inlined(t).await), expected);
}

/// At any time: a commit may be queued, taken, under way or made. Of those that stay none is lost, and none is made twice.
#[tokio::test]
async fn who_goes_away_at_any_time_loses_and_doubles_nothing() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    let (mut stayed, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..30_i64 {
        let commit = |value: i64| {
            let catalog = &place.catalog;
            async move { try_commit(catalog, base, &[], &[inline(t, &[(value, "x")])]).await }
        };
        let patience = Duration::from_micros(200 * round as u64);
        let leave = async {
            let commits = join_all((0..4).map(|at| commit(round * 10 + at)));
            let made = tokio::time::timeout(patience, commits).await;
            made.is_ok_and(|made| made.iter().all(Result::is_ok))
        };
        let (made, none_left) = tokio::join!(join_all((5..9).map(|at| commit(round * 10 + at))), leave);
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        stayed.extend((5..9).map(|at| round * 10 + at));
        let leaving = (0..4).map(|at| round * 10 + at);
        if none_left {
            stayed.extend(leaving);
        } else {
            gone.extend(leaving);
        }
    }
    place.catalog.queue().rest().await;
    let now = place.newest().await;
    let found = numbers(&place.another().await.inlined_rows(t, now).await.unwrap());
    let values: Vec<i64> = found
        .iter()
        .filter_map(|(_, value)| match value {
            InlinedValue::Integer(value) => Some(*value),
            _ => None,
        })
        .collect();
    let distinct: BTreeSet<i64> = values.iter().copied().collect();
    assert_eq!((values.len(), found.len()), (distinct.len(), distinct.len()), "none twice");
    assert!(stayed.is_subset(&distinct), "none lost");
    assert!(distinct.iter().all(|value| stayed.contains(value) || gone.contains(value)));
    assert_eq!(now - base, values.len() as i64, "a snapshot each");
}

/// A catalog with a table `t`, and with more in its database; `None` where that is not SQLite, the only one that has
/// triggers that are written in SQL alone.
async fn place_with(statements: &[&'static str]) -> Option<(Place, i64)> {
    let place = Place::new().await;
    if place.catalog.place().database() != Database::Sqlite {
        return None;
    }
    let t = place.table("t").await;
    let mut write = place.catalog.write().await.unwrap();
    for statement in statements {
        write.execute(sql_text(*statement)).await.unwrap();
    }
    write.commit().await.unwrap();
    Some((place, t))
}

#[tokio::test]
async fn one_that_the_database_refuses_is_refused_alone() {
    let trigger = "CREATE TRIGGER refuses BEFORE INSERT ON ducklake_data_file WHEN NEW.path = 'bad' \
                   BEGIN SELECT RAISE(ABORT, 'no such file is wanted'); END";
    let Some((place, t)) = place_with(&[trigger]).await else { return };
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let changes = [[inline(t, &[(1, "a")])], [add(t, "good", 1)], [add(t, "bad", 1)], [inline(t, &[(2, "b")])]];
    let commits = changes.iter().map(|changes| try_commit(&place.catalog, base, &[], changes));
    let (results, ()) = tokio::join!(join_all(commits), let_go(write));
    let made: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(made, [true, true, false, true], "{results:?}");
    assert!(results[2].as_ref().unwrap_err().to_string().contains("no such file is wanted"), "{results:?}");
    let another = place.another().await;
    assert_eq!(newest(&another).await, base + 3);
    assert_eq!(ids(&another.inlined_rows(t, base + 3).await.unwrap()), [0, 2]);
    assert_eq!(another.data_files(t, base + 3).await.unwrap()[0].path, "good");
}

/// What is wrong with one is found when all are to be durable.
#[tokio::test]
async fn a_shared_commit_that_fails_refuses_only_who_made_it_fail() {
    let parents = "CREATE TABLE parents (id INTEGER PRIMARY KEY)";
    let orphans = "CREATE TABLE orphans (id BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)";
    let trigger = "CREATE TRIGGER orphan AFTER INSERT ON ducklake_data_file WHEN NEW.path = 'bad' \
                   BEGIN INSERT INTO orphans VALUES (1); END";
    let Some((place, t)) = place_with(&[parents, orphans, trigger]).await else { return };
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let create = || ManifestChange::CreateTable(table("v"));
    let changes = [
        vec![create(), add(t, "bad", 1)],
        // Refused for what the one before it does, which is not to be.
        vec![create(), inline(-1, &[(1, "a")])],
        vec![inline(t, &[(2, "b")])],
        vec![create()],
    ];
    let commits = changes.iter().map(|changes| try_commit(&place.catalog, base, &[], changes));
    let (results, ()) = tokio::join!(join_all(commits), let_go(write));
    let made: Vec<Option<i64>> =
        results.iter().map(|result| result.as_ref().ok().map(|made| made.snapshot_id - base)).collect();
    assert_eq!(made, [None, Some(1), Some(2), None], "{results:?}");
    let (failed, refused) = (results[0].as_ref().unwrap_err(), results[3].as_ref().unwrap_err());
    assert!(failed.to_string().contains("FOREIGN KEY"), "{failed}");
    assert!(matches!(refused, CatalogError::AlreadyExists { .. }), "{refused}");
    let v = results[1].as_ref().unwrap().tables[&-1];
    let another = place.another().await;
    assert_eq!(numbers(&another.inlined_rows(v, base + 2).await.unwrap()), [(0, InlinedValue::Integer(1))]);
    assert_eq!(numbers(&another.inlined_rows(t, base + 2).await.unwrap()), [(0, InlinedValue::Integer(2))]);
    assert!(another.data_files(t, base + 2).await.unwrap().is_empty());
}

/// A runtime that ends takes the task that makes groups with it.
#[tokio::test]
async fn who_was_not_begun_is_told_so() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    let write = place.catalog.write().await.unwrap();
    let rows: Vec<_> = (0..3).map(|at| [inline(t, &[(at, "x")])]).collect();
    let mut commits: Vec<_> =
        rows.iter().map(|changes| Box::pin(try_commit(&place.catalog, base, &[], changes))).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    {
        let _within = runtime.enter();
        for commit in &mut commits {
            assert!(futures::poll!(commit.as_mut()).is_pending());
        }
    }
    runtime.shutdown_background();
    for result in join_all(commits).await {
        let error = result.unwrap_err();
        assert!(matches!(error, CatalogError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
    }
    write.abandon().await.unwrap();
    assert_eq!(place.newest().await, base);
    assert_eq!(place.commit(&rows[0]).await.snapshot_id, base + 1);
}

/// Closing waits for what is under way.
#[tokio::test]
async fn a_closed_catalog_has_made_what_was_begun() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    let changes = [inline(t, &[(1, "x")])];
    let mut commit = Box::pin(try_commit(&place.catalog, base, &[], &changes));
    assert_eq!(futures::poll!(commit.as_mut()).map(|_| ()), Poll::Pending);
    let (made, ()) = tokio::join!(commit, place.catalog.close());
    assert_eq!(made.unwrap().snapshot_id, base + 1);
    let another = place.another().await;
    assert_eq!(ids(&another.inlined_rows(t, base + 1).await.unwrap()), [0]);
    assert!(matches!(try_commit(&place.catalog, base + 1, &[], &changes).await, Err(CatalogError::Unavailable { .. })));
}

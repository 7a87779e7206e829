//! Named snapshots, and snapshots and files that go.

use super::*;
use crate::manifest::{Retention, ScheduledFile};
use crate::store::now_ms;
use std::time::Duration;

async fn expire(place: &Place, keep: usize, in_use: &[i64]) -> usize {
    let retention = Retention { older_than_ms: i64::MAX, keep, most: None, in_use: in_use.to_vec() };
    place.catalog.expire_snapshots(&retention).await.unwrap()
}

async fn left(place: &Place) -> Vec<i64> {
    place.catalog.snapshots().await.unwrap().into_iter().map(|snapshot| snapshot.id).collect()
}

async fn scheduled(place: &Place) -> Vec<String> {
    let mut paths: Vec<String> =
        place.catalog.files_to_delete(i64::MAX).await.unwrap().into_iter().map(|file| file.path).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn files_go_with_their_last_snapshot() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[add(t, "f", 10)]).await;
    let first = place.newest().await;
    let f = place.catalog.data_files(t, first).await.unwrap()[0].id;
    place.commit(&[ManifestChange::AddDeletes { table: t, deletes: vec![(f, deletes("d1", 1))] }]).await;
    place.catalog.create_named_snapshot("kept", first + 1).await.unwrap();
    place.commit(&[ManifestChange::AddDeletes { table: t, deletes: vec![(f, deletes("d2", 2))] }]).await;
    place.commit(&[ManifestChange::RemoveFiles { table: t, files: vec![f] }, add(t, "g", 1)]).await;
    let last = place.newest().await;
    assert_eq!(place.catalog.expire_snapshots(&Retention::default()).await.unwrap(), 0, "none is that old");
    expire(&place, 1, &[]).await;
    assert_eq!(left(&place).await, [first + 1, last]);
    assert_eq!(scheduled(&place).await, ["default/t/d2"]);
    assert_eq!(place.paths(t, first + 1).await, ["f"]);
    let fresh = place.another().await;
    assert_eq!(fresh.data_files(t, first + 1).await.unwrap()[0].deletes.as_ref().unwrap().path, "d1");
    assert_eq!(fresh.data_files(t, last).await.unwrap()[0].path, "g");

    place.catalog.drop_named_snapshot("kept").await.unwrap();
    assert_eq!(expire(&place, 1, &[]).await, 1);
    assert_eq!(scheduled(&place).await, ["default/t/d1", "default/t/d2", "default/t/f"]);
    let paths = ["default/t/f", "default/t/g", "default/t/d1", "default/t/x"].map(str::to_owned);
    assert_eq!(place.catalog.unknown_files(&paths).await.unwrap(), ["default/t/x"]);
    assert_eq!(place.catalog.files_to_delete(now_ms() - 60_000).await.unwrap(), [], "the time of grace");
    let due: Vec<ScheduledFile> = place.catalog.files_to_delete(i64::MAX).await.unwrap();
    place.catalog.forget_deleted_files(&due).await.unwrap();
    assert_eq!(scheduled(&place).await, Vec::<String>::new());
    assert_eq!(place.paths(t, last).await, ["g"]);
    assert_eq!(place.table("u").await, t + 1, "numbers go on");
}

#[tokio::test]
async fn the_newest_are_counted_over_gaps() {
    let place = Place::new().await;
    let t = place.table("t").await;
    for at in 0..9 {
        place.commit(&[inline(t, &[(at, "x")])]).await;
    }
    let last = place.newest().await;
    expire(&place, 2, &[last - 5]).await;
    assert_eq!(left(&place).await, [last - 5, last - 1, last]);
    // The three newest are not those of the three highest numbers.
    assert_eq!(expire(&place, 3, &[]).await, 0);
    assert_eq!(expire(&place, 2, &[]).await, 1);
    assert_eq!(left(&place).await, [last - 1, last]);
    assert_eq!(ids(&place.inlined(t).await).len(), 9);
}

#[tokio::test]
async fn a_transaction_of_a_snapshot_in_use_commits_after_an_expiry() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let base = place.newest().await;
    for at in 0..5 {
        place.commit(&[inline(t, &[(at, "x")])]).await;
    }
    assert!(expire(&place, 1, &[base]).await > 0);
    assert_eq!(collision(try_commit(&place.catalog, base, &[t], &[inline(u, &[(1, "x")])]).await), t);
    try_commit(&place.catalog, base, &[], &[inline(u, &[(1, "x")])]).await.unwrap();
    expire(&place, 1, &[]).await;
    let expired = try_commit(&place.catalog, base, &[], &[inline(u, &[(2, "x")])]).await;
    assert!(matches!(expired, Err(CatalogError::Conflict(_))), "{expired:?}");
}

#[tokio::test]
async fn dropped_tables_and_rows_are_forgotten() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    place.commit(&[add(t, "f", 1), inline(t, &[(1, "x")]), inline(u, &[(1, "x"), (2, "y")])]).await;
    let mut changed = place.definition("u").await;
    changed.columns.push(column("c", "integer"));
    place.commit(&[ManifestChange::AlterTable(changed)]).await;
    place.commit(&[ManifestChange::DropTable { table: t }]).await;
    place.commit(&[ManifestChange::DeleteInlined { table: u, row_ids: vec![0] }]).await;
    expire(&place, 1, &[]).await;
    assert_eq!(scheduled(&place).await, ["default/t/f"]);
    let count = async |query: &'static str| {
        let mut lease = place.catalog.read().await.unwrap();
        let count = lease.number(crate::store::sql(query)).await.unwrap();
        lease.release();
        count
    };
    assert_eq!(count("SELECT COUNT(*) FROM ducklake_table").await, 1);
    assert_eq!(count("SELECT COUNT(*) FROM ducklake_data_file").await, 0);
    assert_eq!(count("SELECT COUNT(*) FROM ducklake_file_column_stats").await, 0);
    assert_eq!(count("SELECT COUNT(*) FROM ducklake_inlined_data_tables").await, 1);
    assert_eq!(count("SELECT COUNT(*) FROM ducklake_table_stats").await, 1);
    assert_eq!(count("SELECT COUNT(*) FROM millrace_managed_table").await, 1);
    let fresh = place.another().await;
    let now = fresh.snapshot().await.unwrap();
    assert_eq!(now.all_managed_tables().count(), 1);
    let groups = fresh.inlined_rows(u, now.manifest_version()).await.unwrap();
    assert_eq!((groups[0].columns.clone(), ids(&groups)), (vec![1, 2], vec![1]));
}

#[tokio::test]
async fn snapshots_are_found_by_time_and_name() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let first = place.newest().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let note = CommitNote { author: Some("me".to_owned()), message: Some("why".to_owned()) };
    place.catalog.commit_manifest(first, &[], &[inline(t, &[(1, "x")])], &note).await.unwrap();
    let all = place.catalog.snapshots().await.unwrap();
    assert_eq!(all.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [0, first, first + 1]);
    assert_eq!((all[2].author.as_deref(), all[2].message.as_deref()), (Some("me"), Some("why")));
    assert_eq!(all[2].changes, format!("inlined_insert:{t}"));
    assert!(all[1].time_ms < all[2].time_ms);
    assert_eq!(place.catalog.snapshot_at(all[0].time_ms - 1).await.unwrap(), None);
    assert_eq!(place.catalog.snapshot_at(all[2].time_ms - 1).await.unwrap(), Some(first));
    assert_eq!(place.catalog.snapshot_at(i64::MAX).await.unwrap(), Some(first + 1));
    place.catalog.create_named_snapshot("s", first).await.unwrap();
    let twice = place.catalog.create_named_snapshot("s", first).await;
    assert!(matches!(twice, Err(CatalogError::AlreadyExists { .. })), "{twice:?}");
    let missing = place.catalog.create_named_snapshot("r", 99).await;
    assert!(matches!(missing, Err(CatalogError::NotFound { .. })), "{missing:?}");
    let named = place.catalog.named_snapshots().await.unwrap();
    assert_eq!((named.len(), named[0].name.as_str(), named[0].snapshot_id), (1, "s", first));
    place.catalog.drop_named_snapshot("s").await.unwrap();
    assert!(matches!(place.catalog.drop_named_snapshot("s").await, Err(CatalogError::NotFound { .. })));
    assert!(place.catalog.has_snapshot(first).await.unwrap() && !place.catalog.has_snapshot(99).await.unwrap());
}

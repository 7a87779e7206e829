//! Snapshots of the catalog: what is read again, and when.

use super::*;
use std::sync::Arc;

#[tokio::test]
async fn only_what_changed_is_read_again() {
    let place = Place::new().await;
    let another = place.another().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let first = place.catalog.snapshot().await.unwrap();
    let mut changed = ManagedTable::clone(first.managed_table_by_id(t).unwrap());
    changed.columns.push(column("c", "date"));
    commit(&another, &[ManifestChange::AlterTable(changed), inline(u, &[(1, "x")])]).await;
    let second = place.catalog.snapshot().await.unwrap();
    assert_eq!(second.manifest_version(), first.manifest_version() + 1);
    assert_eq!(second.version(), first.version(), "external tables did not change");
    assert_eq!(second.managed_table("default", "t").unwrap().columns.len(), 3);
    assert_eq!(first.managed_table("default", "t").unwrap().columns.len(), 2);
    assert!(Arc::ptr_eq(second.managed_table_by_id(u).unwrap(), first.managed_table_by_id(u).unwrap()));
    commit(&another, &[ManifestChange::DropTable { table: t }]).await;
    let third = place.catalog.snapshot().await.unwrap();
    assert_eq!(third.managed_table_by_id(t), None);
    assert!(Arc::ptr_eq(third.managed_table_by_id(u).unwrap(), first.managed_table_by_id(u).unwrap()));
    // One that has read nothing before finds the same.
    let fresh = place.another().await.snapshot().await.unwrap();
    assert!(fresh.all_managed_tables().eq(third.all_managed_tables()));
    assert!(Arc::ptr_eq(&third, &place.catalog.snapshot().await.unwrap()), "nothing is read without a change");
}

#[tokio::test]
async fn a_thousand_commits_stay_small() {
    let place = Place::new().await;
    let t = place.table("t").await;
    for at in 0..1_000 {
        try_commit(&place.catalog, place.newest().await, &[t], &[inline(t, &[(at, "x")])]).await.unwrap();
    }
    let another = place.another().await;
    assert_eq!(ids(&another.inlined_rows(t, newest(&another).await).await.unwrap()).len(), 1_000);
    another.close().await;
    if let CatalogPlace::File(path) = place.catalog.place() {
        let size = std::fs::metadata(path).unwrap().len();
        assert!(size < 2 << 20, "{size} bytes");
    }
}

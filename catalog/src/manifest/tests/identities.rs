//! IDENTITY values.

use super::*;
use crate::model::Identity;
use crate::store::{Database, Write, sql};
use std::collections::BTreeSet;

fn identity(seed: i64, step: i64) -> ManagedColumn {
    ManagedColumn { identity: Some(Identity { seed, step, by_default: false }), ..column("i", "bigint") }
}

#[tokio::test]
async fn values_are_unique_under_concurrency_and_rollbacks() {
    let place = Place::new().await;
    let another = place.another().await;
    let created = ManagedTable { columns: vec![identity(10, 3)], ..table("t") };
    let t = place.commit(&[ManifestChange::CreateTable(created)]).await.tables[&-1];
    let column = place.definition("t").await.columns[0].clone();
    let catalogs = [&place.catalog, &another];
    let tasks = (0..8_usize).map(|task| {
        let column = column.clone();
        async move {
            let mut taken = Vec::new();
            for _ in 0..20 {
                let first = catalogs[task % 2].next_identity(t, &column, 2).await.unwrap();
                taken.extend([first, first + 3]);
                // A transaction that fails gives nothing back.
                let failed = try_commit(catalogs[task % 2], 0, &[], &[inline(t, &[(1, "too wide")])]).await;
                assert!(failed.is_err());
            }
            taken
        }
    });
    let taken: Vec<i64> = futures::future::join_all(tasks).await.into_iter().flatten().collect();
    let unique: BTreeSet<i64> = taken.iter().copied().collect();
    assert_eq!(unique, (0..320).map(|at| 10 + 3 * at).collect::<BTreeSet<_>>());
    assert_eq!(taken.len(), 320);
}

#[tokio::test]
async fn values_taken_before_the_table_was_committed_count() {
    let place = Place::new().await;
    let created = ManagedTable { columns: vec![identity(1, 1), column("b", "integer")], ..table("t") };
    let advance = ManifestChange::AdvanceIdentity { table: -1, column: 1, next: 6 };
    let t = place.commit(&[ManifestChange::CreateTable(created), advance]).await.tables[&-1];
    let columns = place.definition("t").await.columns;
    assert_eq!(place.catalog.next_identity(t, &columns[0], 1).await.unwrap(), 6);
    let back = ManifestChange::AdvanceIdentity { table: t, column: 1, next: 2 };
    place.commit(&[back]).await;
    assert_eq!(place.catalog.next_identity(t, &columns[0], 1).await.unwrap(), 7);
    let plain = place.catalog.next_identity(t, &columns[1], 1).await;
    assert!(matches!(plain, Err(CatalogError::InvalidArgument(_))), "{plain:?}");
    let most = place.catalog.next_identity(t, &columns[0], u64::MAX).await;
    assert!(matches!(most, Err(CatalogError::InvalidArgument(_))), "{most:?}");
    assert_eq!(place.catalog.next_identity(t, &columns[0], 1).await.unwrap(), 8);
}

/// They need not be on disk before the rows that get them, which are committed later.
#[tokio::test]
async fn values_wait_for_the_disk_with_their_rows() {
    let place = Place::new().await;
    let created = ManagedTable { columns: vec![identity(1, 1)], ..table("t") };
    let t = place.commit(&[ManifestChange::CreateTable(created)]).await.tables[&-1];
    let column = place.definition("t").await.columns.remove(0);
    let at_once = async |write: &mut Write<'_>| match write.database() {
        // 1 is NORMAL, 2 FULL.
        Database::Sqlite => write.number(sql("PRAGMA synchronous")).await.unwrap() == 2,
        Database::Postgres => {
            let setting = sql("SELECT current_setting('synchronous_commit')");
            write.first::<(String,)>(setting).await.unwrap() != Some(("off".to_owned(),))
        }
    };
    assert_eq!(place.catalog.next_identity(t, &column, 5).await.unwrap(), 1);
    let mut write = place.catalog.write().await.unwrap();
    assert!(at_once(&mut write).await);
    write.abandon().await.unwrap();
    let mut write = place.catalog.write_lazily().await.unwrap();
    assert!(!at_once(&mut write).await);
    write.abandon().await.unwrap();
    let mut write = place.catalog.write().await.unwrap();
    assert!(at_once(&mut write).await);
    write.abandon().await.unwrap();
    assert_eq!(place.another().await.next_identity(t, &column, 1).await.unwrap(), 6);
}

//! Transactions beside each other, over two catalogs on one file.

use super::*;
use crate::model::Database;
use crate::store::{sql, sql_text};
use std::time::Duration;

#[tokio::test]
async fn what_cannot_be_serial_is_refused() {
    let place = Place::new().await;
    let another = place.another().await;
    let insert = |table| inline(table, &[(5, "n")]);
    let delete = |table| ManifestChange::DeleteInlined { table, row_ids: vec![0] };
    let delete_other = |table| ManifestChange::DeleteInlined { table, row_ids: vec![1] };
    let alter = |table: &ManagedTable| {
        ManifestChange::AlterTable(ManagedTable { comment: Some("x".to_owned()), ..table.clone() })
    };
    for round in 0..12 {
        let name = format!("t{round}");
        let changes = [ManifestChange::CreateTable(table(&name)), inline(-1, &[(1, "a"), (2, "b")])];
        let t = place.commit(&changes).await.tables[&-1];
        let definition = place.definition(&name).await;
        // What the other one does, what we read, what we do, and whether both can be.
        let (theirs, reads, ours, both) = match round {
            0 => (insert(t), vec![], insert(t), true),
            1 => (insert(t), vec![t], insert(t), false),
            2 => (insert(t), vec![], delete(t), false),
            3 => (delete(t), vec![], insert(t), false),
            4 => (delete(t), vec![], delete(t), false),
            5 => (delete(t), vec![], delete_other(t), false),
            6 => (alter(&definition), vec![], insert(t), false),
            7 => (insert(t), vec![], alter(&definition), false),
            8 => (insert(t), vec![], ManifestChange::Truncate { table: t }, false),
            9 => (ManifestChange::DropTable { table: t }, vec![], insert(t), false),
            10 => (insert(t), vec![], add(t, "f", 2), true),
            _ => (insert(t), vec![], ManifestChange::DropTable { table: t }, false),
        };
        let base = place.newest().await;
        commit(&another, &[theirs]).await;
        let result = try_commit(&place.catalog, base, &reads, &[ours]).await;
        if both {
            result.unwrap();
        } else {
            assert_eq!(collision(result), t, "round {round}");
            assert_eq!(place.newest().await, base + 1, "nothing of the refused one is there");
        }
    }
}

#[tokio::test]
async fn write_skew_is_refused_and_reading_never_fails() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let base = place.newest().await;
    try_commit(&place.catalog, base, &[u], &[inline(t, &[(1, "x")])]).await.unwrap();
    let skewed = try_commit(&place.catalog, base, &[t], &[inline(u, &[(1, "x")])]).await;
    assert_eq!(collision(skewed), t);
    let read = try_commit(&place.catalog, base, &[t, u], &[]).await.unwrap();
    assert_eq!(read.snapshot_id, base);
    assert_eq!(place.newest().await, base + 1);
}

#[tokio::test]
async fn blind_appends_commute() {
    let place = Place::new().await;
    let another = place.another().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    let catalogs = [&place.catalog, &another];
    let appends = (0..20).map(|at| async move {
        let change = if at % 3 == 0 { add(t, &format!("f{at}"), 10) } else { inline(t, &[(at, "x"), (at, "y")]) };
        try_commit(catalogs[at as usize % 2], base, &[], &[change]).await.unwrap().snapshot_id
    });
    let mut snapshots = futures::future::join_all(appends).await;
    snapshots.sort_unstable();
    assert_eq!(snapshots, (base + 1..=base + 20).collect::<Vec<_>>(), "without gaps");
    let files = place.catalog.data_files(t, base + 20).await.unwrap();
    let mut row_ids: Vec<i64> = ids(&place.inlined(t).await);
    row_ids.extend(files.iter().flat_map(|file| file.row_id_start..file.row_id_start + 10));
    row_ids.sort_unstable();
    assert_eq!(row_ids, (0..7 * 10 + 13 * 2).collect::<Vec<_>>(), "no row id twice");
    assert_eq!(place.catalog.table_statistics(t).await.unwrap().record_count, 96);
}

#[tokio::test]
async fn a_commit_that_is_dropped_leaves_nothing_half() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let base = place.newest().await;
    for at in 0..40 {
        let rows: Vec<Vec<InlinedValue>> = (0..2_000).map(|a| row(a, "x")).collect();
        let changes = [add(t, &format!("f{at}"), 1), ManifestChange::InlineRows { table: t, rows }];
        let patience = Duration::from_micros(300 * at);
        let _ = tokio::time::timeout(patience, try_commit(&place.catalog, base, &[], &changes)).await;
        let now = place.newest().await;
        // Both at one snapshot: a commit that was under way when it was dropped may come to its end at any time.
        let inlined = place.catalog.inlined_rows(t, now).await.unwrap();
        let (files, rows) = (place.paths(t, now).await.len(), ids(&inlined).len());
        assert_eq!((files as i64, rows as i64), (now - base, 2_000 * (now - base)));
    }
    place.commit(&[add(t, "last", 1)]).await;
}

/// Another program, as DuckDB, does not take our lock: whose commit finds its number taken begins again.
#[tokio::test]
async fn who_finds_a_number_taken_begins_again() {
    let place = Place::new().await;
    place.catalog.create_database(&Database::new("d"), false).await.unwrap();
    place.commit(&[ManifestChange::CreateTable(ManagedTable { schema: "d".to_owned(), ..table("t") })]).await;
    let snapshot = place.newest().await + 1;
    let rival = place.another().await;
    let mut lease = rival.read().await.unwrap();
    for statement in [
        "BEGIN".to_owned(),
        format!(
            "INSERT INTO ducklake_snapshot SELECT {snapshot}, snapshot_time, schema_version, next_catalog_id, \
             next_file_id FROM ducklake_snapshot WHERE snapshot_id = {snapshot} - 1"
        ),
        format!("INSERT INTO ducklake_snapshot_changes VALUES ({snapshot}, 'dropped_view:77', NULL, NULL, NULL)"),
    ] {
        lease.execute(sql_text(statement)).await.unwrap();
    }
    let commits = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        lease.execute(sql("COMMIT")).await.unwrap();
        lease.release();
    };
    let (dropped, ()) = tokio::join!(place.catalog.drop_database("d", true), commits);
    dropped.unwrap();
    assert_eq!(place.catalog.snapshots().await.unwrap().pop().unwrap().id, snapshot + 1);
    assert!(place.catalog.snapshot().await.unwrap().database("d").is_none());
}

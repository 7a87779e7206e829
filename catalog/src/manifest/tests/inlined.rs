//! Rows in the catalog.

use super::*;
use crate::store::{Database, sql_text};

#[tokio::test]
async fn rows_are_added_deleted_and_flushed() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[inline(t, &[(1, "x"), (2, "it's"), (3, "\"ü\"")])]).await;
    let three = place.newest().await;
    let null = ManifestChange::InlineRows { table: t, rows: vec![vec![InlinedValue::Null, InlinedValue::Null]] };
    place.commit(&[ManifestChange::DeleteInlined { table: t, row_ids: vec![1] }, null]).await;
    let later = place.inlined(t).await;
    let integer = InlinedValue::Integer;
    assert_eq!(numbers(&later), [(0, integer(1)), (2, integer(3)), (3, InlinedValue::Null)]);
    assert_eq!(later[0].columns, [1, 2]);
    assert_eq!(later[0].rows[1].values[1], InlinedValue::Text("\"ü\"".to_owned()));
    assert_eq!(later[0].rows[2].begin_snapshot, three + 1);
    let before = place.catalog.inlined_rows(t, three).await.unwrap();
    assert_eq!(before[0].rows[1].values, row(2, "it's"));
    let known = place.catalog.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.next_row_id), (3, 4));
    assert_eq!((known.columns[&1].minimum.as_deref(), known.columns[&1].maximum.as_deref()), (Some("1"), Some("3")));
    assert_eq!(known.columns[&1].contains_null, Some(true));

    let flushed = DataFile { row_id_start: 0, ..file("f", 3) };
    let flush = ManifestChange::FlushInlined { table: t, row_ids: vec![0, 2, 3], files: vec![flushed] };
    let base = place.newest().await;
    place.commit(std::slice::from_ref(&flush)).await;
    assert_eq!(ids(&place.inlined(t).await), Vec::<i64>::new());
    assert_eq!(place.paths(t, base + 1).await, ["f"]);
    assert_eq!(ids(&place.catalog.inlined_rows(t, base).await.unwrap()), [0, 2, 3], "the past stays");
    assert_eq!(place.paths(t, base).await, Vec::<String>::new());
    assert_eq!(place.catalog.table_statistics(t).await.unwrap().record_count, 3);
    assert_eq!(collision(try_commit(&place.catalog, base, &[], &[flush]).await), t);
    let again = ManifestChange::DeleteInlined { table: t, row_ids: vec![0] };
    assert_eq!(collision(try_commit(&place.catalog, base + 1, &[], &[again]).await), t);
}

#[tokio::test]
async fn rows_keep_the_columns_that_they_were_written_with() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[inline(t, &[(1, "x")])]).await;
    let mut changed = place.definition("t").await;
    changed.columns.remove(0);
    changed.columns[0].name = "a".to_owned();
    changed.columns.push(column("c", "bigint"));
    let new_row = vec![InlinedValue::Text("y".to_owned()), InlinedValue::Integer(9)];
    place
        .commit(&[ManifestChange::AlterTable(changed), ManifestChange::InlineRows { table: t, rows: vec![new_row] }])
        .await;
    let groups = place.inlined(t).await;
    let columns: Vec<&[i64]> = groups.iter().map(|group| group.columns.as_slice()).collect();
    assert_eq!(columns, [&[1, 2][..], &[2, 3][..]]);
    let text = |text: &str| InlinedValue::Text(text.to_owned());
    assert_eq!(numbers(&groups), [(0, InlinedValue::Integer(1)), (1, text("y"))]);
    place.commit(&[ManifestChange::DeleteInlined { table: t, row_ids: vec![0] }]).await;
    assert_eq!(ids(&place.inlined(t).await), [1]);
    place.commit(&[ManifestChange::Truncate { table: t }]).await;
    assert_eq!(ids(&place.inlined(t).await), Vec::<i64>::new());
    assert_eq!(place.catalog.table_statistics(t).await.unwrap().record_count, 0);
}

#[tokio::test]
async fn many_rows_and_wrong_ones() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let rows: Vec<Vec<InlinedValue>> = (0..20_000).map(|a| row(a, "x")).collect();
    place.commit(&[ManifestChange::InlineRows { table: t, rows }]).await;
    assert_eq!(ids(&place.inlined(t).await), (0..20_000).collect::<Vec<_>>());
    let row_ids = (0..19_999).collect();
    place.commit(&[ManifestChange::DeleteInlined { table: t, row_ids }]).await;
    assert_eq!(ids(&place.inlined(t).await), [19_999]);
    let narrow = ManifestChange::InlineRows { table: t, rows: vec![vec![InlinedValue::Null]] };
    let narrow = try_commit(&place.catalog, place.newest().await, &[], &[narrow]).await;
    assert!(matches!(narrow, Err(CatalogError::InvalidArgument(_))), "{narrow:?}");
    let reserved = ManagedTable { columns: vec![column("row_id", "integer")], ..table("u") };
    assert!(!place.catalog.can_inline(&reserved));
    let rows = vec![vec![InlinedValue::Null]];
    let changes = [ManifestChange::CreateTable(reserved), ManifestChange::InlineRows { table: -1, rows }];
    let refused = try_commit(&place.catalog, place.newest().await, &[], &changes).await;
    assert!(matches!(refused, Err(CatalogError::InvalidArgument(_))), "{refused:?}");
    let gone = place.catalog.snapshot().await.unwrap();
    assert_eq!(gone.managed_table("default", "u"), None, "nothing half");
}

#[tokio::test]
async fn every_kind_of_value_comes_back() {
    let place = Place::new().await;
    let columns = ["boolean", "bigint", "numeric(38,2)", "double precision", "timestamp with time zone", "varbyte(9)"];
    let columns = columns.iter().enumerate().map(|(at, kind)| column(&format!("c{at}"), kind)).collect();
    let created = ManagedTable { columns, ..table("t") };
    let text = |text: &str| InlinedValue::Text(text.to_owned());
    let values = vec![
        InlinedValue::Integer(1),
        InlinedValue::Integer(i64::MIN),
        text("99999999999999999999999999999999999.50"),
        text("1.5"),
        text("2020-01-02 03:04:05.1+00"),
        InlinedValue::Blob(vec![0, 255]),
    ];
    let rows = vec![values.clone(), vec![InlinedValue::Null; 6]];
    let changes = [ManifestChange::CreateTable(created), ManifestChange::InlineRows { table: -1, rows }];
    let t = place.commit(&changes).await.tables[&-1];
    let groups = place.inlined(t).await;
    assert_eq!(groups[0].rows[0].values, values);
    assert_eq!(groups[0].rows[1].values, vec![InlinedValue::Null; 6]);
}

/// DuckDB, where it finds no table for rows, makes one under a version of the schema that it makes for it.
#[tokio::test]
async fn rows_of_a_version_without_columns_of_its_own_are_read() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let version = place.newest().await + 7;
    let snapshot = place.newest().await;
    let mut write = place.catalog.write().await.unwrap();
    let text = match write.database() {
        Database::Sqlite => "VARCHAR",
        Database::Postgres => "BYTEA",
    };
    for statement in [
        format!(
            "CREATE TABLE of_duckdb (row_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, a BIGINT, b {text})"
        ),
        format!("INSERT INTO of_duckdb VALUES (0, {snapshot}, NULL, 5, 'x')"),
        format!("INSERT INTO ducklake_inlined_data_tables VALUES ({t}, 'of_duckdb', {version})"),
    ] {
        write.execute(sql_text(statement)).await.unwrap();
    }
    write.commit_uncounted().await.unwrap();
    let found = place.catalog.inlined_rows(t, snapshot).await.unwrap();
    assert_eq!(found[0].columns, [1, 2]);
    assert_eq!(found[0].rows[0].values, row(5, "x"));
}

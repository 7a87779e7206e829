//! Rows in the catalog.

use super::*;
use crate::manifest::Retention;
use crate::store::{Database, sql_text};
use std::sync::Arc;
use std::time::Duration;

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
        text("1.0"),
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

/// Whatever type a column of them has in the database.
#[tokio::test]
async fn floating_point_numbers_have_duckdb_s_texts() {
    let place = Place::new().await;
    let columns = vec![column("d", "double precision"), column("r", "real")];
    let text = |text: &str| InlinedValue::Text(text.to_owned());
    let texts = ["1.0", "2.5", "1e+20", "1e-05", "1000000000.0", "inf", "-inf"];
    let rows: Vec<_> = texts.iter().map(|number| vec![text(number), text(number)]).collect();
    let changes = [
        ManifestChange::CreateTable(ManagedTable { columns, ..table("t") }),
        ManifestChange::InlineRows { table: -1, rows: rows.clone() },
    ];
    let t = place.commit(&changes).await.tables[&-1];
    let groups = place.inlined(t).await;
    assert_eq!(groups[0].rows.iter().map(|row| row.values.clone()).collect::<Vec<_>>(), rows);
    let known = place.catalog.table_statistics(t).await.unwrap();
    for column in [1, 2] {
        let bounds = &known.columns[&column];
        assert_eq!((bounds.minimum.as_deref(), bounds.maximum.as_deref()), (Some("-inf"), Some("inf")));
    }
}

/// Two versions of a table's columns with the same columns: one was renamed in between.
async fn renamed(place: &Place) -> i64 {
    let t = place.table("t").await;
    place.commit(&[inline(t, &[(1, "x"), (2, "x")])]).await;
    let mut changed = place.definition("t").await;
    changed.columns[1].name = "c".to_owned();
    place.commit(&[ManifestChange::AlterTable(changed)]).await;
    place.commit(&[inline(t, &[(3, "y"), (4, "y")])]).await;
    t
}

#[tokio::test]
async fn rows_of_two_versions_with_the_same_columns_are_deleted() {
    let place = Place::new().await;
    let t = renamed(&place).await;
    // Another process, which reads both versions at once, and then what was done since.
    let other = place.another().await;
    let seen = async |catalog: &Catalog| {
        let snapshot = newest(catalog).await;
        ids(&catalog.inlined_rows(t, snapshot).await.unwrap())
    };
    assert_eq!(seen(&other).await, [0, 1, 2, 3]);
    place.commit(&[ManifestChange::DeleteInlined { table: t, row_ids: vec![0, 3] }]).await;
    assert_eq!(seen(&other).await, [1, 2]);
    place.commit(&[inline(t, &[(5, "z")]), ManifestChange::DeleteInlined { table: t, row_ids: vec![2] }]).await;
    assert_eq!(seen(&other).await, [1, 4]);
    assert_eq!(seen(&place.another().await).await, [1, 4]);
    assert_eq!(seen(&place.catalog).await, [1, 4]);
}

/// An update by DuckDB ends a row and begins another with its id.
#[tokio::test]
async fn a_row_that_another_program_updated_is_the_new_one() {
    let place = Place::new().await;
    let t = renamed(&place).await;
    let before = place.inlined(t).await;
    assert_eq!(ids(&before), [0, 1, 2, 3]);
    let mut write = place.catalog.write().await.unwrap();
    let (name, _) = crate::manifest::inline::inlined_tables(&mut write, t).await.unwrap().pop().unwrap();
    let snapshot = newest(&place.catalog).await + 1;
    for statement in [
        format!("UPDATE {name} SET end_snapshot = {snapshot} WHERE row_id = 2"),
        format!("INSERT INTO {name} SELECT row_id, {snapshot}, NULL, 30, c FROM {name} WHERE row_id = 2"),
        format!(
            "INSERT INTO ducklake_snapshot SELECT {snapshot}, snapshot_time, schema_version, next_catalog_id, \
             next_file_id FROM ducklake_snapshot WHERE snapshot_id = {snapshot} - 1"
        ),
        format!(
            "INSERT INTO ducklake_snapshot_changes \
             VALUES ({snapshot}, 'inlined_insert:{t},inlined_delete:{t}', NULL, NULL, NULL)"
        ),
    ] {
        write.execute(sql_text(statement)).await.unwrap();
    }
    write.commit_uncounted().await.unwrap();
    let integer = InlinedValue::Integer;
    let expected = [(0, integer(1)), (1, integer(2)), (3, integer(4)), (2, integer(30))];
    assert_eq!(numbers(&place.inlined(t).await), expected);
}

/// A process that keeps the rows of a snapshot which has expired since.
#[tokio::test]
async fn rows_deleted_after_a_snapshot_that_expired_stay_deleted() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let used = place.newest().await;
    place.commit(&[inline(t, &[(1, "x"), (2, "x")])]).await;
    let other = place.another().await;
    let kept = newest(&other).await;
    assert_eq!(ids(&other.inlined_rows(t, kept).await.unwrap()), [0, 1]);
    place.commit(&[ManifestChange::DeleteInlined { table: t, row_ids: vec![0] }]).await;
    // An earlier one is in use: what the commits since did is still listed.
    let retention = Retention { older_than_ms: i64::MAX, keep: 1, most: None, in_use: vec![used] };
    assert!(place.catalog.expire_snapshots(&retention).await.unwrap() > 0);
    assert!(!place.catalog.has_snapshot(kept).await.unwrap());
    assert_eq!(ids(&other.inlined_rows(t, newest(&other).await).await.unwrap()), [1]);
}

/// What a session's own commits did is known without asking the database.
#[tokio::test]
async fn what_our_own_commits_did_is_not_read_again() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    place.commit(&[inline(t, &[(1, "x"), (2, "x")]), add(t, "f", 1)]).await;
    let first = place.inlined(t).await;
    assert_eq!(place.paths(t, place.newest().await).await, ["f"]);
    let between = place.commit(&[inline(u, &[(1, "x")])]).await.snapshot_id;
    // As whoever changes the table looks at it first.
    assert_eq!((place.inlined(t).await, place.paths(t, between).await), (first.clone(), vec!["f".to_owned()]));
    place.commit(&[inline(t, &[(3, "y")]), ManifestChange::DeleteInlined { table: t, row_ids: vec![0] }]).await;
    let last = place.commit(&[inline(u, &[(2, "x")])]).await.snapshot_id;
    let expected = place.another().await.inlined_rows(t, last).await.unwrap();
    // All connections are in use: whoever asked for one would wait.
    let mut leases = Vec::new();
    while let Ok(Ok(lease)) = tokio::time::timeout(Duration::from_millis(50), place.catalog.read()).await {
        leases.push(lease);
    }
    let rows = place.catalog.inlined_rows(t, last).await.unwrap();
    assert_eq!((ids(&rows), &rows), (vec![1, 3], &expected));
    assert!(Arc::ptr_eq(&rows[0].rows[0], &first[0].rows[1]), "a row that stays is shared");
    assert_eq!(place.paths(t, last).await, ["f"]);
    leases.into_iter().for_each(crate::store::Lease::release);
    assert_eq!(place.newest().await, last);
    place.commit(&[ManifestChange::Truncate { table: t }]).await;
    assert_eq!(ids(&place.inlined(t).await), Vec::<i64>::new());
    place.commit(&[inline(t, &[(4, "z")])]).await;
    let last = place.newest().await;
    assert_eq!(place.paths(t, last).await, Vec::<String>::new());
    assert_eq!(place.inlined(t).await, *place.another().await.inlined_rows(t, last).await.unwrap());
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

/// What a process knows of its own last commit holds only until another's.
#[tokio::test]
async fn processes_that_commit_in_turn_see_each_other_s_commits() {
    let place = Place::new().await;
    let other = place.another().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    for round in 0..4 {
        place.commit(&[inline(t, &[(round, "x")])]).await;
        place.commit(&[inline(u, &[(round, "x")])]).await;
        place.commit(&[inline(t, &[(10 + round, "y")])]).await;
        commit(&other, &[inline(t, &[(-round, "z")])]).await;
    }
    assert_eq!(ids(&place.inlined(t).await), (0..12).collect::<Vec<_>>());
    let known = place.catalog.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.next_row_id), (12, 12));
    let bounds = |column: i64| (known.columns[&column].minimum.as_deref(), known.columns[&column].maximum.as_deref());
    assert_eq!((bounds(1), bounds(2)), ((Some("-3"), Some("13")), (Some("x"), Some("z"))));
    let mut changed = place.definition("t").await;
    changed.columns.push(column("c", "bigint"));
    commit(&other, &[ManifestChange::AlterTable(changed)]).await;
    let mut wide = row(7, "w");
    wide.push(InlinedValue::Integer(8));
    place.commit(&[ManifestChange::InlineRows { table: t, rows: vec![wide.clone()] }]).await;
    place.commit(&[ManifestChange::InlineRows { table: t, rows: vec![wide.clone()] }]).await;
    let groups = place.another().await.inlined_rows(t, place.newest().await).await.unwrap();
    let last = groups.last().unwrap();
    assert_eq!((last.columns.as_slice(), ids(&groups).len()), (&[1, 2, 3][..], 14));
    assert_eq!(last.rows.iter().map(|row| row.values.clone()).collect::<Vec<_>>(), [wide.clone(), wide]);
    commit(&other, &[ManifestChange::DropTable { table: t }]).await;
    let gone = try_commit(&place.catalog, place.newest().await, &[], &[inline(t, &[(1, "x")])]).await;
    assert!(matches!(gone, Err(CatalogError::NotFound { .. })), "{gone:?}");
}

//! Making, changing and dropping tables.

use super::*;
use crate::model::Database;

#[tokio::test]
async fn numbers_are_never_used_again() {
    let place = Place::new().await;
    let first = place.table("t").await;
    place.commit(&[ManifestChange::DropTable { table: first }]).await;
    let second = place.table("t").await;
    assert!(second > first);
    let table = place.definition("t").await;
    assert_eq!((table.id, table.next_column_id), (second, 3));
    assert_eq!(table.columns.iter().map(|column| column.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(table.path, "default/t/");
    assert_eq!(table.uuid.len(), 36);

    place.commit(&[add(second, "f1", 1)]).await;
    let id = place.catalog.data_files(second, place.newest().await).await.unwrap()[0].id;
    place.commit(&[ManifestChange::RemoveFiles { table: second, files: vec![id] }, add(second, "f2", 1)]).await;
    let files = place.catalog.data_files(second, place.newest().await).await.unwrap();
    assert_eq!((files.len(), files[0].row_id_start), (1, 1), "row ids go on");
    assert!(files[0].id > id);
}

#[tokio::test]
async fn a_transaction_s_tables_are_named_by_their_negative_numbers() {
    let place = Place::new().await;
    let other = ManagedTable { id: -2, ..table("u") };
    let committed = place
        .commit(&[
            ManifestChange::CreateTable(table("t")),
            ManifestChange::CreateTable(other),
            inline(-2, &[(7, "u")]),
            add(-1, "f", 5),
            ManifestChange::CreateTable(ManagedTable { id: -3, ..table("v") }),
            ManifestChange::DropTable { table: -3 },
        ])
        .await;
    let (t, u) = (committed.tables[&-1], committed.tables[&-2]);
    assert_eq!(place.paths(t, committed.snapshot_id).await, ["f"]);
    assert_eq!(numbers(&place.inlined(u).await), [(0, InlinedValue::Integer(7))]);
    let snapshot = place.catalog.snapshot().await.unwrap();
    let names: Vec<&str> = snapshot.managed_tables("default").map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["t", "u"]);
    let unknown = try_commit(&place.catalog, committed.snapshot_id, &[], &[inline(-1, &[(1, "x")])]).await;
    assert!(matches!(unknown, Err(CatalogError::InvalidArgument(_))), "{unknown:?}");
}

#[tokio::test]
async fn columns_come_and_go_by_snapshot() {
    let place = Place::new().await;
    let id = place.table("t").await;
    let first = place.newest().await;
    let mut changed = place.definition("t").await;
    changed.columns[0].name = "renamed".to_owned();
    let added = ManagedColumn { initial: Some("5".to_owned()), ..column("c", "bigint") };
    changed.columns.push(added);
    place.commit(&[ManifestChange::AlterTable(changed)]).await;
    let second = place.newest().await;
    let mut changed = place.definition("t").await;
    assert_eq!((changed.columns[2].id, changed.next_column_id), (3, 4));
    changed.columns.remove(2);
    changed.comment = Some("it's".to_owned());
    changed.columns[1].comment = Some("b's".to_owned());
    place.commit(&[ManifestChange::AlterTable(changed)]).await;
    let mut changed = place.definition("t").await;
    changed.columns.push(column("c", "date"));
    changed.name = "u".to_owned();
    place.commit(&[ManifestChange::AlterTable(changed.clone())]).await;

    let names = |table: &ManagedTable| table.columns.iter().map(|c| (c.id, c.name.clone())).collect::<Vec<_>>();
    let expected = |list: &[(i64, &str)]| list.iter().map(|(id, name)| (*id, (*name).to_owned())).collect::<Vec<_>>();
    let at = async |snapshot| place.catalog.managed_table_at(id, snapshot).await.unwrap();
    assert_eq!(at(first - 1).await, None);
    assert_eq!(names(&at(first).await.unwrap()), expected(&[(1, "a"), (2, "b")]));
    let then = at(second).await.unwrap();
    assert_eq!(names(&then), expected(&[(1, "renamed"), (2, "b"), (3, "c")]));
    assert_eq!((then.columns[2].initial.as_deref(), then.comment), (Some("5"), None));
    let now = at(second + 2).await.unwrap();
    assert_eq!(names(&now), expected(&[(1, "renamed"), (2, "b"), (4, "c")]));
    assert_eq!((now.comment.as_deref(), now.columns[1].comment.as_deref()), (Some("it's"), Some("b's")));
    // The documents and DuckLake's rows tell the same.
    assert_eq!(now, place.definition("u").await);
    let named_at = async |name, snapshot| {
        let found = place.catalog.managed_table_named_at("default", name, snapshot).await.unwrap();
        found.map(|table| table.id)
    };
    assert_eq!(named_at("t", second).await, Some(id));
    assert_eq!((named_at("t", second + 2).await, named_at("u", second + 2).await), (None, Some(id)));
}

#[tokio::test]
async fn who_alters_may_choose_new_columns_numbers() {
    let place = Place::new().await;
    place.table("t").await;
    let mut changed = place.definition("t").await;
    changed.columns.push(ManagedColumn { id: 3, ..column("c", "date") });
    changed.next_column_id = 4;
    place.commit(&[ManifestChange::AlterTable(changed.clone())]).await;
    assert_eq!(place.definition("t").await, changed);
    changed.columns.remove(0);
    place.commit(&[ManifestChange::AlterTable(changed.clone())]).await;
    changed.columns.push(ManagedColumn { id: 1, ..column("d", "date") });
    let used = try_commit(&place.catalog, place.newest().await, &[], &[ManifestChange::AlterTable(changed)]).await;
    assert!(matches!(used, Err(CatalogError::InvalidArgument(_))), "{used:?}");
}

#[tokio::test]
async fn a_name_is_one_relation_s() {
    let place = Place::new().await;
    place.table("t").await;
    let base = place.newest().await;
    let taken = try_commit(&place.catalog, base, &[], &[ManifestChange::CreateTable(table("t"))]).await;
    assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })), "{taken:?}");
    place.table("u").await;
    let mut renamed = place.definition("u").await;
    renamed.name = "t".to_owned();
    let taken = try_commit(&place.catalog, base, &[], &[ManifestChange::AlterTable(renamed)]).await;
    assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })), "{taken:?}");
    // Two sessions make one at once: the second fails, whatever its base.
    let another = place.another().await;
    place.table("v").await;
    let late = try_commit(&another, base, &[], &[ManifestChange::CreateTable(table("v"))]).await;
    assert!(matches!(late, Err(CatalogError::AlreadyExists { .. })), "{late:?}");
    let twice = ManagedTable { columns: vec![column("a", "integer"), column("a", "date")], ..table("w") };
    let twice = try_commit(&place.catalog, base, &[], &[ManifestChange::CreateTable(twice)]).await;
    assert!(matches!(twice, Err(CatalogError::InvalidArgument(_))), "{twice:?}");
    let nowhere = ManagedTable { schema: "nowhere".to_owned(), ..table("w") };
    let nowhere = try_commit(&place.catalog, base, &[], &[ManifestChange::CreateTable(nowhere)]).await;
    assert!(matches!(nowhere, Err(CatalogError::NotFound { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn a_database_is_dropped_with_its_tables() {
    let place = Place::new().await;
    place.catalog.create_database(&Database::new("d"), false).await.unwrap();
    let created = ManagedTable { schema: "d".to_owned(), ..table("t") };
    let id = place.commit(&[ManifestChange::CreateTable(created.clone()), inline(-1, &[(1, "x")])]).await.tables[&-1];
    let before = place.newest().await;
    place.catalog.drop_database("d", true).await.unwrap();
    let snapshot = place.catalog.snapshot().await.unwrap();
    assert_eq!((snapshot.database("d"), snapshot.all_managed_tables().count()), (None, 0));
    assert_eq!(ids(&place.inlined(id).await), Vec::<i64>::new());
    assert_eq!(place.catalog.managed_table_at(id, before).await.unwrap().unwrap().name, "t");
    place.catalog.create_database(&Database::new("d"), false).await.unwrap();
    let again = place.commit(&[ManifestChange::CreateTable(created)]).await.tables[&-1];
    assert!(again > id);
}

//! Data files and their deletes.

use super::*;
use crate::manifest::NEW_ROW_IDS;
use crate::model::SortKey;

#[tokio::test]
async fn deletes_replace_deletes() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let two = ManifestChange::AddFiles { table: t, files: vec![file("f", 10), file("g", 20)] };
    place.commit(&[two]).await;
    let whole = place.newest().await;
    let files = place.catalog.data_files(t, whole).await.unwrap();
    assert_eq!(files.iter().map(|file| file.row_id_start).collect::<Vec<_>>(), [0, 10]);
    let expected = DataFile { id: files[1].id, begin_snapshot: whole, row_id_start: 10, ..file("g", 20) };
    assert_eq!(files[1], expected);
    let f = files[0].id;
    for (path, count) in [("d1", 1), ("d2", 3)] {
        let deletes = vec![(f, deletes(path, count))];
        place.commit(&[ManifestChange::AddDeletes { table: t, deletes }]).await;
    }
    let deleted = async |snapshot| {
        let files = place.catalog.data_files(t, snapshot).await.unwrap();
        files.iter().map(|file| file.deletes.as_ref().map(|d| (d.path.clone(), d.delete_count))).collect::<Vec<_>>()
    };
    assert_eq!(deleted(whole).await, [None, None]);
    assert_eq!(deleted(whole + 1).await, [Some(("d1".to_owned(), 1)), None]);
    assert_eq!(deleted(whole + 2).await, [Some(("d2".to_owned(), 3)), None]);

    place.commit(&[ManifestChange::RemoveFiles { table: t, files: vec![f] }]).await;
    assert_eq!(place.paths(t, whole + 3).await, ["g"]);
    assert_eq!(place.paths(t, whole + 2).await, ["f", "g"]);
    let known = place.catalog.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.size_bytes, known.next_row_id), (20, 120, 30));
    place.commit(&[ManifestChange::Truncate { table: t }, add(t, "h", 1)]).await;
    assert_eq!(place.paths(t, whole + 4).await, ["h"]);
    let known = place.catalog.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.size_bytes, known.next_row_id), (1, 101, 31));
    let unknown = ManifestChange::RemoveFiles { table: t, files: vec![f] };
    assert_eq!(collision(try_commit(&place.catalog, whole + 4, &[], &[unknown]).await), t);
}

#[tokio::test]
async fn files_are_replaced_with_their_row_ids() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[ManifestChange::AddFiles { table: t, files: vec![file("f", 10), file("g", 20)] }]).await;
    let base = place.newest().await;
    let old: Vec<i64> = place.catalog.data_files(t, base).await.unwrap().iter().map(|file| file.id).collect();
    let merged = DataFile { row_id_start: 0, bucket: Some(3), sorted: true, ..file("m", 30) };
    let replace = ManifestChange::ReplaceFiles { table: t, old: old.clone(), new: vec![merged.clone()] };
    place.commit(std::slice::from_ref(&replace)).await;
    let files = place.catalog.data_files(t, base + 1).await.unwrap();
    assert_eq!(*files, [DataFile { id: files[0].id, begin_snapshot: base + 1, ..merged }]);
    let known = place.catalog.table_statistics(t).await.unwrap();
    assert_eq!((known.record_count, known.next_row_id), (30, 30));
    // Another replacement of the same files, and deletes in them, come too late.
    assert_eq!(collision(try_commit(&place.catalog, base, &[], &[replace]).await), t);
    let late = ManifestChange::AddDeletes { table: t, deletes: vec![(old[0], deletes("d", 1))] };
    assert_eq!(collision(try_commit(&place.catalog, base, &[], &[late]).await), t);
    // Appending does not mind, nor does it hinder.
    try_commit(&place.catalog, base, &[], &[add(t, "h", 5)]).await.unwrap();
    assert_eq!(place.paths(t, base + 2).await, ["m", "h"]);
}

#[tokio::test]
async fn replaced_rows_may_get_new_ids() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[ManifestChange::AddFiles { table: t, files: vec![file("f", 10), file("g", 20)] }]).await;
    let base = place.newest().await;
    let old = place.catalog.data_files(t, base).await.unwrap()[0].id;
    let new = vec![DataFile { row_id_start: NEW_ROW_IDS, ..file("m", 8) }];
    place.commit(&[ManifestChange::ReplaceFiles { table: t, old: vec![old], new }]).await;
    let files = place.catalog.data_files(t, base + 1).await.unwrap();
    assert_eq!(files.iter().map(|file| file.row_id_start).collect::<Vec<_>>(), [10, 30]);
    assert_eq!(place.catalog.table_statistics(t).await.unwrap().next_row_id, 38);
}

#[tokio::test]
async fn past_definitions_are_in_order() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let mut definition = place.definition("t").await;
    definition.attributes.sort_key = SortKey::Compound { columns: vec![1] };
    place.commit(&[ManifestChange::AlterTable(definition.clone())]).await;
    let past = place.catalog.past_definitions(t).await.unwrap();
    let keys: Vec<_> = past.iter().map(|past| (past.begin_snapshot, &past.table.attributes.sort_key)).collect();
    let last = place.newest().await;
    assert_eq!(keys, [(last - 1, &SortKey::None), (last, &definition.attributes.sort_key)]);
}

#[tokio::test]
async fn lists_of_files_are_right_at_any_snapshot_in_any_order() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let first = place.newest().await;
    for at in 0..10 {
        place.commit(&[add(if at % 2 == 0 { t } else { u }, &format!("f{at}"), 1)]).await;
    }
    let another = place.another().await;
    for at in [10, 0, 5, 4, 10, 9, 6, 7, 1] {
        let expected: Vec<String> = (0..at).filter(|at| at % 2 == 0).map(|at| format!("f{at}")).collect();
        assert_eq!(place.paths(t, first + at).await, expected, "{at}");
        let files = another.data_files(t, first + at).await.unwrap();
        assert_eq!(files.len(), expected.len());
    }
}

#[tokio::test]
async fn bounds_are_those_of_all_rows() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[add(t, "f", 9)]).await;
    place.commit(&[inline(t, &[(-5, "x"), (40, "y")])]).await;
    let known = place.catalog.table_statistics(t).await.unwrap();
    let a = &known.columns[&1];
    assert_eq!((a.minimum.as_deref(), a.maximum.as_deref(), a.contains_null), (Some("-5"), Some("40"), Some(false)));
    // The file does not tell about `b`.
    let b = &known.columns[&2];
    assert_eq!((b.minimum.as_deref(), b.maximum.as_deref(), b.contains_null), (None, None, None));
}

#[tokio::test]
async fn ends_of_texts_are_known_where_somebody_looked() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let with = |path: &str, ended: Option<bool>| {
        let mut file = file(path, 2);
        file.columns.get_mut(&1).unwrap().blank_ended = ended;
        file
    };
    let new = vec![with("f", Some(true)), with("g", Some(false)), with("h", None)];
    place.commit(&[ManifestChange::AddFiles { table: t, files: new }]).await;
    let files = place.another().await.data_files(t, place.newest().await).await.unwrap();
    let known: Vec<_> = files.iter().map(|file| file.columns[&1].blank_ended).collect();
    assert_eq!(known, [Some(true), Some(false), None]);
}

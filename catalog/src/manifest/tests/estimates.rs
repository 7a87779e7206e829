//! Sketches of files and of tables, what ANALYZE keeps, and the columns that queries use.

use super::*;
use crate::manifest::FoundEstimates;
use crate::model::{ColumnAnalysis, ColumnUse, DistinctSketch, TableAnalysis};
use std::sync::Arc;

/// Of these numbers, each hashed by a multiplication that spreads them over all bits.
fn sketch(values: std::ops::Range<u64>) -> DistinctSketch {
    let mut sketch = DistinctSketch::default();
    values.for_each(|value| sketch.add((value + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    sketch
}

/// A file whose column 1 has these values.
fn with_sketch(path: &str, values: std::ops::Range<u64>) -> DataFile {
    let mut made = file(path, values.end - values.start);
    made.columns.get_mut(&1).unwrap().distinct = Some(Arc::new(sketch(values)));
    made
}

fn add_all(table: i64, files: Vec<DataFile>) -> ManifestChange {
    ManifestChange::AddFiles { table, files }
}

async fn distinct(catalog: &Catalog, table: i64) -> Option<u64> {
    // As a statement does, which looks at the snapshot first.
    catalog.snapshot().await.unwrap();
    catalog.estimates(table).await.unwrap().columns.get(&1).and_then(|known| known.distinct_count)
}

#[tokio::test]
async fn the_sketches_of_files_are_joined_as_they_come() {
    let place = Place::new().await;
    let t = place.table("t").await;
    assert_eq!(distinct(&place.catalog, t).await, None);
    place.commit(&[add_all(t, vec![with_sketch("a", 0..100), with_sketch("b", 50..120)])]).await;
    assert_eq!(distinct(&place.catalog, t).await, Some(sketch(0..120).count()));
    // Another process sees it, and what it adds is seen here.
    let other = place.another().await;
    assert_eq!(distinct(&other, t).await, Some(sketch(0..120).count()));
    commit(&other, &[add_all(t, vec![with_sketch("c", 0..300)])]).await;
    assert_eq!(distinct(&place.catalog, t).await, Some(sketch(0..300).count()));
    // A file without a sketch says nothing.
    place.commit(&[add(t, "d", 10)]).await;
    assert_eq!(distinct(&place.catalog, t).await, Some(sketch(0..300).count()));
    let (joined, without) = place.catalog.file_sketches(t).await.unwrap();
    assert_eq!((joined.get(&1), joined.len(), without), (Some(&sketch(0..300)), 1, 10));
}

#[tokio::test]
async fn a_truncated_table_is_forgotten_and_one_in_a_commit_too() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[add_all(t, vec![with_sketch("a", 0..100)])]).await;
    let found =
        FoundEstimates { table: Some(TableAnalysis { time_ms: 1, row_count: 100 }), ..FoundEstimates::default() };
    place.catalog.put_estimates(t, &found).await.unwrap();
    assert!(place.catalog.estimates(t).await.unwrap().analysis.is_some());
    let changes = [
        add_all(t, vec![with_sketch("b", 0..500)]),
        ManifestChange::Truncate { table: t },
        add_all(t, vec![with_sketch("c", 0..3)]),
    ];
    place.commit(&changes).await;
    assert_eq!(distinct(&place.catalog, t).await, Some(3));
    assert_eq!(place.catalog.estimates(t).await.unwrap().analysis, None);
}

#[tokio::test]
async fn what_analyze_finds_replaces_what_was_known() {
    let place = Place::new().await;
    let t = place.table("t").await;
    place.commit(&[add_all(t, vec![with_sketch("a", 0..100)])]).await;
    let analysis = ColumnAnalysis {
        time_ms: 7,
        null_fraction: 0.25,
        average_width: 4.,
        common: vec![("5".to_owned(), 0.5)],
        histogram: vec!["0".to_owned(), "9".to_owned()],
    };
    let found = FoundEstimates {
        table: Some(TableAnalysis { time_ms: 7, row_count: 60 }),
        columns: [(1, (sketch(0..10), analysis.clone())), (2, (sketch(0..0), ColumnAnalysis::default()))].into(),
    };
    place.catalog.put_estimates(t, &found).await.unwrap();
    let known = place.another().await.estimates(t).await.unwrap();
    assert_eq!(known.analysis, found.table);
    assert_eq!(known.columns[&1].distinct_count, Some(10));
    assert_eq!(known.columns[&1].analysis.as_ref(), Some(&analysis));
    assert_eq!(known.columns[&2].distinct_count, Some(0));
    // Rows that come then are added, and the analysis stays.
    place.commit(&[add_all(t, vec![with_sketch("b", 5..20)])]).await;
    assert_eq!(distinct(&place.catalog, t).await, Some(20));
    assert_eq!(place.catalog.estimates(t).await.unwrap().columns[&1].analysis.as_ref(), Some(&analysis));
    assert!(matches!(place.catalog.put_estimates(999, &found).await, Err(CatalogError::NotFound { .. })));
}

#[tokio::test]
async fn columns_that_queries_use_are_noted() {
    let place = Place::new().await;
    let t = place.table("t").await;
    let (filter, join) =
        (ColumnUse { filters: 1, ..ColumnUse::default() }, ColumnUse { joins: 2, ..ColumnUse::default() });
    place.catalog.add_column_uses(&[((t, 1), filter), ((t, 2), join), ((999, 1), join)]).await.unwrap();
    place.catalog.add_column_uses(&[((t, 1), filter)]).await.unwrap();
    assert_eq!(place.catalog.predicate_columns(t).await.unwrap(), [1, 2].into());
    let twice = ColumnUse { filters: 2, ..ColumnUse::default() };
    assert_eq!(place.catalog.column_uses(t).await.unwrap(), [(1, twice), (2, join)].into());
    assert!(place.catalog.predicate_columns(999).await.unwrap().is_empty());
}

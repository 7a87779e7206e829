//! Whatever the layout is, the rows are the same, and what is said of them is true.

use super::super::buckets::bucket_numbers;
use super::super::{Arranged, arrange};
use crate::tables::arrow_schema;
use arrow::array::{AsArray, Int32Array, RecordBatch, StringViewArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use millrace_catalog::model::{DistributionStyle, ManagedColumn, ManagedTable, SortKey, TableAttributes};
use std::sync::Arc;

fn table(distribution: DistributionStyle, sort_key: SortKey) -> ManagedTable {
    let column = |id, name: &str, data_type: &str| ManagedColumn {
        id,
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    };
    ManagedTable {
        columns: vec![column(1, "k", "integer"), column(2, "t", "character varying(40)")],
        attributes: TableAttributes { distribution, sort_key, buckets: 64, ..TableAttributes::default() },
        ..ManagedTable::default()
    }
}

/// Keys by kind: many, one, none at all, few and NULLs.
fn key(kind: usize, row: usize) -> Option<i32> {
    match kind {
        0 => Some((row as i32).wrapping_mul(7919) % 50_000),
        1 => Some(7),
        2 => None,
        _ => (!row.is_multiple_of(5)).then_some((row % 5) as i32),
    }
}

fn streams(table: &ManagedTable, kind: usize, rows: usize, count: usize) -> Vec<SendableRecordBatchStream> {
    let schema = arrow_schema(&table.columns).unwrap();
    let stream = |from: usize| {
        let batches = (0..rows).skip(from).step_by(count).collect::<Vec<_>>();
        let batches: Vec<_> = batches
            .chunks(1000)
            .map(|rows| {
                let keys: Int32Array = rows.iter().map(|row| key(kind, *row)).collect();
                let texts: StringViewArray = rows.iter().map(|row| Some(format!("row {row}"))).collect();
                Ok(RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(keys), Arc::new(texts)]).unwrap())
            })
            .collect();
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter(batches));
        Box::pin(stream) as SendableRecordBatchStream
    };
    (0..count).map(stream).collect()
}

fn context(partitions: usize) -> Arc<TaskContext> {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(partitions)).task_ctx()
}

async fn collect(arranged: Vec<Arranged>) -> Vec<(Arranged, Vec<RecordBatch>)> {
    let read = arranged.into_iter().map(|part| {
        let Arranged { rows, bucket, sorted, layout } = part;
        tokio::spawn(async move {
            let schema = rows.schema();
            let batches: Vec<RecordBatch> = rows.try_collect().await.unwrap();
            let rows = Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::empty()));
            (Arranged { rows, bucket, sorted, layout }, batches)
        })
    });
    futures::future::join_all(read).await.into_iter().map(Result::unwrap).collect()
}

fn rows_of(batches: &[RecordBatch]) -> Vec<(Option<i32>, String)> {
    let rows = batches.iter().flat_map(|batch| {
        let (keys, texts) = (batch.column(0).as_primitive::<Int32Type>().clone(), batch.column(1).as_string_view());
        let texts: Vec<String> = texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect();
        keys.iter().zip(texts).collect::<Vec<_>>()
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_layout_keeps_the_rows() {
    let styles = [DistributionStyle::Even, DistributionStyle::All, DistributionStyle::Key { column: 1 }];
    let sorts = [
        SortKey::None,
        SortKey::Compound { columns: vec![1] },
        SortKey::Compound { columns: vec![1, 2] },
        SortKey::Interleaved { columns: vec![1, 2] },
    ];
    for (style, sort) in styles.iter().flat_map(|style| sorts.iter().map(move |sort| (style, sort))) {
        for (kind, rows, partitions) in
            [(0, 70_000, 2), (0, 500, 2), (1, 70_000, 4), (2, 500, 2), (3, 70_000, 64), (0, 0, 2)]
        {
            let table = table(style.clone(), sort.clone());
            let arranged = arrange(&table, style, streams(&table, kind, rows, 3), &context(partitions)).await.unwrap();
            let parts = collect(arranged).await;
            let case = format!("{style:?} {sort:?} kind {kind} rows {rows} partitions {partitions}");
            for (part, batches) in &parts {
                check(part, batches, sort, &case);
            }
            let mut all: Vec<_> = parts.iter().flat_map(|(_, batches)| rows_of(batches)).collect();
            all.sort();
            let mut wanted: Vec<_> = (0..rows).map(|row| (key(kind, row), format!("row {row}"))).collect();
            wanted.sort();
            assert!(all == wanted, "{case}: {} rows of {rows}", all.len());
        }
    }
}

fn check(part: &Arranged, batches: &[RecordBatch], sort: &SortKey, case: &str) {
    if let Some(bucket) = part.bucket {
        for batch in batches {
            let buckets = bucket_numbers(batch.column(0), part.layout.buckets).unwrap();
            assert!(buckets.iter().all(|found| *found == bucket), "{case}: bucket {bucket}");
        }
    }
    assert_eq!(part.sorted, *sort != SortKey::None || part.layout.sort_key != SortKey::None, "{case}");
    if let SortKey::Compound { columns } = sort {
        // NULLs stand last.
        let place = |(key, text): &(Option<i32>, String)| {
            (key.is_none(), *key, if columns.len() > 1 { text.clone() } else { String::new() })
        };
        let rows = rows_of(batches);
        assert!(rows.is_sorted_by_key(place), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_do_not_overlap() {
    let table = table(DistributionStyle::Even, SortKey::Compound { columns: vec![1] });
    let arranged =
        arrange(&table, &DistributionStyle::Even, streams(&table, 0, 140_000, 2), &context(4)).await.unwrap();
    let parts = collect(arranged).await;
    // More rows than are looked at first: all slices write.
    assert_eq!(parts.len(), 4);
    let bounds = parts.iter().map(|(_, batches)| {
        let rows = rows_of(batches);
        (rows.first().unwrap().0, rows.last().unwrap().0)
    });
    let bounds: Vec<_> = bounds.collect();
    assert!(bounds.windows(2).all(|pair| pair[0].1 < pair[1].0), "{bounds:?}");
}

/// What a zone map says of as many rows: an interleaved key leaves zones out by either column, a compound one by the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interleaved_keys_narrow_zones_by_each_column() {
    const ROWS: i32 = 400_000;
    const ROWS_OF_ZONE: usize = 8_192;
    let column = |id: i64| ManagedColumn {
        id,
        name: format!("c{id}"),
        data_type: "integer".to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    };
    let columns = || vec![1, 2];
    for sort_key in [SortKey::Interleaved { columns: columns() }, SortKey::Compound { columns: columns() }] {
        let is_compound = matches!(sort_key, SortKey::Compound { .. });
        let attributes = TableAttributes { sort_key, ..TableAttributes::default() };
        let table = ManagedTable { columns: vec![column(1), column(2)], attributes, ..ManagedTable::default() };
        let schema = arrow_schema(&table.columns).unwrap();
        // Each of a thousand values of one column stands beside 400 of the other.
        let batch = |from: i32| {
            let rows = from..from + 8_000;
            let first: Int32Array = rows.clone().map(|row| row % 1000 * 7919 % 1000).collect();
            let second: Int32Array = rows.map(|row| (row / 1000 * 617 + row % 1000 * 31) % 1000).collect();
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(first), Arc::new(second)]).unwrap())
        };
        let batches: Vec<_> = (0..ROWS).step_by(8_000).map(batch).collect();
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter(batches));
        let streams = vec![Box::pin(rows) as SendableRecordBatchStream];
        let parts = collect(arrange(&table, &DistributionStyle::Even, streams, &context(1)).await.unwrap()).await;
        assert_eq!(parts.len(), 1);
        let rows = concat_batches(&schema, &parts[0].1).unwrap();
        assert_eq!(rows.num_rows(), ROWS as usize);
        for (at, values) in rows.columns().iter().enumerate() {
            let zones = values.as_primitive::<Int32Type>().values().chunks(ROWS_OF_ZONE);
            let zones = zones.map(|zone| (zone.iter().copied().min().unwrap(), zone.iter().copied().max().unwrap()));
            let zones: Vec<(i32, i32)> = zones.collect();
            for value in [100, 500, 900] {
                let read = zones.iter().filter(|(low, high)| (*low..=*high).contains(&value)).count();
                let told = format!("compound {is_compound}: {value} in column {at}: {read} of {} zones", zones.len());
                match (is_compound, at) {
                    (true, 0) => assert!(read <= 2, "{told}"),
                    (true, _) => assert_eq!(read, zones.len(), "{told}"),
                    (false, _) => assert!(read * 3 < zones.len() * 2, "{told}"),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wide_rows() {
    let column = |id: i64| ManagedColumn {
        id,
        name: format!("c{id}"),
        data_type: "integer".to_owned(),
        nullable: true,
        ..ManagedColumn::default()
    };
    let style = DistributionStyle::Key { column: 1600 };
    let sort_key = SortKey::Interleaved { columns: (1..=8).collect() };
    let attributes =
        TableAttributes { distribution: style.clone(), sort_key, buckets: 64, ..TableAttributes::default() };
    let table = ManagedTable { columns: (1..=1600).map(column).collect(), attributes, ..ManagedTable::default() };
    let schema = arrow_schema(&table.columns).unwrap();
    let values: Int32Array = (0..100).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(values); 1600]).unwrap();
    let rows = futures::stream::iter(vec![Ok(batch)]);
    let streams = vec![Box::pin(RecordBatchStreamAdapter::new(schema, rows)) as SendableRecordBatchStream];
    let parts = collect(arrange(&table, &style, streams, &context(64)).await.unwrap()).await;
    let rows: usize = parts.iter().flat_map(|(_, batches)| batches).map(RecordBatch::num_rows).sum();
    assert_eq!((parts.len(), rows), (1, 100));
}

/// Sorting is bounded: more rows than the memory holds are spilled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_memory() {
    let sort_key = SortKey::Compound { columns: vec![2] };
    let table = table(DistributionStyle::Key { column: 1 }, sort_key.clone());
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(80 << 20, 1.0).build_arc().unwrap();
    let context = TaskContext::default()
        .with_session_config(SessionConfig::new().with_target_partitions(2).with_sort_spill_reservation_bytes(1 << 20))
        .with_runtime(runtime);
    let (rows, context) = (400_000, Arc::new(context));
    let arranged = arrange(&table, &DistributionStyle::Key { column: 1 }, streams(&table, 0, rows, 2), &context);
    let parts = collect(arranged.await.unwrap()).await;
    let all: usize = parts.iter().flat_map(|(_, batches)| batches).map(RecordBatch::num_rows).sum();
    assert_eq!((parts.len(), all), (2, rows));
    for (part, batches) in &parts {
        check(part, batches, &SortKey::None, "little memory");
        let texts = rows_of(batches).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert!(texts.is_sorted());
    }
}

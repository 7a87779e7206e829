//! What a scan skips, and what it tells the optimizer.

use super::{FORMATS, fixture, only, run};
use crate::tables::{WriteOptions, write_deletes};
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The different files that the scans of a plan read.
fn files_read(plan: &Arc<dyn ExecutionPlan>) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    if let Some(source) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = source.data_source().downcast_ref::<FileScanConfig>()
    {
        for file in config.file_groups.iter().flat_map(datafusion::datasource::physical_plan::FileGroup::iter) {
            files.insert(file.path().to_string());
        }
    }
    for child in plan.children() {
        files.extend(files_read(child));
    }
    files
}

#[tokio::test]
async fn files_are_pruned_by_the_manifests_statistics() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "s", "varchar"), (3, "d", "date")]);
        let sql = "SELECT value, 'x' || lpad(CAST(value AS VARCHAR), 3, '0'), DATE '2024-01-01' + CAST(value AS INT) \
                   FROM generate_series(0, 99) ORDER BY 1";
        let rows = fixture.rows_of(sql).await;
        let files = fixture.write(rows, &WriteOptions { max_file_rows: 10, ..WriteOptions::default() }, 1).await;
        let cases = [
            ("k = 55", 1, "1"),
            ("k BETWEEN 18 AND 21", 2, "4"),
            ("k IN (1, 99)", 2, "2"),
            ("k < 0", 0, "0"),
            ("k IS NULL", 0, "0"),
            ("s LIKE 'x09%'", 1, "10"),
            ("d >= DATE '2024-04-01'", 1, "9"),
            ("k <> 5", 10, "99"),
        ];
        for (filter, read, rows) in cases {
            let sql = format!("SELECT count(s) FROM t WHERE {filter}");
            let (found, plan) = run(fixture.provider(&files, Vec::new()), &sql, 2).await.unwrap();
            assert_eq!(only(found), rows, "{format:?} {filter}");
            assert_eq!(files_read(&plan).len(), read, "{format:?} {filter}");
        }
    }
}

#[tokio::test]
async fn statistics_are_exact_only_when_true() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "f", "double precision")]);
        let rows = fixture.rows_of("SELECT value, value AS f FROM generate_series(1, 10)").await;
        let mut files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let context = datafusion::prelude::SessionContext::new();
        let scan = |files: Vec<_>| {
            let (provider, state) = (fixture.provider(&files, Vec::new()), context.state());
            async move {
                let plan = datafusion::catalog::TableProvider::scan(&provider, &state, None, &[], None).await.unwrap();
                datafusion::physical_plan::StatisticsContext::new()
                    .compute(plan.as_ref(), &datafusion::physical_plan::StatisticsArgs::new())
                    .unwrap()
            }
        };
        let whole = scan(files.clone()).await;
        assert_eq!(whole.num_rows, Precision::Exact(10));
        assert_eq!(whole.column_statistics[0].max_value, Precision::Exact(10_i64.into()));
        assert_eq!(whole.column_statistics[0].null_count, Precision::Exact(0));
        assert_eq!(whole.column_statistics[1].max_value, Precision::Inexact(10.0_f64.into()));
        files[0].deletes = write_deletes(&fixture.storage, &fixture.table, &files[0], &[9]).await.unwrap().keep();
        let less = scan(files.clone()).await;
        assert_eq!(less.num_rows, Precision::Exact(9));
        assert_eq!(less.column_statistics[0].max_value, Precision::Inexact(10_i64.into()));
        assert_eq!(only(fixture.query(&files, "SELECT max(k), count(*) FROM t").await), "9|9");
    }
}

/// NaN is greater than every number, and zeros are equal.
#[tokio::test]
async fn floating_point_bounds_prune_nothing_that_fits() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "f", "double precision")]);
        let rows = fixture.rows_of("SELECT 1.0 UNION ALL SELECT CAST('NaN' AS DOUBLE)").await;
        let files = fixture.write(rows, &WriteOptions::default(), 1).await;
        assert_eq!(only(fixture.query(&files, "SELECT count(*) FROM t WHERE f > 5").await), "1", "{format:?}");
        let rows = fixture.rows_of("SELECT CAST('-0.0' AS DOUBLE)").await;
        let files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let provider = fixture.provider(&files, Vec::new());
        let (_, plan) = run(provider, "SELECT count(f) FROM t WHERE f >= 0.0", 1).await.unwrap();
        assert_eq!(files_read(&plan).len(), 1, "{format:?}");
    }
}

#[tokio::test]
async fn limits_and_empty_projections() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value FROM generate_series(1, 1000)").await;
        let mut files = fixture.write(rows, &WriteOptions { max_file_rows: 300, ..WriteOptions::default() }, 1).await;
        let gone: Vec<u64> = (0..299).collect();
        files[0].deletes = write_deletes(&fixture.storage, &fixture.table, &files[0], &gone).await.unwrap().keep();
        assert_eq!(fixture.query(&files, "SELECT k FROM t LIMIT 7").await.len(), 7);
        assert_eq!(fixture.query(&files, "SELECT k FROM t WHERE k > 0 LIMIT 450").await.len(), 450);
        assert_eq!(fixture.query(&files, "SELECT 1 FROM t").await.len(), 701);
        assert_eq!(only(fixture.query(&files, "SELECT count(*) FROM t").await), "701");
    }
}

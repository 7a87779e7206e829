//! Rows that stay in memory for a query that comes again.

use super::{Fixture, fixture, shown};
use crate::tables::{Lookup, WriteOptions, write_deletes};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use millrace_catalog::model::{DataFile, FileFormat};
use std::sync::Arc;

/// A hundred rows in files of thirty, of which the eighth row is deleted.
async fn table() -> (Fixture, Vec<DataFile>) {
    let fixture = fixture(FileFormat::Vortex, &[(1, "k", "bigint"), (2, "s", "varchar"), (3, "d", "date")]);
    let sql =
        "SELECT value, 's' || value, DATE '2024-01-01' + CAST(value AS INT) FROM generate_series(0, 99) ORDER BY 1";
    let rows = fixture.rows_of(sql).await;
    let mut files = fixture.write(rows, &WriteOptions { max_file_rows: 30, ..WriteOptions::default() }, 1).await;
    files[0].deletes = write_deletes(&fixture.storage, &fixture.table, &files[0], &[7]).await.unwrap().keep();
    (fixture, files)
}

fn context(fixture: &Fixture, files: &[DataFile]) -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_table("t", Arc::new(fixture.provider(files, Vec::new()))).unwrap();
    context
}

async fn planned(context: &SessionContext, sql: &str) -> (LogicalPlan, Arc<dyn ExecutionPlan>) {
    let state = context.state();
    let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
    let physical = state.query_planner().create_physical_plan(&plan, &state).await.unwrap();
    (plan, physical)
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> &FileScanConfig {
    plan.downcast_ref::<DataSourceExec>().unwrap().data_source().downcast_ref().unwrap()
}

#[tokio::test]
async fn rows_are_found_without_the_files() {
    let (fixture, files) = table().await;
    let context = context(&fixture, &files);
    let (plan, physical) = planned(&context, "SELECT s AS found, d FROM t WHERE k = 55").await;
    let lookup = Lookup::read(&plan, scan(&physical), &context.state()).await.unwrap().unwrap();
    std::fs::remove_dir_all(fixture.folder.path().join("public/t")).unwrap();
    let is = |value: i64| col("t.k").eq(lit(value));
    let cases: [(Expr, &[&str]); 5] = [
        (is(55), &["s55|2024-02-25"]),
        (is(7), &[]),
        (is(-1), &[]),
        (is(8).or(is(99)), &["s8|2024-01-09", "s99|2024-04-09"]),
        (col("t.k").gt(lit(5_i64)).and(col("t.k").lt(lit(9_i64))), &["s6|2024-01-07", "s8|2024-01-09"]),
    ];
    for (condition, expected) in cases {
        // Each has counters of its own.
        for _ in 0..2 {
            let own = lookup.scan(condition.clone(), &context.state()).unwrap().unwrap();
            assert_eq!(own.schema(), physical.schema());
            let rows = collect(Arc::clone(&own), context.task_ctx()).await.unwrap();
            assert_eq!(shown(&rows), expected, "{condition}");
            assert_eq!(own.metrics().unwrap().output_rows(), Some(expected.len()), "{condition}");
        }
    }
    for (value, same) in [(55, true), (56, false)] {
        let own = lookup.scan(is(value), &context.state()).unwrap().unwrap();
        assert_eq!(lookup.wants_the_same(scan(&own), scan(&physical)).unwrap(), same, "{value}");
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let (fixture, files) = table().await;
    let context = context(&fixture, &files);
    let (plan, physical) = planned(&context, "SELECT k FROM t WHERE k > 3 LIMIT 2").await;
    let lookup = Lookup::read(&plan, scan(&physical), &context.state()).await.unwrap().unwrap();
    for (least, count) in [(3_i64, 2), (97, 2), (98, 1), (99, 0)] {
        let own = lookup.scan(col("t.k").gt(lit(least)), &context.state()).unwrap().unwrap();
        let rows = collect(own, context.task_ctx()).await.unwrap();
        assert_eq!(shown(&rows).len(), count, "{least}");
    }
}

#[tokio::test]
async fn what_does_more_than_to_look_is_none() {
    let (fixture, files) = table().await;
    let context = context(&fixture, &files);
    let (_, bare) = planned(&context, "SELECT k FROM t WHERE k = 1").await;
    for sql in [
        "SELECT k FROM t",
        "SELECT count(*) FROM t WHERE k = 1",
        "SELECT k FROM t WHERE k = 1 ORDER BY s",
        "SELECT DISTINCT k FROM t WHERE k > 1",
        "SELECT k FROM (SELECT k FROM t LIMIT 5) WHERE k > 1",
        "SELECT a.k FROM t AS a JOIN t AS b ON a.k = b.k WHERE a.k > 1",
    ] {
        let (plan, _) = planned(&context, sql).await;
        let lookup = Lookup::read(&plan, scan(&bare), &context.state()).await.unwrap();
        assert!(lookup.is_none(), "{sql}");
    }
}

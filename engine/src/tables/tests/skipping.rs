//! Blocks of a file that a scan does not read: by its filters, and by those that joins and sorts find as they run.

use super::{FORMATS, Fixture, fixture, run};
use crate::tables::WriteOptions;
use datafusion::physical_plan::ExecutionPlan;
use millrace_catalog::model::{DataFile, FileFormat, SortKey};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::sync::Arc;

/// Bytes that the scans of a plan read.
fn bytes_read(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let here = plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned"));
    let below = plan.children().into_iter().map(bytes_read).sum::<usize>();
    here.map_or(0, |bytes| bytes.as_usize()) + below
}

/// Rows that the scans of files in a plan gave.
fn rows_given(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let scan = plan.metrics().filter(|metrics| metrics.sum_by_name("bytes_scanned").is_some());
    let below = plan.children().into_iter().map(rows_given).sum::<usize>();
    scan.and_then(|metrics| metrics.output_rows()).unwrap_or(0) + below
}

async fn bytes_of(fixture: &Fixture, files: &[DataFile], sql: &str) -> (Vec<String>, usize) {
    let (rows, plan) = run(fixture.provider(files, Vec::new()), sql, 2).await.unwrap();
    (rows, bytes_read(&plan))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_skipped() {
    let mut fixture = fixture(FileFormat::Vortex, &[(1, "k", "bigint"), (2, "p", "bigint"), (3, "s", "varchar")]);
    fixture.table.attributes.sort_key = SortKey::Compound { columns: vec![1] };
    let sql = "SELECT value, (value * 7919) % 1000003, 's' || lpad(CAST(value AS VARCHAR), 7, '0') \
               FROM generate_series(0, 999999)";
    let files = fixture.write(fixture.rows_of(sql).await, &WriteOptions::default(), 1).await;
    assert_eq!(files.len(), 1);
    let (_, all) = bytes_of(&fixture, &files, "SELECT sum(k), sum(p), max(s) FROM t WHERE p >= 0").await;
    let cases = [
        ("SELECT p FROM t WHERE k = 123456", "645133"),
        ("SELECT count(p) FROM t WHERE k BETWEEN 200000 AND 200500", "501"),
        ("SELECT sum(p) FROM t WHERE k IN (1, 2)", "23757"),
        ("SELECT count(p) FROM t WHERE s LIKE 's07777%'", "100"),
        ("SELECT p FROM t JOIN (VALUES (123456)) v (key) ON t.k = v.key", "645133"),
        ("SELECT p FROM t ORDER BY k LIMIT 1", "0"),
    ];
    for (sql, found) in cases {
        let (rows, bytes) = bytes_of(&fixture, &files, sql).await;
        assert_eq!(rows, [found], "{sql}");
        assert!(bytes * 2 < all, "{sql} read {bytes} of {all} bytes");
    }
}

/// Files hold moments as numbers, which filters that are found at run time are asked as moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_are_looked_at_first() {
    let columns = [(1, "at", "timestamp"), (2, "p", "bigint"), (3, "seen", "timestamptz"), (4, "s", "varchar")];
    let mut fixture = fixture(FileFormat::Vortex, &columns);
    fixture.table.attributes.sort_key = SortKey::Compound { columns: vec![1] };
    let sql = "SELECT value * 1000000 AS at, (value * 7919) % 1000003 AS p, (value * 7919) % 1000003 AS seen, \
               's' || lpad(CAST(value AS VARCHAR), 7, '0') FROM generate_series(0, 999999)";
    let files = fixture.write(fixture.rows_of(sql).await, &WriteOptions::default(), 1).await;
    let (_, all) = bytes_of(&fixture, &files, "SELECT max(at), sum(p), max(s) FROM t WHERE p >= 0").await;
    // Blocks by the sort key's bounds.
    let key = "arrow_cast(123456000000, 'Timestamp(Microsecond, None)')";
    let by_key = format!("SELECT p, s FROM t JOIN (VALUES ({key})) v (key) ON t.at = v.key");
    let (rows, bytes) = bytes_of(&fixture, &files, &by_key).await;
    assert_eq!(rows, ["645133|s0123456"]);
    assert!(bytes * 2 < all, "{bytes} of {all} bytes");
    // Rows by a column in no order.
    let key = "arrow_cast(645133, 'Timestamp(Microsecond, Some(\"UTC\"))')";
    let by_value = format!("SELECT p, s FROM t JOIN (VALUES ({key})) v (key) ON t.seen = v.key");
    let (rows, plan) = run(fixture.provider(&files, Vec::new()), &by_value, 2).await.unwrap();
    assert_eq!(rows, ["645133|s0123456"]);
    assert_eq!(rows_given(&plan), 1);
}

/// Open tables' files have row groups; each has the bounds of its columns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_groups_of_open_tables_are_skipped() {
    let fixture = fixture(FileFormat::Parquet, &[(1, "k", "bigint"), (2, "p", "bigint")]);
    let sql = "SELECT value, (value * 7919) % 1000003 FROM generate_series(0, 999999)";
    let files = fixture.write(fixture.rows_of(sql).await, &WriteOptions::default(), 1).await;
    assert_eq!(files.len(), 1);
    let (_, all) = bytes_of(&fixture, &files, "SELECT sum(k), sum(p) FROM t WHERE p >= 0").await;
    let cases = [
        ("SELECT p FROM t WHERE k = 123456", "645133"),
        ("SELECT count(p) FROM t WHERE k BETWEEN 200000 AND 200500", "501"),
        ("SELECT sum(p) FROM t WHERE k IN (1, 2)", "23757"),
        ("SELECT p FROM t JOIN (VALUES (123456)) v (key) ON t.k = v.key", "645133"),
    ];
    for (sql, found) in cases {
        let (rows, bytes) = bytes_of(&fixture, &files, sql).await;
        assert_eq!(rows, [found], "{sql}");
        assert!(bytes * 2 < all, "{sql} read {bytes} of {all} bytes");
    }
}

/// What a join finds skips files by the bounds of any column, whatever the table is sorted by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_files_are_skipped_by_what_a_join_finds() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "p", "bigint")]);
        let sql = "SELECT value, (value * 7919) % 1000003 FROM generate_series(0, 999999)";
        let options = WriteOptions { max_file_rows: 50_000, ..WriteOptions::default() };
        let files = fixture.write(fixture.rows_of(sql).await, &options, 1).await;
        assert!(files.len() >= 10, "{format:?}: {} files", files.len());
        let (_, all) = bytes_of(&fixture, &files, "SELECT sum(k), sum(p) FROM t WHERE p >= 0").await;
        let sql = "SELECT p FROM t JOIN (VALUES (123456)) v (key) ON t.k = v.key";
        let (rows, bytes) = bytes_of(&fixture, &files, sql).await;
        assert_eq!(rows, ["645133"], "{format:?}");
        assert!(bytes * 4 < all, "{format:?}: {bytes} of {all} bytes");
    }
}

/// What a sort with a limit finds skips files that come later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_files_are_skipped_by_what_a_limit_finds() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "p", "bigint")]);
        let sql = "SELECT value, (value * 7919) % 1000003 FROM generate_series(0, 999999)";
        let options = WriteOptions { max_file_rows: 50_000, ..WriteOptions::default() };
        let files = fixture.write(fixture.rows_of(sql).await, &options, 1).await;
        let (_, all) = bytes_of(&fixture, &files, "SELECT sum(k), sum(p) FROM t WHERE p >= 0").await;
        let (rows, bytes) = bytes_of(&fixture, &files, "SELECT p FROM t ORDER BY k LIMIT 3").await;
        assert_eq!(rows, ["0", "7919", "15838"], "{format:?}");
        assert!(bytes * 2 < all, "{format:?}: {bytes} of {all} bytes");
    }
}

/// Within a row group of an open table's file pages have bounds, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_open_tables_are_skipped() {
    let mut fixture = fixture(FileFormat::Parquet, &[(1, "k", "bigint"), (2, "p", "bigint")]);
    // Dictionaries would be read whole.
    fixture.table.columns.iter_mut().for_each(|column| column.encoding = Some("raw".to_owned()));
    let sql = "SELECT value, (value * 7919) % 1000003 FROM generate_series(0, 99999)";
    let files = fixture.write(fixture.rows_of(sql).await, &WriteOptions::default(), 1).await;
    let path = fixture.folder.path().join("public/t").join(&files[0].path);
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 1);
    let (_, all) = bytes_of(&fixture, &files, "SELECT sum(k), sum(p) FROM t WHERE p >= 0").await;
    let (rows, bytes) = bytes_of(&fixture, &files, "SELECT p FROM t WHERE k = 12345").await;
    assert_eq!(rows, [(12_345 * 7919 % 1_000_003).to_string()]);
    assert!(bytes * 2 < all, "{bytes} of {all} bytes");
}

//! Deleted rows and the positions by which rows are named.

use super::{FORMATS, fixture, only};
use crate::ErrorKind;
use crate::tables::{InlinedRows, WriteOptions, read_deletes, write_deletes};
use arrow::array::Int64Array;
use millrace_catalog::model::DataFile;

async fn delete(fixture: &super::Fixture, file: &mut DataFile, positions: &[u64]) {
    let written = write_deletes(&fixture.storage, &fixture.table, file, positions).await.unwrap();
    file.deletes = written.keep();
}

#[tokio::test]
async fn deleted_rows_are_gone_and_positions_stay() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "v", "varchar")]);
        let rows = fixture.rows_of("SELECT value, 'v' || value FROM generate_series(0, 9)").await;
        let mut files = fixture.write(rows, &WriteOptions { max_file_rows: 5, ..WriteOptions::default() }, 7).await;
        delete(&fixture, &mut files[0], &[3, 0, 3]).await;
        assert_eq!(files[0].deletes.as_ref().unwrap().delete_count, 2);
        let sql = "SELECT _file, _position, k, v FROM t ORDER BY 1, 2";
        let left = ["7|1|1|v1", "7|2|2|v2", "7|4|4|v4", "8|0|5|v5", "8|1|6|v6", "8|2|7|v7", "8|3|8|v8", "8|4|9|v9"];
        assert_eq!(fixture.query_hidden(&files, sql).await, left, "{format:?}");
        let filtered = "SELECT _file, _position FROM t WHERE v > 'v3' AND k <> 6 ORDER BY 1, 2";
        assert_eq!(fixture.query_hidden(&files, filtered).await, ["7|4", "8|0", "8|2", "8|3", "8|4"], "{format:?}");
        let by_position = "SELECT k FROM t WHERE _position = 4 AND _file = 8";
        assert_eq!(fixture.query_hidden(&files, by_position).await, ["9"], "{format:?}");
        let computed = "SELECT _position * 2 + k FROM t WHERE k = 8";
        assert_eq!(fixture.query_hidden(&files, computed).await, ["14"], "{format:?}");

        // More of the same file: the old positions stay deleted, and the statistics do not claim otherwise.
        delete(&fixture, &mut files[0], &[1]).await;
        assert_eq!(*read_deletes(&fixture.storage, &fixture.table, &files[0]).await.unwrap(), [0, 1, 3]);
        let sums = "SELECT count(*), min(k), max(k), sum(k) FROM t";
        assert_eq!(only(fixture.query(&files, sums).await), "7|2|9|41");
        delete(&fixture, &mut files[0], &[0, 1, 2, 3, 4]).await;
        assert_eq!(only(fixture.query(&files, sums).await), "5|5|9|35");
        delete(&fixture, &mut files[1], &[4]).await;
        assert_eq!(only(fixture.query(&files, sums).await), "4|5|8|26");
    }
}

/// Read anew from the disk, not from what the writer left in memory.
#[tokio::test]
async fn delete_files_are_read_from_the_disk() {
    for format in FORMATS {
        let mut fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value FROM generate_series(0, 99999)").await;
        let mut files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let odd: Vec<u64> = (0..50_000).map(|at| at * 2 + 1).collect();
        delete(&fixture, &mut files[0], &odd).await;
        let old = fixture.storage.clone();
        fixture.storage = crate::tables::TableStorage::new(old.store, old.url, old.root, old.cleanup);
        let sums = "SELECT count(*), sum(k), count(*) FILTER (WHERE k % 2 = 1) FROM t";
        assert_eq!(only(fixture.query(&files, sums).await), "50000|2499950000|0");
        // Positions are right when two tasks share the file, and beside a filter that skips blocks of it.
        let wrong = "SELECT count(*) FROM t WHERE k <> _position";
        assert_eq!(only(fixture.query_hidden(&files, wrong).await), "0", "{format:?}");
        let late = "SELECT count(*), min(_position), max(_position) FROM t WHERE k >= 90000";
        assert_eq!(only(fixture.query_hidden(&files, late).await), "5000|90000|99998", "{format:?}");
    }
}

#[tokio::test]
async fn positions_outside_the_file_are_refused() {
    let fixture = fixture(FORMATS[0], &[(1, "k", "bigint")]);
    let files = fixture.write(fixture.rows_of("SELECT 1").await, &WriteOptions::default(), 1).await;
    let error = write_deletes(&fixture.storage, &fixture.table, &files[0], &[1]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataCorrupted);
}

#[tokio::test]
async fn inlined_rows_stand_beside_files() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let files = fixture.write(fixture.rows_of("SELECT 1").await, &WriteOptions::default(), 3).await;
        let rows = fixture.rows_of("SELECT 2 UNION ALL SELECT 3 ORDER BY 1").await;
        let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
        let inlined = InlinedRows { rows, row_ids: Int64Array::from(vec![70, 71]) };
        let provider = fixture.provider(&files, vec![inlined]).with_hidden_columns();
        let (rows, _) = super::run(provider, "SELECT _file, _position, k FROM t ORDER BY k", 2).await.unwrap();
        assert_eq!(rows, ["3|0|1", "NULL|70|2", "NULL|71|3"]);
    }
}

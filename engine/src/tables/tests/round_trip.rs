//! Every type through both formats: what was put in comes out.

use super::{FORMATS, fixture, only, run};
use crate::tables::{WriteOptions, write_files};
use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, IntervalYearMonthArray, RecordBatch, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

const ALL: [(i64, &str, &str); 16] = [
    (1, "i2", "smallint"),
    (2, "i4", "integer"),
    (3, "i8", "bigint"),
    (4, "n9", "numeric(9,2)"),
    (5, "n38", "numeric(38,37)"),
    (6, "f4", "real"),
    (7, "f8", "double precision"),
    (8, "b", "boolean"),
    (9, "c", "character(3)"),
    (10, "v", "character varying(100)"),
    (11, "d", "date"),
    (12, "t", "time"),
    (13, "tz", "timetz"),
    (14, "ts", "timestamp"),
    (15, "tsz", "timestamptz"),
    (16, "vb", "varbyte(10)"),
];

/// Three rows: the least values, NULLs, the greatest.
fn extremes(schema: &arrow::datatypes::SchemaRef) -> RecordBatch {
    let digits = 10_i128.pow(38) - 1;
    let long = "ü".repeat(50);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        Arc::new(
            Decimal128Array::from(vec![Some(-999_999_999), None, Some(999_999_999)])
                .with_precision_and_scale(9, 2)
                .unwrap(),
        ),
        Arc::new(
            Decimal128Array::from(vec![Some(-digits), None, Some(digits)]).with_precision_and_scale(38, 37).unwrap(),
        ),
        Arc::new(Float32Array::from(vec![Some(f32::NEG_INFINITY), None, Some(f32::NAN)])),
        Arc::new(Float64Array::from(vec![Some(f64::MIN), None, Some(f64::MAX)])),
        Arc::new(BooleanArray::from(vec![Some(false), None, Some(true)])),
        Arc::new(StringViewArray::from(vec![Some(""), None, Some("abc")])),
        Arc::new(StringViewArray::from(vec![Some(""), None, Some(long.as_str())])),
        Arc::new(Date32Array::from(vec![Some(-2_440_588), None, Some(2_932_896)])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(0), None, Some(86_399_999_999)])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(0), None, Some(86_399_999_999)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(-62_135_596_800_000_000), None, Some(i64::MAX)])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(-62_135_596_800_000_000), None, Some(i64::MAX)])
                .with_timezone("UTC"),
        ),
        Arc::new(BinaryViewArray::from(vec![Some(&b""[..]), None, Some(&b"\x00\xff"[..])])),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

#[tokio::test]
async fn every_type_and_its_extremes() {
    for format in FORMATS {
        let fixture = fixture(format, &ALL);
        let schema = crate::tables::arrow_schema(&fixture.table.columns).unwrap();
        let rows = extremes(&schema);
        let batches = vec![rows.slice(0, 0), rows.clone(), rows.slice(0, 0)];
        let files = fixture.write(batches, &WriteOptions::default(), 1).await;
        assert_eq!(files.len(), 1);
        let file = &files[0];
        assert_eq!(file.record_count, 3);
        assert!(file.footer_size > 0 && file.footer_size < file.size_bytes);
        let statistics = &file.columns;
        assert_eq!(statistics.len(), ALL.len());
        assert!(statistics.values().all(|column| column.null_count == 1 && column.value_count == 2));
        assert!(statistics.values().all(|column| column.size_bytes > 0));
        assert_eq!(statistics[&1].minimum.as_deref(), Some("-32768"));
        assert_eq!(statistics[&4].maximum.as_deref(), Some("9999999.99"));
        assert_eq!(statistics[&6].contains_nan, Some(true));
        assert_eq!(statistics[&6].maximum.as_deref(), Some("-inf"));
        assert_eq!(statistics[&7].contains_nan, Some(false));
        assert_eq!(statistics[&14].minimum.as_deref(), Some("0001-01-01 00:00:00"));
        assert_eq!(statistics[&14].maximum, None, "no text for a year of six digits");

        let context = SessionContext::new();
        context.register_table("t", Arc::new(fixture.provider(&files, Vec::new()))).unwrap();
        let plan = context.sql("SELECT * FROM t").await.unwrap().create_physical_plan().await.unwrap();
        let read = collect(plan, context.task_ctx()).await.unwrap();
        assert_eq!(concat_batches(&read[0].schema(), &read).unwrap().columns(), rows.columns(), "{format:?}");
    }
}

#[tokio::test]
async fn no_rows_make_no_file() {
    for format in FORMATS {
        let fixture = fixture(format, &ALL);
        let schema = crate::tables::arrow_schema(&fixture.table.columns).unwrap();
        let empty = fixture.stream(vec![RecordBatch::new_empty(schema)]);
        let none = fixture.stream(Vec::new());
        let files = write_files(&fixture.storage, &fixture.table, vec![empty, none], &WriteOptions::default()).await;
        assert!(files.unwrap().keep().is_empty());
        assert_eq!(fixture.files_on_disk(), 0);
        assert_eq!(only(fixture.query(&[], "SELECT count(*) FROM t").await), "0");
    }
}

#[tokio::test]
async fn files_are_cut_by_rows_and_by_size() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint")]);
        let rows = fixture.rows_of("SELECT value FROM generate_series(1, 95)").await;
        let options = WriteOptions { max_file_rows: 10, ..WriteOptions::default() };
        let files = fixture.write(rows, &options, 1).await;
        assert_eq!(
            files.iter().map(|file| file.record_count).collect::<Vec<_>>(),
            [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]
        );
        let sums = only(fixture.query(&files, "SELECT count(*), sum(k), min(k), max(k) FROM t").await);
        assert_eq!(sums, "95|4560|1|95");

        let rows = fixture.rows_of("SELECT value * 7919 % 1000003 FROM generate_series(1, 300000)").await;
        let options = WriteOptions { target_file_bytes: 100_000, ..WriteOptions::default() };
        let files = fixture.write(rows, &options, 1).await;
        assert!(files.len() > 1, "{} files", files.len());
        assert_eq!(only(fixture.query(&files, "SELECT count(*) FROM t").await), "300000");
    }
}

/// 9999-12-31 is what people write for "never ends".
#[tokio::test]
async fn timestamps_are_compared_within_files() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "k", "bigint"), (2, "t", "timestamp"), (3, "z", "timestamptz")]);
        let sql = "SELECT 1, arrow_cast('9999-12-31 23:59:59', 'Timestamp(Microsecond, None)'), TIMESTAMP '2024-01-01' UNION ALL SELECT 2, \
                   arrow_cast('2024-05-06 07:08:09', 'Timestamp(Microsecond, None)'), NULL ORDER BY 1";
        let files = fixture.write(fixture.rows_of(sql).await, &WriteOptions::default(), 1).await;
        let cases = [
            ("t > arrow_cast('9999-12-31', 'Timestamp(Microsecond, None)')", "1|0"),
            ("t = arrow_cast('2024-05-06 07:08:09', 'Timestamp(Microsecond, None)')", "2|1"),
            (
                "t IN (arrow_cast('2024-05-06 07:08:09', 'Timestamp(Microsecond, None)'), arrow_cast('2025-01-01', 'Timestamp(Microsecond, None)'))",
                "2|1",
            ),
            ("z < TIMESTAMPTZ '2024-01-02T00:00:00Z'", "1|0"),
            ("z IS NULL", "2|1"),
            ("date_part('year', t) = 2024", "2|1"),
        ];
        for (filter, found) in cases {
            let rows = fixture.query_hidden(&files, &format!("SELECT k, _position FROM t WHERE {filter}")).await;
            assert_eq!(rows, [found], "{format:?} {filter}");
            let rows = fixture.query(&files, &format!("SELECT k, k - 1 FROM t WHERE {filter}")).await;
            assert_eq!(rows, [found], "{format:?} {filter}");
        }
    }
}

#[tokio::test]
async fn dates_that_vortex_cannot_store_are_refused() {
    let fixture = fixture(FORMATS[0], &[(1, "d", "date")]);
    let stream = fixture.stream(fixture.rows_of("SELECT CAST(2932897 AS INT)").await);
    let error =
        write_files(&fixture.storage, &fixture.table, vec![stream], &WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.message, "date out of range in column \"d\": years -9999 to 9999 can be stored");
    assert_eq!(fixture.files_on_disk(), 0);
}

#[tokio::test]
async fn rows_of_other_types_are_refused() {
    let fixture = fixture(FORMATS[0], &[(1, "k", "bigint")]);
    let other = super::fixture(FORMATS[0], &[(1, "k", "integer")]);
    let stream = other.stream(other.rows_of("SELECT 1").await);
    let error =
        write_files(&fixture.storage, &fixture.table, vec![stream], &WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.message, "column \"k\" is of type Int64 but the expression is of type Int32");
}

#[tokio::test]
async fn bounds_of_long_texts_are_cut_and_still_bounds() {
    for format in FORMATS {
        let fixture = fixture(format, &[(1, "v", "varchar(1000)")]);
        let rows = fixture.rows_of("SELECT repeat('b', 500) UNION ALL SELECT repeat('a', 500)").await;
        let files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let known = &files[0].columns[&1];
        assert_eq!(known.minimum.as_deref(), Some("a".repeat(128).as_str()));
        assert_eq!(known.maximum.as_deref(), Some(format!("{}c", "b".repeat(127)).as_str()));
        let longest = "SELECT length(max(v)), max(v) = repeat('b', 500) FROM t";
        assert_eq!(only(fixture.query(&files, longest).await), "500|true");
        let found = "SELECT count(*) FROM t WHERE v = repeat('b', 500)";
        assert_eq!(only(fixture.query(&files, found).await), "1");
        let (rows, _) =
            run(fixture.provider(&files, Vec::new()), "SELECT count(*) FROM t WHERE v > 'c'", 1).await.unwrap();
        assert_eq!(only(rows), "0");
    }
}

/// Intervals are integers in files. Parquet's own intervals are none of ours: tables of that format have no such columns.
#[tokio::test]
async fn intervals_and_their_extremes() {
    let columns = [(1, "m", "interval year to month"), (2, "s", "interval day to second")];
    let fixture = fixture(FORMATS[0], &columns);
    let schema = crate::tables::arrow_schema(&fixture.table.columns).unwrap();
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![Some(i32::MIN), None, Some(i32::MAX), Some(20)]));
    let micros: ArrayRef =
        Arc::new(DurationMicrosecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX), Some(-1)]));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![months, micros]).unwrap();
    let files = fixture.write(vec![rows.clone()], &WriteOptions::default(), 1).await;
    let known = &files[0].columns;
    assert_eq!(known[&1].minimum.as_deref(), Some("-178956970 years -8 months"));
    assert_eq!(known[&1].maximum.as_deref(), Some("178956970 years 7 months"));
    assert_eq!(known[&2].minimum.as_deref(), Some("-106751991 days -04:00:54.775808"));
    assert_eq!(known[&2].maximum.as_deref(), Some("106751991 days 04:00:54.775807"));
    assert_eq!(known[&2].distinct.as_ref().unwrap().count(), 3);
    let context = SessionContext::new();
    context.register_table("t", Arc::new(fixture.provider(&files, Vec::new()))).unwrap();
    let read = context.sql("SELECT * FROM t").await.unwrap().collect().await.unwrap();
    let read = concat_batches(&read[0].schema(), &read).unwrap();
    assert_eq!(read.columns(), rows.columns());
    for (filter, found) in [
        ("m = arrow_cast(arrow_cast(20, 'Int32'), 'Interval(YearMonth)')", "1"),
        ("m > arrow_cast(arrow_cast(20, 'Int32'), 'Interval(YearMonth)')", "1"),
        ("s < arrow_cast(0, 'Duration(Microsecond)')", "2"),
        ("s IS NULL", "1"),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE {filter}");
        assert_eq!(only(fixture.query(&files, &sql).await), found, "{filter}");
    }
}

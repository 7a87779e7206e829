//! Files of pyarrow, see `tests/data/formats/generate.py`; expected values are what pyarrow wrote and reads.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::datasource::table_schema::TableSchema;
use object_store::local::LocalFileSystem;

use super::{OrcSource, infer_schema, statistics};
use crate::ErrorKind;
use crate::lake::fixture::{Files, data_file, metric, object, our_error};

fn table(fields: Vec<Field>, files: &[PathBuf]) -> Files {
    let schema = TableSchema::from(Arc::new(Schema::new(fields)));
    Files::new(move || Arc::new(OrcSource::new(schema.clone())), files)
}

async fn whole(name: &str) -> Files {
    let path = data_file(name);
    let schema = infer_schema(&LocalFileSystem::new(), &object(&path)).await.unwrap();
    let schema = TableSchema::from(schema);
    Files::new(move || Arc::new(OrcSource::new(schema.clone())), &[path])
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

#[tokio::test]
async fn reads_every_type() {
    let types = whole("orc/types.orc").await;
    let cases: [(&str, [&str; 4]); 18] = [
        ("b", ["true", "false", "NULL", "true"]),
        ("i8", ["-128", "127", "NULL", "0"]),
        ("i16", ["-32768", "32767", "NULL", "0"]),
        ("i32", ["-2147483648", "2147483647", "NULL", "0"]),
        ("i64", ["-9223372036854775808", "9223372036854775807", "NULL", "0"]),
        ("f32", ["1.5", "-0.25", "NULL", "NaN"]),
        ("f64", ["1e300", "-1e-300", "NULL", "inf"]),
        ("s", ["", "zażółć", "NULL", "a'b"]),
        ("bin", ["", "00ff", "NULL", "616263"]),
        ("dec", ["12345678.90", "-0.01", "NULL", "0.00"]),
        ("big", ["1234567890123456789012345678.0123456789", "-1.0000000001", "NULL", "0.0000000000"]),
        ("d", ["1969-12-31", "2024-02-29", "NULL", "9999-12-31"]),
        ("ts", ["1969-12-31T23:59:58", "2024-02-29T12:34:56.123456", "NULL", "1700-01-01T00:00:00"]),
        ("far", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "NULL", "1969-12-31T23:59:59"]),
        ("list", ["[1, NULL, 3]", "[]", "NULL", "[4]"]),
        ("map", ["{a: 1, b: NULL}", "{}", "NULL", "{c: 3}"]),
        (
            "st",
            [
                "{x: 1, T: one, at: 2000-01-01T00:00:00}",
                "{x: NULL, T: NULL, at: NULL}",
                "NULL",
                "{x: 4, T: four, at: 1999-12-31T23:59:59.999999}",
            ],
        ),
        ("ls", ["[{k: p}, NULL]", "[]", "NULL", "[{k: NULL}]"]),
    ];
    for (column, expected) in cases {
        assert_eq!(types.query(&format!("select {column} from t")).await.unwrap(), expected, "{column}");
    }
}

/// pyarrow writes the fraction of a second before 1970 as a negative number, which orc-rust takes for a huge one.
#[tokio::test]
async fn negative_fractions_are_refused_rather_than_misread() {
    let path = data_file("orc/negative.orc");
    let negative = table(vec![field("ts", micros()), field("id", DataType::Int32)], &[path]);
    assert_eq!(negative.query("select id from t").await.unwrap(), ["1", "2"]);
    assert_eq!(negative.query("select ts from t").await.unwrap_err().kind, ErrorKind::BadFile);
}

#[tokio::test]
async fn infers_what_a_table_would_declare() {
    let schema = infer_schema(&LocalFileSystem::new(), &object(&data_file("orc/types.orc"))).await.unwrap();
    let expected = [
        ("s", DataType::Utf8View),
        ("bin", DataType::BinaryView),
        ("dec", DataType::Decimal128(10, 2)),
        ("ts", micros()),
        ("list", DataType::new_list(DataType::Int32, true)),
    ];
    for (name, data_type) in expected {
        assert_eq!(schema.field_with_name(name).unwrap().data_type(), &data_type, "{name}");
    }
}

#[tokio::test]
async fn reads_every_compression() {
    for codec in ["uncompressed", "zlib", "snappy", "lz4", "zstd"] {
        let rows = whole(&format!("orc/codec_{codec}.orc")).await;
        let sums = rows.query("select count(*), sum(id), max(name), sum(price), sum(half) from t").await.unwrap();
        assert_eq!(sums, ["300|44850|n00299|448.50|22425.0"], "{codec}");
    }
}

/// pyarrow made four stripes of 800 rows with indexes of 200.
#[tokio::test]
async fn predicates_leave_stripes_and_groups_out() {
    let stripes = whole("orc/stripes.orc").await;
    // The predicate, the rows that pass it, stripes and groups of rows read.
    let cases = [
        ("id = 1700", 1, 1, 1),
        ("id < 250", 250, 1, 2),
        ("id >= 3000", 200, 1, 1),
        ("id <> 5", 3199, 4, 16),
        ("id in (3, 3199)", 2, 2, 2),
        ("id is null", 0, 0, 0),
        ("id is not null", 3200, 4, 16),
        ("name = 'n01234'", 1, 1, 1),
        ("name > 'n03100'", 99, 1, 1),
        ("half <= 10", 21, 1, 1),
        // NaN is greater than every number: the group that has it stays, and the last one.
        ("odd > 750", 200, 2, 2),
        ("price between 8.00 and 8.05", 6, 1, 1),
        ("day = date '2020-01-02'", 10, 1, 1),
        ("ts < timestamp '2020-01-01 02:00:00'", 120, 1, 1),
        ("flag", 1600, 2, 8),
        ("not flag", 1600, 2, 8),
        ("sparse is null", 2400, 3, 12),
        ("sparse is not null", 800, 1, 4),
        ("sparse > 10 and id < 20", 9, 1, 1),
        ("id = 3 or name = 'n02000'", 2, 2, 2),
        ("not (id > 100)", 101, 1, 1),
        ("kind = 'red'", 1067, 4, 16),
        ("kind = 'violet'", 0, 0, 0),
        // Not to be judged by bounds.
        ("id % 1000 = 7", 4, 4, 16),
    ];
    for (predicate, passing, read, groups) in cases {
        let (rows, plan) = stripes.run(&format!("select id from t where {predicate}"), 1).await.unwrap();
        assert_eq!(rows.len(), passing, "{predicate}");
        assert_eq!(metric(&plan, "stripes_read"), read, "stripes: {predicate}");
        let considered = 4 * (4 - metric(&plan, "stripes_pruned"));
        assert_eq!(considered - metric(&plan, "row_groups_pruned"), groups, "groups: {predicate}");
    }
}

#[tokio::test]
async fn skipping_groups_gives_the_rows_that_all_groups_give() {
    let random = whole("orc/random.orc").await;
    let all = random.query("select * from t").await.unwrap();
    assert_eq!(all.len(), 900);
    for (from, to) in [(0, 99), (100, 150), (250, 333), (799, 801), (850, 899)] {
        let sql = format!("select * from t where id between {from} and {to}");
        let (some, plan) = random.run(&sql, 1).await.unwrap();
        assert_eq!(some, all[from..=to], "{sql}");
        assert!(metric(&plan, "row_groups_pruned") >= 7, "{sql}");
    }
    let apart = "select * from t where id in (5, 205, 206, 605, 899)";
    let (some, plan) = random.run(apart, 1).await.unwrap();
    assert_eq!(some, [5, 205, 206, 605, 899].map(|row: usize| all[row].clone()));
    assert_eq!(metric(&plan, "row_groups_pruned"), 5);
    // As pyarrow.compute sums them.
    let sums = random.query("select count(b), count(st), sum(i64), sum(dec), sum(f), sum(length(s)) from t").await;
    assert_eq!(sums.unwrap(), ["729|713|212078186234|-88.86|2720.125|1178"]);
}

#[tokio::test]
async fn topk_prunes_by_what_it_has_found() {
    let stripes = whole("orc/stripes.orc").await;
    let (rows, plan) = stripes.run("select id, name from t order by id limit 2", 1).await.unwrap();
    assert_eq!(rows, ["0|n00000", "1|n00001"]);
    assert_eq!(metric(&plan, "stripes_pruned"), 3);
}

#[tokio::test]
async fn splits_read_each_stripe_once() {
    let stripes = whole("orc/stripes.orc").await;
    for partitions in [2, 3, 7, 16] {
        let (rows, _) = stripes.run("select count(*), sum(id), count(distinct name) from t", partitions).await.unwrap();
        assert_eq!(rows, ["3200|5118400|3200"], "{partitions}");
    }
}

#[tokio::test]
async fn limits_and_counts_read_little() {
    let stripes = whole("orc/stripes.orc").await;
    let (rows, plan) = stripes.run("select name from t limit 3", 1).await.unwrap();
    assert_eq!(rows, ["n00000", "n00001", "n00002"]);
    assert_eq!(metric(&plan, "stripes_read"), 1);
    let (rows, plan) = stripes.run("select count(*) from t", 1).await.unwrap();
    assert_eq!(rows, ["3200"]);
    assert_eq!(metric(&plan, "stripes_read"), 0);
}

#[tokio::test]
async fn pairs_columns_by_name_or_position() {
    let fields = vec![
        field("score", DataType::Float64),
        field("extra", DataType::Utf8View),
        field("userid", DataType::Int64),
        field("name", DataType::Utf8View),
    ];
    let rows = table(fields, &[data_file("orc/names.orc")]).query("select * from t where userid = 2").await;
    assert_eq!(rows.unwrap(), ["2.5|NULL|2|bob"]);

    let fields = vec![field("u", DataType::Int64), field("n", DataType::Utf8View), field("s", DataType::Float64)];
    let mut by_position = table(fields.clone(), &[data_file("orc/hive1.orc")]);
    assert_eq!(by_position.query("select * from t where u > 1").await.unwrap(), ["2|bob|2.5"]);
    by_position = table(fields, &[data_file("orc/names.orc")]);
    by_position.by_index = true;
    assert_eq!(by_position.query("select s, n from t where n = 'ann'").await.unwrap(), ["1.5|ann"]);
}

#[tokio::test]
async fn reads_structs_as_the_table_declares_them() {
    let inner = vec![field("t", DataType::Utf8View), field("more", DataType::Int32), field("X", DataType::Int64)];
    let fields =
        vec![field("st", DataType::Struct(inner.into())), field("LIST", DataType::new_list(DataType::Int64, true))];
    let types = table(fields, &[data_file("orc/types.orc")]);
    let rows = types.query("select st from t").await.unwrap();
    assert_eq!(
        rows,
        ["{t: one, more: NULL, X: 1}", "{t: NULL, more: NULL, X: NULL}", "NULL", "{t: four, more: NULL, X: 4}"]
    );
    let rows =
        types.query("select st['X'] + 1, st['t'], st['more'], \"LIST\"[1] from t where st['X'] = 4").await.unwrap();
    assert_eq!(rows, ["5|four|NULL|4"]);
}

#[tokio::test]
async fn types_that_do_not_fit_are_named() {
    let path = data_file("orc/names.orc");
    let url = format!("file://{}", path.display());
    let cases = [
        (field("name", DataType::Int32), "column \"name\" is string in the file and int in the table"),
        (field("userid", DataType::Int16), "column \"userid\" is int in the file and smallint in the table"),
        (field("score", micros()), "column \"score\" is float in the file and timestamp in the table"),
    ];
    for (field, message) in cases {
        let error = table(vec![field], std::slice::from_ref(&path)).query("select * from t").await.unwrap_err();
        assert_eq!(error.message, format!("file \"{url}\": {message}"));
        assert_eq!(error.kind, ErrorKind::DatatypeMismatch);
    }
}

#[tokio::test]
async fn footers_answer_for_the_planner() {
    let store = LocalFileSystem::new();
    let path = data_file("orc/stripes.orc");
    let fields = vec![
        field("ID", DataType::Decimal128(19, 0)),
        field("name", DataType::Utf8View),
        field("odd", DataType::Float64),
        field("sparse", DataType::Int64),
        field("ts", micros()),
        field("gone", DataType::Int32),
        field("kind", DataType::Int32),
    ];
    let found = statistics(&store, &object(&path), &Schema::new(fields), false).await.unwrap();
    assert_eq!(found.num_rows, Precision::Exact(3200));
    let columns = &found.column_statistics;
    assert_eq!(columns[0].max_value, Precision::Exact(ScalarValue::Decimal128(Some(3199), 19, 0)));
    assert_eq!(columns[1].min_value, Precision::Exact(ScalarValue::Utf8View(Some("n00000".into()))));
    assert_eq!(columns[2].max_value, Precision::Absent);
    assert_eq!(columns[3].null_count, Precision::Exact(2400));
    assert_eq!(columns[3].max_value, Precision::Exact(ScalarValue::Int64(Some(799))));
    assert!(matches!(columns[4].min_value, Precision::Inexact(_)));
    assert_eq!(columns[5].null_count, Precision::Exact(3200));
    assert_eq!(columns[6].min_value, Precision::Absent);
}

#[tokio::test]
async fn files_of_another_format_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let orc = std::fs::read(data_file("orc/names.orc")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("text.orc", b"a,b\n1,2\n".repeat(20), "is not an ORC file"),
        ("tiny.orc", b"x".to_vec(), "is not an ORC file"),
        ("cut.orc", orc[..orc.len() / 2].to_vec(), "is damaged"),
        ("zeros.orc", [orc.clone(), vec![0; 99]].concat(), "is damaged"),
    ];
    for (name, bytes, message) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let names = table(vec![field("name", DataType::Utf8View)], std::slice::from_ref(&path));
        let error = names.query("select * from t").await.unwrap_err();
        assert_eq!(
            (error.kind, error.message),
            (ErrorKind::BadFile, format!("file \"file://{}\" {message}", path.display()))
        );
        let error = infer_schema(&LocalFileSystem::new(), &object(&path)).await.unwrap_err();
        assert!(error.message.ends_with(message), "{error}");
    }
    let empty = folder.path().join("empty.orc");
    std::fs::write(&empty, b"").unwrap();
    assert_eq!(
        table(vec![field("a", DataType::Int32)], &[empty]).query("select count(*) from t").await.unwrap(),
        ["0"]
    );
}

/// Bytes of small files changed in turn: an answer or our error, never a panic that ends the process.
#[tokio::test]
async fn damaged_bytes_never_end_the_process() {
    let folder = tempfile::tempdir().unwrap();
    for (name, step) in
        [("orc/names.orc", 3), ("orc/types.orc", 29), ("orc/codec_snappy.orc", 97), ("orc/random.orc", 401)]
    {
        let whole = whole(name).await;
        let bytes = std::fs::read(data_file(name)).unwrap();
        for at in (0..bytes.len()).step_by(step) {
            let path = folder.path().join(format!("{at}.orc"));
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            std::fs::write(&path, damaged).unwrap();
            let files = whole.over(std::slice::from_ref(&path));
            if let Err(error) = files.run("select * from t", 1).await {
                assert_ne!(our_error(&error).kind, ErrorKind::Internal, "{name} at {at}: {error}");
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

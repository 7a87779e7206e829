//! Files of fastavro, see `tests/data/formats/generate.py`; expected values are what it wrote.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::table_schema::TableSchema;
use object_store::local::LocalFileSystem;

use super::{avro_source, infer_schema};
use crate::ErrorKind;
use crate::lake::fixture::{Files, data_file, object, our_error};

fn table(fields: Vec<Field>, files: &[PathBuf]) -> Files {
    let schema = TableSchema::from(Arc::new(Schema::new(fields)));
    Files::new(move || avro_source(schema.clone()), files)
}

async fn whole(name: &str) -> Files {
    let path = data_file(name);
    let schema = infer_schema(&LocalFileSystem::new(), &object(&path)).await.unwrap();
    let schema = TableSchema::from(schema);
    Files::new(move || avro_source(schema.clone()), &[path])
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

#[tokio::test]
async fn reads_every_type() {
    let types = whole("avro/types.avro").await;
    let cases = [
        ("id", ["1", "2"]),
        ("\"Flag\"", ["true", "NULL"]),
        ("i", ["7", "NULL"]),
        ("f", ["1.5", "1.5"]),
        ("d", ["2.5", "NULL"]),
        ("s", ["zażółć", "NULL"]),
        ("raw", ["00ff", ""]),
        ("fx", ["61626364", "61626364"]),
        ("suit", ["HEARTS", "SPADES"]),
        ("dec", ["-12.34", "NULL"]),
        ("day", ["2024-02-29", "2024-02-29"]),
        ("ms", ["2024-02-29T12:34:56.123", "2024-02-29T12:34:56.123"]),
        ("us", ["2024-02-29T12:34:56.123456", "NULL"]),
        ("local", ["2024-02-29T12:34:56.123456", "2024-02-29T12:34:56.123456"]),
        ("uid", ["01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"]),
        ("tags", ["[a, NULL]", "NULL"]),
        ("props", ["{k: 1}", "{}"]),
        ("pt", ["{X: 3, label: p}", "NULL"]),
    ];
    for (column, expected) in cases {
        assert_eq!(types.query(&format!("select {column} from t")).await.unwrap(), expected, "{column}");
    }
    assert_eq!(types.query("select pt, id, s from t where id = 1").await.unwrap(), ["{X: 3, label: p}|1|zażółć"]);
    assert_eq!(types.query("select count(*) from t").await.unwrap(), ["2"]);
}

#[tokio::test]
async fn reads_every_codec() {
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let rows = whole(&format!("avro/codec_{codec}.avro")).await;
        let sums = rows.query("select count(*), sum(id), max(name), sum(length(name)) from t").await.unwrap();
        // 10 names of 6 letters, 90 of 7, 500 of 8.
        assert_eq!(sums, ["600|179700|name 99|4690"], "{codec}");
    }
}

#[tokio::test]
async fn reads_tables_that_differ() {
    let point = vec![field("LABEL", DataType::Utf8View), field("z", DataType::Int32), field("x", DataType::Int64)];
    let fields = vec![
        field("gone", DataType::Int32),
        field("flag", DataType::Boolean),
        field("I", DataType::Int64),
        field("f", DataType::Float64),
        field("pt", DataType::Struct(point.into())),
        field("suit", DataType::Utf8View),
    ];
    let types = table(fields, &[data_file("avro/types.avro")]);
    let rows = types.query("select * from t").await.unwrap();
    assert_eq!(rows, ["NULL|true|7|1.5|{LABEL: p, z: NULL, x: 3}|HEARTS", "NULL|NULL|NULL|1.5|NULL|SPADES"]);
    assert_eq!(types.query("select pt['x'] + 1, gone from t where suit = 'HEARTS'").await.unwrap(), ["4|NULL"]);
}

/// A union may name a type that is defined elsewhere; columns are read without it, and it without columns.
#[tokio::test]
async fn unions_that_name_types() {
    let unions = whole("avro/unions.avro").await;
    let rows = unions.query("select id, suit, maybe from t").await.unwrap();
    assert_eq!(rows, ["1|HEARTS|NULL", "2|SPADES|HEARTS", "3|SPADES|SPADES", "4|HEARTS|NULL", "5|HEARTS|NULL"]);
    let rows = unions.query("select id, anything from t").await.unwrap();
    let ends = ["=7}", "=text}", "=NULL}", "=HEARTS}", "=true}"];
    assert!(rows.len() == 5 && rows.iter().zip(ends).all(|(row, end)| row.ends_with(end)), "{rows:?}");
}

#[tokio::test]
async fn splits_read_each_block_once() {
    let blocks = whole("avro/blocks.avro").await;
    for partitions in [1, 2, 3, 7, 40, 200] {
        for sql in ["select count(*), sum(id), count(distinct name) from t", "select count(*), 179700, 600 from t"] {
            let (rows, _) = blocks.run(sql, partitions).await.unwrap();
            assert_eq!(rows, ["600|179700|600"], "{partitions}");
        }
    }
    assert_eq!(blocks.query("select id from t limit 2").await.unwrap(), ["0", "1"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let path = data_file("avro/union.avro");
    let union = table(vec![field("v", DataType::Utf8View), field("id", DataType::Int32)], std::slice::from_ref(&path));
    assert_eq!(union.query("select id from t").await.unwrap(), ["1", "2"]);
    let error = union.query("select v from t").await.unwrap_err();
    let column = "column \"v\" is uniontype<int,string> in the file and string in the table";
    assert_eq!(error.message, format!("file \"file://{}\": {column}", path.display()));

    let folder = tempfile::tempdir().unwrap();
    let avro = std::fs::read(data_file("avro/blocks.avro")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 3] = [
        ("text.avro", b"a,b\n1,2\n".repeat(20), "is not an Avro file"),
        ("cut.avro", avro[..avro.len() - 30].to_vec(), "is damaged"),
        ("head.avro", avro[..60].to_vec(), "is damaged"),
    ];
    for (name, bytes, message) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let file = table(vec![field("name", DataType::Utf8View)], std::slice::from_ref(&path));
        let error = file.query("select * from t").await.unwrap_err();
        assert_eq!(
            (error.kind, error.message),
            (ErrorKind::BadFile, format!("file \"file://{}\" {message}", path.display()))
        );
    }
}

/// Bytes of small files changed in turn: an answer or our error, never a panic that ends the process.
#[tokio::test]
async fn damaged_bytes_never_end_the_process() {
    let folder = tempfile::tempdir().unwrap();
    for (name, step) in [("avro/types.avro", 13), ("avro/codec_snappy.avro", 47), ("avro/codec_zstandard.avro", 17)] {
        let whole = whole(name).await;
        let bytes = std::fs::read(data_file(name)).unwrap();
        for at in (0..bytes.len()).step_by(step) {
            let path = folder.path().join(format!("{at}.avro"));
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

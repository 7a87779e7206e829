//! Files of `tests/data` (written by pyarrow and fastavro, their rows are in its `generate.py`) and of the example lake.

#![allow(clippy::unwrap_used)]

use super::*;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{PutPayload, path::Path};
use std::path::PathBuf;

async fn at(place: &str) -> Result<Option<Recognized>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(place).canonicalize().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let object = store.head(&Path::from_absolute_path(&path).unwrap()).await.unwrap();
    recognize(&store, &format!("file://{place}"), &object).await
}

async fn of_bytes(bytes: Vec<u8>) -> Result<Option<Recognized>> {
    let store = InMemory::new();
    let path = Path::from("x");
    store.put(&path, PutPayload::from(bytes)).await.unwrap();
    let object = store.head(&path).await.unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    recognize(&store, "s3://b/x", &object).await
}

fn schema(found: &Recognized) -> Vec<String> {
    found.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

fn bounds(found: &Recognized, column: &str) -> (Option<String>, Option<String>, Option<u64>) {
    let known = found.statistics.as_ref().unwrap().columns[column].clone();
    (known.minimum, known.maximum, known.null_count)
}

const ALL_TYPES: [&str; 15] = [
    "c_boolean boolean",
    "c_tinyint tinyint",
    "c_smallint smallint",
    "c_int int",
    "c_bigint bigint",
    "c_float float",
    "c_double double",
    "c_decimal decimal(12,2)",
    "c_string string",
    "c_binary binary",
    "c_date date",
    "c_timestamp timestamp",
    "c_array array<int>",
    "c_struct struct<a:int,b:string>",
    "c_map map<string,int>",
];

#[tokio::test]
async fn parquet_of_pyarrow_has_every_type() {
    let found = at("tests/data/types/parquet/types.parquet").await.unwrap().unwrap();
    assert_eq!(schema(&found), ALL_TYPES);
    assert_eq!((found.rows, found.rows_exact, found.certainty), (2, true, 1.0));
    assert_eq!((found.layout.classification.as_str(), found.layout.compression.as_str()), ("parquet", "snappy"));
    assert_eq!(found.layout.serde.library, crate::lake::hive_classes::PARQUET_SERDE);
    for (column, value) in [
        ("c_tinyint", "-128"),
        ("c_int", "-2147483648"),
        ("c_bigint", "9223372036854775807"),
        ("c_float", "1.5"),
        ("c_double", "0.1"),
        ("c_decimal", "-12345.67"),
        ("c_string", "grüße, \"welt\""),
        ("c_date", "2013-01-31"),
        ("c_timestamp", "2013-01-01 05:00:00.250"),
    ] {
        assert_eq!(bounds(&found, column), (Some(value.to_owned()), Some(value.to_owned()), Some(1)), "{column}");
        let kind = &found.columns.iter().find(|known| known.name == column).unwrap().data_type;
        assert!(types::parse_partition_value(Some(value), kind).is_ok(), "{column}");
    }
    assert_eq!(bounds(&found, "c_binary"), (None, None, Some(1)));
}

#[tokio::test]
async fn orc_of_pyarrow_has_every_type() {
    let found = at("tests/data/types/orc/types.orc").await.unwrap().unwrap();
    assert_eq!(schema(&found), ALL_TYPES);
    assert_eq!((found.rows, found.rows_exact), (2, true));
    assert_eq!(bounds(&found, "c_int"), (Some("-2147483648".to_owned()), Some("-2147483648".to_owned()), Some(1)));
    assert_eq!(bounds(&found, "c_date"), (Some("2013-01-31".to_owned()), Some("2013-01-31".to_owned()), Some(1)));
}

#[tokio::test]
async fn avro_of_fastavro_counts_its_blocks() {
    let found = at("tests/data/evolution/avro/2021.avro").await.unwrap().unwrap();
    assert_eq!(schema(&found), ["id int", "name string"]);
    assert_eq!((found.rows, found.rows_exact, found.layout.compression.as_str()), (2, true, "none"));
    let found = at("tests/data/evolution/avro/2022.avro").await.unwrap().unwrap();
    assert_eq!(schema(&found), ["name string", "price double", "id bigint"]);
    assert_eq!((found.rows, found.rows_exact, found.layout.compression.as_str()), (1, true, "deflate"));
}

#[tokio::test]
async fn the_example_lake() {
    let flights = at("examples/lake/flights/year=2013/month=01/part-0.parquet").await.unwrap().unwrap();
    // January 2013 has 27,004 flights on days 1 to 31, from three airports.
    assert_eq!((flights.rows, flights.rows_exact), (27_004, true));
    assert_eq!(bounds(&flights, "day"), (Some("1".to_owned()), Some("31".to_owned()), Some(0)));
    assert_eq!(bounds(&flights, "origin"), (Some("EWR".to_owned()), Some("LGA".to_owned()), Some(0)));
    let airlines = at("examples/lake/airlines/airlines.orc").await.unwrap().unwrap();
    assert_eq!(schema(&airlines), ["carrier string", "name string"]);
    assert_eq!(
        (airlines.rows, bounds(&airlines, "carrier")),
        (16, (Some("9E".to_owned()), Some("YV".to_owned()), Some(0)))
    );
}

#[tokio::test]
async fn compressions_of_parquet() {
    for (file, name) in [("none", "none"), ("snappy", "snappy"), ("gzip", "gzip"), ("zstd", "zstd"), ("lz4", "lz4")] {
        let found = at(&format!("tests/data/codecs/parquet/{file}.parquet")).await.unwrap().unwrap();
        assert_eq!(found.layout.compression, name);
    }
}

#[tokio::test]
async fn damaged_encrypted_and_other_files() {
    for place in ["truncated_parquet/a.parquet", "truncated_orc/a.orc"] {
        let error = at(&format!("tests/data/bad/{place}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadFile, "{place}: {error:?}");
        assert!(error.message.contains(&format!("file://tests/data/bad/{place}")), "{error:?}");
    }
    for place in ["bad/wrong_format/a.parquet", "bad/wrong_format_orc/a.orc", "types/csv/types.csv"] {
        assert_eq!(at(&format!("tests/data/{place}")).await.unwrap(), None, "{place}");
    }
    let error = of_bytes(b"PARE0123456789\x04\0\0\0PARE".to_vec()).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::BadFile, "file \"s3://b/x\" is encrypted"));
    for bytes in [&b"PAR1PAR1"[..], b"PAR1\xff\xff\xff\x7fPAR1", b"Obj\x01", b"ORC", b"ORC\x01\x02\x03\x04"] {
        let found = of_bytes(bytes.to_vec()).await;
        let is_bad = found.as_ref().is_err_and(|error| error.kind == ErrorKind::BadFile);
        assert!(is_bad || (bytes.len() < 4 && found.as_ref().is_ok_and(Option::is_none)), "{bytes:?}: {found:?}");
    }
    // What ends before its last block does is counted so far only.
    let cut = at("tests/data/bad/truncated_avro/a.avro").await.unwrap().unwrap();
    assert!(!cut.rows_exact);
}

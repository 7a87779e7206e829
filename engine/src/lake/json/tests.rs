//! Golden files through whole scans.
#![allow(clippy::unwrap_used)]

use super::{JsonLayout, JsonOptions, JsonPath, JsonSerde};
use crate::error::ErrorKind;
use crate::lake::records::InvalidValues;
use crate::lake::records::testing::{Scan, schema};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::datasource::table_schema::TableSchema;
use std::sync::Arc;

const STRING: DataType = DataType::Utf8View;

fn hive() -> JsonOptions {
    JsonOptions::new(JsonSerde::Hive)
}

fn openx() -> JsonOptions {
    JsonOptions::new(JsonSerde::OpenX)
}

fn pair() -> TableSchema {
    schema(&[("a", DataType::Int64), ("b", STRING)])
}

#[tokio::test]
async fn scalars() {
    let table = schema(&[
        ("i", DataType::Int32),
        ("f", DataType::Float64),
        ("d", DataType::Decimal128(20, 3)),
        ("o", DataType::Boolean),
        ("day", DataType::Date32),
        ("t", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("s", STRING),
    ]);
    let file = r#"{"i":1,"f":1.5,"d":12345678901234567.891,"o":true,"day":"2024-02-29","t":"2024-02-29 01:02:03.25","s":"x\n\u00e9"}
{"I":"2","F":"3","D":"1e2","O":"false","t":"2024-02-29T01:02:03Z","s":12.50}
{"s":{"k": [1, 2]},"i":3.0,"t":1454612111000}
{"s":true,"t":1454612111,"unknown":[{}],"i":null}
{}
{"t":1454612111.5,"s":""}"#;
    assert_eq!(
        Scan::new(openx(), table, "a.json", file.as_bytes()).rows().await.unwrap(),
        [
            "1 | 1.5 | 12345678901234567.891 | true | 2024-02-29 | 2024-02-29T01:02:03.250 | x\né",
            "2 | 3.0 | 100.000 | false | NULL | 2024-02-29T01:02:03 | 12.50",
            "3 | NULL | NULL | NULL | NULL | 2016-02-04T18:55:11 | {\"k\": [1, 2]}",
            "NULL | NULL | NULL | NULL | NULL | 2016-02-04T18:55:11 | true",
            "NULL | NULL | NULL | NULL | NULL | NULL | NULL",
            "NULL | NULL | NULL | NULL | NULL | 2016-02-04T18:55:11.500 | ",
        ]
    );
}

#[tokio::test]
async fn nested_values() {
    let item = |kind| Arc::new(Field::new("item", kind, true));
    let entry = Fields::from(vec![Field::new("key", STRING, false), Field::new("value", DataType::Float64, true)]);
    let inner = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("tags", DataType::List(item(STRING)), true),
    ]);
    let table = schema(&[
        ("p", DataType::Struct(inner.clone())),
        ("m", DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)),
        ("l", DataType::List(item(DataType::Struct(inner)))),
    ]);
    let file = r#"{"p":{"X":1,"tags":["a",null,3]},"m":{"k":1,"é\"":null,"k":2},"l":[{"x":1},null]}
{"p":null,"m":{},"l":[]}
{"p":"","l":{"x":5}}
"#;
    let mut scan = Scan::new(openx(), table, "a.json", file.as_bytes());
    assert_eq!(
        scan.rows().await.unwrap(),
        [
            "{x: 1, tags: [a, NULL, 3]} | {k: 2.0, é\": NULL} | [{x: 1, tags: NULL}, NULL]",
            "NULL | {} | []",
            "NULL | NULL | [{x: 5, tags: NULL}]",
        ]
    );
    // Only OpenX makes a list of one, or nothing of an empty string.
    scan.format = hive();
    let error = scan.error().await;
    assert!(
        error.message.starts_with("invalid value \"\"\"\" for column \"p\" of type struct<x:int,tags:array<string>>"),
        "{error}"
    );
    scan.projection = Some(vec![2]);
    assert_eq!(scan.error().await.detail.unwrap(), "file \"s3://bucket/a.json\", line 3");
    scan.format.invalid_values = InvalidValues::Null;
    assert_eq!(scan.rows().await.unwrap()[2], "NULL");
}

#[tokio::test]
async fn keys_and_names() {
    let table = schema(&[("ts", DataType::Int64), ("a_b", STRING), ("c", STRING)]);
    let file = br#"{"Timestamp":1,"a.b":"x","C":"y"}
{"c":"z","timestamp":2,"\u0061.b":"w"}"#;
    let mut options = openx();
    options.mapping.insert("ts".into(), "Timestamp".into());
    options.dots_in_keys = true;
    let mut scan = Scan::new(options, table, "a.json", file);
    assert_eq!(scan.rows().await.unwrap(), ["1 | x | y", "2 | w | z"]);
    scan.format.case_insensitive = false;
    assert_eq!(scan.rows().await.unwrap(), ["1 | x | NULL", "NULL | w | z"]);
}

#[tokio::test]
async fn malformed_lines() {
    let file = b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2 \"b\":\"y\"}\n\n{\"a\":3}";
    let mut scan = Scan::new(hive(), pair(), "a.json", file);
    let error = scan.error().await;
    assert_eq!((error.kind.sqlstate(), error.message.as_str()), ("22P02", "invalid JSON: expected \",\" or \"}\""));
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a.json\", line 2, character 8");
    scan.format.ignore_malformed = true;
    assert_eq!(scan.rows().await.unwrap(), ["1 | x", "NULL | NULL", "3 | NULL"]);
    scan.projection = Some(vec![]);
    assert_eq!(scan.batches().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    scan.projection = Some(vec![0]);
    scan.format = openx();
    scan.format.ignore_malformed = true;
    // OpenX's documentation: an empty line is a row of NULLs.
    assert_eq!(scan.rows().await.unwrap(), ["1", "NULL", "NULL", "3"]);
    scan.bytes = b"[7, \"x\"]\n{\"a\":8}, and more".to_vec();
    assert_eq!(scan.rows().await.unwrap(), ["7", "8"]);
    scan.format = hive();
    assert_eq!(scan.error().await.message, "invalid JSON: expected \"{\"");
}

#[tokio::test]
async fn values_that_do_not_fit() {
    let mut scan = Scan::new(hive(), pair(), "a.json", b"{\"a\":1}\r\n{\"a\":\"one\"}\r\n{\"a\":1.5}\r\n{\"a\":[1]}");
    let error = scan.error().await;
    assert_eq!(error.message, "invalid value \"one\" for column \"a\" of type bigint");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a.json\", line 2");
    scan.format.invalid_values = InvalidValues::Null;
    assert_eq!(scan.rows().await.unwrap(), ["1 | NULL", "NULL | NULL", "NULL | NULL", "NULL | NULL"]);
    scan.bytes = b"{\"a\":1,\"b\":\"\xff\"}".to_vec();
    assert!(scan.error().await.message.contains("not UTF-8"));
    scan.projection = Some(vec![0]);
    assert_eq!(scan.rows().await.unwrap(), ["1"]);
}

#[tokio::test]
async fn every_split_gives_the_same_rows() {
    let file = b"{\"a\":1}\n{\"a\":22,\"b\":\"\\n\"}\r\n\n{\"b\":\"}\"}";
    let mut scan = Scan::new(openx(), pair(), "a.json", file);
    let whole = scan.rows().await.unwrap();
    assert_eq!(whole, ["1 | NULL", "22 | \n", "NULL | NULL", "NULL | }"]);
    let size = file.len() as i64;
    for first in 0..=size {
        for second in first..=size {
            scan.ranges = vec![(0, first), (first, second), (second, size)];
            assert_eq!(scan.rows().await.unwrap(), whole, "{first} {second}");
        }
    }
}

fn at(path: &str) -> JsonOptions {
    JsonOptions { layout: JsonLayout::Documents(JsonPath::parse(path).unwrap()), ..hive() }
}

#[tokio::test]
async fn documents() {
    for (path, file) in [
        ("$[*]", "[{\"a\":1,\n\"b\":\"}\"},\n {\"a\":2}]\n"),
        ("$", "{\n\"a\":1,\"b\":\"}\"\n}{\"a\":2}"),
        ("$[*]", "[ {\"a\":1,\"b\":\"}\"} , {\"a\":2} ]"),
        ("$.rows[*]", "\u{feff}{\"n\":[0],\"rows\":[{\"a\":1,\"b\":\"}\"}]}\n{\"rows\":[{\"a\":2}]}"),
    ] {
        let mut scan = Scan::new(at(path), pair(), "a.json", file.as_bytes());
        assert_eq!(scan.rows().await.unwrap(), ["1 | }", "2 | NULL"], "{file}");
        scan.projection = Some(vec![]);
        assert_eq!(scan.batches().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    }
    for (path, file, place) in [
        ("$", "{\n\"a\":1,\n\"b\":x}", "line 3, character 5"),
        ("$[*]", "[{\"a\":1},\n  {\"a\":tru}]", "line 2, character 8"),
        ("$[*]", "[{\"a\":1},\n{\"a\":2} 5]", "line 2, character 9"),
        ("$[*]", "[{\"a\":1},\n7]", "line 2, character 1"),
        ("$[*]", "[{\"a\":1},\n{\"a\":2}", "line 2, character 8"),
        ("$", "[{\"a\":1}]", "line 1, character 1"),
    ] {
        let error = Scan::new(at(path), pair(), "a.json", file.as_bytes()).error().await;
        assert_eq!(error.detail.unwrap(), format!("file \"s3://bucket/a.json\", {place}"), "{file}");
    }
}

/// What `json.dumps(rows, indent=2)` of Python writes.
#[tokio::test]
async fn indented_by_python() {
    let file = "[\n  {\n    \"a\": 1,\n    \"b\": \"\\u00e9\"\n  },\n  {\n    \"a\": null,\n    \"b\": \"x\"\n  }\n]";
    let scan = Scan::new(at("$[*]"), pair(), "a.json", file.as_bytes());
    assert_eq!(scan.rows().await.unwrap(), ["1 | é", "NULL | x"]);
}

/// A gap without records that is longer than the longest record is no record.
#[tokio::test]
async fn long_gaps() {
    let gap = "x".repeat(70 * 1024 * 1024);
    let file = format!("{{\"gap\":\"{gap}\",\"rows\":[{{\"a\":1}}]}}");
    assert_eq!(Scan::new(at("$.rows[*]"), pair(), "a.json", file.as_bytes()).rows().await.unwrap(), ["1 | NULL"]);
    let error = Scan::new(at("$"), pair(), "a.json", file.as_bytes()).error().await;
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
}

/// Files of several megabytes in each layout: blocks end between records, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_files() {
    let line = |n: u32| format!("{{\"a\":{n},\"b\":\"text {{ {n}\",\"c\":[1,2]}}\n");
    let lines: String = (0..120_000).map(line).collect();
    let array = format!("[{}]", lines.trim_end().replace("}\n", "},\n"));
    for (options, file) in [(hive(), &lines), (at("$[*]"), &array), (at("$"), &lines)] {
        let scan = Scan::new(options, pair(), "a.json", file.as_bytes());
        let rows = scan.rows().await.unwrap();
        assert_eq!(rows.len(), 120_000);
        assert!(rows.iter().enumerate().all(|(n, row)| *row == format!("{n} | text {{ {n}")));
    }
}

/// Written by Python's gzip.
#[tokio::test]
async fn compressed() {
    let gz = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x54\xb2\x32\xac\xe5\xaa\x56\x4a\x52\xb2\x52\xaa\x50\xaa\xe5\x02\x00\x9a\x9c\xb1\x7c\x12\x00\x00\x00";
    let mut scan = Scan::new(hive(), pair(), "a.json.gz", gz);
    assert_eq!(scan.rows().await.map_err(|e| e.to_string()), Ok(vec!["1 | NULL".to_owned(), "NULL | x".to_owned()]));
    scan.bytes.truncate(20);
    assert_eq!(scan.error().await.kind, ErrorKind::BadFile);
}

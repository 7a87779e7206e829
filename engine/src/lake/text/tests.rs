//! Golden files through whole scans.
#![allow(clippy::unwrap_used)]

use super::TextOptions;
use crate::error::ErrorKind;
use crate::lake::records::InvalidValues;
use crate::lake::records::testing::{Scan, schema};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

const STRING: DataType = DataType::Utf8View;
const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn comma() -> TextOptions {
    TextOptions { delimiter: b',', ..TextOptions::lazy_simple() }
}

fn numbers() -> TableSchema {
    schema(&[("n", DataType::Int32), ("name", STRING)])
}

#[tokio::test]
async fn lazy_simple_types() {
    let table = schema(&[
        ("a", DataType::Int8),
        ("b", DataType::Int64),
        ("c", DataType::Float64),
        ("d", DataType::Decimal128(10, 2)),
        ("e", DataType::Boolean),
        ("f", DataType::Date32),
        ("g", TIMESTAMP),
        ("h", STRING),
        ("i", DataType::Utf8),
        ("j", DataType::BinaryView),
    ]);
    let file = "1,-9000000000,1.5,12.345,TRUE,2024-02-29,2024-02-29 01:02:03.5,text,ä,YWJj\n\
                ,,,,,,,,,\n\
                \\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N\n\
                -128, 7 ,-1e3,-.5,false,1969-12-31,2024-02-29T01:02:03,\"q\",x";
    assert_eq!(
        Scan::new(comma(), table, "a.csv", file.as_bytes()).rows().await.unwrap(),
        [
            "1 | -9000000000 | 1.5 | 12.35 | true | 2024-02-29 | 2024-02-29T01:02:03.500 | text | ä | 616263",
            "NULL | NULL | NULL | NULL | NULL | NULL | NULL |  |  | ",
            "NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL",
            "-128 | 7 | -1000.0 | -0.50 | false | 1969-12-31 | 2024-02-29T01:02:03 | \"q\" | x | NULL",
        ]
    );
}

#[tokio::test]
async fn short_long_and_blank_records() {
    let file = b"1\r\n2,b,surplus\r\n\r\n3,c\r\n\xc3";
    let mut scan = Scan::new(comma(), numbers(), "a.txt", &file[..file.len() - 1]);
    assert_eq!(scan.rows().await.unwrap(), ["1 | NULL", "2 | b", "NULL | NULL", "3 | c"]);
    scan.projection = Some(vec![1]);
    assert_eq!(scan.rows().await.unwrap(), ["NULL", "b", "NULL", "c"]);
    scan.projection = Some(vec![1, 0]);
    assert_eq!(scan.rows().await.unwrap()[1], "b | 2");
    scan.projection = Some(vec![]);
    assert_eq!(scan.batches().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
}

#[tokio::test]
async fn empty_files_headers_and_footers() {
    let with_header = TextOptions { skip_header_lines: 1, ..comma() };
    let both = TextOptions { skip_header_lines: 2, skip_footer_lines: 2, ..comma() };
    for (options, file, expected) in [
        (comma(), "", vec![]),
        (with_header.clone(), "n,name\n", vec![]),
        (with_header.clone(), "n,name", vec![]),
        (with_header.clone(), "\u{feff}n,name\n1,a", vec!["1 | a"]),
        (comma(), "\u{feff}1,a", vec!["1 | a"]),
        (both.clone(), "x\ny\n1,a\n2,b\nend\nof file", vec!["1 | a", "2 | b"]),
        (both.clone(), "x\ny\n1,a\n2,b\nend\nof file\n", vec!["1 | a", "2 | b"]),
        (both, "x\ny\n1\n", vec![]),
    ] {
        assert_eq!(Scan::new(options, numbers(), "a.csv", file.as_bytes()).rows().await.unwrap(), expected, "{file:?}");
    }
    let utf16 = Scan::new(comma(), numbers(), "a.csv", b"\xff\xfe1\x00").error().await;
    assert_eq!(utf16.kind, ErrorKind::Unsupported);
}

/// Whatever the ranges, each record is read once.
#[tokio::test]
async fn every_split_gives_the_same_rows() {
    let with_header = TextOptions { skip_header_lines: 1, ..comma() };
    let file = b"n,name\n1,a\r\n22,bb\n\n333,ccc\n4,";
    let mut scan = Scan::new(with_header, numbers(), "a.csv", file);
    let whole = scan.rows().await.unwrap();
    assert_eq!(whole, ["1 | a", "22 | bb", "NULL | NULL", "333 | ccc", "4 | "]);
    let size = file.len() as i64;
    for first in 0..=size {
        for second in first..=size {
            scan.ranges = vec![(0, first), (first, second), (second, size)];
            assert_eq!(scan.rows().await.unwrap(), whole, "{first} {second}");
        }
    }
}

/// Ranges whose records are longer than the first request reaches behind them.
#[tokio::test]
async fn long_records_across_ranges() {
    let long = |n: usize| format!("{n},{}\n", "x".repeat(100_000 * n));
    let file: String = (1..6).map(long).collect();
    let mut scan = Scan::new(comma(), numbers(), "a.csv", file.as_bytes());
    let whole = scan.rows().await.unwrap();
    assert_eq!(whole.len(), 5);
    let size = file.len() as i64;
    scan.ranges = (0..size).step_by(70_001).map(|from| (from, (from + 70_001).min(size))).collect();
    assert_eq!(scan.rows().await.unwrap(), whole);
}

/// A range asks for little more than itself.
#[tokio::test]
async fn ranges_read_little_beyond_themselves() {
    let file = "1,abc\n".repeat(1_000_000);
    let mut scan = Scan::new(comma(), numbers(), "a.csv", file.as_bytes());
    scan.ranges = vec![(0, 2_000_003), (2_000_003, 4_000_001), (4_000_001, 6_000_000)];
    assert_eq!(scan.output_rows().await, 1_000_000);
    let extra = scan.metric("bytes_scanned").await - file.len();
    assert!(extra <= 2 * (64 * 1024 + 1), "{extra}");
}

#[tokio::test]
async fn nested_by_delimiters() {
    let item = |kind| Arc::new(Field::new("item", kind, true));
    let pair = Fields::from(vec![Field::new("key", STRING, false), Field::new("value", DataType::Int32, true)]);
    let point = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("tags", DataType::List(item(STRING)), true),
    ]);
    let table = schema(&[
        ("list", DataType::List(item(DataType::Int32))),
        ("map", DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), false)),
        ("point", DataType::Struct(point)),
        ("deep", DataType::List(item(DataType::List(item(STRING))))),
    ]);
    let options = TextOptions { delimiter: b'|', escape: Some(b'\\'), ..TextOptions::lazy_simple() };
    let file = "1\u{2}2\u{2}\\N|a\u{3}1\u{2}b\u{3}\u{2}c|7\u{2}p\u{3}q|a\\|b\u{3}c\u{2}d\n||\\N|\\N\n|||";
    assert_eq!(
        Scan::new(options.clone(), table, "a", file.as_bytes()).rows().await.unwrap(),
        [
            "[1, 2, NULL] | {a: 1, b: NULL, c: NULL} | {x: 7, tags: [p, q]} | [[a|b, c], [d]]",
            "[] | {} | NULL | NULL",
            "[] | {} | {x: NULL, tags: NULL} | []",
        ]
    );
    let table = schema(&[("list", DataType::List(item(DataType::Int32)))]);
    let error = Scan::new(options, table, "a", b"1\n2\x023\x02x\n").error().await;
    assert_eq!(error.message, "invalid value \"x\" for column \"list\" of type int");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a\", line 2");
}

#[tokio::test]
async fn open_csv() {
    let table = schema(&[
        ("a", STRING),
        ("n", DataType::Int64),
        ("d", DataType::Date32),
        ("t", TIMESTAMP),
        ("b", DataType::Boolean),
    ]);
    let file = "\"x, \"\"y\"\"\",\"12\",19782,1579059880000,true\r\n\
                \"line\nbreak\",,\"2024-02-29\",2020-01-15 03:44:40,0\n\
                a\\b,\"\",,,FALSE\n\
                \"a\\\\b\\\"c\"\n\
                \n\
                \"last\",1,,,";
    let mut scan = Scan::new(TextOptions::open_csv(), table, "a.csv", file.as_bytes());
    assert_eq!(
        scan.rows().await.unwrap(),
        [
            "x, \"y\" | 12 | 2024-02-29 | 2020-01-15T03:44:40 | true",
            "line\nbreak | NULL | 2024-02-29 | 2020-01-15T03:44:40 | false",
            "ab | NULL | NULL | NULL | false",
            "a\\b\"c | NULL | NULL | NULL | NULL",
            "NULL | NULL | NULL | NULL | NULL",
            "last | 1 | NULL | NULL | NULL",
        ]
    );
    scan.projection = Some(vec![]);
    assert_eq!(scan.batches().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    scan.bytes = b"a,1\n\"open".to_vec();
    let error = scan.error().await;
    assert_eq!(error.message, "unterminated quoted value: the file ends within it");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a.csv\", line 2");
}

/// A quoted file of several blocks, decoded in parallel, keeps its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_quoted_file_in_order() {
    let line = |n: u32| format!("{n},\"value\n{n}, and more text\"\n");
    let file: String = (0..200_000).map(line).collect();
    assert!(file.len() > 5_000_000);
    let rows = Scan::new(TextOptions::open_csv(), numbers(), "a.csv", file.as_bytes()).rows().await.unwrap();
    assert_eq!(rows.len(), 200_000);
    assert!(rows.iter().enumerate().all(|(n, row)| *row == format!("{n} | value\n{n}, and more text")));
}

#[tokio::test]
async fn invalid_values_are_located() {
    let table = schema(&[("delay", DataType::Int32), ("day", DataType::Date32)]);
    let file = b"delay,day\n1,2024-01-01\nabc,2024-01-02\n3,2023-02-29\n";
    let options = TextOptions { skip_header_lines: 1, ..comma() };
    let mut scan = Scan::new(options, table, "dir/x.csv", file);
    let error = scan.error().await;
    assert_eq!(error.kind.sqlstate(), "22P02");
    assert_eq!(error.message, "invalid value \"abc\" for column \"delay\" of type int");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/dir/x.csv\", line 3");
    scan.projection = Some(vec![1]);
    let error = scan.error().await;
    assert_eq!(error.message, "invalid value \"2023-02-29\" for column \"day\" of type date");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/dir/x.csv\", line 4");
    scan.ranges = vec![(12, file.len() as i64)];
    assert_eq!(scan.error().await.detail.unwrap(), "file \"s3://bucket/dir/x.csv\", byte offset 38");
    scan.ranges.clear();
    scan.projection = None;
    scan.format.invalid_values = InvalidValues::Null;
    assert_eq!(scan.rows().await.unwrap(), ["1 | 2024-01-01", "NULL | 2024-01-02", "3 | NULL"]);
    let long = Scan::new(comma(), numbers(), "a", "y".repeat(100).as_bytes()).error().await;
    assert!(long.message.contains(&format!("\"{}…\"", "y".repeat(64))), "{}", long.message);
}

#[tokio::test]
async fn bytes_that_are_no_text() {
    let mut scan = Scan::new(comma(), numbers(), "a.csv", b"1,a\n2,\xff\xfe\n");
    let error = scan.error().await;
    assert_eq!(error.message, "invalid value \"\u{fffd}\u{fffd}\" for column \"name\" of type string (not UTF-8)");
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a.csv\", line 2");
    scan.projection = Some(vec![0]);
    assert_eq!(scan.rows().await.unwrap(), ["1", "2"]);
    scan.projection = None;
    scan.schema = schema(&[("n", DataType::Int32), ("raw", DataType::Binary)]);
    assert_eq!(scan.rows().await.unwrap(), ["1 | 61", "2 | fffe"]);
}

#[tokio::test]
async fn partition_columns() {
    let file_schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let day = Arc::new(Field::new("day", STRING, true));
    let table = TableSchema::builder(file_schema).with_table_partition_cols(vec![day]).build();
    let mut scan = Scan::new(comma(), table, "day=mon/a.csv", b"1\n2\n");
    scan.partition_values = vec![ScalarValue::Utf8View(Some("mon".into()))];
    assert_eq!(scan.rows().await.unwrap(), ["1 | mon", "2 | mon"]);
    scan.projection = Some(vec![1]);
    assert_eq!(scan.rows().await.unwrap(), ["mon", "mon"]);
}

/// Written by Python's gzip (two members), bz2 (two streams) and lzma, and by the zstd program: `1,one`, `2,two`,
/// `3,three`.
const COMPRESSED: [(&str, &[u8]); 4] = [
    ("a.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x33\xd4\xc9\xcf\x4b\xe5\x32\xd2\x29\x29\x07\x00\xe3\x24\xf2\x2e\x0a\x00\x00\x00\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\xe7\x32\xd6\x29\xc9\x28\x4a\x4d\xe5\x02\x00\x18\xde\x93\x1b\x0a\x00\x00\x00"),
    ("a.csv.bz2", b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x9a\x9d\x89\xc9\x00\x00\x01\xd9\x80\x00\x10\x00\x04\x30\x00\x02\x01\x84\x80\x20\x00\x22\x03\xd4\x64\x20\xc9\x88\x30\x67\x25\x0f\xc5\xdc\x91\x4e\x14\x24\x26\xa7\x62\x72\x40\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x23\x22\x85\x58\x00\x00\x03\xd9\x80\x00\x10\x00\x04\x08\x00\x02\x40\x94\x00\x20\x00\x22\x06\x27\xa8\x43\x02\x23\x6b\x78\x41\xe2\xee\x48\xa7\x0a\x12\x04\x64\x50\xab\x00"),
    ("a.csv.xz", b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x13\x31\x2c\x6f\x6e\x65\x0a\x32\x2c\x74\x77\x6f\x0a\x33\x2c\x74\x68\x72\x65\x65\x0a\x00\x6c\x73\x87\x66\x6b\x0c\x6e\x82\x00\x01\x2c\x14\xf8\x0a\x6d\x03\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a"),
    ("a.csv.zst", b"\x28\xb5\x2f\xfd\x04\x58\xa1\x00\x00\x31\x2c\x6f\x6e\x65\x0a\x32\x2c\x74\x77\x6f\x0a\x33\x2c\x74\x68\x72\x65\x65\x0a\x82\x62\x34\xe6"),
];

#[tokio::test]
async fn compressed_files() {
    for (name, bytes) in COMPRESSED {
        let mut scan = Scan::new(comma(), numbers(), name, bytes);
        assert_eq!(scan.rows().await.unwrap(), ["1 | one", "2 | two", "3 | three"], "{name}");
        assert_eq!(scan.metric("bytes_scanned").await, bytes.len(), "{name}");
        assert_eq!(scan.output_rows().await, 3);
        // Not at half, where the first member ends and a shorter file would be whole.
        for cut in [1, bytes.len() / 3, bytes.len() - 1] {
            scan.bytes = bytes[..cut].to_vec();
            let error = scan.error().await;
            assert_eq!(error.kind, ErrorKind::BadFile, "{name} {cut}");
            assert!(
                error.message.starts_with(&format!("file \"s3://bucket/{name}\" is truncated or damaged (")),
                "{error}"
            );
        }
    }
    let mut scan = Scan::new(comma(), numbers(), "a.csv.gz", COMPRESSED[0].1);
    scan.bytes[12] ^= 0x55;
    assert_eq!(scan.error().await.kind, ErrorKind::BadFile);
    scan.bytes.clear();
    assert!(scan.rows().await.unwrap().is_empty());
    let lzo = Scan::new(comma(), numbers(), "a.csv.lzo", b"x").error().await;
    assert_eq!(lzo.kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_record_without_end() {
    let bytes = vec![b'x'; 65 * 1024 * 1024];
    let error = Scan::new(comma(), schema(&[("a", STRING)]), "a.csv", &bytes).error().await;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::LimitExceeded, "a record is longer than 64 MB"));
}

#[tokio::test]
async fn types_that_text_cannot_hold() {
    let list = DataType::new_list(DataType::Int32, true);
    let error = Scan::new(TextOptions::open_csv(), schema(&[("a", list)]), "a.csv", b"1").error().await;
    assert_eq!(error.message, "type array<int> in a text file is not supported");
}

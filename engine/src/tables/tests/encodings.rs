//! Encodings are in the files as told, and what was put in comes out.

use super::{FORMATS, Fixture, column, fixture};
use crate::tables::encoding::{Encoding, describe};
use crate::tables::{SqlType, WriteOptions};
use arrow::compute::concat_batches;
use millrace_catalog::model::{DataFile, FileFormat};
use std::collections::BTreeMap;

/// Types with values of a number `n` from 0: few, with runs, mostly small, and some NULL.
const COLUMNS: [(&str, &str, &str); 15] = [
    ("i2", "smallint", "(n / 100) % 50 - 25"),
    ("i4", "integer", "(n / 10) % 100 - 50"),
    ("i8", "bigint", "(n / 5) % 100 - 50 + CASE WHEN n % 1000 = 0 THEN 10000000000 ELSE 0 END"),
    ("n9", "numeric(9,2)", "(n / 50) % 1000"),
    ("n38", "numeric(38,10)", "arrow_cast(12345678901234567, 'Decimal128(38, 0)') * ((n / 100) % 30)"),
    ("f4", "real", "(n / 100) * 0.5"),
    ("f8", "double precision", "(n / 100) * 0.25"),
    ("b", "boolean", "(n / 1000) % 2 = 0"),
    ("c", "character(10)", "'c' || (n / 500)"),
    ("v", "character varying(100)", "'the quick brown fox ' || (n / 20)"),
    ("d", "date", "arrow_cast(n / 40 + 10000, 'Int32')"),
    ("t", "time", "n / 40 * 1000000"),
    ("ts", "timestamp", "n / 40 * 1000000 + 1600000000000000"),
    ("tsz", "timestamptz", "n / 40 * 1000000 + 1600000000000000"),
    ("s", "super", "'{\"a\": ' || (n / 20) || '}'"),
];

const ROWS: usize = 6_000;

fn suited(encoding: Encoding) -> Vec<(i64, &'static str, &'static str, &'static str)> {
    let columns = (1..).zip(COLUMNS).map(|(id, (name, data_type, values))| (id, name, data_type, values));
    columns.filter(|(_, _, data_type, _)| encoding.suits(data_type.parse::<SqlType>().unwrap())).collect()
}

/// A table of all the columns that may have an encoding, with it, and a file of it.
async fn written(format: FileFormat, encoding: Encoding) -> (Fixture, DataFile, Vec<arrow::array::RecordBatch>) {
    let columns = suited(encoding);
    let mut fixture = fixture(format, &[]);
    for (id, name, data_type, _) in &columns {
        let mut column = column(*id, name, data_type);
        column.encoding = Some(encoding.to_string());
        fixture.table.columns.push(column);
    }
    let values: Vec<String> = columns
        .iter()
        .map(|(id, name, _, values)| format!("CASE WHEN (n + {id}) % 301 > 0 THEN {values} END AS {name}"))
        .collect();
    let rows =
        fixture.rows_of(&format!("SELECT {} FROM (SELECT unnest(range(0, {ROWS})) AS n)", values.join(", "))).await;
    let files = fixture.write(rows.clone(), &WriteOptions::default(), 1).await;
    (fixture, files.into_iter().next().unwrap(), rows)
}

/// The encodings of a file's columns, those of all blocks of a column joined.
async fn encodings(fixture: &Fixture, file: &DataFile) -> BTreeMap<String, String> {
    let found = describe(&fixture.storage, &fixture.table, file).await.unwrap();
    let of = |id: i64| fixture.table.columns.iter().find(|column| column.id == id).unwrap().name.clone();
    found
        .into_iter()
        .map(|found| {
            (of(found.column), found.encodings.into_iter().map(|(tree, _)| tree).collect::<Vec<_>>().join("; "))
        })
        .collect()
}

#[tokio::test]
async fn every_encoding_gives_back_what_was_put_in() {
    for format in FORMATS {
        for encoding in Encoding::ALL {
            let (fixture, file, rows) = written(format, encoding).await;
            let provider = std::sync::Arc::new(fixture.provider(&[file], Vec::new()));
            let config = datafusion::prelude::SessionConfig::new().with_target_partitions(1);
            let context = datafusion::prelude::SessionContext::new_with_config(config);
            context.register_table("t", provider).unwrap();
            let read = context.table("t").await.unwrap().collect().await.unwrap();
            let (read, rows) = (concat_batches(&read[0].schema(), &read), concat_batches(&rows[0].schema(), &rows));
            let (read, rows) = (read.unwrap(), rows.unwrap());
            for (at, column) in fixture.table.columns.iter().enumerate() {
                assert!(read.column(at) == rows.column(at), "{format:?} {encoding} {}", column.name);
            }
        }
    }
}

#[tokio::test]
async fn vortex_files_have_the_encodings() {
    let numbers = ["i2", "i4", "i8", "n9", "n38", "d", "t", "ts", "tsz"];
    let mut wrong = Vec::new();
    for (encoding, columns, expected) in [
        (Encoding::Raw, &["i2", "i4", "i8", "f4", "f8"][..], "vortex.primitive"),
        (Encoding::Raw, &["n9", "n38"], "vortex.decimal("),
        (Encoding::Raw, &["v", "c", "s"], "vortex.varbinview"),
        (Encoding::Az64, &["i2", "i4", "n9", "d", "t", "ts", "tsz"], "fastlanes.bitpacked"),
        (Encoding::ByteDict, &["i2", "i4", "i8", "f4", "f8", "c", "v", "ts", "tsz"], "dictionary("),
        (Encoding::ByteDict, &["n9", "d", "t"], "vortex.dict("),
        (Encoding::Delta, &["i2", "i4", "i8", "n9", "d", "ts"], "fastlanes.delta("),
        (Encoding::Delta32k, &["i4", "i8", "n9", "d", "ts"], "fastlanes.delta("),
        (Encoding::Lzo, &["c", "v", "s"], "vortex.onpair("),
        (Encoding::Lzo, &numbers, "vortex.zstd"),
        (Encoding::Mostly8, &["i2", "i4", "i8"], "vortex.zigzag(fastlanes.bitpacked"),
        (Encoding::Mostly16, &["i4", "i8"], "vortex.zigzag(fastlanes.bitpacked"),
        (Encoding::Mostly32, &["i8"], "vortex.zigzag(fastlanes.bitpacked"),
        (
            Encoding::RunLength,
            &["i2", "i4", "i8", "n9", "f4", "f8", "b", "c", "v", "d", "t", "ts", "tsz"],
            "vortex.runend(",
        ),
        (Encoding::Text255, &["v"], "vortex.fsst("),
        (Encoding::Text32k, &["v"], "vortex.fsst("),
        (Encoding::Zstd, &numbers, "vortex.zstd"),
        (Encoding::Zstd, &["f4", "f8", "c", "v", "s"], "vortex.zstd"),
    ] {
        let (fixture, file, _) = written(FileFormat::Vortex, encoding).await;
        let found = encodings(&fixture, &file).await;
        for name in columns {
            let others = found[*name].split("; ").filter(|tree| !tree.contains(expected));
            wrong.extend(others.map(|tree| format!("{encoding} {name}: {tree}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn parquet_files_have_the_nearest_encodings() {
    for (encoding, columns, expected) in [
        (Encoding::Raw, &["i4", "f8", "v"][..], "PLAIN, RLE (UNCOMPRESSED)"),
        (Encoding::Az64, &["i2", "i4", "i8", "n9", "d", "ts"], "DELTA_BINARY_PACKED, RLE (UNCOMPRESSED)"),
        (Encoding::ByteDict, &["i4", "f8", "v"], "PLAIN, RLE, RLE_DICTIONARY (UNCOMPRESSED)"),
        (Encoding::Mostly16, &["i4", "i8"], "DELTA_BINARY_PACKED, RLE (UNCOMPRESSED)"),
        (Encoding::RunLength, &["c", "v"], "PLAIN, RLE, RLE_DICTIONARY (UNCOMPRESSED)"),
        (Encoding::Lzo, &["v"], "PLAIN, RLE (LZ4_RAW)"),
        (Encoding::Zstd, &["v", "i4"], "PLAIN, RLE (ZSTD(ZstdLevel(1)))"),
    ] {
        let (fixture, file, _) = written(FileFormat::Parquet, encoding).await;
        let found = encodings(&fixture, &file).await;
        for name in columns {
            assert_eq!(found[*name], expected, "{encoding} {name}");
        }
    }
}

#[tokio::test]
async fn automatic_decimals_are_narrow() {
    let fixture = fixture(FileFormat::Vortex, &[(1, "n", "numeric(18,2)"), (2, "w", "numeric(38,0)")]);
    let rows = fixture
        .rows_of(&format!(
            "SELECT arrow_cast(n * 37 % 100000, 'Int64'), arrow_cast(n, 'Int64') FROM (SELECT unnest(range(0, {ROWS})) AS n)"
        ))
        .await;
    let files = fixture.write(rows, &WriteOptions::default(), 1).await;
    for tree in encodings(&fixture, &files[0]).await.values() {
        assert!(tree.starts_with("vortex.decimal_byte_parts("), "{tree}");
    }
    // 17 and 15 bits a value instead of 128.
    assert!(files[0].columns.values().all(|column| column.size_bytes < 4 * ROWS as u64), "{:?}", files[0].columns);
}

#[tokio::test]
async fn blocks_without_values_or_gain_stay() {
    for encoding in Encoding::ALL {
        let data_type = if encoding.suits(SqlType::BigInt) { "bigint" } else { "character varying(100)" };
        let mut fixture = fixture(FileFormat::Vortex, &[(1, "a", data_type), (2, "b", data_type)]);
        for column in &mut fixture.table.columns {
            column.encoding = Some(encoding.to_string());
        }
        let rows = fixture
            .rows_of("SELECT arrow_cast(NULL, 'Int64'), arrow_cast(n * 1234567890123456789, 'Int64') FROM (SELECT unnest(range(0, 3)) AS n)")
            .await;
        let files = fixture.write(rows, &WriteOptions::default(), 1).await;
        let found = fixture.query(&files, "SELECT count(a), count(b), count(DISTINCT b), count(*) FROM t").await;
        assert_eq!(found, ["0|3|3|3"], "{encoding}");
    }
}

//! Whole files through the dispatch, from a store.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use super::*;
use crate::lake::fixture;
use millrace_catalog::model::CsvHeader;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::io::Write;

async fn classified(name: &str, bytes: &[u8], custom: &[Classifier]) -> std::result::Result<Recognized, Skipped> {
    let store = InMemory::new();
    let path = Path::from(name);
    store.put(&path, bytes.to_vec().into()).await.unwrap();
    let object = store.head(&path).await.unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    classify(&store, &format!("s3://b/{name}"), &object, custom).await
}

async fn reason(name: &str, bytes: &[u8]) -> String {
    let skipped = classified(name, bytes, &[]).await.unwrap_err();
    assert_eq!(skipped.url, format!("s3://b/{name}"));
    skipped.reason
}

fn framed(text: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(text).unwrap();
    encoder.into_inner().unwrap()
}

#[tokio::test]
async fn what_is_skipped_says_why() {
    for (name, bytes, expected) in [
        ("a.csv", &b""[..], "it is empty"),
        ("a.csv", b"\xef\xbb\xbf", "it is empty"),
        ("a.csv", b" \n\n", "it has nothing but blanks"),
        ("a.csv", b"a,b\n1,\0\n", "it is binary, in no format that a classifier knows"),
        ("a.csv", b"a,b\n1,\xe4\n", "it is no text in UTF-8: invalid at byte 6"),
        ("a.csv", b"\xff\xfea\0,\0", "it is in UTF-16; text files are read as UTF-8"),
        ("a.csv", b"a,b\n", "no classifier recognises it: it has one line, and delimited text is told from two on"),
        (
            "a",
            b"some\nwords\n",
            "no classifier recognises it: it is text, but neither JSON nor a web log, and no delimiter divides its \
             lines into the same number of columns",
        ),
        ("a.csv", b"\x1f\x8b\x08\0\0", "it is compressed (gzip), and its name does not end in \".gz\""),
        ("a", b"\x28\xb5\x2f\xfd\x04", "it is compressed (zstd), and its name does not end in \".zst\""),
    ] {
        assert_eq!(reason(name, bytes).await, expected, "{name} {bytes:?}");
    }
    assert!(reason("a.csv.gz", b"a,b\n1,2\n").await.contains("truncated or damaged (gzip)"));
    assert!(reason("a.csv.lzo", b"a,b\n1,2\n").await.contains("lzo"));
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let gone = ObjectMeta { location: Path::from("gone.csv"), size: 5, ..fixture::object(&fixture::data_file(".")) };
    let skipped = classify(&store, "s3://b/gone.csv", &gone, &[]).await.unwrap_err();
    assert_eq!(skipped.reason, "\"gone.csv\" does not exist");
}

#[tokio::test]
async fn compressed_text() {
    let text = "id,name\n1,x\n2,y\n";
    let found = classified("d/a.csv.sz", &framed(text.as_bytes()), &[]).await.unwrap();
    assert_eq!((found.layout.compression.as_str(), found.rows, found.rows_exact), ("snappy", 2, true));
    assert_eq!(found.columns.len(), 2);
    let found = classified("a.csv", format!("\u{feff}{text}").as_bytes(), &[]).await.unwrap();
    assert_eq!(found.columns[0].name, "id");
}

/// A file of several megabytes is looked at up to its first, also when it is compressed.
#[tokio::test]
async fn samples_are_bounded() {
    let line = |n: u64| format!("{n},{},ä\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let text: String = (0..200_000).map(line).collect();
    assert!(text.len() > 4_000_000);
    for (name, bytes) in [("a.csv", text.clone().into_bytes()), ("a.csv.snappy", framed(text.as_bytes()))] {
        let found = classified(name, &bytes, &[]).await.unwrap();
        assert!(!found.rows_exact && found.rows > 10_000, "{name}");
        assert!(found.row_bytes <= 1024 * 1024 && found.row_bytes > 1024 * 1024 - 100, "{name}");
        let types: Vec<_> = found.columns.iter().map(|column| column.data_type.to_string()).collect();
        assert_eq!(types, ["bigint", "decimal(38,0)", "string"], "{name}");
    }
}

#[tokio::test]
async fn custom_classifiers_come_first() {
    let csv = |name: &str, delimiter| Classifier {
        name: name.to_owned(),
        kind: ClassifierKind::Csv {
            delimiter: Some(delimiter),
            quote: None,
            header: CsvHeader::Absent,
            columns: Vec::new(),
            types: Vec::new(),
            keep_blanks: false,
            allow_single_column: false,
        },
        create_time_ms: 0,
    };
    let text = b"a:b,c:d\ne:f,g:h\n";
    let found = classified("a", text, &[csv("hash", '#'), csv("colons", ':'), csv("commas", ',')]).await.unwrap();
    assert_eq!((found.layout.classifier.as_str(), found.columns.len()), ("colons", 3));
    // One that is less sure than the built-in classifier does not decide.
    let uneven = b"1,2\n3,4:5\n6:7,8:9\n1:2,3\n1:2,3\n1:3,4\n";
    let found = classified("a", uneven, &[csv("colons", ':')]).await.unwrap();
    assert_eq!((found.layout.classifier.as_str(), found.columns.len()), ("csv", 2));
    let wrong = classified("a", text, &[csv("broken", '€')]).await.unwrap_err();
    assert!(wrong.reason.starts_with("classifier \"broken\": the delimiter '€'"), "{}", wrong.reason);
}

/// The example lake's own files.
#[tokio::test]
async fn the_example_lake() {
    let root = fixture::data_file("../../../examples/lake");
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::local::LocalFileSystem::new());
    let mut found = Vec::new();
    for name in ["airports/airports.csv", "weather/2013/01/weather.csv.gz"] {
        let object = fixture::object(&root.join(name));
        let recognized = classify(&store, name, &object, &[]).await.unwrap();
        let columns: Vec<_> = recognized.columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect();
        found.push((columns.join(", "), recognized.rows, recognized.layout.compression, recognized.certainty));
    }
    assert_eq!(
        found,
        [
            (
                "faa string, name string, lat double, lon double, alt bigint, tz bigint, dst string, tzone string"
                    .to_owned(),
                1458,
                "none".to_owned(),
                1.0
            ),
            (
                "origin string, day bigint, hour bigint, temp double, dewp double, humid double, wind_dir double, \
             wind_speed double, wind_gust double, precip double, pressure double, visib double, time_hour timestamp"
                    .to_owned(),
                2226,
                "gzip".to_owned(),
                1.0
            ),
        ]
    );
}

//! Damaged files: each is an error with the right code that names the file, and nothing is loaded.

use crate::world;
use millrace_tests::database::rows;
use millrace_tests::script::data;
use std::path::Path;

/// Where a damaged file is, how it is loaded, the error's code and a part of its text.
const FILES: [(&str, &str, &str, &str); 24] = [
    ("truncated_gzip/a.csv.gz", "CSV IGNOREALLERRORS", "58030", "truncated or damaged (gzip)"),
    ("truncated_gzip/a.csv.gz", "CSV GZIP IGNOREALLERRORS", "58030", "truncated or damaged (gzip)"),
    ("not_gzip/a.csv.gz", "CSV", "58030", "a.csv.gz"),
    ("number/a.csv", "CSV GZIP", "58030", "truncated or damaged (gzip)"),
    ("number/a.csv", "CSV BZIP2", "58030", "truncated or damaged (bzip2)"),
    ("number/a.csv", "CSV ZSTD", "58030", "truncated or damaged (zstd)"),
    ("number/a.csv", "CSV SNAPPY", "58030", "truncated or damaged (snappy)"),
    ("truncated_parquet/a.parquet", "PARQUET", "58030", "a.parquet"),
    ("wrong_format/a.parquet", "PARQUET", "58030", "a.parquet"),
    ("number/a.csv", "PARQUET", "58030", "a.csv"),
    ("truncated_orc/a.orc", "ORC", "58030", "a.orc"),
    ("wrong_format_orc/a.orc", "ORC", "58030", "a.orc"),
    ("truncated_avro/a.avro", "AVRO 'auto'", "58030", "a.avro"),
    ("wrong_format_avro/a.avro", "AVRO 'auto'", "58030", "a.avro"),
    ("empty_files/a.csv", "CSV MANIFEST", "22023", "not in correct json format"),
    ("number/a.csv", "CSV MANIFEST", "22023", "not in correct json format"),
    ("nothing/a.csv", "CSV", "58P01", "does not exist"),
    ("nothing/a.csv", "MANIFEST", "58P01", "does not exist"),
    ("number/a.csv", "JSON '${bad}/number/a.csv'", "22023", "invalid JSONPaths file"),
    ("number/a.csv", "JSON '${bad}/nothing.json'", "58P01", "does not exist"),
    ("number/a.csv", "FIXEDWIDTH 'a:1'", "22023", "FIXEDWIDTH has 1 columns, the load fills 2"),
    ("utf8/a.csv", "CSV", "22000", "Load into table 't' failed"),
    ("open_quote/a.csv", "CSV", "22000", "Load into table 't' failed"),
    ("json_type/a.json", "JSON 'auto'", "22000", "Load into table 't' failed"),
];

#[tokio::test]
async fn damaged_files_load_nothing() {
    let (_folder, mut session) = world().await;
    let bad = data().join("bad").display().to_string();
    rows(&mut session, "CREATE TABLE t (id int, name varchar(20))").await.unwrap();
    for (file, options, sqlstate, message) in FILES {
        let copy = format!("COPY t FROM '{bad}/{file}' {}", options.replace("${bad}", &bad));
        let error = rows(&mut session, &copy).await.expect_err(&copy);
        let told = error.to_string();
        assert_eq!(error.sqlstate(), sqlstate, "{copy}: {told}");
        assert!(told.contains(message), "{copy}: {told}");
        assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]], "{copy}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn manifests() {
    let (folder, mut session) = world().await;
    let folder = folder.path();
    rows(&mut session, "CREATE TABLE t (id int)").await.unwrap();
    let data = write(folder, "data.txt", "1\n2\n");
    let entry = |rest: &str| format!("{{\"entries\": [{{\"url\": \"{data}\"{rest}}}]}}");
    let missing = |mandatory: bool| {
        format!("{{\"entries\": [{{\"url\": \"{data}\"}}, {{\"url\": \"{data}.no\", \"mandatory\": {mandatory}}}]}}")
    };
    let cases = [
        (entry(""), None),
        (entry(", \"mandatory\": true"), None),
        (entry(", \"meta\": {\"content_length\": 4}"), None),
        (missing(false), None),
        (missing(true), Some(("58P01", "mandatory file"))),
        (entry(", \"meta\": {\"content_length\": 5}"), Some(("58030", "has 4 bytes, its manifest says 5"))),
        ("{\"entries\": []}".to_owned(), Some(("58P01", "does not exist"))),
        ("{}".to_owned(), Some(("22023", "not in correct json format"))),
        ("{\"entries\": [{}]}".to_owned(), Some(("22023", "not in correct json format"))),
        ("{\"entries\": [{\"url\": \"ftp://x/y\"}]}".to_owned(), Some(("0A000", "ftp"))),
    ];
    for (at, (text, expected)) in cases.iter().enumerate() {
        let manifest = write(folder, &format!("manifest{at}"), text);
        let loaded = rows(&mut session, &format!("COPY t FROM '{manifest}' MANIFEST")).await;
        match (loaded, expected) {
            (Ok(_), None) => {}
            (Err(error), Some((sqlstate, message))) => {
                assert_eq!(error.sqlstate(), *sqlstate, "{text}: {error}");
                assert!(error.to_string().contains(message), "{text}: {error}");
            }
            (loaded, _) => panic!("{text}: {loaded:?}"),
        }
    }
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["8"]]);
}

/// A line that never ends is one bad line, however long, and the lines behind it are loaded. (1 GB of one line, plain and
/// in each of these formats, took 200 MB of memory in the debug build.)
#[tokio::test]
async fn a_line_without_an_end() {
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE t (id int)").await.unwrap();
    let long = "x".repeat(24 << 20);
    let formats = [
        ("", format!("1\n{long}\n3\n")),
        ("CSV", format!("1\n{long}\n3\n")),
        ("ESCAPE", format!("1\n{long}\n3\n")),
        ("JSON 'auto'", format!("{{\"id\": 1}}\n{{\"id\": \"{long}\"}}\n{{\"id\": 3}}\n")),
    ];
    for (at, (options, text)) in formats.iter().enumerate() {
        let place = write(folder.path(), &format!("long{at}.txt"), text);
        rows(&mut session, &format!("COPY t FROM '{place}' {options} MAXERROR 2")).await.unwrap();
        let loaded = rows(&mut session, "SELECT id FROM t ORDER BY id").await.unwrap();
        assert_eq!(loaded, [["1"], ["3"]], "{options}");
        rows(&mut session, "TRUNCATE t").await.unwrap();
        let errors = "SELECT line_number, err_code, err_reason FROM stl_load_errors WHERE query = pg_last_copy_id()";
        let errors = rows(&mut session, errors).await.unwrap();
        assert_eq!(errors, [["2", "1216", "Input line is not valid: it is longer than 4 MB"]], "{options}");
    }
}

//! What UNLOAD's files hold: the order of rows, the manifest, sizes.

use crate::world;
use millrace_tests::database::rows;
use std::path::Path;

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    found
}

/// Redshift: with PARALLEL OFF rows are "sorted absolutely according to the ORDER BY clause", in one file after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_slices_rows_keep_their_order_over_files() {
    let (folder, mut session) = world().await;
    let out = folder.path().join("out");
    let digits = "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)";
    rows(&mut session, digits).await.unwrap();
    let numbers = "select x.a + 10 * y.a + 100 * z.a + 1000 * u.a + 10000 * v.a as id from n x, n y, n z, n u, n v";
    let query = format!("select id, repeat(''x'', 300) as s from ({numbers}) where id < 60000 order by id desc");
    let unload = format!("UNLOAD ('{query}') TO '{}/t_' PARALLEL OFF MAXFILESIZE AS 5 MB", out.display());
    rows(&mut session, &unload).await.unwrap();
    let files = files(&out);
    // 18 MB of rows: each file but the last has 5 MB, or a row less.
    let sizes: Vec<usize> = files.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(sizes.len(), 4, "{sizes:?}");
    assert!(sizes[..3].iter().all(|size| (5 * 1024 * 1024 - 1000..=5 * 1024 * 1024).contains(size)), "{sizes:?}");
    let mut ids = Vec::new();
    for (at, (name, bytes)) in files.iter().enumerate() {
        assert_eq!(*name, format!("t_{at:03}"));
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let id = line.split(|byte| *byte == b'|').next().unwrap();
            ids.push(String::from_utf8_lossy(id).parse::<i32>().unwrap());
        }
    }
    assert_eq!(ids.len(), 60_000);
    assert_eq!(ids.iter().zip((0..60_000).rev()).position(|(id, expected)| *id != expected), None);
}

/// "If MANIFEST is specified with the VERBOSE option, the manifest includes the following details: the column names and
/// data types, and for CHAR, VARCHAR, or NUMERIC data types, dimensions for each column; the row count unloaded to each
/// file; the total file size of all files unloaded and the total row count; the author."
#[tokio::test]
async fn manifests() {
    let (folder, mut session) = world().await;
    let out = folder.path().join("out");
    let query =
        "select 1 as venueid, ''Toyota Park'' as venuename, 1.50::decimal(5,2) as price, date ''2024-02-29'' as day";
    let unload = |prefix: &str, options: &str| format!("UNLOAD ('{query}') TO '{}/{prefix}' {options}", out.display());
    rows(&mut session, &unload("plain_", "PARALLEL OFF MANIFEST")).await.unwrap();
    rows(&mut session, &unload("full_", "HEADER PARALLEL OFF MANIFEST VERBOSE")).await.unwrap();
    let files = files(&out);
    let read = |name: &str| &files.iter().find(|(found, _)| found == name).unwrap().1;
    let manifest = |name: &str| String::from_utf8_lossy(read(name)).split_whitespace().collect::<String>();
    let url = |name: &str| format!("file://{}/{name}", out.display());
    let size = read("plain_000").len();
    let (file, meta) = (url("plain_000"), format!("{{\"content_length\":{size}}}"));
    assert_eq!(manifest("plain_manifest"), format!("{{\"entries\":[{{\"url\":\"{file}\",\"meta\":{meta}}}]}}"));
    // "If the HEADER option is specified, the row count includes the header line."
    let size = read("full_000").len();
    let (file, meta) = (url("full_000"), format!("{{\"content_length\":{size},\"record_count\":2}}"));
    let full = manifest("full_manifest");
    for part in [
        format!("\"entries\":[{{\"url\":\"{file}\",\"meta\":{meta}}}]"),
        format!("\"meta\":{meta},\"author\":"),
        "{\"name\":\"venueid\",\"type\":{\"base\":\"integer\"}}".to_owned(),
        "{\"name\":\"venuename\",\"type\":{\"base\":\"charactervarying\",\"max_length\":65535}}".to_owned(),
        "{\"name\":\"price\",\"type\":{\"base\":\"numeric\",\"precision\":5,\"scale\":2}}".to_owned(),
        "{\"name\":\"day\",\"type\":{\"base\":\"date\"}}".to_owned(),
        "\"author\":{\"name\":\"Millrace\"".to_owned(),
    ] {
        assert!(full.contains(&part), "{part} is not in {full}");
    }
}

/// A table's columns keep their declared types in VERBOSE manifests; "Amazon Redshift supports writing nested JSON when
/// the query result contains SUPER columns".
#[tokio::test]
async fn columns_of_tables_are_as_declared() {
    let (folder, mut session) = world().await;
    let out = folder.path().join("out");
    rows(&mut session, "CREATE TABLE t (c char(3), v varchar(7), d super)").await.unwrap();
    let insert = "INSERT INTO t VALUES ('abc', 'x', json_parse('{\"a\":[1,\n null]}')), ('d', 'y', 'z')";
    rows(&mut session, insert).await.unwrap();
    let unload = format!(
        "UNLOAD ('select c, v, d from t order by v') TO '{}/t_' JSON PARALLEL OFF MANIFEST VERBOSE",
        out.display()
    );
    rows(&mut session, &unload).await.unwrap();
    let files = files(&out);
    let read =
        |name: &str| String::from_utf8_lossy(&files.iter().find(|(found, _)| found == name).unwrap().1).into_owned();
    assert_eq!(
        read("t_000"),
        "{\"c\":\"abc\",\"v\":\"x\",\"d\":{\"a\":[1,null]}}\n{\"c\":\"d\",\"v\":\"y\",\"d\":\"z\"}\n"
    );
    let manifest: String = read("t_manifest").split_whitespace().collect();
    for part in [
        "{\"name\":\"c\",\"type\":{\"base\":\"character\",\"max_length\":3}}",
        "{\"name\":\"v\",\"type\":{\"base\":\"charactervarying\",\"max_length\":7}}",
        "{\"name\":\"d\",\"type\":{\"base\":\"super\"}}",
    ] {
        assert!(manifest.contains(part), "{part} is not in {manifest}");
    }
}

/// What a layout adds to values may be far more than they are: the first rows of a file are counted as they are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_is_larger_whatever_its_layout_adds() {
    const MOST: usize = 5 * 1024 * 1024;
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
    let query = "select x.a, null::int as b from n x, n y, n z, n u";
    let long = "nothing ".repeat(125);
    let null_as = format!("HEADER NULL AS '{long}'");
    for (at, (format, width)) in [("FIXEDWIDTH 'a:2000,b:2000'", 4001), (&null_as, 1003)].iter().enumerate() {
        let out = folder.path().join(format!("out{at}"));
        let unload = format!("UNLOAD ('{query}') TO '{}/t_' {format} PARALLEL OFF MAXFILESIZE 5 MB", out.display());
        rows(&mut session, &unload).await.unwrap();
        let files = files(&out);
        let sizes: Vec<usize> = files.iter().map(|(_, bytes)| bytes.len()).collect();
        assert!(sizes.iter().all(|size| *size <= MOST), "{format}: {sizes:?}");
        assert!(sizes.split_last().is_some_and(|(_, full)| full.iter().all(|size| *size > MOST / 2)), "{sizes:?}");
        let headers = if format.contains("HEADER") { sizes.len() * "a|b\n".len() } else { 0 };
        assert_eq!(sizes.iter().sum::<usize>() - headers, 10_000 * width, "{format}: {sizes:?}");
        let lines =
            files.iter().flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty());
        let named = lines.filter(|line| *line == b"a|b").count();
        assert_eq!(named, if headers > 0 { sizes.len() } else { 0 }, "{format}");
    }
}

/// "MAXFILESIZE specifies the maximum size of files that UNLOAD creates", whatever the rows are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_is_larger_than_it_may_be() {
    const MOST: usize = 5 * 1024 * 1024;
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
    // Many short rows and then long ones, of what every format must mask.
    let query = "select x.a + 10 * y.a + 100 * z.a as id, md5((x.a + 10 * y.a + 100 * z.a)::varchar) as noise, \
                 repeat(chr(10) || ''\"|'', (x.a + 10 * y.a + 100 * z.a) * 20) as s from n x, n y, n z order by id";
    for (at, format) in ["", "ADDQUOTES ESCAPE", "CSV", "JSON", "CSV GZIP", "CSV ZSTD"].iter().enumerate() {
        let out = folder.path().join(format!("out{at}"));
        let unload = format!("UNLOAD ('{query}') TO '{}/t_' {format} PARALLEL OFF MAXFILESIZE 5 MB", out.display());
        rows(&mut session, &unload).await.unwrap();
        let sizes: Vec<usize> = files(&out).iter().map(|(_, bytes)| bytes.len()).collect();
        // 30 MB of text, of which masks make more and compression next to nothing.
        assert!(format.contains("CSV ") || sizes.len() >= 6, "{format}: {sizes:?}");
        assert!(sizes.iter().all(|size| *size <= MOST), "{format}: {sizes:?}");
    }
    // What codecs cannot make much smaller: 13 MB of hexadecimal digits are half as many bytes.
    let numbers = "select x.a + 10 * y.a + 100 * z.a + 1000 * u.a + 10000 * v.a as id from n x, n y, n z, n u, n v";
    let query = format!(
        "select md5(id::varchar) || md5((-id)::varchar) || md5((id + 1000000)::varchar) || \
         md5((id + 2000000)::varchar) from ({numbers})"
    );
    for format in ["BZIP2", "ZSTD"] {
        let out = folder.path().join(format);
        let unload = format!("UNLOAD ('{query}') TO '{}/t_' {format} PARALLEL OFF MAXFILESIZE 5 MB", out.display());
        rows(&mut session, &unload).await.unwrap();
        let sizes: Vec<usize> = files(&out).iter().map(|(_, bytes)| bytes.len()).collect();
        assert!(sizes.len() > 1, "{format}: {sizes:?}");
        assert!(sizes.iter().all(|size| *size <= MOST), "{format}: {sizes:?}");
        // All but the last are filled, down to what a codec may have held.
        assert!(sizes.split_last().is_some_and(|(_, full)| full.iter().all(|size| *size > MOST / 2)), "{sizes:?}");
    }
}

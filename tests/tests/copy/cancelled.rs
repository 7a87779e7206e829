//! Loads and unloads that are ended before their time, or that find their files elsewhere or changed: nothing is left
//! behind, nothing is loaded, and the error says so.

use crate::stores::{self, names};
use crate::world;
use millrace_engine::{Error, ErrorKind, Session};
use millrace_tests::database::rows;
use millrace_tests::s3::S3Server;
use millrace_tests::{Effect, Fault, Operation};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Far more rows than are written before the statement is canceled.
const ENDLESS: &str = "select x.a, repeat(''x'', 2000) as b, y.a as k from n as x, n as y, n as z, n as u, n as v, n \
                       as w, n as q, n as r";

async fn ten_rows(session: &mut Session) {
    rows(session, "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
}

/// All files below a folder, hidden ones too.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Waits for what tidies up behind a statement that was dropped.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

fn is_cancelled(error: &Error) {
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    assert_eq!(error.detail.as_deref(), Some("the files that it had written are removed"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_unload_removes_what_it_wrote_and_says_so() {
    let (folder, mut session) = world().await;
    ten_rows(&mut session).await;
    let out = folder.path().join("out");
    let place = out.join("t_").display().to_string();
    for (timeout_ms, options) in
        [(300, ""), (300, "GZIP"), (600, "PARQUET"), (600, "CSV PARTITION BY (k)"), (600, "JSON PARALLEL OFF MANIFEST")]
    {
        rows(&mut session, &format!("SET statement_timeout TO {timeout_ms}")).await.unwrap();
        let unload = format!("UNLOAD ('{ENDLESS}') TO '{place}' {options}");
        is_cancelled(&rows(&mut session, &unload).await.unwrap_err());
        rows(&mut session, "SET statement_timeout TO 0").await.unwrap();
        until("files are left", || files(&out).is_empty()).await;
        // A client that cancels, or leaves, drops the statement.
        let dropped = tokio::time::timeout(Duration::from_millis(timeout_ms), rows(&mut session, &unload)).await;
        assert!(dropped.is_err());
        until("files are left", || files(&out).is_empty()).await;
    }
    let history = "SELECT status, count(*) FROM sys_unload_history GROUP BY 1";
    assert_eq!(rows(&mut session, history).await.unwrap(), [["aborted", "10"]]);
    assert_eq!(rows(&mut session, "SELECT count(*) FROM stl_unload_log").await.unwrap(), [["0"]]);
    // The place is as free as it was.
    rows(&mut session, &format!("UNLOAD ('select * from n') TO '{place}' CSV")).await.unwrap();
}

/// What the server keeps of uploads that are neither complete nor aborted.
pub(super) fn open_uploads(server: &S3Server) -> Vec<String> {
    let entries = std::fs::read_dir(server.root()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("upload")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_unload_aborts_its_uploads() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    ten_rows(&mut session).await;
    // The upload is begun and has a part; the next parts never end.
    let hang = Effect::Delay(Duration::from_mins(10));
    server.faults().inject(Fault { after: 2, ..Fault::always(Operation::Put, hang) });
    let unload = format!("UNLOAD ('{ENDLESS}') TO 's3://{bucket}/big' PARALLEL OFF");
    for by_timeout in [true, false] {
        server.faults().clear();
        server.faults().inject(Fault { after: 2, ..Fault::always(Operation::Put, hang) });
        if by_timeout {
            rows(&mut session, "SET statement_timeout TO 8000").await.unwrap();
            is_cancelled(&rows(&mut session, &unload).await.unwrap_err());
            rows(&mut session, "SET statement_timeout TO 0").await.unwrap();
        } else {
            let unload = rows(&mut session, &unload);
            let begun = until("nothing was uploaded", || server.faults().count(Operation::Put) > 2);
            tokio::select! {
                ended = unload => panic!("{ended:?}"),
                () = begun => {}
            }
        }
        assert!(server.faults().count(Operation::Put) > 2, "nothing was uploaded");
        until("no upload was aborted", || server.faults().count(Operation::Delete) > 0).await;
        until("parts are left", || open_uploads(&server).is_empty()).await;
        assert_eq!(names(&server, &bucket), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_copy_loads_nothing() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    ten_rows(&mut session).await;
    let place = format!("s3://{bucket}/in/");
    rows(&mut session, &format!("UNLOAD ('select * from n') TO '{place}a' PARALLEL OFF")).await.unwrap();
    rows(&mut session, &format!("UNLOAD ('select * from n') TO '{place}b' PARALLEL OFF")).await.unwrap();
    rows(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    let hang = Effect::Delay(Duration::from_mins(10));
    server.faults().inject(Fault { prefix: "in/b".to_owned(), ..Fault::always(Operation::Get, hang) });
    rows(&mut session, "SET statement_timeout TO 500").await.unwrap();
    let error = rows(&mut session, &format!("COPY t FROM '{place}'")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    rows(&mut session, "SET statement_timeout TO 0").await.unwrap();
    // Others see a load that runs: what it reads, and how far it is.
    let mut other = Session::new(std::sync::Arc::clone(session.warehouse()));
    let history = "SELECT status, table_name, end_time IS NULL, source_file_count, file_count_scanned \
                   FROM sys_load_history ORDER BY query_id";
    let canceled = ["aborted", "t", "false", "2", "NULL"];
    {
        let copy = format!("COPY t FROM '{place}'");
        let mut copy = Box::pin(rows(&mut session, &copy));
        let running = async {
            for _ in 0..1_000 {
                let seen = rows(&mut other, history).await.unwrap();
                if seen.last().is_some_and(|row| row[0] == "running" && row[4] == "1") {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            rows(&mut other, history).await.unwrap()
        };
        let seen = tokio::select! {
            ended = &mut copy => panic!("{ended:?}"),
            seen = running => seen,
        };
        assert_eq!(seen, [canceled, ["running", "t", "true", "2", "1"]]);
    }
    // Its client is gone.
    assert_eq!(rows(&mut other, history).await.unwrap(), [canceled, canceled]);
    server.faults().clear();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]]);
    rows(&mut session, &format!("COPY t FROM '{place}'")).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["20"]]);
}

/// Redshift's SYS_LOAD_HISTORY has "both running and finished COPY commands": of one that runs the bad lines so far.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_runs_tells_its_bad_lines() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    rows(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    let folder = server.root().join(&bucket).join("in");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a"), "x\n1\ny\n").unwrap();
    std::fs::write(folder.join("b"), "2\n").unwrap();
    let hang = Effect::Delay(Duration::from_mins(10));
    server.faults().inject(Fault { prefix: "in/b".to_owned(), ..Fault::always(Operation::Get, hang) });
    let mut other = Session::new(std::sync::Arc::clone(session.warehouse()));
    let history = "SELECT status, error_count FROM sys_load_history";
    let copy = format!("COPY t FROM 's3://{bucket}/in/' MAXERROR 10");
    let mut copy = Box::pin(rows(&mut session, &copy));
    let mut seen = Vec::new();
    for _ in 0..1_000 {
        tokio::select! {
            ended = &mut copy => panic!("{ended:?}"),
            found = rows(&mut other, history) => seen = found.unwrap(),
        }
        if seen.iter().any(|row| row[1] != "0") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen, [["running", "2"]]);
    drop(copy);
    assert_eq!(rows(&mut other, history).await.unwrap(), [["aborted", "2"]]);
}

#[tokio::test]
async fn a_bucket_of_another_region_is_told_with_its_region() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    ten_rows(&mut session).await;
    let place = format!("s3://{bucket}/in/");
    rows(&mut session, &format!("UNLOAD ('select * from n') TO '{place}a' MANIFEST")).await.unwrap();
    let (copy, manifest) = (format!("COPY n FROM '{place}a0'"), format!("COPY n FROM '{place}amanifest' MANIFEST"));
    let (unload, query) = (format!("UNLOAD ('select 1') TO 's3://{bucket}/out/'"), format!("SELECT * FROM '{place}'"));
    for (statement, operation, effect) in [
        (&copy, Operation::List, Effect::Elsewhere("eu-west-1")),
        (&copy, Operation::List, Effect::Malformed("eu-west-1")),
        (&copy, Operation::Get, Effect::Elsewhere("eu-west-1")),
        (&copy, Operation::Get, Effect::Malformed("eu-west-1")),
        (&manifest, Operation::Head, Effect::Elsewhere("eu-west-1")),
        (&unload, Operation::List, Effect::Elsewhere("eu-west-1")),
        (&unload, Operation::Put, Effect::Elsewhere("eu-west-1")),
        (&unload, Operation::Put, Effect::Malformed("eu-west-1")),
        (&query, Operation::List, Effect::Elsewhere("eu-west-1")),
    ] {
        server.faults().clear();
        server.faults().inject(Fault::always(operation, effect));
        let error = rows(&mut session, statement).await.unwrap_err();
        let told = format!("{statement} {operation:?} {effect:?}: {error}");
        assert_eq!(error.kind, ErrorKind::Connection, "{told}");
        assert!(error.message.contains("in the region \"eu-west-1\""), "{told}");
        assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("REGION 'eu-west-1'")), "{told}");
        assert_eq!(server.faults().count(operation), 1, "it is not asked again: {told}");
    }
    server.faults().clear();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM n").await.unwrap(), [["10"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_replaced_while_it_is_loaded_ends_the_load() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    rows(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    let object = server.root().join(&bucket).join("in");
    std::fs::create_dir(&object).unwrap();
    let object = object.join("a.csv");
    std::fs::write(&object, "1\n2\n").unwrap();
    let copy = format!("COPY t FROM 's3://{bucket}/in/' CSV");
    // It is listed, then replaced, then asked for.
    let late = Effect::Delay(Duration::from_secs(3));
    server.faults().inject(Fault { times: 1, ..Fault::always(Operation::Get, late) });
    let replaced = async {
        until("it was not asked for", || server.faults().count(Operation::Get) > 0).await;
        std::fs::write(&object, "3\n4\n5\n").unwrap();
    };
    let (loaded, ()) = tokio::join!(rows(&mut session, &copy), replaced);
    let error = loaded.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Serialization, "{error}");
    assert!(error.message.contains("changed while it was"), "{error}");
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]]);
    rows(&mut session, &copy).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT sum(a) FROM t").await.unwrap(), [["12"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_columnar_object_that_is_replaced_is_told_too() {
    let (server, bucket, _folder, mut session) = stores::world(&[]).await;
    rows(&mut session, "CREATE TABLE t (id bigint, name varchar(20), amount double precision)").await.unwrap();
    std::fs::create_dir(server.root().join(&bucket).join("in")).unwrap();
    let object = server.root().join(&bucket).join("in/a");
    for (format, before, after) in
        [("PARQUET", "parquet/none.parquet", "parquet/snappy.parquet"), ("ORC", "orc/zlib.orc", "orc/lz4.orc")]
    {
        let codecs = millrace_tests::script::data().join("codecs");
        std::fs::copy(codecs.join(before), &object).unwrap();
        let copy = format!("COPY t FROM 's3://{bucket}/in/' {format}");
        let late = Effect::Delay(Duration::from_secs(3));
        server.faults().clear();
        server.faults().inject(Fault { times: 1, ..Fault::always(Operation::Get, late) });
        let replaced = async {
            until("it was not asked for", || server.faults().count(Operation::Get) > 0).await;
            std::fs::copy(codecs.join(after), &object).unwrap();
        };
        let (loaded, ()) = tokio::join!(rows(&mut session, &copy), replaced);
        let error = loaded.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Serialization, "{format}: {error}");
        assert!(error.message.contains("changed while it was"), "{format}: {error}");
        assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]]);
        rows(&mut session, &copy).await.unwrap();
        assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["1000"]]);
        rows(&mut session, "TRUNCATE t").await.unwrap();
    }
}

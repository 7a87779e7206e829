//! Object stores that refuse, lose or break: what COPY and UNLOAD say, and what they leave behind.

use crate::cancelled::{open_uploads, until};
use millrace_engine::{ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use millrace_tests::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use millrace_tests::{Effect, Fault, Operation, s3_settings};
use tempfile::TempDir;

/// A server with a bucket, and a session of a warehouse whose settings are these besides the server's.
pub(super) async fn world(settings: &[(&str, &str)]) -> (S3Server, String, TempDir, Session) {
    let server = S3Server::start().await.unwrap();
    let bucket = server.create_bucket().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = WarehouseConfig::new(folder.path());
    for (name, value) in s3_settings(&server) {
        config = config.with_setting(&name, &value).unwrap();
    }
    for (name, value) in settings {
        config = config.with_setting(name, value).unwrap();
    }
    let session = Session::new(Warehouse::open(config).await.unwrap());
    (server, bucket, folder, session)
}

/// The names of the bucket's files, without those that the server keeps for itself.
pub(super) fn names(server: &S3Server, bucket: &str) -> Vec<String> {
    let root = server.root().join(bucket);
    let mut folders = vec![root.clone()];
    let mut names = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() { folders.push(path) } else { names.push(format!("/{name}")) }
        }
    }
    names.retain(|name| !name.contains("/."));
    names.sort();
    names
}

#[tokio::test]
async fn a_statement_may_bring_its_own_keys() {
    let (_server, bucket, folder, mut session) =
        world(&[("s3.access_key_id", "NOBODY"), ("s3.secret_access_key", "wrong")]).await;
    rows(&mut session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)").await.unwrap();
    let good = [
        format!("ACCESS_KEY_ID '{ACCESS_KEY_ID}' SECRET_ACCESS_KEY '{SECRET_ACCESS_KEY}'"),
        format!("CREDENTIALS 'aws_access_key_id={ACCESS_KEY_ID};aws_secret_access_key={SECRET_ACCESS_KEY}'"),
        format!("WITH CREDENTIALS AS 'aws_secret_access_key={SECRET_ACCESS_KEY};aws_access_key_id={ACCESS_KEY_ID}'"),
    ];
    for (at, keys) in good.iter().enumerate() {
        for format in ["", "PARQUET"] {
            let place = format!("s3://{bucket}/out{at}{format}/");
            let unload = format!("UNLOAD ('select * from t where a < 3') TO '{place}' {keys} {format}");
            rows(&mut session, &unload).await.unwrap();
            rows(&mut session, &format!("COPY t FROM '{place}' {keys} {format} REGION 'us-east-1'")).await.unwrap();
            rows(&mut session, "DELETE FROM t").await.unwrap();
            rows(&mut session, "INSERT INTO t VALUES (1), (2)").await.unwrap();
        }
    }
    let place = format!("s3://{bucket}/out0/");
    // The keys were the statement's alone.
    let wrong = [
        String::new(),
        "IAM_ROLE default".to_owned(),
        format!("ACCESS_KEY_ID '{ACCESS_KEY_ID}' SECRET_ACCESS_KEY 'other-secret'"),
        "ACCESS_KEY_ID 'UNKNOWNKEY' SECRET_ACCESS_KEY 'other-secret'".to_owned(),
    ];
    for keys in wrong {
        let error = rows(&mut session, &format!("COPY t FROM '{place}' {keys}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{keys}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = rows(&mut session, &format!("UNLOAD ('select 1') TO '{place}new' {keys}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{keys}: {error}");
    }
    for keys in [
        "ACCESS_KEY_ID 'a'",
        "SECRET_ACCESS_KEY 'a'",
        "SESSION_TOKEN 'a'",
        "ACCESS_KEY_ID 'a' ACCESS_KEY_ID 'b' SECRET_ACCESS_KEY 'c'",
        "ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'c' IAM_ROLE default",
        "CREDENTIALS 'hidden-text'",
        "CREDENTIALS 'aws_key=hidden-text'",
    ] {
        let error = rows(&mut session, &format!("COPY t FROM '{place}' {keys}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Syntax, "{keys}: {error}");
        assert!(!error.to_string().contains("hidden-text"), "{error}");
    }
    // Nothing keeps them: neither the system tables nor any file of the warehouse.
    for table in ["stl_query", "stl_querytext", "stl_utilitytext", "sys_query_history", "sys_load_history"] {
        for row in rows(&mut session, &format!("SELECT * FROM {table}")).await.unwrap() {
            let shown = row.join(" ");
            assert!(!shown.contains(SECRET_ACCESS_KEY) && !shown.contains("other-secret"), "{table}: {shown}");
        }
    }
    drop(session);
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            for secret in [SECRET_ACCESS_KEY, "other-secret"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let (_server, bucket, _folder, mut session) = world(&[]).await;
    rows(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    for (place, options) in [
        ("s3://no-such-bucket-here/x", ""),
        ("s3://no-such-bucket-here/m", "MANIFEST"),
        (&format!("s3://{bucket}/x"), ""),
    ] {
        let error = rows(&mut session, &format!("COPY t FROM '{place}' {options}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UndefinedFile, "{place}: {error}");
    }
    let error = rows(&mut session, "UNLOAD ('select 1') TO 's3://no-such-bucket-here/x'").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UndefinedFile, "{error}");
}

#[tokio::test]
async fn a_listing_or_file_that_fails_loads_nothing() {
    let (server, bucket, _folder, mut session) = world(&[]).await;
    rows(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    let place = format!("s3://{bucket}/in/");
    rows(&mut session, &format!("UNLOAD ('select 1 as a union all select 2') TO '{place}a'")).await.unwrap();
    rows(&mut session, &format!("UNLOAD ('select 3 as a') TO '{place}b'")).await.unwrap();
    for (operation, effect) in
        [(Operation::List, Effect::Denied), (Operation::Get, Effect::Denied), (Operation::Get, Effect::Truncate(1))]
    {
        let prefix = if operation == Operation::List { "in" } else { "in/b" };
        server.faults().inject(Fault { prefix: prefix.to_owned(), ..Fault::always(operation, effect) });
        rows(&mut session, &format!("COPY t FROM '{place}'")).await.unwrap_err();
        server.faults().clear();
        assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]], "{effect:?}");
    }
    rows(&mut session, &format!("COPY t FROM '{place}'")).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT sum(a) FROM t").await.unwrap(), [["6"]]);
}

/// CLEANPATH and ALLOWOVERWRITE never leave less than there was when the new files cannot be written.
#[tokio::test]
async fn an_unload_that_fails_leaves_what_was_there() {
    let (server, bucket, _folder, mut session) = world(&[]).await;
    let place = format!("s3://{bucket}/out/t_");
    let old = "UNLOAD ('select 1 as a union all select 2') TO";
    rows(&mut session, &format!("{old} '{place}' MANIFEST")).await.unwrap();
    let before = names(&server, &bucket);
    assert!(before.len() >= 2, "{before:?}");
    server.faults().inject(Fault::always(Operation::Put, Effect::Denied));
    for options in ["CLEANPATH", "PARQUET CLEANPATH", "CSV EXTENSION 'csv' ALLOWOVERWRITE MANIFEST"] {
        let error = rows(&mut session, &format!("UNLOAD ('select 5') TO '{place}' {options}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    }
    server.faults().clear();
    assert_eq!(names(&server, &bucket), before);
    let error = rows(&mut session, &format!("UNLOAD ('select 5') TO '{place}'")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DuplicateObject, "{error}");
    rows(&mut session, &format!("UNLOAD ('select 5') TO '{place}' CSV EXTENSION 'csv' CLEANPATH")).await.unwrap();
    let after = names(&server, &bucket);
    assert!(matches!(after.as_slice(), [only] if only.strip_suffix(".csv").is_some()), "{after:?}");
    let history = "SELECT status, count(*) FROM sys_unload_history GROUP BY 1 ORDER BY 1";
    assert_eq!(rows(&mut session, history).await.unwrap(), [["aborted", "4"], ["completed", "2"]]);
}

/// An upload of several parts that breaks in the middle is aborted.
#[tokio::test]
async fn an_upload_that_breaks_is_aborted() {
    let (server, bucket, _folder, mut session) = world(&[]).await;
    rows(&mut session, "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
    server.faults().inject(Fault { after: 3, ..Fault::always(Operation::Put, Effect::Denied) });
    let query = "select x.a, repeat(''x'', 20000) as b from n as x, n as y, n as z, n as w where w.a < 2";
    let unload = format!("UNLOAD ('{query}') TO 's3://{bucket}/big' PARALLEL OFF");
    let error = rows(&mut session, &unload).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{error}");
    assert!(error.to_string().contains("removed"), "{error}");
    assert_eq!(names(&server, &bucket), Vec::<String>::new());
    assert!(server.faults().count(Operation::Put) > 3, "nothing was uploaded");
    until("parts are left", || open_uploads(&server).is_empty()).await;
}

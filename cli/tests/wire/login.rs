//! Logging in: passwords in each of their forms, limits, the first start.

use crate::bad_input::{socket, startup};
use crate::described::messages;
use crate::server::{Server, one};
use md5::{Digest, Md5};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

const PASSWORD: (&str, &str) = ("MILLRACE_ADMIN_PASSWORD", "correct horse");

#[tokio::test]
async fn only_the_right_password_lets_in() {
    let server = Server::with(&[], &[PASSWORD]);
    let (client, _task) = server.client_with("user=admin dbname=dev password='correct horse'").await.unwrap();
    client.batch_execute("select 1").await.unwrap();
    for parameters in ["user=admin password=wrong", "user=nobody password='correct horse'", "user=admin password=''"] {
        let error = server.client_with(parameters).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD), "{parameters}: {error}");
    }
    let kept = std::fs::read_to_string(server.directory.path().join("users.json")).unwrap();
    assert!(!kept.contains("correct horse"));
}

/// Redshift's CREATE USER: PASSWORD DISABLE lets nobody in by password, nor does one whose time is over (VALID UNTIL).
#[tokio::test]
async fn who_has_no_password_any_more_is_not_let_in() {
    let server = Server::with(&[], &[PASSWORD]);
    let (admin, _task) = server.client_with("user=admin dbname=dev password='correct horse'").await.unwrap();
    for statement in [
        "create user gone password 'Secret123' valid until '2020-01-01'",
        "create user never password disable",
        "create user soon password 'Secret123' valid until '2999-01-01'",
    ] {
        admin.batch_execute(statement).await.unwrap();
    }
    server.client_with("user=soon dbname=dev password=Secret123").await.unwrap();
    admin.batch_execute("alter user soon password disable").await.unwrap();
    for user in ["gone", "never", "soon"] {
        for password in ["Secret123", "''", "disable"] {
            let error = server.client_with(&format!("user={user} dbname=dev password={password}")).await.unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD), "{user}: {error}");
        }
    }
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_turned_away() {
    let server = Server::with(&[], &[PASSWORD]);
    for _ in 0..10 {
        server.client_with("user=admin password=wrong").await.unwrap_err();
    }
    let error = server.client_with("user=admin password='correct horse'").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
}

#[tokio::test]
async fn connections_are_limited() {
    let server = Server::with(&["--trust", "--max-connections", "2"], &[]);
    let (_first, _second) = (server.client().await, server.client().await);
    let error = server.client_with("user=admin").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
}

/// A user whose password is kept as MD5 only is asked by MD5. PostgreSQL's form: `md5` and the digest of the password
/// with the user's name behind it.
#[tokio::test]
async fn a_password_that_is_an_md5_digest() {
    let server = Server::with(&[], &[PASSWORD]);
    let (admin, _task) = server.client_with("user=admin dbname=dev password='correct horse'").await.unwrap();
    let mut digest = String::from("md5");
    for byte in Md5::digest("batteryold") {
        write!(digest, "{byte:02x}").unwrap();
    }
    admin.batch_execute(&format!("create user old password '{digest}'")).await.unwrap();
    let (old, _task) = server.client_with("user=old dbname=dev password=battery").await.unwrap();
    assert_eq!(old.query_one("select current_user", &[]).await.unwrap().get::<_, &str>(0), "old");
    let method: String = admin
        .query_one("select distinct trim(authmethod) from stl_connection_log where username = 'old'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(method, "password");
    for wrong in ["user=old password=staple", &format!("user=old password={digest}")] {
        let error = server.client_with(wrong).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD), "{wrong}");
    }
}

#[tokio::test]
async fn the_first_start_makes_a_password_and_shows_it_once() {
    let mut first = Server::with(&[], &[("MILLRACE_ADMIN_PASSWORD", "")]);
    let directory = Arc::clone(&first.directory);
    let told = first.said.iter().find_map(|line| line.strip_prefix("millrace made the user admin with the password "));
    let password = told.and_then(|told| told.split_once(' ')).map(|(password, _)| password.to_owned()).unwrap();
    let login = format!("user=admin dbname=dev password={password}");
    first.client_with(&login).await.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        let kept = bytes.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!kept, "{} has the password", entry.path().display());
    }
    first.terminate();
    assert!(first.wait());
    let second = Server::over(directory, &[], &[("MILLRACE_ADMIN_PASSWORD", "")]);
    assert_eq!(second.said, Vec::<String>::new());
    second.client_with(&login).await.unwrap();
    second.client_with("user=admin dbname=dev password=guess").await.unwrap_err();
}

/// The first message of Redshift's Python driver.
pub(crate) fn redshift_startup() -> Vec<u8> {
    let sent = [
        ("user", "admin"),
        ("database", "dev"),
        ("application_name", "tool"),
        ("client_protocol_version", "2"),
        ("driver_version", "Redshift Python Driver 2.1.17"),
        ("os_version", "Linux"),
        ("plugin_name", "BrowserAzureOAuth2CredentialsProvider"),
        ("driver_discovery_version", "1"),
    ];
    let body: Vec<String> = sent.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    let body = body.concat();
    let length = u32::try_from(4 + 4 + body.len() + 1).unwrap().to_be_bytes();
    [&length[..], b"\0\x03\0\0", body.as_bytes(), b"\0"].concat()
}

/// It is asked for its password by message 13, and told which SHOW statements there are to find tables with. Others are not.
#[tokio::test]
async fn redshifts_drivers_are_known_by_what_they_send() {
    let server = Server::with(&[], &[PASSWORD]);
    let mut asked = socket(&server);
    asked.write_all(&redshift_startup()).unwrap();
    let mut request = [0; 9];
    asked.read_exact(&mut request).unwrap();
    assert_eq!((request[0], &request[5..]), (b'R', &13_u32.to_be_bytes()[..]));
    let server = Server::start();
    let discovery = (b'S', b"show_discovery\x004\0".to_vec());
    let version = (b'S', b"server_version\x008.0.2\0".to_vec());
    for (message, discovers) in [(redshift_startup(), true), (startup(), false)] {
        let mut socket = socket(&server);
        socket.write_all(&message).unwrap();
        let told = messages(&mut socket);
        assert!(told.contains(&version), "{told:?}");
        assert_eq!(told.contains(&discovery), discovers, "{told:?}");
    }
}

/// PostgreSQL's error for another database than there is; a schema's name is what `USE` takes.
#[tokio::test]
async fn a_database_that_does_not_exist_is_refused() {
    let server = Server::start();
    server.client().await.batch_execute("create schema sales").await.unwrap();
    let error = server.client_with("user=admin dbname=nothing").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_CATALOG_NAME));
    assert_eq!(error.as_db_error().unwrap().message(), "database \"nothing\" does not exist");
    let in_path = "user=admin dbname=sales options='-c search_path=default'";
    for (named, schema) in [
        ("user=admin", "default"),
        ("user=admin dbname=DEV", "default"),
        ("user=admin dbname=sales", "sales"),
        (in_path, "default"),
    ] {
        let (client, _task) = server.client_with(named).await.unwrap();
        assert_eq!(one(&client, "select current_schema()").await, schema, "{named}");
        assert_eq!(one(&client, "select current_database()").await, "dev", "{named}");
    }
}

#[test]
fn nobody_is_trusted_on_an_open_address() {
    let directory = tempfile::tempdir().unwrap();
    for addresses in [&["0.0.0.0:0"][..], &["[::]:0"], &["127.0.0.1:0", "0.0.0.0:0"]] {
        let listen = addresses.iter().flat_map(|address| ["--listen", address]);
        let output = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .arg("--warehouse")
            .arg(directory.path())
            .args(["serve", "--trust"])
            .args(listen)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("--trust is for loopback addresses only"), "{error}");
    }
}

/// Who says nothing, says half of it, or does not give the password that it is asked for, is let go.
#[tokio::test]
async fn a_login_takes_no_longer_than_it_may() {
    let server = Server::with(&["--login-timeout", "1"], &[PASSWORD]);
    let (client, _task) = server.client_with("user=admin dbname=dev password='correct horse'").await.unwrap();
    let begun = Instant::now();
    let half = startup();
    let mut sockets = [&b""[..], &half[..7], &half].map(|said| {
        let mut socket = socket(&server);
        socket.write_all(said).unwrap();
        socket
    });
    for socket in &mut sockets {
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        assert!(!answer.contains(&b'Z'));
    }
    let took = begun.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(15)).contains(&took), "{took:?}");
    // The limit is the login's alone.
    client.batch_execute("select 1").await.unwrap();
}

#[tokio::test]
async fn a_user_has_as_many_connections_as_it_may() {
    let server = Server::start();
    let admin = server.client().await;
    admin.batch_execute("create user few password 'Secret123' connection limit 1").await.unwrap();
    let (first, task) = server.client_with("user=few dbname=dev").await.unwrap();
    let error = server.client_with("user=few dbname=dev").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
    // Others, and the superuser, are not counted.
    server.client().await;
    drop(first);
    task.await.unwrap();
    for _ in 0..1000 {
        if server.client_with("user=few dbname=dev").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place of a client that left is not free");
}

/// Redshift's ALTER USER: a SESSION TIMEOUT is that of sessions that begin after it. PostgreSQL: 57P05 ends an idle session.
#[tokio::test]
async fn a_session_is_idle_no_longer_than_it_may_be() {
    let server = Server::start();
    let admin = server.client().await;
    admin.batch_execute("create user ann password disable session timeout 1200").await.unwrap();
    let text = format!("host=127.0.0.1 port={} user=ann dbname=dev", server.port);
    let (first, connection) = tokio_postgres::connect(&text, NoTls).await.unwrap();
    let ended = tokio::spawn(connection);
    let limit = "select timeout_sec from stv_sessions where process = pg_backend_pid()";
    assert_eq!(one(&first, limit).await, "1200");
    admin.batch_execute("alter user ann session timeout 60").await.unwrap();
    assert_eq!(one(&first, limit).await, "1200");
    let (later, _task) = server.client_with("user=ann dbname=dev").await.unwrap();
    assert_eq!(one(&later, limit).await, "60");
    let pid = one(&first, "select pg_backend_pid()").await;
    // The shorter of two limits counts.
    first.batch_execute("set idle_session_timeout to 100").await.unwrap();
    let error = ended.await.unwrap().unwrap_err();
    assert_eq!(error.code().map(SqlState::code), Some("57P05"));
    assert_eq!(one(&later, "select 1").await, "1");
    // Redshift's STL_SESSIONS: 1 is a connection that timed out. The server tells of its end when the client has gone.
    let told =
        format!("select count(*) from stl_sessions where process = {pid} and timed_out = 1 and timeout_sec = 1200");
    for _ in 0..1000 {
        if one(&admin, &told).await == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let history = format!("select status || ' ' || session_timeout from sys_session_history where session_id = {pid}");
    assert_eq!(one(&admin, &history).await, "timed out 1200");
}

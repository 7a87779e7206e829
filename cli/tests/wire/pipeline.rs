//! Groups of messages between two Syncs: one transaction, as in PostgreSQL; portals; what sessions do to each other.

use crate::bad_input::{logged_in, message, until_ready};
use crate::server::Server;
use std::io::Write;
use tokio_postgres::error::SqlState;

/// Parse, Bind and Execute of an unnamed statement.
fn run(text: &str) -> Vec<u8> {
    let parse = message(b'P', &[&b"\0"[..], text.as_bytes(), &b"\0\0\0"[..]].concat());
    [parse, message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat()
}

#[tokio::test]
async fn a_group_is_done_together_or_not_at_all() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let mut socket = logged_in(&server);
    let sync = message(b'S', b"");
    let ask = |messages: &[Vec<u8>], socket: &mut std::net::TcpStream| {
        socket.write_all(&messages.concat()).unwrap();
        until_ready(socket)
    };
    let count = || async { client.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0) };
    let (one, wrong, two) = (run("insert into t values (1)"), run("select 1/0"), run("insert into t values (2)"));
    // The second statement takes the first with it, and the third is skipped.
    assert_eq!(ask(&[one.clone(), wrong, two.clone(), sync.clone()], &mut socket), b"12C12EZ");
    assert_eq!(count().await, 0);
    assert_eq!(ask(&[one.clone(), two.clone(), sync.clone()], &mut socket), b"12C12CZ");
    assert_eq!(count().await, 2);
    // BEGIN in a group keeps what came before it, and Sync leaves the block open.
    assert_eq!(ask(&[one.clone(), run("begin"), two.clone(), sync.clone()], &mut socket), b"12C12C12CZ");
    assert_eq!(count().await, 2);
    assert_eq!(ask(&[run("rollback"), sync.clone()], &mut socket), b"12CZ");
    assert_eq!(count().await, 2);
    // A statement that cannot be taken back ends what was begun before it.
    assert_eq!(ask(&[one.clone(), run("vacuum t"), run("select 1/0"), sync.clone()], &mut socket).last(), Some(&b'Z'));
    assert_eq!(count().await, 3);
    // A text in the middle of a group belongs to it and ends it.
    assert_eq!(ask(&[one, message(b'Q', b"insert into t values (3)\0")], &mut socket), b"12CCZ");
    assert_eq!(count().await, 5);
    assert_eq!(ask(&[sync], &mut socket), b"Z");
}

#[tokio::test]
async fn portals_live_as_long_as_their_group_or_block() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    let sync = message(b'S', b"");
    let parse = message(b'P', b"s\0select x from (values (1),(2),(3)) v(x) order by x\0\0\0");
    let bind = message(b'B', b"p\0s\0\0\0\0\0\0\0");
    let two = message(b'E', b"p\0\0\0\0\x02");
    let all = message(b'E', b"p\0\0\0\0\0");
    let mut ask = |messages: &[&Vec<u8>]| {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| message.iter().copied()).collect();
        socket.write_all(&bytes).unwrap();
        until_ready(&mut socket)
    };
    // Suspended twice within its group, then gone with it.
    assert_eq!(ask(&[&parse, &bind, &two, &two, &sync]), b"12DDsDCZ");
    assert_eq!(ask(&[&all, &sync]), b"EZ");
    // In a block it goes on after Sync, and ends with the block.
    assert_eq!(ask(&[&message(b'Q', b"begin\0")]), b"CZ");
    assert_eq!(ask(&[&bind, &two, &sync]), b"2DDsZ");
    assert_eq!(ask(&[&all, &sync]), b"DCZ");
    assert_eq!(ask(&[&all, &sync]), b"CZ");
    assert_eq!(ask(&[&message(b'Q', b"commit\0")]), b"CZ");
    assert_eq!(ask(&[&message(b'C', b"Pp\0"), &all, &sync]), b"3EZ");
}

#[tokio::test]
async fn sessions_are_cancelled_and_ended_by_others() {
    let server = Server::start();
    let (client, other) = (server.client().await, server.client().await);
    let pid: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let listed: i64 =
        client.query_one("select count(*) from pg_stat_activity where procpid = $1", &[&pid]).await.unwrap().get(0);
    assert_eq!(listed, 1);
    let endless = "with recursive n(x) as (select 1::bigint union all select x + 1 from n where x < 100000000) \
                   select count(*) from n";
    // Until it runs there is nothing to cancel.
    let runs = || async {
        let query = format!("select count(*) from stv_recents where pid = {pid} and status = 'Running'");
        while client.query_one(&query, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let cancel = async {
        runs().await;
        client.query_one(&format!("select pg_cancel_backend({pid})"), &[]).await.unwrap().get::<_, i32>(0)
    };
    let (ended, cancelled) = tokio::join!(other.simple_query(endless), cancel);
    assert_eq!(cancelled, 1);
    assert_eq!(ended.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    let cancel = async {
        runs().await;
        client.batch_execute(&format!("cancel {pid} 'Long-running query'")).await.unwrap();
    };
    let (ended, ()) = tokio::join!(other.simple_query(endless), cancel);
    let ended = ended.unwrap_err();
    assert_eq!(ended.as_db_error().map(tokio_postgres::error::DbError::message), Some("Long-running query"));
    assert_eq!(ended.code(), Some(&SqlState::QUERY_CANCELED));
    other.batch_execute("select 1").await.unwrap();
    let gone: i32 = client.query_one(&format!("select pg_terminate_backend({pid})"), &[]).await.unwrap().get(0);
    assert_eq!(gone, 1);
    let error = other.simple_query("select 1").await.unwrap_err();
    assert!(error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN), "{error}");
    let nobody: i32 = client.query_one("select pg_terminate_backend(1)", &[]).await.unwrap().get(0);
    assert_eq!(nobody, 0);
}

#[tokio::test]
async fn connections_are_logged() {
    let server = Server::with(&[], &[("MILLRACE_ADMIN_PASSWORD", "correct horse")]);
    let connect = |password: &str| format!("user=admin dbname=dev application_name=logged password='{password}'");
    server.client_with(&connect("wrong")).await.unwrap_err();
    let (first, task) = server.client_with(&connect("correct horse")).await.unwrap();
    let pid: i32 = first.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    drop(first);
    task.await.unwrap();
    let (client, _task) = server.client_with(&connect("correct horse")).await.unwrap();
    let events = |filter: String| {
        let query = format!(
            "select trim(event) from stl_connection_log where {filter} and username = 'admin' \
             and application_name = 'logged' and dbname = 'dev' and authmethod = 'password' order by recordtime"
        );
        let client = &client;
        async move {
            let rows = client.query(&query, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
        }
    };
    assert_eq!(events("pid = 0".to_owned()).await, ["authentication failure"]);
    let mut seen = Vec::new();
    // The server notices the end after the client.
    for _ in 0..1000 {
        seen = events(format!("pid = {pid}")).await;
        if seen.len() == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // v_connection_summary of amazon-redshift-utils looks for the third.
    assert_eq!(seen, ["authenticated", "initiating session", "set application_name", "disconnecting session"]);
    // Redshift's other tables of the same: events, sessions that have ended, and those that are open.
    let one = |query: String| {
        let client = &client;
        async move { client.query_one(&query, &[]).await.unwrap().get::<_, String>(0) }
    };
    let events = format!("select count(*)::varchar from sys_connection_log where session_id = {pid}");
    assert_eq!(one(events).await, "4");
    // 2: its client ended it.
    let ended = format!(
        "select user_name || timed_out || timeout_sec from stl_sessions where process = {pid} and endtime >= starttime"
    );
    assert_eq!(one(ended).await, "admin20");
    let status = |of: &str| format!("select status from sys_session_history where session_id = {of}");
    assert_eq!(one(status(&pid.to_string())).await, "closed");
    assert_eq!(one(status("pg_backend_pid()")).await, "active");
    // Who gives itself another name is seen under it.
    client.batch_execute("set application_name to 'renamed'").await.unwrap();
    let named = "select application_name from pg_stat_activity where procpid = pg_backend_pid()";
    assert_eq!(one(named.to_owned()).await, "renamed");
    let noted = "select event from stl_connection_log where application_name = 'renamed'";
    assert_eq!(one(noted.to_owned()).await, "set application_name");
}

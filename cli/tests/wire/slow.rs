//! Clients that do not read: what ends a statement ends theirs, and what they are sent stays in order.

use crate::bad_input::{SOON, logged_in, message, until, until_ready};
use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio_postgres::Client;

/// Far more rows than any buffer holds.
const ROWS: &str =
    "select a.x, repeat('x', 1000) from generate_series(1, 100000) a(x), generate_series(1, 100000) b(y)";

/// Another session whose statement waits for its client to read.
async fn stuck(server: &Server, client: &Client, text: &str, begin: &str) -> TcpStream {
    let mut socket = logged_in(server);
    socket.write_all(&message(b'Q', &[text.as_bytes(), b"\0"].concat())).unwrap();
    until(client, begin, |running, sessions| running == 1 && sessions == 1).await;
    // Until all buffers in between are full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    socket
}

/// What is left to read up to the end of the statement: how it ended, and that the session goes on.
fn goes_on(socket: &mut TcpStream) {
    let kinds = until_ready(socket);
    assert_eq!(kinds[kinds.len() - 2..], *b"EZ");
    socket.write_all(&message(b'Q', b"select 1\0")).unwrap();
    assert_eq!(until_ready(socket), b"TDCZ");
}

#[tokio::test]
async fn a_statement_of_a_client_that_does_not_read_is_cancelled() {
    let server = Server::start();
    let client = server.client().await;
    let copy = format!("copy ({ROWS}) to stdout");
    for (text, begin) in [(ROWS, "select a.x"), (&copy, "copy (select a.x")] {
        let mut socket = stuck(&server, &client, text, begin).await;
        client
            .batch_execute("select pg_cancel_backend(procpid) from pg_stat_activity where procpid <> pg_backend_pid()")
            .await
            .unwrap();
        let took = until(&client, begin, |running, sessions| running == 0 && sessions == 1).await;
        assert!(took < SOON, "{took:?}");
        goes_on(&mut socket);
        drop(socket);
        until(&client, begin, |_, sessions| sessions == 0).await;
    }
}

#[tokio::test]
async fn a_statement_of_a_client_that_does_not_read_times_out() {
    let server = Server::start();
    let client = server.client().await;
    let copy = format!("copy ({ROWS}) to stdout");
    for (text, begin) in [(ROWS, "select a.x"), (&copy, "copy (select a.x")] {
        let mut socket = logged_in(&server);
        socket.write_all(&message(b'Q', b"set statement_timeout to 1500\0")).unwrap();
        until_ready(&mut socket);
        socket.write_all(&message(b'Q', &[text.as_bytes(), b"\0"].concat())).unwrap();
        until(&client, begin, |running, _| running == 1).await;
        let took = until(&client, begin, |running, sessions| running == 0 && sessions == 1).await;
        assert!(took < SOON + Duration::from_millis(1500), "{took:?}");
        goes_on(&mut socket);
        drop(socket);
        until(&client, begin, |_, sessions| sessions == 0).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_terminated() {
    let server = Server::start();
    let client = server.client().await;
    // What it holds goes with it: the block's row and lock.
    client.batch_execute("create table held (a int)").await.unwrap();
    let text = format!("begin; insert into held values (1); {ROWS}");
    let mut socket = stuck(&server, &client, &text, "select a.x").await;
    client
        .batch_execute("select pg_terminate_backend(procpid) from pg_stat_activity where procpid <> pg_backend_pid()")
        .await
        .unwrap();
    let took = until(&client, "select a.x", |running, sessions| running == 0 && sessions == 0).await;
    assert!(took < SOON, "{took:?}");
    client.batch_execute("insert into held values (2)").await.unwrap();
    // What was on its way may be read; then comes the end.
    let mut rest = Vec::new();
    drop(socket.read_to_end(&mut rest));
}

#[tokio::test]
async fn a_server_stops_before_a_client_that_does_not_read() {
    let mut server = Server::with(&["--trust", "--drain-timeout", "1"], &[]);
    let client = server.client().await;
    let socket = stuck(&server, &client, ROWS, "select a.x").await;
    // One whose statement has ended, but not its reading.
    let cancelled = "select pg_cancel_backend(procpid) from pg_stat_activity where procpid <> pg_backend_pid()";
    client.batch_execute(cancelled).await.unwrap();
    let busy = stuck_beside(&server, &client).await;
    server.terminate();
    assert!(server.wait());
    drop((socket, busy));
}

/// The same as [`stuck`] beside another session.
async fn stuck_beside(server: &Server, client: &Client) -> TcpStream {
    let mut socket = logged_in(server);
    socket.write_all(&message(b'Q', &[ROWS.as_bytes(), b"\0"].concat())).unwrap();
    until(client, "select a.x", |running, sessions| running == 1 && sessions == 2).await;
    socket
}

/// The system asks now and then whether the other side of a quiet connection is still there: the second column of
/// timers in `/proc/net/tcp` is 2 for keepalive.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn quiet_connections_are_kept_alive() {
    let server = Server::start();
    let _socket = logged_in(&server);
    let local = format!("0100007F:{:04X}", server.port);
    let established = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next() == Some(&local) && columns.nth(1) == Some("01")
    };
    for _ in 0..100 {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let timer = table.lines().find(established).and_then(|line| line.split_whitespace().nth(5));
        if timer.unwrap().starts_with("02:") {
            return;
        }
        // Another timer runs until the last bytes are acknowledged.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no connection has a keepalive timer");
}

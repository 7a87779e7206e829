//! What badly behaved clients do: nothing of it is seen by others.

use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How long a statement may go on when its client is gone or wants it to end; programs that are not optimized, of
/// which many run at a time, are slow to notice.
pub(crate) const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// The first message of a client that is let in.
const STARTUP: &[u8] = b"\0\0\0\x14\0\x03\0\0user\0admin\0\0\0";

pub(crate) fn socket(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

pub(crate) fn startup() -> Vec<u8> {
    let mut message = STARTUP.to_vec();
    message.pop();
    let length = u32::try_from(message.len()).unwrap();
    message[..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// A socket after the login, up to ReadyForQuery.
pub(crate) fn logged_in(server: &Server) -> TcpStream {
    let mut socket = socket(server);
    socket.write_all(&startup()).unwrap();
    until_ready(&mut socket);
    socket
}

/// The next message: its type and what is in it.
pub(crate) fn received(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    socket.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; length as usize - 4];
    socket.read_exact(&mut body).unwrap();
    (head[0], body)
}

/// The types of the messages up to ReadyForQuery.
pub(crate) fn until_ready(socket: &mut TcpStream) -> Vec<u8> {
    let mut kinds = Vec::new();
    loop {
        let (kind, _) = received(socket);
        kinds.push(kind);
        if kind == b'Z' {
            return kinds;
        }
    }
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let server = Server::start();
    let client = server.client().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xFF; 64],
        &[0, 0, 0, 4],
        &[0, 0, 0, 9, 0, 3, 0, 0, 1],
        // A byte more than a startup message may have, and names that are no text.
        &[0, 0, 39, 17, 0, 3, 0, 0],
        b"\0\0\0\x10\0\x03\0\0user\0\xff\0\0",
        b"\x16\x03\x01\0\xff",
    ] {
        let mut socket = socket(&server);
        socket.write_all(bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        drop(socket.read_to_end(&mut answer));
    }
    for bytes in [&[0u8; 5][..], b"Q\x7f\xff\xff\xff", b"Q\0\0\0\x01", b"?\0\0\0\x04"] {
        let mut socket = logged_in(&server);
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        drop(socket.read_to_end(&mut answer));
        assert_eq!(answer.first(), Some(&b'E'), "{bytes:?}");
    }
    client.batch_execute("select 1").await.unwrap();
}

#[tokio::test]
async fn after_an_error_everything_is_skipped_until_sync() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    let parse = message(b'P', b"\0selec\0\0\0");
    let good = message(b'P', b"\0select 1\0\0\0");
    let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
    let execute = message(b'E', b"\0\0\0\0\0");
    let sync = message(b'S', b"");
    socket.write_all(&[&parse[..], &bind, &execute, &good, &sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"EZ");
    socket.write_all(&[&good[..], &bind, &execute, &sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"12DCZ");
    // A body that is no message of its type is an error of that message.
    socket.write_all(&[&message(b'B', b"\0")[..], &sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"EZ");
    socket.write_all(&message(b'Q', b"select '\xff'\0")).unwrap();
    assert_eq!(until_ready(&mut socket), b"EZ");
    // The same in what is prepared and in a value.
    socket.write_all(&[&message(b'P', b"\0select '\xff'\0\0\0")[..], &sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"EZ");
    let parse = message(b'P', b"\0select $1\0\0\0");
    let value = message(b'B', b"\0\0\0\0\0\x01\0\0\0\x01\xff\0\0");
    socket.write_all(&[&parse[..], &value, &execute, &sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"1EZ");
}

/// What comes before its time is an error of its own, and nothing else: a Bind without its Parse, an Execute without its
/// Bind, data that nobody copies.
#[tokio::test]
async fn messages_out_of_order_are_errors_of_their_own() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    let sync = message(b'S', b"");
    let before_its_time = [
        message(b'B', b"\0nobody\0\0\0\0\0\0\0"),
        message(b'E', b"nobody\0\0\0\0\0"),
        message(b'D', b"Snobody\0"),
        message(b'D', b"Pnobody\0"),
    ];
    for early in before_its_time {
        socket.write_all(&[early, sync.clone()].concat()).unwrap();
        assert_eq!(until_ready(&mut socket), b"EZ");
    }
    // What is not there is closed already; late data of a copy is passed over.
    let late = [message(b'C', b"Snobody\0"), message(b'd', b"1\n"), message(b'c', b""), message(b'f', b"no\0")];
    socket.write_all(&[late.concat(), sync].concat()).unwrap();
    assert_eq!(until_ready(&mut socket), b"3Z");
    socket.write_all(&message(b'Q', b"select 1\0")).unwrap();
    assert_eq!(until_ready(&mut socket), b"TDCZ");
}

#[tokio::test]
async fn half_messages_and_idle_connections_disturb_nobody() {
    let server = Server::start();
    let client = server.client().await;
    let mut held = Vec::new();
    for count in 0..60 {
        let mut socket = if count % 2 == 0 { logged_in(&server) } else { socket(&server) };
        socket.write_all(b"Q\0\0\0\x20sel").unwrap();
        held.push(socket);
    }
    client.batch_execute("select 1").await.unwrap();
}

#[tokio::test]
async fn a_client_that_vanishes_stops_its_query() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let mut socket = logged_in(&server);
    // Its row is seen by nobody and goes with its transaction.
    let endless = b"begin; insert into t values (1); with recursive n(x) as (select 1::bigint union all select x + 1 \
                    from n where x < 100000000) select count(*) from n\0";
    socket.write_all(&message(b'Q', endless)).unwrap();
    until(&client, "with recursive", |running, sessions| running == 1 && sessions == 1).await;
    drop(socket);
    let took = until(&client, "with recursive", |running, sessions| running == 0 && sessions == 0).await;
    assert!(took < SOON, "{took:?}");
    client.batch_execute("insert into t values (2)").await.unwrap();
    assert_eq!(client.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_client_that_vanishes_amid_its_result_stops_its_query() {
    let server = Server::start();
    let client = server.client().await;
    let rows = "select a.x, repeat('x', 1000) from generate_series(1, 100000) a(x), generate_series(1, 100000) b(y)";
    let parse = message(b'P', &[&b"\0"[..], rows.as_bytes(), &b"\0\0\0"[..]].concat());
    let (bind, execute) = (message(b'B', b"\0\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0"));
    // The server waits for room to write when the client goes; it has read nothing, or something, or all but said nothing.
    for (text, read) in [
        (message(b'Q', &[rows.as_bytes(), b"\0"].concat()), 1 << 20),
        (message(b'Q', &[rows.as_bytes(), b"\0"].concat()), 0),
        ([&parse[..], &bind, &execute, &message(b'S', b"")].concat(), 1 << 20),
    ] {
        let mut socket = logged_in(&server);
        socket.write_all(&text).unwrap();
        let mut some = vec![0; read];
        socket.read_exact(&mut some).unwrap();
        until(&client, "select a.x", |running, sessions| running == 1 && sessions == 1).await;
        drop(socket);
        let took = until(&client, "select a.x", |running, sessions| running == 0 && sessions == 0).await;
        assert!(took < SOON, "{took:?}");
    }
}

/// Waits until so many statements that begin with a text run, of so many other sessions; says how long that took.
pub(crate) async fn until(client: &Client, begin: &str, holds: impl Fn(i64, i64) -> bool) -> Duration {
    let begun = Instant::now();
    let running = format!("select count(*) from stv_inflight where text like '{begin}%'");
    let sessions = "select count(*) from pg_stat_activity where procpid <> pg_backend_pid()";
    while begun.elapsed() < Duration::from_secs(30) {
        let running = client.query_one(&running, &[]).await.unwrap().get(0);
        let sessions = client.query_one(sessions, &[]).await.unwrap().get(0);
        if holds(running, sessions) {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("still not after {:?}", begun.elapsed());
}

#[tokio::test]
async fn large_statements_and_many_parameters() {
    let server = Server::start();
    let client = server.client().await;
    let text = format!("select length('{}')", "x".repeat(1 << 20));
    client.simple_query(&text).await.unwrap();
    let too_large = format!("select '{}'", "x".repeat(17 << 20));
    let error = client.simple_query(&too_large).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "54000");
    client.batch_execute("select 1").await.unwrap();
}

//! The server stops in order: idle clients are told, running statements end, the process ends well.

use crate::bad_input::{logged_in, message, until_ready};
use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A statement that runs for a while and ends by itself.
const LONG: &[u8] = b"with recursive n(x) as (select 1::bigint union all select x + 1 from n where x < 300) \
                      select count(*) from n\0";

/// The SQLSTATE of the error that comes before the end.
fn last_words(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    drop(socket.read_to_end(&mut answer));
    let text = String::from_utf8_lossy(&answer);
    let at = text.find("C57P01").map(|at| text[at + 1..at + 6].to_owned());
    at.unwrap_or_else(|| text.into_owned())
}

#[tokio::test]
async fn running_statements_end_and_idle_clients_are_told() {
    let mut server = Server::start();
    let client = server.client().await;
    let (mut idle, mut busy) = (logged_in(&server), logged_in(&server));
    busy.write_all(&message(b'Q', LONG)).unwrap();
    // When it is seen, or has ended already, it is the server's to finish.
    let seen = "select count(*) from (select text from stl_utilitytext union all select querytxt from stl_query \
                union all select query from stv_recents) s(t) where t like 'with recursive%'";
    while client.query_one(seen, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    server.terminate();
    assert_eq!(last_words(&mut idle), "57P01");
    assert_eq!(until_ready(&mut busy), b"TDCZ");
    assert_eq!(last_words(&mut busy), "57P01");
    assert!(server.wait());
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
}

#[tokio::test]
async fn a_client_that_vanishes_is_gone_from_the_list() {
    let server = Server::start();
    let client = server.client().await;
    let mut socket = logged_in(&server);
    socket
        .write_all(&message(
            b'Q',
            b"select a.x from generate_series(1, 100000) a(x), generate_series(1, 100000) b(y)\0",
        ))
        .unwrap();
    let mut first = [0; 1024];
    socket.read_exact(&mut first).unwrap();
    drop(socket);
    let others = "select count(*) from pg_stat_activity where procpid <> pg_backend_pid()";
    for _ in 0..1000 {
        if client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the session of a client that left goes on");
}

//! Many clients, slow clients, large statements: nobody else notices.

use crate::bad_input::{logged_in, message, socket, startup, until_ready};
use crate::server::Server;
use std::io::{Read, Write};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

#[tokio::test]
async fn a_thousand_idle_connections() {
    let server = Server::with(&["--trust", "--max-connections", "1001"], &[]);
    let client = server.client().await;
    let mut idle: Vec<_> = (0..1000)
        .map(|_| {
            let mut socket = socket(&server);
            socket.write_all(&startup()).unwrap();
            // Not all log in at a time.
            until_ready(&mut socket);
            socket
        })
        .collect();
    let error = server.client_with("user=admin").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
    client.batch_execute("select 1").await.unwrap();
    for socket in idle.iter_mut().step_by(97) {
        socket.write_all(&message(b'Q', b"select 1\0")).unwrap();
        assert_eq!(until_ready(socket), b"TDCZ");
    }
}

/// What 500 clients take that have asked for something: less than 300 MB, the program's own memory included.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn five_hundred_connections_are_small() {
    let server = Server::start();
    let connections: Vec<_> = (0..500)
        .map(|_| {
            let mut socket = logged_in(&server);
            socket.write_all(&message(b'Q', b"select 1\0")).unwrap();
            assert_eq!(until_ready(&mut socket), b"TDCZ");
            socket
        })
        .collect();
    let most_kb = server.most_memory_kb();
    assert!(most_kb < 300 << 10, "{most_kb} kB");
    drop(connections);
}

#[tokio::test]
async fn a_flood_of_half_open_logins_leaves_those_who_are_in() {
    let server = Server::start();
    let client = server.client().await;
    let flood: Vec<_> = (0..300).map(|_| socket(&server)).collect();
    client.batch_execute("select 1").await.unwrap();
    drop(flood);
    // Room again when they are gone.
    for _ in 0..1000 {
        if let Ok((late, _task)) = server.client_with("user=admin").await {
            late.batch_execute("select 1").await.unwrap();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nobody comes in any more");
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up() {
    let server = Server::start();
    let client = server.client().await;
    let mut slow = logged_in(&server);
    // Far more than any buffer holds.
    let many = b"select a.x, repeat('x', 100) from generate_series(1, 3000) a(x), generate_series(1, 3000) b(y)\0";
    slow.write_all(&message(b'Q', many)).unwrap();
    let mut first = [0; 1024];
    slow.read_exact(&mut first).unwrap();
    for _ in 0..20 {
        client.batch_execute("select 1").await.unwrap();
    }
}

/// Of a billion rows as many are computed as are read, and none are kept: 128 MB of them take less than 64 MB.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_billion_rows_are_not_held() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    let rows = |many: u32| {
        let text = format!(
            "select a.x, b.y, 'some text' from generate_series(1, {many}) a(x), generate_series(1, 10000) b(y)"
        );
        message(b'Q', &[text.as_bytes(), b"\0"].concat())
    };
    socket.write_all(&rows(10)).unwrap();
    until_ready(&mut socket);
    let before_kb = server.most_memory_kb();
    socket.write_all(&rows(100_000)).unwrap();
    let mut some = vec![0; 1 << 20];
    for _ in 0..128 {
        socket.read_exact(&mut some).unwrap();
    }
    let more_kb = server.most_memory_kb() - before_kb;
    assert!(more_kb < 64 << 10, "{more_kb} kB");
}

#[tokio::test]
async fn as_many_parameters_as_the_protocol_counts() {
    let server = Server::start();
    let client = server.client().await;
    // All but the first and the last are of no type in particular.
    let most = usize::from(u16::MAX);
    let mut parameters = vec![&"x" as &(dyn ToSql + Sync); most];
    parameters[0] = &2i32;
    parameters[most - 1] = &44i32;
    let query = "select $65535::int - $1::int";
    assert_eq!(client.query_one(query, &parameters).await.unwrap().get::<_, i32>(0), 42);
    // As many NULLs, which are values of no size.
    let nothing: Option<&str> = None;
    let mut parameters = vec![&nothing as &(dyn ToSql + Sync); most];
    parameters[most - 1] = &44i32;
    assert_eq!(client.query_one("select $65535::int", &parameters).await.unwrap().get::<_, i32>(0), 44);
    client.batch_execute("create table nulls (a int, b varchar(9))").await.unwrap();
    let number: Option<i32> = None;
    let rows = 4_000;
    let values: Vec<String> = (0..rows).map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2)).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> =
        (0..rows).flat_map(|_| [&number as &(dyn ToSql + Sync), &nothing]).collect();
    let insert = format!("insert into nulls values {}", values.join(", "));
    assert_eq!(client.execute(&insert, &parameters).await.unwrap(), rows);
    let error = client.query("select $65536::int", &[]).await.unwrap_err();
    assert_eq!(error.code().map(SqlState::code), Some("42P02"));
}

#[tokio::test]
async fn a_statement_of_16_megabytes() {
    let server = Server::start();
    let client = server.client().await;
    let text = |length: usize| format!("select length('{}')", "x".repeat(length));
    let whole = (16 << 20) - text(0).len();
    let rows = client.simple_query(&text(whole)).await.unwrap();
    let found = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    assert_eq!(found, Some(whole.to_string()));
    let error = client.simple_query(&text(whole + 1)).await.unwrap_err();
    assert_eq!(error.code().map(SqlState::code), Some("54000"));
}

#[tokio::test]
async fn settings_are_values_and_nothing_else() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let evil = "x'; drop table t; --";
    let quoted = evil.replace('\'', "''");
    for statement in [
        format!("set application_name = '{quoted}'"),
        format!("set query_group to '{quoted}'"),
        format!("set search_path to '{quoted}'"),
    ] {
        client.batch_execute(&statement).await.unwrap();
    }
    client.batch_execute("reset search_path").await.unwrap();
    let shown: String = client.query_one("show application_name", &[]).await.unwrap().get(0);
    assert_eq!(shown, evil);
    client.query("select * from t where a = $1::int", &[&1i32]).await.unwrap();
    let logged: i64 =
        client.query_one("select count(*) from stl_query where label = $1", &[&evil]).await.unwrap().get(0);
    assert!(logged > 0);
    for options in ["user=admin options='-c search_path=x;drop'", "user=admin application_name='a;b''"] {
        if let Ok((client, _task)) = server.client_with(options).await {
            client.batch_execute("select 1").await.unwrap();
        }
    }
    client.batch_execute("select * from t").await.unwrap();
}

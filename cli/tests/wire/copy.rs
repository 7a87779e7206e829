//! COPY FROM STDIN and TO STDOUT. Texts, errors and their codes: PostgreSQL's documentation and PostgreSQL 17.

use crate::server::Server;
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use std::fmt::Write;
use std::time::Duration;
use tokio_postgres::Client;

/// Copies these pieces in; how many rows there were.
async fn copy_in(client: &Client, statement: &str, pieces: &[&[u8]]) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in(statement).await?;
    let mut sink = Box::pin(sink);
    for piece in pieces {
        sink.send(Bytes::copy_from_slice(piece)).await?;
    }
    sink.as_mut().finish().await
}

/// The messages of COPY TO STDOUT.
async fn copy_out(client: &Client, statement: &str) -> Result<Vec<Bytes>, tokio_postgres::Error> {
    client.copy_out(statement).await?.try_collect().await
}

async fn copy_text(client: &Client, statement: &str) -> String {
    let messages = copy_out(client, statement).await.unwrap();
    String::from_utf8(messages.concat()).unwrap()
}

#[tokio::test]
async fn lines_go_in_and_come_out_as_they_were() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int, b varchar(20), c decimal(6,2), d timestamp)").await.unwrap();
    let lines = "1\ttab\\tand \\\\\t1.50\t2024-02-29 12:00:00.5\n2\t\t-0.01\t\\N\n3\t\\N\t\\N\t\\N\n";
    // A message ends anywhere, in the middle of an escape too.
    for at in [0, 5, 6, lines.len()] {
        let (head, tail) = lines.as_bytes().split_at(at);
        assert_eq!(copy_in(&client, "copy t from stdin", &[head, tail]).await.unwrap(), 3);
        assert_eq!(copy_text(&client, "copy (select * from t order by a) to stdout").await, lines);
        client.batch_execute("truncate t").await.unwrap();
    }
    let csv = "a,b\n1,\"x,\"\"y\"\"\"\n2,\n3,\"\"\n";
    let statement = "copy t (a, b) from stdin with (format csv, header match)";
    assert_eq!(copy_in(&client, statement, &[csv.as_bytes()]).await.unwrap(), 3);
    let out = "copy (select a, b from t order by a) to stdout with csv header";
    assert_eq!(copy_text(&client, out).await, csv);
    let out = "copy (select a, b from t order by a) to stdout (format csv, force_quote *, null '-', delimiter ';')";
    assert_eq!(copy_text(&client, out).await, "\"1\";\"x,\"\"y\"\"\"\n\"2\";-\n\"3\";\"\"\n");
    let messages = copy_out(&client, "copy t (b) to stdout").await.unwrap();
    assert_eq!(messages.len(), 3);
    client.batch_execute("truncate t").await.unwrap();
    let ended = copy_in(&client, "copy t (a) from stdin", &[b"7\n\\.\nnot a number\n"]).await.unwrap();
    assert_eq!((ended, copy_text(&client, "copy t (a) to stdout").await.as_str()), (1, "7\n"));
    assert_eq!(copy_text(&client, "copy (select 1 where false) to stdout csv").await, "");
}

#[tokio::test]
async fn binary_rows_go_in_and_come_out_as_they_were() {
    let server = Server::start();
    let client = server.client().await;
    let columns = "a smallint, b int, c bigint, d decimal(38,10), e real, f float8, g boolean, h varchar(50), i date, \
                   j time, k timestamp, l timestamptz, m varbyte(10), n char(3)";
    client.batch_execute(&format!("create table t ({columns}); create table u ({columns})")).await.unwrap();
    let rows = "-32768\t-2147483648\t-9223372036854775808\t-9999999999999999999999999999.9999999999\t-1.5\t1e-300\tt\t\
                tab\\tline\\nslash\\\\ 😀\t0001-01-01\t23:59:59.999999\t9999-12-31 23:59:59.999999\t\
                1970-01-01 00:00:00+00\t\\\\x00ff\tab \n\
                \\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n";
    assert_eq!(copy_in(&client, "copy t from stdin", &[rows.as_bytes()]).await.unwrap(), 2);
    let binary = copy_out(&client, "copy t to stdout binary").await.unwrap().concat();
    assert!(binary.starts_with(b"PGCOPY\n\xff\r\n\0"));
    let pieces: Vec<&[u8]> = binary.chunks(13).collect();
    assert_eq!(copy_in(&client, "copy u from stdin (format binary)", &pieces).await.unwrap(), 2);
    let text = |table: &str| format!("copy (select * from {table} order by b) to stdout");
    assert_eq!(copy_text(&client, &text("u")).await, copy_text(&client, &text("t")).await);
    let nothing = copy_out(&client, "copy (select 1 where false) to stdout (format binary)").await.unwrap();
    assert_eq!(nothing.concat(), b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff");
}

#[tokio::test]
async fn a_bad_line_loads_nothing_and_the_connection_goes_on() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int not null, b varchar(3), c date)").await.unwrap();
    let cases: [(&str, &[u8], &str, &str); 14] = [
        ("", b"x\ty\t\\N\n", "22P02", "invalid input syntax for type integer: \"x\""),
        ("", b"\t\\N\t\\N\n", "22P02", "invalid input syntax for type integer: \"\""),
        ("", b"99999999999\ty\t\\N\n", "22003", "value \"99999999999\" is out of range for type integer"),
        ("", b"1\tabcd\t\\N\n", "22001", "value too long for type character varying(3)"),
        ("", b"1\ta\t2024-02-30\n", "22007", "invalid input syntax for type date: \"2024-02-30\""),
        ("", b"\\N\ta\t\\N\n", "23502", "null value in column \"a\" of relation \"t\" violates not-null constraint"),
        ("", b"1\ta\n", "22P04", "missing data for column \"c\""),
        ("", b"1\ta\t\\N\t2\n", "22P04", "extra data after last expected column"),
        ("", b"1\t\xff\t\\N\n", "22021", "invalid byte sequence for encoding \"UTF8\""),
        (" csv", b"1,\"a,\n", "22P04", "unterminated CSV quoted field"),
        (
            " (format csv, header match)",
            b"a,x,c\n",
            "22P04",
            "column name mismatch in header line field 2: got \"x\", expected \"b\"",
        ),
        (" binary", b"1\ta\n", "22P04", "COPY file signature not recognized"),
        (" binary", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02", "22P04", "row field count is 2, expected 3"),
        (" binary", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\0", "22P04", "unexpected EOF in COPY data"),
    ];
    for (options, data, state, message) in cases {
        let statement = format!("copy t from stdin{options}");
        let good: &[u8] = if options.is_empty() { b"1\ta\t2024-01-01\n" } else { b"" };
        let error = copy_in(&client, &statement, &[good, data]).await.unwrap_err();
        let error = error.as_db_error().unwrap_or_else(|| panic!("{message}: {error}"));
        assert_eq!((error.code().code(), error.message()), (state, message));
        assert_eq!(copy_text(&client, "copy t to stdout").await, "", "{message}");
    }
    let error = copy_in(&client, "copy t from stdin", &[b"1\ta\t\\N\n2\tb\tx\n"]).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().detail(), Some("COPY t, line 2, column c: \"x\""));
    for (statement, state) in [
        ("copy nope from stdin", "42P01"),
        ("copy t (nope) from stdin", "42703"),
        ("copy t (a, a) from stdin", "42701"),
        ("copy t from stdin (format parquet)", "22023"),
        ("copy t from stdin (colour 'red')", "42601"),
        ("copy t from stdin (quote '\"')", "22023"),
        ("copy t from stdin (on_error ignore)", "0A000"),
        ("copy t from stdin csv force not null nope", "42703"),
        ("copy t from stdin (encoding 'latin1')", "0A000"),
    ] {
        // By the simple protocol: tokio-postgres loses count of answers when a COPY fails before it begins.
        let error = client.simple_query(statement).await.unwrap_err();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(state), "{statement}");
    }
}

#[tokio::test]
async fn a_client_that_gives_up_or_cancels_loads_nothing() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    {
        let mut sink = Box::pin(client.copy_in::<_, Bytes>("copy t from stdin").await.unwrap());
        sink.send(Bytes::from_static(b"1\n2\n")).await.unwrap();
        // Dropping it sends CopyFail.
    }
    assert_eq!(copy_text(&client, "copy t to stdout").await, "");
    {
        let mut sink = Box::pin(client.copy_in::<_, Bytes>("copy t from stdin").await.unwrap());
        sink.send(Bytes::from_static(b"1\n")).await.unwrap();
        client.cancel_token().cancel_query(tokio_postgres::NoTls).await.unwrap();
        // What comes before the cancel has arrived would be loaded.
        let other = server.client().await;
        let running = "select count(*) from stv_inflight where text like 'copy t from%'";
        while other.query_one(running, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let error = sink.as_mut().finish().await.unwrap_err();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("57014"));
    }
    client.batch_execute("begin").await.unwrap();
    assert_eq!(copy_in(&client, "copy t from stdin", &[b"1\n2\n"]).await.unwrap(), 2);
    assert_eq!(copy_text(&client, "copy (select * from t order by a) to stdout").await, "1\n2\n");
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(copy_text(&client, "copy t to stdout").await, "");
}

/// More rows than a message, a batch or the client's window hold.
#[tokio::test]
async fn many_rows() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int, b varchar(100))").await.unwrap();
    let mut expected = String::new();
    for number in 0..60_000 {
        writeln!(expected, "{number}\tthe text of row {number}").unwrap();
    }
    let pieces: Vec<&[u8]> = expected.as_bytes().chunks(100_000).collect();
    assert_eq!(copy_in(&client, "copy t from stdin", &pieces).await.unwrap(), 60_000);
    assert_eq!(copy_text(&client, "copy (select * from t order by a) to stdout").await, expected);
}

/// Redshift: `INFO: Load into table 't' completed, n record(s) loaded successfully.`
#[tokio::test]
async fn a_load_of_files_tells_how_many_rows_there_were() {
    let server = Server::start();
    let text = format!("host=127.0.0.1 port={} user=admin dbname=dev", server.port);
    let (client, mut connection) = tokio_postgres::connect(&text, tokio_postgres::NoTls).await.unwrap();
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let tokio_postgres::AsyncMessage::Notice(notice) = message {
                drop(sender.send((notice.severity().to_owned(), notice.message().to_owned())));
            }
        }
    });
    let file = server.directory.path().join("lines.txt");
    std::fs::write(&file, "1|a\nx|b\n3|c\n").unwrap();
    client.batch_execute("create table t (a int, b varchar(20))").await.unwrap();
    client.batch_execute(&format!("copy t from '{}' maxerror 2", file.display())).await.unwrap();
    drop(client);
    let mut told = Vec::new();
    while let Some(message) = messages.recv().await {
        told.push(message);
    }
    let expected = [
        "Load into table 't' completed, 2 record(s) loaded successfully.",
        "Load into table 't': 1 record(s) could not be loaded. Check 'sys_load_error_detail' system table for details.",
    ];
    assert_eq!(told.len(), 3, "{told:?}");
    for ((severity, message), expected) in told.iter().zip(expected) {
        assert_eq!((severity.as_str(), message.as_str()), ("INFO", expected));
    }
    assert!(told[2].1.ends_with("Invalid digit, Value 'x', Pos 0, Type: Integer (code 1207)"), "{told:?}");
}

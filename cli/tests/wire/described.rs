//! What clients are told beside rows: types of columns with their modifiers, and notices.

use crate::bad_input::{logged_in, message, received, socket};
use crate::login::redshift_startup;
use crate::server::Server;
use std::io::Write;
use std::net::TcpStream;

/// The messages up to ReadyForQuery, each with its type.
pub(crate) fn messages(socket: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    loop {
        let message = received(socket);
        if message.0 == b'Z' {
            return found;
        }
        found.push(message);
    }
}

fn ask(socket: &mut TcpStream, text: &str) -> Vec<(u8, Vec<u8>)> {
    socket.write_all(&message(b'Q', &[text.as_bytes(), b"\0"].concat())).unwrap();
    messages(socket)
}

/// The columns of a RowDescription: name, number, size and modifier of the type.
fn columns(messages: &[(u8, Vec<u8>)]) -> Vec<(String, u32, i16, i32)> {
    let (_, body) = messages.iter().find(|(kind, _)| *kind == b'T').expect("a RowDescription");
    let mut rest = &body[2..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0).unwrap();
        let name = String::from_utf8(rest[..end].to_vec()).unwrap();
        // The number of the table, and of the column in it, come before.
        let fields = &rest[end + 7..];
        let oid = u32::from_be_bytes(fields[..4].try_into().unwrap());
        let size = i16::from_be_bytes(fields[4..6].try_into().unwrap());
        let modifier = i32::from_be_bytes(fields[6..10].try_into().unwrap());
        found.push((name, oid, size, modifier));
        rest = &fields[12..];
    }
    found
}

/// The numbers are PostgreSQL's (`pg_type.dat`), for SUPER what Redshift's drivers know; a length is told with four
/// more, precision and scale as `(p << 16 | s) + 4` (`varchartypmodin`, `numerictypmodin`).
#[tokio::test]
async fn columns_have_their_declared_types() {
    let server = Server::start();
    let client = server.client().await;
    client
        .batch_execute(
            "create table t (v varchar(20), c char(5), x text, n numeric(12, 3), z timetz, p time, s super, b varbyte(9));
             insert into t values ('v', 'c', 'x', 1.5, '10:00:00.5+02', '10:00', '{\"a\":1}', 'ab');
             create view w as select v as named, c, z from t",
        )
        .await
        .unwrap();
    let (varchar, text) = ((1043, -1, 24), (1043, -1, 260));
    let (char, numeric, timetz) = ((1042, -1, 9), (1700, -1, (12 << 16 | 3) + 4), (1266, 12, -1));
    let all = [
        ("v", varchar),
        ("c", char),
        ("x", text),
        ("n", numeric),
        ("z", timetz),
        ("p", (1083, 8, -1)),
        ("s", (4000, -1, -1)),
        ("b", (17, -1, -1)),
    ];
    let renamed = [("named", varchar), ("c", char), ("z", timetz)];
    let cases = [
        ("select * from t", &all[..]),
        ("select v as named, c, z from t where v > '' order by 1 limit 3", &renamed),
        ("select * from w", &renamed),
        ("with q as (select distinct v as named, c, z from t) select a.* from q a join t on t.v = a.named", &renamed),
        ("select v as named, c, z from t union all select v, c, z from t", &renamed),
        ("select v as named, c, z from t group by v, c, z", &renamed),
        // A cast to CHAR, and the largest of a column.
        ("select 'ab'::char(5) as c, max(v) as v from t", &[("c", char), ("v", varchar)]),
        // What is computed has no length.
        ("select v || c as v, upper(c) as c from t", &[("v", (1043, -1, -1)), ("c", (1043, -1, -1))]),
    ];
    let mut socket = logged_in(&server);
    for (query, expected) in cases {
        let expected: Vec<_> =
            expected.iter().map(|(name, (oid, size, modifier))| ((*name).to_owned(), *oid, *size, *modifier)).collect();
        assert_eq!(columns(&ask(&mut socket, query)), expected, "{query}");
        // The same before the statement runs.
        let parse = message(b'P', &[&b"\0"[..], query.as_bytes(), b"\0\0\0"].concat());
        let (describe, sync) = (message(b'D', b"S\0"), message(b'S', b""));
        socket.write_all(&[parse, describe, sync].concat()).unwrap();
        assert_eq!(columns(&messages(&mut socket)), expected, "{query}");
    }
    for (query, expected) in [
        ("select z from t", "08:00:00.5+00"),
        // CHAR has blanks up to its length (PostgreSQL's `bpchar`).
        ("select c from t", "c    "),
        ("select min(c) from t where c = 'c'", "c    "),
        ("select 'abc'::char(2)", "ab"),
        ("select c || v from t", "cv"),
    ] {
        let rows = client.simple_query(query).await.unwrap();
        let shown = rows.iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        assert_eq!(shown.as_deref(), Some(expected), "{query}");
    }
    // In binary: microseconds, and seconds west of UTC (`timetz_send`); back as a parameter, an hour east.
    let bind = |parameter: &[u8]| {
        let length = u32::try_from(parameter.len()).unwrap().to_be_bytes();
        let count = [0, u8::from(!parameter.is_empty())];
        let value = if parameter.is_empty() { Vec::new() } else { [&length[..], parameter].concat() };
        message(b'B', &[&b"\0\0\0\x01\0\x01"[..], &count, &value, b"\0\x01\0\x01"].concat())
    };
    let (execute, sync) = (message(b'E', b"\0\0\0\0\0"), message(b'S', b""));
    let parse = message(b'P', b"\0select z from t\0\0\0");
    socket.write_all(&[parse, bind(&[]), execute.clone(), sync.clone()].concat()).unwrap();
    let utc = [&(8 * 3_600_000_000_i64 + 500_000).to_be_bytes()[..], &0_i32.to_be_bytes()].concat();
    let row = |value: &[u8]| [&b"\0\x01"[..], &u32::try_from(value.len()).unwrap().to_be_bytes(), value].concat();
    let data = |messages: Vec<(u8, Vec<u8>)>| messages.into_iter().find(|(kind, _)| *kind == b'D').unwrap().1;
    assert_eq!(data(messages(&mut socket)), row(&utc));
    let parse = message(b'P', b"\0select count(*) from t where z = $1\0\0\x01\0\0\x04\xf2");
    let east = [&(9 * 3_600_000_000_i64 + 500_000).to_be_bytes()[..], &(-3_600_i32).to_be_bytes()].concat();
    socket.write_all(&[parse, bind(&east), execute, sync].concat()).unwrap();
    assert_eq!(data(messages(&mut socket)), row(&1_i64.to_be_bytes()));
}

/// Columns of intervals have Redshift's numbers, and in binary months in 32 bits and microseconds in 64, as its Python
/// driver reads them; what is computed is PostgreSQL's interval (`interval_send`).
#[tokio::test]
async fn intervals_in_text_and_binary() {
    let server = Server::start();
    let client = server.client().await;
    client
        .batch_execute(
            "create table t (m interval year to month, s interval day to second, h interval hour to minute);
             insert into t values ('20 mons', '1 day 02:03:04.5', '26 hours'), (null, null, null)",
        )
        .await
        .unwrap();
    let mut socket = logged_in(&server);
    let told =
        |columns: Vec<(String, u32, i16, i32)>| columns.into_iter().map(|it| (it.1, it.2, it.3)).collect::<Vec<_>>();
    assert_eq!(told(columns(&ask(&mut socket, "select * from t"))), [(1188, 4, -1), (1190, 8, -1), (1190, 8, -1)]);
    let computed =
        "select -m, s * 2, interval '1 day', interval '1' day, timestamp '2024-01-02' - timestamp '2024-01-01' from t";
    assert_eq!(told(columns(&ask(&mut socket, computed))), [(1186, 16, -1); 5]);
    let texts = |text: &[&str]| {
        let count = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        let values =
            text.iter().map(|it| [&u32::try_from(it.len()).unwrap().to_be_bytes()[..], it.as_bytes()].concat());
        values.fold(count, |row, value| [row, value].concat())
    };
    let data = |messages: Vec<(u8, Vec<u8>)>| messages.into_iter().find(|(kind, _)| *kind == b'D').unwrap().1;
    assert_eq!(
        data(ask(&mut socket, "select * from t where m is not null")),
        texts(&["1 year 8 mons", "1 day 02:03:04.5", "1 day 02:00:00"])
    );
    assert_eq!(
        data(ask(&mut socket, "select -m, s * 2 from t where m is not null")),
        texts(&["-1 years -8 mons", "2 days 04:06:09"])
    );
    // Binary, with a parameter of each type in binary too.
    let query = b"\0select m, s, -m, s * 2 from t where m = $1 and s = $2\0\0\x02\0\0\x04\xa4\0\0\x04\xa6";
    let micros = ((26 * 60 + 3) * 60 + 4) * 1_000_000_i64 + 500_000;
    let values = [&b"\0\0\0\x04"[..], &20_i32.to_be_bytes(), b"\0\0\0\x08", &micros.to_be_bytes()].concat();
    let bind = message(b'B', &[&b"\0\0\0\x01\0\x01\0\x02"[..], &values, b"\0\x01\0\x01"].concat());
    let rest = [message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
    socket.write_all(&[message(b'P', query), bind, rest].concat()).unwrap();
    let (twice, day) = (micros * 2, 86_400_000_000);
    let expected = [
        &b"\0\x04\0\0\0\x04"[..],
        &20_i32.to_be_bytes(),
        b"\0\0\0\x08",
        &micros.to_be_bytes(),
        b"\0\0\0\x10",
        &0_i64.to_be_bytes(),
        &0_i32.to_be_bytes(),
        &(-20_i32).to_be_bytes(),
        b"\0\0\0\x10",
        &(twice % day).to_be_bytes(),
        &2_i32.to_be_bytes(),
        &0_i32.to_be_bytes(),
    ];
    assert_eq!(data(messages(&mut socket)), expected.concat());
}

/// Redshift's drivers know VARBYTE by its number there and read its text as digits alone (`varbytehex_recv` of its Python
/// driver); to others it is PostgreSQL's `bytea`. In binary it is its bytes.
#[tokio::test]
async fn varbyte_is_redshifts_own_to_its_drivers() {
    let server = Server::start();
    let mut plain = logged_in(&server);
    ask(&mut plain, "create table t (b varbyte(4))");
    ask(&mut plain, "insert into t values (to_varbyte('00ff', 'hex')), (null)");
    let mut own = socket(&server);
    own.write_all(&redshift_startup()).unwrap();
    messages(&mut own);
    let query = "select b from t where b is not null";
    let value = |told: &[(u8, Vec<u8>)]| told.iter().find(|(kind, _)| *kind == b'D').unwrap().1[6..].to_vec();
    for (socket, oid, text) in [(&mut plain, 17, "\\x00ff"), (&mut own, 6551, "00ff")] {
        let told = ask(socket, query);
        assert_eq!(columns(&told), [("b".to_owned(), oid, -1, -1)]);
        assert_eq!(value(&told), text.as_bytes());
        let parse = message(b'P', &[&b"\0"[..], query.as_bytes(), b"\0\0\0"].concat());
        let bind = message(b'B', b"\0\0\0\0\0\0\0\x01\0\x01");
        let rest = [message(b'D', b"P\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
        socket.write_all(&[parse, bind, rest].concat()).unwrap();
        let told = messages(socket);
        assert_eq!(columns(&told), [("b".to_owned(), oid, -1, -1)]);
        assert_eq!(value(&told), [0, 0xFF]);
    }
}

/// The fields of the notices among messages, by their letters.
fn notices(messages: &[(u8, Vec<u8>)]) -> Vec<Vec<(char, String)>> {
    let fields = |body: &[u8]| {
        let fields = body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        fields.map(|field| (char::from(field[0]), String::from_utf8_lossy(&field[1..]).into_owned())).collect()
    };
    messages.iter().filter(|(kind, _)| *kind == b'N').map(|(_, body)| fields(body)).collect()
}

fn notice(severity: &str, code: &str, text: &str) -> Vec<(char, String)> {
    [('S', severity), ('V', severity), ('C', code), ('M', text)]
        .map(|(letter, text)| (letter, text.to_owned()))
        .to_vec()
}

#[tokio::test]
async fn notices_come_before_the_tag() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    let kinds = |messages: &[(u8, Vec<u8>)]| messages.iter().map(|(kind, _)| char::from(*kind)).collect::<String>();
    let told = ask(&mut socket, "drop table if exists nothing");
    assert_eq!(kinds(&told), "NC");
    // PostgreSQL's words.
    let skipping = "table \"nothing\" does not exist, skipping";
    assert_eq!(notices(&told), [notice("NOTICE", "00000", skipping)]);
    let told = ask(&mut socket, "commit");
    assert_eq!(notices(&told), [notice("WARNING", "01000", "there is no transaction in progress")]);
    // Redshift's words: docs.aws.amazon.com/redshift/latest/dg/tutorial-loading-run-copy.html
    let file = server.directory.path().join("rows.csv");
    std::fs::write(&file, "1,a\n2,b\n").unwrap();
    ask(&mut socket, "create table part (a int, b varchar(9))");
    let told = ask(&mut socket, &format!("copy part from '{}' csv", file.display()));
    let loaded = "Load into table 'part' completed, 2 record(s) loaded successfully.";
    assert!(notices(&told).contains(&notice("INFO", "00000", loaded)), "{:?}", notices(&told));
    // Whoever asks for errors only still gets what INFO tells.
    ask(&mut socket, "set client_min_messages to error");
    assert!(notices(&ask(&mut socket, "drop table if exists nothing")).is_empty());
    let told = ask(&mut socket, &format!("copy part from '{}' csv", file.display()));
    assert!(notices(&told).contains(&notice("INFO", "00000", loaded)), "{:?}", notices(&told));
}

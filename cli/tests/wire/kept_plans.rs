//! Statements that come again, whose plans are kept: they mean what exists when they are run, whoever changed it, and give
//! what the same statement gives that comes for the first time. Expected values are PostgreSQL's.

use crate::server::Server;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

/// How often each statement is run: planned by itself, planned for all values, taken from what is kept, and once more.
const TIMES: usize = 4;

/// A client whose results are computed.
async fn client(server: &Server, user: &str) -> Client {
    let client = server.client_with(&format!("user={user} dbname=dev")).await.unwrap().0;
    client.batch_execute("set enable_result_cache_for_session to off").await.unwrap();
    client
}

/// The rows of a text as texts, the same each time.
async fn asked(client: &Client, text: &str) -> Vec<Vec<Option<String>>> {
    let mut first = None;
    for _ in 0..TIMES {
        let messages = client.simple_query(text).await.unwrap();
        let rows: Vec<Vec<Option<String>>> = messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
                _ => None,
            })
            .collect();
        assert_eq!(*first.get_or_insert_with(|| rows.clone()), rows, "{text}");
    }
    first.unwrap()
}

/// The one value of a text's rows.
async fn one(client: &Client, text: &str) -> String {
    let rows = asked(client, text).await;
    rows[0][0].clone().unwrap()
}

/// The state of the error of a text, the same each time.
async fn refused(client: &Client, text: &str) -> SqlState {
    let mut states = Vec::new();
    for _ in 0..TIMES {
        states.push(client.simple_query(text).await.unwrap_err().code().unwrap().clone());
    }
    assert!(states.windows(2).all(|two| two[0] == two[1]), "{states:?}");
    states.remove(0)
}

/// The first columns of the rows of a prepared statement, the same each time.
async fn executed(client: &Client, statement: &Statement, values: &[&(dyn ToSql + Sync)]) -> Vec<i32> {
    let mut first = None;
    for _ in 0..TIMES {
        let rows = client.query(statement, values).await.unwrap();
        let rows: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(*first.get_or_insert_with(|| rows.clone()), rows);
    }
    first.unwrap()
}

#[tokio::test]
async fn rows_of_other_sessions_are_seen() {
    let server = Server::start();
    let (reader, writer) = (client(&server, "admin").await, client(&server, "admin").await);
    writer.batch_execute("create table t (a int, b varchar(10)); insert into t values (1, 'x')").await.unwrap();
    let from = reader.prepare("select a from t where a >= $1 order by a").await.unwrap();
    let count = "select count(*) from t";
    assert_eq!((executed(&reader, &from, &[&1i32]).await, one(&reader, count).await), (vec![1], "1".to_owned()));
    for (change, values) in [
        ("insert into t values (2, 'y'), (0, 'z')", vec![1, 2]),
        ("update t set a = 3 where a = 2", vec![1, 3]),
        ("delete from t where a = 1", vec![3]),
        ("vacuum t", vec![3]),
        ("truncate t", vec![]),
        ("insert into t select 5, 'x'", vec![5]),
    ] {
        writer.batch_execute(change).await.unwrap();
        assert_eq!(executed(&reader, &from, &[&1i32]).await, values, "{change}");
    }
    assert_eq!(one(&reader, count).await, "1");
    // A block sees its own rows and no others, before and after.
    reader.batch_execute("begin; insert into t values (6, 'own')").await.unwrap();
    writer.batch_execute("insert into t values (7, 'other')").await.unwrap();
    assert_eq!(executed(&reader, &from, &[&1i32]).await, [5, 6]);
    reader.batch_execute("rollback").await.unwrap();
    assert_eq!(executed(&reader, &from, &[&1i32]).await, [5, 7]);
    reader.batch_execute("begin").await.unwrap();
    assert_eq!(executed(&reader, &from, &[&1i32]).await, [5, 7]);
    writer.batch_execute("insert into t values (8, 'later')").await.unwrap();
    assert_eq!(
        executed(&writer, &writer.prepare("select a from t where a >= $1 order by a").await.unwrap(), &[&6i32]).await,
        [7, 8]
    );
    assert_eq!(executed(&reader, &from, &[&1i32]).await, [5, 7]);
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(executed(&reader, &from, &[&1i32]).await, [5, 7, 8]);
}

#[tokio::test]
async fn joins_are_of_the_rows_of_now() {
    let server = Server::start();
    let (reader, writer) = (client(&server, "admin").await, client(&server, "admin").await);
    let make = "create table a (k int, v int); create table b (k int, w int); create table c (w int, name varchar(10)); \
                insert into a values (1, 10), (2, 20), (3, 30); insert into c values (100, 'x'), (200, 'y'); \
                insert into b values (1, 100), (2, 100), (2, 200), (4, 200)";
    writer.batch_execute(make).await.unwrap();
    let text = "select c.name, count(*) from a join b on a.k = b.k join c on b.w = c.w group by c.name order by 1";
    let rows = |rows: &[(&str, &str)]| -> Vec<Vec<Option<String>>> {
        rows.iter().map(|(name, count)| vec![Some((*name).to_owned()), Some((*count).to_owned())]).collect()
    };
    assert_eq!(asked(&reader, text).await, rows(&[("x", "2"), ("y", "1")]));
    for (change, expected) in [
        ("insert into a values (4, 40)", rows(&[("x", "2"), ("y", "2")])),
        ("update b set w = 100 where w = 200", rows(&[("x", "4")])),
        ("analyze a; analyze b", rows(&[("x", "4")])),
        ("delete from c", rows(&[])),
        ("insert into c values (100, 'z')", rows(&[("z", "4")])),
        ("vacuum a", rows(&[("z", "4")])),
    ] {
        writer.batch_execute(change).await.unwrap();
        assert_eq!(asked(&reader, text).await, expected, "{change}");
    }
    let from = "select a.v from a join b on a.k = b.k join c on b.w = c.w where a.v >= $1 order by a.v";
    let from = reader.prepare(from).await.unwrap();
    assert_eq!(executed(&reader, &from, &[&15i32]).await, [20, 20, 40]);
    assert_eq!(executed(&reader, &from, &[&30i32]).await, [40]);
    // What is prepared without parameters is found as a text is.
    let all = reader.prepare("select a.v from a join b on a.k = b.k where b.w = 100 order by a.v").await.unwrap();
    assert_eq!(executed(&reader, &all, &[]).await, [10, 20, 20, 40]);
    reader.batch_execute("begin; insert into a values (1, 11)").await.unwrap();
    assert_eq!(asked(&reader, text).await, rows(&[("z", "5")]));
    assert_eq!(executed(&reader, &all, &[]).await, [10, 11, 20, 20, 40]);
    reader.batch_execute("rollback").await.unwrap();
    assert_eq!(asked(&reader, text).await, rows(&[("z", "4")]));
    reader.batch_execute("set cost_based_optimizer to off").await.unwrap();
    assert_eq!(asked(&reader, text).await, rows(&[("z", "4")]));
}

#[tokio::test]
async fn definitions_are_those_of_now() {
    let server = Server::start();
    let (reader, owner) = (client(&server, "admin").await, client(&server, "admin").await);
    let make = "create table t (a int); insert into t values (1); create view v as select a from t; \
                create function f (int) returns int immutable as $$ select $1 + 1 $$ language sql";
    owner.batch_execute(make).await.unwrap();
    let (all, viewed, called, constant) = ("select * from t", "select a from v", "select f(a) from t", "select f(1)");
    for (text, expected) in [(all, "1"), (viewed, "1"), (called, "2"), (constant, "2")] {
        assert_eq!(one(&reader, text).await, expected, "{text}");
    }
    let prepared = reader.prepare("select a from v where a > $1").await.unwrap();
    assert_eq!(executed(&reader, &prepared, &[&0i32]).await, [1]);
    // Columns, views and functions.
    owner.batch_execute("alter table t add column b int default 7").await.unwrap();
    assert_eq!(asked(&reader, all).await, [[Some("1".to_owned()), Some("7".to_owned())]]);
    owner.batch_execute("create or replace view v as select a + 10 as a from t").await.unwrap();
    assert_eq!((one(&reader, viewed).await, executed(&reader, &prepared, &[&0i32]).await), ("11".to_owned(), vec![11]));
    let replace = "create or replace function f (int) returns int immutable as $$ select $1 + 2 $$ language sql";
    owner.batch_execute(replace).await.unwrap();
    assert_eq!((one(&reader, called).await, one(&reader, constant).await), ("3".to_owned(), "3".to_owned()));
    owner.batch_execute("drop function f (int)").await.unwrap();
    assert_eq!(refused(&reader, constant).await, SqlState::UNDEFINED_FUNCTION);
    // A table that is gone, and another of its name.
    owner.batch_execute("drop view v; drop table t").await.unwrap();
    assert_eq!(refused(&reader, all).await, SqlState::UNDEFINED_TABLE);
    assert_eq!(reader.query(&prepared, &[&0i32]).await.unwrap_err().code(), Some(&SqlState::UNDEFINED_TABLE));
    owner.batch_execute("create table t (c varchar(5)); insert into t values ('new')").await.unwrap();
    assert_eq!(one(&reader, all).await, "new");
    // A name of an earlier schema of the path, and a table of the session's own, go before.
    owner.batch_execute("create schema s; create table s.t (d int); insert into s.t values (42)").await.unwrap();
    reader.batch_execute("set search_path to s").await.unwrap();
    assert_eq!(one(&reader, all).await, "42");
    reader.batch_execute("create temp table t (e int); insert into t values (-1)").await.unwrap();
    assert_eq!(one(&reader, all).await, "-1");
    reader.batch_execute("drop table t; reset search_path").await.unwrap();
    assert_eq!(one(&reader, all).await, "new");
    owner.batch_execute("create view u as select 1 as x").await.unwrap();
    reader.batch_execute("begin; create or replace view u as select 2 as x").await.unwrap();
    assert_eq!(
        (one(&reader, "select x from u").await, one(&owner, "select x from u").await),
        ("2".to_owned(), "1".to_owned())
    );
    reader.batch_execute("rollback").await.unwrap();
    assert_eq!(one(&reader, "select x from u").await, "1");
}

#[tokio::test]
async fn rights_are_checked_each_time() {
    let server = Server::start();
    let owner = client(&server, "admin").await;
    let make = "create table t (a int, b int); insert into t values (1, 2); create user bob password 'Secret123'";
    owner.batch_execute(make).await.unwrap();
    owner.batch_execute("grant select on t to bob").await.unwrap();
    let bob = client(&server, "bob").await;
    let (all, some) = ("select b from t", "select a from t");
    let prepared = bob.prepare("select a from t where a = $1").await.unwrap();
    // What one user was let do is not let do to another.
    for who in [&owner, &bob] {
        assert_eq!((one(who, all).await, one(who, some).await), ("2".to_owned(), "1".to_owned()));
    }
    assert_eq!(executed(&bob, &prepared, &[&1i32]).await, [1]);
    owner.batch_execute("revoke select on t from bob").await.unwrap();
    assert_eq!(refused(&bob, all).await, SqlState::INSUFFICIENT_PRIVILEGE);
    assert_eq!(bob.query(&prepared, &[&1i32]).await.unwrap_err().code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(one(&owner, all).await, "2");
    owner.batch_execute("grant select (a) on t to bob").await.unwrap();
    assert_eq!((one(&bob, some).await, executed(&bob, &prepared, &[&1i32]).await), ("1".to_owned(), vec![1]));
    assert_eq!(refused(&bob, all).await, SqlState::INSUFFICIENT_PRIVILEGE);
    owner.batch_execute("set session authorization bob").await.unwrap();
    assert_eq!(refused(&owner, all).await, SqlState::INSUFFICIENT_PRIVILEGE);
    assert_eq!(one(&owner, "select current_user").await, "bob");
    owner.batch_execute("reset session authorization").await.unwrap();
    assert_eq!(
        (one(&owner, all).await, one(&owner, "select current_user").await),
        ("2".to_owned(), "admin".to_owned())
    );
}

#[tokio::test]
async fn times_move_on() {
    let server = Server::start();
    let client = client(&server, "admin").await;
    client.batch_execute("create table t (a int); insert into t values (1)").await.unwrap();
    for text in ["select now()", "select now() from t", "select random()", "select timeofday()"] {
        let ask = || async {
            let messages = client.simple_query(text).await.unwrap();
            messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
        };
        let mut seen = Vec::new();
        for _ in 0..TIMES {
            seen.push(ask().await.unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(seen.windows(2).all(|two| two[0] != two[1]), "{text}: {seen:?}");
    }
    let now = client.prepare("select now() from t where a = $1").await.unwrap();
    let mut last = SystemTime::UNIX_EPOCH;
    for _ in 0..TIMES {
        let moment: SystemTime = client.query_one(&now, &[&1i32]).await.unwrap().get(0);
        assert!(moment > last);
        last = moment;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Settings that a value is shown by.
    let text = "select '2024-01-01 12:00:00+00'::timestamptz";
    assert_eq!(one(&client, text).await, "2024-01-01 12:00:00+00");
    client.batch_execute("set timezone to 'Europe/Berlin'").await.unwrap();
    assert_eq!(one(&client, text).await, "2024-01-01 13:00:00+01");
    // And one by which a function means something else.
    let text = r#"select can_json_parse('{"a":1,"a":2}')"#;
    assert_eq!(one(&client, text).await, "f");
    client.batch_execute("set json_parse_dedup_attributes to on").await.unwrap();
    assert_eq!(one(&client, text).await, "t");
    client.batch_execute("reset json_parse_dedup_attributes").await.unwrap();
    assert_eq!(one(&client, text).await, "f");
}

#[allow(clippy::many_single_char_names, reason = "named as the columns that they ask for")]
#[tokio::test]
async fn parameters_have_any_value_of_their_type() {
    let server = Server::start();
    let client = client(&server, "admin").await;
    let columns = "(n int, a smallint, b bigint, c float8, d boolean, e varchar(10), f char(5), g date, h timestamp, i decimal(12,2))";
    client.batch_execute(&format!("create table t {columns}")).await.unwrap();
    let rows = "(1, 1, 1, 1.5, true, 'one', 'a', '2024-01-01', '2024-01-01 10:00:00.25', 1.50), \
                (2, 2, 5000000000, -2, false, 'two ', 'b', '2024-02-29', '2024-02-29 00:00:00', -2), \
                (3, null, null, null, null, null, null, null, null, null)";
    client.batch_execute(&format!("insert into t values {rows}")).await.unwrap();
    let find = |condition: &str| {
        let text = format!("select n from t where {condition} order by n");
        let client = &client;
        async move { client.prepare(&text).await.unwrap() }
    };
    let (a, b, c, d) = (find("a = $1").await, find("b = $1").await, find("c < $1").await, find("d = $1").await);
    let day = |text: &str| format!("{text} 00:00:00");
    for _ in 0..2 {
        assert_eq!(executed(&client, &a, &[&2i16]).await, [2]);
        assert_eq!(executed(&client, &a, &[&9i16]).await, [0i32; 0]);
        assert_eq!(executed(&client, &a, &[&None::<i16>]).await, [0i32; 0]);
        assert_eq!(executed(&client, &b, &[&5_000_000_000i64]).await, [2]);
        assert_eq!(executed(&client, &b, &[&1i64]).await, [1]);
        assert_eq!(executed(&client, &c, &[&0f64]).await, [2]);
        assert_eq!(executed(&client, &c, &[&f64::INFINITY]).await, [1, 2]);
        assert_eq!(executed(&client, &d, &[&true]).await, [1]);
        assert_eq!(executed(&client, &d, &[&false]).await, [2]);
    }
    let (e, f, ef) = (find("e = $1").await, find("f = $1").await, find("e = $1 or f in ($1, $2)").await);
    for _ in 0..2 {
        // Blanks at the end do not count in Redshift.
        assert_eq!(executed(&client, &e, &[&"two"]).await, [2]);
        assert_eq!(executed(&client, &e, &[&"one  "]).await, [1]);
        assert_eq!(executed(&client, &e, &[&"it's"]).await, [0i32; 0]);
        assert_eq!(executed(&client, &f, &[&"a    "]).await, [1]);
        assert_eq!(executed(&client, &f, &[&"b"]).await, [2]);
        assert_eq!(executed(&client, &ef, &[&"one", &"b"]).await, [1, 2]);
        assert_eq!(executed(&client, &ef, &[&"b", &"a"]).await, [1, 2]);
        assert_eq!(executed(&client, &ef, &[&None::<&str>, &"a"]).await, [1]);
    }
    // Texts stand for the other types here, as drivers without these send them.
    let (g, h, i) = (
        find("g = $1::varchar::date").await,
        find("h between $1::varchar::timestamp and $2::varchar::timestamp").await,
        find("i = $1::varchar::decimal(12,2)").await,
    );
    for _ in 0..2 {
        assert_eq!(executed(&client, &g, &[&"2024-02-29"]).await, [2]);
        assert_eq!(executed(&client, &g, &[&"2024-01-01"]).await, [1]);
        assert_eq!(executed(&client, &h, &[&day("2024-01-01"), &day("2024-01-02")]).await, [1]);
        assert_eq!(executed(&client, &h, &[&day("2024-01-02"), &day("2024-02-29")]).await, [2]);
        assert_eq!(executed(&client, &i, &[&"1.5"]).await, [1]);
    }
    // Times as such.
    let h = find("h > $1").await;
    let moment = SystemTime::UNIX_EPOCH + Duration::from_hours(473_362);
    assert_eq!(executed(&client, &h, &[&moment]).await, [1, 2]);
    assert_eq!(executed(&client, &h, &[&(moment + Duration::from_millis(250))]).await, [2]);
    // Where a value does not only stand beside a column, too.
    let sum = find("n + $1::int = $2::int").await;
    assert_eq!(executed(&client, &sum, &[&1i32, &3i32]).await, [2]);
    assert_eq!(executed(&client, &sum, &[&2i32, &3i32]).await, [1]);
    // Where there is no column at all.
    let alone = client.prepare("select $1::int").await.unwrap();
    assert_eq!(executed(&client, &alone, &[&41i32]).await, [41]);
    assert_eq!(executed(&client, &alone, &[&42i32]).await, [42]);
    let limited = client.prepare("select n from t order by n limit $1").await.unwrap();
    assert_eq!(executed(&client, &limited, &[&1i64]).await, [1]);
    assert_eq!(executed(&client, &limited, &[&2i64]).await, [1, 2]);
}

#[tokio::test]
async fn what_another_process_commits_is_seen() {
    let server = Server::start();
    let client = client(&server, "admin").await;
    client.batch_execute("create table t (a int); insert into t values (1)").await.unwrap();
    assert_eq!(one(&client, "select count(*) from t").await, "1");
    let run = |text: &str| {
        let process = std::process::Command::new(env!("CARGO_BIN_EXE_millrace"))
            .arg("--warehouse")
            .arg(server.directory.path())
            .args(["-c", text])
            .output()
            .unwrap();
        assert!(process.status.success(), "{}", String::from_utf8_lossy(&process.stderr));
    };
    run("insert into t values (2)");
    assert_eq!(one(&client, "select count(*) from t").await, "2");
    run("alter table t add column b int default 5");
    assert_eq!(one(&client, "select max(b) from t").await, "5");
    run("drop table t");
    assert_eq!(refused(&client, "select count(*) from t").await, SqlState::UNDEFINED_TABLE);
}

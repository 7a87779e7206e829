//! Queries for rows of a small table that come again and again, and are run without the planner then: they find what the
//! same query finds that comes for the first time. Expected values are PostgreSQL's.

use crate::server::{Server, one};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

/// How often each statement is run: until the rows among which it looks stay in memory, and a few times more.
const TIMES: usize = 10;

/// A client whose results are computed.
async fn client(server: &Server, user: &str) -> Client {
    let client = server.client_with(&format!("user={user} dbname=dev")).await.unwrap().0;
    client.batch_execute("set enable_result_cache_for_session to off").await.unwrap();
    client
}

/// A table of the numbers from 0 to 2047 with their texts, most of them in files.
async fn make_table(client: &Client) {
    client.batch_execute("create table t (a int, b varchar(20)); insert into t values (0, 'zero')").await.unwrap();
    for power in 0..11 {
        let count = 1 << power;
        client.batch_execute(&format!("insert into t select a + {count}, 'n' || (a + {count}) from t")).await.unwrap();
    }
}

/// The first columns of the rows that a prepared statement finds in order, the same each time.
async fn found(client: &Client, statement: &Statement, values: &[&(dyn ToSql + Sync)]) -> Vec<i32> {
    let mut first = None;
    for _ in 0..TIMES {
        let rows = client.query(statement, values).await.unwrap();
        let mut rows: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        rows.sort_unstable();
        assert_eq!(*first.get_or_insert_with(|| rows.clone()), rows);
    }
    first.unwrap()
}

#[tokio::test]
async fn no_file_is_read_in_the_end() {
    let server = Server::start();
    let client = client(&server, "admin").await;
    make_table(&client).await;
    let by_key = client.prepare("select b from t where a = $1").await.unwrap();
    let mut read = Vec::new();
    for key in 1500..1520_i32 {
        let text: String = client.query_one(&by_key, &[&key]).await.unwrap().get(0);
        assert_eq!(text, format!("n{key}"));
        let info = one(&client, "select trim(info) from stl_explain where query = pg_last_query_id()").await;
        assert!(info.starts_with(&format!("Filter: (a = {key})")), "{info}");
        read.push(!info.contains("Files: 0 of "));
    }
    assert!(read[0] && !read[19], "{read:?}");
    // Once they stay, they stay.
    assert!(read.is_sorted_by(|before, after| before >= after), "{read:?}");
    assert!(client.query(&by_key, &[&-1i32]).await.unwrap().is_empty());
}

#[tokio::test]
async fn changes_of_other_sessions_are_seen() {
    let server = Server::start();
    let (reader, writer) = (client(&server, "admin").await, client(&server, "admin").await);
    make_table(&writer).await;
    let by_key = reader.prepare("select a from t where a = $1").await.unwrap();
    let by_text = reader.prepare("select a from t where b = $1").await.unwrap();
    for (change, keys, texts) in [
        ("select 1", vec![1500], vec![1500]),
        ("insert into t values (1500, 'again'), (-5, 'n1500')", vec![1500, 1500], vec![-5, 1500]),
        ("delete from t where a = 1500 and b = 'n1500'", vec![1500], vec![-5]),
        ("update t set b = 'n1500' where a = 7", vec![1500], vec![-5, 7]),
        ("update t set a = 1500 where a in (8, 9)", vec![1500; 3], vec![-5, 7]),
        ("vacuum t", vec![1500; 3], vec![-5, 7]),
        ("analyze t", vec![1500; 3], vec![-5, 7]),
        ("alter table t add column c int default 7", vec![1500; 3], vec![-5, 7]),
        ("alter table t rename column c to d", vec![1500; 3], vec![-5, 7]),
        ("truncate t", vec![], vec![]),
        ("insert into t (a, b) select 1500, 'n1500'", vec![1500], vec![1500]),
    ] {
        writer.batch_execute(change).await.unwrap();
        assert_eq!(found(&reader, &by_key, &[&1500i32]).await, keys, "{change}");
        assert_eq!(found(&reader, &by_text, &[&"n1500"]).await, texts, "{change}");
    }
    writer.batch_execute("drop table t").await.unwrap();
    assert_eq!(reader.query(&by_key, &[&1i32]).await.unwrap_err().code(), Some(&SqlState::UNDEFINED_TABLE));
    writer.batch_execute("create table t (b varchar(20), a int); insert into t values ('n1500', 3)").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&1500i32]).await, [0i32; 0]);
    assert_eq!(found(&reader, &by_key, &[&3i32]).await, [3]);
    assert_eq!(found(&reader, &by_text, &[&"n1500"]).await, [3]);
}

#[tokio::test]
async fn blocks_see_their_own_snapshot_and_changes() {
    let server = Server::start();
    let (reader, writer) = (client(&server, "admin").await, client(&server, "admin").await);
    make_table(&writer).await;
    let by_key = reader.prepare("select a from t where a >= $1").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047]);
    reader.batch_execute("begin").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047]);
    writer.batch_execute("insert into t values (5000, 'other')").await.unwrap();
    let of_writer = writer.prepare("select a from t where a >= $1").await.unwrap();
    assert_eq!(found(&writer, &of_writer, &[&2046i32]).await, [2046, 2047, 5000]);
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047]);
    reader.batch_execute("insert into t values (6000, 'own')").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047, 6000]);
    assert_eq!(found(&writer, &of_writer, &[&2046i32]).await, [2046, 2047, 5000]);
    reader.batch_execute("rollback").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047, 5000]);
    // A temporary table of the session's own goes before.
    reader.batch_execute("create temp table t (a int); insert into t values (3000)").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [3000]);
    reader.batch_execute("drop table t").await.unwrap();
    assert_eq!(found(&reader, &by_key, &[&2046i32]).await, [2046, 2047, 5000]);
}

#[tokio::test]
async fn rights_are_checked_each_time() {
    let server = Server::start();
    let owner = client(&server, "admin").await;
    make_table(&owner).await;
    owner.batch_execute("create user bob password 'Secret123'; grant select on t to bob").await.unwrap();
    let bob = client(&server, "bob").await;
    let text = "select a from t where a = $1";
    let (of_bob, of_owner) = (bob.prepare(text).await.unwrap(), owner.prepare(text).await.unwrap());
    assert_eq!(found(&bob, &of_bob, &[&5i32]).await, [5]);
    assert_eq!(found(&owner, &of_owner, &[&5i32]).await, [5]);
    owner.batch_execute("revoke select on t from bob").await.unwrap();
    assert_eq!(bob.query(&of_bob, &[&5i32]).await.unwrap_err().code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(found(&owner, &of_owner, &[&5i32]).await, [5]);
    owner.batch_execute("grant select (a) on t to bob").await.unwrap();
    assert_eq!(found(&bob, &of_bob, &[&6i32]).await, [6]);
}

#[allow(clippy::many_single_char_names, reason = "named as the columns that they ask for")]
#[tokio::test]
async fn values_are_those_of_each_statement() {
    let server = Server::start();
    let client = client(&server, "admin").await;
    let columns = "(n int, a smallint, b bigint, c float8, d boolean, e varchar(10), f char(5), g date, h timestamptz)";
    client.batch_execute(&format!("create table t {columns}")).await.unwrap();
    let rows = "(1, 1, 1, 1.5, true, 'one', 'a', '2024-01-01', '2024-01-01 10:00:00+00'), \
                (2, 2, 5000000000, -2, false, 'two ', 'b', '2024-02-29', '2024-02-29 00:00:00+00'), \
                (3, null, null, null, null, null, null, null, null)";
    client.batch_execute(&format!("insert into t values {rows}")).await.unwrap();
    let find = |condition: &str| {
        let text = format!("select n from t where {condition}");
        let client = &client;
        async move { client.prepare(&text).await.unwrap() }
    };
    let (a, b, c, d) = (find("a = $1").await, find("b > $1").await, find("$1 > c").await, find("d = $1").await);
    let (e, f) = (find("e = $1").await, find("f = $1").await);
    let (or, within) = (find("a = $1 or b = $2").await, find("a >= $1 and a <= $2").await);
    let (not, list) = (find("not (a = $1)").await, find("a in ($1, $2)").await);
    let (day, limited) = (find("g = $1::varchar::date").await, find("n >= $1 limit 2").await);
    for _ in 0..2 {
        assert_eq!(found(&client, &a, &[&2i16]).await, [2]);
        assert_eq!(found(&client, &a, &[&9i16]).await, [0i32; 0]);
        assert_eq!(found(&client, &a, &[&None::<i16>]).await, [0i32; 0]);
        assert_eq!(found(&client, &b, &[&1i64]).await, [2]);
        assert_eq!(found(&client, &b, &[&i64::MIN]).await, [1, 2]);
        assert_eq!(found(&client, &c, &[&0f64]).await, [2]);
        assert_eq!(found(&client, &c, &[&f64::INFINITY]).await, [1, 2]);
        assert_eq!(found(&client, &d, &[&true]).await, [1]);
        // Blanks at the end do not count in Redshift.
        assert_eq!(found(&client, &e, &[&"two"]).await, [2]);
        assert_eq!(found(&client, &e, &[&"one  "]).await, [1]);
        assert_eq!(found(&client, &e, &[&"it's"]).await, [0i32; 0]);
        assert_eq!(found(&client, &f, &[&"a    "]).await, [1]);
        assert_eq!(found(&client, &or, &[&1i16, &5_000_000_000i64]).await, [1, 2]);
        assert_eq!(found(&client, &within, &[&1i16, &2i16]).await, [1, 2]);
        assert_eq!(found(&client, &within, &[&2i16, &1i16]).await, [0i32; 0]);
        assert_eq!(found(&client, &within, &[&2i16, &2i16]).await, [2]);
        assert_eq!(found(&client, &not, &[&2i16]).await, [1]);
        assert_eq!(found(&client, &list, &[&2i16, &7i16]).await, [2]);
        assert_eq!(found(&client, &list, &[&1i16, &None::<i16>]).await, [1]);
        assert_eq!(found(&client, &day, &[&"2024-02-29"]).await, [2]);
        assert_eq!(found(&client, &limited, &[&2i32]).await, [2, 3]);
        assert_eq!(found(&client, &limited, &[&3i32]).await, [3]);
    }
    // A text that is no date is told as such, as the first time.
    let mut told = Vec::new();
    for _ in 0..TIMES {
        told.push(client.query(&day, &[&"2024-02-30"]).await.unwrap_err().code().unwrap().clone());
    }
    assert!(told.iter().all(|state| *state == told[0] && state.code().starts_with("22")), "{told:?}");
    // Settings that a value is shown by.
    for (zone, shown) in [
        ("UTC", "2024-01-01 10:00:00+00"),
        ("Europe/Berlin", "2024-01-01 11:00:00+01"),
        ("UTC", "2024-01-01 10:00:00+00"),
    ] {
        client.batch_execute(&format!("set timezone to '{zone}'")).await.unwrap();
        for _ in 0..TIMES {
            assert_eq!(one(&client, "select h from t where n = 1").await, shown);
        }
    }
}

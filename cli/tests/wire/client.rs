//! What a well-behaved client does: queries, parameters of every type, portals, cursors, transactions, cancels.

use crate::server::Server;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, SimpleQueryMessage};

fn texts(messages: &[SimpleQueryMessage]) -> Vec<Vec<Option<String>>> {
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
        _ => None,
    });
    rows.collect()
}

#[tokio::test]
async fn simple_queries_give_texts_as_postgresql_writes_them() {
    let server = Server::start();
    let client = server.client().await;
    let cases = [
        ("select 1::smallint", "1"),
        ("select 1.50::decimal(10,2)", "1.50"),
        ("select true", "t"),
        ("select 1e20::float8", "1e+20"),
        ("select date '2024-02-29'", "2024-02-29"),
        ("select timestamp '2024-01-01 10:00:00.25'", "2024-01-01 10:00:00.25"),
        ("select 'ü'", "ü"),
    ];
    for (query, expected) in cases {
        let rows = texts(&client.simple_query(query).await.unwrap());
        assert_eq!(rows, [[Some(expected.to_owned())]], "{query}");
    }
    let rows = texts(&client.simple_query("select null; select 2").await.unwrap());
    assert_eq!(rows, [[None], [Some("2".to_owned())]]);
    assert!(texts(&client.simple_query(" ; -- nothing").await.unwrap()).is_empty());
}

#[tokio::test]
async fn parameters_and_results_in_binary() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int, b varchar(20), c bigint, d float8, e boolean)").await.unwrap();
    let insert = client.prepare("insert into t values ($1, $2, $3, $4, $5)").await.unwrap();
    let types: Vec<&str> = insert.params().iter().map(tokio_postgres::types::Type::name).collect();
    assert_eq!(types, ["int4", "varchar", "int8", "float8", "bool"]);
    let count = client.execute(&insert, &[&1i32, &"it's \\ ; drop", &(1i64 << 40), &1.5f64, &true]).await.unwrap();
    assert_eq!(count, 1);
    let nothing: (Option<i32>, Option<&str>) = (None, None);
    client.execute(&insert, &[&nothing.0, &nothing.1, &7i64, &0f64, &false]).await.unwrap();
    let rows = client.query("select * from t where c > $1 order by c", &[&6i64]).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get::<_, Option<i32>>(0), None);
    assert_eq!(rows[1].get::<_, &str>(1), "it's \\ ; drop");
    assert_eq!(rows[1].get::<_, i64>(2), 1 << 40);
    assert!((rows[1].get::<_, f64>(3) - 1.5).abs() < f64::EPSILON);
    assert!(rows[1].get::<_, bool>(4));
    let moment: SystemTime = client.query_one("select timestamp '1970-01-02 00:00:00'", &[]).await.unwrap().get(0);
    assert_eq!(moment, SystemTime::UNIX_EPOCH + Duration::from_hours(24));
}

#[tokio::test]
async fn errors_have_their_fields_and_the_connection_goes_on() {
    let server = Server::start();
    let client = server.client().await;
    let cases = [
        ("selec 1", SqlState::SYNTAX_ERROR),
        ("select * from nope", SqlState::UNDEFINED_TABLE),
        ("select nope", SqlState::UNDEFINED_COLUMN),
        ("select 1/0", SqlState::DIVISION_BY_ZERO),
        ("select 'a'::int", SqlState::INVALID_TEXT_REPRESENTATION),
    ];
    for (query, state) in cases {
        for error in [client.query(query, &[]).await.unwrap_err(), client.simple_query(query).await.unwrap_err()] {
            assert_eq!(error.code(), Some(&state), "{query}: {error}");
        }
    }
    let error = client.simple_query("select 1; select * from nope").await.unwrap_err();
    let position = error.as_db_error().unwrap().position().cloned();
    assert_eq!(position, Some(tokio_postgres::error::ErrorPosition::Original(25)));
    for error in [
        client.query("select relname from pg_catalog.pg_clas", &[]).await.unwrap_err(),
        client.simple_query("select relname from pg_catalog.pg_clas").await.unwrap_err(),
    ] {
        let error = error.as_db_error().unwrap().clone();
        assert_eq!(
            (error.severity(), error.parsed_severity()),
            ("ERROR", Some(tokio_postgres::error::Severity::Error))
        );
        assert_eq!(error.hint(), Some("did you mean \"pg_class\"?"));
        assert_eq!(error.position(), Some(&tokio_postgres::error::ErrorPosition::Original(21)));
    }
    let error = client.batch_execute("set statement_timeout = 'soon'").await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().detail(), Some("it takes milliseconds"));
    assert_eq!(client.query_one("select 1::int", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn portals_give_rows_bit_by_bit_and_cursors_too() {
    let server = Server::start();
    let mut client = server.client().await;
    client.batch_execute("create table n (x int); insert into n values (1),(2),(3),(4),(5)").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("select x from n order by x", &[]).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 2).await.unwrap();
        if rows.is_empty() {
            break;
        }
        seen.push(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>());
    }
    assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
    transaction.batch_execute("declare c cursor for select x from n order by x").await.unwrap();
    for (statement, expected) in
        [("fetch 2 from c", 2), ("move 1 in c", 0), ("fetch all from c", 2), ("fetch next from c", 0)]
    {
        assert_eq!(texts(&transaction.simple_query(statement).await.unwrap()).len(), expected, "{statement}");
    }
    transaction.commit().await.unwrap();
    let error = client.simple_query("fetch 1 from c").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_CURSOR_NAME));
}

#[tokio::test]
async fn prepared_statements_in_sql() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("prepare p (int, varchar) as select $1 + 1, $2").await.unwrap();
    let rows = texts(&client.simple_query("execute p (41, 'x')").await.unwrap());
    assert_eq!(rows, [[Some("42".to_owned()), Some("x".to_owned())]]);
    for (statement, state) in [
        ("execute p (1)", "42601"),
        ("execute q", "26000"),
        ("prepare p as select 1", "42P05"),
        ("deallocate q", "26000"),
    ] {
        let error = client.simple_query(statement).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), state, "{statement}");
    }
    client.batch_execute("deallocate all").await.unwrap();
    client.batch_execute("discard all").await.unwrap();
}

#[tokio::test]
async fn transactions_tell_their_status_and_an_error_makes_them_void() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    client.batch_execute("begin; insert into t values (1)").await.unwrap();
    client.simple_query("selec").await.unwrap_err();
    let error = client.simple_query("select 1").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    client.batch_execute("commit").await.unwrap();
    assert_eq!(client.query_one("select count(*) from t", &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn the_statements_of_one_text_are_one_transaction() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    client.batch_execute("insert into t values (1); select 1/0").await.unwrap_err();
    client.batch_execute("insert into t values (2); insert into t values (3)").await.unwrap();
    client.batch_execute("insert into t values (4); begin; insert into t values (5)").await.unwrap();
    client.batch_execute("rollback").await.unwrap();
    let rows = client.query("select a from t order by a", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [2, 3]);
}

#[tokio::test]
async fn a_cancel_ends_the_statement_and_nothing_else() {
    let server = Server::start();
    let client = server.client().await;
    let token = client.cancel_token();
    let endless = "with recursive n(x) as (select 1::bigint union all select x + 1 from n where x < 100000000) \
                   select count(*) from n";
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (ended, ()) = tokio::join!(client.simple_query(endless), cancel);
    assert_eq!(ended.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    client.batch_execute("set statement_timeout = 100").await.unwrap();
    let timed_out = client.simple_query(endless).await.unwrap_err();
    assert_eq!(timed_out.code(), Some(&SqlState::QUERY_CANCELED));
    client.batch_execute("reset statement_timeout; select 1").await.unwrap();
}

//! Many clients that insert row by row: commits that are ready at the same time share a transaction of the catalog.

use crate::server::Server;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

const CLIENTS: i64 = 16;

/// A server with these tables, a client of it, and what each of many other clients, which all work at once, has come to.
async fn worked<W>(tables: &str, work: impl Fn(i64, Client) -> W) -> (Server, Client, Vec<W::Output>)
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute(tables).await.unwrap();
    let mut working = JoinSet::new();
    for at in 0..CLIENTS {
        working.spawn(work(at, server.client().await));
    }
    let done = working.join_all().await;
    (server, client, done)
}

/// Enough rows that some of the statements move what has come into a file while the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_sixteen_clients_insert_is_all_there_once() {
    const ROWS: i64 = 90;
    let tables = "create table t (id bigint identity(1, 1), client bigint, n bigint)";
    let (_server, client, _) = worked(tables, |at, client| async move {
        for n in 0..ROWS {
            let insert = format!("insert into t (client, n) values ({at}, {n})");
            client.batch_execute(&insert).await.unwrap();
            if n % 30 == 0 {
                // What was acknowledged is seen.
                let query = "select count(*) from t where client = $1";
                assert_eq!(client.query_one(query, &[&at]).await.unwrap().get::<_, i64>(0), n + 1);
            }
        }
    })
    .await;
    let query = "select count(*), count(distinct id), count(distinct client * 1000 + n) from t";
    let found = client.query_one(query, &[]).await.unwrap();
    let all = CLIENTS * ROWS;
    assert_eq!([0, 1, 2].map(|at| found.get::<_, i64>(at)), [all; 3]);
    let sums = client.query("select client, sum(n)::bigint from t group by client", &[]).await.unwrap();
    let sums: BTreeSet<(i64, i64)> = sums.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(sums, (0..CLIENTS).map(|at| (at, ROWS * (ROWS - 1) / 2)).collect());
}

/// A block that read what others change is told so; the others' rows and those of other blocks stay.
#[tokio::test(flavor = "multi_thread")]
async fn of_blocks_that_collide_those_that_fail_leave_nothing() {
    const ROUNDS: i64 = 15;
    let tables = "create table t (client bigint, n bigint); create table u (n bigint)";
    let (_server, client, done) = worked(tables, |at, client| async move {
        let (mut made, mut refused) = (0_i64, 0_i64);
        for n in 0..ROUNDS {
            if at % 4 != 0 {
                client.batch_execute(&format!("insert into t values ({at}, {n})")).await.unwrap();
                made += 1;
                continue;
            }
            client.batch_execute("begin; select count(*) from u").await.unwrap();
            let insert = format!("insert into u values ({n}); insert into t values ({at}, {n})");
            client.batch_execute(&insert).await.unwrap();
            match client.batch_execute("commit").await {
                Ok(()) => made += 1,
                Err(error) => {
                    assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE), "{error}");
                    refused += 1;
                }
            }
        }
        (at, made, refused)
    })
    .await;
    let (mut all, mut blocks) = (0, 0);
    for (at, made, refused) in done {
        assert_eq!(made + refused, ROUNDS);
        let query = "select count(*), count(distinct n) from t where client = $1";
        let found = client.query_one(query, &[&at]).await.unwrap();
        assert_eq!((found.get::<_, i64>(0), found.get::<_, i64>(1)), (made, made), "client {at}");
        all += made;
        blocks += if at % 4 == 0 { made } else { 0 };
    }
    let query = "select (select count(*) from t), (select count(*) from u)";
    let found = client.query_one(query, &[]).await.unwrap();
    assert_eq!((found.get::<_, i64>(0), found.get::<_, i64>(1)), (all, blocks));
    assert!(blocks > 0, "one of those that collide is the first");
}

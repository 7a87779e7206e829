//! Servers that are absent, refuse, have something else's tables, or go away: most only where `MILLRACE_POSTGRES` names
//! one.

use super::*;
use crate::store::database::Connection;
use crate::store::{PostgresUrl, postgres, sql_text};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The server's URL with a parameter more.
fn server(parameter: &str) -> Option<PostgresUrl> {
    let server = std::env::var("MILLRACE_POSTGRES").ok().filter(|url| !url.is_empty())?;
    let separator = if server.contains('?') { '&' } else { '?' };
    Some(format!("{server}{separator}{parameter}").parse().unwrap())
}

async fn open(url: &PostgresUrl) -> Result<Catalog, CatalogError> {
    Catalog::open_at(&CatalogPlace::Postgres(url.clone())).await
}

async fn connect(url: &PostgresUrl) -> Connection {
    postgres::options(url).connect().await.unwrap()
}

/// Runs statements in a session of its own.
async fn run(url: &PostgresUrl, statements: &str) {
    let mut connection = connect(url).await;
    for statement in statements.split(';') {
        connection.execute(sql_text(statement.to_owned())).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// Ends all sessions that have a name.
async fn end_sessions(url: &PostgresUrl, name: &str) {
    let mut connection = connect(url).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = $1 AND pid <> pg_backend_pid()";
    let ended: Option<(i64,)> = connection.first(sql(end).bind(name)).await.unwrap();
    assert!(ended.is_some_and(|(count,)| count > 0));
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let url: PostgresUrl = "postgres://me:secret@127.0.0.1:1/lake".parse().unwrap();
    let error = open(&url).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("postgres://me@127.0.0.1:1/lake") && text.contains("refused"), "{text}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let Some(url) = server("dbname=nowhere") else { return };
    let text = message(open(&url).await);
    assert!(text.contains("could not connect") && text.contains("\"nowhere\" does not exist"), "{text}");
}

#[tokio::test]
async fn another_programs_tables_are_left_alone() {
    let Some(url) = server("schema=bookmarks") else { return };
    run(&url, "DROP SCHEMA IF EXISTS bookmarks CASCADE; CREATE SCHEMA bookmarks; CREATE TABLE marks (url text)").await;
    let error = open(&url).await.unwrap_err();
    assert!(matches!(&error, CatalogError::Damaged(m) if m.contains("another program's tables, \"marks\"")), "{error}");
    run(&url, "DROP TABLE marks").await;
    assert!(open(&url).await.is_ok());
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let Some(url) = server("schema=newer") else { return };
    run(&url, "DROP SCHEMA IF EXISTS newer CASCADE").await;
    open(&url).await.unwrap().close().await;
    run(&url, "UPDATE millrace_meta SET format = 77").await;
    assert!(message(open(&url).await).contains("catalog format 77 is newer"));
}

#[tokio::test]
async fn a_user_who_may_only_read_reads() {
    let Some(url) = server("schema=readable") else { return };
    run(&url, "DROP SCHEMA IF EXISTS readable CASCADE").await;
    open(&url).await.unwrap().create_table(&table("t", &[]), false).await.unwrap();
    let grants = "DROP ROLE IF EXISTS millrace_reader; CREATE ROLE millrace_reader LOGIN PASSWORD 'reader'; \
                  GRANT USAGE ON SCHEMA readable TO millrace_reader; \
                  GRANT SELECT ON ALL TABLES IN SCHEMA readable TO millrace_reader";
    run(&url, grants).await;
    let reader = open(&server("schema=readable&user=millrace_reader&password=reader").unwrap()).await.unwrap();
    assert!(reader.is_read_only());
    assert!(reader.snapshot().await.unwrap().table("default", "t").is_some());
    let written = reader.create_table(&table("u", &[]), false).await;
    assert!(matches!(written, Err(CatalogError::ReadOnly(_))), "{written:?}");
    reader.close().await;
    run(&url, "DROP SCHEMA readable CASCADE; DROP ROLE millrace_reader").await;
}

#[tokio::test]
async fn lost_connections_are_made_again() {
    let Some(url) = server("schema=lost&application_name=millrace_lost") else { return };
    let catalog = open(&url).await.unwrap();
    let name = format!("t{}", std::process::id());
    catalog.create_table(&table(&name, &[]), false).await.unwrap();
    end_sessions(&url, "millrace_lost").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(catalog.snapshot().await.unwrap().table("default", &name).is_some());
    catalog.drop_table("default", &name).await.unwrap();
}

#[tokio::test]
async fn a_transaction_whose_session_was_ended_changes_nothing() {
    let Some(url) = server("schema=settled&application_name=millrace_settled") else { return };
    let catalog = open(&url).await.unwrap();
    let next = sql("SELECT next_id FROM millrace_meta");
    let mut write = catalog.write().await.unwrap();
    let before = write.number(next.clone()).await.unwrap();
    write.allocate(1000).await.unwrap();
    end_sessions(&url, "millrace_settled").await;
    let lost = write.commit_uncounted().await.unwrap_err();
    assert!(
        matches!(&lost, CatalogError::Unavailable { message, .. } if message.contains("nothing was changed")),
        "{lost:?}"
    );
    let mut write = catalog.write().await.unwrap();
    assert_eq!(write.number(next).await.unwrap(), before);
    write.abandon().await.unwrap();
}

/// Passes connections on to the server; once `deaf` is set, those that are open hear nothing of it any more, and where
/// `closes` are closed after their next message.
async fn proxy(server: String, deaf: Arc<AtomicBool>, closes: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let upstream = TcpStream::connect(&server).await.unwrap();
            // Connections that are made later are heard.
            let deaf = if deaf.load(Ordering::SeqCst) { Arc::default() } else { Arc::clone(&deaf) };
            tokio::spawn(pass(client, upstream, deaf, closes));
        }
    });
    port
}

async fn pass(mut client: TcpStream, mut upstream: TcpStream, deaf: Arc<AtomicBool>, closes: bool) {
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(count) if count > 0 => upstream.write_all(&asked[..count]).await.unwrap(),
                _ => return,
            },
            read = upstream.read(&mut told) => match read {
                // The answer came, and goes no further.
                Ok(_) if deaf.load(Ordering::SeqCst) && closes => return,
                Ok(count) if deaf.load(Ordering::SeqCst) && count > 0 => {}
                Ok(count) if count > 0 => client.write_all(&told[..count]).await.unwrap(),
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_asked_for() {
    let Some(direct) = server("schema=unheard") else { return };
    let deaf = Arc::<AtomicBool>::default();
    let port = proxy(format!("{}:{}", direct.host(), direct.port()), Arc::clone(&deaf), true).await;
    let catalog = open(&server(&format!("schema=unheard&host=127.0.0.1&port={port}")).unwrap()).await.unwrap();
    // The connection that writes knows all statements now, so that COMMIT is one message.
    let write = catalog.write().await.unwrap();
    write.commit_uncounted().await.unwrap();
    let mut write = catalog.write().await.unwrap();
    let before = write.allocate(1000).await.unwrap();
    deaf.store(true, Ordering::SeqCst);
    write.commit_uncounted().await.unwrap();
    let mut write = catalog.write().await.unwrap();
    assert_eq!(write.allocate(1).await.unwrap(), before + 1000);
    write.abandon().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_went_dead_without_a_word_is_replaced() {
    let Some(direct) = server("schema=silent") else { return };
    let deaf = Arc::<AtomicBool>::default();
    let port = proxy(format!("{}:{}", direct.host(), direct.port()), Arc::clone(&deaf), false).await;
    let catalog = open(&server(&format!("schema=silent&host=127.0.0.1&port={port}")).unwrap()).await.unwrap();
    // Idle for longer, they are asked whether they live.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    deaf.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    catalog.snapshot().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_server_gives_up_what_takes_too_long() {
    let Some(url) = server("schema=public") else { return };
    let mut connection = connect(&url).await;
    let query = "SELECT CAST(count(*) AS BIGINT) FROM pg_settings WHERE setting <> '0' AND name IN \
                 ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')";
    assert_eq!(connection.first::<(i64,)>(sql(query)).await.unwrap(), Some((3,)));
    connection.execute(sql("SET statement_timeout TO 50")).await.unwrap();
    let error = connection.first::<(bool,)>(sql("SELECT pg_sleep(9) IS NULL")).await.unwrap_err();
    assert!(postgres::fault(&url, error).to_string().contains("gave a statement up that took too long"));
}

//! Servers that are absent, refuse, are something else's, or go away: only where `MILLRACE_POSTGRES` names one.

use super::*;
use crate::store::PostgresUrl;
use std::sync::Arc;

/// A place of the server with a parameter more, and the URL that it was made of.
fn server(parameter: &str) -> Option<(CatalogPlace, String)> {
    let server = std::env::var("MILLRACE_POSTGRES").ok().filter(|url| !url.is_empty())?;
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}{parameter}");
    Some((CatalogPlace::Postgres(url.parse().unwrap()), url))
}

/// Runs statements in a session of its own.
async fn run(url: &str, statements: &'static str) {
    let url: PostgresUrl = url.parse().unwrap();
    let options = crate::store::database::Options::Postgres(
        url.options.clone(),
        crate::store::postgres::Session::new(&url),
    );
    let mut connection = options.connect().await.unwrap();
    for statement in statements.split(';') {
        connection.execute(sql_text(statement.to_owned())).await.unwrap();
    }
    connection.close().await.unwrap();
}

use crate::store::sql_text;

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let url: PostgresUrl = "postgres://me:secret@127.0.0.1:1/lake".parse().unwrap();
    let error = Catalog::open_at(&CatalogPlace::Postgres(url)).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("postgres://me@127.0.0.1:1/lake") && text.contains("refused"), "{text}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let Some((place, _)) = server("dbname=nowhere") else { return };
    let text = message(Catalog::open_at(&place).await);
    assert!(text.contains("could not connect") && text.contains("\"nowhere\" does not exist"), "{text}");
}

#[tokio::test]
async fn another_programs_tables_are_left_alone() {
    let Some((place, url)) = server("schema=bookmarks") else { return };
    run(&url, "DROP SCHEMA IF EXISTS bookmarks CASCADE; CREATE SCHEMA bookmarks; CREATE TABLE bookmarks (url text)").await;
    let error = Catalog::open_at(&place).await.unwrap_err();
    assert!(matches!(&error, CatalogError::Damaged(m) if m.contains("another program's tables, \"bookmarks\"")), "{error}");
    run(&url, "DROP TABLE bookmarks").await;
    assert!(Catalog::open_at(&place).await.is_ok());
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let Some((place, url)) = server("schema=newer") else { return };
    run(&url, "DROP SCHEMA IF EXISTS newer CASCADE").await;
    Catalog::open_at(&place).await.unwrap().close().await;
    run(&url, "UPDATE millrace_meta SET format = 77").await;
    assert!(message(Catalog::open_at(&place).await).contains("catalog format 77 is newer"));
}

#[tokio::test]
async fn a_user_who_may_only_read_reads() {
    let Some((place, url)) = server("schema=readable") else { return };
    run(&url, "DROP SCHEMA IF EXISTS readable CASCADE").await;
    Catalog::open_at(&place).await.unwrap().create_table(&table("t", &[]), false).await.unwrap();
    run(
        &url,
        "DROP ROLE IF EXISTS millrace_reader; CREATE ROLE millrace_reader LOGIN; \
         GRANT USAGE ON SCHEMA readable TO millrace_reader; \
         GRANT SELECT ON ALL TABLES IN SCHEMA readable TO millrace_reader",
    )
    .await;
    let (reader, _) = server("schema=readable&user=millrace_reader").unwrap();
    let reader = Catalog::open_at(&reader).await.unwrap();
    assert!(reader.is_read_only());
    assert!(reader.snapshot().await.unwrap().table("default", "t").is_some());
    let written = reader.create_table(&table("u", &[]), false).await;
    assert!(matches!(written, Err(CatalogError::ReadOnly(_))), "{written:?}");
    reader.close().await;
    run(&url, "DROP SCHEMA readable CASCADE; DROP ROLE millrace_reader").await;
}

/// Ends all other sessions of the catalog, which `application_name` tells.
async fn end_sessions(url: &str, name: &'static str) {
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}' \
         AND pid <> pg_backend_pid()"
    );
    let url: PostgresUrl = url.parse().unwrap();
    let session = crate::store::postgres::Session::new(&url);
    let options = crate::store::database::Options::Postgres(url.options.clone(), session);
    let mut connection = options.connect().await.unwrap();
    let ended: Option<(i64,)> = connection.first(sql_text(end)).await.unwrap();
    assert!(ended.is_some_and(|(count,)| count > 0));
    connection.close().await.unwrap();
}

#[tokio::test]
async fn lost_connections_are_made_again() {
    let Some((place, url)) = server("schema=lost&application_name=millrace_lost") else { return };
    let catalog = Catalog::open_at(&place).await.unwrap();
    let name = format!("t{}", std::process::id());
    catalog.create_table(&table(&name, &[]), false).await.unwrap();
    end_sessions(&url, "millrace_lost").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert!(catalog.snapshot().await.unwrap().table("default", &name).is_some());
    catalog.drop_table("default", &name).await.unwrap();
}

/// A transaction whose session is ended before its commit changes nothing, and says so.
#[tokio::test]
async fn a_commit_without_an_answer_is_asked_for() {
    let Some((place, url)) = server("schema=settled&application_name=millrace_settled") else { return };
    let catalog = Arc::new(Catalog::open_at(&place).await.unwrap());
    let mut write = catalog.write().await.unwrap();
    write.execute(sql("UPDATE millrace_meta SET next_id = next_id + 1000")).await.unwrap();
    let before = catalog.read().await.unwrap().number(sql("SELECT next_id FROM millrace_meta")).await.unwrap();
    end_sessions(&url, "millrace_settled").await;
    let lost = write.commit().await.unwrap_err();
    assert!(matches!(lost, CatalogError::Unavailable { .. }), "{lost:?}");
    let mut write = catalog.write().await.unwrap();
    assert_eq!(write.number(sql("SELECT next_id FROM millrace_meta")).await.unwrap(), before);
    write.abandon().await.unwrap();
}
